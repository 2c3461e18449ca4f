"""Patches of a picture: what they look like, and finding them again."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from napari_lithium_alloy.core.frame_light import FrameLight
from napari_lithium_alloy.core.photometry import Float32Array
from napari_lithium_alloy.core.recording import BoolArray, FloatArray, IntArray
from napari_lithium_alloy.core.smoothing import MAD_TO_SD, SAMPLED_ROWS, noise_left

SMOOTHING_PX = 1.0
"""Standard deviation of the Gaussian with which frames are sampled."""
NOISE_AREA_PX = 4 * np.pi * SMOOTHING_PX**2
"""Pixels whose noise that Gaussian makes one."""
HALF_PX = 7
REACH_PX = 4
"""Pixels beside a sample that the Gaussian takes in."""
BORDER_PX = 2
WINDOW_PX = 4.0
WORST_SD_PX, MOST_SD_PX = 0.2, 0.35
"""Of a new patch along its best direction; along a direction in which a patch is held."""
SEARCH_PX = 24
"""How far lost patches are sought."""
FAR_COST = 0.001
"""How much more alike a patch must be so far away: along an edge it is so everywhere."""
LEAST_NOISE = 1e-6
ENOUGH_PX, LEAST_ROWS = 2**15, 8
"""Pixels, and rows of the field, that tell its noise well enough."""
FIT_STEPS = 4
LEAST_CONTRAST, MOST_CONTRAST = 0.3, 3.5
RESIDUAL_SHARE = 0.12


@dataclass(frozen=True, eq=False, kw_only=True)
class PatchFit:
    """How patches were found again, a row a patch.

    Attributes
    ----------
    position_px : numpy.ndarray
        (N, 2) row and column.
    information : numpy.ndarray
        (N, 2, 2) inverse covariance of the position, px^-2.
    contrast : numpy.ndarray
        (N,) relative to the patch's first frame.
    good : numpy.ndarray
        (N,) True where the patch was found.
    corner : numpy.ndarray
        (N,) True where it is held in both directions, not only across an edge.
    """

    position_px: FloatArray
    information: FloatArray
    contrast: FloatArray
    good: BoolArray
    corner: BoolArray

    def some(self, which: BoolArray) -> PatchFit:
        """Some of the patches."""
        return PatchFit(**{f.name: getattr(self, f.name)[which] for f in dataclasses.fields(self)})

    def replaced(self, which: IntArray, other: PatchFit) -> PatchFit:
        """With another fit of some of the patches."""
        columns = {f.name: getattr(self, f.name).copy() for f in dataclasses.fields(self)}
        for name, column in columns.items():
            column[which] = getattr(other, name)
        return PatchFit(**columns)


@dataclass(frozen=True, eq=False, kw_only=True)
class Looks:
    """What patches looked like when they were first seen.

    Attributes
    ----------
    design : numpy.ndarray
        (N, 6, P) derivative of a patch's pixels by shift (2), contrast, level and slope (2).
    inverse : numpy.ndarray
        (N, 6, 6) inverse of its weighted normal matrix.
    variances, directions : numpy.ndarray
        (N, 2) of the shift along its best and worst direction, for noise of 1 in independent
        pixels, and (N, 2, 2) those directions, as columns.
    """

    design: FloatArray
    inverse: FloatArray
    variances: FloatArray
    directions: FloatArray

    @staticmethod
    def none() -> Looks:
        """Of no patches."""
        sizes = (6, (2 * HALF_PX + 1) ** 2), (6, 6), (2,), (2, 2)
        return Looks.of(*(np.zeros((0, *size)) for size in sizes))

    @staticmethod
    def of(*columns: FloatArray) -> Looks:
        """Of columns in the order above."""
        names = (f.name for f in dataclasses.fields(Looks))
        return Looks(**dict(zip(names, columns, strict=True)))

    @property
    def columns(self) -> tuple[FloatArray, ...]:
        """All of it."""
        return self.design, self.inverse, self.variances, self.directions

    @staticmethod
    def at(light: FrameLight, positions: FloatArray) -> Looks:
        """Of patches around (N, 2) positions."""
        wide = sampled(light, positions, HALF_PX + 1)
        gy = (wide[:, 2:, 1:-1] - wide[:, :-2, 1:-1]) / 2
        gx = (wide[:, 1:-1, 2:] - wide[:, 1:-1, :-2]) / 2
        look = wide[:, 1:-1, 1:-1]
        look = look - np.average(look, axis=(1, 2), weights=_window())[:, None, None]
        steps = np.arange(-HALF_PX, HALF_PX + 1) / HALF_PX
        flat = np.ones_like(look)
        parts = [-gy, -gx, look, flat, flat * steps[:, None], flat * steps]
        design = np.stack([p.reshape(len(p), -1) for p in parts], axis=1)
        window = _window().ravel()
        across = design.transpose(0, 2, 1)
        normal, spread = ((design * w) @ across for w in (window, window**2))
        inverse = np.linalg.pinv(normal, hermitian=True)
        covariance = (inverse @ spread @ inverse)[:, :2, :2]
        return Looks.of(design, inverse, *np.linalg.eigh(covariance))

    def some(self, which: BoolArray | IntArray) -> Looks:
        """Of some of the patches."""
        return Looks.of(*(column[which] for column in self.columns))

    def picture(self, number: int) -> FloatArray:
        """(P, P) of one patch."""
        return np.asarray(self.design[number, 2].reshape((2 * HALF_PX + 1,) * 2))

    def joined(self, other: Looks) -> Looks:
        """Of these patches and others."""
        return Looks.of(
            *(np.concatenate(both) for both in zip(self.columns, other.columns, strict=True))
        )

    def fit(self, light: FrameLight, guess: FloatArray, noise: float) -> PatchFit:
        """Find the patches near `guess`; `noise` is of one pixel."""
        from napari_lithium_alloy.core.kernels.patch_fits import fit_patches

        window = _window().ravel()
        smooth = (noise * noise_left(SMOOTHING_PX)) ** 2
        told = self._told(NOISE_AREA_PX * smooth)
        held = self._along(told.astype(float))
        # A step is at most a pixel.
        squares, origin = _squares(light, guess, HALF_PX + FIT_STEPS)
        position, found, step, variance = _room_for(guess - origin)
        looks = self.design, self.inverse, held
        blur = SMOOTHING_PX, REACH_PX
        fit_patches(squares, looks, window, blur, FIT_STEPS, position, found, step, variance)
        position += origin
        contrast = found[:, 2]
        signal = contrast**2 * (self.design[:, 2] ** 2 @ window) / window.sum()
        clear = variance < np.maximum(9 * smooth, RESIDUAL_SHARE * signal)
        # The look has noise of its own, but that does not change from frame to frame.
        changing = np.maximum(variance / (1 + contrast**2), smooth)
        scale = NOISE_AREA_PX * changing / np.maximum(contrast, 0.1) ** 2
        variances = self.variances * scale[:, None]
        certain = np.where(told & (variances > 0), 1 / np.maximum(variances, 1e-30), 0.0)
        return PatchFit(
            position_px=position,
            information=self._along(certain),
            contrast=contrast,
            good=clear & _settled(contrast, step) & inside(position, light.shape),
            corner=np.asarray(told.all(axis=1)),
        )

    def _told(self, noise_variance: float) -> BoolArray:
        """(N, 2) directions in which a patch's shift can be told; the best one always."""
        told = self.variances * noise_variance < MOST_SD_PX**2
        told[:, 0] = True
        return np.asarray(told)

    def _along(self, values: FloatArray) -> FloatArray:
        """(N, 2, 2) matrices with these values along each patch's directions."""
        across = self.directions.transpose(0, 2, 1)
        return np.asarray((self.directions * values[:, None, :]) @ across)


def _settled(contrast: FloatArray, step: FloatArray) -> BoolArray:
    """(N,) True where the contrast is still the patch's, and the last step was small."""
    usual = (contrast > LEAST_CONTRAST) & (contrast < MOST_CONTRAST)
    return np.asarray(usual & (np.abs(step).max(axis=1) < 0.1))


def _room_for(guess: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray, FloatArray]:
    """Places, to begin with as guessed, and room for parameters, last steps and variances."""
    n = len(guess)
    return guess.copy(), np.zeros((n, 6)), np.zeros((n, 2)), np.zeros(n)


def pixel_noise(light: FrameLight) -> float:
    """Noise of one pixel, from differences of neighbours in some of the rows."""
    height, width = light.shape
    some = min(SAMPLED_ROWS, max(LEAST_ROWS, ENOUGH_PX // width))
    rows = light.part(slice(None, None, max(1, height // some)))
    cells = np.diff(rows, n=2, axis=1).ravel()
    if not cells.size:
        return LEAST_NOISE
    cells -= _median(cells)
    return max(MAD_TO_SD * _median(np.abs(cells)) / float(np.sqrt(6)), LEAST_NOISE)


def _median(values: Float32Array) -> float:
    """Half as slow as numpy's, which looks for values that are not known."""
    half = len(values) // 2
    sorted_to = np.partition(values, half)
    if len(values) % 2:
        return float(sorted_to[half])
    return float((sorted_to[:half].max() + sorted_to[half]) / 2)


def _squares(light: FrameLight, places: FloatArray, half_px: int) -> tuple[Float32Array, IntArray]:
    """Light around places, as far as samples half a patch away need it, and its first pixels."""
    middle, reach = np.rint(places).astype(np.int64), half_px + REACH_PX + 1
    middle += (middle - reach) % 2  # an even step leaves what is halfway as it is rounded
    return light.squares(middle, reach), middle - reach


def sampled(light: FrameLight, positions: FloatArray, half_px: int) -> FloatArray:
    """(N, P, P) Gaussian-smoothed patches around positions between pixels."""
    from napari_lithium_alloy.core.kernels.patch_fits import sample_patches

    side = 2 * half_px + 1
    patches = np.empty((len(positions), side, side))
    squares, origin = _squares(light, positions, half_px)
    sample_patches(squares, positions - origin, SMOOTHING_PX, REACH_PX, patches)
    return patches


def likeliest_step(
    light: FrameLight, positions: FloatArray, looks: Sequence[FloatArray]
) -> FloatArray:
    """(2,) step at which looks at these positions together are most like what is seen."""
    from napari_lithium_alloy.core.kernels.patch_fits import add_likeness

    steps = np.arange(-SEARCH_PX, SEARCH_PX + 1) / SEARCH_PX
    likeness = -FAR_COST * len(looks) * np.add.outer(steps**2, steps**2)
    for position, look in zip(positions, looks, strict=True):
        add_likeness(_seen_around(light, position), look, likeness)
    peak = np.unravel_index(np.argmax(likeness), likeness.shape)
    return np.asarray(np.array(peak, dtype=float) - SEARCH_PX)


def _seen_around(light: FrameLight, position: FloatArray) -> Float32Array:
    """Smoothed picture as far around a position as patches are sought, mirrored at the edges."""
    reach, around = SEARCH_PX + HALF_PX, []
    for middle, size in zip(np.rint(position).astype(int), light.shape, strict=True):
        places = np.abs(np.arange(middle - reach, middle + reach + 1)) % max(2 * size - 2, 1)
        around.append(np.minimum(places, np.abs(2 * size - 2 - places)))
    first = [max(int(places.min()) - REACH_PX, 0) for places in around]
    window = tuple(
        slice(start, int(places.max()) + REACH_PX + 1)
        for start, places in zip(first, around, strict=True)
    )
    smooth = ndimage.gaussian_filter(light.part(*window), SMOOTHING_PX)
    rows, columns = (places - start for start, places in zip(first, around, strict=True))
    return np.ascontiguousarray(smooth[np.ix_(rows, columns)])


def inside(positions: FloatArray, shape: tuple[int, ...]) -> BoolArray:
    """(N,) True where the whole patch around a position lies in the frame."""
    border = HALF_PX + BORDER_PX
    high = np.array(shape) - 1 - border
    return np.asarray(((positions >= border) & (positions <= high)).all(axis=1))


def _window() -> FloatArray:
    steps = np.arange(-HALF_PX, HALF_PX + 1)
    one = np.exp(-0.5 * (steps / WINDOW_PX) ** 2)
    return np.asarray(np.outer(one, one))


def best_sd(information: FloatArray) -> FloatArray:
    """Standard deviation along each patch's best direction."""
    return np.asarray(1 / np.sqrt(np.maximum(np.linalg.eigvalsh(information)[:, -1], 1e-12)))
