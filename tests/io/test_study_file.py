"""The file of a study: what it means, and one sentence for each mistake."""

import pytest

from napari_lithium_alloy.core.errors import AlloyError
from napari_lithium_alloy.io.study_file import read_study


@pytest.fixture
def folder(tmp_path):
    for name in ("x/a", "x/b", "y/a"):
        (tmp_path / name).mkdir(parents=True)
        (tmp_path / name / "recording.toml").write_text("")
    return tmp_path


def study(folder, text):
    (folder / "study.toml").write_text(text)
    return read_study(folder / "study.toml")


def test_recordings_conditions_and_names(folder):
    found = study(
        folder,
        """
name = "rates"
[[recordings]]
glob = "x/*/recording.toml"
salt = "LiPF6"
[[recordings]]
path = "y/a"
cell = 7
current_density_ma_cm2 = 5
dried = true
[[recordings]]
path = "y/a"
name = "seen in epi"
recording_name = "epi"
""",
    )
    assert found.name == "rates"
    assert found.conditions == ("current_density_ma_cm2", "salt", "dried")
    assert [e.name for e in found.entries] == ["x/a", "x/b", "y/a", "seen in epi"]
    assert [e.cell for e in found.entries] == ["x/a", "x/b", "7", "seen in epi"]
    assert [e.folder for e in found.entries] == ["x_a", "x_b", "y_a", "seen_in_epi"]
    assert found.entries[0].conditions == {"salt": "LiPF6"}
    assert found.entries[2].path == folder / "y/a"
    assert found.entries[3].recording_name == "epi"


def test_one_recording_in_two_lights_has_two_names(folder):
    text = "".join(
        f'[[recordings]]\npath = "x/a"\nrecording_name = "{mode}"\n' for mode in ("trans", "epi")
    )
    found = study(folder, text)
    assert [e.name for e in found.entries] == ["a trans", "a epi"]
    assert {e.cell for e in found.entries} == {"a"}
    assert found.name == "study"


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", "names no recordings"),
        ("[[recordings]]\nsalt = 'x'", "give one of path and glob"),
        ("[[recordings]]\npath = 'x/a'\nglob = 'x/*'", "give one of path and glob"),
        ("[[recordings]]\nglob = 'z/*'", "a pattern that some file matches"),
        ("[[recordings]]\nglob = 'x/*'\nname = 'n'", "would name every recording"),
        ("[[recordings]]\npath = 'x/a'\ncycle = 2", "the name of a column"),
        ("[[recordings]]\npath = 'x/a'\nmode = 'epi'", "the name of a column"),
        ("[[recordings]]\npath = 'x/a'\nrates = [1, 2]", "a number, a text, or true or false"),
        ("[[recordings]]\npath = 'x/a'\nrate = nan", "a number, a text"),
        ("[[recordings]]\npath = 'x/a'\ncurrent_density = 1", "did you mean current_density_ma"),
        ("[[recordings]]\npath = 'x/a'\ncurrent_density_ma_cm2 = 0", "a positive number"),
        ("[[recordings]]\npath = 'x/a'\n[[recordings]]\npath = 'x/a'", "both called a"),
        (
            "[[recordings]]\npath = 'x/a'\nsalt = 1\n[[recordings]]\npath = 'x/b'\nsalt = 'x'",
            "salt is a number of one recording and 'x' of b",
        ),
        ("recordings = 3", "give tables"),
        ("record = 3", "did you mean recordings"),
        ("[[", "not valid TOML"),
    ],
)
def test_a_mistake_is_one_sentence(folder, text, sentence):
    with pytest.raises(AlloyError, match=r"study\.toml") as caught:
        study(folder, text)
    assert sentence in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_file_that_is_not_there(tmp_path):
    with pytest.raises(AlloyError, match="cannot be opened"):
        read_study(tmp_path / "none.toml")
