"""Light that does not come from the film: illumination, dust, glare, bubble, hot pixels."""

from __future__ import annotations

import numpy as np

from napari_lithium_alloy.core.recording import FloatArray, Mode
from napari_lithium_alloy.core.synthetic.fields import stream
from napari_lithium_alloy.core.synthetic.parameters import SyntheticParameters
from napari_lithium_alloy.core.synthetic.timeline import end_s

_BUBBLE_RADIUS = 0.12
_BUBBLE_WIDTH_PX = 2.5
_DUST_LOSS = (0.1, 0.35)
_DUST_SIGMA_PX = (1.2, 3.5)
_HOT_SHARE = (0.15, 1.2)


class SensorLight:
    """What turns light from the sample into electrons of one recording."""

    def __init__(self, parameters: SyntheticParameters, mode: Mode) -> None:
        self.parameters, self.mode = parameters, mode
        self.shape = parameters.camera.shape
        illumination = self._illumination()
        if parameters.disturbances.dust and parameters.disturbances.dust_on == "sensor":
            illumination = illumination * self._dust(0)
        self.brightness = (parameters.camera.photo_electrons * illumination).astype(np.float32)
        self.glare = self._glare()
        self.hot = self._hot_pixels()

    def on_sensor(self, seen: FloatArray, time_s: float, gain: float) -> FloatArray:
        """(Y, X) expected electrons from light relative to the pristine film."""
        electrons = seen * (self.brightness * np.float32(gain))
        if self.parameters.disturbances.bubble:
            electrons = electrons * self._bubble(time_s)
        return electrons + self.glare

    def sample_dust(self, margin_px: int) -> FloatArray | None:
        """Transmission of dust that moves with the film, with a margin; None without any."""
        d = self.parameters.disturbances
        return self._dust(margin_px) if d.dust and d.dust_on == "sample" else None

    def _illumination(self) -> FloatArray:
        """Parabolic, a little off centre, mean 1."""
        rng = stream(self.parameters.seed, "illumination", self.mode)
        centre = rng.uniform(-0.08, 0.08, 2)
        y, x = (np.linspace(-0.5, 0.5, n) for n in self.shape)
        distance2 = 2 * ((y[:, None] - centre[0]) ** 2 + (x[None] - centre[1]) ** 2)
        profile = 1 - self.parameters.camera.illumination_falloff * distance2
        return np.asarray(profile / profile.mean())

    def _dust(self, margin_px: int) -> FloatArray:
        rng = stream(self.parameters.seed, "dust")
        rows, columns = self.shape
        y = np.arange(-margin_px, rows + margin_px)[:, None]
        x = np.arange(-margin_px, columns + margin_px)[None]
        through = np.ones((y.size, x.size))
        room = self.parameters.disturbances.room_px
        for _ in range(self.parameters.disturbances.dust):
            at = rng.uniform((-room, -room), (rows + room, columns + room))
            loss, sigma = rng.uniform(*_DUST_LOSS), rng.uniform(*_DUST_SIGMA_PX)
            spot = np.exp(-((y - at[0]) ** 2 + (x - at[1]) ** 2) / (2 * sigma**2))
            through *= 1 - loss * spot
        return through.astype(np.float32)

    def _glare(self) -> FloatArray | np.float32:
        strength = self.parameters.disturbances.glare
        if not strength:
            return np.float32(0)
        centre = stream(self.parameters.seed, "glare").uniform(-0.4, 0.4, 2)
        y, x = (np.linspace(-0.5, 0.5, n) for n in self.shape)
        distance2 = (y[:, None] - centre[0]) ** 2 + (x[None] - centre[1]) ** 2
        spot = np.exp(-distance2 / (2 * 0.4**2))
        return np.asarray(strength * self.parameters.camera.photo_electrons * spot, "f4")

    def _hot_pixels(self) -> FloatArray | np.float32:
        camera = self.parameters.camera
        if not camera.hot_pixels:
            return np.float32(0)
        rng = stream(self.parameters.seed, "hot pixels")
        hot = np.zeros(self.shape, dtype=np.float32)
        where = rng.choice(hot.size, camera.hot_pixels, replace=False)
        hot.flat[where] = rng.uniform(*_HOT_SHARE, camera.hot_pixels) * camera.saturation_counts
        return hot

    def _bubble(self, time_s: float) -> FloatArray:
        """A dark rim around a bright one, on its way through the field."""
        start = stream(self.parameters.seed, "bubble").uniform(0.2, 0.8)
        rows, columns = self.shape
        centre = rows * start, columns * (time_s / end_s(self.parameters) * 1.4 - 0.2)
        y, x = np.arange(rows)[:, None], np.arange(columns)[None]
        distance = np.hypot(y - centre[0], x - centre[1]) - _BUBBLE_RADIUS * min(self.shape)
        rim = np.exp(-((distance / _BUBBLE_WIDTH_PX) ** 2) / 2)
        inside = np.exp(-(((distance + 2 * _BUBBLE_WIDTH_PX) / _BUBBLE_WIDTH_PX) ** 2) / 2)
        strength = self.parameters.disturbances.bubble
        return np.asarray(1 - strength * rim + 0.5 * strength * inside, dtype="f4")
