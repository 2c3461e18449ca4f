"""How often sites at random are said to avoid or seek ranks of alloying, and planted ones found.

Ranks are those of smooth fields of 200 x 200 px that do not wrap round. Sites are anywhere, no two
nearer than 0.6 of the mean spacing, or in clusters of five (Thomas).
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable
from concurrent.futures import ProcessPoolExecutor

import numpy as np
import pandas as pd
from scipy.stats import rankdata

from benchmarks.null import SIDE_PX, field
from napari_lithium_alloy.core.site_ranks import ranks_against_chance
from napari_lithium_alloy.core.spaced_placements import SharedPlacements

LENGTHS_PX = (5.0, 10.0, 20.0)
COUNTS = (50, 200)
CORE, CLUSTER, CLUSTER_PX, AVOIDANCE = 0.6, 5, 6.0, 0.17
Job = tuple[str, int, float, int]


def anywhere(rng: np.random.Generator, n: int) -> np.ndarray:
    """Sites independent of each other."""
    return rng.uniform(-0.5, SIDE_PX - 0.5, (n, 2))


def apart(rng: np.random.Generator, n: int) -> np.ndarray:
    """Sites none of which lie nearer than a hard core."""
    least, kept = CORE * SIDE_PX / np.sqrt(n), np.empty((0, 2))
    while len(kept) < n:
        site = anywhere(rng, 1)
        if not len(kept) or np.hypot(*(kept - site).T).min() > least:
            kept = np.vstack([kept, site])
    return kept


def clustered(rng: np.random.Generator, n: int) -> np.ndarray:
    """Sites in Gaussian clusters, whose centres may lie outside."""
    kept = np.empty((0, 2))
    while len(kept) < n:
        centre = rng.uniform(-5 * CLUSTER_PX, SIDE_PX + 5 * CLUSTER_PX, 2)
        sites = centre + CLUSTER_PX * rng.standard_normal((rng.poisson(CLUSTER), 2))
        inside = ((sites > -0.5) & (sites < SIDE_PX - 0.5)).all(axis=1)
        kept = np.vstack([kept, sites[inside]])
    return kept[:n]


def avoiding(rng: np.random.Generator, n: int, ranks: np.ndarray) -> np.ndarray:
    """Sites that avoid the first and the last alloyed area."""
    weight = np.exp(-(((ranks.ravel() - 0.5) / AVOIDANCE) ** 2))
    at = rng.choice(ranks.size, n, p=weight / weight.sum())
    return np.stack(np.unravel_index(at, ranks.shape), axis=1) + rng.uniform(-0.5, 0.5, (n, 2))


PATTERNS = {"anywhere": anywhere, "apart": apart, "clustered": clustered}


def _tried(job: Job) -> tuple[float, float]:
    pattern, n, length_px, seed = job
    rng = np.random.default_rng(seed)
    image = field(rng, SIDE_PX, length_px)
    ranks = ((rankdata(image) - 0.5) / image.size).reshape(image.shape).astype(np.float32)
    sites = avoiding(rng, n, ranks) if pattern == "avoiding" else PATTERNS[pattern](rng, n)
    found = ranks_against_chance(ranks, sites, np.ones_like(ranks), SharedPlacements(seed=seed))
    return found.p_value, found.p_outer


def placement_table(
    seeds: Iterable[int] = range(2000), lengths_px: Iterable[float] = LENGTHS_PX
) -> pd.DataFrame:
    """Share of patterns with p <= 0.05, in percent: 5 at random; planted avoidance: the power."""
    rows = []
    seeds = list(seeds)
    with ProcessPoolExecutor(2) as pool:
        for case in itertools.product((*PATTERNS, "avoiding"), COUNTS, lengths_px):
            tried = seeds[: max(len(seeds) // 4, 20)] if case[0] == "avoiding" else seeds
            p = np.array(list(pool.map(_tried, [(*case, s) for s in tried], chunksize=16)))
            hits = 100 * (p <= 0.05).mean(axis=0)
            rows.append(
                dict(zip(("sites", "n", "length_px"), case, strict=True))
                | {"trials": len(tried), "distribution": hits[0], "outer ranks": hits[1]}
            )
    return pd.DataFrame(rows)
