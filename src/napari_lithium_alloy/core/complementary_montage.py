"""Two steps beside each other, one of them backwards and inverted (Mao et al. 2024, Fig. 2A)."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from napari_lithium_alloy.core.montage import (
    Montage,
    MontageParameters,
    binning,
    mean_image,
    montage_row,
)
from napari_lithium_alloy.core.onset import OnsetMap
from napari_lithium_alloy.core.photometry import Reference
from napari_lithium_alloy.core.progress import Work
from napari_lithium_alloy.core.recording import Recording
from napari_lithium_alloy.core.stages import Stage


def complementary_montage(
    recording: Recording,
    pair: tuple[Stage, Stage],
    maps: tuple[OnsetMap, OnsetMap],
    reference: Reference,
    parameters: MontageParameters | None = None,
    *,
    n_images: int = 7,
) -> Work[Montage]:
    """A step backwards in time, the same inverted, and a later one forwards (Fig. 2A).

    Images that stand below each other show the first step when a share 1 - p of its area has
    alloyed, and the second when p has. Where the second goes where the first did not, its images
    look like the inverted ones.

    Parameters
    ----------
    recording : Recording
    pair : (Stage, Stage)
    maps : (OnsetMap, OnsetMap)
        Of both.
    reference : Reference
    parameters : MontageParameters, optional
        Of which the frames averaged, the percentiles and the largest side are used.
    n_images : int
        In a row.
    """
    parameters = parameters or MontageParameters()
    factor = binning(recording, parameters)
    shares = (np.arange(n_images) + 0.5) / n_images
    rows = []
    for i, (stage, onset) in enumerate(zip(pair, maps, strict=True)):
        frames = recording.frames_between(stage.start_s, stage.end_s)
        wanted = np.quantile(onset.onset_s[onset.reached], shares if i else 1 - shares)
        n = min(parameters.averaged_frames, len(frames))
        nearest = np.abs(recording.times_s[frames][:, np.newaxis] - wanted).argmin(axis=0)
        begins = np.clip(nearest - (n - 1) // 2, 0, len(frames) - n)
        images = []
        for done, begin in enumerate(begins, start=1):
            images.append(mean_image(recording, frames[begin : begin + n], reference, factor))
            yield i * n_images + done, 2 * n_images
        times = np.array([recording.times_s[frames[b : b + n]].mean() for b in begins])
        rows.append(montage_row(recording, stage, times, np.stack(images), parameters, onset))
    first, second = rows
    size = recording.pixel_size_um
    return Montage(
        rows=(first, replace(first, inverted=True), second),
        pixel_size_um=None if size is None else size * factor,
    )
