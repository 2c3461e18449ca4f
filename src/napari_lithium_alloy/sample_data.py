"""The sample recordings: where they are, and their generator.

Run as ``python -m napari_lithium_alloy.sample_data OUTDIR`` to write them again; the bytes are the
same every time.
"""

from __future__ import annotations

import argparse
import json
import math
from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path
from typing import Any
from uuid import NAMESPACE_URL, uuid5

import numpy as np
import pandas as pd
import tifffile
import tomli_w

import napari_lithium_alloy as package
from napari_lithium_alloy.core.recording import Recording
from napari_lithium_alloy.core.synthetic import (
    Synthetic,
    SyntheticParameters,
    ag_parameters,
    au_parameters,
    make_recording,
)

SAMPLES = ("au_one_cycle", "ag_three_cycles")
_DEFLATE: dict[str, Any] = {
    "compression": "zlib",
    "compressionargs": {"level": 9},
    "predictor": True,
}


def sample_dir(name: str) -> Path:
    """Folder of a sample recording, in a checkout or in an installed wheel.

    Raises
    ------
    FileNotFoundError
        If there is no sample of that name.
    """
    checkout = Path(str(package.__file__)).parents[2] / "sample_data" / name
    packaged = Path(str(files(package))) / "sample_data" / name
    for folder in (checkout, packaged):
        if (folder / "recording.toml").is_file():
            return folder
    raise FileNotFoundError(f"There is no sample recording {name}.")


def sample_parameters(name: str) -> SyntheticParameters:
    """What is planted in a sample recording."""
    mild = {
        "correlation_um": 1.1 / math.sqrt(2),  # domains as fine as in the paper's Fig. 2
        "gain_counts": 0.125,
        "illumination_falloff": 0.25,
        "dust": 9,
        "flicker": 0.002,
    }
    if name == "au_one_cycle":
        return au_parameters(
            name="Au 14 nm, 0.5 mA cm-2",
            seed=20240116,
            shape=(192, 192),
            deposition_s=95.0,
            dissolution_s=90.0,
            epi_interval_s=4.0,
            epi_jitter=0.08,
            epi_dropped=0.05,
            count=14,
            spacing_um=1.6,
            radius_um=0.42,
            clock_offset_s=12.5,
            **mild,
        )
    return ag_parameters(
        name="Ag 20 nm, 0.5 mA cm-2, three cycles",
        seed=20240125,
        shape=(144, 144),
        deposition_s=90.0,
        dissolution_s=70.0,
        frame_interval_s=5.0,
        epi_interval_s=20.0,
        clock_offset_s=-3.0,
        **mild,
    )


def write_sample(parameters: SyntheticParameters, folder: Path) -> None:
    """Write one recording and its truth into a new or existing folder."""
    synthetic = make_recording(parameters)
    (folder / "truth").mkdir(parents=True, exist_ok=True)
    for recording in (synthetic.trans, synthetic.epi):
        _write_stack(folder / f"{recording.mode}.ome.tif", recording)
    write_potential(folder / "potential.csv", synthetic)
    with (folder / "recording.toml").open("wb") as file:
        tomli_w.dump(recording_toml(synthetic), file)
    _write_truth(folder / "truth", synthetic)


def _write_stack(path: Path, recording: Recording) -> None:
    """OME-TIFF with each plane's time and the pixel size; no dates, so that bytes repeat."""
    times = recording.times_s
    metadata = {
        "axes": "TYX",
        "Name": recording.name,
        "Creator": "napari-lithium-alloy",
        "UUID": f"urn:uuid:{uuid5(NAMESPACE_URL, recording.name)}",
        "PhysicalSizeX": recording.pixel_size_um,
        "PhysicalSizeXUnit": "µm",
        "PhysicalSizeY": recording.pixel_size_um,
        "PhysicalSizeYUnit": "µm",
        "Plane": {
            "DeltaT": [round(float(t), 6) for t in times],
            "DeltaTUnit": ["s"] * len(times),
        },
    }

    def planes() -> Iterator[np.ndarray]:
        for frame in range(recording.n_frames):
            yield recording.read(frame)

    tifffile.imwrite(
        path,
        planes(),
        shape=recording.frames.shape,
        dtype=recording.frames.dtype,
        ome=True,
        software="napari-lithium-alloy",
        metadata=metadata,
        photometric="minisblack",
        **_DEFLATE,
    )


def write_potential(path: Path, synthetic: Synthetic) -> None:
    """The cycler's file."""
    curve = synthetic.experiment.potential
    if curve is not None:
        columns = {"time/s": curve.times_s, "Ewe/V": curve.potential_v, "I/mA": curve.current_ma}
        pd.DataFrame(columns).round(5).to_csv(path, index=False, lineterminator="\n")


def recording_toml(synthetic: Synthetic) -> dict[str, Any]:
    """What recording.toml says of a synthetic cell."""
    parameters, experiment = synthetic.parameters, synthetic.experiment
    camera, film = parameters.camera, parameters.film
    return {
        "name": experiment.name,
        "film": {
            "metal": film.metal,
            "thickness_nm": film.thickness_nm,
            "diameter_mm": round(20 * math.sqrt(film.area_cm2 / math.pi), 4),
        },
        **{
            str(r.mode): {
                "path": f"{r.mode}.ome.tif",
                "pixel_size_um": r.pixel_size_um,
                "dark": r.dark_counts,
            }
            for r in experiment.recordings
        },
        "potential": {
            "path": "potential.csv",
            "clock_offset_s": parameters.potential.clock_offset_s,
        },
        "optics": {
            "psf_sigma_px": camera.psf_sigma_px,
            "full_well_counts": camera.saturation_counts,
        },
        "stages": [
            {
                "kind": str(s.kind),
                **({"step": s.step} if s.step is not None else {}),
                "cycle": s.cycle,
                "start_s": s.start_s,
                "end_s": s.end_s,
            }
            for s in experiment.stages
        ],
    }


def _write_truth(folder: Path, synthetic: Synthetic) -> None:
    truth = synthetic.truth
    maps = {f"onset_{key}": onset for key, onset in truth.onset_s.items()}
    maps |= {f"pores_cycle{c}_end": share for c, share in truth.pore_coverage.items() if c}
    for name, image in maps.items():
        tifffile.imwrite(
            folder / f"{name}.tif",
            image.astype(np.float32).round(3),
            software="napari-lithium-alloy",
            metadata=None,
            **(_DEFLATE | {"predictor": 3}),
        )
    tables = {
        "sites": truth.sites,
        "pores": truth.pores,
        "pore_summary": truth.pore_summary,
        "pore_merges": truth.merges,
    }
    for name, table in tables.items():
        table.round(6).to_csv(folder / f"{name}.csv", index=False, lineterminator="\n")
    numbers = {
        "seed": synthetic.parameters.seed,
        "epi_offset_px": list(truth.epi_offset_px),
        "clock_offset_s": truth.clock_offset_s,
        "edge_lag_s": truth.edge_lag_s,
        "substrate_transmittance": synthetic.parameters.onset.substrate_transmittance,
        "photo_electrons": synthetic.parameters.camera.photo_electrons,
        "gain_counts": synthetic.parameters.camera.gain_counts,
        "gain": truth.gain.round(6).tolist(),
        "epi_gain": truth.epi_gain.round(6).tolist(),
    }
    (folder / "truth.json").write_text(json.dumps(numbers, indent=1) + "\n", encoding="utf-8")


def main() -> None:
    """Write both sample recordings."""
    parser = argparse.ArgumentParser(description="Write the sample recordings.")
    parser.add_argument("outdir", type=Path)
    outdir = parser.parse_args().outdir
    for name in SAMPLES:
        write_sample(sample_parameters(name), outdir / name)


if __name__ == "__main__":
    main()
