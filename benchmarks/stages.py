"""How many of varied synthetic recordings have all their stages found, and how far off.

What is found in the potential is held against the cell's planted stages. What is found in the
pictures is held against both: the cell's stages, and the field's own. These differ where a field
holds neither the first nor the last pixel of a front: in a field a front lasts from when its
first pixel has made 0.5 % of its rise to when its last lacks as much (the onset maps' extremes
less and plus one 10-90 % time, which is how the cell's stages are planted).
"""

from __future__ import annotations

import argparse
import dataclasses
from collections.abc import Sequence

import numpy as np
import pandas as pd

from napari_lithium_alloy.core.curves import region_curves
from napari_lithium_alloy.core.photometry import reference_frame
from napari_lithium_alloy.core.progress import finish
from napari_lithium_alloy.core.stage_detection import detect_stages
from napari_lithium_alloy.core.stages import Stage, StageKind
from napari_lithium_alloy.core.synthetic import (
    Synthetic,
    SyntheticParameters,
    ag_parameters,
    au_parameters,
    make_recording,
)

ALLOWED_S, ALLOWED_SHARE = 3.0, 0.08
SITES, SIDE_PX = 5, 128
"""Nuclei a cycle in a field of this side."""
COLUMNS = ["key", "bound", "error_s", "sd_s", "allowed"]


def variation(seed: int, *, side_px: int = SIDE_PX, noise: float = 1.0) -> SyntheticParameters:
    """Gold and silver in turn, with other noise, plateaus, signs, sampling and durations.

    Parameters
    ----------
    seed : int
    side_px : int
        Of the square field; nuclei are as dense in any.
    noise : float
        By which the camera's and the lamp's noise are multiplied.
    """
    rng = np.random.default_rng(1000 + seed)
    silver = seed % 2 == 1
    base = (ag_parameters if silver else au_parameters)(
        seed=seed,
        shape=(side_px, side_px),
        cycles=int(rng.integers(1, 3)),
        count=max(1, round(SITES * (side_px / SIDE_PX) ** 2)),
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
    return base.change(
        plateaus_v=tuple(plateaus.tolist()),
        photo_electrons=base.camera.photo_electrons / noise**2,
        flicker=base.disturbances.flicker * noise,
    )


def stages_table(
    n: int = 100, *, first: int = 0, side_px: int = SIDE_PX, noise: float = 1.0
) -> pd.DataFrame:
    """Variations with every stage found within what is allowed, and the errors of the bounds.

    The last columns are of all bounds of complete recordings: the share within two of their
    stated standard deviations (95 % if these are right), and the median of those.
    """
    checks: dict[tuple[str, str], list[pd.DataFrame | None]] = {}
    for seed in range(first, first + n):
        synthetic = make_recording(variation(seed, side_px=side_px, noise=noise))
        own = field_truth(synthetic)
        for source, stages in _detected(synthetic).items():
            truths = {"cell": synthetic.experiment.stages}
            if source == "pictures alone":
                truths["field"] = own
            frame_s = synthetic.trans.frame_interval_s
            for whose, planted in truths.items():
                found = bound_errors(stages, planted, synthetic.experiment.stages, frame_s)
                checks.setdefault((source, whose), []).append(found)
    return pd.DataFrame([_row(*key, errors) for key, errors in checks.items()])


def _detected(synthetic: Synthetic) -> dict[str, list[Stage]]:
    experiment, recording = synthetic.experiment, synthetic.trans
    reference = reference_frame(recording, current_starts_s=experiment.current_starts_s())
    curves = finish(region_curves(recording, reference, with_spread=True))
    absorbance, spread = (curves[c].to_numpy() for c in ("absorbance", "spread"))
    times = recording.times_s
    both = detect_stages(experiment.potential, times, absorbance, spread=spread)
    pictures = detect_stages(None, times, absorbance, spread=spread)
    return {
        "potential and pictures": [s for s in both if s.scope == "cell"],
        "potential alone": detect_stages(experiment.potential),
        "pictures alone": pictures,
    }


def _row(source: str, whose: str, errors: Sequence[pd.DataFrame | None]) -> dict[str, object]:
    complete = [e for e in errors if e is not None]
    bounds = pd.concat(complete) if complete else pd.DataFrame(columns=COLUMNS, dtype=float)
    within = bounds["error_s"].abs() <= 2 * bounds["sd_s"]
    return {
        "from": source,
        "against": f"the {whose}'s",
        "all stages found": f"{len(complete)} of {len(errors)}",
        "all bounds within": f"{sum((e.allowed <= 1).all() for e in complete)} of {len(errors)}",
        "worst bound (x allowed)": bounds["allowed"].max(),
        "within 2 SD (%)": 100 * within.mean(),
        "median SD (s)": bounds["sd_s"].median(),
    }


def field_truth(synthetic: Synthetic) -> tuple[Stage, ...]:
    """The planted stages, those of fronts as they are in the field."""
    parameters, own = synthetic.parameters, []
    steps = {
        StageKind.ALLOYING: parameters.alloying,
        StageKind.DEALLOYING: parameters.dealloying,
    }
    for stage in synthetic.experiment.stages:
        step = steps[stage.kind][(stage.step or 1) - 1] if stage.kind in steps else None
        if step is None or step.spread_s is not None:
            own.append(stage)
            continue
        onset_s = synthetic.truth.onset_s[stage.key]
        bounds = np.nanmin(onset_s) - step.rise_s, np.nanmax(onset_s) + step.rise_s
        own.append(dataclasses.replace(stage, start_s=bounds[0], end_s=bounds[1]))
    return tuple(own)


def bound_errors(
    found: Sequence[Stage], planted: Sequence[Stage], cell: Sequence[Stage], frame_s: float
) -> pd.DataFrame | None:
    """Error of each bound, its stated SD, and its size in units of what is allowed.

    None where stages are missing or too many. Allowed is the larger of one frame, 3 s, and 8 %
    of the shorter neighbouring stage of the cell.
    """
    by_key, true = ({s.key: s for s in stages} for stages in (found, planted))
    if set(by_key) != set(true):
        return None
    ordered = sorted(cell, key=lambda s: s.start_s)
    rows = []
    for i, stage in enumerate(ordered):
        for bound, other in (("start", i - 1), ("end", i + 1)):
            beside = ordered[other] if 0 <= other < len(ordered) else stage
            shorter = min(s.end_s - s.start_s for s in (stage, beside))
            allowed = max(frame_s, ALLOWED_S, ALLOWED_SHARE * shorter)
            seen, name = by_key[stage.key], f"{bound}_s"
            error = getattr(seen, name) - getattr(true[stage.key], name)
            sd = getattr(seen, f"{bound}_sd_s")
            rows.append((stage.key, bound, error, sd, abs(error) / allowed))
    return pd.DataFrame(rows, columns=COLUMNS)


def main() -> None:
    """Print the table for other seeds, field sizes and noise."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("-n", type=int, default=100)
    parser.add_argument("--first", type=int, default=0, help="first seed")
    parser.add_argument("--side", type=int, default=SIDE_PX, help="side of the field, pixels")
    parser.add_argument("--noise", type=float, default=1.0, help="times the noise")
    given = parser.parse_args()
    table = stages_table(given.n, first=given.first, side_px=given.side, noise=given.noise)
    print(table.to_string(index=False, float_format=lambda v: f"{v:.2f}"))


if __name__ == "__main__":
    main()
