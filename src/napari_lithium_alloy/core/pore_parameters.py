"""How pores are told and measured."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from napari_lithium_alloy.core.errors import AlloyError

PoreMethod = Literal[
    "automatic",
    "manual",
    "Default",
    "IsoData",
    "Li",
    "MaxEntropy",
    "Mean",
    "Minimum",
    "Otsu",
    "Triangle",
    "Yen",
]


@dataclass(frozen=True, kw_only=True)
class PoreParameters:
    """How pores are told and measured.

    Attributes
    ----------
    method : str
        automatic: each pore by its own brightness and the point spread; manual: `threshold` for
        all pixels; else one of ImageJ's automatic thresholds of the field's hole share.
    threshold : float
        Share of the step from film to bare substrate (automatic: of each pore's own step) at which
        a pore's outline lies, 0 to 1.
    hysteresis : float
        Of a manual or named threshold: a pore spreads down to this share of it; 1: no further.
    min_area_um2 : float
        Smallest area, square micrometres.
    min_snr : float
        Automatic: how far a pore stands out of the film, in units of its noise.
    fill_holes : bool
        Whether pixels that a pore encloses belong to it.
    split_touching : bool
        Whether pores are parted at their waists.
    film_window_um : float
        Side of the squares over which the film's brightness is taken, micrometres.
    substrate : float or None
        Brightness of bare substrate relative to the pristine film; None: from recording.toml,
        else from bare glass in the field, else from the largest pores.
    averaged_frames : int
        Frames averaged where the pores of a cycle's end are told.
    """

    method: PoreMethod = "automatic"
    threshold: float = 0.5
    hysteresis: float = 0.75
    min_area_um2: float = 0.02
    min_snr: float = 5.0
    fill_holes: bool = True
    split_touching: bool = False
    film_window_um: float = 3.0
    substrate: float | None = None
    averaged_frames: int = 3

    def __post_init__(self) -> None:
        if not 0 < self.threshold < 1:
            raise AlloyError(
                f"The pore threshold is {self.threshold:g}; give a share of the step from film "
                "to substrate between 0 and 1, such as 0.5."
            )
        if self.averaged_frames < 1:
            raise AlloyError("At least one frame is needed to tell pores; give averaged_frames.")
        if not 0 < self.hysteresis <= 1:
            raise AlloyError(
                f"The hysteresis is {self.hysteresis:g}; give a share of the threshold, more "
                "than 0 and at most 1."
            )
