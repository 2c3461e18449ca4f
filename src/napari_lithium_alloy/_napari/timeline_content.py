"""What the timeline shows of a recording."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from napari_lithium_alloy._napari.opened import Opened
from napari_lithium_alloy._napari.plots import Curve
from napari_lithium_alloy._napari.timeline_plot import TIME, TimelinePlot
from napari_lithium_alloy.core.experiment import Experiment
from napari_lithium_alloy.core.galvanostatic import li_content
from napari_lithium_alloy.core.recording import BoolArray, FloatArray
from napari_lithium_alloy.core.stages import Stage, StageKind
from napari_lithium_alloy.report import cell_stages

SIGNALS = {
    "Mean counts": "mean_counts",
    "Mean absorbance": "absorbance",
    "Mean relative reflectance": "relative_reflectance",
}
LI_POINTS = 4000
MARGIN = 0.03
"""Beyond the Li contents reached, in units of their range."""


def li_label(opened: Opened) -> str:
    """The Li content by its name, of a film that is not known as of any metal M."""
    film = opened.experiment.film
    return f"x in Liₓ{'M' if film is None else film.metal}"


def content_of(opened: Opened, title: str, *, by_li: bool) -> TimelinePlot:
    """Potential, one of `SIGNALS` by its title, stages and Li content."""
    experiment, times_s = opened.experiment, opened.recording.times_s
    curves = []
    potential = experiment.potential
    if potential is not None:
        curves.append(
            Curve(name="Potential", x=potential.recording_times_s, y=potential.potential_v)
        )
    signal = opened.field_signal
    if signal is not None and signal.is_of(opened):
        values = signal.values(SIGNALS[title])
        if not np.isfinite(values).any():
            title, values = "Mean counts", signal.values("mean_counts")
        curves.append(Curve(name=title, x=times_s, y=values))
    shown_s = (float(times_s[0]), float(max(times_s[-1], times_s[0] + 1e-3)))
    li_times_s = np.linspace(*shown_s, LI_POINTS)
    x = _content(experiment, li_times_s)
    plot = TimelinePlot(
        x_label=TIME,
        y_label="Potential (V)",
        curves=curves,
        stages=experiment.stages,
        right=title,
        x_range=shown_s,
        li_times_s=li_times_s,
        li_content=x,
        li_label=li_label(opened),
    )
    return _against_li(plot, experiment) if by_li and np.isfinite(x).any() else plot


def _content(experiment: Experiment, times_s: FloatArray) -> FloatArray:
    """(N,) Li content; NaN where it cannot be known."""
    if experiment.potential is None or experiment.film is None:
        return np.full(len(times_s), np.nan)
    return li_content(
        experiment.potential, experiment.film, times_s, origins_s=experiment.origins_s()
    )


def _against_li(plot: TimelinePlot, experiment: Experiment) -> TimelinePlot:
    """The same curves against Li content, from the first origin on and within the recording.

    Each cycle starts anew at its origin: lithium coming and leaving draw a loop. What flows while
    an SEI forms goes into no alloy and is left out.
    """
    stages = cell_stages(experiment.stages, tuple(StageKind))
    curves, times = [], {}
    for curve in plot.curves:
        inside = (curve.x >= plot.x_range[0]) & (curve.x <= plot.x_range[1])
        at_s, y = _broken(curve.x[inside], curve.y[inside], experiment.origins_s())
        times[curve.name] = at_s
        x = np.where(_in_sei(stages, at_s), np.nan, _content(experiment, at_s))
        curves.append(Curve(name=curve.name, x=x, y=y))
    known = plot.li_content[np.isfinite(plot.li_content)]
    margin = MARGIN * (float(np.ptp(known)) or 1.0)
    return replace(
        plot,
        x_label=plot.li_label,
        curves=curves,
        stages=(),
        x_range=(float(known.min()) - margin, float(known.max()) + margin),
        by_li=True,
        times_s=times,
        coloured_by=stages,
    )


def _in_sei(stages: Sequence[Stage], times_s: FloatArray) -> BoolArray:
    """(N,) True from the end of the stage before an SEI to the SEI's own end."""
    inside = np.zeros(len(times_s), dtype=bool)
    for sei in (s for s in stages if s.kind is StageKind.SEI):
        begin_s = max((s.end_s for s in stages if s.end_s <= sei.start_s), default=-np.inf)
        inside |= (times_s > begin_s) & (times_s < sei.end_s)
    return inside


def _broken(
    times_s: FloatArray, values: FloatArray, origins_s: Sequence[float]
) -> tuple[FloatArray, FloatArray]:
    """Times and values with a NaN before each origin, where x falls back to 0."""
    at = np.searchsorted(times_s, origins_s)
    return np.insert(times_s, at, np.asarray(origins_s)), np.insert(values, at, np.nan)
