"""UV-vis spectra in the dialects of spectrometers, and their figure."""

import numpy as np
import pytest

from napari_lithium_alloy.core.errors import AlloyError
from napari_lithium_alloy.io.figures.spectra import OpticalState, spectra_figure
from napari_lithium_alloy.io.spectra import Spectrum, read_spectra

NM = np.arange(400.0, 801.0, 50.0)
T = 0.3 + 0.2 * np.sin(NM / 90)


def written(tmp_path, text, name="film.csv", encoding="utf-8"):
    path = tmp_path / name
    path.write_text(text, encoding=encoding)
    return path


def rows(values, *, wavelengths=NM, sep=",", mark="."):
    pairs = zip(wavelengths, values, strict=True)
    return "\n".join(f"{w:.1f}{sep}{v:.6f}".replace(".", mark) for w, v in pairs) + "\n"


def only(path) -> Spectrum:
    (spectrum,) = read_spectra(path)
    return spectrum


@pytest.mark.parametrize(
    ("header", "values", "quantity"),
    [
        ("Wavelength (nm),%T", 100 * T, "transmittance"),
        ("wavelength_nm,transmittance", T, "transmittance"),
        ("Wavelength nm.,T%", 100 * T, "transmittance"),
        ("Wavelength [nm],Transmittance (%)", 100 * T, "transmittance"),
        ("nm,% Transmission", 100 * T, "transmittance"),
        ("lambda/nm,T / %", 100 * T, "transmittance"),
        ("Wavelength nm.,Abs.", -np.log10(T), "transmittance"),
        ("Wavelength (nm),A", -np.log10(T), "transmittance"),
        ("WL,Absorbance (a.u.)", -np.log10(T), "transmittance"),
        ("Wavelength (nm),%R", 100 * T, "reflectance"),
        ("Wavelength,Reflectance", T, "reflectance"),
        ("Wavelength (nm),R (percent)", 100 * T, "reflectance"),
    ],
)
def test_the_header_says_what_is_measured_and_in_what_unit(tmp_path, header, values, quantity):
    spectrum = only(written(tmp_path, f"{header}\n{rows(values)}"))
    assert spectrum.quantity == quantity
    np.testing.assert_array_equal(spectrum.wavelength_nm, NM)
    np.testing.assert_allclose(spectrum.value, T, atol=2e-6)
    assert spectrum.name == "film"
    assert spectrum.notes == ()


def test_other_lengths_become_nanometres_and_falling_wavelengths_rise(tmp_path):
    text = "Wavelength (µm);%T\n" + "\n".join(
        f"{w / 1000:.3f};{100 * t:.4f}" for w, t in zip(NM[::-1], T[::-1], strict=True)
    )
    spectrum = only(written(tmp_path, text))
    np.testing.assert_allclose(spectrum.wavelength_nm, NM)
    np.testing.assert_allclose(spectrum.value, T, atol=1e-6)


def test_decimal_commas_and_tabs_in_another_encoding(tmp_path):
    text = "Probe\tGold-Film für Zelle 3\nWavelength (nm)\t%T\n" + rows(100 * T, sep="\t", mark=",")
    spectrum = only(written(tmp_path, text, "film.txt", "latin-1"))
    np.testing.assert_allclose(spectrum.value, T, atol=1e-6)
    assert only(written(tmp_path, text, "wide.tsv", "utf-16")).value == pytest.approx(
        spectrum.value
    )


def test_pairs_of_columns_with_the_instruments_words_around_them(tmp_path):
    short = slice(0, 5)
    body = "\n".join(
        f"{w:.2f},{100 * t:.5f}," + (f"{w + 5:.2f},{100 * t / 2:.5f}," if k < 5 else ",,")
        for k, (w, t) in enumerate(zip(NM, T, strict=True))
    )
    text = (
        "pristine,,lithiated,,\nWavelength (nm),%T,Wavelength (nm),%R,\n"
        f"{body}\n\npristine\nInstrument,Cary 60\nStart (nm),800.0\n"
    )
    first, second = read_spectra(written(tmp_path, text))
    assert (first.quantity, second.quantity) == ("transmittance", "reflectance")
    np.testing.assert_allclose(first.value, T, atol=1e-6)
    np.testing.assert_allclose(second.value, T[short] / 2, atol=1e-6)
    np.testing.assert_array_equal(second.wavelength_nm, NM[short] + 5)
    assert (first.name, second.name) == ("film %T", "film %R")


def test_several_named_columns_share_a_wavelength(tmp_path):
    text = "wavelength_nm,pristine %T,Li3Au T (%),comment\n400,40,20,a\n500,50,25,b\n"
    first, second = read_spectra(written(tmp_path, text))
    assert (first.name, second.name) == ("film pristine", "film li3au")
    assert second.at(450) == pytest.approx(0.225)
    assert np.isnan(second.at(550))


def test_jascos_rows_have_no_header(tmp_path):
    text = (
        "TITLE\tAu\nXUNITS\tNANOMETERS\nYUNITS\t%T\nNPOINTS\t9\nXYDATA\n"
        f"{rows(100 * T, sep=chr(9))}\n##### Extended Information\nModel\tV-670\n"
    )
    np.testing.assert_allclose(only(written(tmp_path, text, "j.txt")).value, T, atol=1e-6)
    with pytest.raises(AlloyError, match="XUNITS are 1/CM"):
        read_spectra(written(tmp_path, text.replace("NANOMETERS", "1/CM")))


def test_per_cent_without_a_unit_is_said(tmp_path):
    spectrum = only(written(tmp_path, f"Wavelength,Transmittance\n{rows(100 * T)}"))
    np.testing.assert_allclose(spectrum.value, T, atol=1e-6)
    assert "taken as per cent" in spectrum.notes[0]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("Wavelength (nm),%T\n400,30\n450,OVER\n", "film.csv: line 3, column %T, holds 'OVER'"),
        ("Wavelength (nm),%T\n400,30\n-5,31\n", "line 3, column Wavelength .* not positive"),
        ("Wavelength (nm),%T\n400,30\n400,31\n", "line 3.* repeats the wavelength 400 nm"),
        ("Wavelength (nm),%T\n400,30\n", "has 1 values"),
        ("Wavelength (nm),counts\n400,30\n", "only Wavelength .nm., counts"),
        ("time,potential\n400,30\n", "no header that names a wavelength"),
        ("Wavenumber (cm-1),%T\n400,30\n", "no header that names a wavelength"),
        ("Wavelength (nm),%T\n", "no rows under it"),
    ],
)
def test_what_is_wrong_is_said_with_its_place(tmp_path, text, said):
    with pytest.raises(AlloyError, match=said):
        read_spectra(written(tmp_path, text))


def test_the_figure_marks_the_microscope_and_what_it_measured():
    spectra = [
        Spectrum(name="Au", quantity=q, measured_as=q, wavelength_nm=NM, value=v)
        for q, v in (("transmittance", T), ("reflectance", T / 2))
    ]
    states = [
        OpticalState(name="pristine", transmittance=0.4, reflectance=0.2),
        OpticalState(name="Li3Au", transmittance=0.1),
    ]
    axes = spectra_figure(spectra, wavelength_nm=550, states=states).axes[0]
    assert axes.get_ylabel() == "Transmittance, reflectance (%)"
    transmitted, reflected, at, *marks = axes.get_lines()
    np.testing.assert_allclose(transmitted.get_ydata(), 100 * T)
    assert (transmitted.get_linestyle(), reflected.get_linestyle()) == ("-", "--")
    assert list(at.get_xdata()) == [550, 550]
    assert [float(m.get_ydata()[0]) for m in marks] == pytest.approx([40, 20, 10])
    assert [m.get_markerfacecolor() for m in marks] == ["#000000", "none", "#000000"]
    assert axes.get_legend_handles_labels()[1] == ["Au", "Au", "pristine", "Li3Au"]
    assert spectra_figure(spectra[1:]).axes[0].get_ylabel() == "Reflectance (%)"
