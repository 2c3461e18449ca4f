"""Where the film has moved in each frame, from the tracks of patches.

Most of what can be followed in a film that alloys does not stand still on it: fronts, growing
discs and bubbles go their own ways, and specks on the sensor do not move at all. What belongs to
the film moves alike, for as long as it can be seen.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import sparse
from scipy.sparse.linalg import spsolve

from napari_lithium_alloy.core.feature_tracks import FeatureTracks
from napari_lithium_alloy.core.recording import BoolArray, FloatArray, IntArray
from napari_lithium_alloy.core.smoothing import robust_sd

LEAST_FRAMES = 8
FLOOR_PX = 0.01
"""What a fit does not say of its error: interpolation, and the patch's own change."""
MOST_CHI2 = 3.0
MOST_RMS_PX = 0.5
SEEDS = 24
STILL_PX = 0.15
LEAST_COVERED, LEAST_TOGETHER, APART_PX = 0.8, 20, 30.0
"""Where something stands still, what moves is the film only if it is seen in this share of the
frames and in so many, this far apart."""
LOOSE_SD_PX = 0.5
"""Of a shift that is as good as unknown."""
LEAST_STEP_PX = 0.005
ROUNDS = 8


@dataclass(frozen=True, eq=False, kw_only=True)
class Shifts:
    """By how much the film has moved since the first frame.

    Attributes
    ----------
    shift_px : numpy.ndarray
        (T, 2) rows and columns.
    sd_px : numpy.ndarray
        (T,) standard deviation of either.
    patches : numpy.ndarray
        (T,) number of the film's patches seen in each frame.
    quality : numpy.ndarray
        (T,) share of what was followed in the frame, by its information, that moved with the
        film; 0 where nothing did and the shift is bridged from the frames around.
    still : int
        Number of patches that stay where they are on the sensor while the film moves.
    note : str
        What the user should know, in one sentence.
    """

    shift_px: FloatArray
    sd_px: FloatArray
    patches: IntArray
    quality: FloatArray
    still: int
    note: str


def shifts_of(tracks: FeatureTracks) -> Shifts:
    """The path of the film, from what moves alike.

    Parameters
    ----------
    tracks : FeatureTracks

    Returns
    -------
    Shifts
    """
    table = _Table.of(tracks)
    nothing = np.zeros(len(table.lengths), dtype=bool)
    still = table.still()
    film, solution = _extended(table, table.largest_moving(still), without=still)
    if still.any() and not table.is_film(film):
        film, solution = _extended(table, still, without=nothing)
    return _shifts(table, film, still & ~film, solution)


def _extended(table: _Table, film: BoolArray, without: BoolArray) -> tuple[BoolArray, _Solution]:
    """The path of some tracks, and all tracks that go along with it."""
    solution = _solve(table, film)
    for _ in range(ROUNDS):
        along = table.moving_with(solution)
        joined = film | (along & ~without)
        if (joined == film).all():
            break
        film = joined
        solution = _solve(table, film)
    return film | along, solution


@dataclass(frozen=True, eq=False, kw_only=True)
class _Table:
    """Tracks long enough to tell, a row a patch and frame."""

    n_frames: int
    frame: IntArray
    track: IntArray
    position: FloatArray
    information: FloatArray
    lengths: IntArray

    @staticmethod
    def of(tracks: FeatureTracks) -> _Table:
        counts = np.bincount(tracks.patch, minlength=1)
        long = counts[tracks.patch] >= min(LEAST_FRAMES, max(tracks.n_frames // 2, 2))
        _, number = np.unique(tracks.patch[long], return_inverse=True)
        floor = FLOOR_PX**2 * np.eye(2)
        covariance = np.linalg.pinv(tracks.information[long], hermitian=True)
        told = tracks.information[long] @ covariance
        information = told @ np.linalg.pinv(covariance + floor, hermitian=True) @ told
        return _Table(
            n_frames=tracks.n_frames,
            frame=tracks.frame[long],
            track=number,
            position=tracks.position_px[long],
            information=(information + information.transpose(0, 2, 1)) / 2,
            lengths=np.bincount(number, minlength=0),
        )

    def still(self) -> BoolArray:
        """(N,) True for tracks that stay where they are on the sensor."""
        path = np.zeros((self.n_frames, 2))
        return self._agreeing(path, np.ones(self.n_frames, dtype=bool))

    def largest_moving(self, still: BoolArray) -> BoolArray:
        """(N,) True for the tracks, in all the longest, that move alike but do not stand still."""
        best, longest = np.zeros(len(self.lengths), dtype=bool), 0.0
        for seed in np.argsort(-self._held() * self.lengths, kind="stable")[:SEEDS]:
            if still[seed]:
                continue
            path, seen = self._path_of(int(seed))
            along = self._agreeing(path, seen) & ~still
            along[seed] = True
            length = float(self.lengths[along].sum())
            if length > longest:
                best, longest = along, length
        return best

    def is_film(self, tracks: BoolArray) -> bool:
        """Whether tracks can be the film's: seen most of the time, and at more than one place."""
        rows = tracks[self.track]
        seen = len(np.unique(self.frame[rows]))
        places = _weighted_means(
            self.track[rows], self.position[rows], self.information[rows], len(tracks)
        )[tracks]
        wide = float(np.ptp(places, axis=0).max(initial=0)) if len(places) > 1 else 0.0
        enough = seen >= max(LEAST_COVERED * self.n_frames, LEAST_TOGETHER)
        return enough and wide >= APART_PX

    def _held(self) -> FloatArray:
        """(N,) share of each track's frames in which it is held in both directions."""
        both = np.linalg.eigvalsh(self.information)[:, 0] > 1 / LOOSE_SD_PX**2
        return np.bincount(self.track, both, minlength=len(self.lengths)) / self.lengths

    def _path_of(self, track: int) -> tuple[FloatArray, BoolArray]:
        rows = self.track == track
        path, seen = np.zeros((self.n_frames, 2)), np.zeros(self.n_frames, dtype=bool)
        path[self.frame[rows]] = self.position[rows]
        seen[self.frame[rows]] = True
        return path, seen

    def _agreeing(self, path: FloatArray, seen: BoolArray) -> BoolArray:
        """Tracks that keep their distance from a path, as far as both were seen."""
        n = len(self.lengths)
        rows = seen[self.frame]
        track, info = self.track[rows], self.information[rows]
        away = self.position[rows] - path[self.frame[rows]]
        offset = _weighted_means(track, away, info, n)
        left = away - offset[track]
        chi2 = np.einsum("ri,rij,rj->r", left, info, left)
        seen_in = np.bincount(track, minlength=n)
        told = np.clip(np.trace(info, axis1=1, axis2=2), 1e-9, None)
        size = np.bincount(track, chi2 / told, minlength=n) / np.maximum(seen_in, 1)
        mean = np.bincount(track, np.minimum(chi2, 25), minlength=n) / np.maximum(seen_in, 1)
        enough = seen_in >= np.minimum(LEAST_FRAMES, self.lengths)
        close = (mean < 2 * MOST_CHI2) | (size < (STILL_PX / 2) ** 2)
        return np.asarray(enough & close & (size < MOST_RMS_PX**2))

    def moving_with(self, solution: _Solution) -> BoolArray:
        return self._agreeing(solution.path, solution.known)


@dataclass(frozen=True, eq=False, kw_only=True)
class _Solution:
    """Path of the film and in which frames patches tell it."""

    path: FloatArray
    variance: FloatArray
    known: BoolArray


def _weighted_means(
    group: IntArray, values: FloatArray, information: FloatArray, n: int
) -> FloatArray:
    """(n, 2) means of vectors by group, weighted by their information."""
    total, right = np.zeros((n, 2, 2)), np.zeros((n, 2))
    np.add.at(total, group, information)
    np.add.at(right, group, np.einsum("rij,rj->ri", information, values))
    return np.asarray(np.einsum("nij,nj->ni", np.linalg.pinv(total, hermitian=True), right))


def _solve(table: _Table, moving: BoolArray) -> _Solution:
    """Weighted least squares for the path and the patches' places, with outliers held down."""
    rows = moving[table.track]
    n, frame = table.n_frames, table.frame[rows]
    number = np.unique(table.track[rows], return_inverse=True)[1]
    places = int(number.max(initial=-1)) + 1
    position, information = table.position[rows], table.information[rows]
    fixed = sparse.diags(np.r_[1e8, 1e8, np.full(2 * (n + places) - 2, 1e-9)])
    stiffness = np.full(n - 1, 1 / LOOSE_SD_PX**2)
    weighted = information
    for _ in range(4):
        left = _normal_matrix(frame, number, weighted, n, places) + _tied(stiffness, places)
        right = _right_side(frame, number, weighted, position, n, places)
        answer = spsolve((left + fixed).tocsc(), right).reshape(-1, 2)
        path = answer[:n]
        away = position - path[frame] - answer[n:][number]
        chi2 = np.einsum("ri,rij,rj->r", away, information, away)
        weighted = information / (1 + chi2 / 9)[:, None, None]
        variance, known = _variances(frame, weighted, n)
        if known.any():
            stiffness = _stiffness(path, float(np.median(variance[known])))
    return _Solution(path=path, variance=variance, known=known)


def _normal_matrix(
    frame: IntArray, number: IntArray, information: FloatArray, n: int, places: int
) -> sparse.coo_matrix:
    """Of position = path[frame] + place[number]."""
    i, j = np.meshgrid((0, 1), (0, 1), indexing="ij")
    a, b = 2 * frame[:, None, None], 2 * (n + number[:, None, None])
    entries = [
        (information.ravel(), ((p + i).ravel(), (q + j).ravel())) for p in (a, b) for q in (a, b)
    ]
    values = np.concatenate([e[0] for e in entries])
    rows, columns = (np.concatenate([e[1][k] for e in entries]) for k in (0, 1))
    size = 2 * (n + places)
    return sparse.coo_matrix((values, (rows, columns)), shape=(size, size))


def _right_side(
    frame: IntArray,
    number: IntArray,
    information: FloatArray,
    position: FloatArray,
    n: int,
    places: int,
) -> FloatArray:
    right = np.zeros((n + places, 2))
    moved = np.einsum("rij,rj->ri", information, position)
    np.add.at(right, frame, moved)
    np.add.at(right, n + number, moved)
    return right.ravel()


def _tied(stiffness: FloatArray, places: int) -> sparse.coo_matrix:
    """Hold each frame to the one before, by a stiffness (T - 1,) in px^-2.

    What is not fixed to the film, such as fronts, says nothing of its path; where nothing else
    is seen the path is bridged.
    """
    n = len(stiffness) + 1
    t = np.arange(1, n)
    entries = []
    for axis in (0, 1):
        a, b = 2 * (t - 1) + axis, 2 * t + axis
        signs = ((a, a, 1), (b, b, 1), (a, b, -1), (b, a, -1))
        entries += [(sign * stiffness, p, q) for p, q, sign in signs]
    values, rows, columns = (np.concatenate(e) for e in zip(*entries, strict=True))
    size = 2 * (n + places)
    return sparse.coo_matrix((values, (rows, columns)), shape=(size, size))


def _stiffness(path: FloatArray, variance: float) -> FloatArray:
    """(T - 1,) inverse variance of the film's own steps, with jumps let free."""
    steps = np.diff(path, axis=0)
    seen = robust_sd(steps) ** 2
    own = max(seen - 2 * variance, seen / 4, LEAST_STEP_PX**2)
    return np.asarray(1 / (own + (steps**2).sum(axis=1) / 9))


def _variances(frame: IntArray, information: FloatArray, n: int) -> tuple[FloatArray, BoolArray]:
    """(T,) variance of either shift, and where patches hold it in both directions."""
    total = np.zeros((n, 2, 2))
    np.add.at(total, frame, information)
    least = np.linalg.eigvalsh(total)[:, 0]
    known = least > 1 / LOOSE_SD_PX**2
    away = np.full(n, n)
    if known.any():
        at = np.flatnonzero(known)
        away = np.abs(np.arange(n)[:, None] - at[None]).min(axis=1)
    return np.where(known, 1 / np.maximum(least, 1e-12), away * LOOSE_SD_PX**2), known


def _shifts(table: _Table, moving: BoolArray, still: BoolArray, solution: _Solution) -> Shifts:
    n, rows = table.n_frames, moving[table.track]
    told = np.trace(table.information, axis1=1, axis2=2)
    of_film = np.bincount(table.frame[rows], told[rows], minlength=n)
    of_all = np.bincount(table.frame, told, minlength=n)
    sd = np.sqrt(solution.variance)
    return Shifts(
        shift_px=solution.path - solution.path[0],
        sd_px=sd,
        patches=np.bincount(table.frame[rows], minlength=n),
        quality=np.where(of_all > 0, of_film / np.maximum(of_all, 1e-12), 0.0),
        still=int(still.sum()),
        note=_note(solution, int(still.sum())),
    )


def _note(solution: _Solution, still: int) -> str:
    bridged = int((~solution.known).sum())
    parts = []
    if bridged:
        parts.append(f"in {bridged} frames nothing fixed to the film could be followed")
    if still:
        parts.append(f"{still} patches stay put on the sensor (dust) and were left out")
    return ("Drift: " + "; ".join(parts) + ".") if parts else ""
