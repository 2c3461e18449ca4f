import pytest

from napari_lithium_alloy.core.pair_names import paper_pairs, short_image, short_pair


@pytest.mark.parametrize(
    ("name", "short"),
    [
        ("cycle1_step1_alloyed_start", "S1s"),
        ("cycle1_step2_alloyed_middle", "S2m"),
        ("cycle1_step1_unalloyed_end", "S1e un"),
        ("cycle1_step1_onset", "S1 onset"),
        ("cycle1_dealloying1_onset", "S1' onset"),
        ("cycle2_dissolution_onset", "dissolution onset, cycle 2"),
        ("cycle3_sites", "Li, cycle 3"),
        ("cycle1_pores", "pores"),
        ("my_cycle_1", "my_cycle_1"),
    ],
)
def test_images_are_called_as_in_the_paper(name, short):
    assert short_image(name) == short


def test_pairs_in_words_name_their_cycle_once():
    unalloyed, alloyed = "cycle1_step1_unalloyed_middle", "cycle1_step2_alloyed_middle"
    assert short_pair(unalloyed, alloyed) == "S1 unalloyed mid & S2 alloyed mid"
    assert short_pair("cycle1_step1_alloyed_start", "cycle1_sites") == "S1 alloyed start & Li"
    assert short_pair("cycle2_sites", "cycle2_pores") == "Li & pores, cycle 2"
    assert short_pair("cycle1_sites", "cycle2_sites") == "Li & Li, cycle 2"
    assert short_pair("cycle1_step1_onset", "SEM") == "S1 onset & SEM"


def test_the_bars_of_the_paper():
    bars = paper_pairs(["cycle1_step1", "cycle1_step2"], ["cycle1_sites", "cycle1_pores"])
    assert [short_pair(*pair) for pair in bars[:5]] == [
        "S1 unalloyed mid & S2 alloyed mid",
        "S1 alloyed start & Li",
        "S1 alloyed mid & Li",
        "S2 alloyed start & Li",
        "S2 alloyed mid & Li",
    ]
    assert short_pair(*bars[-1]) == "Li & pores"
    assert len(bars) == 10
