"""Small boxes around the pores of a window, and of film that tells the noise."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from napari_lithium_alloy.core.photometry import Float32Array
from napari_lithium_alloy.core.pixel_graph import SIDES_AND_CORNERS, PixelGraph
from napari_lithium_alloy.core.pore_support import (
    CELL_PX,
    FAR_REACH,
    FILM_CELL_PX,
    FILM_CUT,
    LEAST_NEAR,
    Support,
)
from napari_lithium_alloy.core.recording import BoolArray, FloatArray, IntArray
from napari_lithium_alloy.core.smoothing import gaussian_reach, gaussian_weights

SMALL_FIELD_PX, BLOCK_PX, BLOCKS = 2**18, 48, 16
"""Field up to which all pixels tell the noise; side and number of the squares that do else."""
LARGEST_PX = 64
"""Side up to which connected pixels have one box."""
NOT_FAR = -1

Boxes = NDArray[np.int32]
"""(B, 4) first row, that after the last, and columns likewise."""


@dataclass(frozen=True, eq=False)
class BoxedField:
    """What boxes take of the field, packed box by box, with a margin.

    Attributes
    ----------
    boxes : (B, 4) int32 array
    reach : (int, int)
        Cells that the film's brightness is carried over, and the margin for the hole share.
    light : float, (Y, X) array, two packed arrays, (B, 4) boxes, and the (B,) places of their first
        Dark counts; those of pixels, if they differ, else no rows; one over the flat field where
        there is a margin for the share, and, in the boxes with a margin for the light, one over
        it for film outside the support, 0 else.
    film : three packed arrays, and such places
        Share of the weight of film nearby, which of the pixels it is far from, and the film.
    far, cells : (M,) and (C,) int32 arrays
        Pixels, of the flat picture, that are far from film, and the cells that tell its
        brightness there.
    """

    boxes: Boxes
    reach: tuple[int, int]
    light: tuple[float, Float32Array, Float32Array, Float32Array, Boxes, IntArray]
    film: tuple[Float32Array, NDArray[np.int32], BoolArray, IntArray]
    far: NDArray[np.int32]
    cells: NDArray[np.int32]

    @staticmethod
    def of(support: Support, boxes: Boxes, share_px: int, dark: float | FloatArray) -> BoxedField:
        """Of boxes with a margin of `share_px` for the hole share, in frames of dark counts."""
        from napari_lithium_alloy.core.kernels.boxes import weights_in_boxes

        weights = gaussian_weights(support.level_sigma, FILM_CUT)
        reach = len(weights) // 2, share_px
        wide = _of_whole_cells(boxes, *reach)
        shape, optics = support.graph.shape, support.optics
        picture = np.ascontiguousarray(dark if np.ndim(dark) else np.zeros((0, 0)), np.float32)
        with np.errstate(divide="ignore", invalid="ignore"):
            gain = (1 / optics.flat).astype(np.float32)
            gain_of_film = gain * support.outside
        light = (
            0.0 if np.ndim(dark) else float(np.float32(dark)),
            picture,
            packed(gain, boxes, share_px),
            packed(gain_of_film, wide, 0),
            wide,
            _begins(wide, 0)[:-1],
        )
        film = packed(optics.film, boxes, share_px)
        weight = np.empty(len(film), dtype=np.float32)
        weights_in_boxes(packed(support.outside, wide, 0), light, boxes, reach, weights, weight)
        places = np.arange(shape[0] * shape[1], dtype=np.int32).reshape(shape)
        far_at = np.full(len(weight), NOT_FAR, dtype=np.int32)
        is_far = weight <= LEAST_NEAR
        far = np.zeros(0, dtype=np.int32)
        if is_far.any():
            far, which = np.unique(packed(places, boxes, share_px)[is_far], return_inverse=True)
            far_at[is_far] = which
        return BoxedField(
            boxes=boxes,
            reach=reach,
            light=light,
            film=(weight, far_at, film, _begins(boxes, share_px)[:-1]),
            far=far,
            cells=_cells_for(far, shape, gaussian_reach(FAR_REACH * support.sigma_px / CELL_PX)),
        )

    @property
    def fields(self) -> tuple[tuple[Any, ...], tuple[Any, ...]]:
        """Light and film, for the kernels."""
        return self.light, self.film

    @property
    def n_share(self) -> int:
        """Pixels of the packed hole share."""
        return len(self.film[0])

    @property
    def n_inside(self) -> int:
        """Pixels of the boxes without their margins."""
        return int(_begins(self.boxes, 0)[-1])


def _begins(boxes: Boxes, margin: int) -> IntArray:
    """(B + 1,) where the packed values of each box begin, and where the last ends."""
    sides = boxes[:, [1, 3]] - boxes[:, [0, 2]] + 2 * margin
    return np.concatenate([[0], np.cumsum(sides.astype(np.int64).prod(axis=1))])


def _of_whole_cells(boxes: Boxes, cells: int, margin: int) -> Boxes:
    """Boxes of the cells that those with a margin lie in, and of so many cells around."""
    first = (boxes[:, [0, 2]] - margin) // FILM_CELL_PX - cells
    stop = -((-boxes[:, [1, 3]] - margin) // FILM_CELL_PX) + cells
    wide = np.stack([first[:, 0], stop[:, 0], first[:, 1], stop[:, 1]], axis=1)
    return (wide * FILM_CELL_PX).astype(np.int32)


def packed(picture: NDArray[Any], boxes: Boxes, margin: int) -> NDArray[Any]:
    """A picture's values in boxes with a margin, box by box and row by row."""
    from napari_lithium_alloy.core.kernels.box_filters import pack

    out = np.empty(int(_begins(boxes, margin)[-1]), dtype=picture.dtype)
    pack(picture, boxes, margin, out)
    return out


def boxes_of_pixels(graph: PixelGraph) -> tuple[Boxes, NDArray[np.int32], IntArray]:
    """Boxes of connected pixels, of large parts several; and whose pixels each has.

    Returns
    -------
    boxes : (B, 4) int32 array
    pixels : (N,) int32 array
        Numbers of the graph's pixels, box by box.
    begins : (B + 1,) int64 array
        Where the pixels of each box begin.
    """
    part = graph.parts(np.ones(len(graph.at), dtype=bool), SIDES_AND_CORNERS) - 1
    n = int(part.max(initial=-1)) + 1
    places = np.stack([graph.rows, graph.columns], axis=1).astype(np.int64)
    low, high = _extents(places, part, n)
    large = (high - low).max(axis=1, initial=0) >= LARGEST_PX
    tile = np.where(large[part, None], (places - low[part]) // LARGEST_PX, 0)
    # Fields have less than 2^16 tiles in a row.
    _, box = np.unique((part.astype(np.int64) << 32) + (tile[:, 0] << 16) + tile[:, 1],
                       return_inverse=True)  # fmt: skip
    n_boxes = int(box.max(initial=-1)) + 1
    low, high = _extents(places, box, n_boxes)
    boxes = np.stack([low[:, 0], high[:, 0] + 1, low[:, 1], high[:, 1] + 1], axis=1)
    begins = np.concatenate([[0], np.cumsum(np.bincount(box, minlength=n_boxes))])
    return boxes.astype(np.int32), np.argsort(box, kind="stable").astype(np.int32), begins


def alone(graph: PixelGraph, pixels: NDArray[np.int32], begins: IntArray) -> BoolArray:
    """(B,) whether a box's pixels have neighbours in no other box."""
    box = np.empty(len(pixels), dtype=np.int32)
    box[pixels] = np.repeat(np.arange(len(begins) - 1), np.diff(begins))
    its = np.where(graph.neighbours >= 0, box[graph.neighbours], box[:, None])
    found = np.ones(len(begins) - 1, dtype=bool)
    found[box[(its != box[:, None]).any(axis=1)]] = False
    return found


def _extents(places: IntArray, part: IntArray, n: int) -> tuple[IntArray, IntArray]:
    """First and last row and column (n, 2) of each part."""
    low = np.full((n, 2), np.iinfo(np.int64).max)
    high = np.full((n, 2), -1)
    for axis in (0, 1):
        np.minimum.at(low[:, axis], part, places[:, axis])
        np.maximum.at(high[:, axis], part, places[:, axis])
    return low, high


def sample_boxes(shape: tuple[int, int]) -> Boxes:
    """Squares spread evenly over a large field; over a small one, such that they cover it."""
    if shape[0] * shape[1] <= SMALL_FIELD_PX:
        rows, columns = (_cover(n) for n in shape)
    else:
        n_rows = min(max(1, round(math.sqrt(BLOCKS * shape[0] / shape[1]))), BLOCKS)
        rows, columns = _spread(shape[0], n_rows), _spread(shape[1], round(BLOCKS / n_rows))
    return np.array([(*r, *c) for r in rows for c in columns], dtype=np.int32)


def _cover(length: int) -> list[tuple[int, int]]:
    return [(i, min(i + LARGEST_PX, length)) for i in range(0, length, LARGEST_PX)]


def _spread(length: int, n: int) -> list[tuple[int, int]]:
    """Stretches in the middles of n equal parts."""
    middles = (np.arange(n) + 0.5) * length / n - BLOCK_PX / 2
    starts = np.maximum(middles, 0).astype(int).tolist()
    return [(i, min(i + BLOCK_PX, length)) for i in starts]


def _cells_for(far: IntArray, shape: tuple[int, int], reach: int) -> NDArray[np.int32]:
    """Cells within so many of those between whose centres pixels lie; flat indices."""
    counts = [max(n // CELL_PX, 1) for n in shape]
    near = np.zeros(counts, dtype=bool)
    rows, columns = far // shape[1] // CELL_PX, far % shape[1] // CELL_PX
    near[np.minimum(rows, counts[0] - 1), np.minimum(columns, counts[1] - 1)] = True
    return np.flatnonzero(ndimage.maximum_filter(near, 2 * reach + 3)).astype(np.int32)
