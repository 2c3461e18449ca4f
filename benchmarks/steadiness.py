"""How well drift and lamp are found, and what they still do to onsets once taken out."""

from __future__ import annotations

import dataclasses
import time
import tracemalloc
from typing import Any

import dask.array as da
import numpy as np
import pandas as pd
from scipy import ndimage
from skimage.registration import phase_cross_correlation

from benchmarks.timing import Row, median_s
from napari_lithium_alloy.core.correction import Correction, corrected, moved_mask
from napari_lithium_alloy.core.correction_measurement import measure_correction
from napari_lithium_alloy.core.drift import shifts_of
from napari_lithium_alloy.core.feature_tracks import track_features
from napari_lithium_alloy.core.illumination import flicker
from napari_lithium_alloy.core.onset import onset_map
from napari_lithium_alloy.core.progress import finish
from napari_lithium_alloy.core.recording import BoolArray, FloatArray, Recording
from napari_lithium_alloy.core.stages import Stage, StageKind, stages_of
from napari_lithium_alloy.core.steadying import Sensor, light_at
from napari_lithium_alloy.core.synthetic import (
    Synthetic,
    SyntheticParameters,
    ag_parameters,
    au_parameters,
    make_recording,
)

DRIFT: dict[str, Any] = {
    "drift_px_per_min": (6.5, -5.0),
    "walk_px": 0.15,
    "jump_px": (4.0, -4.5),
    "jump_s": 60.3,
    "room_px": 56,
}
LAMP: dict[str, Any] = {"flicker": 0.006, "lamp_drift": 0.012}
STILL = {"drift_px_per_min": (0.0, 0.0), "walk_px": 0.0, "jump_px": (0.0, 0.0)} | dict.fromkeys(
    LAMP, 0.0
)
SHAPE = (224, 224)
GLASS_UM = 0.05 * SHAPE[1] * 0.065
FRAMES, SIDE = 120, 1024


def cases() -> dict[str, SyntheticParameters]:
    """Gold but for one, each with drift, a jump, flicker and slow lamp drift."""
    gold = au_parameters(shape=SHAPE, **DRIFT, **LAMP)
    slow = {"drift_px_per_min": (1.2, -1.0), "walk_px": 0.075}
    return {
        "gold": gold,
        "gold, other seed": gold.change(seed=11),
        "5 % of bare glass": gold.change(bare_glass_um=GLASS_UM),
        "rest of 20 s": gold.change(rest_s=20.0, seed=3),
        "4 x noise": gold.change(photo_electrons=2600 / 16, bits=16, gain_counts=8.0),
        "dust on the sensor": gold.change(dust=14, dust_on="sensor"),
        "drifting bubble": gold.change(bubble=0.2),
        "defocus 1.3 to 2.5 px": gold.change(psf_sigma_end_px=2.5),
        "1/4 of the contrast": _fainter(gold),
        "1/4 of it, bare glass": _fainter(gold).change(bare_glass_um=GLASS_UM),
        "silver, bare glass": ag_parameters(
            shape=SHAPE, cycles=1, seed=8, bare_glass_um=GLASS_UM, **{**DRIFT, **slow}, **LAMP
        ),
        "all off": gold.change(**STILL),
    }


def _fainter(parameters: SyntheticParameters) -> SyntheticParameters:
    """A quarter of every absorbance, the holes' too."""
    steps = tuple(dataclasses.replace(s, amplitude=s.amplitude / 4) for s in parameters.alloying)
    return dataclasses.replace(parameters, alloying=steps).change(
        absorbance=parameters.sites.absorbance / 4,
        substrate_transmittance=parameters.onset.substrate_transmittance**0.25,
        sei_absorbance=parameters.onset.sei_absorbance / 4,
    )


def steadiness_table() -> pd.DataFrame:
    """A row a recording: errors of shift and gain, and the onset error that is left.

    Shifts in px and gains in %, RMS; `gain` is of the whole recording beside glass, else of the
    rest before current; `fast` of what changes within a few frames; the last columns are the
    mean absolute onset error, in frames, over that of the same recording without drift and lamp
    (away from the bubble).
    """
    return pd.DataFrame([_row(name, parameters) for name, parameters in cases().items()])


def _row(name: str, parameters: SyntheticParameters) -> dict[str, Any]:
    made = make_recording(parameters)
    recording = in_memory(made.trans)
    experiment = made.experiment
    work = measure_correction(
        recording,
        current_starts_s=experiment.current_starts_s(),
        switches_s=experiment.potential.switches_s().tolist() if experiment.potential else (),
    )
    correction = finish(work)
    left = correction.shift_px - made.truth.drift_px
    left -= np.median(left, axis=0)
    steps = stages_of(experiment.stages, StageKind.ALLOYING)
    row = {"recording": name, "shift": float(np.sqrt((left**2).mean()))}
    row |= _gain_errors(made, recording, correction)
    differences = _onset_differences(made, recording, correction, steps)
    return row | {f"onset, {s.key.removeprefix('cycle1_')}": d for s, d in differences}


def _gain_errors(
    made: Synthetic, recording: Recording, correction: Correction
) -> dict[str, float | str]:
    times, truth = recording.times_s, made.truth.gain
    error = np.log(correction.lamp.gain / truth)
    whole = correction.lamp.source == "reference"
    some = np.ones(len(times), bool) if whole else times < made.parameters.timing.rest_s
    fast = flicker(times, error)
    return {
        "from": correction.lamp.source,
        "gain": 100 * float(np.std(error[some])),
        "fast": 100 * float(np.std(fast)),
    }


def _onset_differences(
    made: Synthetic, recording: Recording, correction: Correction, steps: list[Stage]
) -> list[tuple[Stage, float]]:
    still = in_memory(make_recording(made.parameters.change(**STILL)).trans)
    steady = in_memory(corrected(recording, correction))
    differences = []
    for stage in steps:
        where = correction.common & made.truth.film & ~_bubble_path(made, correction, stage)
        errors = [
            _onset_error(r, stage, made.truth.onset_s[stage.key], where) for r in (steady, still)
        ]
        differences.append((stage, (errors[0] - errors[1]) / recording.frame_interval_s))
    return differences


def _onset_error(recording: Recording, stage: Stage, truth: FloatArray, where: BoolArray) -> float:
    onset = finish(onset_map(recording, stage.start_s, stage.end_s, valid=where))
    return float(np.nanmean(np.abs(onset.onset_s - truth)[where]))


def _bubble_path(made: Synthetic, correction: Correction, stage: Stage) -> BoolArray:
    """(Y, X) where the bubble passes over the film in a stage, with and without drift."""
    path = np.zeros(SHAPE, dtype=bool)
    if not made.parameters.disturbances.bubble:
        return path
    without = make_recording(made.parameters.change(bubble=0.0))
    for t in made.trans.frames_between(stage.start_s - 3, stage.end_s + 3):
        dark = made.parameters.camera.dark_counts
        ratio = (made.noiseless(int(t)) - dark) / (without.noiseless(int(t)) - dark)
        bubble = np.abs(ratio - 1) > 0.01
        path |= bubble | moved_mask(bubble, -correction.shift_px[t])
    return path


def in_memory(recording: Recording) -> Recording:
    """The same recording with all its frames read."""
    frames = np.stack([recording.read(t) for t in range(recording.n_frames)])
    return recording.replace(
        frames=da.from_array(frames, chunks=(1, -1, -1)), window=lambda t, y, x: frames[t, y, x]
    )


def registration_row() -> Row:
    """Registering a drifting, textured field, beside phase correlation of frame after frame."""
    rng = np.random.default_rng(0)
    scene = np.zeros((SIDE + 64, SIDE + 64))
    scene[tuple(rng.integers(0, SIDE + 64, (2, 3000)))] = rng.uniform(0.5, 3, 3000) * 1e4
    scene = ndimage.gaussian_filter(scene, 1.5) + 2000
    path = np.cumsum(rng.normal(0, 0.15, (12, 2)), axis=0)
    shown = [ndimage.shift(scene, p, order=1)[32:-32, 32:-32] for p in path]
    frames = rng.poisson(np.stack(shown)).astype(np.uint16)
    there_and_back = np.abs(np.arange(FRAMES) % 22 - 11)
    recording = Recording(
        name="drifting",
        frames=da.from_array(frames[:1], chunks=(1, -1, -1)).repeat(FRAMES, axis=0),
        times_s=np.arange(float(FRAMES)),
        window=lambda t, y, x: frames[there_and_back[t], y, x],
        dark_counts=0.0,
    )
    tracemalloc.start()
    start = time.perf_counter()
    shifts_of(finish(track_features(recording)))
    seconds = time.perf_counter() - start
    peak_mb = tracemalloc.get_traced_memory()[1] / 1e6
    tracemalloc.stop()
    each = median_s(
        lambda: phase_cross_correlation(frames[0], frames[1], upsample_factor=50), runs=3
    )
    name = f"drift of {FRAMES} x {SIDE} x {SIDE} (peak {peak_mb:.0f} MB)"
    plain = "phase_cross_correlation to 0.02 px, one pass"
    return Row(name, seconds, seconds / (each * FRAMES), plain)


def moving_row() -> Row:
    """Taking the drift out of a frame, beside scipy's spline of the same light."""
    counts = np.random.default_rng(0).poisson(9000, (SIDE, SIDE)).astype(np.uint16)
    sensor = Sensor.of(100.0, None, np.zeros(counts.shape, bool), None)
    start, out = np.array([2.3, -4.7]), np.empty(counts.shape, np.float32)

    def plain() -> FloatArray:
        light = counts.astype(np.float32) - np.float32(100)
        return ndimage.affine_transform(light, np.ones(2), offset=start, mode="nearest")

    seconds = median_s(lambda: light_at(counts, (0, 0), sensor, 1.0, None, start, out))
    name = f"drift out of a frame of {SIDE} x {SIDE}"
    return Row(name, seconds, seconds / median_s(plain), "scipy.ndimage.affine_transform, order 3")
