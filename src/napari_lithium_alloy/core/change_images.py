"""How two recordings of one field change with time, on the same times, in a few images each.

The logarithm of a frame less the mean logarithm over all times keeps what changes and loses what
is fixed to the sensor (illumination, dust), as long as the frames are not shifted back. A few
combinations of the times that hold most of the change in both recordings stand for all of them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from napari_lithium_alloy.core.errors import AlloyError
from napari_lithium_alloy.core.photometry import dark_level, lit
from napari_lithium_alloy.core.progress import Work
from napari_lithium_alloy.core.recording import BoolArray, FloatArray, IntArray, Recording

MOST_SIDE_PX = 384
"""Longer fields are binned: a shift is found to far less than a pixel."""
MOST_TIMES = 64
LEAST_TIMES = 4
SEGMENTS, SEGMENT_TIMES, SEGMENT_COMPONENTS = 4, 8, 4
"""Times are cut into so many parts of at least so many times, each told by so many images: within
a part the film moves little. Where a part holds too little signal the times stay together."""
SEGMENT_SIGNAL = 10.0
COMPONENTS = 8
FINEST_PX = 1.5
"""Standard deviation of the smoothing, in pixels of the coarser recording."""
COARSEST_SHARE = 0.1
"""Of the shorter side of the smaller field: structure much longer than this is taken away."""
PAUSE = 2.5
"""Frames further apart than so many median intervals are not interpolated between."""


@dataclass(frozen=True, eq=False, kw_only=True)
class ChangeImages:
    """Change of one recording in a few combinations of its times.

    Attributes
    ----------
    images : numpy.ndarray
        (K, Y, X) float32, smoothed; 0 where not valid. For `without_coarse`.
    valid : numpy.ndarray
        (Y, X) pixels that are known and not clipped at all times.
    pixel_um, origin_um : float
        Spacing of the pixels, and where the centre of the first one lies (both axes).
    coarse_px : float
        Structure of about this width and wider says little of the place.
    segment : numpy.ndarray
        (K,) number of the part of the times each image is from.
    signal : float
        Power of the strongest combination over that of noise, median of the parts.
    """

    images: FloatArray
    valid: BoolArray
    pixel_um: float
    origin_um: float
    coarse_px: float
    segment: IntArray
    signal: float


def change_images(
    fixed: Recording, moving: Recording, *, most_times: int = MOST_TIMES
) -> Work[tuple[ChangeImages, ChangeImages, FloatArray]]:
    """Change of both recordings in the same combinations of the same times.

    Parameters
    ----------
    fixed, moving : Recording
    most_times : int
        The times are those of the frames of the slower recording, evenly chosen; the other one
        is interpolated between its two frames around each.

    Returns
    -------
    fixed, moving : ChangeImages
    times_s : numpy.ndarray
        The times used.

    Raises
    ------
    AlloyError
        If a pixel size is not known, or the recordings share too few times.
    """
    times = common_times(fixed, moving, most_times)
    pixel = [r.pixel_size("Aligning recordings") for r in (fixed, moving)]
    sides = [s * max(r.field_shape) for r, s in zip((fixed, moving), pixel, strict=True)]
    goal = max(max(s, side / MOST_SIDE_PX) for s, side in zip(pixel, sides, strict=True))
    bins = [max(1, round(goal / s)) for s in pixel]
    coarsest_um = COARSEST_SHARE * min(
        s * min(r.field_shape) for r, s in zip((fixed, moving), pixel, strict=True)
    )
    stacks, masks, grams, coarse_px = [], [], [], []
    for i, recording in enumerate((fixed, moving)):
        spacing = bins[i] * pixel[i]
        stack, valid = yield from _logarithms(recording, times, bins[i], i)
        stack -= stack.mean(axis=0)
        _smooth(stack, valid, FINEST_PX * goal / spacing)
        coarse_px.append(max(coarsest_um, 4 * FINEST_PX * goal) / spacing)
        grams.append(_gram(without_coarse(stack, valid, coarse_px[i]), valid))
        stacks.append(stack)
        masks.append(valid)
    basis, segment, signals = _combinations(grams)
    found = [
        ChangeImages(
            images=np.tensordot(basis.T, stacks[i], axes=1),
            valid=masks[i],
            pixel_um=bins[i] * pixel[i],
            origin_um=(bins[i] - 1) / 2 * pixel[i],
            coarse_px=coarse_px[i],
            segment=segment,
            signal=signals[i],
        )
        for i in (0, 1)
    ]
    return found[0], found[1], times


def common_times(fixed: Recording, moving: Recording, most_times: int) -> FloatArray:
    """Times of frames of the slower recording at which the other one is known, too.

    Raises
    ------
    AlloyError
        If there are fewer than four.
    """
    start = max(fixed.times_s[0], moving.times_s[0])
    end = min(fixed.times_s[-1], moving.times_s[-1])
    slower, other = (fixed, moving) if _rate(fixed) <= _rate(moving) else (moving, fixed)
    times = slower.times_s
    times = times[(times >= start) & (times <= end)]
    near = np.abs(times[:, None] - other.times_s[None]).min(axis=1, initial=np.inf)
    if other.n_frames > 1:
        times = times[near <= PAUSE / 2 * other.frame_interval_s]
    if len(times) < LEAST_TIMES:
        raise AlloyError(
            f"{fixed.name} and {moving.name} share only {len(times)} times, and at least "
            f"{LEAST_TIMES} are needed to align them; check their clocks, or align by landmarks."
        )
    chosen = np.linspace(0, len(times) - 1, min(len(times), most_times)).round().astype(int)
    return np.asarray(times[chosen])


def _rate(recording: Recording) -> float:
    return recording.n_frames / max(float(np.ptp(recording.times_s)), 1e-9)


def _logarithms(
    recording: Recording, times_s: FloatArray, bins: int, turn: int
) -> Work[tuple[FloatArray, BoolArray]]:
    """(N, Y, X) logarithm of the light at these times, and the pixels known in all of them."""
    stack: list[FloatArray] = []
    valid = _wholly(
        np.ones(recording.field_shape, bool) if recording.common is None else recording.common,
        bins,
    )
    for n, time_s in enumerate(times_s):
        image: FloatArray = np.zeros((1, 1))
        for frame, weight in _frames_around(recording, float(time_s)):
            log, known = _logarithm(recording, frame, bins)
            image, valid = image + np.float32(weight) * log, np.asarray(valid & known)
        stack.append(image.astype(np.float32))
        yield turn * len(times_s) + n + 1, 2 * len(times_s)
    return np.stack(stack), valid


def _frames_around(recording: Recording, time_s: float) -> list[tuple[int, float]]:
    """The frames before and after a time with their weights; the nearest one across a pause."""
    times = recording.times_s
    after = int(np.clip(np.searchsorted(times, time_s), 1, max(len(times) - 1, 1)))
    gap = times[after] - times[after - 1]
    share = float(np.clip((time_s - times[after - 1]) / gap, 0, 1))
    if gap > PAUSE * recording.frame_interval_s:
        share = float(round(share))
    return [(f, w) for f, w in ((after - 1, 1 - share), (after, share)) if w > 0]


def _logarithm(recording: Recording, frame: int, bins: int) -> tuple[FloatArray, BoolArray]:
    counts = recording.read(frame)
    known = np.asarray(np.isfinite(counts))
    if recording.saturation_counts is not None:
        known &= counts < recording.saturation_counts
    light = counts.astype(np.float32) - np.asarray(dark_level(recording), dtype=np.float32)
    light = np.where(known, light, np.float32(0))
    if bins > 1:
        light = np.asarray(sum(_parts(light, bins)) / bins**2, dtype=np.float32)
    return np.log(lit(light, recording.frames.dtype)), _wholly(known, bins)


def _parts(image: NDArray[Any], bins: int) -> list[NDArray[Any]]:
    """The pixels of each place within a bin; the rest at the far edges is left out."""
    rows, columns = (n // bins * bins for n in image.shape)
    return [image[y:rows:bins, x:columns:bins] for y in range(bins) for x in range(bins)]


def _wholly(inside: BoolArray, bins: int) -> BoolArray:
    """Binned pixels all of whose parts are inside."""
    return np.asarray(np.logical_and.reduce(_parts(inside, bins)))


def _smooth(stack: FloatArray, valid: BoolArray, width_px: float) -> None:
    """Smooth in place over valid pixels only (normalized convolution), 0 elsewhere."""
    share = np.maximum(ndimage.gaussian_filter(valid.astype(np.float32), width_px), 1e-3)
    for image in stack:
        image[...] = np.where(valid, ndimage.gaussian_filter(image * valid, width_px) / share, 0)


def without_coarse(images: FloatArray, inside: BoolArray, width_px: float) -> FloatArray:
    """(N, Y, X) less their means over about a width, of pixels inside only; 0 elsewhere.

    Pictures that are to be compared need the same `inside`: the means are those of what is there.
    """
    share = np.maximum(_running_mean(inside.astype(np.float32), width_px), 1e-3)
    return np.stack(
        [np.where(inside, i - _running_mean(i * inside, width_px) / share, 0) for i in images]
    )


def _running_mean(image: FloatArray, width_px: float) -> FloatArray:
    """Nearly a Gaussian of this width: three running means, whose cost does not grow with it."""
    for _ in range(3):
        image = ndimage.uniform_filter(image, 2 * round(width_px) + 1, mode="constant")
    return image


def _gram(change: FloatArray, valid: BoolArray) -> FloatArray:
    """(N, N) mean products of the times over valid pixels."""
    flat = change.reshape(len(change), -1)
    return np.asarray(flat @ flat.T / max(int(valid.sum()), 1), dtype=float)


def _combinations(grams: list[FloatArray]) -> tuple[FloatArray, IntArray, list[float]]:
    """Combinations of the times, the part of the times each is of, and both signals.

    Each has a sum of 0 over the times, so that what does not change is lost.
    """
    n = len(grams[0])
    parts = min(SEGMENTS, n // SEGMENT_TIMES)
    if parts > 1:
        tried = _in_parts(grams, parts, SEGMENT_COMPONENTS)
        if min(tried[2]) >= SEGMENT_SIGNAL:
            return tried
    return _in_parts(grams, 1, min(COMPONENTS, n - 1))


def _in_parts(
    grams: list[FloatArray], parts: int, components: int
) -> tuple[FloatArray, IntArray, list[float]]:
    n = len(grams[0])
    basis = np.zeros((n, parts * components), dtype=np.float32)
    signals = np.zeros((parts, len(grams)))
    for k, times in enumerate(np.array_split(np.arange(n), parts)):
        centre = np.eye(len(times)) - 1 / len(times)
        own = [centre @ g[np.ix_(times, times)] @ centre for g in grams]
        total = sum(g / max(float(np.trace(g)), 1e-30) for g in own)
        vectors = np.linalg.eigh(total)[1][:, ::-1][:, :components]
        basis[times, k * components : (k + 1) * components] = vectors
        signals[k] = [_signal(g) for g in own]
    return basis, np.repeat(np.arange(parts), components), np.median(signals, axis=0).tolist()


def _signal(gram: FloatArray) -> float:
    """Power of the strongest combination over the median of all, which holds noise."""
    powers = np.linalg.eigvalsh(gram)
    strongest = float(powers[-1])
    return strongest / max(float(np.median(powers)), 1e-12 * strongest, 1e-30)
