"""What is asked of each whole frame to follow patches: light, noise, jumps, structure."""

from __future__ import annotations

import functools
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from scipy import fft

from napari_lithium_alloy.core.frame_light import FrameLight
from napari_lithium_alloy.core.kernels import compilable
from napari_lithium_alloy.core.patches import (
    BORDER_PX,
    HALF_PX,
    NOISE_AREA_PX,
    SMOOTHING_PX,
    WINDOW_PX,
    WORST_SD_PX,
    pixel_noise,
)
from napari_lithium_alloy.core.photometry import Float32Array, dark_level
from napari_lithium_alloy.core.recording import FloatArray, IntArray, Recording
from napari_lithium_alloy.core.row_blocks import Rows
from napari_lithium_alloy.core.smoothing import CUT, noise_left

COARSE_PX = 512
NEAREST_PX = 9


@dataclass(eq=False, kw_only=True)
class FrameView:
    """One frame, as patches are followed in it.

    Attributes
    ----------
    light : FrameLight
        Not its logarithm: an edge between film and glass stays where it is when the film darkens
        only in the light itself, as the point spread mixes light.
    noise : float
        Of one pixel.
    """

    light: FrameLight
    noise: float
    _structures: dict[Rows, Structure] = field(default_factory=dict)

    @functools.cached_property
    def coarse(self) -> CoarseView:
        """The frame made small."""
        shape = self.light.shape
        scale = min(-(-max(shape) // COARSE_PX), *shape)
        return CoarseView.of(self.light.cells(scale), scale)

    def structure(self, rows: Rows) -> Structure:
        """Where some rows have something to hold on to, found when first asked for."""
        if rows not in self._structures:
            self._structures[rows] = Structure.of(self.light, self.noise, rows)
        return self._structures[rows]


class FrameViews:
    """Views of a recording's frames."""

    def __init__(self, recording: Recording) -> None:
        self.recording = recording
        dark = np.asarray(dark_level(recording), dtype=np.float32)
        width = recording.field_shape[1]
        self.dark = np.ascontiguousarray(dark if dark.ndim else np.full((1, width), dark))

    def of(self, t: int) -> FrameView:
        """View of one frame."""
        light = FrameLight(compilable(self.recording.frame(t)), self.dark)
        return FrameView(light=light, noise=pixel_noise(light))


@dataclass(frozen=True, eq=False, kw_only=True)
class CoarseView:
    """Spectrum of a frame made small, to find jumps by phase correlation."""

    spectrum: NDArray[np.complexfloating]
    shape: tuple[int, int]
    scale: int

    @staticmethod
    def of(cells: Float32Array, scale: int) -> CoarseView:
        """Of a frame's means over squares of `scale` pixels."""
        from napari_lithium_alloy.core.kernels.structure import box_mean

        smooth, band = np.empty_like(cells), np.empty_like(cells)
        box_mean(cells, 3, False, smooth)
        box_mean(smooth, 15, True, band)
        shape = (band.shape[0], band.shape[1])
        band *= _taper(*shape)
        return CoarseView(spectrum=fft.rfft2(band), shape=shape, scale=scale)

    def jump_from(self, before: CoarseView) -> FloatArray:
        """(2,) step of the whole picture since the frame before, to a pixel or so."""
        product = self.spectrum * np.conj(before.spectrum)
        product /= np.maximum(np.abs(product), 1e-9)
        peak = np.unravel_index(np.argmax(fft.irfft2(product, s=self.shape)), self.shape)
        at, size = np.array(peak), np.array(self.shape)
        return np.asarray(np.where(at > size // 2, at - size, at) * float(self.scale))


@functools.lru_cache(maxsize=2)
def _taper(rows: int, columns: int) -> Float32Array:
    return np.outer(np.hanning(rows), np.hanning(columns)).astype(np.float32)


@dataclass(frozen=True, eq=False, kw_only=True)
class Structure:
    """Places of a picture with most gradient around them, best first.

    Attributes
    ----------
    places_px : numpy.ndarray
        (N, 2) rows and columns.
    """

    places_px: IntArray

    @staticmethod
    def of(frame: FrameLight, noise: float, rows: Rows) -> Structure:
        """Where patches in rows of a picture with this noise can be held well enough."""
        from napari_lithium_alloy.core.kernels.structure import (
            box_mean,
            gradient_energy,
            peaks_above,
        )

        border = HALF_PX + BORDER_PX
        light = frame.part(slice(*rows))
        if min(light.shape) < 2 * border + 1:
            return Structure(places_px=np.zeros((0, 2), dtype=int))
        smooth, energy = np.empty_like(light), np.empty_like(light)
        _blur(light, SMOOTHING_PX, smooth)
        box_mean(smooth, 4 * HALF_PX + 1, True, energy)
        gradient_energy(energy, (0, len(energy)), smooth)
        _blur(smooth, WINDOW_PX / 2, energy)
        least = (noise * noise_left(SMOOTHING_PX)) ** 2 * NOISE_AREA_PX
        least /= 4 * np.pi * (WINDOW_PX / 2) ** 2 * WORST_SD_PX**2
        where = peaks_above(energy, least, border, NEAREST_PX // 2)
        order = np.argsort(-energy[tuple(where.T)], kind="stable")
        return Structure(places_px=where[order] + np.array([rows[0], 0]))

    def places(self, taken: FloatArray, most: int) -> FloatArray:
        """(N, 2) at most so many of them, none near those already taken."""
        from napari_lithium_alloy.core.kernels.structure import far_from

        free = far_from(self.places_px, taken, NEAREST_PX, most)
        return np.asarray(free, dtype=float)


def _blur(image: Float32Array, sigma_px: float, out: Float32Array) -> None:
    """As `smoothing.blurred`, in the thread that asks, into a given array."""
    from napari_lithium_alloy.core.kernels.images import blur

    half = int(np.ceil(CUT * sigma_px))
    weights = np.exp(-0.5 * (np.arange(-half, half + 1) / sigma_px) ** 2)
    blur(image, (weights / weights.sum()).astype(np.float32), False, (0, len(image)), out)
