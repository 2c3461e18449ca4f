"""What was changed by hand in a Points layer of nucleation sites."""

from __future__ import annotations

from collections.abc import Collection

import numpy as np
import pandas as pd

from napari_lithium_alloy.core.recording import FloatArray
from napari_lithium_alloy.core.tables import TABLES

Positions = list[tuple[float, float]]


def with_source(sites: pd.DataFrame, source: str = "detected") -> pd.DataFrame:
    """The table `sites` in which each says where it is from and whether it is locked."""
    table = sites.reset_index(drop=True).copy()
    known = table["source"] if "source" in table else pd.Series(pd.NA, index=table.index)
    locked = table["locked"] if "locked" in table else pd.Series(pd.NA, index=table.index)
    table["source"] = known.astype("string").fillna(source)
    table["locked"] = locked.astype("boolean").fillna(False)
    return table


def with_locks(sites: pd.DataFrame, numbers: Collection[int]) -> pd.DataFrame:
    """The sites with some of them locked or, if all of these are locked, free again."""
    table = with_source(sites)
    chosen = table["site"].isin(list(numbers))
    table.loc[chosen, "locked"] = not bool(table.loc[chosen, "locked"].all())
    return table


def read_edits(
    known: pd.DataFrame, ids: FloatArray, positions_um: FloatArray, tolerance_um: float, cycle: int
) -> tuple[pd.DataFrame, Positions]:
    """The sites as they stand in the layer, and where detected ones were taken away.

    Parameters
    ----------
    known : pandas.DataFrame
        The table `sites` with the column `source`, as last put into the layer.
    ids : numpy.ndarray
        (N,) site number of each point, NaN where it has none; napari gives a new point the
        number of the one selected last, so a point's place counts before its number.
    positions_um : numpy.ndarray
        (N, 2) y and x, micrometres.
    tolerance_um : float
        A point that is further from its place has been moved.
    cycle : int
        Cycle of new points.

    Returns
    -------
    sites : pandas.DataFrame
        In the order of the points; moved and added ones are to be measured again.
    vacated : list of (float, float)
        Places of detected sites that were deleted or moved.
    """
    rows, vacated = [], []
    owners = _owners(known, ids, positions_um, tolerance_um)
    following = int(known["site"].max()) + 1 if len(known) else 1
    for point, place in enumerate(positions_um):
        if point not in owners:
            rows.append(_new_row(following, cycle, place))
            following += 1
            continue
        row = known.loc[owners[point]].to_dict()
        old = np.array([row["y_um"], row["x_um"]], dtype=float)
        if np.hypot(*(place - old)) > tolerance_um:
            if row["source"] == "detected":
                vacated.append((float(old[0]), float(old[1])))
            source = "added" if row["source"] == "added" else "moved"
            kept = {"source": source, "locked": row["locked"]}
            row |= _new_row(int(row["site"]), int(row["cycle"]), place) | kept
        rows.append(row)
    gone = known.drop(index=list(owners.values()))
    gone = gone[gone["source"] != "added"]
    vacated += [(float(y), float(x)) for y, x in gone[["y_um", "x_um"]].to_numpy(float)]
    return _table(rows), vacated


def _owners(
    known: pd.DataFrame, ids: FloatArray, positions_um: FloatArray, tolerance_um: float
) -> dict[int, int]:
    """Index of the known site that each point is, by point: by its place, else by its number."""
    owners: dict[int, int] = {}
    free = np.ones(len(ids), dtype=bool)
    places = known[["y_um", "x_um"]].to_numpy(float)
    numbers = known["site"].to_numpy(float)
    unfound = list(range(len(known)))
    for by_place in (True, False):
        for row in list(unfound):
            far = np.hypot(*(positions_um - places[row]).T)
            claims = free & (far <= tolerance_um if by_place else ids == numbers[row])
            if claims.any():
                point = int(np.argmin(np.where(claims, far, np.inf)))
                owners[point] = known.index[row]
                free[point] = False
                unfound.remove(row)
    return owners


def _new_row(site: int, cycle: int, place_um: FloatArray) -> dict[str, object]:
    nothing = {c: np.nan if t == "float64" else pd.NA for c, t in TABLES["sites"].items()}
    return nothing | {
        "site": site,
        "cycle": cycle,
        "y_um": float(place_um[0]),
        "x_um": float(place_um[1]),
        "reason": "not measured yet",
        "source": "added",
        "locked": False,
    }


def _table(rows: list[dict[str, object]]) -> pd.DataFrame:
    types = TABLES["sites"]
    return pd.DataFrame(rows, columns=list(types)).astype(types)
