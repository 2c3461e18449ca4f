"""Straight lines through the light of each pixel, and how much it is smoothed in time."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from napari_lithium_alloy.core.onset_errors import cell_side
from napari_lithium_alloy.core.onset_parameters import OnsetParameters
from napari_lithium_alloy.core.onset_scene import Scene
from napari_lithium_alloy.core.photometry import Float32Array
from napari_lithium_alloy.core.progress import Work
from napari_lithium_alloy.core.row_blocks import by_rows

LEAST_SIGMA_FRAMES = 0.5
"""Weights in time as narrow as this make the line that through the two nearest frames."""
TYPICAL_ROWS = 8
"""Rows of cells from which the typical rise is told."""
WANTED_NOISE = 0.02
"""Share of the rise to which noise is brought, at most, before it is left alone."""
WALKING_FRAMES = 6
"""In the weights' standard deviation, at least, that tell a pixel whether it is near its rise."""
MATCHED = 0.7
"""Smoothing in time, of the rise's own width: nearly all of the gain of a matched filter."""

Rows = tuple[int, int]


@dataclass(eq=False)
class Lines:
    """A line a pixel.

    Attributes
    ----------
    time, missing, slope : numpy.ndarray
        (Y, X) float32 where the line was fitted, what its level misses to the threshold there,
        and its slope per second.
    cells : numpy.ndarray
        Crossing times of the cells, NaN where there is none.
    sigma : float
        Standard deviation of the weights in time, seconds.
    """

    time: Float32Array
    missing: Float32Array
    slope: Float32Array
    cells: Float32Array
    sigma: float


def as_they_are(parameters: OnsetParameters) -> bool:
    """Whether there is no smoothing at all."""
    return (parameters.smoothing_px, parameters.smoothing_frames) == (0, 0)


def chosen_in_time(scene: Scene) -> Work[tuple[OnsetParameters, float]]:
    """The smoothing in time, and the standard deviation of the rise in time (seconds).

    Where it is not given: none where noise is small already, else as much as brings it down, at
    most what suits the rise. Without any smoothing in time or asked for in space there is none
    in space either.
    """
    given, interval = scene.parameters, scene.light.interval
    aim = WANTED_NOISE * max(scene.typical_rise, 1e-6)
    quiet = scene.levels.noise <= aim
    px = 0.0 if given.smoothing_px is None and quiet else given.smoothing_px
    frames = 0.0 if given.smoothing_frames is None and quiet else given.smoothing_frames
    if (px, frames) == (0, 0):
        return replace(given, smoothing_px=0.0, smoothing_frames=0.0), 0.0
    width = yield from _typical_width(scene)
    if frames is None:
        needed = (scene.levels.noise / aim) ** 2 / (2 * math.sqrt(math.pi))
        frames = round(min(needed, MATCHED * width / interval), 2)
        frames = frames if frames >= LEAST_SIGMA_FRAMES else 0.0
    return replace(given, smoothing_px=px, smoothing_frames=frames), width


def _typical_width(scene: Scene) -> Work[float]:
    """Standard deviation in time of a typical pixel's rise, seconds, from some rows of cells."""
    interval, shape = scene.light.interval, scene.rise.shape
    n_rows = max(shape[0] // cell_side(shape), 1)
    chosen = np.unique(np.linspace(0, n_rows - 1, 2 * TYPICAL_ROWS + 1)[1::2].astype(int))
    lines = yield from fitted_lines(scene, interval, [(int(r), int(r) + 1) for r in chosen])
    cell = cell_side(shape)
    ratios = []
    for r in chosen:
        rows = slice(r * cell, (r + 1) * cell)
        known = scene.rising[rows]
        slope, rise = (
            np.add.reduceat(
                np.where(known, part[rows], 0).sum(axis=0), np.arange(0, shape[1], 4 * cell)
            )
            for part in (lines.slope, scene.rise)
        )
        ratios.append(rise[slope > 0] / slope[slope > 0])
    ratio = np.concatenate(ratios)
    seen = float(np.median(ratio)) / math.sqrt(2 * math.pi) if ratio.size else interval
    return math.sqrt(max(seen**2 - interval**2, (0.2 * interval) ** 2))


def fitted_lines(scene: Scene, sigma: float, blocks: Sequence[Rows] | None = None) -> Work[Lines]:
    """Lines of the pixels of all rows of cells, or of some."""
    from napari_lithium_alloy.core.kernels.local_fits import lines_from_cells

    light, shape = scene.light, scene.rise.shape
    cell = cell_side(shape)
    time, missing, slope = (np.zeros(shape, dtype=np.float32) for _ in range(3))
    cells = np.full(scene.cell_levels[0].shape, np.nan, dtype=np.float32)
    levels = (light.dark, scene.threshold, scene.rise)
    own = (*scene.span, *scene.cell_span)
    needed = min(scene.parameters.sustained_frames, len(light.times))
    noise = scene.levels.noise * noise_left_in_time(sigma / light.interval)

    every = max(1, int(sigma / light.interval / WALKING_FRAMES))

    def fit(rows: Rows) -> None:
        how = (light.least, light.falls)
        lines_from_cells(
            *(light.counts, light.gain, light.times, scene.cell_levels, levels, own, how),
            *(
                (sigma, noise),
                every,
                (cell, needed),
                scene.near,
                rows,
                cells,
                (time, missing, slope),
            ),
        )

    if blocks is None:
        yield from by_rows(fit, len(cells), most=32)
    else:
        yield from by_rows(lambda one: fit(blocks[one[0]]), len(blocks), most=1)
    return Lines(time=time, missing=missing, slope=slope, cells=cells, sigma=sigma)


def noise_left_in_time(sigma_frames: float) -> float:
    """Share of white noise left in the level of a line."""
    return min(1.0, 1 / math.sqrt(2 * math.sqrt(math.pi) * max(sigma_frames, 0.3)))
