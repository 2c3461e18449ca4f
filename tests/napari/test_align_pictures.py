"""Pictures laid over a recording by the dock Correct and align."""

import dataclasses

import numpy as np
import pytest

from napari_lithium_alloy._napari.adding import add_layers
from napari_lithium_alloy._napari.aligning import Laid, affine_of_layer, mapped, points_um
from napari_lithium_alloy._napari.from_layers import regions_of
from napari_lithium_alloy._napari.layers import kind_of, regions_layer
from napari_lithium_alloy._napari.session import session_of
from napari_lithium_alloy._napari.widgets.correct_and_align import ALIGN, CorrectAndAlign
from napari_lithium_alloy.core.alignment import align_landmarks
from napari_lithium_alloy.core.correction import CorrectionParameters
from napari_lithium_alloy.core.correction_measurement import measure_correction
from napari_lithium_alloy.core.progress import finish
from napari_lithium_alloy.core.recording import Region

MARKS_UM = np.array([[1.0, 1.0], [1.2, 4.0], [3.9, 1.1], [4.2, 4.3], [2.0, 3.1]])
TURN = np.deg2rad(25)
LINEAR = 1.2e-2 * np.array([[np.cos(TURN), -np.sin(TURN)], [np.sin(TURN), np.cos(TURN)]])
"""From the micrograph's pixels to micrometres of the recording."""
AWAY_UM = np.array([-1.5, 2.0])


@pytest.fixture
def dock(viewer, opened):
    made = CorrectAndAlign(viewer)
    viewer.window.add_dock_widget(made, name="Correct and align test")
    made.pages.setCurrentIndex(ALIGN)
    return made


@pytest.fixture
def micrograph(viewer):
    image = np.random.default_rng(0).integers(0, 255, (400, 500), dtype=np.uint8)
    return viewer.add_image(image, name="HIM")


def marks_px(noise_px=0.0):
    exact = (MARKS_UM - AWAY_UM) @ np.linalg.inv(LINEAR).T
    return exact + noise_px * np.random.default_rng(1).normal(size=exact.shape)


def test_epi_is_laid_on_trans_with_all_its_layers(viewer, opened, dock, finished, errors):
    assert dock.align.form.picture.currentText() == "gold epi"
    assert not dock.align.form.by_points
    dock._run_clicked()
    finished(dock)
    assert errors == []
    session = session_of(viewer)
    epi = session.find("gold epi")
    (row,) = opened.tables["alignment"].to_dict("records")
    assert (row["picture"], row["onto"], row["same_field"]) == ("gold epi", "gold trans", "yes")
    moved_px = np.array([row["shift_y_um"], row["shift_x_um"]]) / opened.recording.pixel_size_um
    assert np.allclose(moved_px, [-2.3, 1.7], atol=0.1)
    counts = next(layer for layer in viewer.layers if session.opened_of(layer) is epi)
    assert np.allclose(affine_of_layer(counts), epi.affine)
    assert "show the same field" in dock.status.text()
    assert "±" in dock.status.text()
    assert dock.tables.chosen == "alignment"
    dock.align.result.back.click()
    assert np.array_equal(affine_of_layer(counts), np.eye(3))
    assert epi.laid is None


def test_points_lay_a_micrograph_over_the_recording(
    viewer, opened, dock, micrograph, finished, errors
):
    form = dock.align.form
    form.picture.choose(micrograph)
    assert form.by_points
    assert form.way.count() == 1
    dock._run_clicked()
    assert "Two Points layers are needed" in errors.pop()
    form.add_button.click()
    moving, fixed = form.moving.chosen, form.fixed.chosen
    assert (moving.name, fixed.name) == ("Points on HIM", "Points on gold trans")
    moving.add(marks_px(2.0))
    size = opened.recording.pixel_size_um
    fixed.add(MARKS_UM[:4] / size)
    assert list(moving.features["n"]) == [1, 2, 3, 4, 5]
    dock._run_clicked()
    assert "There are 5 points on the moving picture and 4" in errors.pop()
    fixed.add(MARKS_UM[4:] / size)
    dock._run_clicked()
    assert errors == []
    assert [str(u) for u in micrograph.units] == ["micrometer", "micrometer"]
    planted = np.eye(3)
    planted[:2, :2], planted[:2, 2] = LINEAR, AWAY_UM
    corners = np.array([[0.0, 0.0], [399.0, 0.0], [399.0, 499.0]])
    off = mapped(affine_of_layer(micrograph), corners) - mapped(planted, corners)
    assert np.abs(off).max() < 0.1
    table = opened.tables["landmarks"]
    assert len(table) == 5
    assert 0.005 < table["residual_um"].max() < 0.08
    assert np.all(table["left_out_um"] > table["residual_um"])
    assert "for a point left out" in dock.status.text()
    assert np.allclose(points_um(moving), MARKS_UM, atol=0.08)
    assert [s.name for s in opened.steps] == ["align HIM"]
    before = affine_of_layer(micrograph)
    dock._run_clicked()  # again from where it lies now: the same
    assert np.allclose(affine_of_layer(micrograph), before)
    assert len(opened.tables["landmarks"]) == 5
    assert opened.tables["alignment"]["picture"].tolist() == ["HIM"]
    dock.align.result.back.click()
    assert np.array_equal(affine_of_layer(micrograph), np.eye(3))
    assert np.allclose(affine_of_layer(moving), np.eye(3))


def test_choices_stay_when_layers_are_added(viewer, opened, dock, micrograph):
    form = dock.align.form
    form.picture.choose(micrograph)
    form.kind.setCurrentText("any linear map")
    form.add_button.click()
    viewer.add_image(np.zeros((20, 20)), name="another")
    assert form.picture.currentText() == "HIM"
    assert form.kind.currentText() == "any linear map"
    assert [form.moving.currentText(), form.fixed.currentText()] == [
        "Points on HIM",
        "Points on gold trans",
    ]
    viewer.layers.remove(micrograph)
    assert form.picture.currentText() == "gold epi"


def test_other_samples_are_flagged_and_nothing_is_moved(viewer, opened, dock, finished, gold):
    session = session_of(viewer)
    epi = session.find("gold epi")
    mirrored = np.stack([epi.as_read.read(t)[::-1, ::-1] for t in range(epi.as_read.n_frames)])
    session.change_recording(epi, window=lambda t, y, x: mirrored[t, y, x])
    dock._run_clicked()
    finished(dock)
    assert "not the same field" in dock.status.text()
    assert "Nothing is moved." in dock.status.text()
    assert epi.laid is None
    assert opened.tables["alignment"]["same_field"].tolist() == ["no"]


@pytest.fixture
def shifted(opened, viewer):
    """Epi laid 4 px of the recording further down."""
    session = session_of(viewer)
    points = np.array([[0.0, 0.0], [1.0, 1.0]])
    down = points + np.array([4 * opened.recording.pixel_size_um, 0])
    epi = session.find("gold epi")
    alignment = align_landmarks(points, down, "translation")
    session.lay(epi, Laid(alignment=alignment, onto=opened, as_read=True))
    return epi


def regions_layer_of(viewer, opened):
    session = session_of(viewer)
    return next(
        layer
        for layer in viewer.layers
        if kind_of(layer) == "regions" and session.opened_of(layer) is opened
    )


def test_rois_of_the_recording_serve_the_picture_laid_on_it(viewer, opened, shifted, dock, errors):
    dock.align.result.regions.click()
    assert "gold trans has no regions" in errors.pop()
    box = np.array([[10, 12], [10, 30], [25, 30], [25, 12]], float)
    drawn = Region(name="Area Init", vertices_px=box)
    add_layers(viewer, [regions_layer(opened.recording, [drawn])])
    dock.align.result.regions.click()
    taken = regions_layer_of(viewer, shifted)
    (region,) = regions_of(taken, shifted.recording, shifted.affine)
    assert region.name == "Area Init"
    assert np.allclose(region.vertices_px, box - [4, 0], atol=1e-6)
    world = np.array([taken.data_to_world(v) for v in taken.data[0]])
    assert np.allclose(world, box * opened.recording.pixel_size_um, atol=1e-6)
    viewer.layers.selection.active = regions_layer_of(viewer, opened)
    dock.align.result.regions.click()
    assert "has regions of its own" in errors.pop()


def test_the_map_follows_when_drift_is_taken_out(viewer, opened, shifted, dock):
    none = CorrectionParameters(drift=False, lamp="none", flat_field="none", bad_pixels=False)
    correction = finish(measure_correction(shifted.as_read, none))
    path = np.linspace(0, 6, shifted.as_read.n_frames)[:, None] * [1.0, -0.5]
    counts = next(
        layer for layer in viewer.layers if session_of(viewer).opened_of(layer) is shifted
    )
    before = affine_of_layer(counts)
    session_of(viewer).correct(shifted, dataclasses.replace(correction, shift_px=path + 10.0))
    moved = (affine_of_layer(counts) - before)[:2, 2] / opened.recording.pixel_size_um
    assert moved == pytest.approx([13.0, 8.5], abs=0.3)
    session_of(viewer).correct(shifted, None)
    assert np.allclose(affine_of_layer(counts), before)


def test_a_recording_is_not_laid_on_one_that_lies_on_it(viewer, opened, shifted, dock, errors):
    dock.session.current = shifted
    assert dock.align.form.picture.chosen.opened is opened
    dock._run_clicked()
    assert errors == ["gold epi lies on gold trans; put it back first."]
