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
    recording = experiment.recording(None)
    for dtype in COMPILED_FOR:
        sys.stderr.write(f"Compiling loops for counts of type {dtype.name} ...\n")
        own = experiment.replace(recordings=(converted(recording, dtype),))
        finish(analyze_into(own, Path(sys.argv[1]) / dtype.name, overwrite=True))


def converted(recording: Recording, dtype: np.dtype) -> Recording:
    """The recording as a camera of another depth would have made it."""
    if recording.frames.dtype == dtype:
        return recording
    frames, dark = np.asarray(recording.frames), recording.dark_counts
    scale = np.float32(np.iinfo(dtype).max / frames.max() if dtype.kind == "u" else 1.0)
    counts = (frames * scale).astype(dtype)
    return recording.replace(
        frames=da.from_array(counts, chunks=(1, *counts.shape[1:])),
        window=None,
        dark_counts=None if dark is None else dark * scale,
    )


if __name__ == "__main__":
    main()
