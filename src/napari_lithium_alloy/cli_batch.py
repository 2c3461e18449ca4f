"""lithium-alloy batch: a study's recordings on a cluster, and what compares them."""

from __future__ import annotations

import argparse
import functools
import re
import sys
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

from napari_lithium_alloy.batch import Outcome, analyse_all, outcomes_of, run_tasks
from napari_lithium_alloy.batch_cluster import (
    Workers,
    check_installed,
    cluster_at,
    local_cluster,
)
from napari_lithium_alloy.cli_options import takes_formats
from napari_lithium_alloy.comparisons import DEFAULT_MEANS, Comparison, write_study_results
from napari_lithium_alloy.core.errors import AlloyError
from napari_lithium_alloy.core.replicates import CURRENT_DENSITY
from napari_lithium_alloy.io.figures.page import checked_formats
from napari_lithium_alloy.io.study_file import Study, read_study
from napari_lithium_alloy.study_folder import StudyFolder

DONE, FAILED = 0, 1
UNITS = {"": 1, "K": 1024, "M": 1024**2, "G": 1024**3, "T": 1024**4}
DIFFERENT = 0.1
"""Share by which a given current density may differ from the measured one unsaid."""


def add_batch(commands: Any) -> None:
    """Add the command to the parser's commands."""
    batch = commands.add_parser(
        "batch", help="analyse a study's recordings on a cluster, and compare them"
    )
    batch.add_argument("study", type=Path, help="a TOML file that lists recordings and conditions")
    batch.add_argument(
        "--out", required=True, type=Path,
        help="folder for the study; a second call analyses what is missing, failed or changed",
    )  # fmt: skip
    _takes_cluster(batch)
    _takes_comparison(batch)
    batch.set_defaults(run=run_batch)


def _takes_cluster(batch: argparse.ArgumentParser) -> None:
    batch.add_argument("--workers", type=_count, help="processes (default: one a processor)")
    batch.add_argument("--threads", type=_count, help="of each worker (default: 1)")
    batch.add_argument(
        "--memory", type=_bytes, metavar="SIZE",
        help="of each worker, such as 4GB (default: together a quarter of the machine's)",
    )  # fmt: skip
    batch.add_argument(
        "--scheduler", metavar="ADDRESS",
        help="of a cluster that is there, such as tcp://10.0.0.1:8786, or its scheduler's file, "
        "instead of this machine",
    )  # fmt: skip


def _takes_comparison(batch: argparse.ArgumentParser) -> None:
    batch.add_argument(
        "--means", nargs="+", default=list(DEFAULT_MEANS), metavar="TABLE.COLUMN",
        help="columns averaged over replicate cells (default: %(default)s)",
    )  # fmt: skip
    batch.add_argument(
        "--by", nargs="+", default=[], metavar="CONDITION",
        help="conditions that tell groups of replicates apart (default: all)",
    )  # fmt: skip
    batch.add_argument(
        "--against", default=CURRENT_DENSITY, metavar="CONDITION",
        help="the condition figures are drawn against (default: %(default)s)",
    )  # fmt: skip
    batch.add_argument(
        "--charge", type=float, metavar="MAH_CM2",
        help="since the start of deposition, at which nuclei are counted (default: the least)",
    )  # fmt: skip
    batch.add_argument("--cycle", type=_count, default=1, help="of nuclei (default: %(default)s)")
    takes_formats(batch)


def _count(text: str) -> int:
    if not re.fullmatch(r"0*[1-9]\d*", text):
        raise argparse.ArgumentTypeError(f"{text} is no whole number from 1")
    return int(text)


def _bytes(text: str) -> int:
    found = re.fullmatch(r"(\d+(?:\.\d*)?)\s*([KMGT]?)i?B?", text.strip(), re.IGNORECASE)
    if not found or not float(found[1]) > 0:
        raise argparse.ArgumentTypeError(f"{text} is no size; give one such as 4GB")
    return int(float(found[1]) * UNITS[found[2].upper()])


def run_batch(options: argparse.Namespace) -> int:
    """Analyse what is not current, then write the study's tables; 1 where a recording failed."""
    check_installed()
    study = read_study(options.study)
    comparison = Comparison(
        means=options.means,
        by=options.by,
        against=options.against,
        cycle=options.cycle,
        charge_mah_cm2=options.charge,
        formats=checked_formats(options.formats.split(",")),
    ).checked(study)
    outcomes = outcomes_of(study, options.out)
    write = functools.partial(write_study_results, study, outcomes, options.out, comparison)
    try:
        written, stopped = _analysed_and_written(options, outcomes, write)
    except KeyboardInterrupt:
        _tell("stopped while the study's tables were written: each is whole, new or as it was")
        return FAILED
    for note in (*_densities(outcomes), *written.notes):
        _tell(f"note: {note}")
    return _end(study, outcomes, len(written.files), options.out, stopped)


def _analysed_and_written(
    options: argparse.Namespace, outcomes: Sequence[Outcome], write: Callable[..., StudyFolder]
) -> tuple[StudyFolder, bool]:
    """What was written, and whether Ctrl-C stopped the analyses; then of what is finished."""
    analysed = False
    try:
        with _cluster(options) as client:
            _analyse(options, outcomes, client)
            analysed = True
            return write(functools.partial(run_tasks, client)), False
    except KeyboardInterrupt:
        if analysed:
            raise
    _tell("stopped; what is finished is kept, and the same command goes on from there")
    return write(), True


def _analyse(options: argparse.Namespace, outcomes: Sequence[Outcome], client: Any) -> None:
    """Run the analyses, and tell of each that ends."""
    done: list[Outcome] = []

    def told(outcome: Outcome) -> None:
        done.append(outcome)
        name, said = outcome.entry.name, outcome.reason or outcome.status
        failed = "" if outcome.usable else "not analysed: "
        _tell(f"[{len(done)}/{len(outcomes)}] {name}: {failed}{said}")

    if options.scheduler:
        n = len(client.nthreads())
        _tell(f"on the cluster of {options.scheduler}, which has {n} workers now")
    analyse_all(client, outcomes, threads=_threads(options), told=told, stepped=_show_tasks)


def _threads(options: argparse.Namespace) -> int:
    return int(options.threads or (0 if options.scheduler else 1))


def _cluster(options: argparse.Namespace) -> AbstractContextManager[Any]:
    if options.scheduler:
        if options.workers or options.memory:
            raise AlloyError(
                "--workers and --memory are of a cluster on this machine; leave them out, or "
                "--scheduler."
            )
        return cluster_at(options.scheduler)
    workers = Workers.chosen(options.workers, options.threads or 1, options.memory)
    _tell(str(workers))
    return local_cluster(workers)


def _densities(outcomes: Sequence[Outcome]) -> list[str]:
    """What is to be said of current densities, a sentence each."""
    notes, taken = [], []
    for outcome in outcomes:
        given, begun = outcome.entry.conditions.get(CURRENT_DENSITY), outcome.begun
        if begun is None:
            continue
        measured, name = begun.measured_ma_cm2, outcome.entry.name
        if given is None and begun.measured_reason:
            notes.append(
                f"{name}: its current density is not given, and {begun.measured_reason}; give "
                f"{CURRENT_DENSITY}."
            )
        elif given is None:
            taken.append(f"{measured:.2g} ({name})")
        elif abs(measured - float(given)) > DIFFERENT * float(given):
            notes.append(
                f"{name}: its current density is given as {float(given):g} mA cm-2, but by "
                f"potential and film it is {measured:.3g}."
            )
    if taken:
        notes.append(f"current density by potential and film, mA cm-2: {', '.join(taken)}.")
    return notes


def _end(study: Study, outcomes: Sequence[Outcome], n_files: int, out: Path, stopped: bool) -> int:
    usable = sum(o.usable for o in outcomes)
    sys.stdout.write(
        f"{study.name}: {usable} of {len(outcomes)} recordings; {n_files} files in {out}\n"
    )
    return FAILED if stopped or usable < len(outcomes) else DONE


def _show_tasks(done: int, known: int) -> None:
    """A line that the next one written takes the place of, where somebody can see it."""
    if sys.stderr.isatty():
        sys.stderr.write(f"\r{done} of {known} tasks done\r")
        sys.stderr.flush()


def _tell(text: str) -> None:
    sys.stderr.write(f"{text}\n")
    sys.stderr.flush()
