"""Isochrones: where the front is at regular times, contour lines of an onset map."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from napari_lithium_alloy.core.errors import AlloyError
from napari_lithium_alloy.core.onset import OnsetMap
from napari_lithium_alloy.core.recording import FloatArray
from napari_lithium_alloy.core.smoothing import smooth_times

WANTED_LINES = 8
MOST_LINES = 500
APART = 4.0
"""Least distance of lines in standard deviations of an onset: nearer ones would be of noise."""
SPAN = (1.0, 99.0)
"""Percentiles of the onsets that lines are spread over."""
EVERY = 2
"""Of a contour's points, which lie on all edges of pixels, are drawn."""
LEAST_SIDE_PX = 2


@dataclass(frozen=True, kw_only=True)
class IsochroneParameters:
    """Which isochrones are drawn.

    Attributes
    ----------
    interval_s : float or None
        Seconds from line to line; None: 1, 2 or 5 times a power of ten that makes about
        eight, fewer where they would be nearer than onsets are sure.
    smoothing_px : float
        Standard deviation of the Gaussian smoothing of the onsets, pixels.
    least_length_px : float
        Shorter lines, as around single noisy pixels, are left out.

    Raises
    ------
    AlloyError
        If the interval is not positive or another value negative.
    """

    interval_s: float | None = None
    smoothing_px: float = 1.0
    least_length_px: float = 10.0

    def __post_init__(self) -> None:
        if self.interval_s is not None and not self.interval_s > 0:
            raise AlloyError(
                f"The isochrones' interval is {self.interval_s:g} s; give a positive one."
            )
        for name in ("smoothing_px", "least_length_px"):
            if not getattr(self, name) >= 0:
                raise AlloyError(
                    f"The isochrones' {name} is {getattr(self, name):g}; give 0 or more."
                )


@dataclass(frozen=True, eq=False, kw_only=True)
class Isochrones:
    """Contour lines of an onset map.

    Attributes
    ----------
    times_s : numpy.ndarray
        (N,) time of each line, rising.
    paths_px : sequence of numpy.ndarray
        N arrays (M, 2) of rows and columns; closed where the last point is the first.
    interval_s : float
    """

    times_s: FloatArray
    paths_px: Sequence[FloatArray]
    interval_s: float


def isochrones(onset: OnsetMap, parameters: IsochroneParameters | None = None) -> Isochrones:
    """Where the front is at the multiples of an interval on the recording's clock.

    Lines end at pixels without an onset.

    Raises
    ------
    AlloyError
        If an interval that was given makes more than 500 lines.
    """
    from skimage.measure import find_contours

    parameters = parameters or IsochroneParameters()
    known = np.isfinite(onset.onset_s)
    if not known.any() or min(known.shape) < LEAST_SIDE_PX:
        interval = parameters.interval_s or np.nan
        return Isochrones(times_s=np.zeros(0), paths_px=(), interval_s=float(interval))
    low, high = (float(t) for t in np.percentile(onset.onset_s[known], SPAN))
    sd = onset.onset_sd_s[np.isfinite(onset.onset_sd_s)]
    least = APART * float(np.median(sd)) if sd.size else 0.0
    interval = float(parameters.interval_s or round_interval(low, high, least))
    smooth = smooth_times(onset.onset_s, known, parameters.smoothing_px)
    times: list[float] = []
    paths: list[FloatArray] = []
    for time in _levels(low, high, interval):
        for line in find_contours(smooth, time, mask=known):
            if _length(line) >= parameters.least_length_px:
                times.append(time)
                paths.append(np.concatenate([line[:-1:EVERY], line[-1:]]))
    return Isochrones(times_s=np.array(times), paths_px=paths, interval_s=interval)


def round_interval(low: float, high: float, least: float = 0.0) -> float:
    """1, 2 or 5 times a power of ten, not under `least`.

    Its multiples are about eight from `low` to `high`, or fewer.
    """
    wanted = max((high - low) / WANTED_LINES, least, 1e-6)
    power = 10.0 ** np.floor(np.log10(wanted))
    choices = [k * power for k in (1, 2, 5, 10) if k * power >= least * (1 - 1e-9)]
    return float(min(choices, key=lambda i: abs(np.log(wanted / i))))


def _levels(low: float, high: float, interval: float) -> list[float]:
    first, last = int(np.ceil(low / interval)), int(np.floor(high / interval))
    if last - first >= MOST_LINES:
        raise AlloyError(
            f"Isochrones every {interval:g} s are more than {MOST_LINES} lines; give a longer "
            "interval."
        )
    return [round(i * interval, 9) for i in range(first, last + 1)]


def _length(line: FloatArray) -> float:
    return float(np.hypot(*np.diff(line, axis=0).T).sum())
