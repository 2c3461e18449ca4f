"""Pores: holes of the film, told from the local film and the bare substrate of the same frame."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import ndimage, optimize
from skimage import measure

from napari_lithium_alloy.core import by_label
from napari_lithium_alloy.core.errors import AlloyError
from napari_lithium_alloy.core.field import tile_medians
from napari_lithium_alloy.core.photometry import Float32Array, Reference
from napari_lithium_alloy.core.pixelwise import pixelwise
from napari_lithium_alloy.core.pore_parameters import PoreParameters
from napari_lithium_alloy.core.recording import BoolArray, FloatArray, IntArray, Recording
from napari_lithium_alloy.core.smoothing import PIXEL_VARIANCE, blurred, robust_sd
from napari_lithium_alloy.core.spreads import enough_rows, spread_within

ASSUMED_PSF_SIGMA_PX = 1.3
LARGEST_PORES = 5
GLASS_BESIDE_PX = (8, 14)
"""Distances from the film at which glass has the film's illumination and none of its blur."""
ALONE_PX = (10, 14)
"""Radius over which a pore's light is summed for the point spread, and that up to which no
other pore may be."""
PEAKS_TOLD, LEAST_ALONE, PSF_LIMITS = (0.15, 0.85), 3, (0.7, 4.0)
"""Peaks that tell of the point spread, pores it takes, and what it can be, pixels."""
LIGHT_REACH = 2.3
FWHM = 2 * math.sqrt(2 * math.log(2))


@dataclass(frozen=True, eq=False, kw_only=True)
class PoreOptics:
    """What turns counts into the share of a pixel that is a hole.

    Attributes
    ----------
    flat : numpy.ndarray
        (Y, X) counts of the pristine film without its pinholes.
    dark : float or numpy.ndarray
    film : numpy.ndarray
        (Y, X) True where there is film.
    substrate : float
        Brightness of bare substrate relative to the pristine film; NaN while not known.
    psf_sigma_px : float
    psf_known : bool
        Whether the point spread is given; else it is estimated from pores, or assumed.
    note : str
        Where `substrate` and the point spread come from.
    """

    flat: Float32Array
    dark: float | FloatArray
    film: BoolArray
    substrate: float = math.nan
    psf_sigma_px: float = ASSUMED_PSF_SIGMA_PX
    psf_known: bool = True
    note: str = ""

    def brightness(self, counts: NDArray[np.generic]) -> Float32Array:
        """Brightness relative to the pristine film."""
        dark = np.asarray(self.dark, np.float32)
        return pixelwise(lambda c, d, f: (c.astype(np.float32) - d) / f, counts, dark, self.flat)

    @property
    def smallest_resolved_px(self) -> float:
        """Area of the point spread, pixels: pi FWHM^2 / 4."""
        return math.pi * (FWHM * self.psf_sigma_px) ** 2 / 4


def pore_optics(
    recording: Recording,
    reference: Reference,
    film: BoolArray,
    parameters: PoreParameters,
    *,
    psf_sigma_px: float | None = None,
    substrate: float | None = None,
) -> PoreOptics:
    """Flat field, and the substrate's brightness where it is given or shown by bare glass.

    Parameters
    ----------
    recording : Recording
    reference : Reference
    film : (Y, X) bool array
    parameters : PoreParameters
    psf_sigma_px : float, optional
        None: estimated from pores, else `ASSUMED_PSF_SIGMA_PX`.
    substrate : float, optional
        From recording.toml; `parameters.substrate` wins.
    """
    tile = _window_px(recording, parameters)
    flat = tile_medians(reference.image, tile, film=film)
    sigma = ASSUMED_PSF_SIGMA_PX if psf_sigma_px is None else psf_sigma_px
    given = substrate if parameters.substrate is None else parameters.substrate
    if given is not None and (given > 1) == (recording.mode == "epi"):
        way = "darker (below 1)" if recording.mode == "epi" else "brighter (above 1)"
        raise AlloyError(
            f"The substrate's brightness is {given:g} of the film's, but in "
            f"{recording.mode or 'trans'} bare substrate is {way}; correct it."
        )
    level, note = math.nan, ""
    glass = _glass_beside(film) & np.isfinite(reference.image)
    if given is not None:
        level, note = given, "The substrate's brightness is the one given."
    elif glass.sum() >= 50:
        nearest = ndimage.distance_transform_edt(~film, return_distances=False, return_indices=True)
        level = float(np.median(reference.image[glass] / flat[tuple(nearest)][glass]))
        note = "The substrate's brightness is that of the bare glass in the field."
    return PoreOptics(
        flat=flat,
        dark=reference.dark,
        film=film,
        substrate=level,
        psf_sigma_px=sigma,
        psf_known=psf_sigma_px is not None,
        note=note,
    )


def _glass_beside(film: BoolArray) -> BoolArray:
    """(Y, X) True where glass has the film's illumination and none of its blur."""
    if film.all():
        return ~film
    away = ndimage.distance_transform_edt(~film)
    return np.asarray((away > GLASS_BESIDE_PX[0]) & (away <= GLASS_BESIDE_PX[1]))


def _window_px(recording: Recording, parameters: PoreParameters) -> int:
    size = recording.pixel_size("Measuring pores")
    return max(8, round(parameters.film_window_um / size))


def local_film(
    brightness: FloatArray, film: BoolArray, window_px: int, *, brighter: bool
) -> Float32Array:
    """(Y, X) brightness of the film around each pixel, pores left out.

    Medians over tiles, taken again without what stands out of them by four deviations.
    """
    level = tile_medians(brightness, window_px, film=film)
    rows = enough_rows(film)
    excess = (brightness[rows] - level[rows])[film[rows]]
    spread = robust_sd(excess) if excess.size else 0.0
    limits = (-8 * spread, 4 * spread) if brighter else (-4 * spread, 8 * spread)
    return tile_medians(brightness, window_px, film=film, level=level, limits=limits)


def hole_share(brightness: FloatArray, film_level: FloatArray, substrate: float) -> Float32Array:
    """(Y, X) (I - film)/(substrate - film): 0 for film, 1 for a hole, linear in between."""
    full = np.float32(substrate)
    return pixelwise(lambda b, level: (b - level) / (full - level), brightness, film_level)


def estimate_substrate(
    brightness: FloatArray, film_level: FloatArray, optics: PoreOptics, *, brighter: bool
) -> float:
    """Brightness of bare substrate from the largest pores; NaN where there are none.

    A disc of radius r and brightness step c has, under a Gaussian point spread of standard
    deviation s, the peak p = c (1 - exp(-u)) with u = r^2 / 2 s^2 and the sum S = c pi r^2; so
    2 pi s^2 p / S = (1 - exp(-u)) / u gives u, and then c.
    """
    sign = 1.0 if brighter else -1.0
    raw = pixelwise(
        lambda b, level, film: np.where(film, np.float32(sign) * (b - level), 0),
        *(brightness, film_level, optics.film),
    )
    excess = blurred(raw, 1.0, cut=4.0)
    noise = spread_within(excess, optics.film)
    labels = measure.label(excess > max(8 * noise, 0.05), connectivity=2)
    n = int(labels.max())
    variance = optics.psf_sigma_px**2 + 1
    sums = by_label.sums(raw, regions_of(labels, optics.psf_sigma_px), n)[1:]
    peaks = by_label.maxima(excess, labels, n)[1:]
    steps = [
        sign * peaks[i] / -math.expm1(-_spread_ratio(2 * math.pi * variance * peaks[i] / sums[i]))
        + float(np.median(film_level[labels == i + 1]))
        for i in np.argsort(sums)[::-1][:LARGEST_PORES]
        if sums[i] > 0
    ]
    return float(np.median(steps)) if steps else math.nan


def _spread_ratio(ratio: float) -> float:
    """The u for which (1 - exp(-u)) / u is `ratio`."""
    if ratio >= 0.95:
        return 2 * (1 - 0.95)
    return float(optimize.brentq(lambda u: -math.expm1(-u) / u - ratio, 1e-6, 1e4))


def estimate_psf(share: FloatArray, labels: IntArray) -> float:
    """Standard deviation of the point spread, pixels, from pores apart from others; NaN if few.

    A disc of area A has, under a Gaussian of variance v, the peak 1 - exp(-A / 2 pi v) at its
    centre, so that its integral and its peak give v: the point spread's, and that of the pixel's
    square and of a light smoothing.
    """
    n = int(labels.max())
    if n == 0:
        return math.nan
    smooth = ndimage.gaussian_filter(share, 1.0)
    reach, ring = ALONE_PX
    rows, columns = np.mgrid[-ring : ring + 1, -ring : ring + 1]
    far = np.hypot(rows, columns)
    found = []
    for number, (y, x) in enumerate(np.round(_centres(labels, n)).astype(int), start=1):
        inside = (slice(max(y - ring, 0), y + ring + 1), slice(max(x - ring, 0), x + ring + 1))
        if labels[inside].shape != far.shape or not np.isin(labels[inside], (0, number)).all():
            continue
        level = float(np.median(share[inside][far > reach]))
        area = float((share[inside] - level)[far <= reach].sum())
        peak = float(smooth[inside][far <= 2].max()) - level
        if PEAKS_TOLD[0] < peak < PEAKS_TOLD[1] and area > 0:
            found.append(-area / (2 * math.pi * math.log1p(-peak)) - 1 - PIXEL_VARIANCE)
    if len(found) < LEAST_ALONE:
        return math.nan
    return math.sqrt(min(max(float(np.median(found)), PSF_LIMITS[0] ** 2), PSF_LIMITS[1] ** 2))


def _centres(labels: IntArray, n: int) -> FloatArray:
    pixels = np.nonzero(labels)
    return by_label.centres((pixels[0], pixels[1]), labels[pixels], n)


def reach_px(sigma_px: float) -> float:
    """How far a pore's light reaches from its outline at half its brightness, pixels.

    The rest, of the smallest pore too, is under one per cent.
    """
    return LIGHT_REACH * sigma_px + 0.5


def regions_of(labels: IntArray, sigma_px: float) -> IntArray:
    """(Y, X) labels grown by the reach of the point spread, each pixel to its nearest pore."""
    return grown(labels, reach_px(sigma_px))[0]


def grown(labels: IntArray, distance_px: float) -> tuple[IntArray, Float32Array]:
    """(Y, X) labels grown over what has none within a distance, each pixel to its nearest.

    With them squared distances: those of the pixels grown over; infinite elsewhere.
    """
    from napari_lithium_alloy.core.kernels.pixel_graph import grow

    found = np.ascontiguousarray(labels).copy()
    squared = np.full(labels.shape, np.inf, dtype=np.float32)
    grow(np.ascontiguousarray(labels), distance_px, squared, found)
    return found, squared


def pore_areas_px(share: FloatArray, labels: IntArray, sigma_px: float) -> FloatArray:
    """(N,) area of each pore in pixels: the integral of the hole share over its surroundings.

    An optical-equivalent area: blur moves light but keeps its sum, so it is right at any blur.
    The film's own level is taken again from a ring around each pore.
    """
    n = int(labels.max())
    if n == 0:
        return np.zeros(0)
    region = regions_of(labels, sigma_px)
    ring = np.where(region > 0, 0, grown(labels, 3 * sigma_px + 5)[0])
    in_ring = ring > 0
    around = ring[in_ring]
    base = np.nan_to_num(ndimage.median(share[in_ring], around, np.arange(1, n + 1)))
    base[np.bincount(around, minlength=n + 1)[1:] < 20] = 0
    total = by_label.sums(share, region, n)[1:]
    count = np.bincount(region.ravel(), minlength=n + 1)[1:]
    return np.asarray((total - base * count) / np.maximum(1 - base, 0.1))


def particles(mask: BoolArray, pixel_size_um: float) -> pd.DataFrame:
    """Area and centre of each connected region (8 neighbours), as ImageJ's Analyze Particles.

    Returns
    -------
    pandas.DataFrame
        Columns area_um2, y_um, x_um in the order of their first pixel row by row; ImageJ counts
        positions from a pixel's corner, so its X and Y are larger by half a pixel.
    """
    labels = measure.label(mask, connectivity=2)
    table = measure.regionprops_table(labels, properties=("area", "centroid"))
    return pd.DataFrame(
        {
            "area_um2": table["area"] * pixel_size_um**2,
            "y_um": table["centroid-0"] * pixel_size_um,
            "x_um": table["centroid-1"] * pixel_size_um,
        }
    )
