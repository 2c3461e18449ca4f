"""Pores over time: areas, and a lineage of births, merges, splits and closures."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from napari_lithium_alloy.core.field import film_mask
from napari_lithium_alloy.core.label_stack import (
    LabelMaker,
    LabelStack,
    SparseLabels,
    put_pixels,
)
from napari_lithium_alloy.core.lineage import Lineage, LineageBuilder
from napari_lithium_alloy.core.photometry import Reference
from napari_lithium_alloy.core.pore_edits import PoreEdit
from napari_lithium_alloy.core.pore_frames import FramePores, PoreFrames
from napari_lithium_alloy.core.pore_parameters import PoreParameters
from napari_lithium_alloy.core.pores import PoreOptics, pore_optics
from napari_lithium_alloy.core.progress import Work
from napari_lithium_alloy.core.recording import BoolArray, FloatArray, IntArray, Recording
from napari_lithium_alloy.core.tables import conform, empty


@dataclass(frozen=True, kw_only=True)
class PoreWindow:
    """The part of a cycle in which pores are followed, seconds."""

    cycle: int
    start_s: float
    end_s: float


@dataclass(frozen=True, eq=False, kw_only=True)
class PristinePores:
    """Pores of the film before current flows: pinholes.

    Attributes
    ----------
    time_s : float
    count : int
    area_um2 : float
        NaN where it cannot be known.
    labels : (Y, X) int32 array
        Their numbers in the lineage.
    """

    time_s: float
    count: int
    area_um2: float
    labels: IntArray


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
    pores, summary : pandas.DataFrame
        The tables `pores` and `pore_summary`.
    tracks : numpy.ndarray
        (N, 4) pore, index k, row and column in pixels.
    lineage : Lineage
    pristine : PristinePores
    optics : PoreOptics
    """

    frames: IntArray
    times_s: FloatArray
    labels: LabelStack
    pores: pd.DataFrame
    summary: pd.DataFrame
    tracks: FloatArray
    lineage: Lineage
    pristine: PristinePores
    optics: PoreOptics

    @property
    def events(self) -> pd.DataFrame:
        """The table `pore_events`."""
        return self.lineage.events

    @property
    def graph(self) -> dict[int, list[int]]:
        """Parents of each pore that came of a merge or split, as napari's Tracks take them."""
        return dict(self.lineage.parents)


def track_pores(
    recording: Recording,
    windows: Sequence[PoreWindow],
    reference: Reference,
    parameters: PoreParameters | None = None,
    *,
    film: BoolArray | None = None,
    psf_sigma_px: float | None = None,
    substrate: float | None = None,
    edits: Sequence[PoreEdit] = (),
    make_labels: LabelMaker = SparseLabels,
) -> Work[PoreTracks]:
    """Follow pores through dissolution and dealloying.

    Pores of a window are told at its end, where the film is even; within the window they are
    followed on that support only, so that bright film ahead of a dealloying front is no pore.
    Consecutive frames are linked by overlap. Pinholes of the pristine film come first.

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
    edits : sequence of PoreEdit
        Corrections by hand.
    make_labels : callable
        Makes the empty label stack; that of a viewer is one that can be painted on.

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
    ends = [f[-parameters.averaged_frames :] for _, f in kept]
    look = PoreFrames(recording, parameters, optics, edits, reference=reference)
    look.know_substrate(ends)
    if ends:
        look.know_psf(ends[-1])
    total = sum(f.size for _, f in kept)
    labels = make_labels((max(total, 1), *recording.field_shape))
    tracker = _Tracker(look)
    tracker.begin_pristine(reference.frames)
    k = 0
    for (window, frames), end in zip(kept, ends, strict=True):
        tracker.begin(window, end)
        for at, numbers in tracker.follow(k, frames):
            put_pixels(labels, k, at, numbers)
            k += 1
            yield k, total
        tracker.end()
    frames = np.concatenate([f for _, f in kept]) if kept else np.zeros(0, int)
    return tracker.result(frames, labels)


@dataclass(eq=False)
class _Tracker:
    """State of one pass over the windows."""

    look: PoreFrames
    builder: LineageBuilder = field(default_factory=LineageBuilder)
    rows: list[dict[str, NDArray[Any]]] = field(default_factory=list)
    tables: list[pd.DataFrame] = field(default_factory=list)
    sums: list[dict[str, Any]] = field(default_factory=list)
    tracks: list[FloatArray] = field(default_factory=list)
    clipped_frames: int = 0

    def __post_init__(self) -> None:
        self.film_um2 = float(self.look.optics.film.sum()) * self.look.size_um**2

    def begin_pristine(self, frames: IntArray) -> None:
        """Pinholes of the film before current flows."""
        recording, look = self.look.recording, self.look
        look.cycle = 0  # corrections of a cycle are not of the pristine film
        labels, areas = look.found(frames)
        time_s = float(recording.times_s[frames].mean())
        number = self.builder.add(labels, time_s)
        self.pristine_numbers = number[1:]
        first = recording.read(int(frames[0]))
        hidden = self._hidden(first, labels)
        self.pristine = PristinePores(
            time_s=time_s,
            count=len(areas),
            area_um2=math.nan if hidden else float(areas.sum()) * look.size_um**2,
            labels=number[labels],
        )

    def _hidden(self, counts: IntArray, labels: IntArray) -> bool:
        """Whether no area can be given."""
        if math.isnan(self.look.optics.substrate):
            return True
        return self.look.is_clipped(self.look.clipped_px(counts), int((labels > 0).sum()))

    def begin(self, window: PoreWindow, end: IntArray) -> None:
        """Find the pores at the end of a window; they are the support of all its frames."""
        self.look.cycle = window.cycle
        self.look.look_only_at(self.look.found_labels(end), self.builder.latest)

    def follow(self, k: int, frames: IntArray) -> Iterator[tuple[IntArray, IntArray]]:
        """Measure a window's frames, the first of which is the k-th, and link each to that before.

        Yields
        ------
        at, numbers : (P,) int arrays
            Labelled pixels of a frame, as indices of the flat picture, and whose each is.
        """
        times_s = self.look.recording.times_s[frames].tolist()
        if not self.look.support.final.any():
            for t, time_s in zip(frames.tolist(), times_s, strict=True):
                self._add_nothing(t, time_s)
                yield np.zeros(0, dtype=int), np.zeros(0, dtype=int)
            return
        shape = self.look.recording.field_shape
        seen = self.look.measured(frames)
        for i, (one, time_s) in enumerate(zip(seen, times_s, strict=True), start=k):
            number = self.builder.add_pixels(shape, one.at, one.labels, time_s)
            self.clipped_frames += one.clipped
            self._rows(i, time_s, one, number[1:])
            self._sum(time_s, len(one.areas_px), one.total_px * self.look.size_um**2)
            yield one.at, number[one.labels]

    def _add_nothing(self, t: int, time_s: float) -> None:
        final = self.look.support.final
        self.builder.add(final, time_s)
        hidden = self._hidden(self.look.recording.read(t), final)
        self.clipped_frames += hidden and not math.isnan(self.look.optics.substrate)
        self._sum(time_s, 0, math.nan if hidden else 0.0)

    def _rows(self, k: int, time_s: float, seen: FramePores, number: IntArray) -> None:
        if not number.size:
            return
        size, optics = self.look.size_um, self.look.optics
        self.tracks.append(np.column_stack([number, np.full(len(number), k), seen.centres_px]))
        areas = np.where(np.isnan(seen.areas_px), seen.outlines_px, seen.areas_px)
        self.rows.append(
            {
                "time_s": np.full(len(number), time_s),
                "pore": number,
                "y_um": seen.centres_px[:, 0] * size,
                "x_um": seen.centres_px[:, 1] * size,
                "area_um2": seen.areas_px * size**2,
                "final": seen.final,
                "resolved": areas > optics.smallest_resolved_px,
                "touches_edge": seen.touches_edge,
                "saturated": seen.saturated,
                "outline_area_um2": seen.outlines_px * size**2,
            }
        )

    def _sum(self, time_s: float, count: int, total_um2: float) -> None:
        self.sums.append(
            {
                "time_s": time_s,
                "cycle": self.look.cycle,
                "count": count,
                "total_area_um2": total_um2,
                "area_fraction": total_um2 / self.film_um2 if self.film_um2 > 0 else math.nan,
            }
        )

    def end(self) -> None:
        """Areas of a window's pores relative to those they end as; what has closed."""
        self.builder.close()
        if not self.rows:
            return
        every = {name: np.concatenate([r[name] for r in self.rows]) for name in self.rows[0]}
        self.rows.clear()
        more = {
            "cycle": self.look.cycle,
            "pristine": np.isin(every["pore"], self.pristine_numbers),
        }
        self.tables.append(_with_finals(pd.DataFrame(every | more)))

    def result(self, frames: IntArray, labels: LabelStack) -> PoreTracks:
        """Everything found."""
        optics = self.look.optics
        if self.clipped_frames:
            note = (
                f"{optics.note} In {self.clipped_frames} frames pores are clipped, so their "
                "area is not given; record with less light."
            ).strip()
            optics = replace(optics, note=note)
        pores = pd.concat(self.tables, ignore_index=True) if self.tables else empty("pores")
        sums = pd.DataFrame(self.sums) if self.sums else empty("pore_summary")
        tracks = np.concatenate(self.tracks) if self.tracks else np.empty((0, 4))
        return PoreTracks(
            frames=frames,
            times_s=self.look.recording.times_s[frames],
            labels=labels,
            pores=conform("pores", pores),
            summary=conform("pore_summary", sums),
            tracks=tracks[np.lexsort((tracks[:, 1], tracks[:, 0]))],
            lineage=self.builder.lineage(),
            pristine=self.pristine,
            optics=optics,
        )


def _with_finals(rows: pd.DataFrame) -> pd.DataFrame:
    """A window's pores with what they end as: the part of each final pore that is largest then."""
    last = rows[rows["time_s"] == rows["time_s"].max()]
    finals = last.groupby("final")["area_um2"].sum()
    names = last.sort_values("area_um2").groupby("final")["pore"].last()
    final = rows["final"].map(finals)
    relative = (rows["area_um2"] / final).where(final > 0)
    return rows.drop(columns="final").assign(
        area_relative_to_final=relative, final_pore=rows["final"].map(names).astype("Int64")
    )


def window_ends(pores: PoreTracks, windows: Sequence[PoreWindow]) -> dict[int, IntArray]:
    """(Y, X) labels at the end of each window, by cycle."""
    found = {}
    for window in windows:
        inside = np.flatnonzero(pores.times_s <= window.end_s)
        if inside.size and pores.times_s[inside[-1]] >= window.start_s:
            found[window.cycle] = np.asarray(pores.labels[int(inside[-1])])
    return found
