"""The learning rates below which a descent is stable: of all rows at once, and of batches.

Not here: the curvature (:mod:`thalweg.conditioning.curvature`), the rates that are best
(:mod:`thalweg.conditioning.convergence`).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from thalweg.arrays import Array
from thalweg.conditioning.curvature import Curvature, curvature_of
from thalweg.optimizers.rule import Rule
from thalweg.optimizers.sgd import SGD
from thalweg.summary.scaling import scaling_of

if TYPE_CHECKING:
    from thalweg.summary.summary import Summary


def stable_factor(rule: Rule) -> float | None:
    r"""Give the c for which batch descent by a rule is stable below :math:`c / \lambda`.

    Along a direction of curvature λ the distance to the solution e and the momentum buffer b
    follow a linear recurrence in two terms; it shrinks where both its roots lie within the unit
    circle. With μ the momentum and τ the dampening (Jury's conditions):

    .. math:: c = \frac{2 (1 + \mu)}{1 - \tau}
              \qquad \text{Nesterov: } c = \frac{2 (1 + \mu)}{1 + 2 \mu}

    Returns
    -------
    float or None
        None for rules other than SGD: their steps do not scale with the gradient, and they have
        no such bound. 0 where no learning rate is stable.

    References
    ----------
    B. T. Polyak, "Some methods of speeding up the convergence of iteration methods", USSR
    Comput. Math. Math. Phys. 4 (1964), for heavy-ball momentum.

    Examples
    --------
    >>> stable_factor(SGD())
    2.0
    >>> round(stable_factor(SGD(momentum=0.9)), 12)
    3.8
    """
    if not isinstance(rule, SGD):
        return None
    if rule.momentum >= 1.0:
        return 0.0
    if rule.nesterov:
        return 2.0 * (1.0 + rule.momentum) / (1.0 + 2.0 * rule.momentum)
    gain = 1.0 - rule.dampening * (rule.momentum != 0.0)
    return 2.0 * (1.0 + rule.momentum) / gain if gain > 0.0 else 0.0


def stable_rate(curvature: Curvature, rule: Rule) -> float | None:
    """Give the learning rate below which batch descent by a rule is stable, or None.

    Weight decay adds to every curvature; a rule that climbs turns their sign.

    Examples
    --------
    >>> bowl = Curvature(("bias", "weight"), np.array([8.0, 2.0]), np.eye(2), 2)
    >>> stable_rate(bowl, SGD())
    0.25
    """
    factor = stable_factor(rule)
    if factor is None or not isinstance(rule, SGD):
        return None
    felt = curvature.values * (-1.0 if rule.maximize else 1.0) + rule.weight_decay
    if (felt < 0.0).any():
        return 0.0
    return factor / float(felt.max()) if felt.max() > 0.0 else np.inf


def stable_learning_rate(
    summary: Summary, rule: Rule, *, intercept: bool = True, standardize: bool = False
) -> float | None:
    """Give the learning rate below which batch descent by a rule is stable.

    Parameters
    ----------
    summary : Summary
        Of the rows.
    rule : Rule
        A rule of :mod:`thalweg.optimizers`; its own learning rate does not matter.
    intercept : bool
        Whether there is a bias.
    standardize : bool
        Whether the optimiser walks in standardised features.

    Returns
    -------
    float or None
        None for rules other than SGD, whose steps do not scale with the gradient; 0 where no
        rate is stable; infinity where every one is.

    Examples
    --------
    >>> import thalweg
    >>> from thalweg.optimizers.sgd import SGD
    >>> stable_learning_rate(thalweg.salammbo().summary, SGD()).__format__(".3g")
    '4.87e-10'
    """
    if standardize:
        summary = summary.rescaled(*scaling_of(summary, intercept=intercept))
    return stable_rate(curvature_of(summary, intercept=intercept), rule)


def sufficient_rate(batches: Sequence[Array]) -> float:
    r"""Give a learning rate below which plain mini-batch descent stays bounded, for sure.

    A step over the batch B multiplies the distance to the solution by
    :math:`I - \mathrm{lr} H_B`, which lengthens nothing while
    :math:`\mathrm{lr}\,\lambda_{\max}(H_B) \le 2`, and shortens all that B sees below that. So
    2 over the largest curvature of any batch is enough, in whatever order they come. It is not
    always needed: some rates above it are stable too.

    Parameters
    ----------
    batches : sequence of ndarray, shapes (b, p)
        The rows of each batch, with the column of ones where there is an intercept.

    Examples
    --------
    >>> round(sufficient_rate([np.array([[1.0, 3.0]]), np.array([[1.0, 1.0]])]), 12)
    0.1
    """
    largest = max(2.0 / len(b) * float(np.linalg.norm(b, ord=2)) ** 2 for b in batches)
    return 2.0 / largest if largest else np.inf


def sufficient_rate_shuffled(design: Array, batch_size: int, *, drop_last: bool) -> float:
    r"""Give the same for batches drawn anew each epoch: whichever rows meet in one.

    The largest curvature of a batch of b rows is at most
    :math:`\tfrac{2}{b}` times the sum of their squared lengths, so at most that of the b
    longest rows.

    Parameters
    ----------
    design : ndarray, shape (n, p)
        All the rows, with the column of ones where there is an intercept.
    batch_size : int
        Rows a step.
    drop_last : bool
        Whether a short last batch is left out.

    Examples
    --------
    >>> sufficient_rate_shuffled(np.array([[1.0, 3.0], [1.0, 1.0]]), 1, drop_last=False)
    0.1
    """
    n = len(design)
    squares = np.sort(np.einsum("ij,ij->i", design, design))[::-1]
    sizes = {min(batch_size, n)}
    if n % batch_size and not drop_last and n > batch_size:
        sizes.add(n % batch_size)
    largest = max(2.0 / b * float(squares[:b].sum()) for b in sizes)
    return 2.0 / largest if largest else np.inf


def certain_rate(design: Array, batch_size: int, *, shuffle: bool, drop_last: bool) -> float:
    """Give the rate below which plain mini-batch descent stays bounded, for sure.

    Parameters
    ----------
    design : ndarray, shape (n, p)
        All the rows, with the column of ones where there is an intercept.
    batch_size, shuffle, drop_last
        As in PyTorch's ``DataLoader``.

    Examples
    --------
    >>> design = np.array([[1.0], [1.0], [3.0]])
    >>> [round(certain_rate(design, 2, shuffle=False, drop_last=d), 3) for d in (False, True)]
    [0.111, 1.0]
    """
    if shuffle:
        return sufficient_rate_shuffled(design, batch_size, drop_last=drop_last)
    stop = len(design) - len(design) % batch_size if drop_last else len(design)
    return sufficient_rate([design[i : i + batch_size] for i in range(0, stop, batch_size)])
