"""The command line: exit codes, one sentence, and results that are whole or not there."""

import json
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import tifffile

from napari_lithium_alloy import __version__, cli, runs
from napari_lithium_alloy.cli import main
from napari_lithium_alloy.core.errors import AlloyError
from napari_lithium_alloy.core.progress import finish
from napari_lithium_alloy.core.tables import TABLES
from napari_lithium_alloy.io import results
from napari_lithium_alloy.io.hashes import sha256_of
from napari_lithium_alloy.io.recording_file import open_experiment
from napari_lithium_alloy.io.tables import read_csv, read_steps
from napari_lithium_alloy.pipeline import analyze
from napari_lithium_alloy.sample_data import sample_parameters, write_sample

STEPS = ("cycle1_step1", "cycle1_step2", "cycle1_dealloying1")
KINDS = ("onset", "onset_sd", "rise_time", "front_speed", "front_speed_sd", "front_direction")
MAPS = {f"{kind}_{key}.tif" for kind in KINDS for key in STEPS}
MAPS |= {f"{kind}_cycle1_dissolution.tif" for kind in KINDS[:3]}
RESULTS = {f"{name}.csv" for name in TABLES} | MAPS | {"provenance.json"}


@pytest.fixture(scope="module")
def cell(tmp_path_factory) -> Path:
    """A small cell on disk: trans, epi, potential and recording.toml."""
    folder = tmp_path_factory.mktemp("cell")
    parameters = sample_parameters("au_one_cycle").change(
        shape=(64, 64), count=3, spacing_um=0.8, frame_interval_s=4.0, epi_interval_s=6.0
    )
    write_sample(parameters, folder)
    return folder


@pytest.fixture(scope="module")
def result(cell):
    return finish(analyze(open_experiment(cell)))


@pytest.fixture(scope="module")
def analysed(cell, tmp_path_factory) -> Path:
    out = tmp_path_factory.mktemp("analysed") / "results"
    assert main(["analyze", str(cell / "recording.toml"), "--out", str(out)]) == 0
    return out


def iter_result(result):
    yield 1, 1
    return result


@pytest.fixture
def already_analysed(result, monkeypatch):
    """The whole analysis is the one made for all tests; everything after it is done anew."""
    monkeypatch.setattr(runs, "analyze", lambda *_args, **_more: iter_result(result))


def contents(folder: Path) -> dict[str, bytes]:
    return {p.name: p.read_bytes() for p in sorted(folder.iterdir())}


def test_all_tables_and_maps_are_written(analysed):
    assert {p.name for p in analysed.iterdir()} == RESULTS
    assert not [p for p in analysed.parent.iterdir() if p != analysed]


@pytest.mark.parametrize("name", TABLES)
def test_a_table_has_exactly_its_columns(analysed, name):
    frame = pd.read_csv(analysed / f"{name}.csv", comment="#")
    assert list(frame.columns) == list(TABLES[name])
    # only the cell's stages are given, so there is no lag; three sites have no curve of ranks;
    # nobody corrected a pore
    assert (len(frame) == 0) == (name in ("stage_lags", "site_rank_curve", "pore_edits"))


@pytest.mark.parametrize("name", TABLES)
def test_command_line_and_pipeline_give_equal_tables(result, analysed, name):
    written = read_csv(analysed / f"{name}.csv")
    for column in {"reason", "parents", "ended_by"} & set(written):
        # CSV cannot tell an empty text from a missing one.
        written[column] = written[column].fillna("")
    pd.testing.assert_frame_equal(written, result.tables[name], check_exact=True)


def test_maps_are_the_pipelines(result, analysed):
    for key, onset in result.onset_maps.items():
        images = {
            "onset": onset.onset_s,
            "onset_sd": onset.onset_sd_s,
            "rise_time": onset.rise_time_s,
        }
        for name, image in images.items():
            written = tifffile.imread(analysed / f"{name}_{key}.tif")
            assert written.dtype == np.float32
            assert np.array_equal(written, image, equal_nan=True)
    for key, front in result.front_maps.items():
        for name, image in (
            ("speed", front.speed_um_s),
            ("speed_sd", front.speed_sd_um_s),
            ("direction", front.direction_rad),
        ):
            written = tifffile.imread(analysed / f"front_{name}_{key}.tif")
            assert np.array_equal(written, image, equal_nan=True)
        row = result.tables["onset_summary"].set_index(["cycle", "stage"]).loc[(1, key[7:])]
        assert row["front_resolved_fraction"] == front.summary()["front_resolved_fraction"]


def test_provenance_has_version_inputs_and_steps(cell, analysed):
    record = json.loads((analysed / "provenance.json").read_text(encoding="utf-8"))
    assert record["version"] == __version__
    hashes = {Path(i["path"]).name: i["sha256"] for i in record["inputs"]}
    assert set(hashes) == {"recording.toml", "trans.ome.tif", "epi.ome.tif", "potential.csv"}
    for name, sha256 in hashes.items():
        assert sha256 == sha256_of(cell / name)
    steps = [step.name for step in read_steps(analysed / "curves.csv")]
    assert steps == [s["name"] for s in record["steps"]]
    assert "onset_map" in steps


@pytest.mark.usefixtures("already_analysed")
def test_it_says_how_many_files_and_what_to_know(cell, tmp_path, capsys):
    assert main(["analyze", str(cell), "--out", str(tmp_path / "out")]) == 0
    out, err = capsys.readouterr()
    assert out == f"{len(RESULTS)} files in {tmp_path / 'out'}\n"
    assert "note: Reference: the " in err
    assert "Traceback" not in err
    assert "\r" not in err


def one_sentence(capsys) -> str:
    """What is on standard error, which must be one line and no traceback."""
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("lithium-alloy: ")
    assert err.count("\n") == 1
    assert err.endswith((".\n", "?\n"))
    assert "Traceback" not in err
    return err


@pytest.mark.usefixtures("already_analysed")
def test_results_are_replaced_only_on_request(cell, analysed, capsys, tmp_path):
    out = tmp_path / "out"
    shutil.copytree(analysed, out)
    (out / "my notes.txt").write_text("mine")
    (out / "onset_cycle9_step1.tif").write_bytes(b"of an earlier analysis")
    before = contents(out)
    assert main(["analyze", str(cell), "--out", str(out)]) == 1
    assert "already holds results" in one_sentence(capsys)
    assert contents(out) == before
    assert main(["analyze", str(cell), "--out", str(out), "--overwrite"]) == 0
    assert {p.name for p in out.iterdir()} == RESULTS | {"my notes.txt"}
    assert contents(out)["curves.csv"] == before["curves.csv"]


def test_out_may_hold_other_files_but_be_none(cell, tmp_path, capsys):
    (tmp_path / "out").write_text("a file")
    assert main(["analyze", str(cell), "--out", str(tmp_path / "out")]) == 1
    assert "is a file; give a folder" in one_sentence(capsys)


def failing_after(n, function, error):
    """The function, which raises on its n-th call."""
    calls = []

    def wrapped(*args, **kwargs):
        calls.append(args)
        if len(calls) == n:
            raise error
        return function(*args, **kwargs)

    return wrapped


DISK_FULL = OSError(28, "No space left on device")


@pytest.mark.usefixtures("already_analysed")
@pytest.mark.parametrize("writer", ["write_csv", "write_map"])
@pytest.mark.parametrize("again", [False, True])
def test_a_failure_while_writing_leaves_what_was_there(
    cell, analysed, tmp_path, capsys, monkeypatch, writer, again
):
    out = tmp_path / "out"
    if again:
        shutil.copytree(analysed, out)
    before = contents(out) if again else {}
    monkeypatch.setattr(results, writer, failing_after(3, getattr(results, writer), DISK_FULL))
    assert main(["analyze", str(cell), "--out", str(out), "--overwrite"]) == 1
    assert "cannot be written" in one_sentence(capsys)
    assert out.exists() == again
    assert (contents(out) if again else {}) == before
    assert [p for p in tmp_path.iterdir() if p != out] == []


@pytest.mark.usefixtures("already_analysed")
@pytest.mark.parametrize("n", [1, 5, len(RESULTS) + 4])
def test_a_failure_while_moving_in_leaves_what_was_there(
    cell, analysed, tmp_path, capsys, monkeypatch, n
):
    out = tmp_path / "out"
    shutil.copytree(analysed, out)
    (out / "onset_cycle9_step1.tif").write_bytes(b"of an earlier analysis")
    before = contents(out)
    real = Path.replace
    calls = []

    def replace(self, target):
        if Path(target).suffix in (".csv", ".tif", ".json") and out in (
            Path(target).parent,
            self.parent,
        ):
            calls.append(target)
            if len(calls) == n:
                raise DISK_FULL
        return real(self, target)

    monkeypatch.setattr(Path, "replace", replace)
    assert main(["analyze", str(cell), "--out", str(out), "--overwrite"]) == 1
    assert "cannot be written" in one_sentence(capsys)
    assert contents(out) == before


def test_stopping_it_writes_nothing(cell, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(runs, "analyze", failing_after(1, analyze, KeyboardInterrupt()))
    assert main(["analyze", str(cell), "--out", str(tmp_path / "out")]) == 1
    assert "stopped; the same command goes on" in one_sentence(capsys)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["analyse", "x"],
        ["analyze", "x"],
        ["analyze", "--out", "y"],
        ["analyze", "x", "--out", "y", "--mode", "side"],
        ["info"],
    ],
)
def test_wrong_usage_exits_with_two(arguments, capsys):
    with pytest.raises(SystemExit) as stop:
        main(arguments)
    assert stop.value.code == 2
    assert "usage: lithium-alloy" in capsys.readouterr().err


def test_version(capsys):
    with pytest.raises(SystemExit) as stop:
        main(["--version"])
    assert stop.value.code == 0
    assert capsys.readouterr().out.strip() == __version__


def test_info_says_what_a_recording_is(cell, capsys):
    assert main(["info", str(cell / "recording.toml")]) == 0
    out, err = capsys.readouterr()
    assert err == ""
    assert "Au 14 nm, 0.5 mA cm-2" in out
    assert "64 x 64 px, uint16, trans" in out
    assert "64 x 64 px, uint16, epi" in out
    assert "pixel size: 0.065 um" in out
    assert "film: Au, 14 nm, 0.0706858 cm2" in out
    assert "cycle 1 step 1: " in out
    assert "cycle 1 step 1': " in out


def test_info_says_what_is_not_known(tmp_path, capsys):
    tifffile.imwrite(tmp_path / "a.tif", np.zeros((4, 8, 9), np.uint8), photometric="minisblack")
    assert main(["info", str(tmp_path / "a.tif")]) == 0
    out = capsys.readouterr().out
    assert "4 frames of 8 x 9 px, uint8, trans or epi not known" in out
    assert "pixel size: not known" in out


def ramp(n=30, shape=(24, 24)):
    """Film that darkens from left to right; values within 12 bit."""
    onset = 5 + np.arange(shape[1]) * 0.7
    level = np.clip((np.arange(n)[:, None, None] - onset) / 3 + 0.5, 0, 1)
    return np.broadcast_to(2000 * 10 ** (-0.2 * level), (n, *shape)).astype(np.uint16)


def write_stack(path, **more):
    tifffile.imwrite(path, ramp(**more), photometric="minisblack")


def test_mode_is_for_what_nothing_else_tells(tmp_path, capsys):
    write_stack(tmp_path / "a.tif")
    arguments = ["analyze", str(tmp_path / "a.tif"), "--out", str(tmp_path / "out")]
    assert main(arguments) == 1
    assert "use --mode" in one_sentence(capsys)
    assert not (tmp_path / "out").exists()
    assert main([*arguments, "--mode", "epi"]) == 0
    curves = read_csv(tmp_path / "out" / "curves.csv")
    assert curves["relative_reflectance"].notna().all()
    assert curves["absorbance"].isna().all()
    assert "No stages are given" in capsys.readouterr().err


def test_the_recording_named_is_analysed(cell, tmp_path, capsys):
    arguments = ["analyze", str(cell), "--out", str(tmp_path / "out"), "--recording-name"]
    assert main([*arguments, "side"]) == 1
    assert "There is no recording side" in one_sentence(capsys)
    assert main([*arguments, "epi"]) == 0
    curves = read_csv(tmp_path / "out" / "curves.csv")
    assert curves["relative_reflectance"].notna().all()


def toml(folder, text, name="trans.tif", stages=True):
    stage = "[[stages]]\nkind = 'deposition'\nstart_s = 0.0\nend_s = 29.0\n" if stages else ""
    file = folder / "recording.toml"
    file.write_text(f"[trans]\npath = '{name}'\n{text}\n{stage}", encoding="utf-8")
    return file


def no_such_file(folder):
    return folder / "nothing.tif"


def no_such_image(folder):
    return toml(folder, "pixel_size_um = 0.065", "gone.tif")


def truncated(folder):
    write_stack(folder / "whole.tif")
    whole = (folder / "whole.tif").read_bytes()
    (folder / "trans.tif").write_bytes(whole[: len(whole) // 2])
    return toml(folder, "pixel_size_um = 0.065\nframe_interval_s = 1.0")


def truncated_to_a_header(folder):
    (folder / "trans.tif").write_bytes(b"II*\0\x08\0")
    return folder / "trans.tif"


def unequal_frames(folder):
    (folder / "frames").mkdir()
    for i, shape in enumerate([(24, 24), (24, 24), (24, 20)]):
        tifffile.imwrite(folder / "frames" / f"{i:03}.tif", ramp(1, shape)[0])
    return toml(folder, "pixel_size_um = 0.065\nframe_interval_s = 1.0", "frames")


def missing_path(folder):
    file = folder / "recording.toml"
    file.write_text("[trans]\npixel_size_um = 0.065\n", encoding="utf-8")
    return file


def missing_pixel_size(folder):
    write_stack(folder / "trans.tif")
    return toml(folder, "frame_interval_s = 1.0")


def negative_pixel_size(folder):
    write_stack(folder / "trans.tif")
    return toml(folder, "pixel_size_um = -0.065\nframe_interval_s = 1.0")


def falling_times(folder):
    write_stack(folder / "trans.tif")
    times = [*range(20), 12, *range(21, 30)]
    pd.DataFrame({"time_s": times}).to_csv(folder / "times.csv", index=False)
    return toml(folder, "pixel_size_um = 0.065\ntimes = 'times.csv'")


def too_few_times(folder):
    write_stack(folder / "trans.tif")
    pd.DataFrame({"time_s": range(5)}).to_csv(folder / "times.csv", index=False)
    return toml(folder, "pixel_size_um = 0.065\ntimes = 'times.csv'")


def text_named_tif(folder):
    (folder / "trans.tif").write_text("time,potential\n0,1\n")
    return folder / "trans.tif"


def unknown_key(folder):
    write_stack(folder / "trans.tif")
    return toml(folder, "pixelsize = 0.065")


def broken_toml(folder):
    file = folder / "recording.toml"
    file.write_text("[trans\npath = 3", encoding="utf-8")
    return file


def unknown_parameter(folder):
    write_stack(folder / "trans.tif")
    return toml(folder, "pixel_size_um = 0.065\nframe_interval_s = 1.0\n[analysis.onset]\nhalf = 1")


def empty_folder(folder):
    (folder / "empty").mkdir()
    return folder / "empty"


BAD = {
    no_such_file: "nothing.tif",
    no_such_image: "gone.tif",
    truncated: "trans.tif",
    truncated_to_a_header: "trans.tif",
    unequal_frames: "002.tif",
    missing_path: "path",
    missing_pixel_size: "pixel_size_um",
    negative_pixel_size: "pixel_size_um",
    falling_times: "rise",
    too_few_times: "5 times",
    text_named_tif: "trans.tif",
    unknown_key: "pixelsize",
    broken_toml: "recording.toml",
    unknown_parameter: "half",
    empty_folder: "empty",
}


@pytest.mark.parametrize("bad", BAD, ids=lambda f: f.__name__)
def test_bad_input_is_one_sentence_and_leaves_nothing(bad, tmp_path, capsys):
    out = tmp_path / "out"
    path = bad(tmp_path)
    assert main(["analyze", str(path), "--out", str(out)]) == 1
    assert BAD[bad] in one_sentence(capsys)
    assert not out.exists()


def test_an_alloy_error_is_a_value_error():
    assert issubclass(AlloyError, ValueError)


@pytest.fixture
def without_screen(monkeypatch):
    for name in ("DISPLAY", "WAYLAND_DISPLAY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(cli.sys, "platform", "linux")


def test_a_demo_without_any_screen_says_what_to_install(without_screen, monkeypatch, capsys):
    monkeypatch.setattr(cli.shutil, "which", lambda _: None)
    assert main(["demo"]) == 1
    assert "xvfb" in one_sentence(capsys)


@pytest.mark.parametrize("screen", [False, True])
def test_a_demo_is_drawn_on_a_virtual_screen_where_there_is_none(
    without_screen, monkeypatch, screen, tmp_path
):
    commands = []

    def run(command, **more):
        commands.append(command)
        return cli.subprocess.CompletedProcess(command, 3)

    if screen:
        monkeypatch.setenv("DISPLAY", ":0")
    monkeypatch.setattr(cli.subprocess, "run", run)
    monkeypatch.setattr(cli.shutil, "which", lambda _: "/somewhere/xvfb-run")
    assert main(["demo", "--out", str(tmp_path)]) == 3
    (command,) = commands
    assert (command[0] == "xvfb-run") == (not screen)
    assert (str(tmp_path) in command) == (not screen)
    assert "napari_lithium_alloy._napari.demo" in command


def test_results_are_compared_at_equal_charge(analysed, tmp_path, capsys):
    """The same cell at a second current: twice the charge, so half the time."""
    faster = tmp_path / "faster"
    shutil.copytree(analysed, faster)
    charge = read_csv(faster / "site_charge.csv")
    charge[["charge_mah_cm2", "current_ma_cm2"]] *= 2
    charge.to_csv(faster / "site_charge.csv", index=False)
    out = tmp_path / "compared"
    cells = [str(analysed), str(faster)]
    assert main(["compare", *cells, "--out", str(out), "--formats", "svg"]) == 0
    said, _ = capsys.readouterr()
    assert said.startswith("density of sites ~ current^(")
    assert {p.name for p in out.iterdir()} == {"site_study.csv", "fig_sites_against_current.svg"}
    table = read_csv(out / "site_study.csv")
    assert table["name"].tolist() == [f"{analysed.parent.name}/results", "faster"]
    assert table["current_ma_cm2"][1] == pytest.approx(2 * table["current_ma_cm2"][0])
    sites = read_csv(analysed / "sites.csv")
    assert table["site_count"].tolist() == [
        len(sites),
        (sites["onset_s"] <= table["time_s"][1]).sum(),
    ]
    assert main(["compare", *cells, "--out", str(out)]) == 1
    assert "already holds" in capsys.readouterr().err
    assert main(["compare", *cells, "--out", str(tmp_path / "no"), "--charge", "9"]) == 1
    assert "not passed in every recording" in capsys.readouterr().err


def test_a_recording_is_analysed_before_it_is_compared(analysed, cell, tmp_path, capsys):
    out = tmp_path / "compared"
    assert main(["compare", str(analysed), str(cell), "--out", str(out), "--formats", "svg"]) == 0
    assert capsys.readouterr().out.startswith("note: a power law needs recordings of different")
    table = read_csv(out / "site_study.csv")
    assert table["site_count"][0] == table["site_count"][1] > 0
    assert table["fitted_um2"].isna().all()


def test_results_without_charge_or_of_an_older_version_are_refused(analysed, tmp_path, capsys):
    old = tmp_path / "old"
    shutil.copytree(analysed, old)
    charge = read_csv(old / "site_charge.csv")
    charge.iloc[:0].to_csv(old / "site_charge.csv", index=False)
    assert main(["compare", str(old), "--out", str(tmp_path / "no")]) == 1
    assert "the charge of the deposition in cycle 1 is not known" in capsys.readouterr().err
    (old / "site_charge.csv").unlink()
    assert main(["compare", str(old), "--out", str(tmp_path / "no")]) == 1
    assert "holds no site_charge.csv" in capsys.readouterr().err
    assert not (tmp_path / "no").exists()
