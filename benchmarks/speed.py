"""How long things take, beside plain ways to do the same."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import dask.array as da
import numpy as np
import tifffile
from scipy.ndimage import gaussian_filter
from skimage.feature import blob_log

from benchmarks.imagej import COLOUR_CODE, REGION_CURVE, imagej_s
from benchmarks.timing import Row, median_s, peak_mb
from napari_lithium_alloy.core.colorcode import color_code, lut, projection
from napari_lithium_alloy.core.complementarity import correlate
from napari_lithium_alloy.core.curves import region_curves
from napari_lithium_alloy.core.nucleation import NucleationParameters
from napari_lithium_alloy.core.onset import onset_map
from napari_lithium_alloy.core.photometry import reference_frame, transmittance
from napari_lithium_alloy.core.progress import finish
from napari_lithium_alloy.core.recording import Recording, Region
from napari_lithium_alloy.core.site_detection import find_candidates
from napari_lithium_alloy.core.site_templates import growing_disc
from napari_lithium_alloy.io.image_stacks import open_stack

FRAMES, SIDE = 120, 512
SITES_SHAPE = (60, 512, 512)
STAGE_SHAPE = (300, 1024, 1024)
LARGE_FRAMES = 2400
NULL_SIDE = 1024
DRAGGED_SHAPE = (720, 2048, 2048)


def speed_rows(folder: Path) -> Iterator[Row]:
    yield from _stage(folder)
    recording = _written(folder / "front.tif", (FRAMES, SIDE, SIDE))
    stack = tifffile.memmap(folder / "front.tif")
    yield _sites()
    yield _null()

    lazy = transmittance(recording, reference_frame(recording))
    step = median_s(lambda: np.asarray(lazy[FRAMES // 2]))
    raw = median_s(lambda: np.array(stack[FRAMES // 2], dtype=float))
    yield Row("slider step, normalized layer", step, step / raw, "one raw frame as float")
    yield from _dragging(folder)
    yield from _opening(folder)


def _stage(folder: Path) -> Iterator[Row]:
    """Onset map and colour code of one long stage; compiling is a row of its own."""
    path = folder / "stage.tif"
    recording, end = _written(path, STAGE_SHAPE), float(STAGE_SHAPE[0])
    stack = tifffile.memmap(path, mode="r")
    table = lut("Fire")
    for name, work in (
        ("onset map", lambda: finish(onset_map(recording, 0, end))),
        ("temporal colour code (Fiji's)", lambda: finish(projection(recording, table, 0, end))),
    ):
        start = time.perf_counter()
        work()
        first = time.perf_counter() - start
        plain = median_s(lambda: stack.sum())
        seconds = median_s(work)
        label = f"{name}, {' x '.join(map(str, STAGE_SHAPE))}"
        yield Row(
            label, seconds, seconds / plain, "one plain pass (sum of a memory map)", peak_mb(work)
        )
        yield Row("  its first call (loads or compiles)", first, first / seconds, "a later one")
    yield from _by_imagej(path, recording)
    seconds = median_s(lambda: finish(onset_map(recording, 0, end)))
    naive = median_s(lambda: _argmax_onset(stack), runs=1)
    yield Row("onset map", seconds, seconds / naive, "plain numpy -log10 and argmax")
    onset = finish(onset_map(recording, 0, end))
    plain, seconds = median_s(lambda: stack.sum()), median_s(lambda: color_code(onset))
    yield Row("colours of an onset map", seconds, seconds / plain, "one plain pass")


def _sites() -> Row:
    """Search for a disc each 29 px, 0.28 a square micrometre, beside scikit-image's blobs."""
    n, side = SITES_SHAPE[0], SITES_SHAPE[1]
    rng = np.random.default_rng(0)
    times = (np.arange(n) + 0.5) / n
    stack = np.ones(SITES_SHAPE, np.float32)
    for y, x in itertools.product(range(24, side - 24, 29), repeat=2):
        disc = growing_disc(rng.uniform(4, 7), rng.uniform(0, 0.3), np.split(times, n), 1.3)
        a, b = rng.integers(-3, 4, 2) + np.array([y, x]) - disc.shape[1] // 2
        stack[:, a : a + disc.shape[1], b : b + disc.shape[1]] *= 1 - 0.6 * disc
    noisy = 2000 * stack * (1 + 0.02 * rng.standard_normal(SITES_SHAPE, np.float32))
    counts = noisy.astype(np.uint16)
    recording = Recording(
        name="sites", frames=da.from_array(counts, chunks=(1, side, side)), times_s=times,
        pixel_size_um=0.065, mode="trans",
    )  # fmt: skip
    parameters = NucleationParameters(psf_sigma_px=1.3)
    seconds = median_s(lambda: finish(find_candidates(recording, 0, 1, parameters)), runs=3)
    plain = median_s(lambda: _blobs(counts), runs=3)
    label = f"search for sites, {' x '.join(map(str, SITES_SHAPE))}"
    memory = peak_mb(lambda: finish(find_candidates(recording, 0, 1, parameters)))
    return Row(label, seconds, seconds / plain, "scikit-image's blob_log on their change", memory)


def _blobs(counts: np.ndarray) -> np.ndarray:
    """(N, 3) blobs of radii of 3 to 8 px in the change from the first frames to the last."""
    change = -np.log10(counts[-5:].mean(axis=0) / counts[:5].mean(axis=0))
    return blob_log(change, min_sigma=3 / 2**0.5, max_sigma=8 / 2**0.5, num_sigma=8, threshold=0.02)


def _null() -> Row:
    """r of two smooth maps with all its nulls, beside one shift and its r made plainly."""
    rng = np.random.default_rng(0)
    a, b = (gaussian_filter(rng.standard_normal((NULL_SIDE, NULL_SIDE)), 6.0) for _ in range(2))
    seconds = median_s(lambda: correlate(a, b), runs=3)
    shift = median_s(lambda: np.corrcoef(a.ravel(), np.roll(b, (99, 55), (0, 1)).ravel()), runs=3)
    label = f"r with the null of all shifts, {NULL_SIDE} x {NULL_SIDE}"
    return Row(label, seconds, seconds / shift, "numpy's r after one shift")


def _by_imagej(path: Path, recording: Recording) -> Iterator[Row]:
    """Colour code and the curve of a region, beside ImageJ's macros on the same file."""
    end = float(STAGE_SHAPE[0])
    corners = np.array([(199.5, 199.5), (199.5, 299.5), (299.5, 299.5), (299.5, 199.5)])
    region = Region(name="Area Init", vertices_px=corners)
    reference = reference_frame(recording)
    jobs = {
        "temporal colour code (Fiji's)": (
            COLOUR_CODE,
            lambda: finish(projection(recording, lut("Fire"), 0, end)),
        ),
        "curve of a region of 100 x 100 px": (
            REGION_CURVE,
            lambda: finish(region_curves(recording, reference, [region], with_field=False)),
        ),
    }
    for name, (job, work) in jobs.items():
        theirs = imagej_s(path, job)
        if theirs is not None:
            seconds = median_s(work, runs=3)
            yield Row(name, seconds, seconds / theirs, f"ImageJ's macro ({theirs:.1f} s)")


def _written(path: Path, shape: tuple[int, int, int]) -> Recording:
    """A curved front that sweeps a field, as a plain TIFF."""
    rng = np.random.default_rng(0)
    n, height, width = shape
    bend = 0.02 * n * np.sin(np.arange(width) * 2 * np.pi / width)
    onset = np.linspace(0.1 * n, 0.9 * n, height)[:, np.newaxis] + bend
    stack = tifffile.memmap(
        path, shape=shape, dtype=np.uint16, metadata={"axes": "TYX"}, photometric="minisblack"
    )
    for t in range(n):
        level = 1 / (1 + np.exp(np.clip(onset - t, -50, 50)))
        stack[t] = rng.poisson(2600 * 10 ** (-0.22 * level))
    stack.flush()
    return open_stack(path, mode="trans", frame_interval_s=1.0, pixel_size_um=0.065, dark=0.0)[0]


def _dragging(folder: Path) -> Iterator[Row]:
    """Curves of a 100 x 100 px region that moves, rendering excluded; all pages cached."""
    plain, packed = folder / "long.tif", folder / "packed.tif"
    stack = tifffile.memmap(plain, shape=DRAGGED_SHAPE, dtype=np.uint16, metadata={"axes": "TYX"})
    picture = np.full(DRAGGED_SHAPE[1:], 2000, np.uint16)
    picture[150:350, 150:350] = np.random.default_rng(0).poisson(2000, (200, 200))
    stack[:5], stack[:, 150:350, 150:350] = picture, picture[150:350, 150:350]
    frames = itertools.repeat(picture, DRAGGED_SHAPE[0])
    tifffile.imwrite(
        packed,
        frames,
        shape=DRAGGED_SHAPE,
        dtype=np.uint16,
        compression="zlib",
        metadata={"axes": "TYX"},
    )
    window = median_s(lambda: stack[:, 200:300, 200:300].mean(axis=(1, 2)), runs=15)
    for path, name in ((plain, "plain TIFF"), (packed, "deflate TIFF")):
        recording = open_stack(path, mode="trans", frame_interval_s=1.0, dark=0.0)[0]
        seconds = median_s(_drag(recording), runs=15)
        yield Row(
            f"ROI 100 x 100 px of 720 x 2048 x 2048, {name}",
            seconds,
            seconds / window,
            "numpy's mean of that window of a memory map",
        )


def _drag(recording: Recording) -> Callable[[], object]:
    """What makes the curve of a region that lies elsewhere each time."""
    reference = reference_frame(recording)
    corners = np.array([(199.5, 199.5), (199.5, 299.5), (299.5, 299.5), (299.5, 199.5)])
    places = itertools.cycle(range(40))

    def drag() -> object:
        region = Region(name="Area Init", vertices_px=corners + next(places))
        return finish(region_curves(recording, reference, [region], with_field=False))

    return drag


def _argmax_onset(stack: np.ndarray) -> np.ndarray:
    absorbance = -np.log10(np.maximum(stack, 1) / stack[:5].mean(axis=0))
    return (absorbance > absorbance[-5:].mean(axis=0) / 2).argmax(axis=0)


def _opening(folder: Path) -> Iterator[Row]:
    """A sparse file of some tens of GB opens as a small one does."""
    times = []
    for name, frames in (("small.tif", 3), ("large.tif", LARGE_FRAMES)):
        path = folder / name
        tifffile.memmap(
            path,
            shape=(frames, 2048, 2048),
            dtype=np.uint16,
            bigtiff=True,
            metadata={"axes": "TYX"},
        )
        times.append(median_s(lambda p=path: open_stack(p, frame_interval_s=1.0)))
    size = LARGE_FRAMES * 2048 * 2048 * 2 / 1e9
    yield Row(f"opening {size:.0f} GB", times[1], times[1] / times[0], "opening 25 MB")
