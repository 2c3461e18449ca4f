"""Links the potential's clock to the recording's, and keeps how well it fits."""

from __future__ import annotations

import functools
import math
from typing import TYPE_CHECKING

from napari_lithium_alloy._napari.clock_box import ClockBox
from napari_lithium_alloy._napari.field_signal import FieldSignal, moments_in
from napari_lithium_alloy._napari.opened import Opened
from napari_lithium_alloy.core.clock_link import (
    Moments,
    clock_of_points,
    clock_of_stamps,
    clock_step,
    coinciding,
    suggest_clock,
    with_residual,
)
from napari_lithium_alloy.core.errors import AlloyError
from napari_lithium_alloy.core.galvanostatic import ClockLink, PotentialCurve

if TYPE_CHECKING:
    from napari_lithium_alloy._napari.widgets.timeline import Timeline

PAIRS = 2
Found = tuple[FieldSignal, Moments]


class TimelineClock:
    """The ways of `ClockBox` on the current recording of a dock.

    Parameters
    ----------
    dock : Timeline
        Whose session, plot, status line and worker are used.
    """

    def __init__(self, dock: Timeline) -> None:
        self.dock = dock
        self.box = ClockBox()
        self._moments: tuple[Opened, FieldSignal, object, Moments] | None = None
        self._pairs: list[tuple[float, float]] = []
        self._cycler_s: float | None = None
        self.box.typed.connect(self._typed)
        self.box.suggest.clicked.connect(self._suggest_clicked)
        self.box.points.toggled.connect(self._points_toggled)
        self.box.stamps.clicked.connect(self._stamps_clicked)

    def show(self) -> None:
        """Show the link of the current recording's potential."""
        opened = self.dock.session.current
        potential = None if opened is None else opened.experiment.potential
        if opened is None or potential is None:
            self.box.show_link(None)
            return
        known = self.moments(opened)
        if known is None:
            residual_s = potential.clock_residual_s
            fit = f"residual {residual_s:.2f} s" if math.isfinite(residual_s) else ""
        else:
            fit = _fit(potential.clock, known)
        self.box.show_link(potential.clock, fit)

    def wanted(self, opened: Opened) -> bool:
        """Whether it is still to be found what happens when in picture and potential."""
        return opened.experiment.potential is not None and self.moments(opened) is None

    def moments(self, opened: Opened) -> Moments | None:
        """What happens when in picture and potential, if it was found as they are now."""
        if self._moments is None or opened.experiment.potential is None:
            return None
        whose, signal, times, moments = self._moments
        same = whose is opened and times is opened.experiment.potential.times_s
        return moments if same and signal is opened.field_signal else None

    def take(self, opened: Opened, found: Found) -> None:
        """Keep what happens when; a link made meanwhile gets its residual."""
        potential = opened.experiment.potential
        opened.field_signal, moments = found
        if potential is None:
            return
        self._moments = (opened, opened.field_signal, potential.times_s, moments)
        if potential.clock_way and not math.isfinite(potential.clock_residual_s):
            self.link(opened, potential.clock)
        self.show()

    def link(self, opened: Opened, clock: ClockLink) -> ClockLink:
        """Set the link of a recording's potential, with its residual; what was set.

        Raises
        ------
        AlloyError
            If there is no potential.
        """
        potential = with_potential(opened)
        known = self.moments(opened)
        if known is not None:
            clock = with_residual(clock, known)
        for one in self.dock.session.opened:
            if one.experiment is opened.experiment:
                one.did(clock_step(clock))
        self.dock.session.change_experiment(opened, potential=potential.linked(clock))
        return clock

    def take_click(self, time_s: float) -> bool:
        """Whether a click on the plot, at a time of the recording, is one of the points."""
        if not self.box.points.isChecked():
            return False
        with self.dock.errors_shown():
            self._take_point(time_s)
        return True

    def _take_point(self, time_s: float) -> None:
        opened = self.dock.session.need_current()
        clock = with_potential(opened).clock
        if self._cycler_s is None:
            self._cycler_s = clock.offset_s + clock.rate * time_s
            self.dock.canvas.show_point(time_s)
            self._say("Now click the same moment on the mean intensity.")
            return
        pairs = [*self._pairs, (self._cycler_s, time_s)]
        self._cycler_s = None
        self.dock.canvas.show_point(math.nan)
        found = clock_of_points(pairs, clock.rate)
        self._pairs = pairs
        if len(pairs) == PAIRS:
            self.box.points.setChecked(False)
        self._link_and_say(opened, found)
        if len(pairs) < PAIRS:
            self._say("Click a second pair for the rate, too, or Points… again to keep this.")

    def _points_toggled(self, wanted: bool) -> None:
        self._cycler_s, self._pairs = None, []
        self.dock.canvas.show_point(math.nan)
        self._say("Click a moment on the potential." if wanted else "")

    def _typed(self, offset_s: float, rate: float) -> None:
        with self.dock.errors_shown():
            opened = self.dock.session.need_current()
            self._link_and_say(opened, ClockLink(offset_s=offset_s, rate=rate, way="typed"))

    def _stamps_clicked(self) -> None:
        with self.dock.errors_shown():
            opened = self.dock.session.need_current()
            clock, note = clock_of_stamps(with_potential(opened), opened.recording)
            self._link_and_say(opened, clock, note)

    def _suggest_clicked(self) -> None:
        with self.dock.errors_shown():
            opened = self.dock.session.need_current()
            work = moments_in(opened, with_potential(opened))
            self.dock.start(work, functools.partial(self._suggest, opened))

    def _suggest(self, opened: Opened, found: Found) -> None:
        self.take(opened, found)
        if opened is self.dock.session.current:
            rate = with_potential(opened).clock_rate
            self._link_and_say(opened, suggest_clock(found[1], rate))

    def _link_and_say(self, opened: Opened, clock: ClockLink, note: str = "") -> None:
        clock = self.link(opened, clock)
        words = [f"Clock offset {clock.offset_s:.2f} s"]
        words += [f"rate {clock.rate:.6g}"] if clock.rate != 1 else []
        self._say(f"{', '.join(words)}{f'; {note}' if note else ''}.")

    def _say(self, text: str) -> None:
        self.dock.status.setText(text)


def _fit(clock: ClockLink, moments: Moments) -> str:
    """How well a link fits, in words."""
    n, of = coinciding(clock, moments)
    residual_s = with_residual(clock, moments).residual_s
    if not math.isfinite(residual_s):
        return f"only {n} of {of} steps coincide"
    return f"residual {residual_s:.2f} s, {n} of {of} steps"


def with_potential(opened: Opened) -> PotentialCurve:
    """The potential of a recording.

    Raises
    ------
    AlloyError
        If there is none.
    """
    potential = opened.experiment.potential
    if potential is None:
        raise AlloyError(
            f"{opened.name} has no potential; choose the cycler's file by Potential… in the "
            "Timeline, or name it under [potential] of recording.toml."
        )
    return potential
