"""Small patches of the picture that keep their look, followed from frame to frame.

Nothing is said here of what moves them: the film, a speck on the sensor, or a front on its way.
`drift` tells that from the tracks.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from napari_lithium_alloy.core.frame_views import FrameView, FrameViews
from napari_lithium_alloy.core.patches import (
    WORST_SD_PX,
    Looks,
    PatchFit,
    best_sd,
    inside,
    likeliest_step,
)
from napari_lithium_alloy.core.progress import Work
from napari_lithium_alloy.core.recording import BoolArray, FloatArray, IntArray, Recording
from napari_lithium_alloy.core.row_blocks import Rows, in_order

MOST_PATCHES = 200
BIRTH_EVERY = 5
LEAST_PATCHES = 3
"""With fewer, the whole of every frame is searched for new ones."""
PART_PX, MOST_PARTS, PART_EDGE_PX = 512, 4, 32
"""Rows that are a part of a large field, how many parts it has, and rows that parts share."""
JUMP_SHARE, HALF = 0.1, 0.5
"""Of the patches, that are lost at once (or so many more than half at all) if a frame jumps."""
MOST_MISSES = 8
AHEAD_FRAMES = 3
LONG_FRAMES, LEAST_LOST = 10, 2
"""Patches known for so long that are lost at once are sought further away."""
SOUGHT_PATCHES = 12
"""How many of them."""


@dataclass(frozen=True, eq=False, kw_only=True)
class FeatureTracks:
    """Where each patch was seen, a row a patch and frame.

    Attributes
    ----------
    n_frames : int
    frame, patch : numpy.ndarray
        (R,) indices of frame and patch.
    position_px : numpy.ndarray
        (R, 2) row and column on the sensor.
    information : numpy.ndarray
        (R, 2, 2) inverse covariance of the position, px^-2.
    contrast : numpy.ndarray
        (R,) contrast relative to the patch's first frame.
    """

    n_frames: int
    frame: IntArray
    patch: IntArray
    position_px: FloatArray
    information: FloatArray
    contrast: FloatArray


def track_features(recording: Recording) -> Work[FeatureTracks]:
    """Follow the patches with most structure through all frames.

    A patch is fitted to each frame by its shift, contrast, level and slope
    (Lucas and Kanade 1981; Baker and Matthews 2004, DOI 10.1023/B:VISI.0000011205.11775.fd), so
    neither the lamp nor a film that darkens evenly moves it.

    Parameters
    ----------
    recording : Recording

    Returns
    -------
    FeatureTracks
    """
    tracker = _Tracker(recording)
    for t, view in enumerate(in_order(tracker.view, range(recording.n_frames), most=AHEAD_FRAMES)):
        tracker.see(t, view)
        yield t + 1, recording.n_frames
    return tracker.tracks()


class _Tracker:
    """The patches followed at present, and all that was seen of them."""

    def __init__(self, recording: Recording) -> None:
        self.n_frames = recording.n_frames
        self.views = FrameViews(recording)
        self.numbers = np.zeros(0, dtype=int)
        self.positions = np.zeros((0, 2))
        self.looks = Looks.none()
        self.misses = np.zeros(0, dtype=int)
        self.first = np.zeros(0, dtype=int)
        self.born = 0
        self.rows: list[tuple[IntArray, IntArray, FloatArray, FloatArray, FloatArray]] = []
        self.before: FrameView | None = None

    def view(self, t: int) -> FrameView:
        """What is asked of frame `t`, made ahead of its turn."""
        view = self.views.of(t)
        if t % BIRTH_EVERY == 0 and len(self.numbers) < MOST_PATCHES:
            view.structure(self._searched(t))
        return view

    def _searched(self, t: int) -> Rows:
        """Rows in which new patches are looked for: of a large field one part after another."""
        height = self.views.recording.field_shape[0]
        parts = int(np.clip(height // PART_PX, 1, MOST_PARTS)) if t else 1
        part = t // BIRTH_EVERY % parts
        first, last = height * part // parts, height * (part + 1) // parts
        return max(first - PART_EDGE_PX, 0), min(last + PART_EDGE_PX, height)

    def see(self, t: int, view: FrameView) -> None:
        """Find the patches in frame `t`; now and then look for new ones."""
        if len(self.numbers):
            self._follow(t, view)
        self.before = view
        if len(self.numbers) < LEAST_PATCHES:
            self._find_new(t, view, (0, view.light.shape[0]))
        elif t % BIRTH_EVERY == 0:
            self._find_new(t, view, self._searched(t))

    def _follow(self, t: int, view: FrameView) -> None:
        fit = self.looks.fit(view.light, self.positions, view.noise)
        if not fit.good.all():
            fit = self._sought_again(t, view, fit)
        step = self._step(fit)
        fit = self._again(view, fit, step, ~(fit.good & fit.corner))
        step = self._step(fit)
        self.positions = np.where(fit.good[:, None], fit.position_px, self.positions + step)
        self.misses = np.where(fit.good, 0, self.misses + 1)
        self._note(t, self.numbers[fit.good], fit.some(fit.good))
        self._keep((self.misses <= MOST_MISSES) & inside(self.positions, view.light.shape))

    def _sought_again(self, t: int, view: FrameView, fit: PatchFit) -> PatchFit:
        """The fit, with patches found a jump away, or further where many are lost at once."""
        newly = ~fit.good & (self.misses == 0)
        guesses: list[FloatArray] = []
        if self.before is not None and max(newly.mean(), (~fit.good).mean() - HALF) > JUMP_SHARE:
            jump = view.coarse.jump_from(self.before.coarse)
            guesses += [jump] if np.abs(jump).max() > 1 else []
        lost = newly & (t - self.first >= LONG_FRAMES)
        if lost.sum() >= LEAST_LOST:
            numbers = np.flatnonzero(lost)[:SOUGHT_PATCHES]
            looks = [self.looks.picture(n) for n in numbers]
            guesses.append(likeliest_step(view.light, self.positions[numbers], looks))
        for guess in guesses:
            fit = self._again(view, fit, guess, ~fit.good)
        return fit

    def _again(
        self, view: FrameView, fit: PatchFit, guess: FloatArray, which: BoolArray
    ) -> PatchFit:
        """The fit, with some patches as they are found a step away, where they are."""
        numbers = np.flatnonzero(which)
        if not len(numbers):
            return fit
        places = self.positions[numbers] + guess
        again = self.looks.some(numbers).fit(view.light, places, view.noise)
        return fit.replaced(numbers[again.good], again.some(again.good))

    def _step(self, fit: PatchFit) -> FloatArray:
        """(2,) median step of the patches that were found; 0 without any."""
        held = fit.good & fit.corner
        some = held if held.any() else fit.good
        steps = (fit.position_px - self.positions)[some]
        return np.median(steps, axis=0) if len(steps) else np.zeros(2)

    def _note(self, t: int, numbers: IntArray, fit: PatchFit) -> None:
        frame = np.full(len(numbers), t)
        self.rows.append((frame, numbers, fit.position_px, fit.information, fit.contrast))

    def _keep(self, some: BoolArray) -> None:
        if some.all():
            return
        self.numbers, self.positions = self.numbers[some], self.positions[some]
        self.misses, self.looks = self.misses[some], self.looks.some(some)
        self.first = self.first[some]

    def _find_new(self, t: int, view: FrameView, rows: Rows) -> None:
        room = MOST_PATCHES - len(self.numbers)
        if room <= 0:
            return
        where = view.structure(rows).places(self.positions, room)
        if not len(where):
            return
        looks = Looks.at(view.light, where)
        fit = looks.fit(view.light, where, view.noise)
        clear = fit.good & (best_sd(fit.information) < WORST_SD_PX)
        numbers = self.born + np.arange(int(clear.sum()))
        self.born += len(numbers)
        self._note(t, numbers, fit.some(clear))
        self.numbers = np.append(self.numbers, numbers)
        self.positions = np.concatenate([self.positions, where[clear]])
        self.misses = np.append(self.misses, np.zeros_like(numbers))
        self.first = np.append(self.first, np.full_like(numbers, t))
        self.looks = self.looks.joined(looks.some(clear))

    def tracks(self) -> FeatureTracks:
        """All that was seen."""
        empty = (np.zeros(0, int), np.zeros(0, int), np.zeros((0, 2)), np.zeros((0, 2, 2)))
        rows = self.rows or [(*empty, np.zeros(0))]
        frame, patch, position, information, contrast = (
            np.concatenate(column) for column in zip(*rows, strict=True)
        )
        return FeatureTracks(
            n_frames=self.n_frames,
            frame=frame,
            patch=patch,
            position_px=position,
            information=information,
            contrast=contrast,
        )
