"""Discs of lithium fitted together to the images of a deposition."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

import numpy as np
from scipy import spatial

from napari_lithium_alloy.core.disc_columns import (
    ABOVE_USUAL,
    ALIKE,
    LOG_RADIUS,
    LOSS,
    ONSET,
    discs_of,
)
from napari_lithium_alloy.core.near_pairs import near_pairs, taken_in_turn
from napari_lithium_alloy.core.photometry import Float32Array
from napari_lithium_alloy.core.pixelwise import pixelwise
from napari_lithium_alloy.core.progress import finish
from napari_lithium_alloy.core.recording import BoolArray, FloatArray, IntArray
from napari_lithium_alloy.core.row_blocks import Rows, by_rows
from napari_lithium_alloy.core.site_images import SiteImages
from napari_lithium_alloy.core.site_pairs import FAINT, NEAREST, STEPS, SWEEPS, pair_of
from napari_lithium_alloy.core.site_templates import SEARCH_ONSET, Templates
from napari_lithium_alloy.core.smoothing import blurred, some_of

START_LOSS = 0.02
FULLEST = 1.2
"""Largest loss of light: a little over all of it, as the film's light is measured, too."""
BESIDE = 0.97
"""Share free of lithium from which a pixel tells of the background."""
BACKGROUND_RADII = 2.0
"""Smoothing of the background in units of the largest radius."""
CELLS = 4
"""Of the background, to its standard deviation."""
MODEL_SD = 0.0015
"""Of an onset that no noise blurs, as a share of the stage (measured on synthetic recordings)."""
SETTLED_PX, SETTLED_SD = 0.02, 0.4
"""Move of a disc in a sweep, from which it and its neighbours are fitted on; that of faint ones
over their signal-to-noise: a fraction of what noise moves them by."""
AT_ONCE = 64
"""Discs up to which one thread does them sooner than it tells others to."""
LEVEL_ROWS = 32
"""Of an image, that stay in the cache."""
SAME_PX = 1.0
"""Distance of a disc from where one was tried in two, under which it is the same."""
LEVEL_CHANGE = 0.01
LITTLE = 0.1
"""Share of new discs in the light that all take, which leaves the background as it is."""
ROOM_PX = 6
"""That a disc moves in a sweep, and rounding."""


class DiscFit:
    """Discs, and the images they leave.

    Parameters
    ----------
    images : SiteImages
        The fit's own from then on.
    film : numpy.ndarray
        (Y, X) bool.
    templates : Templates
    room : numpy.ndarray, optional
        As large as the images, to work in: memory that was used before is there at once.
    """

    def __init__(
        self,
        images: SiteImages,
        film: BoolArray,
        templates: Templates,
        room: Float32Array | None = None,
    ) -> None:
        self.templates = templates
        self.film = film
        self.weight = pixelwise(lambda f, v: np.where(f, 1 / v, 0), film, images.variance)
        self.loss = images.loss
        finish(by_rows(self._level_images, len(self.loss), most=1))
        self.free = np.empty_like(self.loss) if room is None else room
        self._empty_free()
        self.discs: FloatArray = discs_of([])
        self.snr: FloatArray = np.empty(0)
        self.normals: FloatArray = np.empty((0, 5, 5))
        """Normal equations of each disc's last fit."""
        self.unsettled = np.empty(0, dtype=bool)
        """(N,) True where the fit goes on."""
        self.full = FULLEST
        self.whole = np.empty((0, 2))
        """Places of discs that were tried in two and are one."""

    def _level_images(self, which: Rows) -> None:
        rows, everywhere = len(self.film), bool(self.film.all())
        for image in self.loss[slice(*which)]:
            level = np.median(some_of(image, self.film))
            for first in range(0, rows, LEVEL_ROWS):
                own = image[first : first + LEVEL_ROWS]
                own -= level
                if not everywhere:
                    own *= self.film[first : first + LEVEL_ROWS]

    @property
    def radii(self) -> FloatArray:
        """(N,) radii in pixels."""
        return np.asarray(np.exp(self.discs[:, LOG_RADIUS]))

    @property
    def left(self) -> tuple[Float32Array, Float32Array, float]:
        """Losses, what the discs leave free, and the loss under lithium."""
        return self.loss, self.free, self.full

    def _take_background(self) -> None:
        """Take from the images what they have in common far and wide beside the discs.

        Where no such pixels are near, it is the mean over all of them.
        """
        from napari_lithium_alloy.core.kernels.backgrounds import background_sums, take_off_cells

        wide = BACKGROUND_RADII * float(self.templates.radii_px[-1])
        cell = max(1, int(wide / CELLS))
        sizes = [max(n // cell, 1) for n in self.film.shape]
        sums = np.empty((len(self.loss), *sizes), np.float32)
        known = np.empty(sizes, np.float32)
        share = (self.templates.frames / self.templates.frames.sum()).astype(np.float32)
        full, least = np.float32(self.full), np.float32(BESIDE)

        def add(rows: Rows) -> None:
            background_sums(
                self.loss, self.free, self.film, share, full, least, cell, rows, sums, known
            )

        finish(by_rows(add, len(known), most=8))
        near = blurred(known, wide / cell)
        around = np.empty_like(sums)
        for own, cells in zip(sums, around, strict=True):
            level = own.sum() / max(known.sum(), 1)
            with np.errstate(divide="ignore", invalid="ignore"):
                cells[:] = np.where(near > 0, blurred(own, wide / cell) / near, level)

        def take_off(which: Rows) -> None:
            for k in range(*which):
                take_off_cells(self.loss[k], self.film, around[k], cell, (0, len(self.film)))

        finish(by_rows(take_off, len(self.loss), most=2))

    def add(self, new: FloatArray) -> None:
        """Take in discs (y, x, radius) and fit all that they reach together."""
        rows = np.zeros((len(new), 5))
        rows[:, :2] = new[:, :2]
        rows[:, LOG_RADIUS] = np.log(new[:, 2])
        rows[:, LOSS] = START_LOSS
        rows[:, ONSET] = SEARCH_ONSET
        self._change(np.ones(len(self.discs), dtype=bool), rows)
        self.sweep(SWEEPS)
        self._level()
        moved = self.sweep(SWEEPS)
        light = np.pi * self.radii**2 * self.discs[:, LOSS]
        if light[len(light) - len(new) :].sum() > LITTLE * light.sum():
            self._take_background()
        self.measure(moved | self.sweep(1))

    def _change(self, kept: BoolArray, new: FloatArray) -> None:
        """Keep some discs and take in others, which are not fitted yet, nor those beside them."""
        self._multiply(np.flatnonzero(~kept), into=False)
        self.discs = discs_of(np.vstack([self.discs[kept], new]))
        self.snr = np.concatenate([self.snr[kept], np.zeros(len(new))])
        self.normals = np.concatenate([self.normals[kept], np.zeros((len(new), 5, 5))])
        fresh = np.arange(len(self.discs)) >= len(self.discs) - len(new)
        self._multiply(np.flatnonzero(fresh), into=True)
        self.unsettled = fresh | self._beside(fresh)

    def _multiply(self, which: IntArray, *, into: bool) -> None:
        """Put discs into what is free of lithium, or take them out of it."""
        from napari_lithium_alloy.core.kernels.disc_fits import multiply_all

        t = self.templates

        def put(which: IntArray) -> None:
            discs = self.discs[which]
            multiply_all(self.free, discs, self.full, t.table, t.grid, t.margin_px, into)

        self._in_strips(which, put)

    def _empty_free(self) -> None:
        """All is free of lithium."""

        def fill(which: Rows) -> None:
            self.free[slice(*which)] = 1

        finish(by_rows(fill, len(self.free), most=2))

    def _free_anew(self) -> None:
        self._empty_free()
        self._multiply(np.arange(len(self.discs)), into=True)

    def _beside(self, chosen: BoolArray) -> BoolArray:
        """(N,) True where one of the chosen discs is within reach."""
        if chosen.all() or not chosen.any():
            return chosen
        places, radii = self.discs[:, :2], self.radii
        away, at = spatial.KDTree(places[chosen]).query(places)
        return np.asarray(away < radii + radii[chosen][at] + self.templates.margin_px)

    def _in_strips(self, which: IntArray, work: Callable[[IntArray], None]) -> None:
        """Call for discs by strips of rows, those in threads that do not reach each other."""
        t = self.templates
        height = 2 * (int(t.radii_px[-1]) + t.margin_px + ROOM_PX)
        strip = (self.discs[which, 0] // height).astype(int)
        for parity in (0, 1):
            own = [which[strip == s] for s in np.unique(strip[strip % 2 == parity])]
            call = partial(_each, work, own)
            if len(which) < AT_ONCE:
                call((0, len(own)))
            else:
                finish(by_rows(call, len(own), most=2))

    def _level(self) -> None:
        """What lithium takes of the light where discs overlap: as most of them do alone."""
        strong = self.discs[self.snr >= np.median(self.snr), LOSS]
        highest = max(
            ABOVE_USUAL * float(np.median(strong)), 1.03 * float(np.quantile(strong, 0.95))
        )
        full = float(np.clip(highest, 0.02, FULLEST))
        if abs(full - self.full) > LEVEL_CHANGE * self.full:
            self.full = full
            self.unsettled[:] = True
            self._free_anew()

    def sweep(self, n: int) -> BoolArray:
        """Fit the unsettled discs and those beside them in turn; which were, (N,) bool."""
        seen, moved = np.zeros(len(self.discs), dtype=bool), np.zeros(len(self.discs))
        for _ in range(n):
            seen |= self.unsettled
            moved[:] = 0
            self._fit(self.unsettled, STEPS, moved)
            moving = moved > np.maximum(SETTLED_PX, SETTLED_SD / np.maximum(self.snr, 1))
            self.unsettled = moving | self._beside(moving)
        return seen | self.unsettled

    def measure(self, chosen: BoolArray) -> None:
        """Measure the signals of these discs."""
        self._fit(chosen, 0, np.zeros(len(self.discs)))

    def _fit(self, chosen: BoolArray, steps: int, moved: FloatArray) -> None:
        from napari_lithium_alloy.core.kernels.disc_fits import fit_discs

        t = self.templates

        def fit(which: IntArray) -> None:
            fit_discs(
                self.loss, self.free, self.weight, t.frames, self.full, self.discs, which,
                t.table, t.grid, t.margin_px, steps, self.snr, moved, self.normals,
            )  # fmt: skip

        self._in_strips(np.flatnonzero(chosen), fit)

    def sweep_all(self) -> None:
        """Fit each disc once more, and measure its signal."""
        self.unsettled[:] = True
        self.measure(self.sweep(1))

    def refined(
        self, images: SiteImages, templates: Templates, room: Float32Array | None = None
    ) -> DiscFit:
        """The same discs fitted in more images of the same frames: onsets need them."""
        fit = DiscFit(images, self.film, templates, room)
        fit.full = self.full
        if len(self.discs):
            fit._change(np.zeros(0, dtype=bool), self.discs)
            fit._take_background()
            fit.sweep(SWEEPS)
        return fit

    def prune(self, least_snr: float, blur_px: float) -> None:
        """Drop faint discs, those upon others, and remnants beside stronger ones."""
        faint = self.snr < least_snr
        order = np.argsort(-self.snr)
        discs, snr, radii = self.discs[order], self.snr[order], self.radii[order]
        reach = 2 * float(radii.max(initial=0)) + blur_px
        i, j, away = near_pairs(discs[:, :2], discs[:, :2], reach)
        one = away < NEAREST * np.maximum(radii[i], radii[j])
        remnant = (away < radii[i] + radii[j] + blur_px) & (snr[j] < FAINT * snr[i])
        drops = (one | remnant) & (i < j)
        kept = np.sort(order[taken_in_turn(~faint[order], i[drops], j[drops])])
        if len(kept) < len(self.discs):
            gone = np.ones(len(self.discs), dtype=bool)
            gone[kept] = False
            beside = self._beside(gone)[kept]
            self._change(~gone, np.empty((0, 5)))
            self.unsettled = beside
            self.measure(self.sweep(1))

    def onset_sd(self) -> FloatArray:
        """(N,) standard deviation of each onset, as a share of the stage, all else fitted too."""
        normals = self.normals.copy()
        normals[:, LOSS, LOSS] += 1 / (ALIKE * self.full) ** 2
        sd = np.full(len(self.discs), np.nan)
        known = np.linalg.matrix_rank(normals) == normals.shape[1]
        noise = np.maximum(np.linalg.inv(normals[known])[:, ONSET, ONSET], 0)
        sd[known] = np.sqrt(noise + MODEL_SD**2)
        return sd

    def split(self, suspects: IntArray, least_snr: float, blur_px: float) -> int:
        """Put two discs in place of one where they explain clearly more; how many."""
        places = self.discs[suspects, :2]
        if len(self.whole) and len(suspects):
            suspects = suspects[spatial.KDTree(self.whole).query(places)[0] > SAME_PX]
        pairs: list[FloatArray | None] = [None] * len(suspects)

        def try_two(rows: Rows) -> None:
            for i in range(*rows):
                pairs[i] = pair_of(self, int(suspects[i]), least_snr, blur_px)

        finish(by_rows(try_two, len(suspects), most=16))
        halved = np.array([pair is not None for pair in pairs], dtype=bool)
        self.whole = np.vstack([self.whole, self.discs[suspects[~halved], :2]])
        new = [pair for pair in pairs if pair is not None]
        if new:
            kept = np.ones(len(self.discs), dtype=bool)
            kept[suspects[halved]] = False
            self._change(kept, np.vstack(new))
            self.measure(self.sweep(SWEEPS))
        return len(new)


def _each(work: Callable[[IntArray], None], groups: Sequence[IntArray], rows: Rows) -> None:
    for i in range(*rows):
        work(groups[i])
