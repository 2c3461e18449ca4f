"""An annotated movie: trans beside epi in true time, over the potential with a moving cursor."""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_lithium_alloy.core.clock import EvenGrid, even_grid
from napari_lithium_alloy.core.errors import AlloyError
from napari_lithium_alloy.core.montage import binned
from napari_lithium_alloy.core.photometry import Float32Array, Reference, ratio_of
from napari_lithium_alloy.core.progress import Work
from napari_lithium_alloy.core.recording import FloatArray, Recording
from napari_lithium_alloy.core.stages import Stage, stage_at
from napari_lithium_alloy.io.figures.curves import POTENTIAL, TIME, CellCurve, draw_coloured
from napari_lithium_alloy.io.figures.page import (
    CM_PER_INCH,
    INK,
    colour_on_paper,
    new_figure,
    scale_bar,
    show_image,
    style,
)
from napari_lithium_alloy.io.tables import whole_file

SIZE_PX = (1280, 960)
"""Even numbers, as H.264 needs them."""
DPI = 200
LIMIT_FRAMES = 9
"""Frames, evenly spread, that the grey values are fitted to."""
LARGEST_SIDE_PX = 700
PERCENTILES = (0.2, 99.8)


@dataclass(frozen=True, eq=False, kw_only=True)
class View:
    """A recording in a movie, shown divided by its first state."""

    recording: Recording
    reference: Reference

    @property
    def factor(self) -> int:
        """Pixels of the recording a side of one of the movie's."""
        return -(-max(self.recording.field_shape) // LARGEST_SIDE_PX)

    def image(self, frame: int) -> Float32Array:
        """(Y, X) transmittance or relative reflectance of a frame."""
        return binned(ratio_of(self.recording.read(frame), self.reference), self.factor)

    def limits(self) -> tuple[float, float]:
        """Values shown black and white in the whole movie."""
        frames = np.unique(np.linspace(0, self.recording.n_frames - 1, LIMIT_FRAMES).astype(int))
        some = np.concatenate([self.image(int(t)).ravel() for t in frames])
        known = some[np.isfinite(some)]
        if not known.size:
            return 0.0, 1.0
        low, high = np.percentile(known, PERCENTILES)
        return float(low), float(high)


def write_movie(
    path: Path,
    views: Sequence[View],
    stages: Sequence[Stage],
    cell: CellCurve | None = None,
    li_content: FloatArray | None = None,
    *,
    fps: int = 20,
) -> Work[Path]:
    """Write a movie of one or two recordings frame by frame; its path.

    One frame of the movie is one step of the first recording's even time grid, so that true time
    runs evenly; each recording shows the frame that was current then, or none outside its own
    time.

    Parameters
    ----------
    path : Path
        Ends in .mp4.
    views : sequence of View
    stages : sequence of Stage
    cell : CellCurve, optional
        The potential below the images; without one, the stages alone.
    li_content : numpy.ndarray, optional
        (N,) x at the cell's times.
    fps : int
        Frames a second.

    Raises
    ------
    AlloyError
        If the package that writes video is not installed, or the file cannot be written.
    """
    if path.suffix.lower() != ".mp4":
        raise AlloyError(f"{path.name}: movies are saved as .mp4; name one.")
    if fps < 1:
        raise AlloyError(f"A movie of {fps} frames a second cannot be made; give at least 1.")
    try:
        importlib.import_module("av")
    except ModuleNotFoundError as error:
        raise AlloyError(
            "Writing a movie needs PyAV: pip install napari-lithium-alloy[video]."
        ) from error
    screen = _Screen(views, stages, cell, li_content)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with whole_file(path) as temporary:
            yield from _encoded(temporary, screen, fps)
    except OSError as error:
        raise AlloyError(
            f"{path} cannot be written ({error.strerror}); choose another folder."
        ) from error
    return path


def _encoded(path: Path, screen: _Screen, fps: int) -> Work[None]:
    import imageio.v3 as iio

    n_steps = len(screen.grids[0].frame_of_step)
    with iio.imopen(path, "w", plugin="pyav") as file:
        file.init_video_stream("libx264", fps=fps)
        for step in range(n_steps):
            time_s = screen.grids[0].start_s + step * screen.grids[0].step_s
            file.write_frame(screen.frame_at(time_s))
            yield step + 1, n_steps


class _Screen:
    """One matplotlib figure whose images, cursor and text are exchanged for each frame."""

    def __init__(
        self,
        views: Sequence[View],
        stages: Sequence[Stage],
        cell: CellCurve | None,
        li_content: FloatArray | None,
    ) -> None:
        from matplotlib.backends.backend_agg import FigureCanvasAgg

        self.views, self.stages, self.cell, self.li_content = views, stages, cell, li_content
        self.grids: list[EvenGrid] = [even_grid(v.recording.times_s) for v in views]
        self._limits = [v.limits() for v in views]
        with style():
            self._figure = new_figure(*(CM_PER_INCH * n / DPI for n in SIZE_PX))
            self._figure.set_dpi(DPI)
            self._canvas = FigureCanvasAgg(self._figure)
            top, bottom = self._figure.subfigures(2, 1, height_ratios=(2.6, 1))
            self._images = [
                self._image(axes, view)
                for axes, view in zip(np.ravel(top.subplots(1, len(views))), views, strict=True)
            ]
            self._title = top.suptitle(self._text(self.grids[0].start_s), fontweight="bold")
            self._cursor = self._trace(bottom.subplots())
            # Laid out once: labels that change their length must not make the picture jump.
            self._canvas.draw()
            self._figure.set_layout_engine("none")

    @staticmethod
    def _image(axes: Any, view: View) -> Any:
        rows, columns = (n // view.factor for n in view.recording.field_shape)
        show_image(axes, np.zeros((rows, columns), dtype=np.uint8))
        size = view.recording.pixel_size_um
        scale_bar(axes, (rows, columns), None if size is None else size * view.factor)
        axes.set_title(view.recording.mode or view.recording.name)
        return axes.get_images()[0]

    def _trace(self, axes: Any) -> Any:
        if self.cell is None:
            axes.set_yticks([])
            for stage in self.stages:
                axes.axvspan(
                    stage.start_s, stage.end_s, color=colour_on_paper(stage), alpha=0.5, lw=0
                )
            axes.set_xlabel(TIME)
        else:
            draw_coloured(axes, self.cell.times_s, self.cell.potential_v, self.stages)
            axes.set_ylabel(POTENTIAL)
        times = self.views[0].recording.times_s
        axes.set_xlim(times[0], max(times[-1], times[0] + 1e-3))
        return axes.axvline(times[0], color=INK, linewidth=0.8)

    def frame_at(self, time_s: float) -> NDArray[np.uint8]:
        """(Y, X, 3) uint8 of the movie at a time."""
        for image, view, grid, limits in zip(
            self._images, self.views, self.grids, self._limits, strict=True
        ):
            times = view.recording.times_s
            inside = times[0] - grid.step_s <= time_s <= times[-1] + grid.step_s
            if inside:
                image.set_data(_grey(view.image(grid.frame_at(time_s)), limits))
            image.set_visible(inside)
        self._cursor.set_xdata([time_s, time_s])
        self._title.set_text(self._text(time_s))
        with style():
            self._canvas.draw()
        return np.asarray(self._canvas.buffer_rgba())[..., :3].copy()

    def _text(self, time_s: float) -> str:
        parts = [f"t = {time_s:.1f} s"]
        if self.cell is not None:
            parts += _value("E = {:.3f} V", self.cell.times_s, self.cell.potential_v, time_s)
            if self.li_content is not None:
                parts += _value("x = {:.2f}", self.cell.times_s, self.li_content, time_s)
        stage = stage_at(self.stages, time_s)
        if stage is not None:
            share = (time_s - stage.start_s) / (stage.end_s - stage.start_s)
            parts.append(f"{stage.label}, {100 * share:.0f} %")
        return "    ".join(parts)


def _value(words: str, times_s: FloatArray, values: FloatArray, time_s: float) -> list[str]:
    value = float(np.interp(time_s, times_s, values, left=np.nan, right=np.nan))
    return [words.format(value)] if np.isfinite(value) else []


def _grey(image: Float32Array, limits: tuple[float, float]) -> NDArray[np.uint8]:
    low, high = limits
    share = (np.nan_to_num(image, nan=low) - low) / max(high - low, 1e-9)
    return np.asarray(np.round(255 * np.clip(share, 0, 1)), dtype=np.uint8)
