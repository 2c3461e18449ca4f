"""Figures of pairs: what they say of r, of chance, and of steps without r."""

import numpy as np
import pandas as pd
import pytest
from planted import recording_of

from napari_lithium_alloy.core.complementary_montage import complementary_montage
from napari_lithium_alloy.core.onset import onset_map
from napari_lithium_alloy.core.photometry import reference_frame
from napari_lithium_alloy.core.progress import finish
from napari_lithium_alloy.core.stages import Stage, StageKind
from napari_lithium_alloy.core.tables import conform
from napari_lithium_alloy.io.figures.pairs import (
    agreement_figure,
    boundary_figure,
    complementary_figure,
    matrix_figure,
    pairs_figure,
    regions_figure,
)

UNIFORM = "cycle1_step3 is uniform: its onset spread is under 3 times its uncertainty"
NAMES = [f"cycle1_step{k}" for k in (1, 2, 3)]


def texts(figure):
    return {t.get_text() for t in figure.findobj(lambda a: hasattr(a, "get_text")) if t.get_text()}


@pytest.fixture
def table():
    rows = [
        ("cycle1_step1_unalloyed_middle", "cycle1_step2_alloyed_middle", 0.63, -0.2, 0.18, ""),
        ("cycle1_step1_alloyed_middle", "cycle1_step2_alloyed_middle", -0.63, -0.18, 0.2, ""),
        ("cycle1_step1_unalloyed_middle", "cycle1_step2_unalloyed_middle", -0.63, -0.18, 0.2, ""),
        ("cycle1_step1_alloyed_start", "cycle1_sites", -0.004, -0.08, 0.07, ""),
        ("cycle1_step1_alloyed_middle", "cycle1_step3_alloyed_middle", *[np.nan] * 3, UNIFORM),
    ]
    columns = ["a", "b", "pearson_r", "null_low", "null_high", "reason"]
    return conform("colocalization", pd.DataFrame(rows, columns=columns))


def test_each_bar_stands_over_its_null_and_says_when_it_is_inside(table):
    pairs = list(zip(table["a"], table["b"], strict=True))
    figure = pairs_figure(table, [pairs[0], pairs[3], pairs[4]])
    assert {"0.63", "0.00 (n.s.)", "uniform step"} <= texts(figure)
    assert {"S1 unalloyed mid & S2 alloyed mid", "S1 alloyed start & Li"} <= texts(figure)
    (axes,) = figure.axes
    ends = [end for p in axes.patches for end in (p.get_x(), p.get_x() + p.get_width())]
    assert ends == pytest.approx([-0.2, 0.18, 0, 0.63, -0.08, 0.07, 0, -0.004])


def test_the_matrix_has_unalloyed_regions_above_and_alloyed_below(table):
    figure = matrix_figure(table, NAMES)
    axes = figure.axes[0]
    values = np.asarray(axes.images[0].get_array())
    assert values[0, 1] == pytest.approx(-0.63)  # row step 1, column step 2: alloyed
    assert values[1, 0] == pytest.approx(-0.63)  # unalloyed
    assert np.isnan(values[0, 0])
    assert np.isnan(values[0, 2])
    assert {"uniform\nstep", "[-0.18, 0.20]", "unalloyed, middle", "alloyed, middle"} <= texts(
        figure
    )
    assert axes.images[0].get_clim() == (-1, 1)
    assert [t.get_text() for t in axes.get_xticklabels()] == ["S1m", "S2m", "S3m"]


def test_regions_are_dark_where_alloyed():
    alloyed = np.zeros((8, 10), np.float32)
    alloyed[:, :4], alloyed[0, 0] = 1, np.nan
    images = {f"cycle1_step1_alloyed_{m}": alloyed for m in ("start", "middle", "end")}
    figure = regions_figure(images, ["cycle1_step1"], [0.2, 0.5, 0.8], 0.065)
    shown = np.asarray(figure.axes[0].images[0].get_array())
    assert shown[3, 2] == 40
    assert shown[3, 7] == 255
    assert shown[0, 0] == 128
    assert {"S1s, 20 % alloyed", "S1e, 80 % alloyed"} <= texts(figure)


def test_r_against_the_boundary_is_drawn_with_its_band():
    rows = [
        (1, "cycle1_step1_onset", "cycle1_step2_onset", s, 0.1 * s, -0.3, 0.3) for s in (-4, 0, 4)
    ]
    columns = ["cycle", "a", "b", "shift_s", "pearson_r", "null_low", "null_high"]
    figure = boundary_figure(conform("boundary_shifts", pd.DataFrame(rows, columns=columns)))
    line = figure.axes[0].get_lines()[0]
    assert line.get_xdata().tolist() == [-4, 0, 4]
    assert line.get_ydata() == pytest.approx([-0.4, 0, 0.4])
    assert "S1 onset & S2 onset" in texts(figure)


def test_agreement_is_coloured_about_0():
    agreement = np.random.default_rng(0).standard_normal((12, 12)).astype(np.float32)
    figure = agreement_figure(
        agreement, np.clip(agreement, -1, 1), ("a", "b"), sigma_px=10.0, pixel_size_um=0.1
    )
    for axes in figure.axes[:2]:
        low, high = axes.images[0].get_clim()
        assert low == -high
    assert "Local r (window σ 1 µm)" in texts(figure)


def test_the_second_step_stands_below_the_inverted_first_at_complementary_shares():
    columns = np.arange(40)
    times = np.arange(80.0)[:, None, None]
    first, second = 10 + 20 * columns / 39, 70 - 20 * columns / 39
    level = 0.2 * np.clip(times - first + 0.5, 0, 1) + 0.1 * np.clip(times - second + 0.5, 0, 1)
    recording = recording_of(2000 * 10 ** -(level * np.ones((1, 30, 1))))
    stages = [
        Stage(kind=StageKind.ALLOYING, step=k, start_s=s, end_s=e)
        for k, s, e in ((1, 5, 38), (2, 42, 75))
    ]
    maps = [finish(onset_map(recording, s.start_s, s.end_s)) for s in stages]
    pair, both = (stages[0], stages[1]), (maps[0], maps[1])
    reference = reference_frame(recording)
    montage = finish(complementary_montage(recording, pair, both, reference, n_images=5))
    one, inverted, two = montage.rows
    assert (np.diff(one.times_s) < 0).all()
    assert (np.diff(two.times_s) > 0).all()
    assert one.alloyed + two.alloyed == pytest.approx(np.ones(5), abs=0.08)
    assert np.array_equal(inverted.grey(), 255 - one.grey())
    for below, above in zip(two.grey(), inverted.grey(), strict=True):
        assert np.corrcoef(below.ravel(), above.ravel())[0, 1] > 0.8
    figure = complementary_figure(montage)
    assert "step 1, inverted" in texts(figure)
    arrows = [a for a in figure.artists if hasattr(a, "get_arrowstyle")]
    assert len(arrows) == 2
