"""A study's tables and comparisons, from the results of its recordings."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd

from napari_lithium_alloy.batch import RESULTS, Outcome, known_density
from napari_lithium_alloy.core.column_names import header, sentence
from napari_lithium_alloy.core.errors import AlloyError
from napari_lithium_alloy.core.pair_study import pair_study
from napari_lithium_alloy.core.provenance import Step
from napari_lithium_alloy.core.replicates import (
    CELL,
    CURRENT_DENSITY,
    KEYS,
    RECORDING,
    keys_of,
    replicate_means,
    said_keys,
)
from napari_lithium_alloy.core.site_study import PowerLaw, StudyCell, compare_sites, study_cell
from napari_lithium_alloy.core.study_series import against
from napari_lithium_alloy.core.tables import STUDIES, TABLES, conform
from napari_lithium_alloy.io.figures.against import Panel, against_figure
from napari_lithium_alloy.io.figures.page import FORMATS, PREFIX, save_figure
from napari_lithium_alloy.io.figures.site_places import study_figure
from napari_lithium_alloy.io.run_stamp import relative
from napari_lithium_alloy.io.study_file import Study
from napari_lithium_alloy.io.study_tables import (
    RECORDINGS,
    Kinds,
    front_kinds,
    own_kinds,
    study_table,
    with_front,
)
from napari_lithium_alloy.io.tables import read_csv

SITES, PAIRS, MEANS = "site_study", "pair_study", "replicate_means"
SITES_FIGURE, PAIRS_FIGURE, MEANS_FIGURE = "sites_against_current", "r_against_rate", "means"
NEEDED = ("sites", "site_charge", "site_field")
DEFAULT_MEANS = (
    "pair_study.pearson_r",
    "site_field.density_um2",
    "sites.radius_um",
    "onset_summary.front_speed_median_um_s",
    "cycles.area_fraction",
    "cycles.pore_count",
    "cycles.coulombic_efficiency",
)


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """What is compared, and how.

    Attributes
    ----------
    means : sequence of str
        Columns averaged over replicate cells, as table.column.
    by : sequence of str
        Conditions that tell groups of replicates apart; empty: all of the study.
    against : str
        The condition on the x axis of the figures.
    cycle : int
        Of the number of nuclei.
    charge_mah_cm2 : float, optional
        At which nuclei are counted; None: the least total of all.
    formats : sequence of str
        Of the figures.
    """

    means: Sequence[str] = DEFAULT_MEANS
    by: Sequence[str] = ()
    against: str = CURRENT_DENSITY
    cycle: int = 1
    charge_mah_cm2: float | None = None
    formats: Sequence[str] = ("png", "svg")

    def checked(self, study: Study) -> Comparison:
        """The same with the study's conditions where none are named.

        Raises
        ------
        AlloyError
            If it names a column or a condition there is not.
        """
        for name in self.means:
            table, _, column = name.partition(".")
            if table not in (*TABLES, PAIRS) or column not in own_kinds(table):
                raise AlloyError(f"There is no column {name}; name one as table.column.")
            if own_kinds(table)[column] not in ("float64", "Int64"):
                raise AlloyError(f"The column {name} holds no numbers; name another.")
        for name in (*self.by, self.against):
            if name not in study.conditions:
                known = ", ".join(study.conditions)
                raise AlloyError(f"The study has no condition {name}; it has: {known}.")
        by = tuple(dict.fromkeys(self.by or study.conditions))
        return Comparison(**{**vars(self), "by": by})


@dataclass(kw_only=True)
class Written:
    """Files of a study, and what to say of them."""

    files: list[Path] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


class StudyWriter:
    """Writes the tables of a study, then what compares its recordings.

    Parameters
    ----------
    study : Study
    outcomes : sequence of Outcome
        Of its recordings, in its order.
    out : Path
        The study's folder.
    comparison : Comparison
        As `Comparison.checked` gives it.
    """

    def __init__(
        self, study: Study, outcomes: Sequence[Outcome], out: Path, comparison: Comparison
    ) -> None:
        self.study, self.outcomes, self.out, self.comparison = study, outcomes, out, comparison
        self.kinds = front_kinds(study)
        self.written = Written()
        self._steps = [Step.of("batch", study=study.name, recordings=len(outcomes))]

    def write(self) -> Written:
        """Write all; of earlier tables and figures of a study none is left.

        Raises
        ------
        AlloyError
            If the folder cannot be written.
        """
        try:
            self.out.mkdir(parents=True, exist_ok=True)
            self._recordings()
            for name in TABLES:
                self._kind(name)
            self._sites()
            pairs = self._pairs()
            self._means(pairs)
            self._sweep()
        except OSError as error:
            raise AlloyError(
                f"{self.out} cannot be written ({error.strerror}); choose another folder."
            ) from error
        return self.written

    # Tables

    def _front(self, outcome: Outcome) -> dict[str, Any]:
        entry = outcome.entry
        given = entry.conditions.get(CURRENT_DENSITY)
        density, _ = known_density(outcome, None if given is None else float(given))
        named = {RECORDING: entry.name, CELL: entry.cell}
        return {**named, **entry.conditions, CURRENT_DENSITY: density}

    def _behind(self, outcome: Outcome, rows: pd.DataFrame) -> pd.DataFrame:
        return with_front(rows, self._front(outcome), self.kinds)

    def _write(self, name: str, kinds: Kinds, parts: Iterator[pd.DataFrame]) -> None:
        with study_table(self.out, name, {**self.kinds, **kinds}, self._steps) as add:
            for rows in parts:
                add(rows)
        self.written.files += [self.out / f"{name}{end}" for end in (".csv", ".parquet")]

    def _recordings(self) -> None:
        rows = (self._behind(o, conform(RECORDINGS, self._state(o))) for o in self.outcomes)
        self._write(RECORDINGS, STUDIES[RECORDINGS], rows)

    def _state(self, outcome: Outcome) -> pd.DataFrame:
        entry, begun = outcome.entry, outcome.begun
        given = entry.conditions.get(CURRENT_DENSITY)
        _, source = known_density(outcome, None if given is None else float(given))
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

    def _usable(self) -> list[Outcome]:
        return [o for o in self.outcomes if o.usable]

    def _having(self, name: str) -> list[Outcome]:
        return [o for o in self._usable() if (o.out / f"{name}.csv").is_file()]

    def _kind(self, name: str) -> None:
        having = self._having(name)
        if having:
            rows = (self._behind(o, read_csv(o.out / f"{name}.csv")) for o in having)
            self._write(name, TABLES[name], rows)

    # Comparisons

    def _sites(self) -> None:
        cells, outcomes = self._site_cells()
        if not cells:
            return
        try:
            table, law = compare_sites(cells, self.comparison.charge_mah_cm2)
        except AlloyError as error:
            self.written.notes.append(f"Numbers of nuclei are not compared: {error}")
            return
        own = {c: k for c, k in STUDIES[SITES].items() if c != "name"}
        rows = (
            self._behind(o, table.iloc[[i]].drop(columns="name")) for i, o in enumerate(outcomes)
        )
        self._write(SITES, own, rows)
        self._save(study_figure(table, law), SITES_FIGURE)
        self.written.notes.append(_said_law(law))

    def _site_cells(self) -> tuple[list[StudyCell], list[Outcome]]:
        cells, outcomes = [], []
        for outcome in self._usable():
            try:
                tables = {name: read_csv(outcome.out / f"{name}.csv") for name in NEEDED}
                cells.append(study_cell(outcome.entry.name, tables, self.comparison.cycle))
            except AlloyError as error:
                self.written.notes.append(f"Not among the numbers of nuclei: {error}")
            else:
                outcomes.append(outcome)
        return cells, outcomes

    def _pairs(self) -> pd.DataFrame:
        """Pearson's r of every recording against the condition (Fig. S15)."""
        having = self._having("colocalization")
        found = [
            self._behind(o, pair_study(read_csv(o.out / "colocalization.csv"))) for o in having
        ]
        if not found:
            return pd.DataFrame()
        self._write(PAIRS, STUDIES[PAIRS], iter(found))
        rows = pd.concat(found, ignore_index=True)
        panels = [
            self._panel(own, "pearson_r", str(pair))
            for pair, own in rows[rows["cycle"] == self.comparison.cycle].groupby(
                "pair", sort=False
            )
        ]
        if panels:
            self._save(against_figure(panels, self._x_label()), PAIRS_FIGURE)
        return rows

    def _means(self, pairs: pd.DataFrame) -> None:
        tables, panels = [], []
        by = list(self.comparison.by)
        for name in self.comparison.means:
            table, _, column = name.partition(".")
            rows = pairs if table == PAIRS else self._rows(table, column)
            if not len(rows):
                continue
            means = replicate_means(rows, by, table, column)
            if len(means):
                tables.append(means)
            if table != PAIRS:
                panels += self._panels(rows, table, column)
        kinds = {**{c: self.kinds[c] for c in by}, **STUDIES[MEANS]}
        with study_table(self.out, MEANS, kinds, self._steps) as add:
            for made in tables:
                add(made)
        self.written.files += [self.out / f"{MEANS}{end}" for end in (".csv", ".parquet")]
        if panels:
            self._save(against_figure(panels, self._x_label()), MEANS_FIGURE)

    def _rows(self, table: str, column: str) -> pd.DataFrame:
        found = []
        for outcome in self._having(table):
            own = read_csv(outcome.out / f"{table}.csv")
            found.append(self._behind(outcome, own[[*(k for k in KEYS if k in own), column]]))
        return pd.concat(found, ignore_index=True) if found else pd.DataFrame()

    def _panels(self, rows: pd.DataFrame, table: str, column: str) -> list[Panel]:
        keys = [k for k in keys_of(rows, column) if rows[k].nunique(dropna=False) > 1]
        if not keys:
            return [self._panel(rows, column, sentence(table))]
        return [
            self._panel(own, column, f"{sentence(table)}, {said_keys(keys, values)}")
            for values, own in rows.groupby(keys, dropna=False, sort=False)
            if own[column].notna().any()
        ]

    def _panel(self, rows: pd.DataFrame, column: str, title: str) -> Panel:
        split = [c for c in self.comparison.by if c != self.comparison.against]
        r = column == "pearson_r"
        return Panel(
            title=title,
            y_label=header(column),
            against=against(rows, self.comparison.against, split, column),
            bounds=(-1.05, 1.05) if r else None,
            intervals=intervals_of(rows) if r else {},
        )

    def _x_label(self) -> str:
        return header(self.comparison.against)

    # Files

    def _save(self, figure: Any, name: str) -> None:
        self.written.files += save_figure(figure, self.out, name, self.comparison.formats)

    def _sweep(self) -> None:
        """Remove what an earlier batch wrote and this one did not."""
        tables = [f"{n}{end}" for n in (*TABLES, *STUDIES) for end in (".csv", ".parquet")]
        figures = [
            f"{PREFIX}{n}.{end}"
            for n in (SITES_FIGURE, PAIRS_FIGURE, MEANS_FIGURE)
            for end in FORMATS
        ]
        ours = {self.out / name for name in (*tables, *figures)}
        for path in ours - set(self.written.files):
            path.unlink(missing_ok=True)


def intervals_of(pairs: pd.DataFrame) -> dict[str, tuple[float, float]]:
    """95 % interval of each recording's r, by its name."""
    known = zip(pairs[RECORDING], pairs["r_low"], pairs["r_high"], strict=True)
    return {str(name): (float(low), float(high)) for name, low, high in known}


def _said_law(law: PowerLaw) -> str:
    if law.reason:
        return f"Number of nuclei: {law.reason}."
    return f"Density of sites ~ current^({law.exponent:.2f} +- {law.exponent_sd:.2f})."
