"""Where nuclei sit: the ranks of alloying at sites, beside what chance gives."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from napari_lithium_alloy.core.alloyed_images import is_uniform
from napari_lithium_alloy.core.envelopes import Envelope, global_envelope, two_sided_p
from napari_lithium_alloy.core.onset_result import OnsetMap
from napari_lithium_alloy.core.photometry import Float32Array
from napari_lithium_alloy.core.recording import BoolArray, FloatArray
from napari_lithium_alloy.core.spaced_placements import SharedPlacements

LEAST_SITES = 5
RANKS = np.arange(41) / 40
WINDOW = 0.2
"""The density of sites is told at these ranks, in windows so wide, cut off at 0 and 1."""
UNIFORM = "the step is uniform: its onset spread is under 3 times its uncertainty"


@dataclass(frozen=True, eq=False, kw_only=True)
class SiteRanks:
    """Ranks of a step's onset at sites.

    Attributes
    ----------
    ranks : numpy.ndarray
        (N,) 0 to 1, by area: the share of the available area that alloyed earlier.
    n_left_out : int
        Sites where there is no onset.
    share_outer, share_expected, p_outer : float
        Share of sites in the first and the last alloyed area, of random placements, and
        two-sided p.
    curve : Envelope or None
        Density of sites at the ranks `RANKS`, over that of the area, with its 95 % band and p.
    reason : str
        Why there is no p, or how many sites are left out.
    """

    ranks: FloatArray
    n_left_out: int = 0
    share_outer: float = math.nan
    share_expected: float = math.nan
    p_outer: float = math.nan
    curve: Envelope | None = None
    reason: str = ""

    @property
    def p_value(self) -> float:
        """Of the whole distribution; NaN without a curve."""
        return math.nan if self.curve is None else self.curve.p_value


def rank_map(onset: OnsetMap, film: BoolArray) -> Float32Array:
    """(Y, X) float32 share of the area with an onset that alloyed earlier, NaN without onset."""
    from napari_lithium_alloy.core.kernels.ranking import shares_below

    known = onset.reached & film & np.isfinite(onset.onset_s)
    ranks = np.empty(known.shape, dtype=np.float32)
    shares_below(np.asarray(onset.onset_s, dtype=np.float32), known, ranks)
    return ranks


def site_ranks(
    onset: OnsetMap,
    sites_px: FloatArray,
    detectable: Float32Array,
    *,
    outer: float = 0.2,
    n: int = 499,
    seed: int = 0,
    placements: SharedPlacements | None = None,
) -> SiteRanks:
    """Ranks of a step's onset at sites against placements that keep their number and spacing.

    Parameters
    ----------
    onset : OnsetMap
        Of an alloying step.
    sites_px : numpy.ndarray
        (N, 2) rows and columns.
    detectable : numpy.ndarray
        (Y, X) chance that a site would be found, 0 where there is no film.
    outer : float
        Ranks below it and above 1 less it are the first and the last alloyed area.
    n, seed : int
        Number of placements, and of the random numbers.
    placements : SharedPlacements, optional
        Of the same sites, instead of these.
    """
    if is_uniform(onset):
        return SiteRanks(ranks=np.full(len(sites_px), np.nan), reason=UNIFORM)
    ranks, shared = rank_map(onset, detectable > 0), placements or SharedPlacements(n, seed)
    return ranks_against_chance(ranks, sites_px, detectable, shared, outer=outer)


def ranks_against_chance(
    ranks: Float32Array,
    sites_px: FloatArray,
    detectable: Float32Array,
    placements: SharedPlacements,
    *,
    outer: float = 0.2,
) -> SiteRanks:
    """The same for a (Y, X) map of ranks, NaN where there is none."""
    weight = np.where(np.isfinite(ranks), detectable, 0).astype(np.float32)
    sites, left_out = _on_film(sites_px, weight)
    at = _values_at(ranks, sites)
    said = f"{left_out} sites without an onset are left out" if left_out else ""
    if len(sites) < LEAST_SITES:
        return SiteRanks(
            ranks=at, n_left_out=left_out, reason=f"fewer than {LEAST_SITES} sites have an onset"
        )
    draws = placements.over(sites, weight)
    drawn = np.vstack([at, _values_at(ranks, draws)])
    share = ((drawn < outer) | (drawn > 1 - outer)).mean(axis=1)
    curves = rank_density(drawn)
    return SiteRanks(
        ranks=at,
        n_left_out=left_out,
        share_outer=float(share[0]),
        share_expected=float(share.mean()),
        p_outer=two_sided_p(share, np.abs(drawn - 0.5).mean(axis=1)),
        curve=global_envelope(curves[0], curves[1:], (0.0, np.inf)),
        reason=said,
    )


def rank_density(ranks: FloatArray) -> FloatArray:
    """(n, K) share of each row's ranks in the window about each of `RANKS`, over its width."""
    low, high = np.maximum(RANKS - WINDOW / 2, 0), np.minimum(RANKS + WINDOW / 2, 1)
    edges = np.arange(2 * len(RANKS) - 1) / (2 * len(RANKS) - 2)
    at = np.searchsorted(edges, ranks)
    rows = np.arange(len(ranks))[:, np.newaxis] * len(edges)
    counts = np.bincount((rows + at).ravel(), minlength=len(ranks) * len(edges))
    sums = np.cumsum(counts.reshape(-1, len(edges)), axis=1)
    first, last = (np.round(end * (len(edges) - 1)).astype(int) for end in (low, high))
    return np.asarray((sums[:, last] - sums[:, first]) / (ranks.shape[1] * (high - low)))


def _on_film(sites_px: FloatArray, weight: Float32Array) -> tuple[FloatArray, int]:
    """Sites on pixels of positive weight, and how many are not."""
    sites = np.asarray(sites_px, dtype=float).reshape(-1, 2)
    on = np.nan_to_num(_values_at(weight, sites)) > 0
    return sites[on], int((~on).sum())


def _values_at(image: FloatArray, places_px: FloatArray) -> FloatArray:
    """(..., N) values at the nearest pixels of (..., N, 2) places; NaN outside."""
    pixels = np.floor(places_px + 0.5).astype(int)
    inside = ((pixels >= 0) & (pixels < image.shape)).all(axis=-1)
    row, column = np.moveaxis(np.where(inside[..., np.newaxis], pixels, 0), -1, 0)
    return np.asarray(np.where(inside, image[row, column], np.nan), dtype=float)
