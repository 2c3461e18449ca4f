"""Errors for users: one sentence in a napari notification."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from napari_lithium_alloy.core.errors import AlloyError


@contextmanager
def alloy_errors_shown() -> Iterator[None]:
    """Show an AlloyError raised inside as a notification and go on after the block."""
    from napari.utils.notifications import show_error

    try:
        yield
    except AlloyError as error:
        show_error(str(error))
