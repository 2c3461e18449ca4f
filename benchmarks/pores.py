"""How near pores come to what was planted, and how long they take."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

import dask.array as da
import numpy as np
import pandas as pd
from skimage.filters import threshold_otsu
from skimage.measure import label, regionprops_table

from benchmarks.timing import Row, median_s
from napari_lithium_alloy.core.photometry import reference_frame
from napari_lithium_alloy.core.pore_tracking import PoreTracks, track_pores
from napari_lithium_alloy.core.progress import finish
from napari_lithium_alloy.core.recording import Mode, Recording
from napari_lithium_alloy.core.synthetic import (
    Synthetic,
    SyntheticParameters,
    ag_parameters,
    au_parameters,
    make_recording,
)
from napari_lithium_alloy.parts import pore_windows

FWHM = 2.3548
SHORT: dict[str, Any] = {"sei_s": 3.0, "deposition_s": 8.0, "frame_interval_s": 4.0}
"""Nothing before dissolution is looked at, so little of it is made."""
GOLD: dict[str, dict[str, Any]] = {
    "clean": {},
    "point spread 1.8 px": {"psf_sigma_px": 1.8},
    "point spread 2.5 px": {"psf_sigma_px": 2.5},
    "2 x noise": {"photo_electrons": 2600 / 4, "bits": 16},
    "4 x noise": {"photo_electrons": 2600 / 16, "bits": 16},
    "4 x noise, 2.5 px": {"photo_electrons": 2600 / 16, "bits": 16, "psf_sigma_px": 2.5},
    "substrate 1.4 x film": {"substrate_transmittance": 1.4},
    "substrate 3.5 x film": {"substrate_transmittance": 3.5, "bits": 16},
    "residual absorbance 0.05": {"residual_absorbance": 0.05},
    "many pinholes": {"pinholes": 12},
    "bare glass, dust": {"bare_glass_um": 1.5, "dust": 8},
    "small pores": {"area_um2": 0.07, "area_sigma": 0.2},
    "large pores": {"area_um2": 0.3},
    "dense": {"count": 28, "spacing_um": 0.9},
    "pixel 0.1 um": {"pixel_size_um": 0.1},
    "pixel 0.04 um, 2.2 px": {"pixel_size_um": 0.04, "psf_sigma_px": 2.2, "shape": (288, 288)},
}
_CLUSTERED: dict[str, Any] = {
    "count": 123,
    "without_site": 2,
    "spacing_um": 0.72,
    "pinholes": 0,
    "merging_pairs": 0,
    "pore_fraction": 1.0,
    "dead_fraction": 0.0,
    "avoid_extremes": 0.0,
    "shape": (256, 256),
    "deposition_s": 12.0,
    "frame_interval_s": 6.0,
}
SILVER: dict[str, dict[str, Any]] = {
    "pairs": {"deposition_s": 12.0},
    "pairs, 2 px": {"deposition_s": 12.0, "psf_sigma_px": 2.0},
    "125 pores to about 90": _CLUSTERED | {"growth_per_cycle": 2.2},
    "125 pores to about 50": _CLUSTERED | {"growth_per_cycle": 2.7},
    "the same, 2 x noise": _CLUSTERED
    | {"growth_per_cycle": 2.7, "photo_electrons": 2600 / 4, "bits": 16},
    "the same, 2 px": _CLUSTERED | {"growth_per_cycle": 2.7, "psf_sigma_px": 2.0},
    "frames of 2 s": _CLUSTERED | {"growth_per_cycle": 2.5, "frame_interval_s": 2.0},
}
SEEDS = (201, 202)
TIMED: dict[str, Any] = SHORT | {"shape": (512, 512), "count": 110, "frame_interval_s": 1.0}


def pore_table(seeds: tuple[int, ...] = SEEDS) -> pd.DataFrame:
    """Count and total area at the end of each of three cycles, and merges found; a row a cell.

    A merge is found if it is told within one frame of the first that holds it, of both pores it
    was planted between.
    """
    rows = []
    for seed in seeds:
        for name, changes in GOLD.items():
            cell = au_parameters(seed=seed, cycles=3, **(SHORT | {"count": 10} | changes))
            for mode in ("trans", "epi") if name == "clean" else ("trans",):
                rows.append({"cell": f"Au, {name}, {mode}", **_row(cell, mode)})
        for name, changes in SILVER.items():
            rows.append({"cell": f"Ag, {name}", **_row(ag_parameters(seed=seed, **changes))})
    return pd.DataFrame(rows)


def single_pore_table(psf_known: bool = True) -> pd.DataFrame:
    """Median and 90 % quantile of the error of single pores' areas, %, by size and point spread."""
    bins = [0.05, 0.08, 0.125, 0.2, 0.32, 0.5]
    rows = []
    for sigma in (1.3, 1.6, 2.0, 2.5):
        pairs = [
            _single_areas(
                au_parameters(seed=300 + s, psf_sigma_px=sigma, area_um2=a, **_SINGLE), psf_known
            )
            for s, a in enumerate((0.06, 0.1, 0.16, 0.25, 0.35))
        ]
        truth, found = (np.concatenate(column) for column in zip(*pairs, strict=True))
        error = 100 * np.abs(found / truth - 1)
        row: dict[str, Any] = {"point spread (px)": sigma, "missed": int(np.isnan(found).sum())}
        row["median"] = float(np.nanmedian(error))
        row["bias"] = float(np.nanmedian(100 * (found / truth - 1)))
        for low, high in itertools.pairwise(bins):
            own = error[(truth >= low) & (truth < high)]
            row[f"{low}-{high} um2"] = float(np.nanmedian(own)) if own.size else np.nan
        row["90 % under"] = float(np.nanquantile(error, 0.9))
        rows.append(row)
    return pd.DataFrame(rows)


_SINGLE: dict[str, Any] = SHORT | {"count": 14, "area_sigma": 0.25, "spacing_um": 2.2}


def _single_areas(cell: SyntheticParameters, psf_known: bool) -> tuple[np.ndarray, np.ndarray]:
    """Planted and found areas at the end; NaN where there is no pore within 0.2 um."""
    made, tracks = tracked(cell, psf_known=psf_known)
    truth = made.truth.pores[made.truth.pores["cycle"] == 1]
    last = tracks.pores[tracks.pores["time_s"] == tracks.times_s[-1]]
    far = np.hypot(
        truth["y_um"].to_numpy()[:, None] - last["y_um"].to_numpy(float),
        truth["x_um"].to_numpy()[:, None] - last["x_um"].to_numpy(float),
    )
    nearest = far.argmin(axis=1)
    area = last["area_um2"].to_numpy(float)[nearest]
    return truth["area_um2"].to_numpy(), np.where(far.min(axis=1) < 0.2, area, np.nan)


def tracked(
    cell: SyntheticParameters, mode: Mode = "trans", *, psf_known: bool = True
) -> tuple[Synthetic, PoreTracks]:
    """A planted cell and its pores over all cycles."""
    made = make_recording(cell)
    return made, _tracker(made, cell, made.experiment.recording(mode), psf_known=psf_known)()


def _tracker(
    made: Synthetic, cell: SyntheticParameters, recording: Recording, *, psf_known: bool = True
) -> Callable[[], PoreTracks]:
    """What finds and follows the pores of a planted cell."""
    reference = reference_frame(recording, current_starts_s=made.experiment.current_starts_s())
    trans = recording.mode == "trans"
    return lambda: finish(
        track_pores(
            recording,
            pore_windows(made.experiment.stages),
            reference,
            psf_sigma_px=cell.camera.psf_sigma_px if psf_known else None,
            substrate=cell.onset.substrate_transmittance if trans else cell.epi.pore_reflectance,
        )
    )


def pore_row() -> Row:
    """Pores of a cell found, measured and followed, beside scikit-image's threshold and labels."""
    cell = au_parameters(seed=1, **TIMED)
    made = make_recording(cell)
    lazy = made.experiment.recording("trans")
    frames = np.asarray(lazy.frames)
    recording = lazy.replace(frames=da.from_array(frames, chunks=(1, -1, -1)), window=None)
    (window,) = pore_windows(made.experiment.stages)
    own = frames[recording.frames_between(window.start_s, window.end_s)]
    first = frames[: len(frames) // 20].mean(axis=0)

    def plain() -> None:
        for counts in own:
            light = counts / first
            regions = label(light > threshold_otsu(light))
            regionprops_table(regions, properties=("label", "area", "centroid"))

    seconds = median_s(_tracker(made, cell, recording), runs=3)
    baseline = median_s(plain, runs=3)
    name = f"pores, {' x '.join(map(str, own.shape))}"
    return Row(name, seconds, seconds / baseline, "scikit-image's threshold, labels, regionprops")


def _row(cell: SyntheticParameters, mode: Mode = "trans") -> dict[str, Any]:
    made, tracks = tracked(cell, mode)
    ends = tracks.summary.groupby("cycle").last()
    truth = made.truth.pore_summary.set_index("cycle")
    row: dict[str, Any] = {}
    for cycle in ends.index:
        own = made.truth.pores[made.truth.pores["cycle"] == cycle]
        row[f"planted {cycle}"] = len(own)
        row[f"found {cycle}"] = int(ends["count"][cycle])
        area = ends["total_area_um2"][cycle] / truth["total_area_um2"][cycle]
        row[f"area {cycle} (%)"] = float(100 * (area - 1))
    hits, total = merges_found(made, tracks)
    told = int((tracks.events["event"] == "merge").sum())
    return row | {"merges": total, "hit": hits, "told": told}


def merges_found(made: Synthetic, tracks: PoreTracks) -> tuple[int, int]:
    """Planted merges that are told at the right frame, one more or less, of the right parents."""
    holes = made.renderers["trans"].holes
    told = tracks.events[tracks.events["event"] == "merge"]
    hits, total = 0, 0
    for merge in made.truth.merges.itertuples():
        right = int(np.searchsorted(tracks.times_s, merge.time_s))
        if right >= len(tracks.times_s):
            continue
        total += 1
        places = [holes[int(p) - 1] for p in merge.parents.split()]
        for event in told.itertuples():
            k = int(np.searchsorted(tracks.times_s, event.time_s))
            if abs(k - right) > 1 or k == 0:
                continue
            before = np.asarray(tracks.labels[k - 1])
            own = {int(before[round(h.y), round(h.x)]) for h in places}
            if own <= {int(p) for p in event.parents.split()}:
                hits += 1
                break
    return hits, total
