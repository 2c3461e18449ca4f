r"""Absolute transmittance, reflectance and absorptance of a film from trans and epi together.

A standard is a state whose value is known: the pristine film, from a spectrometer, or a blank
(bare substrate, a mirror). With the light of the standard beside that of each frame, both less
the dark level,

.. math:: T = T_s (I - I_{dark}) / (I_s - I_{dark}), \quad A = 1 - T - R,

and R likewise in epi. That intensities of trans and epi recordings give the transmittance and the
reflectance of the film is used by Mao et al. (2024, DOI 10.1039/d3sc05021a) after S. Redor,
L. Godeffroy, G. Rousse, A. M. Abakumov, B. Li, F. Kanoufi and J.-M. Tarascon, J. Am. Chem. Soc.
2023, 145, 12823-12836 (their reference 60). Light scattered past the objective counts as
absorbed.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import dask.array as da
import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from napari_lithium_alloy.core.alignment import Alignment
from napari_lithium_alloy.core.errors import AlloyError
from napari_lithium_alloy.core.photometry import (
    Float32Array,
    NormalizationParameters,
    Reference,
    ratio_of,
    reference_frame,
)
from napari_lithium_alloy.core.progress import Work
from napari_lithium_alloy.core.recording import BoolArray, FloatArray, Recording, Region

ALLOWED_SUM = 1.0 + 1e-6
"""Transmitted and reflected light above it is more than came in."""


@dataclass(frozen=True, eq=False, kw_only=True)
class Standard:
    """A state of known transmittance or reflectance, as one recording sees it.

    With the reference frame of the recording itself, the pristine film; see also `blank_standard`.

    Attributes
    ----------
    reference : Reference
        Its light less the dark level.
    value : float
        Its absolute transmittance or reflectance, 0..1.
    """

    reference: Reference
    value: float

    def __post_init__(self) -> None:
        if not 0 < self.value <= 1:
            raise AlloyError(
                f"An absolute transmittance or reflectance of {self.value:g} is not between 0 "
                "and 1; give it as a fraction (35 % is 0.35)."
            )


def blank_standard(recording: Recording, blank: Recording, value: float = 1.0) -> Standard:
    """A blank as the standard: all frames of a recording of it, averaged.

    Parameters
    ----------
    recording : Recording
        What is to be measured.
    blank : Recording
        The same light and camera region without the film (trans), or on a mirror (epi).
    value : float
        Its transmittance or reflectance; 1: relative to the bare substrate.

    Raises
    ------
    AlloyError
        If their pictures differ in shape, or the blank is not brighter than its dark level.
    """
    if blank.field_shape != recording.field_shape:
        raise AlloyError(
            f"The blank {blank.name} is {blank.field_shape}, {recording.name} is "
            f"{recording.field_shape}; give a blank of the same camera region."
        )
    dark = blank.dark_counts if blank.dark_counts is not None else recording.dark_counts
    everything = NormalizationParameters(reference_frames=blank.n_frames)
    known = blank.replace(dark_counts=dark)
    return Standard(reference=reference_frame(known, everything), value=value)


def absolute_transmittance(trans: Recording, standard: Standard) -> da.Array:
    """(T, Y, X) float32 share of the light that passes the film. Lazy.

    Raises
    ------
    AlloyError
        If the recording is known to be epi.
    """
    _check_mode(trans, "epi", "transmittance")
    return _scaled(trans, standard)


def absolute_reflectance(epi: Recording, standard: Standard) -> da.Array:
    """(T, Y, X) float32 share of the light that the film reflects, on epi's own frames. Lazy.

    Raises
    ------
    AlloyError
        If the recording is known to be trans.
    """
    _check_mode(epi, "trans", "reflectance")
    return _scaled(epi, standard)


def _check_mode(recording: Recording, wrong: str, what: str) -> None:
    if recording.mode == wrong:
        raise AlloyError(f"{recording.name} is a {wrong} recording: it has no {what}.")


def _scaled(recording: Recording, standard: Standard) -> da.Array:
    return recording.frames.map_blocks(
        lambda counts: standard.value * ratio_of(counts, standard.reference),
        dtype=np.float32,
        meta=np.empty((0, 0, 0), np.float32),
    )


@dataclass(frozen=True, eq=False, kw_only=True)
class Eyes:
    """Both recordings of one field with their standards and how epi lies on trans.

    Attributes
    ----------
    trans, epi : Recording
    trans_standard, epi_standard : Standard
    alignment : Alignment
        Epi (moving) on trans (fixed).
    """

    trans: Recording
    epi: Recording
    trans_standard: Standard
    epi_standard: Standard
    alignment: Alignment

    def __post_init__(self) -> None:
        _check_mode(self.trans, "epi", "transmittance")
        _check_mode(self.epi, "trans", "reflectance")
        if self.alignment.same_field is False:
            raise AlloyError(
                f"{self.trans.name} and {self.epi.name} are not the same field, so their "
                "transmittance and reflectance do not belong together; choose another pair."
            )

    @property
    def onto_epi(self) -> tuple[FloatArray, FloatArray]:
        """(2, 2) and (2,): pixel x of trans is pixel `linear @ x + offset` of epi."""
        what = "Absolute optics"
        own, other = self.trans.pixel_size(what), self.epi.pixel_size(what)
        back = self.alignment.inverse
        return back[:2, :2] * own / other, back[:2, 2] / other

    def on_epi(self, region: Region) -> Region:
        """The part of the epi picture that a region of the trans picture covers."""
        linear, offset = self.onto_epi
        corners = np.asarray(region.vertices_px) @ linear.T + offset
        return Region(name=region.name, kind=region.kind, vertices_px=corners)

    @property
    def seen_by_both(self) -> BoolArray:
        """(Y, X) pixels of trans that lie in the picture of epi."""
        linear, offset = self.onto_epi
        grid = np.moveaxis(np.indices(self.trans.field_shape), 0, -1)
        place = grid @ linear.T + offset
        last = np.array(self.epi.field_shape) - 0.5
        return np.asarray(((place >= -0.5) & (place < last)).all(axis=-1))

    def reflectance_at(self, time_s: float) -> Float32Array:
        """(Y, X) reflectance on the grid of trans at a time; NaN where and when epi is blind."""
        frames = _frames_around(self.epi.times_s, time_s)
        shape = self.trans.field_shape
        if not frames:
            return np.full(shape, np.nan, dtype=np.float32)
        reference = self.epi_standard.reference
        image = sum(
            np.float32(w) * ratio_of(self.epi.read(frame), reference) for frame, w in frames
        )
        linear, offset = self.onto_epi
        placed = ndimage.affine_transform(
            image, linear, offset, shape, order=1, mode="constant", cval=np.nan
        )
        return np.asarray(self.epi_standard.value * placed, dtype=np.float32)


def _frames_around(times_s: FloatArray, time_s: float) -> list[tuple[int, float]]:
    """The frames before and after a time with their weights; none outside the range of times."""
    if not times_s[0] <= time_s <= times_s[-1]:
        return []
    after = int(np.searchsorted(times_s, time_s))
    if times_s[after] == time_s:
        return [(after, 1.0)]
    share = float((time_s - times_s[after - 1]) / (times_s[after] - times_s[after - 1]))
    return [(after - 1, 1 - share), (after, share)]


def aligned_reflectance(eyes: Eyes) -> da.Array:
    """(T, Y, X) float32 reflectance on the grid and at the true times of trans. Lazy.

    Epi is interpolated linearly between its frames, and NaN before its first and after its last.
    """
    rows, columns = eyes.trans.field_shape
    frames = da.arange(eyes.trans.n_frames, chunks=1)[:, None, None]

    def at(frame: NDArray[Any]) -> Float32Array:
        return eyes.reflectance_at(float(eyes.trans.times_s[int(frame.flat[0])]))[None]

    return frames.map_blocks(
        at,
        chunks=((1,) * eyes.trans.n_frames, (rows,), (columns,)),
        dtype=np.float32,
        meta=np.empty((0, 0, 0), np.float32),
    )


def absorptance(eyes: Eyes) -> da.Array:
    """(T, Y, X) float32 1 - T - R on the grid and at the times of trans. Lazy.

    NaN where epi does not reach; below 0 where the standards or the alignment are wrong
    (see `unphysical_share`).
    """
    transmitted = absolute_transmittance(eyes.trans, eyes.trans_standard)
    return (1 - transmitted - aligned_reflectance(eyes)).astype(np.float32)


def unphysical_share(eyes: Eyes) -> Work[FloatArray]:
    """(T,) share of the known pixels of each frame in which T + R is above 1; NaN if none is."""
    shares = np.full(eyes.trans.n_frames, np.nan)
    for t, time_s in enumerate(eyes.trans.times_s):
        passed = ratio_of(eyes.trans.read(t), eyes.trans_standard.reference)
        total = eyes.trans_standard.value * passed + eyes.reflectance_at(float(time_s))
        known = total[np.isfinite(total)]
        if known.size:
            shares[t] = float((known > ALLOWED_SUM).mean())
        yield t + 1, eyes.trans.n_frames
    return shares
