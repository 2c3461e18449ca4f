"""What the timeline shows of a recording."""

from __future__ import annotations

import numpy as np

from napari_lithium_alloy._napari.opened import Opened
from napari_lithium_alloy._napari.plots import Curve
from napari_lithium_alloy._napari.timeline_plot import TIME, TimelinePlot
from napari_lithium_alloy.core.galvanostatic import li_content
from napari_lithium_alloy.core.recording import FloatArray

SIGNALS = {
    "Mean counts": "mean_counts",
    "Mean absorbance": "absorbance",
    "Mean relative reflectance": "relative_reflectance",
}
LI_POINTS = 4000


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
    li_times_s, x = _li_content(opened)
    return TimelinePlot(
        x_label=TIME,
        y_label="Potential (V)",
        curves=curves,
        stages=experiment.stages,
        right=title,
        x_range=(float(times_s[0]), float(max(times_s[-1], times_s[0] + 1e-3))),
        li_times_s=li_times_s,
        li_content=x,
        li_label=li_label(opened),
        by_li=by_li and bool(np.isfinite(x).any()),
    )


def _li_content(opened: Opened) -> tuple[FloatArray, FloatArray]:
    """Li content on an even grid over the recording; empty where it cannot be known."""
    experiment, frames_s = opened.experiment, opened.recording.times_s
    if experiment.potential is None or experiment.film is None:
        return np.empty(0), np.empty(0)
    times_s = np.linspace(frames_s[0], frames_s[-1], LI_POINTS)
    origins_s = experiment.origins_s()
    return times_s, li_content(experiment.potential, experiment.film, times_s, origins_s=origins_s)
