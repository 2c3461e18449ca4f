"""What chance gives for nucleation sites: as many, as far apart, anywhere on the film."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from napari_lithium_alloy.core.progress import finish
from napari_lithium_alloy.core.recording import BoolArray, FloatArray, IntArray
from napari_lithium_alloy.core.row_blocks import Rows, by_rows

DRAWS = 499
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
        from napari_lithium_alloy.core.kernels.discs import running_sums, sum_in_runs

        running = np.empty((image.shape[0], image.shape[1] + 1))
        finish(by_rows(lambda rows: running_sums(image, rows, running), len(image)))
        totals = np.empty(len(self.runs))

        def add(draws: Rows) -> None:
            for i in range(*draws):
                totals[i] = sum_in_runs(running, corner, self.width, self.runs[i])

        finish(by_rows(add, len(totals)))
        return totals


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
    places = np.argwhere(valid)
    for cycle, own in sites.groupby("cycle"):
        px = own[["y_um", "x_um", "radius_um"]].to_numpy(float) / pixel_size_um
        rng = np.random.default_rng([seed, int(cycle)])
        draws = [placed(px[:, :2], places, rng) for _ in range(n if len(places) else 0)]
        found[f"cycle{cycle}_sites"] = Placements(
            runs=_runs(draws, np.fmax(px[:, 2], 1.0), valid.shape), width=valid.shape[1]
        )
    return found


def placed(sites_px: FloatArray, places: IntArray, rng: np.random.Generator) -> FloatArray:
    """(N, 2) as many sites on some pixels (M, 2), none nearer to another than the nearest two are.

    Where that many do not fit so far apart, the last ones may lie nearer.
    """
    from napari_lithium_alloy.core.kernels.laplacians import too_near

    def drawn(k: int) -> FloatArray:
        return np.asarray(
            places[rng.integers(len(places), size=k)] + rng.uniform(-0.5, 0.5, (k, 2))
        )

    apart = _least_distance(sites_px)
    centres = drawn(len(sites_px))
    for _ in range(MOST_ROUNDS):
        order = np.argsort(centres[:, 0], kind="stable")
        again = np.flatnonzero(too_near(centres, order, 0.999 * apart))
        if not len(again):
            break
        centres[again] = drawn(len(again))
    return centres


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
