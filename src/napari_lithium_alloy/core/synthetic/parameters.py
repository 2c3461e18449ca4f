"""What is planted: one frozen dataclass a topic, and presets for gold and silver."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from typing import Any, Literal, Self

from napari_lithium_alloy.core.errors import AlloyError
from napari_lithium_alloy.core.galvanostatic import Film


@dataclass(frozen=True, kw_only=True)
class PlantedStep:
    """One alloying or dealloying step.

    Attributes
    ----------
    duration_s, gap_s : float
        Length of its stage, and time between the stage before and its start.
    amplitude : float
        Absorbance it adds; of dealloying: its share of the absorbance that leaves.
    rise_s : float
        10-90 % time of a pixel's rise (or fall).
    complementarity : float
        1: exactly the reverse order of the step before, 0: unrelated, -1: the same order. Of the
        first dealloying step: against the last alloying step, so 1 is last in, first out.
    spread_s : float or None
        Time between the first and the last onset; None: as much as the stage holds.
    spread : (float, float)
        Shape of the beta distribution of onsets within it; (1, 1) is uniform.
    overlap_s : float
        How long before its stage begins the first pixels start, where the step before has ended.
    creep : float
        Slow rise after the step, as a share of its amplitude.
    creep_time_s : float
        Time constant of the creep.
    """

    duration_s: float
    gap_s: float
    amplitude: float
    rise_s: float
    complementarity: float = 0.0
    spread_s: float | None = None
    spread: tuple[float, float] = (1.0, 1.0)
    overlap_s: float = 0.0
    creep: float = 0.0
    creep_time_s: float = 20.0


@dataclass(frozen=True, kw_only=True)
class PlantedTiming:
    """Clock of cell and cameras, seconds.

    Attributes
    ----------
    rest_s : float
        Before current flows.
    pause_s : float
        Without current, after each cycle.
    sei_s, deposition_gap_s, deposition_s, dissolution_s : float
        Lengths of these stages; the gap lies between the last alloying step and deposition.
    frame_interval_s, epi_interval_s, epi_start_s : float
    jitter, epi_jitter : float
        Standard deviation of a frame's time as a share of the interval (cut at 0.45).
    dropped, epi_dropped : float
        Share of the frames that are missing.
    """

    rest_s: float = 5.0
    pause_s: float = 2.0
    sei_s: float = 15.0
    deposition_gap_s: float = 2.0
    deposition_s: float = 60.0
    dissolution_s: float = 45.0
    frame_interval_s: float = 1.0
    epi_interval_s: float = 2.5
    epi_start_s: float = 0.4
    jitter: float = 0.0
    epi_jitter: float = 0.0
    dropped: float = 0.0
    epi_dropped: float = 0.0


@dataclass(frozen=True, kw_only=True)
class PlantedFilm:
    """Where and how the film takes lithium.

    Attributes
    ----------
    correlation_um : float
        Length scale L of the fields behind the onset maps: their autocorrelation is
        exp(-d^2 / (2 L^2)).
    sei_absorbance, sei_later : float
        Uniform darkening in the first cycle, and in each later one as a share of it.
    residual_absorbance : float
        What each cycle leaves behind.
    edge_lag_s : float
        How much later the field's corners are than its centre.
    substrate_transmittance : float
        Of bare glass, relative to the pristine film.
    bare_glass_um : float
        Width of bare glass at the right edge.
    """

    correlation_um: float = 1.1
    sei_absorbance: float = 0.03
    sei_later: float = 0.2
    residual_absorbance: float = 0.0
    edge_lag_s: float = 0.0
    substrate_transmittance: float = 2.0
    bare_glass_um: float = 0.0


@dataclass(frozen=True, kw_only=True)
class PlantedSites:
    """Nuclei of Li metal: discs whose area grows linearly.

    Attributes
    ----------
    count : int
        A cycle.
    spacing_um : float
        Least distance between sites, and to earlier pores.
    radius_um, radius_sigma : float
        Median and logarithmic standard deviation of the final radius.
    absorbance : float
        Of lithium over the film.
    onset_spread : float
        Share of the deposition in which all nucleate.
    avoid_extremes : float
        Share of the first and of the last alloyed area (first heterogeneous step) without nuclei.
    dead_fraction : float
        Share that leaves dead lithium and no pore.
    pore_fraction : float
        Share of the others that leaves a pore.
    """

    count: int = 12
    spacing_um: float = 1.4
    radius_um: float = 0.38
    radius_sigma: float = 0.1
    absorbance: float = 0.7
    onset_spread: float = 0.15
    avoid_extremes: float = 0.15
    dead_fraction: float = 0.1
    pore_fraction: float = 0.85


@dataclass(frozen=True, kw_only=True)
class PlantedPores:
    """Holes of the film.

    Attributes
    ----------
    area_um2, area_sigma : float
        Median and logarithmic standard deviation of a new pore's area (cut to 0.05..0.4 um2).
    without_site, pinholes : int
        Pores that open where no site was (in each cycle that opens pores); holes of the
        pristine film.
    pinhole_area_um2 : float
    new_each_cycle : bool
        Gold opens pores in every cycle, silver in the first.
    growth_per_cycle : float
        Factor by which each older pore's area grows in a later cycle.
    merging_pairs : int
        Pores of the first cycle with a neighbour they reach in the second by that growth.
    """

    area_um2: float = 0.12
    area_sigma: float = 0.4
    without_site: int = 2
    pinholes: int = 2
    pinhole_area_um2: float = 0.06
    new_each_cycle: bool = True
    growth_per_cycle: float = 1.0
    merging_pairs: int = 0


@dataclass(frozen=True, kw_only=True)
class PlantedEpi:
    """The reflected-light recording.

    Attributes
    ----------
    reflectance_per_absorbance : float
        Relative rise of reflectance per absorbance of the alloy.
    pore_reflectance, lithium_reflectance : float
        Of bare glass, and of lithium over the film, relative to the film.
    offset_px : (float, float)
        Rows and columns by which the picture lies off the trans picture.
    """

    reflectance_per_absorbance: float = 0.8
    pore_reflectance: float = 0.35
    lithium_reflectance: float = 0.6
    offset_px: tuple[float, float] = (2.3, -1.7)


@dataclass(frozen=True, kw_only=True)
class PlantedCamera:
    """Optics and camera; both recordings use the same.

    Attributes
    ----------
    shape : (int, int)
    pixel_size_um : float
    psf_sigma_px, psf_sigma_end_px : float
        Standard deviation of the point spread at the first and last frame (None: no defocus).
    photo_electrons : float
        Of the pristine film, mean of the field.
    gain_counts : float
        Counts per electron.
    dark_counts, read_noise_electrons : float
    shot_noise : bool
    bits : int
    clip_counts : float or None
        Saturation below the full range of `bits`.
    illumination_falloff : float
        Loss of light from the centre to a corner.
    hot_pixels : int
    """

    shape: tuple[int, int] = (192, 192)
    pixel_size_um: float = 0.065
    psf_sigma_px: float = 1.3
    psf_sigma_end_px: float | None = None
    photo_electrons: float = 2600.0
    gain_counts: float = 0.5
    dark_counts: float = 100.0
    read_noise_electrons: float = 2.0
    shot_noise: bool = True
    bits: int = 12
    clip_counts: float | None = None
    illumination_falloff: float = 0.15
    hot_pixels: int = 0

    @property
    def saturation_counts(self) -> float:
        """Counts at which a pixel is clipped."""
        full = float(2**self.bits - 1)
        return full if self.clip_counts is None else min(full, self.clip_counts)


@dataclass(frozen=True, kw_only=True)
class PlantedDisturbances:
    """What spoils a recording; all off by default.

    Attributes
    ----------
    drift_px_per_min, walk_px : (float, float), float
        Steady drift (rows, columns), and the random walk's standard deviation after one second.
    jump_px, jump_s : (float, float), float
        A jump and when.
    room_px : int
        Width of the film around the field from which drift can bring into view.
    flicker, lamp_drift : float
        Standard deviation of the lamp from frame to frame; its slow change over the recording.
    glare : float
        Additive light at its brightest spot, as a share of the film's brightness.
    dust, dust_on : int, {"sample", "sensor"}
        Grains, and whether they move with the film.
    bubble : float
        Contrast of a refracting bubble that drifts through the field.
    """

    drift_px_per_min: tuple[float, float] = (0.0, 0.0)
    walk_px: float = 0.0
    jump_px: tuple[float, float] = (0.0, 0.0)
    jump_s: float = 0.0
    room_px: int = 32
    flicker: float = 0.0
    lamp_drift: float = 0.0
    glare: float = 0.0
    dust: int = 0
    dust_on: Literal["sample", "sensor"] = "sample"
    bubble: float = 0.0


@dataclass(frozen=True, kw_only=True)
class PlantedPotential:
    """The galvanostatic curve.

    Attributes
    ----------
    interval_s, clock_offset_s : float
        Of the cycler, whose clock starts at 0; the offset is cycler time minus recording time.
    current_ma : float
        Its size.
    lithiation_sign : {-1, 1}
        Sign of the current that brings lithium in; the potential's sign goes with it.
    plateaus_v : tuple of float
        Size of the overpotential in each alloying step and, last, in deposition.
    sloping : bool
        Lines between the plateaus in place of steps (silver).
    noise_v : float
    """

    interval_s: float = 0.5
    clock_offset_s: float = 0.0
    current_ma: float = 0.0353
    lithiation_sign: Literal[-1, 1] = -1
    plateaus_v: tuple[float, ...] = (0.07, 0.14, 0.23)
    sloping: bool = False
    noise_v: float = 0.0005


@dataclass(frozen=True, kw_only=True)
class SyntheticParameters:
    """All that is planted in one cell.

    Attributes
    ----------
    name : str
    seed : int
    cycles : int
    film : Film
    alloying, dealloying : tuple of PlantedStep
    timing, onset, sites, pores, epi, camera, disturbances, potential
        A dataclass each.
    """

    name: str = "synthetic Au"
    seed: int = 0
    cycles: int = 1
    film: Film
    alloying: tuple[PlantedStep, ...]
    dealloying: tuple[PlantedStep, ...]
    timing: PlantedTiming = field(default_factory=PlantedTiming)
    onset: PlantedFilm = field(default_factory=PlantedFilm)
    sites: PlantedSites = field(default_factory=PlantedSites)
    pores: PlantedPores = field(default_factory=PlantedPores)
    epi: PlantedEpi = field(default_factory=PlantedEpi)
    camera: PlantedCamera = field(default_factory=PlantedCamera)
    disturbances: PlantedDisturbances = field(default_factory=PlantedDisturbances)
    potential: PlantedPotential = field(default_factory=PlantedPotential)

    def change(self, **changes: Any) -> Self:
        """The same with some values changed, wherever they are: `change(psf_sigma_px=0)`.

        Raises
        ------
        AlloyError
            If there is no such parameter.
        """
        own = {f.name for f in dataclasses.fields(self)}
        direct = {k: v for k, v in changes.items() if k in own}
        rest = {k: v for k, v in changes.items() if k not in own}
        for topic in _TOPICS:
            value = direct.get(topic, getattr(self, topic))
            names = {f.name for f in dataclasses.fields(value)} & rest.keys()
            if names:
                direct[topic] = dataclasses.replace(value, **{n: rest.pop(n) for n in names})
        if rest:
            raise AlloyError(f"Synthetic recordings have no parameter {min(rest)}.")
        return dataclasses.replace(self, **direct)


_TOPICS = (
    "timing",
    "onset",
    "sites",
    "pores",
    "epi",
    "camera",
    "disturbances",
    "potential",
)
