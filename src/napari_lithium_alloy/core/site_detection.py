"""Nucleation sites of a deposition: candidates, how many at which threshold, those accepted."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from napari_lithium_alloy.core.nucleation import NucleationParameters, change_image, detect_sites
from napari_lithium_alloy.core.progress import Work, part
from napari_lithium_alloy.core.recording import BoolArray, FloatArray, Recording
from napari_lithium_alloy.core.site_images import LEAST_FRAMES, site_images, usable
from napari_lithium_alloy.core.site_search import FoundDiscs, search_discs
from napari_lithium_alloy.core.tables import conform, empty

LOWEST_SNR = 3.5
"""Candidates are searched down to it, once; below, noise has too many peaks."""
ASSUMED_PSF_UM = 0.13
"""Standard deviation of a point spread not known: numerical aperture 0.9 at 550 nm."""
LEAST_RADIUS_PX = 1.5
FALSE_SHARE = 0.03
"""Share of false sites accepted by the suggested threshold."""
CURVE_POINTS = 120


@dataclass(frozen=True, eq=False, kw_only=True)
class SiteCandidates:
    """Everything that may be a site of one deposition.

    Attributes
    ----------
    table : pandas.DataFrame
        The table `sites`, strongest first, down to `lowest_snr`.
    negative_snr : numpy.ndarray
        (M,) sizes of the negative responses of the same images, largest first: places where the
        film became brighter as a disc would, which only noise does. Empty where not measured.
    lowest_snr : float
    cycle : int
    """

    table: pd.DataFrame = field(default_factory=lambda: empty("sites"))
    negative_snr: FloatArray = field(default_factory=lambda: np.empty(0))
    lowest_snr: float = LOWEST_SNR
    cycle: int = 1

    def accepted(self, parameters: NucleationParameters) -> pd.DataFrame:
        """The candidates of enough signal-to-noise and contrast, numbered from 1."""
        snr, contrast = (self.table[c].to_numpy(float) for c in ("snr", "contrast"))
        with np.errstate(invalid="ignore"):
            kept = (snr >= parameters.min_snr) & ~(contrast < parameters.min_contrast)
        table = self.table[kept].reset_index(drop=True)
        table["site"] = pd.array(np.arange(1, len(table) + 1), dtype="Int64")
        return table


def find_candidates(
    recording: Recording,
    start_s: float,
    end_s: float,
    parameters: NucleationParameters | None = None,
    *,
    valid: BoolArray | None = None,
    cycle: int = 1,
    dark: float | FloatArray | None = None,
) -> Work[SiteCandidates]:
    """Find lithium discs as they grow: matched filter in space and time, fitted together.

    Discs whose area grows at a steady rate from an onset are looked for in six means over the
    deposition, each pixel's mean over it left free, so that the film's pattern does not count.
    All discs are fitted together under the point spread, so that neither blur nor touching
    neighbours bias place and radius; where the fit leaves a clear rest, a disc may be two. The
    last fit is in twelve means, from which onsets are known better. The signal-to-noise is the
    fitted disc's amplitude over its standard deviation, from the noise of single frames. Rough
    lithium (polarity "either"), or fewer than four frames, is looked for in the change over the
    stage alone, as `detect_sites` does.

    Parameters
    ----------
    recording : Recording
    start_s, end_s : float
        The deposition, seconds.
    parameters : NucleationParameters, optional
    valid : numpy.ndarray, optional
        (Y, X) bool, the film.
    cycle : int
    dark : float or numpy.ndarray, optional
        Dark level in counts; None: the recording's own.

    Returns
    -------
    SiteCandidates

    Raises
    ------
    AlloyError
        If the pixel size is not known, or fewer than two frames lie in the range.
    """
    parameters = parameters or NucleationParameters()
    size = recording.pixel_size("Finding nucleation sites")
    lowest = min(LOWEST_SNR, parameters.min_snr)
    few = len(recording.frames_between(start_s, end_s)) < LEAST_FRAMES
    if few or parameters.polarity == "either":
        yield 0, 1
        change = change_image(recording, start_s, end_s, parameters, dark=dark)
        found = detect_sites(change, size, parameters, valid=valid, cycle=cycle)
        return SiteCandidates(table=found, lowest_snr=parameters.min_snr, cycle=cycle)
    brightens = parameters.polarity == "brightens"
    work = site_images(recording, start_s, end_s, brightens=brightens, dark=dark)
    fine = yield from part(work, 0, 40, 100)
    film = usable(fine, valid)
    if not film.any():
        return SiteCandidates(cycle=cycle)
    sigma = parameters.psf_sigma_px or ASSUMED_PSF_UM / size
    low = max(LEAST_RADIUS_PX, parameters.min_radius_um / size)
    high = max(1.3 * low, parameters.max_radius_um / size)
    search = search_discs(fine, film, (low, high), sigma, lowest)
    discs = yield from part(search, 40, 100, 100)
    table = _table(discs, size, cycle, brightens, (start_s, end_s))
    return SiteCandidates(
        table=table, negative_snr=discs.negative_snr, lowest_snr=lowest, cycle=cycle
    )


def _table(
    discs: FoundDiscs, size: float, cycle: int, brightens: bool, stage_s: tuple[float, float]
) -> pd.DataFrame:
    n, radius = len(discs.snr), discs.radius_px * size
    left = 1 + discs.loss if brightens else np.maximum(1 - discs.loss, 1e-3)
    start_s, end_s = stage_s
    rows = {
        "site": np.arange(1, n + 1),
        "cycle": np.full(n, cycle),
        "y_um": discs.y_px * size,
        "x_um": discs.x_px * size,
        "onset_s": start_s + discs.onset * (end_s - start_s),
        "onset_sd_s": discs.onset_sd * (end_s - start_s),
        "radius_um": radius,
        "area_um2": np.pi * radius**2,
        "snr": discs.snr,
        "reason": [""] * n,
        "contrast": np.abs(np.log10(left)),
        "source": ["detected"] * n,
        "locked": [False] * n,
    }
    return conform("sites", pd.DataFrame(rows)) if n else empty("sites")


def threshold_curve(candidates: SiteCandidates) -> pd.DataFrame:
    """How many candidates reach a threshold, and how many of them noise alone would make.

    Parameters
    ----------
    candidates : SiteCandidates

    Returns
    -------
    pandas.DataFrame
        The table `site_thresholds`: cycle, threshold (signal-to-noise), count (candidates that
        reach it), expected_false (negative responses of the same images that reach it in size:
        noise has both signs alike, sites one only; NaN where not measured), reason.
    """
    snr = candidates.table["snr"].to_numpy(float)
    low = candidates.lowest_snr
    high = max(float(snr.max()) if len(snr) else low, 2 * low)
    thresholds = np.geomspace(low, high, CURVE_POINTS)
    measured = bool(len(candidates.negative_snr))
    rows = {
        "cycle": np.full(CURVE_POINTS, candidates.cycle),
        "threshold": thresholds,
        "count": _reaching(snr, thresholds),
        "expected_false": _reaching(candidates.negative_snr, thresholds).astype(float)
        if measured
        else np.nan,
        "reason": "" if measured else "no negative responses to compare with",
    }
    return conform("site_thresholds", pd.DataFrame(rows))


def suggested_threshold(curve: pd.DataFrame, false_share: float = FALSE_SHARE) -> float:
    """The lowest threshold from which on noise makes at most a share of the sites.

    From there on, expected_false stays within `false_share` of the count (with few sites: is 0).
    NaN where the noise is not measured or no threshold is high enough.
    """
    false = curve["expected_false"].to_numpy(float)
    within = false <= false_share * curve["count"].to_numpy(float)
    if not within.any() or np.isnan(false).all():
        return float("nan")
    beyond = np.flatnonzero(~within)
    first = 0 if not len(beyond) else int(beyond[-1]) + 1
    return float(curve["threshold"].iloc[first]) if first < len(curve) else float("nan")


def _reaching(values: FloatArray, thresholds: FloatArray) -> FloatArray:
    ordered = np.sort(np.asarray(values, dtype=float))
    return np.asarray(len(ordered) - np.searchsorted(ordered, thresholds, side="left"))
