"""Pores in single frames: their outlines, areas and flags."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_lithium_alloy.core.kernels import compilable
from napari_lithium_alloy.core.photometry import Float32Array, Reference
from napari_lithium_alloy.core.pixelwise import pixelwise
from napari_lithium_alloy.core.pore_edits import PoreEdit, edited, edited_pixels
from napari_lithium_alloy.core.pore_outlines import least_area_px, pore_labels
from napari_lithium_alloy.core.pore_parameters import PoreParameters
from napari_lithium_alloy.core.pore_support import (
    CELL_PX,
    FAR_REACH,
    LEAST_NEAR,
    Support,
)
from napari_lithium_alloy.core.pores import (
    PoreOptics,
    estimate_psf,
    estimate_substrate,
    hole_share,
    local_film,
    pore_areas_px,
)
from napari_lithium_alloy.core.recording import BoolArray, FloatArray, IntArray, Recording
from napari_lithium_alloy.core.row_blocks import in_order
from napari_lithium_alloy.core.smoothing import wide_mean
from napari_lithium_alloy.core.support_pores import areas_of, outlines

MOST_FOR_MEDIAN = 5
MOST_SEEN = 2
"""Groups of frames whose brightness is kept."""
MOST_CLIPPED, LEAST_CLIPPED_PX = 0.2, 20
"""Clipped pixels, as a share of the pores' and at least, beyond which no area is given."""


@dataclass(frozen=True, eq=False, kw_only=True)
class FramePores:
    """Pores of one frame, numbered 1..n.

    Attributes
    ----------
    at, labels : (P,) int arrays
        Pixels within their outlines, as indices of the flat picture, and whose each is.
    areas_px : (n,) float array
        Integrated excess; NaN while the substrate's brightness is not known.
    outlines_px : (n,) int array
        Pixels within their outlines.
    centres_px : (n, 2) float array
    final : (n,) int array
        Which of the window's final pores each is part of.
    touches_edge, saturated : (n,) bool arrays
    clipped : bool
        Whether clipped pixels hide how bright the pores are.
    """

    at: IntArray
    labels: IntArray
    areas_px: FloatArray
    outlines_px: IntArray
    centres_px: FloatArray
    final: IntArray
    touches_edge: BoolArray
    saturated: BoolArray
    clipped: bool

    @property
    def total_px(self) -> float:
        """Their areas together; NaN where they are clipped."""
        return math.nan if self.clipped else float(self.areas_px.sum())


@dataclass(frozen=True, eq=False)
class _Told:
    """Pores of one frame before they are measured.

    Attributes
    ----------
    share, labels : (N,) arrays
        At the support's pixels.
    counts : (Y, X) array
    clipped_from : float or None
        Counts from which a pixel is clipped; None: none is.
    clipped_px : int
        Pixels of the film that are.
    """

    share: Float32Array
    labels: NDArray[np.int32]
    counts: NDArray[Any]
    clipped_from: float | None
    clipped_px: int


@dataclass(eq=False)
class PoreFrames:
    """Tells pores in the frames of a recording, within a support that is set for a while."""

    recording: Recording
    parameters: PoreParameters
    optics: PoreOptics
    edits: Sequence[PoreEdit] = ()
    cycle: int | None = None
    reference: Reference | None = None
    support: Support = field(init=False)
    before: NDArray[np.int32] | None = field(init=False, default=None)
    _seen_last: dict[tuple[int, ...], tuple[Float32Array, Float32Array]] = field(
        init=False, default_factory=dict
    )

    def __post_init__(self) -> None:
        self.size_um = self.recording.pixel_size("Measuring pores")
        self.brighter = self.recording.mode != "epi"
        self.window_px = max(8, round(self.parameters.film_window_um / self.size_um))

    def brightness(self, frames: IntArray) -> Float32Array:
        """(Y, X) brightness of some frames together, relative to the pristine film.

        The median of a few, so that a pore that opens in the last of them counts in full and a
        passing bubble does not; the mean of many, which that of the reference is.
        """
        reference = self.reference
        if len(frames) <= MOST_FOR_MEDIAN:
            return self.optics.brightness(_median([self.recording.read(int(t)) for t in frames]))
        if reference is not None and np.array_equal(frames, reference.frames):
            return pixelwise(np.divide, reference.image, self.optics.flat)
        total = np.zeros(self.recording.field_shape, dtype=np.float64)
        for t in frames:
            total += self.recording.read(int(t))
        return self.optics.brightness(total / len(frames))

    def share(self, frames: IntArray) -> Float32Array:
        """(Y, X) hole share of some frames together, where pores are not known yet."""
        brightness, level = self._seen(frames)
        return hole_share(brightness, level, self.optics.substrate)

    def _seen(self, frames: IntArray) -> tuple[Float32Array, Float32Array]:
        """Brightness and the film's level; the end of the last window is asked for repeatedly."""
        key = tuple(frames.tolist())
        if key not in self._seen_last:
            brightness = self.brightness(frames)
            level = local_film(brightness, self.optics.film, self.window_px, brighter=self.brighter)
            while len(self._seen_last) >= MOST_SEEN:
                self._seen_last.pop(next(iter(self._seen_last)))
            self._seen_last[key] = brightness, level
        return self._seen_last[key]

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
            brightness, level = self._seen(frames)
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
        share = self.share(end)
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
        labels, share = self._found(frames)
        return labels, pore_areas_px(share, labels, self.optics.psf_sigma_px)

    def found_labels(self, frames: IntArray) -> IntArray:
        """The labels alone."""
        return self._found(frames)[0]

    def _found(self, frames: IntArray) -> tuple[IntArray, Float32Array]:
        """Labels, and the hole share that they were told in."""
        if math.isnan(self.optics.substrate):
            nothing = np.zeros(self.recording.field_shape, dtype=np.int32)
            return nothing, nothing.astype(np.float32)
        share = self.share(frames)
        return edited(self._labels(share), self.edits, self.size_um, self.cycle), share

    def look_only_at(self, final: IntArray, before: IntArray | None) -> None:
        """Look for pores only where these are, and around.

        Parameters
        ----------
        final : (Y, X) int array
            Pores at the end of a window.
        before : (Y, X) int array or None
            What was seen last: what is one pore stays one until it clearly parts.
        """
        self.support = Support.of(final, self.optics)
        graph = self.support.graph
        self.before = None
        if before is not None:
            self.before = np.asarray(graph.of_picture(before), dtype=np.int32)

    def measured(self, frames: IntArray) -> Iterator[FramePores]:
        """The pores of frames on the support, one frame after the other."""
        by_optics = self.parameters.method == "automatic" and not self.parameters.split_touching
        graph = self.support.graph
        for one in self._told_by_optics(frames) if by_optics else self._told_over_level(frames):
            # On its place only: where a pore was deleted at the end, its neighbour is nearest.
            labels = one.labels
            at = np.flatnonzero(labels != 0)
            pixels = graph.rows[at], graph.columns[at]
            labels[at] = edited_pixels(
                pixels, labels[at], self.edits, self.size_um, self.cycle, reach_px=1.0
            )
            self.before = labels
            yield self._pores(one)

    def _told_by_optics(self, frames: IntArray) -> Iterator[_Told]:
        from napari_lithium_alloy.core.pore_images import ImagesOnSupport
        from napari_lithium_alloy.core.pore_light import FrameLight

        parameters = self.parameters
        light = FrameLight(self.recording, self.optics.dark)
        smallest_px = parameters.min_area_um2 / self.size_um**2
        make = ImagesOnSupport(self.support, light.dark, smallest_px, parameters.min_snr)
        least_px = least_area_px(parameters, self.size_um)
        for some in in_order(lambda group: make(light.read(group)), light.groups(frames)):
            for images in some:
                labels = outlines(images, self.support.graph, parameters, least_px, self.before)
                limit = images.clipped_from if images.clipped else None
                yield _Told(images.share, labels, images.counts, limit, images.clipped_px)

    def _told_over_level(self, frames: IntArray) -> Iterator[_Told]:
        """By what takes the whole field: one level for all, or waists."""
        graph = self.support.graph
        for t in frames.tolist():
            counts = compilable(self.recording.read(t))
            share = self._supported_share(self.optics.brightness(counts))
            before = None if self.before is None else graph.picture(self.before)
            labels = self._labels(share, where=self.support.regions > 0, before=before)
            yield _Told(
                np.nan_to_num(np.asarray(graph.of_picture(share), dtype=np.float32)),
                np.asarray(graph.of_picture(labels), dtype=np.int32),
                counts,
                self.recording.saturation_counts,
                self.clipped_px(counts),
            )

    def _pores(self, told: _Told) -> FramePores:
        from napari_lithium_alloy.core.kernels.pore_measures import add_places, mark_from

        support, graph = self.support, self.support.graph
        at = np.flatnonzero(told.labels != 0).astype(np.int32)
        own = told.labels[at]
        n = int(own.max(initial=0))
        areas, final = areas_of(told.share, at, own, support)
        sums = np.zeros((4, n + 1))
        add_places((graph.rows, graph.columns, support.at_edge), at, own, sums)
        pixels, saturated = graph.at[at], np.zeros(n + 1, dtype=bool)
        if told.clipped_from is not None:
            mark_from(told.counts, pixels, own, told.clipped_from, saturated)
        clipped = self.is_clipped(told.clipped_px, len(at))
        return FramePores(
            at=pixels,
            labels=own,
            areas_px=np.where(saturated[1:], np.nan, areas) if clipped else areas,
            outlines_px=sums[0, 1:].astype(int),
            centres_px=(sums[1:3, 1:] / np.maximum(sums[0, 1:], 1)).T,
            final=final,
            touches_edge=sums[3, 1:] > 0,
            saturated=saturated[1:],
            clipped=clipped,
        )

    def clipped_px(self, counts: NDArray[Any]) -> int:
        """Pixels of the film that are clipped."""
        limit = self.recording.saturation_counts
        return 0 if limit is None else int(((counts >= limit) & self.optics.film).sum())

    def is_clipped(self, clipped_px: int, labelled_px: int) -> bool:
        """Whether more pixels are clipped than pores that are but a little too bright explain."""
        if self.recording.saturation_counts is None:
            return False
        return clipped_px > max(MOST_CLIPPED * labelled_px, LEAST_CLIPPED_PX)

    def _labels(
        self,
        share: Float32Array,
        *,
        where: BoolArray | None = None,
        before: IntArray | None = None,
    ) -> IntArray:
        return pore_labels(
            share,
            self.optics.film,
            self.parameters,
            self.size_um,
            psf_sigma_px=self.optics.psf_sigma_px,
            where=where,
            before=before,
        )

    def _supported_share(self, brightness: Float32Array) -> Float32Array:
        """Hole share with the film's level carried into the support from just around it.

        Weighted by distance, so that a dealloying front passing under a pore is followed.
        """
        support = self.support
        near = support.around(brightness * support.outside)
        known = support.weight > LEAST_NEAR
        close = near / np.where(known, support.weight, 1)
        level = close if known.all() else np.where(known, close, self._far(brightness))
        return hole_share(brightness, level, self.optics.substrate)

    def _far(self, brightness: Float32Array) -> FloatArray:
        """The film's level where none is near: from farther away, and last from the whole field."""
        outside = self.support.outside > 0
        wide = wide_mean(brightness, outside, FAR_REACH * self.optics.psf_sigma_px, CELL_PX)
        everywhere = np.median(brightness[outside]) if outside.any() else 1.0
        return np.where(np.isfinite(wide), wide, np.float32(everywhere))


def _median(frames: list[NDArray[Any]]) -> NDArray[Any]:
    """Median of a few frames; sorted pair by pair, which is many times faster than numpy's."""
    n = len(frames)
    for last in range(n - 1, 0, -1):
        for i in range(last):
            low, high = frames[i], frames[i + 1]
            frames[i], frames[i + 1] = np.minimum(low, high), np.maximum(low, high)
    if n % 2:
        return frames[n // 2]
    return np.asarray((frames[n // 2 - 1].astype(float) + frames[n // 2]) / 2)
