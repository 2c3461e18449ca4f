"""All that is known of one cell: recordings, film, potential, stages."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Self

import numpy as np

from napari_lithium_alloy.core.errors import AlloyError
from napari_lithium_alloy.core.galvanostatic import Film, PotentialCurve, li_content
from napari_lithium_alloy.core.recording import FloatArray, Recording, Region
from napari_lithium_alloy.core.stages import Stage, StageKind

TRANS_PSF_FACTOR = 0.21
"""Standard deviation of a Gaussian point spread in units of wavelength / numerical aperture."""


@dataclass(frozen=True, kw_only=True)
class Optics:
    """Resolution of the microscope.

    Attributes
    ----------
    numerical_aperture, wavelength_nm : float or None
    psf_sigma_px : float or None
        Standard deviation of the point spread in pixels; wins over the two above.
    substrate_transmittance : float or None
        Transmittance of the bare substrate relative to the pristine film (above 1).
    """

    numerical_aperture: float | None = None
    wavelength_nm: float | None = None
    psf_sigma_px: float | None = None
    substrate_transmittance: float | None = None

    def sigma_px(self, pixel_size_um: float | None) -> float | None:
        """Standard deviation of the point spread in pixels, or None where unknown."""
        if self.psf_sigma_px is not None:
            return self.psf_sigma_px
        if self.numerical_aperture and self.wavelength_nm and pixel_size_um:
            sigma_um = TRANS_PSF_FACTOR * self.wavelength_nm * 1e-3 / self.numerical_aperture
            return sigma_um / pixel_size_um
        return None


@dataclass(frozen=True, eq=False, kw_only=True)
class Experiment:
    """One cell: its recordings and what else is known of it.

    Attributes
    ----------
    name : str
    recordings : tuple of Recording
        At least one; several positions or channels are several recordings.
    film, potential, optics : optional
    stages : tuple of Stage
    x_origins_s : tuple of float
        Recording times at which x is 0, one a cycle; empty: the end of each SEI.
    regions : tuple of Region
        Regions of interest given with the recording.
    analysis : dict
        The `[analysis]` part of recording.toml: parameters of each analysis by name.
    source : str
        The file it was opened from.
    """

    name: str
    recordings: tuple[Recording, ...]
    film: Film | None = None
    potential: PotentialCurve | None = None
    optics: Optics = Optics()
    stages: tuple[Stage, ...] = ()
    x_origins_s: tuple[float, ...] = ()
    regions: tuple[Region, ...] = ()
    analysis: dict[str, Any] = field(default_factory=dict)
    source: str = ""

    def by_mode(self, mode: str) -> Recording | None:
        """The first recording of this mode, or None."""
        return next((r for r in self.recordings if r.mode == mode), None)

    def recording(self, name: str | None = None) -> Recording:
        """The recording of this name; without one trans, else epi, else the only one.

        Raises
        ------
        AlloyError
            If there is none of that name, or several to choose from.
        """
        if name is not None:
            found = [r for r in self.recordings if r.name == name or r.mode == name]
            if not found:
                names = ", ".join(r.name for r in self.recordings)
                raise AlloyError(f"There is no recording {name} in {self.name}; it has: {names}.")
            return found[0]
        modes = [r.mode for r in self.recordings]
        mode = next((m for m in ("trans", "epi") if m in modes), None)
        if modes.count(mode) > 1:
            names = ", ".join(r.name for r in self.recordings)
            raise AlloyError(
                f"{self.name} holds several recordings ({names}); name the one to analyse under "
                "[trans] or [epi] of recording.toml with position, channel or z."
            )
        return self.recordings[modes.index(mode)]

    def current_starts_s(self) -> float | None:
        """When current first flows: from the potential's current, else the start of the first SEI.

        None where neither tells it: before any other stage lithium may already have come in.
        """
        from_current = self.potential.current_starts_s() if self.potential else None
        if from_current is not None:
            return from_current
        first = min(self.stages, key=lambda s: s.start_s, default=None)
        return first.start_s if first is not None and first.kind is StageKind.SEI else None

    def origins_s(self) -> Sequence[float]:
        """Times at which x = 0: those given, else the end of each SEI, else the first alloying."""
        if self.x_origins_s:
            return sorted(self.x_origins_s)
        origins: dict[int, float] = {}
        for stage in sorted(self.stages, key=lambda s: s.start_s):
            if stage.scope == "cell" and stage.name == "SEI":
                origins[stage.cycle] = stage.end_s
            elif stage.scope == "cell" and stage.name == "step1":
                origins.setdefault(stage.cycle, stage.start_s)
        return sorted(origins.values())

    def li_content_at(self, times_s: FloatArray) -> FloatArray:
        """Li content x at times of the recordings, NaN where it is not known."""
        if self.potential is None or self.film is None:
            return np.full(len(times_s), np.nan)
        return li_content(self.potential, self.film, times_s, origins_s=self.origins_s())

    def replace(self, **changes: Any) -> Self:
        """The same experiment with some attributes changed."""
        return dataclasses.replace(self, **changes)
