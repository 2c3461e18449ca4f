"""How r between two steps depends on where the boundary between them is set.

A boundary some seconds early makes the tail of the first step the onset of the second, which looks
as if they complemented each other, and no null tells. What stays the same when the boundary is
moved does not come from it.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from itertools import combinations, pairwise

import numpy as np
import pandas as pd

from napari_lithium_alloy.core.alloyed_images import is_uniform
from napari_lithium_alloy.core.binning import binned
from napari_lithium_alloy.core.compared_maps import ComparedMaps
from napari_lithium_alloy.core.complementarity import (
    UNIFORM,
    ComplementarityParameters,
    Correlation,
    correlate,
)
from napari_lithium_alloy.core.errors import AlloyError
from napari_lithium_alloy.core.onset import LEAST_FRAMES, OnsetMap, OnsetParameters
from napari_lithium_alloy.core.photometry import dark_level
from napari_lithium_alloy.core.progress import Work, finish, part
from napari_lithium_alloy.core.recording import BoolArray, FloatArray, Recording
from napari_lithium_alloy.core.row_blocks import in_order
from napari_lithium_alloy.core.stages import Stage
from napari_lithium_alloy.core.step_onsets import onset_maps
from napari_lithium_alloy.core.tables import conform

SHARES = (-1.0, -0.5, 0.0, 0.5, 1.0)
"""Of the largest shift."""
NO_ROOM = f"with this shift a step holds fewer than {LEAST_FRAMES} frames"
SIDE_PX, COARSE_SIDE_PX = 512, 256
"""Of a field, shorter side; larger ones are looked at in squares of pixels, about so many, fewer
where the maps' structures allow it."""
SQUARES_A_LENGTH = 6.0
"""Fewest squares in the maps' correlation length. With two or three r depends on the boundary
where it does not in pixels, as places that a square takes together part at different times."""
COLUMNS = ("pearson_r", "null_low", "null_high", "p_value", "reason")


def moved(steps: Sequence[Stage], shift_s: float) -> list[Stage] | None:
    """Steps of one cycle in order, each boundary between two of them moved; the ends stay.

    None where a step is shorter than the shift.
    """
    last = len(steps) - 1
    bounds = [
        (
            step.start_s + (shift_s if i > 0 else 0.0),
            step.end_s + (shift_s if i < last else 0.0),
        )
        for i, step in enumerate(steps)
    ]
    if any(start >= end for start, end in bounds):
        return None
    return [
        dataclasses.replace(step, start_s=start, end_s=end)
        for step, (start, end) in zip(steps, bounds, strict=True)
    ]


def boundary_shifts(
    recording: Recording,
    steps: Sequence[Stage],
    parameters: OnsetParameters | None = None,
    comparison: ComplementarityParameters | None = None,
    *,
    dark: float | FloatArray | None = None,
    valid: BoolArray | None = None,
    known: Mapping[str, OnsetMap] | None = None,
) -> Work[pd.DataFrame]:
    """The table `boundary_shifts`: r of the onsets of every two steps against the shift.

    In fields of more than `SIDE_PX` pixels a side all maps are of the mean light of squares of
    pixels, as r is of structures much larger than them; where the known maps show no finer ones
    these squares are larger.

    Parameters
    ----------
    recording : Recording
    steps : sequence of Stage
        The alloying (or dealloying) steps of one cycle.
    parameters : OnsetParameters, optional
    comparison : ComplementarityParameters, optional
    dark : float or (Y, X) array, optional
    valid : (Y, X) bool array, optional
    known : mapping of str to OnsetMap, optional
        Maps of the steps as they are, by key.

    Returns
    -------
    pandas.DataFrame
        Without rows for fewer than two steps; where a moved step holds too few frames r is NaN.
    """
    comparison = comparison or ComplementarityParameters()
    steps = sorted(steps, key=lambda s: s.start_s)
    if len(steps) < 2 or comparison.boundary_shift_s <= 0:
        return conform("boundary_shifts", pd.DataFrame())
    parameters = parameters or OnsetParameters()
    side = _side(recording.field_shape, steps, known or {}, valid)
    if side > 1 and recording.frames_between(steps[0].start_s, steps[-1].end_s).size:
        known = None
        work = _in_squares(recording, steps, parameters, side, dark, valid)
        recording, parameters, valid = yield from part(work, 0, 100, 600)
        dark = 0.0
    table: list[dict[str, object]] = []

    def rows_of(shift_s: float) -> list[dict[str, object]]:
        maps: Mapping[str, OnsetMap] | str = known or {}
        if shift_s or not maps:
            maps = finish(_maps(recording, moved(steps, shift_s), parameters, dark, valid))
        return [
            _named(pair, shift_s, _correlated(maps, pair, comparison, valid))
            for pair in combinations(steps, 2)
        ]

    # Each in one thread: pictures are small, and to share rows of them among threads costs more.
    shifts = [share * comparison.boundary_shift_s for share in SHARES]
    for i, rows in enumerate(in_order(rows_of, shifts), start=1):
        table += rows
        yield 100 * (i + 1), 600
    return conform("boundary_shifts", pd.DataFrame(table))


def _side(
    shape: tuple[int, int],
    steps: Sequence[Stage],
    known: Mapping[str, OnsetMap],
    valid: BoolArray | None,
) -> int:
    """Side of the squares of pixels: at least that of `SIDE_PX`, and as the maps allow."""
    finest, coarsest = (min(shape) // n for n in (SIDE_PX, COARSE_SIDE_PX))
    keys = [step.key for step in steps]
    if finest <= 1 or not known.keys() >= set(keys):
        return finest
    maps = ComparedMaps({key: known[key].onset_s for key in keys}, valid)
    fields = [(maps.field(a, b), a, b) for a, b in pairwise(keys)]
    shortest = min(1.0 if field is None else field.fineness(a, b)[1] for field, a, b in fields)
    return max(finest, min(coarsest, int(shortest / SQUARES_A_LENGTH)))


def _in_squares(
    recording: Recording,
    steps: Sequence[Stage],
    parameters: OnsetParameters,
    side: int,
    dark: float | FloatArray | None,
    valid: BoolArray | None,
) -> Work[tuple[Recording, OnsetParameters, BoolArray]]:
    """The frames around the steps in squares of pixels, and lengths in pixels for them."""
    inside = recording.frames_between(steps[0].start_s, steps[-1].end_s)
    more = parameters.level_frames
    frames = np.arange(
        max(int(inside[0]) - more, 0), min(int(inside[-1]) + more + 1, recording.n_frames)
    )
    small, field = yield from binned(
        recording,
        frames,
        side,
        dark=dark_level(recording) if dark is None else dark,
        valid=np.ones(recording.field_shape, dtype=bool) if valid is None else valid,
    )
    psf, smooth = parameters.psf_sigma_px, parameters.smoothing_px
    return (
        small,
        dataclasses.replace(
            parameters,
            psf_sigma_px=None if psf is None else psf / side,
            smoothing_px=None if smooth is None else smooth / side,
        ),
        field,
    )


def _maps(
    recording: Recording,
    steps: Sequence[Stage] | None,
    parameters: OnsetParameters | None,
    dark: float | FloatArray | None,
    valid: BoolArray | None,
) -> Work[dict[str, OnsetMap] | str]:
    """Onset maps by key; why there are none, where they cannot be made."""
    if steps is None:
        return NO_ROOM
    try:
        found = yield from onset_maps(recording, steps, parameters, dark=dark, valid=valid)
    except AlloyError as error:
        return str(error)
    return {stage.key: onset for stage, onset in found.items()}


def _named(pair: tuple[Stage, Stage], shift_s: float, found: Correlation) -> dict[str, object]:
    a, b = pair
    names = {"cycle": a.cycle, "a": f"{a.key}_onset", "b": f"{b.key}_onset", "shift_s": shift_s}
    return names | {name: getattr(found, name) for name in COLUMNS} | {"n_px": found.n_px or None}


def _correlated(
    maps: Mapping[str, OnsetMap] | str,
    pair: tuple[Stage, Stage],
    comparison: ComplementarityParameters,
    valid: BoolArray | None,
) -> Correlation:
    if isinstance(maps, str):
        return Correlation(pearson_r=float("nan"), reason=maps)
    if not all(stage.key in maps for stage in pair):
        return Correlation(pearson_r=float("nan"), reason=NO_ROOM)
    flat = [stage.key for stage in pair if is_uniform(maps[stage.key])]
    if flat:
        return Correlation(pearson_r=float("nan"), reason=f"{flat[0]} {UNIFORM}")
    first, second = (maps[stage.key].onset_s for stage in pair)
    return correlate(first, second, comparison, valid=valid)
