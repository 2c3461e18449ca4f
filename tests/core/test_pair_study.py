"""Pearson's r of one recording as a study compares it."""

import math

import numpy as np
import pandas as pd
import pytest

from napari_lithium_alloy.core.pair_study import fisher_interval, pair_study
from napari_lithium_alloy.core.tables import STUDIES, conform


def table(*rows):
    return conform("colocalization", pd.DataFrame(rows))


def row(a, b, r=0.5, n=28.0, **more):
    return {"a": a, "b": b, "pearson_r": r, "n_effective": n, "region": "field"} | more


def test_the_pairs_of_the_paper_and_the_onsets():
    found = pair_study(
        table(
            row("cycle1_step1_onset", "cycle1_step2_onset", -0.9),
            row("cycle1_step1_unalloyed_middle", "cycle1_step2_alloyed_middle", 0.631),
            row("cycle1_step1_unalloyed_middle", "cycle1_step2_alloyed_end", 0.1),
            row("cycle1_step1_alloyed_start", "cycle1_sites", 0.038),
            row("cycle1_step1_alloyed_middle", "cycle1_sites", 0.037, region="Area Init"),
            row("cycle2_step1_onset", "cycle2_step2_onset", -0.2),
        )
    )
    assert list(found.columns) == list(STUDIES["pair_study"])
    assert dict(zip(found["pair"], found["pearson_r"], strict=True)) == {
        "S1 onset & S2 onset": -0.9,
        "S1 unalloyed mid & S2 alloyed mid": 0.631,
        "S1 alloyed start & Li": 0.038,
        "S1 onset & S2 onset, cycle 2": -0.2,
    }
    assert found["cycle"].tolist() == [1, 1, 1, 2]


def test_an_interval_of_r_is_fishers():
    low, high = fisher_interval(0.5, 28.0)
    z = np.arctanh(0.5)
    assert (low, high) == pytest.approx(np.tanh([z - 1.96 / 5, z + 1.96 / 5]), abs=1e-4)
    assert all(map(math.isnan, fisher_interval(0.5, 3.0)))
    assert all(map(math.isnan, fisher_interval(1.0, 30.0)))
    assert all(map(math.isnan, fisher_interval(np.nan, 30.0)))


def test_what_is_not_known_keeps_or_gets_its_reason():
    pair = ("cycle1_step1_onset", "cycle1_step2_onset")
    uniform = pair_study(table(row(*pair, np.nan, np.nan, reason="step 1 is uniform")))
    assert uniform["reason"].tolist() == ["step 1 is uniform"]
    few = pair_study(table(row(*pair, 0.4, 2.5)))
    assert few["pearson_r"].tolist() == [0.4]
    assert few["r_low"].isna().all()
    assert "too few" in few["reason"][0]
    assert not len(pair_study(table(row("mine", "yours"))))
