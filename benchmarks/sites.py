"""Nucleation sites found and their onsets in synthetic recordings of all kinds.

Signal-to-noise is that of the planted truth, not of what is found: a disc's loss of light times
the root of its effective pixels (the sum of its squared blurred cover at the end of deposition),
over the noise of a difference of two means of five frames, that of the alloyed film's photons and
of the camera's readout. A recording counts where its weakest site has 5 or more.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from scipy import ndimage
from scipy.optimize import linear_sum_assignment

from napari_lithium_alloy.core.errors import AlloyError
from napari_lithium_alloy.core.nucleation import NucleationParameters
from napari_lithium_alloy.core.progress import finish
from napari_lithium_alloy.core.recording import FloatArray
from napari_lithium_alloy.core.site_detection import find_candidates
from napari_lithium_alloy.core.stages import StageKind, stages_of
from napari_lithium_alloy.core.synthetic import Synthetic, au_parameters, make_recording

LEAST_SNR = 5.0
WITHIN_UM = 0.3
END_FRAMES = 5
PSF_UM = (1.3 * 0.065, 2.5 * 0.065)
"""Of 1.3 to 2.5 px at 65 nm; a microscope's does not change with its camera's pixels."""
DENSE = 0.4
LEAST_SPACING_UM = 0.6


def sites_table(first_seed: int = 5000, n: int = 60) -> pd.DataFrame:
    """F1 and onset error by kind of recording: of all, the dense, the noisy, those in epi."""
    rows = [r for seed in range(first_seed, first_seed + n) for r in score(seed)]
    found = pd.DataFrame(rows)
    kinds = {
        "all": found["f1"] >= 0,
        "0.4 to 1 um-2": found["density"] >= DENSE,
        "weakest site's SNR 5 to 10": found["snr"] < 2 * LEAST_SNR,
        "weakest site's SNR over 10": found["snr"] >= 2 * LEAST_SNR,
        "epi": found["mode"] == "epi",
        "absorbance under 0.3": found["absorbance"] < 0.3,
        "bare glass or dust": found["disturbed"],
        "later cycles": found["cycle"] > 1,
    }
    return pd.DataFrame([{"recordings": k, **_summary(found[own])} for k, own in kinds.items()])


def _summary(found: pd.DataFrame) -> dict[str, float]:
    f1, onset = found["f1"], found["onset"]
    return {
        "depositions": len(found),
        "sites": int(found["sites"].sum()),
        "mean F1": f1.mean(),
        "least F1": f1.min(),
        "under 0.97": int((f1 < 0.97).sum()),
        "onset (frames)": onset.median(),
        "of 95 %": onset.quantile(0.95),
        "2 or more": int((onset >= 2).sum()),
        "within its sd": found["within"].mean(),
        "radius ratio": found["radius"].median(),
    }


def score(seed: int) -> list[dict[str, Any]]:
    """A row for each deposition of one random recording; none where its SNR is under 5."""
    made, mode, density = varied(seed)
    snr = planted_snr(made, mode)
    if snr.min() < LEAST_SNR:
        return []
    p, recording = made.parameters, made.experiment.recording(mode)
    film = made.truth.film if mode == "trans" else None
    offset = np.array(p.epi.offset_px if mode == "epi" else (0, 0)) * p.camera.pixel_size_um
    brightens = mode == "epi" and p.epi.lithium_reflectance > 1
    parameters = NucleationParameters(
        psf_sigma_px=p.camera.psf_sigma_px, polarity="brightens" if brightens else "auto"
    )
    rows = []
    for stage in stages_of(made.experiment.stages, StageKind.DEPOSITION):
        truth = made.truth.sites[made.truth.sites["cycle"] == stage.cycle]
        work = find_candidates(
            recording, stage.start_s, stage.end_s, parameters, valid=film, cycle=stage.cycle
        )
        found = finish(work).accepted(parameters)
        row = _compared(found, truth, offset, recording.frame_interval_s)
        rows.append(
            row
            | {"seed": seed, "mode": mode, "density": density, "cycle": stage.cycle}
            | {"snr": snr.min(), "absorbance": p.sites.absorbance}
            | {"disturbed": p.disturbances.dust > 0 or p.onset.bare_glass_um > 0}
        )
    return rows


def _compared(
    found: pd.DataFrame, truth: pd.DataFrame, offset_um: FloatArray, interval_s: float
) -> dict[str, float]:
    a = found[["y_um", "x_um"]].to_numpy(float)
    b = truth[["y_um", "x_um"]].to_numpy(float) + offset_um
    far = np.hypot(*(a[:, None] - b[None]).transpose(2, 0, 1))
    i, j = linear_sum_assignment(np.where(far <= WITHIN_UM, far, 1e3))
    hit = far[i, j] <= WITHIN_UM
    own, planted = found.iloc[i[hit]], truth.iloc[j[hit]]
    late = np.abs(own["onset_s"].to_numpy() - planted["onset_s"].to_numpy())
    return {
        "f1": 2 * int(hit.sum()) / max(len(a) + len(b), 1),
        "sites": len(truth),
        "onset": float(np.median(late)) / interval_s if hit.any() else np.nan,
        "within": float((late <= own["onset_sd_s"].to_numpy()).mean()) if hit.any() else np.nan,
        "radius": float((own["radius_um"].to_numpy() / planted["radius_um"]).median()),
    }


def varied(seed: int) -> tuple[Synthetic, str, float]:
    """A random recording, which of its modes is looked at, and the density asked for, um-2."""
    rng = np.random.default_rng(seed)
    pixel, side_um = rng.choice([0.05, 0.065, 0.1]), rng.choice([9.0, 11.0, 13.0])
    density = float(np.exp(rng.uniform(np.log(0.02), np.log(1.0))))
    mode = str(rng.choice(["trans", "trans", "epi"]))
    values: dict[str, Any] = {
        "seed": seed,
        "pixel_size_um": float(pixel),
        "shape": (int(side_um / pixel),) * 2,
        "count": max(2, round(density * (side_um - 1.4) ** 2)),
        "spacing_um": float(np.clip(0.6 / np.sqrt(density), LEAST_SPACING_UM, 1.4)),
        "radius_um": float(rng.uniform(0.25, 0.45) if density < DENSE else rng.uniform(0.28, 0.4)),
        "psf_sigma_px": float(rng.uniform(*PSF_UM) / pixel),
        "absorbance": float(rng.choice([0.15, 0.25, 0.45, 0.7, 0.9])),
        "lithium_reflectance": float(rng.choice([0.4, 0.6, 0.75, 1.4])),
        "frame_interval_s": float(rng.choice([1.0, 2.0])),
        "bare_glass_um": float(rng.choice([0.0, 0.0, 1.5])),
        "dust": int(rng.choice([0, 0, 8])),
        "cycles": int(rng.choice([1, 1, 1, 2, 3])),
        "dissolution_s": 20.0,
        "bits": 16,
    }
    made = _fitted(values)
    if rng.random() < 0.5:  # as noisy as that the weakest site has this SNR
        wanted = float(np.exp(rng.uniform(np.log(1.02 * LEAST_SNR), np.log(60))))
        for _ in range(20):
            ratio = wanted / planted_snr(made, mode).min()
            electrons = made.parameters.camera.photo_electrons * ratio**1.6
            made = make_recording(
                made.parameters.change(photo_electrons=float(np.clip(electrons, 1.5, 2600)))
            )
    return made, mode, density


def _fitted(values: dict[str, Any]) -> Synthetic:
    """A recording of as many sites as find place."""
    while True:
        try:
            return make_recording(au_parameters(**values))
        except AlloyError:
            if values["spacing_um"] > LEAST_SPACING_UM:
                values["spacing_um"] = max(LEAST_SPACING_UM, 0.93 * values["spacing_um"])
            elif values["cycles"] > 1:
                values["cycles"] -= 1
            else:
                values["count"] = int(0.93 * values["count"])


def planted_snr(made: Synthetic, mode: str) -> FloatArray:
    """(N,) signal-to-noise of each planted site, as said above."""
    p, camera = made.parameters, made.parameters.camera
    alloy = sum(step.amplitude for step in p.alloying)
    if mode == "epi":
        light = 1 + p.epi.reflectance_per_absorbance * alloy
        loss = abs(1 - p.epi.lithium_reflectance)
    else:
        light, loss = 10 ** -(alloy + p.onset.sei_absorbance), 1 - 10**-p.sites.absorbance
    electrons = camera.photo_electrons * light
    variance = electrons + camera.read_noise_electrons**2 + 1 / (12 * camera.gain_counts**2)
    noise = np.sqrt(variance * 2 / END_FRAMES) / electrons
    y, x = np.mgrid[-40:41, -40:41]
    effective = []
    for radius in made.truth.sites["radius_um"] / camera.pixel_size_um:
        disc = np.clip(radius + 0.5 - np.hypot(y, x), 0, 1)
        effective.append((ndimage.gaussian_filter(disc, camera.psf_sigma_px) ** 2).sum())
    return np.asarray(loss * np.sqrt(effective) / noise)
