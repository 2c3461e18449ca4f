"""Where change images of one recording fit those of another, whatever their contrast."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import fft, ndimage

from napari_lithium_alloy.core.change_images import ChangeImages, without_coarse
from napari_lithium_alloy.core.landmarks import Kind
from napari_lithium_alloy.core.recording import BoolArray, FloatArray, IntArray

SEARCH_SIDE_PX = 192
"""The search is on images binned to about so many pixels a side."""
LEAST_OVERLAP = 0.25
FAR = 1.5
"""Shifts this many of the longest structure's widths from the best one say what chance does."""
ROUNDS, STEP_PX = 20, 5e-3
OUTLIER = 2.0
"""Squared misfit, in medians, at which a pixel counts half."""
BLOCKS = 6
"""Parts of each side by which the uncertainty is told."""
BASIS: dict[Kind, tuple[tuple[float, float, float, float], ...]] = {
    "translation": (),
    "rigid": ((0, -1, 1, 0),),
    "similarity": ((0, -1, 1, 0), (1, 0, 0, 1)),
    "affine": ((1, 0, 0, 0), (0, 1, 0, 0), (0, 0, 1, 0), (0, 0, 0, 1)),
}
"""Small linear changes each kind may make, as rows of a 2 x 2 matrix."""


@dataclass(frozen=True, eq=False, kw_only=True)
class Found:
    """The best whole shift of a search.

    Attributes
    ----------
    linear, offset_px : numpy.ndarray
        (2, 2) and (2,): a pixel x of the fixed images lies at `linear @ x + offset_px` of the
        moving ones.
    score : float
        Squared correlation there, times the share of the smaller field in the overlap.
    chance : float
        The largest score far from it.
    """

    linear: FloatArray
    offset_px: FloatArray
    score: float
    chance: float


@dataclass(frozen=True, eq=False, kw_only=True)
class Fit:
    """A refined match: `linear` and `offset_px` as in `Found`.

    Attributes
    ----------
    covariance : numpy.ndarray
        (P, P) of the small changes at the centre: rows, columns (pixels), then those of `BASIS`.
    correlation : float
        Multiple correlation of the fixed images with the moving ones, 0..1.
    overlap : float
        Share of the fixed field.
    settled : bool
        Whether the steps became smaller than what matters.
    """

    linear: FloatArray
    offset_px: FloatArray
    covariance: FloatArray
    correlation: float
    overlap: float
    settled: bool


def search(fixed: ChangeImages, moving: ChangeImages, angles_deg: Sequence[float]) -> Found:
    """The shift, over all whole ones and some angles, at which most of the change is shared.

    The squared correlations of every image with every other are summed, so neither the sign of
    the contrast nor which change looks how in the other matters. Sums over the overlap are those
    of masked registration (Padfield 2012, DOI 10.1109/TIP.2011.2181402).
    """
    bins = max(1, round(max(fixed.valid.shape) / SEARCH_SIDE_PX))
    pixel_um = fixed.pixel_um * bins
    target, in_target, linear, offset = _resampled(fixed, pixel_um, 0.0)
    back = np.linalg.inv(linear)
    tried = []
    for angle in angles_deg:
        turned, in_turned, onto, origin = _resampled(moving, pixel_um, math.radians(angle))
        score = _scores(target, in_target, turned, in_turned, fixed.segment)
        at = np.unravel_index(int(np.argmax(score)), score.shape)
        shift = [int(k) - n * (k > n // 2) for k, n in zip(at, score.shape, strict=True)]
        width = fixed.coarse_px / bins
        tried.append(
            Found(
                linear=onto @ back,
                offset_px=onto @ (np.asarray(shift) - back @ offset) + origin,
                score=float(score[at]),
                chance=float(score[_distance(score.shape, at) > FAR * width].max(initial=0.0)),
            )
        )
    return max(tried, key=lambda found: found.score)


def _resampled(
    images: ChangeImages, pixel_um: float, angle: float
) -> tuple[FloatArray, BoolArray, FloatArray, FloatArray]:
    """Images on coarser pixels, turned about their centre; the map from new to old pixels."""
    ratio = pixel_um / images.pixel_um
    shape = tuple(max(int(n / ratio), 1) for n in images.valid.shape)
    cos, sin = math.cos(angle), math.sin(angle)
    linear = ratio * np.array([[cos, -sin], [sin, cos]])
    centre = (np.array(images.valid.shape) - 1) / 2
    offset = centre - linear @ ((np.array(shape) - 1) / 2)
    blur = 0.5 * math.sqrt(max(ratio**2 - 1, 0))
    stack = [
        ndimage.affine_transform(
            ndimage.gaussian_filter(image, blur) if blur else image,
            linear, offset, shape, order=1, mode="constant",
        )
        for image in images.images
    ]  # fmt: skip
    known = ndimage.affine_transform(
        images.valid.astype(np.float32), linear, offset, shape, order=1, mode="constant"
    )
    valid = known > 0.99
    width = images.coarse_px / ratio
    return without_coarse(np.stack(stack), valid, width), valid, linear, offset


def _scores(
    a: FloatArray, in_a: BoolArray, b: FloatArray, in_b: BoolArray, segment: IntArray
) -> FloatArray:
    """Score of each whole shift of `b` against `a`; negative shifts at the far ends."""
    whole = tuple(
        fft.next_fast_len(m + n - 1, real=True) for m, n in zip(in_a.shape, in_b.shape, strict=True)
    )

    def transformed(images: NDArray[Any]) -> FloatArray:
        return np.asarray(fft.rfft2(images.astype(np.float32), whole))

    def correlated(p: FloatArray, q: FloatArray) -> FloatArray:
        return np.asarray(fft.irfft2(np.conj(p) * q, whole))

    of_a, of_b = transformed(a), transformed(b)
    shared = np.zeros(whole)
    for i, j in np.argwhere(segment[:, None] == segment):
        shared += correlated(of_a[i], of_b[j]) ** 2
    mask_a, mask_b = transformed(in_a), transformed(in_b)
    power = correlated(transformed((a**2).sum(axis=0)), mask_b)
    power = power * correlated(mask_a, transformed((b**2).sum(axis=0)))
    overlap = correlated(mask_a, mask_b) / max(min(in_a.sum(), in_b.sum()), 1)
    usable = (overlap > LEAST_OVERLAP) & (power > 1e-6 * power.max())
    return np.where(usable, shared / np.where(usable, power, 1) * overlap, 0)


def _distance(shape: Sequence[int], at: Sequence[np.intp]) -> FloatArray:
    """Distance of each shift from one, around the ends."""
    away = [np.abs(np.arange(n) - k) for n, k in zip(shape, at, strict=True)]
    y, x = (np.minimum(d, n - d) for d, n in zip(away, shape, strict=True))
    return np.asarray(np.hypot(y[:, None], x[None]))


def refine(fixed: ChangeImages, moving: ChangeImages, start: Found, kind: Kind) -> Fit:
    """Gauss-Newton steps from a whole shift to the best fit, pixel by pixel robust.

    Each fixed image is a free combination of the moving ones (gain and sign are part of it), with
    Cauchy weights on the misfit of a pixel over all images. Standard deviations are those of
    parts of the field against each other (cluster-robust), since misfit is smooth.
    """
    splines = np.stack([ndimage.spline_filter(i, order=3, output="f4") for i in moving.images])
    centre = (np.array(fixed.valid.shape) - 1) / 2
    linear, offset = start.linear, start.offset_px
    scale = fixed.pixel_um / moving.pixel_um
    changes = [np.zeros((2, 2))] * 2 + [np.reshape(m, (2, 2)) for m in BASIS[kind]]
    step = np.full(len(changes), np.inf)
    system = None
    for _ in range(ROUNDS):
        system = _System.at(fixed, moving, splines, linear, offset, changes)
        if system is None:
            break
        step = system.step
        turn = sum((s * c for s, c in zip(step, changes, strict=True)), np.zeros((2, 2)))
        middle = linear @ (centre + step[:2]) + offset
        linear = linear @ (np.eye(2) + turn)
        if kind == "rigid":
            linear = scale * _rotation_in(linear)
        offset = middle - linear @ centre
        if np.abs(step[:2]).max() < STEP_PX and np.abs(turn).max() * centre.max() < STEP_PX:
            break
    if system is None:
        nothing = np.full((len(changes),) * 2, np.nan)
        return Fit(
            linear=start.linear, offset_px=start.offset_px, covariance=nothing,
            correlation=float("nan"), overlap=0.0, settled=False,
        )  # fmt: skip
    reach = np.array([1, 1, *[float(centre.max())] * (len(changes) - 2)])
    return Fit(
        linear=linear,
        offset_px=offset,
        covariance=system.covariance,
        correlation=system.correlation,
        overlap=system.overlap,
        settled=bool((np.abs(step) * reach).max() < 4 * STEP_PX),
    )


def _rotation_in(linear: FloatArray) -> FloatArray:
    """The rotation nearest to a matrix."""
    u, _, vt = np.linalg.svd(linear)
    return np.asarray(u @ vt)


@dataclass(frozen=True, eq=False, kw_only=True)
class _System:
    """One Gauss-Newton step and what is known where it is taken."""

    step: FloatArray
    covariance: FloatArray
    correlation: float
    overlap: float

    @classmethod
    def at(
        cls,
        fixed: ChangeImages,
        moving: ChangeImages,
        splines: FloatArray,
        linear: FloatArray,
        offset: FloatArray,
        changes: Sequence[FloatArray],
    ) -> _System | None:
        """The system at one map; None where the fields hardly overlap."""
        shape = fixed.valid.shape
        seen = np.stack(
            [
                ndimage.affine_transform(
                    s, linear, offset, shape, order=3, mode="nearest", prefilter=False
                )
                for s in splines
            ]
        )
        inside = fixed.valid & _inside(moving.valid, linear, offset, shape)
        overlap = float(inside.mean())
        core = ndimage.binary_erosion(inside)  # slopes need both neighbours
        if overlap < LEAST_OVERLAP / 4 or not core.any():
            return None
        seen = without_coarse(seen, inside, fixed.coarse_px)
        wanted = without_coarse(fixed.images, inside, fixed.coarse_px)
        inside = core
        target = wanted[:, inside]
        weights, gain, misfit = _robust_gain(target, seen[:, inside], fixed.segment)
        place = np.argwhere(inside).T - ((np.array(shape) - 1) / 2)[:, None]
        down, right = (gain @ np.gradient(seen, axis=a)[:, inside] for a in (1, 2))
        moved = [down, right]
        for change in changes[2:]:
            by = change @ place
            moved.append(down * by[0] + right * by[1])
        return cls._solved(np.stack(moved), misfit, weights, target, inside, overlap)

    @classmethod
    def _solved(
        cls,
        moved: FloatArray,
        misfit: FloatArray,
        weights: FloatArray,
        target: FloatArray,
        inside: BoolArray,
        overlap: float,
    ) -> _System:
        weighted = moved * weights
        normal = np.einsum("akn,bkn->ab", weighted, moved, optimize=True).astype(float)
        pull = np.einsum("akn,kn->an", weighted, misfit, optimize=True)
        inverse = np.linalg.pinv(normal, hermitian=True)
        rows, columns = np.nonzero(inside)
        part = rows * BLOCKS // inside.shape[0] * BLOCKS + columns * BLOCKS // inside.shape[1]
        pulls = np.stack([np.bincount(part, p, BLOCKS**2) for p in pull])
        power = float((weights * target**2).sum())
        left = float((weights * misfit**2).sum())
        return cls(
            step=inverse @ pull.sum(axis=1),
            covariance=inverse @ (pulls @ pulls.T) @ inverse,
            correlation=math.sqrt(max(1 - left / power, 0)) if power > 0 else 0.0,
            overlap=overlap,
        )


def _inside(
    valid: BoolArray, linear: FloatArray, offset: FloatArray, shape: tuple[int, ...]
) -> BoolArray:
    """Pixels of the fixed images that lie well inside what is known of the moving ones."""
    known = ndimage.binary_erosion(valid, iterations=2).astype(np.float32)
    seen = ndimage.affine_transform(known, linear, offset, shape, order=1, mode="constant")
    return np.asarray(seen > 0.99)


def _robust_gain(
    target: FloatArray, source: FloatArray, segment: IntArray
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Weights of the pixels, the combinations that fit best with them, and the misfit left.

    Images of one part of the times are combined with each other only.
    """
    weights = np.ones(target.shape[1], dtype=np.float32)
    together = segment[:, None] == segment
    for _ in range(3):
        weighted = source * weights
        power = np.where(together, weighted @ source.T, 0)
        power += 1e-6 * np.trace(power) / len(power) * np.eye(len(power), dtype=power.dtype)
        gain = np.linalg.solve(power, np.where(together, weighted @ target.T, 0)).T
        misfit = target - gain @ source
        squared = (misfit**2).sum(axis=0)
        usual = max(float(np.median(squared)), 1e-30)
        weights = (1 / (1 + squared / (OUTLIER * usual))).astype(np.float32)
    return weights, gain, misfit
