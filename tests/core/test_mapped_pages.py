"""Pages of memory maps, made known at once."""

import resource
import sys

import numpy as np
import pytest

from napari_lithium_alloy.core import mapped_pages
from napari_lithium_alloy.core.mapped_pages import know_pages
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
