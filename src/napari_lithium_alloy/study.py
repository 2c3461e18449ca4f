"""Several analysed recordings compared: number of nuclei against current density."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from napari_lithium_alloy.core.errors import AlloyError
from napari_lithium_alloy.core.progress import Work, part
from napari_lithium_alloy.core.provenance import Step
from napari_lithium_alloy.core.site_study import PowerLaw, StudyCell, compare_sites, study_cell
from napari_lithium_alloy.io.figures.page import check_figures_out, checked_formats, save_figure
from napari_lithium_alloy.io.figures.site_places import study_figure
from napari_lithium_alloy.io.recording_file import open_experiment
from napari_lithium_alloy.io.results import PROVENANCE
from napari_lithium_alloy.io.tables import read_csv, write_csv
from napari_lithium_alloy.pipeline import analyze

NEEDED = ("sites", "site_charge", "site_field")
TABLE, FIGURE = "site_study", "sites_against_current"
HUNDRED = 100


def is_results(path: Path) -> bool:
    """Whether a path is a folder of results."""
    return (path / PROVENANCE).is_file()


def study_cells(paths: Sequence[Path], cycle: int = 1) -> Work[list[StudyCell]]:
    """Sites of results' folders or, analysed now, of recordings.

    Raises
    ------
    AlloyError
        If one cannot be read, or its charge is not known.
    """
    cells = []
    for i, path in enumerate(paths):
        yield i * HUNDRED, len(paths) * HUNDRED
        if is_results(path):
            tables, name = _read(path), _name_of(path)
        else:
            experiment = open_experiment(str(path))
            work = analyze(experiment)
            begin = i * HUNDRED
            result = yield from part(work, begin, begin + HUNDRED, len(paths) * HUNDRED)
            tables, name = result.tables, experiment.name
        cells.append(study_cell(name, tables, cycle))
    return cells


def _name_of(folder: Path) -> str:
    """The folder's name, with its parent's where that says little."""
    whole = folder.resolve()
    plain = whole.name.lower() in ("results", "result", "out", "output")
    return f"{whole.parent.name}/{whole.name}" if plain else whole.name


def _read(folder: Path) -> dict[str, pd.DataFrame]:
    missing = [n for n in NEEDED if not (folder / f"{n}.csv").is_file()]
    if missing:
        raise AlloyError(
            f"{folder} holds no {missing[0]}.csv; analyse that recording again with this version."
        )
    return {name: read_csv(folder / f"{name}.csv") for name in NEEDED}


def write_study(
    cells: Sequence[StudyCell],
    out: Path,
    formats: Sequence[str] = ("png", "svg"),
    *,
    charge_mah_cm2: float | None = None,
    overwrite: bool = False,
) -> tuple[list[Path], PowerLaw]:
    """Write site_study.csv and its figure (Fig. S11) into a folder; the paths, and the power law.

    Raises
    ------
    AlloyError
        If the folder cannot be written, or holds either and `overwrite` is not set.
    """
    formats = checked_formats(formats)
    check_study_out(out, overwrite=overwrite)
    table, law = compare_sites(cells, charge_mah_cm2)
    step = Step.of(
        "compare_sites",
        law,
        charge_mah_cm2=float(table["charge_mah_cm2"].iloc[0]),
        cells=[c.name for c in cells],
    )
    try:
        out.mkdir(parents=True, exist_ok=True)
        write_csv(out / f"{TABLE}.csv", table, [step])
    except OSError as error:
        raise AlloyError(
            f"{out} cannot be written ({error.strerror}); choose another folder."
        ) from error
    written = save_figure(study_figure(table, law), out, FIGURE, formats)
    return [out / f"{TABLE}.csv", *written], law


def check_study_out(out: Path, *, overwrite: bool) -> None:
    """Raise AlloyError where a comparison could not be written, before it is made."""
    check_figures_out(out, overwrite=overwrite)
    if not overwrite and (out / f"{TABLE}.csv").exists():
        raise AlloyError(
            f"{out} already holds {TABLE}.csv; choose another folder or allow it to be replaced "
            "(--overwrite)."
        )
