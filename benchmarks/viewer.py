"""What a step of the time slider costs, rendering included; run on a screen or a virtual one."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import tifffile

from benchmarks.timing import Row, median_s
from napari_lithium_alloy.core.photometry import normalize, reference_frame
from napari_lithium_alloy.io.image_stacks import open_stack

SHAPE = (240, 2048, 2048)
STEPS = 20


def slider_rows(folder: Path) -> list[Row]:
    """Steps to frames not seen before, normalized and as napari shows the memory map itself."""
    import napari
    from qtpy.QtWidgets import QApplication

    from napari_lithium_alloy._napari.layers import stack_layer

    path = folder / "slider.tif"
    stack = tifffile.memmap(
        path, shape=SHAPE, dtype=np.uint16, metadata={"axes": "TYX"}, photometric="minisblack"
    )
    picture = np.random.default_rng(0).poisson(2000, SHAPE[1:]).astype(np.uint16)
    for t in range(SHAPE[0]):
        stack[t] = np.roll(picture, t, 0)
    recording = open_stack(path, mode="trans", frame_interval_s=1.0, pixel_size_um=0.065, dark=0.0)
    reference = reference_frame(recording[0])
    viewer = napari.Viewer()
    viewer.window.resize(1600, 1000)

    def step_s(first: int) -> float:
        canvas = viewer.window._qt_viewer.canvas._scene_canvas
        frames = iter(range(first, SHAPE[0]))

        def step() -> None:
            viewer.dims.set_current_step(0, next(frames))
            canvas.update()
            QApplication.processEvents()

        return median_s(step, runs=STEPS)

    viewer.add_image(stack, contrast_limits=(0, 4000))
    step_s(1)  # the first frames also make the textures
    plain, rows = step_s(30), []
    for quantity in ("transmittance", "absorbance"):
        viewer.layers.clear()
        frames = normalize(recording[0], reference, quantity)
        data, attributes, _ = stack_layer(recording[0], frames, quantity, [])
        viewer.add_image(data, **attributes)
        step_s(1)
        seconds = step_s(60)
        name = f"slider step to a new frame, {quantity}, {SHAPE[1]} x {SHAPE[2]}"
        rows.append(Row(name, seconds, seconds / plain, "the same of the memory map itself"))
    viewer.close()
    return rows
