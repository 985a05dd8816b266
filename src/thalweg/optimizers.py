"""The optimisers: each rule's settings, its schedule, and its update of one parameter.

A rule is a NamedTuple of the settings that the class of the same name in ``torch.optim`` takes,
with PyTorch's defaults. Beside it stand three pure functions, written for Python's floats and
compiled for the engines as they are:

``bases(rule) -> bases``
    The two numbers whose powers the schedule needs, such as Adam's betas; 1 where it needs none.
``schedule(rule, step, bases, powers, numbers) -> now, numbers``
    What a step needs that is the same for all parameters, such as bias corrections: six numbers,
    those not needed 0. ``step`` counts from 1, ``powers`` are ``bases`` to the power ``step``,
    and ``numbers`` are what the rule carries from one step to the next, such as NAdam's product
    of momenta.
``update(rule, now, parameter, gradient, memory) -> parameter, memory``
    One parameter's step; ``memory`` is what the rule carries for each parameter. No branch
    depends on the parameter, so a loop over parameters, or over runs, becomes vector code.

Not here: the settings' ranges and checks (:mod:`thalweg.hyperparameters`), walking the steps
(:mod:`thalweg.descent.fit`), the gradients (:mod:`thalweg.losses`).

References
----------
The equations are those of PyTorch 2.13's ``torch.optim``, whose documentation names the papers.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import NamedTuple, TypeAlias

Pair: TypeAlias = tuple[float, float]
Scalars: TypeAlias = tuple[float, ...]
Now: TypeAlias = tuple[float, float, float, float, float, float]

# The arithmetic is PyTorch's to rounding, with two liberties that change no result: flags enter
# as factors 0 and 1 in place of branches, and what does not depend on the parameter is worked out
# once a step, with few divisions, which wait for one another, and the learning rate last, which
# alone differs between the runs of a sweep. PyTorch's documentation of each class names the paper.


class SGD(NamedTuple):
    """Stochastic gradient descent, plain, with momentum or with Nesterov's."""

    lr: float = 1e-3
    momentum: float = 0.0
    dampening: float = 0.0
    weight_decay: float = 0.0
    nesterov: bool = False
    maximize: bool = False


def _sgd_schedule(
    rule: SGD, step: float, bases: Pair, powers: Pair, numbers: Pair
) -> tuple[Now, Pair]:
    # The step is lr · (buffer), or lr · (gradient + momentum · buffer) with Nesterov: linear in
    # gradient, parameter and old buffer. Their factors are made here to keep the update short.
    # The first gradient fills the buffer whole: dampening starts with the second.
    dampened = 1.0 if step > 1.0 and rule.momentum != 0.0 else 0.0
    gain = 1.0 - rule.dampening * dampened
    of_buffer = rule.momentum if rule.nesterov else 1.0
    of_gradient = (1.0 if rule.nesterov else 0.0) + of_buffer * gain
    sign = 1.0 - 2.0 * rule.maximize
    push = rule.lr * of_gradient * sign
    shrink = 1.0 - rule.lr * of_gradient * rule.weight_decay
    carry = rule.lr * of_buffer * rule.momentum
    return (push, shrink, carry, gain * sign, gain * rule.weight_decay, 0.0), numbers


def _sgd_update(
    rule: SGD, now: Now, parameter: float, gradient: float, memory: Scalars
) -> tuple[float, Scalars]:
    push, shrink, carry, gain, decay, _ = now
    momentum_buffer = gain * gradient + (decay * parameter + rule.momentum * memory[0])
    return (shrink * parameter - carry * memory[0]) - push * gradient, (momentum_buffer,)


class PlainSGD(NamedTuple):
    """SGD without momentum, which remembers nothing: walked in its place, see :func:`walked`."""

    lr: float = 1e-3
    weight_decay: float = 0.0
    maximize: bool = False


def _plain_sgd_schedule(
    rule: PlainSGD, step: float, bases: Pair, powers: Pair, numbers: Pair
) -> tuple[Now, Pair]:
    shrink = 1.0 - rule.lr * rule.weight_decay
    return (rule.lr * (1.0 - 2.0 * rule.maximize), shrink, 0.0, 0.0, 0.0, 0.0), numbers


def _plain_sgd_update(
    rule: PlainSGD, now: Now, parameter: float, gradient: float, memory: Scalars
) -> tuple[float, Scalars]:
    push, shrink, _, _, _, _ = now
    return shrink * parameter - push * gradient, memory


class Adagrad(NamedTuple):
    """Steps divided by the root of the sum of all squared gradients."""

    lr: float = 1e-2
    lr_decay: float = 0.0
    weight_decay: float = 0.0
    initial_accumulator_value: float = 0.0
    eps: float = 1e-10
    maximize: bool = False


def _adagrad_schedule(
    rule: Adagrad, step: float, bases: Pair, powers: Pair, numbers: Pair
) -> tuple[Now, Pair]:
    step_size = rule.lr / (1.0 + (step - 1.0) * rule.lr_decay)
    return (1.0 - 2.0 * rule.maximize, step_size, 0.0, 0.0, 0.0, 0.0), numbers


def _adagrad_update(
    rule: Adagrad, now: Now, parameter: float, gradient: float, memory: Scalars
) -> tuple[float, Scalars]:
    sign, step_size, _, _, _, _ = now
    gradient = sign * gradient + rule.weight_decay * parameter
    total = memory[0] + gradient * gradient
    return parameter - step_size * gradient / (math.sqrt(total) + rule.eps), (total,)


class Adadelta(NamedTuple):
    """Steps in the ratio of past updates to past gradients, so that units cancel."""

    lr: float = 1.0
    rho: float = 0.9
    eps: float = 1e-6
    weight_decay: float = 0.0
    maximize: bool = False


def _adadelta_schedule(
    rule: Adadelta, step: float, bases: Pair, powers: Pair, numbers: Pair
) -> tuple[Now, Pair]:
    return (1.0 - 2.0 * rule.maximize, 1.0 - rule.rho, 0.0, 0.0, 0.0, 0.0), numbers


def _adadelta_update(
    rule: Adadelta, now: Now, parameter: float, gradient: float, memory: Scalars
) -> tuple[float, Scalars]:
    sign, gain, _, _, _, _ = now
    gradient = sign * gradient + rule.weight_decay * parameter
    square_avg = rule.rho * memory[0] + gain * (gradient * gradient)
    delta = math.sqrt(memory[1] + rule.eps) / math.sqrt(square_avg + rule.eps) * gradient
    acc_delta = rule.rho * memory[1] + gain * (delta * delta)
    return parameter - rule.lr * delta, (square_avg, acc_delta)


class RMSprop(NamedTuple):
    """Steps divided by the root of a moving average of squared gradients, centred or not."""

    lr: float = 1e-2
    alpha: float = 0.99
    eps: float = 1e-8
    weight_decay: float = 0.0
    momentum: float = 0.0
    centered: bool = False
    maximize: bool = False


def _rmsprop_schedule(
    rule: RMSprop, step: float, bases: Pair, powers: Pair, numbers: Pair
) -> tuple[Now, Pair]:
    centered = 1.0 * rule.centered
    return (1.0 - 2.0 * rule.maximize, 1.0 - rule.alpha, centered, 0.0, 0.0, 0.0), numbers


def _rmsprop_update(
    rule: RMSprop, now: Now, parameter: float, gradient: float, memory: Scalars
) -> tuple[float, Scalars]:
    sign, gain, centered, _, _, _ = now
    gradient = sign * gradient + rule.weight_decay * parameter
    square_avg = rule.alpha * memory[0] + gain * (gradient * gradient)
    grad_avg = memory[2] + gain * (gradient - memory[2])
    scale = math.sqrt(square_avg - centered * (grad_avg * grad_avg)) + rule.eps
    momentum_buffer = rule.momentum * memory[1] + gradient / scale
    return parameter - rule.lr * momentum_buffer, (square_avg, momentum_buffer, grad_avg)


class Adam(NamedTuple):
    """Moving averages of the gradient and of its square, both corrected for their start."""

    lr: float = 1e-3
    betas: Pair = (0.9, 0.999)
    eps: float = 1e-8
    weight_decay: float = 0.0
    amsgrad: bool = False
    maximize: bool = False
    decoupled_weight_decay: bool = False


def _adam_schedule(
    rule: Adam, step: float, bases: Pair, powers: Pair, numbers: Pair
) -> tuple[Now, Pair]:
    decoupled = 1.0 * rule.decoupled_weight_decay
    shrink = 1.0 - rule.lr * rule.weight_decay * decoupled
    decay = rule.weight_decay * (1.0 - decoupled)
    # With the bias correction c out of the root, √(v / c) + eps is (√v + eps √c) / √c.
    root = math.sqrt(1.0 - powers[1])
    step_size = rule.lr * (root / (1.0 - powers[0]))
    sign = 1.0 - 2.0 * rule.maximize
    return (sign, shrink, decay, 1.0 * rule.amsgrad, step_size, rule.eps * root), numbers


def _adam_update(
    rule: Adam, now: Now, parameter: float, gradient: float, memory: Scalars
) -> tuple[float, Scalars]:
    sign, shrink, decay, amsgrad, step_size, floor = now
    beta1, beta2 = rule.betas
    gradient = sign * gradient + decay * parameter
    exp_avg = memory[0] + (1.0 - beta1) * (gradient - memory[0])
    exp_avg_sq = beta2 * memory[1] + (1.0 - beta2) * (gradient * gradient)
    held = amsgrad * memory[2]
    max_exp_avg_sq = exp_avg_sq if exp_avg_sq > held else held
    step = step_size * exp_avg / (math.sqrt(max_exp_avg_sq) + floor)
    return shrink * parameter - step, (exp_avg, exp_avg_sq, max_exp_avg_sq)


class AdamW(NamedTuple):
    """Adam with its weight decay apart from the gradient."""

    lr: float = 1e-3
    betas: Pair = (0.9, 0.999)
    eps: float = 1e-8
    weight_decay: float = 1e-2
    amsgrad: bool = False
    maximize: bool = False


class Adamax(NamedTuple):
    """Adam with the largest recent gradient in place of the squared average."""

    lr: float = 2e-3
    betas: Pair = (0.9, 0.999)
    eps: float = 1e-8
    weight_decay: float = 0.0
    maximize: bool = False


def _adamax_schedule(
    rule: Adamax, step: float, bases: Pair, powers: Pair, numbers: Pair
) -> tuple[Now, Pair]:
    step_size = rule.lr / (1.0 - powers[0])
    return (1.0 - 2.0 * rule.maximize, step_size, 0.0, 0.0, 0.0, 0.0), numbers


def _adamax_update(
    rule: Adamax, now: Now, parameter: float, gradient: float, memory: Scalars
) -> tuple[float, Scalars]:
    sign, step_size, _, _, _, _ = now
    beta1, beta2 = rule.betas
    gradient = sign * gradient + rule.weight_decay * parameter
    exp_avg = memory[0] + (1.0 - beta1) * (gradient - memory[0])
    held, fresh = beta2 * memory[1], abs(gradient) + rule.eps
    exp_inf = fresh if fresh > held else held
    return parameter - step_size * exp_avg / exp_inf, (exp_avg, exp_inf)


class NAdam(NamedTuple):
    """Adam with Nesterov's momentum, which itself warms up over the steps."""

    lr: float = 2e-3
    betas: Pair = (0.9, 0.999)
    eps: float = 1e-8
    weight_decay: float = 0.0
    momentum_decay: float = 4e-3
    decoupled_weight_decay: bool = False
    maximize: bool = False


def _nadam_schedule(
    rule: NAdam, step: float, bases: Pair, powers: Pair, numbers: Pair
) -> tuple[Now, Pair]:
    # powers[1] is 0.96 ** (momentum_decay · step): how far the momentum still is from beta1.
    mu = rule.betas[0] * (1.0 - 0.5 * powers[1])
    mu_next = rule.betas[0] * (1.0 - 0.5 * (powers[1] * bases[1]))
    mu_product = numbers[0] * mu
    # With the bias correction c out of the root, √(v / c) + eps is (√v + eps √c) / √c; and the
    # two quotients lr (1 - mu) / rest and lr mu_next / rest_next share one division.
    root = math.sqrt(1.0 - powers[0])
    rest, rest_next = 1.0 - mu_product, 1.0 - mu_product * mu_next
    share = root / (rest * rest_next)
    of_gradient = rule.lr * (share * rest_next * (1.0 - mu))
    of_average = rule.lr * (share * rest * mu_next)
    decoupled = 1.0 * rule.decoupled_weight_decay
    shrink = 1.0 - rule.lr * rule.weight_decay * decoupled
    decay = rule.weight_decay * (1.0 - decoupled)
    sign = 1.0 - 2.0 * rule.maximize
    now = (sign, shrink, decay, of_gradient, of_average, rule.eps * root)
    return now, (mu_product, numbers[1])


def _nadam_update(
    rule: NAdam, now: Now, parameter: float, gradient: float, memory: Scalars
) -> tuple[float, Scalars]:
    sign, shrink, decay, of_gradient, of_average, floor = now
    beta1, beta2 = rule.betas
    gradient = sign * gradient + decay * parameter
    exp_avg = memory[0] + (1.0 - beta1) * (gradient - memory[0])
    exp_avg_sq = beta2 * memory[1] + (1.0 - beta2) * (gradient * gradient)
    step = (of_gradient * gradient + of_average * exp_avg) / (math.sqrt(exp_avg_sq) + floor)
    return shrink * parameter - step, (exp_avg, exp_avg_sq)


class RAdam(NamedTuple):
    """Adam that scales its steps only once the squared average is worth trusting."""

    lr: float = 1e-3
    betas: Pair = (0.9, 0.999)
    eps: float = 1e-8
    weight_decay: float = 0.0
    decoupled_weight_decay: bool = False
    maximize: bool = False


def _radam_schedule(
    rule: RAdam, step: float, bases: Pair, powers: Pair, numbers: Pair
) -> tuple[Now, Pair]:
    correction = 1.0 - powers[1]
    rho_inf = 2.0 / (1.0 - rule.betas[1]) - 1.0
    rho = rho_inf - 2.0 * step * powers[1] / correction
    trusted = rho > 5.0
    above = rho if trusted else 5.0  # keeps the root real where it is not used
    rectified = (above - 4.0) * (above - 2.0) * rho_inf
    rectified = rectified / ((rho_inf - 4.0) * (rho_inf - 2.0) * above) * correction
    step_size = rule.lr * ((math.sqrt(rectified) if trusted else 1.0) / (1.0 - powers[0]))
    # Untrusted, the step is plain momentum: the scale is 0 · √v + 1.
    of_root, floor = (1.0, rule.eps) if trusted else (0.0, 1.0)
    decoupled = 1.0 * rule.decoupled_weight_decay
    shrink = 1.0 - rule.lr * rule.weight_decay * decoupled
    decay = rule.weight_decay * (1.0 - decoupled)
    return (1.0 - 2.0 * rule.maximize, shrink, decay, step_size, of_root, floor), numbers


def _radam_update(
    rule: RAdam, now: Now, parameter: float, gradient: float, memory: Scalars
) -> tuple[float, Scalars]:
    sign, shrink, decay, step_size, of_root, floor = now
    beta1, beta2 = rule.betas
    gradient = sign * gradient + decay * parameter
    exp_avg = memory[0] + (1.0 - beta1) * (gradient - memory[0])
    exp_avg_sq = beta2 * memory[1] + (1.0 - beta2) * (gradient * gradient)
    scale = of_root * math.sqrt(exp_avg_sq) + floor
    return shrink * parameter - step_size * exp_avg / scale, (exp_avg, exp_avg_sq)


class ASGD(NamedTuple):
    """Gradient descent whose steps shorten by a power law and whose parameters are averaged."""

    lr: float = 1e-2
    lambd: float = 1e-4
    alpha: float = 0.75
    t0: float = 1e6
    weight_decay: float = 0.0
    maximize: bool = False


def _asgd_schedule(
    rule: ASGD, step: float, bases: Pair, powers: Pair, numbers: Pair
) -> tuple[Now, Pair]:
    eta, mu = numbers
    now = (1.0 - 2.0 * rule.maximize, 1.0 - rule.lambd * eta, eta, mu, 0.0, 0.0)
    next_eta = rule.lr / (1.0 + rule.lambd * rule.lr * step) ** rule.alpha
    since = step - rule.t0
    return now, (next_eta, 1.0 / (since if since > 1.0 else 1.0))


def _asgd_update(
    rule: ASGD, now: Now, parameter: float, gradient: float, memory: Scalars
) -> tuple[float, Scalars]:
    sign, shrink, eta, mu, _, _ = now
    gradient = sign * gradient + rule.weight_decay * parameter
    moved = shrink * parameter - eta * gradient
    ax = moved if mu == 1.0 else memory[0] + (moved - memory[0]) * mu
    return moved, (ax,)


class Rprop(NamedTuple):
    """Steps that lengthen while the gradient keeps its sign and shorten when it turns."""

    lr: float = 1e-2
    etas: Pair = (0.5, 1.2)
    step_sizes: Pair = (1e-6, 50.0)
    maximize: bool = False


def _rprop_schedule(
    rule: Rprop, step: float, bases: Pair, powers: Pair, numbers: Pair
) -> tuple[Now, Pair]:
    return (1.0 - 2.0 * rule.maximize, 0.0, 0.0, 0.0, 0.0, 0.0), numbers


def _rprop_update(
    rule: Rprop, now: Now, parameter: float, gradient: float, memory: Scalars
) -> tuple[float, Scalars]:
    gradient = now[0] * gradient
    agreement = gradient * memory[0]
    factor = rule.etas[1] if agreement > 0.0 else 1.0
    factor = rule.etas[0] if agreement < 0.0 else factor
    length = memory[1] * factor
    length = length if length > rule.step_sizes[0] else rule.step_sizes[0]
    length = length if length < rule.step_sizes[1] else rule.step_sizes[1]
    kept = 0.0 if agreement < 0.0 else gradient
    direction = 1.0 if kept > 0.0 else 0.0
    direction = -1.0 if kept < 0.0 else direction
    return parameter - direction * length, (kept, length)


Rule: TypeAlias = (
    SGD | Adagrad | Adadelta | RMSprop | Adam | AdamW | Adamax | NAdam | RAdam | ASGD | Rprop
)

Walked: TypeAlias = Rule | PlainSGD
"""What :func:`walked` gives; AdamW is never among them."""

RULES: dict[str, type[Rule]] = {
    rule.__name__.lower(): rule
    for rule in (
        SGD, Adagrad, Adadelta, RMSprop, Adam, AdamW, Adamax, NAdam, RAdam, ASGD, Rprop,
    )
}  # fmt: skip
"""Each rule by the name that :func:`thalweg.fit` takes."""


def walked(rule: Rule) -> Walked:
    """Give the rule that makes the same steps and has an arithmetic of its own.

    Examples
    --------
    >>> walked(SGD(lr=0.1))
    PlainSGD(lr=0.1, weight_decay=0.0, maximize=False)
    >>> walked(SGD(lr=0.1, momentum=0.9)).momentum
    0.9
    """
    if isinstance(rule, AdamW):
        return Adam(*rule, decoupled_weight_decay=True)
    if isinstance(rule, SGD) and rule.momentum == 0.0:
        return PlainSGD(rule.lr, rule.weight_decay, rule.maximize)
    return rule


def _no_bases(rule: Walked) -> Pair:
    return 1.0, 1.0


def _both_betas(rule: Adam | Adamax | RAdam) -> Pair:
    return rule.betas


def _nadam_bases(rule: NAdam) -> Pair:
    return rule.betas[1], 0.96**rule.momentum_decay


class Arithmetic(NamedTuple):
    """A rule's three functions, as the module's docstring says them."""

    bases: Callable[..., Pair]
    schedule: Callable[..., tuple[Now, Pair]]
    update: Callable[..., tuple[float, Scalars]]


ARITHMETIC: dict[type[Walked], Arithmetic] = {
    PlainSGD: Arithmetic(_no_bases, _plain_sgd_schedule, _plain_sgd_update),
    SGD: Arithmetic(_no_bases, _sgd_schedule, _sgd_update),
    Adagrad: Arithmetic(_no_bases, _adagrad_schedule, _adagrad_update),
    Adadelta: Arithmetic(_no_bases, _adadelta_schedule, _adadelta_update),
    RMSprop: Arithmetic(_no_bases, _rmsprop_schedule, _rmsprop_update),
    Adam: Arithmetic(_both_betas, _adam_schedule, _adam_update),
    Adamax: Arithmetic(_both_betas, _adamax_schedule, _adamax_update),
    NAdam: Arithmetic(_nadam_bases, _nadam_schedule, _nadam_update),
    RAdam: Arithmetic(_both_betas, _radam_schedule, _radam_update),
    ASGD: Arithmetic(_no_bases, _asgd_schedule, _asgd_update),
    Rprop: Arithmetic(_no_bases, _rprop_schedule, _rprop_update),
}
"""The functions of every rule that :func:`walked` gives."""


# --- What a rule remembers ------------------------------------------------------------------------


class Remembered(NamedTuple):
    """One thing that a rule keeps from step to step, under PyTorch's name."""

    name: str
    start: float  # its value before the first step
    exported: bool = True  # False where PyTorch keeps no such thing with these settings


class StateNames(NamedTuple):
    """What a rule keeps: arrays with a value per parameter, and single numbers."""

    arrays: tuple[str, ...]
    numbers: tuple[str, ...]


def memory_of(rule: Walked) -> tuple[Remembered, ...]:
    """Say what the rule keeps for each parameter, in the order of its memory."""
    match rule:
        case PlainSGD():
            return ()
        case SGD():
            return (Remembered("momentum_buffer", 0.0, rule.momentum != 0.0),)
        case Adagrad():
            return (Remembered("sum", rule.initial_accumulator_value),)
        case Adadelta():
            return (Remembered("square_avg", 0.0), Remembered("acc_delta", 0.0))
        case RMSprop():
            return (
                Remembered("square_avg", 0.0),
                Remembered("momentum_buffer", 0.0, rule.momentum > 0.0),
                Remembered("grad_avg", 0.0, rule.centered),
            )
        case Adam() | AdamW():
            return (
                Remembered("exp_avg", 0.0),
                Remembered("exp_avg_sq", 0.0),
                Remembered("max_exp_avg_sq", 0.0, rule.amsgrad),
            )
        case Adamax():
            return (Remembered("exp_avg", 0.0), Remembered("exp_inf", 0.0))
        case NAdam() | RAdam():
            return (Remembered("exp_avg", 0.0), Remembered("exp_avg_sq", 0.0))
        case ASGD():
            return (Remembered("ax", 0.0),)
        case Rprop():
            return (Remembered("prev", 0.0), Remembered("step_size", rule.lr))


def numbers_of(rule: Walked) -> tuple[Remembered, ...]:
    """Say which single numbers the rule keeps: the step count, then its own."""
    match rule:
        case (
            SGD() | PlainSGD()
        ):  # PyTorch's SGD counts no steps: that there was one shows in the buffer
            return (Remembered("step", 0.0, exported=False),)
        case NAdam():
            return (Remembered("step", 0.0), Remembered("mu_product", 1.0))
        case ASGD():
            return (Remembered("step", 0.0), Remembered("eta", rule.lr), Remembered("mu", 1.0))
        case _:
            return (Remembered("step", 0.0),)


def state_names(rule: Rule) -> StateNames:
    """Name what PyTorch's optimiser keeps in its state with these settings.

    Examples
    --------
    >>> state_names(NAdam())
    StateNames(arrays=('exp_avg', 'exp_avg_sq'), numbers=('step', 'mu_product'))
    >>> state_names(SGD())
    StateNames(arrays=(), numbers=())
    """
    return StateNames(
        tuple(kept.name for kept in memory_of(rule) if kept.exported),
        tuple(kept.name for kept in numbers_of(rule) if kept.exported),
    )
