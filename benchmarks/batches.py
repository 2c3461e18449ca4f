"""A batch of recordings on one worker and on two, each with one thread."""

from __future__ import annotations

import shutil
import subprocess
import sys
import time
from pathlib import Path

from benchmarks.timing import Row
from napari_lithium_alloy.sample_data import sample_parameters, write_sample

CELLS, SHAPE = 8, (192, 192)
STUDY = """
name = "cells"
[[recordings]]
glob = "cells/*/recording.toml"
current_density_ma_cm2 = 0.5
"""


def batch_row(folder: Path) -> Row:
    """Seconds on two workers, beside those on one; start and tables of the study included."""
    first = folder / "cells" / "00"
    write_sample(sample_parameters("au_one_cycle").change(shape=SHAPE), first)
    for k in range(1, CELLS):
        shutil.copytree(first, folder / "cells" / f"{k:02}")
    (folder / "study.toml").write_text(STUDY)
    _batch_s(folder, "warm", 2)
    one, two = (_batch_s(folder, f"on{n}", n) for n in (1, 2))
    tables = [sorted((folder / f"on{n}").glob("*.csv")) for n in (1, 2)]
    alike = all(a.read_bytes() == b.read_bytes() for a, b in zip(*tables, strict=True))
    name = f"batch of {CELLS} recordings on two workers ({'same' if alike else 'OTHER'} tables)"
    return Row(name, two, two / one, "one worker")


def _batch_s(folder: Path, out: str, workers: int) -> float:
    command = [sys.executable, "-m", "napari_lithium_alloy.cli", "batch", "study.toml"]
    start = time.perf_counter()
    subprocess.run(
        [*command, "--out", out, "--workers", str(workers)],
        cwd=folder,
        check=True,
        capture_output=True,
    )
    return time.perf_counter() - start
