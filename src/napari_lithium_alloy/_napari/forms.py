"""Forms of parameters, made from the frozen dataclasses of core."""

from __future__ import annotations

import dataclasses
import typing
from dataclasses import dataclass
from types import NoneType
from typing import Any, Generic, Literal, TypeVar, get_args, get_origin

from magicgui.widgets import CheckBox, ComboBox, FloatSpinBox, LineEdit, SpinBox
from qtpy.QtWidgets import QAbstractSpinBox, QFormLayout, QHBoxLayout, QLabel, QWidget

from napari_lithium_alloy.core.errors import AlloyError

Parameters = TypeVar("Parameters")


@dataclass(frozen=True, kw_only=True)
class Field:
    """How one parameter is asked for.

    Attributes
    ----------
    label : str
        Its name with its unit.
    tip : str
        What the number does.
    low, high, step : float
        Bounds and step of a number.
    unset : str
        Shown in an empty box: what is used where nothing is typed.
    choices : tuple of str, optional
        What can be chosen, for a text that isn't a Literal.
    beside : bool
        Whether it stands in the row of the one before, whose label tells of both.
    """

    label: str
    tip: str
    low: float = 0.0
    high: float = 1e6
    step: float = 1.0
    unset: str = "automatic"
    choices: tuple[str, ...] = ()
    beside: bool = False


class OptionalNumber(LineEdit):
    """A number that may be left empty: None."""

    def __init__(self, *, field: Field, value: float | None, **options: Any) -> None:
        super().__init__(value="" if value is None else f"{value:g}", **options)
        self.field = field
        self.native.setPlaceholderText(field.unset)

    @property
    def number(self) -> float | None:
        """What is typed, None for nothing.

        Raises
        ------
        AlloyError
            If it is no number within its bounds.
        """
        text = self.value.strip().replace(",", ".")
        if not text:
            return None
        try:
            number = float(text)
        except ValueError:
            number = float("nan")
        if not self.field.low <= number <= self.field.high:
            raise AlloyError(
                f"{self.field.label}: {self.value} is no number from {self.field.low:g} to "
                f"{self.field.high:g}; type one or leave it empty."
            )
        return number


NARROW = "min-width: 36px; padding: 1px 4px;"
"""In place of napari's for a number, which leaves no room for others in its row."""
LABEL_PX = 170
"""Width of labels, the same in all forms so that they stand in one column."""


def rows(*widgets: tuple[str, QWidget], label_px: int = LABEL_PX) -> QWidget:
    """Labelled rows of controls."""
    box = QWidget()
    form = QFormLayout(box)
    form.setContentsMargins(0, 0, 0, 0)
    form.setVerticalSpacing(4)
    form.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.AllNonFixedFieldsGrow)
    for text, widget in widgets:
        label = QLabel(text)
        label.setMinimumWidth(label_px)
        form.addRow(label, widget)
    return box


def beside(*widgets: QWidget) -> QWidget:
    """Controls in one row, equally wide; numbers without buttons, for which there is no room."""
    if len(widgets) == 1:
        return widgets[0]
    box = QWidget()
    layout = QHBoxLayout(box)
    layout.setContentsMargins(0, 0, 0, 0)
    for widget in widgets:
        if isinstance(widget, QAbstractSpinBox):
            widget.setButtonSymbols(QAbstractSpinBox.ButtonSymbols.NoButtons)
            widget.setStyleSheet(NARROW)
        layout.addWidget(widget, 1)
    return box


class Form(Generic[Parameters]):
    """magicgui's widgets for some of the fields of a parameter dataclass.

    Parameters
    ----------
    defaults : dataclass instance
        Where the values start from; fields that are not asked for keep these.
    fields : dict
        How each parameter is asked for, in order.
    """

    def __init__(self, defaults: Parameters, fields: dict[str, Field]) -> None:
        self._base = defaults
        types = typing.get_type_hints(type(defaults))
        self.widgets = {
            name: _widget(types[name], getattr(defaults, name), name, field)
            for name, field in fields.items()
        }
        shared: list[tuple[str, list[QWidget]]] = []
        for name, widget in self.widgets.items():
            if fields[name].beside:
                shared[-1][1].append(widget.native)
            else:
                shared.append((widget.label, [widget.native]))
        placed = [(label, beside(*own)) for label, own in shared]
        self.native = rows(*placed)
        firsts = [name for name in self.widgets if not fields[name].beside]
        self._rows = dict(zip(firsts, (box for _, box in placed), strict=True))
        for widget in self.widgets.values():
            widget.native.setToolTip(widget.tooltip)
            if isinstance(widget, CheckBox):
                widget.native.setText("")  # its label stands beside it

    def __getitem__(self, name: str) -> Any:
        return self.widgets[name]

    def show_row(self, name: str, visible: bool) -> None:
        """Show or hide one parameter, with those beside it."""
        self.native.layout().setRowVisible(self._rows[name], visible)

    @property
    def value(self) -> Parameters:
        """The parameters as they stand.

        Raises
        ------
        AlloyError
            If something typed is no number.
        """
        typed = {
            name: w.number if isinstance(w, OptionalNumber) else w.value
            for name, w in self.widgets.items()
        }
        return dataclasses.replace(self._base, **typed)  # type: ignore[type-var]

    @value.setter
    def value(self, parameters: Parameters) -> None:
        self._base = parameters
        for name, widget in self.widgets.items():
            value = getattr(parameters, name)
            if isinstance(widget, OptionalNumber):
                widget.value = "" if value is None else f"{value:g}"
            else:
                widget.value = value


def _widget(hint: Any, value: Any, name: str, field: Field) -> Any:
    common = {"name": name, "label": field.label, "tooltip": field.tip}
    choices = field.choices
    if get_origin(hint) is Literal:
        choices = get_args(hint)
    if choices:
        return ComboBox(choices=choices, value=value, **common)
    if NoneType in get_args(hint):
        return OptionalNumber(field=field, value=value, **common)
    if hint is bool:
        return CheckBox(value=value, **common)
    if hint is int:
        return SpinBox(
            value=value, min=int(field.low), max=int(field.high), step=int(field.step), **common
        )
    return FloatSpinBox(value=value, min=field.low, max=field.high, step=field.step, **common)
