"""Growth of lithium at nucleation sites: onset, radius and area against time."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from napari_lithium_alloy.core.nucleation import NucleationParameters
from napari_lithium_alloy.core.photometry import Reference, lit
from napari_lithium_alloy.core.progress import Work
from napari_lithium_alloy.core.recording import FloatArray, IntArray, Recording
from napari_lithium_alloy.core.smoothing import MAD_TO_SD
from napari_lithium_alloy.core.tables import conform, empty

CORE_RADIUS_PX = 1.5
RING_POINTS = 64
SMALL_RADIUS_PX = 3.0
"""Radius under which the point spread makes a site's area too large by over a seventh."""
SUSTAINED_FRAMES = 3
LEAST_PLATEAU = 3.0
"""Smallest final loss of light, in units of its noise, that an area can be measured by."""
MEAN_OVER_MEDIAN = 1.183
"""Of the size of Gaussian noise."""


@dataclass(eq=False)
class _Apertures:
    """Flat pixel indices around each site: its centre, its inner half, its disc, a ring of film.

    Of the first three, `site_of` tells which site each pixel belongs to.
    """

    core: IntArray
    inner: IntArray
    disc: IntArray
    site_of: dict[str, IntArray]
    ring: IntArray
    n: int

    def mean(self, image: FloatArray, name: str) -> FloatArray:
        """(N,) means of an image over one kind of aperture."""
        return self.mean_of(image.ravel()[getattr(self, name)], name)

    def mean_of(self, values: FloatArray, name: str) -> FloatArray:
        """(N,) means of values given for each pixel of one kind of aperture."""
        sites = self.site_of[name]
        total = np.bincount(sites, weights=values, minlength=self.n)
        return np.asarray(total / np.maximum(np.bincount(sites, minlength=self.n), 1))


def _apertures(centres_px: FloatArray, radii_px: FloatArray, shape: tuple[int, int]) -> _Apertures:
    pixels: dict[str, list[IntArray]] = {"core": [], "inner": [], "disc": []}
    ring: list[IntArray] = []
    angles = np.linspace(0, 2 * np.pi, RING_POINTS, endpoint=False)
    for (y, x), radius in zip(centres_px, radii_px, strict=True):
        reaches = (CORE_RADIUS_PX, max(CORE_RADIUS_PX, radius / 2), radius + 3.0)
        for found, reach in zip(pixels.values(), reaches, strict=True):
            found.append(_disc_pixels((y, x), reach, shape))
        rows = np.clip(np.round(y + (1.3 * radius + 4) * np.sin(angles)), 0, shape[0] - 1)
        columns = np.clip(np.round(x + (1.3 * radius + 4) * np.cos(angles)), 0, shape[1] - 1)
        ring.append((rows * shape[1] + columns).astype(int))
    return _Apertures(
        **{name: np.concatenate(found) for name, found in pixels.items()},
        site_of={
            name: np.repeat(np.arange(len(found)), [p.size for p in found])
            for name, found in pixels.items()
        },
        ring=np.stack(ring),
        n=len(centres_px),
    )


def _disc_pixels(centre: tuple[float, float], radius: float, shape: tuple[int, int]) -> IntArray:
    y, x = (float(np.clip(c, 0, n - 1)) for c, n in zip(centre, shape, strict=True))
    rows = np.arange(max(0, int(y - radius)), min(shape[0], int(y + radius) + 2))
    columns = np.arange(max(0, int(x - radius)), min(shape[1], int(x + radius) + 2))
    inside = np.hypot(rows[:, None] - y, columns[None, :] - x) <= radius
    inside |= (rows[:, None] == round(y)) & (columns[None, :] == round(x))
    return np.asarray((rows[:, None] * shape[1] + columns[None, :])[inside])


def measure_sites(
    recording: Recording,
    sites: pd.DataFrame,
    start_s: float,
    end_s: float,
    reference: Reference,
    parameters: NucleationParameters | None = None,
) -> Work[tuple[pd.DataFrame, pd.DataFrame]]:
    """Onset, radius and area of sites from their own intensity-time curves (Fig. S5).

    The area is the integrated loss of light against the film around, divided by the loss over the
    inner half at the end of the stage. Light adds up linearly, so blur does not change the sum; it
    does lower the loss of a small disc's inner half, whose area is then too large and is said to
    be uncertain. The
    onset is where the loss at the centre, extrapolated back from its first sustained crossings of
    one and two tenths of its final value (at least five times its noise), leaves zero; for the
    area of a disc that grows at a steady rate this is exact. Of rough lithium (polarity "either")
    the size of the change over the inner half stands for the loss.

    Parameters
    ----------
    recording : Recording
    sites : pandas.DataFrame
        The table `sites`.
    start_s, end_s : float
        The deposition, seconds.
    reference : Reference
    parameters : NucleationParameters, optional

    Returns
    -------
    sites, growth : pandas.DataFrame
        The tables `sites` and `site_growth`.
    """
    parameters = parameters or NucleationParameters()
    frames = recording.frames_between(start_s, end_s)
    if not len(sites) or len(frames) < 2:
        yield 1, 1
        return conform("sites", sites[list(empty("sites").columns)]), empty("site_growth")
    size = recording.pixel_size("Measuring sites")
    centres = sites[["y_um", "x_um"]].to_numpy(float) / size
    radii = np.nan_to_num(sites["radius_um"].to_numpy(float), nan=3 * size) / size
    apertures = _apertures(centres, radii, recording.field_shape)
    start = _mean_light(recording, frames[: max(1, min(5, len(frames) // 4))], reference)
    pristine = apertures.mean(start / reference.image, "core")
    n_disc = np.bincount(apertures.site_of["disc"], minlength=apertures.n)
    core, inner, total, light = (np.empty((len(frames), len(sites))) for _ in range(4))
    for i, t in enumerate(frames):
        change = _mean_light(recording, np.array([t]), reference) / start
        loss = _Loss(apertures, change, parameters.polarity)
        inner[i] = loss.mean("inner")
        core[i] = inner[i] if parameters.polarity == "either" else loss.mean("core")
        total[i] = loss.mean("disc") * n_disc
        light[i] = apertures.mean(change, "core") * pristine
        yield i + 1, len(frames)
    return _measured(sites, recording.times_s[frames], (core, inner, total, light), size)


class _Loss:
    """Loss of light at each site against the film around it, as a share of that film's."""

    def __init__(self, apertures: _Apertures, change: FloatArray, polarity: str) -> None:
        self.apertures = apertures
        self.change = change.ravel()
        self.polarity = polarity
        around = self.change[apertures.ring]
        self.film = np.median(around, axis=1)
        sizes = np.abs(1 - around / self.film[:, None])
        self.floor = MEAN_OVER_MEDIAN * np.median(sizes, axis=1)

    def mean(self, name: str) -> FloatArray:
        """(N,) means over one kind of aperture; of the size of the change where either counts."""
        sites = self.apertures.site_of[name]
        loss = 1 - self.change[getattr(self.apertures, name)] / self.film[sites]
        if self.polarity == "either":
            return self.apertures.mean_of(np.abs(loss) - self.floor[sites], name)
        mean = self.apertures.mean_of(loss, name)
        return -mean if self.polarity == "brightens" else mean


def _mean_light(recording: Recording, frames: IntArray, reference: Reference) -> FloatArray:
    """(Y, X) mean counts less dark."""
    total = np.zeros(recording.field_shape)
    for t in frames:
        total += recording.read(int(t))
    return lit(total / len(frames) - reference.dark, recording.frames.dtype)


def _measured(
    sites: pd.DataFrame,
    times_s: FloatArray,
    curves: tuple[FloatArray, FloatArray, FloatArray, FloatArray],
    pixel_size_um: float,
) -> tuple[pd.DataFrame, pd.DataFrame]:
    core, inner, total, light = curves
    n_ends = max(1, min(5, len(times_s) // 4))
    excess, whole = (c - c[:n_ends].mean(axis=0) for c in (core, total))
    final, plateau = (c[-n_ends:].mean(axis=0) for c in (excess, inner))
    noise, clear = _noise(excess), plateau > LEAST_PLATEAU * np.nan_to_num(_noise(inner))
    with np.errstate(divide="ignore", invalid="ignore"):
        areas = np.where(clear, whole / plateau, np.nan) * pixel_size_um**2
    radii = np.sqrt(np.maximum(areas, 0) / np.pi)
    table = sites[list(empty("sites").columns)].reset_index(drop=True).copy()
    for i in range(len(table)):
        onset, reason = _site_onset(times_s, excess[:, i], float(final[i]), float(noise[i]))
        table.loc[i, "onset_s"] = onset
        table.loc[i, "reason"] = reason
    area = areas[-n_ends:].mean(axis=0)
    known = np.isfinite(area) & (area > 0)
    table.loc[known, "area_um2"] = area[known]
    table.loc[known, "radius_um"] = np.sqrt(area[known] / np.pi)
    small = known & (area < np.pi * (SMALL_RADIUS_PX * pixel_size_um) ** 2)
    silent = table["reason"].fillna("") == ""
    table.loc[small & silent, "reason"] = "area uncertain: hardly larger than the point spread"
    rows = {
        "time_s": np.repeat(times_s, len(table)),
        "cycle": np.tile(table["cycle"], len(times_s)),
        "site": np.tile(table["site"], len(times_s)),
        "radius_um": radii.ravel(),
        "area_um2": areas.ravel(),
        "mean_transmittance": light.ravel(),
    }
    return conform("sites", table), conform("site_growth", pd.DataFrame(rows))


def _noise(curves: FloatArray) -> FloatArray:
    """(N,) standard deviation of a frame, from second differences, which steady growth is not."""
    if len(curves) < 3:
        return np.full(curves.shape[1], np.nan)
    second = np.abs(np.diff(curves, n=2, axis=0))
    return np.asarray(MAD_TO_SD * np.median(second, axis=0) / np.sqrt(6))


def _site_onset(
    times_s: FloatArray, excess: FloatArray, final: float, noise: float
) -> tuple[float, str]:
    level = max(5 * np.nan_to_num(noise), 0.1 * final)
    crossings = [_sustained_crossing(times_s, excess, k * level) for k in (1, 2)]
    first, second = crossings
    if final <= level or first is None:
        return float("nan"), "no lasting change at its centre"
    if first == times_s[0]:
        return float("nan"), "there before the window"
    earlier = 0.0 if second is None else max(0.0, second - first)
    return max(float(times_s[0]), first - earlier), ""


def _sustained_crossing(times_s: FloatArray, values: FloatArray, level: float) -> float | None:
    """First time from which values stay above a level for some frames; None if never."""
    above = values > level
    starts = (i for i in range(len(above)) if above[i : i + SUSTAINED_FRAMES].all())
    first = next(starts, None)
    if first is None or first == 0:
        return None if first is None else float(times_s[0])
    low, high = values[first - 1], values[first]
    share = (level - low) / (high - low) if high > low else 1.0
    return float(times_s[first - 1] + share * (times_s[first] - times_s[first - 1]))
