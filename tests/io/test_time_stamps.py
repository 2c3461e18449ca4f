"""When the first frame was taken, as image files say it."""

import sys
from datetime import UTC, datetime, timedelta, timezone
from types import SimpleNamespace

import numpy as np
import pytest
import tifffile

from napari_lithium_alloy.io.image_stacks import open_stack
from napari_lithium_alloy.io.tiff_metadata import stk_timing

COUNTS = np.zeros((3, 6, 7), np.uint16)
AT = datetime(2021, 2, 3, 16, 17, 59)


def one(path, **more):
    (recording,) = open_stack(path, **more)
    return recording


def write_ome(path, stamp, name="AcquisitionDate", delta=True):
    metadata = {"axes": "TYX"}
    if delta:
        metadata["Plane"] = {"DeltaT": [1.25, 2.5, 4.0], "DeltaTUnit": ["s"] * 3}
    tifffile.imwrite(path, COUNTS, metadata=metadata)
    if stamp is not None:
        xml = tifffile.tiffcomment(path).replace("<Pixels", f"<{name}>{stamp}</{name}><Pixels")
        tifffile.tiffcomment(path, xml.encode())


@pytest.mark.parametrize("name", ["AcquisitionDate", "AcquiredDate"])
@pytest.mark.parametrize(
    ("stamp", "at"),
    [
        ("2021-02-03T16:17:59", AT),
        ("2021-02-03T16:17:59Z", AT.replace(tzinfo=UTC)),
        ("yesterday", None),
        (None, None),
    ],
)
def test_ome_with_and_without_times_of_planes(tmp_path, name, stamp, at):
    write_ome(tmp_path / "a.ome.tif", stamp, name)
    expected = at and at + timedelta(seconds=1.25)
    assert one(tmp_path / "a.ome.tif").first_frame_at == expected
    typed = one(tmp_path / "a.ome.tif", frame_interval_s=1.0)
    assert typed.times_s[0] == 0
    assert typed.first_frame_at == expected
    write_ome(tmp_path / "b.ome.tif", stamp, name, delta=False)
    assert one(tmp_path / "b.ome.tif").first_frame_at == at


def test_a_folder_of_frames_starts_with_its_first(tmp_path):
    for i in range(3):
        path = tmp_path / f"{i}.ome.tif"
        tifffile.imwrite(path, COUNTS[0], metadata={"axes": "YX"})
        stamp = (AT + timedelta(seconds=i)).isoformat()
        xml = tifffile.tiffcomment(path)
        xml = xml.replace("<Pixels", f"<AcquisitionDate>{stamp}</AcquisitionDate><Pixels")
        tifffile.tiffcomment(path, xml.encode())
    assert one(tmp_path).first_frame_at == AT


def test_plain_tiff_says_nothing(tmp_path):
    tifffile.imwrite(tmp_path / "a.tif", COUNTS, photometric="minisblack", datetime=AT)
    assert one(tmp_path / "a.tif").first_frame_at is None


def test_micro_manager(shared):
    file = "real/stacks/181003_multi_pos_time_course_1_MMStack.ome.tif"
    first, second = open_stack(shared / file)
    start = datetime(2018, 10, 3, 13, 54, 41, tzinfo=timezone(timedelta(hours=-7)))
    assert first.first_frame_at == start + timedelta(seconds=1.348)
    assert second.first_frame_at == start + timedelta(seconds=1.891)


def test_metamorph():
    created = [np.datetime64(AT, "ms") + np.timedelta64(500 * i, "ms") for i in range(3)]
    timing = stk_timing({"DatetimeCreated": created})
    assert timing.started == AT
    np.testing.assert_allclose(timing.plane_times_s.ravel(), [0, 0.5, 1])


@pytest.mark.parametrize("julian", [None, 0.0, 2459249.1798611111])
def test_nd2_counts_julian_days_in_utc(tmp_path, monkeypatch, julian):
    time = SimpleNamespace(relativeTimeMs=1500.0)
    if julian is not None:
        time.absoluteJulianDayNumber = julian
    file = SimpleNamespace(
        sizes={"T": 1, "Y": 6, "X": 7},
        loop_indices=({"T": 0},),
        attributes=SimpleNamespace(bitsPerComponentSignificant=16),
        dtype=np.dtype("uint16"),
        metadata=SimpleNamespace(channels=[]),
        read_frame=lambda k: COUNTS[k],
        voxel_size=lambda: SimpleNamespace(x=0.1, y=0.1, z=1.0),
        frame_metadata=lambda k: SimpleNamespace(channels=[SimpleNamespace(time=time)]),
        close=lambda: None,
    )
    monkeypatch.setitem(sys.modules, "nd2", SimpleNamespace(ND2File=lambda path: file))
    (tmp_path / "a.nd2").write_bytes(b"x")
    at = one(tmp_path / "a.nd2").first_frame_at
    if not julian:
        assert at is None
    else:
        assert abs(at - datetime(2021, 2, 3, 16, 19, tzinfo=UTC)) < timedelta(milliseconds=1)
