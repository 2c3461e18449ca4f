"""Whether a cycle's pores are where pores or nuclei were before, or at new places."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from scipy import ndimage

from napari_lithium_alloy.core.by_label import centres as mean_places
from napari_lithium_alloy.core.by_label import maxima, numbers_in
from napari_lithium_alloy.core.photometry import Float32Array
from napari_lithium_alloy.core.pores import grown
from napari_lithium_alloy.core.recording import BoolArray, FloatArray, IntArray
from napari_lithium_alloy.core.tables import conform, empty

DRAWS = 999
LEAST_LEFT = 0.5
"""Share of the pores that a shifted pattern must keep on the film."""
MOST_TRIES, AT_ONCE = 20, 37
"""Moves for each draw, and how many are made together."""
LEAST_PORES = 3
FAR_PX = 16.0
"""Distance up to which it is quicker to look around a mask than everywhere."""


def pore_overlaps(
    ends: Mapping[int, IntArray],
    new: Mapping[int, set[int]],
    sites: Mapping[int, BoolArray],
    film: BoolArray,
    *,
    seed: int = 0,
) -> pd.DataFrame:
    """The table `pore_overlaps`: shares of pores on earlier pores and sites, with their null.

    Of each cycle: all pores at its end over those at the end of the cycle before (silver: old
    ones growing), the new ones over the cycle's sites (gold: nuclei open pores) and over the
    sites of earlier cycles.

    Parameters
    ----------
    ends : mapping of int to (Y, X) int array
        Labels of the pores at each cycle's end; cycle 0: pinholes of the pristine film.
    new : mapping of int to set of int
        Numbers of the pores of each cycle that descend from none before.
    sites : mapping of int to (Y, X) bool array
        Discs of each cycle's sites.
    film : (Y, X) bool array
    seed : int

    Notes
    -----
    The null moves the cycle's pores all together, mirrored at random, and what leaves the field
    at one edge comes in at the other: their number, sizes and spacing stay. Pores that come to
    lie off the film are left out of a draw's share. The p-value is one-sided: the share of draws,
    the observed pattern among them, that overlap as much.
    """
    rows: list[dict[str, Any]] = []
    rng = np.random.default_rng(seed)
    for cycle in sorted(c for c in ends if c > 0):
        every = set(numbers_in(ends[cycle]).tolist())
        others = {
            "pores before": (every, ends.get(cycle - 1, np.zeros(film.shape, int)) > 0),
            "sites": (new.get(cycle, set()), sites.get(cycle, np.zeros(film.shape, bool))),
            "sites before": (
                new.get(cycle, set()),
                np.any([s for c, s in sites.items() if c < cycle] or [~film & film], axis=0),
            ),
        }
        for over, (pores, mask) in others.items():
            row = _overlap(ends[cycle], sorted(pores), mask, film, rng)
            which = "all" if over == "pores before" else "new"
            rows.append({"cycle": cycle, "pores": which, "over": over, **row})
    return conform("pore_overlaps", pd.DataFrame(rows)) if rows else empty("pore_overlaps")


def _overlap(
    labels: IntArray, pores: list[int], mask: BoolArray, film: BoolArray, rng: np.random.Generator
) -> dict[str, Any]:
    """Share of pores whose pixels meet a mask, and the same of moved patterns."""
    if len(pores) < LEAST_PORES:
        return {"n_pores": len(pores), "reason": f"fewer than {LEAST_PORES} pores"}
    if not mask.any():
        return {"n_pores": len(pores), "n_overlapping": 0, "reason": "nothing to overlap"}
    pixels = np.nonzero(labels)
    own, n = labels[pixels], int(labels.max())
    met = maxima(mask[pixels], own, n)[pores] > 0
    every = np.concatenate([np.zeros((1, 2)), mean_places((pixels[0], pixels[1]), own, n)])
    centres = every[pores]
    squared_radii = np.bincount(own)[pores] / math.pi
    away = _squared_distance(mask, math.sqrt(float(squared_radii.max())))
    draws = _moved_shares(centres, squared_radii, away, film, rng)
    found = {"n_pores": len(pores), "n_overlapping": int(met.sum()), "fraction": met.mean()}
    if len(draws) < DRAWS / 2:
        return found | {"reason": "the pores fill too much of the film to be moved"}
    low, high = np.quantile(draws, [0.025, 0.975])
    met_by_disc = float((away[tuple(np.round(centres).astype(int).T)] <= squared_radii).mean())
    p = (1 + int((draws >= met_by_disc - 1e-9).sum())) / (1 + len(draws))
    null = {"null_mean": draws.mean(), "null_low": low, "null_high": high, "p_value": p}
    return found | null | {"reason": ""}


def _squared_distance(mask: BoolArray, most: float) -> Float32Array:
    """(Y, X) squared distance to a mask; infinite beyond the most, unless all is quickly made."""
    if most > FAR_PX:
        return np.asarray(ndimage.distance_transform_edt(~mask) ** 2, dtype=np.float32)
    squared = grown(mask.astype(np.int32), most)[1]
    squared[mask] = 0
    return squared


def _moved_shares(
    centres: FloatArray,
    squared_radii: FloatArray,
    away: Float32Array,
    film: BoolArray,
    rng: np.random.Generator,
) -> FloatArray:
    """Shares of the pores, as discs, that meet the mask after random moves which fit the film."""
    shape = np.array(film.shape)
    found: list[float] = []
    for _ in range(-(-DRAWS * MOST_TRIES // AT_ONCE)):
        random = rng.random((AT_ONCE, 4, 1))
        at = []
        for axis in (0, 1):
            own, end = centres[:, axis], shape[axis]
            mirrored = np.where(random[:, axis] < 0.5, end - 1 - own, own)
            at.append(np.round(mirrored + random[:, 2 + axis] * end).astype(int) % end)
        inside = film[at[0], at[1]]
        n = inside.sum(axis=1)
        met = ((away[at[0], at[1]] <= squared_radii) & inside).sum(axis=1)
        fits = n >= max(LEAST_LEFT * len(centres), 1)
        found += (met[fits] / n[fits]).tolist()
        if len(found) >= DRAWS:
            break
    return np.array(found[:DRAWS])
