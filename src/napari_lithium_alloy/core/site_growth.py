"""Growth of lithium at nucleation sites: onset, radius and area against time."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from napari_lithium_alloy.core.nucleation import NucleationParameters
from napari_lithium_alloy.core.onset import LEAST_LIGHT
from napari_lithium_alloy.core.photometry import Reference
from napari_lithium_alloy.core.progress import Work
from napari_lithium_alloy.core.recording import FloatArray, IntArray, Recording
from napari_lithium_alloy.core.tables import conform, empty

CORE_RADIUS_PX = 1.5
RING_POINTS = 64
SUSTAINED_FRAMES = 3


@dataclass(eq=False)
class _Apertures:
    """Flat pixel indices around each site: its centre, its disc, and a ring of film."""

    core: IntArray
    core_site: IntArray
    disc: IntArray
    disc_site: IntArray
    ring: IntArray
    n: int

    def mean(self, image: FloatArray, pixels: IntArray, sites: IntArray) -> FloatArray:
        weights = np.bincount(sites, weights=image.ravel()[pixels], minlength=self.n)
        return np.asarray(weights / np.maximum(np.bincount(sites, minlength=self.n), 1))


def _apertures(centres_px: FloatArray, radii_px: FloatArray, shape: tuple[int, int]) -> _Apertures:
    core: list[IntArray] = []
    core_site: list[IntArray] = []
    disc: list[IntArray] = []
    disc_site: list[IntArray] = []
    ring: list[IntArray] = []
    angles = np.linspace(0, 2 * np.pi, RING_POINTS, endpoint=False)
    for i, ((y, x), radius) in enumerate(zip(centres_px, radii_px, strict=True)):
        for reach, pixels, sites in (
            (CORE_RADIUS_PX, core, core_site),
            (radius + 3.0, disc, disc_site),
        ):
            inside = _disc_pixels((y, x), reach, shape)
            pixels.append(inside)
            sites.append(np.full(inside.size, i))
        rows = np.clip(np.round(y + (1.3 * radius + 4) * np.sin(angles)), 0, shape[0] - 1)
        columns = np.clip(np.round(x + (1.3 * radius + 4) * np.cos(angles)), 0, shape[1] - 1)
        ring.append((rows * shape[1] + columns).astype(int))
    return _Apertures(
        core=np.concatenate(core),
        core_site=np.concatenate(core_site),
        disc=np.concatenate(disc),
        disc_site=np.concatenate(disc_site),
        ring=np.stack(ring),
        n=len(centres_px),
    )


def _disc_pixels(centre: tuple[float, float], radius: float, shape: tuple[int, int]) -> IntArray:
    y, x = (float(np.clip(c, 0, n - 1)) for c, n in zip(centre, shape, strict=True))
    rows = np.arange(max(0, int(y - radius)), min(shape[0], int(y + radius) + 2))
    columns = np.arange(max(0, int(x - radius)), min(shape[1], int(x + radius) + 2))
    inside = np.hypot(rows[:, None] - y, columns[None, :] - x) <= radius
    inside |= (rows[:, None] == round(y)) & (columns[None, :] == round(x))
    return np.asarray((rows[:, None] * shape[1] + columns[None, :])[inside])


def measure_sites(
    recording: Recording,
    sites: pd.DataFrame,
    start_s: float,
    end_s: float,
    reference: Reference,
    parameters: NucleationParameters | None = None,
) -> Work[tuple[pd.DataFrame, pd.DataFrame]]:
    """Onset, radius and area of sites from their own intensity-time curves (Fig. S5).

    The area is the integrated loss of light against the film around, divided by the loss at the
    centre at the end of the stage: light adds up linearly, so blur does not change it. The onset
    is where the loss at the centre, extrapolated back from its first sustained crossings of one
    and two tenths of its final value (at least five times its noise), leaves zero; for the area
    of a disc that grows at a steady rate this is exact.

    Parameters
    ----------
    recording : Recording
    sites : pandas.DataFrame
        The table `sites`.
    start_s, end_s : float
        The deposition, seconds.
    reference : Reference
    parameters : NucleationParameters, optional

    Returns
    -------
    sites, growth : pandas.DataFrame
        The tables `sites` and `site_growth`.
    """
    parameters = parameters or NucleationParameters()
    frames = recording.frames_between(start_s, end_s)
    if not len(sites) or len(frames) < 2:
        yield 1, 1
        return conform("sites", sites[list(empty("sites").columns)]), empty("site_growth")
    size = recording.pixel_size("Measuring sites")
    centres = sites[["y_um", "x_um"]].to_numpy(float) / size
    radii = np.nan_to_num(sites["radius_um"].to_numpy(float), nan=3 * size) / size
    apertures = _apertures(centres, radii, recording.field_shape)
    sign = -1.0 if parameters.polarity == "brightens" else 1.0
    start = _mean_light(recording, frames[: max(1, min(5, len(frames) // 4))], reference)
    pristine = apertures.mean(start / reference.image, apertures.core, apertures.core_site)
    n_disc = np.bincount(apertures.disc_site, minlength=apertures.n)
    core, total, light = (np.empty((len(frames), len(sites))) for _ in range(3))
    for i, t in enumerate(frames):
        change = _mean_light(recording, np.array([t]), reference) / start
        ring = np.median(change.ravel()[apertures.ring], axis=1)
        centre = apertures.mean(change, apertures.core, apertures.core_site)
        disc = apertures.mean(change, apertures.disc, apertures.disc_site)
        core[i] = sign * (1 - centre / ring)
        total[i] = sign * (1 - disc / ring) * n_disc
        light[i] = centre * pristine
        yield i + 1, len(frames)
    return _measured(sites, recording.times_s[frames], core, total, light, size)


def _mean_light(recording: Recording, frames: IntArray, reference: Reference) -> FloatArray:
    """(Y, X) mean counts less dark, at least `LEAST_LIGHT`."""
    total = np.zeros(recording.field_shape)
    for t in frames:
        total += recording.read(int(t))
    return np.asarray(np.maximum(total / len(frames) - reference.dark, LEAST_LIGHT))


def _measured(
    sites: pd.DataFrame,
    times_s: FloatArray,
    core: FloatArray,
    total: FloatArray,
    light: FloatArray,
    pixel_size_um: float,
) -> tuple[pd.DataFrame, pd.DataFrame]:
    n_ends = max(1, min(5, len(times_s) // 4))
    base_core, base_total = core[:n_ends].mean(axis=0), total[:n_ends].mean(axis=0)
    excess, whole = core - base_core, total - base_total
    final = excess[-n_ends:].mean(axis=0)
    noise = 1.4826 * np.median(np.abs(np.diff(excess, axis=0)), axis=0) / np.sqrt(2)
    with np.errstate(divide="ignore", invalid="ignore"):
        areas = np.where(final > 5 * noise, whole / final, np.nan) * pixel_size_um**2
    radii = np.sqrt(np.maximum(areas, 0) / np.pi)
    table = sites[list(empty("sites").columns)].reset_index(drop=True).copy()
    for i in range(len(table)):
        onset, reason = _site_onset(times_s, excess[:, i], float(final[i]), float(noise[i]))
        table.loc[i, "onset_s"] = onset
        table.loc[i, "reason"] = reason
    area = areas[-n_ends:].mean(axis=0)
    known = np.isfinite(area) & (area > 0)
    table.loc[known, "area_um2"] = area[known]
    table.loc[known, "radius_um"] = np.sqrt(area[known] / np.pi)
    rows = {
        "time_s": np.repeat(times_s, len(table)),
        "cycle": np.tile(table["cycle"], len(times_s)),
        "site": np.tile(table["site"], len(times_s)),
        "radius_um": radii.ravel(),
        "area_um2": areas.ravel(),
        "mean_transmittance": light.ravel(),
    }
    return conform("sites", table), conform("site_growth", pd.DataFrame(rows))


def _site_onset(
    times_s: FloatArray, excess: FloatArray, final: float, noise: float
) -> tuple[float, str]:
    level = max(5 * noise, 0.1 * final)
    crossings = [_sustained_crossing(times_s, excess, k * level) for k in (1, 2)]
    first, second = crossings
    if final <= level or first is None:
        return float("nan"), "no lasting change at its centre"
    if first == times_s[0]:
        return float("nan"), "there before the window"
    earlier = 0.0 if second is None else max(0.0, second - first)
    return max(float(times_s[0]), first - earlier), ""


def _sustained_crossing(times_s: FloatArray, values: FloatArray, level: float) -> float | None:
    """First time from which values stay above a level for some frames; None if never."""
    above = values > level
    starts = (i for i in range(len(above)) if above[i : i + SUSTAINED_FRAMES].all())
    first = next(starts, None)
    if first is None or first == 0:
        return None if first is None else float(times_s[0])
    low, high = values[first - 1], values[first]
    share = (level - low) / (high - low) if high > low else 1.0
    return float(times_s[first - 1] + share * (times_s[first] - times_s[first - 1]))
