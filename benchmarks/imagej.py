"""The same jobs by ImageJ's macros, where ImageJ is installed (Debian's imagej)."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

COLOUR_CODE = """
// Each slice in its colour, then the maximum of each channel over time.
run("Fire");
getLut(r, g, b);
n = nSlices;
run("8-bit");
original = getImageID();
newImage("coloured", "RGB black", getWidth(), getHeight(), n);
coloured = getImageID();
setBatchMode(true);
start = getTime();
for (i = 0; i < n; i++) {
  k = floor(256 / n * i);
  red = newArray(256); green = newArray(256); blue = newArray(256);
  for (v = 0; v < 256; v++) {
    red[v] = round(r[k] * v / 255); green[v] = round(g[k] * v / 255);
    blue[v] = round(b[k] * v / 255);
  }
  selectImage(original);
  setSlice(i + 1);
  run("Duplicate...", "title=one");
  setLut(red, green, blue);
  run("RGB Color");
  run("Copy");
  close();
  selectImage(coloured);
  setSlice(i + 1);
  run("Paste");
}
run("Z Project...", "projection=[Max Intensity]");
"""
REGION_CURVE = """
// Mean of a region of 100 x 100 px in each slice.
makeRectangle(200, 200, 100, 100);
start = getTime();
for (i = 1; i <= nSlices; i++) { setSlice(i); getStatistics(area, mean); }
"""
_FRAME = """
setBatchMode(true);
open("{path}");
{job}
print(getTime() - start);
run("Quit");
"""


def imagej_s(path: Path, job: str, *, memory: str = "6g") -> float | None:
    """Seconds that a job takes in ImageJ, reading the file not counted; None without ImageJ."""
    if shutil.which("imagej") is None or shutil.which("xvfb-run") is None:
        return None
    macro = path.with_suffix(".ijm")
    macro.write_text(_FRAME.format(path=path, job=job))
    run = subprocess.run(
        ["xvfb-run", "-a", "imagej", "-x", memory.rstrip("g") + "000", "-b", str(macro)],
        capture_output=True,
        text=True,
        check=False,
    )
    numbers = [line for line in run.stdout.split() if line.isdigit()]
    return int(numbers[-1]) / 1000 if numbers else None
