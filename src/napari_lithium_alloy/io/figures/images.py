"""Figures of images: stage montages and colour-coded onset maps."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_lithium_alloy.core.colorcode import (
    ColorCodeParameters,
    color_code,
    lut,
    merge_sites,
)
from napari_lithium_alloy.core.montage import Montage
from napari_lithium_alloy.core.onset import OnsetMap
from napari_lithium_alloy.core.recording import FloatArray
from napari_lithium_alloy.core.stages import Stage
from napari_lithium_alloy.core.time_scale import TimeScale, time_scale
from napari_lithium_alloy.io.figures.page import (
    CM_PER_INCH,
    DOUBLE_CM,
    SINGLE_CM,
    SITE_GREEN,
    SMALL_PT,
    colour_on_paper,
    new_figure,
    scale_bar,
    show_image,
    style,
    write_on,
)

LABEL_CM = 0.6
"""Width of the rows' labels."""
GAP_CM = 0.08
LEAST_COLUMNS = 4
"""With fewer images a row the figure is narrower instead of its images larger."""
LEAST_SIDE_PX = 160
"""Smaller images are magnified on a screen, so that labels fit."""


def montage_figure(montage: Montage) -> Any:
    """Images with time stamps, progress labels and a scale bar, a row a stage (Fig. 1B)."""
    with style():
        return _draw_tiles(montage, label=LABEL_CM, side=_side_cm(montage), gap=GAP_CM)


def _side_cm(montage: Montage) -> float:
    return (DOUBLE_CM - LABEL_CM) / max(_n_columns(montage), LEAST_COLUMNS) - GAP_CM


def _n_columns(montage: Montage) -> int:
    return max(len(row.images) for row in montage.rows)


def montage_picture(montage: Montage) -> tuple[NDArray[np.uint8], int]:
    """The same as pixels, an image's own pixels kept, for a screen.

    Returns
    -------
    picture : numpy.ndarray
        (Y, X, 3) uint8.
    magnified : int
        Pixels of the picture a side of one of the montage's.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    shape = montage.rows[0].images.shape[1:]
    magnified = -(-LEAST_SIDE_PX // min(shape))
    cm_of_px = _side_cm(montage) / (magnified * shape[1])
    with style():
        figure = _draw_tiles(
            montage,
            label=cm_of_px * round(LABEL_CM / cm_of_px),
            side=cm_of_px * magnified * shape[1],
            gap=cm_of_px * max(1, round(GAP_CM / cm_of_px)),
        )
        figure.set_dpi(CM_PER_INCH / cm_of_px)
        canvas = FigureCanvasAgg(figure)
        canvas.draw()
    return np.asarray(canvas.buffer_rgba())[..., :3].copy(), magnified


def _draw_tiles(montage: Montage, *, label: float, side: float, gap: float) -> Any:
    """A figure of all images; width of labels and images and the gap between these in cm."""
    shape = montage.rows[0].images.shape[1:]
    height = side * shape[0] / shape[1]
    size = (
        label + _n_columns(montage) * (side + gap),
        len(montage.rows) * (height + gap),
    )
    figure = new_figure(*size)
    figure.set_layout_engine("none")
    for i, row in enumerate(montage.rows):
        bottom = (len(montage.rows) - 1 - i) * (height + gap)
        figure.text(
            0.5 * label / size[0], (bottom + height / 2) / size[1], row.label,
            rotation=90, ha="center", va="center", color=colour_on_paper(row.stage),
            fontweight="bold",
        )  # fmt: skip
        for j, image in enumerate(row.grey()):
            left = label + j * (side + gap)
            axes = figure.add_axes(
                (left / size[0], bottom / size[1], side / size[0], height / size[1])
            )
            show_image(axes, image)
            _stamp(
                axes,
                f"{_seconds(row.times_s[j])} s ({row.progress_labels[j]})",
                row.alloyed_labels[j],
            )
            if i == j == 0:
                scale_bar(axes, shape, montage.pixel_size_um)
    return figure


def _stamp(axes: Any, above: str, below: str) -> None:
    write_on(axes, above, 0.03, 0.96, ha="left", va="top")
    if below:
        write_on(axes, below, 0.03, 0.04, ha="left", va="bottom")


def _seconds(time_s: float) -> str:
    """A time to a tenth of a second, whole ones without decimals."""
    return f"{round(float(time_s), 1):g}"


def onset_figure(
    onset: OnsetMap,
    stage: Stage,
    parameters: ColorCodeParameters,
    *,
    sites_px: FloatArray,
    pixel_size_um: float | None,
    scale: TimeScale | None = None,
) -> Any:
    """Colour-coded onset times and, inverted, the same with the sites in green (Fig. 2B).

    Parameters
    ----------
    onset : OnsetMap
    stage : Stage
        The step that the map is of.
    parameters : ColorCodeParameters
    sites_px : numpy.ndarray
        (N, 2) row and column of the nucleation sites; without any the second has none.
    pixel_size_um : float or None
    scale : TimeScale, optional
        Of the colours and their bar; None: seconds.
    """
    scale = scale or time_scale(onset, stage)
    image = color_code(onset, parameters, scale=scale)
    inverted = color_code(onset, parameters, scale=scale, inverted=True)
    has_sites = len(sites_px) > 0 and pixel_size_um is not None
    if has_sites:
        radius = parameters.site_radius_um / float(pixel_size_um or 1)
        inverted = merge_sites(inverted, sites_px, radius)
    colours = lut(parameters.colormap)
    rows, columns = onset.onset_s.shape
    with style():
        figure = new_figure(SINGLE_CM, SINGLE_CM / 2 * rows / columns + 1.15)
        panels = figure.subplots(1, 2)
        pairs = ((image, colours), (inverted, 255 - colours))
        for axes, (shown, table) in zip(panels, pairs, strict=True):
            show_image(axes, shown)
            _legend_bar(figure, axes, table, scale.ends, scale.label)
        scale_bar(panels[0], (rows, columns), pixel_size_um)  # of both; here it hides no site
        panels[0].set_title(
            stage.label, fontsize=SMALL_PT, pad=3, color=colour_on_paper(stage), fontweight="bold"
        )
        panels[1].set_title(
            "inverted, Li nucleation sites" if has_sites else "inverted",
            fontsize=SMALL_PT, pad=3, color=SITE_GREEN if has_sites else "black",
        )  # fmt: skip
    return figure


def _legend_bar(figure: Any, axes: Any, table: Any, ends: tuple[float, float], label: str) -> None:
    """A bar of the colours from one value to another, under an image."""
    from matplotlib.cm import ScalarMappable
    from matplotlib.colors import ListedColormap, Normalize
    from matplotlib.ticker import MaxNLocator

    low, high = sorted(ends)
    falls = ends[0] == high
    colours = np.asarray(table)[::-1] if falls else np.asarray(table)
    bar = figure.colorbar(
        ScalarMappable(Normalize(low, high), ListedColormap(colours / 255)),
        ax=axes, orientation="horizontal", fraction=0.05, pad=0.03, aspect=22,
        # A number at an end would hang over and make the images of one step smaller.
        ticks=MaxNLocator(nbins=5, steps=[1, 2, 5, 10], prune="both"),
    )  # fmt: skip
    bar.set_label(label, labelpad=1)
    bar.outline.set_linewidth(0.4)
    if falls:
        bar.ax.invert_xaxis()
