"""Columns as people read them."""

from __future__ import annotations

_UNITS = {
    "_mah_cm2": "mAh cm⁻²",
    "_ma_cm2": "mA cm⁻²",
    "_um2_s": "µm² s⁻¹",
    "_um_s": "µm s⁻¹",
    "_um2": "µm²",
    "_um": "µm",
    "_px": "px",
    "_ma": "mA",
    "_s": "s",
    "_v": "V",
}
_WORDS = {
    "pearson_r": "Pearson's r",
    "p_value": "p",
    "n_px": "Pixels",
    "n_effective": "Effective n",
    "li_content_x": "Li content x",
    "null_low": "Null 2.5 %",
    "null_high": "Null 97.5 %",
    "attainable_r": "Attainable |r|",
    "snr": "SNR",
    "p05_s": "5 % (s)",
    "p95_s": "95 % (s)",
    "median_sd_s": "Median SD (s)",
    "fitted_um2": "Fitted density (µm⁻²)",
}


def header(column: str) -> str:
    """A column's name for people, its unit in brackets."""
    if column in _WORDS:
        return _WORDS[column]
    for suffix, unit in _UNITS.items():
        if column.endswith(suffix):
            counted = "µm⁻²" if suffix == "_um2" and "density" in column else unit
            return f"{sentence(column.removesuffix(suffix))} ({counted})"
    return sentence(column)


def valued(column: str, value: object) -> str:
    """A value in words: "0.5 mA cm⁻²", "Cycle 1"; a text stands for itself."""
    text = f"{value:g}" if isinstance(value, float) else str(value)
    if isinstance(value, str):
        return text
    unit = next((u for suffix, u in _UNITS.items() if column.endswith(suffix)), None)
    return f"{text} {unit}" if unit else f"{sentence(column)} {text}"


def sentence(name: str) -> str:
    """A name with a capital and without underscores."""
    words = name.replace("_", " ")
    return words[:1].upper() + words[1:]
