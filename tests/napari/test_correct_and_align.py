"""The dock Correct and align, on a film that drifts under a flickering lamp."""

import dataclasses

import numpy as np
import pytest
import tifffile
import tomli_w
from planted import rendered

from napari_lithium_alloy._napari.adding import add_layers
from napari_lithium_alloy._napari.correcting import measured_in, use_measured
from napari_lithium_alloy._napari.counts_view import corrections_of
from napari_lithium_alloy._napari.layers import about, kind_of
from napari_lithium_alloy._napari.opened import Opened
from napari_lithium_alloy._napari.opening import open_layers
from napari_lithium_alloy._napari.session import session_of
from napari_lithium_alloy._napari.widgets.correct_and_align import CorrectAndAlign
from napari_lithium_alloy._napari.widgets.normalization import Normalization
from napari_lithium_alloy._napari.widgets.roi_curves import RoiCurves
from napari_lithium_alloy._napari.widgets.workspace import Workspace
from napari_lithium_alloy.config import config_of
from napari_lithium_alloy.core.progress import finish
from napari_lithium_alloy.core.synthetic import au_parameters, make_recording
from napari_lithium_alloy.io.recording_file import open_experiment
from napari_lithium_alloy.io.tables import read_csv, read_steps

DONE = ("flat field", "lamp", "drift")


@pytest.fixture(scope="module")
def drifting():
    """A small film that drifts by tens of pixels, with a jump."""
    return make_recording(
        au_parameters(
            name="drifting",
            seed=0,
            shape=(112, 112),
            count=4,
            deposition_s=20.0,
            dissolution_s=16.0,
            drift_px_per_min=(6.0, -5.0),
            walk_px=0.15,
            jump_px=(4.0, -4.5),
            jump_s=60.3,
            flicker=0.006,
            room_px=48,
        )
    )


@pytest.fixture(scope="module")
def drifting_file(drifting, tmp_path_factory):
    folder = tmp_path_factory.mktemp("drifting")
    recording = rendered(drifting.trans)
    frames = np.stack([recording.read(t) for t in range(recording.n_frames)])
    tifffile.imwrite(folder / "trans.tif", frames, photometric="minisblack")
    times = folder / "times.csv"
    np.savetxt(times, recording.times_s, header="time_s", comments="")
    trans = {
        "path": "trans.tif",
        "times": "times.csv",
        "pixel_size_um": recording.pixel_size_um,
        "dark": recording.dark_counts,
    }
    stages = [
        {
            "kind": str(s.kind),
            **({"step": s.step} if s.step else {}),
            "cycle": s.cycle,
            "start_s": s.start_s,
            "end_s": s.end_s,
        }
        for s in drifting.experiment.stages
    ]
    file = folder / "recording.toml"
    file.write_text(tomli_w.dumps({"name": "drifting", "trans": trans, "stages": stages}))
    return file


@pytest.fixture
def opened(viewer, drifting_file):
    session = session_of(viewer)
    add_layers(viewer, open_layers(drifting_file))
    return session.current


@pytest.fixture
def dock(viewer, opened):
    made = CorrectAndAlign(viewer)
    viewer.window.add_dock_widget(made, name="Correct and align test")
    return made


@pytest.fixture(scope="module")
def found(drifting_file):
    """What the dock measures of it, once for all tests."""
    experiment = open_experiment(drifting_file)
    opened = Opened(experiment, experiment.recording(), config_of(experiment))
    return finish(measured_in(opened, ()))


@pytest.fixture
def measured(dock, opened, found):
    dock.correct._show(opened, found)
    return dock


def counts_of(viewer):
    return next(layer for layer in viewer.layers if kind_of(layer) == "counts")


def test_planted_drift_is_recovered_shown_and_tabulated(
    viewer, opened, dock, drifting, finished, errors, tmp_path
):
    measured = dock
    dock._run_clicked()
    finished(dock)
    assert errors == []
    rows, columns = measured.canvas.plot.curves
    size = opened.recording.pixel_size_um
    path = np.column_stack([rows.y, columns.y]) / size
    left = path - drifting.truth.drift_px
    assert np.ptp(drifting.truth.drift_px) > 15
    assert np.sqrt(((left - np.median(left, axis=0)) ** 2).mean()) < 0.1
    assert measured.canvas.plot.y_label == "Shift (µm)"
    (gain,) = measured.canvas.plot.gain
    assert np.std(gain.y) == pytest.approx(0.6, rel=0.3)
    assert "The sample drifts by up to" in measured.status.text()
    table = opened.tables["corrections"]
    assert np.allclose(table["shift_y_um"], rows.y)
    measured.tables.export(tmp_path / "corrections.csv")
    assert np.allclose(read_csv(tmp_path / "corrections.csv")["gain"], gain.y / 100)
    assert [s.name for s in read_steps(tmp_path / "corrections.csv")] == ["measure_correction"]
    measured.save_plot(tmp_path / "drift.svg")
    assert "Lamp" in (tmp_path / "drift.svg").read_text()
    session_of(viewer).show_time(50.0)
    assert measured.canvas.cursor.value() == measured.canvas.gain.cursor.value() == 50.0


def test_nothing_is_corrected_before_it_is_asked_for(viewer, opened, measured):
    assert opened.recording is opened.as_read
    assert opened.correction is None
    assert corrections_of(counts_of(viewer)) == ()
    assert not measured.correct.result.preview.isChecked()


def test_the_preview_switches_the_frames_shown_and_nothing_else(viewer, opened, measured):
    layer = counts_of(viewer)
    before, limits = np.asarray(layer.data[90]), layer.contrast_limits
    measured.correct.result.preview.click()
    corrected = opened.corrected_by(opened.measured.correction)
    shown, common = layer.data[90], corrected.common
    assert np.array_equal(shown[common], corrected.read(90)[common])
    rows, columns = np.rint(opened.measured.correction.shift_px[90]).astype(int)
    assert rows > 5 > -5 > columns
    assert np.isnan(shown[-rows:]).all()  # the camera did not see the film there
    assert np.isnan(shown[:, :-columns]).all()
    assert np.isfinite(shown[: -rows - 1, -columns + 1 :]).all()
    assert corrections_of(layer) == DONE
    assert layer.name.endswith("(corrected)")
    dark = opened.as_read.dark_counts
    assert np.allclose(layer.contrast_limits, np.array(limits) - dark)
    assert opened.recording is opened.as_read
    measured.correct.result.preview.click()
    assert np.array_equal(layer.data[90], before)
    assert corrections_of(layer) == ()
    assert np.allclose(layer.contrast_limits, limits)
    assert not layer.name.endswith("(corrected)")


def curve_of(opened, region="ROI 1"):
    curves = opened.tables["curves"]
    return curves.loc[curves["region"] == region, "transmittance"].to_numpy(float)


@pytest.fixture(scope="module")
def still(drifting):
    """The same film without drift and flicker."""
    steady = drifting.parameters.change(
        drift_px_per_min=(0.0, 0.0), walk_px=0.0, jump_px=(0.0, 0.0), flicker=0.0
    )
    recording = make_recording(steady).trans
    return np.stack([recording.read(t) - recording.dark_counts for t in range(recording.n_frames)])


def test_applied_every_dock_works_on_corrected_frames_and_undo_restores(
    viewer, opened, measured, still, finished, qtbot
):
    size, box = opened.recording.pixel_size_um, [[30, 30], [30, 60], [60, 60], [60, 30]]
    drawn = viewer.add_shapes([np.array(box, float)], scale=(size, size), name="mine")
    roi, normalize = RoiCurves(viewer), Normalization(viewer)
    for dock in (roi, normalize):
        dock._run_clicked()
        finished(dock)
    as_read = curve_of(opened)
    stack = next(layer for layer in viewer.layers if kind_of(layer) == "stack")
    assert about(stack)["corrections"] == []

    result = measured.correct.result
    result.apply.click()
    assert opened.recording.corrections == DONE
    assert result.preview.isChecked()
    assert "corrected for flat field, lamp, drift" in result.in_use.text()
    assert f"Made of other frames, run again: {stack.name}." in result.in_use.text()
    finished(roi)
    qtbot.waitUntil(lambda: not np.array_equal(curve_of(opened), as_read), timeout=20_000)
    normalize._run_clicked()
    finished(normalize)
    assert about(stack)["corrections"] == list(DONE)
    assert "Made of other frames" not in result.in_use.text()
    steady = curve_of(opened)
    truth = still[:, 30:60, 30:60]
    truth = truth.mean(axis=(1, 2)) / truth[:5].mean()
    assert np.std(steady - truth) < 0.3 * np.std(as_read - truth)
    assert [s.name for s in opened.steps].count("apply_correction") == 1

    result.undo.click()
    assert opened.recording is opened.as_read
    assert not result.preview.isChecked()
    assert corrections_of(counts_of(viewer)) == ()
    assert drawn in viewer.layers
    qtbot.waitUntil(lambda: np.array_equal(curve_of(opened), as_read), timeout=20_000)
    finished(roi)
    assert "apply_correction" not in [s.name for s in opened.steps]
    for dock in (roi, normalize):
        dock.disconnect_events()


def test_a_typed_dark_is_not_subtracted_twice(opened, measured):
    plain = opened.reference().image
    measured.correct.result.apply.click()
    steady = opened.reference()
    assert steady.dark == 0
    middle = np.s_[40:70, 40:70]
    assert np.median(steady.image[middle]) == pytest.approx(np.median(plain[middle]), rel=0.05)
    typed = dataclasses.replace(opened.normalization, dark_counts=opened.as_read.dark_counts)
    opened.use(normalization=typed)
    assert opened.reference().dark == 0
    assert np.array_equal(opened.reference().image, steady.image)


def test_the_whole_analysis_leaves_corrected_frames_in_use(viewer, opened, found, finished):
    dock, workspace = CorrectAndAlign(viewer), Workspace(viewer)
    opened.measured = found[0]
    use_measured(session_of(viewer), opened)  # it is measured anew, of the frames as read
    workspace._run_clicked()
    finished(workspace)
    assert opened.result.as_read is opened.as_read
    assert opened.recording.corrections == DONE
    assert np.array_equal(opened.recording.read(90), opened.result.recording.read(90))
    assert corrections_of(counts_of(viewer)) == DONE
    (onset, *_) = (layer for layer in viewer.layers if kind_of(layer) == "onset")
    assert corrections_of(onset) == DONE
    assert "corrected: flat field, lamp, drift" in workspace.facts.text()
    assert dock.canvas.plot.curves[0].y[-1] > 0.5
    assert "The sample drifts by up to" in dock.status.text()
    shown = counts_of(viewer).data[90]
    dock.correct.result.undo.click()
    assert np.isnan(shown).any()
    assert np.array_equal(counts_of(viewer).data[90], opened.as_read.read(90))
    assert onset in viewer.layers
    for one in (dock, workspace):
        one.disconnect_events()


def test_cancelled_nothing_is_measured(opened, dock, finished):
    dock._run_clicked()
    dock.cancel()
    finished(dock)
    assert opened.measured is None
    assert dock.status.text() == "Cancelled."


def test_the_form_says_what_is_corrected(opened, dock, finished):
    form = dock.correct.form.form
    form["drift"].value = False
    form["lamp"].value = "flicker"
    assert opened.config.correction.lamp == "flicker"
    dock._run_clicked()
    finished(dock)
    assert opened.measured.correction.shifts is None
    assert opened.measured.correction.lamp.source in ("flicker", "rest")
    assert dock.canvas.plot.curves == ()
    assert dock.canvas.gain.isVisibleTo(dock)
    form["drift"].value = True
    assert dock.status.text() == "Measure again to see what this choice gives."


def test_a_lamp_reference_drawn_by_hand(viewer, opened, dock, finished, errors, tmp_path):
    dock.correct.form.draw_button.click()
    dock._run_clicked()
    finished(dock)
    assert len(errors) == 1
    assert "There is no region Lamp reference" in errors[0]
    shapes = next(layer for layer in viewer.layers if kind_of(layer) == "regions")
    shapes.add_rectangles([[20, 20], [50, 50]])
    assert list(shapes.features["name"]) == ["Lamp reference"]
    dock._run_clicked()
    finished(dock)
    lamp = opened.measured.correction.lamp
    assert lamp.source == "reference"
    assert "Lamp reference" in lamp.note
    assert "look whether there is film in its reference" in dock.status.text()


def test_the_choice_is_kept_in_recording_toml(viewer, opened, dock, drifting_file):
    before = drifting_file.read_text()
    try:
        dock.correct.form.form["bad_pixels"].value = False
        dock.correct.draw_reference()
        shapes = next(layer for layer in viewer.layers if kind_of(layer) == "regions")
        shapes.add_rectangles([[20, 20], [50, 50]])
        assert dock.correct.save() == drifting_file
        dock.correct.save()  # the region is there already
        text = drifting_file.read_text()
        assert text.startswith(before)
        assert "bad_pixels = false" in text
        again = open_experiment(drifting_file)
        assert again.analysis["correction"] == {
            "drift": True,
            "lamp": "auto",
            "flat_field": "auto",
            "bad_pixels": False,
            "reference_region": "Lamp reference",
        }
        (region,) = again.regions
        assert region.name == "Lamp reference"
        assert np.allclose(region.vertices_px.min(axis=0), 20, atol=0.05)
    finally:
        drifting_file.write_text(before)


def test_somebodys_own_image_gets_its_pixels_back(viewer, drifting, finished, qtbot):
    recording = drifting.trans
    frames = np.stack([recording.read(t) for t in range(40)])
    layer = viewer.add_image(frames, name="film", scale=(1, 0.1, 0.1))
    dock = CorrectAndAlign(viewer)
    dock._run_clicked()
    finished(dock)
    opened = session_of(viewer).current
    assert dock.canvas.plot.y_label in ("Shift (px)", "Shift (µm)")
    dock.correct.result.apply.click()
    assert opened.recording.corrections
    common = opened.recording.common
    assert np.array_equal(layer.data[30][common], opened.recording.read(30)[common])
    dock.correct.result.undo.click()
    assert layer.data is frames
    dock.disconnect_events()
