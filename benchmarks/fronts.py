"""How near front speeds come to planted ones, and how long they take."""

from __future__ import annotations

import dataclasses

import dask.array as da
import numpy as np
import pandas as pd
from scipy.ndimage import gaussian_gradient_magnitude

from benchmarks.timing import Row, median_s
from napari_lithium_alloy.core.front_speed import front_map
from napari_lithium_alloy.core.onset import OnsetMap, onset_map
from napari_lithium_alloy.core.progress import finish
from napari_lithium_alloy.core.recording import FloatArray, Recording

SIZE_UM, SIDE = 0.065, 200
RISE_S, LEAD_S = 1.0, 10.0
ELECTRONS = {"clean": 2600.0, "4 x noise": 2600.0 / 16}
CASES = ((0.05, 2.0), (0.2, 1.0), (0.5, 1.0), (0.5, 0.25), (1.0, 0.25), (2.0, 1.0), (2.0, 0.25))
"""Speeds in um/s and frame intervals in s."""
LARGE = 2048


def fronts_table() -> pd.DataFrame:
    """Error of the median speed (%), quartiles and coverage, over onset maps of rendered fronts.

    `within` is the share of pixels whose speed lies within its stated standard deviation
    (68 % is right).
    """
    rows = []
    for shape in (plane, circle):
        for speed, interval in CASES:
            for noise, electrons in ELECTRONS.items():
                recording = rendered(shape(speed), interval, electrons)
                onset = finish(onset_map(recording, 0, float(recording.times_s[-1])))
                rows.append(
                    {"front": shape.__name__, "um/s": speed, "frame (s)": interval, "noise": noise}
                    | _row(onset, speed, interval)
                )
    return pd.DataFrame(rows)


def _row(onset: OnsetMap, speed: float, interval: float) -> dict[str, float]:
    front = front_map(onset, SIZE_UM, frame_interval_s=interval)
    told, known = front.summary(), front.resolved
    within = np.abs(front.speed_um_s - speed)[known] <= front.speed_sd_um_s[known]
    return {
        "window (px)": front.window_px,
        "error (%)": 100 * (told["front_speed_median_um_s"] / speed - 1),
        "quarter 1": told["front_speed_p25_um_s"] / speed,
        "quarter 3": told["front_speed_p75_um_s"] / speed,
        "within": float(within.mean()),
        "resolved": told["front_resolved_fraction"],
    }


def plane(speed: float) -> FloatArray:
    """(Y, X) onsets of a straight front, seconds."""
    y, x = np.mgrid[:SIDE, :SIDE]
    return np.asarray((0.56 * y + 0.83 * x) * SIZE_UM / speed)


def circle(speed: float) -> FloatArray:
    """(Y, X) onsets of a front around a nucleus, seconds."""
    y, x = np.mgrid[:SIDE, :SIDE]
    return np.asarray(np.hypot(y - 0.43 * SIDE, x - 0.55 * SIDE) * SIZE_UM / speed)


def rendered(onset_s: FloatArray, interval: float, electrons: float) -> Recording:
    """A film that darkens at these times, with shot noise."""
    rng = np.random.default_rng(0)
    times = np.arange(0, onset_s.max() + 2 * LEAD_S, interval)
    frames = np.empty((len(times), *onset_s.shape), dtype=np.uint16)
    for i, time in enumerate(times):
        level = 1 / (1 + np.exp(np.clip((onset_s + LEAD_S - time) / RISE_S, -50, 50)))
        frames[i] = rng.poisson(electrons * 10 ** (-0.22 * level))
    return Recording(
        name="front",
        frames=da.from_array(frames, chunks=(1, -1, -1)),
        times_s=times,
        mode="trans",
        pixel_size_um=SIZE_UM,
        dark_counts=0.0,
        window=lambda t, y, x: frames[t, y, x],
    )


def front_row() -> Row:
    """Front speeds of a large map, beside scipy's Gaussian gradient alone."""
    small = finish(onset_map(rendered(plane(0.5), 1.0, 2600.0), 0, 1e3))
    onset = _tiled(small)
    seconds = median_s(lambda: front_map(onset, SIZE_UM), runs=3)
    baseline = median_s(lambda: gaussian_gradient_magnitude(onset.onset_s, 2.0), runs=3)
    name = f"front speeds of {LARGE} x {LARGE}"
    return Row(name, seconds, seconds / baseline, "scipy's Gaussian gradient of width 2 px")


def _tiled(onset: OnsetMap) -> OnsetMap:
    """The map repeated to a large one."""
    times = -(-LARGE // SIDE)
    grown = {
        name: np.tile(getattr(onset, name), (times, times))[:LARGE, :LARGE]
        for name in ("onset_s", "onset_sd_s", "amplitude", "reason")
    }
    return dataclasses.replace(onset, **grown)
