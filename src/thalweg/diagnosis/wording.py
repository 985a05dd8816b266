"""How rates, counts and names are written in sentences.

Not here: the sentences (:mod:`thalweg.diagnosis.explanation`), numbers (:mod:`thalweg.numbers`).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from thalweg.conditioning.convergence import round_down
from thalweg.conditioning.curvature import Curvature
from thalweg.numbers import number
from thalweg.optimizers.choice import class_name

if TYPE_CHECKING:
    from thalweg.runs.run import Run


def told_apart(one: float, other: float) -> tuple[str, str]:
    """Write two numbers with as many digits as it takes to see that they differ.

    Examples
    --------
    >>> told_apart(1.8, 32.0), told_apart(1.80004, 1.80001)
    (('1.8', '32'), ('1.80004', '1.80001'))
    """
    digits = 4
    while number(one, digits) == number(other, digits) and one != other and digits < 17:
        digits += 1
    return number(one, digits), number(other, digits)


def rate(value: float) -> str:
    """Write a learning rate with three digits, never rounded up: a bound must hold as written.

    Examples
    --------
    >>> rate(4.8680e-10), rate(0.25), rate(0.00030396)
    ('4.86 × 10⁻¹⁰', '0.25', '0.000303')
    """
    return number(round_down(value, 3), 3)


def listed(words: Iterable[str]) -> str:
    """Join words as a sentence does.

    Examples
    --------
    >>> listed(["x1"]), listed(["x1", "x2", "x3"])
    ('x1', 'x1, x2 and x3')
    """
    items = list(words)
    if len(items) < 2:
        return "".join(items)
    return f"{', '.join(items[:-1])} and {items[-1]}"


def direction_name(curvature: Curvature, index: int) -> str:
    """Name a direction by the parameters that move along it.

    Examples
    --------
    >>> bowl = Curvature(("bias", "x1"), np.array([2.0, 1.0]), np.array([[0.6, 0.8], [1, 0]]), 2)
    >>> direction_name(bowl, 0), direction_name(bowl, 1)
    ('x1 and bias together', 'nearly all bias')
    >>> names = tuple(f"x{j}" for j in range(25))
    >>> direction_name(Curvature(names, np.ones(25), np.full((25, 25), 0.2), 25), 0)
    'a mix of x0, x1, x2 and 22 more'
    """
    shares = curvature.directions[index] ** 2
    order = np.argsort(-shares)
    first = str(curvature.names[order[0]])
    if len(shares) == 1:
        return first
    if shares[order[0]] >= 0.95:
        return f"nearly all {first}"
    parts = [curvature.names[j] for j in order if shares[j] >= 0.05]
    if len(parts) < 2:  # many take part, each with a little
        parts = [curvature.names[j] for j in order]
    if len(parts) == 2:
        one, other = curvature.directions[index, order[:2]]
        return listed(parts) + " together" if one * other > 0 else f"{parts[0]} against {parts[1]}"
    if len(parts) > 4:
        parts = [*parts[:3], f"{len(parts) - 3} more"]
    return f"a mix of {listed(parts)}"


def rule_name(run: Run) -> str:
    """Name a run's rule: "plain SGD", "SGD with momentum 0.9", "NAdam"."""
    name = run.settings.optimizer
    if name != "sgd":
        return class_name(name) or name
    momentum = run.asked.hyperparameters.get("momentum", 0.0)
    if not momentum:
        return "plain SGD"
    kind = "Nesterov momentum" if run.asked.hyperparameters.get("nesterov") else "momentum"
    return f"SGD with {kind} {number(momentum, 6)}"


def rule_and_rate(run: Run) -> str:
    """Begin a sentence with a run's rule and its learning rate."""
    name = rule_name(run)
    joined = "and" if " with " in name else "with"
    return capital(f"{name} {joined} lr = {number(run.settings.lr, 6)}")


def call(settings: Mapping[str, Any]) -> str:
    """Write keyword arguments as the call of ``fit`` that they are for.

    Examples
    --------
    >>> call({"optimizer": "sgd", "lr": 0.5})
    "thalweg.fit(data, optimizer='sgd', lr=0.5)"
    """
    return f"thalweg.fit({', '.join(['data', *(f'{k}={v!r}' for k, v in settings.items())])})"


def epochs_in_words(count: float) -> str:
    """Write a number of epochs, from a million on with two digits.

    Examples
    --------
    >>> epochs_in_words(1), epochs_in_words(352255), epochs_in_words(62123456)
    ('1 epoch', '352,255 epochs', '6.2 × 10⁷ epochs')
    """
    count = int(count)
    written = f"{count:,}" if count < 1_000_000 else number(float(f"{count:.1e}"), 2)
    return f"{written} epoch{'s' * (count != 1)}"


def capital(text: str) -> str:
    """Begin with a capital, unless the first word is a name: ``x1`` stays ``x1``."""
    return text[0].upper() + text[1:] if text[:6] in ("plain ", "nearly") else text
