"""Changes of a TOML file's text that leave everything else in it as it is."""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from napari_lithium_alloy.core.errors import AlloyError

Value = str | float | bool
_HEADER = re.compile(r"\s*\[")
_LITERAL = r"""(?:"(?:[^"\\]|\\.)*"|'[^']*'|[^\s#]+)"""


def with_keys(text: str, table: str, values: Mapping[str, Value | None], name: str) -> str:
    """The text with these keys of [table] set, those that are None removed.

    A comment after a changed value stays; a table that isn't there is written at the end.

    Raises
    ------
    AlloyError
        If anything else would change.
    """
    newline = newline_of(text)
    lines = text.splitlines()
    header = re.compile(rf"\s*\[\s*{table}\s*\]")
    at = next((i for i, line in enumerate(lines) if header.match(line)), None)
    if at is None:
        lines += [*([""] if lines else []), f"[{table}]"]
        at = len(lines) - 1
    for key, value in values.items():
        end = next_header(lines, at + 1)
        lines[at + 1 : end] = _with_key(lines[at + 1 : end], key, value)
    changed = newline.join(lines).rstrip() + newline
    check_same(text, changed, name, table, values.keys())
    return changed


def _with_key(lines: list[str], key: str, value: Value | None) -> list[str]:
    pattern = re.compile(rf"(\s*{key}\s*=\s*){_LITERAL}")
    known = next((i for i, line in enumerate(lines) if pattern.match(line)), None)
    if known is None:
        if value is None:
            return lines
        filled = [i for i, line in enumerate(lines) if line.strip() and not is_comment(line)]
        after = filled[-1] + 1 if filled else 0
        return [*lines[:after], f"{key} = {literal(value)}", *lines[after:]]
    if value is None:
        return [*lines[:known], *lines[known + 1 :]]
    said = pattern.sub(lambda found: found[1] + literal(value), lines[known], count=1)
    return [*lines[:known], said, *lines[known + 1 :]]


def literal(value: Value) -> str:
    """A text, number or truth as TOML writes it."""
    if isinstance(value, (str, bool)):
        return json.dumps(value, ensure_ascii=False)
    return repr(float(value))


def newline_of(text: str) -> str:
    """How the text ends its lines."""
    return "\r\n" if "\r\n" in text else "\n"


def next_header(lines: Sequence[str], start: int) -> int:
    """The first line from `start` on that begins a table, or the end."""
    return next((i for i in range(start, len(lines)) if _HEADER.match(lines[i])), len(lines))


def is_comment(line: str) -> bool:
    """Whether a line is a comment."""
    return line.lstrip().startswith("#")


def is_valid(text: str) -> bool:
    """Whether a text is TOML."""
    try:
        tomllib.loads(text)
    except tomllib.TOMLDecodeError:
        return False
    return True


def check_same(before: str, after: str, name: str, table: str, keys: Collection[str]) -> None:
    """Raise AlloyError unless both hold the same but for these keys of a table ("": the top)."""
    if _without(before, name, table, keys) != _without(after, name, table, keys):
        raise AlloyError(
            f"{name} is written in a way in which {', '.join(keys)} cannot be changed alone; "
            "change it there by hand."
        )


def _without(text: str, name: str, table: str, keys: Collection[str]) -> dict[str, Any]:
    try:
        values = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise AlloyError(
            f"{name} cannot be changed safely ({error}); change it there by hand."
        ) from error
    within = values.get(table, {}) if table else values
    for key in keys:
        within.pop(key, None)
    if table and not within:
        values.pop(table, None)
    return values
