"""Some pixels of a picture and who is whose neighbour: work on them costs nothing elsewhere."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from napari_lithium_alloy.core.photometry import Float32Array
from napari_lithium_alloy.core.recording import BoolArray, FloatArray, IntArray

SIDES, SIDES_AND_CORNERS = 4, 8
"""Neighbours that connect pixels."""


@dataclass(frozen=True, eq=False)
class PixelGraph:
    """Pixels of a picture.

    Attributes
    ----------
    shape : (int, int)
        Of the picture.
    at : (N,) int32 array
        The pixels, rising indices of the flat picture.
    neighbours : (N, 8) int32 array
        Numbers of their neighbours; -1 for what is not among them. Sides come before corners.
    """

    shape: tuple[int, int]
    at: NDArray[np.int32]
    neighbours: NDArray[np.int32]

    @staticmethod
    def of(mask: BoolArray) -> PixelGraph:
        """The pixels of a mask."""
        from napari_lithium_alloy.core.kernels.pixel_graph import fill_neighbours

        shape = (int(mask.shape[0]), int(mask.shape[1]))
        at = np.flatnonzero(mask).astype(np.int32)
        place = np.full(mask.size, -1, dtype=np.int32)
        place[at] = np.arange(len(at), dtype=np.int32)
        neighbours = np.empty((len(at), 8), dtype=np.int32)
        fill_neighbours(at, place, shape, neighbours)
        return PixelGraph(shape, at, neighbours)

    @cached_property
    def rows(self) -> IntArray:
        """(N,) rows."""
        return np.asarray(self.at // self.shape[1])

    @cached_property
    def columns(self) -> IntArray:
        """(N,) columns."""
        return np.asarray(self.at % self.shape[1])

    def of_picture(self, picture: NDArray[np.generic]) -> NDArray[np.generic]:
        """(N,) a picture's values at the pixels."""
        return picture.ravel()[self.at]

    def picture(self, values: IntArray) -> NDArray[np.int32]:
        """(Y, X) int32 the values at their pixels, 0 elsewhere."""
        found = np.zeros(self.shape, dtype=np.int32)
        found.ravel()[self.at] = values
        return found

    def parts(self, inside: BoolArray, ways: int) -> NDArray[np.int32]:
        """(N,) numbers 1, 2, ... of connected parts of some of the pixels, 0 elsewhere."""
        from napari_lithium_alloy.core.kernels.pixel_graph import number_parts

        found = np.zeros(len(self.at), dtype=np.int32)
        listed = np.flatnonzero(inside).astype(np.int32)
        number_parts(listed, inside, self.neighbours, ways, found, np.empty_like(found))
        return found

    def enclosed(self, labels: NDArray[np.int32]) -> IntArray:
        """(M,) numbers of the pixels that labelled ones enclose."""
        from napari_lithium_alloy.core.kernels.pixel_graph import enclosed

        inside = np.empty(len(self.at), dtype=bool)
        n = enclosed(labels, self.neighbours, inside)
        return np.flatnonzero(inside) if n else np.zeros(0, dtype=np.int64)

    def peaks(self, image: Float32Array, allowed: BoolArray, lowest: float) -> BoolArray:
        """(N,) whether a value is the highest of its neighbourhood, and over the lowest."""
        from napari_lithium_alloy.core.kernels.pixel_graph import find_peaks

        found = np.empty(len(self.at), dtype=bool)
        find_peaks(image, allowed, lowest, self.neighbours, found)
        return found

    def basins(
        self, image: Float32Array, markers: NDArray[np.int32], inside: BoolArray, ways: int
    ) -> NDArray[np.int32]:
        """(N,) markers grown over the pixels inside from the highest values down (watershed)."""
        from napari_lithium_alloy.core.kernels.pore_basins import grow_parts

        found = np.where(inside, markers, 0).astype(np.int32)
        first = np.flatnonzero(found != 0).astype(np.int32)
        grow_parts(np.ascontiguousarray(image), first, inside, self.neighbours, ways, found)
        return found

    def bridges(
        self, image: Float32Array, basins: NDArray[np.int32], at: NDArray[np.int32] | None = None
    ) -> tuple[IntArray, FloatArray]:
        """Pairs (M, 2) of neighbouring basins and the highest value (M,) at which they meet.

        Pixels of basins, rising, are found where they are not given.
        """
        from napari_lithium_alloy.core.kernels.pore_basins import meetings

        at = np.flatnonzero(basins != 0).astype(np.int32) if at is None else at
        room = 1024
        while True:
            keys, levels = np.empty(room, dtype=np.int64), np.empty(room, dtype=np.float32)
            n = meetings(at, image, basins, self.neighbours, keys, levels)
            if n <= room:
                break
            room = n
        pairs, which = np.unique(keys[:n], return_inverse=True)
        highest = np.full(len(pairs), -np.inf)
        np.maximum.at(highest, which, levels[:n])
        return np.stack([pairs >> 32, pairs & 0xFFFFFFFF], axis=1), highest
