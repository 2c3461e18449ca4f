"""A recording opened into a viewer, as the workspace and a study do it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from napari_lithium_alloy._napari.adding import add_layers
from napari_lithium_alloy._napari.opened import Opened
from napari_lithium_alloy._napari.opening import open_layers
from napari_lithium_alloy._napari.session import session_of

if TYPE_CHECKING:
    from napari.components import ViewerModel


def open_in(viewer: ViewerModel, path: Path, which: str | None = None) -> list[Opened]:
    """Open a recording: a layer for each of its fields of view; the docks turn to one of them.

    Parameters
    ----------
    viewer : napari Viewer
    path : Path
    which : str, optional
        Name or mode of that one; None: trans, else the first.

    Raises
    ------
    AlloyError
        If it cannot be opened.
    """
    session = session_of(viewer)
    layers = add_layers(viewer, open_layers(path))
    opened = [o for layer in layers if (o := session.opened_of(layer)) is not None]
    session.current = chosen(opened, which)
    viewer.reset_view()
    return opened


def chosen(opened: list[Opened], which: str | None = None) -> Opened:
    """The one of a name or mode; None: trans, else the first."""
    wanted = which or "trans"
    named = [o for o in opened if wanted in (o.recording.mode, o.name)]
    return (named or opened)[0]
