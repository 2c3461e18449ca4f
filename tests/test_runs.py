"""Analyses that write their results, interrupted and not."""

import io
import json
import shutil
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import psutil
import pytest
import tifffile
from planted import QUICK

from napari_lithium_alloy import parts, runs
from napari_lithium_alloy.core.errors import AlloyError
from napari_lithium_alloy.core.label_stack import SparseLabels
from napari_lithium_alloy.core.onset_result import OnsetReason
from napari_lithium_alloy.core.progress import finish
from napari_lithium_alloy.core.recording import Region
from napari_lithium_alloy.io import results
from napari_lithium_alloy.io.plain_pickle import Refused, dump, from_bytes
from napari_lithium_alloy.io.recording_file import open_experiment
from napari_lithium_alloy.io.tables import read_csv, read_steps
from napari_lithium_alloy.io.unfinished import Unfinished
from napari_lithium_alloy.parts import pieces_of
from napari_lithium_alloy.pipeline import begun
from napari_lithium_alloy.result import write_result
from napari_lithium_alloy.runs import analyze_into, begin_run, make_piece
from napari_lithium_alloy.sample_data import sample_parameters, write_sample


@pytest.fixture(scope="module")
def cell(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("cell")
    parameters = sample_parameters("au_one_cycle").change(
        shape=(64, 64), count=3, spacing_um=0.8, frame_interval_s=6.0, epi_interval_s=60.0,
        hot_pixels=3,
    )  # fmt: skip
    write_sample(parameters, folder)
    with (folder / "recording.toml").open("a") as file:
        file.write(QUICK)
    return folder / "recording.toml"


@pytest.fixture(scope="module")
def whole(cell, tmp_path_factory):
    out = tmp_path_factory.mktemp("whole") / "results"
    finish(analyze_into(open_experiment(cell), out))
    return out


def contents(folder):
    return {p.name: p.read_bytes() for p in sorted(folder.iterdir())}


def test_nothing_but_results_is_left(cell, whole):
    notes = read_steps(whole / "curves.csv")
    assert any("bad pixels" in s.parameters.get("done", ()) for s in notes)  # so frames are copied
    assert all(results.is_ours(p) for p in whole.iterdir())


def test_texts_made_ahead_are_those_of_tables_that_did_not_change(
    cell, whole, tmp_path, monkeypatch
):
    monkeypatch.setattr(parts, "LONG_ROWS", 1)
    result, _ = finish(analyze_into(open_experiment(cell), tmp_path / "results"))
    assert {"curves", "sites", "site_growth"} <= set(result.texts)
    assert contents(tmp_path / "results") == contents(whole)
    result.tables["curves"] = result.tables["curves"].iloc[:3]
    write_result(result, tmp_path / "changed")
    assert len(read_csv(tmp_path / "changed" / "curves.csv")) == 3


@pytest.mark.parametrize("done", [0.02, 0.4, 0.8])
def test_given_up_anywhere_it_goes_on_to_the_same_bytes(cell, whole, tmp_path, done):
    out = tmp_path / "results"
    work = analyze_into(open_experiment(cell), out)
    while (at := next(work))[0] / at[1] < done:
        pass
    work.close()
    left = [p.name for p in out.iterdir()] if out.exists() else []
    assert set(left) <= {".unfinished"}
    assert left or done < 0.3
    finish(analyze_into(open_experiment(cell), out))
    assert contents(out) == contents(whole)


def test_what_was_kept_is_not_made_again(cell, whole, tmp_path, monkeypatch):
    out = tmp_path / "results"
    with monkeypatch.context() as patched:
        patched.setattr(runs, "write_result", stopped)
        with pytest.raises(KeyboardInterrupt):
            finish(analyze_into(open_experiment(cell), out))
    for name in ("find_candidates", "measure_sites", "track_pores", "onset_maps"):
        monkeypatch.setattr(f"napari_lithium_alloy.frame_parts.{name}", stopped)
    monkeypatch.setattr("napari_lithium_alloy.parts.colocalization", stopped)
    monkeypatch.setattr("napari_lithium_alloy.measured.measure_correction", stopped)
    finish(analyze_into(open_experiment(cell), out))
    assert contents(out) == contents(whole)


def stopped(*args, **more):
    raise KeyboardInterrupt


def test_pieces_made_elsewhere_are_used(cell, whole, tmp_path, monkeypatch):
    out, experiment = tmp_path / "results", open_experiment(cell)
    names = finish(begin_run(experiment, out))
    assert "onsets_cycle1_step1" in names
    assert "candidates_cycle1_deposition" in names
    assert "pores" in names
    for name in names:
        finish(make_piece(experiment, out, name))
    assert finish(begin_run(experiment, out)) == []
    monkeypatch.setattr("napari_lithium_alloy.frame_parts.track_pores", stopped)
    finish(analyze_into(experiment, out))
    assert contents(out) == contents(whole)


def test_only_what_needs_the_first_frames_begins_before_all_are_copied(cell):
    result = finish(begun(open_experiment(cell)))
    copy = SimpleNamespace(n_there=0, up_to=lambda n: result.recording, make=None)
    waiting, early = {"copy"}, set()
    for piece in pieces_of(result, SparseLabels, copy)[1:]:
        copy.n_there = result.recording.n_frames - 1
        waits = bool(waiting & set(piece.needs)) or not piece.ready()
        copy.n_there += 1
        assert piece.ready()
        (waiting if waits else early).add(piece.name)
    assert {name.split("_")[0] for name in early} == {"candidates", "onsets"}


def test_of_another_recording_or_settings_nothing_is_used(cell, whole, tmp_path):
    out = tmp_path / "results"
    finish(begin_run(open_experiment(cell), out))
    (out / ".unfinished" / "pores.piece").write_bytes(b"not the pores of this analysis")
    other = tmp_path / "cell"
    shutil.copytree(cell.parent, other)
    text = (other / "recording.toml").read_text()
    (other / "recording.toml").write_text(text + "\n[analysis.pores]\nmin_area_um2 = 0.02\n")
    finish(analyze_into(open_experiment(other / "recording.toml"), out))
    assert (out / "pores.csv").is_file()


def test_a_new_dark_frame_is_noticed(cell, tmp_path):
    folder = tmp_path / "cell"
    shutil.copytree(cell.parent, folder)
    toml, dark = folder / "recording.toml", folder / "dark.tif"
    lines = [line for line in toml.read_text().splitlines() if not line.startswith("dark")]
    text = "\n".join(lines).replace("[trans]", '[trans]\ndark = "dark.tif"')
    toml.write_text(text)

    def analysed(level, out):
        tifffile.imwrite(dark, np.full((64, 64), level, np.uint16), photometric="minisblack")
        return analyze_into(open_experiment(toml), tmp_path / out)

    work = analysed(100, "out")
    while (at := next(work))[0] / at[1] < 0.8:
        pass
    work.close()
    finish(analysed(60, "out"))
    finish(analysed(60, "anew"))
    assert contents(tmp_path / "out")["curves.csv"] == contents(tmp_path / "anew")["curves.csv"]
    inputs = json.loads((tmp_path / "out/provenance.json").read_text())["inputs"]
    assert "dark.tif" in {Path(i["path"]).name for i in inputs}


def test_what_a_given_up_analysis_still_finds_is_not_kept(tmp_path):
    """Its threads end a little later, when the next one, of other files, may have begun."""
    before = Unfinished(tmp_path / "out", {"dark": 100})
    with before.alone():
        before.save("curves", 100)
        assert before.load("curves") == 100
    after = Unfinished(tmp_path / "out", {"dark": 60})
    before.save("curves", 100)
    assert after.load("curves") is None


def test_two_analyses_do_not_write_to_one_folder(cell, tmp_path):
    """The other one runs in another process, as long as that lives."""
    out, experiment = tmp_path / "results", open_experiment(cell)
    work = analyze_into(experiment, out)
    next(work)
    lock = out / ".unfinished" / "lock.json"
    holder = json.loads(lock.read_text())
    work.close()
    assert not out.exists()
    other = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    since = psutil.Process(other.pid).create_time()
    finish(begin_run(experiment, out))
    lock.write_text(json.dumps(holder | {"process": other.pid, "since": since}))
    with pytest.raises(AlloyError, match=f"process {other.pid}.*wait for it"):
        finish(analyze_into(experiment, out))
    other.communicate(b"\n")
    finish(analyze_into(experiment, out))  # it has ended without removing its lock
    assert not lock.exists()
    lock.parent.mkdir()
    lock.write_text(json.dumps(holder | {"computer": "elsewhere"}))
    with pytest.raises(AlloyError, match="on elsewhere"):
        finish(analyze_into(experiment, out, overwrite=True))


@pytest.mark.parametrize("where", [3, 40, -20])
def test_a_changed_byte_is_noticed(tmp_path, where):
    kept = Unfinished(tmp_path / "out", {"a": 1})
    kept.save("one", {"numbers": np.arange(50.0)})
    path = tmp_path / "out" / ".unfinished" / "one.piece"
    content = bytearray(path.read_bytes())
    content[where] ^= 1
    path.write_bytes(content)
    assert kept.load("one") is None
    assert not path.exists()


def test_damaged_pieces_are_made_again(cell, whole, tmp_path):
    out, experiment = tmp_path / "results", open_experiment(cell)
    finish(begin_run(experiment, out))
    correction = out / ".unfinished" / "correction.piece"
    correction.write_bytes(correction.read_bytes()[:200])
    finish(analyze_into(experiment, out))
    assert contents(out) == contents(whole)


def test_results_that_are_there_are_kept_unless_told(cell, whole):
    before = contents(whole)
    with pytest.raises(AlloyError, match="already holds results"):
        finish(analyze_into(open_experiment(cell), whole))
    assert contents(whole) == before
    finish(analyze_into(open_experiment(cell), whole, overwrite=True))
    assert contents(whole) == before


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(__import__("os"), "fork"), reason="needs fork")
def test_killed_at_ten_random_points_it_goes_on_to_the_same_bytes(cell, tmp_path):
    command = [sys.executable, str(Path(__file__).with_name("interrupted.py"))]
    done = subprocess.run(
        [*command, str(cell), str(tmp_path), "1"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout.splitlines()[-1])
    assert found["problems"] == []
    assert found["killed"] >= 7  # some may be done a moment before
    assert len(set(found["kept"])) > 2


def test_a_file_for_the_copy_must_fit_on_the_disk(tmp_path):
    kept = Unfinished(tmp_path / "out", {"a": 1})
    with pytest.raises(AlloyError, match="make room"):
        kept.array("light", (10**6, 10**5, 10**5), np.dtype(np.uint16))
    shape, dtype = (3, 4, 5), np.dtype(np.uint16)
    frames = np.arange(60, dtype=dtype).reshape(shape)
    room, done = kept.array("light", shape, dtype)
    with room:
        assert not done
        for t, first in ((2, 0), (0, 2), (1, 0), (0, 0)):
            room.put(frames[t, first:], t, first)
        kept.finished("light")
    np.testing.assert_array_equal(room.values, frames)
    again, done = Unfinished(tmp_path / "out", {"a": 1}).array("light", shape, dtype)
    assert done
    np.testing.assert_array_equal(again.values, frames)
    other, done = Unfinished(tmp_path / "out", {"a": 2}).array("light", shape, dtype)
    with other:
        assert not done


def test_plain_values_come_back_as_they_were():
    table = pd.DataFrame(
        {
            "x": [1.0, np.nan],
            "name": ["a", None],
            "n": pd.array([1, None], dtype="Int64"),
            "is": pd.array([True, None], dtype="boolean"),
        }
    )
    value = {
        "table": table,
        "empty": table.iloc[:0],
        "reason": OnsetReason.REACHED,
        "region": Region(name="Area Init", vertices_px=np.eye(3, 2)),
        "numbers": (1, 2.5, None, "text", np.float32(3)),
        "image": np.arange(6, dtype=np.float32).reshape(2, 3)[:, ::-1],
        "turned": np.arange(2**15, dtype=np.int64).reshape(2, -1).T,
        "large": np.arange(2**15).reshape(2, -1),
        "none": np.empty((0, 2), np.uint16),
    }
    back = from_bytes(bytes_of(value))
    for name in ("table", "empty"):
        pd.testing.assert_frame_equal(back[name], value[name])
    assert back["reason"] is OnsetReason.REACHED
    assert back["region"].name == "Area Init"
    assert (back["region"].vertices_px == np.eye(3, 2)).all()
    assert back["numbers"] == value["numbers"]
    for name in ("image", "turned", "large", "none"):
        np.testing.assert_array_equal(back[name], value[name], strict=True)
        assert back[name].flags.writeable


def bytes_of(value):
    stream = io.BytesIO()
    dump(value, stream)
    return stream.getvalue()


class Evil:
    def __reduce__(self):
        return eval, ("1 + 1",)


@pytest.mark.parametrize("value", [Evil(), print, np.load, AlloyError, np.ndarray])
def test_bytes_that_ask_for_more_are_refused(value):
    with pytest.raises(Refused, match="not a plain value"):
        from_bytes(bytes_of([value]))
