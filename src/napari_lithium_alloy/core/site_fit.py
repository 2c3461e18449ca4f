"""Discs of lithium fitted together to the images of a deposition."""

from __future__ import annotations

import numpy as np

from napari_lithium_alloy.core.disc_columns import (
    ABOVE_USUAL,
    ALIKE,
    LOG_RADIUS,
    LOSS,
    ONSET,
    discs_of,
)
from napari_lithium_alloy.core.photometry import Float32Array
from napari_lithium_alloy.core.recording import BoolArray, FloatArray, IntArray
from napari_lithium_alloy.core.site_images import SiteImages
from napari_lithium_alloy.core.site_templates import SEARCH_ONSET, Templates
from napari_lithium_alloy.core.smoothing import wide_mean

SWEEPS = 4
STEPS = 2
NEAREST = 0.5
"""Distance of two sites in units of the larger radius, under which they are one."""
FAINT = 0.35
"""Share of a touching disc's signal under which another is a remnant of it."""
START_LOSS = 0.02
FULLEST = 1.2
"""Largest loss of light: a little over all of it, as the film's light is measured, too."""
BESIDE = 0.97
"""Share free of lithium from which a pixel tells of the background."""
BACKGROUND_RADII = 2.0
"""Smoothing of the background in units of the largest radius."""
SPLIT_GAIN = 0.03
"""Share of a disc's squared signal that two in its place must explain beyond it."""


class DiscFit:
    """Discs, and the images they leave."""

    def __init__(self, images: SiteImages, film: BoolArray, templates: Templates) -> None:
        self.templates = templates
        self.film = film
        self.weight = np.where(film, 1 / images.variance, 0).astype(np.float32)
        level = np.median(images.loss[:, film], axis=1)
        self.loss = np.where(film, images.loss - level[:, None, None], 0).astype(np.float32)
        self.free = np.ones_like(self.loss)
        self.discs = discs_of([])
        self.snr = np.empty(0)
        self.full = FULLEST
        self.whole: set[tuple[int, int]] = set()
        """Pixels whose disc was tried in two and is one."""

    @property
    def radii(self) -> FloatArray:
        """(N,) radii in pixels."""
        return np.asarray(np.exp(self.discs[:, LOG_RADIUS]))

    def _take_background(self) -> None:
        """Take from the images what they have in common far and wide beside the discs."""
        beside = self.film & (self.free.min(axis=0) > BESIDE)
        wide = BACKGROUND_RADII * float(self.templates.radii_px[-1])
        cell = max(1, int(wide / 8))
        for image, rest in zip(self.loss, self.left_over(), strict=True):
            around = wide_mean(np.ascontiguousarray(rest), beside, wide, cell)
            level = float(np.median(rest[beside])) if beside.any() else 0.0
            image -= np.where(np.isfinite(around), around, level) * self.film

    def left_over(self) -> Float32Array:
        """(K, Y, X) loss of light that the discs do not explain."""
        covered = self.full * (1 - self.free)
        share = (self.templates.frames / self.templates.frames.sum()).astype(np.float32)
        covered -= np.tensordot(share, covered, axes=1)
        return np.asarray(self.loss - covered, np.float32)

    def add(self, new: FloatArray) -> None:
        """Take in discs (y, x, radius) and fit all together."""
        rows = np.zeros((len(new), 5))
        rows[:, :2] = new[:, :2]
        rows[:, LOG_RADIUS] = np.log(new[:, 2])
        rows[:, LOSS] = START_LOSS
        rows[:, ONSET] = SEARCH_ONSET
        self._put(np.vstack([self.discs, rows]))
        self._sweep(SWEEPS)
        self._level()
        self._sweep(SWEEPS)
        self._take_background()
        self._sweep(1)

    def _put(self, discs: FloatArray) -> None:
        """Take these discs, and make what they leave free anew."""
        self.discs = discs_of(discs)
        self.free[:] = 1
        for disc in self.discs:
            self._multiply(disc)

    def _multiply(self, disc: FloatArray) -> None:
        from napari_lithium_alloy.core.kernels.disc_fits import multiply

        t = self.templates
        multiply(self.free, disc, self.full, t.table, t.grid, t.margin_px, True)

    def _level(self) -> None:
        """What lithium takes of the light where discs overlap: as most of them do alone."""
        strong = self.discs[self.snr >= np.median(self.snr), LOSS]
        highest = max(
            ABOVE_USUAL * float(np.median(strong)), 1.03 * float(np.quantile(strong, 0.95))
        )
        self.full = float(np.clip(highest, 0.02, FULLEST))
        self._put(self.discs)

    def _sweep(self, n: int) -> None:
        from napari_lithium_alloy.core.kernels.disc_fits import fit_discs

        t, self.snr = self.templates, np.zeros(len(self.discs))
        for i in range(n + 1):
            fit_discs(
                self.loss, self.free, self.weight, t.frames, self.full, self.discs, t.table,
                t.grid, t.margin_px, STEPS if i < n else 0, self.snr,
            )  # fmt: skip

    def prune(self, least_snr: float, blur_px: float) -> None:
        """Drop faint discs, those upon others, and remnants beside stronger ones."""
        keep = self.snr >= least_snr
        radii = self.radii
        for i in np.argsort(-self.snr):
            if not keep[i]:
                continue
            away = np.hypot(*(self.discs[:, :2] - self.discs[i, :2]).T)
            one = away < NEAREST * np.maximum(radii, radii[i])
            remnant = (away < radii + radii[i] + blur_px) & (self.snr < FAINT * self.snr[i])
            keep &= ~((one | remnant) & (self.snr <= self.snr[i]))
            keep[i] = True
        if not keep.all():
            self._put(self.discs[keep])
            self._sweep(1)

    def onset_sd(self) -> FloatArray:
        """(N,) standard deviation of each onset, as a share of the stage, all else fitted too."""
        from napari_lithium_alloy.core.kernels.disc_fits import normal_equations

        t, sd = self.templates, np.full(len(self.discs), np.nan)
        lower, right_side = np.zeros((5, 5)), np.zeros(5)
        for i, disc in enumerate(self.discs):
            normal_equations(
                self.loss, self.free, self.weight, t.frames, self.full, disc, t.table, t.grid,
                t.margin_px, lower, right_side,
            )  # fmt: skip
            normal = np.tril(lower) + np.tril(lower, -1).T
            normal[LOSS, LOSS] += 1 / (ALIKE * self.full) ** 2
            if np.linalg.matrix_rank(normal) == len(normal):
                sd[i] = np.sqrt(max(np.linalg.inv(normal)[ONSET, ONSET], 0))
        return sd

    def split(self, suspects: IntArray, least_snr: float, blur_px: float) -> int:
        """Put two discs in place of one where they explain clearly more; how many."""
        new, dropped = [], []
        for i in suspects:
            place = (round(self.discs[i, 0]), round(self.discs[i, 1]))
            pair = None if place in self.whole else self._pair(int(i), least_snr, blur_px)
            if pair is None:
                self.whole.add(place)
            else:
                new.append(pair)
                dropped.append(i)
        if new:
            self._put(np.vstack([np.delete(self.discs, dropped, axis=0), *new]))
            self._sweep(SWEEPS)
        return len(new)

    def _pair(self, i: int, least_snr: float, blur_px: float) -> FloatArray | None:
        from napari_lithium_alloy.core.kernels.disc_fits import fit_discs, multiply

        t, disc = self.templates, self.discs[i].copy()
        low = np.maximum(disc[:2].astype(int) - t.reach_px, 0)
        rows, columns = (slice(a, a + 2 * t.reach_px + 2) for a in low)
        loss, free = (np.ascontiguousarray(a[:, rows, columns]) for a in (self.loss, self.free))
        weight = np.ascontiguousarray(self.weight[rows, columns])
        disc[:2] -= low
        before = self._chi2(loss, free, weight)
        multiply(free, disc, self.full, t.table, t.grid, t.margin_px, False)
        two = self._halves(disc, loss, free, blur_px)
        for one in two:
            multiply(free, one, self.full, t.table, t.grid, t.margin_px, True)
        snr = np.zeros(2)
        for k in range(SWEEPS + 1):
            fit_discs(
                loss, free, weight, t.frames, self.full, two, t.table, t.grid, t.margin_px,
                STEPS if k < SWEEPS else 0, snr,
            )  # fmt: skip
        gain = before - self._chi2(loss, free, weight)
        apart = float(np.hypot(*(two[0, :2] - two[1, :2])))
        radii = np.exp(two[:, LOG_RADIUS])
        if (
            gain < max(least_snr**2, SPLIT_GAIN * self.snr[i] ** 2)
            or snr.min() < max(least_snr, FAINT * snr.max())
            or apart < NEAREST * radii.max()
        ):
            return None
        two[:, :2] += low
        return two

    def _halves(
        self, disc: FloatArray, loss: Float32Array, free: Float32Array, blur_px: float
    ) -> FloatArray:
        """Two discs along the longest axis of what is lost at one disc's place."""
        lost = (loss[-1] - loss[0]) - self.full * (free[0] - free[-1])
        y, x = np.indices(lost.shape)
        dy, dx = y - disc[0], x - disc[1]
        near = dy**2 + dx**2 < (np.exp(disc[LOG_RADIUS]) + blur_px) ** 2
        weight = np.maximum(lost[near], 0) + 1e-9
        spread = np.cov(np.stack([dy[near], dx[near]]), aweights=weight)
        sizes, axes = np.linalg.eigh(spread)
        step = axes[:, 1] * np.sqrt(max(sizes[1], 1.0))
        two = np.stack([disc, disc])
        two[0, :2] += step
        two[1, :2] -= step
        two[:, LOG_RADIUS] = np.log(
            np.clip(
                0.7 * np.exp(disc[LOG_RADIUS]),
                self.templates.radii_px[0],
                self.templates.radii_px[-1],
            )
        )
        two[:, LOSS] = self.full / ABOVE_USUAL
        return discs_of(two)

    def _chi2(self, loss: Float32Array, free: Float32Array, weight: Float32Array) -> float:
        frames = self.templates.frames.astype(np.float32)
        covered = self.full * (1 - free)
        covered -= np.tensordot(frames / frames.sum(), covered, axes=1).astype(np.float32)
        return float(((loss - covered) ** 2 * weight * frames[:, None, None]).sum(dtype=float))
