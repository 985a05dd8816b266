"""What the page's controls are: drawn by the page as they are described here.

The optimisers, their settings, ranges and explanations are the library's own descriptions; what
is added is where a slider begins and ends. Not here: how a control looks (``static/controls.js``).
"""

from __future__ import annotations

import inspect
import math
from typing import Any

from thalweg.descent.fit import fit
from thalweg.figures.theme import COLORS, DASHES, NEUTRAL, SYMBOLS, theme
from thalweg.hyperparameters import SettingDescription, describe
from thalweg.lab.messages import COLUMNS, RUNS, VERSION, WRITTEN_ROWS
from thalweg.losses import NAMES
from thalweg.optimizers import RULES, Rule

_SPAN = (1e-5, 100.0)
"""Learning rates of rules whose steps do not scale with the gradient."""
_BEYOND = (1e-3, 1e2)
"""How far below and above the stable rate the slider of a rule goes that has one."""

# Where a slider begins and ends, for settings whose range does not say. Zero on a logarithmic
# slider is its own place, left of the smallest value.
_SLIDERS: dict[str, tuple[float, float, str]] = {
    "momentum": (0.0, 0.999, "linear"),
    "dampening": (0.0, 1.0, "linear"),
    "rho": (0.0, 1.0, "linear"),
    "lambd": (1e-8, 1.0, "log"),
    "t0": (1.0, 1e8, "log"),
    "step_sizes": (1e-9, 1e3, "log"),
    "eps": (1e-12, 1.0, "log"),
    "weight_decay": (1e-8, 1.0, "log"),
    "lr_decay": (1e-8, 1.0, "log"),
    "momentum_decay": (1e-5, 1.0, "log"),
    "initial_accumulator_value": (1e-8, 1e8, "log"),
    "alpha": (0.0, 0.999, "linear"),
}

_EXPLANATIONS = {
    "optimizer": "The rule that turns gradients into steps.",
    "lr": "The learning rate: how far a step goes.",
    "epochs": "How often the descent goes through all the rows.",
    "batch_size": "How many rows each step sees: all of them, or so many.",
    "shuffle": "Draws a new order of the rows for each epoch.",
    "drop_last": "Leaves out a last batch that is shorter than the others.",
    "loss": "What is made small: the mean of the squared, absolute or Huber residuals.",
    "delta": "Where the Huber loss turns from a parabola into a line, in units of the target.",
    "seed": "The number that the start and the shuffles are drawn from.",
    "start": "Where the descent begins: drawn from the seed, or a point of your own.",
    "standardize": "Descends in features of mean 0 and deviation 1; results stay in your units.",
}


def controls() -> dict[str, Any]:
    """Describe all controls, limits and colours, ready for JSON."""
    defaults = {name: p.default for name, p in inspect.signature(fit).parameters.items()}
    return {
        "version": VERSION,
        "optimizers": [_optimizer(name, rule) for name, rule in RULES.items()],
        "losses": [{"name": name, "label": words.label} for name, words in NAMES.items()],
        "defaults": {name: defaults[name] for name in _EXPLANATIONS},
        "explanations": _EXPLANATIONS,
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


def learning_rate_span(rule: type[Rule], stable: float | None) -> tuple[float, float]:
    """Say from where to where the learning rate's slider goes: whole decades.

    Examples
    --------
    >>> from thalweg.optimizers import NAdam, SGD
    >>> learning_rate_span(NAdam, None)
    (1e-05, 100.0)
    >>> learning_rate_span(SGD, 5e-10)
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
        "settings": [_setting(setting) for setting in describe(rule) if setting.name != "lr"],
    }


def _setting(setting: SettingDescription) -> dict[str, Any]:
    described: dict[str, Any] = {
        "name": setting.name,
        "kind": setting.kind,
        "default": setting.default,
        "explanation": setting.explanation,
    }
    if setting.kind != "flag":
        described["sliders"] = [_slider(setting, part) for part in range(len(setting.ranges))]
    return described


def _slider(setting: SettingDescription, part: int) -> dict[str, Any]:
    """Say where the slider of a number begins and ends, within what the rule takes."""
    limits = setting.ranges[part]
    if setting.name == "etas":
        low, high, scale = ((0.01, 0.99, "linear"), (1.01, 3.0, "linear"))[part]
    elif setting.name in _SLIDERS and not (setting.name == "alpha" and setting.default == 0.75):
        low, high, scale = _SLIDERS[setting.name]
    else:
        low, high, scale = 0.0, 0.9999, "linear"
    return {
        "low": low,
        "high": high,
        "scale": scale,
        "minimum": None if math.isinf(limits.minimum) else limits.minimum,
        "maximum": None if math.isinf(limits.maximum) else limits.maximum,
    }
