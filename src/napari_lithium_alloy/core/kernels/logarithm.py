"""The natural logarithm of light, as compiled loops over pixels want it."""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.polynomial import Chebyshev, Polynomial

from napari_lithium_alloy.core.recording import FloatArray

_DEGREE = 6
_HALF_WIDTH = 1 / 3


def _series() -> tuple[np.float32, ...]:
    """Coefficients of log(1 + f) / f in powers of f, nearly minimax for |f| <= 1/3."""

    def ratio(f: FloatArray) -> FloatArray:
        safe = np.where(f == 0, 1.0, f)
        return np.asarray(np.where(f == 0, 1.0, np.log1p(safe) / safe))

    fitted = Chebyshev.interpolate(ratio, _DEGREE, domain=[-_HALF_WIDTH, _HALF_WIDTH])
    return tuple(np.float32(c) for c in fitted.convert(kind=Polynomial).coef)


_C0, _C1, _C2, _C3, _C4, _C5, _C6 = _series()
TWO_THIRDS_BITS = np.float32(2 / 3).view(np.int32)
EXPONENT_BITS = np.int32(-(2**23))
_LN_2_A_BIT = np.float32(np.log(2) / 2**23)
_ONE = np.float32(1)


@njit(inline="always")
def log32(value: np.float32) -> np.float32:
    """Natural logarithm of a positive normal float32, within 1e-6 of its size or of 1.

    The number is 2^n (1 + f) with 2/3 <= 1 + f < 4/3. A loop over these lines becomes vector
    instructions, which one that calls the library's logarithm does not.
    """
    bits = np.float32(value).view(np.int32)
    exponent = np.int32((bits - TWO_THIRDS_BITS) & EXPONENT_BITS)
    f = np.int32(bits - exponent).view(np.float32) - _ONE
    series = _C0 + f * (_C1 + f * (_C2 + f * (_C3 + f * (_C4 + f * (_C5 + f * _C6)))))
    return np.float32(exponent) * _LN_2_A_BIT + f * series
