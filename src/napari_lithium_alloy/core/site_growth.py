"""Growth and dissolution of lithium at nucleation sites: onset, area against time, remains."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from napari_lithium_alloy.core.growth_laws import blurred_height, growth_exponent, hinge_onset
from napari_lithium_alloy.core.nucleation import NucleationParameters
from napari_lithium_alloy.core.photometry import Reference
from napari_lithium_alloy.core.progress import Work
from napari_lithium_alloy.core.recording import BoolArray, FloatArray, IntArray, Recording
from napari_lithium_alloy.core.site_apertures import Apertures, Loss, apertures_at, mean_light
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
    start = mean_light(recording, coming[: max(1, min(5, len(coming) // 4))], reference)
    pristine = apertures.mean(start / reference.image, "core")
    curves = np.empty((4, len(frames), len(sites)))
    for i, t in enumerate(frames):
        change = mean_light(recording, np.array([t]), reference) / start
        curves[:, i] = _at_sites(apertures, change, parameters.polarity, pristine)
        yield i + 1, len(frames)
    core, inner, whole, light = curves
    measured = _Curves(recording.times_s[frames], core, inner, whole, light, len(coming), in_curve)
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


def _at_sites(
    apertures: Apertures, change: FloatArray, polarity: str, pristine: FloatArray
) -> tuple[FloatArray, ...]:
    """Loss at the centre, over the inner half and summed over the disc, and the light itself."""
    loss = Loss(apertures, change, polarity)
    inner = loss.mean("inner")
    core = inner if polarity == "either" else loss.mean("core")
    n_disc = np.bincount(apertures.site_of["disc"], minlength=apertures.n)
    return core, inner, loss.mean("disc") * n_disc, apertures.mean(change, "core") * pristine


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
        times = self.times_s[: self.n_growth]
        level = self.whole[: self.n_ends].mean(axis=0)
        for i in np.flatnonzero(np.isfinite(onset_s)):
            used = times <= onset_s[i] + EARLY_GROWTH * (times[-1] - times[0])
            rise = np.maximum(times[used] - onset_s[i], 0)
            if used.sum() > 2 and rise.any():
                design = np.column_stack([np.ones_like(rise), rise])
                level[i] = np.linalg.lstsq(design, self.whole[: self.n_growth, i][used])[0][0]
        return np.asarray(level)

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
    onsets = [_onset(table.iloc[i], curves, i) for i in range(len(table))]
    for column, values in zip(ONSET_COLUMNS, zip(*onsets, strict=True), strict=True):
        table[column] = pd.Series(values, dtype=table[column].dtype)
    areas, area_noise = _areas(table, curves, size, sigma_px)
    for i in range(len(table)):
        row = _row(table.iloc[i], curves, areas[:, i], float(area_noise[i]), sigma_px * size)
        row |= _remains(curves, i, bright)
        for column, value in row.items():
            table.loc[i, column] = value
    shown, times = areas[curves.shown], curves.times_s[curves.shown]
    # Where a pore opens there is more light than in the film around: no lithium, not less.
    gone = times[:, None] >= np.nan_to_num(table["gone_s"].to_numpy(float), nan=np.inf)
    shown = np.where(gone & np.isfinite(shown), 0.0, shown)
    rows = {
        "time_s": np.repeat(times, len(table)),
        "cycle": np.tile(table["cycle"], len(shown)),
        "site": np.tile(table["site"], len(shown)),
        "radius_um": np.sqrt(np.maximum(shown, 0) / np.pi).ravel(),
        "area_um2": shown.ravel(),
        "mean_transmittance": curves.light[curves.shown].ravel(),
    }
    return table, conform("site_growth", pd.DataFrame(rows))


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


def _onset(site: pd.Series, curves: _Curves, i: int) -> tuple[float, float, str]:
    """Onset, its uncertainty and a reason: of the search, else of the site's own curve."""
    if np.isfinite(site["onset_sd_s"]) and np.isfinite(site["onset_s"]):
        return float(site["onset_s"]), float(site["onset_sd_s"]), ""
    n, noise = curves.n_growth, float(curves.noise(curves.whole[:, i : i + 1])[0])
    return hinge_onset(curves.times_s[:n], curves.whole[:n, i], noise)


def _row(
    site: pd.Series, curves: _Curves, area: FloatArray, noise: float, sigma_um: float
) -> dict[str, object]:
    """What the curve of one site tells of its growth."""
    times, n = curves.times_s[: curves.n_growth], curves.n_growth
    onset, sd, reason = (site[c] for c in ONSET_COLUMNS)
    row: dict[str, object] = {"reason": reason}
    final = float(area[n - curves.n_ends : n].mean())
    if not (np.isfinite(final) and final > 0):
        lost = "no lasting change at its centre"
        return {"onset_s": np.nan, "onset_sd_s": np.nan, "reason": lost}
    exponent, exponent_sd, why = growth_exponent(times, area[:n], noise, onset, sd, sigma_um)
    row |= {"area_um2": final, "radius_um": float(np.sqrt(final / np.pi))}
    row |= {"growth_exponent": exponent, "growth_exponent_sd": exponent_sd}
    row["reason"] = reason or why
    return row


def _remains(curves: _Curves, i: int, bright: bool) -> dict[str, object]:
    """When a site's lithium is gone, and what is there at the end of the dealloying."""
    n, shown = curves.n_growth, curves.shown
    final = float(curves.plateau(curves.core[:, i : i + 1])[0])
    noise = float(curves.noise(curves.core[:, i : i + 1])[0])
    row: dict[str, object] = {"gone_s": np.nan, "leaves": pd.NA}
    if final <= LEAST_PLATEAU * noise or not shown[n:].any():
        return row
    core = curves.core[:, i] - curves.core[: curves.n_ends, i].mean()
    low = core[n:][shown[n:]] < max(GONE_SHARE * final, 2 * noise)
    runs = [k for k in range(len(low)) if low[k : k + SUSTAINED_FRAMES].all()]
    if runs:
        row["gone_s"] = float(curves.times_s[n + runs[0]])
    after = core[~shown]
    if after.size:
        rest, least = float(after.mean()), LEAST_PLATEAU * noise / np.sqrt(after.size)
        if rest > max(DEAD_SHARE * final, least):
            row["leaves"] = DEAD if bright else pd.NA
        elif rest < -max(PORE_SHARE, least) and curves.light[~shown, i].mean() > 1 + PORE_SHARE:
            row["leaves"] = PORE if bright else pd.NA
        else:
            row["leaves"] = NOTHING
    return row
