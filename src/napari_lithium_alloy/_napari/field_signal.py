"""The mean of the field over time, measured once for each recording."""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd

from napari_lithium_alloy._napari.opened import Opened
from napari_lithium_alloy.core.clock_link import Moments, moments_of
from napari_lithium_alloy.core.curves import region_curves
from napari_lithium_alloy.core.galvanostatic import PotentialCurve
from napari_lithium_alloy.core.photometry import NormalizationParameters
from napari_lithium_alloy.core.progress import Work
from napari_lithium_alloy.core.recording import FloatArray, Recording
from napari_lithium_alloy.core.stage_detection import detect_stages
from napari_lithium_alloy.core.stages import Stage


@dataclass(frozen=True, eq=False, kw_only=True)
class FieldSignal:
    """The field's mean counts and what follows from them.

    Attributes
    ----------
    curves : pandas.DataFrame
        What `region_curves` gives of the field and its spread, a row a frame.
    recording, normalization, current_starts_s
        What it was measured of, and its reference.
    """

    curves: pd.DataFrame
    recording: Recording
    normalization: NormalizationParameters
    current_starts_s: float | None

    def is_of(self, opened: Opened) -> bool:
        """Whether it was measured of this recording as it is normalized now."""
        return self.recording is opened.recording and self.normalization == opened.normalization

    def has_reference_of(self, opened: Opened) -> bool:
        """Whether its reference frames end where current is now known to start, too."""
        return self.is_of(opened) and self.current_starts_s == opened.experiment.current_starts_s()

    def values(self, column: str) -> FloatArray:
        """(T,) values of one quantity."""
        return self.curves[column].to_numpy(dtype=float)


def field_signal(opened: Opened) -> Work[FieldSignal]:
    """Measure the field, or give what is known of it.

    Raises
    ------
    AlloyError
        If there is no reference for it.
    """
    known = opened.field_signal
    if known is not None and known.has_reference_of(opened):
        return known
    recording, normalization = opened.recording, opened.normalization
    starts_s, reference = opened.experiment.current_starts_s(), opened.reference()
    film = opened.film(reference)
    curves = yield from region_curves(recording, reference, valid=film, with_spread=True)
    return FieldSignal(
        curves=curves,
        recording=recording,
        normalization=normalization,
        current_starts_s=starts_s,
    )


def _signal_of(opened: Opened, signal: FieldSignal) -> FloatArray:
    """What stages are told from: absorbance, in epi relative reflectance."""
    epi = opened.recording.mode == "epi"
    return signal.values("relative_reflectance" if epi else "absorbance")


def detected_in(opened: Opened) -> Work[tuple[FieldSignal, list[Stage]]]:
    """The field's mean, and the stages that it and the potential show."""
    signal = yield from field_signal(opened)
    stages = detect_stages(
        opened.experiment.potential,
        opened.recording.times_s,
        _signal_of(opened, signal),
        spread=signal.values("spread"),
    )
    return signal, stages


def moments_in(opened: Opened, potential: PotentialCurve) -> Work[tuple[FieldSignal, Moments]]:
    """The field's mean, and what happens when in it and in the potential."""
    signal = yield from field_signal(opened)
    values = _signal_of(opened, signal)
    spread = signal.values("spread")
    return signal, moments_of(potential, opened.recording.times_s, values, spread=spread)
