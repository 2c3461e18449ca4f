"""Order and ranks of many values against numpy and scipy."""

import numpy as np
import pytest
from scipy.stats import rankdata

from napari_lithium_alloy.core.kernels.ranking import average_ranks, order_of


@pytest.mark.parametrize("kind", ["noise", "ties", "one", "none"])
def test_order_and_ranks_are_numpys_and_scipys(kind):
    rng = np.random.default_rng(4)
    values = {
        "noise": rng.normal(0, 1e3, 5000),
        "ties": np.concatenate([rng.integers(-3, 4, 2000), [0.0, -0.0]]),
        "one": np.array([2.5]),
        "none": np.empty(0),
    }[kind].astype(np.float32)
    assert np.array_equal(order_of(values), np.argsort(values, kind="stable"))
    ranks = np.empty(len(values))
    average_ranks(values, ranks)
    assert np.array_equal(ranks, rankdata(values))
