"""How the parameters of nucleation sites are asked for, and the buttons of their dock."""

from __future__ import annotations

from typing import Any

from qtpy.QtWidgets import QPushButton

from napari_lithium_alloy._napari.forms import Field

FIELDS = {
    "min_snr": Field(
        label="Least SNR",
        tip="A site must stand out by this many times its noise; moved here or in the plot, "
        "points appear and disappear at once",
        high=1000,
        step=0.1,
    ),
    "min_radius_um": Field(
        label="Smallest radius (µm)", tip="Radii looked for start here", low=0.01, step=0.05
    ),
    "max_radius_um": Field(
        label="Largest radius (µm)", tip="Radii looked for end here", low=0.01, step=0.05
    ),
    "polarity": Field(
        label="Lithium", tip="Whether it is darker or brighter than the film; auto: darker"
    ),
}


def button(text: str, tip: str, clicked: Any) -> QPushButton:
    """A button that says what it does and calls that."""
    made = QPushButton(text)
    made.setToolTip(tip)
    made.clicked.connect(clicked)
    return made
