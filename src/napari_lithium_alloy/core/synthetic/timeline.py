"""When things happen: stages, frame times, drift, lamp, and the galvanostatic curve."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from napari_lithium_alloy.core.galvanostatic import PotentialCurve
from napari_lithium_alloy.core.recording import FloatArray, Mode
from napari_lithium_alloy.core.stages import Stage, StageKind
from napari_lithium_alloy.core.synthetic.fields import ease, stream
from napari_lithium_alloy.core.synthetic.parameters import SyntheticParameters

_SEI_SPIKE_V = 0.45
_SWITCH_S = 1.0


def planted_stages(parameters: SyntheticParameters) -> tuple[Stage, ...]:
    """The cell's stages on the recording's clock, in order."""
    stages: list[Stage] = []
    now = parameters.timing.rest_s
    for cycle in range(1, parameters.cycles + 1):
        for kind, step, gap_s, duration_s in _stages_of_a_cycle(parameters):
            start = now + gap_s
            now = start + duration_s
            stages.append(Stage(kind=kind, cycle=cycle, step=step, start_s=start, end_s=now))
        now += parameters.timing.pause_s
    return tuple(stages)


def _stages_of_a_cycle(
    parameters: SyntheticParameters,
) -> Iterator[tuple[StageKind, int | None, float, float]]:
    """Kind, step, gap before and duration of each stage, in order."""
    timing = parameters.timing
    yield StageKind.SEI, None, 0.0, timing.sei_s
    for number, step in enumerate(parameters.alloying, start=1):
        yield StageKind.ALLOYING, number, step.gap_s, step.duration_s
    yield StageKind.DEPOSITION, None, timing.deposition_gap_s, timing.deposition_s
    yield StageKind.DISSOLUTION, None, 0.0, timing.dissolution_s
    for number, step in enumerate(parameters.dealloying, start=1):
        yield StageKind.DEALLOYING, number, step.gap_s, step.duration_s


def end_s(parameters: SyntheticParameters) -> float:
    """End of the recording: the last stage's end and the pause after it."""
    return planted_stages(parameters)[-1].end_s + parameters.timing.pause_s


def cycle_ends_s(stages: Sequence[Stage]) -> dict[int, float]:
    """When each cycle's last stage ends (Di*)."""
    return {s.cycle: s.end_s for s in sorted(stages, key=lambda s: s.end_s)}


def frame_times(parameters: SyntheticParameters, mode: Mode) -> FloatArray:
    """(T,) mid-exposure times, jittered and with frames missing as planted."""
    timing = parameters.timing
    trans = mode == "trans"
    interval = timing.frame_interval_s if trans else timing.epi_interval_s
    jitter = timing.jitter if trans else timing.epi_jitter
    dropped = timing.dropped if trans else timing.epi_dropped
    times = np.arange(0.0 if trans else timing.epi_start_s, end_s(parameters), interval)
    if jitter:
        noise = stream(parameters.seed, "jitter", mode).standard_normal(len(times))
        late = np.clip(jitter * noise, -0.45, 0.45)
        times = np.maximum(times + interval * late, 0.01 * interval * np.arange(len(times)))
    if dropped:
        keep = stream(parameters.seed, "dropped", mode).random(len(times)) >= dropped
        keep[[0, -1]] = True
        times = times[keep]
    return times


def drift_path(parameters: SyntheticParameters, times_s: FloatArray) -> FloatArray:
    """(T, 2) rows and columns by which the film has moved, pixels."""
    d = parameters.disturbances
    path = times_s[:, None] / 60 * np.asarray(d.drift_px_per_min)
    if d.walk_px:
        seconds = np.arange(np.ceil(end_s(parameters)) + 2)
        steps = stream(parameters.seed, "walk").standard_normal((len(seconds), 2)) * d.walk_px
        steps[0] = 0
        walk = np.cumsum(steps, axis=0)
        path += np.stack([np.interp(times_s, seconds, w) for w in walk.T], axis=1)
    return np.asarray(path + (times_s >= d.jump_s)[:, None] * np.asarray(d.jump_px))


def lamp_gain(parameters: SyntheticParameters, times_s: FloatArray, mode: Mode) -> FloatArray:
    """(T,) brightness of the lamp, 1 on the whole."""
    d = parameters.disturbances
    progress = times_s / end_s(parameters)
    slow = 1 + d.lamp_drift * ease(progress)
    noise = stream(parameters.seed, "flicker", mode).standard_normal(len(times_s))
    return np.asarray(slow * (1 + d.flicker * noise))


def planted_potential(parameters: SyntheticParameters) -> PotentialCurve:
    """The galvanostatic curve on the cycler's clock."""
    p = parameters.potential
    cycler_s = np.arange(0.0, end_s(parameters) + p.clock_offset_s, p.interval_s)
    times = cycler_s - p.clock_offset_s
    stages = planted_stages(parameters)
    direction = _direction(stages, times)
    knots_s, knots_v = _overpotential_knots(parameters, stages)
    into = np.interp(times, knots_s, knots_v)
    for stage in stages:
        if stage.kind is StageKind.SEI:
            since = times - stage.start_s
            spike = np.exp(-np.maximum(since, 0) / (0.25 * (stage.end_s - stage.start_s)))
            into -= np.where(since >= 0, _SEI_SPIKE_V * spike, 0)
    noise = stream(parameters.seed, "potential").standard_normal(len(times)) * p.noise_v
    return PotentialCurve(
        times_s=cycler_s,
        potential_v=p.lithiation_sign * into + noise,
        current_ma=p.lithiation_sign * p.current_ma * direction + 0.0,
        clock_offset_s=p.clock_offset_s,
        source="synthetic",
    )


def _direction(stages: Sequence[Stage], times_s: FloatArray) -> FloatArray:
    """1 while lithium is driven into the film, -1 out of it, 0 at rest."""
    direction = np.zeros(len(times_s))
    for cycle, last_s in cycle_ends_s(stages).items():
        own = [s for s in stages if s.cycle == cycle]
        reversal_s = next(s.start_s for s in own if s.kind is StageKind.DISSOLUTION)
        direction[(times_s >= own[0].start_s) & (times_s < reversal_s)] = 1
        direction[(times_s >= reversal_s) & (times_s < last_s)] = -1
    return direction


def _overpotential_knots(
    parameters: SyntheticParameters, stages: Sequence[Stage]
) -> tuple[list[float], list[float]]:
    """Corners of the curve, positive where lithium is driven in, without the SEI's spike."""
    plateaus = parameters.potential.plateaus_v
    knots: list[tuple[float, float]] = [(0.0, plateaus[0] - _SEI_SPIKE_V)]
    for stage in stages:
        level, last = _levels(parameters, stage)
        if parameters.potential.sloping and stage.kind is StageKind.ALLOYING:
            following = plateaus[min(stage.step or 1, len(plateaus) - 1)]
            last = level + 0.8 * (following - level)
        switch_s = 0.0 if stage.kind is StageKind.SEI else _SWITCH_S
        knots.append((max(stage.start_s - 1e-3, knots[-1][0]), knots[-1][1]))
        knots += [(stage.start_s + switch_s, level), (stage.end_s, last)]
    return [k[0] for k in knots], [k[1] for k in knots]


def _levels(parameters: SyntheticParameters, stage: Stage) -> tuple[float, float]:
    """Overpotential at a stage's start and end."""
    plateaus = parameters.potential.plateaus_v
    if stage.kind is StageKind.SEI:
        return plateaus[0], plateaus[0]
    if stage.kind is StageKind.ALLOYING:
        level = plateaus[min((stage.step or 1) - 1, len(plateaus) - 1)]
        return level, level + 0.005
    if stage.kind is StageKind.DEPOSITION:
        return plateaus[-1], plateaus[-1]
    if stage.kind is StageKind.DISSOLUTION:
        return -0.12, -0.16
    steps = len(parameters.dealloying)
    number = stage.step or 1
    return -0.25 - 0.25 * (number - 1) / steps, (-1.0 if number == steps else -0.4)
