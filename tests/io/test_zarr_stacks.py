"""OME-Zarr 0.4 and 0.5, and plain Zarr."""

import numpy as np
import pytest
import zarr

from napari_lithium_alloy.core.errors import AlloyError
from napari_lithium_alloy.io.image_stacks import open_stack

COUNTS = np.random.default_rng(4).integers(0, 4000, (5, 2, 12, 14), dtype=np.uint16)
AXES = [
    {"name": "t", "type": "time", "unit": "millisecond"},
    {"name": "c", "type": "channel"},
    {"name": "y", "type": "space", "unit": "micrometer"},
    {"name": "x", "type": "space", "unit": "micrometer"},
]


def ome(version):
    datasets = [
        {
            "path": "0",
            "coordinateTransformations": [{"type": "scale", "scale": [1.0, 1.0, 0.13, 0.13]}],
        }
    ]
    image = {
        "axes": AXES,
        "datasets": datasets,
        "coordinateTransformations": [{"type": "scale", "scale": [500.0, 1.0, 1.0, 1.0]}],
    }
    image["version"] = version
    return {
        "multiscales": [image],
        "omero": {"channels": [{"label": "trans"}, {"label": "epi"}]},
    }


def write(path, version):
    group = zarr.open_group(str(path), mode="w", zarr_format=2 if version == "0.4" else 3)
    group.create_array("0", data=COUNTS, chunks=(1, 1, 12, 14))
    group.attrs.update(ome(version) if version == "0.4" else {"ome": ome(version)})
    return group


@pytest.mark.parametrize("version", ["0.4", "0.5"])
def test_ome_zarr(tmp_path, version):
    write(tmp_path / "cell.ome.zarr", version)
    recordings = open_stack(tmp_path / "cell.ome.zarr")
    assert [r.name for r in recordings] == ["cell channel trans", "cell channel epi"]
    for c, recording in enumerate(recordings):
        np.testing.assert_array_equal(np.asarray(recording.frames), COUNTS[:, c])
        np.testing.assert_array_equal(
            recording.read(3, slice(2, 7), slice(1, 4)), COUNTS[3, c, 2:7, 1:4]
        )
        np.testing.assert_allclose(recording.times_s, np.arange(5) * 0.5)
        assert recording.times_source == "OME-Zarr scale"
        assert recording.pixel_size_um == pytest.approx(0.13)
    (epi,) = open_stack(tmp_path / "cell.ome.zarr", channel="epi")
    np.testing.assert_array_equal(np.asarray(epi.frames), COUNTS[:, 1])


@pytest.mark.parametrize("zarr_format", [2, 3])
def test_plain_arrays(tmp_path, zarr_format):
    path = tmp_path / "film_epi.zarr"
    zarr.create_array(str(path), data=COUNTS[:, 0], zarr_format=zarr_format)
    (recording,) = open_stack(path)
    np.testing.assert_array_equal(np.asarray(recording.frames), COUNTS[:, 0])
    np.testing.assert_array_equal(np.asarray(recording.frames[::-1, ::-2]), COUNTS[::-1, 0, ::-2])
    assert (recording.name, recording.mode) == ("film_epi", "epi")
    assert recording.times_source.startswith("frame number")


def test_positions_of_a_collection(tmp_path):
    root = zarr.open_group(str(tmp_path / "p.zarr"), mode="w", zarr_format=2)
    root.attrs["bioformats2raw.layout"] = 3
    for k in ("0", "1", "10"):
        group = root.create_group(k)
        group.create_array("0", data=COUNTS + int(k), chunks=(1, 1, 12, 14))
        group.attrs.update(ome("0.4"))
    (last,) = open_stack(tmp_path / "p.zarr", position=2, channel=0)
    np.testing.assert_array_equal(np.asarray(last.frames), COUNTS[:, 0] + 10)
    assert len(open_stack(tmp_path / "p.zarr")) == 6


def test_what_is_no_image_is_refused(tmp_path):
    group = zarr.open_group(str(tmp_path / "g.zarr"), mode="w")
    with pytest.raises(AlloyError, match=r"g\.zarr holds 0 arrays and no image"):
        open_stack(tmp_path / "g.zarr")
    group.attrs["ome"] = {"plate": {}}
    with pytest.raises(AlloyError, match=r"g\.zarr is a plate"):
        open_stack(tmp_path / "g.zarr")
    zarr.create_array(str(tmp_path / "a.zarr"), data=np.zeros(4))
    with pytest.raises(AlloyError, match=r"a\.zarr holds float64 of shape \(4,\), not frames"):
        open_stack(tmp_path / "a.zarr")
    (tmp_path / "b.zarr").mkdir()
    (tmp_path / "b.zarr" / "zarr.json").write_text("{")
    with pytest.raises(AlloyError, match=r"b\.zarr cannot be read as Zarr"):
        open_stack(tmp_path / "b.zarr")
