"""What the page's controls are: drawn by the page as they are described here.

The optimisers, their settings, ranges and explanations are the library's own descriptions; what
is added is where a slider begins and ends. Not here: how a control looks (``static/controls.js``).
"""

from __future__ import annotations

import math
from typing import Any

from thalweg.figures.theme import COLORS, DASHES, NEUTRAL, SYMBOLS, theme
from thalweg.kinds import Flag, Kind, Number, Range, Span, TwoNumbers
from thalweg.lab.messages import COLUMNS, OFFERED, RUNS, VERSION, WRITTEN_ROWS
from thalweg.losses import NAMES
from thalweg.optimizers.registry import RULES
from thalweg.optimizers.rule import Rule, declared
from thalweg.settings import DEFAULTS, MEANINGS

_SPAN = (1e-5, 100.0)
"""Learning rates of rules whose steps do not scale with the gradient."""
_BEYOND = (1e-3, 1e2)
"""How far below and above the stable rate the slider of a rule goes that has one."""

_START = "Where the descent begins: drawn from the seed, or a point of your own."


def controls() -> dict[str, Any]:
    """Describe all controls, limits and colours, ready for JSON."""
    return {
        "version": VERSION,
        "optimizers": [_optimizer(name, rule) for name, rule in RULES.items()],
        "losses": [{"name": name, "label": words.label} for name, words in NAMES.items()],
        "defaults": {**{name: DEFAULTS[name] for name in OFFERED}, "start": None},
        "explanations": {**{name: MEANINGS[name] for name in OFFERED}, "start": _START},
        "limits": {"runs": RUNS, "columns": COLUMNS, "rows": WRITTEN_ROWS},
        "look": {
            "colors": COLORS,
            "dashes": DASHES,
            "symbols": SYMBOLS,
            "neutral": NEUTRAL,
            "light": theme("light")["template"],
            "dark": theme("dark")["template"],
        },
    }


def learning_rate_span(stable: float | None) -> tuple[float, float]:
    """Say from where to where the learning rate's slider goes: whole decades.

    Examples
    --------
    >>> learning_rate_span(None)
    (1e-05, 100.0)
    >>> learning_rate_span(5e-10)
    (1e-13, 1e-07)
    """
    if stable is None or not 0.0 < stable < math.inf:
        return _SPAN
    low, high = (math.log10(factor * stable) for factor in _BEYOND)
    return float(f"1e{math.floor(low)}"), float(f"1e{math.ceil(high)}")


def _optimizer(name: str, rule: type[Rule]) -> dict[str, Any]:
    return {
        "name": name,
        "label": rule.__name__,
        "explanation": (rule.__doc__ or "").strip().split("\n")[0],
        "settings": [
            _setting(setting, kind, declared(rule).defaults[setting])
            for setting, kind in declared(rule).settings.items()
            if setting != "lr"
        ],
    }


def _setting(name: str, kind: Kind, default: Any) -> dict[str, Any]:
    described: dict[str, Any] = {
        "name": name, "kind": _KINDS[type(kind)], "default": default, "explanation": kind.meaning,
    }  # fmt: skip
    if isinstance(kind, Number):
        described["sliders"] = [_slider(kind.range, kind.span)]
    if isinstance(kind, TwoNumbers):
        described["sliders"] = list(map(_slider, kind.ranges, kind.spans))
    return described


_KINDS = {Number: "number", TwoNumbers: "pair", Flag: "flag"}


def _slider(limits: Range, span: Span) -> dict[str, Any]:
    """Say where the slider of a number begins and ends, within what the rule takes."""
    return {
        "low": span.low,
        "high": span.high,
        "scale": "log" if span.logarithmic else "linear",
        "minimum": None if math.isinf(limits.minimum) else limits.minimum,
        "maximum": None if math.isinf(limits.maximum) else limits.maximum,
    }
