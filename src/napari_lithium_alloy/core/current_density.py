"""The current density of a recording, from its potential's current and its film."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from napari_lithium_alloy.core.experiment import Experiment
from napari_lithium_alloy.core.recording import FloatArray

FLOWS = 0.05
"""Share of the largest current over which current flows."""
STEADY = 0.1
"""Largest spread of a constant current, as a share of its median."""


@dataclass(frozen=True, kw_only=True)
class CurrentDensity:
    """Current per area of the film, mA cm-2; NaN where it is not known, and why."""

    value_ma_cm2: float = math.nan
    reason: str = ""


def current_density(experiment: Experiment) -> CurrentDensity:
    """Current density of the first lithiation: from the first current to its first reversal.

    Rests in between don't count. A current that is not constant has none.
    """
    potential, film = experiment.potential, experiment.film
    if potential is None or potential.current_ma is None:
        return CurrentDensity(reason="there is no current in its potential")
    if film is None:
        return CurrentDensity(reason="its film is not known")
    current = np.abs(potential.current_ma)
    flows = current > FLOWS * current.max(initial=0)
    if not flows.any():
        return CurrentDensity(reason="no current flows")
    sign = np.sign(potential.current_ma) * flows
    first = int(np.argmax(flows))
    turned = np.flatnonzero(sign[first:] == -sign[first])
    end = first + int(turned[0]) if len(turned) else len(current)
    held_s = np.gradient(potential.times_s) if len(current) > 1 else np.ones(1)
    used = flows.copy()
    used[:first] = used[end:] = False
    low, middle, high = _quantiles(current[used], held_s[used])
    if high - low > 2 * STEADY * middle:
        return CurrentDensity(reason="its current is not constant")
    return CurrentDensity(value_ma_cm2=middle / film.area_cm2)


def _quantiles(values: FloatArray, weights: FloatArray) -> tuple[float, float, float]:
    """5th percentile, median and 95th, by time."""
    order = np.argsort(values)
    share = np.cumsum(weights[order]) / weights.sum()
    at = np.searchsorted(share, (0.05, 0.5, 0.95))
    low, middle, high = values[order][np.minimum(at, len(values) - 1)]
    return float(low), float(middle), float(high)
