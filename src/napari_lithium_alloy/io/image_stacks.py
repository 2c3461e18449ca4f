"""Images in: any file or folder of frames, as lazy recordings."""

from __future__ import annotations

import glob
import itertools
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from napari_lithium_alloy.core.errors import AlloyError
from napari_lithium_alloy.core.recording import FloatArray, Mode, Recording, Window
from napari_lithium_alloy.io.frame_folders import FRAME_SUFFIXES, frame_files, open_frames
from napari_lithium_alloy.io.frames import is_grey, lazy, to_grey
from napari_lithium_alloy.io.movies import MOVIE_SUFFIXES, open_movie
from napari_lithium_alloy.io.nd2_stacks import open_nd2
from napari_lithium_alloy.io.stack import Stack
from napari_lithium_alloy.io.tiff_stacks import open_tiff
from napari_lithium_alloy.io.timing import GivenTimes, clock, first_frame_at
from napari_lithium_alloy.io.zarr_stacks import is_zarr, open_zarr

TIFF_SUFFIXES = (".tif", ".tiff", ".btf", ".tf8", ".stk", ".lsm")
MOST_CHANNELS = 7
"""ImageJ's limit: more "channels" than this at a single time are frames."""
SQUARE_WITHIN = 0.01
MODE_IN_NAME = re.compile(r"(?<![a-z])(trans|epi)(?![a-z])", re.IGNORECASE)


@dataclass(frozen=True, eq=False, kw_only=True)
class Choice:
    """Which planes of a file are wanted: None for all, an index from 0, or a name."""

    channel: int | str | None = None
    position: int | str | None = None
    z: int | None = None


def open_stack(
    path: Path | str,
    *,
    channel: int | str | None = None,
    position: int | str | None = None,
    z: int | None = None,
    frame_interval_s: float | None = None,
    times: Path | str | ArrayLike | None = None,
    pixel_size_um: float | None = None,
    mode: Mode | None = None,
    dark: float | Path | str | None = None,
    flat: Path | str | None = None,
    saturation_counts: float | None = None,
    name: str | None = None,
) -> tuple[Recording, ...]:
    """Open a stack, a movie, a Zarr array, a folder of frames or a glob, without reading it.

    Metadata and one frame are read, whatever the size. Several positions, channels or z planes
    become several recordings.

    Parameters
    ----------
    path : Path or str
        A file, a folder of frames, or a glob.
    channel, position : int or str, optional
        Index from 0, or name, of the only channel or position wanted.
    z : int, optional
        Index from 0 of the only z plane wanted.
    frame_interval_s : float, optional
        Seconds from frame to frame; wins over what the file says.
    times : path or array, optional
        A table with a column time_s, or one time a frame in seconds; wins over all else.
    pixel_size_um : float, optional
        Wins over what the file says.
    mode : {"trans", "epi"}, optional
        None: from the file's or folder's name, if that has the word.
    dark : float or path, optional
        Counts without light: a number, or an image file whose frames are averaged.
    flat : path, optional
        An image file of the empty field, whose frames are averaged; the dark level is taken off
        it, too.
    saturation_counts : float, optional
        None: from the bit depth.
    name : str, optional
        None: the file's stem.

    Returns
    -------
    tuple of Recording
        At least one.

    Raises
    ------
    AlloyError
        If it cannot be read, or a choice names what is not there.
    """
    where = Path(path).expanduser()
    stacks = [_with_time(s, z) for s in _open(where)]
    choice = Choice(channel=channel, position=position, z=z)
    label = name if name is not None else stem_of(where)
    views = _views(stacks, choice, label, where)
    given = GivenTimes(interval_s=frame_interval_s, times=times)
    first = _first_frame(views[0])
    recordings = [
        _recording(view, first=first, given=given, where=where, pixel_size_um=pixel_size_um)
        for view in views
    ]
    changes: dict[str, Any] = {"mode": mode or mode_in_name(stem_of(where))}
    if saturation_counts is not None:
        changes["saturation_counts"] = saturation_counts
    if dark is not None:
        changes["dark_counts"] = _dark_counts(dark)
    if flat is not None:
        changes["flat"] = _flat_field(Path(flat), changes.get("dark_counts", 0.0))
    return tuple(r.replace(**changes) for r in recordings)


def mode_in_name(name: str) -> Mode | None:
    """The mode a file's name says as a word of its own; None where it says neither or both."""
    modes = {m.lower() for m in MODE_IN_NAME.findall(name)}
    if modes == {"trans"}:
        return "trans"
    return "epi" if modes == {"epi"} else None


def _open(path: Path) -> list[Stack]:
    if not path.exists():
        folder = next(p for p in path.absolute().parents if p.is_dir())
        pattern = str(path.absolute().relative_to(folder))
        if glob.has_magic(pattern):
            return _open_frames(frame_files(folder.glob(pattern)), path)
        raise AlloyError(f"{path} does not exist; check its path.")
    if path.is_dir():
        return open_zarr(path) if is_zarr(path) else _open_frames(frame_files(path.iterdir()), path)
    return _open_file(path)


def _open_frames(files: Sequence[Path], path: Path) -> list[Stack]:
    if len(files) == 1:
        return _open(files[0])
    return open_frames(files, path)


def _open_file(path: Path) -> list[Stack]:
    suffix = path.suffix.lower()
    if path.stat().st_size == 0:
        raise AlloyError(f"{path.name} is empty; copy it again from its source.")
    if suffix in TIFF_SUFFIXES:
        return open_tiff(path)
    if suffix in MOVIE_SUFFIXES:
        return open_movie(path)
    if suffix == ".nd2":
        return open_nd2(path)
    if suffix in FRAME_SUFFIXES:
        return open_frames([path], path)
    raise AlloyError(
        f"{path.name}: files ending in {suffix or 'nothing'} are not read; give TIFF, OME-Zarr, "
        "ND2, GIF, AVI, MP4, or a folder of TIFF, PNG, JPEG or BMP frames."
    )


def stem_of(path: Path) -> str:
    """What to call it: the name without suffixes and, for a glob, without its wildcards."""
    if glob.has_magic(path.name) and not path.exists():
        words = re.sub(r"\[.*?\]|[*?]", "", Path(path.name).stem).strip(" _-.")
        return words or path.parent.name
    if path.is_dir() and path.suffix.lower() not in (".zarr",):
        return path.resolve().name
    stem = path.stem
    return stem[: -len(".ome")] if stem.lower().endswith(".ome") else stem


def _with_time(stack: Stack, z: int | None) -> Stack:
    """Time that was stored as slices, or as more channels than there can be, is time."""
    n_times, n_channels, n_z = stack.sizes
    if n_times > 1:
        return stack
    if n_z > 1 and n_channels == 1 and z is None:
        return stack.with_time_from(2, f"The {n_z} z slices, of a single time, are taken as time.")
    if n_channels > MOST_CHANNELS and n_z == 1:
        return stack.with_time_from(
            1, f"The {n_channels} channels, of a single time, are taken as time."
        )
    return stack


@dataclass(frozen=True, eq=False, kw_only=True)
class _View:
    """One channel and one z of one position."""

    stack: Stack
    channel: int
    z: int
    name: str
    frames: NDArray[np.integer[Any]]


def _views(stacks: Sequence[Stack], choice: Choice, label: str, path: Path) -> list[_View]:
    """Every chosen plane over time, named after what tells it from the other chosen ones."""
    names = [s.position_name for s in stacks]
    if len(set(names)) < len(names):
        names = []
    views = []
    positions = _chosen(choice.position, len(stacks), names, "position", path)
    for p in positions:
        stack = stacks[p]
        _, n_channels, n_z = stack.sizes
        named = stack.channel_names if len(stack.channel_names) == n_channels else ()
        channels = _chosen(choice.channel, n_channels, named, "channel", path)
        planes = _chosen(choice.z, n_z, (), "z", path)
        for c, z in itertools.product(channels, planes):
            parts = (
                _part("position", p, positions, names),
                _part("channel", c, channels, named),
                _part("z", z, planes, ()),
            )
            name = " ".join([label, *filter(None, parts)])
            frames = stack.frames_of(c, z)
            if len(frames):
                views.append(_View(stack=stack, channel=c, z=z, name=name, frames=frames))
    if not views:
        raise AlloyError(f"{path.name} holds no frames; check that the recording was finished.")
    return views


def _chosen(
    wanted: int | str | None, n: int, names: Sequence[str], key: str, path: Path
) -> Sequence[int]:
    if wanted is None:
        return range(n)
    if isinstance(wanted, str) and wanted in names:
        return [list(names).index(wanted)]
    if isinstance(wanted, int) and 0 <= wanted < n:
        return [wanted]
    known = f" ({', '.join(names)})" if any(names) else ""
    raise AlloyError(
        f"{path.name} has no {key} {wanted}: give {key} from 0 to {n - 1}{known}, or leave it out."
    )


def _part(kind: str, index: int, chosen: Sequence[int], names: Sequence[str]) -> str:
    """How this one of several is named; empty where only one was chosen."""
    if len(chosen) == 1:
        return ""
    return f"{kind} {names[index] if names and names[index] else index}"


def _first_frame(view: _View) -> NDArray[Any]:
    """The one frame that is read at opening, so that a file that cannot be decoded is noticed."""
    whole = slice(None)
    return view.stack.read(int(view.frames[0]), view.channel, view.z, whole, whole)


def _recording(
    view: _View,
    *,
    first: NDArray[Any],
    given: GivenTimes,
    where: Path,
    pixel_size_um: float | None,
) -> Recording:
    stack = view.stack
    window, dtype, notes = _grey_window(view, first)
    times_s, times_source, time_notes = clock(
        stack, view.channel, view.z, given=given, path=where, name=view.name
    )
    n_missing = stack.sizes[0] - len(view.frames)
    if n_missing:
        notes = (*notes, f"{n_missing} frames that were never recorded are left out.")
    shape = (len(view.frames), *stack.field_shape)
    return Recording(
        name=view.name,
        frames=lazy(window, shape, dtype, "frames"),
        times_s=times_s,
        pixel_size_um=pixel_size_um if pixel_size_um is not None else _side_um(stack, where),
        saturation_counts=_saturation(stack),
        window=window,
        mapped=_mapped(view),
        source=str(where),
        times_source=times_source,
        first_frame_at=first_frame_at(stack, view.channel, view.z),
        notes=(*stack.notes, *notes, *time_notes),
    )


def _grey_window(view: _View, first: NDArray[Any]) -> tuple[Window, np.dtype[Any], tuple[str, ...]]:
    stack, frames, channel, z = view.stack, view.frames, view.channel, view.z

    def plane(t: int, y: slice, x: slice) -> NDArray[Any]:
        return stack.read(int(frames[t]), channel, z, y, x)

    if not stack.color:
        return plane, stack.dtype, ()
    grey = is_grey(first)
    dtype = stack.dtype if grey else np.dtype(np.float32)
    note = (
        "RGB, with equal red, green and blue in its first frame, is taken as grey."
        if grey
        else "RGB became grey by Rec. 709 luma (0.2126 R + 0.7152 G + 0.0722 B)."
    )
    return lambda t, y, x: to_grey(plane(t, y, x), dtype), dtype, (note,)


def _mapped(view: _View) -> NDArray[Any] | None:
    """(T, Y, X) memory map of the view's frames, where the file allows."""
    stack = view.stack
    if stack.mapped is None or stack.color or len(view.frames) < stack.sizes[0]:
        return None
    return stack.mapped[:, view.channel, view.z]


def _saturation(stack: Stack) -> float | None:
    if stack.saturation_counts is not None:
        return stack.saturation_counts
    return float(np.iinfo(stack.dtype).max) if stack.dtype.kind in "ui" else None


def _side_um(stack: Stack, path: Path) -> float | None:
    if stack.pixel_yx_um is None:
        return None
    height, width = stack.pixel_yx_um
    if abs(height - width) > SQUARE_WITHIN * width:
        raise AlloyError(
            f"{path.name} has pixels of {height:g} x {width:g} um (height x width), which are not "
            "square; resample it, or give pixel_size_um if the file is wrong."
        )
    return width


def _dark_counts(dark: float | Path | str) -> float | FloatArray:
    if isinstance(dark, (int, float)):
        return float(dark)
    return _mean_frame(dark)


def _flat_field(path: Path, dark: float | FloatArray) -> FloatArray:
    """Relative light of the empty field, mean 1; 1 where it shows none.

    Raises
    ------
    AlloyError
        If it is nowhere brighter than the dark level.
    """
    picture = _mean_frame(path)
    if np.ndim(dark) and np.shape(dark) != picture.shape:
        raise AlloyError(
            f"{path.name} is {picture.shape}, the dark frame {np.shape(dark)}; give both of the "
            "same camera region."
        )
    light = picture - dark
    lit = light > 0
    if not lit.any():
        raise AlloyError(
            f"{path.name} is nowhere brighter than the dark level; give a flat field taken with "
            "the lamp on."
        )
    return np.where(lit, light / light[lit].mean(), 1.0)


def _mean_frame(path: Path | str) -> FloatArray:
    recording = open_stack(path)[0]
    total = np.zeros(recording.field_shape)
    for t in range(recording.n_frames):
        total += recording.read(t)
    return np.asarray(total / recording.n_frames)
