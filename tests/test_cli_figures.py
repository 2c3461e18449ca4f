"""lithium-alloy figures and stages, from a small cell on disk."""

import io
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import tifffile

from napari_lithium_alloy.cli import main
from napari_lithium_alloy.sample_data import sample_parameters, write_sample

PAIRS = {
    "fig_agreement_cycle1_step1_step2",
    "fig_boundary_cycle1",
    "fig_complementary_cycle1_step1_step2",
    "fig_matrix_cycle1",
    "fig_pairs_cycle1",
    "fig_regions_cycle1",
}
PORES = {
    "fig_area_ratio_cycle1",
    "fig_pore_cycles",
    "fig_pore_lineage",
    "fig_pore_sequences_cycle1",
    "fig_sizes",
    "fig_states",
    "fig_states_pores",
}
SITES = {"fig_dendrite_cycle1", "fig_site_growth_cycle1", "fig_site_spacing_cycle1"}
FIGURES = (
    PAIRS
    | PORES
    | SITES
    | {
        "fig_absorbance_cycle1",
        "fig_cells",
        "fig_cycling",
        "fig_front_cycle1_dealloying1",
        "fig_front_cycle1_step1",
        "fig_front_cycle1_step2",
        "fig_montage_cycle1_delithiation",
        "fig_montage_cycle1_lithiation",
        "fig_onset_cycle1_dealloying1",
        "fig_onset_cycle1_dissolution",
        "fig_onset_cycle1_step1",
        "fig_onset_cycle1_step2",
        "fig_potential_cycle1_delithiation",
        "fig_potential_cycle1_lithiation",
    }
)


@pytest.fixture(scope="module")
def cell(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("cell")
    parameters = sample_parameters("au_one_cycle").change(
        shape=(64, 64), count=3, spacing_um=0.8, frame_interval_s=3.0, epi_interval_s=30.0
    )
    write_sample(parameters, folder)
    return folder


@pytest.fixture(scope="module")
def without_stages(cell, tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("bare") / "cell"
    shutil.copytree(cell, folder)
    lines = (folder / "recording.toml").read_text(encoding="utf-8")
    head, rest = lines.split("stages = [\n")
    bare = head + rest.split("\n]\n", 1)[1]
    (folder / "recording.toml").write_text(bare, encoding="utf-8")
    return folder


@pytest.fixture(scope="module")
def saved(cell, tmp_path_factory) -> Path:
    out = tmp_path_factory.mktemp("saved") / "figures"
    arguments = ["figures", str(cell), "--out", str(out), "--formats", "svg", "--with", str(cell)]
    assert main(arguments) == 0
    return out


def test_every_figure_is_saved(saved):
    assert {p.stem for p in saved.iterdir()} == FIGURES
    assert {p.suffix for p in saved.iterdir()} == {".svg"}


def test_potential_has_x_of_the_film_above(saved):
    text = (saved / "fig_potential_cycle1_lithiation.svg").read_text(encoding="utf-8")
    assert "Potential (V)" in text
    assert "Au" in text


def test_cells_hold_the_further_one(saved):
    text = (saved / "fig_cells.svg").read_text(encoding="utf-8")
    assert text.count("Au 14 nm") == 2


def test_figures_are_replaced_only_when_asked(cell, saved, capsys):
    before = {p.name: p.stat().st_mtime_ns for p in saved.iterdir()}
    assert main(["figures", str(cell), "--out", str(saved), "--formats", "svg"]) == 1
    assert "already holds figures" in capsys.readouterr().err
    assert {p.name: p.stat().st_mtime_ns for p in saved.iterdir()} == before


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--formats", "gif"], "not as gif"),
        (["--recording-name", "nobody"], "There is no recording nobody"),
        (["--with", "nowhere.toml"], "nowhere.toml"),
    ],
)
def test_what_cannot_be_done_is_one_sentence(cell, tmp_path, capsys, arguments, sentence):
    assert main(["figures", str(cell), "--out", str(tmp_path / "out"), *arguments]) == 1
    error = capsys.readouterr().err
    assert sentence in error
    assert error.count("\n") == 1
    assert not (tmp_path / "out").exists()


def test_given_stages_are_printed_with_x(cell, capsys):
    assert main(["stages", str(cell), "--csv"]) == 0
    table = pd.read_csv(io.StringIO(capsys.readouterr().out))
    assert table["kind"].tolist() == [
        *("SEI", "alloying", "alloying", "deposition", "dissolution", "dealloying"),
    ]
    assert set(table["source"]) == {"given"}
    assert table.loc[0, "end_x"] == pytest.approx(0)
    assert table.loc[2, "end_x"] == pytest.approx(70 * 0.0377, rel=0.01)


def test_stages_are_found_where_none_are_given(without_stages, capsys):
    assert main(["stages", str(without_stages), "--csv"]) == 0
    table = pd.read_csv(io.StringIO(capsys.readouterr().out))
    assert set(table["source"]) == {"detected"}
    found = table[table["scope"] == "cell"].set_index(["kind", "step"])
    assert found.loc[("alloying", 2), "start_s"].item() == pytest.approx(60, abs=3)


def test_the_stages_found_are_those_of_the_whole_analysis(without_stages, capsys, tmp_path):
    # A lamp that fades and a drifting field: both commands see the same steadied frames.
    folder = tmp_path / "faded"
    shutil.copytree(without_stages, folder)
    frames = tifffile.imread(folder / "trans.ome.tif").astype(float)
    flicker = 1 + 0.03 * np.sin(np.arange(len(frames)))
    faded = np.round(100 + (frames - 100) * flicker[:, None, None]).astype(np.uint16)
    xml = tifffile.tiffcomment(folder / "trans.ome.tif")
    tifffile.imwrite(
        folder / "trans.ome.tif",
        faded,
        photometric="minisblack",
        description=xml.encode(),
        metadata=None,
    )
    assert main(["stages", str(folder), "--csv"]) == 0
    printed = pd.read_csv(io.StringIO(capsys.readouterr().out))
    assert main(["analyze", str(folder), "--out", str(tmp_path / "out")]) == 0
    written = pd.read_csv(tmp_path / "out" / "stages.csv", comment="#")
    pd.testing.assert_frame_equal(printed, written, rtol=1e-9)


def test_stages_are_aligned_for_people(cell, capsys):
    assert main(["stages", str(cell)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 7
    assert lines[0].split()[:4] == ["cycle", "kind", "step", "scope"]
    assert len({len(line) for line in lines}) == 1


def test_a_potential_of_another_time_gives_no_curve_of_a_cell(cell, tmp_path):
    folder = tmp_path / "cell"
    shutil.copytree(cell, folder)
    text = (folder / "recording.toml").read_text(encoding="utf-8")
    late = text.replace("clock_offset_s = 12.5", "clock_offset_s = -5000.0")
    assert late != text
    (folder / "recording.toml").write_text(late, encoding="utf-8")
    out = tmp_path / "out"
    assert main(["figures", str(folder), "--out", str(out), "--formats", "svg"]) == 0
    # Nor is there a front: all frames are taken as before current flows, and nothing changes.
    fronts = {name for name in FIGURES if name.startswith("fig_front")}
    of_steps = PAIRS - {"fig_pairs_cycle1", "fig_matrix_cycle1"}  # these hold sites and pores
    assert {p.stem for p in out.iterdir()} == FIGURES - fronts - of_steps - {"fig_cells"}
