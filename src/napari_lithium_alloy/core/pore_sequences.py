"""A few pores of a cycle, chosen to be shown, and pictures of how each opens (Figs. 3E, S16)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from napari_lithium_alloy.core.montage import (
    Limits,
    MontageParameters,
    grey_limits,
    mean_image,
)
from napari_lithium_alloy.core.photometry import Float32Array, Reference
from napari_lithium_alloy.core.pore_tracking import PoreTracks
from napari_lithium_alloy.core.progress import Work
from napari_lithium_alloy.core.recording import BoolArray, FloatArray, IntArray, Recording

SHOWN_PORES = 5
SHOWN_IMAGES = 6
OPENED, FULL = 0.1, 0.95
"""Shares of the final area from which a pore is opening, and at which it is all there."""
LEAD = 0.25
"""How long before it opens the pictures of a pore begin, as a share of its opening."""
LEAST_HALF_UM, HALF_RADII = 0.6, 2.0
"""Half the side of a picture: at least this, and this many radii of the largest pore shown."""


def chosen_pores(
    pores: pd.DataFrame, lives: pd.DataFrame, cycle: int, n: int = SHOWN_PORES
) -> list[int]:
    """Numbers of final pores of a cycle that stand for all, in the order of their emergence.

    Only pores that are resolved, whole in view and not clipped; those that emerged in the cycle
    first, evenly spread from the earliest to the latest. Where these are too few, old pores that
    grew by a tenth or more follow, evenly spread from the smallest to the largest, then others.

    Parameters
    ----------
    pores, lives : pandas.DataFrame
        The tables `pores` and `pore_lives`.
    cycle : int
    n : int
        Most that are chosen.
    """
    own = pores[pores["cycle"] == cycle]
    last = own[own["time_s"] == own["time_s"].max()]
    last = last[last["pore"] == last["final_pore"]]
    flaws = ~last["resolved"] | last["touches_edge"] | last["saturated"]
    good = last[~flaws.fillna(True).astype(bool) & (last["area_um2"] > 0)]
    born = lives[(lives["parents"] == "") & lives["emergence_s"].notna()]
    emergence_s = good["pore"].map(born.set_index("pore")["emergence_s"])
    good = good.assign(emergence_s=emergence_s.where(emergence_s >= own["time_s"].min()))
    new = good[good["emergence_s"].notna()].sort_values("emergence_s")
    old = good[good["emergence_s"].isna()].sort_values("area_um2")
    at_first = own[own["time_s"] == own["time_s"].min()].groupby("final_pore")["area_um2"].sum()
    grew = old["pore"].map(at_first).fillna(0.0) < (1 - OPENED) * old["area_um2"]
    chosen: list[int] = []
    for group in (new, old[grew], old[~grew]):
        chosen += _spread(group["pore"].tolist(), n - len(chosen))
    return chosen


def _spread(numbers: Sequence[int], n: int) -> list[int]:
    at = np.unique(np.linspace(0, len(numbers) - 1, min(n, len(numbers))).round().astype(int))
    return [int(numbers[i]) for i in at]


@dataclass(frozen=True, eq=False, kw_only=True)
class PoreSequence:
    """How one pore opens.

    Attributes
    ----------
    pore : int
        Its number at the cycle's end; what merged into it counts as part of it.
    times_s : (N,) float array
        Of the images: evenly spaced from before it opens until all of it is there, and the end.
    images : (N, S, S) float32 array
        Transmittance or relative reflectance about it.
    outlines : (N, S, S) bool array
        Its pixels.
    curve_s, area_um2 : (K,) float arrays
        Its area in every frame of the cycle; 0 while it is not there.
    """

    pore: int
    times_s: FloatArray
    images: Float32Array
    outlines: BoolArray
    curve_s: FloatArray
    area_um2: FloatArray


@dataclass(frozen=True, eq=False, kw_only=True)
class PoreSequences:
    """Pictures of several pores, of one size; each pore's have a range of grey values."""

    pores: tuple[PoreSequence, ...]
    limits: tuple[Limits, ...]
    pixel_size_um: float


def pore_sequences(
    recording: Recording,
    tracks: PoreTracks,
    reference: Reference,
    cycle: int,
    final_pores: Sequence[int],
    parameters: MontageParameters | None = None,
    *,
    n_images: int = SHOWN_IMAGES,
) -> Work[PoreSequences]:
    """Pictures of final pores of a cycle, from before they open to the end (Fig. S16).

    Parameters
    ----------
    recording : Recording
    tracks : PoreTracks
    reference : Reference
    cycle : int
    final_pores : sequence of int
        At least one; see `chosen_pores`.
    parameters : MontageParameters, optional
        Of which the percentiles are used.
    n_images : int
    """
    parameters = parameters or MontageParameters()
    size = recording.pixel_size("Pictures of pores")
    own = tracks.pores[tracks.pores["cycle"] == cycle]
    every_s = tracks.summary.loc[tracks.summary["cycle"] == cycle, "time_s"].to_numpy(float)
    rows = [own[own["final_pore"] == pore] for pore in final_pores]
    curves = [_areas(one, every_s) for one in rows]
    radius_px = math.sqrt(max(float(c[-1]) for c in curves) / math.pi) / size
    half = math.ceil(max(LEAST_HALF_UM / size, HALF_RADII * radius_px))
    found: list[PoreSequence] = []
    for i, (pore, one, areas) in enumerate(zip(final_pores, rows, curves, strict=True)):
        last = one[one["time_s"] == every_s[-1]].iloc[0]
        window = _window(recording, (last["y_um"] / size, last["x_um"] / size), half)
        times = _shown_times(every_s, areas, n_images)
        images, labels = _pictures(recording, tracks, reference, times, window)
        found.append(
            PoreSequence(
                pore=int(pore),
                times_s=times,
                images=images,
                outlines=np.isin(labels, one["pore"].unique().astype(int)),
                curve_s=every_s,
                area_um2=areas,
            )
        )
        yield i + 1, len(final_pores)
    limits = tuple(grey_limits([s.images], parameters) for s in found)
    return PoreSequences(pores=tuple(found), limits=limits, pixel_size_um=size)


def _pictures(
    recording: Recording,
    tracks: PoreTracks,
    reference: Reference,
    times_s: FloatArray,
    window: tuple[slice, slice],
) -> tuple[Float32Array, IntArray]:
    """(N, S, S) images and labels of part of the field at some times."""
    at = np.searchsorted(tracks.times_s, times_s).tolist()
    images = [mean_image(recording, tracks.frames[k : k + 1], reference, 1)[window] for k in at]
    return np.stack(images), np.stack([np.asarray(tracks.labels[k])[window] for k in at])


def _areas(one: pd.DataFrame, every_s: FloatArray) -> FloatArray:
    """Area in every frame: 0 where there is no row, NaN where it is not known."""
    areas = one.groupby("time_s")["area_um2"].sum(min_count=1)
    return np.asarray(areas.reindex(every_s, fill_value=0.0), dtype=float)


def _window(recording: Recording, centre: tuple[float, float], half: int) -> tuple[slice, slice]:
    """A square about a place, moved to lie in the field."""
    slices = []
    for at, length in zip(centre, recording.field_shape, strict=True):
        side = min(2 * half + 1, length)
        begin = min(max(round(at) - half, 0), length - side)
        slices.append(slice(begin, begin + side))
    return slices[0], slices[1]


def _shown_times(every_s: FloatArray, areas: FloatArray, n: int) -> FloatArray:
    """Times of frames from before a pore opens until all is there, and the last one."""
    last = len(every_s) - 1
    opens, full = (int(np.argmax(areas >= s * areas[-1])) for s in (OPENED, FULL))
    if full <= opens:  # there from the start, as a pinhole
        full = last
    ends = [last] if full < last else []
    shown = n - len(ends)
    begin = max(0, min(opens - math.ceil(LEAD * (full - opens)), full - shown + 1))
    at = np.linspace(begin, full, shown).round().astype(int)
    return np.asarray(every_s[np.unique([*at, *ends])])
