"""One cell: choosing among its recordings."""

import pytest
from planted import recording_of

from napari_lithium_alloy.core.errors import AlloyError
from napari_lithium_alloy.core.experiment import Experiment
from napari_lithium_alloy.core.stages import Stage


def cell(*modes):
    recordings = [recording_of([[[1.0]]], name=f"r{i}", mode=mode) for i, mode in enumerate(modes)]
    return Experiment(name="cell", recordings=tuple(recordings))


def test_trans_comes_before_epi_and_either_before_unknown():
    assert cell(None, "epi", "trans").recording().name == "r2"
    assert cell(None, "epi").recording().name == "r1"
    assert cell(None).recording().name == "r0"


def test_a_recording_is_named_by_name_or_mode():
    both = cell("trans", "epi")
    assert both.recording("r1").mode == "epi"
    assert both.recording("epi").name == "r1"
    assert both.by_mode("epi") is both.recordings[1]
    assert cell("trans").by_mode("epi") is None


def test_what_cannot_be_chosen_is_said_with_the_names():
    with pytest.raises(AlloyError, match=r"There is no recording side in cell; it has: r0, r1\."):
        cell("trans", "epi").recording("side")
    with pytest.raises(AlloyError, match=r"holds several recordings \(r0, r1\)"):
        cell(None, None).recording()


def test_without_current_it_starts_with_the_first_stage():
    assert cell("trans").current_starts_s() is None
    stages = (
        Stage(kind="alloying", start_s=17, end_s=52),
        Stage(kind="SEI", start_s=5, end_s=17),
    )
    assert cell("trans").replace(stages=stages).current_starts_s() == 5
