"""What is wrong with each frame of a recording: bad pixels, drift, flat field, lamp."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np
from scipy import ndimage

from napari_lithium_alloy.core.bad_pixels import bad_pixels, sampled_frames
from napari_lithium_alloy.core.correction import (
    Correction,
    CorrectionParameters,
    common_field,
    corrected,
    moved_mask,
)
from napari_lithium_alloy.core.drift import Shifts, shifts_of
from napari_lithium_alloy.core.errors import AlloyError
from napari_lithium_alloy.core.feature_tracks import FeatureTracks, track_features
from napari_lithium_alloy.core.field import film_of, glass_mask
from napari_lithium_alloy.core.illumination import (
    LEAST_REFERENCE_PX,
    LEAST_REST_FRAMES,
    LampGain,
    gain_of_region,
    gain_without_region,
    smooth_illumination,
)
from napari_lithium_alloy.core.kernels import compilable
from napari_lithium_alloy.core.photometry import (
    Float32Array,
    Reference,
    dark_level,
    reference_frame,
)
from napari_lithium_alloy.core.progress import Work, part
from napari_lithium_alloy.core.recording import BoolArray, FloatArray, Recording, Region
from napari_lithium_alloy.core.row_blocks import by_rows

LEAST_DRIFT_PX, LEAST_DRIFT_SIGMAS = 0.1, 4.0
LEAST_GAIN_CHANGE = 3e-4
TILES, LEAST_TILES = 5, 6
"""Parts of the field along each side whose light is compared, and how many that takes."""
KNOWN_SD_PX, LEAST_KNOWN = 0.5, 0.7
LEAST_COMMON = 0.2
ENOUGH_PX = 2**18
"""Pixels of a frame that tell the lamp's gain to a ten-thousandth."""
TRIMMED = (0.1, 0.9)
"""Quantiles of a region's light between which it is averaged; a median would be whole counts."""
BLURRED_CONTRAST = 0.75
NEIGHBOURS = 5


def measure_correction(
    recording: Recording,
    parameters: CorrectionParameters | None = None,
    *,
    regions: Sequence[Region] = (),
    current_starts_s: float | None = None,
    switches_s: Sequence[float] = (),
) -> Work[Correction]:
    """Measure bad pixels, drift and lamp of a recording.

    Parameters
    ----------
    recording : Recording
        As it was read, not corrected before.
    parameters : CorrectionParameters, optional
    regions : sequence of Region
        Among them the one `reference_region` names.
    current_starts_s : float, optional
        When current first flows.
    switches_s : sequence of float
        When current starts, stops or reverses.

    Returns
    -------
    Correction
        Nothing is corrected where the measurement cannot carry it; `notes` say so.

    Raises
    ------
    AlloyError
        If the recording is corrected already, or there is no region of the name given.
    """
    parameters = parameters or CorrectionParameters()
    if recording.corrections:
        raise AlloyError(f"{recording.name} is corrected already; measure the frames as recorded.")
    n, shape = recording.n_frames, recording.field_shape
    none = np.zeros(shape, dtype=bool)
    dark = dark_level(recording)
    bad = bad_pixels(recording, dark) if parameters.bad_pixels else none
    steady = Correction(
        parameters=parameters,
        shifts=None,
        shift_px=np.zeros((n, 2)),
        lamp=LampGain(gain=np.ones(n), source="none", note=""),
        flat=None,
        bad=bad,
        common=~none,
        trusted=np.ones(n, dtype=bool),
        notes=_bad_note(bad),
    )
    if parameters.drift and n > 1:
        tracks = yield from part(track_features(corrected(recording, steady)), 0, n, 2 * n)
        steady = _with_drift(steady, shifts_of(tracks), tracks)
    reference = reference_frame(corrected(recording, steady), current_starts_s=current_starts_s)
    film = film_of(recording.replace(common=steady.common), reference)
    steady = _with_flat(steady, recording, reference, film)
    if parameters.lamp != "none" and n > 1:
        work = _lamp(recording, steady, reference, film, regions, current_starts_s, switches_s)
        lamp = yield from part(work, n, 2 * n, 2 * n)
        steady = _with_lamp(steady, lamp)
    return steady


def _bad_note(bad: BoolArray) -> tuple[str, ...]:
    count = int(bad.sum())
    return (f"Hot or dead pixels replaced by their neighbours: {count}.",) if count else ()


def _with_drift(steady: Correction, shifts: Shifts, tracks: FeatureTracks) -> Correction:
    """The correction with the drift taken out, where it is known and there is any."""
    known = shifts.sd_px < KNOWN_SD_PX
    path = shifts.shift_px
    notes = [shifts.note] if shifts.note else []
    span = float(np.ptp(path[known], axis=0).max()) if known.any() else 0.0
    least = max(LEAST_DRIFT_PX, LEAST_DRIFT_SIGMAS * float(np.median(shifts.sd_px)))
    moves = False
    if known.mean() < LEAST_KNOWN:
        notes.append("The drift is not known in most frames and is not corrected.")
    elif span < least:
        notes.append(f"The sample drifts by less than {least:.2g} px; that is not corrected.")
    else:
        moves = True
        notes.append(f"The sample drifts by up to {span:.1f} px; that is corrected.")
    shift = path if moves else np.zeros_like(path)
    common = common_field(shift, steady.common.shape)
    if common.mean() < LEAST_COMMON:
        notes.append(
            f"Only {100 * common.mean():.0f} % of the field is in view in all frames; what is "
            "measured there is all there is."
        )
    trusted = ~blurred_frames(tracks) & (known | (not moves))
    if not trusted.all():
        share = f"{int((~trusted).sum())} of {len(trusted)} frames"
        notes.append(f"Too blurred or unsteady to trust: {share}.")
    return dataclasses.replace(
        steady,
        shifts=shifts,
        shift_px=shift,
        common=common,
        trusted=trusted,
        notes=(*steady.notes, *notes),
    )


def _with_flat(
    steady: Correction, recording: Recording, reference: Reference, film: BoolArray
) -> Correction:
    if steady.parameters.flat_field == "none":
        return steady
    if recording.flat is not None:
        return dataclasses.replace(steady, flat=recording.flat.astype(np.float32))
    if not steady.moves:
        return steady
    note = "The flat field is the smooth illumination of the pristine film, taken to be even."
    flat = smooth_illumination(reference.image, film)
    return dataclasses.replace(steady, flat=flat, notes=(*steady.notes, note))


def _with_lamp(steady: Correction, lamp: LampGain) -> Correction:
    if float(np.std(lamp.gain)) < LEAST_GAIN_CHANGE:
        lamp = dataclasses.replace(lamp, gain=np.ones_like(lamp.gain))
        told = lamp.source == "reference" or len(lamp.gain) >= LEAST_REST_FRAMES
        note = "The lamp is steady; its gain is not corrected."
        if not told:
            note = "The lamp's flicker cannot be told in so few frames; it is not corrected."
        return dataclasses.replace(steady, lamp=lamp, notes=(*steady.notes, note))
    return dataclasses.replace(steady, lamp=lamp, notes=(*steady.notes, lamp.note))


def _lamp(
    recording: Recording,
    steady: Correction,
    reference: Reference,
    film: BoolArray,
    regions: Sequence[Region],
    current_starts_s: float | None,
    switches_s: Sequence[float],
) -> Work[LampGain]:
    """Gain of the lamp from a region that does not change, else from the film itself."""
    region, name = _reference_region(recording, steady, reference, regions)
    flat = steady.flat
    if flat is None:
        flat = smooth_illumination(reference.image, film)
    if region is not None:
        light = corrected(recording, _in_place(steady, flat))
        levels = yield from _levels_of_region(light, region, steady.shift_px)
        return gain_of_region(levels, reference.frames, name)
    logs, pixels = yield from _tile_logs(recording, steady, flat, film)
    count = pixels.sum(axis=1)
    levels = np.where(count > 0, logs.sum(axis=1) / np.maximum(count, 1), np.nan)
    tiles = np.where(
        pixels * _row_step(film) >= LEAST_REFERENCE_PX, logs / np.maximum(pixels, 1), np.nan
    )
    return gain_without_region(
        recording.times_s,
        levels,
        current_starts_s=current_starts_s,
        switches_s=switches_s,
        tiles=_whole(tiles, np.isfinite(levels)),
    )


def _in_place(steady: Correction, flat: Float32Array) -> Correction:
    """The correction without drift, as the lamp is the sensor's."""
    return dataclasses.replace(steady, shift_px=np.zeros_like(steady.shift_px), flat=flat)


def _levels_of_region(
    light: Recording, region: BoolArray, shift_px: FloatArray
) -> Work[FloatArray]:
    """(T,) mean light of a region that moves with the sample, without its extremes."""
    levels = np.full(light.n_frames, np.nan)

    def look(frames: tuple[int, int]) -> None:
        for t in range(*frames):
            moved = moved_mask(region, shift_px[t])
            window = _box(moved)
            seen = light.read(t, *window)
            inside = seen[moved[window] & np.isfinite(seen)]
            if inside.size >= LEAST_REFERENCE_PX:
                low, high = np.quantile(inside, TRIMMED)
                levels[t] = float(inside[(inside >= low) & (inside <= high)].mean())

    yield from by_rows(look, light.n_frames, most=4)
    return levels


def _box(mask: BoolArray) -> tuple[slice, slice]:
    """Rows and columns that hold a mask; nothing of an empty one."""
    spans = [np.flatnonzero(mask.any(axis=axis)) for axis in (1, 0)]
    rows, columns = (slice(int(s[0]), int(s[-1]) + 1) if s.size else slice(0, 0) for s in spans)
    return rows, columns


def _tile_logs(
    recording: Recording, steady: Correction, flat: Float32Array, film: BoolArray
) -> Work[tuple[FloatArray, FloatArray]]:
    """(T, K) sums of the logarithm of the film's light in tiles, and pixels they are of.

    Of a large field some rows are enough.
    """
    from napari_lithium_alloy.core.kernels.frame_sums import tile_logs

    n, shape = recording.n_frames, recording.field_shape
    dark = np.zeros(shape, np.float32) + np.asarray(dark_level(recording), np.float32)
    weight = np.where(steady.bad, np.float32(0), 1 / flat).astype(np.float32)
    edges = [-(-np.arange(TILES + 1) * side // TILES) for side in shape]
    sums, pixels = np.zeros((2, n, TILES, TILES))
    whole = np.rint(steady.shift_px).astype(int)

    def look(frames: tuple[int, int]) -> None:
        for t in range(*frames):
            counts = compilable(recording.frame(t))
            shift = (int(whole[t, 0]), int(whole[t, 1]))
            where = (film, shift, _row_step(film), (edges[0], edges[1]))
            tile_logs(counts, dark, weight, *where, sums[t], pixels[t])

    yield from by_rows(look, n, most=4)
    return sums.reshape(n, -1), pixels.reshape(n, -1)


def _row_step(film: BoolArray) -> int:
    """Each so manieth row of a field holds pixels enough for the lamp's gain."""
    return max(1, film.size // ENOUGH_PX)


def _whole(tiles: FloatArray, lit: BoolArray) -> FloatArray | None:
    """Those tiles that are known in every frame with light; None of too few to compare."""
    known = np.isfinite(tiles[lit]).all(axis=0)
    return tiles[:, known] if known.sum() >= LEAST_TILES else None


def _reference_region(
    recording: Recording, steady: Correction, reference: Reference, regions: Sequence[Region]
) -> tuple[BoolArray | None, str]:
    """(Y, X) what does not change, where the sample was first, and what it is."""
    parameters, shape = steady.parameters, recording.field_shape
    if parameters.lamp == "flicker":
        return None, ""
    if parameters.reference_region:
        named = next((r for r in regions if r.name == parameters.reference_region), None)
        if named is None:
            raise AlloyError(
                f"There is no region {parameters.reference_region} to steady the lamp by; draw "
                "it, or name one of [[regions]] as correction.reference_region."
            )
        return named.mask(shape), named.name
    if recording.mode != "trans":
        return None, ""
    glass = glass_mask(reference.image)
    if not glass.any():
        return None, ""
    glass &= ~burned_in(recording)
    limit = recording.saturation_counts
    if limit is not None:
        dark = np.broadcast_to(np.asarray(dark_level(recording), dtype=np.float32), shape)
        glass &= reference.image < 0.95 * (limit - dark)
    return (glass, "bare glass") if glass.sum() >= LEAST_REFERENCE_PX else (None, "")


def burned_in(recording: Recording) -> BoolArray:
    """(Y, X) True at pixels that never change, as a scale bar or time stamp in the picture."""
    first, *others = sampled_frames(recording)
    counts = recording.frame(first)
    same = np.full(recording.field_shape, bool(others))
    for t in others:
        same &= recording.frame(t) == counts
    return same


def blurred_frames(tracks: FeatureTracks) -> BoolArray:
    """(T,) True where patches have lost contrast, or are all lost, against the frames around."""
    n = tracks.n_frames
    ratios: list[list[float]] = [[] for _ in range(n)]
    missed = np.zeros(n, dtype=int)
    order = np.lexsort((tracks.frame, tracks.patch))
    starts = np.flatnonzero(np.diff(tracks.patch[order], prepend=-1))
    for rows in np.split(order, starts[1:]):
        frames, contrast = tracks.frame[rows], tracks.contrast[rows]
        if len(rows) < 2 * NEIGHBOURS:
            continue
        usual = ndimage.median_filter(contrast, 2 * NEIGHBOURS + 1, mode="mirror")
        missed[np.setdiff1d(np.arange(frames[0], frames[-1]), frames)] += 1
        for t, ratio in zip(frames, contrast / usual, strict=True):
            ratios[t].append(float(ratio))
    sharpest = np.array([np.quantile(r, 0.75) if len(r) > 1 else np.nan for r in ratios])
    lost = np.array([not r for r in ratios]) & (missed > 1)
    return np.asarray(lost | (sharpest < BLURRED_CONTRAST))
