"""What chance gives for nucleation sites: as many, as far apart, anywhere on the film."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from napari_lithium_alloy.core.progress import finish
from napari_lithium_alloy.core.recording import BoolArray, FloatArray, IntArray
from napari_lithium_alloy.core.row_blocks import Rows, by_rows

DRAWS = 499
BAND_ROWS = 32
"""Rows of a field whose sums are at hand at a time."""
MOST_ROUNDS = 50
"""Rounds in which sites that came too near others are placed anew."""


@dataclass(frozen=True, eq=False, kw_only=True)
class Placements:
    """Random placements of a cycle's sites.

    Attributes
    ----------
    runs : list of numpy.ndarray
        Of each draw, (M, 2) flat indices of the first pixel of each run in the sites' discs, and
        of that after its last; none overlaps another, or goes on in the next row.
    width : int
        Of the field.
    """

    runs: list[NDArray[np.int32]]
    width: int

    def sums(self, image: FloatArray, corner: tuple[int, int] = (0, 0)) -> FloatArray:
        """(n,) sums over each draw's discs of a picture that is a part of the field."""
        from napari_lithium_alloy.core.kernels.discs import sums_in_band

        every, begin = self._in_bands
        totals = np.zeros((begin.shape[1] - 1, len(self.runs)))

        def add(bands: Rows) -> None:
            for i in range(*bands):
                band = i * BAND_ROWS, (i + 1) * BAND_ROWS
                own = np.ascontiguousarray(begin[:, i : i + 2])
                sums_in_band(image, corner, self.width, band, every, own, totals[i])

        finish(by_rows(add, len(totals), most=8))
        return np.asarray(totals.sum(axis=0))

    @cached_property
    def _in_bands(self) -> tuple[NDArray[np.int32], NDArray[np.int64]]:
        """Runs of all draws, and where those of each draw begin in each band of rows."""
        sizes = np.array([0, *(len(r) for r in self.runs)])
        if not sizes.any():
            return np.empty((0, 2), np.int32), np.zeros((len(self.runs), 1), np.int64)
        every = np.concatenate(self.runs)
        bands = int(every[:, 0].max()) // self.width // BAND_ROWS + 1
        edges = np.arange(bands + 1) * BAND_ROWS * self.width
        begin = [np.searchsorted(r[:, 0], edges) for r in self.runs]
        return every, np.asarray(begin + np.cumsum(sizes)[:-1, np.newaxis], dtype=np.int64)


def site_placements(
    sites: pd.DataFrame,
    valid: BoolArray,
    pixel_size_um: float,
    *,
    n: int = DRAWS,
    seed: int = 0,
) -> dict[str, Placements]:
    """Placements of each cycle's sites over a field, by names as cycle1_sites.

    Parameters
    ----------
    sites : pandas.DataFrame
        With columns cycle, y_um, x_um, radius_um.
    valid : numpy.ndarray
        (Y, X) True where there is film to nucleate on.
    pixel_size_um : float
    n, seed : int
        Number of draws, and of the random numbers.
    """
    found = {}
    places = np.flatnonzero(valid)
    for cycle, own in sites.groupby("cycle"):
        px = own[["y_um", "x_um", "radius_um"]].to_numpy(float) / pixel_size_um
        rng = np.random.default_rng([seed, int(cycle)])
        draws = _drawn(px[:, :2], places, valid.shape[1], n if len(places) else 0, rng)
        found[f"cycle{cycle}_sites"] = Placements(
            runs=_runs(draws, np.fmax(px[:, 2], 1.0), valid.shape), width=valid.shape[1]
        )
    return found


def placed(sites_px: FloatArray, places: IntArray, rng: np.random.Generator) -> FloatArray:
    """(N, 2) as many sites on some pixels (M, 2), none nearer to another than the nearest two are.

    Where that many do not fit so far apart, the last ones may lie nearer.
    """
    width = int(places[:, 1].max()) + 1
    return _drawn(sites_px, places[:, 0] * width + places[:, 1], width, 1, rng)[0]


def _drawn(
    sites_px: FloatArray, places: IntArray, width: int, n: int, rng: np.random.Generator
) -> list[FloatArray]:
    """The same n times, on pixels by their flat indices."""
    from napari_lithium_alloy.core.kernels.placing import put

    apart, count = 0.999 * _least_distance(sites_px), len(sites_px)
    height = int(places.max()) // width + 1 if count and n else 1
    side = max(apart, math.sqrt(height * width / max(count, 1)), 1.0)
    columns = int(width / side) + 1
    first, following = np.empty((int(height / side) + 1) * columns, int), np.empty(count, int)
    found: list[FloatArray] = []
    for _ in range(n):
        centres, again = np.empty((count, 2)), np.arange(count)
        first[:] = -1
        for _ in range(1 + MOST_ROUNDS):
            if not len(again):
                break
            pixels = places[rng.integers(len(places), size=len(again))]
            aside = rng.uniform(-0.5, 0.5, (len(again), 2))
            grid = first, following, columns
            again = put(again, pixels, aside, width, side, apart, centres, grid)
        found.append(centres)
    return found


def _least_distance(sites_px: FloatArray) -> float:
    if len(sites_px) < 2:
        return 0.0
    return float(cKDTree(sites_px).query(sites_px, k=2)[0][:, 1].min())


def _runs(
    draws: list[FloatArray], radii: FloatArray, shape: tuple[int, int]
) -> list[NDArray[np.int32]]:
    """Runs of the pixels in each draw's discs."""
    from napari_lithium_alloy.core.kernels.discs import disc_runs

    out: list[NDArray[np.int32]] = [np.empty((0, 2), np.int32)] * len(draws)

    def fill(some: Rows) -> None:
        for i in range(*some):
            out[i] = disc_runs(np.ascontiguousarray(draws[i]), radii, shape)

    finish(by_rows(fill, len(draws), most=16))
    return out
