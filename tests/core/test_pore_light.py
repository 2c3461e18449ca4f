"""Light of mapped counts, made where it is looked at, against frames made light before."""

import dataclasses

import numpy as np
import pytest
from planted import recording_of

from napari_lithium_alloy.core.kernels.box_light import count_clipped
from napari_lithium_alloy.core.pore_light import AT_ONCE, FrameLight
from napari_lithium_alloy.core.recording import MappedLight

SHAPE = (40, 50)
LIMIT, FACTOR = 900, np.array([1.0, 1.02, 0.97, 1.01, 0.99, 1.03], np.float32)
CEILING = float(LIMIT * FACTOR.max())


@pytest.fixture
def rng():
    return np.random.default_rng(0)


def counts_of(rng, dtype=np.uint16):
    counts = rng.normal(800, 30, (len(FACTOR), *SHAPE))
    counts[2, 3, 4:9] = counts[4, 10:12, 20] = 2 * LIMIT
    return np.minimum(counts, LIMIT).round().astype(dtype)


def steadied(counts, dark):
    """A recording of light, that of a clipped pixel the highest there is."""
    light = (counts.astype(np.float32) - np.float32(dark)) * FACTOR[:, None, None]
    light[counts >= LIMIT] = CEILING
    mapped = MappedLight(counts=counts, dark=dark, factor=FACTOR, limit=float(LIMIT))
    cell = recording_of(list(light), saturation_counts=CEILING)
    return light, dataclasses.replace(cell, mapped=None, steadied=mapped)


@pytest.mark.parametrize("dark", [100.0, "frame"])
def test_counts_make_the_same_light(rng, dark):
    dark = rng.uniform(90, 110, SHAPE).astype(np.float32) if dark == "frame" else dark
    light, cell = steadied(counts_of(rng), dark)
    film = np.ones(SHAPE, bool)
    film[10, :] = False
    reader = FrameLight(cell, 0.0)
    some = [reader.read(group) for group in reader.groups(np.arange(1, 6))]
    assert [len(s.counts) for s in some] == [AT_ONCE, 5 - AT_ONCE]
    t = 1
    for one in some:
        assert one.limit_of_counts == LIMIT
        clipped = np.zeros((len(one.counts), 2), np.int64)
        for rows in ((0, 7), (7, SHAPE[0])):
            count_clipped(one.counts, one.limit_of_counts, film, rows, clipped)
        for k in range(len(one.counts)):
            assert np.array_equal(one.light(k), light[t])
            assert clipped[k, 0] == ((light[t] >= CEILING) & film).sum()
            assert bool(clipped[k, 1]) == (light[t] >= CEILING).any()
            assert one.scales()[k].tolist() == pytest.approx([FACTOR[t], LIMIT, CEILING])
            t += 1


def test_a_box_of_counts_is_that_of_light(rng):
    from napari_lithium_alloy.core.kernels.box_filters import rooms_for
    from napari_lithium_alloy.core.kernels.box_light import light_inside

    counts = counts_of(rng)
    for dark in (100.0, rng.uniform(90, 110, SHAPE).astype(np.float32)):
        light, _ = steadied(counts, dark)
        picture = np.zeros((0, 0), np.float32) if np.ndim(dark) == 0 else dark
        nothing = np.zeros(0, np.float32)
        places = np.zeros((1, 4), np.int32), np.zeros(1, np.int64)
        kept = 0.0 if np.ndim(dark) else dark, picture, nothing, nothing, *places
        for box in ([0, 5, 0, 7], [12, 20, 6, 15], [35, 40, 41, 50]):
            box = np.array(box, np.int32)
            out = rooms_for(box[None], 3)[0]
            for t, factor in enumerate(FACTOR):
                scale = factor, np.float32(LIMIT), np.float32(CEILING)
                light_inside(counts[t], scale, box, 3, kept, out)
                padded = np.pad(light[t], 3, mode="symmetric")
                expected = padded[box[0] : box[1] + 6, box[2] : box[3] + 6]
                assert np.array_equal(out[: expected.size], expected.ravel())


def test_a_limit_beyond_the_counts_clips_nothing(rng):
    cell = recording_of(list(counts_of(rng, np.uint8)), saturation_counts=300.0)
    reader = FrameLight(cell, 0.0)
    for group in reader.groups(np.arange(6)):
        one = reader.read(group)
        assert len(one.counts) == 1  # they are not mapped
        assert one.limit_of_counts is None
