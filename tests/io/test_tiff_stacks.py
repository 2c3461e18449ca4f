"""TIFF files of every kind: counts, clock, pixel size, choices, laziness, and what is refused."""

import tracemalloc

import numpy as np
import pytest
import tifffile
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_lithium_alloy.core.errors import AlloyError
from napari_lithium_alloy.io.image_stacks import open_stack
from napari_lithium_alloy.io.tiff_series import SeriesReader

RNG = np.random.default_rng(2)
COUNTS = RNG.integers(0, 4000, (6, 20, 24), dtype=np.uint16)


def one(path, **choices):
    (recording,) = open_stack(path, **choices)
    return recording


def assert_holds(recording, counts):
    np.testing.assert_array_equal(np.asarray(recording.frames), counts)
    t = len(counts) - 1
    np.testing.assert_array_equal(recording.read(t, slice(3, 9), slice(5, 8)), counts[t, 3:9, 5:8])


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"bigtiff": True},
        {"byteorder": ">"},
        {"imagej": True, "metadata": {"axes": "TYX"}},
        {"ome": True, "metadata": {"axes": "TYX"}},
        {"compression": "lzw"},
        {"compression": "zlib"},
        {"compression": "zstd", "predictor": True},
        {"compression": "packbits"},
        {"rowsperstrip": 7},
        {"tile": (16, 16)},
        {"photometric": "minisblack", "metadata": None},
    ],
    ids=str,
)
def test_every_encoding_gives_the_same_counts(tmp_path, options):
    path = tmp_path / "counts.tif"
    tifffile.imwrite(path, COUNTS, **options)
    recording = one(path)
    assert_holds(recording, COUNTS)
    assert recording.frames.dtype == np.uint16
    assert recording.frames.dtype.isnative
    assert recording.frames.chunksize == (1, 20, 24)


@pytest.mark.parametrize(
    "dtype", ["uint8", "int8", "uint16", "int16", "uint32", "float32", "float64"]
)
@pytest.mark.parametrize("compression", [None, "zlib"])
def test_every_number_type(tmp_path, dtype, compression):
    counts = (COUNTS % 100).astype(dtype)
    tifffile.imwrite(tmp_path / "c.tif", counts, compression=compression)
    recording = one(tmp_path / "c.tif")
    assert_holds(recording, counts)
    kind = np.dtype(dtype).kind
    assert recording.saturation_counts == (None if kind == "f" else np.iinfo(dtype).max)


@pytest.mark.parametrize("bits", [10, 12, 14])
def test_packed_bit_depths_know_their_saturation(tmp_path, bits):
    counts = COUNTS % 2**bits
    tifffile.imwrite(tmp_path / "c.tif", counts, bitspersample=bits, photometric="minisblack")
    recording = one(tmp_path / "c.tif")
    assert_holds(recording, counts)
    assert recording.saturation_counts == 2**bits - 1


def test_pages_written_one_by_one_are_one_recording(tmp_path):
    with tifffile.TiffWriter(tmp_path / "c.tif") as tif:
        for frame in COUNTS:
            tif.write(frame, contiguous=False, metadata=None)
    assert_holds(one(tmp_path / "c.tif"), COUNTS)


def test_white_is_zero_is_turned_round(tmp_path):
    tifffile.imwrite(tmp_path / "c.tif", 65535 - COUNTS, photometric="miniswhite")
    recording = one(tmp_path / "c.tif")
    assert_holds(recording, COUNTS)
    assert "White is zero" in recording.notes[0]


def test_ome_plane_times_win_over_the_increment(tmp_path):
    delta_ms = [1348.0, 5264.0, 10257.0, 15261.0, 20260.5, 25262.0]
    metadata = {
        "axes": "TYX",
        "TimeIncrement": 5.0,
        "PhysicalSizeX": 65.0,
        "PhysicalSizeXUnit": "nm",
        "PhysicalSizeY": 65.0,
        "PhysicalSizeYUnit": "nm",
        "SignificantBits": 12,
        "Plane": {"DeltaT": delta_ms, "DeltaTUnit": ["ms"] * 6},
    }
    tifffile.imwrite(tmp_path / "c.ome.tif", COUNTS, metadata=metadata)
    recording = one(tmp_path / "c.ome.tif")
    np.testing.assert_allclose(recording.times_s, np.array(delta_ms) / 1000)
    assert recording.times_source == "OME DeltaT"
    assert recording.pixel_size_um == pytest.approx(0.065)
    assert recording.saturation_counts == 4095
    assert recording.name == "c"


def test_ome_increment_is_used_with_a_note_where_plane_times_are_zero(tmp_path):
    metadata = {
        "axes": "TYX",
        "TimeIncrement": 0.5,
        "TimeIncrementUnit": "min",
        "Plane": {"DeltaT": [0.0] * 6},
    }
    tifffile.imwrite(tmp_path / "c.ome.tif", COUNTS, metadata=metadata)
    recording = one(tmp_path / "c.ome.tif")
    np.testing.assert_allclose(recording.times_s, np.arange(6) * 30)
    assert recording.times_source == "OME TimeIncrement"
    assert "does not rise" in recording.notes[0]


@pytest.mark.parametrize(
    ("unit", "size", "um"),
    [
        ("micron", 0.2, 0.2),
        ("\\u00B5m", 0.2, 0.2),
        ("um", 0.2, 0.2),
        ("nm", 65, 0.065),
        ("mm", 2e-4, 0.2),
    ],
)
def test_imagej_interval_and_pixel_size(tmp_path, unit, size, um):
    tifffile.imwrite(
        tmp_path / "c.tif",
        COUNTS,
        imagej=True,
        resolution=(1 / size, 1 / size),
        metadata={"axes": "TYX", "finterval": 2.5, "unit": unit},
    )
    recording = one(tmp_path / "c.tif")
    np.testing.assert_allclose(recording.times_s, np.arange(6) * 2.5)
    assert recording.times_source == "ImageJ finterval"
    assert recording.pixel_size_um == pytest.approx(um, rel=1e-5)


@pytest.mark.parametrize(
    ("resolution", "unit", "um"),
    [(50000, "CENTIMETER", 0.2), (28.3, "CENTIMETER", None), (72, "INCH", None), (1, "NONE", None)],
)
def test_plain_resolution_counts_only_where_it_is_plausible(tmp_path, resolution, unit, um):
    tifffile.imwrite(
        tmp_path / "c.tif", COUNTS, resolution=(resolution,) * 2, resolutionunit=unit, metadata=None
    )
    assert one(tmp_path / "c.tif").pixel_size_um == (um and pytest.approx(um))


def test_pixels_that_are_not_square_are_refused_unless_a_size_is_given(tmp_path):
    options = {"imagej": True, "metadata": {"axes": "TYX", "unit": "um"}}
    tifffile.imwrite(tmp_path / "c.tif", COUNTS, resolution=(5, 4), **options)
    with pytest.raises(AlloyError, match=r"c\.tif has pixels of 0\.25 x 0\.2 um.*pixel_size_um"):
        open_stack(tmp_path / "c.tif")
    assert one(tmp_path / "c.tif", pixel_size_um=0.2).pixel_size_um == 0.2
    tifffile.imwrite(tmp_path / "d.tif", COUNTS, resolution=(5, 5.01), **options)
    assert one(tmp_path / "d.tif").pixel_size_um == pytest.approx(0.2, rel=0.01)


@pytest.mark.parametrize("axes", ["ZYX", "QYX"])
def test_time_stored_otherwise_is_time(tmp_path, axes):
    imagej = axes == "ZYX"
    tifffile.imwrite(
        tmp_path / "c.tif", COUNTS, imagej=imagej, metadata={"axes": axes, "finterval": 2.0}
    )
    recording = one(tmp_path / "c.tif")
    assert_holds(recording, COUNTS)
    if imagej:
        assert "6 z slices" in recording.notes[0]
        np.testing.assert_allclose(recording.times_s, np.arange(6) * 2.0)
        assert one(tmp_path / "c.tif", z=2).n_frames == 1


def test_more_channels_than_a_microscope_has_are_time(tmp_path):
    counts = np.concatenate([COUNTS, COUNTS])
    tifffile.imwrite(tmp_path / "c.tif", counts, imagej=True, metadata={"axes": "CYX"})
    recording = one(tmp_path / "c.tif")
    assert_holds(recording, counts)
    assert "12 channels" in recording.notes[0]


@pytest.fixture
def hyperstack(tmp_path):
    """Four times, two z, three channels, with times of each plane."""
    counts = RNG.integers(0, 255, (4, 2, 3, 10, 12), dtype=np.uint8)
    times = np.arange(24) * 0.5
    metadata = {
        "axes": "TZCYX",
        "Channel": {"Name": ["GFP", "trans", "epi"]},
        "Plane": {"DeltaT": times.tolist()},
    }
    tifffile.imwrite(tmp_path / "cell.ome.tif", counts, metadata=metadata)
    return tmp_path / "cell.ome.tif", counts, times.reshape(4, 2, 3)


def test_channels_and_z_planes_are_recordings_of_their_own(hyperstack):
    path, counts, times = hyperstack
    recordings = open_stack(path)
    assert [r.name for r in recordings] == [
        f"cell channel {c} z {z}" for c in ("GFP", "trans", "epi") for z in (0, 1)
    ]
    for i, recording in enumerate(recordings):
        assert_holds(recording, counts[:, i % 2, i // 2])
        np.testing.assert_allclose(recording.times_s, times[:, i % 2, i // 2])


def test_channel_and_z_choose_by_index_or_name(hyperstack):
    path, counts, _ = hyperstack
    assert_holds(one(path, channel="trans", z=1), counts[:, 1, 1])
    assert_holds(one(path, channel=2, z=0), counts[:, 0, 2])


@pytest.mark.parametrize(
    ("choice", "sentence"),
    [
        ({"channel": 3}, r"cell\.ome\.tif has no channel 3: give channel from 0 to 2 \(GFP, trans"),
        ({"channel": "DAPI"}, r"no channel DAPI"),
        ({"position": 1}, r"no position 1: give position from 0 to 0"),
        ({"z": -1}, r"no z -1: give z from 0 to 1"),
    ],
)
def test_a_choice_that_is_not_there_names_its_key(hyperstack, choice, sentence):
    with pytest.raises(AlloyError, match=sentence):
        open_stack(hyperstack[0], **choice)


def test_ome_positions_of_different_sizes_are_recordings(tmp_path):
    small, large = COUNTS[:, :10, :10], COUNTS
    with tifffile.TiffWriter(tmp_path / "p.ome.tif") as tif:
        tif.write(small, metadata={"axes": "TYX", "Name": "left", "TimeIncrement": 2.0})
        tif.write(large, metadata={"axes": "TYX", "Name": "right", "TimeIncrement": 3.0})
    left, right = open_stack(tmp_path / "p.ome.tif")
    assert (left.name, right.name) == ("p position left", "p position right")
    assert_holds(left, small)
    assert_holds(right, large)
    assert (left.frame_interval_s, right.frame_interval_s) == (2.0, 3.0)
    assert_holds(one(tmp_path / "p.ome.tif", position="right"), large)


@pytest.mark.parametrize("planar", ["contig", "separate"])
def test_rgb_becomes_luma_and_says_so(tmp_path, planar):
    rgb = RNG.integers(0, 255, (3, 10, 12, 3), dtype=np.uint8)
    data = rgb if planar == "contig" else np.moveaxis(rgb, -1, 1)
    tifffile.imwrite(tmp_path / "c.tif", data, photometric="rgb", planarconfig=planar)
    recording = one(tmp_path / "c.tif")
    expected = rgb @ np.array([0.2126, 0.7152, 0.0722])
    np.testing.assert_allclose(np.asarray(recording.frames), expected, rtol=1e-5)
    assert recording.frames.dtype == np.float32
    assert "Rec. 709" in recording.notes[0]


def test_rgb_that_is_grey_stays_exact(tmp_path):
    rgba = np.repeat(COUNTS[..., None], 4, axis=-1)
    tifffile.imwrite(tmp_path / "c.tif", rgba, photometric="rgb", extrasamples=["unassalpha"])
    recording = one(tmp_path / "c.tif")
    assert_holds(recording, COUNTS)
    assert recording.frames.dtype == np.uint16
    assert "taken as grey" in recording.notes[0]


def test_a_single_image_has_one_frame_and_frame_numbers_are_said(tmp_path):
    tifffile.imwrite(tmp_path / "c.tif", COUNTS[0])
    recording = one(tmp_path / "c.tif")
    assert_holds(recording, COUNTS[:1])
    assert recording.times_source == "frame number (no times in the file)"
    assert "no times" in recording.notes[-1]


@pytest.mark.parametrize(
    ("name", "mode"),
    [
        ("Au_trans_1", "trans"),
        ("EPI", "epi"),
        ("trans2", "trans"),
        ("transfer", None),
        ("epicentre", None),
        ("trans_epi", None),
        ("film", None),
    ],
)
def test_mode_is_a_word_of_the_name(tmp_path, name, mode):
    tifffile.imwrite(tmp_path / f"{name}.tif", COUNTS)
    assert one(tmp_path / f"{name}.tif").mode == mode
    assert one(tmp_path / f"{name}.tif", mode="epi").mode == "epi"


def test_dark_is_a_number_or_the_mean_of_a_file(tmp_path):
    tifffile.imwrite(tmp_path / "c.tif", COUNTS)
    tifffile.imwrite(tmp_path / "dark.tif", COUNTS[:3], photometric="minisblack")
    assert one(tmp_path / "c.tif", dark=100).dark_counts == 100.0
    dark = one(tmp_path / "c.tif", dark=tmp_path / "dark.tif").dark_counts
    np.testing.assert_allclose(dark, COUNTS[:3].mean(axis=0))
    tifffile.imwrite(tmp_path / "other.tif", COUNTS[:, :4])
    with pytest.raises(AlloyError, match="dark frame"):
        open_stack(tmp_path / "c.tif", dark=tmp_path / "other.tif")


def big_file(path, n_frames):
    tifffile.imwrite(
        path,
        shape=(n_frames, 2048, 2048),
        dtype="uint16",
        bigtiff=True,
        photometric="minisblack",
        metadata={"axes": "TYX"},
    )


def test_twenty_gigabytes_open_with_the_memory_of_twenty_megabytes(tmp_path):
    peaks = []
    for name, n_frames in (("small", 3), ("large", 2500)):
        path = tmp_path / f"{name}.tif"
        big_file(path, n_frames)
        tracemalloc.start()
        recording = one(path)
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
        assert recording.n_frames == n_frames
    assert recording.frames.nbytes > 20e9
    assert recording.read(2499, slice(0, 5), slice(0, 5)).sum() == 0
    assert peaks[1] < peaks[0] + 2e6


@pytest.mark.parametrize("compression", [None, "zlib"])
def test_opening_reads_one_frame_and_a_slider_step_one_more(tmp_path, monkeypatch, compression):
    read = []
    original = SeriesReader.read

    def counted(self, plane, y, x):
        read.append(plane)
        return original(self, plane, y, x)

    monkeypatch.setattr(SeriesReader, "read", counted)
    tifffile.imwrite(tmp_path / "c.tif", COUNTS, compression=compression)
    recording = one(tmp_path / "c.tif")
    assert read == [0]
    np.asarray(recording.frames[4])
    np.asarray(recording.frames[3, 2:5, 2:5])
    assert read == [0, 4, 3]


def test_decoded_frames_are_kept_for_windows(tmp_path, monkeypatch):
    decoded = []
    original = SeriesReader._decode

    def counted(self, plane):
        decoded.append(plane)
        return original(self, plane)

    monkeypatch.setattr(SeriesReader, "_decode", counted)
    tifffile.imwrite(tmp_path / "c.tif", COUNTS, compression="zlib")
    recording = one(tmp_path / "c.tif")
    for _ in range(3):
        for t in range(6):
            recording.read(t, slice(0, 4), slice(0, 4))
    assert sorted(decoded) == [0, 1, 2, 3, 4, 5]


def test_the_graph_does_not_grow_with_the_frames(tmp_path):
    tifffile.imwrite(tmp_path / "c.tif", np.zeros((500, 4, 4), np.uint8))
    assert len(one(tmp_path / "c.tif").frames.dask.layers) <= 2


@pytest.fixture(scope="module")
def compressed(tmp_path_factory):
    path = tmp_path_factory.mktemp("compressed") / "c.tif"
    tifffile.imwrite(path, COUNTS, compression="zlib")
    return path


def an_index(n):
    return st.one_of(st.integers(-n, n - 1), st.slices(n))


@settings(max_examples=40, deadline=None)
@given(
    t=st.one_of(an_index(6), st.lists(st.integers(0, 5), min_size=1, max_size=4)),
    y=an_index(20),
    x=an_index(24),
)
def test_slicing_is_numpys(compressed, t, y, x):
    index = (t, y, x)
    recording = one(compressed)
    np.testing.assert_array_equal(np.asarray(recording.frames[index]), COUNTS[index])


def cut(path, share):
    whole = path.read_bytes()
    path.write_bytes(whole[: int(len(whole) * share)])


@pytest.mark.parametrize("share", [0.3, 0.6, 0.97])
@pytest.mark.parametrize(
    "options",
    [
        {},
        {"imagej": True, "metadata": {"axes": "TYX"}},
        {"ome": True, "metadata": {"axes": "TYX"}},
        {"compression": "zlib"},
    ],
    ids=str,
)
def test_a_truncated_file_says_so(tmp_path, options, share):
    path = tmp_path / "c.tif"
    tifffile.imwrite(path, COUNTS, **options)
    cut(path, share)
    with pytest.raises(AlloyError, match=r"c\.tif is truncated or damaged; copy it again"):
        open_stack(path)


@pytest.mark.parametrize("share", [0.3, 0.6, 0.97])
@pytest.mark.parametrize("compression", [None, "lzw"])
def test_a_truncated_file_of_single_pages_says_so(tmp_path, compression, share):
    path = tmp_path / "c.tif"
    with tifffile.TiffWriter(path) as tif:
        for frame in COUNTS:
            tif.write(frame, contiguous=False, metadata=None, compression=compression)
    cut(path, share)
    with pytest.raises(AlloyError, match=r"c\.tif is truncated or damaged"):
        open_stack(path)


def test_bad_input_is_one_sentence(tmp_path):
    (tmp_path / "text.tif").write_text("time_s,counts\n0,1\n")
    (tmp_path / "empty.tif").write_bytes(b"")
    (tmp_path / "notes.docx").write_bytes(b"x")
    tifffile.imwrite(tmp_path / "c.tif", COUNTS.astype(np.complex64))
    tifffile.imwrite(
        tmp_path / "d.tif", np.zeros((3, 5, 8, 9), np.uint16), photometric="minisblack"
    )
    for name, sentence in {
        "none.tif": r"none\.tif does not exist; check its path\.",
        "text.tif": r"text\.tif cannot be read as a TIFF file .*check that it is a TIFF",
        "empty.tif": r"empty\.tif is empty",
        "notes.docx": r"notes\.docx: files ending in \.docx are not read; give TIFF",
        "c.tif": r"c\.tif holds numbers of type complex64",
        "d.tif": r"d\.tif holds 3 x 5 frames along axes it does not name",
    }.items():
        with pytest.raises(AlloyError, match=sentence):
            open_stack(tmp_path / name)


@pytest.fixture(scope="module")
def whole_files(tmp_path_factory):
    """A file of each layout, whole."""
    folder = tmp_path_factory.mktemp("whole")
    small = COUNTS[:3, :8, :8]
    tifffile.imwrite(folder / "0.tif", small, photometric="minisblack")
    tifffile.imwrite(folder / "1.tif", small, imagej=True, metadata={"axes": "TYX"})
    tifffile.imwrite(
        folder / "2.ome.tif", small, photometric="minisblack", metadata={"axes": "TYX"}
    )
    tifffile.imwrite(folder / "3.tif", small, photometric="minisblack", compression="zlib")
    with tifffile.TiffWriter(folder / "4.tif") as tif:
        for frame in small:
            tif.write(frame, contiguous=False, metadata=None)
    return [p.read_bytes() for p in sorted(folder.iterdir())], small


@settings(max_examples=100, deadline=None)
@given(kind=st.integers(0, 4), share=st.floats(0.001, 1))
def test_a_part_of_a_file_is_refused_or_holds_everything(
    whole_files, tmp_path_factory, kind, share
):
    files, counts = whole_files
    path = tmp_path_factory.getbasetemp() / "part.tif"
    path.write_bytes(files[kind][: int(len(files[kind]) * share)])
    try:
        recording = one(path)
    except AlloyError:
        return
    assert_holds(recording, counts)


@pytest.mark.parametrize("axes", ["TYX", "TCYX", "TZCYX", "CTYX"])
def test_the_memory_map_is_what_is_read(tmp_path, axes):
    sizes = {"T": 5, "C": 2, "Z": 3, "Y": 6, "X": 7}
    shape = tuple(sizes[a] for a in axes)
    counts = np.arange(np.prod(shape), dtype=np.uint16).reshape(shape)
    tifffile.imwrite(tmp_path / "a.ome.tif", counts, metadata={"axes": axes})
    for recording in open_stack(tmp_path / "a.ome.tif", frame_interval_s=1.0):
        assert isinstance(recording.mapped, np.ndarray)
        assert recording.mapped.base is not None
        for t in range(recording.n_frames):
            assert np.array_equal(recording.mapped[t], recording.read(t))


@pytest.mark.parametrize("how", [{"compression": "zlib"}, {"byteorder": ">"}, {"photometric": 0}])
def test_counts_that_are_stored_otherwise_have_no_memory_map(tmp_path, how):
    counts = np.arange(5 * 42, dtype=np.uint16).reshape(5, 6, 7)
    tifffile.imwrite(tmp_path / "a.tif", counts, metadata={"axes": "TYX"}, **how)
    (recording,) = open_stack(tmp_path / "a.tif", frame_interval_s=1.0)
    assert recording.mapped is None
