"""The folder of a study: its tables written from the results of its recordings."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from napari_lithium_alloy.batch import RESULTS, Outcome, known_density
from napari_lithium_alloy.core.provenance import Step
from napari_lithium_alloy.core.replicates import CELL, CURRENT_DENSITY, RECORDING
from napari_lithium_alloy.core.tables import STUDIES, TABLES, conform
from napari_lithium_alloy.io.figures.page import FORMATS, PREFIX, save_figure
from napari_lithium_alloy.io.run_stamp import relative
from napari_lithium_alloy.io.study_file import Study
from napari_lithium_alloy.io.study_tables import (
    RECORDINGS,
    Kinds,
    front_kinds,
    study_table,
    with_front,
)
from napari_lithium_alloy.io.tables import csv_parts


class StudyFolder:
    """Writes tables and figures of a study, and knows which it wrote.

    Parameters
    ----------
    study : Study
    outcomes : sequence of Outcome
        Of its recordings, in its order.
    out : Path

    Attributes
    ----------
    front : dict
        Types of recording, cell and conditions, the columns in front of every table.
    files : list of Path
        Written so far.
    notes : list of str
        What the user should know, a sentence each.
    """

    def __init__(self, study: Study, outcomes: Sequence[Outcome], out: Path) -> None:
        self.study, self.outcomes, self.out = study, outcomes, out
        self.front = front_kinds(study)
        self.files: list[Path] = []
        self.notes: list[str] = []
        self._steps = [Step.of("batch", study=study.name, recordings=len(outcomes))]

    def having(self, name: str) -> list[Outcome]:
        """Recordings that were analysed and have a table of a name."""
        return [o for o in self.outcomes if o.usable and (o.out / f"{name}.csv").is_file()]

    def behind(self, outcome: Outcome, rows: pd.DataFrame) -> pd.DataFrame:
        """Rows of a recording behind its name, cell and conditions."""
        entry = outcome.entry
        density, _ = known_density(outcome, _given(outcome))
        named = {RECORDING: entry.name, CELL: entry.cell}
        front = {**named, **entry.conditions, CURRENT_DENSITY: density}
        return with_front(rows, front, self.front)

    def rows_of(
        self, name: str, made: Callable[[pd.DataFrame], pd.DataFrame], table: Kinds
    ) -> Iterator[pd.DataFrame]:
        """What is made of each recording's table of a name, behind its conditions."""
        for outcome in self.having(name):
            parts = list(csv_parts(outcome.out / f"{name}.csv"))
            whole = pd.concat(parts, ignore_index=True) if parts else pd.DataFrame(columns=[*table])
            yield self.behind(outcome, made(whole))

    # Files

    def write(self, name: str, kinds: Kinds, parts: Iterable[pd.DataFrame]) -> None:
        """Write a table whose parts come one after another."""
        with study_table(self.out, name, kinds, self._steps) as add:
            for rows in parts:
                add(rows)
        self.files += [self.out / f"{name}{end}" for end in (".csv", ".parquet")]

    def write_recordings(self) -> None:
        """Write `study_recordings`."""
        rows = (self.behind(o, conform(RECORDINGS, self._state(o))) for o in self.outcomes)
        self.write(RECORDINGS, {**self.front, **STUDIES[RECORDINGS]}, rows)

    def kinds(self) -> list[str]:
        """Names of the tables that some recording has."""
        return [name for name in TABLES if self.having(name)]

    def write_kind(self, name: str) -> None:
        """Write a table of every recording that has it."""
        self.write(name, {**self.front, **TABLES[name]}, self._all_rows(name))

    def _all_rows(self, name: str) -> Iterator[pd.DataFrame]:
        for outcome in self.having(name):
            for part in csv_parts(outcome.out / f"{name}.csv"):
                yield self.behind(outcome, part)

    def _state(self, outcome: Outcome) -> pd.DataFrame:
        entry, begun = outcome.entry, outcome.begun
        _, source = known_density(outcome, _given(outcome))
        state = {
            # whether it was analysed now or before is no property of the study
            "status": "analysed" if outcome.usable else outcome.status,
            "reason": outcome.reason,
            "measured_ma_cm2": float("nan") if begun is None else begun.measured_ma_cm2,
            "current_density_source": source,
            "path": relative(entry.path, outcome.out.parent),
            "recording_name": entry.recording_name or "",
            "results": f"{RESULTS}/{entry.folder}",
        }
        return pd.DataFrame([state])

    def save(self, figure: Any, name: str, formats: Sequence[str]) -> None:
        """Save a figure."""
        self.files += save_figure(figure, self.out, name, formats)

    def sweep(self, figures: Sequence[str]) -> None:
        """Remove tables, and figures of these names, that an earlier batch alone wrote."""
        tables = [f"{n}{end}" for n in (*TABLES, *STUDIES) for end in (".csv", ".parquet")]
        drawn = [f"{PREFIX}{name}.{end}" for name in figures for end in FORMATS]
        for path in {self.out / name for name in (*tables, *drawn)} - set(self.files):
            path.unlink(missing_ok=True)


def _given(outcome: Outcome) -> float | None:
    given = outcome.entry.conditions.get(CURRENT_DENSITY)
    return None if given is None else float(given)
