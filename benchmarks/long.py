"""The whole analysis of a long recording, beside one plain pass over its file.

``python -m benchmarks.long FOLDER --gigabytes 6 --drift`` writes the recording, if it is not there
(about a minute a gigabyte), and analyses it in a process of its own.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import os
import shutil
import subprocess
import sys
import time
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path

import numpy as np
import tifffile
import tomli_w

from benchmarks.timing import PeakMemory
from napari_lithium_alloy.core.synthetic import (
    SyntheticParameters,
    au_parameters,
    make_recording,
)
from napari_lithium_alloy.sample_data import recording_toml, write_potential

SIDE = 2048
SITES = 1000
DRIFT = {"drift_px_per_min": (1.0, -0.7), "walk_px": 0.03}


def long_parameters(frames: int, *, side: int = SIDE, drift: bool = False) -> SyntheticParameters:
    """Two alloying steps, about a thousand sites at 2048 x 2048, pores, in so many frames."""
    parameters = au_parameters(
        seed=7,
        shape=(side, side),
        count=SITES * side**2 // SIDE**2,
        correlation_um=2.0,
        deposition_s=95.0,
        dissolution_s=90.0,
        illumination_falloff=0.25,
        flicker=0.002,
        dust=9,
        **(DRIFT if drift else {}),
    )
    seconds = make_recording(parameters.change(shape=(128, 128), count=3)).trans.n_frames
    return parameters.change(frame_interval_s=seconds / frames)


def write_long(folder: Path, frames: int, *, side: int = SIDE, drift: bool = False) -> Path:
    """Write such a recording as a plain TIFF; the path of its recording.toml."""
    file = folder / "recording.toml"
    if file.is_file():
        return file
    folder.mkdir(parents=True, exist_ok=True)
    parameters = long_parameters(frames, side=side, drift=drift)
    made = make_recording(parameters)
    path, n = folder / "trans.tif", made.trans.n_frames
    tifffile.memmap(
        path, shape=(n, side, side), dtype=np.uint16, bigtiff=True, metadata={"axes": "TYX"},
        photometric="minisblack",
    ).flush()  # fmt: skip
    workers = os.cpu_count() or 1
    with ProcessPoolExecutor(workers) as pool:
        every = range(workers)
        list(pool.map(partial(_render, path, parameters, workers), every))
    write_potential(folder / "potential.csv", made)
    told = recording_toml(made)
    told.pop("epi")
    told["trans"] |= {
        "path": path.name, "frame_interval_s": float(made.trans.frame_interval_s)
    }  # fmt: skip
    file.write_text(tomli_w.dumps(told), encoding="utf-8")
    return file


def _render(path: Path, parameters: SyntheticParameters, step: int, first: int) -> None:
    recording, stack = make_recording(parameters).trans, tifffile.memmap(path, mode="r+")
    for t in range(first, recording.n_frames, step):
        stack[t] = recording.read(t)
    stack.flush()


def measured(file: Path, out: Path, *, correct_drift: bool) -> dict[str, float]:
    """Analyse a recording in a process of its own; seconds, peak private bytes, plain passes."""
    shutil.rmtree(out, ignore_errors=True)
    command = [sys.executable, "-m", "benchmarks.long", str(file), "--out", str(out), "--run"]
    run = subprocess.run(
        [*command, *(["--drift"] if correct_drift else [])],
        capture_output=True,
        text=True,
        check=True,
    )
    found: dict[str, float] = json.loads(run.stdout.splitlines()[-1])
    return found


def _run(file: Path, out: Path, *, correct_drift: bool) -> dict[str, float]:
    from napari_lithium_alloy.config import config_of
    from napari_lithium_alloy.core.progress import finish
    from napari_lithium_alloy.io.recording_file import open_experiment
    from napari_lithium_alloy.runs import analyze_into

    stack = file.parent / "trans.tif"
    _plain_passes_s(stack)  # what fits into the page cache is there
    plain, again = _plain_passes_s(stack)
    experiment = open_experiment(str(file))
    config = config_of(experiment, experiment.recording(None))
    config = dataclasses.replace(
        config, correction=dataclasses.replace(config.correction, drift=correct_drift)
    )
    with PeakMemory() as peak:
        start = time.perf_counter()
        finish(analyze_into(experiment, out, config=config))
        seconds = time.perf_counter() - start
    return {
        "seconds": seconds,
        "plain": plain,
        "ratio": seconds / plain,
        "plain_again": again,
        "ratio_again": seconds / again,
        "peak": peak.most,
    }


def _plain_passes_s(file: Path) -> tuple[float, float]:
    """Of a memory map that is opened for it, as an analysis opens its own; and of one more.

    The second has not to be told where the pages lie.
    """
    start = time.perf_counter()
    stack = tifffile.memmap(file, mode="r")
    stack.sum()
    opened = time.perf_counter()
    stack.sum()
    return opened - start, time.perf_counter() - opened


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path, help="for the recording, or its recording.toml")
    parser.add_argument("--gigabytes", type=float, default=6.0)
    parser.add_argument("--side", type=int, default=SIDE)
    parser.add_argument("--drift", action="store_true")
    parser.add_argument("--out", type=Path)
    parser.add_argument("--run", action="store_true", help="only analyse, in this process")
    options = parser.parse_args()
    out = options.out or options.folder / "results"
    if options.run:
        print(json.dumps(_run(options.folder, out, correct_drift=options.drift)))
        return
    frames = round(options.gigabytes * 1e9 / (2 * options.side**2))
    file = write_long(options.folder, frames, side=options.side, drift=options.drift)
    print(json.dumps(measured(file, out, correct_drift=options.drift)))


if __name__ == "__main__":
    main()
