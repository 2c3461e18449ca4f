import numpy as np
import pandas as pd

from napari_lithium_alloy._napari.site_edits import read_edits, with_locks, with_source
from napari_lithium_alloy.core.tables import conform


def known_sites():
    rows = {"site": [1, 2, 3], "cycle": [1] * 3, "y_um": [1.0, 2.0, 3.0], "x_um": [1.0, 2.0, 3.0]}
    rows |= {"onset_s": [10.0, 11.0, 12.0], "radius_um": [0.3] * 3}
    return with_source(conform("sites", pd.DataFrame(rows)))


def edits(ids, places):
    return read_edits(known_sites(), np.array(ids, float), np.array(places, float), 1e-3, 1)


def test_nothing_changed():
    sites, vacated = edits([1, 2, 3], [(1, 1), (2, 2), (3, 3)])
    pd.testing.assert_frame_equal(sites, known_sites())
    assert vacated == []


def test_moved_deleted_and_added():
    sites, vacated = edits([1, 3, np.nan], [(1, 1), (3.5, 3), (5, 5)])
    assert sites["site"].tolist() == [1, 3, 4]
    assert sites["source"].tolist() == ["detected", "moved", "added"]
    assert sites["y_um"].tolist() == [1, 3.5, 5]
    assert sites["onset_s"].isna().tolist() == [False, True, True]
    assert sorted(vacated) == [(2.0, 2.0), (3.0, 3.0)]


def test_a_new_point_with_the_number_of_the_one_selected_is_new():
    sites, vacated = edits([1, 2, 3, 2], [(1, 1), (2, 2), (3, 3), (7, 7)])
    assert sites["site"].tolist() == [1, 2, 3, 4]
    assert sites["source"].tolist() == ["detected"] * 3 + ["added"]
    assert vacated == []


def test_everything_deleted():
    sites, vacated = edits([], np.empty((0, 2)))
    assert len(sites) == 0
    assert len(vacated) == 3
    assert list(sites.columns) == list(known_sites().columns)


def test_locks_are_set_and_taken_off_together():
    sites = known_sites()
    assert not sites["locked"].any()
    some = with_locks(sites, [2])
    assert some["locked"].tolist() == [False, True, False]
    more = with_locks(some, [2, 3])
    assert more["locked"].tolist() == [False, True, True]
    assert with_locks(more, [2, 3])["locked"].tolist() == [False] * 3


def test_a_locked_site_that_is_moved_stays_locked():
    sites, vacated = read_edits(
        with_locks(known_sites(), [1]),
        np.array([1.0, 2, 3]),
        np.array([(1.5, 1), (2, 2), (3, 3)]),
        1e-3,
        1,
    )
    assert sites["locked"].tolist() == [True, False, False]
    assert sites["source"].tolist() == ["moved", "detected", "detected"]
    assert vacated == [(1.0, 1.0)]
