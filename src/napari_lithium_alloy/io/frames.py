"""Lazy frames: one chunk a frame, read on demand, without a graph that grows with the file."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Any
from uuid import uuid4

import dask.array as da
import numpy as np
from numpy.typing import NDArray

from napari_lithium_alloy.core.recording import EVERYTHING, Window

REC_709 = np.array([0.2126, 0.7152, 0.0722], dtype=np.float32)
CACHE_BYTES = 64 * 2**20


class FrameArray:
    """An array-like (T, Y, X) that reads each frame when it is indexed."""

    def __init__(self, window: Window, shape: tuple[int, int, int], dtype: np.dtype[Any]) -> None:
        self.window = window
        self.shape = shape
        self.dtype = np.dtype(dtype)
        self.ndim = 3

    def __getitem__(self, index: tuple[Any, ...]) -> NDArray[Any]:
        """Frames, rows and columns, each an index, a slice, or a list of indices.

        dask hands on whatever the frames were sliced with, so all of numpy's are answered.
        """
        t, y, x = [*index, EVERYTHING, EVERYTHING, EVERYTHING][:3]
        frames = np.arange(self.shape[0])[t]
        rows, row_rest = _forward(y)
        columns, column_rest = _forward(x)

        def part(frame: int) -> NDArray[Any]:
            read = self.window(int(frame), rows, columns)
            return np.asarray(read[row_rest][..., column_rest])

        if frames.ndim == 0:
            return part(frames)
        if frames.size == 0:
            field = np.broadcast_to(np.zeros((), self.dtype), self.shape[1:])
            return np.empty((0, *field[y][..., x].shape), self.dtype)
        return np.stack([part(i) for i in frames])


def _forward(index: Any) -> tuple[slice, Any]:
    """What to read as a plain slice, and what is then left to index."""
    if isinstance(index, slice) and (index.step is None or index.step > 0):
        return index, EVERYTHING
    return EVERYTHING, index


def lazy(window: Window, shape: tuple[int, int, int], dtype: np.dtype[Any], name: str) -> da.Array:
    """(T, Y, X) dask array of one chunk a frame."""
    return da.from_array(
        FrameArray(window, shape, dtype),
        chunks=(1, shape[1], shape[2]),
        name=f"{name}-{uuid4().hex}",
        meta=np.empty((0, 0, 0), dtype=dtype),
    )


class FrameCache:
    """The frames decoded last, for files whose frames can only be decoded whole.

    Parameters
    ----------
    decode : callable
        Gives a whole frame for its key; called by one thread at a time unless `parallel`.
    parallel : bool
        Whether `decode` may run in several threads at once.
    """

    def __init__(self, decode: Callable[[Any], NDArray[Any]], *, parallel: bool = False) -> None:
        self._decode = decode
        self._parallel = parallel
        self._frames: OrderedDict[Hashable, NDArray[Any]] = OrderedDict()
        self._lock = threading.Lock()
        self._decoding = threading.Lock()

    def __call__(self, key: Hashable) -> NDArray[Any]:
        """The whole frame, read-only."""
        frame = self._cached(key)
        if frame is not None:
            return frame
        if self._parallel:
            return self.keep(key, self._decode(key))
        with self._decoding:
            frame = self._cached(key)
            return self.keep(key, self._decode(key)) if frame is None else frame

    def _cached(self, key: Hashable) -> NDArray[Any] | None:
        with self._lock:
            if key in self._frames:
                self._frames.move_to_end(key)
            return self._frames.get(key)

    def keep(self, key: Hashable, frame: NDArray[Any]) -> NDArray[Any]:
        """Keep a frame that was decoded elsewhere, and return it."""
        frame.flags.writeable = False
        with self._lock:
            self._frames[key] = frame
            while len(self._frames) > max(2, CACHE_BYTES // max(frame.nbytes, 1)):
                self._frames.popitem(last=False)
        return frame


def to_grey(samples: NDArray[Any], dtype: np.dtype[Any]) -> NDArray[Any]:
    """RGB or RGBA (Y, X, S) to luma (Y, X) by Rec. 709; equal channels keep their value exactly.

    Grey frames of a movie (Y, X), and the first of one or two samples, are taken as they are.
    """
    if samples.ndim == 2:
        return samples.astype(dtype)
    if samples.shape[-1] < 3:
        return samples[..., 0].astype(dtype)
    luma = samples[..., :3].astype(np.float32) @ REC_709
    return np.rint(luma).astype(dtype) if np.issubdtype(dtype, np.integer) else luma.astype(dtype)


def is_grey(samples: NDArray[Any]) -> bool:
    """Whether a frame's red, green and blue are equal, or it has none."""
    if samples.ndim == 2 or samples.shape[-1] < 3:
        return True
    return bool((samples[..., 1:3] == samples[..., :1]).all())
