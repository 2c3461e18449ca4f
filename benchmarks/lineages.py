"""Tracking 500 pores through 500 frames, against regionprops and laptrack."""

from __future__ import annotations

import time

import numpy as np
from scipy import ndimage
from skimage import measure

from benchmarks.timing import Row
from napari_lithium_alloy.core.lineage import lineage_of_labels

FRAMES, PORES, SIDE = 500, 500, 1024
LAPTRACK_FRAMES = 25
"""Frames that laptrack links; its time is for as many steps as all frames have."""


def planted_labels(frames: int = FRAMES, pores: int = PORES, side: int = SIDE) -> np.ndarray:
    """(T, Y, X) int32 labels of growing discs, some of which come to touch, numbered anew."""
    rng = np.random.default_rng(0)
    centres = rng.uniform(10, side - 10, (pores, 2))
    last = rng.uniform(4, 14, pores)
    stack = np.zeros((frames, side, side), np.int32)
    rows, columns = np.mgrid[-14:15, -14:15]
    from_centre = np.hypot(rows, columns)
    for t in range(frames):
        mask = np.zeros((side, side), bool)
        for (y, x), radius in zip(centres.round().astype(int), last, strict=True):
            low, left = max(y - 14, 0), max(x - 14, 0)
            high, right = min(y + 15, side), min(x + 15, side)
            disc = from_centre <= radius * (0.4 + 0.6 * t / frames)
            part = disc[low - y + 14 : high - y + 14, left - x + 14 : right - x + 14]
            mask[low:high, left:right] |= part
        stack[t] = ndimage.label(mask, np.ones((3, 3)))[0]
    return stack


def lineage_rows() -> list[Row]:
    """Linking only, and with areas and centres of every pore, against the plain loop."""
    labels = planted_labels()
    began = time.perf_counter()
    _, lineage = lineage_of_labels(labels, np.arange(len(labels), dtype=float))
    ours = time.perf_counter() - began
    regions = time.perf_counter()
    for one in labels:
        measure.regionprops_table(one, properties=("label", "area", "centroid"))
    regions = time.perf_counter() - regions
    laptrack = _laptrack_seconds(labels[-LAPTRACK_FRAMES:]) * (FRAMES - 1) / (LAPTRACK_FRAMES - 1)
    name = f"lineage of {PORES} pores in {FRAMES} frames ({lineage.count('merge')} merges)"
    return [Row(name, ours, ours / (regions + laptrack), "regionprops and laptrack's overlaps")]


def _laptrack_seconds(labels: np.ndarray) -> float:
    """Time of laptrack's overlap tracker with merges, by the same overlap as ours."""
    from laptrack import OverLapTrack

    tracker = OverLapTrack(
        metric_coefs=(1.0, 0.0, 0.0, 0.0, -1.0),
        merging_metric_coefs=(1.0, 0.0, 0.0, -1.0, 0.0),
        cutoff=0.5,
        gap_closing_max_frame_count=0,
        splitting_cutoff=False,
        merging_cutoff=0.5,
    )
    began = time.perf_counter()
    _, _, merges = tracker.predict_overlap_dataframe(list(labels))
    seconds = time.perf_counter() - began
    if not len(merges):
        raise RuntimeError("laptrack found no merge where discs come to touch; see its settings.")
    return seconds
