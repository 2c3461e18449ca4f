"""What a boundary between two steps that is given some seconds wrong does to their maps.

Steps of the recordings are unrelated, so that r between them should be 0 within chance, and its
p-value at most 0.05 in 5 % of them.
"""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context

import dask.array as da
import numpy as np
import pandas as pd

from napari_lithium_alloy.core.alloyed_images import alloyed_image
from napari_lithium_alloy.core.boundary_shifts import moved
from napari_lithium_alloy.core.complementarity import correlate
from napari_lithium_alloy.core.onset import OnsetMap, onset_map
from napari_lithium_alloy.core.onset_parameters import OnsetParameters
from napari_lithium_alloy.core.progress import finish
from napari_lithium_alloy.core.recording import FloatArray, Recording
from napari_lithium_alloy.core.stages import Stage, StageKind, stages_of
from napari_lithium_alloy.core.step_onsets import onset_maps
from napari_lithium_alloy.core.synthetic import SyntheticParameters, au_parameters
from napari_lithium_alloy.core.synthetic.film import film_model
from napari_lithium_alloy.core.synthetic.rendering import Renderer
from napari_lithium_alloy.core.synthetic.timeline import planted_stages

SHIFTS_S = {"4 s early": -4.0, "right": 0.0, "4 s late": 4.0}
SIDE_PX, CORRELATION_PX = 144, 8.0
AROUND_S = 6.0
SIGNIFICANT = 0.05
PROCESSES = 2

Row = dict[str, object]


def unrelated(seed: int, **changes: object) -> SyntheticParameters:
    """Gold whose steps pass over a small field in orders unrelated to each other."""
    return au_parameters(
        seed=seed,
        **{
            "complementarity": 0.0,
            "shape": (SIDE_PX, SIDE_PX),
            "correlation_um": CORRELATION_PX * 0.065,
            "room_px": 8,
            **changes,
        },
    )


def alloying_of(
    parameters: SyntheticParameters,
) -> tuple[Recording, list[Stage], dict[str, FloatArray]]:
    """The alloying part of a recording, in memory; its stages, and the planted onsets."""
    stages = planted_stages(parameters)
    film = film_model(parameters, stages)
    steps = stages_of(stages, StageKind.ALLOYING, cycle=1)
    renderer = Renderer(parameters, "trans", film, (), ())
    times = renderer.times_s
    seen = np.flatnonzero(
        (times >= steps[0].start_s - AROUND_S) & (times <= steps[-1].end_s + AROUND_S)
    )
    frames = np.stack([renderer.frame(int(t)) for t in seen])
    recording = Recording(
        name=f"seed {parameters.seed}",
        frames=da.from_array(frames, chunks=(1, -1, -1)),
        times_s=times[seen],
        pixel_size_um=parameters.camera.pixel_size_um,
        mode="trans",
        dark_counts=parameters.camera.dark_counts,
        mapped=frames,
    )
    field = film.crop(parameters.disturbances.room_px)
    return recording, steps, {s.key: field.wave(s.key).onset_s for s in steps}


def touching(stages: Sequence[Stage]) -> list[Stage]:
    """Successive stages without time between them."""
    middles = [(a.end_s + b.start_s) / 2 for a, b in itertools.pairwise(stages)]
    starts, ends = [stages[0].start_s, *middles], [*middles, stages[-1].end_s]
    return [
        dataclasses.replace(s, start_s=a, end_s=b)
        for s, a, b in zip(stages, starts, ends, strict=True)
    ]


def _alone(
    recording: Recording, stages: Sequence[Stage], how: OnsetParameters
) -> dict[Stage, OnsetMap]:
    """Each step within its given bounds, whatever its neighbour does."""
    return {s: finish(onset_map(recording, s.start_s, s.end_s, how)) for s in stages}


def _rows_of(parameters: SyntheticParameters, shifts_s: dict[str, float]) -> list[Row]:
    recording, stages, truth = alloying_of(parameters)
    how = OnsetParameters(psf_sigma_px=parameters.camera.psf_sigma_px)
    rows: list[Row] = []
    for name, by_s in shifts_s.items():
        steps = moved(touching(stages), by_s)
        assert steps is not None
        for way, maps in (
            ("told apart", finish(onset_maps(recording, steps, how))),
            ("given bounds", _alone(recording, steps, how)),
        ):
            rows.append({"boundary": name, "way": way} | _judged(list(maps.items()), truth))
    return rows


def _judged(
    maps: Sequence[tuple[Stage, OnsetMap]], truth: dict[str, FloatArray]
) -> dict[str, float]:
    first, second = (onset for _, onset in maps[:2])
    whole = correlate(first.onset_s, second.onset_s)
    middle = correlate(1 - alloyed_image(first, 0.5), alloyed_image(second, 0.5))
    errors = [np.abs(onset.onset_s - truth[stage.key]) for stage, onset in maps]
    return {
        "p": whole.p_value,
        "r": whole.pearson_r,
        "p, middle": middle.p_value,
        "r, middle": middle.pearson_r,
        "lost": 1 - float(np.mean([onset.reached.mean() for _, onset in maps])),
    } | {
        f"error, step {i} (s)": float(np.nanmean(error)) for i, error in enumerate(errors, start=1)
    }


def _rows_of_seed(seed: int) -> list[Row]:
    return _rows_of(unrelated(seed), SHIFTS_S)


def boundaries_table(seeds: int = 40) -> pd.DataFrame:
    """A row a boundary and way: share of p <= 0.05, mean r and its standard error, errors."""
    return summary(pd.DataFrame(list(_of_seeds(seeds))))


def _of_seeds(seeds: int) -> Iterator[Row]:
    with ProcessPoolExecutor(PROCESSES, mp_context=get_context("spawn")) as pool:
        for rows in pool.map(_rows_of_seed, range(seeds), chunksize=4):
            yield from rows


def summary(rows: pd.DataFrame) -> pd.DataFrame:
    """Shares and means over recordings."""
    found = []
    for (boundary, way), part in rows.groupby(["boundary", "way"], sort=False):
        error = part["r"].std() / np.sqrt(len(part))
        found.append(
            {
                "boundary": boundary,
                "way": way,
                "p <= 0.05 (%)": 100 * float((part["p"] <= SIGNIFICANT).mean()),
                "middles": 100 * float((part["p, middle"] <= SIGNIFICANT).mean()),
                "mean r": part["r"].mean(),
                "+-": error,
                "middle r": part["r, middle"].mean(),
                "lost (%)": 100 * part["lost"].mean(),
                "error, step 1 (s)": part["error, step 1 (s)"].mean(),
                "error, step 2 (s)": part["error, step 2 (s)"].mean(),
            }
        )
    return pd.DataFrame(found)


if __name__ == "__main__":
    import sys

    table = boundaries_table(int(sys.argv[1]) if len(sys.argv) > 1 else 40)
    print(table.to_string(index=False, float_format=lambda v: f"{v:.3f}"))
