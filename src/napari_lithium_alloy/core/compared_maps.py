"""Maps that are compared with each other over one field: what each brings to all its pairs.

Maps of a large field are much smoother than its pixels. Their trends, powers and r are those of
all pixels; under shifts and in blocks their sums over small squares stand for them.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from napari_lithium_alloy.core.colocalization import LEAST_SPREAD, common_field, standardized
from napari_lithium_alloy.core.detrending import Detrend, Trend, degree_for
from napari_lithium_alloy.core.photometry import Float32Array
from napari_lithium_alloy.core.progress import finish
from napari_lithium_alloy.core.recording import BoolArray, FloatArray
from napari_lithium_alloy.core.row_blocks import Rows, by_rows, each
from napari_lithium_alloy.core.shifts import ShiftedField, Shifts, cell_sums, correlation_length

AT_ONCE_ROWS = 32
"""Of several maps, that stay at hand while pairs of them are looked at."""
PROBE_PX = 384
"""Side of the part of a field from which the fineness of its structures is told."""
LEAST_PIXELS = 100
MOST_CELLS = 512
"""Cells to a side, where the smoother of two maps allows it."""
CELLS_A_LENGTH = 3.0
"""Of the smoother map, at least: the product of two maps is as smooth as it is."""
QUANTILES, BINS = 2**18, 2**16
"""Values of a map, in order, that stand for all of them, and bins in which they are ordered."""
ENOUGH_VALUES = 2**20
"""Of a field, among which those in order are."""
TINY = 1e-300
LEAST_LEFT = 1e-10
"""Of a map's largest value, under which what detrending leaves is rounding."""


@dataclass(frozen=True, eq=False)
class Residual:
    """A map without its trend over a field.

    Attributes
    ----------
    image : numpy.ndarray
        (Y, X), 0 outside the field; float32 in a large one.
    power : float
        Sum of squares.
    largest : float
        Largest size of a value.
    ordered : numpy.ndarray
        Its values in the field from the lowest on, or means of equally many of them, of mean 0
        and variance 1; empty where they are all the same.
    """

    image: FloatArray
    power: float
    largest: float
    ordered: FloatArray

    @classmethod
    def of(cls, image: FloatArray, power: float, ordered: FloatArray) -> Residual:
        """From its values in order."""
        largest = float(np.abs(ordered[[0, -1]]).max())
        return cls(image, power, largest, standardized(ordered))


@dataclass(frozen=True, eq=False)
class InCells:
    """A map without its trend, in squares of a field.

    Attributes
    ----------
    means : numpy.ndarray
        (H, W) in the squares that count, else 0.
    kept : float
        Share of its power that these have.
    spectrum, own : numpy.ndarray
        Transform of its sums, and its products with itself under all shifts.
    length_px : float
        Its correlation length.
    """

    means: FloatArray
    kept: float
    spectrum: FloatArray
    own: FloatArray
    length_px: float


class Field:
    """The pixels that maps have in common, and these maps in it.

    Parameters
    ----------
    images : mapping of str to (Y, X) array
    common : numpy.ndarray
        (Y, X) bool, at least one True.
    """

    def __init__(self, images: Mapping[str, FloatArray], common: BoolArray) -> None:
        self.images = images
        rows, columns = (np.flatnonzero(common.any(axis=axis)) for axis in (1, 0))
        self.box = (slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1))
        self.common = np.ascontiguousarray(common[self.box])
        self.n = int(np.count_nonzero(self.common))
        self._fineness: dict[str, tuple[float, float] | None] = {}
        self._largest_of: dict[str, float] = {}
        self._pearson: dict[tuple[str, str], float] = {}
        self._products: dict[tuple[str, str, int], float] = {}
        self._residuals: dict[tuple[str, int], Residual] = {}
        self._trends: dict[int, Trend] = {}
        self._shifted: dict[int, ShiftedField] = {}
        self._in_cells: dict[tuple[str, int, int], InCells] = {}

    def prepare(self, pairs: Sequence[tuple[str, str]], detrend: Detrend) -> None:
        """Find what maps bring to all these pairs, of several maps at the same time."""
        names = sorted({name for pair in pairs for name in pair})
        _ = self._probe
        each(self._measure, names)
        self._measure_pearson(pairs)
        wanted: dict[tuple[str, int], set[int]] = {}
        told = [pair for pair in pairs if math.isfinite(self.pearson(*pair))]
        for a, b in told:
            degree, cell = self.trend_and_cell(a, b, detrend)
            for name in (a, b):
                wanted.setdefault((name, degree), set()).add(cell)
        each(self._trend, sorted({degree for _, degree in wanted}))
        each(self._shifted_by, sorted(set().union(*wanted.values())))

        def find(key: tuple[str, int]) -> None:
            if self.residual(*key).largest > LEAST_LEFT:
                for cell in wanted[key]:
                    self.in_cells(*key, cell)

        each(find, sorted(wanted))
        by_degree: dict[int, list[tuple[str, str]]] = {}
        for pair in told:
            by_degree.setdefault(self.trend_and_cell(*pair, detrend)[0], []).append(pair)
        for degree, own in by_degree.items():
            self._multiply(own, degree)

    def _measure(self, name: str) -> None:
        self._fineness_of(name)
        self._largest(name)

    def trend_and_cell(self, a: str, b: str, detrend: Detrend) -> tuple[int, int]:
        """Degree of the trend that two maps allow, and the side of the squares."""
        samples, _, longer = self.fineness(a, b)
        return degree_for(detrend, samples), self.cell_for(longer)

    @property
    def large(self) -> bool:
        """Whether cells may stand for pixels."""
        return bool(max(self.common.shape) > PROBE_PX)

    def fineness(self, a: str, b: str) -> tuple[float, float, float]:
        """About how many independent samples the coarser map holds; both lengths, shorter first.

        From the middle of a large field; (0, 1, 1) where that does not tell.
        """
        found = [self._fineness_of(name) for name in (a, b)]
        samples, lengths = zip(*(f or (0.0, 1.0) for f in found), strict=True)
        if None in found:
            return 0.0, 1.0, 1.0
        return min(samples), min(lengths), max(lengths)

    @cached_property
    def _probe(self) -> tuple[tuple[slice, ...], Trend, ShiftedField]:
        window = tuple(
            slice((n - m) // 2, (n + m) // 2)
            for n, m in ((n, min(n, PROBE_PX)) for n in self.common.shape)
        )
        some = self.common[window]
        return window, Trend(some, 2), ShiftedField(some)

    def _fineness_of(self, name: str) -> tuple[float, float] | None:
        if name not in self._fineness:
            self._fineness[name] = self._measured_fineness(name)
        return self._fineness[name]

    def _measured_fineness(self, name: str) -> tuple[float, float] | None:
        window, trend, field = self._probe
        some = trend.valid
        image = np.asarray(self.images[name][self.box][window], dtype=float)
        if some.sum() <= LEAST_PIXELS or float(np.ptp(image[some])) == 0:
            return None
        left = trend.taken_from(image / max(float(np.abs(image[some]).max()), TINY))
        power = float((left**2).sum())
        if power == 0:
            return None
        own = field.own(field.spectrum(left, power))
        samples = float(self.n) / float(some.sum()) / max(field.spread(own, own), 1e-9)
        return samples, correlation_length(own, field.overlap, field.length)

    def pearson(self, a: str, b: str) -> float:
        """Pearson's r of two maps as they are; NaN where one is constant."""
        if (a, b) not in self._pearson:
            self._measure_pearson([(a, b)])
        return self._pearson[a, b]

    def _measure_pearson(self, pairs: Sequence[tuple[str, str]]) -> None:
        """That of several pairs, which share what they read."""
        from napari_lithium_alloy.core.kernels.pair_sums import pair_sums

        images = {name: np.asarray(self.images[name][self.box]) for pair in pairs for name in pair}
        some = np.unravel_index(int(self.common.argmax()), self.common.shape)
        origin = {name: float(image[some]) for name, image in images.items()}
        scale = {name: 1 / self._largest(name) for name in images}
        out = np.empty((len(pairs), len(self.common), 5))

        def add(rows: Rows) -> None:
            for (a, b), sums in zip(pairs, out, strict=True):
                origins, scales = (origin[a], origin[b]), (scale[a], scale[b])
                pair_sums(images[a], images[b], self.common, origins, scales, rows, sums)

        finish(by_rows(add, len(self.common), most=AT_ONCE_ROWS))
        for pair, (sx, sy, sxx, syy, sxy) in zip(pairs, out.sum(axis=1), strict=True):
            spreads = sxx - sx * sx / self.n, syy - sy * sy / self.n
            power = math.sqrt(max(spreads[0], 0)) * math.sqrt(max(spreads[1], 0))
            told = min(spreads) > self.n * LEAST_SPREAD**2
            self._pearson[pair] = float((sxy - sx * sy / self.n) / power) if told else math.nan

    def _largest(self, name: str) -> float:
        """Largest size of a map's values."""
        from napari_lithium_alloy.core.kernels.pair_sums import largest_in_rows

        if name not in self._largest_of:
            image = np.asarray(self.images[name][self.box])
            out = np.zeros(len(image))
            finish(by_rows(lambda rows: largest_in_rows(image, self.common, rows, out), len(image)))
            self._largest_of[name] = max(float(out.max()), TINY)
        return self._largest_of[name]

    def _trend(self, degree: int) -> Trend:
        if degree not in self._trends:
            self._trends[degree] = Trend(self.common, degree)
        return self._trends[degree]

    def residual(self, name: str, degree: int) -> Residual:
        """A map without its trend; scaled, which r does not see."""
        if (name, degree) not in self._residuals:
            trend, scale = self._trend(degree), 1 / self._largest(name)
            image = np.asarray(self.images[name][self.box])
            if self.large:
                left, power, ends = trend.left_of(image, scale)
                found = Residual.of(left, power, _nearly_ordered(left, self.common, ends))
            else:
                left = trend.taken_from(image.astype(float) * scale)
                found = Residual.of(left, float(np.vdot(left, left)), np.sort(left[self.common]))
            self._residuals[name, degree] = found
        return self._residuals[name, degree]

    def product(self, a: str, b: str, degree: int) -> float:
        """Sum of the products of two maps without their trends."""
        if (a, b, degree) not in self._products:
            self._multiply([(a, b)], degree)
        return self._products[a, b, degree]

    def _multiply(self, pairs: Sequence[tuple[str, str]], degree: int) -> None:
        """Find those of several pairs, which share what they read."""
        from napari_lithium_alloy.core.kernels.pair_sums import products_in_rows

        images = {n: self.residual(n, degree).image for pair in pairs for n in pair}
        out = np.empty((len(pairs), len(self.common)))

        def add(rows: Rows) -> None:
            for (a, b), sums in zip(pairs, out, strict=True):
                products_in_rows(images[a], images[b], rows, sums)

        finish(by_rows(add, len(self.common), most=AT_ONCE_ROWS))
        for pair, sums in zip(pairs, out, strict=True):
            self._products[(*pair, degree)] = math.fsum(sums)

    def cell_for(self, longer_px: float) -> int:
        """Side of the squares that may stand for pixels."""
        if not self.large:
            return 1
        wanted = math.ceil(max(self.common.shape) / MOST_CELLS)
        return int(max(1, min(wanted, round(longer_px / CELLS_A_LENGTH))))

    def _shifted_by(self, cell: int) -> ShiftedField:
        if cell not in self._shifted:
            self._shifted[cell] = ShiftedField(self.common, cell)
        return self._shifted[cell]

    def in_cells(self, name: str, degree: int, cell: int) -> InCells:
        """A map without its trend in squares."""
        key = name, degree, cell
        if key not in self._in_cells:
            residual, field = self.residual(name, degree), self._shifted_by(cell)
            sums = cell_sums(residual.image, cell).astype(float)
            spectrum = field.spectrum(sums, residual.power)
            own = field.own(spectrum)
            length = correlation_length(own, field.overlap, field.length)
            means, kept = self._means(residual, sums, cell)
            self._in_cells[key] = InCells(means, kept, spectrum, own, length)
        return self._in_cells[key]

    def _means(self, residual: Residual, sums: FloatArray, cell: int) -> tuple[FloatArray, float]:
        if cell == 1:
            return residual.image, 1.0
        pixels = self._pixels(cell)
        means = np.where(self.counting(cell), sums / np.maximum(pixels, 1), 0)
        return means, float((means**2 * pixels).sum()) / residual.power

    def shifts(self, a: InCells, b: InCells, cell: int) -> Shifts:
        """One map against the other under all shifts."""
        return self._shifted_by(cell).shifts((a.spectrum, b.spectrum), (a.own, b.own))

    def counting(self, cell: int) -> BoolArray:
        """(H, W) squares that count: at least half of them is in the field."""
        return self.common if cell == 1 else np.asarray(self._pixels(cell) >= cell**2 / 2)

    def _pixels(self, cell: int) -> FloatArray:
        """How many pixels of the field each square holds."""
        return self._shifted_by(cell).pixels


def _nearly_ordered(
    image: Float32Array, common: BoolArray, ends: tuple[float, float]
) -> FloatArray:
    """Means of equally many of a field's values in order, but for which of a bin is in which.

    Of a very large field those of evenly spread rows.
    """
    from napari_lithium_alloy.core.kernels.residuals import count_values

    found: list[tuple[FloatArray, FloatArray]] = []
    every = max(1, int(np.count_nonzero(common)) // ENOUGH_VALUES)

    def count(rows: Rows) -> None:
        counts, sums = np.zeros(BINS), np.zeros(BINS)
        first = -(-rows[0] // every) * every
        count_values(image, common, ends, (first, rows[1], every), counts, sums)
        found.append((counts, sums))

    finish(by_rows(count, len(image), most=len(image)))
    counts, sums = (np.sum(some, axis=0) for some in zip(*found, strict=True))
    filled = counts > 0
    number, total = (np.concatenate([[0.0], np.cumsum(some[filled])]) for some in (counts, sums))
    n = int(number[-1])
    parts = np.linspace(0, n, min(n, QUANTILES) + 1)
    return np.asarray(np.diff(np.interp(parts, number, total)) / np.diff(parts))


class ComparedMaps:
    """Images by name, in the fields that pairs of them have in common.

    Parameters
    ----------
    images : mapping of str to (Y, X) array
        NaN where unknown.
    valid : numpy.ndarray, optional
        (Y, X) bool, the field, or a drawn region.
    """

    def __init__(self, images: Mapping[str, FloatArray], valid: BoolArray | None) -> None:
        self.images, self.valid = images, valid
        self._known: dict[str, bytes] = {}
        self._fields: dict[frozenset[bytes], Field | None] = {}

    def field(self, a: str, b: str) -> Field | None:
        """The pixels known in both; None without any. The last field is kept."""
        key = self.key(a, b)
        if key not in self._fields:
            self._fields.clear()
            self._fields[key] = self._field(a, b)
        return self._fields[key]

    def _field(self, a: str, b: str) -> Field | None:
        common = common_field(self.images[a], self.images[b], self.valid)
        return Field(self.images, common) if common.any() else None

    def key(self, a: str, b: str) -> frozenset[bytes]:
        """The same for all pairs that have the same pixels in common."""
        return frozenset(self.known_of(name) for name in (a, b))

    def known_of(self, name: str) -> bytes:
        """What tells images with other known pixels apart."""
        if name not in self._known:
            known = np.packbits(np.isfinite(self.images[name]))
            self._known[name] = hashlib.blake2b(known.tobytes(), digest_size=16).digest()
        return self._known[name]
