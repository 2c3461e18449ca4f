"""Windows of recordings that are decoded whole."""

import gc

import numpy as np
import pytest
from planted import recording_of

from napari_lithium_alloy.core import kept_windows
from napari_lithium_alloy.core.curves import region_curves
from napari_lithium_alloy.core.kept_windows import kept_reader
from napari_lithium_alloy.core.photometry import reference_frame
from napari_lithium_alloy.core.progress import finish
from napari_lithium_alloy.core.recording import Region


class Decoder:
    """A recording that counts how often its frames are read."""

    def __init__(self, shape=(12, 60, 80), **more):
        self.frames = np.random.default_rng(0).integers(500, 4000, shape).astype(np.uint16)
        self.reads = 0
        self.recording = recording_of(self.frames).replace(window=self.window, **more)

    def window(self, t, y, x):
        self.reads += 1
        return self.frames[t, y, x]


def place(top, left, height=10, width=12):
    return slice(top, top + height), slice(left, left + width)


def square(top, left, side=10):
    low, high = np.array([top, left]) - 0.5, np.array([top, left]) + side - 0.5
    corners = [low, (low[0], high[1]), high, (high[0], low[1])]
    return Region(name="Area Init", vertices_px=np.array(corners))


def test_a_dragged_region_is_decoded_once():
    cell = Decoder()
    reference = reference_frame(cell.recording)
    cell.reads = 0
    for i, at in enumerate([(20, 20), (24, 30), (5, 60), (50, 70)]):
        curves = finish(region_curves(cell.recording, reference, [square(*at)], with_field=False))
        part = cell.frames[:, at[0] : at[0] + 10, at[1] : at[1] + 10]
        assert np.allclose(curves["mean_counts"], part.mean(axis=(1, 2)))
        assert cell.reads == 12, i


def test_a_mapped_recording_is_read_from_its_map():
    cell = Decoder(mapped=np.full((12, 60, 80), 7, np.uint16))
    reference = reference_frame(cell.recording)
    cell.reads = 0
    curves = finish(region_curves(cell.recording, reference, [square(5, 5)], with_field=False))
    assert cell.reads == 0
    assert np.allclose(curves["mean_counts"], 7)


def test_the_margin_is_as_wide_as_the_memory_allows(monkeypatch):
    pixels = 20 * 22
    monkeypatch.setattr(kept_windows, "KEPT_BYTES", 2 * 12 * 2 * pixels)
    cell = Decoder()
    finish(kept_reader(cell.recording, [place(20, 30)]))
    (kept,) = kept_windows._kept[cell.recording]
    assert kept.place == place(15, 25, 20, 22)
    finish(kept_reader(cell.recording, [place(16, 26)]))
    assert cell.reads == 12
    finish(kept_reader(cell.recording, [place(14, 26)]))
    assert cell.reads == 24
    finish(kept_reader(cell.recording, [place(40, 60)]))
    held = kept_windows._kept[cell.recording]
    assert sum(k.counts.nbytes for k in held) <= kept_windows.KEPT_BYTES
    assert held[0].holds(place(40, 60))


def test_a_window_too_large_to_keep_is_read_from_the_file(monkeypatch):
    monkeypatch.setattr(kept_windows, "KEPT_BYTES", 2 * 12 * 2 * 100)
    cell = Decoder()
    read = finish(kept_reader(cell.recording, [place(20, 30)]))
    assert cell.reads == 0
    assert np.array_equal(read(3, *place(20, 30)), cell.frames[(3, *place(20, 30))])
    assert cell.reads == 1


def test_the_first_read_tells_how_far_it_is():
    cell = Decoder(shape=(100, 60, 80))
    steps = list(kept_reader(cell.recording, [place(20, 30)]))
    assert len(steps) > 2
    assert steps[-1][0] == steps[-1][1] == len(steps)
    assert [done for done, _ in steps] == sorted({done for done, _ in steps})


def test_nothing_is_kept_of_a_recording_that_is_gone():
    gc.collect()
    before = len(kept_windows._kept)
    cell = Decoder()
    finish(kept_reader(cell.recording, [place(20, 30)]))
    assert len(kept_windows._kept) == before + 1
    del cell
    gc.collect()
    assert len(kept_windows._kept) == before


@pytest.mark.parametrize("at", [(0, 0), (50, 68), (0, 68)])
def test_windows_at_the_fields_edge_are_whole(at):
    cell = Decoder()
    read = finish(kept_reader(cell.recording, [place(*at)]))
    assert np.array_equal(read(5, *place(*at)), cell.frames[(5, *place(*at))])


def test_other_frames_have_no_memory_map():
    cell = Decoder(mapped=np.zeros((12, 60, 80), np.uint16)).recording
    assert cell.replace(name="same").mapped is cell.mapped
    assert cell.replace(window=None).mapped is None
