"""The area alloyed against time, begun and ended by the pixels."""

import dataclasses

import numpy as np
import pytest
from planted import recording_of

from napari_lithium_alloy.core.alloyed_area import alloyed_fraction_table
from napari_lithium_alloy.core.onset import onset_map
from napari_lithium_alloy.core.progress import finish
from napari_lithium_alloy.core.stages import Stage, StageKind

STEP = Stage(kind=StageKind.ALLOYING, step=1, start_s=5, end_s=38)


@pytest.fixture(scope="module")
def onset():
    times = np.arange(45.0)[:, None, None]
    level = 0.2 * np.clip(times - (10 + 20 * np.arange(40) / 39) + 0.5, 0, 1)
    recording = recording_of(2000 * 10 ** -(level * np.ones((1, 12, 1))))
    return finish(onset_map(recording, STEP.start_s, STEP.end_s))


def test_each_frame_of_the_step_has_its_share(onset):
    table = alloyed_fraction_table({STEP: onset}, np.arange(45.0))
    assert table["time_s"].tolist() == list(range(5, 39))
    expected = [(onset.onset_s <= t).mean() for t in range(5, 39)]
    assert table["alloyed_fraction"].tolist() == pytest.approx(expected)
    assert set(table["stage"]) == {"step1"}


def test_pixels_beyond_the_steps_bounds_are_in_the_table(onset):
    early = dataclasses.replace(onset, start_s=15.0, end_s=25.0)
    table = alloyed_fraction_table({STEP: early}, np.arange(45.0))
    first, last = np.nanmin(onset.onset_s), np.nanmax(onset.onset_s)
    assert table["time_s"].iloc[0] == np.ceil(first)
    assert table["time_s"].iloc[-1] == np.floor(last)
    assert table["alloyed_fraction"].iloc[-1] > 0.95
