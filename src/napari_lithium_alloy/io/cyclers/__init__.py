"""Potential and current from cycler files."""

from napari_lithium_alloy.io.cyclers.reading import QUANTITIES, read_potential

__all__ = ["QUANTITIES", "read_potential"]
