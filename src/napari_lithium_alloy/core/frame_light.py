"""Light of a frame, made of its counts where it is looked at."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from napari_lithium_alloy.core.photometry import Float32Array
from napari_lithium_alloy.core.pixelwise import BLOCK_PX, pixelwise
from napari_lithium_alloy.core.recording import EVERYTHING, IntArray


@dataclass(frozen=True, eq=False)
class FrameLight:
    """Counts less dark; 0 where there are none.

    Attributes
    ----------
    counts : numpy.ndarray
        (Y, X) of a type that loops are compiled for.
    dark : numpy.ndarray
        (Y, X) float32 counts without light or, with one row, those of each column.
    """

    counts: NDArray[Any]
    dark: Float32Array

    @classmethod
    def of(cls, light: Float32Array) -> Self:
        """Of light itself."""
        return cls(light, np.zeros((1, light.shape[1]), np.float32))

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns."""
        return self.counts.shape[0], self.counts.shape[1]

    def part(self, rows: slice = EVERYTHING, columns: slice = EVERYTHING) -> Float32Array:
        """Light of some rows and columns."""
        counts = self.counts[rows, columns]
        dark = self.dark[rows if len(self.dark) > 1 else EVERYTHING, columns]
        if counts.size <= BLOCK_PX:
            return _light(counts, dark)
        return pixelwise(_light, counts, np.broadcast_to(dark, counts.shape))

    def squares(self, places: IntArray, reach: int) -> Float32Array:
        """(N, 2 reach + 1, 2 reach + 1) light around (N, 2) pixels; beyond an edge it goes on."""
        from napari_lithium_alloy.core.kernels.structure import light_in_squares

        side = 2 * reach + 1
        light = np.empty((len(places), side, side), np.float32)
        light_in_squares(self.counts, self.dark, places, light)
        return light

    def cells(self, side: int) -> Float32Array:
        """Means over squares of so many pixels a side."""
        from napari_lithium_alloy.core.kernels.structure import light_of_squares

        means = np.empty([n // side for n in self.shape], np.float32)
        light_of_squares(self.counts, self.dark, side, means)
        return means


def _light(counts: NDArray[Any], dark: Float32Array) -> Float32Array:
    light = counts.astype(np.float32) - dark
    return light if np.isfinite(light).all() else np.where(np.isfinite(light), light, 0)
