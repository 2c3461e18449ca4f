"""How near epi is laid on trans, and how often pairs of one and of two fields are told apart."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from typing import Any

import dask.array as da
import numpy as np
import pandas as pd
from scipy import ndimage

from napari_lithium_alloy.core.alignment import Alignment, AlignmentParameters, align_recordings
from napari_lithium_alloy.core.progress import finish
from napari_lithium_alloy.core.recording import Recording
from napari_lithium_alloy.core.synthetic import (
    Synthetic,
    SyntheticParameters,
    ag_parameters,
    au_parameters,
    make_recording,
)

ROTATION_DEG = 0.7
NOISE = {"photo_electrons": 2600 / 16, "bits": 16}
DUST = {"dust": 12, "dust_on": "sensor"}
DRIFT = {
    "drift_px_per_min": (7.0, 5.0),
    "walk_px": 0.15,
    "jump_px": (4.0, -4.5),
    "jump_s": 80.0,
    "flicker": 0.006,
    "lamp_drift": 0.012,
    "room_px": 64,
}
FAINT: dict[str, Any] = {"faint": True}
SILVER: dict[str, Any] = {"silver": True}
CASES: dict[str, dict[str, Any]] = {
    "clean": {},
    "4 x noise": NOISE,
    "dust on the sensor": DUST,
    "30 px drift, jump, flicker": DRIFT,
    "the same, dust": DRIFT | DUST,
    "the same, 4 x noise": DRIFT | NOISE,
    "1/4 of the contrast": FAINT,
    "1/4 of the contrast, drift, dust": FAINT | DRIFT | DUST,
    "1/4 of the contrast, 4 x noise": FAINT | NOISE,
    "Ag": SILVER,
    "Ag, drift": SILVER | {"drift_px_per_min": (1.0, 0.7), "walk_px": 0.03, "room_px": 64},
    "defocus to 2.5 px": {"psf_sigma_end_px": 2.5},
    "edge lag 4 s": {"edge_lag_s": 4.0},
}


def parameters(
    seed: int, *, faint: bool = False, silver: bool = False, **changes: Any
) -> SyntheticParameters:
    """Gold, or silver; faint has a quarter of every contrast in both pictures."""
    planted = (ag_parameters if silver else au_parameters)(seed=seed, **changes)
    if not faint:
        return planted
    steps = [dataclasses.replace(s, amplitude=s.amplitude / 4) for s in planted.alloying]
    return planted.change(
        alloying=tuple(steps),
        sei_absorbance=planted.onset.sei_absorbance / 4,
        absorbance=planted.sites.absorbance / 4,
        substrate_transmittance=1 + (planted.onset.substrate_transmittance - 1) / 4,
        pore_reflectance=1 - (1 - planted.epi.pore_reflectance) / 4,
        lithium_reflectance=1 - (1 - planted.epi.lithium_reflectance) / 4,
    )


def rotated(recording: Recording, degrees: float) -> Recording:
    """The recording turned about its picture's centre."""
    cos, sin = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    turn = np.array([[cos, -sin], [sin, cos]])
    centre = (np.array(recording.field_shape) - 1) / 2
    frames = np.stack(
        [
            ndimage.affine_transform(
                recording.read(t).astype("f4"), turn, centre - turn @ centre, mode="nearest"
            )
            for t in range(recording.n_frames)
        ]
    )
    return recording.replace(
        frames=da.from_array(frames, chunks=(1, -1, -1)), window=lambda t, y, x: frames[t, y, x]
    )


def errors(made: Synthetic, alignment: Alignment, degrees: float = 0.0) -> tuple[float, float]:
    """Distance from the planted offset at the picture's centre (px), and from the rotation."""
    pixel = made.parameters.camera.pixel_size_um
    off = alignment.shift_um / pixel + np.array(made.parameters.epi.offset_px)
    return float(np.abs(off).max()), abs(alignment.rotation_deg - degrees)


def alignment_table(seeds: int = 3) -> pd.DataFrame:
    """Errors of the offset (translation) and of a planted rotation (rigid), over some seeds."""
    rows = []
    for name, changes in CASES.items():
        shifts, turned, angles, told = [], [], [], []
        for seed in range(200, 200 + seeds):
            made = make_recording(parameters(seed, **changes))
            plain = finish(align_recordings(made.trans, made.epi))
            shifts.append(errors(made, plain)[0])
            rigid = finish(
                align_recordings(
                    made.trans, rotated(made.epi, ROTATION_DEG), AlignmentParameters(kind="rigid")
                )
            )
            off, angle = errors(made, rigid, ROTATION_DEG)
            turned.append(off)
            angles.append(angle)
            told += [plain.same_field, rigid.same_field]
        rows.append(
            {
                "recordings": name,
                "offset, rms (px)": float(np.sqrt(np.mean(np.square(shifts)))),
                "worst": max(shifts),
                "offset, rigid, worst (px)": max(turned),
                "rotation, worst (deg)": max(angles),
                "same field": f"{sum(t is True for t in told)} of {len(told)}",
            }
        )
    return pd.DataFrame(rows)


def same_field_table(each: int = 4) -> pd.DataFrame:
    """What is said of pairs of one field and of two, over ten of the cases."""
    said: dict[str, list[bool | None]] = {"one": [], "two": []}
    for changes in list(CASES.values())[:10]:
        made = [make_recording(parameters(300 + s, **changes)) for s in range(each)]
        for fields, a, b in _pairs(made):
            said[fields].append(finish(align_recordings(a, b)).same_field)
    return pd.DataFrame(
        {
            "fields": fields,
            "pairs": len(answers),
            "the same": sum(a is True for a in answers),
            "not the same": sum(a is False for a in answers),
            "cannot be told": sum(a is None for a in answers),
        }
        for fields, answers in said.items()
    )


def _pairs(made: list[Synthetic]) -> Iterator[tuple[str, Recording, Recording]]:
    """Trans with the epi of the same sample, and of the next one."""
    for a, b in zip(made, [*made[1:], made[0]], strict=True):
        yield "one", a.trans, a.epi
        yield "two", a.trans, b.epi


if __name__ == "__main__":
    print(alignment_table().to_string(index=False, float_format=lambda v: f"{v:.3f}"))
    print(same_field_table().to_string(index=False))
