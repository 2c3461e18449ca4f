"""Tracks of another program: TrackMate's tables of spots and edges, as a lineage."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from napari_lithium_alloy.core.errors import AlloyError
from napari_lithium_alloy.core.lineage import Lineage, lineage_of_links

SPOTS = {"id": "spot", "frame": "frame", "position_x": "x", "position_y": "y"}
EDGES = {"spot_source_id": "source", "spot_target_id": "target"}
MORE_HEADERS = 3
"""Rows under the names that TrackMate may write: long names, short ones, and units."""


def read_trackmate(
    spots: Path | str, edges: Path | str, frame_interval_s: float = 1.0
) -> tuple[pd.DataFrame, Lineage]:
    """Spots and their lineage from the two tables that TrackMate exports.

    Parameters
    ----------
    spots : path
        CSV with columns id, frame, position_x and position_y, in small letters or capitals.
    edges : path
        CSV with columns spot_source_id and spot_target_id.
    frame_interval_s : float

    Returns
    -------
    spots : pandas.DataFrame
        Columns spot, frame, x, y (in the file's unit), time_s and pore: a number for each track
        between its birth, or a merge or split, and its end.
    lineage : Lineage

    Raises
    ------
    AlloyError
        If a file cannot be read, a column is missing or holds something else than numbers, or an
        edge names a spot that is not there.
    """
    found = _columns(Path(spots), SPOTS)
    found = found.astype({"spot": "int64", "frame": "int64"})
    found["time_s"] = found["frame"] * frame_interval_s
    return lineage_of_links(found, _columns(Path(edges), EDGES).astype("int64"))


def _columns(path: Path, names: dict[str, str]) -> pd.DataFrame:
    """The named columns of a CSV file as numbers, under the names given."""
    try:
        table = pd.read_csv(path, dtype=str)
    except (OSError, UnicodeDecodeError, pd.errors.ParserError, pd.errors.EmptyDataError) as error:
        raise AlloyError(f"{path} cannot be read as CSV ({error}); export it again.") from error
    table.columns = table.columns.str.strip().str.lower()
    missing = [name for name in names if name not in table.columns]
    if missing:
        raise AlloyError(
            f"{path.name} has no column {missing[0]}; export TrackMate's tables of spots and of "
            "edges, and name the one with spots first."
        )
    numbers = table[list(names)].apply(pd.to_numeric, errors="coerce")
    bad = numbers.isna().any(axis=1)
    n_more = 0
    while n_more < min(MORE_HEADERS, len(bad)) and bad.iloc[n_more]:
        n_more += 1
    if bad.iloc[n_more:].any():
        line = n_more + int(bad.iloc[n_more:].to_numpy().argmax()) + 2
        raise AlloyError(f"{path.name}, line {line}: not a number; export it again.")
    return numbers.iloc[n_more:].rename(columns=names).reset_index(drop=True)
