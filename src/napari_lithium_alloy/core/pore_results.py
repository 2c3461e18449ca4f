"""All tables that follow from tracked pores, for the whole analysis and the dock alike."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from napari_lithium_alloy.core.cycles import new_pores
from napari_lithium_alloy.core.pore_edits import PoreEdit, edits_table
from napari_lithium_alloy.core.pore_lives import pore_lives, size_distribution
from napari_lithium_alloy.core.pore_overlaps import pore_overlaps
from napari_lithium_alloy.core.pore_tracking import PoreTracks, PoreWindow, window_ends
from napari_lithium_alloy.core.recording import BoolArray
from napari_lithium_alloy.core.spot_masks import site_masks

PORE_TABLES = (
    "pore_summary",
    "pores",
    "pore_events",
    "pore_lives",
    "pore_overlaps",
    "size_distribution",
    "pore_edits",
)


def pore_tables(
    tracks: PoreTracks,
    windows: Sequence[PoreWindow],
    sites: pd.DataFrame,
    film: BoolArray,
    pixel_size_um: float,
    edits: Sequence[PoreEdit] = (),
) -> dict[str, pd.DataFrame]:
    """The tables of `PORE_TABLES`.

    Parameters
    ----------
    tracks : PoreTracks
    windows : sequence of PoreWindow
        Those they were tracked in.
    sites : pandas.DataFrame
        The table of this name.
    film : (Y, X) bool array
    pixel_size_um : float
    edits : sequence of PoreEdit
        Corrections by hand that they were tracked with.
    """
    ends = window_ends(tracks, windows)
    masks = site_masks(sites, film.shape, pixel_size_um)
    overlaps = pore_overlaps(
        {0: tracks.pristine.labels, **ends},
        {cycle: set(new_pores(tracks, cycle)["pore"].tolist()) for cycle in ends},
        {int(name.removeprefix("cycle").removesuffix("_sites")): mask > 0
         for name, mask in masks.items()},
        film,
    )  # fmt: skip
    return {
        "pore_summary": tracks.summary,
        "pores": tracks.pores,
        "pore_events": tracks.events,
        "pore_lives": pore_lives(tracks, sites),
        "pore_overlaps": overlaps,
        "size_distribution": size_distribution(sites, tracks.pores),
        "pore_edits": edits_table(edits),
    }
