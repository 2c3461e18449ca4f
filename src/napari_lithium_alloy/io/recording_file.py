"""recording.toml: all that is known of one cell, in one file."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any, cast

import numpy as np

from napari_lithium_alloy.core.errors import AlloyError
from napari_lithium_alloy.core.experiment import Experiment, Optics
from napari_lithium_alloy.core.galvanostatic import ClockLink, Film, PotentialCurve
from napari_lithium_alloy.core.recording import Mode, Recording, Region
from napari_lithium_alloy.core.stages import Scope, Stage, StageKind
from napari_lithium_alloy.io.cyclers import QUANTITIES, read_potential
from napari_lithium_alloy.io.image_stacks import open_stack, stem_of
from napari_lithium_alloy.io.timing import sidecar_of
from napari_lithium_alloy.io.toml_keys import Section, load_toml

FILE_NAME = "recording.toml"
POTENTIAL = "potential"
MODES: tuple[Mode, ...] = ("trans", "epi")
TOP_KEYS = (
    *("name", "film", *MODES, POTENTIAL, "optics"),
    *("stages", "regions", "analysis", "correction"),
)
IMAGE_KEYS = (
    *("path", "pixel_size_um", "frame_interval_s", "times", "dark", "flat"),
    *("position", "channel", "z"),
)
FILM_KEYS = (
    *("metal", "thickness_nm", "diameter_mm", "area_cm2"),
    *("density_g_cm3", "molar_mass_g_mol", "coulombic_efficiency"),
    *("thickness_sd_nm", "diameter_sd_mm", "area_sd_cm2"),
)
OPTICS_KEYS = (
    *("numerical_aperture", "wavelength_nm", "psf_sigma_px"),
    *("full_well_counts", "substrate_transmittance"),
)
POTENTIAL_KEYS = (
    *("path", "x_origins_s"),
    *("clock_offset_s", "clock_rate", "clock_way", "clock_residual_s"),
    *(f"{quantity}_{what}" for what in ("column", "unit") for quantity in QUANTITIES),
)
STAGE_KEYS = ("kind", "step", "cycle", "start_s", "end_s", "scope")
RECTANGLE_KEYS = ("y_um", "x_um", "height_um", "width_um")


def open_experiment(path: Path | str) -> Experiment:
    """Open recording.toml, a folder that holds one, or any image file, folder of frames or glob.

    Raises
    ------
    AlloyError
        If something is missing, mistyped or cannot be read; the sentence names file and key.
    """
    where = recording_file_in(Path(path).expanduser())
    if where.suffix.lower() == ".toml":
        return _from_toml(where)
    return Experiment(name=stem_of(where), recordings=open_stack(where), source=str(where))


def recording_file_in(path: Path) -> Path:
    """The recording.toml in a folder that holds one, else the path itself."""
    own = path / FILE_NAME
    return own if path.is_dir() and own.is_file() else path


def inputs_of(experiment: Experiment) -> list[Path]:
    """Files and folders an experiment was read from, each once."""
    sources = [experiment.source, *(r.source for r in experiment.recordings)]
    for recording in experiment.recordings:
        times = sidecar_of(Path(recording.source)) if recording.source else None
        sources += [*recording.beside, *([] if times is None else [str(times)])]
    if experiment.potential is not None:
        sources.append(experiment.potential.source)
    return [p for s in dict.fromkeys(sources) if s for p in _files(Path(s))]


def _files(source: Path) -> list[Path]:
    """The source itself, or the files a glob stands for."""
    if source.exists():
        return [source]
    return sorted(source.parent.glob(source.name)) if source.parent.is_dir() else []


def _from_toml(file: Path) -> Experiment:
    top = Section(file, "", load_toml(file))
    top.only(TOP_KEYS)
    optics_section = top.table("optics") or Section(file, "[optics]", {})
    optics_section.only(OPTICS_KEYS)
    name = top.text("name") or _name_of(file)
    images = [(mode, section) for mode in MODES if (section := top.table(mode)) is not None]
    if not images:
        raise AlloyError(f"{file.name} names no images; give a path under [trans] or [epi].")
    saturation = optics_section.number("full_well_counts", positive=True)
    recordings = [r for m, s in images for r in _recordings(s, m, name, saturation)]
    analysis = top.table("analysis")
    correction = top.table("correction")
    return Experiment(
        name=name,
        recordings=tuple(recordings),
        film=_film(top.table("film")),
        potential=_potential(top.table(POTENTIAL)),
        optics=_optics(optics_section),
        stages=_stages(top.tables("stages")),
        x_origins_s=_origins(top.table(POTENTIAL)),
        regions=_regions(top.tables("regions"), recordings[0]),
        analysis={
            **(analysis.values if analysis else {}),
            **({"correction": correction.values} if correction else {}),
        },
        source=str(file),
    )


def _name_of(file: Path) -> str:
    if file.name == FILE_NAME:
        return file.resolve().parent.name
    return file.name.removesuffix(".toml").removesuffix(".recording")


def _recordings(
    section: Section, mode: Mode, name: str, saturation: float | None
) -> tuple[Recording, ...]:
    section.only(IMAGE_KEYS)
    path = section.path("path")
    if path is None:
        raise section.error("path", "the path of its images")
    times, dark, flat = section.path("times"), _dark(section), section.path("flat")
    opened = open_stack(
        path,
        channel=_index_or_name(section, "channel"),
        position=_index_or_name(section, "position"),
        z=section.integer("z", least=0),
        frame_interval_s=section.number("frame_interval_s", positive=True),
        times=times,
        pixel_size_um=section.number("pixel_size_um", positive=True),
        mode=mode,
        dark=dark,
        flat=flat,
        saturation_counts=saturation,
        name=f"{name} {mode}",
    )
    beside = tuple(str(p) for p in (times, dark, flat) if isinstance(p, Path))
    return tuple(recording.replace(beside=beside) for recording in opened)


def _index_or_name(section: Section, key: str) -> int | str | None:
    if isinstance(section.values.get(key), str):
        return section.text(key)
    return section.integer(key, least=0)


def _dark(section: Section) -> float | Path | None:
    if isinstance(section.values.get("dark"), str):
        return section.path("dark")
    return section.number("dark")


def _film(section: Section | None) -> Film | None:
    if section is None:
        return None
    section.only(FILM_KEYS)
    metal = section.text("metal")
    if metal is None:
        raise section.error("metal", 'the metal, such as "Au"')
    diameter = section.number("diameter_mm", positive=True)
    area = section.number("area_cm2", positive=True)
    if (diameter is None) == (area is None):
        raise AlloyError(f"{section.file.name}: give one of diameter_mm and area_cm2 under [film].")
    area_sd = section.number("area_sd_cm2", positive=True)
    if diameter is not None:
        area = math.pi / 4 * (diameter / 10) ** 2
        diameter_sd = section.number("diameter_sd_mm", positive=True)
        area_sd = 2 * area * diameter_sd / diameter if diameter_sd else area_sd
    return Film(
        metal=metal,
        thickness_nm=section.required_number("thickness_nm", positive=True),
        area_cm2=cast(float, area),
        density_g_cm3=section.number("density_g_cm3", positive=True),
        molar_mass_g_mol=section.number("molar_mass_g_mol", positive=True),
        thickness_sd_nm=section.number("thickness_sd_nm", positive=True) or 0.0,
        area_sd_cm2=area_sd or 0.0,
        coulombic_efficiency=section.number("coulombic_efficiency", positive=True) or 1.0,
    )


def _potential(section: Section | None) -> PotentialCurve | None:
    if section is None:
        return None
    section.only(POTENTIAL_KEYS)
    path = section.path("path")
    if path is None:
        raise section.error("path", "the path of the cycler's file")
    columns, units = (
        {q: text for q in QUANTITIES if (text := section.text(f"{q}_{what}")) is not None}
        for what in ("column", "unit")
    )
    residual_s = section.number("clock_residual_s")
    clock = ClockLink(
        offset_s=section.number("clock_offset_s") or 0.0,
        rate=section.number("clock_rate", positive=True) or 1.0,
        way=section.text("clock_way") or "",
        residual_s=math.nan if residual_s is None else residual_s,
    )
    return read_potential(path, columns=columns, units=units).linked(clock)


def _origins(section: Section | None) -> tuple[float, ...]:
    given = [] if section is None else section.values.get("x_origins_s", [])
    numbers = isinstance(given, list) and all(
        isinstance(v, (int, float)) and not isinstance(v, bool) for v in given
    )
    if section is not None and not numbers:
        raise section.error("x_origins_s", "a list of times in seconds, one a cycle")
    return tuple(float(v) for v in given)


def _optics(section: Section) -> Optics:
    return Optics(
        **{k: section.number(k, positive=True) for k in OPTICS_KEYS if k != "full_well_counts"}
    )


def _stages(sections: Sequence[Section]) -> tuple[Stage, ...]:
    stages: list[Stage] = []
    for section in sections:
        section.only(STAGE_KEYS)
        kind = StageKind(section.choice("kind", [str(k) for k in StageKind], ""))
        stage = Stage(
            kind=kind,
            step=section.integer("step", least=1),
            cycle=section.integer("cycle", least=1) or 1,
            start_s=section.required_number("start_s"),
            end_s=section.required_number("end_s"),
            scope=cast(Scope, section.choice("scope", ("cell", "field"), "cell")),
        )
        if any((s.key, s.scope) == (stage.key, stage.scope) for s in stages):
            raise AlloyError(
                f"{section.file.name}: {stage.label} of cycle {stage.cycle} is given twice; number "
                "steps and cycles with step and cycle."
            )
        stages.append(stage)
    return tuple(stages)


def _regions(sections: Sequence[Section], recording: Recording) -> tuple[Region, ...]:
    if not sections:
        return ()
    side_um = recording.pixel_size("[[regions]] in micrometres")
    return tuple(_region(section, side_um) for section in sections)


def _region(section: Section, side_um: float) -> Region:
    """A region given in micrometres; 0 is the centre of the first pixel, as in napari."""
    section.only(("name", "polygon", "rectangle"))
    name = section.text("name")
    if name is None:
        raise section.error("name", "its name")
    rectangle = section.table("rectangle")
    if (rectangle is None) == ("polygon" not in section.values):
        raise AlloyError(f"{section.file.name}: give one of polygon and rectangle{section.within}.")
    corners = _polygon(section) if rectangle is None else _rectangle(rectangle)
    return Region(name=name, vertices_px=corners / side_um)


def _polygon(section: Section) -> np.ndarray[Any, np.dtype[np.float64]]:
    wanted = "three or more pairs [y, x] in micrometres"
    try:
        corners = np.array(section.values["polygon"], dtype=float)
    except (TypeError, ValueError) as error:
        raise section.error("polygon", wanted) from error
    pairs = corners.ndim == 2 and corners.shape[1] == 2 and len(corners) >= 3
    if not (pairs and np.isfinite(corners).all()):
        raise section.error("polygon", wanted)
    return corners


def _rectangle(section: Section) -> np.ndarray[Any, np.dtype[np.float64]]:
    section.only(RECTANGLE_KEYS)
    y, x = section.required_number("y_um"), section.required_number("x_um")
    height = section.required_number("height_um", positive=True)
    width = section.required_number("width_um", positive=True)
    return np.array([[y, x], [y, x + width], [y + height, x + width], [y + height, x]])
