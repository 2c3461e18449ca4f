"""The table of all pairs of maps that are compared: r with its nulls, and coefficients."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import pandas as pd

from napari_lithium_alloy.core.alloyed_images import alloyed_twin
from napari_lithium_alloy.core.compared_maps import LEAST_PIXELS, ComparedMaps
from napari_lithium_alloy.core.complementarity import (
    UNIFORM,
    ComplementarityParameters,
    Correlation,
    correlate_pair,
    with_changes,
)
from napari_lithium_alloy.core.counted_pairs import CountedPairs
from napari_lithium_alloy.core.placements import Placements
from napari_lithium_alloy.core.progress import Work, part
from napari_lithium_alloy.core.recording import BoolArray, FloatArray
from napari_lithium_alloy.core.row_blocks import each, in_order
from napari_lithium_alloy.core.tables import conform

HUNDRED = 100
Pair = tuple[str, str]


def colocalization(
    images: Mapping[str, FloatArray],
    pairs: Sequence[tuple[str, str]],
    parameters: ComplementarityParameters | None = None,
    *,
    uniform: Sequence[str] = (),
    valid: BoolArray | None = None,
    region: str = "field",
    placements: Mapping[str, Placements] | None = None,
) -> Work[pd.DataFrame]:
    """The table `colocalization`: r of each pair with its nulls, and further coefficients.

    Parameters
    ----------
    images : mapping of str to (Y, X) array
    pairs : sequence of (str, str)
        Names in `images`.
    parameters : ComplementarityParameters, optional
    uniform : sequence of str
        Steps (beginnings of image names) that alloyed uniformly; r with them is NaN.
    valid : (Y, X) bool array, optional
        The field, or a drawn region.
    region : str
        What that is called in the table.
    placements : mapping of str to Placements, optional
        Of masks of nucleation sites, by their names.
    """
    parameters = parameters or ComplementarityParameters()
    flat = {(a, b): [key for key in uniform if _is_of(key, a) or _is_of(key, b)] for a, b in pairs}
    told = [pair for pair in pairs if not flat[pair]]
    compared = {pair: _compared(pair, images, placements or {}) for pair in told}
    work = _correlations(
        ComparedMaps(images, valid),
        list(dict.fromkeys(maps for maps, _ in compared.values())),
        parameters,
        placements or {},
    )
    known = yield from part(work, 0, HUNDRED, 2 * HUNDRED)
    counting = CountedPairs(images, valid).all_coefficients(
        told, rule=parameters.thresholds, thresholds=parameters.fixed_thresholds
    )
    further = yield from part(counting, HUNDRED, 2 * HUNDRED, 2 * HUNDRED)
    rows: list[dict[str, object]] = []
    for pair in pairs:
        row: dict[str, object] = {"a": pair[0], "b": pair[1], "region": region}
        if flat[pair]:
            rows.append(row | {"pearson_r": math.nan, "reason": f"{flat[pair][0]} {UNIFORM}"})
            continue
        maps, reverse = compared[pair]
        found = mirrored(known[maps]) if reverse else known[maps]
        reasons = [text for text in (found.reason, further[pair].reason) if text]
        of_both = {"reason": "; ".join(dict.fromkeys(reasons))}
        rows.append(row | vars(further[pair]) | vars(found) | of_both)
    return conform("colocalization", pd.DataFrame(rows))


def _correlations(
    maps: ComparedMaps,
    pairs: Sequence[Pair],
    parameters: ComplementarityParameters,
    placements: Mapping[str, Placements],
) -> Work[dict[Pair, Correlation]]:
    """R of all pairs, several at the same time; those of one field after each other."""
    each(maps.known_of, sorted({name for pair in pairs for name in pair}))
    groups: dict[object, list[Pair]] = {}
    for pair in pairs:
        groups.setdefault(maps.key(*pair), []).append(pair)
    found: dict[Pair, Correlation] = {}

    def correlated(pair: Pair) -> Correlation:
        return correlate_pair(maps, *pair, parameters, placements=placements.get(pair[1]))

    for own in groups.values():
        field = maps.field(*own[0])
        if field is not None and field.n > LEAST_PIXELS:
            field.prepare(own, parameters.detrend)
        for pair, one in zip(own, in_order(correlated, own), strict=True):
            found[pair] = one
            yield len(found), len(pairs)
    return found


def _is_of(step: str, name: str) -> bool:
    return name.startswith(f"{step}_")


def _compared(
    pair: Pair, images: Mapping[str, FloatArray], placements: Mapping[str, Placements]
) -> tuple[Pair, bool]:
    """The maps whose r tells that of a pair, a mask of sites last, and whether its sign differs."""
    (first, one), (second, other) = (_alloyed(name, images) for name in pair)
    maps = (second, first) if first in placements else (first, second)
    return maps, one is not other


def _alloyed(name: str, images: Mapping[str, FloatArray]) -> tuple[str, bool]:
    """The alloyed region that unalloyed pixels are the complement of, and whether they are."""
    alloyed = alloyed_twin(name)
    reverse = alloyed != name and alloyed in images
    return (alloyed, True) if reverse else (name, False)


def mirrored(found: Correlation) -> Correlation:
    """The same with one map's sign reversed, as of a region in place of its complement."""
    return with_changes(
        found,
        pearson_r=-found.pearson_r,
        r_with_trend=-found.r_with_trend,
        null_low=-found.null_high,
        null_high=-found.null_low,
    )
