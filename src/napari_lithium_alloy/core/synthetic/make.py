"""Recordings with known truth."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from napari_lithium_alloy.core.experiment import Experiment, Optics
from napari_lithium_alloy.core.recording import BoolArray, FloatArray, Mode, Recording
from napari_lithium_alloy.core.stages import Stage
from napari_lithium_alloy.core.synthetic.film import FilmModel, film_model
from napari_lithium_alloy.core.synthetic.holes import plant
from napari_lithium_alloy.core.synthetic.parameters import SyntheticParameters
from napari_lithium_alloy.core.synthetic.rendering import Renderer
from napari_lithium_alloy.core.synthetic.timeline import (
    cycle_ends_s,
    drift_path,
    end_s,
    planted_potential,
    planted_stages,
)
from napari_lithium_alloy.core.synthetic.truth import (
    Truth,
    merges_table,
    pores_tables,
    sites_table,
)


@dataclass(frozen=True, eq=False, kw_only=True)
class Synthetic:
    """A synthetic cell and what it was made from.

    Attributes
    ----------
    parameters : SyntheticParameters
    experiment : Experiment
        Trans and epi recordings, film, potential, optics and stages, as opened from a file.
    truth : Truth
    renderers : dict
        By mode, what renders its frames.
    """

    parameters: SyntheticParameters
    experiment: Experiment
    truth: Truth
    renderers: dict[Mode, Renderer]

    @property
    def trans(self) -> Recording:
        """The transmitted-light recording."""
        return self.experiment.recording("trans")

    @property
    def epi(self) -> Recording:
        """The reflected-light recording."""
        return self.experiment.recording("epi")

    def true_absorbance(self, frame: int, mode: Mode = "trans") -> FloatArray:
        """(Y, X) film absorbance (SEI and alloy) at a frame's time; no lithium, no optics."""
        return self.renderers[mode].film_absorbance(frame)

    def noiseless(self, frame: int, mode: Mode = "trans") -> FloatArray:
        """(Y, X) expected counts of a frame, neither rounded nor clipped."""
        return self.renderers[mode].noiseless(frame)

    def coverage(self, time_s: float) -> FloatArray:
        """(Y, X) share of each pixel that is a pore at a time, where the film has not moved."""
        return self.renderers["trans"].pore_coverage(time_s)


def make_recording(parameters: SyntheticParameters) -> Synthetic:
    """A recording with planted truth; frames are rendered when read.

    Parameters
    ----------
    parameters : SyntheticParameters
        Such as those of `au_parameters()` or `ag_parameters()`.

    Returns
    -------
    Synthetic

    Raises
    ------
    AlloyError
        If what is planted does not fit the field or its stage.
    """
    stages = planted_stages(parameters)
    film = film_model(parameters, stages)
    field = film.crop(parameters.disturbances.room_px)
    sites, holes = plant(parameters, stages, _first_ranks(parameters, field))
    modes: tuple[Mode, ...] = ("trans", "epi")
    renderers = {m: Renderer(parameters, m, film, sites, holes) for m in modes}
    return Synthetic(
        parameters=parameters,
        experiment=_experiment(parameters, stages, renderers),
        truth=_truth(parameters, stages, field, renderers),
        renderers=renderers,
    )


def _experiment(
    parameters: SyntheticParameters, stages: tuple[Stage, ...], renderers: dict[Mode, Renderer]
) -> Experiment:
    return Experiment(
        name=parameters.name,
        recordings=tuple(_recording(parameters, r) for r in renderers.values()),
        film=parameters.film,
        potential=planted_potential(parameters),
        optics=Optics(
            psf_sigma_px=parameters.camera.psf_sigma_px,
            substrate_transmittance=parameters.onset.substrate_transmittance,
        ),
        stages=stages,
        source="synthetic",
    )


def _truth(
    parameters: SyntheticParameters,
    stages: tuple[Stage, ...],
    field: FilmModel,
    renderers: dict[Mode, Renderer],
) -> Truth:
    trans, epi = renderers["trans"], renderers["epi"]
    ends_s, pixel = cycle_ends_s(stages), parameters.camera.pixel_size_um
    pores, summary = pores_tables(trans.holes, ends_s, parameters.camera.shape, pixel)
    on_film = _film_mask(parameters)
    return Truth(
        onset_s=_onset_maps(field, stages, on_film, trans),
        film=on_film,
        sites=sites_table(trans.sites, pixel),
        pores=pores,
        pore_summary=summary,
        merges=merges_table(trans.holes, end_s(parameters)),
        pore_coverage={c: trans.pore_coverage(t) for c, t in {0: 0.0, **ends_s}.items()},
        drift_px=drift_path(parameters, trans.times_s),
        epi_drift_px=drift_path(parameters, epi.times_s),
        gain=trans.gain,
        epi_gain=epi.gain,
        epi_offset_px=parameters.epi.offset_px,
        clock_offset_s=parameters.potential.clock_offset_s,
        edge_lag_s=parameters.onset.edge_lag_s,
    )


def _recording(parameters: SyntheticParameters, renderer: Renderer) -> Recording:
    camera = parameters.camera
    return Recording(
        name=f"{parameters.name} {renderer.mode}",
        frames=renderer.array(),
        times_s=renderer.times_s,
        pixel_size_um=camera.pixel_size_um,
        mode=renderer.mode,
        dark_counts=camera.dark_counts,
        saturation_counts=camera.saturation_counts,
        window=renderer.window,
        source="synthetic",
        times_source="synthetic",
    )


def _first_ranks(parameters: SyntheticParameters, field: FilmModel) -> dict[int, FloatArray]:
    """By cycle, the order of alloying in its first heterogeneous step."""
    step = next((n for n, s in enumerate(parameters.alloying, start=1) if s.spread_s is None), 1)
    cycles = range(1, parameters.cycles + 1)
    return {c: field.wave(f"cycle{c}_step{step}").rank for c in cycles}


def _film_mask(parameters: SyntheticParameters) -> BoolArray:
    columns = parameters.camera.shape[1]
    width = parameters.onset.bare_glass_um / parameters.camera.pixel_size_um
    on_film = np.arange(columns) < columns - 0.5 - width
    return np.broadcast_to(on_film, parameters.camera.shape).copy()


def _onset_maps(
    field: FilmModel, stages: Sequence[Stage], on_film: BoolArray, renderer: Renderer
) -> dict[str, FloatArray]:
    maps = {}
    for stage in stages:
        wave = next((w for w in field.waves if w.key == stage.key), None)
        if wave is not None:
            there = on_film & (renderer.pore_coverage(stage.start_s) < 0.5)
            maps[stage.key] = np.where(there, wave.onset_s, np.nan).astype(float)
    return maps
