"""The states P, De1*, Di1*, ... as images of one range (Mao et al. 2024, Figs. 4A and 5D)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from napari_lithium_alloy.core.montage import (
    Limits,
    MontageParameters,
    binning,
    grey_limits,
    grey_values,
    mean_image,
)
from napari_lithium_alloy.core.photometry import Float32Array, Reference
from napari_lithium_alloy.core.pores import local_film
from napari_lithium_alloy.core.progress import Work
from napari_lithium_alloy.core.recording import BoolArray, IntArray, Recording

PRISTINE = "P"
STATE_FRAMES, STATE_SHARE = 3, 20
"""Most frames whose mean is the image of a state, and that they are one in so many of its own."""
LEVEL_UM, LEVEL_PX = 2.0, 64
"""Side of the squares whose median is the level of the pristine film; the same without a scale."""


@dataclass(frozen=True, eq=False, kw_only=True)
class StateImage:
    """The field in one state.

    Attributes
    ----------
    state : str
        P, De1*, Di1*, ...
    cycle : int
        0 for P.
    time_s : float
        Mean time of the frames of the image, seconds on the recording's clock.
    image : numpy.ndarray
        (Y, X) float32 transmittance or relative reflectance, binned where frames are large.
    pores : numpy.ndarray or None
        (Y, X) int labels of the pores there were, on the pixels of the recording.
    """

    state: str
    cycle: int
    time_s: float
    image: Float32Array
    pores: IntArray | None = None


@dataclass(frozen=True, eq=False, kw_only=True)
class StateMontage:
    """Images of all states, and what they have in common.

    Attributes
    ----------
    states : tuple of StateImage
        In the order of time.
    limits : (float, float)
        Values shown black and white in every image, so that states can be compared.
    quantity : {"Transmittance", "Relative reflectance"}
    pixel_size_um : float or None
        Of the images.
    binned : int
        Pixels of the recording along a side of one of theirs.
    """

    states: tuple[StateImage, ...]
    limits: Limits
    quantity: str
    pixel_size_um: float | None
    binned: int

    def grey(self, state: StateImage) -> NDArray[np.uint8]:
        """(Y, X) uint8 grey values of a state between the common limits."""
        return grey_values(state.image, self.limits)


def film_reference(recording: Recording, reference: Reference, film: BoolArray) -> Reference:
    """The reference with the level of the film around each pixel instead of the pixel itself.

    Divided by it, pinholes of the pristine film and its grains stay to be seen; divided by the
    reference itself, they vanish where they did not change.
    """
    size = recording.pixel_size_um
    window = LEVEL_PX if size is None else max(8, round(LEVEL_UM / size))
    level = local_film(reference.image, film, window, brighter=recording.mode != "epi")
    return replace(reference, image=level)


def state_montage(
    recording: Recording,
    cycles: pd.DataFrame,
    reference: Reference,
    parameters: MontageParameters | None = None,
    *,
    pores: Mapping[int, IntArray] | None = None,
    film: BoolArray | None = None,
) -> Work[StateMontage]:
    """The field in its pristine state and at the end of each deposition and dissolution.

    Each image is the mean of the last few frames (fewer where frames are sparse), divided by the
    reference; all share one range of grey values, the percentiles of all their pixels together.

    Parameters
    ----------
    recording : Recording
    cycles : pandas.DataFrame
        The table of this name: its states and their times. P is of the reference's frames.
    reference : Reference
        By which frames are divided; `film_reference` leaves the pristine film's pinholes in.
    parameters : MontageParameters, optional
        Of which the percentiles and the largest side are used, and the frames averaged where
        they are more than three.
    pores : mapping of int to (Y, X) int array, optional
        Labels of the pores at each cycle's end; cycle 0: of the pristine film.
    film : (Y, X) bool array, optional
        The pixels whose values set the range; None: all.
    """
    parameters = parameters or MontageParameters()
    factor = binning(recording, parameters)
    chosen = _states(recording, cycles, reference, max(STATE_FRAMES, parameters.averaged_frames))
    states = []
    for i, (state, cycle, frames) in enumerate(chosen):
        shown = None if state.startswith("De") or pores is None else pores.get(cycle)
        states.append(
            StateImage(
                state=state,
                cycle=cycle,
                time_s=float(recording.times_s[frames].mean()),
                image=mean_image(recording, frames, reference, factor),
                pores=shown,
            )
        )
        yield i + 1, len(chosen)
    known = slice(None) if film is None or factor > 1 else film
    size = recording.pixel_size_um
    return StateMontage(
        states=tuple(states),
        limits=grey_limits([s.image[known] for s in states], parameters),
        quantity="Relative reflectance" if recording.mode == "epi" else "Transmittance",
        pixel_size_um=None if size is None else size * factor,
        binned=factor,
    )


def _states(
    recording: Recording, cycles: pd.DataFrame, reference: Reference, n_frames: int
) -> list[tuple[str, int, IntArray]]:
    """Name, cycle and frames of each state that has any."""
    found = [(PRISTINE, 0, np.asarray(reference.frames))]
    table = cycles[cycles["state"] != PRISTINE].sort_values("time_s")
    before_s = float(recording.times_s[found[0][2]].min())
    for row in table.itertuples():
        frames = recording.frames_between(before_s, float(row.time_s))
        frames = frames[recording.times_s[frames] > before_s]
        if frames.size:
            n = min(n_frames, max(len(frames) // STATE_SHARE, 1))
            found.append((str(row.state), int(row.cycle), frames[-n:]))
            before_s = float(row.time_s)
    return [one for one in found if one[2].size]
