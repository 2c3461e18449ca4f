"""Signal-to-noise of growing discs everywhere: a matched filter, by blocks of the picture."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import fft

from napari_lithium_alloy.core.photometry import Float32Array
from napari_lithium_alloy.core.pixelwise import pixelwise
from napari_lithium_alloy.core.progress import finish
from napari_lithium_alloy.core.recording import BoolArray, FloatArray, IntArray
from napari_lithium_alloy.core.row_blocks import Rows, by_rows, thread_count
from napari_lithium_alloy.core.site_templates import Templates, hat_norm

Left = tuple[Float32Array, Float32Array, float]
"""Losses, what discs leave free, and the loss under lithium."""
BLOCK_PX = 384
"""Side of a block's spectrum, if that of the templates is under half of it."""
FALLEN = 0.8
"""Share of the highest answer at a place, under which those of larger radii are lower still."""
KEPT = 0.995
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


class _Spectra:
    """Templates (J, n, n) as spectra of blocks of a picture, for responses of some size."""

    def __init__(self, parts: Sequence[Float32Array], size: tuple[int, ...]) -> None:
        self.size, self.count = size, len(parts)
        self.room = max((p.shape[1] for p in parts), default=1)
        self.shape = tuple(fft.next_fast_len(n + self.room - 1, real=True) for n in size)
        self.each: list[NDArray[np.complex64]] = []
        for part in parts:
            kernel = np.zeros((len(part), self.room, self.room), dtype=np.float32)
            low = (self.room - part.shape[1]) // 2
            own = slice(low, low + part.shape[1])
            kernel[:, own, own] = part
            self.each.append(np.conj(fft.rfft2(kernel, s=self.shape, workers=thread_count())))

    def responses(self, picture: Float32Array) -> Float32Array:
        """(R, y, x) those of each template to (J, y, x) of the shape of a block."""
        from napari_lithium_alloy.core.kernels.matching import sum_of_products

        spectrum = fft.rfft2(picture)
        total = np.empty_like(spectrum[0])
        out = np.empty((self.count, *self.size), dtype=np.float32)
        for template, own in zip(self.each, out, strict=True):
            sum_of_products(spectrum, template, total)
            whole = fft.irfft2(total, s=self.shape, overwrite_x=True)
            own[:] = whole[: self.size[0], : self.size[1]]
        return out


class MatchedFilter:
    """Templates as spectra of one block of a picture, made once.

    Discs that are smooth enough are looked for in a picture of half the size, and all in the few
    courses in time that their templates are made of.

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
        self.radii = templates.radii_px
        self.inner = np.searchsorted(templates.radii_px, templates.radii_px / 2)
        self.patches = [
            (p * frames / np.sqrt((p**2 * frames).sum())).astype(np.float32)
            for p in templates.patches
        ]
        courses = _courses(templates.patches, templates.frames)
        self.basis = np.ascontiguousarray(courses, dtype=np.float32)
        n_fine = len(templates.patches) - len(templates.halved)
        fine = [_of_noise_1(courses, p, _norm) for p in templates.patches[:n_fine]]
        halved = [_of_noise_1(courses, p, hat_norm) for p in templates.halved]
        sides = [_side(parts, *of) for parts, *of in ((fine, 1, 2), (halved, 2, 6)) if parts]
        height, width = film.shape
        self.step = _even_steps(height, min(sides)), _even_steps(width, min(sides))
        self.fine = _Spectra(fine, tuple(n + 2 for n in self.step))
        self.halved = _Spectra(halved, tuple(n // 2 + 6 for n in self.step))

    def answers(self, left: Left, least: float, least_negative: float, large: float) -> Answers:
        """Extrema of the responses over place and radius, and where they are large.

        Parameters
        ----------
        left : tuple
            Losses (K, Y, X), what discs leave free of them (K, Y, X), and the loss under lithium.
        least, least_negative, large : float
            Sizes from which maxima, minima and anything are told.
        """
        from napari_lithium_alloy.core.kernels.responses import look_through

        height, width = self.film.shape
        rows, columns = self.step
        corners = [*itertools.product(range(0, height, rows), range(0, width, columns))]
        found: list[Any] = [None] * len(corners)
        halves = self.halves(left)

        def answer(blocks: Rows) -> None:
            for i in range(*blocks):
                parts = self.responses(left, halves, corners[i])
                sizes = least, least_negative, large
                found[i] = look_through(*parts, corners[i], self.film, sizes, self.inner)

        finish(by_rows(answer, len(corners), most=1))
        all_found, places = (np.concatenate(own) for own in zip(*found, strict=True))
        high = all_found[:, 3] > 0
        return Answers(maxima=all_found[high], minima=all_found[~high], large=places)

    def halves(self, left: Left) -> Float32Array:
        """(J, y, x) what is left, as a picture of half the size that begins a value before."""
        from napari_lithium_alloy.core.kernels.matching import halved_parts

        loss, free, full = left
        size = [n // 2 + 2 for n in self.film.shape] if self.halved.count else [0, 0]
        out = np.empty((len(self.basis), *size), dtype=np.float32)

        def fill(rows: Rows) -> None:
            halved_parts(loss, free, np.float32(full), self.weight, self.basis, rows, out)

        finish(by_rows(fill, size[0], most=32))
        return out

    def responses(
        self, left: Left, halves: Float32Array, corner: tuple[int, int]
    ) -> tuple[Float32Array, Float32Array]:
        """Signal-to-noise of a disc of each radius in a block and around it.

        (F, y + 2, x + 2) of the smallest radii, and (H, y // 2 + 6, x // 2 + 6) of the others in
        a picture of half the size.
        """
        from napari_lithium_alloy.core.kernels.matching import weighted_parts

        loss, free, full = left
        fine = np.empty((0, *self.fine.size), dtype=np.float32)
        halved = np.empty((0, *self.halved.size), dtype=np.float32)
        if self.fine.count:
            first = corner[0] - 1 - self.fine.room // 2, corner[1] - 1 - self.fine.room // 2
            picture = np.empty((len(self.basis), *self.fine.shape), dtype=np.float32)
            weighted_parts(loss, free, np.float32(full), self.weight, self.basis, first, picture)
            fine = self.fine.responses(picture)
        if self.halved.count:
            before = self.halved.room // 2 + 2  # the picture's first value is that before the edge
            begin = corner[0] // 2 - before, corner[1] // 2 - before
            halved = self.halved.responses(_window(halves, begin, self.halved.shape))
        return fine, halved

    def best_at(self, places: IntArray, loss: Float32Array, most_px: FloatArray) -> IntArray:
        """(N,) index of the radius that answers most to losses at some pixels.

        It is looked for from the smallest on, up to where answers fall or about a largest one.
        """
        from napari_lithium_alloy.core.kernels.matching import match_at

        best = np.zeros(len(places), dtype=np.int64)

        highest = np.full(len(places), -np.inf, dtype=np.float32)

        def find(some: Rows) -> None:
            own = np.arange(*some)
            for k, patch in enumerate(self.patches):
                answer = np.empty(len(own), dtype=np.float32)
                match_at(loss, self.weight, patch, places[own], answer)
                higher = answer > highest[own]
                best[own[higher]], highest[own[higher]] = k, answer[higher]
                own = own[(answer > FALLEN * highest[own]) & (self.radii[k] < most_px[own])]

        finish(by_rows(find, len(places), most=64))
        return best


def _courses(patches: Sequence[FloatArray], frames: FloatArray) -> FloatArray:
    """(J, K) the few courses in time that make up the templates, of the noise of one frame."""
    root = np.sqrt(frames)
    even = [(p * root[:, None, None]).reshape(len(frames), -1) for p in patches]
    even = [e / _norm(e) for e in even]
    alike = sum(np.einsum("kn,ln->kl", e, e) for e in even)
    courses = np.linalg.eigh(alike)[1][:, ::-1]
    along = [np.einsum("kj,kn->jn", courses, e) for e in even]
    shares = np.cumsum([(a**2).sum(axis=1) for a in along], axis=1).min(axis=0)
    n = int(np.searchsorted(shares, KEPT**2)) + 1
    return np.asarray(courses[:, :n].T * root)


def _of_noise_1(
    courses: FloatArray, patch: FloatArray, norm: Callable[[FloatArray], float]
) -> Float32Array:
    """(J, n, n) a template's parts in the courses; responses to noise have the variance 1."""
    parts = np.einsum("jk,kyx->jyx", courses, patch)
    return np.asarray(parts / norm(parts), dtype=np.float32)


def _norm(parts: FloatArray) -> float:
    return float(np.sqrt((parts**2).sum()))


def _side(parts: Sequence[Float32Array], pixels: int, beyond: int) -> int:
    """Most pixels of a block to a side, for its spectrum to be mostly of use."""
    room = max(int(p.shape[1]) for p in parts)
    return pixels * (max(BLOCK_PX, 2 * room) - room - beyond + 1)


def _window(picture: Float32Array, begin: tuple[int, int], shape: tuple[int, ...]) -> Float32Array:
    """(J, y, x) part of a picture, 0 beside it."""
    out = np.zeros((len(picture), *shape), dtype=np.float32)
    first = [max(b, 0) for b in begin]
    end = [max(min(b + n, m), 0) for b, n, m in zip(begin, shape, picture.shape[1:], strict=True)]
    rows, columns = (slice(a, b) for a, b in zip(first, end, strict=True))
    own = picture[:, rows, columns]
    y, x = first[0] - begin[0], first[1] - begin[1]
    out[:, y : y + own.shape[1], x : x + own.shape[2]] = own
    return out


def _even_steps(n: int, most: int) -> int:
    """An even number of pixels, no more than about `most`, that equal parts of n have."""
    each = -(-n // max(1, -(-n // most)))
    return each + each % 2


def _weight(variance: Float32Array, film: BoolArray) -> Float32Array:
    """One over the noise, 0 beside the film."""
    return pixelwise(lambda f, v: np.where(f, 1 / np.sqrt(v), 0), film, variance)
