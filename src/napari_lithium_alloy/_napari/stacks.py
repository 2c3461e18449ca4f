"""Array-likes that napari slices: frames and labels placed on the even grid of steps."""

from __future__ import annotations

from typing import Any

import dask.array as da
import numpy as np
from numpy.typing import NDArray

from napari_lithium_alloy.core.recording import IntArray, Recording

SCREEN_PX = 2048
"""Pixels along a side that most screens show, and every graphics card takes."""


class OnGrid:
    """(S, Y, X) view of (K, Y, X) images: each step shows the image current at it.

    Only what is asked for is read, so a recording of any length opens at once; a step that
    has no image (index -1) is zeros. Assigning to it writes through to the images, so painting
    in a Labels layer works.

    Parameters
    ----------
    images : array-like
        (K, Y, X), numpy, dask or Zarr.
    image_of_step : numpy.ndarray
        (S,) index into `images`, -1 where there is none.
    every : int
        Of rows and columns, each so manieth is shown: a preview.
    """

    ndim = 3

    def __init__(self, images: Any, image_of_step: IntArray, every: int = 1) -> None:
        self.images = images
        self.image_of_step = np.asarray(image_of_step)
        self.every = every
        self.shape = (len(self.image_of_step), *(-(-int(n) // every) for n in images.shape[1:]))
        self.dtype = np.dtype(images.dtype)
        self.size = int(np.prod(self.shape))

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, key: Any) -> NDArray[Any]:
        time, plane = _split(key)
        index = self.image_of_step[time]
        if np.ndim(index) == 0:
            return np.asarray(self._image(int(index))[plane])
        if np.ndim(time) > 0 and plane and np.ndim(plane[0]) > 0:
            return self._at_points(index, plane)
        return np.stack([self._image(int(i))[plane] for i in index]) if len(index) else self._none()

    def __setitem__(self, key: Any, value: Any) -> None:
        time, plane = _split(key)
        index = self.image_of_step[time]
        if np.any(index < 0):
            raise IndexError("There is no image to paint at this time.")
        self.images[(index, *plane)] = value

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NDArray[Any]:
        del copy  # each call reads anew
        return np.asarray(self[:], dtype=dtype)

    def _image(self, index: int) -> NDArray[Any]:
        if index < 0:
            return np.zeros(self.shape[1:], self.dtype)
        image = np.asarray(self.images[index])
        return image if self.every == 1 else image[:: self.every, :: self.every]

    def _none(self) -> NDArray[Any]:
        return np.zeros((0, *self.shape[1:]), self.dtype)

    def _at_points(self, index: IntArray, plane: tuple[Any, ...]) -> NDArray[Any]:
        index, *rest = np.broadcast_arrays(index, *plane)
        values = np.zeros(index.shape, self.dtype)
        for i in np.unique(index):
            here = index == i
            values[here] = self._image(int(i))[tuple(r[here] for r in rest)]
        return values


def with_previews(data: OnGrid) -> OnGrid | list[da.Array]:
    """The stack itself or, if it is larger than a screen, with coarser ones for the whole view.

    Those are lazy, since napari cuts out what is in view before it takes one step of it.
    """
    most = max(data.shape[1:])
    if most <= SCREEN_PX:
        return data
    steps = [1]
    while most > SCREEN_PX * steps[-1]:
        steps.append(2 * steps[-1])
    coarse = [OnGrid(data.images, data.image_of_step, every) for every in steps]
    return [da.from_array(c, chunks=(1, *c.shape[1:]), asarray=False, name=False) for c in coarse]


class _Frames:
    """A recording's counts, read past dask where the file allows."""

    def __init__(self, recording: Recording) -> None:
        self.recording = recording
        self.shape = recording.frames.shape
        self.dtype = recording.frames.dtype

    def __getitem__(self, index: int) -> NDArray[Any]:
        return self.recording.read(index)


def counts_on_grid(recording: Recording, image_of_step: IntArray) -> OnGrid:
    """A recording's counts on the even grid."""
    return OnGrid(_Frames(recording), image_of_step)


def _split(key: Any) -> tuple[Any, tuple[Any, ...]]:
    if not isinstance(key, tuple):
        return key, ()
    if key and key[0] is Ellipsis:
        key = (slice(None),) * (4 - len(key)) + key[1:]
    return key[0], tuple(key[1:])
