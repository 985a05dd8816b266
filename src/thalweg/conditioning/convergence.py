r"""How fast batch descent by SGD comes down: in closed form, direction by direction.

Along a direction of curvature λ the distance to the solution e and the momentum buffer b follow
a linear recurrence of two terms, so k epochs are the k-th power of a 2×2 matrix, and the loss
above its minimum is :math:`\tfrac12 \sum_i \lambda_i e_i^2`. Arrays in, arrays out. Not here:
rules whose steps do not scale with the gradient: nothing but running them tells.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from thalweg.arrays import Array
from thalweg.conditioning.curvature import Curvature
from thalweg.conditioning.rates import stable_factor
from thalweg.optimizers.sgd import SGD

# Up to so many epochs each one is looked at; beyond, only until the crossing is bracketed.
LOOKED_AT = 2**15
_BLOCK = 512
# Beyond this nothing is computed: the answer is "never, for any purpose".
LONGEST = 10**15
_EPOCHS_PER_ROOT = 10
_SMALLEST_SHARE = 1e-7


@np.errstate(over="ignore", invalid="ignore")  # of a start as far away as numbers go
def epochs_to_reach(
    rule: SGD, curvature: Curvature, start: Array, excess: float, limit: int = LONGEST
) -> int | None:
    """Give the first epoch at whose end the loss is within ``excess`` of its minimum.

    With momentum the loss may rise again afterwards. Beyond :data:`LOOKED_AT` epochs it is an
    epoch at which the loss is within, and was not at half of it.

    Returns
    -------
    int or None
        None where the descent does not converge, or takes more than ``limit`` epochs.

    Examples
    --------
    >>> bowl = Curvature(("bias", "weight"), np.array([2.0, 0.02]), np.eye(2), 2)
    >>> epochs_to_reach(SGD(lr=0.5), bowl, np.array([1.0, 1.0]), 1e-4)
    230
    """
    values = curvature.values[: curvature.rank]
    away = start[: curvature.rank]
    if 0.5 * values @ away**2 <= excess:
        return 0
    factor = stable_factor(rule)
    if not factor or rule.lr * curvature.largest >= factor:
        return None
    if rule.momentum == 0.0:
        return _plain_epochs(rule.lr, values, away, excess, limit)
    return _momentum_epochs(rule, values, away, excess, limit)


def tuned_momentum(largest: float, smallest: float) -> tuple[float, float]:
    r"""Give the heavy ball's best learning rate and momentum between two curvatures.

    .. math:: \mathrm{lr} = \frac{4}{(\sqrt{\lambda_1} + \sqrt{\lambda_p})^2} \qquad
              \mu = \left(\frac{\sqrt{\lambda_1} - \sqrt{\lambda_p}}
                               {\sqrt{\lambda_1} + \sqrt{\lambda_p}}\right)^2

    References
    ----------
    B. T. Polyak (1964): see :func:`thalweg.conditioning.rates.stable_factor`.

    Examples
    --------
    >>> tuned_momentum(9.0, 1.0)
    (0.25, 0.25)
    """
    low, high = math.sqrt(smallest), math.sqrt(largest)
    return 4.0 / (high + low) ** 2, ((high - low) / (high + low)) ** 2


def momentum_within(curvature: Curvature, epochs: int) -> SGD:
    """Choose the heavy ball for so many epochs, wherever it starts.

    It needs about ten times the root of the condition number to shrink any distance by 1e6, and
    so the loss above its minimum by 1e12: no curvature is taken as less than the epochs can serve.
    Before it shrinks, the loss can grow by about the condition number: no curvature is taken as
    so small that this would look like a divergence.

    Examples
    --------
    >>> bowl = Curvature(("bias", "weight"), np.array([9.0, 1.0]), np.eye(2), 2)
    >>> rule = momentum_within(bowl, 1000)
    >>> rule.lr, rule.momentum
    (0.25, 0.25)
    """
    share = min(1.0, max((_EPOCHS_PER_ROOT / epochs) ** 2, _SMALLEST_SHARE))
    served = curvature.largest * share
    lr, momentum = tuned_momentum(curvature.largest, max(curvature.smallest, served))
    return SGD(lr=lr, momentum=momentum)


def round_down(value: float, digits: int = 3) -> float:
    """Cut a positive number to so many significant digits: a rate that is easily written.

    Examples
    --------
    >>> round_down(0.0123456)
    0.0123
    """
    if value <= 0.0 or not math.isfinite(value):
        return value
    exponent = math.floor(math.log10(value)) - digits + 1
    mantissa = math.floor(value / 10.0**exponent * (1.0 + 1e-12))
    return float(f"{mantissa}e{exponent}")


def best_plain(curvature: Curvature, start: Array, excess: float) -> tuple[SGD, int | None]:
    """Choose plain SGD's rate for a given start and goal; say how many epochs it then needs.

    Directions whose distance matters little to the loss need not converge: each direction is
    tried as the flattest one that must. Where the loss is the same everywhere, any rate will do.
    """
    if not curvature.largest:
        return SGD(lr=0.01), 0
    best: tuple[SGD, int | None] = (SGD(lr=round_down(curvature.best_rate)), None)
    for smallest in _distinct(curvature):
        rule = SGD(lr=round_down(2.0 / (curvature.largest + smallest)))
        best = _sooner(best, (rule, epochs_to_reach(rule, curvature, start, excess)))
    return best


def best_momentum(curvature: Curvature, start: Array, excess: float) -> tuple[SGD, int | None]:
    """Choose the heavy ball's rate and momentum in the same way."""
    if not curvature.largest:
        return SGD(lr=0.01), 0
    best: tuple[SGD, int | None] = (SGD(lr=round_down(curvature.best_rate)), None)
    for smallest in _distinct(curvature):
        lr, momentum = tuned_momentum(curvature.largest, smallest)
        # 1 - momentum is what counts, and a rate at the very edge would leave no room.
        momentum = 1.0 - round_down(1.0 - momentum, 2) if momentum > 0.0 else 0.0
        rule = SGD(lr=round_down(0.98 * lr), momentum=round(momentum, 12))
        best = _sooner(best, (rule, epochs_to_reach(rule, curvature, start, excess, 10**7)))
    return best


def best_rate_for(
    rule: SGD, curvature: Curvature, start: Array, excess: float
) -> tuple[SGD, int | None]:
    """Choose the learning rate of an SGD whose momentum stays as it is."""
    if rule.momentum == 0.0:
        return best_plain(curvature, start, excess)
    factor = stable_factor(rule)
    best: tuple[SGD, int | None] = (rule, None)
    if not curvature.largest:
        return rule, 0
    if not factor:
        return best
    for share in (0.9, 0.7, 0.5, 0.3, 0.1, 0.03, 0.01):
        tried = rule._replace(lr=round_down(share * factor / curvature.largest))
        best = _sooner(best, (tried, epochs_to_reach(tried, curvature, start, excess, 10**7)))
    return best


def _sooner(best: tuple[SGD, int | None], other: tuple[SGD, int | None]) -> tuple[SGD, int | None]:
    if other[1] is None or (best[1] is not None and best[1] <= other[1]):
        return best
    return other


def _distinct(curvature: Curvature) -> list[float]:
    """List the curvatures that differ by more than a tenth, steepest first."""
    found: list[float] = []
    for value in curvature.values[: curvature.rank]:
        if not found or value < 0.9 * found[-1]:
            found.append(float(value))
    return found


def _plain_excess(lr: float, values: Array, away: Array, epochs: Array) -> Array:
    """Sum ½ λ e² (1 − lr λ)^(2k) by logarithms: exact for the flattest direction too."""
    step = lr * values
    with np.errstate(divide="ignore"):
        # |1 - step|: log1p keeps what a tiny step takes off.
        shrink = np.where(step < 1.0, np.log1p(-np.minimum(step, 1.0)), np.log(np.abs(1.0 - step)))
    with np.errstate(over="ignore", invalid="ignore"):
        powers = np.where(epochs[:, None] > 0, np.exp(2.0 * epochs[:, None] * shrink), 1.0)
    return np.asarray(powers @ (0.5 * values * away**2))


def _plain_epochs(lr: float, values: Array, away: Array, excess: float, limit: int) -> int | None:
    """Bisect: without momentum the loss falls at every epoch."""

    def within(k: int) -> bool:
        return bool(_plain_excess(lr, values, away, np.array([k], dtype=float))[0] <= excess)

    return _first_within(within, 1, limit)


def _first_within(within: Callable[[int], bool], start: int, limit: int) -> int | None:
    """Double until it holds, then bisect: the first number at which it does, none up to a limit."""
    high = start
    while not within(high):
        if high >= limit:
            return None
        high = min(2 * high, limit)
    low = high // 2
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if within(middle) else (middle, high)
    return high


def _momentum_epochs(
    rule: SGD, values: Array, away: Array, excess: float, limit: int
) -> int | None:
    """Look at every epoch in blocks; from :data:`LOOKED_AT` on double, then bisect."""
    matrix, state = _first_step(rule, values, away)
    weights = 0.5 * values
    block = np.empty((_BLOCK, *matrix.shape))
    block[0] = np.eye(2)
    for j in range(1, _BLOCK):
        block[j] = matrix @ block[j - 1]
    jump = matrix @ block[-1]
    for done in range(1, min(LOOKED_AT, limit) + 1, _BLOCK):
        ahead = np.einsum("pq,kpq->kp", state, block[:, :, 0, :])
        inside = np.flatnonzero((ahead**2) @ weights <= excess)
        if len(inside):
            found = done + int(inside[0])
            return found if found <= limit else None
        state = _apply(jump, state)
    return _bracketed(rule, values, away, excess, limit)


def _bracketed(rule: SGD, values: Array, away: Array, excess: float, limit: int) -> int | None:
    matrix, first = _first_step(rule, values, away)

    def within(k: int) -> bool:
        state = _apply(_power(matrix, k - 1), first)
        return bool(0.5 * values @ state[:, 0] ** 2 <= excess)

    return _first_within(within, LOOKED_AT, limit)


def _first_step(rule: SGD, values: Array, away: Array) -> tuple[Array, Array]:
    """Give the matrix of a step, (p, 2, 2), and the state after the first, (p, 2).

    The state is [e, b / λ], so that both are distances. PyTorch's first buffer is the gradient
    itself, undampened.
    """
    of_gradient = 1.0 * rule.nesterov
    of_buffer = rule.momentum if rule.nesterov else 1.0
    gain = 1.0 - rule.dampening
    step = rule.lr * values
    moved = away * (1.0 - step * (of_gradient + of_buffer))
    matrix = np.empty((len(values), 2, 2))
    matrix[:, 0, 0] = 1.0 - step * (of_gradient + of_buffer * gain)
    matrix[:, 0, 1] = -step * of_buffer * rule.momentum
    matrix[:, 1, 0] = gain
    matrix[:, 1, 1] = rule.momentum
    return matrix, np.column_stack([moved, away])


def _power(matrix: Array, k: int) -> Array:
    return np.asarray(np.linalg.matrix_power(matrix, k))


def _apply(matrix: Array, state: Array) -> Array:
    return np.asarray(np.einsum("pij,pj->pi", matrix, state))
