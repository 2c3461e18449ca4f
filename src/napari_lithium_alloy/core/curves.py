"""Curves of regions against time: counts, transmittance, absorbance, and what is read off them."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from napari_lithium_alloy.core.errors import AlloyError
from napari_lithium_alloy.core.frame_quality import Asked, FrameSums
from napari_lithium_alloy.core.galvanostatic import Film, PotentialCurve, li_content
from napari_lithium_alloy.core.kept_windows import kept_reader
from napari_lithium_alloy.core.kernels import compilable
from napari_lithium_alloy.core.onset import OnsetMap, OnsetReason
from napari_lithium_alloy.core.photometry import Reference
from napari_lithium_alloy.core.progress import Work, part
from napari_lithium_alloy.core.recording import BoolArray, FloatArray, Recording, Region, Window
from napari_lithium_alloy.core.row_blocks import by_rows
from napari_lithium_alloy.core.stages import Stage, stage_at, stages_of
from napari_lithium_alloy.core.tables import conform

FIELD = "field"
"""Name of the whole field among the regions."""
LN_10 = float(np.log(10))
LEAST_KNOWN = 0.9
"""Share of a suggested region with an onset."""
AT_ONCE = 16
"""Frames that are gone through together, where they are mapped."""
Windows = Callable[[slice, slice, slice], NDArray[Any]]
"""Reads rows and columns of some frames, of one where they are not mapped."""


def region_curves(
    recording: Recording,
    reference: Reference,
    regions: Sequence[Region] = (),
    *,
    valid: BoolArray | None = None,
    with_field: bool = True,
    with_spread: bool = False,
    sums: FrameSums | None = None,
) -> Work[pd.DataFrame]:
    """Mean counts, transmittance (or reflectance) and absorbance of regions, frame by frame.

    The absorbance of a region is the mean of its pixels' absorbances, not that of its mean
    transmittance (0.110 against 0.096 for a half-alloyed region).

    Parameters
    ----------
    recording : Recording
    reference : Reference
    regions : sequence of Region
    valid : (Y, X) bool array, optional
        The film; pixels outside count for no region.
    with_field : bool
        Whether the whole field comes first.
    with_spread : bool
        Whether there is a column spread: the standard deviation over the region's pixels of
        their absorbance, in epi (to first order) of their relative reflectance; NaN in the
        reference's own frames, which share its noise.
    sums : FrameSums, optional
        Made with the field's means, where both are told of the same mapped counts.

    Returns
    -------
    pandas.DataFrame
        Columns time_s, region, mean_counts, transmittance, relative_reflectance, absorbance;
        NaN where a quantity is not defined for the mode or a region holds no pixel.

    Raises
    ------
    AlloyError
        If two regions have one name.
    """
    names = [FIELD] * with_field + [r.name for r in regions]
    if len(set(names)) < len(names):
        raise AlloyError("Two regions have the same name; rename one in the table of regions.")
    shape = recording.field_shape
    field = np.broadcast_to(np.True_, shape) if valid is None else valid
    everywhere = (slice(0, shape[0]), slice(0, shape[1]))
    apertures = [_Aperture(reference, everywhere, field)] if with_field else []
    for region in regions:
        window = region.window(shape)
        apertures.append(_Aperture(reference, window, region.inside(window) & field[window]))
    n = recording.n_frames
    work = _source(recording, reference, apertures, with_field)
    read, factor, at_hand = yield from part(work, 0, n, 2 * n)
    values = np.full((n, len(names), 4), np.nan)
    with_sums = with_field and apertures[0].n_pixels and _same_counts(recording, reference, sums)
    shared = sums if with_sums else None

    def look(frames: tuple[int, int]) -> None:
        some = slice(*frames)
        for i, aperture in enumerate(apertures):
            if aperture.n_pixels:
                counts = compilable(read(some, *aperture.window))
                asked = None if shared is None or i else shared.of(some, counts)
                values[some, i] = aperture.means(
                    counts, factor[some], with_spread=with_spread, asked=asked
                )

    most = AT_ONCE if at_hand else 1
    yield from part(by_rows(look, n, most=most), n, 2 * n, 2 * n)
    if shared is not None:
        shared.made = True
    epi = recording.mode == "epi"
    unknown = np.full(values.shape[:2], np.nan)
    columns = {
        "mean_counts": values[..., 0],
        "transmittance": unknown if epi else values[..., 1],
        "relative_reflectance": values[..., 1] if epi else unknown,
        "absorbance": unknown if epi else values[..., 2],
    }
    if with_spread:
        values[reference.frames, :, 3] = np.nan
        columns["spread"] = values[..., 3] * (values[..., 1] if epi else 1 / LN_10)
    return pd.DataFrame(
        {
            "time_s": np.repeat(recording.times_s, len(names)),
            "region": np.tile(np.array(names, dtype=object), recording.n_frames),
            **{name: column.ravel() for name, column in columns.items()},
        }
    )


def _same_counts(recording: Recording, reference: Reference, sums: FrameSums | None) -> bool:
    """Whether a recording's light is mapped from the counts of which the sums are still made."""
    light = recording.light(reference.dark)
    if light is None or sums is None or sums.made:
        return False
    return light.counts is sums.recording.mapped


def _source(
    recording: Recording, reference: Reference, apertures: Sequence[_Aperture], with_field: bool
) -> Work[tuple[Windows, FloatArray, bool]]:
    """What reads windows of frames, (T,) by what their light is multiplied, and if it is mapped."""
    same: FloatArray = np.ones(recording.n_frames)
    light = recording.light(reference.dark)
    if light is not None:
        if recording.mapped is None:
            for aperture in apertures:
                aperture.see(light.dark)
        return (lambda t, y, x: light.counts[t, y, x]), light.factor.astype(float), True
    read: Window = recording.read
    if not with_field:
        read = yield from kept_reader(recording, [a.window for a in apertures if a.n_pixels])
    return (lambda t, y, x: read(t.start, y, x)[np.newaxis]), same, False


class _Aperture:
    """One region's pixels with what is the same in every frame.

    Attributes
    ----------
    window : tuple of slice
    n_pixels : int
        How many pixels the region has.
    """

    def __init__(
        self, reference: Reference, window: tuple[slice, slice], inside: BoolArray
    ) -> None:
        self.window = window
        self.n_pixels = int(inside.sum())
        image = reference.image[window]
        self.see(reference.dark)
        known = inside & np.isfinite(image)
        self._n_known = int(known.sum())
        self._mean_dark = float(self._dark[inside].mean(dtype=float)) if self.n_pixels else 0.0
        weight = 1 / np.where(known, image, 1)
        self._weight = np.where(known, weight, np.where(inside, -1, 0)).astype(np.float32)

    def see(self, dark: float | FloatArray) -> None:
        """Take counts over this dark level for light from now on."""
        rows, columns = self.window
        self._dark = np.zeros((rows.stop - rows.start, columns.stop - columns.start), np.float32)
        self._dark += dark[self.window] if isinstance(dark, np.ndarray) else dark

    def means(
        self,
        counts: NDArray[Any],
        factor: FloatArray,
        *,
        with_spread: bool,
        asked: Asked | None = None,
    ) -> FloatArray:
        """(T, 4) mean counts, ratio to the reference, absorbance, and SD of the ratio's logarithm.

        Light is what exceeds the dark counts times the factor. What else is `asked` of the counts
        is told, too.
        """
        from napari_lithium_alloy.core.kernels.aperture import aperture_sums

        sums = np.empty((len(counts), 5))
        asked = asked or (counts.dtype.type(0), 1, np.empty((0, 3)))
        aperture_sums(counts, self._dark, self._weight, with_spread, sums, asked)
        light, weighted, logarithm, squares, n_lit = sums.T
        n_lit = np.where(n_lit > 0, n_lit, np.nan)
        mean = logarithm / n_lit
        spread = np.sqrt(np.maximum(squares / n_lit - mean**2, 0.0))
        return np.stack(
            [
                factor * light / self.n_pixels + self._mean_dark,
                factor * weighted / (self._n_known or np.nan),
                -(mean + np.log(factor)) / LN_10,
                spread if with_spread else np.full(len(counts), np.nan),
            ],
            axis=1,
        )


def complete_curves(
    curves: pd.DataFrame,
    stages: Sequence[Stage] = (),
    potential: PotentialCurve | None = None,
    film: Film | None = None,
    origins_s: Sequence[float] = (),
    *,
    level_frames: int = 3,
) -> pd.DataFrame:
    """The table `curves`: stage, normalized absorbance, potential, current and x beside them.

    Normalized absorbance is (A - A_start)/(A_end - A_start) over each stage and each region's
    own range, each end the median of `level_frames` frames (Mao et al. 2024, Fig. 1C and D).
    For epi recordings the relative reflectance takes the place of A.
    """
    table = curves.reset_index(drop=True).copy()
    times = table["time_s"].to_numpy(float)
    chosen = stages_of(stages, *{s.kind for s in stages})
    here = [stage_at(chosen, float(t)) for t in times]
    table["stage"] = [None if s is None else s.name for s in here]
    table["cycle"] = pd.array([None if s is None else s.cycle for s in here], dtype="Int64")
    table["normalized_absorbance"] = np.nan
    for stage in chosen:
        for _, rows in table[(times >= stage.start_s) & (times <= stage.end_s)].groupby("region"):
            inside = [here[i] == stage for i in rows.index]
            normal = normalized(_signal(rows), level_frames=level_frames)
            table.loc[rows.index[inside], "normalized_absorbance"] = normal[inside]
    if potential is not None:
        table["potential_v"] = potential.potential_at(times)
        table["current_ma"] = potential.current_at(times)
        if film is not None:
            table["li_content_x"] = li_content(potential, film, times, origins_s=origins_s)
    return conform("curves", table)


def _signal(rows: pd.DataFrame) -> FloatArray:
    """Absorbance of a region's rows, or what takes its place."""
    absorbance = rows["absorbance"].to_numpy(float)
    if np.isfinite(absorbance).any() or "relative_reflectance" not in rows:
        return np.asarray(absorbance)
    return np.asarray(rows["relative_reflectance"].to_numpy(float))


def normalized(values: FloatArray, *, level_frames: int = 3) -> FloatArray:
    """(values - start)/(end - start), each end the median of n values; NaN without a change."""
    if len(values) < 2:
        return np.full(len(values), np.nan)
    n = max(1, min(level_frames, len(values) // 2))
    low, high = np.median(values[:n]), np.median(values[-n:])
    if not np.isfinite(high - low) or high == low:
        return np.full(len(values), np.nan)
    return np.asarray((values - low) / (high - low))


def curve_summary(curves: pd.DataFrame) -> pd.DataFrame:
    """When each region's curve starts (10 %), passes its half, and how long it rises (10-90 %).

    Parameters
    ----------
    curves : pandas.DataFrame
        The table `curves`.

    Returns
    -------
    pandas.DataFrame
        Columns region, cycle, stage, start_s, half_s, rise_s; NaN where a level is not reached.
    """
    rows = []
    known = curves.dropna(subset=["stage", "normalized_absorbance"])
    for (region, cycle, stage), rise in known.groupby(["region", "cycle", "stage"], sort=False):
        times = rise["time_s"].to_numpy(float)
        level = rise["normalized_absorbance"].to_numpy(float)
        start, half, end = (crossing_s(times, level, at) for at in (0.1, 0.5, 0.9))
        rows.append(
            {
                "region": region,
                "cycle": cycle,
                "stage": stage,
                "start_s": start,
                "half_s": half,
                "rise_s": end - start,
            }
        )
    columns = ["region", "cycle", "stage", "start_s", "half_s", "rise_s"]
    return pd.DataFrame(rows, columns=columns)


def crossing_s(times_s: FloatArray, values: FloatArray, level: float) -> float:
    """First time at which values rise through a level, by linear interpolation; NaN if never."""
    up = np.flatnonzero((values[:-1] < level) & (values[1:] >= level))
    if not up.size:
        return float("nan")
    i = int(up[0])
    share = (level - values[i]) / (values[i + 1] - values[i])
    return float(times_s[i] + share * (times_s[i + 1] - times_s[i]))


def suggest_regions(onset: OnsetMap, *, side_px: int | None = None) -> list[Region]:
    """Area Init and Area Fnl: the squares that alloy first and last.

    Parameters
    ----------
    onset : OnsetMap
    side_px : int, optional
        Side of the squares; None: a tenth of the field's shorter side, at least 5.

    Returns
    -------
    list of Region
        Empty where no square of that size has an onset in nine tenths of its pixels.
    """
    from napari_lithium_alloy.core.kernels.squares import extreme_squares

    side = side_px or max(5, min(onset.onset_s.shape) // 10)
    known = onset.reason == OnsetReason.REACHED
    lowest, first, _, last = extreme_squares(onset.onset_s, known, side, LEAST_KNOWN)
    if math.isinf(lowest):
        return []
    return [_square("Area Init", first, side), _square("Area Fnl", last, side)]


def _square(name: str, corner: Sequence[int], side: int) -> Region:
    top, left = (c - 0.5 for c in corner)
    corners = [(0, 0), (0, side), (side, side), (side, 0)]
    return Region(
        name=name, vertices_px=np.array([(top + y, left + x) for y, x in corners], dtype=float)
    )
