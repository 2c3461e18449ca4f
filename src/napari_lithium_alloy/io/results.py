"""A folder of results: every table and map of an analysis, written whole or not at all."""

from __future__ import annotations

import json
import re
import tempfile
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path

import pandas as pd

from napari_lithium_alloy import __version__
from napari_lithium_alloy.core.errors import AlloyError
from napari_lithium_alloy.core.photometry import Float32Array
from napari_lithium_alloy.core.provenance import Step, to_plain
from napari_lithium_alloy.core.row_blocks import both
from napari_lithium_alloy.core.tables import TABLES
from napari_lithium_alloy.io.hashes import sha256_of
from napari_lithium_alloy.io.tables import write_csv, write_map

PROVENANCE = "provenance.json"
MAP_NAME = re.compile(
    r"(onset_(sd_)?|rise_time_|front_(speed_(sd_)?|direction_))cycle\d+_(step\d+|dealloying\d+|dissolution)\.tif"
)


def is_ours(path: Path) -> bool:
    """Whether a file's name is one that results have."""
    if path.suffix == ".csv":
        return path.stem in TABLES
    return path.name == PROVENANCE or MAP_NAME.fullmatch(path.name) is not None


def check_out(out: Path, *, overwrite: bool) -> None:
    """Raise AlloyError where results could not be written, before they are computed.

    Raises
    ------
    AlloyError
        If `out` is a file, or holds results and `overwrite` is not set.
    """
    if out.is_file():
        raise AlloyError(f"{out} is a file; give a folder for the results.")
    if not overwrite and out.is_dir() and any(is_ours(p) for p in out.iterdir()):
        raise AlloyError(
            f"{out} already holds results; choose another folder or allow them to be replaced "
            "(--overwrite)."
        )


def write_results(
    out: Path,
    tables: Mapping[str, pd.DataFrame],
    maps: Mapping[str, Float32Array],
    *,
    steps: Sequence[Step],
    inputs: Sequence[Path],
    pixel_size_um: float | None = None,
    overwrite: bool = False,
    hashes: Mapping[Path, str] | None = None,
    room: Path | None = None,
    texts: Mapping[str, str] | None = None,
) -> list[Path]:
    """Write tables (CSV), maps (float32 TIFF) and provenance.json into a folder.

    All is written beside the folder first and moved in at the end; of earlier results none is
    left, and files of other names are not touched. Where something fails, the folder is as it was.

    Parameters
    ----------
    out : Path
    tables, maps : mapping
        By the stems of their files.
    steps : sequence of Step
    inputs : sequence of Path
    pixel_size_um : float, optional
    overwrite : bool
    hashes : mapping, optional
        SHA-256 of inputs, where they are known already.
    room : Path, optional
        Folder on the same disk in which they are first written; None: that of `out`.
    texts : mapping, optional
        Of tables, `csv_text`, where that is made already.

    Raises
    ------
    AlloyError
        If the folder cannot be written, or holds results and `overwrite` is not set.
    """
    check_out(out, overwrite=overwrite)
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        room = out.parent if room is None else room
        with tempfile.TemporaryDirectory(dir=room, prefix=f".{out.name}-") as folder:
            new, old = Path(folder) / "new", Path(folder) / "old"
            new.mkdir()
            old.mkdir()
            both(
                partial(_write_tables, new, tables, steps, texts or {}),
                partial(_write_maps, new, maps, pixel_size_um),
            )
            (new / PROVENANCE).write_text(
                _provenance(steps, inputs, hashes or {}), encoding="utf-8"
            )
            written = [out / p.name for p in sorted(new.iterdir())]
            out.mkdir(exist_ok=True)
            _exchange(new, out, old)
    except OSError as error:
        raise AlloyError(
            f"The results cannot be written to {out} ({error.strerror}); choose another folder."
        ) from error
    return written


def _write_tables(
    folder: Path,
    tables: Mapping[str, pd.DataFrame],
    steps: Sequence[Step],
    texts: Mapping[str, str],
) -> None:
    for name, table in tables.items():
        write_csv(folder / f"{name}.csv", table, steps, text=texts.get(name))


def _write_maps(
    folder: Path, maps: Mapping[str, Float32Array], pixel_size_um: float | None
) -> None:
    for name, image in maps.items():
        write_map(folder / f"{name}.tif", image, pixel_size_um=pixel_size_um)


def _exchange(new: Path, out: Path, old: Path) -> None:
    """Move earlier results from `out` to `old` and new ones in; where it fails, all back."""
    moves = [(p, old / p.name) for p in sorted(out.iterdir()) if is_ours(p)]
    moves += [(p, out / p.name) for p in sorted(new.iterdir())]
    done: list[tuple[Path, Path]] = []
    try:
        for source, target in moves:
            source.replace(target)
            done.append((source, target))
    except (OSError, KeyboardInterrupt):
        for source, target in reversed(done):
            target.replace(source)
        raise


def _provenance(steps: Sequence[Step], inputs: Sequence[Path], hashes: Mapping[Path, str]) -> str:
    there = [p for p in inputs if p in hashes or p.exists()]
    record = {
        "version": __version__,
        "inputs": [{"path": str(p), "sha256": hashes.get(p) or sha256_of(p)} for p in there],
        "steps": [step.to_json() for step in steps],
    }
    return json.dumps(to_plain(record), indent=2, ensure_ascii=False, allow_nan=False) + "\n"
