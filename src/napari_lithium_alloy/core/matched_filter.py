"""Signal-to-noise of growing discs everywhere: a matched filter, by blocks of the picture."""

from __future__ import annotations

import itertools

import numpy as np
from numpy.typing import NDArray
from scipy import fft

from napari_lithium_alloy.core.photometry import Float32Array
from napari_lithium_alloy.core.progress import finish
from napari_lithium_alloy.core.recording import BoolArray, IntArray
from napari_lithium_alloy.core.row_blocks import Rows, by_rows, thread_count
from napari_lithium_alloy.core.site_templates import Templates

BLOCK_PX = 512
"""Side of a block's spectrum, if that of the templates is under half of it."""


class MatchedFilter:
    """Templates as spectra of one block of a picture, made once."""

    def __init__(self, templates: Templates, shape: tuple[int, int]) -> None:
        sizes = [p.shape[1] for p in templates.patches]
        self.room = max(sizes)
        side = max(BLOCK_PX, 2 * self.room)
        sides = [fft.next_fast_len(min(side, n + self.room), real=True) for n in shape]
        self.block = (sides[0], sides[1])
        frames = templates.frames[:, None, None]
        self.spectra: list[NDArray[np.complex64]] = []
        self.patches: list[Float32Array] = []
        for patch in templates.patches:
            kernel = np.zeros((len(frames), self.room, self.room), dtype=np.float32)
            low = (self.room - patch.shape[1]) // 2
            own = slice(low, low + patch.shape[1])
            scaled = (patch * frames / np.sqrt((patch**2 * frames).sum())).astype(np.float32)
            kernel[:, own, own] = scaled
            self.patches.append(scaled)
            self.spectra.append(np.conj(fft.rfft2(kernel, s=self.block, workers=thread_count())))

    def responses(
        self, loss: Float32Array, variance: Float32Array, film: BoolArray
    ) -> Float32Array:
        """(R, Y, X) signal-to-noise of a disc of each radius at each pixel.

        Parameters
        ----------
        loss : numpy.ndarray
            (K, Y, X) as of `SiteImages`, or what the discs found leave of it.
        variance : numpy.ndarray
            (Y, X) of a single frame.
        film : numpy.ndarray
            (Y, X) bool; what lies outside counts as film without sites.
        """
        out = np.empty((len(self.spectra), *variance.shape), dtype=np.float32)
        weight = _weight(variance, film)
        steps = [b - self.room for b in self.block]
        corners = [
            *itertools.product(*(range(0, n, s) for n, s in zip(film.shape, steps, strict=True)))
        ]

        def answer(blocks: Rows) -> None:
            for y, x in corners[slice(*blocks)]:
                self._block(loss, weight, (y, x), out[:, y : y + steps[0], x : x + steps[1]])

        finish(by_rows(answer, len(corners), most=1))
        return out

    def _block(
        self,
        loss: Float32Array,
        weight: Float32Array,
        corner: tuple[int, int],
        out: Float32Array,
    ) -> None:
        from napari_lithium_alloy.core.kernels.matching import sum_of_products

        half = self.room // 2
        first = [max(c - half, 0) for c in corner]
        last = [
            min(c - half + b, n) for c, b, n in zip(corner, self.block, weight.shape, strict=True)
        ]
        window = tuple(slice(a, b) for a, b in zip(first, last, strict=True))
        picture = np.zeros((len(loss), *self.block), dtype=np.float32)
        inside = tuple(
            slice(a + half - c, b + half - c) for a, b, c in zip(first, last, corner, strict=True)
        )
        np.multiply(loss[:, *window], weight[window], out=picture[:, *inside])
        spectrum = fft.rfft2(picture)
        total = np.empty_like(spectrum[0])
        for template, response in zip(self.spectra, out, strict=True):
            sum_of_products(spectrum, template, total)
            whole = fft.irfft2(total, s=self.block, overwrite_x=True)
            response[:] = whole[: out.shape[1], : out.shape[2]]

    def at_places(
        self, places: IntArray, loss: Float32Array, variance: Float32Array, film: BoolArray
    ) -> Float32Array:
        """(R, N) the same as `responses` at some pixels only."""
        from napari_lithium_alloy.core.kernels.matching import match_at

        out = np.empty((len(self.patches), len(places)), dtype=np.float32)
        weight = _weight(variance, film)

        def answer(some: Rows) -> None:
            for patch, response in zip(self.patches, out, strict=True):
                match_at(loss, weight, patch, places[slice(*some)], response[slice(*some)])

        finish(by_rows(answer, len(places), most=32))
        return out


def _weight(variance: Float32Array, film: BoolArray) -> Float32Array:
    """One over the noise, 0 beside the film."""
    return np.where(film, 1 / np.sqrt(variance), 0).astype(np.float32)
