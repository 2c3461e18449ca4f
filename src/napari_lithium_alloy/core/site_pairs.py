"""One disc or two: where two explain clearly more, they are taken."""

from __future__ import annotations

from typing import Protocol

import numpy as np

from napari_lithium_alloy.core.disc_columns import ABOVE_USUAL, LOG_RADIUS, LOSS, discs_of
from napari_lithium_alloy.core.photometry import Float32Array
from napari_lithium_alloy.core.recording import FloatArray
from napari_lithium_alloy.core.site_templates import Templates

SWEEPS = 4
STEPS = 2
NEAREST = 0.5
"""Distance of two sites in units of the larger radius, under which they are one."""
FAINT = 0.35
"""Share of a touching disc's signal under which another is a remnant of it."""
SPLIT_GAIN = 0.03
"""Share of a disc's squared signal that two in its place must explain beyond it."""
HOPELESS = 0.25
"""Share of that which they explain after half of the sweeps, under which they never will."""


class Fitted(Protocol):
    """Discs in their images, as `DiscFit` holds them."""

    templates: Templates
    loss: Float32Array
    free: Float32Array
    weight: Float32Array
    discs: FloatArray
    snr: FloatArray
    full: float


def pair_of(fit: Fitted, i: int, least_snr: float, blur_px: float) -> FloatArray | None:
    """(2, 5) two discs that explain clearly more than one, if there are; nothing is changed."""
    from napari_lithium_alloy.core.kernels.disc_fits import chi2, fit_discs, multiply_all

    t, disc = fit.templates, fit.discs[i].copy()
    reach = int(np.exp(disc[LOG_RADIUS]) * 1.5) + t.margin_px + 4
    low = np.maximum(disc[:2].astype(int) - reach, 0)
    rows, columns = (slice(a, a + 2 * reach + 2) for a in low)
    loss, free = (np.array(a[:, rows, columns]) for a in (fit.loss, fit.free))
    weight = np.array(fit.weight[rows, columns])
    disc[:2] -= low
    before = chi2(loss, free, weight, t.frames, fit.full)
    one = discs_of(disc)
    multiply_all(free, one, fit.full, t.table, t.grid, t.margin_px, False)
    two = _halves(disc, loss, free, fit, blur_px)
    multiply_all(free, two, fit.full, t.table, t.grid, t.margin_px, True)
    snr, moved, both, normals = np.zeros(2), np.zeros(2), np.arange(2), np.zeros((2, 5, 5))
    due = max(least_snr**2, SPLIT_GAIN * fit.snr[i] ** 2)
    for k in range(SWEEPS + 1):
        if (
            k == SWEEPS // 2
            and before - chi2(loss, free, weight, t.frames, fit.full) < HOPELESS * due
        ):
            return None
        fit_discs(
            loss, free, weight, t.frames, fit.full, two, both, t.table, t.grid, t.margin_px,
            STEPS if k < SWEEPS else 0, snr, moved, normals,
        )  # fmt: skip
    gain = before - chi2(loss, free, weight, t.frames, fit.full)
    apart = float(np.hypot(*(two[0, :2] - two[1, :2])))
    radii = np.exp(two[:, LOG_RADIUS])
    if gain < due or snr.min() < max(least_snr, FAINT * snr.max()) or apart < NEAREST * radii.max():
        return None
    two[:, :2] += low
    return two


def _halves(
    disc: FloatArray, loss: Float32Array, free: Float32Array, fit: Fitted, blur_px: float
) -> FloatArray:
    """Two discs along the longest axis of what is lost at one disc's place."""
    lost = (loss[-1] - loss[0]) - fit.full * (free[0] - free[-1])
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
    smallest, largest = fit.templates.radii_px[[0, -1]]
    two[:, LOG_RADIUS] = np.log(np.clip(0.7 * np.exp(disc[LOG_RADIUS]), smallest, largest))
    two[:, LOSS] = fit.full / ABOVE_USUAL
    return discs_of(two)
