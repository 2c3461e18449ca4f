"""What is set by hand into recording.toml: stages, potential, clock; all else in it stays."""

from __future__ import annotations

import math
import re
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import tomli_w

from napari_lithium_alloy.core.correction import CorrectionParameters
from napari_lithium_alloy.core.errors import AlloyError
from napari_lithium_alloy.core.experiment import Experiment
from napari_lithium_alloy.core.galvanostatic import PotentialCurve
from napari_lithium_alloy.core.recording import FloatArray, Region
from napari_lithium_alloy.core.stages import Stage
from napari_lithium_alloy.io.cyclers import QUANTITIES
from napari_lithium_alloy.io.recording_file import FILE_NAME, POTENTIAL
from napari_lithium_alloy.io.tables import whole_file
from napari_lithium_alloy.io.toml_text import (
    Value,
    check_same,
    is_comment,
    is_valid,
    literal,
    newline_of,
    next_header,
    with_keys,
)

DECIMALS, RATE_DECIMALS = 3, 9
"""A time is written to the millisecond."""
_STAGES_HEADER = re.compile(r"\s*\[\[\s*stages\s*\]\]")
_INLINE = re.compile(r"\s*stages\s*=")


def save_stages(experiment: Experiment) -> Path:
    """Write what was set by hand to an experiment's recording.toml; the file's path.

    Its stages and, of the potential, the file, the columns chosen and the link of its clock. An
    experiment that was opened from images gets a recording.toml beside them.

    Raises
    ------
    AlloyError
        If the file cannot be written, or what it holds would not survive.
    """
    file = stages_file_of(experiment)
    text = _text_of(file) if file.exists() else _new_text(experiment)
    text = with_stages(text, experiment.stages, file.name)
    if experiment.potential is not None:
        text = with_potential(text, experiment.potential, file)
    _write(file, text)
    return file


def save_correction(
    experiment: Experiment, parameters: CorrectionParameters, region: Region | None = None
) -> Path:
    """Write what is corrected to an experiment's recording.toml; the file's path.

    Parameters
    ----------
    experiment : Experiment
    parameters : CorrectionParameters
    region : Region, optional
        The lamp's reference region, which joins those of the file.

    Raises
    ------
    AlloyError
        If the file cannot be written, or what it holds would not survive.
    """
    file = stages_file_of(experiment)
    text = _text_of(file) if file.exists() else _new_text(experiment)
    values = {key: None if value == "" else value for key, value in asdict(parameters).items()}
    text = with_keys(text, "correction", values, file.name)
    if region is not None:
        size = experiment.recordings[0].pixel_size("[[regions]] in micrometres")
        text = with_region(text, region.name, region.vertices_px * size, file.name)
    _write(file, text)
    return file


def save_columns(file: Path, chosen: Mapping[str, str]) -> None:
    """Write the choice of a cycler file's columns, by its keys, to a recording.toml.

    Raises
    ------
    AlloyError
        If the file cannot be written, or what it holds would not survive.
    """
    _write(file, with_keys(_text_of(file), POTENTIAL, _every_choice(chosen), file.name))


def _write(file: Path, text: str) -> None:
    try:
        with whole_file(file) as temporary:
            temporary.write_text(text, encoding="utf-8", newline="")
    except OSError as error:
        raise AlloyError(f"{file} cannot be written: {error.strerror}.") from error


def stages_file_of(experiment: Experiment) -> Path:
    """The recording.toml that holds its stages, or would.

    Raises
    ------
    AlloyError
        If it came from no file, or from images of which no new file could name one.
    """
    source = Path(experiment.source)
    if not experiment.source:
        raise AlloyError(
            f"{experiment.name} was not opened from a file; save its images and open them to keep "
            "its stages."
        )
    if source.suffix.lower() == ".toml":
        return source
    if len(experiment.recordings) > 1 or experiment.recordings[0].mode is None:
        raise AlloyError(
            f"{source.name} holds several recordings or its mode is not known; write a "
            "recording.toml that names one under [trans] or [epi], and open that."
        )
    own = source.with_name(FILE_NAME)
    return own.with_name(f"{source.stem}.{FILE_NAME}") if own.exists() else own


def _text_of(file: Path) -> str:
    try:
        with file.open(encoding="utf-8", newline="") as text:
            return text.read()
    except (OSError, UnicodeDecodeError) as error:
        raise AlloyError(f"{file} cannot be read ({error}); check it.") from error


def _new_text(experiment: Experiment) -> str:
    recording, source = experiment.recordings[0], Path(experiment.source)
    image: dict[str, Any] = {"path": source.name}
    if recording.pixel_size_um is not None:
        image["pixel_size_um"] = recording.pixel_size_um
    if recording.times_source == "frame interval typed in":
        image["frame_interval_s"] = recording.frame_interval_s
    if isinstance(recording.dark_counts, float):
        image["dark"] = recording.dark_counts
    return tomli_w.dumps({"name": experiment.name, str(recording.mode): image})


# Pure changes of the text


def with_stages(text: str, stages: Sequence[Stage], name: str = FILE_NAME) -> str:
    """The text of a recording.toml with these stages in place of its own.

    An array `stages = [...]` stays one, `[[stages]]` tables stay tables; comments are kept, those
    among the stages before them.

    Raises
    ------
    AlloyError
        If anything but the stages would change.
    """
    newline = newline_of(text)
    lines = text.splitlines()
    inline = _inline_span(lines)
    if inline is not None:
        begin, end = inline
        comments = [line for line in lines[begin + 1 : end] if is_comment(line)]
        rows = [f"    {_inline_table(s)}," for s in stages]
        new = [*lines[:begin], "stages = [", *comments, *rows, "]", *lines[end:]]
    else:
        new = _with_tables(lines, stages)
    changed = newline.join(new).rstrip() + newline
    check_same(text, changed, name, "", ["stages"])
    return changed


def _with_tables(lines: list[str], stages: Sequence[Stage]) -> list[str]:
    spans = _table_spans(lines)
    gone = {i for begin, end in spans for i in range(begin, end) if not is_comment(lines[i])}
    at = spans[0][0] if spans else len(lines)
    last = spans[-1][1] if spans else at
    head = lines[:at]
    comments = [line for i, line in enumerate(lines[at:last], start=at) if i not in gone]
    blocks = [line for s in stages for line in (*_table(s), "")]
    if head and head[-1].strip() and not spans:
        head = [*head, ""]
    return [*head, *[c for c in comments if c.strip()], *blocks, *lines[last:]]


def with_region(text: str, region: str, corners_um: FloatArray, name: str = FILE_NAME) -> str:
    """The text of a recording.toml with a polygon among its regions, unless it is there already.

    Raises
    ------
    AlloyError
        If another region has that name.
    """
    corners = np.round(corners_um, DECIMALS).tolist()
    known = tomllib.loads(text).get("regions", []) if is_valid(text) else []
    for one in known:
        if one.get("name") == region:
            if one.get("polygon") == corners:
                return text
            raise AlloyError(
                f"{name} has another region {region}; give the one that was drawn another name."
            )
    newline = newline_of(text)
    table = ["", "[[regions]]", f"name = {literal(region)}", f"polygon = {corners}", ""]
    changed = text.rstrip() + newline + newline.join(table)
    check_same(text, changed, name, "", ["regions"])
    return changed


def with_potential(text: str, potential: PotentialCurve, file: Path) -> str:
    """The text of a recording.toml with this potential: file, columns chosen, link of its clock.

    Raises
    ------
    AlloyError
        If anything else would change.
    """
    clock = potential.clock
    values: dict[str, Value | None] = {
        **_path(text, potential.source, file),
        **_every_choice(potential.chosen),
        "clock_offset_s": round(clock.offset_s, DECIMALS),
        "clock_rate": None if clock.rate == 1 else round(clock.rate, RATE_DECIMALS),
        "clock_way": clock.way or None,
        "clock_residual_s": _known(clock.residual_s),
    }
    return with_keys(text, POTENTIAL, values, file.name)


def _path(text: str, source: str, file: Path) -> dict[str, str]:
    """The cycler file's path relative to recording.toml, unless it names that file already."""
    if not source:
        return {}
    wanted, folder = Path(source).resolve(), file.resolve().parent
    found = tomllib.loads(text).get(POTENTIAL, {}).get("path") if is_valid(text) else None
    if isinstance(found, str) and (folder / Path(found).expanduser()).resolve() == wanted:
        return {}
    inside = wanted.is_relative_to(folder)
    return {"path": (wanted.relative_to(folder) if inside else wanted).as_posix()}


def _every_choice(chosen: Mapping[str, str]) -> dict[str, str | None]:
    """All keys of a choice of columns, None for those that are not chosen."""
    keys = [f"{quantity}_{what}" for quantity in QUANTITIES for what in ("column", "unit")]
    return {key: chosen.get(key) for key in keys}


def _known(value: float) -> float | None:
    return round(value, DECIMALS) if math.isfinite(value) else None


def _inline_span(lines: Sequence[str]) -> tuple[int, int] | None:
    """First and following line of `stages = [...]` above all tables."""
    for begin in range(next_header(lines, 0)):
        if _INLINE.match(lines[begin]):
            for end in range(begin + 1, len(lines) + 1):
                if is_valid("\n".join(lines[begin:end])):
                    return begin, end
    return None


def _table_spans(lines: Sequence[str]) -> list[tuple[int, int]]:
    """First and following line of each [[stages]] table, without comments that come after it."""
    spans = []
    for begin, line in enumerate(lines):
        if _STAGES_HEADER.match(line):
            end = next_header(lines, begin + 1)
            while is_comment(lines[end - 1]) or not lines[end - 1].strip():
                end -= 1
            while end < len(lines) and not lines[end].strip():
                end += 1
            spans.append((begin, end))
    return spans


# Values


def _values(stage: Stage) -> dict[str, str]:
    values = {"kind": f'"{stage.kind}"'}
    if stage.step is not None:
        values["step"] = str(stage.step)
    values |= {
        "cycle": str(stage.cycle),
        "start_s": _number(stage.start_s),
        "end_s": _number(stage.end_s),
    }
    if stage.scope != "cell":
        values["scope"] = f'"{stage.scope}"'
    return values


def _number(value: float) -> str:
    return repr(round(float(value), DECIMALS))


def _table(stage: Stage) -> list[str]:
    return ["[[stages]]", *(f"{key} = {value}" for key, value in _values(stage).items())]


def _inline_table(stage: Stage) -> str:
    return "{ " + ", ".join(f"{key} = {value}" for key, value in _values(stage).items()) + " }"
