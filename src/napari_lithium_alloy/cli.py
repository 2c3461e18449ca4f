"""lithium-alloy: the analysis without the viewer."""

from __future__ import annotations

import argparse
import math
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TextIO

from napari_lithium_alloy import __version__
from napari_lithium_alloy.cli_batch import add_batch
from napari_lithium_alloy.cli_options import takes_formats
from napari_lithium_alloy.core.errors import AlloyError
from napari_lithium_alloy.core.experiment import Experiment
from napari_lithium_alloy.core.pore_edits import PoreEdit, edits_of
from napari_lithium_alloy.core.progress import Result, Work
from napari_lithium_alloy.core.recording import Recording
from napari_lithium_alloy.io.figures.page import check_figures_out, checked_formats
from napari_lithium_alloy.io.recording_file import open_experiment
from napari_lithium_alloy.io.tables import read_csv
from napari_lithium_alloy.parts import stage_tables
from napari_lithium_alloy.pipeline import analyze
from napari_lithium_alloy.report import save_figures, save_movie, with_stages
from napari_lithium_alloy.runs import analyze_into, told_before
from napari_lithium_alloy.study import check_study_out, study_cells, write_study

DONE, FAILED = 0, 1
BAR_WIDTH = 30
LEAST_SHARE, LEAST_SECONDS = 0.03, 2.0
"""Done, from which on the time left is told."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; 0 when done, 1 after an error, which is one sentence on stderr."""
    options = _parser().parse_args(arguments)
    try:
        return int(options.run(options))
    except AlloyError as error:
        _say(f"lithium-alloy: {error}", sys.stderr)
        return FAILED
    except KeyboardInterrupt:
        goes_on = options.command == "analyze"
        what = "the same command goes on from here" if goes_on else "nothing was written"
        _say(f"lithium-alloy: stopped; {what}.", sys.stderr)
        return FAILED


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="lithium-alloy",
        description="Analyse operando optical recordings of lithium alloying in metal films.",
    )
    parser.add_argument("--version", action="version", version=__version__)
    commands = parser.add_subparsers(dest="command", required=True)

    run = commands.add_parser("analyze", help="write all tables and maps of a recording")
    _takes_recording(run, chosen=True)
    _takes_out(run, "results")
    _takes_pore_edits(run)
    run.add_argument(
        "--memory", type=_gigabytes, metavar="GB",
        help="most to be used, beside mapped files (default: a quarter of the machine's)",
    )  # fmt: skip
    run.set_defaults(run=_analyze)

    figures = commands.add_parser("figures", help="save the figures of a paper of a recording")
    _takes_recording(figures, chosen=True)
    _takes_out(figures, "figures")
    _takes_pore_edits(figures)
    takes_formats(figures)
    figures.add_argument(
        "--with", dest="others", nargs="+", default=[], metavar="RECORDING",
        help="further cells, whose potential is drawn under that of this one",
    )  # fmt: skip
    figures.set_defaults(run=_figures)

    compare = commands.add_parser(
        "compare", help="number of nuclei against current density, at equal charge"
    )
    compare.add_argument(
        "cells", nargs="+", type=Path, metavar="RESULTS",
        help="folders that analyze has written, or recordings, which are analysed first",
    )  # fmt: skip
    _takes_out(compare, "comparison")
    compare.add_argument(
        "--charge", type=float, metavar="MAH_CM2",
        help="charge since the start of deposition (default: the least total of all)",
    )  # fmt: skip
    compare.add_argument("--cycle", type=int, default=1, help="of each (default: %(default)s)")
    takes_formats(compare)
    compare.set_defaults(run=_compare)

    add_batch(commands)

    movie = commands.add_parser("movie", help="save an annotated movie, trans beside epi")
    _takes_recording(movie, chosen=True)
    movie.add_argument("--out", required=True, type=Path, help="an .mp4 file")
    movie.add_argument("--overwrite", action="store_true", help="replace a file that is there")
    movie.add_argument("--fps", type=int, default=20, help="frames a second (default: %(default)s)")
    movie.set_defaults(run=_movie)

    stages = commands.add_parser("stages", help="print the stages of a recording, given or found")
    _takes_recording(stages, chosen=True)
    stages.add_argument("--csv", action="store_true", help="as CSV, not aligned")
    stages.set_defaults(run=_stages)

    info = commands.add_parser("info", help="say what a recording is")
    _takes_recording(info)
    info.set_defaults(run=_info)

    demo = commands.add_parser("demo", help="open the sample recording with its results")
    demo.add_argument(
        "--out",
        type=Path,
        default=Path("demo-output"),
        help="folder for screenshots, tables and a report where there is no screen",
    )
    demo.set_defaults(run=_demo)
    return parser


def _takes_recording(parser: argparse.ArgumentParser, *, chosen: bool = False) -> None:
    parser.add_argument("recording", help="recording.toml, an image file, or a folder of frames")
    if chosen:
        parser.add_argument("--recording-name", help="which recording, where there are several")
        parser.add_argument(
            "--mode", choices=("trans", "epi"), help="the light, where nothing else says it"
        )


def _takes_out(parser: argparse.ArgumentParser, what: str) -> None:
    parser.add_argument("--out", required=True, type=Path, help=f"folder for the {what}")
    parser.add_argument("--overwrite", action="store_true", help=f"replace {what} that are there")


def _takes_pore_edits(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--pore-edits", type=Path, metavar="CSV",
        help="corrections of pores by hand: pore_edits.csv as the viewer exported it",
    )  # fmt: skip


def _edits(options: argparse.Namespace) -> list[PoreEdit]:
    return [] if options.pore_edits is None else edits_of(read_csv(options.pore_edits))


def _gigabytes(text: str) -> float:
    value = float(text)
    if not 0 < value < math.inf:
        raise ValueError
    return value


def _analyze(options: argparse.Namespace) -> int:
    experiment = _with_mode(open_experiment(options.recording), options.mode)
    memory = None if options.memory is None else options.memory * 1e9
    told = told_before(experiment, options.recording_name, memory)
    if told:
        _say(told, sys.stderr)
    work = analyze_into(
        experiment,
        options.out,
        recording_name=options.recording_name,
        pore_edits=_edits(options),
        overwrite=options.overwrite,
        memory_bytes=memory,
    )
    result, written = _with_progress(work, sys.stderr)
    for note in result.notes:
        _say(f"note: {note}", sys.stderr)
    _say(f"{len(written)} files in {options.out}")
    return DONE


def _figures(options: argparse.Namespace) -> int:
    formats = checked_formats(options.formats.split(","))
    check_figures_out(options.out, overwrite=options.overwrite)
    experiment = _with_mode(open_experiment(options.recording), options.mode)
    others = [open_experiment(path) for path in options.others]
    edits = _edits(options)
    work = analyze(experiment, recording_name=options.recording_name, pore_edits=edits)
    result = _with_progress(work, sys.stderr)
    saving = save_figures(result, options.out, formats, others=others, overwrite=options.overwrite)
    written = _with_progress(saving, sys.stderr)
    _say(f"{len(written)} figures in {options.out}")
    return DONE


def _compare(options: argparse.Namespace) -> int:
    formats = checked_formats(options.formats.split(","))
    check_study_out(options.out, overwrite=options.overwrite)
    cells = _with_progress(study_cells(options.cells, options.cycle), sys.stderr)
    written, law = write_study(
        cells, options.out, formats, charge_mah_cm2=options.charge, overwrite=options.overwrite
    )
    fitted = f"density of sites ~ current^({law.exponent:.2f} +- {law.exponent_sd:.2f})"
    _say(f"note: {law.reason}" if law.reason else fitted)
    _say(f"{len(written)} files in {options.out}")
    return DONE


def _movie(options: argparse.Namespace) -> int:
    if options.out.exists() and not options.overwrite:
        raise AlloyError(
            f"{options.out} is there already; name another file or allow it to be replaced "
            "(--overwrite)."
        )
    experiment = _with_mode(open_experiment(options.recording), options.mode)
    work = save_movie(
        experiment, options.out, recording_name=options.recording_name, fps=options.fps
    )
    _say(str(_with_progress(work, sys.stderr)))
    return DONE


def _stages(options: argparse.Namespace) -> int:
    experiment = _with_mode(open_experiment(options.recording), options.mode)
    work = with_stages(experiment, options.recording_name)
    table = stage_tables(_with_progress(work, sys.stderr))["stages"]
    if options.csv:
        _say(table.to_csv(index=False, lineterminator="\n").rstrip("\n"))
    elif len(table):
        _say(table.to_string(index=False, na_rep="-", float_format="{:.6g}".format))
    else:
        _say("No stages are given and none were found.")
    return DONE


def _with_mode(experiment: Experiment, mode: str | None) -> Experiment:
    """The experiment with the mode set: of a recording.toml only where it is not known."""
    if mode is None:
        return experiment
    told = experiment.source.endswith(".toml")
    recordings = (
        r if told and r.mode is not None else r.replace(mode=mode) for r in experiment.recordings
    )
    return experiment.replace(recordings=tuple(recordings))


def _with_progress(work: Work[Result], stream: TextIO) -> Result:
    """Run work to its end, with a progress line where somebody can see it."""
    shown, began = "", time.monotonic()
    while True:
        try:
            done, total = next(work)
        except StopIteration as stop:
            if stream.isatty():
                stream.write("\r" + " " * len(shown) + "\r")
            result: Result = stop.value
            return result
        share = done / max(total, 1)
        line = f"[{'#' * int(BAR_WIDTH * share):<{BAR_WIDTH}}] {100 * share:3.0f} %"
        line += _left(share, time.monotonic() - began)
        if stream.isatty() and line != shown:
            stream.write(f"\r{line:<{len(shown)}}")
            stream.flush()
            shown = line


def _left(share: float, seconds: float) -> str:
    """About how long work still takes that has done a share in so many seconds."""
    if share < LEAST_SHARE or seconds < LEAST_SECONDS:
        return ""
    left = seconds * (1 - share) / share
    return f"  {left / 60:.0f} min left" if left > 90 else f"  {left:.0f} s left"


def _info(options: argparse.Namespace) -> int:
    experiment = open_experiment(options.recording)
    _say(experiment.name)
    for recording in experiment.recordings:
        _say(_described(recording))
    film, potential = experiment.film, experiment.potential
    if film is not None:
        _say(f"  film: {film.metal}, {film.thickness_nm:g} nm, {film.area_cm2:g} cm2")
    if potential is not None:
        times = potential.recording_times_s
        _say(f"  potential: {len(times)} points, {times[0]:g} to {times[-1]:g} s")
    for stage in experiment.stages:
        _say(f"  cycle {stage.cycle} {stage.label}: {stage.start_s:g} to {stage.end_s:g} s")
    return DONE


def _described(recording: Recording) -> str:
    rows, columns = recording.field_shape
    times = recording.times_s
    size = recording.pixel_size_um
    lines = [
        f"  {recording.name}: {recording.n_frames} frames of {rows} x {columns} px, "
        f"{recording.frames.dtype}, {recording.mode or 'trans or epi not known'}",
        f"    times: {times[0]:g} to {times[-1]:g} s, from {recording.times_source or 'nowhere'}",
        f"    pixel size: {'not known' if size is None else f'{size:g} um'}",
        *(f"    note: {note}" for note in recording.notes),
    ]
    return "\n".join(lines)


def _demo(options: argparse.Namespace) -> int:
    """Open the viewer where there is a screen, else draw it on a virtual one."""
    command = [sys.executable, "-m", "napari_lithium_alloy._napari.demo"]
    has_screen = sys.platform in ("win32", "darwin") or any(
        os.environ.get(name) for name in ("DISPLAY", "WAYLAND_DISPLAY")
    )
    if not has_screen:
        if shutil.which("xvfb-run") is None:
            raise AlloyError(
                "There is no screen and no virtual one: install Debian's xvfb (make install "
                "does, where it may)."
            )
        screen = ["xvfb-run", "-a", "-s", "-screen 0 1920x1200x24"]
        command = [*screen, *command, "--out", str(options.out)]
    return subprocess.run(command, check=False).returncode


def _say(text: str, stream: TextIO | None = None) -> None:
    (stream or sys.stdout).write(f"{text}\n")


if __name__ == "__main__":
    sys.exit(main())
