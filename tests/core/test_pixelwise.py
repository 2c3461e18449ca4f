from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_lithium_alloy.core import pixelwise as module
from napari_lithium_alloy.core.pixelwise import pixelwise, pixelwise_several


@given(
    height=st.integers(1, 40),
    width=st.integers(1, 40),
    block=st.integers(1, 200),
    seed=st.integers(0, 99),
)
def test_blocks_give_what_whole_pictures_do(height, width, block, seed):
    rng = np.random.default_rng(seed)
    a, b = rng.normal(size=(2, height, width)).astype(np.float32)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "BLOCK_PX", block)
        total, less = pixelwise_several(
            lambda a, b, c: (a * b + c, a < b), a, b, 3.0, dtypes=(np.float64, np.bool_)
        )
        one = pixelwise(np.maximum, a, b)
    np.testing.assert_array_equal(total, a * b + 3.0)
    np.testing.assert_array_equal(less, a < b)
    np.testing.assert_array_equal(one, np.maximum(a, b))
    assert (total.dtype, less.dtype, one.dtype) == (np.float64, bool, np.float32)


def test_an_error_of_a_block_is_raised():
    def fails(_: np.ndarray) -> np.ndarray:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        pixelwise(fails, np.zeros((3, 3), np.float32))
