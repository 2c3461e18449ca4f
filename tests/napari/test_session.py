import gc
import weakref

import numpy as np
import pytest

from napari_lithium_alloy._napari.adding import add_layers
from napari_lithium_alloy._napari.layers import about
from napari_lithium_alloy._napari.opening import open_layers
from napari_lithium_alloy._napari.session import Session, session_of, show_other_mode


def test_a_proxy_has_the_session_of_its_viewer(viewer):
    from napari.utils._proxies import PublicOnlyProxy

    assert session_of(PublicOnlyProxy(viewer)) is session_of(viewer)


def test_the_overlay_says_true_time_potential_x_and_stage(viewer, opened, gold):
    step = next(s for s in opened.experiment.stages if s.name == "step1")
    viewer.dims.set_point(0, step.start_s + 10)
    overlay = viewer.canvas.overlays.text
    assert overlay.visible
    assert f"t = {session_of(viewer).time_s:.1f} s" in overlay.text
    assert "step 1, " in overlay.text
    at = np.array([session_of(viewer).time_s])
    assert f"E = {gold.experiment.potential.potential_at(at)[0]:.3f} V" in overlay.text
    assert "x = 0." in overlay.text


def test_the_current_recording_follows_the_selection(viewer, opened):
    session = session_of(viewer)
    assert session.current.recording.mode == "trans"
    epi = next(layer for layer in viewer.layers if about(layer)["mode"] == "epi")
    viewer.layers.selection.active = epi
    assert session.current.recording.mode == "epi"


def test_one_key_toggles_trans_and_epi(viewer, opened):
    show_other_mode(viewer)
    assert [about(layer)["mode"] for layer in viewer.layers if layer.visible] == ["epi"]
    show_other_mode(viewer)
    assert [about(layer)["mode"] for layer in viewer.layers if layer.visible] == ["trans"]


def test_two_viewers_do_not_mix(make_napari_viewer, gold_file):
    one, other = make_napari_viewer(), make_napari_viewer()
    add_layers(one, open_layers(gold_file))
    first, second = session_of(one), session_of(other)
    assert first is not second
    assert len(first.opened) == 2
    assert second.opened == []
    add_layers(other, open_layers(gold_file))
    first.opened[0].tables["x"] = None
    assert "x" not in second.opened[0].tables


def test_layers_opened_before_the_session_are_found(viewer, gold_file):
    for layer in open_layers(gold_file):
        viewer._add_layer_from_data(*layer)
    session = session_of(viewer)
    assert sorted(o.recording.mode for o in session.opened) == ["epi", "trans"]


def test_a_recording_goes_with_its_last_layer(viewer, opened):
    session = session_of(viewer)
    viewer.layers.clear()
    assert session.opened == []
    assert session.current is None
    assert not viewer.canvas.overlays.text.visible


def test_a_session_goes_with_its_viewer():
    from napari.components import ViewerModel

    model = ViewerModel()
    session = weakref.ref(session_of(model))
    assert isinstance(session(), Session)
    del model
    gc.collect()
    assert session() is None


def test_setting_pixel_size_by_hand_moves_the_layers(viewer, opened):
    session = session_of(viewer)
    session.change_recording(opened, pixel_size_um=0.2)
    layer = next(layer for layer in viewer.layers if about(layer)["mode"] == "trans")
    assert tuple(layer.scale[1:]) == (0.2, 0.2)
    assert session.recording_of(layer).pixel_size_um == pytest.approx(0.2)
