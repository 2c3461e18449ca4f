"""The clock offset found again."""

import dataclasses

import numpy as np
import pytest

from napari_lithium_alloy.core.clock_link import suggest_clock_offset
from napari_lithium_alloy.core.curves import region_curves
from napari_lithium_alloy.core.errors import AlloyError
from napari_lithium_alloy.core.photometry import reference_frame
from napari_lithium_alloy.core.progress import finish
from napari_lithium_alloy.core.synthetic import ag_parameters, au_parameters, make_recording

SHAPE = {"shape": (96, 96), "count": 4, "spacing_um": 0.9, "merging_pairs": 0}
CASES = {
    "gold": au_parameters(seed=21, **SHAPE),
    "gold, two cycles, other sign": au_parameters(seed=22, cycles=2, lithiation_sign=1, **SHAPE),
    "gold, noisy": au_parameters(seed=23, noise_v=0.001, flicker=0.003, **SHAPE),
    "silver": ag_parameters(seed=24, cycles=2, frame_interval_s=2.0, **SHAPE),
}


@pytest.fixture(scope="module", params=CASES, ids=str)
def known(request):
    """Potential on the recording's clock, times and mean absorbance."""
    experiment = make_recording(CASES[request.param]).experiment
    recording = experiment.recording("trans")
    reference = reference_frame(recording, current_starts_s=experiment.current_starts_s())
    curves = finish(region_curves(recording, reference))
    curve = experiment.potential
    potential = dataclasses.replace(curve, times_s=curve.recording_times_s, clock_offset_s=0.0)
    return potential, recording.times_s, curves["absorbance"].to_numpy(float)


@pytest.mark.parametrize("offset_s", [0.0, 12.5, -87.0, 240.0])
def test_a_planted_offset_is_found_within_two_seconds(known, offset_s):
    potential, times_s, absorbance = known
    shifted = dataclasses.replace(
        potential, times_s=potential.times_s + offset_s, clock_offset_s=55.0
    )
    found_s, residual_s = suggest_clock_offset(shifted, times_s, absorbance)
    assert found_s == pytest.approx(offset_s, abs=2.0)
    assert 0 <= residual_s < 4


def test_nothing_to_match_is_said(known):
    potential, times_s, absorbance = known
    far = dataclasses.replace(potential, times_s=potential.times_s + 2000)
    for curve, signal in ((potential, np.zeros_like(absorbance)), (far, absorbance)):
        with pytest.raises(AlloyError, match=r"Fewer than three steps .* by two points\."):
            suggest_clock_offset(curve, times_s, signal)
