"""Signal-to-noise of growing discs everywhere: a matched filter, by blocks of the picture."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import fft

from napari_lithium_alloy.core.photometry import Float32Array
from napari_lithium_alloy.core.progress import finish
from napari_lithium_alloy.core.recording import BoolArray, FloatArray, IntArray
from napari_lithium_alloy.core.row_blocks import Rows, by_rows, thread_count
from napari_lithium_alloy.core.site_templates import Templates

Left = tuple[Float32Array, Float32Array, float]
"""Losses, what discs leave free, and the loss under lithium."""
BLOCK_PX = 384
"""Side of a block's spectrum, if that of the templates is under half of it."""
KEPT = 0.9995
"""Of each template's signal, by the few courses in time that all of them are made of."""


@dataclass(frozen=True, eq=False, kw_only=True)
class Answers:
    """Where a matched filter answers.

    Attributes
    ----------
    maxima, minima : numpy.ndarray
        (N, 5) radius (its index), row, column, signal-to-noise there, and that of a disc of half
        the radius; minima below 0.
    large : numpy.ndarray
        (M, 2) rows and columns where a response of either sign is large.
    """

    maxima: FloatArray
    minima: FloatArray
    large: IntArray


class _Scale:
    """Spectra of templates for blocks of a picture, of its pixels or of squares of two by two."""

    def __init__(self, patches: Sequence[Float32Array], pixels: int, step: tuple[int, int]) -> None:
        self.pixels, self.count = pixels, len(patches)
        self.room = max((p.shape[1] for p in patches), default=1)
        beyond = 2 if pixels == 1 else 4
        self.block = tuple(
            fft.next_fast_len(n // pixels + beyond + self.room - 1, real=True) for n in step
        )
        self.size = [n // pixels + beyond for n in step]
        self.spectra: list[NDArray[np.complex64]] = []
        for patch in patches:
            kernel = np.zeros((len(patch), self.room, self.room), dtype=np.float32)
            low = (self.room - patch.shape[1]) // 2
            own = slice(low, low + patch.shape[1])
            kernel[:, own, own] = patch
            self.spectra.append(np.conj(fft.rfft2(kernel, s=self.block, workers=thread_count())))

    def answers(
        self, left: Left, weight: Float32Array, basis: Float32Array, corner: tuple[int, int]
    ) -> Iterator[Float32Array]:
        """Responses of each template about a block, one after the other."""
        from napari_lithium_alloy.core.kernels.matching import sum_of_products, weighted_parts

        first = [c // self.pixels - self.pixels - self.room // 2 for c in corner]
        picture = np.empty((len(basis), *self.block), dtype=np.float32)
        loss, free, full = left
        weighted_parts(
            loss, free, np.float32(full), weight, basis, (first[0], first[1]), self.pixels, picture
        )
        spectrum = fft.rfft2(picture)
        total = np.empty_like(spectrum[0])
        for template in self.spectra:
            sum_of_products(spectrum, template, total)
            whole = fft.irfft2(total, s=self.block, overwrite_x=True)
            yield whole[: self.size[0], : self.size[1]]


class MatchedFilter:
    """Templates as spectra of one block of a picture, made once.

    Large discs are looked for in a picture of half the size, and all in the few courses in time
    that their templates are made of.

    Parameters
    ----------
    templates : Templates
    variance : numpy.ndarray
        (Y, X) of a single frame.
    film : numpy.ndarray
        (Y, X) bool; what lies outside counts as film without sites.
    """

    def __init__(self, templates: Templates, variance: Float32Array, film: BoolArray) -> None:
        frames = templates.frames[:, None, None]
        self.film, self.weight = film, _weight(variance, film)
        self.inner = np.searchsorted(templates.radii_px, templates.radii_px / 2)
        self.patches = [
            (p * frames / np.sqrt((p**2 * frames).sum())).astype(np.float32)
            for p in templates.patches
        ]
        n_fine = len(templates.patches) - len(templates.halved)
        fine, halved = templates.patches[:n_fine], templates.halved
        self.basis, parts = _in_common([*fine, *halved], templates.frames)
        room = max((p.shape[1] for p in fine), default=1)
        side = max(BLOCK_PX, 2 * room) - room - 1
        height, width = film.shape
        self.step = _even_steps(height, side), _even_steps(width, side)
        self.scales = (
            _Scale(parts[:n_fine], 1, self.step),
            _Scale([(p / 2).astype(np.float32) for p in parts[n_fine:]], 2, self.step),
        )

    def answers(self, left: Left, least: float, least_negative: float, large: float) -> Answers:
        """Extrema of the responses over place and radius, and where they are large.

        Parameters
        ----------
        left : tuple
            Losses (K, Y, X), what discs leave free of them (K, Y, X), and the loss under lithium.
        least, least_negative, large : float
            Sizes from which maxima, minima and anything are told.
        """
        from napari_lithium_alloy.core.kernels.matching import extrema, sizes

        high, width = self.film.shape
        rows, columns = self.step
        corners = [*itertools.product(range(0, high, rows), range(0, width, columns))]
        found: list[Any] = [None] * len(corners)

        def answer(blocks: Rows) -> None:
            most = np.empty((rows + 2, columns + 2), dtype=np.float32)
            for i in range(*blocks):
                block = self.block(left, corners[i])
                sizes(block, most)
                upper, lower = (
                    extrema(block, most, self.film, corners[i], sign, own, self.inner)
                    for sign, own in ((1.0, least), (-1.0, least_negative))
                )
                places = np.argwhere(most > large) + corners[i] - 1
                found[i] = upper, lower, places[(places < self.film.shape).all(axis=1)]

        finish(by_rows(answer, len(corners), most=1))
        maxima, minima, places = (np.concatenate(own) for own in zip(*found, strict=True))
        return Answers(maxima=maxima, minima=minima, large=places)

    def block(self, left: Left, corner: tuple[int, int]) -> Float32Array:
        """(R, y + 2, x + 2) signal-to-noise of a disc of each radius in a block and around it."""
        from napari_lithium_alloy.core.kernels.matching import doubled

        fine, halved = self.scales
        size = [n + 2 for n in self.step]
        out = np.empty((fine.count + halved.count, *size), dtype=np.float32)
        if fine.count:
            for own, response in zip(
                out, fine.answers(left, self.weight, self.basis, corner), strict=False
            ):
                own[:] = response
        if halved.count:
            for own, response in zip(
                out[fine.count :],
                halved.answers(left, self.weight, self.basis, corner),
                strict=True,
            ):
                doubled(response, own)
        return out

    def at_places(self, places: IntArray, loss: Float32Array) -> Float32Array:
        """(R, N) responses to losses at some pixels only."""
        from napari_lithium_alloy.core.kernels.matching import match_at

        out = np.empty((len(self.patches), len(places)), dtype=np.float32)

        def answer(some: Rows) -> None:
            for patch, response in zip(self.patches, out, strict=True):
                match_at(loss, self.weight, patch, places[slice(*some)], response[slice(*some)])

        finish(by_rows(answer, len(places), most=32))
        return out


def _in_common(
    patches: Sequence[FloatArray], frames: FloatArray
) -> tuple[Float32Array, list[Float32Array]]:
    """Templates as sums over few courses in time (J, K): those, and the templates' parts in them.

    Responses to noise have the variance 1.
    """
    root = np.sqrt(frames)
    even = [(p * root[:, None, None]).reshape(len(frames), -1) for p in patches]
    even = [e / np.linalg.norm(e) for e in even]
    courses = np.linalg.eigh(sum(e @ e.T for e in even))[1][:, ::-1]
    shares = np.cumsum([((courses.T @ e) ** 2).sum(axis=1) for e in even], axis=1).min(axis=0)
    n = int(np.searchsorted(shares, KEPT**2)) + 1
    basis = courses[:, :n].T
    parts = [(basis @ e).reshape(-1, *p.shape[1:]) for e, p in zip(even, patches, strict=True)]
    parts = [(p / np.linalg.norm(p)).astype(np.float32) for p in parts]
    return np.ascontiguousarray(basis * root, dtype=np.float32), parts


def _even_steps(n: int, most: int) -> int:
    """An even number of pixels, no more than about `most`, that equal parts of n have."""
    each = -(-n // max(1, -(-n // most)))
    return each + each % 2


def _weight(variance: Float32Array, film: BoolArray) -> Float32Array:
    """One over the noise, 0 beside the film."""
    return np.where(film, 1 / np.sqrt(variance), 0).astype(np.float32)
