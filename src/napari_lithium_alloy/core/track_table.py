"""Tracks of patches, and which of them move alike."""

from __future__ import annotations

import functools
from dataclasses import dataclass

import numpy as np

from napari_lithium_alloy.core.feature_tracks import FeatureTracks
from napari_lithium_alloy.core.recording import BoolArray, FloatArray, IntArray

LEAST_FRAMES = 8
FLOOR_PX = 0.01
"""What a fit does not say of its error: interpolation, and the patch's own change."""
SEEDS = 24
LEAST_COVERED, LEAST_SHARE, LEAST_TOGETHER, APART_PX = 0.9, 0.25, 20, 30.0
"""Where something stands still, what moves is the film only if it is seen in this share of the
frames, this often against the other, in so many frames, this far apart."""
HALF = 0.5
LOOSE_SD_PX = 0.5
"""Of a shift that is as good as unknown."""


@dataclass(frozen=True, kw_only=True)
class Agreement:
    """How near a track must keep to a path.

    Attributes
    ----------
    chi2 : float
        Largest mean square distance in units of its variance, both directions together.
    rms_px : float
        Largest distance, RMS.
    always_px : float
        RMS distance that is near enough whatever the stated variance.
    """

    chi2: float
    rms_px: float
    always_px: float


LOOSE = Agreement(chi2=6.0, rms_px=0.5, always_px=0.075)
STRICT = Agreement(chi2=4.0, rms_px=0.25, always_px=0.05)
TIGHT = Agreement(chi2=4.0, rms_px=0.08, always_px=0.05)


@dataclass(frozen=True, eq=False, kw_only=True)
class TrackTable:
    """Tracks long enough to tell, a row a patch and frame."""

    n_frames: int
    frame: IntArray
    track: IntArray
    position: FloatArray
    information: FloatArray
    lengths: IntArray

    @staticmethod
    def of(tracks: FeatureTracks) -> TrackTable:
        """Those that were seen in enough frames, with a floor under their variance."""
        counts = np.bincount(tracks.patch, minlength=1)
        long = counts[tracks.patch] >= min(LEAST_FRAMES, max(tracks.n_frames // 2, 2))
        _, number = np.unique(tracks.patch[long], return_inverse=True)
        floor = FLOOR_PX**2 * np.eye(2)
        covariance = np.linalg.pinv(tracks.information[long], hermitian=True)
        told = tracks.information[long] @ covariance
        information = told @ np.linalg.pinv(covariance + floor, hermitian=True) @ told
        return TrackTable(
            n_frames=tracks.n_frames,
            frame=tracks.frame[long],
            track=number,
            position=tracks.position_px[long],
            information=(information + information.transpose(0, 2, 1)) / 2,
            lengths=np.bincount(number, minlength=0),
        )

    def still(self) -> BoolArray:
        """(N,) True for tracks that stay where they are on the sensor."""
        return self.agreeing(np.zeros((self.n_frames, 2)), np.zeros(self.n_frames))

    def largest_alike(self, among: BoolArray, agreement: Agreement) -> BoolArray:
        """(N,) True for those tracks that move alike and, of one of them, explain most."""
        best, most = np.zeros(len(self.lengths), dtype=bool), -1.0
        held = self.held
        seeds = among & ((held > HALF) if (held[among] > HALF).any() else among)
        order = np.argsort(-(held + 0.01) * self.lengths * seeds, kind="stable")
        for seed in order[: min(SEEDS, int(seeds.sum()))]:
            path, variance = self._path_of(int(seed))
            along = self.agreeing(path, variance, agreement) & among
            along[seed] = False
            told = self.explained(along, path, np.isfinite(variance))
            along[seed] = True
            if told > most:
                best, most = along, told
        return best

    def is_film(self, tracks: BoolArray, still: BoolArray) -> bool:
        """Whether moving tracks can be the film's though others stand still.

        Seen most of the time, at more than one place, and no few against many.
        """
        many = self.lengths[tracks].sum() >= LEAST_SHARE * self.lengths[still].sum()
        return bool(many and self.is_seen_throughout(tracks))

    def explained(
        self, tracks: BoolArray, path: FloatArray, frames: BoolArray | None = None
    ) -> float:
        """How many times what some tracks leave of a path they explain of it.

        Summed over some of the frames, or all, and those held in both directions: an edge goes
        along with many paths.
        """
        rows = (tracks & (self.held > HALF))[self.track]
        rows &= True if frames is None else frames[self.frame]
        track, own, n = self.track[rows], self.information[rows], len(tracks)
        moved = path[self.frame[rows]]
        told = np.clip(np.trace(own, axis1=1, axis2=2), 1e-9, None)
        squares = []
        for away in (moved, self.position[rows] - moved):
            off = away - weighted_means(track, away, own, n)[track]
            squares.append(np.bincount(track, np.einsum("ri,rij,rj->r", off, own, off) / told, n))
        length = np.maximum(np.bincount(track, minlength=n), 1)
        left = np.maximum(squares[1] / length, (2 * FLOOR_PX) ** 2)
        return float((squares[0] / left).sum())

    def is_seen_throughout(self, tracks: BoolArray) -> bool:
        """Whether some tracks are seen together most of the time, at more than one place."""
        rows = tracks[self.track]
        seen = len(np.unique(self.frame[rows]))
        places = weighted_means(
            self.track[rows], self.position[rows], self.information[rows], len(tracks)
        )[tracks]
        wide = float(np.ptp(places, axis=0).max(initial=0)) if len(places) > 1 else 0.0
        enough = seen >= max(LEAST_COVERED * self.n_frames, LEAST_TOGETHER)
        return bool(enough and wide >= APART_PX)

    @functools.cached_property
    def held(self) -> FloatArray:
        """(N,) share of each track's frames in which it is held in both directions."""
        both = np.linalg.eigvalsh(self.information)[:, 0] > 1 / LOOSE_SD_PX**2
        return np.bincount(self.track, both, minlength=len(self.lengths)) / self.lengths

    def _path_of(self, track: int) -> tuple[FloatArray, FloatArray]:
        """(T, 2) path of one track and its (T,) variance, infinite where it was not seen."""
        rows = self.track == track
        path, variance = np.zeros((self.n_frames, 2)), np.full(self.n_frames, np.inf)
        path[self.frame[rows]] = self.position[rows]
        least = np.linalg.eigvalsh(self.information[rows])[:, 0]
        variance[self.frame[rows]] = 1 / np.maximum(least, 1 / LOOSE_SD_PX**2)
        return path, variance

    def agreeing(
        self, path: FloatArray, variance: FloatArray, agreement: Agreement = LOOSE
    ) -> BoolArray:
        """(N,) True for tracks that keep their distance from a path of known (T,) variance.

        Frames in which the variance is not finite do not count.
        """
        n = len(self.lengths)
        rows = np.isfinite(variance)[self.frame]
        track, own = self.track[rows], self.information[rows]
        info = less_certain(own, variance[self.frame[rows]])
        away = self.position[rows] - path[self.frame[rows]]
        offset = weighted_means(track, away, info, n)
        left = away - offset[track]
        chi2 = np.einsum("ri,rij,rj->r", left, info, left)
        seen_in = np.bincount(track, minlength=n)
        told = np.clip(np.trace(info, axis1=1, axis2=2), 1e-9, None)
        size = np.bincount(track, chi2 / told, minlength=n) / np.maximum(seen_in, 1)
        mean = np.bincount(track, np.minimum(chi2, 25), minlength=n) / np.maximum(seen_in, 1)
        enough = seen_in >= np.minimum(LEAST_FRAMES, self.lengths)
        close = (mean < agreement.chi2) | (size < agreement.always_px**2)
        return np.asarray(enough & close & (size < agreement.rms_px**2))


def weighted_means(
    group: IntArray, values: FloatArray, information: FloatArray, n: int
) -> FloatArray:
    """(n, 2) means of vectors by group, weighted by their information."""
    total = sums_of(group, information, n)
    right = sums_of(group, np.einsum("rij,rj->ri", information, values), n)
    return np.asarray(np.einsum("nij,nj->ni", np.linalg.pinv(total, hermitian=True), right))


def sums_of(group: IntArray, values: FloatArray, n: int) -> FloatArray:
    """(n, ...) sums of (R, ...) values by group; `numpy.add.at` is many times slower."""
    columns = values.reshape(len(values), int(np.prod(values.shape[1:]))).T
    sums = np.stack([np.bincount(group, column, minlength=n) for column in columns], axis=-1)
    return np.asarray(sums.reshape(n, *values.shape[1:]))


def less_certain(information: FloatArray, variance: FloatArray) -> FloatArray:
    """(R, 2, 2) information left where either coordinate has (R,) more variance.

    Numpy's inverse takes a call of LAPACK for each of these small matrices.
    """
    a, b, c = information[:, 0, 0], information[:, 0, 1], information[:, 1, 1]
    more = variance * (a * c - b * b)
    share = 1 / (1 + variance * (a + c) + variance * more)
    left = np.empty_like(information)
    left[:, 0, 0], left[:, 1, 1] = (a + more) * share, (c + more) * share
    left[:, 0, 1] = left[:, 1, 0] = b * share
    return left
