"""GIF, AVI and MP4 through imageio."""

from __future__ import annotations

import importlib
import weakref
from pathlib import Path
from typing import Any

import imageio.v3 as iio
import numpy as np
from numpy.typing import NDArray

from napari_lithium_alloy.core.errors import AlloyError
from napari_lithium_alloy.io.frames import FrameCache
from napari_lithium_alloy.io.stack import Stack, Timing

VIDEO_SUFFIXES = (".mp4", ".avi", ".mov", ".mkv")
MOVIE_SUFFIXES = (".gif", *VIDEO_SUFFIXES)


def open_movie(path: Path) -> list[Stack]:
    """A movie as one colour stack; its playback rate is nominal, and a note says so.

    Raises
    ------
    AlloyError
        If it cannot be decoded, or the package that decodes video is not installed.
    """
    is_gif = path.suffix.lower() == ".gif"
    try:
        if not is_gif:
            importlib.import_module("av")
        file = iio.imopen(path, "r", plugin="pillow" if is_gif else "pyav")
        first = np.asarray(file.read(index=0))
        n_frames, interval = _gif_timing(file) if is_gif else _video_timing(file)
    except ModuleNotFoundError as error:
        raise AlloyError(
            f"{path.name} is video, which needs PyAV: pip install napari-lithium-alloy[video]."
        ) from error
    except (OSError, ValueError, IndexError, StopIteration) as error:
        raise AlloyError(
            f"{path.name} cannot be decoded ({error}); check that it was copied whole."
        ) from error
    reader = _MovieReader(file, path, first)
    return [
        Stack(
            sizes=(n_frames, 1, 1),
            field_shape=(first.shape[0], first.shape[1]),
            dtype=first.dtype,
            read=reader.read,
            color=True,
            timing=Timing(
                interval_s=interval,
                interval_source="playback rate",
                note=f"Times are the movie's playback rate ({interval:g} s a frame), which need "
                "not be that of the recording; give frame_interval_s or times.",
            )
            if interval
            else Timing(),
        )
    ]


class _MovieReader:
    """Reads frames of an open movie, one thread at a time: decoders keep a position."""

    def __init__(self, file: Any, path: Path, first: NDArray[Any]) -> None:
        self._file = file
        self._path = path
        self._cache = FrameCache(self._decode)
        self._cache.keep(0, first)
        weakref.finalize(self, file.close)

    def read(self, t: int, _c: int, _z: int, y: slice, x: slice) -> NDArray[Any]:
        """Part of a frame."""
        return np.array(self._cache(t)[y, x])

    def _decode(self, t: int) -> NDArray[Any]:
        try:
            return np.array(self._file.read(index=t))
        except (OSError, ValueError, IndexError, StopIteration) as error:
            raise AlloyError(
                f"{self._path.name}: frame {t} cannot be decoded ({error}); "
                "copy the file again from its source."
            ) from error


def _gif_timing(file: Any) -> tuple[int, float | None]:
    duration = file.metadata(index=0).get("duration", 0)
    return int(file.properties(index=...).n_images or 1), duration / 1000 or None


def _video_timing(file: Any) -> tuple[int, float | None]:
    meta = file.metadata()
    fps = float(meta.get("fps") or 0)
    n_frames = int(file.properties(index=...).shape[0])
    if n_frames < 1 and fps:
        n_frames = int(float(meta.get("duration") or 0) * fps)
    return max(n_frames, 1), 1 / fps if fps else None
