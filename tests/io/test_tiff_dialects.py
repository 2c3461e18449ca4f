"""What particular programs write: Micro-Manager, OME in parts, MetaMorph, Zeiss LSM."""

import json
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import tifffile

from napari_lithium_alloy.core.errors import AlloyError
from napari_lithium_alloy.io import tiff_metadata
from napari_lithium_alloy.io.image_stacks import open_stack

COUNTS = np.random.default_rng(7).integers(0, 4000, (5, 12, 14), dtype=np.uint16)
MICRO_MANAGER_TAG = 51123


def write_pages(path, frames, *, compression=None, description=None, tags=None):
    with tifffile.TiffWriter(path) as tif:
        for i, frame in enumerate(frames):
            tif.write(
                frame,
                contiguous=False,
                metadata=None,
                compression=compression,
                description=description if i == 0 else None,
                extratags=[tags[i]] if tags else [],
            )


def ome_xml(n_times, places):
    """OME-XML whose plane of time t is page i of a file, for (t, i, file) in places."""
    planes = "".join(
        f'<TiffData FirstT="{t}" IFD="{i}" PlaneCount="1">'
        f'<UUID FileName="{file}">urn:uuid:{file}</UUID></TiffData>'
        for t, i, file in places
    )
    return (
        '<?xml version="1.0"?><OME UUID="urn:uuid:a.ome.tif" '
        'xmlns="http://www.openmicroscopy.org/Schemas/OME/2016-06"><Image ID="Image:0">'
        '<Pixels ID="Pixels:0" DimensionOrder="XYZCT" Type="uint16" SizeX="14" SizeY="12" '
        f'SizeZ="1" SizeC="1" SizeT="{n_times}" TimeIncrement="2">'
        f'<Channel ID="Channel:0:0" SamplesPerPixel="1"/>{planes}</Pixels></Image></OME>'
    )


def test_micro_manager_elapsed_times_of_each_page(tmp_path):
    elapsed_ms = [13.0, 1050.0, 2990.5, 4000.0, 5200.0]
    tags = [
        (MICRO_MANAGER_TAG, "s", 0, json.dumps({"Camera": "x", "ElapsedTime-ms": ms}), True)
        for ms in elapsed_ms
    ]
    write_pages(tmp_path / "mm.tif", COUNTS, tags=tags)
    (recording,) = open_stack(tmp_path / "mm.tif")
    np.testing.assert_allclose(recording.times_s, np.array(elapsed_ms) / 1000)
    assert recording.times_source == "Micro-Manager ElapsedTime-ms"


@pytest.mark.parametrize("share", [0.3, 0.9, 0.999])
def test_a_truncated_micro_manager_stack_says_so(shared, tmp_path, share):
    (stack,) = (shared / "real/stacks").glob("*MMStack.ome.tif")
    whole = stack.read_bytes()
    (tmp_path / stack.name).write_bytes(whole[: int(len(whole) * share)])
    with pytest.raises(AlloyError, match="is truncated or damaged"):
        open_stack(tmp_path / stack.name)


@pytest.mark.parametrize("compression", [None, "zlib"])
def test_frames_that_were_never_recorded_leave_a_gap_in_time(tmp_path, compression):
    xml = ome_xml(7, [(0, 0, "a.ome.tif"), (1, 1, "a.ome.tif"), (3, 2, "a.ome.tif")])
    write_pages(tmp_path / "a.ome.tif", COUNTS[:3], compression=compression, description=xml)
    (recording,) = open_stack(tmp_path / "a.ome.tif")
    np.testing.assert_array_equal(np.asarray(recording.frames), COUNTS[:3])
    np.testing.assert_array_equal(recording.times_s, [0, 2, 6])
    assert "4 frames that were never recorded are left out." in recording.notes


@pytest.mark.parametrize("compression", [None, "zlib"])
def test_ome_in_several_files(tmp_path, compression):
    places = [(t, t % 3, "a.ome.tif" if t < 3 else "b.ome.tif") for t in range(5)]
    xml = ome_xml(5, places)
    write_pages(tmp_path / "a.ome.tif", COUNTS[:3], compression=compression, description=xml)
    other = xml.replace('UUID="urn:uuid:a.ome.tif"', 'UUID="urn:uuid:b.ome.tif"')
    write_pages(tmp_path / "b.ome.tif", COUNTS[3:], compression=compression, description=other)
    (recording,) = open_stack(tmp_path / "a.ome.tif")
    np.testing.assert_array_equal(np.asarray(recording.frames), COUNTS)


@pytest.mark.parametrize("compression", [None, "zlib"])
def test_many_threads_read_one_file(tmp_path, compression):
    frames = np.concatenate([COUNTS + k for k in range(8)])
    write_pages(tmp_path / "c.tif", frames, compression=compression)
    (recording,) = open_stack(tmp_path / "c.tif")
    order = np.random.default_rng(0).integers(0, len(frames), 300)
    with ThreadPoolExecutor(8) as pool:
        read = list(pool.map(recording.read, order.tolist()))
    np.testing.assert_array_equal(read, frames[order])


def test_metamorph_creation_times():
    created = np.array(["2020-01-01T10:00:00.000", "2020-01-01T10:00:01.250"], "datetime64[ms]")
    timing = tiff_metadata.stk_timing({"DatetimeCreated": created})
    np.testing.assert_allclose(timing.plane_times_s[:, 0, 0], [0, 1.25])
    assert tiff_metadata.stk_timing({}).plane_times_s is None


def test_lsm_time_stamps_before_their_interval():
    timing = tiff_metadata.lsm_timing({"TimeStamps": [0.5, 1.75], "TimeIntervall": 1.0})
    np.testing.assert_allclose(timing.plane_times_s[:, 0, 0], [0.5, 1.75])
    assert timing.interval_s == 1.0
    assert tiff_metadata.lsm_timing({}).plane_times_s is None
