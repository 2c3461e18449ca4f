"""Stage montages: a row a stage, a few frames of each (Mao et al. 2024, Figs. 1B, 3A, 5A)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from napari_lithium_alloy.core.errors import AlloyError
from napari_lithium_alloy.core.onset import OnsetMap, alloyed_fraction
from napari_lithium_alloy.core.photometry import Float32Array, Reference, ratio_of
from napari_lithium_alloy.core.progress import Work
from napari_lithium_alloy.core.recording import FloatArray, IntArray, Recording
from napari_lithium_alloy.core.stages import Stage

Limits = tuple[float, float]

WHITE = 255
GAP_SHARE = 0.04
"""Width of the gaps between images, as a share of an image's shorter side."""


@dataclass(frozen=True, kw_only=True)
class MontageParameters:
    """Which frames a montage shows, and how.

    Attributes
    ----------
    n_frames : int
        Images a row, evenly spaced from the stage's first frame to its last.
    interval_s : float or None
        Seconds between a row's images; None: as `n_frames` says.
    averaged_frames : int
        Frames whose mean is one image.
    row_range : {"own", "common"}
        Whether grey values span each row's own range or that of all rows.
    low_percentile, high_percentile : float
        Values shown black and white, percentiles of a row's pixels.
    largest_side_px : int
        Images with a longer side are binned to at most this, so that a montage of large frames
        stays small.

    Raises
    ------
    AlloyError
        If a value is out of its range.
    """

    n_frames: int = 6
    interval_s: float | None = None
    averaged_frames: int = 1
    row_range: Literal["own", "common"] = "own"
    low_percentile: float = 0.2
    high_percentile: float = 99.8
    largest_side_px: int = 700

    def __post_init__(self) -> None:
        for name in ("n_frames", "averaged_frames", "largest_side_px"):
            if getattr(self, name) < 1:
                raise AlloyError(f"The montage's {name} is {getattr(self, name)}; give at least 1.")
        if self.interval_s is not None and not self.interval_s > 0:
            raise AlloyError(
                f"The montage's interval is {self.interval_s:g} s; give a positive one."
            )
        if not 0 <= self.low_percentile < self.high_percentile <= 100:
            raise AlloyError(
                f"The montage's percentiles are {self.low_percentile:g} and "
                f"{self.high_percentile:g}; give two between 0 and 100, the lower one first."
            )


@dataclass(frozen=True, eq=False, kw_only=True)
class MontageRow:
    """The images of one stage.

    Attributes
    ----------
    stage : Stage
    times_s : numpy.ndarray
        (N,) mean time of the frames of each image, seconds on the recording's clock.
    images : numpy.ndarray
        (N, Y, X) float32 transmittance or relative reflectance, binned where frames are large.
    limits : (float, float)
        Values shown black and white; NaN where no pixel has a value.
    progress : numpy.ndarray
        (N,) share of the stage's time that has passed with each image, 0 to 1.
    alloyed : numpy.ndarray
        (N,) share of the field that is alloyed (in dealloying: no longer), 0 to 1; NaN without
        an onset map.
    inverted : bool
        Whether high values are dark.
    """

    stage: Stage
    times_s: FloatArray
    images: Float32Array
    limits: Limits
    progress: FloatArray
    alloyed: FloatArray
    inverted: bool = False

    @property
    def label(self) -> str:
        """The stage's name for people."""
        return f"{self.stage.label}, inverted" if self.inverted else self.stage.label

    @property
    def progress_labels(self) -> list[str]:
        """Progress of time of each image, such as "17 %"."""
        return [f"{100 * p:.0f} %" for p in self.progress]

    @property
    def alloyed_labels(self) -> list[str]:
        """Share of each image, such as "alloyed 40 %"; empty texts where it is not known."""
        word = "alloyed" if self.stage.darkens else "dealloyed"
        return [f"{word} {100 * a:.0f} %" if np.isfinite(a) else "" for a in self.alloyed]

    def grey(self) -> NDArray[np.uint8]:
        """(N, Y, X) uint8 grey values between the limits; black where a pixel has no value."""
        return grey_values(self.images, self.limits, inverted=self.inverted)


@dataclass(frozen=True, eq=False, kw_only=True)
class Montage:
    """Rows of images, and the side of their pixels in micrometres (None: not known)."""

    rows: tuple[MontageRow, ...]
    pixel_size_um: float | None


def stage_montage(
    recording: Recording,
    stages: Sequence[Stage],
    reference: Reference,
    parameters: MontageParameters | None = None,
    *,
    onset_maps: Mapping[str, OnsetMap] | None = None,
) -> Work[Montage]:
    """A row of images for each stage; only frames that are shown are read.

    Progress of time is (t - start + dt)/(end - start + dt) with dt the frame interval, as the
    labels of Fig. 2A of Mao et al. 2024 (DOI 10.1039/d3sc05021a): with frames at 9 to 38 s every
    second, 13 s is 17 %.

    Parameters
    ----------
    recording : Recording
    stages : sequence of Stage
        In the order of the rows; a stage in which no frame lies has none.
    reference : Reference
        The film's first state, by which frames are divided.
    parameters : MontageParameters, optional
    onset_maps : mapping of str to OnsetMap, optional
        By stage key: steps whose alloyed share is known.

    Raises
    ------
    AlloyError
        If no frame lies in any of the stages.
    """
    parameters = parameters or MontageParameters()
    maps = onset_maps or {}
    chosen = [(s, recording.frames_between(s.start_s, s.end_s)) for s in stages]
    chosen = [(s, frames) for s, frames in chosen if frames.size]
    if not chosen:
        raise AlloyError(
            f"{recording.name}: no frame lies in any of the stages; correct their start_s and "
            "end_s."
        )
    factor = binning(recording, parameters)
    rows: list[MontageRow] = []
    for i, (stage, frames) in enumerate(chosen):
        shown = shown_frames(recording.times_s, frames, parameters)
        images = np.stack([mean_image(recording, some, reference, factor) for some in shown])
        times = np.array([recording.times_s[some].mean() for some in shown])
        rows.append(montage_row(recording, stage, times, images, parameters, maps.get(stage.key)))
        yield i + 1, len(chosen)
    if parameters.row_range == "common":
        limits = grey_limits([r.images for r in rows], parameters)
        rows = [replace(r, limits=limits) for r in rows]
    size = recording.pixel_size_um
    return Montage(rows=tuple(rows), pixel_size_um=None if size is None else size * factor)


def montage_row(
    recording: Recording,
    stage: Stage,
    times_s: FloatArray,
    images: Float32Array,
    parameters: MontageParameters,
    onset: OnsetMap | None,
) -> MontageRow:
    """A stage's row of images, with their limits, progress and alloyed share."""
    own = recording.times_s[recording.frames_between(stage.start_s, stage.end_s)]
    unknown = np.full(len(times_s), np.nan)
    onset = onset if stage.step is not None else None  # lithium that dissolves is no alloy
    return MontageRow(
        stage=stage,
        times_s=times_s,
        images=images,
        limits=grey_limits([images], parameters),
        progress=time_progress(times_s, own, recording.frame_interval_s),
        alloyed=unknown if onset is None else alloyed_fraction(onset, times_s),
    )


def shown_frames(
    times_s: FloatArray, frames: IntArray, parameters: MontageParameters
) -> list[IntArray]:
    """Indices of the frames of each image of a row, out of a stage's frames.

    The frames nearest to the wanted times, none twice; where several are averaged, they lie
    about that frame, within the stage.
    """
    first, last = float(times_s[frames[0]]), float(times_s[frames[-1]])
    if parameters.interval_s is None:
        wanted = np.linspace(first, last, parameters.n_frames)
    else:
        wanted = np.arange(first, last + 1e-6 * parameters.interval_s, parameters.interval_s)
    apart = np.abs(times_s[frames][:, np.newaxis] - wanted)
    nearest = np.unique(apart.argmin(axis=0))
    n = min(parameters.averaged_frames, len(frames))
    begins = np.clip(nearest - (n - 1) // 2, 0, len(frames) - n)
    return [frames[b : b + n] for b in begins]


def time_progress(times_s: FloatArray, stage_times_s: FloatArray, interval_s: float) -> FloatArray:
    """Share of the frames' time that has passed with each time; a lone frame is all of it."""
    if len(stage_times_s) < 2:
        return np.ones(len(times_s))
    start, end = stage_times_s[0], stage_times_s[-1]
    return np.asarray((times_s - start + interval_s) / (end - start + interval_s))


def mean_image(
    recording: Recording, frames: IntArray, reference: Reference, factor: int
) -> Float32Array:
    """Mean ratio of some frames to the reference, binned."""
    total = np.zeros(recording.field_shape, dtype=np.float32)
    for t in frames:
        total += ratio_of(recording.read(int(t)), reference)
    return binned(total / np.float32(len(frames)), factor)


def binning(recording: Recording, parameters: MontageParameters) -> int:
    """Side of the squares of pixels that make one pixel of a montage."""
    return -(-max(recording.field_shape) // parameters.largest_side_px)


def binned(image: Float32Array, factor: int) -> Float32Array:
    """Means of factor x factor pixels, (Y // factor, X // factor); NaN where one has no value."""
    if factor == 1:
        return image
    y, x = (n // factor for n in image.shape)
    blocks = image[: y * factor, : x * factor].reshape(y, factor, x, factor)
    return np.asarray(blocks.mean(axis=(1, 3)), dtype=np.float32)


def grey_values(
    images: Float32Array, limits: Limits, *, inverted: bool = False
) -> NDArray[np.uint8]:
    """uint8 grey values of images between limits; black where a pixel has no value."""
    low, high = limits
    if not high > low:
        return np.full(images.shape, WHITE // 2, dtype=np.uint8)
    share = np.clip((np.nan_to_num(images, nan=low) - low) / (high - low), 0, 1)
    share = 1 - share if inverted else share
    return np.asarray(np.round(WHITE * share), dtype=np.uint8)


def grey_limits(stacks: Sequence[Float32Array], parameters: MontageParameters) -> Limits:
    """Values shown black and white, by the percentiles of all pixels; NaN without any value."""
    known = np.concatenate([stack[np.isfinite(stack)] for stack in stacks])
    if not known.size:
        return float("nan"), float("nan")
    low, high = np.percentile(known, [parameters.low_percentile, parameters.high_percentile])
    return float(low), float(high)


def montage_image(montage: Montage) -> NDArray[np.uint8]:
    """(Y, X) uint8: all rows as one image, white between images and after shorter rows."""
    y, x = montage.rows[0].images.shape[1:]
    gap = max(1, round(GAP_SHARE * min(y, x)))
    n_columns = max(len(row.images) for row in montage.rows)
    shape = (len(montage.rows) * (y + gap) - gap, n_columns * (x + gap) - gap)
    tiled = np.full(shape, WHITE, dtype=np.uint8)
    for i, row in enumerate(montage.rows):
        for j, image in enumerate(row.grey()):
            top, left = i * (y + gap), j * (x + gap)
            tiled[top : top + y, left : left + x] = image
    return tiled
