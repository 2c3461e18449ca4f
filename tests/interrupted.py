"""Kills analyses at random moments; run as a program, since it forks.

``python interrupted.py RECORDING FOLDER SEED`` prints a line of JSON: how far each killed analysis
had come, and the problems that were met.
"""

import json
import os
import random
import signal
import sys
import time
from pathlib import Path

import tifffile

from napari_lithium_alloy.core.errors import AlloyError
from napari_lithium_alloy.core.progress import finish
from napari_lithium_alloy.io.recording_file import open_experiment
from napari_lithium_alloy.io.tables import read_csv
from napari_lithium_alloy.io.unfinished import FOLDER
from napari_lithium_alloy.runs import analyze_into

KILLS = 10


def analyse(recording: str, out: Path) -> None:
    """One analysis, or the rest of an interrupted one."""
    finish(analyze_into(open_experiment(recording), out))


def contents(folder: Path) -> dict[str, bytes]:
    """Of all files below a folder."""
    files = sorted(p for p in folder.rglob("*") if p.is_file())
    return {str(p.relative_to(folder)): p.read_bytes() for p in files}


def killed_after(seconds: float, recording: str, out: Path) -> bool:
    """Whether an analysis in another process was killed before it was done."""
    child = os.fork()
    if child == 0:
        analyse(recording, out)
        os._exit(0)
    time.sleep(seconds)
    os.kill(child, signal.SIGKILL)
    return os.WIFSIGNALED(os.waitpid(child, 0)[1])


def half_written(out: Path) -> list[str]:
    """Files of results that cannot be read whole."""
    bad = []
    for path in out.glob("*.*"):
        try:
            if path.suffix == ".csv":
                read_csv(path)
            elif path.suffix == ".tif":
                tifffile.imread(path)
            elif path.suffix == ".json":
                json.loads(path.read_text())
        except (OSError, ValueError, AlloyError) as error:
            bad.append(f"{path.name}: {error}")
    return bad


def main() -> None:
    recording, folder, seed = sys.argv[1], Path(sys.argv[2]), int(sys.argv[3])
    analyse(recording, folder / "first")  # loads all compiled loops
    begin = time.monotonic()
    analyse(recording, folder / "whole")
    needed = time.monotonic() - begin
    rng, kept, problems, killed = random.Random(seed), [], [], 0
    for k in range(KILLS):
        out = folder / f"killed{k}"
        killed += killed_after(rng.uniform(0.02, 0.98) * needed, recording, out)
        kept.append(len(list((out / FOLDER).glob("*.piece"))))
        problems += half_written(out)
        # A process may be killed on its way out, when all is written.
        if (out / FOLDER).exists() or not out.exists():
            analyse(recording, out)
        if contents(out) != contents(folder / "whole"):
            problems.append(f"the analysis killed {k}. is not the whole one")
    sys.stdout.write(json.dumps({"killed": killed, "kept": kept, "problems": problems}))


if __name__ == "__main__":
    main()
