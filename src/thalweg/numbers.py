"""How numbers are written for people: in sentences, tables, labels and ticks.

Not here: numbers that are code, which Python's ``repr`` writes.
"""

from __future__ import annotations

import math

_SUPERSCRIPTS = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")
# Between these a number is read more easily in full than as a power of ten.
_LEAST, _MOST = 1e-4, 1e7


def number(value: float, digits: int = 4) -> str:
    """Write a number as one reads it: grouped thousands, a true minus, powers of ten.

    Parameters
    ----------
    value : float
    digits : int
        How many count, at most; those before the decimal point are all written.

    Examples
    --------
    >>> number(3551.81), number(-0.068302, 3), number(4.868e-10), number(12094198220.0, 2)
    ('3,552', '−0.0683', '4.868 × 10⁻¹⁰', '1.2 × 10¹⁰')
    >>> number(1e-8), number(float("inf")), number(float("nan"))
    ('10⁻⁸', '∞', 'not a number')
    """
    if math.isnan(value):
        return "not a number"
    if value == 0.0:
        return "0"
    if value < 0.0:
        return "−" + number(-value, digits)
    if value == math.inf:
        return "∞"
    mantissa, _, exponent = f"{value:.{digits - 1}e}".partition("e")
    if not _LEAST <= float(f"{mantissa}e{exponent}") < _MOST:
        mantissa = _without_zeros(mantissa)
        power = power_of_ten(int(exponent))
        return power if mantissa == "1" else f"{mantissa} × {power}"
    return _without_zeros(f"{value:,.{max(0, digits - 1 - int(exponent))}f}")


def counted(n: int, thing: str) -> str:
    """Say how many there are of a thing.

    Examples
    --------
    >>> counted(1, "row"), counted(2_000, "row")
    ('1 row', '2,000 rows')
    """
    return f"{n:,} {thing}{'s' * (n != 1)}"


def fixed(value: float, decimals: int) -> str:
    """Write a number with so many decimals, for a column of a table.

    Examples
    --------
    >>> fixed(-1.2, 4)
    '−1.2000'
    """
    return f"{value:,.{decimals}f}".replace("-", "−")


def power_of_ten(exponent: int) -> str:
    """Write a power of ten as it is read.

    Examples
    --------
    >>> power_of_ten(-3)
    '10⁻³'
    """
    return "10" + str(exponent).translate(_SUPERSCRIPTS)


def _without_zeros(text: str) -> str:
    return text.rstrip("0").rstrip(".") if "." in text else text
