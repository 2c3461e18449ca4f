"""Counts of some frames at a time, and what makes light of them, for kernels that look at boxes."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_lithium_alloy.core.kernels import compilable
from napari_lithium_alloy.core.photometry import Float32Array
from napari_lithium_alloy.core.recording import FloatArray, IntArray, Recording

AT_ONCE = 4
"""Mapped frames that are looked at together."""


@dataclass(frozen=True, eq=False, kw_only=True)
class SomeFrames:
    """Successive frames.

    Attributes
    ----------
    counts : (K, Y, X) array
        Of a type that the loops are compiled for.
    dark : float or (Y, X) array
    factor : (K,) float32 array
        Light is what exceeds the dark counts times it.
    limit : float or None
        Counts from which a pixel is clipped.
    ceiling : float or None
        Light of such a pixel; None: as of any other.
    """

    counts: NDArray[Any]
    dark: float | FloatArray
    factor: Float32Array
    limit: float | None
    ceiling: float | None

    @property
    def limit_of_counts(self) -> Any:
        """The same as a number of the counts' own type; None where none can reach it."""
        kind = self.counts.dtype
        if self.limit is None or kind.kind != "u":
            return None if self.limit is None else kind.type(self.limit)
        limit = max(math.ceil(self.limit), 0)
        return kind.type(limit) if limit <= np.iinfo(kind).max else None

    def scales(self) -> Float32Array:
        """(K, 3) what kernels make light of each frame by."""
        limit = math.inf if self.limit is None or self.ceiling is None else self.limit
        scales = np.empty((len(self.counts), 3), dtype=np.float32)
        scales[:, 0] = self.factor
        scales[:, 1] = limit
        scales[:, 2] = 0 if self.ceiling is None else self.ceiling
        return scales

    def light(self, k: int) -> Float32Array:
        """(Y, X) light of one frame."""
        dark = np.asarray(self.dark, np.float32)
        light = (self.counts[k].astype(np.float32) - dark) * self.factor[k]
        if self.limit is not None and self.ceiling is not None:
            light[self.counts[k] >= np.float32(self.limit)] = self.ceiling
        return np.asarray(light)


class FrameLight:
    """Reads frames of a recording, several at once and without a copy where they are mapped.

    Parameters
    ----------
    recording : Recording
    dark : float or (Y, X) array
        Its dark counts.
    """

    def __init__(self, recording: Recording, dark: float | FloatArray) -> None:
        self.recording, self.mapped = recording, recording.light(dark)
        self.dark = dark if self.mapped is None else self.mapped.dark
        """Those of the counts that are read."""
        steadied = self.mapped is not None and recording.mapped is None
        self.ceiling = recording.saturation_counts if steadied else None

    def groups(self, frames: IntArray) -> list[IntArray]:
        """Successive frames in groups that are read at once."""
        at_once = 1 if self.mapped is None else AT_ONCE
        return [frames[i : i + at_once] for i in range(0, len(frames), at_once)]

    def read(self, frames: IntArray) -> SomeFrames:
        """One group."""
        if self.mapped is None:
            counts = compilable(np.stack([self.recording.read(int(t)) for t in frames]))
            factor, limit = np.ones(len(frames), np.float32), self.recording.saturation_counts
        else:
            window = self.mapped.frames(int(frames[0]), int(frames[-1]) + 1)
            counts, factor, limit = compilable(window.counts), window.factor, window.limit
        return SomeFrames(
            counts=counts, dark=self.dark, factor=factor, limit=limit, ceiling=self.ceiling
        )
