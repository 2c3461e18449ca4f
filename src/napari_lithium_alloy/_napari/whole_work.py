"""The long work of the workspace: the whole analysis, figures, a movie, a montage."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from napari_lithium_alloy._napari.from_layers import regions_of
from napari_lithium_alloy._napari.label_store import make_labels
from napari_lithium_alloy._napari.layers import kind_of
from napari_lithium_alloy._napari.opened import Opened
from napari_lithium_alloy._napari.site_work import kept_by_hand
from napari_lithium_alloy.core.alloyed_images import is_uniform
from napari_lithium_alloy.core.errors import AlloyError
from napari_lithium_alloy.core.experiment import Experiment
from napari_lithium_alloy.core.montage import MontageParameters, stage_montage
from napari_lithium_alloy.core.progress import Work, part
from napari_lithium_alloy.core.recording import Recording, Region
from napari_lithium_alloy.core.stages import StageKind, cycles_of, stage_at, stages_of
from napari_lithium_alloy.io.figures.images import montage_picture
from napari_lithium_alloy.pipeline import analyze
from napari_lithium_alloy.report import save_figures, save_movie
from napari_lithium_alloy.result import AnalysisResult

if TYPE_CHECKING:
    from napari_lithium_alloy._napari.session import Session

Saved = tuple[AnalysisResult, list[Path]]
OF_RECORDING = ("source", "name", "mode", "pixel_size_um")
"""What can be set by hand, but for its times."""


def regions_in(session: Session, opened: Opened) -> list[Region]:
    """Regions drawn by hand, else those given with the recording."""
    for layer in session.viewer.layers:
        if kind_of(layer) == "regions" and session.opened_of(layer) is opened:
            return regions_of(layer, opened.recording, opened.affine)
    return list(opened.experiment.regions)


def experiment_in(session: Session, opened: Opened) -> Experiment:
    """An experiment with all that was set by hand, this recording first."""
    return opened.experiment.replace(recordings=tuple(_as_set(session, opened, corrected=True)))


def _as_set(session: Session, opened: Opened, *, corrected: bool) -> list[Recording]:
    """Its recordings as they were set by hand, this one first."""
    known = [o for o in session.opened if o.experiment is opened.experiment and o is not opened]
    by_name = {o.name: o.recording if corrected else o.as_read for o in known}
    others = [by_name.get(r.name, r) for r in opened.experiment.recordings if r.name != opened.name]
    return [opened.recording if corrected else opened.as_read, *others]


def analysed(session: Session, opened: Opened) -> Work[AnalysisResult]:
    """The whole analysis of a recording.

    Raises
    ------
    AlloyError
        If its mode is not known, or it cannot be analysed.
    """
    if opened.recording.mode is None:
        raise AlloyError(
            f"It is not known whether {opened.name} was recorded in trans or epi; set its mode "
            "in the Normalization dock."
        )
    experiment = opened.experiment.replace(
        recordings=tuple(_as_set(session, opened, corrected=False)),
        regions=tuple(regions_in(session, opened)),
    )  # as read: the analysis measures and applies the correction itself
    return analyze(
        experiment,
        opened.config,
        recording_name=opened.name,
        pore_edits=opened.pore_edits,
        keep_sites=kept_by_hand(opened),
        make_labels=make_labels,
    )


def figures_saved(
    session: Session, opened: Opened, folder: Path, *, overwrite: bool
) -> Work[Saved]:
    """The figures of a paper, of the last analysis or, where things changed since, of a new one.

    Further cells that are open are drawn beside this one (Fig. 1F).
    """
    others = {id(o.experiment): o.experiment for o in session.opened}
    others.pop(id(opened.experiment), None)
    result, work = opened.result, None
    if result is None or not _is_of_now(session, opened, result):
        work = analysed(session, opened)
    cells, montage = list(others.values()), opened.config.montage
    return _figures_saved(result, work, folder, cells, montage, overwrite=overwrite)


def _figures_saved(
    result: AnalysisResult | None,
    work: Work[AnalysisResult] | None,
    folder: Path,
    others: Sequence[Experiment],
    montage: MontageParameters,
    *,
    overwrite: bool,
) -> Work[Saved]:
    if work is not None:
        result = yield from part(work, 0, 60, 100)
    assert result is not None
    drawn = replace(result, config=replace(result.config, montage=montage))
    saving = save_figures(drawn, folder, others=others, overwrite=overwrite)
    return result, (yield from part(saving, 60, 100, 100))


def _is_of_now(session: Session, opened: Opened, result: AnalysisResult) -> bool:
    """Whether an analysis is of recording, stages, clock, regions and parameters as they are."""
    drawn, before = regions_in(session, opened), result.regions
    same_regions = not drawn or (
        len(drawn) == len(before)
        and all(
            a.name == b.name and np.array_equal(a.vertices_px, b.vertices_px)
            for a, b in zip(drawn, before, strict=True)
        )
    )
    return (
        same_regions
        and all(getattr(result.recording, n) == getattr(opened.recording, n) for n in OF_RECORDING)
        and np.array_equal(result.recording.times_s, opened.recording.times_s)
        and result.experiment.stages == opened.experiment.stages
        and result.experiment.potential is opened.experiment.potential
        and result.pore_edits == tuple(opened.pore_edits)
        and _same_places(result, opened)
        and replace(result.config, montage=opened.config.montage) == opened.config
    )


def _same_places(result: AnalysisResult, opened: Opened) -> bool:
    """Whether the sites are still those of an analysis."""
    if opened.sites is None or "sites" not in result.tables:
        return True
    columns = ["cycle", "y_um", "x_um"]
    now, then = (
        t[columns].to_numpy(float, na_value=np.nan) for t in (opened.sites, result.tables["sites"])
    )
    return now.shape == then.shape and np.allclose(
        now[np.lexsort(now.T)], then[np.lexsort(then.T)], atol=1e-6
    )


def movie_saved(session: Session, opened: Opened, path: Path) -> Work[Path]:
    """An annotated movie of trans beside epi."""
    return save_movie(experiment_in(session, opened), path)


def montage_drawn(opened: Opened, time_s: float) -> Work[tuple[NDArray[np.uint8], float]]:
    """A montage of the stages of the cycle at a time, and its pixel's side in the field's pixels.

    Raises
    ------
    AlloyError
        If there are no stages.
    """
    stages = opened.experiment.stages
    if not stages:
        raise AlloyError(
            "A montage is of stages, and there are none yet; detect them in the Timeline, or add "
            "[[stages]] to recording.toml."
        )
    current = stage_at(stages, time_s)
    cycle = cycles_of(stages)[0] if current is None else current.cycle
    maps = {key: onset for key, onset in opened.onset_maps.items() if not is_uniform(onset)}
    montage = yield from stage_montage(
        opened.recording,
        stages_of(stages, *StageKind, cycle=cycle),
        opened.reference(),
        opened.config.montage,
        onset_maps=maps,
    )
    picture, magnified = montage_picture(montage)
    binned = opened.recording.field_shape[1] // montage.rows[0].images.shape[2]
    return picture, binned / magnified
