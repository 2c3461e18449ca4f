"""Memory maps: pages made known at once, and the files they are of."""

import resource
import sys

import numpy as np
import pytest

from napari_lithium_alloy.core import mapped_pages
from napari_lithium_alloy.core.mapped_pages import know_pages, mapped_file
from napari_lithium_alloy.core.progress import finish

PAGES = 2**13


@pytest.fixture
def frames(tmp_path):
    """Mapped (T, Y, X) counts that begin beside the beginning of a page."""
    path = tmp_path / "counts.raw"
    (np.arange(PAGES * 2048 + 500) % 60000).astype(np.uint16).tofile(path)
    whole = np.memmap(path, np.uint8, "r")
    return np.ndarray((PAGES, 32, 64), np.uint16, whole, 1000)


@pytest.mark.skipif(sys.platform != "linux", reason="other systems have no such advice")
def test_pages_that_are_known_make_no_faults(frames, monkeypatch):
    monkeypatch.setattr(mapped_pages, "AT_ONCE_BYTES", 2**20)
    finish(know_pages(frames))
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    total = frames[:, 0, 0].sum(dtype=np.int64)
    if resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before > PAGES // 32:
        pytest.skip("this kernel does not know the advice")
    assert total == ((500 + 2048 * np.arange(PAGES)) % 60000).sum()


def test_frames_that_are_not_mapped_or_too_many_are_left_alone(frames, monkeypatch):
    finish(know_pages(None))
    finish(know_pages(np.zeros((2, 3, 4), np.uint16)))
    finish(know_pages(frames[::2]))
    monkeypatch.setattr(mapped_pages, "MOST_SHARE", 1e-9)
    finish(know_pages(frames))
    assert frames[0, 0, 0] == 500


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere files are read")
def test_the_file_of_mapped_frames_is_known_with_all_its_bytes(frames, tmp_path):
    ((file, content),) = mapped_file(frames).items()
    assert file == tmp_path / "counts.raw"
    assert bytes(content) == file.read_bytes()


def test_of_frames_that_are_no_file_of_their_own_none_is_known(frames, tmp_path, monkeypatch):
    assert mapped_file(None) == {}
    assert mapped_file(np.zeros((2, 3, 4), np.uint16)) == {}
    assert mapped_file(frames[::2]) == {}
    late = np.memmap(tmp_path / "counts.raw", np.uint16, "r", 2**20, (4, 32, 64))
    assert mapped_file(late) == {}, "the map begins in the middle of the file"
    monkeypatch.setattr(mapped_pages, "MOST_SHARE", 1e-9)
    assert mapped_file(frames) == {}, "memory does not hold it"
