"""Parameters of the whole analysis, with their defaults and as recording.toml gives them."""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass, field
from typing import Any, Literal, Self, get_args, get_origin, get_type_hints

from napari_lithium_alloy.core.colorcode import ColorCodeParameters
from napari_lithium_alloy.core.complementarity import ComplementarityParameters
from napari_lithium_alloy.core.correction import CorrectionParameters
from napari_lithium_alloy.core.errors import AlloyError
from napari_lithium_alloy.core.experiment import Experiment
from napari_lithium_alloy.core.front_speed import FrontParameters
from napari_lithium_alloy.core.isochrones import IsochroneParameters
from napari_lithium_alloy.core.montage import MontageParameters
from napari_lithium_alloy.core.nucleation import NucleationParameters
from napari_lithium_alloy.core.onset import OnsetParameters
from napari_lithium_alloy.core.photometry import NormalizationParameters
from napari_lithium_alloy.core.pore_parameters import PoreParameters
from napari_lithium_alloy.core.recording import Recording
from napari_lithium_alloy.core.site_statistics import SiteStatisticsParameters


@dataclass(frozen=True, kw_only=True)
class AnalysisConfig:
    """Parameters of every analysis; each is a table of that name under `[analysis]`.

    `correction` may also stand alone, as `[correction]`.
    """

    correction: CorrectionParameters = field(default_factory=CorrectionParameters)
    normalization: NormalizationParameters = field(default_factory=NormalizationParameters)
    onset: OnsetParameters = field(default_factory=OnsetParameters)
    color_code: ColorCodeParameters = field(default_factory=ColorCodeParameters)
    front: FrontParameters = field(default_factory=FrontParameters)
    isochrones: IsochroneParameters = field(default_factory=IsochroneParameters)
    complementarity: ComplementarityParameters = field(default_factory=ComplementarityParameters)
    nucleation: NucleationParameters = field(default_factory=NucleationParameters)
    site_statistics: SiteStatisticsParameters = field(default_factory=SiteStatisticsParameters)
    pores: PoreParameters = field(default_factory=PoreParameters)
    montage: MontageParameters = field(default_factory=MontageParameters)

    @classmethod
    def from_toml(cls, tables: dict[str, Any]) -> Self:
        """Parameters from the `[analysis]` part of recording.toml.

        Raises
        ------
        AlloyError
            If a table or key is not known or a value is of the wrong kind.
        """
        known = {f.name: getattr(cls(), f.name) for f in dataclasses.fields(cls)}
        chosen = {}
        for name, values in tables.items():
            if name not in known:
                raise AlloyError(
                    f"There is no analysis.{name} in recording.toml; there are: {', '.join(known)}."
                )
            where = name if name == "correction" else f"analysis.{name}"
            chosen[name] = _replaced(known[name], where, values)
        return cls(**chosen)


def _replaced(default: Any, where: str, values: Any) -> Any:
    if not isinstance(values, dict):
        raise AlloyError(f"{where} is not a table; write [{where}] and its keys below it.")
    kinds = get_type_hints(type(default))
    for key, value in values.items():
        if key not in kinds:
            raise AlloyError(f"There is no {where}.{key}; there are: {', '.join(kinds)}.")
        if not _fits(value, kinds[key]):
            raise AlloyError(f"{where}.{key} is {value!r}; give {_said(kinds[key])}.")
        if not _in_range(key, value):
            raise AlloyError(f"{where}.{key} is {value!r}, which cannot be; give a larger number.")
    return dataclasses.replace(default, **values)


def _fits(value: Any, kind: Any) -> bool:
    """Whether a TOML value is of a parameter's type; a whole number is a number, too."""
    if get_origin(kind) is Literal:
        return value in get_args(kind)
    if get_args(kind):
        return any(_fits(value, part) for part in get_args(kind))
    if kind is float:
        return isinstance(value, (int, float)) and not isinstance(value, bool)
    return type(value) is kind


def _in_range(key: str, value: Any) -> bool:
    """Whether a number can be meant: counts of frames from 1, all but times not negative."""
    if isinstance(value, (str, bool)):
        return True
    if key.endswith("_s"):
        return math.isfinite(value)
    least = 1 if isinstance(value, int) and key.endswith("frames") else 0
    return math.isfinite(value) and value >= least


def _said(kind: Any) -> str:
    if get_origin(kind) is Literal:
        return f"one of {', '.join(get_args(kind))}"
    words = {bool: "true or false", int: "a whole number", float: "a number", str: "a text"}
    return words.get(next(iter(get_args(kind)), kind), "another value")


def config_of(experiment: Experiment, recording: Recording | None = None) -> AnalysisConfig:
    """Parameters given with a recording (None: the first); the point spread is its optics'."""
    config = AnalysisConfig.from_toml(experiment.analysis)
    size = (recording or experiment.recordings[0]).pixel_size_um
    sigma = experiment.optics.sigma_px(size)
    known = {}
    for name in ("onset", "nucleation"):
        parameters = getattr(config, name)
        if sigma is not None and parameters.psf_sigma_px is None:
            known[name] = dataclasses.replace(parameters, psf_sigma_px=sigma)
    return dataclasses.replace(config, **known)
