"""How an onset is told."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from napari_lithium_alloy.core.errors import AlloyError

HALF = 0.5


@dataclass(frozen=True, kw_only=True)
class OnsetParameters:
    """How an onset is told.

    Attributes
    ----------
    fraction : float
        Share of a pixel's own rise that it has to cross, 0 to 1.
    smoothing_px, smoothing_frames : float or None
        Standard deviations of the Gaussian smoothing (of onsets in space, of light in time);
        None: chosen from the noise, at most what suits the rise and the shape of the front.
    level_frames : int
        Frames whose mean is each end of the rise.
    sustained_frames : int
        Frames a pixel has to stay beyond the fraction.
    min_snr : float
        Smallest rise in units of its own noise.
    min_rise_fraction : float
        Smallest rise in units of the field's median rise.
    polarity : {"auto", "darkens", "brightens"}
        Whether counts fall or rise; auto: from the stage and the recording's mode.
    psf_sigma_px : float or None
        Standard deviation of the point spread, pixels, whose delay is then taken out; 0: there
        is none. None: not known, nothing is taken out, and the stated uncertainty holds what a
        typical one would delay.
    """

    fraction: float = 0.5
    smoothing_px: float | None = None
    smoothing_frames: float | None = None
    level_frames: int = 5
    sustained_frames: int = 3
    min_snr: float = 5.0
    min_rise_fraction: float = 0.2
    polarity: Literal["auto", "darkens", "brightens"] = "auto"
    psf_sigma_px: float | None = None

    def __post_init__(self) -> None:
        if not 0 < self.fraction < 1:
            raise AlloyError(
                f"The onset fraction is {self.fraction:g}; give one between 0 and 1, such as 0.5."
            )
