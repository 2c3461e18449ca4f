import json

import dask.array as da
import numpy as np
import pytest
from napari.layers import Image

from napari_lithium_alloy._napari import layers
from napari_lithium_alloy._napari.adding import add_layer, mark_edited
from napari_lithium_alloy._napari.from_layers import regions_of
from napari_lithium_alloy._napari.layers import METADATA_KEY, about, kind_of
from napari_lithium_alloy._napari.session import session_of
from napari_lithium_alloy._napari.stacks import OnGrid
from napari_lithium_alloy.core.errors import AlloyError
from napari_lithium_alloy.core.provenance import Step
from napari_lithium_alloy.core.recording import Recording, Region

UNEVEN_S = np.array([3.0, 4.0, 5.0, 6.0, 10.0, 11.0, 12.0])


def recording(times_s=UNEVEN_S, pixel_size_um=0.065, **more):
    n = len(times_s)
    frames = np.arange(n, dtype=np.uint16)[:, None, None] * 100 + np.arange(20).reshape(4, 5)
    return Recording(
        name="film",
        frames=da.from_array(frames.astype(np.uint16), chunks=(1, 4, 5)),
        times_s=times_s,
        pixel_size_um=pixel_size_um,
        **more,
    )


def test_counts_are_shown_in_true_time(viewer):
    film = recording()
    layer = add_layer(viewer, layers.counts_layer(film))
    assert tuple(layer.scale) == (1.0, 0.065, 0.065)
    assert tuple(layer.translate) == (3.0, 0.0, 0.0)
    assert [str(u) for u in layer.units] == ["second", "micrometer", "micrometer"]
    assert layer.axis_labels == ("time", "y", "x")
    viewer.dims.set_point(0, 8.0)  # within the pause the last frame stays
    assert layer.data[int(viewer.dims.current_step[0])][0, 0] == 300
    viewer.dims.set_point(0, 10.0)
    assert layer.data[int(viewer.dims.current_step[0])][0, 0] == 400


def test_without_a_pixel_size_units_are_pixels(viewer):
    layer = add_layer(viewer, layers.counts_layer(recording(pixel_size_um=None)))
    assert [str(u) for u in layer.units] == ["second", "pixel", "pixel"]
    assert tuple(layer.scale[1:]) == (1.0, 1.0)


def test_metadata_is_plain_json_and_replaced_whole(viewer):
    layer = add_layer(viewer, layers.counts_layer(recording(mode="trans")))
    described = about(layer)
    assert json.loads(json.dumps(described)) == described
    assert (described["kind"], described["mode"]) == ("counts", "trans")
    assert described["times_s"] == UNEVEN_S.tolist()
    layer.metadata = {**layer.metadata, "mine": 1}
    layers.set_about(layer, edited=True)
    assert about(layer)["edited"] is True
    assert layer.metadata["mine"] == 1
    assert "edited" not in described


@pytest.mark.parametrize(
    "key",
    [
        2,
        slice(1, 4),
        (slice(None), slice(1, 3), slice(None)),
        (2, slice(0, 2), 3),
        (Ellipsis, 1),
        (np.array([0, 4, 5]), np.array([1, 2, 3]), np.array([0, 1, 2])),
    ],
)
def test_a_stack_on_a_grid_reads_as_the_array_it_stands_for(key):
    images = np.random.default_rng(0).integers(0, 99, (3, 4, 5))
    index = np.array([0, 0, 1, -1, 2, 2])
    whole = np.where(index[:, None, None] >= 0, images[index], 0)
    assert np.array_equal(OnGrid(images, index)[key], whole[key])
    assert np.array_equal(np.asarray(OnGrid(images, index)), whole)


@pytest.mark.parametrize("key", [1, slice(0, 2), (2, slice(1, 3), slice(0, 2))])
def test_a_preview_is_every_second_pixel(key):
    images = np.random.default_rng(0).integers(0, 99, (3, 7, 8))
    preview = OnGrid(images, np.array([2, 0, 1]), every=2)
    assert preview.shape == (3, 4, 4)
    assert np.array_equal(preview[key], images[[2, 0, 1], ::2, ::2][key])


def test_frames_larger_than_a_screen_have_previews(viewer, monkeypatch):
    """Seen whole, a coarse stack is read; seen near, its own pixels."""
    monkeypatch.setattr("napari_lithium_alloy._napari.stacks.SCREEN_PX", 64)
    frames = np.random.default_rng(0).integers(0, 4000, (5, 300, 260)).astype(np.uint16)
    film = Recording(
        name="film", frames=da.from_array(frames, chunks=(1, -1, -1)), times_s=np.arange(5.0)
    )
    layer = add_layer(viewer, layers.counts_layer(film))
    assert layer.multiscale
    assert [level.shape[1:] for level in layer.data] == [
        (300, 260), (150, 130), (75, 65), (38, 33)
    ]  # fmt: skip
    canvas = viewer.window._qt_viewer.canvas
    viewer.dims.set_current_step(0, 3)
    viewer.scene.camera.zoom = 0.3
    canvas.on_draw(None)
    coarse = layer.data_level
    assert coarse > 0
    assert np.array_equal(layer._slice.image.raw, frames[3, :: 2**coarse, :: 2**coarse])
    camera = viewer.scene.camera
    camera.center, camera.zoom = (100, 120), 40
    canvas.on_draw(None)
    assert layer.data_level == 0
    top, left = (int(c) for c in layer.corner_pixels[0, 1:])
    seen = layer._slice.image.raw
    assert np.array_equal(seen, frames[3, top : top + seen.shape[0], left : left + seen.shape[1]])
    small = add_layer(viewer, layers.counts_layer(recording()))
    assert not small.multiscale


def test_painting_writes_through_to_the_labels():
    images = np.zeros((2, 4, 5), np.int32)
    stack = OnGrid(images, np.array([0, 0, 1]))
    stack[(np.array([2, 2]), np.array([1, 2]), np.array([0, 0]))] = 7
    assert images[1, 1, 0] == images[1, 2, 0] == 7
    assert not images[0].any()


def onset_map_layer(film, value):
    return layers.map_layer(
        film,
        np.full((4, 5), value),
        kind="onset",
        slot="cycle1_step1",
        title="Onset step 1, cycle 1 (s)",
        colormap="viridis",
        steps=[Step.of("onset_map", fraction=0.5)],
    )


def test_a_recomputation_replaces_its_own_layer_only(viewer):
    film = recording()
    mine = viewer.add_image(np.zeros((4, 5)), name="Onset step 1, cycle 1 (s)")
    first = add_layer(viewer, onset_map_layer(film, 1.0))
    first.opacity = 0.4
    again = add_layer(viewer, onset_map_layer(film, 2.0))
    assert mine in viewer.layers
    assert again is first
    assert len(viewer.layers) == 2
    assert again.opacity == 0.4
    assert again.name == "Onset step 1, cycle 1 (s) [1]"
    assert np.all(again.data == 2)
    assert again.colorbar.visible
    assert tuple(again.scale) == (0.065, 0.065)
    mark_edited(again)
    add_layer(viewer, onset_map_layer(film, 3.0))
    assert np.all(again.data == 2)
    assert len(viewer.layers) == 3


def test_regions_follow_a_layer_that_was_moved_and_scaled(viewer):
    film = recording()
    square = Region(name="Area Init", vertices_px=np.array([[0, 0], [0, 2], [2, 2], [2, 0]], float))
    layer = add_layer(viewer, layers.regions_layer(film, [square]))
    assert layer.ndim == 2
    assert list(layer.features["name"]) == ["Area Init"]
    (same,) = regions_of(layer, film)
    assert np.allclose(same.vertices_px, square.vertices_px)
    layer.translate = (0.065, 0.13)
    (moved,) = regions_of(layer, film)
    assert np.allclose(moved.vertices_px, square.vertices_px + np.array([1, 2]))


def test_three_dimensional_shapes_are_projected_and_names_made_unique(viewer):
    film = recording()
    corners = np.array([[2, 0, 0], [2, 0, 1], [2, 1, 1], [2, 1, 0]], float)
    layer = viewer.add_shapes(
        [corners, corners], scale=(1, 0.065, 0.065), features={"name": ["A", "A"]}
    )
    names = [r.name for r in regions_of(layer, film)]
    assert names == ["A", "A (2)"]
    assert regions_of(layer, film)[0].vertices_px.shape == (4, 2)


def test_somebodys_stack_serves_as_a_recording(viewer):
    session = session_of(viewer)
    layer = viewer.add_image(
        np.zeros((6, 4, 5)),
        name="mine",
        scale=(2, 0.1, 0.1),
        translate=(1, 0, 0),
        units=("second", "micrometer", "micrometer"),
    )
    film = session.recording_of(layer)
    assert film.times_s.tolist() == [1, 3, 5, 7, 9, 11]
    assert film.pixel_size_um == pytest.approx(0.1)
    assert session.current.recording is film
    assert kind_of(layer) is None
    assert METADATA_KEY not in layer.metadata


def test_a_layer_that_is_not_counts_is_refused(viewer):
    session = session_of(viewer)
    layer = add_layer(viewer, onset_map_layer(recording(), 1.0))
    with pytest.raises(AlloyError, match="not a recording"):
        session.recording_of(layer)
    with pytest.raises(AlloyError, match="not a recording"):
        session.recording_of(Image(np.zeros((4, 5))))
