"""Compiled loops over pixels. Import them only where they are used: they load numba."""
