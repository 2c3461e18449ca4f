"""Pores over time: areas, and a lineage of births, merges, splits and closures."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

import numpy as np
import pandas as pd
from scipy import ndimage

from napari_lithium_alloy.core.field import film_mask
from napari_lithium_alloy.core.photometry import Float32Array, Reference
from napari_lithium_alloy.core.pores import (
    PoreOptics,
    PoreParameters,
    edge_labels,
    estimate_substrate,
    hole_share,
    local_film,
    pore_areas_px,
    pore_labels,
    pore_optics,
    regions_of,
)
from napari_lithium_alloy.core.progress import Work
from napari_lithium_alloy.core.recording import BoolArray, FloatArray, IntArray, Recording
from napari_lithium_alloy.core.tables import conform, empty

FILM_REACH = 2.5
"""Distance from which the film's level is carried under a pore, in point spreads."""
MOST_CLIPPED, LEAST_CLIPPED_PX = 0.2, 20
"""Clipped pixels, as a share of the pores' and at least, beyond which no area is given."""
MEMORY_FRAMES = 3
"""Frames for which a pore that is not seen keeps its identity."""


class LabelStack(Protocol):
    """Labels over time: a numpy array, or one on disk that behaves like it."""

    shape: tuple[int, ...]

    def __setitem__(self, key: Any, value: Any, /) -> None: ...
    def __getitem__(self, key: Any, /) -> Any: ...


LabelMaker = Callable[[tuple[int, ...]], LabelStack]
"""Makes an empty label stack of a shape."""


@dataclass(frozen=True, kw_only=True)
class PoreWindow:
    """The part of a cycle in which pores are followed, seconds."""

    cycle: int
    start_s: float
    end_s: float


@dataclass(eq=False, kw_only=True)
class PoreTracks:
    """Pores over time and how they descend from each other.

    Attributes
    ----------
    frames : numpy.ndarray
        (K,) indices of the recording's frames looked at.
    times_s : numpy.ndarray
        (K,) their times.
    labels : LabelStack
        (K, Y, X) int32; a pore keeps its number from frame to frame and from cycle to cycle.
    pores, summary, events : pandas.DataFrame
        The tables `pores`, `pore_summary` and `pore_events`.
    tracks : numpy.ndarray
        (N, 4) pore, index k, row and column in pixels.
    graph : dict
        Parents of each pore that came of a merge or split.
    optics : PoreOptics
    """

    frames: IntArray
    times_s: FloatArray
    labels: LabelStack
    pores: pd.DataFrame
    summary: pd.DataFrame
    events: pd.DataFrame
    tracks: FloatArray
    graph: dict[int, list[int]]
    optics: PoreOptics


def zeros(shape: tuple[int, ...]) -> LabelStack:
    """Labels in memory."""
    return np.zeros(shape, dtype=np.int32)


def track_pores(
    recording: Recording,
    windows: Sequence[PoreWindow],
    reference: Reference,
    parameters: PoreParameters | None = None,
    *,
    film: BoolArray | None = None,
    psf_sigma_px: float | None = None,
    substrate: float | None = None,
    make_labels: LabelMaker = zeros,
) -> Work[PoreTracks]:
    """Follow pores through dissolution and dealloying.

    Pores of a window are told at its end, where the film is even; within the window they are
    followed on that support only, so that bright film ahead of a dealloying front is no pore.
    Consecutive frames are linked by overlap.

    Parameters
    ----------
    recording : Recording
    windows : sequence of PoreWindow
        In the order of time.
    reference : Reference
    parameters : PoreParameters, optional
    film : (Y, X) bool array, optional
        None: all but bare glass at an edge.
    psf_sigma_px, substrate : float, optional
        From recording.toml.
    make_labels : callable
        Makes the empty label stack, in memory or on disk.

    Raises
    ------
    AlloyError
        If the pixel size is not known.
    """
    parameters = parameters or PoreParameters()
    film = film_mask(reference.image) if film is None else film
    optics = pore_optics(
        recording, reference, film, parameters, psf_sigma_px=psf_sigma_px, substrate=substrate
    )
    found = [recording.frames_between(w.start_s, w.end_s) for w in windows]
    kept = [(w, f) for w, f in zip(windows, found, strict=True) if f.size]
    tracker = _Tracker(recording, parameters, optics)
    tracker.know_substrate([f for _, f in kept])
    total = sum(f.size for _, f in kept)
    labels = make_labels((max(total, 1), *recording.field_shape))
    k = 0
    for window, frames in kept:
        tracker.begin(window, frames)
        for t in frames:
            labels[k] = tracker.add(k, int(t))
            k += 1
            yield k, total
        tracker.end()
    return tracker.result(
        np.concatenate([f for _, f in kept]) if kept else np.zeros(0, int), labels
    )


def pores_at(
    recording: Recording, frames: IntArray, parameters: PoreParameters, optics: PoreOptics
) -> tuple[int, float]:
    """Count and total area (um2) of pores in the mean of some frames, such as the pristine film.

    A field without pores has 0 of each. The area is NaN where the substrate's brightness is not
    known or pores are clipped.
    """
    tracker = _Tracker(recording, parameters, optics)
    if math.isnan(optics.substrate):
        return 0, math.nan
    share = tracker.share(tracker.mean_brightness(frames))
    labels = pore_labels(share, optics.film, parameters, tracker.size)
    areas = pore_areas_px(share, labels, optics.psf_sigma_px) * tracker.size**2
    first = recording.read(int(frames[0]))
    return len(areas), tracker.known(float(areas.sum()), first, labels)


@dataclass(eq=False)
class _Tracker:
    """State of one pass over the windows."""

    recording: Recording
    parameters: PoreParameters
    optics: PoreOptics
    rows: list[dict[str, Any]] = field(default_factory=list)
    sums: list[dict[str, Any]] = field(default_factory=list)
    events: list[dict[str, Any]] = field(default_factory=list)
    tracks: list[tuple[int, int, float, float]] = field(default_factory=list)
    graph: dict[int, list[int]] = field(default_factory=dict)
    ids: itertools.count[int] = field(default_factory=lambda: itertools.count(1))

    def __post_init__(self) -> None:
        self.size = self.recording.pixel_size("Measuring pores")
        self.brighter = self.recording.mode != "epi"
        self.window_px = max(8, round(self.parameters.film_window_um / self.size))
        self.latest = np.zeros(self.recording.field_shape, dtype=np.int32)
        self.unseen: dict[int, int] = {}
        self.clipped_frames = 0

    def mean_brightness(self, frames: IntArray) -> Float32Array:
        counts = np.mean([self.recording.read(int(t)) for t in frames], axis=0)
        return self.optics.brightness(counts)

    def share(self, brightness: Float32Array) -> Float32Array:
        level = local_film(brightness, self.optics.film, self.window_px, brighter=self.brighter)
        return hole_share(brightness, level, self.optics.substrate)

    def know_substrate(self, windows: Sequence[IntArray]) -> None:
        """Take the substrate's brightness from the largest pores where nothing else tells it."""
        if not math.isnan(self.optics.substrate) or not windows:
            return
        levels = []
        for frames in windows:
            brightness = self.mean_brightness(frames[-self.parameters.averaged_frames :])
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

    def begin(self, window: PoreWindow, frames: IntArray) -> None:
        """Find the pores at the end of a window; they are the support of all its frames."""
        self.cycle = window.cycle
        shape = self.recording.field_shape
        self.final = np.zeros(shape, dtype=np.int32)
        if not math.isnan(self.optics.substrate):
            share = self.share(self.mean_brightness(frames[-self.parameters.averaged_frames :]))
            self.final = np.asarray(
                pore_labels(share, self.optics.film, self.parameters, self.size), dtype=np.int32
            )
        self.support = regions_of(self.final, self.optics.psf_sigma_px)
        self.first_row = len(self.rows)

    def add(self, k: int, t: int) -> IntArray:
        """Measure one frame and link it to the one before; (Y, X) its labels."""
        counts = self.recording.read(t)
        time = float(self.recording.times_s[t])
        if not self.final.any():
            self._sum(time, 0, self.known(0.0, counts, self.final))
            return np.zeros_like(self.final)
        share = self._supported_share(self.optics.brightness(counts))
        parts = pore_labels(share, self.support > 0, self.parameters, self.size)
        labels = self._linked(parts, time)
        sigma = self.optics.psf_sigma_px
        areas = pore_areas_px(share, parts, sigma, relevel=False) * self.size**2
        self._rows(k, time, counts, parts, labels, areas)
        self._sum(time, len(areas), self.known(float(areas.sum()), counts, parts))
        return labels

    def known(self, total_um2: float, counts: IntArray, parts: IntArray) -> float:
        """A total area, or NaN where clipped pixels hide how bright the pores are."""
        if math.isnan(self.optics.substrate):
            return math.nan
        limit = self.recording.saturation_counts
        clipped = 0 if limit is None else int(((counts >= limit) & self.optics.film).sum())
        if clipped <= max(MOST_CLIPPED * int((parts > 0).sum()), LEAST_CLIPPED_PX):
            return total_um2
        self.clipped_frames += 1
        return math.nan

    def _supported_share(self, brightness: Float32Array) -> Float32Array:
        """Hole share with the film's level carried into the support from just around it.

        Weighted by distance, so that a dealloying front passing under a pore is followed.
        """
        outside = (self.optics.film & (self.support == 0)).astype(np.float32)
        reach = FILM_REACH * self.optics.psf_sigma_px
        weight = ndimage.gaussian_filter(outside, reach, truncate=5)
        level = ndimage.gaussian_filter(brightness * outside, reach, truncate=5)
        everywhere = np.median(brightness[outside > 0]) if outside.any() else np.float32(1)
        level = np.where(weight > 1e-4, level / np.maximum(weight, 1e-4), everywhere)
        return hole_share(brightness, level, self.optics.substrate)

    def _linked(self, parts: IntArray, time: float) -> IntArray:
        """Labels of this frame in the numbers of the frames before, by overlap."""
        both = (parts > 0) & (self.latest > 0)
        pairs = np.unique(np.stack([parts[both], self.latest[both]]), axis=1).T
        parents: dict[int, list[int]] = {int(p): [] for p in range(1, int(parts.max()) + 1)}
        children: dict[int, list[int]] = {}
        for part, old in pairs.tolist():
            parents[part].append(old)
            children.setdefault(old, []).append(part)
        number = {}
        for part, old_ids in parents.items():
            if len(old_ids) == 1 and len(children[old_ids[0]]) == 1:
                number[part] = old_ids[0]
                continue
            number[part] = next(self.ids)
            kind = "merge" if len(old_ids) > 1 else "split" if old_ids else "birth"
            self._event(time, kind, number[part], old_ids)
        lookup = np.array([0, *(number[p] for p in range(1, len(parents) + 1))], dtype=np.int32)
        labels = lookup[parts]
        self._remember(labels, set(number.values()), {old for old, _ in children.items()}, time)
        return labels

    def _remember(self, labels: IntArray, seen: set[int], replaced: set[int], time: float) -> None:
        """Keep pores that are not seen for a few frames; then they have closed."""
        held = self.latest.copy()
        for pore in np.unique(held[held > 0]).tolist():
            if pore in seen or pore in replaced:
                held[held == pore] = 0
                self.unseen.pop(pore, None)
                continue
            self.unseen[pore] = self.unseen.get(pore, 0) + 1
            if self.unseen[pore] > MEMORY_FRAMES:
                held[held == pore] = 0
                del self.unseen[pore]
                self._event(time, "closure", pore, [])
        self.latest = np.where(labels > 0, labels, held).astype(np.int32)

    def _event(self, time: float, kind: str, pore: int, parents: list[int]) -> None:
        if parents:
            self.graph[pore] = parents
        text = " ".join(str(p) for p in parents)
        self.events.append({"time_s": time, "event": kind, "pore": pore, "parents": text})

    def _rows(
        self,
        k: int,
        time: float,
        counts: IntArray,
        parts: IntArray,
        labels: IntArray,
        areas: FloatArray,
    ) -> None:
        index = np.arange(1, len(areas) + 1)
        if not len(index):
            return
        number = ndimage.maximum(labels, parts, index).astype(int)
        final = ndimage.maximum(self.support, parts, index).astype(int)
        centres = ndimage.center_of_mass(parts > 0, parts, index)
        at_edge = edge_labels(parts, self.optics.film)
        limit = self.recording.saturation_counts
        brightest = ndimage.maximum(counts, parts, index)
        for i, (y, x) in enumerate(centres):
            self.tracks.append((int(number[i]), k, float(y), float(x)))
            self.rows.append(
                {
                    "time_s": time,
                    "cycle": self.cycle,
                    "pore": int(number[i]),
                    "y_um": y * self.size,
                    "x_um": x * self.size,
                    "area_um2": float(areas[i]),
                    "area_relative_to_final": int(final[i]),
                    "resolved": bool(areas[i] > self.optics.smallest_resolved_px * self.size**2),
                    "touches_edge": i + 1 in at_edge,
                    "saturated": limit is not None and bool(brightest[i] >= limit),
                }
            )

    def _sum(self, time: float, count: int, total_um2: float) -> None:
        field_um2 = float(self.optics.film.sum()) * self.size**2
        self.sums.append(
            {
                "time_s": time,
                "cycle": self.cycle,
                "count": count,
                "total_area_um2": total_um2,
                "area_fraction": total_um2 / field_um2,
            }
        )

    def end(self) -> None:
        """Areas of a window's pores relative to those they end as."""
        rows = self.rows[self.first_row :]
        if not rows:
            return
        last = rows[-1]["time_s"]
        finals: dict[int, float] = {}
        for row in rows:
            if row["time_s"] == last:
                key = row["area_relative_to_final"]
                finals[key] = finals.get(key, 0.0) + row["area_um2"]
        for row in rows:
            final = finals.get(row["area_relative_to_final"], math.nan)
            row["area_relative_to_final"] = row["area_um2"] / final if final > 0 else math.nan

    def result(self, frames: IntArray, labels: LabelStack) -> PoreTracks:
        """Everything found."""
        if self.clipped_frames:
            note = (
                f"{self.optics.note} In {self.clipped_frames} frames pores are clipped, so their "
                "area is not given; record with less light."
            ).strip()
            self.optics = replace(self.optics, note=note)
        tables = {
            name: conform(name, pd.DataFrame(rows)) if rows else empty(name)
            for name, rows in (
                ("pores", self.rows),
                ("pore_summary", self.sums),
                ("pore_events", self.events),
            )
        }
        tracks = np.array(sorted(self.tracks), dtype=float).reshape(-1, 4)
        return PoreTracks(
            frames=frames,
            times_s=self.recording.times_s[frames],
            labels=labels,
            pores=tables["pores"],
            summary=tables["pore_summary"],
            events=tables["pore_events"],
            tracks=tracks,
            graph=self.graph,
            optics=self.optics,
        )
