"""How often unrelated maps are called related, and related ones found.

Fields are cut from larger periodic ones, so that they do not wrap round; their autocorrelation is
exp(-d^2 / (2 L^2)) with the correlation length L. Beside each null stands Costes' randomization of
blocks as small as the point spread, which is what is done today.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable
from concurrent.futures import ProcessPoolExecutor

import numpy as np
import pandas as pd

from napari_lithium_alloy.core.block_null import block_correlations
from napari_lithium_alloy.core.complementarity import correlate, share_beyond
from napari_lithium_alloy.core.synthetic.fields import gaussian_field

SIDE_PX = 200
"""Of the field, as in the paper's Fig. 2A."""
LENGTHS_PX = (2.0, 5.0, 10.0, 20.0)
COSTES_PX = 3
TREND = 2.0
"""How much later the corners are than the centre, in standard deviations of the fields."""
POWER_SIDE_PX, POWER_LENGTH_PX, DEGREE = 512, 10.0, 0.4
Case = tuple[float, bool, bool]


def field(rng: np.random.Generator, side: int, length_px: float) -> np.ndarray:
    """A smooth field that does not wrap round: mean 0, variance 1."""
    whole = gaussian_field(rng, (side + int(6 * length_px) + 8,) * 2, length_px)
    return whole[:side, :side]


def irregular(rng: np.random.Generator, side: int) -> np.ndarray:
    """A field without holes of all sizes and without one corner."""
    y, x = np.mgrid[-1 : 1 : side * 1j, -1 : 1 : side * 1j]
    return (field(rng, side, side / 12) > -0.7) & (y + 0.4 * x < 1.0)


def centre_to_edge(side: int) -> np.ndarray:
    """Half the squared distance from the centre: 1 in the corners."""
    y, x = np.mgrid[-1 : 1 : side * 1j, -1 : 1 : side * 1j]
    return (y**2 + x**2) / 2


def _unrelated(job: tuple[Case, int, bool]) -> tuple[float, ...]:
    (length_px, masked, trend), seed, with_costes = job
    rng = np.random.default_rng(seed)
    a, b = (field(rng, SIDE_PX, length_px) for _ in range(2))
    valid = irregular(rng, SIDE_PX) if masked else np.ones(a.shape, bool)
    if trend:
        a, b = (i + TREND * centre_to_edge(SIDE_PX) for i in (a, b))
    found = correlate(a, b, valid=valid)
    costes = np.nan
    if with_costes:
        null = block_correlations(a, b, valid, COSTES_PX, n=199, seed=seed)
        r = np.corrcoef(a[valid], b[valid])[0, 1]
        costes = share_beyond(null, r)
    return found.p_value, found.p_blocks, found.p_effective, costes


def null_table(seeds: Iterable[int] = range(2000), costes_every: int = 20) -> pd.DataFrame:
    """Share of unrelated pairs with p <= 0.05 (5 % is right), in percent, for each null."""
    rows = []
    seeds = list(seeds)
    with ProcessPoolExecutor(2) as pool:
        for case in itertools.product(LENGTHS_PX, (False, True), (False, True)):
            jobs = [(case, seed, i % costes_every == 0) for i, seed in enumerate(seeds)]
            p = np.array(list(pool.map(_unrelated, jobs, chunksize=16)))
            known = np.isfinite(p).sum(axis=0)
            hits = 100 * (p <= 0.05).sum(axis=0) / np.maximum(known, 1)
            rows.append(
                dict(zip(("length_px", "mask", "trend"), case, strict=True))
                | {"pairs": len(seeds), "no null": int(np.isnan(p[:, 0]).sum())}
                | dict(zip(("shifts", "blocks", "effective", "Costes 3 px"), hits, strict=True))
            )
    return pd.DataFrame(rows)


def _related(seed: int) -> float:
    rng = np.random.default_rng(seed)
    a, b = (field(rng, POWER_SIDE_PX, POWER_LENGTH_PX) for _ in range(2))
    return correlate(a, -DEGREE * a + np.sqrt(1 - DEGREE**2) * b).p_value


def power(seeds: Iterable[int] = range(100)) -> float:
    """Share of pairs of degree 0.4 that are found (p <= 0.05), 512 x 512 px, L = 10 px."""
    with ProcessPoolExecutor(2) as pool:
        p = np.array(list(pool.map(_related, seeds, chunksize=8)))
    return float((p <= 0.05).mean())
