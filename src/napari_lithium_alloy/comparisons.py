"""A study's tables and comparisons, from the results of its recordings."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from napari_lithium_alloy.batch import Outcome
from napari_lithium_alloy.core.column_names import header, sentence
from napari_lithium_alloy.core.errors import AlloyError
from napari_lithium_alloy.core.pair_study import pair_study
from napari_lithium_alloy.core.replicates import (
    CURRENT_DENSITY,
    RECORDING,
    keys_of,
    recording_means,
    replicate_means,
    said_keys,
)
from napari_lithium_alloy.core.site_study import PowerLaw, StudyCell, compare_sites, study_cell
from napari_lithium_alloy.core.study_series import against
from napari_lithium_alloy.core.tables import STUDIES, TABLES
from napari_lithium_alloy.io.figures.against import Panel, against_figure
from napari_lithium_alloy.io.figures.site_places import study_figure
from napari_lithium_alloy.io.study_file import Study
from napari_lithium_alloy.io.study_tables import own_kinds
from napari_lithium_alloy.io.tables import read_csv
from napari_lithium_alloy.study_folder import StudyFolder

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


Written = tuple[list[Path], list[str]]
"""Files, and what the user should know."""


def one_by_one(tasks: Sequence[Callable[[], Written]]) -> list[Written]:
    """What each task returns."""
    return [task() for task in tasks]


def write_study_results(
    study: Study,
    outcomes: Sequence[Outcome],
    out: Path,
    comparison: Comparison,
    run: Callable[[Sequence[Callable[[], Written]]], list[Written]] = one_by_one,
) -> StudyFolder:
    """Write a study's tables and what compares its recordings; of earlier ones none is left.

    Parameters
    ----------
    study : Study
    outcomes : sequence of Outcome
        Of its recordings, in its order.
    out : Path
    comparison : Comparison
        As `Comparison.checked` gives it.
    run : callable
        Runs tasks that need nothing of each other, and returns what they do in their order.

    Raises
    ------
    AlloyError
        If the folder cannot be written.
    """
    folder = StudyFolder(study, outcomes, out)
    made = functools.partial(_made, study, tuple(outcomes), out, comparison)
    try:
        out.mkdir(parents=True, exist_ok=True)
        # The longest first, so that none is left to run alone.
        parts = [_compare_means, _compare_pairs, _compare_sites]
        parts += [functools.partial(_write_kind, name=name) for name in folder.kinds()]
        found = run([functools.partial(made, part) for part in parts])
        folder.write_recordings()
        for files, notes in found:
            folder.files += files
            folder.notes += notes
        folder.sweep((SITES_FIGURE, PAIRS_FIGURE, MEANS_FIGURE))
    except OSError as error:
        raise AlloyError(
            f"{out} cannot be written ({error.strerror}); choose another folder."
        ) from error
    return folder


def _made(
    study: Study,
    outcomes: Sequence[Outcome],
    out: Path,
    comparison: Comparison,
    part: Callable[[StudyFolder, Comparison], None],
) -> Written:
    """Write a part of a study, in any process that sees its files."""
    folder = StudyFolder(study, outcomes, out)
    part(folder, comparison)
    return folder.files, folder.notes


def _write_kind(folder: StudyFolder, comparison: Comparison, *, name: str) -> None:
    del comparison
    folder.write_kind(name)


def _compare_sites(folder: StudyFolder, comparison: Comparison) -> None:
    """Number of nuclei against current density (Fig. S11)."""
    cells, outcomes = _site_cells(folder, comparison.cycle)
    if not cells:
        return
    try:
        table, law = compare_sites(cells, comparison.charge_mah_cm2)
    except AlloyError as error:
        folder.notes.append(f"Numbers of nuclei are not compared: {error}")
        return
    own = {c: k for c, k in STUDIES[SITES].items() if c != "name"}
    rows = (folder.behind(o, table.iloc[[i]].drop(columns="name")) for i, o in enumerate(outcomes))
    folder.write(SITES, {**folder.front, **own}, rows)
    folder.save(study_figure(table, law), SITES_FIGURE, comparison.formats)
    folder.notes.append(_said_law(law))


def _site_cells(folder: StudyFolder, cycle: int) -> tuple[list[StudyCell], list[Outcome]]:
    cells, outcomes = [], []
    for outcome in folder.outcomes:
        if not outcome.usable:
            continue
        try:
            tables = {name: read_csv(outcome.out / f"{name}.csv") for name in NEEDED}
            cells.append(study_cell(outcome.entry.name, tables, cycle))
        except AlloyError as error:
            folder.notes.append(f"Not among the numbers of nuclei: {error}")
        else:
            outcomes.append(outcome)
    return cells, outcomes


def _pair_rows(folder: StudyFolder) -> pd.DataFrame:
    """Pearson's r of every pair of every recording."""
    found = list(folder.rows_of("colocalization", pair_study, TABLES["colocalization"]))
    return pd.concat(found, ignore_index=True) if found else pd.DataFrame()


def _compare_pairs(folder: StudyFolder, comparison: Comparison) -> None:
    """Pearson's r of every recording against the condition (Fig. S15)."""
    rows = _pair_rows(folder)
    if not len(rows.columns):
        return
    folder.write(PAIRS, {**folder.front, **STUDIES[PAIRS]}, [rows])
    of_cycle = rows[rows["cycle"] == comparison.cycle].groupby("pair", sort=False)
    panels = [_panel(comparison, own, "pearson_r", str(pair)) for pair, own in of_cycle]
    if panels:
        figure = against_figure(panels, header(comparison.against))
        folder.save(figure, PAIRS_FIGURE, comparison.formats)


def _compare_means(folder: StudyFolder, comparison: Comparison) -> None:
    """Means over replicate cells of every column that is asked for."""
    tables, panels, by = [], [], list(comparison.by)
    for name in comparison.means:
        table, _, column = name.partition(".")
        rows = _pair_rows(folder) if table == PAIRS else _values(folder, table, column)
        if not len(rows):
            continue
        means = replicate_means(rows, by, table, column)
        if len(means):
            tables.append(means)
        if table != PAIRS:
            panels += _panels(comparison, rows, table, column)
    folder.write(MEANS, {**{c: folder.front[c] for c in by}, **STUDIES[MEANS]}, tables)
    if panels:
        figure = against_figure(panels, header(comparison.against))
        folder.save(figure, MEANS_FIGURE, comparison.formats)


def _values(folder: StudyFolder, table: str, column: str) -> pd.DataFrame:
    """A column of every recording: one value a recording for each of its keys."""
    made = functools.partial(recording_means, column=column)
    found = list(folder.rows_of(table, made, own_kinds(table)))
    return pd.concat(found, ignore_index=True) if found else pd.DataFrame()


def _panels(comparison: Comparison, rows: pd.DataFrame, table: str, column: str) -> list[Panel]:
    keys = [k for k in keys_of(rows, column) if rows[k].nunique(dropna=False) > 1]
    if not keys:
        return [_panel(comparison, rows, column, sentence(table))]
    return [
        _panel(comparison, own, column, f"{sentence(table)}, {said_keys(keys, values)}")
        for values, own in rows.groupby(keys, dropna=False, sort=False)
        if own[column].notna().any()
    ]


def _panel(comparison: Comparison, rows: pd.DataFrame, column: str, title: str) -> Panel:
    split = [c for c in comparison.by if c != comparison.against]
    r = column == "pearson_r"
    return Panel(
        title=title,
        y_label=header(column),
        against=against(rows, comparison.against, split, column),
        bounds=(-1.05, 1.05) if r else None,
        intervals=_intervals(rows) if "r_low" in rows else {},
    )


def _intervals(pairs: pd.DataFrame) -> dict[str, tuple[float, float]]:
    """95 % interval of each recording's r, by its name."""
    known = zip(pairs[RECORDING], pairs["r_low"], pairs["r_high"], strict=True)
    return {str(name): (float(low), float(high)) for name, low, high in known}


def _said_law(law: PowerLaw) -> str:
    if law.reason:
        return f"Number of nuclei: {law.reason}."
    return f"Density of sites ~ current^({law.exponent:.2f} +- {law.exponent_sd:.2f})."
