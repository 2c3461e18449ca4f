"""Steps as plain JSON and back."""

import json
import math
from enum import Enum
from pathlib import Path

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_lithium_alloy import __version__
from napari_lithium_alloy.core.onset import OnsetParameters
from napari_lithium_alloy.core.provenance import Step, to_plain


class Light(Enum):
    TRANS = "trans"


def test_a_step_holds_parameters_and_more():
    step = Step.of("onset_map", OnsetParameters(fraction=0.4), stage="cycle1_step1")
    assert step.parameters["fraction"] == 0.4
    assert step.parameters["smoothing_px"] is None
    assert step.parameters["stage"] == "cycle1_step1"
    assert step.version == __version__
    assert Step.from_json(json.loads(json.dumps(step.to_json()))) == step


def test_what_is_no_json_becomes_plain():
    plain = to_plain(
        {
            1: np.float32(0.5),
            "n": np.int64(3),
            "flag": np.bool_(True),
            "nothing": math.nan,
            "far": [math.inf, (1, 2)],
            "array": np.array([[1.0, np.nan]]),
            "light": Light.TRANS,
            "path": Path("a") / "b",
        }
    )
    assert plain == {
        "1": 0.5,
        "n": 3,
        "flag": True,
        "nothing": None,
        "far": [None, [1, 2]],
        "array": [[1.0, None]],
        "light": "trans",
        "path": str(Path("a") / "b"),
    }


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=15,
)


@given(st.dictionaries(st.text(), values))
@settings(max_examples=40, deadline=None)
def test_any_step_survives_json(parameters):
    step = Step.of("anything", parameters=parameters)
    text = json.dumps(step.to_json(), allow_nan=False)
    assert Step.from_json(json.loads(text)) == step
