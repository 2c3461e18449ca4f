"""Stages into recording.toml, with everything else in it kept."""

import itertools
import math
import tomllib
from pathlib import Path

import numpy as np
import pytest
import tifffile
from hypothesis import given
from hypothesis import strategies as st

from napari_lithium_alloy.core.errors import AlloyError
from napari_lithium_alloy.core.galvanostatic import ClockLink, PotentialCurve
from napari_lithium_alloy.core.stages import Stage, StageKind
from napari_lithium_alloy.io.recording_file import open_experiment
from napari_lithium_alloy.io.stages_file import (
    save_stages,
    stages_file_of,
    with_potential,
    with_stages,
)
from napari_lithium_alloy.sample_data import sample_dir

STAGES = (
    Stage(kind="SEI", start_s=5, end_s=17.25),
    Stage(kind="alloying", step=2, cycle=3, start_s=17.25, end_s=52, scope="field"),
)
TEXT = """\
# measured on Monday
name = "film"  # the good one

[trans]
path = "trans.tif"

# the cell's
[[stages]]
kind = "SEI" # seen by eye
# not sure
start_s = 1.0
end_s = 2.0

[[stages]]
kind = "alloying"
start_s = 2.0
end_s = 3.0

# from the cycler
[potential]
path = "potential.csv"
clock_offset_s = 12.5  # typed
"""
INLINE = """\
name = "film"
stages = [ # of the cell
    { kind = "SEI", start_s = 1.0, end_s = 2.0 },
    # not sure
    { kind = "alloying", start_s = 2.0, end_s = 3.0 },
]

[trans]
path = "trans.tif"  # a [[stages]] in a comment
"""
ONE_LINE = 'stages = [{kind = "SEI", start_s = 1.0, end_s = 2.0}]\n[trans]\npath = "trans.tif"\n'
NONE = 'name = "film"\n[trans]\npath = "trans.tif"\n# last'
COMMENTS = ("# measured on Monday", "# the good one", "# the cell's", "# not sure", "# typed")


def bounds_of(text):
    return [(s["kind"], s["start_s"], s["end_s"]) for s in tomllib.loads(text).get("stages", [])]


def others_of(text):
    return {k: v for k, v in tomllib.loads(text).items() if k != "stages"}


@pytest.mark.parametrize("text", [TEXT, INLINE, ONE_LINE, NONE], ids=str.split)
@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_only_the_stages_change(text, newline):
    text = text.replace("\n", newline)
    new = with_stages(text, STAGES)
    assert bounds_of(new) == [("SEI", 5.0, 17.25), ("alloying", 17.25, 52.0)]
    assert others_of(new) == others_of(text)
    assert tomllib.loads(new)["stages"][1] == {
        "kind": "alloying",
        "step": 2,
        "cycle": 3,
        "start_s": 17.25,
        "end_s": 52.0,
        "scope": "field",
    }
    assert all(c in new for c in COMMENTS if c in text)
    assert with_stages(new, STAGES) == new
    assert ("\r" in new) == ("\r" in newline)
    assert others_of(with_stages(new, ())) == others_of(text)
    assert bounds_of(with_stages(new, ())) == []


def test_the_rest_is_kept_to_the_letter():
    new = with_stages(TEXT, STAGES)
    head, tail = TEXT.split("[[stages]]")[0], TEXT[TEXT.index("# from the cycler") :]
    assert new.startswith(head)
    assert new.endswith("\n\n" + tail)


@given(
    st.lists(
        st.tuples(
            st.sampled_from(list(StageKind)),
            st.integers(1, 4),
            st.integers(1, 30),
            st.integers(-(10**6), 10**8),
            st.integers(1, 10**8),
            st.sampled_from(["cell", "field"]),
        ),
        max_size=8,
    ),
    st.sampled_from([TEXT, INLINE, NONE]),
)
def test_stages_come_back_to_the_millisecond(rows, text):
    stages = [
        Stage(
            kind=kind,
            step=step if kind in ("alloying", "dealloying") else None,
            cycle=cycle,
            start_s=start / 1000,
            end_s=(start + length) / 1000,
            scope=scope,
        )
        for kind, step, cycle, start, length, scope in rows
    ]
    read = tomllib.loads(with_stages(text, stages)).get("stages", [])
    assert [Stage(**values).key for values in read] == [s.key for s in stages]
    assert [(v["start_s"], v["end_s"], v.get("scope", "cell")) for v in read] == [
        (s.start_s, s.end_s, s.scope) for s in stages
    ]


def curve_at(path, **more):
    return PotentialCurve(times_s=np.arange(3.0), potential_v=np.zeros(3), source=str(path), **more)


def test_the_clock_is_changed_or_added(tmp_path):
    file, source = tmp_path / "recording.toml", tmp_path / "potential.csv"
    new = with_potential(TEXT, curve_at(source, clock_offset_s=-3.25), file)
    assert new == TEXT.replace("clock_offset_s = 12.5", "clock_offset_s = -3.25")
    plain = TEXT.replace("clock_offset_s = 12.5  # typed\n", "")
    clock = ClockLink(offset_s=4, rate=1.0001234567891, way="points", residual_s=0.12345)
    new = with_potential(plain, curve_at(source).linked(clock), file)
    said = {
        "path": "potential.csv",
        "clock_offset_s": 4.0,
        "clock_rate": 1.000123457,
        "clock_way": "points",
        "clock_residual_s": 0.123,
    }
    assert tomllib.loads(new)["potential"] == said
    back = with_potential(new, curve_at(source, clock_offset_s=4.0), file)
    assert tomllib.loads(back)["potential"] == {"path": "potential.csv", "clock_offset_s": 4.0}


def test_another_cycler_file_and_its_columns_are_kept(tmp_path):
    file = tmp_path / "recording.toml"
    chosen = {"time_column": 'Zeit "neu"', "time_unit": "min", "potential_column": "Spannung#1"}
    curve = curve_at(tmp_path / "cell" / "run.txt", chosen=chosen)
    for text in (TEXT, '[trans]\npath = "trans.tif"\n', ""):
        said = tomllib.loads(with_potential(text, curve, file))["potential"]
        assert said == {"path": "cell/run.txt", **chosen, "clock_offset_s": 0.0}
    elsewhere = with_potential("", curve_at("/far/away.csv"), file)
    assert Path(tomllib.loads(elsewhere)["potential"]["path"]) == Path("/far/away.csv").resolve()
    again = with_potential(with_potential(TEXT, curve, file), curve_at(curve.source), file)
    assert tomllib.loads(again)["potential"] == {"path": "cell/run.txt", "clock_offset_s": 0.0}


def test_what_cannot_be_changed_alone_is_refused(tmp_path):
    with pytest.raises(AlloyError, match=r"recording\.toml cannot be changed safely"):
        with_potential(
            'potential = { path = "a.csv" }', curve_at("a.csv"), tmp_path / "recording.toml"
        )
    tricky = 'name = """\n[[stages]]\nkind = 1\n"""\n'
    with pytest.raises(AlloyError, match="cannot be changed safely"):
        with_stages(tricky, STAGES)


@pytest.fixture
def image(tmp_path):
    tifffile.imwrite(tmp_path / "film.tif", np.ones((4, 6, 7), np.uint16), photometric="minisblack")
    return tmp_path / "film.tif"


def test_a_recording_toml_is_updated_and_read_again(image):
    file = image.with_name("my.recording.toml")
    file.write_text('# mine\n[trans]\npath = "film.tif"\n')
    experiment = open_experiment(file).replace(stages=STAGES)
    assert save_stages(experiment) == file
    again = open_experiment(file)
    for a, b in itertools.zip_longest(again.stages, STAGES):
        assert (a.key, a.start_s, a.end_s, a.scope) == (b.key, b.start_s, b.end_s, b.scope)
        assert math.isnan(a.start_sd_s)
        assert a.source == "given"
    assert file.read_text().startswith("# mine\n")


def test_images_get_a_recording_toml_beside_them(image):
    experiment = open_experiment(image)
    with pytest.raises(AlloyError, match=r"mode is not known; write a recording\.toml"):
        save_stages(experiment)
    known = experiment.recordings[0].replace(mode="trans", pixel_size_um=0.065, dark_counts=100.0)
    experiment = experiment.replace(recordings=(known,), stages=STAGES)
    file = save_stages(experiment)
    assert file == image.with_name("recording.toml")
    again = open_experiment(file)
    recording = again.recordings[0]
    assert (recording.mode, recording.pixel_size_um) == ("trans", 0.065)
    assert recording.dark_counts == 100.0
    assert [s.key for s in again.stages] == [s.key for s in STAGES]
    assert stages_file_of(experiment).name == "film.recording.toml"


def test_without_a_file_there_is_nowhere_to_save(image):
    experiment = open_experiment(image).replace(source="")
    with pytest.raises(AlloyError, match="was not opened from a file"):
        save_stages(experiment)


def test_nothing_is_left_of_a_failed_save(image, monkeypatch):
    file = image.with_name("recording.toml")
    file.write_text('[trans]\npath = "film.tif"\n')
    experiment = open_experiment(file).replace(stages=STAGES)

    def full(*_args, **_more):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("pathlib.Path.write_text", full)
    with pytest.raises(AlloyError, match="cannot be written: No space left on device"):
        save_stages(experiment)
    assert file.read_bytes() == b'[trans]\npath = "film.tif"\n'
    assert sorted(p.name for p in image.parent.iterdir()) == ["film.tif", "recording.toml"]


@pytest.mark.parametrize("sample", ["au_one_cycle", "ag_three_cycles"])
def test_the_samples_stay_the_same_when_nothing_changed(sample):
    file = sample_dir(sample) / "recording.toml"
    text = file.read_text()
    experiment = open_experiment(file)
    new = with_stages(text, experiment.stages)
    assert tomllib.loads(new) == tomllib.loads(text)
    assert len(new.splitlines()) == len(text.splitlines())
