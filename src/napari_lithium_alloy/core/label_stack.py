"""Labels over time that hold the labelled pixels only: pores are few in a large field."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from napari_lithium_alloy.core.recording import IntArray


class LabelStack(Protocol):
    """Labels over time: a numpy array, or one that behaves like it."""

    shape: tuple[int, ...]

    def __setitem__(self, key: Any, value: Any, /) -> None: ...
    def __getitem__(self, key: Any, /) -> Any: ...


LabelMaker = Callable[[tuple[int, ...]], LabelStack]
"""Makes an empty label stack of a shape."""


class SparseLabels:
    """(K, Y, X) int32 labels, each frame as its labelled pixels and their labels.

    What is taken out is a numpy array and a copy; frames are set whole.
    """

    dtype = np.dtype(np.int32)

    def __init__(self, shape: tuple[int, ...]) -> None:
        self.shape = shape
        nothing = np.zeros(0, dtype=np.int32)
        self._frames = [(nothing, nothing)] * shape[0]

    def __len__(self) -> int:
        return self.shape[0]

    def pixels(self, k: int) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
        """Labelled pixels of a frame, as indices of the flat picture, and their labels."""
        return self._frames[k]

    def put(self, k: int, at: IntArray, labels: IntArray) -> None:
        """Set a frame's labelled pixels."""
        self._frames[k] = at.astype(np.int32), labels.astype(np.int32)

    def __setitem__(self, k: int, frame: IntArray) -> None:
        at = np.flatnonzero(frame)
        self.put(k, at, np.asarray(frame).ravel()[at])

    def __getitem__(self, key: Any) -> NDArray[np.int32]:
        first, *rest = key if isinstance(key, tuple) else (key,)
        if first is Ellipsis:
            first, rest = slice(None), [Ellipsis, *rest]
        chosen = np.arange(len(self))[first]
        if chosen.ndim == 0:
            return np.asarray(self._dense(int(chosen))[tuple(rest)])
        frames = [self._dense(int(k))[tuple(rest)] for k in chosen]
        return np.stack(frames) if frames else np.empty((0, *self.shape[1:]), dtype=self.dtype)

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NDArray[Any]:
        """All frames."""
        return np.asarray(self[:], dtype=dtype)

    def _dense(self, k: int) -> NDArray[np.int32]:
        at, labels = self._frames[k]
        frame = np.zeros(self.shape[1:], dtype=self.dtype)
        frame.ravel()[at] = labels
        return frame


def put_pixels(labels: LabelStack, k: int, at: IntArray, values: IntArray) -> None:
    """Set a frame of a stack to these labels of these pixels of the flat picture."""
    if isinstance(labels, SparseLabels):
        labels.put(k, at, values)
        return
    frame = np.zeros(labels.shape[1:], dtype=np.int32)
    frame.ravel()[at] = values
    labels[k] = frame
