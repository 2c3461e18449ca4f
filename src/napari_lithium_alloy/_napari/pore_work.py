"""The work behind the dock Pore tracking: windows, tracking, preview, and what is said of them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from napari_lithium_alloy._napari.label_store import make_labels
from napari_lithium_alloy._napari.opened import Opened
from napari_lithium_alloy.core.errors import AlloyError
from napari_lithium_alloy.core.pore_frames import PoreFrames
from napari_lithium_alloy.core.pore_parameters import PoreParameters
from napari_lithium_alloy.core.pore_results import pore_tables
from napari_lithium_alloy.core.pore_tracking import PoreTracks, PoreWindow, track_pores
from napari_lithium_alloy.core.pores import pore_optics
from napari_lithium_alloy.core.progress import Work
from napari_lithium_alloy.core.recording import IntArray
from napari_lithium_alloy.core.tables import empty
from napari_lithium_alloy.frame_parts import pore_windows

Tracked = tuple[PoreTracks, dict[str, pd.DataFrame]]


@dataclass(frozen=True, eq=False, kw_only=True)
class Preview:
    """Pores of one frame under the parameters as they stand."""

    labels: IntArray
    time_s: float
    total_um2: float
    note: str

    @property
    def sentence(self) -> str:
        """What it shows."""
        area = "area unknown" if np.isnan(self.total_um2) else f"{self.total_um2:.3g} µm²"
        return f"Preview at {self.time_s:.1f} s: {int(self.labels.max())} pores, {area}."


def pore_windows_of(opened: Opened) -> list[PoreWindow]:
    """Dissolution and dealloying of all cycles; without stages, the whole recording.

    Raises
    ------
    AlloyError
        If there are stages but none of them is one of these.
    """
    if not opened.experiment.stages:
        times = opened.recording.times_s
        return [PoreWindow(cycle=1, start_s=float(times[0]), end_s=float(times[-1]))]
    windows = pore_windows(opened.experiment.stages)
    if not windows:
        raise AlloyError(
            "There is no dissolution or dealloying among the stages; add one to [[stages]]."
        )
    return windows


def tracked(opened: Opened, windows: list[PoreWindow], parameters: PoreParameters) -> Work[Tracked]:
    """Track the pores of a recording with the corrections by hand, and make their tables."""
    yield 0, 1
    edits = tuple(opened.pore_edits)
    recording, optics, reference = opened.recording, opened.experiment.optics, opened.reference()
    film = opened.film(reference)
    tracks = yield from track_pores(
        recording,
        windows,
        reference,
        parameters,
        film=film,
        psf_sigma_px=optics.sigma_px(recording.pixel_size_um),
        substrate=optics.substrate_transmittance if recording.mode == "trans" else None,
        edits=edits,
        make_labels=make_labels,
    )
    sites = opened.sites if opened.sites is not None else empty("sites")
    size = recording.pixel_size("Pore tracking")
    return tracks, pore_tables(tracks, windows, sites, film, size, edits)


def preview(opened: Opened, time_s: float, parameters: PoreParameters) -> Preview:
    """The pores of the frame shown at a time, told on their own."""
    recording, optics, reference = opened.recording, opened.experiment.optics, opened.reference()
    film = opened.film(reference)
    frame = np.array([int(np.argmin(np.abs(recording.times_s - time_s)))])
    look = PoreFrames(
        recording,
        parameters,
        pore_optics(
            recording,
            reference,
            film,
            parameters,
            psf_sigma_px=optics.sigma_px(recording.pixel_size_um),
            substrate=optics.substrate_transmittance if recording.mode == "trans" else None,
        ),
        tuple(opened.pore_edits),
    )
    look.know_substrate([frame])
    look.know_psf(frame)
    labels, areas = look.found(frame)
    known = not np.isnan(look.optics.substrate)
    return Preview(
        labels=labels,
        time_s=float(recording.times_s[frame[0]]),
        total_um2=float(areas.sum()) * look.size_um**2 if known else np.nan,
        note=look.optics.note,
    )


def pore_sentence(tracks: PoreTracks, edits: int) -> str:
    """What was found, in a sentence or two."""
    if not len(tracks.summary):
        return "No frame lies in the windows."
    last = tracks.summary.iloc[-1]
    merges = tracks.lineage.count("merge")
    by_hand = f" {edits} corrections by hand are kept." if edits else ""
    ends = tracks.pores[tracks.pores["time_s"] == last["time_s"]]
    n_pinholes = int(ends["pristine"].sum())
    pinholes = f", {n_pinholes} of them pinholes" if n_pinholes else ""
    return (
        f"{int(last['count'])} pores at the end{pinholes}; {last['total_area_um2']:.3g} µm² in all "
        f"({100 * last['area_fraction']:.2g} % of the field); {merges} merges.{by_hand} "
        f"{tracks.optics.note}"
    )
