"""One dendrite cut out of the frames, as it grows and dissolves (Mao et al. 2024, Fig. 3C, D)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from napari_lithium_alloy.core.errors import AlloyError
from napari_lithium_alloy.core.montage import MontageParameters, shown_frames
from napari_lithium_alloy.core.photometry import Float32Array, Reference
from napari_lithium_alloy.core.progress import Work
from napari_lithium_alloy.core.recording import FloatArray, Recording

HALF_UM = 1.0
N_IMAGES = 8


@dataclass(frozen=True, eq=False, kw_only=True)
class SiteMontage:
    """Crops of one place over time.

    Attributes
    ----------
    images : numpy.ndarray
        (N, H, W) float32 transmittance or relative reflectance; NaN outside the field.
    times_s : numpy.ndarray
        (N,) seconds on the recording's clock.
    pixel_size_um : float
    mode : str
        trans or epi.
    place_um : (float, float)
        Its middle in the recording, y and x.
    """

    images: Float32Array
    times_s: FloatArray
    pixel_size_um: float
    mode: str
    place_um: tuple[float, float]

    def grey(self) -> NDArray[np.uint8]:
        """(N, H, W) uint8 over the range of all crops; black outside the field."""
        known = self.images[np.isfinite(self.images)]
        if not known.size or not known.max() > known.min():
            return np.full(self.images.shape, 127, dtype=np.uint8)
        low, high = np.percentile(known, (0.2, 99.8))
        share = (np.nan_to_num(self.images, nan=low) - low) / max(high - low, 1e-9)
        return np.asarray(np.round(255 * np.clip(share, 0, 1)), dtype=np.uint8)


def site_montage(
    recording: Recording,
    place_um: tuple[float, float],
    start_s: float,
    end_s: float,
    reference: Reference,
    *,
    half_um: float = HALF_UM,
    interval_s: float | None = None,
    n_images: int = N_IMAGES,
) -> Work[SiteMontage]:
    """Cut one place out of frames over a time range.

    Parameters
    ----------
    recording : Recording
    place_um : (float, float)
        y and x in this recording; of a place in another, first take it through their
        `Alignment`.
    start_s, end_s : float
        Seconds.
    reference : Reference
        Of this recording.
    half_um : float
        Half the side of a crop, micrometres.
    interval_s : float, optional
        Between crops; None: `n_images` evenly over the range.
    n_images : int

    Raises
    ------
    AlloyError
        If the pixel size is not known, no frame lies in the range, or the place lies outside
        the field.
    """
    size = recording.pixel_size("A montage of one site")
    frames = recording.frames_between(start_s, end_s)
    if not len(frames):
        raise AlloyError(
            f"{recording.name}: no frame lies between {start_s:g} and {end_s:g} s; choose a "
            "longer range."
        )
    middle = np.round(np.asarray(place_um) / size).astype(int)
    if (middle < 0).any() or (middle >= recording.field_shape).any():
        raise AlloyError(
            f"{recording.name}: {place_um[0]:.2f}, {place_um[1]:.2f} um lies outside the field; "
            "choose a site within it."
        )
    half = max(1, round(half_um / size))
    parameters = MontageParameters(n_frames=n_images, interval_s=interval_s)
    chosen = [int(f[0]) for f in shown_frames(recording.times_s, frames, parameters)]
    images = np.full((len(chosen), 2 * half + 1, 2 * half + 1), np.nan, dtype=np.float32)
    source, target = _windows(middle, half, recording.field_shape)
    dark = np.broadcast_to(np.asarray(reference.dark, np.float32), recording.field_shape)[source]
    for i, t in enumerate(chosen):
        light = recording.read(t, *source).astype(np.float32) - dark
        images[(i, *target)] = light / reference.image[source]
        yield i + 1, len(chosen)
    return SiteMontage(
        images=images,
        times_s=recording.times_s[chosen],
        pixel_size_um=size,
        mode=recording.mode or "",
        place_um=(float(place_um[0]), float(place_um[1])),
    )


def _windows(
    middle: NDArray[np.int_], half: int, shape: tuple[int, int]
) -> tuple[tuple[slice, slice], tuple[slice, slice]]:
    """Rows and columns in the frame, and where they lie in the crop."""
    low, high = np.maximum(middle - half, 0), np.minimum(middle + half + 1, shape)
    source = slice(int(low[0]), int(high[0])), slice(int(low[1]), int(high[1]))
    at = low - (middle - half)
    target = (
        slice(int(at[0]), int(at[0] + high[0] - low[0])),
        slice(int(at[1]), int(at[1] + high[1] - low[1])),
    )
    return source, target
