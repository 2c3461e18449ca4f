"""How many of varied synthetic recordings have all their stages found, and how far off."""

from __future__ import annotations

import numpy as np
import pandas as pd

from napari_lithium_alloy.core.curves import region_curves
from napari_lithium_alloy.core.photometry import reference_frame
from napari_lithium_alloy.core.progress import finish
from napari_lithium_alloy.core.stage_detection import detect_stages
from napari_lithium_alloy.core.stages import Scope, Stage
from napari_lithium_alloy.core.synthetic import (
    SyntheticParameters,
    ag_parameters,
    au_parameters,
    make_recording,
)

ALLOWED_S, ALLOWED_SHARE = 3.0, 0.08
SOURCES: dict[str, Scope] = {
    "potential and pictures": "cell",
    "potential alone": "cell",
    "pictures alone": "field",
}


def variation(seed: int) -> SyntheticParameters:
    """Gold and silver in turn, with other noise, plateaus, signs, sampling and durations."""
    rng = np.random.default_rng(1000 + seed)
    silver = seed % 2 == 1
    base = (ag_parameters if silver else au_parameters)(
        seed=seed,
        shape=(128, 128),
        cycles=int(rng.integers(1, 3)),
        count=5,
        spacing_um=0.9,
        without_site=0,
        pinholes=0,
        merging_pairs=0,
        photo_electrons=float(10 ** rng.uniform(2.8, 3.6)),
        flicker=float(rng.choice([0, 0.001, 0.003])),
        noise_v=float(10 ** rng.uniform(-4, -2.7)),
        interval_s=float(rng.choice([0.2, 0.5, 1.0])),
        lithiation_sign=int(rng.choice([-1, 1])),
        frame_interval_s=float(rng.choice([1, 2, 4] if silver else [0.5, 1, 2])),
        rest_s=float(rng.uniform(3, 30)),
        clock_offset_s=float(rng.uniform(-3, 20)),
        deposition_s=float(rng.uniform(50, 200)),
        dissolution_s=float(rng.uniform(40, 150)),
        sei_s=float(rng.uniform(10, 20)),
    )
    plateaus = np.array(base.potential.plateaus_v) * rng.uniform(0.6, 1.6) + rng.uniform(-0.1, 0.1)
    return base.change(plateaus_v=tuple(plateaus.tolist()))


def stages_table(n: int = 100) -> pd.DataFrame:
    """Variations with every stage found within what is allowed, and the errors of the bounds."""
    found = {source: [] for source in SOURCES}
    for seed in range(n):
        experiment = make_recording(variation(seed)).experiment
        recording = experiment.recording("trans")
        reference = reference_frame(recording, current_starts_s=experiment.current_starts_s())
        curves = finish(region_curves(recording, reference))
        absorbance = curves["absorbance"].to_numpy()
        seen = {
            "potential and pictures": (experiment.potential, recording.times_s, absorbance),
            "potential alone": (experiment.potential, None, None),
            "pictures alone": (None, recording.times_s, absorbance),
        }
        for source, scope in SOURCES.items():
            stages = [s for s in detect_stages(*seen[source]) if s.scope == scope]
            found[source].append(worst_error(stages, experiment.stages, recording.frame_interval_s))
    rows = []
    for source, errors in found.items():
        complete = [e for e in errors if e is not None]
        rows.append(
            {
                "from": source,
                "all stages found": f"{len(complete)} of {n}",
                "all bounds within": f"{sum(e <= 1 for e in complete)} of {n}",
                "worst bound (x allowed)": max(complete, default=float("nan")),
            }
        )
    return pd.DataFrame(rows)


def worst_error(found: list[Stage], planted: tuple[Stage, ...], frame_s: float) -> float | None:
    """Largest error of a bound in units of what is allowed; None where stages are missing.

    Allowed is the larger of one frame, 3 s, and 8 % of the shorter neighbouring stage.
    """
    by_key = {s.key: s for s in found}
    if set(by_key) != {s.key for s in planted}:
        return None
    ordered = sorted(planted, key=lambda s: s.start_s)
    worst = 0.0
    for i, stage in enumerate(ordered):
        for bound, other in (("start_s", i - 1), ("end_s", i + 1)):
            beside = ordered[other] if 0 <= other < len(ordered) else stage
            shorter = min(s.end_s - s.start_s for s in (stage, beside))
            error = abs(getattr(by_key[stage.key], bound) - getattr(stage, bound))
            worst = max(worst, error / max(frame_s, ALLOWED_S, ALLOWED_SHARE * shorter))
    return worst
