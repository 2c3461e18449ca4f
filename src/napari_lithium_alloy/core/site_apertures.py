"""Light at nucleation sites: apertures, and its loss in them against the film around."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import spatial

from napari_lithium_alloy.core.kernels import COMPILED_FOR, compilable, read_only
from napari_lithium_alloy.core.photometry import LEAST_COUNTS, LEAST_SHARE
from napari_lithium_alloy.core.progress import Work
from napari_lithium_alloy.core.recording import BoolArray, FloatArray, IntArray, Recording
from napari_lithium_alloy.core.row_blocks import Rows, by_rows

CORE_RADIUS_PX = 1.5
RING_POINTS = 64
LEAST_RING = 8
"""Pixels of film that tell the film's light; with fewer that of all rings counts."""
BLUR_PX = 3.0
"""What the point spread adds to a disc's aperture."""
FEW = 4
"""Frames that are held at a time."""
MEAN_OVER_MEDIAN = 1.183
"""Of the size of Gaussian noise."""


@dataclass(frozen=True, eq=False, kw_only=True)
class Apertures:
    """Pixels of each site: a ring of film, its centre, its inner half and its disc.

    Attributes
    ----------
    at : numpy.ndarray
        (M,) flat indices of the pixels, site after site.
    begin : numpy.ndarray
        (N, 5) bounds of the four kinds of each site in them.
    free : numpy.ndarray
        (N, P) True where a pixel of a ring lies in no site's disc.
    """

    at: IntArray
    begin: IntArray
    free: BoolArray

    @property
    def n_disc(self) -> IntArray:
        """(N,) pixels of each disc."""
        return np.asarray(self.begin[:, 4] - self.begin[:, 3])

    def core_mean(self, values: FloatArray) -> FloatArray:
        """(N,) means over the cores of values given for each pixel."""
        first, last = self.begin[:, 1], self.begin[:, 2]
        total = np.concatenate([[0.0], np.cumsum(np.nan_to_num(values))])
        unknown = np.concatenate([[0], np.cumsum(np.isnan(values))])
        mean = (total[last] - total[first]) / np.maximum(last - first, 1)
        return np.where(unknown[last] > unknown[first], np.nan, mean)


def apertures_at(centres_px: FloatArray, radii_px: FloatArray, shape: tuple[int, int]) -> Apertures:
    """Apertures of sites; a pixel within several discs is the nearest site's."""
    centres = np.ascontiguousarray(centres_px, dtype=float)
    angles = np.linspace(0, 2 * np.pi, RING_POINTS, endpoint=False)
    away = (1.3 * radii_px + 4)[:, np.newaxis]
    rows, columns = (
        np.clip(np.round(centres[:, [axis]] + away * wave(angles)), 0, shape[axis] - 1)
        for axis, wave in enumerate((np.sin, np.cos))
    )
    ring = (rows * shape[1] + columns).astype(np.int64)
    core = _discs(centres, np.full(len(centres), CORE_RADIUS_PX), shape)
    inner = _discs(centres, np.maximum(CORE_RADIUS_PX, radii_px / 2), shape)
    disc = _own(*_discs(centres, radii_px + BLUR_PX, shape), centres, radii_px + BLUR_PX, shape)
    begin = np.arange(len(centres) + 1) * RING_POINTS
    at, bounds = _joined([(ring.ravel(), begin), core, inner, disc])
    return Apertures(at=at, begin=bounds, free=_beside(ring, centres, radii_px, shape))


def _discs(
    centres: FloatArray, radii: FloatArray, shape: tuple[int, int]
) -> tuple[IntArray, IntArray]:
    """Flat indices of the pixels in discs, and (N + 1,) where each disc's begin."""
    from napari_lithium_alloy.core.kernels.site_light import list_discs

    begin, radii = np.zeros(len(centres) + 1, dtype=np.int64), radii.astype(float)
    list_discs(centres, radii, shape, begin, np.empty(0, dtype=np.int64))
    at = np.empty(begin[-1], dtype=np.int64)
    list_discs(centres, radii, shape, begin, at)
    return at, begin


def _joined(lists: list[tuple[IntArray, IntArray]]) -> tuple[IntArray, IntArray]:
    """Several lists of each site put one after the other, and the bounds of each."""
    sizes = np.stack([np.diff(begin) for _, begin in lists], axis=1)
    ends = np.cumsum(sizes.ravel()).reshape(sizes.shape)
    bounds = np.column_stack([ends[:, 0] - sizes[:, 0], ends])
    at = np.empty(int(sizes.sum()), dtype=np.int64)
    for kind, (own, begin) in enumerate(lists):
        at[np.arange(len(own)) + np.repeat(bounds[:, kind] - begin[:-1], sizes[:, kind])] = own
    return at, bounds


def _own(
    at: IntArray,
    begin: IntArray,
    centres: FloatArray,
    reaches: FloatArray,
    shape: tuple[int, int],
) -> tuple[IntArray, IntArray]:
    """Those of the discs' pixels that are nearest to their site of all; all where none is."""
    nearest = spatial.KDTree(centres)
    site = np.repeat(np.arange(len(centres)), np.diff(begin))
    crowded = nearest.query(centres, k=2)[0][:, 1] < 2 * (reaches + 2)
    unsure = np.flatnonzero(crowded[site])
    kept = np.ones(len(at), dtype=bool)
    places = np.column_stack(np.unravel_index(at[unsure], shape))
    kept[unsure] = nearest.query(places)[1] == site[unsure] if len(unsure) else True
    kept |= np.bincount(site[kept], minlength=len(centres))[site] == 0
    sizes = np.bincount(site[kept], minlength=len(centres))
    return at[kept], np.concatenate([[0], np.cumsum(sizes)])


def _beside(
    ring: IntArray, centres: FloatArray, radii_px: FloatArray, shape: tuple[int, int]
) -> BoolArray:
    """(N, P) True where a pixel of a ring lies in no disc with its blur."""
    covered = np.zeros(shape[0] * shape[1], dtype=bool)
    covered[_discs(centres, radii_px + BLUR_PX - 1, shape)[0]] = True
    free = ~covered[ring]
    enough = free.sum(axis=1) >= LEAST_RING
    return free if enough.any() else np.ones_like(free)


class SiteLight:
    """Light at the sites' pixels in frames of a recording, against that at the start.

    Parameters
    ----------
    recording : Recording
    apertures : Apertures
    dark : float or numpy.ndarray
        Counts without light.
    first : numpy.ndarray
        Indices of the frames that are the start.
    """

    def __init__(
        self,
        recording: Recording,
        apertures: Apertures,
        dark: float | FloatArray,
        first: IntArray,
    ) -> None:
        from napari_lithium_alloy.core.kernels.site_light import least_light

        self.recording, self.apertures = recording, apertures
        mapped = recording.light(dark)
        self.mapped = mapped if mapped and mapped.counts.dtype in COMPILED_FOR else None
        whole = np.asarray(self.mapped.dark if self.mapped else dark, dtype=float)
        self.dark = np.broadcast_to(whole, recording.field_shape).ravel()[apertures.at]
        self.share = 0.0 if recording.frames.dtype.kind in "ui" else LEAST_SHARE
        total = sum(self._light(int(t)) for t in first)
        start = np.asarray(total / len(first), dtype=float)
        self.start = np.empty(len(start))
        least_light(start, self.share, self.start)

    def _frame(self, t: int) -> tuple[NDArray[Any], float]:
        """Counts of one frame, pixel after pixel, and the factor that makes light of them."""
        if self.mapped is not None:
            return self.mapped.counts[t].ravel(), float(self.mapped.factor[t])
        return compilable(self.recording.read(t)).ravel(), 1.0

    def _several(self, frames: IntArray) -> tuple[NDArray[Any], IntArray, FloatArray, IntArray]:
        """Counts (T, pixels), which of them are of some frames, their factors, and the pixels."""
        at = self.apertures.at
        if self.mapped is not None:
            counts = self.mapped.counts
            factor = self.mapped.factor[frames].astype(float)
            return counts.reshape(len(counts), -1), np.asarray(frames, dtype=np.int64), factor, at
        read = read_only(np.stack([self._frame(int(t))[0][at] for t in frames]))
        return read, np.arange(len(frames)), np.ones(len(frames)), np.arange(len(at))

    @property
    def _at_once(self) -> int:
        """Frames to be looked at together: what is taken of them is no more than a few are."""
        from napari_lithium_alloy.core.kernels.lane_medians import LANES

        whole = int(np.prod(self.recording.field_shape))
        fit = FEW * whole // max(len(self.apertures.at), 1)
        return LANES if self.mapped else max(1, min(LANES, fit))

    def _clear_light(self, dtype: np.dtype[Any], factor: FloatArray) -> FloatArray:
        """(n,) light in some frames that is surely more than the least."""
        if not self.share:
            return np.full(len(factor), LEAST_COUNTS)
        if dtype.kind not in "ui":
            return np.full(len(factor), np.inf)
        most = float(np.iinfo(dtype).max) + float(np.abs(self.dark).max(initial=0))
        return np.asarray(self.share * most * np.abs(factor))

    def _light(self, t: int) -> FloatArray:
        counts, factor = self._frame(t)
        return np.asarray((counts[self.apertures.at].astype(float) - self.dark) * factor)

    def losses(self, frames: IntArray, polarity: str) -> Work[FloatArray]:
        """(4, T, N) loss at the centre, over the inner half and the disc, and the centre's light.

        Losses are means against the film around, as a share of its light: positive where it
        became darker; with the polarity "either" of the size of the change, less the noise's.
        """
        from napari_lithium_alloy.core.kernels.site_light import site_losses

        a = self.apertures
        of_pixels, few = (self.dark, 1 / self.start), a.free.sum(axis=1) < LEAST_RING
        sites = np.argsort(a.at[a.begin[:, 1]]), a.begin, a.free, few
        out = np.empty((len(frames), len(a.begin), 4))
        shares = self.share, MEAN_OVER_MEDIAN if polarity == "either" else 0.0
        pairs = sorting_pairs(a.free.shape[1])

        def look(some: Rows) -> None:
            counts, which, factor, at = self._several(frames[slice(*some)])
            clear, pixels = self._clear_light(counts.dtype, factor), (at, *of_pixels)
            own = out[slice(*some)]
            site_losses(counts, which, factor, pixels, sites, shares, clear, pairs, own)

        yield from by_rows(look, len(frames), most=self._at_once)
        if polarity == "brightens":
            out[..., :3] *= -1
        return np.moveaxis(out, 2, 0)


def sorting_pairs(n: int) -> NDArray[np.int32]:
    """(S, 2) pairs of n places that, put in order one after the other, sort them.

    Batcher's merge exchange (Knuth, The Art of Computer Programming 3, algorithm 5.2.2M).
    """
    found = []
    half = 1 << (n - 1).bit_length() - 1
    p = half
    while p > 0:
        q, r, d = half, 0, p
        while True:
            found += [(i, i + d) for i in range(n - d) if i & p == r]
            if q == p:
                break
            q, r, d = q // 2, p, q - p
        p //= 2
    return np.array(found, dtype=np.int32)
