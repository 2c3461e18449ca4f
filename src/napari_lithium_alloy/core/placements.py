"""What chance gives for nucleation sites: as many, as far apart, anywhere on the film."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.spatial import cKDTree

from napari_lithium_alloy.core.recording import BoolArray, FloatArray, IntArray

DRAWS = 499
MOST_ROUNDS = 50
"""Rounds in which sites that came too near others are placed anew."""


@dataclass(frozen=True, eq=False, kw_only=True)
class Placements:
    """Random placements of a cycle's sites.

    Attributes
    ----------
    discs : list of tuple of numpy.ndarray
        Rows and columns of the pixels in the sites' discs, of each draw.
    """

    discs: list[tuple[IntArray, IntArray]]


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
        radii = np.fmax(px[:, 2], 1.0)
        discs = [_pixels(centres, radii, valid.shape) for centres in draws]
        found[f"cycle{cycle}_sites"] = Placements(discs=discs)
    return found


def placed(sites_px: FloatArray, places: IntArray, rng: np.random.Generator) -> FloatArray:
    """(N, 2) as many sites on some pixels (M, 2), none nearer to another than the nearest two are.

    Where that many do not fit so far apart, the last ones may lie nearer.
    """

    def drawn(k: int) -> FloatArray:
        return np.asarray(
            places[rng.integers(len(places), size=k)] + rng.uniform(-0.5, 0.5, (k, 2))
        )

    apart = _least_distance(sites_px)
    centres = drawn(len(sites_px))
    for _ in range(MOST_ROUNDS):
        near = cKDTree(centres).query_pairs(0.999 * apart, output_type="ndarray")
        if not len(near):
            break
        again = np.unique(near[:, 1])
        centres[again] = drawn(len(again))
    return centres


def _least_distance(sites_px: FloatArray) -> float:
    if len(sites_px) < 2:
        return 0.0
    return float(cKDTree(sites_px).query(sites_px, k=2)[0][:, 1].min())


def _pixels(
    centres: FloatArray, radii: FloatArray, shape: tuple[int, ...]
) -> tuple[IntArray, IntArray]:
    """Rows and columns of the pixels in discs, each once."""
    reach = int(np.ceil(radii.max())) if len(radii) else 0
    steps = np.mgrid[-reach : reach + 1, -reach : reach + 1].reshape(2, -1).T
    pixels = np.round(centres)[:, np.newaxis, :] + steps
    inside = ((pixels - centres[:, np.newaxis, :]) ** 2).sum(axis=2) <= radii[:, np.newaxis] ** 2
    inside &= ((pixels >= 0) & (pixels < shape)).all(axis=2)
    flat = np.unique((pixels[inside] @ [shape[1], 1]).astype(int))
    return flat // shape[1], flat % shape[1]
