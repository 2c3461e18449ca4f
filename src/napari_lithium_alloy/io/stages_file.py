"""Stages and the clock offset into recording.toml; all else in the file stays as it is."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import tomli_w

from napari_lithium_alloy.core.errors import AlloyError
from napari_lithium_alloy.core.experiment import Experiment
from napari_lithium_alloy.core.stages import Stage
from napari_lithium_alloy.io.recording_file import FILE_NAME
from napari_lithium_alloy.io.tables import whole_file

DECIMALS = 3
"""A bound is written to the millisecond."""
_HEADER = re.compile(r"\s*\[")
_STAGES_HEADER = re.compile(r"\s*\[\[\s*stages\s*\]\]")
_INLINE = re.compile(r"\s*stages\s*=")
_POTENTIAL_HEADER = re.compile(r"\s*\[\s*potential\s*\]")
_OFFSET = re.compile(r"(\s*clock_offset_s\s*=\s*)[^\s#]+")


def save_stages(experiment: Experiment) -> Path:
    """Write stages and clock offset of an experiment to its recording.toml; the file's path.

    An experiment that was opened from images gets a recording.toml beside them.

    Raises
    ------
    AlloyError
        If the file cannot be written, or what it holds would not survive.
    """
    file = stages_file_of(experiment)
    if file.exists():
        text = _text_of(file)
        offset_s = experiment.potential.clock_offset_s if experiment.potential else None
        text = with_stages(text, experiment.stages, file.name)
        if offset_s is not None:
            text = with_clock_offset(text, offset_s, file.name)
    else:
        text = with_stages(_new_text(experiment), experiment.stages, file.name)
    try:
        with whole_file(file) as temporary:
            temporary.write_text(text, encoding="utf-8", newline="")
    except OSError as error:
        raise AlloyError(f"{file} cannot be written: {error.strerror}.") from error
    return file


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
    newline = "\r\n" if "\r\n" in text else "\n"
    lines = text.splitlines()
    inline = _inline_span(lines)
    if inline is not None:
        begin, end = inline
        comments = [line for line in lines[begin + 1 : end] if _is_comment(line)]
        rows = [f"    {_inline_table(s)}," for s in stages]
        new = [*lines[:begin], "stages = [", *comments, *rows, "]", *lines[end:]]
    else:
        new = _with_tables(lines, stages)
    changed = newline.join(new).rstrip() + newline
    _check_same(text, changed, name, "stages")
    return changed


def _with_tables(lines: list[str], stages: Sequence[Stage]) -> list[str]:
    spans = _table_spans(lines)
    gone = {i for begin, end in spans for i in range(begin, end) if not _is_comment(lines[i])}
    at = spans[0][0] if spans else len(lines)
    last = spans[-1][1] if spans else at
    head = lines[:at]
    comments = [line for i, line in enumerate(lines[at:last], start=at) if i not in gone]
    blocks = [line for s in stages for line in (*_table(s), "")]
    if head and head[-1].strip() and not spans:
        head = [*head, ""]
    return [*head, *[c for c in comments if c.strip()], *blocks, *lines[last:]]


def with_clock_offset(text: str, offset_s: float, name: str = FILE_NAME) -> str:
    """The text of a recording.toml with this `clock_offset_s` under [potential].

    Raises
    ------
    AlloyError
        If there is no table [potential], or anything else would change.
    """
    value = _number(offset_s)
    newline = "\r\n" if "\r\n" in text else "\n"
    lines = text.splitlines()
    at = next((i for i, line in enumerate(lines) if _POTENTIAL_HEADER.match(line)), None)
    if at is None:
        raise AlloyError(
            f"{name} has no table [potential]; write clock_offset_s = {value} into it by hand."
        )
    end = _next_header(lines, at + 1)
    known = [i for i in range(at + 1, end) if _OFFSET.match(lines[i])]
    if known:
        lines[known[0]] = _OFFSET.sub(rf"\g<1>{value}", lines[known[0]])
    else:
        lines.insert(at + 1, f"clock_offset_s = {value}")
    changed = newline.join(lines).rstrip() + newline
    _check_same(text, changed, name, "potential", "clock_offset_s")
    return changed


def _inline_span(lines: Sequence[str]) -> tuple[int, int] | None:
    """First and following line of `stages = [...]` above all tables."""
    for begin in range(_next_header(lines, 0)):
        if _INLINE.match(lines[begin]):
            for end in range(begin + 1, len(lines) + 1):
                if _is_valid("\n".join(lines[begin:end])):
                    return begin, end
    return None


def _table_spans(lines: Sequence[str]) -> list[tuple[int, int]]:
    """First and following line of each [[stages]] table, without comments that come after it."""
    spans = []
    for begin, line in enumerate(lines):
        if _STAGES_HEADER.match(line):
            end = _next_header(lines, begin + 1)
            while _is_comment(lines[end - 1]) or not lines[end - 1].strip():
                end -= 1
            while end < len(lines) and not lines[end].strip():
                end += 1
            spans.append((begin, end))
    return spans


def _next_header(lines: Sequence[str], start: int) -> int:
    return next((i for i in range(start, len(lines)) if _HEADER.match(lines[i])), len(lines))


def _is_comment(line: str) -> bool:
    return line.lstrip().startswith("#")


def _is_valid(text: str) -> bool:
    try:
        tomllib.loads(text)
    except tomllib.TOMLDecodeError:
        return False
    return True


def _check_same(before: str, after: str, name: str, *keys: str) -> None:
    """Raise AlloyError unless both texts hold the same but for the value under these keys."""
    held = []
    for text in (before, after):
        try:
            values = tomllib.loads(text)
        except tomllib.TOMLDecodeError as error:
            raise AlloyError(f"{name} cannot be changed safely ({error}); change it there.") from (
                error
            )
        table = values
        for key in keys[:-1]:
            table = table.get(key, {})
        table.pop(keys[-1], None)
        held.append(values)
    if held[0] != held[1]:
        raise AlloyError(
            f"{name} is written in a way in which {keys[-1]} cannot be changed alone; change it "
            "there by hand."
        )


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
