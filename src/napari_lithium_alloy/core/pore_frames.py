"""Pores in single frames: their outlines, areas and flags."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from skimage import segmentation

from napari_lithium_alloy.core.by_label import centres, maxima, sums
from napari_lithium_alloy.core.photometry import Float32Array
from napari_lithium_alloy.core.pore_edits import PoreEdit, edited
from napari_lithium_alloy.core.pore_outlines import pore_labels
from napari_lithium_alloy.core.pore_parameters import PoreParameters
from napari_lithium_alloy.core.pores import (
    PoreOptics,
    edge_labels,
    estimate_psf,
    estimate_substrate,
    hole_share,
    local_film,
    pore_areas_px,
    regions_of,
)
from napari_lithium_alloy.core.recording import BoolArray, FloatArray, IntArray, Recording
from napari_lithium_alloy.core.smoothing import blurred, wide_mean

FILM_REACH = 2.5
"""Distance from which the film's level is carried under a pore, in point spreads."""
FAR_REACH, CELL_PX, LEAST_NEAR = 10.0, 4, 0.01
"""The same where film has less than this share of the weight; pixels averaged for it."""
MOST_FOR_MEDIAN = 5
MOST_CLIPPED, LEAST_CLIPPED_PX = 0.2, 20
"""Clipped pixels, as a share of the pores' and at least, beyond which no area is given."""


@dataclass(frozen=True, eq=False, kw_only=True)
class FramePores:
    """Pores of one frame, numbered 1..n.

    Attributes
    ----------
    labels : (Y, X) int32 array
        Their outlines.
    areas_px : (n,) float array
        Integrated excess; NaN while the substrate's brightness is not known.
    centres_px : (n, 2) float array
    final : (n,) int array
        Which of the window's final pores each is part of.
    touches_edge, saturated : (n,) bool arrays
    clipped : bool
        Whether clipped pixels hide how bright the pores are.
    """

    labels: IntArray
    areas_px: FloatArray
    centres_px: FloatArray
    final: IntArray
    touches_edge: BoolArray
    saturated: BoolArray
    clipped: bool

    @property
    def total_px(self) -> float:
        """Their areas together; NaN where they are clipped."""
        return math.nan if self.clipped else float(self.areas_px.sum())


@dataclass(eq=False)
class PoreFrames:
    """Tells pores in the frames of a recording, within a support that is set for a while."""

    recording: Recording
    parameters: PoreParameters
    optics: PoreOptics
    edits: Sequence[PoreEdit] = ()
    cycle: int | None = None
    final: IntArray = field(init=False)
    support: IntArray = field(init=False)
    before: IntArray | None = field(init=False, default=None)
    _outside: Float32Array = field(init=False)
    _weight: Float32Array = field(init=False)
    _near: BoolArray = field(init=False)

    def __post_init__(self) -> None:
        self.size_um = self.recording.pixel_size("Measuring pores")
        self.brighter = self.recording.mode != "epi"
        self.window_px = max(8, round(self.parameters.film_window_um / self.size_um))
        self.final = np.zeros(self.recording.field_shape, dtype=np.int32)

    def brightness(self, frames: IntArray) -> Float32Array:
        """(Y, X) brightness of some frames together, relative to the pristine film.

        The median of a few, so that a pore that opens in the last of them counts in full and a
        passing bubble does not; the mean of many.
        """
        if len(frames) <= MOST_FOR_MEDIAN:
            counts = np.stack([self.recording.read(int(t)) for t in frames])
            return self.optics.brightness(np.median(counts, axis=0))
        total = np.zeros(self.recording.field_shape, dtype=np.float64)
        for t in frames:
            total += self.recording.read(int(t))
        return self.optics.brightness(total / len(frames))

    def share(self, brightness: Float32Array) -> Float32Array:
        """(Y, X) hole share, where pores are not known yet."""
        level = local_film(brightness, self.optics.film, self.window_px, brighter=self.brighter)
        return hole_share(brightness, level, self.optics.substrate)

    def know_substrate(self, ends: Sequence[IntArray]) -> None:
        """Take the substrate's brightness from the largest pores where nothing else tells it.

        Parameters
        ----------
        ends : sequence of (n,) int arrays
            Frames at the end of each window.
        """
        if not math.isnan(self.optics.substrate) or not ends:
            return
        levels = []
        for frames in ends:
            brightness = self.brightness(frames)
            level = local_film(brightness, self.optics.film, self.window_px, brighter=self.brighter)
            levels.append(
                estimate_substrate(brightness, level, self.optics, brighter=self.brighter)
            )
        known = [v for v in levels if not math.isnan(v)]
        note = (
            "The substrate's brightness is estimated from the largest pores; give "
            "substrate_transmittance under [optics] for exact areas."
            if known
            else "No pore shows the substrate's brightness."
        )
        substrate = float(np.median(known)) if known else math.nan
        self.optics = replace(self.optics, substrate=substrate, note=note)

    def know_psf(self, end: IntArray) -> None:
        """Take the point spread from pores that lie apart where it is not given."""
        if self.optics.psf_known or math.isnan(self.optics.substrate):
            return
        share = self.share(self.brightness(end))
        sigma = estimate_psf(share, self._labels(share))
        told = not math.isnan(sigma)
        where = "estimated from the pores" if told else "assumed"
        sigma = sigma if told else self.optics.psf_sigma_px
        note = (
            f"The point spread ({sigma:.1f} px) is {where}; give numerical_aperture and "
            "wavelength_nm, or psf_sigma_px, under [optics]."
        )
        note = f"{self.optics.note} {note}".strip()
        self.optics = replace(self.optics, psf_sigma_px=sigma, psf_known=True, note=note)

    def found(self, frames: IntArray) -> tuple[IntArray, FloatArray]:
        """Labels and areas (px) of the pores in the mean of some frames, anywhere on the film."""
        if math.isnan(self.optics.substrate):
            return np.zeros(self.recording.field_shape, dtype=np.int32), np.zeros(0)
        share = self.share(self.brightness(frames))
        labels = edited(self._labels(share), self.edits, self.size_um, self.cycle)
        return labels, pore_areas_px(share, labels, self.optics.psf_sigma_px)

    def look_only_at(self, final: IntArray, before: IntArray | None) -> None:
        """Look for pores only where these are, and around.

        Parameters
        ----------
        final : (Y, X) int array
            Pores at the end of a window.
        before : (Y, X) int array or None
            What was seen last: what is one pore stays one until it clearly parts.
        """
        self.final, self.before = final, before
        grown = regions_of(final, self.optics.psf_sigma_px)
        self.support = np.where(self.optics.film, grown, 0)
        self._outside = (self.optics.film & (self.support == 0)).astype(np.float32)
        self._weight = blurred(self._outside, FILM_REACH * self.optics.psf_sigma_px)
        self._near = self._weight > LEAST_NEAR

    def measured(self, t: int) -> FramePores:
        """The pores of one frame on the support."""
        counts = self.recording.read(t)
        share = self._supported_share(self.optics.brightness(counts))
        labels = self._labels(share, support=True)
        # On its place only: where a pore was deleted at the end, its neighbour is nearest.
        labels = edited(labels, self.edits, self.size_um, self.cycle, reach_px=1.0)
        self.before = labels
        n = int(labels.max())
        index = np.arange(1, n + 1)
        areas, final = self._areas(np.nan_to_num(share), labels, n)
        clipped = self.is_clipped(counts, labels)
        limit = self.recording.saturation_counts
        saturated = np.zeros(n, dtype=bool)
        if limit is not None and n:
            saturated = maxima(counts, labels, n)[1:] >= limit
        if clipped:
            areas = np.where(saturated, np.nan, areas)
        at_edge = edge_labels(labels, self.optics.film)
        return FramePores(
            labels=labels,
            areas_px=areas,
            centres_px=centres(np.nonzero(labels), labels[labels > 0], n),
            final=final,
            touches_edge=np.array([i in at_edge for i in index], dtype=bool),
            saturated=saturated,
            clipped=clipped,
        )

    def is_clipped(self, counts: NDArray[Any], labels: IntArray) -> bool:
        """Whether more pixels are clipped than pores that are but a little too bright explain."""
        limit = self.recording.saturation_counts
        if limit is None:
            return False
        clipped = int(((counts >= limit) & self.optics.film).sum())
        return clipped > max(MOST_CLIPPED * int((labels > 0).sum()), LEAST_CLIPPED_PX)

    def _labels(self, share: Float32Array, *, support: bool = False) -> IntArray:
        return pore_labels(
            share,
            self.optics.film,
            self.parameters,
            self.size_um,
            psf_sigma_px=self.optics.psf_sigma_px,
            where=self.support > 0 if support else None,
            before=self.before if support else None,
        )

    def _supported_share(self, brightness: Float32Array) -> Float32Array:
        """Hole share with the film's level carried into the support from just around it.

        Weighted by distance, so that a dealloying front passing under a pore is followed.
        """
        near = blurred(brightness * self._outside, FILM_REACH * self.optics.psf_sigma_px)
        close = near / np.where(self._near, self._weight, 1)
        level = np.where(self._near, close, self._far(brightness))
        return hole_share(brightness, level, self.optics.substrate)

    def _far(self, brightness: Float32Array) -> FloatArray:
        """The film's level where none is near: from farther away, and last from the whole field."""
        if self._near.all():
            return np.zeros(1, dtype=np.float32)
        outside = self._outside > 0
        wide = wide_mean(brightness, outside, FAR_REACH * self.optics.psf_sigma_px, CELL_PX)
        everywhere = np.median(brightness[outside]) if outside.any() else 1.0
        return np.where(np.isfinite(wide), wide, np.float32(everywhere))

    def _areas(self, share: Float32Array, labels: IntArray, n: int) -> tuple[FloatArray, IntArray]:
        """Integrated excess of each pore, and the final pore it is part of.

        A final pore's whole support is its parts'; they meet where the excess is least.
        """
        if not n:
            return np.zeros(0), np.zeros(0, dtype=int)
        at = labels > 0
        shared = np.zeros((n + 1, int(self.support.max()) + 1), dtype=np.int32)
        np.add.at(shared, (labels[at], self.support[at]), 1)
        belongs = shared > 0
        belongs[:, 0] = False
        open_ = np.asarray(belongs.any(axis=0))
        region = segmentation.watershed(-share, labels, mask=open_[self.support])
        region[~belongs[region, self.support]] = 0
        return sums(share, region, n)[1:], shared[1:, 1:].argmax(axis=1) + 1
