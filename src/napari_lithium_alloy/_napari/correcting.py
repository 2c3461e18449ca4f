"""Measures what is wrong with a recording's frames, and lets the docks work on corrected ones."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

import numpy as np
import pandas as pd

from napari_lithium_alloy.core.correction import Correction
from napari_lithium_alloy.core.errors import AlloyError
from napari_lithium_alloy.core.frame_quality import frame_quality
from napari_lithium_alloy.core.progress import Work, part
from napari_lithium_alloy.core.provenance import Step
from napari_lithium_alloy.core.recording import Recording, Region
from napari_lithium_alloy.measured import as_measured, measured_correction

if TYPE_CHECKING:
    from napari_lithium_alloy._napari.opened import Opened
    from napari_lithium_alloy._napari.session import Session

MOST_CHANGE = 0.2
"""Share by which hardly a lamp changes; film that was taken for bare glass does."""
APPLIED = "apply_correction"
"""Step of the provenance that is there while corrected frames are in use."""


@dataclass(frozen=True, eq=False, kw_only=True)
class Measured:
    """What is wrong with a recording's frames.

    Attributes
    ----------
    correction : Correction
    saturation_counts : float or None
        Counts at which its pixels clip, as the frames show it.
    notes : tuple of str
        What the user should know, a sentence each.
    """

    correction: Correction
    saturation_counts: float | None
    notes: tuple[str, ...]

    @classmethod
    def of(cls, correction: Correction, recording: Recording, clipping: Sequence[str] = ()) -> Self:
        """What was measured of a recording; `clipping` says how its pixels clip."""
        return cls(
            correction=correction,
            saturation_counts=recording.saturation_counts,
            notes=(*clipping, *correction.notes, *_doubts(correction)),
        )


def measured_in(opened: Opened, regions: Sequence[Region]) -> Work[tuple[Measured, pd.DataFrame]]:
    """Measure a recording as it was read, and tabulate its frames.

    Raises
    ------
    AlloyError
        If there is no region of the name chosen.
    """
    yield 0, 100
    recording, clipping = as_measured(opened.as_read, opened.config)
    experiment = opened.experiment.replace(regions=tuple(regions))
    work = measured_correction(experiment, recording, opened.config)
    correction = yield from part(work, 0, 90, 100)
    table = yield from part(frame_quality(recording, correction), 90, 100, 100)
    return Measured.of(correction, recording, clipping), table


def _doubts(correction: Correction) -> tuple[str, ...]:
    """What speaks against the lamp's gain."""
    lamp = correction.lamp
    change = float(np.ptp(lamp.gain))
    if lamp.source != "reference" or change < MOST_CHANGE:
        return ()
    return (
        f"It changes by {100 * change:.0f} %, which hardly a lamp does: look whether there is film "
        "in its reference, and draw another.",
    )


def use_measured(session: Session, opened: Opened) -> None:
    """Let all docks work on the frames with what was measured taken out.

    Raises
    ------
    AlloyError
        If nothing was measured yet.
    """
    measured = opened.measured
    if measured is None:
        raise AlloyError("Nothing is measured yet; measure the correction first.")
    if measured.saturation_counts != opened.as_read.saturation_counts:
        known = opened.as_read.replace(saturation_counts=measured.saturation_counts)
        opened.as_read = known
    opened.did(Step.of(APPLIED, done=measured.correction.done))
    session.correct(opened, measured.correction)


def use_as_read(session: Session, opened: Opened) -> None:
    """Let all docks work on the frames as they were read."""
    opened.steps = [step for step in opened.steps if step.name != APPLIED]
    session.correct(opened, None)
