"""Curves on screen."""

import numpy as np
import pytest

from napari_lithium_alloy._napari.plots import Curve, CurveCanvas, Plot


@pytest.mark.parametrize("size", [1e-3, 0.3, 40.0, 2e9])
def test_axes_show_the_values_themselves_however_small(viewer, qtbot, size):
    canvas = CurveCanvas(viewer)
    qtbot.addWidget(canvas)
    with qtbot.waitExposed(canvas):
        canvas.show()
    curve = Curve(name="Rows", x=np.arange(5.0) * size, y=np.array([0, 1, -1, 0.5, 0]) * size)
    for _ in range(2):
        canvas.show_plot(Plot(x_label="Time (s)", y_label="Shift (µm)", curves=(curve,)))
        canvas.item.setYRange(-size, size)
        canvas.follow_theme()
        for side in ("left", "bottom"):
            axis = canvas.item.getAxis(side)
            assert axis.autoSIPrefixScale == 1
            assert axis.labelUnitPrefix == ""
