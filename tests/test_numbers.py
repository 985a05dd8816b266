"""Numbers for people: each says what it stands for, and the page's script says the same."""

from __future__ import annotations

import json
import math
import shutil
import subprocess
from fractions import Fraction
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import thalweg
from thalweg.numbers import number

FORMAT = Path(thalweg.__file__).parent / "lab" / "static" / "format.js"


def read(text: str) -> Fraction:
    """Read a number back as a person does."""
    text = text.replace("−", "-").replace(",", "")
    mantissa, _, power = text.partition("10" if " × " not in text else " × 10")
    if not set(power) & set("⁻⁰¹²³⁴⁵⁶⁷⁸⁹"):
        return Fraction(text)
    exponent = int(power.translate(str.maketrans("⁻⁰¹²³⁴⁵⁶⁷⁸⁹", "-0123456789")))
    return Fraction({"": "1", "-": "-1"}.get(mantissa, mantissa)) * Fraction(10) ** exponent


@given(st.floats(allow_nan=False, allow_infinity=False), st.integers(1, 17))
def test_a_written_number_is_the_number_to_its_digits(value: float, digits: int) -> None:
    exact, got = Fraction(value), read(number(value, digits))
    assert abs(got - exact) <= abs(exact) * Fraction(1, 2) / Fraction(10) ** (digits - 1)


@pytest.mark.parametrize(
    ("value", "digits", "written"),
    [
        (0.0, 4, "0"),
        (-0.0, 4, "0"),
        (1234.5, 6, "1,234.5"),
        (-1234567.0, 3, "−1,234,567"),
        (9999999.6, 4, "10⁷"),
        (0.00099996, 4, "0.001"),
        (9.9999e-5, 3, "0.0001"),
        (5.0e-10, 2, "5 × 10⁻¹⁰"),
        (-1e300, 4, "−10³⁰⁰"),
        (math.inf, 4, "∞"),
        (-math.inf, 4, "−∞"),
        (math.nan, 4, "not a number"),
    ],
)
def test_what_is_written(value: float, digits: int, written: str) -> None:
    assert number(value, digits) == written


@pytest.mark.skipif(shutil.which("node") is None, reason="needs Node.js")
def test_the_page_writes_the_same() -> None:
    values = [0.0, -0.5, 0.00012345, 12.5, -999.5, 1234.5, 3.251e-9, 1.209e10, -6.512e300]
    script = (
        f"import({json.dumps(FORMAT.as_uri())})"
        f".then((m) => console.log(JSON.stringify({values}.map((v) => m.number(v, 5)))))"
    )
    done = subprocess.run(  # our own script
        ["node", "--input-type=module", "-e", script],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert json.loads(done.stdout) == [number(value, 5) for value in values]
