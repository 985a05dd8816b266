"""The templates' environment: what they can call, and everything else escaped.

Not here: what a page says (:mod:`thalweg.pages.page`).
"""

from __future__ import annotations

import re
from functools import cache
from html import escape

import jinja2
from markupsafe import Markup

from thalweg.numbers import fixed, number

_CALL = re.compile(r"thalweg\.\w+\((?:[^()]|\([^()]*\))*\)")


@cache  # without arguments: there is one
def environment() -> jinja2.Environment:
    """Give the environment of the templates in ``thalweg/pages/templates``."""
    made = jinja2.Environment(
        loader=jinja2.PackageLoader("thalweg.pages"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        extensions=["jinja2.ext.do"],
    )
    made.filters["number"] = unbroken
    made.filters["fixed"] = fixed
    made.filters["with_code"] = with_code
    return made


def unbroken(value: float, digits: int = 6) -> str:
    """Write a number so that no line ends within it."""
    return number(value, digits).replace(" ", "\u00a0")


def with_code(text: str) -> Markup:
    """Write sentences as HTML, a call in them as code.

    Examples
    --------
    >>> print(with_code("thalweg.solve(data) & co"))
    <code>thalweg.solve(data)</code> &amp; co
    """
    escaped = escape(text, quote=False)
    return Markup(_CALL.sub(lambda call: f"<code>{call[0]}</code>", escaped))  # noqa: S704  # escaped
