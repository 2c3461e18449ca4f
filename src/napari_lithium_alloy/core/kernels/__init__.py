"""Compiled loops over pixels. Import its modules only where they are used: they load numba."""

import numpy as np

COMPILED_FOR = tuple(np.dtype(t) for t in (np.uint8, np.uint16, np.float32))
"""Counts of other types become float32 first."""
