"""Absorbance of the film: uniform SEI and steps that pass over it as heterogeneous fronts."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from napari_lithium_alloy.core.errors import AlloyError
from napari_lithium_alloy.core.recording import FloatArray
from napari_lithium_alloy.core.stages import Stage, StageKind
from napari_lithium_alloy.core.synthetic.fields import (
    SIGMAS_10_90,
    beta_quantiles,
    gaussian_field,
    ranks,
    smooth_step,
    stream,
)
from napari_lithium_alloy.core.synthetic.parameters import PlantedStep, SyntheticParameters

_TAIL_SIGMAS = 4.0


@dataclass(frozen=True, eq=False, kw_only=True)
class Wave:
    """One step over the film.

    Attributes
    ----------
    key : str
        Key of its stage.
    onset_s : numpy.ndarray
        (Y, X) time of half the rise.
    amplitude : float
        Absorbance, negative where lithium leaves.
    rise_s : float
    creep, creep_time_s : float
        Absorbance that follows slowly, and its time constant.
    rank : numpy.ndarray
        (Y, X) order of the pixels, 0..1.
    """

    key: str
    onset_s: FloatArray
    amplitude: float
    rise_s: float
    creep: float
    creep_time_s: float
    rank: FloatArray

    def absorbance(self, time_s: float) -> FloatArray | float:
        """What it adds at a time; a number where the field is uniform then."""
        tail = _TAIL_SIGMAS * self.rise_s / SIGMAS_10_90
        if time_s < self._first_s - tail:
            return 0.0
        if time_s > self._last_s + tail and (
            not self.creep or time_s > self._last_s + 12 * self.creep_time_s
        ):
            return self.amplitude + self.creep
        since = np.float32(time_s) - self.onset_s
        added = np.float32(self.amplitude) * smooth_step(since, self.rise_s)
        if self.creep:
            added += self.creep * -np.expm1(-np.maximum(since, 0) / self.creep_time_s)
        return added

    @property
    def _first_s(self) -> float:
        return float(self.onset_s.min())

    @property
    def _last_s(self) -> float:
        return float(self.onset_s.max())

    def crop(self, cut_px: int) -> Wave:
        """The same wave without its outermost pixels."""
        rows, columns = self.onset_s.shape
        window = slice(cut_px, rows - cut_px), slice(cut_px, columns - cut_px)
        onset_s = np.ascontiguousarray(self.onset_s[window])
        return dataclasses.replace(self, onset_s=onset_s, rank=self.rank[window])


@dataclass(frozen=True, eq=False, kw_only=True)
class FilmModel:
    """Absorbance of the film against time.

    Attributes
    ----------
    waves : tuple of Wave
    sei : tuple of (float, float, float)
        Start, time constant and absorbance of each cycle's SEI.
    """

    waves: tuple[Wave, ...]
    sei: tuple[tuple[float, float, float], ...]

    def alloy(self, time_s: float) -> FloatArray | float:
        """Absorbance of the alloy at a time."""
        total: FloatArray | float = 0.0
        for wave in self.waves:
            total = total + wave.absorbance(time_s)
        return total

    def absorbance(self, time_s: float) -> FloatArray | float:
        """Absorbance of alloy and SEI at a time."""
        grown = sum(a * -np.expm1(-max(time_s - t0, 0) / tau) for t0, tau, a in self.sei)
        return self.alloy(time_s) + float(grown)

    def crop(self, cut_px: int) -> FilmModel:
        """The same film without its outermost pixels."""
        return FilmModel(waves=tuple(w.crop(cut_px) for w in self.waves), sei=self.sei)

    def wave(self, key: str) -> Wave:
        """The wave of a stage."""
        return next(w for w in self.waves if w.key == key)


def film_model(parameters: SyntheticParameters, stages: Sequence[Stage]) -> FilmModel:
    """The planted film, on the field and `room_px` around it."""
    waves: list[Wave] = []
    for cycle in range(1, parameters.cycles + 1):
        waves += _cycle_waves(parameters, [s for s in stages if s.cycle == cycle])
    sei = tuple(
        (
            s.start_s,
            (s.end_s - s.start_s) / 5,
            parameters.onset.sei_absorbance * (1 if s.cycle == 1 else parameters.onset.sei_later),
        )
        for s in stages
        if s.kind is StageKind.SEI
    )
    return FilmModel(waves=tuple(waves), sei=sei)


def _cycle_waves(parameters: SyntheticParameters, stages: Sequence[Stage]) -> list[Wave]:
    camera = parameters.camera
    room = 2 * parameters.disturbances.room_px
    shape = (camera.shape[0] + room, camera.shape[1] + room)
    correlation_px = parameters.onset.correlation_um / camera.pixel_size_um
    leaving = sum(p.amplitude * (1 + p.creep) for p in parameters.alloying)
    leaving -= parameters.onset.residual_absorbance
    waves: list[Wave] = []
    field: FloatArray | None = None
    for stage, step in _steps(parameters, stages):
        fresh = gaussian_field(stream(parameters.seed, "field", stage.key), shape, correlation_px)
        c = step.complementarity
        field = fresh if field is None else -c * field + np.sqrt(1 - c**2) * fresh
        rank = ranks(field)
        onset = _onset(parameters, stage, step, rank)
        if step.overlap_s and waves:
            onset = np.maximum(onset, waves[-1].onset_s + step.rise_s)
        sign = 1.0 if stage.darkens else -leaving
        waves.append(
            Wave(
                key=stage.key,
                onset_s=onset.astype(np.float32),
                amplitude=sign * step.amplitude,
                rise_s=step.rise_s,
                creep=sign * step.amplitude * step.creep,
                creep_time_s=step.creep_time_s,
                rank=rank,
            )
        )
    return waves


def _steps(
    parameters: SyntheticParameters, stages: Sequence[Stage]
) -> list[tuple[Stage, PlantedStep]]:
    planted = {
        StageKind.ALLOYING: parameters.alloying,
        StageKind.DEALLOYING: parameters.dealloying,
    }
    return [(s, planted[s.kind][(s.step or 1) - 1]) for s in stages if s.kind in planted]


def _onset(
    parameters: SyntheticParameters, stage: Stage, step: PlantedStep, rank: FloatArray
) -> FloatArray:
    """Onset times of one step: ranks spread over its stage less one rise at each end."""
    lag = parameters.onset.edge_lag_s
    lasts = stage.end_s - stage.start_s
    spread = lasts - 2 * step.rise_s - lag if step.spread_s is None else step.spread_s
    if spread <= 0 or spread + lag > lasts:
        raise AlloyError(
            f"{stage.label} lasts {lasts:g} s, too short for its rise_s, edge_lag_s and spread_s; "
            "make duration_s longer."
        )
    start = stage.start_s + (lasts - spread - lag) / 2 - step.overlap_s
    times = start + (spread + step.overlap_s) * beta_quantiles(rank, step.spread)
    return (
        times + lag * _corner_distance(rank.shape, parameters.disturbances.room_px)
        if lag
        else times
    )


def _corner_distance(shape: tuple[int, ...], room_px: int) -> FloatArray:
    """Squared distance from the centre, 1 in the field's corners."""
    y, x = (np.arange(n) - (n - 1) / 2 for n in shape)
    half = [(n - 2 * room_px - 1) / 2 for n in shape]
    return np.asarray((y[:, None] ** 2 + x[None] ** 2) / (half[0] ** 2 + half[1] ** 2))
