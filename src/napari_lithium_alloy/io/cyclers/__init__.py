"""Potential and current from cycler files."""

from napari_lithium_alloy.io.cyclers.choice import OFFERED_UNITS, ColumnsNotToldError
from napari_lithium_alloy.io.cyclers.reading import QUANTITIES, columns_of, read_potential

__all__ = [
    "OFFERED_UNITS",
    "QUANTITIES",
    "ColumnsNotToldError",
    "columns_of",
    "read_potential",
]
