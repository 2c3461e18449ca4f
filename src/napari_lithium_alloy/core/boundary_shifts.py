"""How r between two steps depends on where the boundary between them is set.

A boundary some seconds early makes the tail of the first step the onset of the second, which looks
as if they complemented each other, and no null tells. What stays the same when the boundary is
moved does not come from it.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from itertools import combinations

import pandas as pd

from napari_lithium_alloy.core.alloyed_images import is_uniform
from napari_lithium_alloy.core.complementarity import (
    UNIFORM,
    ComplementarityParameters,
    Correlation,
    correlate,
)
from napari_lithium_alloy.core.errors import AlloyError
from napari_lithium_alloy.core.onset import LEAST_FRAMES, OnsetMap, OnsetParameters
from napari_lithium_alloy.core.progress import Work, part
from napari_lithium_alloy.core.recording import BoolArray, FloatArray, Recording
from napari_lithium_alloy.core.stages import Stage
from napari_lithium_alloy.core.step_onsets import onset_maps
from napari_lithium_alloy.core.tables import conform

SHIFTS_S = (-4.0, -2.0, 0.0, 2.0, 4.0)
COLUMNS = ("pearson_r", "null_low", "null_high", "p_value", "n_px", "reason")


def moved(steps: Sequence[Stage], shift_s: float) -> list[Stage]:
    """Steps of one cycle in order, each boundary between two of them moved; the ends stay."""
    last = len(steps) - 1
    return [
        dataclasses.replace(
            step,
            start_s=step.start_s + (shift_s if i > 0 else 0.0),
            end_s=step.end_s + (shift_s if i < last else 0.0),
        )
        for i, step in enumerate(steps)
    ]


def boundary_shifts(
    recording: Recording,
    steps: Sequence[Stage],
    parameters: OnsetParameters | None = None,
    comparison: ComplementarityParameters | None = None,
    *,
    dark: float | FloatArray | None = None,
    valid: BoolArray | None = None,
    shifts_s: Sequence[float] = SHIFTS_S,
) -> Work[pd.DataFrame]:
    """The table `boundary_shifts`: r of the onsets of every two steps against the shift.

    Parameters
    ----------
    recording : Recording
    steps : sequence of Stage
        The alloying (or dealloying) steps of one cycle.
    parameters : OnsetParameters, optional
    comparison : ComplementarityParameters, optional
    dark : float or (Y, X) array, optional
    valid : (Y, X) bool array, optional
    shifts_s : sequence of float
        By how much the boundaries between steps are moved, seconds.

    Returns
    -------
    pandas.DataFrame
        Without rows for fewer than two steps; where a moved step holds too few frames r is NaN.
    """
    steps = sorted(steps, key=lambda s: s.start_s)
    rows: list[dict[str, object]] = []
    for i, shift in enumerate(shifts_s if len(steps) > 1 else ()):
        begin, end = 100 * i, 100 * (i + 1)
        total = 100 * len(shifts_s)
        try:
            stages = moved(steps, shift)
            work = onset_maps(recording, stages, parameters, dark=dark, valid=valid)
            maps = yield from part(work, begin, end, total)
        except AlloyError:
            stages, maps = steps, {}  # a step is shorter than the shift
        for one, other in combinations(range(len(steps)), 2):
            found = _correlated(maps, (stages[one], stages[other]), comparison, valid)
            rows.append(_named(steps[one], steps[other], shift, found))
        yield end, total
    return conform("boundary_shifts", pd.DataFrame(rows))


def _named(a: Stage, b: Stage, shift_s: float, found: Correlation) -> dict[str, object]:
    names = {"cycle": a.cycle, "a": f"{a.key}_onset", "b": f"{b.key}_onset", "shift_s": shift_s}
    return names | {name: getattr(found, name) for name in COLUMNS}


def _correlated(
    maps: dict[Stage, OnsetMap],
    pair: tuple[Stage, Stage],
    comparison: ComplementarityParameters | None,
    valid: BoolArray | None,
) -> Correlation:
    if not all(stage in maps for stage in pair):
        reason = f"with this shift a step holds fewer than {LEAST_FRAMES} frames"
        return Correlation(pearson_r=float("nan"), reason=reason)
    flat = [stage.key for stage in pair if is_uniform(maps[stage])]
    if flat:
        return Correlation(pearson_r=float("nan"), reason=f"{flat[0]} {UNIFORM}")
    first, second = (maps[stage].onset_s for stage in pair)
    return correlate(first, second, comparison, valid=valid)
