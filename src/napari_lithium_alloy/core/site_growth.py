"""Growth and dissolution of lithium at nucleation sites: onset, area against time, remains."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from napari_lithium_alloy.core.growth_laws import blurred_height, growth_exponent, hinge_onset
from napari_lithium_alloy.core.nucleation import NucleationParameters
from napari_lithium_alloy.core.photometry import Reference
from napari_lithium_alloy.core.progress import Work, part
from napari_lithium_alloy.core.recording import BoolArray, FloatArray, IntArray, Recording
from napari_lithium_alloy.core.site_apertures import SiteLight, apertures_at
from napari_lithium_alloy.core.site_detection import ASSUMED_PSF_UM
from napari_lithium_alloy.core.smoothing import MAD_TO_SD
from napari_lithium_alloy.core.stages import Stage, StageKind
from napari_lithium_alloy.core.tables import conform, empty

LEAST_PLATEAU = 3.0
"""Smallest final loss of light, in units of its noise, that an area can be measured by."""
SUSTAINED_FRAMES = 3
EARLY_GROWTH = 0.25
"""Share of the deposition after an onset over which growth is taken as steady."""
GONE_SHARE = 0.1
"""Of a disc's final loss of light, under which it is gone."""
DEAD_SHARE, PORE_SHARE = 0.3, 0.08
"""Of the final loss at its centre, what is still lost where lithium is dead; of the film's light,
what is gained where a pore is: against the film around and against the film before alloying,
since that around may not be dealloyed yet."""
ONSET_COLUMNS = ("onset_s", "onset_sd_s", "reason")
DEAD, PORE, NOTHING = "dead lithium", "pore", "nothing"


@dataclass(frozen=True, kw_only=True)
class SiteTimes:
    """When the lithium of one cycle grows, goes, and what it left is looked at; seconds.

    Attributes
    ----------
    start_s, end_s : float
        The deposition.
    gone_s : float or None
        End of the dissolution; None: not recorded.
    cycle_end_s : float or None
        End of the dealloying after it.
    """

    start_s: float
    end_s: float
    gone_s: float | None = None
    cycle_end_s: float | None = None

    @classmethod
    def of(cls, deposition: Stage, stages: Sequence[Stage]) -> SiteTimes:
        """Those of a deposition among the stages of a recording."""
        later = [
            s for s in stages if s.cycle == deposition.cycle and s.end_s > deposition.end_s + 1e-9
        ]
        gone = [s.end_s for s in later if s.kind is StageKind.DISSOLUTION]
        ends = [s.end_s for s in later if s.kind is StageKind.DEALLOYING]
        return cls(
            start_s=deposition.start_s,
            end_s=deposition.end_s,
            gone_s=max(gone) if gone else None,
            cycle_end_s=max(ends) if ends else None,
        )


def measure_sites(
    recording: Recording,
    sites: pd.DataFrame,
    start_s: float,
    end_s: float,
    reference: Reference,
    parameters: NucleationParameters | None = None,
    *,
    times: SiteTimes | None = None,
) -> Work[tuple[pd.DataFrame, pd.DataFrame]]:
    """Onset, radius and area of sites from their own intensity-time curves (Figs. S5, 3C, S16).

    The area is the integrated loss of light against the film around, divided by the loss under
    lithium: that of the inner half at the end of the deposition, corrected for what the point
    spread takes from a disc of this radius. Light adds up linearly, so blur does not change the
    sum. The onset is that of the search, where there is one: the fit of a disc whose area grows
    at a steady rate to all pixels. Else the same model is fitted to the area-time curve, whose
    noise is measured from its second differences. Of rough lithium (polarity "either") the size
    of the change over the inner half stands for the loss. What a site leaves is told at the end
    of the dealloying: dead lithium, where light is still lost at its centre; a pore, where there
    is more light than in the film around (in reflected light pores are dark, too, and only
    "nothing" can be told).

    Parameters
    ----------
    recording : Recording
    sites : pandas.DataFrame
        The table `sites`.
    start_s, end_s : float
        The deposition, seconds.
    reference : Reference
    parameters : NucleationParameters, optional
    times : SiteTimes, optional
        Also the dissolution and the cycle's end; None: the deposition alone is measured.

    Returns
    -------
    sites, growth : pandas.DataFrame
        The tables `sites` and `site_growth`.
    """
    parameters = parameters or NucleationParameters()
    times = times or SiteTimes(start_s=start_s, end_s=end_s)
    coming = recording.frames_between(start_s, end_s)
    if not len(sites) or len(coming) < 2:
        yield 1, 1
        return conform("sites", sites), empty("site_growth")
    size = recording.pixel_size("Measuring sites")
    frames, in_curve = _frames(recording, times)
    centres = sites[["y_um", "x_um"]].to_numpy(float) / size
    radii = np.nan_to_num(sites["radius_um"].to_numpy(float), nan=3 * size) / size
    apertures = apertures_at(centres, radii, recording.field_shape)
    first = coming[: max(1, min(5, len(coming) // 4))]
    light = SiteLight(recording, apertures, reference.dark, first)
    pristine = apertures.core_mean(light.start / reference.image.ravel()[apertures.at])
    work = light.losses(frames, parameters.polarity)
    core, inner, mean, own = yield from part(work, 0, 100, 100)
    whole, of_first = mean * apertures.n_disc, own * pristine
    times_s = recording.times_s[frames]
    measured = _Curves(times_s, core, inner, whole, of_first, len(coming), in_curve)
    sigma = parameters.psf_sigma_px or ASSUMED_PSF_UM / size
    bright = recording.mode != "epi" and parameters.polarity in ("auto", "darkens")
    return _measured(sites, measured, size, sigma, bright)


def _frames(recording: Recording, times: SiteTimes) -> tuple[IntArray, BoolArray]:
    """Frames of the deposition, the dissolution and the cycle's last; which are in the curves."""
    gone = times.end_s if times.gone_s is None else times.gone_s
    shown = recording.frames_between(times.start_s, gone)
    if times.cycle_end_s is None:
        return shown, np.ones(len(shown), dtype=bool)
    last = recording.frames_between(gone, times.cycle_end_s)[-5:]
    last = last[last > shown[-1]]
    return np.concatenate([shown, last]), np.arange(len(shown) + len(last)) < len(shown)


@dataclass(frozen=True, eq=False)
class _Curves:
    """(T, N) loss of light of each site; the first `n_growth` frames are the deposition's."""

    times_s: FloatArray
    core: FloatArray
    inner: FloatArray
    whole: FloatArray
    light: FloatArray
    n_growth: int
    shown: BoolArray

    @property
    def n_ends(self) -> int:
        """Frames averaged at each end of the deposition."""
        return max(1, min(5, self.n_growth // 4))

    def plateau(self, curve: FloatArray) -> FloatArray:
        """(N,) mean over the deposition's last frames, against its first."""
        ends = curve[self.n_growth - self.n_ends : self.n_growth].mean(axis=0)
        return np.asarray(ends - curve[: self.n_ends].mean(axis=0))

    def before(self, onset_s: FloatArray) -> FloatArray:
        """(N,) whole loss before a site's onset, on which steady growth follows for a while."""
        times, whole = self.times_s[: self.n_growth, np.newaxis], self.whole[: self.n_growth]
        level = whole[: self.n_ends].mean(axis=0)
        used = times <= onset_s + EARLY_GROWTH * (times[-1] - times[0])
        rise = np.where(used, np.maximum(times - onset_s, 0), 0.0)
        n = used.sum(axis=0)
        fitted = (n > 2) & (rise > 0).any(axis=0)
        n = np.maximum(n, 1)
        mean = (whole * used).sum(axis=0) / n, rise.sum(axis=0) / n
        away = (rise - mean[1]) * used
        slope = (away * (whole - mean[0])).sum(axis=0) / np.where(fitted, (away**2).sum(axis=0), 1)
        return np.asarray(np.where(fitted, mean[0] - slope * mean[1], level))

    def noise(self, curve: FloatArray) -> FloatArray:
        """(N,) standard deviation of a frame, from second differences over the deposition."""
        if self.n_growth < 3:
            return np.zeros(curve.shape[1])
        second = np.abs(np.diff(curve[: self.n_growth], n=2, axis=0))
        return np.asarray(MAD_TO_SD * np.median(second, axis=0) / np.sqrt(6))


def _measured(
    sites: pd.DataFrame, curves: _Curves, size: float, sigma_px: float, bright: bool
) -> tuple[pd.DataFrame, pd.DataFrame]:
    table = conform("sites", sites)
    table = _with(table, _onsets(table, curves))
    areas, noise = _areas(table, curves, size, sigma_px)
    table = _with(table, _growth(table, curves, areas, noise, sigma_px * size))
    gone_s, leaves = _remains(curves, bright)
    table = _with(table, {"gone_s": gone_s, "leaves": leaves})
    shown, times = areas[curves.shown], curves.times_s[curves.shown]
    # Where a pore opens there is more light than in the film around: no lithium, not less.
    gone = times[:, None] >= np.nan_to_num(gone_s, nan=np.inf)
    shown = np.where(gone & np.isfinite(shown), 0.0, shown)
    rows = {
        "time_s": np.repeat(times, len(table)),
        "cycle": np.tile(table["cycle"].to_numpy(int), len(shown)),
        "site": np.tile(table["site"].to_numpy(int), len(shown)),
        "radius_um": np.sqrt(np.maximum(shown, 0) / np.pi).ravel(),
        "area_um2": shown.ravel(),
        "mean_transmittance": curves.light[curves.shown].ravel(),
    }
    return table, conform("site_growth", pd.DataFrame(rows))


def _with(table: pd.DataFrame, columns: Mapping[str, FloatArray | list[Any]]) -> pd.DataFrame:
    """The table with some columns replaced, of the types it has."""
    types = {name: table[name].dtype for name in columns}
    return table.assign(**columns).astype(types)


def _areas(
    table: pd.DataFrame, curves: _Curves, size: float, sigma_px: float
) -> tuple[FloatArray, FloatArray]:
    """(T, N) areas and (N,) their noise, um2; NaN where light is hardly lost.

    Of sites the search has fitted, its area is that at the end of the deposition.
    """
    whole = curves.whole - curves.before(table["onset_s"].to_numpy(float))
    plateau = curves.inner[curves.n_growth - curves.n_ends : curves.n_growth].mean(axis=0)
    clear = plateau > LEAST_PLATEAU * curves.noise(curves.inner)
    final = whole[curves.n_growth - curves.n_ends : curves.n_growth].mean(axis=0)
    fitted = table["onset_sd_s"].notna().to_numpy() & table["radius_um"].notna().to_numpy()
    radius = np.nan_to_num(table["radius_um"].to_numpy(float), nan=3 * size) / size
    with np.errstate(divide="ignore", invalid="ignore"):
        for _ in range(4):
            under = plateau / blurred_height(radius, sigma_px)
            found = np.sqrt(np.maximum(final / under, 0) / np.pi)
            radius = np.where(clear & ~fitted & (found > 0.5), found, radius)
        scale = np.where(fitted, np.pi * radius**2 / final, 1 / under) * size**2
    scale = np.where(clear & (final > 0), scale, np.nan)
    return whole * scale, curves.noise(curves.whole) * scale


def _onsets(table: pd.DataFrame, curves: _Curves) -> dict[str, FloatArray | list[Any]]:
    """Onsets, their uncertainties and reasons: of the search, else of the sites' own curves."""
    onset, sd = (table[c].to_numpy(float).copy() for c in ONSET_COLUMNS[:2])
    reason, n = [""] * len(table), curves.n_growth
    noise = curves.noise(curves.whole)
    for i in np.flatnonzero(~(np.isfinite(onset) & np.isfinite(sd))):
        onset[i], sd[i], reason[i] = hinge_onset(
            curves.times_s[:n], curves.whole[:n, i], float(noise[i])
        )
    return dict(zip(ONSET_COLUMNS, (onset, sd, reason), strict=True))


def _growth(
    table: pd.DataFrame, curves: _Curves, areas: FloatArray, noise: FloatArray, sigma_um: float
) -> dict[str, FloatArray | list[Any]]:
    """What the sites' curves tell of their growth."""
    n = curves.n_growth
    times, growing = curves.times_s[:n], areas[:n]
    final = growing[n - curves.n_ends :].mean(axis=0)
    lasting = np.isfinite(final) & (final > 0)
    onset, sd = (np.where(lasting, table[c].to_numpy(float), np.nan) for c in ONSET_COLUMNS[:2])
    reason = table["reason"].tolist()
    area, exponent, exponent_sd = table["area_um2"].to_numpy(float).copy(), *_unknown(2, table)
    area[lasting] = final[lasting]
    radius = np.where(lasting, np.sqrt(area / np.pi), table["radius_um"].to_numpy(float))
    for i in range(len(table)):
        if lasting[i]:
            exponent[i], exponent_sd[i], why = growth_exponent(
                times, growing[:, i], float(noise[i]), onset[i], sd[i], sigma_um
            )
            reason[i] = reason[i] or why
        else:
            reason[i] = "no lasting change at its centre"
    return {
        "onset_s": onset,
        "onset_sd_s": sd,
        "reason": reason,
        "area_um2": area,
        "radius_um": radius,
        "growth_exponent": exponent,
        "growth_exponent_sd": exponent_sd,
    }


def _unknown(k: int, table: pd.DataFrame) -> FloatArray:
    return np.full((k, len(table)), np.nan)


def _remains(curves: _Curves, bright: bool) -> tuple[FloatArray, list[Any]]:
    """When each site's lithium is gone, and what is there at the end of the dealloying."""
    n, shown = curves.n_growth, curves.shown
    final, noise = curves.plateau(curves.core), curves.noise(curves.core)
    gone_s, leaves = np.full(len(final), np.nan), np.full(len(final), pd.NA, dtype=object)
    told = final > LEAST_PLATEAU * noise
    if not shown[n:].any():
        return gone_s, leaves.tolist()
    core = curves.core - curves.core[: curves.n_ends].mean(axis=0)
    low = core[n:][shown[n:]] < np.maximum(GONE_SHARE * final, 2 * noise)
    beyond = np.ones((SUSTAINED_FRAMES - 1, len(final)), dtype=bool)
    padded = np.vstack([low, beyond])
    stays = np.all([padded[k : k + len(low)] for k in range(SUSTAINED_FRAMES)], axis=0)
    is_gone = told & stays.any(axis=0)
    gone_s[is_gone] = curves.times_s[n + stays.argmax(axis=0)[is_gone]]
    after = core[~shown]
    if not len(after):
        return gone_s, leaves.tolist()
    rest, least = after.mean(axis=0), LEAST_PLATEAU * noise / np.sqrt(len(after))
    dead = rest > np.maximum(DEAD_SHARE * final, least)
    brighter = curves.light[~shown].mean(axis=0) > 1 + PORE_SHARE
    pore = ~dead & (rest < -np.maximum(PORE_SHARE, least)) & brighter
    leaves[told & ~dead & ~pore] = NOTHING
    if bright:
        leaves[told & dead], leaves[told & pore] = DEAD, PORE
    return gone_s, leaves.tolist()
