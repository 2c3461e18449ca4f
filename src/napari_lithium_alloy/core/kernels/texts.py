"""Rows of numbers as text: of each number the shortest that reads back exactly, as Python's.

Adams 2018, DOI 10.1145/3192366.3192369.
"""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

Bytes = NDArray[np.uint8]
U = np.uint64
FLOAT, WHOLE, TRUTH = 0, 1, 2
"""Kinds of columns."""
MOST_BYTES = 26
"""That one number takes, with what parts it from the next."""
_BITS = 125
"""That are kept of a power of five."""
_TEN, _LOW, _HALF = U(10), U(0xFFFFFFFF), U(32)
_COMMA, _NEWLINE, _MINUS, _DOT, _ZERO, _E, _PLUS = (np.uint8(ord(c)) for c in ",\n-.0e+")
_TRUE, _FALSE, _ENDLESS = (np.frombuffer(word, np.uint8) for word in (b"True", b"False", b"inf"))


def _halves(numbers: list[int]) -> NDArray[np.uint64]:
    """(N, 2) low and high 64 bits."""
    return np.array([(n & (2**64 - 1), n >> 64) for n in numbers], dtype=np.uint64)


_FIVES = [5**i for i in range(342)]
_LENGTHS = np.array([five.bit_length() for five in _FIVES])
_POWERS = _halves([(five << 400) >> (five.bit_length() + 400 - _BITS) for five in _FIVES[:326]])
_INVERSES = _halves([(1 << (five.bit_length() - 1 + _BITS)) // five + 1 for five in _FIVES])


@njit(nogil=True, cache=True, error_model="numpy")
def _high_and_low(a: np.uint64, b: np.uint64) -> tuple[np.uint64, np.uint64]:
    """Product of two numbers of 64 bits."""
    a0, a1, b0, b1 = a & _LOW, a >> _HALF, b & _LOW, b >> _HALF
    low, middle, other = a0 * b0, a1 * b0, a0 * b1
    carry = (low >> _HALF) + (middle & _LOW) + (other & _LOW)
    high = a1 * b1 + (middle >> _HALF) + (other >> _HALF) + (carry >> _HALF)
    return high, (carry << _HALF) | (low & _LOW)


@njit(nogil=True, cache=True, error_model="numpy")
def _scaled(m: np.uint64, factor: NDArray[np.uint64], shift: int) -> np.uint64:
    """Whole part of a number times a factor of 128 bits over 2^(64 + shift)."""
    carry = _high_and_low(m, factor[0])[0]
    high, low = _high_and_low(m, factor[1])
    total = low + carry
    if total < low:
        high += U(1)
    return np.uint64((high << U(64 - shift)) | (total >> U(shift)))


@njit(nogil=True, cache=True, error_model="numpy")
def _is_multiple_of_five(value: np.uint64, power: int) -> bool:
    for _ in range(power):
        if value % U(5) != 0:
            return False
        value //= U(5)
    return True


@njit(nogil=True, cache=True, error_model="numpy")
def shortest(bits: np.uint64) -> tuple[np.uint64, int]:
    """Digits, as a whole number, and power of ten of a positive float given by its bits."""
    mantissa, exponent = bits & U(2**52 - 1), np.int64(bits >> U(52))
    e2 = -1076 if exponent == 0 else exponent - 1077
    m2 = mantissa if exponent == 0 else mantissa | U(2**52)
    even = m2 & U(1) == 0
    closer = U(1) if mantissa != 0 or exponent <= 1 else U(0)
    middle = U(4) * m2
    above, below = middle + U(2), middle - U(1) - closer
    exact = exact_below = False
    cut = False
    if e2 >= 0:
        q = max(e2 * 78913 // 2**18 - (1 if e2 > 3 else 0), 0)
        e10 = q
        shift = -e2 + q + _BITS + _LENGTHS[q] - 1 - 64
        factor = _INVERSES[q]
        if q <= 21:
            if middle % U(5) == 0:
                exact = _is_multiple_of_five(middle, q)
            elif even:
                exact_below = _is_multiple_of_five(below, q)
            else:
                cut = _is_multiple_of_five(above, q)
    else:
        q = -e2 * 732923 // 2**20 - (1 if -e2 > 1 else 0)
        e10 = q + e2
        i = -e2 - q
        shift = q - (_LENGTHS[i] - _BITS) - 64
        factor = _POWERS[i]
        if q <= 1:
            exact = True
            exact_below, cut = even and closer == 1, not even
        elif q < 63:
            exact = middle & ((U(1) << U(q)) - U(1)) == 0
    value, high, low = (
        _scaled(middle, factor, shift),
        _scaled(above, factor, shift),
        _scaled(below, factor, shift),
    )
    if cut:
        high -= U(1)
    digits, power = _least_digits(value, (low, high), even, (exact, exact_below), e10)
    return digits, power


@njit(nogil=True, cache=True, error_model="numpy")
def _least_digits(
    value: np.uint64,
    ends: tuple[np.uint64, np.uint64],
    closed: bool,
    exact: tuple[bool, bool],
    power: int,
) -> tuple[np.uint64, int]:
    """The nearest to a value of the numbers of fewest digits between two ends.

    `closed` tells whether the ends count, `exact` whether nothing was cut off the value and off
    the lower end.
    """
    low, high = ends
    whole, whole_low = exact
    last = U(0)
    while high // _TEN > low // _TEN:
        whole_low &= low % _TEN == 0
        whole &= last == 0
        last = value % _TEN
        value, high, low = value // _TEN, high // _TEN, low // _TEN
        power += 1
    if whole_low:
        while low % _TEN == 0 and low != 0:
            whole &= last == 0
            last = value % _TEN
            value, low = value // _TEN, low // _TEN
            power += 1
    if whole and last == 5 and value & U(1) == 0:
        last = U(4)
    if (value == low and not (closed and whole_low)) or last >= 5:
        value += U(1)
    return value, power


@njit(nogil=True, cache=True, error_model="numpy")
def _put_digits(value: np.uint64, n: int, at: int, out: Bytes) -> int:
    """Write the last n digits of a number; where they end."""
    for i in range(at + n - 1, at - 1, -1):
        out[i] = _ZERO + np.uint8(value % _TEN)
        value //= _TEN
    return at + n


@njit(nogil=True, cache=True, error_model="numpy")
def _length(value: np.uint64) -> int:
    n = 1
    while value >= _TEN:
        value //= _TEN
        n += 1
    return n


@njit(nogil=True, cache=True, error_model="numpy")
def _put_whole(value: int, at: int, out: Bytes) -> int:
    if value < 0:
        out[at] = _MINUS
        at += 1
    size = U(-value) if value < 0 else U(value)
    return int(_put_digits(size, _length(size), at, out))


@njit(nogil=True, cache=True, error_model="numpy")
def _put_word(word: Bytes, at: int, out: Bytes) -> int:
    for letter in word:
        out[at] = letter
        at += 1
    return at


@njit(nogil=True, cache=True, error_model="numpy")
def _put_float(value: float, bits: np.uint64, at: int, out: Bytes) -> int:
    """Write a number as Python does; where it ends."""
    if bits >> U(63):
        out[at] = _MINUS
        at += 1
    if np.isinf(value):
        return int(_put_word(_ENDLESS, at, out))
    if value == 0:
        out[at], out[at + 1], out[at + 2] = _ZERO, _DOT, _ZERO
        return at + 3
    digits, power = shortest(bits & U(2**63 - 1))
    n = _length(digits)
    point = n + power
    if point > 16 or point <= -4:
        return int(_put_scientific(digits, n, point - 1, at, out))
    if point <= 0:
        out[at], out[at + 1] = _ZERO, _DOT
        for i in range(-point):
            out[at + 2 + i] = _ZERO
        return int(_put_digits(digits, n, at + 2 - point, out))
    if power >= 0:
        at = _put_digits(digits, n, at, out)
        for i in range(power):
            out[at + i] = _ZERO
        out[at + power], out[at + power + 1] = _DOT, _ZERO
        return int(at + power + 2)
    end = _put_digits(digits, n, at + 1, out)
    for i in range(at, at + point):
        out[i] = out[i + 1]
    out[at + point] = _DOT
    return int(end)


@njit(nogil=True, cache=True, error_model="numpy")
def _put_scientific(digits: np.uint64, n: int, power: int, at: int, out: Bytes) -> int:
    end = int(_put_digits(digits, n, at + 1, out))
    out[at] = out[at + 1]
    out[at + 1] = _DOT
    if n == 1:
        end = at + 1
    out[end], out[end + 1] = _E, _MINUS if power < 0 else _PLUS
    size = U(abs(power))
    return int(_put_digits(size, max(2, _length(size)), end + 2, out))


@njit(nogil=True, cache=True, error_model="numpy")
def put_rows(
    values: NDArray[np.int64], missing: NDArray[np.bool_], kinds: NDArray[np.int64], out: Bytes
) -> int:
    """Write rows of numbers, with commas between them; how many bytes that takes.

    Parameters
    ----------
    values : (N, C) int64 array
        Whole numbers, truth values, and floats by their bits.
    missing : (N, C) bool array
        What stays empty.
    kinds : (C,) int64 array
        `FLOAT`, `WHOLE` or `TRUTH`.
    out : uint8 array
        With room for `MOST_BYTES` a number.
    """
    at = 0
    floats, bits = values.view(np.float64), values.view(np.uint64)
    for r in range(values.shape[0]):
        for c in range(values.shape[1]):
            if not missing[r, c]:
                if kinds[c] == FLOAT:
                    at = _put_float(floats[r, c], bits[r, c], at, out)
                elif kinds[c] == WHOLE:
                    at = _put_whole(values[r, c], at, out)
                else:
                    at = _put_word(_TRUE if values[r, c] else _FALSE, at, out)
            out[at] = _COMMA
            at += 1
        out[at - 1] = _NEWLINE
    return at
