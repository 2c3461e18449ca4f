"""Reader and sample data, as the manifest names them. Nothing heavy is imported here."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

PathOrPaths = str | list[str]


def get_reader(path: PathOrPaths) -> Callable[[PathOrPaths], list[Any]] | None:
    """A reader of one recording, or None for several paths at once."""
    if isinstance(path, list):
        if len(path) != 1:
            return None
        path = path[0]
    return read if Path(path).exists() else None


def read(path: PathOrPaths) -> list[Any]:
    """Layers of a recording; what is wrong with it becomes one notification."""
    from napari_lithium_alloy._napari.notify import alloy_errors_shown
    from napari_lithium_alloy._napari.opening import open_layers

    with alloy_errors_shown():
        return list(open_layers(path[0] if isinstance(path, list) else path))
    return [(None,)]


def sample_gold() -> list[Any]:
    """A gold film over one cycle."""
    return _sample("au_one_cycle")


def sample_silver() -> list[Any]:
    """A silver film over three cycles."""
    return _sample("ag_three_cycles")


def _sample(name: str) -> list[Any]:
    from napari_lithium_alloy.sample_data import sample_dir

    return read(str(sample_dir(name) / "recording.toml"))
