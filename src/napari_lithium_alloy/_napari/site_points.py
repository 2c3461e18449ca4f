"""The Points layer of nucleation sites: what is in it, and keys on it."""

from __future__ import annotations

import weakref
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd

from napari_lithium_alloy._napari.layers import site_colours, site_features, site_sizes
from napari_lithium_alloy.core.recording import FloatArray

LOCK_KEY = "L"


def places_um(layer: Any) -> FloatArray:
    """(N, 2) world positions of a Points layer, the last two axes."""
    places = [np.asarray(layer.data_to_world(p), dtype=float)[-2:] for p in layer.data]
    return np.array(places).reshape(-1, 2)


def numbers_in(layer: Any) -> FloatArray:
    """(N,) site number of each point, NaN where it has none."""
    return np.asarray(pd.to_numeric(layer.features["site"]).to_numpy(float))


def selected_in(layer: Any) -> list[int]:
    """Numbers of the sites selected."""
    if layer is None:
        return []
    numbers = numbers_in(layer)
    chosen = [numbers[i] for i in sorted(layer.selected_data) if i < len(numbers)]
    return [int(n) for n in chosen if np.isfinite(n)]


def show_in(layer: Any, sites: pd.DataFrame, pixel_size_um: float) -> None:
    """Put sites into a layer of ours in place of what it holds."""
    layer.selected_data = set()
    layer.data = sites[["y_um", "x_um"]].to_numpy(float).reshape(-1, 2) / pixel_size_um
    mark_in(layer, sites)
    if len(sites):
        layer.size = site_sizes(sites, pixel_size_um)
    layer.refresh()


def mark_in(layer: Any, sites: pd.DataFrame) -> None:
    """Write features and colours of the points as they are."""
    layer.features = site_features(sites)
    if len(sites):
        layer.border_color = site_colours(sites)


def bind_lock(layer: Any, lock: Callable[[], None]) -> None:
    """Lock or free the selected points with a key; a bound method is held weakly."""
    held = weakref.WeakMethod(lock)

    def pressed(_layer: Any) -> None:
        method = held()
        if method is not None:
            method()

    layer.bind_key(LOCK_KEY, pressed, overwrite=True)
