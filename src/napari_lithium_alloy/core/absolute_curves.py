"""Absolute transmittance, reflectance and absorptance of regions against time."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from napari_lithium_alloy.core.absolute_optics import ALLOWED_SUM, Eyes
from napari_lithium_alloy.core.curves import FIELD, region_curves
from napari_lithium_alloy.core.progress import Work, part
from napari_lithium_alloy.core.recording import FloatArray, Region


def absolute_curves(
    eyes: Eyes, regions: Sequence[Region] = (), *, with_field: bool = True
) -> Work[pd.DataFrame]:
    """Mean absolute transmittance, reflectance and absorptance of regions at trans's times.

    Each region is taken where both recordings see it, on epi through the alignment, so no picture
    is resampled. Epi's means are interpolated to the true times of trans within its own range.

    Parameters
    ----------
    eyes : Eyes
    regions : sequence of Region
        On the trans picture.
    with_field : bool
        Whether all that both see comes first.

    Returns
    -------
    pandas.DataFrame
        time_s, region, absolute_transmittance, absolute_reflectance, absorptance, and `physical`:
        False where T + R is above 1, NA where either is not known.
    """
    rows, columns = eyes.trans.field_shape
    corners = np.array([(0, 0), (0, columns), (rows, columns), (rows, 0)]) - 0.5
    chosen = [Region(name=FIELD, vertices_px=corners)] * with_field + list(regions)
    seen = yield from part(
        region_curves(
            eyes.trans,
            eyes.trans_standard.reference,
            chosen,
            valid=eyes.seen_by_both,
            with_field=False,
        ),
        0, 50, 100,
    )  # fmt: skip
    moved = [eyes.on_epi(region) for region in chosen]
    other = yield from part(
        region_curves(eyes.epi, eyes.epi_standard.reference, moved, with_field=False),
        50, 100, 100,
    )  # fmt: skip
    table = pd.DataFrame(
        {
            "time_s": seen["time_s"],
            "region": seen["region"].astype("string"),
            "absolute_transmittance": eyes.trans_standard.value * _ratio(seen),
            "absolute_reflectance": np.nan,
        }
    )
    for region, own in other.groupby("region", sort=False):
        here = (table["region"] == region).to_numpy(bool)
        table.loc[here, "absolute_reflectance"] = np.interp(
            table.loc[here, "time_s"],
            own["time_s"],
            eyes.epi_standard.value * _ratio(own),
            left=np.nan,
            right=np.nan,
        )
    total = table["absolute_transmittance"] + table["absolute_reflectance"]
    table["absorptance"] = 1 - total
    table["physical"] = (total <= ALLOWED_SUM).astype("boolean").mask(total.isna())
    return table


def _ratio(curves: pd.DataFrame) -> FloatArray:
    """Light over that of the standard, under whichever name the mode gives it."""
    passed = curves["transmittance"].to_numpy(float)
    reflected = curves["relative_reflectance"].to_numpy(float)
    return np.asarray(np.where(np.isnan(passed), reflected, passed))


def sum_checks(curves: pd.DataFrame) -> list[str]:
    """One sentence for each region whose transmittance and reflectance add up to more than 1.

    Parameters
    ----------
    curves : pandas.DataFrame
        As from `absolute_curves`.
    """
    said = []
    for region, rows in curves.groupby("region", sort=False):
        known = rows["physical"].dropna()
        wrong = int((~known.astype(bool)).sum())
        if wrong:
            largest = 1 - float(rows["absorptance"].min())
            said.append(
                f"T + R of {region} is above 1 at {wrong} of {len(known)} times (up to "
                f"{largest:.3f}): check the standards, the dark levels and the alignment."
            )
    return said
