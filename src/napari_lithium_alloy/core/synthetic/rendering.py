"""From the planted film to counts, one frame at a time."""

from __future__ import annotations

import math
from functools import lru_cache
from typing import Any

import dask.array as da
import numpy as np
from numpy.typing import NDArray

from napari_lithium_alloy.core.errors import AlloyError
from napari_lithium_alloy.core.recording import EVERYTHING, FloatArray, Mode
from napari_lithium_alloy.core.synthetic.fields import blur_and_shift, disc_coverage, stream
from napari_lithium_alloy.core.synthetic.film import FilmModel
from napari_lithium_alloy.core.synthetic.holes import Hole, Site, discs_at
from napari_lithium_alloy.core.synthetic.parameters import SyntheticParameters
from napari_lithium_alloy.core.synthetic.sensor import SensorLight
from napari_lithium_alloy.core.synthetic.timeline import drift_path, frame_times, lamp_gain

_CACHE_BYTES = 64e6


class Renderer:
    """Frames of one recording; each depends on its own number only.

    Behaves as a (T, Y, X) array for dask: shape, dtype, ndim and slices.
    """

    def __init__(
        self,
        parameters: SyntheticParameters,
        mode: Mode,
        film: FilmModel,
        sites: tuple[Site, ...],
        holes: tuple[Hole, ...],
    ) -> None:
        camera = parameters.camera
        self.parameters, self.mode = parameters, mode
        self.times_s = frame_times(parameters, mode)
        self.shift_px = drift_path(parameters, self.times_s)
        if mode == "epi":
            self.shift_px = self.shift_px + np.asarray(parameters.epi.offset_px)
        self.gain = lamp_gain(parameters, self.times_s, mode)
        end_sigma = camera.psf_sigma_end_px
        self.sigma_px = np.linspace(
            camera.psf_sigma_px,
            camera.psf_sigma_px if end_sigma is None else end_sigma,
            len(self.times_s),
        )
        self.margin = self._needed_margin()
        self.film, self.sites, self.holes = (
            film.crop(parameters.disturbances.room_px - self.margin),
            sites,
            holes,
        )
        self.light = SensorLight(parameters, mode)
        self.sample_dust = self.light.sample_dust(self.margin)
        self.glass = self._glass()
        self.shape = (len(self.times_s), *camera.shape)
        self.dtype = np.dtype(np.uint16 if camera.bits > 8 else np.uint8)
        self.ndim = 3
        kept = max(int(_CACHE_BYTES / (camera.shape[0] * camera.shape[1] * 2)), 2)
        self.frame = lru_cache(maxsize=kept)(self._frame)
        self._cover = lru_cache(maxsize=4)(self._cover_of)

    def __getitem__(self, key: Any) -> NDArray[Any]:
        """Counts of the frames of a slice (or one), of the rows and columns asked for."""
        t, *window = key if isinstance(key, tuple) else (key,)
        rows, columns = [*window, EVERYTHING, EVERYTHING][:2]
        if isinstance(t, slice):
            frames = range(*t.indices(self.shape[0]))
            return np.stack([self.frame(i)[rows, columns] for i in frames])
        return self.window(int(t), rows, columns)

    def window(self, t: int, y: slice = EVERYTHING, x: slice = EVERYTHING) -> NDArray[Any]:
        """Counts of part of one frame."""
        return np.array(self.frame(t % self.shape[0])[y, x])

    def array(self) -> da.Array:
        """(T, Y, X) lazy, one chunk a frame."""
        return da.from_array(self, chunks=(1, *self.shape[1:]), name=False)

    def film_absorbance(self, frame: int) -> FloatArray:
        """(Y, X) absorbance of SEI and alloy where the film has not moved, without any optics."""
        absorbance = self.film.crop(self.margin).absorbance(float(self.times_s[frame]))
        return np.broadcast_to(np.asarray(absorbance, dtype=float), self.shape[1:]).copy()

    def noiseless(self, frame: int) -> FloatArray:
        """(Y, X) expected counts of a frame: all but noise, hot pixels, rounding and clipping."""
        camera = self.parameters.camera
        return camera.dark_counts + camera.gain_counts * self._electrons(frame)

    def pore_coverage(self, time_s: float) -> FloatArray:
        """(Y, X) share of each pixel that is a hole of the film, glass aside; not moved."""
        return disc_coverage(self.parameters.camera.shape, discs_at(self.holes, time_s))

    def _frame(self, frame: int) -> NDArray[Any]:
        camera = self.parameters.camera
        rng = stream(self.parameters.seed, "noise", self.mode, frame)
        electrons = self._electrons(frame)
        if camera.shot_noise:
            electrons = rng.poisson(np.maximum(electrons, 0)).astype(np.float32)
        if camera.read_noise_electrons:
            noise = rng.standard_normal(electrons.shape, dtype=np.float32)
            electrons = electrons + np.float32(camera.read_noise_electrons) * noise
        counts = camera.dark_counts + camera.gain_counts * electrons + self.light.hot
        clipped = np.clip(np.rint(counts), 0, camera.saturation_counts)
        rounded: NDArray[Any] = clipped.astype(self.dtype)
        rounded.flags.writeable = False
        return rounded

    def _electrons(self, frame: int) -> FloatArray:
        time_s, shift = float(self.times_s[frame]), self.shift_px[frame]
        whole = np.rint(shift).astype(int)
        image = blur_and_shift(self._scene(time_s), float(self.sigma_px[frame]), shift - whole)
        y, x = self.margin - whole
        rows, columns = self.shape[1:]
        seen = image[y : y + rows, x : x + columns]
        return self.light.on_sensor(seen, time_s, float(self.gain[frame]))

    def _scene(self, time_s: float) -> FloatArray:
        """Light from the sample relative to the pristine film, before the point spread."""
        film, lithium, bare = self._optical_constants(time_s)
        holes = self._covered(discs_at(self.holes, time_s))
        discs = self._covered(discs_at(self.sites, time_s))
        scene = film
        if discs is not None:
            share = discs if holes is None else np.maximum(discs - holes, 0)
            seen = share if holes is None else share / np.maximum(1 - holes, 1e-6)
            scene = scene * (1 - seen * np.float32(1 - lithium))
        if holes is not None:
            scene = scene + holes * (np.float32(bare) - scene)
        if self.glass is not None:
            scene = scene + self.glass * (np.float32(bare) - scene)
        if self.sample_dust is not None:
            scene = scene * self.sample_dust
        side = [n + 2 * self.margin for n in self.shape[1:]]
        return np.broadcast_to(np.asarray(scene, dtype=np.float32), side)

    def _optical_constants(self, time_s: float) -> tuple[FloatArray | np.float32, float, float]:
        """The film's brightness, lithium's relative to it, bare glass's."""
        if self.mode == "trans":
            film = np.power(np.float32(10), -np.asarray(self.film.absorbance(time_s), "f4"))
            lithium = 10**-self.parameters.sites.absorbance
            return film, lithium, self.parameters.onset.substrate_transmittance
        epi = self.parameters.epi
        alloy = np.asarray(self.film.alloy(time_s), dtype=np.float32)
        film = 1 + np.float32(epi.reflectance_per_absorbance) * alloy
        return film, epi.lithium_reflectance, epi.pore_reflectance

    def _covered(self, discs: FloatArray) -> FloatArray | None:
        return self._cover(discs.tobytes()) if len(discs) else None

    def _cover_of(self, discs: bytes) -> FloatArray:
        margins = np.array([self.margin, self.margin, 0.0])
        placed = np.frombuffer(discs).reshape(-1, 3) + margins
        rows, columns = self.parameters.camera.shape
        return disc_coverage((rows + 2 * self.margin, columns + 2 * self.margin), placed)

    def _glass(self) -> FloatArray | None:
        width = self.parameters.onset.bare_glass_um / self.parameters.camera.pixel_size_um
        if width <= 0:
            return None
        columns = self.parameters.camera.shape[1]
        x = np.arange(-self.margin, columns + self.margin)
        share = np.clip(x - (columns - 1 - width), 0, 1).astype(np.float32)
        return np.broadcast_to(share, (self.parameters.camera.shape[0] + 2 * self.margin, len(x)))

    def _needed_margin(self) -> int:
        reach = float(np.abs(self.shift_px).max()) + 4 * float(self.sigma_px.max()) + 2
        room = self.parameters.disturbances.room_px
        if reach > room:
            raise AlloyError(
                f"The planted drift, offset and point spread reach {reach:.0f} px, more than the "
                f"{room} px rendered around the field; plant less or raise room_px."
            )
        return math.ceil(reach)
