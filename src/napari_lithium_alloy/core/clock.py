"""Which frame is shown when: the one answer for slider, curves, overlay and export.

napari places frames evenly (world time is index times scale), so an unevenly timed recording is
shown through an even grid of steps, each of which shows the frame that was current then.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from napari_lithium_alloy.core.recording import FloatArray, IntArray


@dataclass(frozen=True, eq=False, kw_only=True)
class EvenGrid:
    """Even steps in time and the frame shown at each.

    Attributes
    ----------
    start_s, step_s : float
        Time of the first step and the time between steps, seconds.
    frame_of_step : numpy.ndarray
        (S,) index of the frame current at each step.
    """

    start_s: float
    step_s: float
    frame_of_step: IntArray

    def step_at(self, time_s: float) -> int:
        """The step nearest to a time, within the grid."""
        step = round((time_s - self.start_s) / self.step_s)
        return int(np.clip(step, 0, len(self.frame_of_step) - 1))

    def frame_at(self, time_s: float) -> int:
        """The frame shown at a time."""
        return int(self.frame_of_step[self.step_at(time_s)])


def even_grid(times_s: FloatArray, *, max_steps: int = 200_000) -> EvenGrid:
    """Even grid on which a recording with these frame times is shown in true time.

    The step is the median frame interval (5th percentile where intervals differ widely), so a
    jittered frame is at most half a step from its own time and a pause repeats its last frame.
    """
    times = np.asarray(times_s, dtype=float)
    if len(times) < 2:
        return EvenGrid(start_s=float(times[0]), step_s=1.0, frame_of_step=np.zeros(1, dtype=int))
    gaps = np.diff(times)
    step = float(np.median(gaps))
    if np.percentile(gaps, 25) < 0.5 * step:
        step = float(np.percentile(gaps, 5))
    span = float(times[-1] - times[0])
    step = max(step, span / max_steps)
    n_steps = int(np.floor(span / step + 0.5)) + 1
    grid = times[0] + step * np.arange(n_steps)
    current = np.searchsorted(times, grid + 0.5 * step, side="left") - 1
    # The last frame may lie half a step beyond, where rounding decides; it is always shown.
    current[-1] = len(times) - 1
    return EvenGrid(
        start_s=float(times[0]), step_s=step, frame_of_step=np.clip(current, 0, len(times) - 1)
    )
