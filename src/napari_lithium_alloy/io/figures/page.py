"""The page a figure is drawn on: sizes, fonts, colours, scale bars, and files."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from napari_lithium_alloy.core.errors import AlloyError
from napari_lithium_alloy.core.stages import Stage, StageKind
from napari_lithium_alloy.io.tables import whole_file

SINGLE_CM, DOUBLE_CM = 8.3, 17.1
"""Widths of one and of two columns of a journal, cm."""
CM_PER_INCH = 2.54
DPI = 600
FORMATS = ("png", "svg", "pdf", "tif")
PREFIX = "fig_"
"""Begins the name of every figure's file: onset_*.tif are maps, not figures of them."""

INK = "#000000"
FAINT = "#b0b0b0"
REGION_COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#56b4e9", "#e69f00")
"""Okabe and Ito's, told apart by the colour-blind."""
MARKERS = ("o", "s", "^", "D", "v", "P")
SITE_GREEN = "#00a000"

TEXT_PT, SMALL_PT = 7, 6
SANS = ("Arial", "Helvetica", "Liberation Sans")

BAR_SHARE = 0.42
"""Longest scale bar, as a share of the image's width."""
SHORT_BAR = 0.3
"""Share of the width under which its label ends with it instead of standing over its middle."""


def colour_on_paper(stage: Stage) -> str:
    """The stage's colour; Li metal is black on white paper (Mao et al. 2024, Fig. 1E)."""
    return INK if stage.kind is StageKind.DEPOSITION else stage.colour


def checked_formats(formats: Sequence[str]) -> tuple[str, ...]:
    """The formats without dots, in small letters, each once.

    Raises
    ------
    AlloyError
        If there is none, or one that figures are not saved as.
    """
    chosen = tuple(dict.fromkeys(f.strip().lower().lstrip(".") for f in formats))
    unknown = [f for f in chosen if f not in FORMATS]
    if unknown or not chosen:
        raise AlloyError(
            f"Figures are saved as {', '.join(FORMATS)}, not as {', '.join(unknown) or 'nothing'}; "
            "name some of these."
        )
    return chosen


@contextmanager
def style() -> Iterator[None]:
    """Fonts and lines of a figure; matplotlib's settings are as before afterwards."""
    import matplotlib
    from matplotlib.font_manager import fontManager

    known = set(fontManager.get_font_names())
    settings = {
        "font.family": [*(f for f in SANS if f in known), "DejaVu Sans"],
        "font.size": TEXT_PT,
        "axes.titlesize": TEXT_PT,
        "axes.labelsize": TEXT_PT,
        "xtick.labelsize": SMALL_PT,
        "ytick.labelsize": SMALL_PT,
        "legend.fontsize": SMALL_PT,
        "legend.frameon": False,
        "legend.handlelength": 1.5,
        "axes.linewidth": 0.6,
        "xtick.major.width": 0.6,
        "ytick.major.width": 0.6,
        "xtick.direction": "in",
        "ytick.direction": "in",
        "lines.linewidth": 1.0,
        "lines.markersize": 2.2,
        "image.interpolation": "nearest",
        "svg.fonttype": "none",
        "svg.hashsalt": "napari-lithium-alloy",
        "pdf.fonttype": 42,
    }
    with matplotlib.rc_context(settings):
        yield


def new_figure(width_cm: float, height_cm: float) -> Any:
    """An empty figure of this size, its parts laid out without overlaps."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width_cm / CM_PER_INCH, height_cm / CM_PER_INCH), dpi=150)
    figure.set_layout_engine("constrained", w_pad=0.03, h_pad=0.03, wspace=0.04)
    return figure


def save_figure(figure: Any, folder: Path, name: str, formats: Sequence[str]) -> list[Path]:
    """Save a figure in each format, pixels at 600 dpi; the paths.

    Raises
    ------
    AlloyError
        If a format is not known or a file cannot be written.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    FigureCanvasAgg(figure)
    written = []
    for suffix in checked_formats(formats):
        path = folder / f"{PREFIX}{name}.{suffix}"
        options: dict[str, Any] = {"dpi": DPI}
        if suffix == "tif":
            options |= {"format": "tiff", "pil_kwargs": {"compression": "tiff_lzw"}}
        elif suffix in ("svg", "pdf"):
            options["metadata"] = {"Date" if suffix == "svg" else "CreationDate": None}
        try:
            with style(), whole_file(path) as temporary:
                figure.savefig(temporary, **options)
        except OSError as error:
            raise AlloyError(
                f"{path} cannot be written ({error.strerror}); choose another folder."
            ) from error
        written.append(path)
        figure.set_layout_engine("none")  # its parts are where they belong
    return written


def is_figure(path: Path) -> bool:
    """Whether a file's name is one that figures have."""
    return path.name.startswith(PREFIX) and path.suffix.lstrip(".") in FORMATS


def check_figures_out(out: Path, *, overwrite: bool) -> None:
    """Raise AlloyError where figures could not be saved, before they are drawn."""
    if out.is_file():
        raise AlloyError(f"{out} is a file; give a folder for the figures.")
    if not overwrite and out.is_dir() and any(is_figure(p) for p in out.iterdir()):
        raise AlloyError(
            f"{out} already holds figures; choose another folder or allow them to be replaced "
            "(--overwrite)."
        )


def show_image(axes: Any, image: Any) -> None:
    """Show a (Y, X) uint8 or (Y, X, 3) image without ticks."""
    axes.imshow(image, cmap="gray", vmin=0, vmax=255)
    axes.set_xticks([])
    axes.set_yticks([])
    for spine in axes.spines.values():
        spine.set_visible(False)


def write_on(axes: Any, text: str, x: float, y: float, **how: Any) -> None:
    """White text on an image, on a dark ground of its own, at a share of its width and height."""
    ground = {"facecolor": INK, "alpha": 0.55, "edgecolor": "none", "pad": 0.8}
    axes.text(
        x, y, text, transform=axes.transAxes, color="white", fontsize=SMALL_PT, bbox=ground, **how
    )


def scale_bar(axes: Any, shape: tuple[int, int], pixel_size_um: float | None, **how: Any) -> None:
    """A bar of a round length in the lower right corner; none where the pixel size isn't known."""
    if pixel_size_um is None:
        return
    from matplotlib.patches import Rectangle

    rows, columns = shape
    length_um = bar_length_um(columns * pixel_size_um)
    width, height = length_um / pixel_size_um, rows * 0.025
    left, top = columns * 0.96 - width, rows * 0.95 - height
    pad = rows * 0.015
    box = (left - pad, top - pad), width + 2 * pad, height + 2 * pad
    axes.add_patch(Rectangle(*box, color=INK, alpha=0.55, lw=0, **how))
    axes.add_patch(Rectangle((left, top), width, height, color="white", lw=0, **how))
    short = width < SHORT_BAR * columns  # its label is wider, and would leave the image
    at, align = (0.96, "right") if short else ((left + width / 2) / columns, "center")
    write_on(axes, f"{length_um:g} µm", at, 0.1, ha=align, va="bottom", **how)


def bar_length_um(width_um: float) -> float:
    """The longest of 1, 2 or 5 times a power of ten that takes up to that share of the width."""
    longest = BAR_SHARE * width_um
    power = 10.0 ** np.floor(np.log10(longest))
    return float(max(k * power for k in (1, 2, 5) if k * power <= longest * (1 + 1e-9)))
