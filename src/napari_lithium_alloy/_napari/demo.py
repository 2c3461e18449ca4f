"""The demonstration: the sample recording in the viewer with its docks and results.

With `--out` the viewer draws itself on whatever screen there is, leaves screenshots of each dock
in both themes, all tables and a report in that folder, and closes.
"""

from __future__ import annotations

import argparse
import html
import shutil
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import napari
import pandas as pd
from napari.layers import Layer
from qtpy.QtWidgets import QApplication

from napari_lithium_alloy import __version__
from napari_lithium_alloy._napari.dock import Dock
from napari_lithium_alloy._napari.layers import about, kind_of
from napari_lithium_alloy._napari.widgets.workspace import DOCKS, OWN_KEY, Workspace
from napari_lithium_alloy.core.errors import AlloyError
from napari_lithium_alloy.sample_data import sample_dir

SAMPLE = "au_one_cycle"
THEMES = ("dark", "light")
WINDOW_PX = (1600, 1000)
SETTLED_S = 0.4
LONGEST_S = 300.0
REPORT_TABLES = ("cycles", "stages", "onset_summary", "colocalization", "sites")


@dataclass(frozen=True, kw_only=True)
class Scene:
    """What a screenshot shows: a dock, a moment, and which layers beside the picture."""

    name: str
    dock: str
    time_s: float
    shows: Callable[[Layer], bool]
    caption: str


def _is(kind: str, slot: str = "") -> Callable[[Layer], bool]:
    return lambda layer: kind_of(layer) == kind and slot in str(about(layer).get("slot", ""))


def _any(*tests: Callable[[Layer], bool]) -> Callable[[Layer], bool]:
    return lambda layer: any(test(layer) for test in tests)


SCENES = (
    Scene(
        name="workspace",
        dock=OWN_KEY,
        time_s=38.0,
        shows=_is("regions"),
        caption="The workspace: the recording in true time, its docks, and the timeline below.",
    ),
    Scene(
        name="correct_and_align",
        dock="Correct and align",
        time_s=38.0,
        shows=_is("nothing else"),
        caption="How far the film drifts and the lamp flickers; all docks use corrected frames.",
    ),
    Scene(
        name="normalization",
        dock="Normalization",
        time_s=38.0,
        shows=_is("stack", "absorbance"),
        caption="Absorbance against the film's first state, computed frame by frame.",
    ),
    Scene(
        name="temporal_color_code",
        dock="Temporal color code",
        time_s=57.0,
        shows=_is("onset", "cycle1_step1"),
        caption="When each pixel alloyed in step 1 (Fig. 2B), in seconds.",
    ),
    Scene(
        name="complementarity_map",
        dock="Complementarity map",
        time_s=80.0,
        shows=_is("map", "agreement"),
        caption="Where the second step goes where the first did not, and Pearson's r.",
    ),
    Scene(
        name="nucleation_sites",
        dock="Nucleation sites",
        time_s=187.0,
        shows=_is("sites"),
        caption="Nucleation sites of lithium, to be moved, added and deleted by hand.",
    ),
    Scene(
        name="pore_tracking",
        dock="Pore tracking",
        time_s=304.0,
        shows=_any(_is("pores"), _is("pore_tracks")),
        caption="Pores over time: labels, tracks and areas.",
    ),
    Scene(
        name="timeline",
        dock="Timeline",
        time_s=120.0,
        shows=_is("nothing else"),
        caption="Potential, mean absorbance and stages on one clock, x in LiₓAu above (Fig. 1E).",
    ),
    Scene(
        name="roi_curves",
        dock="ROI curves",
        time_s=38.0,
        shows=_is("regions"),
        caption="Normalized absorbance of Area Init and Area Fnl (Fig. 1C).",
    ),
)


def main(arguments: Sequence[str] | None = None) -> int:
    """Open the demonstration, or draw it into a folder; 0 when all went well."""
    parser = argparse.ArgumentParser(prog="lithium-alloy demo")
    parser.add_argument("--out", type=Path, help="draw into this folder and close")
    options = parser.parse_args(arguments)
    viewer = napari.Viewer(title="Lithium alloy")
    viewer.window._qt_window.resize(*WINDOW_PX)
    try:
        docks = prepare(viewer)
        if options.out is not None:
            draw(viewer, docks, options.out)
            viewer.close()
            return 0
    except AlloyError as error:
        sys.stderr.write(f"lithium-alloy: {error}\n")
        return 1
    napari.run()
    return 0


def prepare(viewer: Any) -> dict[str, Dock]:
    """Open the sample in a viewer, arrange the docks and run every analysis; docks by title."""
    workspace = Workspace(viewer)
    viewer.window.add_dock_widget(workspace, name=f"{OWN_KEY} (Lithium alloy)", area="right")
    workspace.arrange()
    docks = {OWN_KEY: workspace} | {
        name: viewer.window.dock_widgets[f"{name} (Lithium alloy)"] for name in DOCKS
    }
    workspace.open_recording(sample_dir(SAMPLE))
    workspace.run()
    _wait(workspace)
    docks["Normalization"].quantity.setCurrentText("Absorbance")
    docks["ROI curves"].new_layer()
    for name in ("Normalization", "Complementarity map", "ROI curves"):
        _wait(docks[name])
        docks[name].run()
        _wait(docks[name])
    _settle()
    for dock in docks.values():
        _wait(dock)
    show(viewer, docks, SCENES[0])
    return docks


def show(viewer: Any, docks: dict[str, Dock], scene: Scene) -> None:
    """Bring a scene about."""
    for layer in viewer.layers:
        ours = about(layer)
        is_picture = ours.get("kind") == "counts" and ours.get("mode") == "trans"
        layer.visible = is_picture or scene.shows(layer)
        if scene.shows(layer):
            viewer.layers.selection.active = layer
    viewer.dims.set_point(0, scene.time_s)
    docks[scene.dock].parent().raise_()
    viewer.reset_view()
    _settle()
    for layer in viewer.layers:
        if kind_of(layer) == "counts" and layer.visible:
            layer.reset_contrast_limits()
    for dock in docks.values():
        _wait(dock)
    _settle()


def draw(viewer: Any, docks: dict[str, Dock], out: Path) -> None:
    """Leave screenshots, tables and a report in a folder."""
    pictures = out / "screenshots"
    shutil.rmtree(pictures, ignore_errors=True)
    pictures.mkdir(parents=True)
    for theme in THEMES:
        viewer.theme = theme
        for scene in SCENES:
            show(viewer, docks, scene)
            viewer.screenshot(
                str(pictures / f"{scene.name}_{theme}.png"), canvas_only=False, flash=False
            )
    viewer.theme = THEMES[0]
    workspace = docks[OWN_KEY]
    assert isinstance(workspace, Workspace)
    workspace.export_all(out / "tables", overwrite=True)
    curves = docks["ROI curves"]
    for suffix in ("png", "svg"):
        curves.save_plot(out / f"roi_curves.{suffix}")
    opened = workspace.session.need_current()
    tables = {name: opened.tables[name] for name in REPORT_TABLES}
    notes = [] if opened.result is None else opened.result.notes
    (out / "report.html").write_text(_report(opened.name, tables, notes), encoding="utf-8")


def _report(name: str, tables: dict[str, pd.DataFrame], notes: Sequence[str]) -> str:
    figures = "\n".join(
        f'<figure><img src="screenshots/{s.name}_dark.png" alt="{html.escape(s.caption)}">'
        f"<figcaption>{html.escape(s.caption)}</figcaption></figure>"
        for s in SCENES
    )
    sheets = "\n".join(
        f"<h2>{title}.csv</h2>\n"
        + table.to_html(index=False, na_rep="", float_format=lambda v: f"{v:.4g}", border=0)
        for title, table in tables.items()
    )
    said = "\n".join(f"<li>{html.escape(note)}</li>" for note in notes)
    return f"""<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>{html.escape(name)}</title>
<style>
body {{ font: 15px/1.5 system-ui, sans-serif; margin: 2em auto; max-width: 72em; padding: 0 1em; }}
img {{ width: 100%; }} figure {{ margin: 1.5em 0; }} figcaption {{ color: #555; }}
table {{ border-collapse: collapse; font-size: 13px; }}
td, th {{ padding: 0.2em 0.7em; text-align: right; border-bottom: 1px solid #ddd; }}
</style></head><body>
<h1>{html.escape(name)}</h1>
<p>Made by napari-lithium-alloy {__version__}. All tables and maps are in
<a href="tables/">tables/</a>; the curves of Area Init and Area Fnl in
<a href="roi_curves.svg">roi_curves.svg</a>.</p>
<ul>
{said}
</ul>
{figures}
{sheets}
</body></html>
"""


def _wait(dock: Dock) -> None:
    """Until a dock's analysis has ended."""
    end = time.monotonic() + LONGEST_S
    while dock.busy:
        if time.monotonic() > end:
            raise AlloyError(f"{dock.TITLE} did not end within {LONGEST_S:g} s.")
        QApplication.processEvents()
        time.sleep(0.01)


def _settle() -> None:
    """Until slider, canvas and plots show what was asked for."""
    end = time.monotonic() + SETTLED_S
    while time.monotonic() < end:
        QApplication.processEvents()
        time.sleep(0.01)


if __name__ == "__main__":
    sys.exit(main())
