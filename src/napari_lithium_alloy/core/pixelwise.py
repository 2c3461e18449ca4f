"""Arithmetic on pictures in blocks that stay in a processor's cache, by all processors."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from napari_lithium_alloy.core.progress import finish
from napari_lithium_alloy.core.row_blocks import FEW, by_rows

BLOCK_PX = 2**15
"""Pixels that are worked on at once: a dozen such blocks of single precision fit the cache."""


def pixelwise(
    function: Callable[..., Any], *images: Any, dtype: DTypeLike = np.float32
) -> NDArray[Any]:
    """What a function of numbers makes of pictures, pixel by pixel.

    As ``function(*images)``, which would go through memory for each of its steps.

    Parameters
    ----------
    function : callable
        Of arrays of one shape, or what broadcasts with them; the result of a pixel depends on
        that pixel alone.
    *images : (Y, X) arrays, or numbers
        The first is an array.
    dtype : type
        Of the result.

    Returns
    -------
    (Y, X) array
    """
    (out,) = pixelwise_several(lambda *blocks: (function(*blocks),), *images, dtypes=(dtype,))
    return out


def pixelwise_several(
    function: Callable[..., tuple[Any, ...]], *images: Any, dtypes: tuple[DTypeLike, ...]
) -> tuple[NDArray[Any], ...]:
    """The same of a function that returns several arrays, of these types."""
    height, width = images[0].shape
    out = tuple(np.empty((height, width), dtype) for dtype in dtypes)
    step = max(1, BLOCK_PX // max(width, 1))

    def work(rows: tuple[int, int]) -> None:
        for first in range(*rows, step):
            block = slice(first, min(first + step, rows[1]))
            found = function(*(image[block] if np.ndim(image) else image for image in images))
            for target, values in zip(out, found, strict=True):
                target[block] = values

    finish(by_rows(work, height, most=FEW))
    return out
