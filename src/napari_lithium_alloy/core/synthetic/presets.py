"""Gold and silver films as in the paper (Mao et al., Chem. Sci. 2024, 15, 3192)."""

from __future__ import annotations

import math
from typing import Any

from napari_lithium_alloy.core.galvanostatic import Film
from napari_lithium_alloy.core.synthetic.parameters import (
    PlantedPores,
    PlantedPotential,
    PlantedSites,
    PlantedStep,
    PlantedTiming,
    SyntheticParameters,
)

_DISC_CM2 = math.pi * 0.15**2


def au_parameters(**changes: Any) -> SyntheticParameters:
    """A clean recording of a 14 nm Au film, timed as in the paper's Fig. 1 and 3.

    Parameters
    ----------
    **changes
        Any parameter of any topic, as in `SyntheticParameters.change`; also `complementarity`
        of the second alloying step and `reversal` of dealloying.
    """
    complementarity = changes.pop("complementarity", 0.9)
    reversal = changes.pop("reversal", 0.8)
    parameters = SyntheticParameters(
        film=Film(metal="Au", thickness_nm=14.0, area_cm2=_DISC_CM2),
        alloying=(
            PlantedStep(duration_s=35.0, gap_s=2.0, amplitude=0.22, rise_s=2.2),
            PlantedStep(
                duration_s=30.0,
                gap_s=3.0,
                amplitude=0.12,
                rise_s=4.8,
                complementarity=complementarity,
            ),
        ),
        dealloying=(
            PlantedStep(
                duration_s=26.0, gap_s=1.0, amplitude=1.0, rise_s=4.0, complementarity=reversal
            ),
        ),
    )
    return parameters.change(**changes)


def ag_parameters(**changes: Any) -> SyntheticParameters:
    """A clean recording of an Ag film, timed as in the paper's Fig. 5.

    Two uniform and two heterogeneous alloying steps, unrelated to each other; three cycles in
    which the pores of the first grow and merge.
    """
    parameters = SyntheticParameters(
        name="synthetic Ag",
        cycles=3,
        film=Film(metal="Ag", thickness_nm=20.0, area_cm2=_DISC_CM2),
        alloying=(
            PlantedStep(duration_s=55.0, gap_s=2.0, amplitude=0.08, rise_s=35.0, spread_s=0.4),
            PlantedStep(duration_s=35.0, gap_s=2.0, amplitude=0.06, rise_s=22.0, spread_s=0.4),
            PlantedStep(duration_s=45.0, gap_s=1.0, amplitude=0.12, rise_s=5.0),
            PlantedStep(duration_s=65.0, gap_s=1.0, amplitude=0.10, rise_s=7.0),
        ),
        dealloying=(
            PlantedStep(duration_s=50.0, gap_s=1.0, amplitude=0.6, rise_s=8.0, complementarity=0.6),
            PlantedStep(duration_s=50.0, gap_s=1.0, amplitude=0.4, rise_s=30.0, spread_s=0.4),
        ),
        timing=PlantedTiming(
            sei_s=10.0,
            deposition_s=120.0,
            dissolution_s=90.0,
            frame_interval_s=4.0,
            epi_interval_s=6.0,
        ),
        sites=PlantedSites(count=9, spacing_um=1.1),
        pores=PlantedPores(new_each_cycle=False, growth_per_cycle=1.9, merging_pairs=3),
        potential=PlantedPotential(
            plateaus_v=(-0.05, 0.02, 0.07, 0.12, 0.2), sloping=True, interval_s=1.0
        ),
    )
    return parameters.change(**changes)
