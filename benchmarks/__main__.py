"""Prints the benchmark tables with the machine they were made on.

A timing is the median of several runs, beside that of a plain way to do the same (or a plain
pass over the same data) in the same process; only ratios mean anything elsewhere.
"""

from __future__ import annotations

import os
import platform
import subprocess
import sys
import tempfile
from pathlib import Path

from benchmarks.accuracy import accuracy_table, uncertainty_table
from benchmarks.alignment import alignment_table
from benchmarks.batches import batch_row
from benchmarks.boundaries import boundaries_table
from benchmarks.fronts import front_row, fronts_table
from benchmarks.lineages import lineage_rows
from benchmarks.null import null_table, power
from benchmarks.placement import placement_table
from benchmarks.pores import pore_row, pore_table, single_pore_table
from benchmarks.sites import sites_table
from benchmarks.speed import speed_rows
from benchmarks.stages import stages_table
from benchmarks.steadiness import moving_row, registration_row, steadiness_table
from benchmarks.timing import Row, median_s
from benchmarks.viewer import slider_rows


def main() -> None:
    print(
        f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores, "
        f"Python {platform.python_version()}\n"
    )
    print("Speed: median seconds, and the ratio to the baseline in the same run")
    with tempfile.TemporaryDirectory() as folder:
        rows = [
            *speed_rows(Path(folder)),
            registration_row(),
            moving_row(),
            front_row(),
            pore_row(),
            import_row(),
        ]
        rows += lineage_rows()
        rows += slider_rows(Path(folder))
        rows.append(batch_row(Path(folder)))
    for row in rows:
        memory = "" if row.megabytes is None else f"; {row.megabytes:.0f} MB"
        print(f"  {row.name:<60}{row.seconds:9.4f}   {row.ratio:8.3f} x  {row.baseline}{memory}")
    print("\nAccuracy on synthetic recordings (planted truth)")
    print(accuracy_table().to_string(index=False, float_format=lambda v: f"{v:.3f}"))
    print("\nDrift (px, RMS), lamp (%, RMS), and the onset error they leave (frames)")
    print(steadiness_table().to_string(index=False, float_format=lambda v: f"{v:.3f}"))
    print("\nTrans to epi: offset (px) and a rotation of 0.7 degree, one seed each")
    print(alignment_table(seeds=1).to_string(index=False, float_format=lambda v: f"{v:.3f}"))
    print("\nStated uncertainty of onsets: share of pixels within one standard deviation")
    print(uncertainty_table().to_string(index=False, float_format=lambda v: f"{v:.3f}"))
    print("The same where the point spread is not known")
    print(uncertainty_table(False).to_string(index=False, float_format=lambda v: f"{v:.3f}"))
    print("\nFront speeds on planted fronts: the median's error, quartiles over the planted")
    print(fronts_table().to_string(index=False, float_format=lambda v: f"{v:.3f}"))
    print("\nNucleation sites within 0.3 um, onsets, radii (medians over depositions)")
    print(sites_table().to_string(index=False, float_format=lambda v: f"{v:.3f}"))
    print("\nPores at the end of three cycles, and merges at the right frame of the right parents")
    print(pore_table().to_string(index=False, float_format=lambda v: f"{v:.1f}"))
    print("\nAreas of single pores: errors (%) by point spread and by area (um2)")
    print(single_pore_table().to_string(index=False, float_format=lambda v: f"{v:.1f}"))
    print("The same where the point spread is not given")
    print(single_pore_table(False).to_string(index=False, float_format=lambda v: f"{v:.1f}"))
    print("\nStages detected in 100 varied synthetic recordings")
    print(stages_table().to_string(index=False, float_format=lambda v: f"{v:.2f}"))
    seeds = int(os.environ.get("SEEDS", "2000"))
    print(f"\nUnrelated maps with p <= 0.05 (%), {seeds} seeds, Costes' blocks on every 20th")
    print(null_table(range(seeds)).to_string(index=False, float_format=lambda v: f"{v:.1f}"))
    tried = max(seeds // 20, 20)
    print(f"Pairs of degree 0.4 found: {100 * power(range(tried)):.0f} % of {tried}")
    print(f"\nSites at random, and avoiding, with p <= 0.05 (%), {seeds} seeds")
    print(placement_table(range(seeds)).to_string(index=False, float_format=lambda v: f"{v:.1f}"))
    print(f"\nBoundary between unrelated steps given wrong: r and p of their maps, {seeds} seeds")
    print(boundaries_table(seeds).to_string(index=False, float_format=lambda v: f"{v:.3f}"))


def import_row() -> Row:
    """Importing the reader, beside importing numpy."""
    ours = "import napari_lithium_alloy._napari.contributions"
    seconds, plain = (
        median_s(lambda c=code: subprocess.run([sys.executable, "-c", c], check=True), runs=3)
        for code in (ours, "import numpy")
    )
    return Row("import of reader and sample data", seconds, seconds / plain, "import numpy")


if __name__ == "__main__":
    main()
