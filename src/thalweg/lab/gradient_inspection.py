"""One moment of a run: the gradient there, worked out by hand, term by term, and the next step.

The gradient of the mean loss is the mean over the rows of the loss's slope times the feature, 1
for the bias. Beside it stands what PyTorch's autograd gives, where it is installed.
Not here: the gradient as the library checks it (:mod:`thalweg.gradient_check`).
"""

from __future__ import annotations

from typing import Any

import numpy as np

from thalweg.arrays import Array, design_matrix
from thalweg.batches import batches_of
from thalweg.data.dataset import Dataset
from thalweg.errors import MissingExtra
from thalweg.losses import MSE, torch_module, value_and_slope
from thalweg.runs.run import Run

TERMS = 15
"""How many rows are written out; the others are added up."""


def inspect_gradient(rows: Dataset, run: Run, epoch: int) -> dict[str, Any]:
    """Work out the gradient of a run at the last point recorded up to an epoch.

    Returns
    -------
    dict
        ``parameters``, ``gradient`` and ``step`` have an entry per parameter; ``terms`` has a row
        each of the first rows: features, target, prediction, residual, slope, then its share of
        the gradient for each parameter. Their sum and ``others`` make the gradient.
    """
    epochs, index = _recorded(run, epoch)
    w = run.path[index]
    with np.errstate(over="ignore", invalid="ignore"):
        predicted = rows.X @ w[1:] + w[0]
        residual = predicted - rows.y
        slope = _slopes(run, residual)
        design = design_matrix(rows.X, intercept=True)
        shares = slope[:, np.newaxis] * design / len(rows)
        gradient = shares.sum(axis=0)
        last = index + 1 == len(run.path)
        step = None if last else run.path[index + 1] - w
    shown = slice(0, TERMS)
    return {
        "epoch": epochs[index],
        "names": run.names,
        "parameters": w,
        "terms": np.column_stack(
            [rows.X, rows.y, predicted, residual, slope, shares],
        )[shown],
        "others": shares[TERMS:].sum(axis=0) if len(rows) > TERMS else None,
        "remaining": max(0, len(rows) - TERMS),
        "gradient": gradient,
        "step": step,
        "loss": run.settings.loss,
        "batches": not batches_of(run.asked, len(rows)).sees_all(len(rows)),
        "standardized": run.asked.standardize,
    }


def autograd(rows: Dataset, run: Run, epoch: int) -> dict[str, Any]:
    """Have PyTorch work out the same gradient.

    Raises
    ------
    MissingExtra
        If PyTorch is not installed.
    """
    try:
        import torch
    except ImportError as error:
        raise MissingExtra("The gradient by autograd", "torch") from error
    epochs, index = _recorded(run, epoch)
    X, y, w = (torch.tensor(values) for values in (rows.X, rows.y, run.path[index]))
    w.requires_grad_()
    loss = torch_module(run.asked.loss_function)(X @ w[1:] + w[0], y)
    (gradient,) = torch.autograd.grad(loss, w)
    return {"epoch": epochs[index], "autograd": gradient.numpy()}


def _recorded(run: Run, epoch: int) -> tuple[Array, int]:
    """Give the recorded points' epochs, and which of them is the last up to an epoch."""
    epochs = run.recorded_epochs
    return epochs, max(0, int(np.searchsorted(epochs, epoch, side="right")) - 1)


def _slopes(run: Run, residual: Array) -> Array:
    """Give the loss's slope at each residual."""
    loss = run.asked.loss_function
    if isinstance(loss, MSE):
        return 2.0 * residual
    return np.array([value_and_slope(loss, float(each))[1] for each in residual])
