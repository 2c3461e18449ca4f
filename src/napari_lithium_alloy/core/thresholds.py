"""ImageJ's automatic thresholds of a 256-bin histogram, by ImageJ's names."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from napari_lithium_alloy.core.errors import AlloyError
from napari_lithium_alloy.core.recording import FloatArray

ThresholdName = Literal[
    "Default", "IsoData", "Li", "MaxEntropy", "Mean", "Minimum", "Otsu", "Triangle", "Yen"
]
NAMES: tuple[ThresholdName, ...] = get_args(ThresholdName)
BINS = 256
MOST_ROUNDS = 10_000


def named_threshold(histogram: NDArray[np.integer], name: ThresholdName) -> int:
    """The last bin of the background; pixels above it are objects (ImageJ: dark background).

    Parameters
    ----------
    histogram : (256,) int array
        Number of pixels of each grey level.
    name : str
        One of `NAMES`. ImageJ shows the number returned plus one as its lower threshold.

    Raises
    ------
    AlloyError
        If there is no such method, or fewer than two levels are there to part.

    References
    ----------
    Ridler and Calvard 1978 (IsoData), Li and Tam 1998, Kapur et al. 1985 (MaxEntropy), Glasbey
    1993 (Mean), Prewitt and Mendelsohn 1966 (Minimum), Otsu 1979, Zack et al. 1977 (Triangle),
    Yen et al. 1995; https://imagej.net/plugins/auto-threshold says what ImageJ makes of them.
    """
    if name not in _METHODS:
        raise AlloyError(f"There is no threshold {name!r}; there are: {', '.join(_METHODS)}.")
    counts = np.asarray(histogram, dtype=float)
    if np.count_nonzero(counts) < 2:
        raise AlloyError(
            "All pixels have one brightness, so no threshold parts them; set it by hand."
        )
    return _METHODS[name](counts)


def share_threshold(share: FloatArray, name: ThresholdName, limits: tuple[float, float]) -> float:
    """A named threshold of real values, parted into 256 levels between two limits.

    Values beyond the limits count as the limits; returned is the edge above the last bin of the
    background.
    """
    low, high = limits
    level = np.clip((share - low) / (high - low) * BINS, 0, BINS - 1).astype(int)
    histogram = np.bincount(level.ravel(), minlength=BINS)
    return low + (named_threshold(histogram, name) + 1) * (high - low) / BINS


def _levels() -> FloatArray:
    return np.arange(BINS, dtype=float)


def _below_and_above(counts: FloatArray) -> tuple[FloatArray, FloatArray]:
    """(256,) mean level of the pixels up to each bin, and of those above it."""
    n, mass = np.cumsum(counts), np.cumsum(counts * _levels())
    with np.errstate(divide="ignore", invalid="ignore"):
        return mass / n, (mass[-1] - mass) / (n[-1] - n)


def _mean(counts: FloatArray) -> int:
    return int(counts @ _levels() / counts.sum())


def _otsu(counts: FloatArray) -> int:
    below, above = _below_and_above(counts)
    n = np.cumsum(counts)
    between = np.nan_to_num(n * (n[-1] - n) * (below - above) ** 2)
    return BINS - 1 - int(np.argmax(between[::-1]))  # of equal ones, across empty levels, the last


def _isodata(counts: FloatArray) -> int:
    """The first level midway between the means on either side of it, the lower one cut off."""
    below, above = _below_and_above(counts)
    there = np.flatnonzero(counts)
    for level in range(int(there[0]) + 1, int(there[-1])):
        if level == int((int(below[level - 1]) + above[level]) / 2 + 0.5):
            return level
    return _mean(counts)


def _default(counts: FloatArray) -> int:
    """IsoData with the commonest level cut to 1.5 times the next, the two end levels left out."""
    kept = counts.copy()
    mode = int(np.argmax(kept))
    second = float(np.delete(kept, mode).max())
    if kept[mode] > 2 * second > 0:
        kept[mode] = int(1.5 * second)
    kept[[0, -1]] = 0
    there = np.flatnonzero(kept)
    if len(there) < 2:
        return BINS // 2
    first, last = int(there[0]), int(there[-1])
    below, above = _below_and_above(kept)
    moving, result = first, 0.0
    while True:
        result = float(below[moving] + above[moving]) / 2
        moving += 1
        if moving + 1 > result or moving >= last - 1:
            return round(result)


def _li(counts: FloatArray) -> int:
    """Least cross entropy: iterated from the mean, in whole levels."""
    below, above = _below_and_above(counts)
    new = float(counts @ _levels() / counts.sum())
    for _ in range(MOST_ROUNDS):
        old = new
        level = int(old + 0.5)
        low, high = max(float(np.nan_to_num(below[level])), 1e-9), float(above[level])
        new = float(int((low - high) / (np.log(low) - np.log(high)) + 0.5))
        if abs(new - old) <= 0.5:
            break
    return int(new)


def _entropy_terms(counts: FloatArray) -> tuple[FloatArray, FloatArray]:
    share = counts / counts.sum()
    return share, np.cumsum(share)


def _max_entropy(counts: FloatArray) -> int:
    share, up_to = _entropy_terms(counts)
    logs = np.where(share > 0, share * np.log(np.where(share > 0, share, 1)), 0)
    inside = np.cumsum(logs)
    with np.errstate(divide="ignore", invalid="ignore"):
        below = np.log(up_to) - inside / up_to
        above = np.log(1 - up_to) - (inside[-1] - inside) / (1 - up_to)
    return _best(below + above, up_to)


def _yen(counts: FloatArray) -> int:
    share, up_to = _entropy_terms(counts)
    square = np.cumsum(share**2)
    with np.errstate(divide="ignore", invalid="ignore"):
        both = square * (square[-1] - square)
        criterion = -np.log(both) + 2 * np.log(up_to * (1 - up_to))
    return _best(criterion, up_to)


def _best(criterion: FloatArray, up_to: FloatArray) -> int:
    """The first level at which a criterion is largest, among those with pixels on both sides."""
    sound = np.isfinite(criterion) & (up_to > 1e-12) & (up_to < 1 - 1e-12)
    return int(np.argmax(np.where(sound, criterion, -np.inf)))


def _minimum(counts: FloatArray) -> int:
    """The valley between two modes, after as many running means over three as it takes."""
    smooth = counts.copy()
    for _ in range(MOST_ROUNDS):
        inner = smooth[1:-1]
        if np.count_nonzero((inner > smooth[:-2]) & (inner > smooth[2:])) <= 2:
            break
        padded = np.pad(smooth, 1)
        smooth = (padded[:-2] + padded[1:-1] + padded[2:]) / 3
    inner = smooth[1:-1]
    modes = 1 + np.flatnonzero((inner > smooth[:-2]) & (inner > smooth[2:]))
    if len(modes) != 2:
        raise AlloyError(
            "The histogram has not two modes, so Minimum finds no threshold; choose another."
        )
    valley = (smooth[:-2] > inner) & (smooth[2:] >= inner)
    return int(modes[0]) + 1 + int(np.argmax(valley[modes[0] :]))


def _triangle(counts: FloatArray) -> int:
    """The level furthest from the line between the mode and the farther end of the histogram."""
    there = np.flatnonzero(counts)
    first, last = max(int(there[0]) - 1, 0), min(int(there[-1]) + 1, BINS - 1)
    mode = int(np.argmax(counts))
    turned = mode - first < last - mode
    data, end, top = counts, first, mode
    if turned:
        data, end, top = counts[::-1], BINS - 1 - last, BINS - 1 - mode
    if end == top:
        return end
    rise = np.array([data[top], end - top])
    levels = np.arange(end + 1, top + 1)
    away = (rise / np.hypot(*rise)) @ np.stack([levels.astype(float), data[levels]])
    split = int(levels[np.argmax(away)]) - 1
    return BINS - 1 - split if turned else split


_METHODS: dict[str, Callable[[FloatArray], int]] = {
    "Default": _default,
    "IsoData": _isodata,
    "Li": _li,
    "MaxEntropy": _max_entropy,
    "Mean": _mean,
    "Minimum": _minimum,
    "Otsu": _otsu,
    "Triangle": _triangle,
    "Yen": _yen,
}
