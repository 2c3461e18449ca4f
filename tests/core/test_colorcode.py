"""Onset times and stacks as colours."""

import numpy as np
import pytest
from planted import recording_of

from napari_lithium_alloy.core.colorcode import (
    COLORMAPS,
    ColorCodeParameters,
    all_colormaps,
    color_code,
    lut,
    merge_sites,
    projection,
)
from napari_lithium_alloy.core.errors import AlloyError
from napari_lithium_alloy.core.onset import OnsetParameters, onset_map
from napari_lithium_alloy.core.progress import finish


def onset_of(onset, amplitude=0.2):
    times = np.arange(41.0)
    level = np.clip((times[:, None, None] - onset) / 2 + 0.5, 0, 1)
    counts = 2000 * 10 ** (-amplitude * level)
    parameters = OnsetParameters(smoothing_px=0.0, smoothing_frames=0.0, min_rise_fraction=0.0)
    return finish(onset_map(recording_of(counts), 0, 40, parameters))


@pytest.fixture(scope="module")
def ramp():
    """Onsets from 5 to 35 s from left to right; the last row never alloys."""
    amplitude = np.full((8, 31), 0.2)
    amplitude[-1] = 0
    return onset_of(np.tile(np.arange(5.0, 36), (8, 1)), amplitude)


@pytest.mark.parametrize("name", COLORMAPS)
def test_every_colormap_has_256_colours(name):
    colours = lut(name)
    assert colours.shape == (256, 3)
    assert colours.dtype == np.uint8
    assert len(np.unique(colours, axis=0)) > 150


def test_a_colormap_is_matplotlibs():
    assert lut("viridis")[[0, 255]].tolist() == [[68, 1, 84], [253, 231, 37]]
    with pytest.raises(AlloyError, match=r"no colormap rainbows; choose one of viridis"):
        lut("rainbows")


def test_colours_run_over_the_maps_time_range(ramp):
    rgb = color_code(ramp, ColorCodeParameters(flat=True))
    table = lut("viridis")
    for column in (0, 13, 30):
        assert ramp.onset_s[0, column] == pytest.approx(column + 5, abs=1e-3)
        expected = table[round((column + 5) / 40 * 255)]
        assert np.array_equal(rgb[0, column], expected)


@pytest.mark.parametrize(("background", "value"), [("black", 0), ("white", 255)])
@pytest.mark.parametrize("flat", [True, False])
def test_where_no_onset_is_known_there_is_background(ramp, background, value, flat):
    rgb = color_code(ramp, ColorCodeParameters(background=background, flat=flat))
    assert not ramp.reached[-1].any()
    assert (rgb[-1] == value).all()
    assert (rgb[:-1] != value).any(axis=-1).all()


def test_brightness_is_the_size_of_the_change():
    amplitude = np.full((8, 30), 0.2)
    amplitude[:, :10] = 0.1
    onset = onset_of(np.full((8, 30), 20.2), amplitude)
    dim, bright = (color_code(onset)[0, c].astype(float) for c in (0, 20))
    assert np.allclose(dim, bright / 2, atol=1)
    flat = color_code(onset, ColorCodeParameters(flat=True))
    assert np.array_equal(flat[0, 0], flat[0, 20])


def test_a_map_without_any_onset_is_all_background():
    nothing = onset_of(np.full((8, 9), 20.0), np.zeros((8, 9)))
    nothing.reason[:] = 3
    assert not color_code(nothing).any()


@pytest.mark.parametrize(("background", "value"), [("black", 0), ("white", 255)])
@pytest.mark.parametrize("flat", [True, False])
def test_inverted_colours_keep_the_background(ramp, background, value, flat):
    parameters = ColorCodeParameters(background=background, flat=flat)
    normal = color_code(ramp, parameters)
    inverted = color_code(ramp, parameters, inverted=True)
    assert (inverted[-1] == normal[-1]).all()
    assert (inverted[-1] == value).all()
    if flat:
        assert np.array_equal(inverted[:-1], 255 - normal[:-1])
    assert (inverted[:-1] != value).any(axis=-1).all()


def test_a_dim_pixel_is_near_the_background_in_both_pictures():
    amplitude = np.full((8, 30), 0.2)
    amplitude[:, :10] = 0.05
    onset = onset_of(np.full((8, 30), 20.2), amplitude)
    for inverted in (False, True):
        white = color_code(onset, ColorCodeParameters(background="white"), inverted=inverted)
        black = color_code(onset, inverted=inverted)
        assert white[0, 0].min() > 180
        assert black[0, 0].max() < 70


@pytest.mark.parametrize("name", ["twilight_shifted", "Greys", "tab20", "Fire"])
def test_any_colormap_colours_a_map(ramp, name):
    assert name in all_colormaps()
    assert all_colormaps()[: len(COLORMAPS)] == COLORMAPS
    rgb = color_code(ramp, ColorCodeParameters(colormap=name, flat=True))
    assert np.array_equal(rgb[0, 0], lut(name)[round(5 / 40 * 255)])


def test_sites_are_green_discs_on_a_copy():
    rgb = np.full((20, 30, 3), 7, np.uint8)
    merged = merge_sites(rgb, np.array([[5.2, 10.0], [19.0, 0.0]]), 2.5)
    green = (merged == (0, 255, 0)).all(axis=-1)
    y, x = np.mgrid[:20, :30]
    expected = np.hypot(y - 5.2, x - 10) <= 2.5
    expected |= np.hypot(y - 19, x) <= 2.5
    assert np.array_equal(green, expected)
    assert (merged[~green] == 7).all()
    assert (rgb == 7).all()
    assert np.array_equal(merge_sites(rgb, np.empty((0, 2)), 3), rgb)


@pytest.mark.parametrize("method", ["max", "sd"])
def test_projection_is_the_colour_of_each_frame_projected(method):
    frames = np.random.default_rng(0).integers(0, 256, (7, 5, 6), dtype=np.uint8)
    colours = lut("Fire")
    found = finish(projection(recording_of(frames), colours, 1, 5, method=method))
    for y, x in np.ndindex(5, 6):
        for channel in range(3):
            values = []
            for i in range(5):
                colour = int(colours[(256 * i) // 5, channel])
                values.append(int(frames[i + 1, y, x] / 255 * colour + 0.5))
            expected = max(values) if method == "max" else int(np.std(values, ddof=1) + 0.5)
            assert found[y, x, channel] == expected


def test_deeper_counts_are_scaled_to_eight_bit_over_the_ends():
    frames = np.random.default_rng(0).integers(0, 4096, (6, 9, 9), dtype=np.uint16)
    frames[0, 0, 0], frames[-1, 0, 0] = 0, 4095
    deep = finish(projection(recording_of(frames), lut("Spectrum"), 0, 5))
    eight = (frames // 16).astype(np.uint8)
    assert np.array_equal(deep, finish(projection(recording_of(eight), lut("Spectrum"), 0, 5)))


def test_a_projection_needs_two_frames():
    cell = recording_of(np.zeros((5, 4, 4), np.uint8))
    with pytest.raises(AlloyError, match="fewer than two frames lie between 2 and 2 s"):
        finish(projection(cell, lut("Fire"), 2, 2))
