"""Operando optical microscopy of lithium alloying in thin metal films, in napari and without it."""

from importlib.metadata import PackageNotFoundError, version

try:
    __version__ = version("napari-lithium-alloy")
except PackageNotFoundError:  # a source tree that was never installed
    __version__ = "0+unknown"

__all__ = ["__version__"]
