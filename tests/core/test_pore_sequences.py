"""Pictures of pores as they open: when, where, and how much of them."""

import numpy as np
import pytest
from planted import recording_of
from scipy import ndimage

from napari_lithium_alloy.core.photometry import reference_frame
from napari_lithium_alloy.core.pore_sequences import pore_sequences
from napari_lithium_alloy.core.pore_tracking import PoreWindow, track_pores
from napari_lithium_alloy.core.progress import finish
from napari_lithium_alloy.core.synthetic.fields import disc_coverage

SHAPE = (60, 90)
BARE = 5


@pytest.fixture(scope="module")
def opened():
    """A pore that opens at 15 s and is full at 25 s, and one near an edge that is always there."""
    rng = np.random.default_rng(0)
    frames = []
    for t in range(40):
        discs = [(30, 60, 5 * np.sqrt(np.clip((t - 15) / 10, 0, 1))), (8, 10, 4 * (t >= BARE))]
        kept = np.array([d for d in discs if d[2] > 0], float).reshape(-1, 3)
        holes = ndimage.gaussian_filter(disc_coverage(SHAPE, kept).astype(float), 1.3)
        frames.append(1000 * (1 + holes) + rng.normal(0, 3, SHAPE))
    cell = recording_of(frames)
    reference = reference_frame(cell, current_starts_s=float(BARE))
    window = PoreWindow(cycle=1, start_s=float(BARE), end_s=39.0)
    work = track_pores(cell, [window], reference, psf_sigma_px=1.3, substrate=2.0)
    return cell, finish(work), reference


def test_pictures_go_from_before_a_pore_opens_to_the_end(opened):
    cell, tracks, reference = opened
    last = tracks.labels[-1]
    opening, old = int(last[30, 60]), int(last[8, 10])
    found = finish(pore_sequences(cell, tracks, reference, 1, [opening, old]))
    one, other = found.pores
    assert (one.pore, other.pore) == (opening, old)
    assert len(one.times_s) == len(other.times_s) == 6
    assert one.times_s[0] <= 16
    assert one.times_s[-2] == pytest.approx(25, abs=2)
    assert one.times_s[-1] == other.times_s[-1] == 39
    assert not one.outlines[0].any()
    pixels = one.outlines.sum(axis=(1, 2))
    assert (np.diff(pixels[:-1]) > 0).all()
    assert pixels[-1] == (last == opening).sum()
    assert one.area_um2[-1] == pytest.approx(np.pi * 25 * 0.065**2, rel=0.05)
    assert (one.area_um2[one.curve_s < 15] == 0).all()
    assert (other.area_um2 > 0).all()
    assert found.limits[0][1] == pytest.approx(2, abs=0.1)


def test_pictures_are_of_one_size_and_lie_in_the_field(opened):
    cell, tracks, reference = opened
    last = tracks.labels[-1]
    opening, old = int(last[30, 60]), int(last[8, 10])
    found = finish(pore_sequences(cell, tracks, reference, 1, [opening, old], n_images=3))
    one, other = (s.images[-1] for s in found.pores)
    assert one.shape == other.shape
    middle = one.shape[0] // 2
    assert one[middle, middle] > 1.8
    assert other[8, 10] > 1.8  # moved to begin at the field's corner
    alone = finish(pore_sequences(cell, tracks, reference, 1, [old]))
    assert len(alone.pores) == 1
