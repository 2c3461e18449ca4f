"""A recording into layers: what the reader, the samples and the workspace share."""

from __future__ import annotations

from pathlib import Path

from napari_lithium_alloy._napari.layers import LayerTuple, counts_layer
from napari_lithium_alloy.core.experiment import Experiment

_just_opened: dict[str, Experiment] = {}
"""Opened by the reader and not yet taken by a viewer's session: a reader knows no viewer."""


def open_layers(path: str | Path) -> list[LayerTuple]:
    """Open a recording and describe a layer for each of its fields of view.

    Raises
    ------
    AlloyError
        If it cannot be opened.
    """
    from napari_lithium_alloy.io.recording_file import open_experiment

    experiment = open_experiment(Path(path))
    trans_on_top = sorted(experiment.recordings, key=lambda r: r.mode == "trans")
    layers = [counts_layer(r, opened_from=str(path)) for r in trans_on_top]
    _just_opened[str(path)] = experiment
    return layers


def take_opened(path: str) -> Experiment:
    """The experiment a layer came from, opened again unless the reader has just done so.

    Raises
    ------
    AlloyError
        If it cannot be opened any more.
    """
    from napari_lithium_alloy.io.recording_file import open_experiment

    known = _just_opened.pop(path, None)
    return open_experiment(Path(path)) if known is None else known
