"""What a descent did: the path, the losses, the settings, how it ended.

A ``Run`` is data, whoever made it. Not here: making one (:mod:`thalweg.descent.fit`), drawing it
(:mod:`thalweg.figures`), explaining it (:mod:`thalweg.diagnosis`).
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from functools import cached_property
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from thalweg.arrays import Array
from thalweg.data.compact import parts
from thalweg.data.dataset import Dataset
from thalweg.data.inputs import take_features
from thalweg.data.names import NAMES_SHOWN, parameter_names, unique_names
from thalweg.data.outputs import check_outputs
from thalweg.errors import InvalidData, InvalidSetting, MissingExtra, and_more, on_a_line
from thalweg.kinds import FILE
from thalweg.runs.observed import Observed
from thalweg.summary.scaling import Scaling

if TYPE_CHECKING:
    from torch import nn

    from thalweg.data.categories import Coding
    from thalweg.data.reading import Reading
    from thalweg.data.source import Source
    from thalweg.settings import Settings
    from thalweg.summary.solution import Solution
    from thalweg.summary.summary import Summary
    from thalweg.torch_random import Generator

OptimizerState: TypeAlias = Mapping[str, Any]
"""What an optimiser remembers, under PyTorch's names: per parameter, shape (p,), or one number."""


class Outcome(Enum):
    """How a descent ended; the text advises."""

    CONVERGED = "converged: the tolerance that was asked for is reached"
    OUT_OF_EPOCHS = (
        "out of epochs: all of them were walked; compare with the exact solution to see how near"
    )
    DIVERGED = (
        "diverged: the loss left all bounds and the fit stopped there; lower the learning rate"
    )
    STOPPED = "stopped: interrupted before its end; go on with fit(data, start=run)"


class InitialState(NamedTuple):
    """What a descent began with, beside its parameters: those are the first of its path."""

    drawn: bool  # whether the parameters were drawn from the generator
    optimizer_state: OptimizerState | None  # None where the optimiser remembered nothing
    generator: Generator  # where the stream stood before anything was drawn
    loss_limit: float  # beyond it the descent counts as diverged; NaN: no loss came near it


class ResumeState(NamedTuple):
    """Where a descent begins when it goes on from another: see :meth:`Run.continuation`."""

    parameters: Array | None  # (p,) in the user's units; None draws them from the generator
    scaled_parameters: Array | None  # (p,) the same in the coordinates that the optimiser saw
    scaling: Scaling | None  # which coordinates those were
    weights: int  # d, for how many features its state is
    intercept: bool  # whether the first parameter is a bias
    optimizer: str
    optimizer_state: OptimizerState | None
    generator: Generator


@dataclass(frozen=True, eq=False, repr=False)
class Run:
    """What a descent did.

    Parameters are ordered ``[bias, weights…]``, p = d + 1 of them; without an intercept there is
    no bias and p = d.

    Attributes
    ----------
    scaled_path : ndarray, shape (k, p)
        The recorded points in the coordinates that the optimiser saw: those of standardised
        features where ``scaling`` is set, else the same as ``path``.
    steps : ndarray, shape (k,), int64
        The updates made before each recorded point: 0 for the start.
    loss : ndarray, shape (epochs,)
        The mean loss over the rows that each epoch saw, at the parameters it saw them with: in
        batch descent, *before* the epoch's update. In units of the target, squared for ``mse``.
    gradient_norm : ndarray, shape (epochs,)
        The norm of the mean gradient over the same rows.
    settings : Settings or Observed
        Everything that was asked for, and which engine did it; what another loop did has what was
        seen of it.
    outcome : Outcome
        How it ended.
    optimizer_state : mapping
        What the optimiser remembers, under PyTorch's names.
    generator : Generator
        Where the stream of random numbers stands.
    data : Dataset or None
        The rows, where they are at hand; a run that was loaded has their summary only.
    scaling : Scaling or None
        Set where the features were standardised.
    initial_state : InitialState or None
        What it began with, so that it can be done again; None where that is not known.
    scan : Source or None
        The rows, where they are not in memory but read anew for each pass.
    rates : ndarray, shape (k,), or None
        The learning rate at each recorded point, where it was not the same throughout.
    coding : Coding or None
        How features were made of categories, where some were.
    reading : Reading or None
        How files were read, where the rows came from some.

    Examples
    --------
    >>> import thalweg
    >>> run = thalweg.fit(thalweg.salammbo(), seed=4321)
    >>> run.path.shape
    (251, 2)
    >>> run.predict([[3000.0], [5000.0]]).round(2)
    array([203.58, 338.71])
    """

    scaled_path: Array
    steps: NDArray[np.int64]
    loss: Array
    gradient_norm: Array
    settings: Settings | Observed
    outcome: Outcome
    optimizer_state: OptimizerState
    generator: Generator
    features: tuple[str, ...]
    target: str
    data: Dataset | None
    scaling: Scaling | None = None
    stored_summary: Summary | None = None
    initial_state: InitialState | None = None
    scan: Source | None = None
    rates: Array | None = None
    coding: Coding | None = None
    reading: Reading | None = None

    @property
    def asked(self) -> Settings:
        """The settings of the fit that made the run.

        Raises
        ------
        InvalidSetting
            If another loop made it.
        """
        if isinstance(self.settings, Observed):
            raise InvalidSetting(
                "run",
                got=f"one that another loop made, with {self.settings.optimizer}",
                expected="a run of thalweg.fit, which says all that was asked",
                advice="fit with thalweg.fit, and use that run",
            )
        return self.settings

    @property
    def learning_rate(self) -> Array:
        """The learning rate at each recorded point, shape (k,)."""
        if self.rates is not None:
            return self.rates
        return np.full(len(self.steps), self.settings.lr)

    @cached_property
    def path(self) -> Array:
        """The parameters ``[bias, weights…]`` at each recorded point, start included: (k, p)."""
        if self.scaling is None:
            return self.scaled_path
        return self.scaling.to_user(self.scaled_path, intercept=self.settings.intercept)

    @property
    def names(self) -> tuple[str, ...]:
        """The parameters' names, in the order of the path's columns."""
        return parameter_names(self.features, intercept=self.settings.intercept)

    @property
    def parameters(self) -> Array:
        """Where the descent ended, ``[bias, weights…]``: (p,)."""
        end: Array = self.path[-1]
        return end

    @property
    def bias(self) -> float:
        """The last bias, in units of the target; 0 without an intercept."""
        return float(self.path[-1, 0]) if self.settings.intercept else 0.0

    @property
    def weights(self) -> Array:
        """The last weights, in units of the target per unit of each feature: (d,)."""
        return self.path[-1, int(self.settings.intercept) :]

    @property
    def epochs(self) -> int:
        """The epochs that were walked: fewer than asked for where it converged or diverged."""
        return len(self.loss)

    @property
    def steps_per_epoch(self) -> int:
        """The updates of one epoch."""
        return int(self.steps[-1]) // self.epochs if self.epochs else 0

    @property
    def recorded_epochs(self) -> Array:
        """After how many epochs each point of the path was recorded: (k,), 0 for the start."""
        return self.steps / max(1, self.steps_per_epoch)

    @cached_property
    def summary(self) -> Summary:
        """The summary of the rows: exact solution, loss and gradient anywhere."""
        if self.stored_summary is not None:
            return self.stored_summary
        if self.data is None:
            raise InvalidData(
                "run",
                got="a run without its data or their summary",
                expected="a run that knows what it was fitted to",
                advice="fit again, or pass the data beside the run",
            )
        return self.data.summary

    @cached_property
    def solution(self) -> Solution:
        """The exact least-squares answer, with the digits of the rows where they are at hand."""
        from thalweg.summary.exact import exact_solution  # only when something is computed

        known = self.summary if self.data is None else self.data
        return exact_solution(known, intercept=self.settings.intercept)

    @property
    def source(self) -> Dataset | Summary | None:
        """What is known of the rows: themselves, or their summary where they are not at hand."""
        return self.stored_summary if self.data is None else self.data

    def predict(self, X: ArrayLike) -> Array:
        """Predict the target with the last parameters, in the precision that the run was made in.

        Parameters
        ----------
        X : array-like, sparse matrix, shape (m, d), frame or Dataset
            The features: those of a frame by their names, in whatever order; its other columns
            are left aside. Of a run with categories, a frame of the columns that it was fitted
            to, or of the features that were made of them.

        Returns
        -------
        ndarray, shape (m,)
            In units of the target; float32 for a run of the reference engine, as PyTorch's own.

        Raises
        ------
        InvalidData
            If ``X`` has not the d features of the run, values that are not finite numbers, or
            words of a category that the run has not seen.
        InvalidSetting
            If a frame lacks one of them.
        """
        table = take_features(X, self.features, self.coding)
        weights = self.weights.astype(self.settings.dtype)
        predicted: Array = np.empty(len(table), self.settings.dtype)  # written part by part
        for part, features in parts(table):
            # Row by row: a product of columns is summed in another order, to other last bits.
            predicted[part] = features.astype(self.settings.dtype, order="C") @ weights
        if self.settings.intercept:
            predicted += np.asarray(self.bias, dtype=self.settings.dtype)
        return predicted

    def model(self) -> nn.Sequential:
        """Give the fitted PyTorch model, as the lesson builds it: ``Sequential(Linear(d, 1))``."""
        try:
            import torch
        except ImportError as error:
            raise MissingExtra("Run.model", "torch") from error
        dtype = getattr(torch, self.settings.dtype)
        linear = torch.nn.Linear(len(self.features), 1, bias=self.settings.intercept, dtype=dtype)
        with torch.no_grad():
            linear.weight.copy_(torch.as_tensor(self.weights)[None, :])
            if self.settings.intercept:
                linear.bias.fill_(self.bias)
        return torch.nn.Sequential(linear)

    def continuation(
        self, *, fresh_parameters: bool = False, fresh_optimizer: bool = False
    ) -> ResumeState:
        """Say how another descent goes on from here: pass the result to ``fit`` as ``start``.

        ``start=run`` is short for ``start=run.continuation()``: the same parameters, optimiser
        state and stream of random numbers, as if this run had been given more epochs.

        Parameters
        ----------
        fresh_parameters : bool
            Draw new parameters from the stream where this run left it, as PyTorch's
            ``reset_parameters()`` does.
        fresh_optimizer : bool
            Start with an optimiser that remembers nothing.
        """
        return ResumeState(
            parameters=None if fresh_parameters else self.path[-1],
            scaled_parameters=None if fresh_parameters else self.scaled_path[-1],
            scaling=self.scaling,
            weights=len(self.features),
            intercept=self.settings.intercept,
            optimizer=self.settings.optimizer,
            optimizer_state=None if fresh_optimizer else self.optimizer_state,
            generator=self.generator,
        )

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the run to one Parquet file, whole or not at all: see :func:`thalweg.load`.

        Pandas, Polars and DuckDB read the file as a table with a row per recorded point.

        Raises
        ------
        UnwritableFile
            Where no file can be written, or one stands that the rows were read from.
        InvalidSetting
            If ``path`` is none, or a setting is not plain data, such as a tensor given to an
            optimiser.
        """
        from thalweg.runs.run_file import save  # PyArrow: only when a file is written

        place = FILE.take("path", path)
        rows = self.scan if self.data is None else self.data
        check_outputs([place], () if rows is None else rows.origin)
        save(self, place)

    def __repr__(self) -> str:
        _, _, *names = unique_names(("epochs", "loss", *map(on_a_line, self.names)))
        values = zip(names, self.path[-1], strict=True)
        end = and_more((f"{name}={value:.6g}" for name, value in values), NAMES_SHOWN)
        loss = f"loss={self.loss[-1]:.6g}, " if self.epochs else ""
        return (
            f"Run({self.settings.optimizer}, epochs={self.epochs}, {loss}{end}, "
            f"{self.outcome.name.lower()})"
        )

    def _repr_html_(self) -> str:
        from thalweg.pages.notebook import run_html  # only in a notebook

        return run_html(self)
