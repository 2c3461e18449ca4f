"""What chance gives for the correlation of two maps: all shifts of one against the other.

A shift keeps both maps' smoothness and breaks their relation. All shifts at once follow from a few
Fourier transforms (masked cross-correlation, Padfield 2012, DOI 10.1109/TIP.2011.2181402). The
maps are not wrapped round: at the seam a real film does not fit itself, and wrapped shifts call
unrelated maps related too often. Instead each shift is scaled by the root of what it leaves in
common (random shifts with variance correction, Mrkvicka et al. 2021,
DOI 10.1016/j.spasta.2020.100430).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from scipy import fft

from napari_lithium_alloy.core.progress import finish
from napari_lithium_alloy.core.recording import BoolArray, FloatArray, IntArray
from napari_lithium_alloy.core.row_blocks import by_rows, free_threads

SINGLE_CELLS = 2**16
"""Of more squares transforms are of single precision: r is then right to about 1e-7."""
LEAST_OVERLAP = 0.5
"""Smallest share of the field two maps must keep in common under a shift."""


@dataclass(frozen=True, eq=False, kw_only=True)
class Shifts:
    """Two maps against each other under all shifts of up to half the field.

    Attributes
    ----------
    overlap : numpy.ndarray
        (H, W) pixels left in common; [0, 0] is no shift, negative shifts count from the end.
    length : numpy.ndarray
        (H, W) each shift's length, pixels.
    correlation : numpy.ndarray
        (H, W) covariance of the maps under each shift over their standard deviations, scaled to
        the spread it would have over the whole field.
    own : tuple of two numpy.ndarray
        (H, W) of each map with itself: sum of products over the maps' sums of squares.
    cell : int
        Shifts are by whole multiples of this, pixels.
    """

    overlap: FloatArray
    length: FloatArray
    correlation: FloatArray
    own: tuple[FloatArray, FloatArray]
    cell: int = 1

    @property
    def n_px(self) -> int:
        """Pixels in common without a shift."""
        return int(self.overlap[0, 0])

    @property
    def enough(self) -> BoolArray:
        """(H, W) True where a shift leaves enough in common."""
        return np.asarray(self.overlap >= LEAST_OVERLAP * self.n_px)

    @property
    def variance(self) -> float:
        """Of r between maps so smooth, from the products of their autocorrelations.

        By Parseval's theorem the mean square over all shifts (Clifford, Richardson and Hemon
        1989, DOI 10.2307/2532039; Dutilleul 1993, DOI 10.2307/2532625).
        """
        return self.spread(*self.own)

    def spread(self, a: FloatArray, b: FloatArray) -> float:
        """The same for maps with these own products."""
        return _spread(a, b, self.overlap, self.cell)


def _spread(a: FloatArray, b: FloatArray, overlap: FloatArray, cell: int) -> float:
    from napari_lithium_alloy.core.kernels.shifted import spread_of

    return cell**2 * float(spread_of(a, b, overlap, LEAST_OVERLAP * float(overlap[0, 0])))


def padded_shape(shape: tuple[int, ...]) -> tuple[int, ...]:
    """Shape in which shifts of up to half the field do not meet their own wrapping."""
    return tuple(int(fft.next_fast_len(n + n // 2, real=True)) for n in shape)


def transformed(image: FloatArray, padded: tuple[int, ...]) -> FloatArray:
    """Fourier transform of an image with zeros around it."""
    rows = fft.rfft(image, n=padded[1], axis=1, workers=free_threads())
    return np.asarray(fft.fft(rows, n=padded[0], axis=0, workers=free_threads(), overwrite_x=True))


def crossed(
    first: FloatArray, second: FloatArray, shape: tuple[int, ...], padded: tuple[int, ...]
) -> FloatArray:
    """Sums of products of one image with the other under each shift, from their transforms."""
    from napari_lithium_alloy.core.kernels.shifted import cross_power

    power = np.empty_like(first)
    cross_power(*(i.view(i.real.dtype) for i in (first, second, power)))
    columns = fft.ifft(power, axis=0, workers=free_threads(), overwrite_x=True)
    rows = np.take(columns, _within_half(shape[0]), axis=0)
    sums = fft.irfft(rows, n=padded[1], axis=1, workers=free_threads(), overwrite_x=True)
    return np.take(np.asarray(sums), _within_half(shape[1]), axis=1)


def _within_half(n: int) -> IntArray:
    """Shifts of up to half of n: those from 0 on, then the negative ones."""
    half = n // 2
    return np.concatenate([np.arange(half + 1), np.arange(-half, 0)])


def shift_lengths(padded: tuple[int, ...]) -> FloatArray:
    """Length of each shift, pixels."""
    rows, columns = (np.minimum(np.arange(n), n - np.arange(n)) for n in padded)
    return np.hypot(rows[:, np.newaxis], columns[np.newaxis, :])


class ShiftedField:
    """A field under all shifts, for maps whose means over it are 0, and which are 0 elsewhere.

    Parameters
    ----------
    valid : numpy.ndarray
        (Y, X) bool.
    cell : int
        Squares of so many pixels are taken together, for maps much smoother than them: shifts
        are then by whole squares, and each stands for those around it.
    """

    def __init__(self, valid: BoolArray, cell: int = 1) -> None:
        self.pixels = cell_sums(valid, cell).astype(float)
        self.cell, self.padded = cell, padded_shape(self.pixels.shape)
        rows, columns = (_within_half(n) for n in self.pixels.shape)
        if valid.all():
            height, width = (
                cell * (n - np.abs(some))
                for n, some in zip(self.pixels.shape, (rows, columns), strict=True)
            )
            self.overlap = np.outer(height, width).astype(float)
        else:
            mask = transformed(self.pixels / cell, self.padded)
            self.overlap = np.round(self._crossed(mask, mask))
        self.scale = np.sqrt(self.overlap[0, 0] / np.maximum(self.overlap, 1))
        self.length = cell * np.hypot(rows[:, np.newaxis], columns)

    def _crossed(self, first: FloatArray, second: FloatArray) -> FloatArray:
        return crossed(first, second, self.pixels.shape, self.padded)

    def spectrum(self, cells: FloatArray, power: float) -> FloatArray:
        """Transform of a map's sums over cells, given the map's sum of squares."""
        scaled = cells / (self.cell * math.sqrt(power))
        single = scaled.size > SINGLE_CELLS
        return transformed(scaled.astype(np.float32) if single else scaled, self.padded)

    def own(self, spectrum: FloatArray) -> FloatArray:
        """Products of a map with itself under each shift."""
        return self._crossed(spectrum, spectrum)

    def spread(self, a: FloatArray, b: FloatArray) -> float:
        """Variance of r between maps with these own products."""
        return _spread(a, b, self.overlap, self.cell)

    def shifts(
        self, spectra: tuple[FloatArray, FloatArray], own: tuple[FloatArray, FloatArray]
    ) -> Shifts:
        """One map against the other."""
        return Shifts(
            overlap=self.overlap,
            length=self.length,
            correlation=self._crossed(*spectra) * self.scale,
            own=own,
            cell=self.cell,
        )


def cell_sums(image: FloatArray | BoolArray, cell: int) -> FloatArray:
    """Sums over squares; a remainder is left out."""
    if cell == 1:
        return np.asarray(image)
    from napari_lithium_alloy.core.kernels.cell_maps import sums_of_cells

    out = np.empty([n // cell for n in image.shape])
    finish(by_rows(lambda rows: sums_of_cells(image, cell, rows, out), len(out)))
    return out


def correlation_length(own: FloatArray, overlap: FloatArray, length: FloatArray) -> float:
    """Shift at which a map's own correlation has first fallen to 1/e, pixels."""
    from napari_lithium_alloy.core.kernels.shifted import sums_in_rings

    sums = np.zeros((2, int(length.max()) + 2))
    sums_in_rings(own, overlap, length, sums)
    products, pixels = sums
    known = pixels > 0
    profile = np.where(known, products / np.maximum(pixels, 1), np.nan)
    below = np.flatnonzero(profile < profile[0] / math.e)
    return float(below[0]) if below.size else float(np.flatnonzero(known)[-1])


def usable_null(shifts: Shifts, longer_px: float) -> FloatArray:
    """(n,) sizes of r under shifts that leave enough in common, and are longer than that."""
    from napari_lithium_alloy.core.kernels.shifted import usable_sizes

    out, limits = np.empty(shifts.correlation.size), (LEAST_OVERLAP * shifts.n_px, longer_px)
    n = usable_sizes(shifts.correlation, shifts.overlap, shifts.length, limits, out)
    return out[:n]
