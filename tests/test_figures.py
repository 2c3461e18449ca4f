"""Saved figures: their sizes, their texts, their curves, and that nothing else is touched."""

import dataclasses
import subprocess
import sys

import dask.array as da
import numpy as np
import pandas as pd
import pytest
import tifffile
from PIL import Image
from planted import exact_map

from napari_lithium_alloy.core.alloyed_area import alloyed_fraction_table
from napari_lithium_alloy.core.colorcode import ColorCodeParameters
from napari_lithium_alloy.core.errors import AlloyError
from napari_lithium_alloy.core.front_speed import front_map
from napari_lithium_alloy.core.isochrones import IsochroneParameters, isochrones
from napari_lithium_alloy.core.montage import Montage, MontageRow
from napari_lithium_alloy.core.onset import onset_map
from napari_lithium_alloy.core.progress import finish
from napari_lithium_alloy.core.recording import Recording
from napari_lithium_alloy.core.stages import Stage, StageKind
from napari_lithium_alloy.core.time_scale import time_scale
from napari_lithium_alloy.io.figures.curves import (
    CellCurve,
    absorbance_figure,
    cells_figure,
    content_ticks,
    cycling_figure,
    potential_figure,
)
from napari_lithium_alloy.io.figures.fronts import front_figure, round_speeds
from napari_lithium_alloy.io.figures.images import (
    montage_figure,
    montage_picture,
    onset_figure,
)
from napari_lithium_alloy.io.figures.page import (
    bar_length_um,
    check_figures_out,
    checked_formats,
    colour_on_paper,
    save_figure,
)

SEI = Stage(kind=StageKind.SEI, start_s=5, end_s=20)
STEP_1 = Stage(kind=StageKind.ALLOYING, step=1, start_s=22, end_s=57)
STEP_2 = Stage(kind=StageKind.ALLOYING, step=2, start_s=60, end_s=90)
LI_METAL = Stage(kind=StageKind.DEPOSITION, start_s=92, end_s=187)
STAGES = (SEI, STEP_1, STEP_2, LI_METAL)
TIMES = np.arange(0.0, 190.0)
SINGLE_PX, DOUBLE_PX = 1960, 4039  # 8.3 and 17.1 cm at 600 dpi


@pytest.fixture(scope="module")
def cell():
    potential = np.interp(
        TIMES, [0, 5, 20, 58, 59, 91, 92], [0.4, 0.4, 0, -0.07, -0.14, -0.14, -0.2]
    )
    return CellCurve(name="cell #1", times_s=TIMES, potential_v=potential, stages=STAGES)


@pytest.fixture(scope="module")
def montage():
    images = np.linspace(0, 1, 6, dtype=np.float32)[:, None, None] * np.ones((1, 20, 20))
    times = np.linspace(22, 57, 6)
    row = MontageRow(
        stage=STEP_1,
        times_s=times,
        images=images.astype(np.float32),
        limits=(0.0, 1.0),
        progress=(times - 21) / 36,
        alloyed=np.linspace(0, 1, 6),
    )
    return Montage(rows=(row, row), pixel_size_um=0.5)


@pytest.fixture(scope="module")
def curves():
    rows = [
        pd.DataFrame(
            {
                "time_s": np.arange(22.0, 58.0),
                "region": region,
                "stage": "step1",
                "cycle": 1,
                "normalized_absorbance": np.clip((np.arange(36.0) - begin) / 5, 0, 1),
            }
        )
        for region, begin in (("field", 15), ("Area Init", 3), ("Area Fnl", 28))
    ]
    return pd.concat(rows, ignore_index=True)


@pytest.fixture(scope="module")
def onset():
    columns = np.linspace(28, 50, 24)
    times = np.arange(15.0, 65.0)
    counts = np.where(times[:, None, None] >= columns, 400.0, 1000.0) * np.ones((1, 24, 1))
    recording = Recording(
        name="film",
        frames=da.from_array(counts, chunks=(1, -1, -1)),
        times_s=times,
        mode="trans",
        dark_counts=0.0,
    )
    return finish(onset_map(recording, 22, 57))


def width_px(path):
    with Image.open(path) as image:
        return image.width


def texts(figure):
    """Every text that a figure shows."""
    return {t.get_text() for t in figure.findobj(lambda a: hasattr(a, "get_text")) if t.get_text()}


def coloured(axes):
    """(colour, first x, last x) of each labelled line."""
    return [
        (line.get_color(), float(line.get_xdata()[0]), float(line.get_xdata()[-1]))
        for line in axes.get_lines()
        if not line.get_label().startswith("_")
    ]


def test_files_have_the_asked_size_at_600_dpi(tmp_path, cell, montage):
    (tif,) = save_figure(cells_figure([cell]), tmp_path, "cells", ["tif"])
    assert tif.name == "fig_cells.tif"
    assert width_px(tif) == SINGLE_PX
    with tifffile.TiffFile(tif) as file:
        tags = file.pages[0].tags
        assert tags["XResolution"].value == (600, 1)
        assert tags["ResolutionUnit"].value == 2  # inch
    (png,) = save_figure(montage_figure(montage), tmp_path, "montage", ["png"])
    assert width_px(png) == DOUBLE_PX


def test_svg_holds_the_labels_as_text_and_pdf_is_one(tmp_path, cell):
    intensity = TIMES, 400 - TIMES
    figure = potential_figure(cell, intensity, STAGES, li_content=TIMES / 26.5, metal="Au")
    svg, pdf = save_figure(figure, tmp_path, "potential", ["svg", "pdf"])
    text = svg.read_text(encoding="utf-8")
    for label in ("Time (s)", "Potential (V)", "Mean intensity (counts)", "SEI", "step 2"):
        assert f">{label}<" in text
    assert pdf.read_bytes().startswith(b"%PDF")


def test_equal_figures_are_equal_files(tmp_path, cell):
    folders = [tmp_path / "a", tmp_path / "b"]
    for folder in folders:
        folder.mkdir()
        save_figure(cells_figure([cell]), folder, "cells", ["svg", "pdf"])
    for name in ("fig_cells.svg", "fig_cells.pdf"):
        assert (folders[0] / name).read_bytes() == (folders[1] / name).read_bytes()


def test_a_stage_has_its_colour_from_its_start_to_its_end(cell):
    figure = potential_figure(cell, (TIMES, 400 - TIMES), STAGES)
    expected = [(colour_on_paper(s), s.start_s, s.end_s) for s in STAGES]
    for axes in figure.axes:
        assert coloured(axes) == expected
        assert axes.get_xlim() == (5, 187)
    assert colour_on_paper(LI_METAL) == "#000000"
    assert [colour_on_paper(s) for s in STAGES[:3]] == [s.colour for s in STAGES[:3]]


def test_without_a_potential_the_intensity_stands_alone():
    figure = potential_figure(None, (TIMES, 400 - TIMES), STAGES)
    assert [a.get_ylabel() for a in figure.axes] == ["Mean intensity (counts)"]


def test_ticks_of_x_lie_where_x_passes_round_values():
    times = np.linspace(20, 120, 201)
    at, labels = content_ticks(times, 0.0377 * (times - 20))
    assert labels == ["0", "1", "2", "3"]
    np.testing.assert_allclose(at, 20 + np.arange(4) / 0.0377)


def test_ticks_of_x_of_a_discharge_fall():
    times = np.linspace(0, 100, 101)
    at, labels = content_ticks(times, 4 - 0.03 * times)
    assert labels == ["1", "1.5", "2", "2.5", "3", "3.5", "4"]
    np.testing.assert_allclose(at, (4 - np.arange(1, 4.5, 0.5)) / 0.03, atol=1e-9)


def test_there_are_no_ticks_where_x_is_not_known_or_still():
    assert content_ticks(np.empty(0), np.empty(0))[1] == []
    assert content_ticks(TIMES, np.zeros(len(TIMES)))[1] == []


def test_regions_and_their_mean_are_told_apart(curves):
    figure = absorbance_figure(curves, [STEP_1], "absorbance")
    (axes,) = figure.axes
    names = {line.get_label(): line for line in axes.get_lines()}
    assert list(names) == ["Area Init", "Area Fnl", "mean"]
    assert len({(n.get_color(), n.get_marker()) for n in names.values()}) == 3
    assert axes.get_ylabel() == "Normalized absorbance"
    assert axes.get_title() == "step 1"
    np.testing.assert_allclose(names["mean"].get_ydata(), np.clip((np.arange(36) - 15) / 5, 0, 1))


def test_two_steps_stand_side_by_side(curves):
    second = curves.assign(stage="step2")
    figure = absorbance_figure(pd.concat([curves, second]), [STEP_1, STEP_2], "absorbance")
    assert [a.get_title() for a in figure.axes] == ["step 1", "step 2"]
    assert figure.get_figwidth() == pytest.approx(17.1 / 2.54)


def test_cells_start_at_zero_and_keep_their_distance(cell):
    later = CellCurve(
        name="cell #2",
        times_s=cell.times_s + 50,
        potential_v=cell.potential_v,
        stages=[],
    )
    figure = cells_figure([cell, later])
    (axes,) = figure.axes
    first, second = (line for line in axes.get_lines() if len(line.get_xdata()) == len(TIMES))
    np.testing.assert_allclose(first.get_xdata(), second.get_xdata())
    np.testing.assert_allclose(first.get_ydata() - second.get_ydata(), 1.1 * 0.6)
    assert {"cell #1", "cell #2", "Potential (V), curves 0.66 V apart"} <= texts(figure)


def test_the_legend_is_read_row_by_row_in_the_order_of_stages(cell):
    more = [
        dataclasses.replace(STEP_2, step=n, start_s=t, end_s=t + 10)
        for n, t in ((3, 100), (4, 120))
    ]
    other = dataclasses.replace(cell, name="cell #2", stages=[SEI, STEP_1, STEP_2, *more])
    figure = cells_figure([cell, other])
    (legend,) = figure.legends
    figure.draw_without_rendering()
    places = {
        t.get_text(): (-round(t.get_window_extent().y0), t.get_window_extent().x0)
        for t in legend.get_texts()
    }
    order = ["SEI", "step 1", "step 2", "step 3", "step 4", "deposition"]
    assert sorted(places, key=places.get) == order


def test_cycles_are_labelled(cell):
    figure = cycling_figure(cell, [("De1", 5, 187), ("Di1", 187, 189)])
    assert {"De1", "Di1", "Potential (V)", "Time (s)"} <= texts(figure)


def test_a_montage_carries_times_progress_and_a_scale_bar(montage):
    figure = montage_figure(montage)
    assert len(figure.axes) == 12
    written = texts(figure)
    assert {"step 1", "22 s (3 %)", "57 s (100 %)", "alloyed 40 %", "2 µm"} <= written


def test_the_labels_of_images_stay_within_them(montage):
    figure = montage_figure(montage)
    figure.canvas.draw()
    for axes in figure.axes:
        frame = axes.get_window_extent()
        for text in axes.texts:
            box = text.get_window_extent()
            assert frame.x0 <= box.x0
            assert box.x1 <= frame.x1


def test_an_onset_map_has_a_bar_in_seconds_and_sites_in_green(onset):
    figure = onset_figure(
        onset, STEP_1, ColorCodeParameters(), sites_px=np.array([[12.0, 6.0]]), pixel_size_um=0.1
    )
    normal, inverted, *bars = figure.axes
    assert [b.get_xlabel() for b in bars] == ["Onset time (s)"] * 2
    assert [b.get_xlim() for b in bars] == [(22, 57)] * 2
    green = (np.asarray(inverted.get_images()[0].get_array()) == (0, 255, 0)).all(axis=-1)
    assert green[12, 6]
    assert 25 <= green.sum() <= 29  # a disc of radius 3 px
    assert not (np.asarray(normal.get_images()[0].get_array()) == (0, 255, 0)).all(axis=-1).any()


def test_images_of_all_steps_are_of_one_size(onset):
    sizes = []
    for start, end in ((22, 57), (60, 90), (110, 155), (1120.0, 1185.0)):
        moved = dataclasses.replace(onset, start_s=start, end_s=end)
        figure = onset_figure(
            moved, STEP_1, ColorCodeParameters(), sites_px=np.empty((0, 2)), pixel_size_um=0.1
        )
        figure.draw_without_rendering()
        image, _, bar, _ = figure.axes
        sizes.append(image.get_window_extent().width)
        ticks = [t for t in bar.get_xticks() if start <= t <= end]
        assert len(ticks) >= 2
        assert min(ticks) > start
        assert max(ticks) < end
    assert np.ptp(sizes) < 0.02 * sizes[0]


def test_the_legend_of_a_map_is_in_the_unit_asked_for(onset):
    for legend, ends in (("%", (0, 100)), ("x", (1.5, 0.5))):
        scale = time_scale(onset, STEP_1, legend, lambda t: 1.5 - (t - 22) / 35, "Au")
        figure = onset_figure(
            onset, STEP_1, ColorCodeParameters(), sites_px=np.empty((0, 2)), pixel_size_um=0.1,
            scale=scale,
        )  # fmt: skip
        _, _, bar, _ = figure.axes
        assert bar.get_xlim() == pytest.approx(ends)
        assert bar.get_xlabel() == scale.label


def test_a_front_has_its_speed_its_lines_and_its_area_against_time(tmp_path):
    y, x = np.mgrid[:60, :60]
    onset = exact_map(24 + np.hypot(y, x) * 0.1 / 0.3, 0.01)
    front = front_map(onset, 0.1)
    lines = isochrones(onset, IsochroneParameters(interval_s=5))
    table = alloyed_fraction_table({STEP_1: onset}, TIMES)
    figure = front_figure(front, lines, STEP_1, table, pixel_size_um=0.1)
    image, bar, curve = figure.axes
    assert len(image.get_lines()) == len(lines.paths_px) > 3
    assert {"step 1, isochrones every 5 s", "2 µm", "Area alloyed (%)"} <= texts(figure)
    assert "Front speed" in bar.get_xlabel()
    low, high = bar.get_xlim()
    assert low < 0.3 < high
    drawn = curve.get_lines()[0].get_xydata()
    assert drawn[:, 1] == pytest.approx(100 * table["alloyed_fraction"].to_numpy())
    (path,) = save_figure(figure, tmp_path, "front", ("png",))
    assert width_px(path) == SINGLE_PX


@pytest.mark.parametrize(
    ("low", "high", "ticks"),
    [(0.03, 0.4, [0.05, 0.1, 0.2]), (0.9, 6, [2, 5]), (0.29, 0.31, [0.3]), (0.34, 0.36, [0.35])],
)
def test_speeds_on_the_bar_are_round_and_inside(low, high, ticks):
    assert round_speeds(low, high) == pytest.approx(ticks)


def test_a_front_that_is_nowhere_resolved_is_drawn_in_grey():
    onset = exact_map(np.full((30, 30), 30.0), 0.5)
    front = front_map(onset, 0.1)
    table = alloyed_fraction_table({STEP_1: onset}, TIMES)
    figure = front_figure(front, isochrones(onset), STEP_1, table, pixel_size_um=0.1)
    figure.draw_without_rendering()
    image = np.asarray(figure.axes[0].get_images()[0].get_array())
    assert (image[~front.resolved] == 153).all()


def test_without_a_pixel_size_there_is_no_scale_bar(onset):
    figure = onset_figure(
        onset, STEP_1, ColorCodeParameters(), sites_px=np.empty((0, 2)), pixel_size_um=None
    )
    assert not [t for t in texts(figure) if "µm" in t]


@pytest.mark.parametrize(
    ("width_um", "length_um"), [(12.48, 5), (10.4, 2), (2.5, 1), (133, 50), (0.9, 0.2)]
)
def test_a_scale_bar_is_round(width_um, length_um):
    assert bar_length_um(width_um) == pytest.approx(length_um)


def test_formats_are_known_ones():
    assert checked_formats([" PNG", ".svg", "png"]) == ("png", "svg")
    with pytest.raises(AlloyError, match="not as gif"):
        checked_formats(["png", "gif"])
    with pytest.raises(AlloyError, match="not as nothing"):
        checked_formats([])


def test_maps_of_an_analysis_are_no_figures(tmp_path):
    (tmp_path / "onset_cycle1_step1.tif").touch()
    check_figures_out(tmp_path, overwrite=False)
    (tmp_path / "fig_cells.png").touch()
    with pytest.raises(AlloyError, match="already holds figures"):
        check_figures_out(tmp_path, overwrite=False)
    check_figures_out(tmp_path, overwrite=True)


def test_a_folder_that_is_not_there_is_said(tmp_path, cell):
    with pytest.raises(AlloyError, match="cannot be written"):
        save_figure(cells_figure([cell]), tmp_path / "nowhere", "cells", ["svg"])


def test_neither_pyplot_nor_matplotlibs_settings_are_touched(tmp_path):
    code = f"""
import sys
from pathlib import Path
import napari_lithium_alloy.report
assert "matplotlib" not in sys.modules
import matplotlib, numpy as np
before = matplotlib.rcParams.copy()
from napari_lithium_alloy.io.figures.curves import CellCurve, cells_figure
from napari_lithium_alloy.io.figures.page import save_figure
cell = CellCurve(name="a", times_s=np.arange(9.0), potential_v=np.arange(9.0), stages=[])
save_figure(cells_figure([cell]), Path({str(tmp_path)!r}), "cells", ["png", "svg", "pdf", "tif"])
print("matplotlib.pyplot" in sys.modules, matplotlib.rcParams.copy() == before)
"""
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == ["False", "True"]
    assert done.stderr == ""


def test_a_montage_for_the_screen_keeps_its_pixels(montage):
    picture, magnified = montage_picture(montage)
    assert (picture.dtype, picture.shape[2], magnified) == (np.uint8, 3, 8)
    side = 20 * magnified
    bottom = picture[-side:, -side - 4 : -4, 0].astype(int)
    middle = slice(side // 3, side // 2)
    expected = montage.rows[-1].grey()[-1].repeat(8, 0).repeat(8, 1).astype(int)
    assert np.abs(bottom[middle, middle] - expected[middle, middle]).max() <= 1
