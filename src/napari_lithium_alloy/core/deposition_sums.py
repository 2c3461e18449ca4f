"""Sums over a deposition's frames, each read once: light of its parts, and the noise of a frame."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_lithium_alloy.core.kernels import COMPILED_FOR, read_only
from napari_lithium_alloy.core.photometry import Float32Array
from napari_lithium_alloy.core.progress import Work, finish, part
from napari_lithium_alloy.core.recording import BoolArray, FloatArray, IntArray, Recording
from napari_lithium_alloy.core.row_blocks import Rows, by_rows

SAMPLE, SAMPLED_ROWS = 8, 32
"""One row in so many, of a large field about as many rows, tell what all pixels have in common."""
SAMPLED_COLUMNS = 1024
"""About as many of those rows' pixels."""
AT_ONCE_BYTES = 128 * 2**20
MANY_FRAMES = 48
STRIP = 16
"""Rows that a thread goes through all frames with."""


@dataclass(eq=False, kw_only=True)
class DepositionSums:
    """Sums over frames, which come one after the other.

    Attributes
    ----------
    level : float or numpy.ndarray
        Dark level in counts.
    dark : numpy.ndarray
        (Y, X) float32, the same at each pixel.
    part_of : numpy.ndarray
        (T,) the part each frame belongs to.
    n_early : int
        Frames that are the first few.
    light : numpy.ndarray
        (K, Y, X) float32 sums of light over each part.
    early : numpy.ndarray
        (Y, X) float32 sum over the first few frames.
    squares : numpy.ndarray
        (Y, X) float32 sum of squares of second differences in time, less what all pixels have in
        common.
    missing : numpy.ndarray
        (K + 1, Y, X) frames of each part and of the first few in which a pixel has no light, as
        corrected ones have where drift shows none; only in the rows of `gaps`.
    gaps : numpy.ndarray
        (Y,) True in rows in which any light is missing.
    """

    level: float | FloatArray
    dark: Float32Array
    part_of: IntArray
    n_early: int
    light: Float32Array
    early: Float32Array
    squares: Float32Array
    missing: NDArray[np.uint16]
    gaps: BoolArray

    @classmethod
    def of(
        cls,
        shape: tuple[int, int],
        parts: Sequence[IntArray],
        n_early: int,
        dark: float | FloatArray,
    ) -> DepositionSums:
        """No frames yet; `parts` are the frames of each, by their place in the deposition."""
        return cls(
            level=dark,
            dark=np.zeros(shape, np.float32) + np.asarray(dark, np.float32),
            part_of=np.repeat(np.arange(len(parts)), [len(p) for p in parts]),
            n_early=n_early,
            light=np.zeros((len(parts), *shape), np.float32),
            early=np.zeros(shape, np.float32),
            squares=np.zeros(shape, np.float32),
            missing=np.zeros((len(parts) + 1, *shape), np.uint16),
            gaps=np.zeros(shape[0], dtype=bool),
        )

    def add_frames(self, recording: Recording, frames: IntArray) -> Work[None]:
        """Add successive frames, from a memory map or else some read at a time."""
        mapped = recording.light(self.level)
        if mapped is not None and mapped.counts.dtype in COMPILED_FOR:
            own = mapped.frames(int(frames[0]), int(frames[-1]) + 1)
            self.dark[:] = own.dark
            yield from self._add(own.counts, own.factor, 0, 0)
            return
        dtype = recording.frames.dtype
        dtype = dtype if dtype in COMPILED_FOR else np.dtype(np.float32)
        n, pixels = len(frames), self.early.size
        at_once = max(2, min(n, AT_ONCE_BYTES // (dtype.itemsize * pixels)))
        room = np.empty((2 + at_once, *self.early.shape), dtype)
        same = np.ones(len(room), np.float32)

        def read(some: Rows) -> None:
            for i in range(*some):
                room[2 + i] = recording.read(int(frames[first + i]))

        for first in range(0, n, at_once):
            new, before = min(at_once, n - first), min(first, 2)
            finish(by_rows(read, new, most=1))
            work = self._add(read_only(room[2 - before : 2 + new]), same, before, first)
            yield from part(work, first, first + new, n)
            room[:2] = room[new : new + 2]

    def _add(
        self, counts: NDArray[Any], factor: Float32Array, before: int, first: int
    ) -> Work[None]:
        """Add frames from number `first` on; the `before` first of them were added already."""
        from napari_lithium_alloy.core.kernels.depositions import add_frames

        usual = np.zeros(len(counts), dtype=np.float32)
        bends = np.isin(np.arange(len(counts)) + first - before, self._bends)
        bends[:before] = False

        def look(some: Rows) -> None:
            for i in range(*some):
                if bends[i]:
                    usual[i] = self._usual_bend(counts[i - 2 : i + 1], factor[i - 2 : i + 1])

        finish(by_rows(look, len(counts), most=4))
        parts = self.part_of[first : first + len(counts) - before]
        early = max(min(self.n_early - first, len(parts)), 0)
        whole = counts.dtype.kind in "ui"
        sums = (self.light, self.early, self.squares, self.missing, self.gaps)

        def add(rows: Rows) -> None:
            bent = usual, bends, rows
            add_frames(counts, before, self.dark, factor, whole, parts, early, *bent, *sums)

        yield from by_rows(add, len(self.early), most=STRIP)

    @property
    def _bends(self) -> IntArray:
        """Frames whose second differences with the two before tell of the noise.

        Those of every third of many frames have none in common, and tell nearly as much as all.
        """
        n = len(self.part_of)
        return np.arange(2, n, 3 if n >= MANY_FRAMES else 1)

    def _usual_bend(self, three: NDArray[Any], factor: Float32Array) -> float:
        """Median second difference in time of three frames' light."""
        n, width = self.early.shape
        rows = slice(None, None, max(SAMPLE, n // SAMPLED_ROWS))
        some = rows, slice(None, None, max(1, width // SAMPLED_COLUMNS))
        a, b, c = (
            (frame[some].astype(np.float32) - self.dark[some]) * f
            for frame, f in zip(three, factor, strict=True)
        )
        bend = c - 2 * b + a
        bend = bend[np.isfinite(bend)]
        return float(np.median(bend)) if bend.size else 0.0

    @property
    def frames(self) -> IntArray:
        """(K + 1,) frames of each part, and the first few."""
        return np.append(np.bincount(self.part_of), self.n_early)

    def known(self) -> BoolArray:
        """(Y, X) True where each part and the first few have light."""
        known = np.ones(self.early.shape, dtype=bool)
        rows = np.flatnonzero(self.gaps)
        least = self.frames[:, np.newaxis, np.newaxis]
        known[rows] = (self.missing[:, rows] < least).all(axis=0)
        return known

    def early_mean(self) -> Float32Array:
        """(Y, X) mean light of the first few frames, 0 without any."""
        mean = self.early / np.float32(self.n_early)
        rows = np.flatnonzero(self.gaps)
        counts = self.n_early - self.missing[-1, rows].astype(int)
        mean[rows] = self.early[rows] / np.maximum(counts, 1)
        return mean

    def variance(self, film: Float32Array) -> Float32Array:
        """(Y, X) variance of one frame's light, in units of a picture's, pixel by pixel."""
        n = max(len(self._bends), 1)
        relative = np.nan_to_num(self.squares / film**2, posinf=0)
        return np.asarray(relative / np.float32(6 * n))

    def losses(
        self, early: Float32Array, film: Float32Array, *, brightens: bool
    ) -> tuple[Float32Array, Float32Array]:
        """Loss of light of each part against all, and of all against the first few.

        Both are shares of a picture `film`, and 0 where not known. The sums of light become the
        former.
        """
        from napari_lithium_alloy.core.kernels.depositions import relative_losses

        darkening = np.empty_like(early)
        shares = (self.frames[:-1] / len(self.part_of)).astype(np.float32)
        sign = np.float32(1 if brightens else -1)
        counts = self.frames[:-1].astype(np.float32)

        def lose(rows: Rows) -> None:
            relative_losses(
                self.light, self.missing, self.gaps, counts, shares, early, film, sign, rows,
                darkening,
            )  # fmt: skip

        finish(by_rows(lose, len(early), most=STRIP))
        return self.light, darkening
