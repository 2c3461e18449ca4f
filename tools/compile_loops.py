"""Analyse the sample recording in each type of counts that loops are compiled for.

It is also corrected as if the sample had moved. No later analysis compiles them then: they are the
same code in every process, and results are the same to the last bit.

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
from napari_lithium_alloy.pipeline import begun
from napari_lithium_alloy.runs import analyze_into

SAMPLE = "sample_data/au_one_cycle"
MOVES_PX = 3


def main() -> None:
    """Make an analysis and a correction of each type."""
    experiment = open_experiment(SAMPLE)
    recording = experiment.recording(None)
    for dtype in COMPILED_FOR:
        sys.stderr.write(f"Compiling loops for counts of type {dtype.name} ...\n")
        still = converted(recording, dtype)
        own = experiment.replace(recordings=(still,))
        finish(analyze_into(own, Path(sys.argv[1]) / dtype.name, overwrite=True))
        finish(begun(experiment.replace(recordings=(moved(still),))))


def converted(recording: Recording, dtype: np.dtype) -> Recording:
    """The recording as a camera of another depth would have made it."""
    if recording.frames.dtype == dtype:
        return recording
    frames, dark = np.asarray(recording.frames), recording.dark_counts
    scale = np.float32(np.iinfo(dtype).max / frames.max() if dtype.kind == "u" else 1.0)
    counts = with_frames(recording, (frames * scale).astype(dtype))
    return counts.replace(dark_counts=None if dark is None else dark * scale)


def moved(recording: Recording) -> Recording:
    """The recording as it would be if the sample had moved slowly."""
    frames = np.asarray(recording.frames)
    steps = np.linspace(0, MOVES_PX, len(frames)).astype(int)
    rolled = [np.roll(f, s, axis=0) for f, s in zip(frames, steps, strict=True)]
    return with_frames(recording, np.stack(rolled))


def with_frames(recording: Recording, frames: np.ndarray) -> Recording:
    """The recording with other frames of the same times."""
    return recording.replace(frames=da.from_array(frames, chunks=(1, -1, -1)), window=None)


if __name__ == "__main__":
    main()
