"""Figure of spectra with what the microscope measures beside them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from napari_lithium_alloy.io.figures.page import (
    FAINT,
    INK,
    MARKERS,
    REGION_COLOURS,
    SINGLE_CM,
    SMALL_PT,
    new_figure,
    style,
)
from napari_lithium_alloy.io.spectra import Spectrum

HEIGHT_CM = 6.4
LINES = {"transmittance": "-", "reflectance": "--"}


@dataclass(frozen=True, kw_only=True)
class OpticalState:
    """Absolute transmittance and reflectance of one state; None or NaN where not known."""

    name: str
    transmittance: float | None = None
    reflectance: float | None = None


def spectra_figure(
    spectra: Sequence[Spectrum],
    *,
    wavelength_nm: float | None = None,
    states: Sequence[OpticalState] = (),
) -> Any:
    """Transmittance (lines) and reflectance (dashes) against wavelength (Fig. S2).

    Parameters
    ----------
    spectra : sequence of Spectrum
    wavelength_nm : float, optional
        The microscope's: a vertical line, and the place of the states' markers.
    states : sequence of OpticalState
        What was measured with the microscope: filled markers transmittance, open ones
        reflectance. Not drawn without a wavelength.
    """
    with style():
        figure = new_figure(SINGLE_CM, HEIGHT_CM)
        axes = figure.add_subplot()
        for i, spectrum in enumerate(spectra):
            axes.plot(
                spectrum.wavelength_nm,
                100 * spectrum.value,
                color=REGION_COLOURS[i % len(REGION_COLOURS)],
                linestyle=LINES[spectrum.quantity],
                label=spectrum.name,
            )
        if wavelength_nm is not None:
            _mark(axes, wavelength_nm, states)
        axes.set_xlabel("Wavelength (nm)")
        axes.set_ylabel(_axis_name(spectra, states))
        if axes.get_legend_handles_labels()[1]:
            both = wavelength_nm is not None and any(s.reflectance is not None for s in states)
            figure.legend(
                loc="outside lower center",
                ncols=2,
                title="Markers: filled transmittance, open reflectance" if both else None,
                title_fontsize=SMALL_PT,
            )
    return figure


def _mark(axes: Any, wavelength_nm: float, states: Sequence[OpticalState]) -> None:
    axes.axvline(wavelength_nm, color=FAINT, linewidth=0.7, zorder=0)
    axes.annotate(
        f"{wavelength_nm:g} nm",
        (wavelength_nm, 1),
        xycoords=("data", "axes fraction"),
        xytext=(2, -2),
        textcoords="offset points",
        va="top",
        fontsize=SMALL_PT,
    )
    for i, state in enumerate(states):
        named = False
        for value, face in ((state.transmittance, INK), (state.reflectance, "none")):
            if value is not None:
                axes.plot(
                    [wavelength_nm],
                    [100 * value],
                    linestyle="",
                    marker=MARKERS[i % len(MARKERS)],
                    markersize=4,
                    color=INK,
                    markerfacecolor=face,
                    label=None if named else state.name,
                )
                named = True


def _axis_name(spectra: Sequence[Spectrum], states: Sequence[OpticalState]) -> str:
    """What the axis holds: transmittance, reflectance, or both."""
    shown = {s.quantity for s in spectra}
    shown |= {"transmittance" for s in states if s.transmittance is not None}
    shown |= {"reflectance" for s in states if s.reflectance is not None}
    return f"{', '.join(sorted(shown, reverse=True)).capitalize()} (%)"
