"""Temporal colour code: onset maps and stacks as colours."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from napari_lithium_alloy.core.errors import AlloyError
from napari_lithium_alloy.core.onset import OnsetMap
from napari_lithium_alloy.core.onset_light import window_counts
from napari_lithium_alloy.core.progress import Work, part
from napari_lithium_alloy.core.recording import FloatArray, Recording
from napari_lithium_alloy.core.row_blocks import by_rows
from napari_lithium_alloy.core.time_scale import Legend, TimeScale

RgbImage = NDArray[np.uint8]
Lut = NDArray[np.uint8]

COLORMAPS = (
    "viridis",
    "plasma",
    "cividis",
    "inferno",
    "magma",
    "turbo",
    "Fire",
    "Spectrum",
)
"""Offered in forms: perceptually uniform ones first, then ImageJ's."""

SITE_COLOUR = (0, 255, 0)

# Every eighth entry of ImageJ's lookup table "Fire", which is linear in between.
_FIRE = (
    (0, 0, 1, 25, 49, 73, 98, 122, 146, 162, 173, 184, 195, 207, 217, 229, 240, 252) + (255,) * 14,
    (0,) * 13
    + (14, 35, 57, 79, 101, 117, 133, 147, 161, 175, 190, 205, 219, 234, 248)
    + (255,) * 4,
    (0, 61, 96, 130, 165, 192, 220, 227, 210, 181, 151, 122, 93, 64, 35, 5)
    + (0,) * 11
    + (35, 98, 160, 223, 255),
)


@dataclass(frozen=True, kw_only=True)
class ColorCodeParameters:
    """How an onset map is coloured.

    Attributes
    ----------
    colormap : str
        Any of matplotlib's colormaps, or Fire or Spectrum of ImageJ.
    flat : bool
        Whether all pixels are equally bright; otherwise brightness is the size of the change.
    background : {"black", "white"}
        Colour where no onset is known, also of the inverted picture.
    legend : {"s", "x", "%", "% alloyed"}
        Unit in which colours are spread evenly, and that the legend is in: seconds, Li content x
        at that time, time as a share of the stage, or area alloyed by then.
    site_radius_um : float
        Radius of the green discs that mark nucleation sites, micrometres.
    """

    colormap: str = "viridis"
    flat: bool = False
    background: Literal["black", "white"] = "black"
    legend: Legend = "s"
    site_radius_um: float = 0.3


def lut(name: str) -> Lut:
    """(256, 3) uint8 colours of a colormap.

    Raises
    ------
    AlloyError
        If there is no colormap of that name.
    """
    if name == "Fire":
        knots = np.arange(32) * 8
        at = np.arange(256)
        # ImageJ extrapolates nothing: the last knot holds to the end.
        columns = [np.floor(np.interp(at, knots, channel)) for channel in _FIRE]
        return np.stack(columns, axis=1).astype(np.uint8)
    if name == "Spectrum":
        return _spectrum()
    from matplotlib import colormaps

    if name not in colormaps:
        raise AlloyError(
            f"There is no colormap {name}; choose one of {', '.join(COLORMAPS)} or any of "
            "matplotlib's."
        )
    return np.asarray(np.round(colormaps[name](np.arange(256))[:, :3] * 255), dtype=np.uint8)


def _spectrum() -> Lut:
    """Hues once round the circle, full saturation and brightness."""
    sector = np.arange(256) / 255 * 6
    whole = np.floor(sector)
    part = sector - whole
    up, down, one, zero = part, 1 - part, np.ones(256), np.zeros(256)
    choices = [
        (one, up, zero),
        (down, one, zero),
        (zero, one, up),
        (zero, down, one),
        (up, zero, one),
        (one, zero, down),
    ]
    index = whole.astype(int) % 6
    channels = [np.choose(index, [c[k] for c in choices]) for k in range(3)]
    return np.floor(np.stack(channels, axis=1) * 255 + 0.5).astype(np.uint8)


def all_colormaps() -> tuple[str, ...]:
    """Every name that `lut` knows, those of `COLORMAPS` first."""
    from matplotlib import colormaps

    others = sorted(set(colormaps) - set(COLORMAPS), key=str.lower)
    return (*COLORMAPS, *others)


def color_code(
    onset: OnsetMap,
    parameters: ColorCodeParameters | None = None,
    *,
    scale: TimeScale | None = None,
    inverted: bool = False,
) -> RgbImage:
    """Onset times as colours, (Y, X, 3) uint8 (Mao et al. 2024, Fig. 2B).

    Parameters
    ----------
    onset : OnsetMap
    parameters : ColorCodeParameters, optional
        Brightness is the pixel's change relative to the 95th percentile of the field's, unless
        `flat`; a pixel without change would have the background's colour.
    scale : TimeScale, optional
        The first colour is its start and the last its end; None: those of the map's time range.
    inverted : bool
        Each colour is 255 less its channels. The background stays what it is: in Fig. 2B places
        are white in the normal picture as in the inverted one.
    """
    parameters = parameters or ColorCodeParameters()
    table = lut(parameters.colormap).astype(np.float32)
    if inverted:
        table = 255 - table
    reached = onset.reached
    times = np.where(reached, onset.onset_s, onset.start_s)
    plain = (times - onset.start_s) / (onset.end_s - onset.start_s)
    position = plain if scale is None else scale.share(times)
    rgb = table[np.clip(np.round(position * 255), 0, 255).astype(int)]
    background = 255.0 if parameters.background == "white" else 0.0
    if not parameters.flat and reached.any():
        full = np.percentile(onset.amplitude[reached], 95)
        weight = np.clip(onset.amplitude / full, 0, 1)[..., np.newaxis]
        rgb = weight * rgb + (1 - weight) * background
    rgb = np.where(reached[..., np.newaxis], rgb, background)
    return np.asarray(np.round(rgb), dtype=np.uint8)


def merge_sites(rgb: RgbImage, positions_px: FloatArray, radius_px: float) -> RgbImage:
    """The image with green discs at nucleation sites, (Y, X, 3) uint8 (Fig. 2B).

    Parameters
    ----------
    rgb : numpy.ndarray
        (Y, X, 3) uint8.
    positions_px : numpy.ndarray
        (N, 2) row and column.
    radius_px : float
    """
    merged = rgb.copy()
    rows, columns = np.ogrid[: rgb.shape[0], : rgb.shape[1]]
    for y, x in np.asarray(positions_px, dtype=float).reshape(-1, 2):
        merged[(rows - y) ** 2 + (columns - x) ** 2 <= radius_px**2] = SITE_COLOUR
    return merged


def projection(
    recording: Recording,
    colours: Lut,
    start_s: float,
    end_s: float,
    *,
    method: Literal["max", "sd"] = "max",
) -> Work[RgbImage]:
    """Temporal-Color Code of Fiji: each frame in its colour, projected over time.

    Frame i of N has the colour `colours[floor(256 i / N)]`, scaled by its 8-bit intensity and
    rounded; then each channel's maximum, or its standard deviation (N - 1), over time is taken.

    Parameters
    ----------
    recording : Recording
        8-bit frames are used as they are; others are first scaled from their range over the
        frames' first and last to 0..255, as ImageJ does on conversion to 8 bit.
    colours : numpy.ndarray
        (256, 3) uint8.
    start_s, end_s : float
    method : {"max", "sd"}

    Returns
    -------
    numpy.ndarray
        (Y, X, 3) uint8.
    """
    frames = recording.frames_between(start_s, end_s)
    n = len(frames)
    if n < 2:
        raise AlloyError(
            f"{recording.name}: fewer than two frames lie between {start_s:g} and {end_s:g} s; "
            "choose a longer range."
        )
    low, high = _display_range(recording, int(frames[0]), int(frames[-1]))
    counts = yield from part(window_counts(recording, frames), 0, 100, 200)
    colour = colours[[int(256 / n * i) for i in range(n)]].astype(np.uint16)
    project = _highest if method == "max" else _spread
    rgb = yield from part(project(counts, colour, _scale(low, high)), 100, 200, 200)
    return np.ascontiguousarray(np.moveaxis(rgb, 0, -1).astype(np.uint8))


def _highest(
    counts: NDArray[Any], colours: NDArray[np.uint16], scale: tuple[float, float]
) -> Work[NDArray[np.uint16]]:
    from napari_lithium_alloy.core.kernels.projections import highest_colours

    out = np.zeros((3, *counts.shape[1:]), dtype=np.uint16)
    yield from by_rows(
        lambda rows: highest_colours(counts, colours, scale, rows, out), out.shape[1], most=32
    )
    return out


def _spread(
    counts: NDArray[Any], colours: NDArray[np.uint16], scale: tuple[float, float]
) -> Work[FloatArray]:
    from napari_lithium_alloy.core.kernels.projections import colour_sums

    n = len(counts)
    total, squares = (np.zeros((3, *counts.shape[1:]), dtype=np.int64) for _ in range(2))
    yield from by_rows(
        lambda rows: colour_sums(counts, colours, scale, rows, total, squares),
        total.shape[1],
        most=32,
    )
    variance = np.maximum(squares - total.astype(float) ** 2 / n, 0) / (n - 1)
    return np.asarray(np.clip(np.floor(np.sqrt(variance) + 0.5), 0, 255))


def _display_range(recording: Recording, first: int, last: int) -> tuple[float, float]:
    if recording.frames.dtype == np.uint8:
        return 0.0, 255.0
    ends = [recording.read(first), recording.read(last)]
    return float(min(e.min() for e in ends)), float(max(e.max() for e in ends))


def _scale(low: float, high: float) -> tuple[float, float]:
    """Counts that are black, and greys a count; 0 and 1 for frames that are greys already."""
    return (0.0, 1.0) if (low, high) == (0, 255) else (low, 256 / (high - low + 1))
