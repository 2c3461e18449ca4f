"""Where the film has moved in each frame, from the tracks of patches.

Most of what can be followed in a film that alloys does not stand still on it: fronts, growing
discs and bubbles go their own ways, and specks on the sensor do not move at all. What belongs to
the film moves alike, for as long as it can be seen.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import ndimage, sparse
from scipy.sparse.linalg import spsolve

from napari_lithium_alloy.core.feature_tracks import FeatureTracks
from napari_lithium_alloy.core.recording import BoolArray, FloatArray, IntArray
from napari_lithium_alloy.core.smoothing import robust_sd
from napari_lithium_alloy.core.track_table import (
    LEAST_TOGETHER,
    LOOSE,
    LOOSE_SD_PX,
    STRICT,
    TIGHT,
    Agreement,
    TrackTable,
    sums_of,
)

ROUNDS = 8
LEAST_STEP_PX = 0.005


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
    table = TrackTable.of(tracks)
    still = table.still()
    film, solution = _moving(table, still)
    if still.any() and not table.is_film(film, still):
        film, solution = _extended(table, still, np.ones_like(still))
    else:
        film, solution = _extended(table, film, ~still)
    return _shifts(table, film, still & ~film, solution)


def _moving(table: TrackTable, still: BoolArray) -> tuple[BoolArray, _Solution]:
    """Tracks that move alike for long, each strictly with the path of all, and their path.

    Those that hardly differ, if they are seen nearly always and apart and explain more: a few of
    them then say more than many that only keep near each other, as edges of growing discs do.
    """
    long = ~still & (table.lengths >= LEAST_TOGETHER)
    if not long.any():
        long = ~still
    tight, many = (
        _extended(table, table.largest_alike(long, how), long, how) for how in (TIGHT, STRICT)
    )
    told, by_many = (table.explained(film, solution.path) for film, solution in (tight, many))
    return tight if table.is_seen_throughout(tight[0]) and told > by_many else many


def _extended(
    table: TrackTable, film: BoolArray, among: BoolArray, agreement: Agreement = LOOSE
) -> tuple[BoolArray, _Solution]:
    """Some tracks and those that go along with them, and their path."""
    solution = _solve(table, film)
    for _ in range(ROUNDS):
        joined = film | (table.agreeing(solution.path, solution.trusted, agreement) & among)
        if (joined == film).all():
            break
        film = joined
        solution = _solve(table, film)
    if agreement is LOOSE:
        film = film | table.agreeing(solution.path, solution.trusted)
    return film, solution


@dataclass(frozen=True, eq=False, kw_only=True)
class _Solution:
    """Path of the film and in which frames patches tell it."""

    path: FloatArray
    variance: FloatArray
    known: BoolArray

    @property
    def trusted(self) -> FloatArray:
        """(T,) variance of the path, infinite where it is bridged."""
        return np.where(self.known, self.variance, np.inf)


def _solve(table: TrackTable, moving: BoolArray) -> _Solution:
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
        # A track that wanders on the film is no better in one frame than in all of them.
        usual = np.bincount(number, chi2, minlength=places) / np.bincount(number, minlength=places)
        weighted = information / (np.maximum(usual / 2, 1)[number] + chi2 / 9)[:, None, None]
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
    moved = np.einsum("rij,rj->ri", information, position)
    sums = sums_of(frame, moved, n), sums_of(number, moved, places)
    return np.concatenate(sums).ravel()


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
    total = sums_of(frame, information, n)
    least = np.linalg.eigvalsh(total)[:, 0]
    known = least > 1 / LOOSE_SD_PX**2
    away = ndimage.distance_transform_edt(~known) if known.any() else np.full(n, n)
    return np.where(known, 1 / np.maximum(least, 1e-12), away * LOOSE_SD_PX**2), known


def _shifts(table: TrackTable, moving: BoolArray, still: BoolArray, solution: _Solution) -> Shifts:
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
    known, parts = solution.known, []
    if not known.all():
        frames = f"{int((~known).sum())} of {len(known)} frames"
        parts.append(f"nothing fixed to the film could be followed in {frames}")
    if still:
        parts.append(f"patches that stay put on the sensor (dust) were left out: {still}")
    return ("Drift: " + "; ".join(parts) + ".") if parts else ""
