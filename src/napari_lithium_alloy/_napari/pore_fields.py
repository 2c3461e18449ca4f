"""How the parameters of pores are asked for."""

from __future__ import annotations

from napari_lithium_alloy._napari.forms import Field

FIELDS = {
    "method": Field(
        label="Threshold by",
        tip="automatic: each pore by its own brightness and the point spread; manual: one share "
        "for all; else ImageJ's automatic thresholds, by name",
    ),
    "threshold": Field(
        label="Outline at (share of step)",
        tip="Share of the step from film to bare substrate at which an outline lies; automatic: "
        "of each pore's own step",
        low=0.05,
        high=0.95,
        step=0.05,
    ),
    "hysteresis": Field(
        label="Spreads down to (× threshold)",
        tip="A pore over the threshold spreads down to this share of it; 1: no further",
        low=0.05,
        high=1.0,
        step=0.05,
    ),
    "min_snr": Field(
        label="Least SNR",
        tip="How far a pore stands out of the film, in units of its noise",
        high=1000,
        step=0.5,
    ),
    "min_area_um2": Field(
        label="Least area (µm²)", tip="Smaller holes are left out", high=100, step=0.01
    ),
    "fill_holes": Field(label="Fill holes", tip="Whether pixels that a pore encloses belong to it"),
    "split_touching": Field(
        label="Part touching pores", tip="Whether pores are parted at their waists"
    ),
    "film_window_um": Field(
        label="Film window (µm)",
        tip="Size of the surroundings whose median is the film's brightness",
        low=0.1,
        high=1000,
        step=0.5,
    ),
    "substrate": Field(
        label="Bare substrate (× film)",
        tip="Brightness of bare substrate relative to the pristine film",
        high=1e3,
        unset="from the recording",
    ),
    "averaged_frames": Field(
        label="Averaged frames",
        tip="Frames averaged where the pores of a cycle's end are told",
        low=1,
        high=1000,
    ),
}


def rows_of_method(method: str) -> dict[str, bool]:
    """Which parameters a method asks for."""
    return {
        "threshold": method in ("automatic", "manual"),
        "hysteresis": method != "automatic",
        "min_snr": method == "automatic",
    }
