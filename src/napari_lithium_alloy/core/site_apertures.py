"""Light at nucleation sites in one frame: apertures, and its loss against the film around."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import spatial

from napari_lithium_alloy.core.photometry import Float32Array, Reference, lit
from napari_lithium_alloy.core.recording import BoolArray, FloatArray, IntArray, Recording

CORE_RADIUS_PX = 1.5
RING_POINTS = 64
LEAST_RING = 8
"""Pixels of film that tell the film's light; with fewer that of all rings counts."""
BLUR_PX = 3.0
"""What the point spread adds to a disc's aperture."""
MEAN_OVER_MEDIAN = 1.183
"""Of the size of Gaussian noise."""


@dataclass(eq=False)
class Apertures:
    """Flat pixel indices around each site: its centre, its inner half, its disc, a ring of film.

    Of the first three, `site_of` tells which site each pixel belongs to. Of the ring, `film`
    tells which pixels lie in no site's disc.
    """

    core: IntArray
    inner: IntArray
    disc: IntArray
    site_of: dict[str, IntArray]
    ring: IntArray
    film: BoolArray
    n: int

    def mean(self, image: FloatArray, name: str) -> FloatArray:
        """(N,) means of an image over one kind of aperture."""
        return self.mean_of(image.ravel()[getattr(self, name)], name)

    def mean_of(self, values: FloatArray, name: str) -> FloatArray:
        """(N,) means of values given for each pixel of one kind of aperture."""
        sites = self.site_of[name]
        total = np.bincount(sites, weights=values, minlength=self.n)
        return np.asarray(total / np.maximum(np.bincount(sites, minlength=self.n), 1))


def apertures_at(centres_px: FloatArray, radii_px: FloatArray, shape: tuple[int, int]) -> Apertures:
    """Apertures of sites; a pixel within several discs is the nearest site's."""
    nearest = spatial.KDTree(centres_px)
    pixels: dict[str, list[IntArray]] = {"core": [], "inner": [], "disc": []}
    ring: list[IntArray] = []
    angles = np.linspace(0, 2 * np.pi, RING_POINTS, endpoint=False)
    for (y, x), radius in zip(centres_px, radii_px, strict=True):
        reaches = (CORE_RADIUS_PX, max(CORE_RADIUS_PX, radius / 2), radius + BLUR_PX)
        for found, reach in zip(pixels.values(), reaches, strict=True):
            found.append(_disc_pixels((y, x), reach, shape))
        pixels["disc"][-1] = _own(pixels["disc"][-1], nearest, len(ring), shape)
        rows = np.clip(np.round(y + (1.3 * radius + 4) * np.sin(angles)), 0, shape[0] - 1)
        columns = np.clip(np.round(x + (1.3 * radius + 4) * np.cos(angles)), 0, shape[1] - 1)
        ring.append((rows * shape[1] + columns).astype(int))
    return Apertures(
        **{name: np.concatenate(found) for name, found in pixels.items()},
        site_of={
            name: np.repeat(np.arange(len(found)), [p.size for p in found])
            for name, found in pixels.items()
        },
        ring=np.stack(ring),
        film=_beside(np.stack(ring), centres_px, radii_px, shape),
        n=len(centres_px),
    )


def _disc_pixels(centre: tuple[float, float], radius: float, shape: tuple[int, int]) -> IntArray:
    y, x = (float(np.clip(c, 0, n - 1)) for c, n in zip(centre, shape, strict=True))
    rows = np.arange(max(0, int(y - radius)), min(shape[0], int(y + radius) + 2))
    columns = np.arange(max(0, int(x - radius)), min(shape[1], int(x + radius) + 2))
    inside = np.hypot(rows[:, None] - y, columns[None, :] - x) <= radius
    inside |= (rows[:, None] == round(y)) & (columns[None, :] == round(x))
    return np.asarray((rows[:, None] * shape[1] + columns[None, :])[inside])


def _own(pixels: IntArray, nearest: spatial.KDTree, site: int, shape: tuple[int, int]) -> IntArray:
    """Those of a site's pixels that are nearest to it of all sites; its own at least."""
    places = np.column_stack(np.unravel_index(pixels, shape))
    own = nearest.query(places)[1] == site
    return pixels[own] if own.any() else pixels


class Loss:
    """Loss of light at each site against the film around it, as a share of that film's."""

    def __init__(
        self, apertures: Apertures, change: Float32Array | FloatArray, polarity: str
    ) -> None:
        self.apertures = apertures
        self.change = change.ravel()
        self.polarity = polarity
        around = self.change[apertures.ring]
        beside = np.where(apertures.film, around, np.nan)
        few = apertures.film.sum(axis=1) < LEAST_RING
        beside[few, 0] = float(np.nanmedian(beside))  # so that no row is empty
        beside[few, 1:] = np.nan
        self.film = np.nanmedian(beside, axis=1)
        sizes = np.abs(1 - around / self.film[:, None])
        self.floor = MEAN_OVER_MEDIAN * np.median(sizes, axis=1)

    def mean(self, name: str) -> FloatArray:
        """(N,) means over one kind of aperture; of the size of the change where either counts."""
        sites = self.apertures.site_of[name]
        loss = 1 - self.change[getattr(self.apertures, name)] / self.film[sites]
        if self.polarity == "either":
            return self.apertures.mean_of(np.abs(loss) - self.floor[sites], name)
        mean = self.apertures.mean_of(loss, name)
        return -mean if self.polarity == "brightens" else mean


def mean_light(recording: Recording, frames: IntArray, reference: Reference) -> FloatArray:
    """(Y, X) mean counts less dark."""
    total = np.zeros(recording.field_shape)
    for t in frames:
        total += recording.read(int(t))
    return lit(total / len(frames) - reference.dark, recording.frames.dtype)


def _beside(
    ring: IntArray, centres_px: FloatArray, radii_px: FloatArray, shape: tuple[int, int]
) -> BoolArray:
    """(N, P) True where a pixel of a ring lies in no disc with its blur."""
    covered = np.zeros(shape, dtype=bool).ravel()
    for (y, x), radius in zip(centres_px, radii_px, strict=True):
        covered[_disc_pixels((y, x), radius + BLUR_PX - 1, shape)] = True
    free = ~covered[ring]
    enough = free.sum(axis=1) >= LEAST_RING
    return free if enough.any() else np.ones_like(free)
