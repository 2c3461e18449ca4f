"""Where nucleation sites and pores are, as masks to compare with steps."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd

from napari_lithium_alloy.core.photometry import Float32Array
from napari_lithium_alloy.core.pore_tracking import PoreTracks


def spot_masks(
    sites: pd.DataFrame,
    tracks: PoreTracks | None,
    ends_s: Mapping[int, float],
    shape: tuple[int, int],
    pixel_size_um: float | None,
) -> dict[str, Float32Array]:
    """(Y, X) masks of each cycle's sites and pores; of no sites without a pixel size."""
    masks = {} if pixel_size_um is None else site_masks(sites, shape, pixel_size_um)
    return masks | ({} if tracks is None else pore_masks(tracks, ends_s))


def site_masks(
    sites: pd.DataFrame, shape: tuple[int, int], pixel_size_um: float
) -> dict[str, Float32Array]:
    """(Y, X) float32: 1 in the discs of each cycle's nucleation sites, by names as cycle1_sites.

    Parameters
    ----------
    sites : pandas.DataFrame
        With columns cycle, y_um, x_um, radius_um; a disc has a radius of at least one pixel.
    shape : (int, int)
    pixel_size_um : float
    """
    from napari_lithium_alloy.core.kernels.discs import paint_discs

    masks = {}
    for cycle, own in sites.groupby("cycle"):
        mask = np.zeros(shape, dtype=np.float32)
        px = own[["y_um", "x_um", "radius_um"]].to_numpy(float) / pixel_size_um
        px = px[np.isfinite(px[:, :2]).all(axis=1)]
        paint_discs(np.ascontiguousarray(px[:, :2]), np.fmax(px[:, 2], 1.0), mask)
        masks[f"cycle{cycle}_sites"] = mask
    return masks


def pore_masks(tracks: PoreTracks, ends_s: Mapping[int, float]) -> dict[str, Float32Array]:
    """(Y, X) float32: 1 in the pores there are at each cycle's end, by names as cycle1_pores.

    Parameters
    ----------
    tracks : PoreTracks
    ends_s : mapping of int to float
        By cycle, the end of its dealloying in seconds.
    """
    masks = {}
    for cycle, end_s in ends_s.items():
        seen = np.flatnonzero(tracks.times_s <= end_s)
        if seen.size:
            labels = np.asarray(tracks.labels[int(seen[-1])])
            masks[f"cycle{cycle}_pores"] = (labels > 0).astype(np.float32)
    return {name: mask for name, mask in masks.items() if mask.any()}
