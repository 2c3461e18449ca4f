"""Search for growing discs: matched filter, joint fit, and again on what is left."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import spatial

from napari_lithium_alloy.core.disc_columns import LOG_RADIUS, LOSS, ONSET
from napari_lithium_alloy.core.matched_filter import Answers, MatchedFilter
from napari_lithium_alloy.core.near_pairs import near_pairs, taken_in_turn
from napari_lithium_alloy.core.photometry import Float32Array
from napari_lithium_alloy.core.pixelwise import pixelwise
from napari_lithium_alloy.core.progress import Work, finish
from napari_lithium_alloy.core.recording import BoolArray, FloatArray, IntArray
from napari_lithium_alloy.core.row_blocks import Rows, by_rows
from napari_lithium_alloy.core.site_fit import DiscFit
from napari_lithium_alloy.core.site_images import SiteImages
from napari_lithium_alloy.core.site_pairs import FAINT, NEAREST
from napari_lithium_alloy.core.site_templates import Templates, templates_of
from napari_lithium_alloy.core.smoothing import blurred, noise_left, some_of

ROUNDS = 6
AT_ONCE = 0.9
"""Distance in units of both radii at which two discs are taken in the same round."""
BLURS = 2.0
"""Standard deviations of the point spread by which discs are larger when they touch."""
HOLLOW = 0.6
"""Share of the signal its inner half must give for a disc not to be a ring of others."""
SUSPECT = 3.5
"""Response of what is left at a disc, from which it may be two."""
LEAST_NEGATIVE = 2.0
"""Size from which negative responses are told."""
SEED_SIGMA_PX = 1.0
SEED_SD = 6.0
"""Depth of the saddle between two peaks of darkening, in units of its noise."""


HARDLY_ANY, BARELY = 0.03, 1.3
"""Share of the discs that, added in a round and lasting, is the last, if they are all faint: of
so many times the least signal-to-noise."""


@dataclass(frozen=True, eq=False, kw_only=True)
class FoundDiscs:
    """Discs of a search, strongest first.

    Attributes
    ----------
    y_px, x_px, radius_px, loss, onset, onset_sd, snr : numpy.ndarray
        (N,) place, radius at the end, share of light lost under it, onset and its standard
        deviation as shares of the stage, and signal-to-noise in the presence of the others.
    negative_snr : numpy.ndarray
        Sizes of the negative responses that are extrema of what the discs leave: noise.
    """

    y_px: FloatArray
    x_px: FloatArray
    radius_px: FloatArray
    loss: FloatArray
    onset: FloatArray
    onset_sd: FloatArray
    snr: FloatArray
    negative_snr: FloatArray


def search_discs(
    fine: SiteImages,
    film: BoolArray,
    radii_px: tuple[float, float],
    sigma_px: float,
    least_snr: float,
) -> Work[FoundDiscs]:
    """Find growing discs down to a signal-to-noise.

    Each round takes the strongest responses that do not disturb each other, fits all discs
    together (place, radius, loss, onset), and looks again at what they leave.

    Parameters
    ----------
    fine : SiteImages
        Those of the last fit; the search is in pairs of them.
    film : numpy.ndarray
        (Y, X) bool.
    radii_px : tuple of float
        Smallest and largest.
    sigma_px : float
        Of the point spread.
    least_snr : float
    """
    room = np.empty_like(fine.loss)
    half = len(room) // 2
    images = fine.in_pairs(room[:half])
    templates = templates_of(images, sigma_px, *radii_px)
    fit, blur = DiscFit(images, film, templates, room[half:]), BLURS * sigma_px
    matched = MatchedFilter(templates, images.variance, film)

    def look() -> Answers:
        return matched.answers(fit.left, least_snr, LEAST_NEGATIVE, SUSPECT)

    yield 1, ROUNDS + 1
    seeds = _seeds(images, film, fit.loss, matched, templates)
    if len(seeds):
        fit.add(seeds)
        fit.prune(0.9 * least_snr, blur)
    answer = look()
    for i in range(ROUNDS):
        before = len(fit.discs)
        halved = fit.split(_suspects(answer, fit, blur), least_snr, blur)
        if halved:
            answer = look()
        new = _Peaks.of(answer, templates).free_of(fit, blur)
        if len(new):
            fit.add(new)
        elif not halved:
            break
        fit.prune(0.9 * least_snr, blur)
        yield i + 2, ROUNDS + 1
        lasting = len(fit.discs) - before
        if not halved and lasting <= HARDLY_ANY * before and _are_faint(fit, new, least_snr):
            break
        answer = look()
    fit.sweep_all()
    fit.prune(least_snr, blur)
    order = np.argsort(-fit.snr, kind="stable")
    negatives = _negatives(answer, fit, templates)
    # The pairs of images are not needed any more, and their room is.
    last = fit.refined(fine, templates_of(fine, sigma_px, *radii_px, search=False), room)
    discs = last.discs[order]
    return FoundDiscs(
        y_px=discs[:, 0],
        x_px=discs[:, 1],
        radius_px=np.exp(discs[:, LOG_RADIUS]),
        loss=discs[:, LOSS],
        onset=discs[:, ONSET],
        onset_sd=last.onset_sd()[order],
        snr=fit.snr[order],
        negative_snr=negatives,
    )


def _are_faint(fit: DiscFit, new: FloatArray, least_snr: float) -> bool:
    """Whether what was added at these places is hardly more than noise, as far as it lasts."""
    if not len(new) or not len(fit.discs):
        return True
    away, at = spatial.KDTree(fit.discs[:, :2]).query(new[:, :2])
    return bool((fit.snr[at[away < new[:, 2] + 1]] < BARELY * least_snr).all())


def _seeds(
    images: SiteImages,
    film: BoolArray,
    loss: Float32Array,
    matched: MatchedFilter,
    templates: Templates,
) -> FloatArray:
    """(N, 3) rows, columns and first radii of the clear peaks of darkening."""
    # Mirrored at the film's edge would be right; film's median hardly differs for peaks inside.
    level = np.float32(np.median(some_of(images.darkening, film)))
    inside = pixelwise(lambda d, f: np.where(f, d, level), images.darkening, film)
    smooth = blurred(inside, SEED_SIGMA_PX)
    share = np.float32(noise_left(SEED_SIGMA_PX) / np.sqrt(images.darkening_frames))
    clear = pixelwise(lambda s, v: s / (share * np.sqrt(v)), smooth, images.variance)
    at = np.argwhere(_high_peaks(clear) & film)
    if not len(at):
        return np.empty((0, 3))
    places = at.astype(float)
    most = np.full(len(at), np.inf)
    if len(at) > 1:
        most = 0.6 * spatial.KDTree(places).query(places, k=2)[0][:, 1]
    radii = np.minimum(templates.radii_px[matched.best_at(at, loss, most)], most)
    radii = np.clip(radii, templates.radii_px[0], templates.radii_px[-1])
    return np.column_stack([places, radii])


def _high_peaks(clear: Float32Array) -> BoolArray:
    """(Y, X) True at the peaks that are seeds."""
    from napari_lithium_alloy.core.kernels.depositions import high_peaks

    marks, lowest = np.zeros(clear.shape, dtype=bool), float(clear.min())

    def mark(rows: Rows) -> None:
        seen = np.zeros(clear.size, dtype=np.int32)
        high_peaks(clear, SEED_SD, lowest, rows, seen, marks)

    finish(by_rows(mark, len(clear), most=512))
    return marks


@dataclass(frozen=True, eq=False)
class _Peaks:
    """Maxima of the responses over place and radius, strongest first."""

    places: FloatArray
    radii: FloatArray
    snr: FloatArray

    @classmethod
    def of(cls, answer: Answers, templates: Templates) -> _Peaks:
        order = np.argsort(-answer.maxima[:, 3], kind="stable")
        found = answer.maxima[order]
        found = found[_solid(found, templates)]
        peaks = cls(found[:, 1:3], templates.radii_px[found[:, 0].astype(int)], found[:, 3])
        whole = ~peaks.groups()
        return cls(peaks.places[whole], peaks.radii[whole], peaks.snr[whole])

    def groups(self) -> np.ndarray:
        """(N,) True where several smaller discs inside explain more than the large one."""
        group = np.zeros(len(self.snr), dtype=bool)
        if not len(self.snr):
            return group
        tree = spatial.KDTree(self.places)
        inside = tree.query_ball_point(self.places, self.radii)
        for i, near in enumerate(inside):
            chosen: list[int] = []
            for j in sorted(near):
                apart = all(
                    np.hypot(*(self.places[j] - self.places[q]))
                    > 0.7 * (self.radii[j] + self.radii[q])
                    for q in chosen
                )
                if self.radii[j] < 0.85 * self.radii[i] and apart:
                    chosen.append(j)
            group[i] = len(chosen) > 1 and (self.snr[chosen] ** 2).sum() > self.snr[i] ** 2
        return group

    def free_of(self, fit: DiscFit, blur_px: float) -> FloatArray:
        """(N, 3) rows, columns and radii of those that disturb neither the discs nor each other."""
        known, snr = fit.radii, fit.snr
        reach = float(self.radii.max(initial=0))
        i, j, away = near_pairs(
            self.places, fit.discs[:, :2], reach + float(known.max(initial=0)) + blur_px
        )
        one = away < NEAREST * np.maximum(known[j], self.radii[i])
        remnant = (away < known[j] + self.radii[i] + blur_px) & (self.snr[i] < FAINT * snr[j])
        free = np.ones(len(self.snr), dtype=bool)
        free[i[one | remnant]] = False
        first, second, away = near_pairs(self.places, self.places, 2 * AT_ONCE * reach)
        close = (away < AT_ONCE * (self.radii[first] + self.radii[second])) & (first < second)
        taken = taken_in_turn(free, first[close], second[close])
        return np.column_stack([self.places[taken], self.radii[taken]])


def _suspects(answer: Answers, fit: DiscFit, blur_px: float) -> IntArray:
    """Indices of discs at which something is left that is not noise."""
    if not len(answer.large) or not len(fit.discs):
        return np.empty(0, dtype=int)
    away, _ = spatial.KDTree(answer.large).query(fit.discs[:, :2])
    return np.flatnonzero(away < fit.radii + blur_px)


def _solid(maxima: FloatArray, templates: Templates) -> BoolArray:
    """(N,) whether a disc's inner half answers as that of a disc does, and not of a ring."""
    k, response, of_inner = maxima[:, 0].astype(int), maxima[:, 3], maxima[:, 4]
    inner = np.searchsorted(templates.radii_px, templates.radii_px[k] / 2)
    due = HOLLOW * templates.likeness[k, inner] * response - 2
    return np.asarray((inner >= k) | (of_inner >= due))


def _negatives(answer: Answers, fit: DiscFit, templates: Templates) -> FloatArray:
    """Sizes of the negative extrema of what the discs leave, away from the discs."""
    k, places, sizes = answer.minima[:, 0].astype(int), answer.minima[:, 1:3], -answer.minima[:, 3]
    if len(fit.discs) and len(places):
        away, nearest = spatial.KDTree(fit.discs[:, :2]).query(places)
        sizes = sizes[away > fit.radii[nearest] + templates.radii_px[k]]
    return np.sort(sizes)[::-1]
