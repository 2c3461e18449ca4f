"""Analyse the sample recording once in each type of counts that loops are compiled for.

No later analysis compiles them then: they are the same code in every process, and results are the
same to the last bit.

``python tools/compile_loops.py FOLDER`` writes the results, which are of no further use.
"""

from __future__ import annotations

import sys
from pathlib import Path

import dask.array as da
import numpy as np

from napari_lithium_alloy.core.kernels import COMPILED_FOR
from napari_lithium_alloy.core.progress import finish
from napari_lithium_alloy.core.recording import Recording
from napari_lithium_alloy.io.recording_file import open_experiment
from napari_lithium_alloy.runs import analyze_into

SAMPLE = "sample_data/au_one_cycle"


def main() -> None:
    """Make one analysis a type."""
    experiment = open_experiment(SAMPLE)
    for dtype in COMPILED_FOR:
        sys.stderr.write(f"Compiling loops for counts of type {dtype.name} ...\n")
        own = experiment.replace(
            recordings=tuple(converted(r, dtype) for r in experiment.recordings)
        )
        finish(analyze_into(own, Path(sys.argv[1]) / dtype.name, overwrite=True))


def converted(recording: Recording, dtype: np.dtype) -> Recording:
    """The recording as a camera of another depth would have made it."""
    if recording.frames.dtype == dtype:
        return recording
    scale = np.float32(1.0)
    if dtype.kind == "u":
        scale = np.float32(np.iinfo(dtype).max / float(recording.frames.max().compute()))
    frames = (np.asarray(recording.frames) * scale).astype(dtype)
    dark = recording.dark_counts
    return recording.replace(
        frames=da.from_array(frames, chunks=(1, *frames.shape[1:])),
        window=None,
        dark_counts=None if dark is None else dark * scale,
    )


if __name__ == "__main__":
    main()
