"""Images of states: which frames, one range, and pinholes that stay to be seen."""

import numpy as np
import pandas as pd
import pytest
from planted import recording_of

from napari_lithium_alloy.core.montage import MontageParameters
from napari_lithium_alloy.core.photometry import reference_frame
from napari_lithium_alloy.core.progress import finish
from napari_lithium_alloy.core.state_montage import film_reference, state_montage
from napari_lithium_alloy.core.tables import conform, empty

LEVELS = [1.0] * 5 + [0.3] * 60 + [0.8] * 60 + [0.25] * 20
STATES = conform(
    "cycles",
    pd.DataFrame(
        {
            "cycle": [pd.NA, 1, 1, 2, 2],
            "state": ["P", "De1*", "Di1*", "De2*", "Di2*"],
            "time_s": [2.0, 64.0, 124.0, 144.0, 900.0],
        }
    ),
)


@pytest.fixture
def cell():
    lamp = np.linspace(900, 1100, 64)[:, None] * np.ones(64)
    film = np.ones((64, 64))
    film[20:23, 30:33] = 1.5  # a pinhole
    frames = np.array(LEVELS)[:, None, None] * lamp * film
    frames[124] *= 10  # beyond what is averaged of any state but Di1*
    return recording_of(frames)


def shown(cell, **more):
    reference = reference_frame(cell, current_starts_s=5.0)
    reference = film_reference(cell, reference, np.ones((64, 64), bool))
    return finish(state_montage(cell, STATES, reference, **more))


def test_each_state_is_its_last_frames_in_one_range(cell):
    montage = shown(cell)
    assert [s.state for s in montage.states] == ["P", "De1*", "Di1*", "De2*"]
    assert [s.cycle for s in montage.states] == [0, 1, 1, 2]
    assert [s.time_s for s in montage.states] == [2, 63, 123, 144]  # 5, 3, 3 and 1 frames
    means = [float(np.median(s.image)) for s in montage.states]
    assert means == pytest.approx([1, 0.3, 0.8 * 12 / 3, 0.25], rel=0.05)
    assert montage.quantity == "Transmittance"
    greys = [int(np.median(montage.grey(s))) for s in montage.states]
    assert greys[3] < greys[1] < greys[0] < greys[2]
    low, high = montage.limits
    assert greys[0] == pytest.approx(255 * (1 - low) / (high - low), abs=12)


def test_pinholes_stay_to_be_seen(cell):
    pristine = shown(cell).states[0].image
    assert pristine[21, 31] == pytest.approx(1.5, rel=0.05)
    reference = reference_frame(cell, current_starts_s=5.0)
    by_pixel = finish(state_montage(cell, STATES, reference)).states[0].image
    assert by_pixel[21, 31] == pytest.approx(1, rel=0.01)


def test_large_frames_are_binned_and_pores_go_with_their_states(cell):
    pores = {0: np.ones((64, 64), int), 1: np.zeros((64, 64), int)}
    montage = shown(cell, parameters=MontageParameters(largest_side_px=32), pores=pores)
    assert montage.binned == 2
    assert montage.pixel_size_um == pytest.approx(0.13)
    assert montage.states[0].image.shape == (32, 32)
    assert [s.pores is None for s in montage.states] == [False, True, False, True]


def test_without_states_there_is_the_pristine_one(cell):
    reference = reference_frame(cell, current_starts_s=5.0)
    montage = finish(state_montage(cell.replace(mode="epi"), empty("cycles"), reference))
    assert [s.state for s in montage.states] == ["P"]
    assert montage.quantity == "Relative reflectance"
