"""Potential curve, clock link, Li content x, capacity."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

import numpy as np

from napari_lithium_alloy.core.errors import AlloyError
from napari_lithium_alloy.core.recording import FloatArray

FARADAY_C_MOL = 96485.33212
METALS = {"Au": (19.3, 196.97), "Ag": (10.49, 107.868)}
"""Density in g cm-3 and molar mass in g mol-1."""


@dataclass(frozen=True, kw_only=True)
class Film:
    """A metal film electrode.

    Attributes
    ----------
    metal : str
    thickness_nm, area_cm2 : float
    density_g_cm3, molar_mass_g_mol : float or None
        None: those of the metal, if it is in `METALS`.
    thickness_sd_nm, area_sd_cm2 : float
        Their standard deviations.
    coulombic_efficiency : float
        Share of the charge that moves lithium into or out of the film.
    """

    metal: str
    thickness_nm: float
    area_cm2: float
    density_g_cm3: float | None = None
    molar_mass_g_mol: float | None = None
    thickness_sd_nm: float = 0.0
    area_sd_cm2: float = 0.0
    coulombic_efficiency: float = 1.0

    def __post_init__(self) -> None:
        for key in ("thickness_nm", "area_cm2"):
            if not getattr(self, key) > 0:
                raise AlloyError(f"The film's {key} is {getattr(self, key)}; give a positive one.")
        if (self.density_g_cm3 is None or self.molar_mass_g_mol is None) and (
            self.metal not in METALS
        ):
            raise AlloyError(
                f"The metal {self.metal} is not known: give density_g_cm3 and "
                "molar_mass_g_mol under [film]."
            )

    @property
    def metal_mol(self) -> float:
        """Amount of metal in the film, mol."""
        known_density, known_mass = METALS.get(self.metal, (math.nan, math.nan))
        density = known_density if self.density_g_cm3 is None else self.density_g_cm3
        mass = known_mass if self.molar_mass_g_mol is None else self.molar_mass_g_mol
        return self.area_cm2 * self.thickness_nm * 1e-7 * density / mass

    @property
    def li_content_relative_sd(self) -> float:
        """Standard deviation of x as a share of x, from those of thickness and area."""
        return math.hypot(
            self.thickness_sd_nm / self.thickness_nm, self.area_sd_cm2 / self.area_cm2
        )

    def li_content_rate(self, current_ma: float) -> float:
        """Growth of x in Li_xM for a current, per second (Faraday's law, one electron a Li)."""
        lithium_a = self.coulombic_efficiency * abs(current_ma) * 1e-3
        return lithium_a / (FARADAY_C_MOL * self.metal_mol)


@dataclass(frozen=True, kw_only=True)
class ClockLink:
    """How the cycler's clock follows the recording's: cycler time = offset + rate * its time.

    Attributes
    ----------
    offset_s : float
        Cycler time at the recording's time 0, seconds.
    rate : float
        Cycler seconds per second of the recording.
    way : str
        How it was found: "typed", "points", "time stamps", "steps"; empty where nobody has said.
    residual_s : float
        Root mean square by which steps of potential and picture still differ, in seconds of the
        recording; NaN where it is not known.

    Raises
    ------
    AlloyError
        If the offset is not finite or the rate not positive.
    """

    offset_s: float = 0.0
    rate: float = 1.0
    way: str = ""
    residual_s: float = math.nan

    def __post_init__(self) -> None:
        if not (math.isfinite(self.offset_s) and math.isfinite(self.rate) and self.rate > 0):
            raise AlloyError(
                f"The clocks cannot be linked by an offset of {self.offset_s:g} s and a rate of "
                f"{self.rate:g}; give a finite offset and a positive rate."
            )


@dataclass(frozen=True, eq=False, kw_only=True)
class PotentialCurve:
    """Potential and current of the cell against the cycler's clock.

    Attributes
    ----------
    times_s : numpy.ndarray
        (N,) seconds on the cycler's clock, never falling.
    potential_v : numpy.ndarray
        (N,) volts.
    current_ma : numpy.ndarray or None
        (N,) milliamperes, in the file's own sign convention.
    clock_offset_s : float
        Cycler time at the recording's time 0, seconds.
    clock_rate : float
        Cycler seconds per second of the recording.
    clock_way, clock_residual_s : str, float
        How offset and rate were found, and how well they fit (see `ClockLink`).
    source : str
    columns : mapping of str to str
        The file's column, with its unit, that "time", "potential" and "current" were read from.
    chosen : mapping of str to str
        What was chosen by hand, by the keys of recording.toml: time_column, time_unit, ...
    started : datetime.datetime or None
        When the cycler's clock was zero, as the file writes it; without a time zone it is the
        local time of its computer.
    """

    times_s: FloatArray
    potential_v: FloatArray
    current_ma: FloatArray | None = None
    clock_offset_s: float = 0.0
    clock_rate: float = 1.0
    clock_way: str = ""
    clock_residual_s: float = math.nan
    source: str = ""
    columns: Mapping[str, str] = field(default_factory=dict)
    chosen: Mapping[str, str] = field(default_factory=dict)
    started: datetime | None = None

    @property
    def clock(self) -> ClockLink:
        """How its clock follows the recording's."""
        return ClockLink(
            offset_s=self.clock_offset_s,
            rate=self.clock_rate,
            way=self.clock_way,
            residual_s=self.clock_residual_s,
        )

    def linked(self, clock: ClockLink) -> PotentialCurve:
        """The same curve with another link of its clock to the recording's."""
        return dataclasses.replace(
            self,
            clock_offset_s=clock.offset_s,
            clock_rate=clock.rate,
            clock_way=clock.way,
            clock_residual_s=clock.residual_s,
        )

    @property
    def recording_times_s(self) -> FloatArray:
        """(N,) seconds on the recording's clock."""
        return (self.times_s - self.clock_offset_s) / self.clock_rate

    def potential_at(self, times_s: FloatArray) -> FloatArray:
        """Potential in volts at times of the recording, NaN outside the curve."""
        return _at(times_s, self.recording_times_s, self.potential_v)

    def current_at(self, times_s: FloatArray) -> FloatArray:
        """Current in mA at times of the recording, NaN outside the curve or without current."""
        if self.current_ma is None:
            return np.full(np.shape(times_s), np.nan)
        return _at(times_s, self.recording_times_s, self.current_ma)

    def charge_mah(self) -> FloatArray | None:
        """(N,) charge into the film since the first point, mAh; None without current.

        Whatever the file's sign convention, the first current into a pristine film lithiates it.
        """
        if self.current_ma is None:
            return None
        flowing = self.current_ma[np.abs(self.current_ma) > 0.05 * np.abs(self.current_ma).max()]
        sign = np.sign(flowing[0]) if flowing.size else 1.0
        steps = sign * np.diff(self.times_s) * (self.current_ma[1:] + self.current_ma[:-1]) / 2
        return np.concatenate([[0.0], np.cumsum(steps)]) / 3600

    def current_starts_s(self) -> float | None:
        """Recording time at which current first flows (over 5 % of its largest), or None."""
        direction = self._direction()
        if direction is None or not direction.any():
            return None
        return float(self.recording_times_s[np.argmax(direction != 0)])

    def switches_s(self) -> FloatArray:
        """Recording times at which current starts, stops or reverses; none without a current."""
        direction = self._direction()
        if direction is None:
            return np.zeros(0)
        return np.asarray(self.recording_times_s[1:][np.diff(direction) != 0])

    def _direction(self) -> FloatArray | None:
        """(N,) sign of the current, 0 where it is under 5 % of its largest."""
        if self.current_ma is None:
            return None
        flows = np.abs(self.current_ma) > 0.05 * np.abs(self.current_ma).max(initial=0)
        return np.asarray(np.sign(self.current_ma) * flows)


def _at(times_s: FloatArray, known_s: FloatArray, values: FloatArray) -> FloatArray:
    return np.asarray(np.interp(times_s, known_s, values, left=np.nan, right=np.nan))


def li_content(
    curve: PotentialCurve,
    film: Film,
    times_s: FloatArray,
    *,
    origins_s: Sequence[float],
) -> FloatArray:
    """Li content x of Li_xM at times of the recording.

    Parameters
    ----------
    curve : PotentialCurve
    film : Film
    times_s : numpy.ndarray
        (T,) seconds on the recording's clock.
    origins_s : sequence of float
        Recording times at which x is 0, one a cycle (the end of each SEI stage); each counts
        from itself to the next.

    Returns
    -------
    numpy.ndarray
        (T,) x; NaN before the first origin, outside the curve, or without current. Once plating
        starts it is charge in equivalents, not the alloy's content.
    """
    charge = curve.charge_mah()
    x = np.full(len(times_s), np.nan)
    if charge is None or not len(origins_s):
        return x
    per_mah = film.li_content_rate(1.0) * 3600
    at_times = _at(times_s, curve.recording_times_s, charge)
    for origin in sorted(origins_s):
        at_origin = _at(np.array([origin]), curve.recording_times_s, charge)[0]
        later = times_s >= origin
        x[later] = (at_times[later] - at_origin) * per_mah
    return x


def capacity_mah_cm2(curve: PotentialCurve, film: Film, start_s: float, end_s: float) -> float:
    """Absolute charge between two recording times per area; NaN outside the curve."""
    charge = curve.charge_mah()
    if charge is None:
        return math.nan
    ends = _at(np.array([start_s, end_s]), curve.recording_times_s, charge)
    return float(abs(ends[1] - ends[0]) / film.area_cm2)
