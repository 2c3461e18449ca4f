"""Pores on a window's support, made in small boxes, against the formula on whole frames."""

import itertools

import numpy as np
import pytest
from planted import recording_of
from scipy import ndimage
from skimage import segmentation

from napari_lithium_alloy.core.by_label import sums
from napari_lithium_alloy.core.pore_boxes import boxes_of_pixels, packed, sample_boxes
from napari_lithium_alloy.core.pore_edits import PoreEdit, edited
from napari_lithium_alloy.core.pore_frames import PoreFrames
from napari_lithium_alloy.core.pore_images import ImagesOnSupport
from napari_lithium_alloy.core.pore_light import FrameLight
from napari_lithium_alloy.core.pore_outlines import pore_labels
from napari_lithium_alloy.core.pore_parameters import PoreParameters
from napari_lithium_alloy.core.pores import PoreOptics
from napari_lithium_alloy.core.synthetic.fields import disc_coverage

PIXEL_UM = 0.065
SMALL, LARGE = (90, 130), (520, 620)


def frames_of(shape, scales=(0.4, 0.7, 0.9, 1.0), noise=0.02, seed=0, largest=7):
    """Counts of pores that grow together, some across an edge, one that is large."""
    rng = np.random.default_rng(seed)
    n = 14 if shape == SMALL else 60
    discs = np.column_stack([rng.uniform(0, s, n) for s in shape] + [rng.uniform(2, largest, n)])
    discs[0] = shape[0] / 2, shape[1] / 2, 14
    frames = []
    for scale in scales:
        holes = disc_coverage(shape, discs * [1, 1, scale]).astype(float)
        light = 1 + ndimage.gaussian_filter(np.minimum(holes, 1), 1.3)
        frames.append(1000 * light + 100 + rng.normal(0, 1000 * noise, shape))
    return frames


def looking(frames, film=None, **more):
    shape = frames[0].shape
    film = np.ones(shape, bool) if film is None else film
    rows = np.linspace(950, 1050, shape[0], dtype=np.float32)[:, None]
    flat = np.broadcast_to(rows, shape).copy()
    optics = PoreOptics(flat=flat, dark=more.pop("dark", 100.0), film=film, substrate=2.0)
    edits = more.pop("edits", ())
    cell = recording_of(frames, **more)
    look = PoreFrames(cell, PoreParameters(), optics, edits)
    look.cycle = 1
    look.look_only_at(look.found_labels(np.array([len(frames) - 1])), None)
    return look


def slow(look, t, before):
    """Labels, areas and final pores of a frame, each step on the whole frame."""
    support = look.support
    share = look._supported_share(look.optics.brightness(look.recording.read(t)))
    labels = pore_labels(
        share, look.optics.film, look.parameters, PIXEL_UM, psf_sigma_px=1.3,
        where=support.regions > 0, before=before,
    )  # fmt: skip
    labels = edited(labels, look.edits, PIXEL_UM, 1, reach_px=1.0)
    n = int(labels.max())
    shared = np.zeros((n + 1, support.regions.max() + 1), int)
    np.add.at(shared, (labels.ravel(), support.regions.ravel()), 1)
    belongs = shared > 0
    belongs[0] = belongs[:, 0] = False
    share = np.nan_to_num(share)
    region = segmentation.watershed(-share, labels, mask=belongs.any(axis=0)[support.regions])
    region[~belongs[region, support.regions]] = 0
    return labels, sums(share, region, n)[1:], shared[1:, 1:].argmax(axis=1) + 1


def check(look, frames, rel=1e-4, exact=True, least=6):
    before, seen = None, look.measured(np.arange(len(frames)))
    for t, one in enumerate(seen):
        labels, areas, final = slow(look, t, before)
        found = np.zeros_like(labels)
        found.ravel()[one.at] = one.labels
        before = labels
        assert labels.max() >= least
        if exact:
            assert np.array_equal(found, labels)
        else:
            assert (found != labels).mean() < 1e-3
        assert one.areas_px == pytest.approx(areas, rel=rel, abs=0.01)
        assert one.final.tolist() == final.tolist()
        assert one.outlines_px.tolist() == np.bincount(found.ravel())[1:].tolist()


@pytest.mark.parametrize("noise", [0.003, 0.02, 0.12])
def test_a_small_field_is_as_on_whole_frames(noise):
    """With pores across the edges, one whose middle no film is near, and up to much noise."""
    frames = frames_of(SMALL, noise=noise)
    look = looking(frames)
    assert (look.support.weight <= 0.01).any()
    check(look, frames)


@pytest.mark.parametrize("shape", [SMALL, LARGE])
def test_nothing_is_missed_around_pores_that_open_late(shape):
    """Boxes are left out as long as there can be no pore in them, and only so long."""
    frames = frames_of(shape, scales=(0.0, 0.15, 0.3, 0.6, 1.0), noise=0.003)
    look = looking(frames)
    make = ImagesOnSupport(look.support, 100.0, 5.0, 5.0)
    some = FrameLight(look.recording, 100.0).read(np.arange(4))
    shares = [images.share for images in make(some)]
    assert (shares[0] == 0).mean() > 0.5 * (shape == LARGE)
    assert all((b == 0).mean() <= (a == 0).mean() for a, b in itertools.pairwise(shares))
    check(look, frames, rel=2e-3, exact=shape == SMALL, least=0)


def test_whatever_the_counts_are():
    """Whole numbers, a dark frame, film that ends, pixels that are not known."""
    frames = [f.round() for f in frames_of(SMALL)]
    whole = [f.astype(np.uint16) for f in frames]
    film = np.ones(SMALL, bool)
    film[:, :9] = False
    check(looking(whole, film), whole)
    dark = np.random.default_rng(0).uniform(90, 110, SMALL)
    check(looking(frames, dark=dark), frames)
    lost = [f.astype(np.float32) for f in frames]
    for frame in lost:
        frame[:, :5] = np.nan
    check(looking(lost, film), lost)


def test_a_large_field_whose_noise_is_told_by_some_of_its_pixels():
    frames = frames_of(LARGE, scales=(0.6, 1.0))
    assert len(sample_boxes(LARGE)) < 70
    check(looking(frames), frames, rel=2e-3, exact=False)


def test_corrections_by_hand_are_made_in_every_frame():
    frames = frames_of(SMALL)
    first = looking(frames)
    one = list(first.measured(np.arange(len(frames))))[-1]
    (y, x), (v, u), (w, z) = (one.centres_px[[0, 2, 3]] * PIXEL_UM).tolist()
    edits = (
        PoreEdit(kind="delete", places_um=((y, x),)),
        PoreEdit(kind="join", places_um=((v, u), (w, z)), cycle=1),
    )
    look = looking(frames, edits=edits)
    check(look, frames)
    last = next(iter(look.measured(np.arange(3, 4))))
    assert len(last.areas_px) == len(one.areas_px) - 2


def test_clipped_pixels_are_counted_on_the_film():
    frames = frames_of(SMALL, noise=0.002)
    look = looking(frames, saturation_counts=1900.0)
    for t, one in enumerate(look.measured(np.arange(len(frames)))):
        n = int((frames[t] >= 1900).sum())
        assert one.clipped == (n > max(0.2 * len(one.at), 20))
        highest = [
            frames[t].ravel()[one.at[one.labels == i + 1]].max() for i in range(len(one.final))
        ]
        assert one.saturated.tolist() == [h >= 1900 for h in highest]


def test_every_pixel_is_in_one_box_and_margins_are_mirrored():
    look = looking(frames_of(LARGE, scales=(1.0,)))
    graph = look.support.graph
    boxes, pixels, begins = boxes_of_pixels(graph)
    assert np.array_equal(np.sort(pixels), np.arange(len(graph.at)))
    assert ((boxes[:, [1, 3]] - boxes[:, [0, 2]]).max()) <= 64
    for box, first, stop in zip(boxes, begins[:-1], begins[1:], strict=True):
        own = pixels[first:stop]
        assert (graph.rows[own].min(), graph.rows[own].max() + 1) == tuple(box[:2])
        assert (graph.columns[own].min(), graph.columns[own].max() + 1) == tuple(box[2:])
    picture = np.arange(20.0).reshape(4, 5)
    corner = packed(picture, np.array([[0, 1, 3, 5]], np.int32), 2).reshape(5, 6)
    assert np.array_equal(corner, np.pad(picture, 2, mode="symmetric")[0:5, 3:9])
