"""Images of single frames on the support of a window: hole share, what tells pores, basins."""

from __future__ import annotations

import math
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_lithium_alloy.core.kernels import runs as on_runs
from napari_lithium_alloy.core.photometry import Float32Array
from napari_lithium_alloy.core.pore_basins import SURELY_PORE, Basins, Sharpening
from napari_lithium_alloy.core.pore_domain import (
    CELL_PX,
    FAR_REACH,
    FILM_REACH,
    LEAST_NEAR,
    Domain,
    Support,
    wide_weight,
)
from napari_lithium_alloy.core.pore_outlines import (
    FAR_FROM_PORES,
    LEAST_QUIET,
    LEAST_QUIET_PX,
    darkest,
    far_px,
    least_response,
    noise_below,
)
from napari_lithium_alloy.core.recording import BoolArray
from napari_lithium_alloy.core.smoothing import gaussian_reach, gaussian_weights, robust_sd

NEAR_SPOT_PX = 2
"""Rows and columns from a clear response within which a maximum may be a pore's."""
USUAL_SMOOTHING_PX = 1.0


@dataclass(frozen=True, eq=False)
class SupportImages:
    """What one frame shows on the support.

    Attributes
    ----------
    basins : Basins
    share, inside : (N,) float32 arrays
        Hole share at the graph's pixels, 0 where it is not known; the same with a lower limit.
    sharp : Sharpening
    least_spot : float
        Response that tells a pore from the film.
    counts : (N,) array
        The recording's.
    clipped_px : int
        Pixels of the film, anywhere, that are clipped.
    """

    basins: Basins
    share: Float32Array
    inside: Float32Array
    sharp: Sharpening
    least_spot: float
    counts: NDArray[Any]
    clipped_px: int


class _Room:
    """Working pictures of one thread."""

    def __init__(self, shape: tuple[int, int], cells: tuple[int, ...]) -> None:
        self.pictures = [np.zeros(shape, dtype=np.float32) for _ in range(5)]
        self.marks = np.zeros(shape, dtype=bool)
        self.cells = np.zeros(cells, dtype=np.float32)
        self.wide = np.zeros(cells, dtype=np.float32)


class ImagesOnSupport:
    """Makes the images of frames, in several threads at once.

    Parameters
    ----------
    support : Support
    smallest_px, min_snr : float
        Area of the smallest pore, and how far a pore stands out of the film's noise.
    limit : float or None
        Counts at and above which a pixel is clipped.
    """

    def __init__(
        self, support: Support, smallest_px: float, min_snr: float, limit: float | None
    ) -> None:
        self.support = support
        self.min_snr, self.limit = min_snr, limit
        self.spot_px = max(support.sigma_px, 0.8)
        self.least = least_response(smallest_px, self.spot_px)
        shape = support.graph.shape
        self._dark = np.full(shape, support.optics.dark, dtype=np.float32)
        self._flat = np.ascontiguousarray(support.optics.flat, dtype=np.float32)
        self._film = np.ascontiguousarray(support.optics.film)
        self._wide_weight = wide_weight(support)
        self._domain = Domain.of(support, gaussian_reach(USUAL_SMOOTHING_PX))
        self._rooms: list[_Room] = []
        self._lock = threading.Lock()

    def __call__(self, counts: NDArray[Any]) -> SupportImages:
        """The images of a frame's counts."""
        if not counts.dtype.isnative:
            counts = counts.astype(counts.dtype.newbyteorder("="))
        with self._room() as room:
            domain, sharp, noise = self._shared(counts, room)
            return self._told(counts, room, domain, sharp, noise)

    @contextmanager
    def _room(self) -> Iterator[_Room]:
        with self._lock:
            room = self._rooms.pop() if self._rooms else None
        room = room or _Room(self.support.graph.shape, self._wide_weight.shape)
        yield room
        with self._lock:
            self._rooms.append(room)

    def _shared(self, counts: NDArray[Any], room: _Room) -> tuple[Domain, Sharpening, float]:
        """Put the hole share into the last picture; how much it is sharpened, and its noise."""
        while True:
            domain = self._domain
            self._fill_share(counts, room, domain)
            share, inside = room.pictures[4], room.pictures[1]
            on_runs.clip_share(share, self._film, -math.inf, domain.sample, inside)
            steps = np.empty(domain.n_sampled - len(domain.sample), dtype=np.float32)
            on_runs.steps_of(inside, domain.sample, steps)
            noise = robust_sd(steps) / math.sqrt(2)
            sharp = Sharpening.for_noise(self.support.sigma_px, noise)
            reach = gaussian_reach(sharp.smoothing_px)
            if reach <= domain.sharpening_px:
                return domain, sharp, noise
            with self._lock:
                if reach > self._domain.sharpening_px:
                    self._domain = Domain.of(self.support, reach)

    def _fill_share(self, counts: NDArray[Any], room: _Room, domain: Domain) -> None:
        """Hole share with the film's level carried into the support from just around it.

        Weighted by distance, so that a dealloying front passing under a pore is followed.
        """
        support = self.support
        brightness, lit, near, far, share = room.pictures
        on_runs.fill_brightness(counts, self._dark, self._flat, domain.lit, brightness)
        on_runs.times(brightness, support.outside, domain.lit, lit)
        on_runs.blur_runs(lit, gaussian_weights(FILM_REACH * support.sigma_px), domain.share, near)
        if domain.far.size:
            far.ravel()[domain.far] = self._from_afar(room, domain)
        level, full = (near, support.weight, far), support.optics.substrate
        on_runs.fill_share(brightness, level, LEAST_NEAR, full, domain.share, share)

    def _from_afar(self, room: _Room, domain: Domain) -> Float32Array:
        """The film's level where none is near: from farther away, and last from the whole field."""
        brightness, outside = room.pictures[0], self.support.outside
        on_runs.fill_cells(brightness, outside, CELL_PX, domain.cells, room.cells)
        weights = gaussian_weights(FAR_REACH * self.support.sigma_px / CELL_PX)
        on_runs.blur_runs(room.cells, weights, domain.cell_runs, room.wide)
        level = np.empty(len(domain.far), dtype=np.float32)
        cells = room.wide, self._wide_weight
        on_runs.between_cells_at(cells, CELL_PX, domain.far, brightness.shape[1], level)
        lost = ~np.isfinite(level)
        if lost.any():
            room.marks[:] = False
            for y, first, stop in domain.sample:
                room.marks[y, first:stop] = outside[y, first:stop] > 0
            film = brightness[room.marks]
            level[lost] = np.median(film) if film.size else 1.0
        return level

    def _told(
        self, counts: NDArray[Any], room: _Room, domain: Domain, sharp: Sharpening, noise: float
    ) -> SupportImages:
        """Basins of the share in the last picture."""
        graph = self.support.graph
        response, inside, smooth, tmp, share = room.pictures
        on_runs.clip_share(share, self._film, -darkest(noise), domain.share, inside)
        on_runs.blur_runs(inside, gaussian_weights(self.spot_px), domain.smooth, smooth)
        on_runs.add_laplace(smooth, (0, -(self.spot_px**2)), domain.response, response)
        least = max(self.least, self.min_snr * self._film_noise(room, domain))
        on_runs.blur_runs(inside, gaussian_weights(sharp.smoothing_px), domain.beside, tmp)
        told = [np.asarray(graph.of_picture(i)) for i in (inside, response, smooth, share)]
        on_runs.add_laplace(tmp, (1, -(sharp.sigma_px**2) / 2), domain.support, inside)
        allowed = (self.support.region > 0) & np.isfinite(told[3])
        image = np.where(allowed, graph.of_picture(inside), np.float32(0))
        peaks = graph.peaks(image, allowed, sharp.lowest)
        peaks[peaks] = self._near(response, smooth, graph.at[peaks], least)
        values = image, told[0], told[1], told[2]
        clipped = 0 if self.limit is None else on_runs.count_from(counts, self.limit, self._film)
        return SupportImages(
            basins=Basins.of(graph, peaks, sharp.lowest, values),
            share=np.nan_to_num(told[3]),
            inside=told[0],
            sharp=sharp,
            least_spot=least,
            counts=np.asarray(graph.of_picture(counts)),
            clipped_px=clipped,
        )

    def _film_noise(self, room: _Room, domain: Domain) -> float:
        """Noise of the response where no pore is near; 0 where there is too little film."""
        response, smooth = room.pictures[0], room.pictures[2]
        on_runs.mark_near(
            smooth, FAR_FROM_PORES, far_px(self.spot_px), domain.near_sample, domain.sample,
            room.marks,
        )  # fmt: skip
        depths = np.empty(domain.n_sampled, dtype=np.float32)
        n, quiet, film = on_runs.quiet_below(
            response, self._film, room.marks, domain.sample, depths
        )
        enough = quiet >= max(LEAST_QUIET_PX, LEAST_QUIET * film)
        return noise_below(depths[:n]) if enough else 0.0

    @staticmethod
    def _near(
        response: Float32Array, smooth: Float32Array, at: NDArray[np.int32], least: float
    ) -> BoolArray:
        """Whether the response near pixels is clear, or they are well inside large pores."""
        near = np.empty(len(at), dtype=bool)
        on_runs.over_nearby(response, least, NEAR_SPOT_PX, at, near)
        return np.asarray(near | (smooth.ravel()[at] > SURELY_PORE))
