"""The scikit-learn estimator: ``thalweg.fit`` with scikit-learn's manners.

Not here: the descent (:mod:`thalweg.descent.fit`), the curvature's mathematics
(:mod:`thalweg.conditioning.curvature`), other models than linear regression.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import replace
from numbers import Integral
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from thalweg.arrays import Array, design_matrix
from thalweg.batches import Batches, batches_of
from thalweg.checks import check_flag, check_parameters
from thalweg.conditioning.convergence import momentum_within
from thalweg.conditioning.curvature import Curvature, curvature_of
from thalweg.conditioning.rates import sufficient_rate_shuffled
from thalweg.data.dataset import Dataset
from thalweg.data.names import unique_names
from thalweg.descent.fit import fit
from thalweg.errors import InvalidData, InvalidSetting, MissingExtra
from thalweg.losses import DELTA_DEFAULT
from thalweg.numbers import counted
from thalweg.optimizers.registry import RULES
from thalweg.optimizers.rule import declared
from thalweg.runs.run import Outcome, ResumeState, Run
from thalweg.settings import Settings
from thalweg.summary.scaling import Scaling, scaling_of, weighted_scaling
from thalweg.summary.summary import Summary
from thalweg.torch_random import Generator, initial_parameters

try:
    from sklearn.base import BaseEstimator, RegressorMixin
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.utils.validation import check_array, check_is_fitted, validate_data
except ImportError as error:
    raise MissingExtra("thalweg.sklearn", "sklearn") from error

import warnings

# What "auto" means: see the class's docstring.
BATCH_EPOCHS, OTHER_EPOCHS = 10_000, 100
LOSS_TOLERANCE = 1e-12
OTHER_RATE = 0.01
# A loss within this part of the target's variance is an exact fit to rounding.
EXACT_FIT = 1e-12


class DescentRegressor(RegressorMixin, BaseEstimator):  # type: ignore[misc]  # untyped package
    r"""Linear regression by gradient descent, with the whole descent kept.

    With the defaults it reaches the least-squares answer on ordinary data, in any units: the
    features are standardised, the start is zero, and the learning rate and the momentum are
    Polyak's for the largest and the smallest curvature :math:`\lambda` of the standardised loss,
    the fastest fixed ones there are:

    .. math:: \mathrm{lr} = \frac{4}{(\sqrt{\lambda_{max}} + \sqrt{\lambda_{min}})^2}, \qquad
              \mathrm{momentum} = \left(\frac{\sqrt{\lambda_{max}} - \sqrt{\lambda_{min}}}
              {\sqrt{\lambda_{max}} + \sqrt{\lambda_{min}}}\right)^2

    It stops where the loss is within one part in 10¹² of the exact one. An optimiser such as
    Adam, whose step does not grow with the target's units, could not be the default.

    Parameters
    ----------
    optimizer : str or class
        As in :func:`thalweg.fit`.
    lr : float or "auto"
        The learning rate. ``"auto"``, for ``sgd``: the above, with the momentum if
        ``hyperparameters`` is None, no curvature being taken as less than what ``epochs`` can
        serve; with mini-batches the reciprocal of the largest curvature that a batch can have,
        which is stable for sure. For other optimisers: PyTorch's own default.
    epochs : int or "auto"
        ``"auto"`` is at most 10,000 for batch descent on the squared error, whose epochs cost
        the same whatever the number of rows, and 100 otherwise.
    batch_size, shuffle, drop_last, batch_sampler
        As in :func:`thalweg.fit`.
    loss, delta
        As in :func:`thalweg.fit`.
    seed : int
        Of the stream that shuffles.
    start : array-like, int or None
        As in :func:`thalweg.fit`, but None starts from zero, so that a constant feature, and
        whatever else the data leave open, stays at zero.
    intercept, standardize, engine, dtype, record
        As in :func:`thalweg.fit`.
    tolerance : float, None or "auto"
        As in :func:`thalweg.fit`. ``"auto"`` is 1e-12 on the loss for batch descent on the
        squared error, and none otherwise.
    tolerance_on : {"loss", "gradient_norm"}
        What a ``tolerance`` that is given is on.
    hyperparameters : dict, optional
        The optimiser's own settings under PyTorch's names, such as ``{"momentum": 0.9}``.
    warm_start : bool
        Whether ``fit`` goes on from the last one, in its coordinates and with its optimiser's
        memory.

    Attributes
    ----------
    coef_ : ndarray, shape (d,)
        The weights, in the user's units.
    intercept_ : float
        The bias; 0 without an intercept.
    run_ : Run
        The last descent. After a fit with ``sample_weight`` it holds no rows and no summary:
        those know no weights.
    loss_curve_ : ndarray
        The loss of each epoch; through all the calls of ``partial_fit`` or of a warm start.
    n_iter_ : int
        How many epochs those are.
    n_features_in_ : int
    feature_names_in_ : ndarray of str
        Where ``X`` had names.

    References
    ----------
    Polyak (1964), "Some methods of speeding up the convergence of iteration methods", USSR
    Computational Mathematics and Mathematical Physics 4, pages 1 to 17.

    Examples
    --------
    >>> from thalweg.sklearn import DescentRegressor
    >>> model = DescentRegressor().fit([[1.0], [2.0], [4.0]], [5.0, 7.0, 12.0])
    >>> model.coef_.round(4), round(model.intercept_, 4)
    (array([2.3571]), 2.5)
    """

    def __init__(
        self,
        *,
        optimizer: str | type = "sgd",
        lr: float | str = "auto",
        epochs: int | str = "auto",
        batch_size: int | None = None,
        shuffle: bool = False,
        drop_last: bool = False,
        batch_sampler: Iterable[Iterable[int]] | None = None,
        loss: str = "mse",
        delta: float = DELTA_DEFAULT,
        seed: int = 0,
        start: ArrayLike | int | None = None,
        intercept: bool = True,
        standardize: bool = True,
        engine: str = "auto",
        dtype: str | None = None,
        record: str | int = "epoch",
        tolerance: float | str | None = "auto",
        tolerance_on: str = "loss",
        hyperparameters: Mapping[str, Any] | None = None,
        warm_start: bool = False,
    ) -> None:
        self.optimizer = optimizer
        self.lr = lr
        self.epochs = epochs
        self.batch_size = batch_size
        self.shuffle = shuffle
        self.drop_last = drop_last
        self.batch_sampler = batch_sampler
        self.loss = loss
        self.delta = delta
        self.seed = seed
        self.start = start
        self.intercept = intercept
        self.standardize = standardize
        self.engine = engine
        self.dtype = dtype
        self.record = record
        self.tolerance = tolerance
        self.tolerance_on = tolerance_on
        self.hyperparameters = hyperparameters
        self.warm_start = warm_start

    def fit(
        self, X: ArrayLike, y: ArrayLike, sample_weight: ArrayLike | None = None
    ) -> DescentRegressor:
        """Fit to rows.

        Parameters
        ----------
        X : array-like or sparse matrix, shape (n, d)
            A sparse one is gone through a few rows at a time where batches follow its order.
        y : array-like, shape (n,)
        sample_weight : array-like, shape (n,), optional
            How much each row counts: the loss is the weighted mean, and so are the moments that
            the features are standardised with. Their scale does not matter. In mini-batches a
            row's weight multiplies its own gradient. Not for the Huber loss, whose ``delta``
            would be another for each row.

        Returns
        -------
        DescentRegressor
            Itself.

        Warns
        -----
        ConvergenceWarning
            Where the descent diverged, or ended before the tolerance that was asked for.
        """
        warm = check_flag("warm_start", self.warm_start)
        before = self.run_ if warm and hasattr(self, "run_") else None
        rows = self._rows(X, y, sample_weight, reset=True)
        self._descend(rows, before, self._settings(rows, before))
        self._warn_if_unfinished(float(np.mean(rows.data.y**2)))
        return self

    def partial_fit(
        self, X: ArrayLike, y: ArrayLike, sample_weight: ArrayLike | None = None
    ) -> DescentRegressor:
        """Walk one epoch over some rows, going on from where the last call ended.

        The features are standardised by the first call's rows throughout. With ``lr="auto"``
        and ``sgd`` each call takes the rate that its own rows allow, without momentum.

        Parameters
        ----------
        X : array-like, shape (n, d)
        y : array-like, shape (n,)
        sample_weight : array-like, shape (n,), optional

        Returns
        -------
        DescentRegressor
            Itself.
        """
        before = getattr(self, "run_", None)
        rows = self._rows(X, y, sample_weight, reset=before is None)
        settings = self._settings(rows, before, one_epoch=True)
        self._descend(rows, before, settings)
        return self

    def predict(self, X: ArrayLike) -> Array:
        """Predict the target for rows ``X`` of shape (m, d): an array of shape (m,)."""
        check_is_fitted(self)
        return self.run_.predict(
            validate_data(self, X, accept_sparse="csr", dtype=np.float64, reset=False)
        )

    def __sklearn_tags__(self) -> Any:
        """Say what scikit-learn may pass: sparse matrices too."""
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        return tags

    # --- What is fitted, and with what ------------------------------------------------------------

    def _rows(
        self, X: ArrayLike, y: ArrayLike, sample_weight: ArrayLike | None, *, reset: bool
    ) -> _WeightedRows:
        """Check the rows; name the target as a pandas Series does where that is free."""
        target = getattr(y, "name", None)
        X, y = validate_data(
            self, X, y, accept_sparse="csr", dtype=np.float64, y_numeric=True, reset=reset
        )
        names = tuple(getattr(self, "feature_names_in_", ()))
        features = names if names and len(set(names)) == len(names) else None
        wanted = target if isinstance(target, str) and target else "y"
        target = unique_names((*(features or ()), wanted))[-1]
        data = Dataset(X, y, features=features, target=target)
        return _WeightedRows(data, _mean_one(sample_weight, len(data)))

    def _settings(
        self, rows: _WeightedRows, before: Run | None, *, one_epoch: bool = False
    ) -> dict[str, Any]:
        """Give the keyword arguments of ``fit``, checked, with every "auto" worked out."""
        given: dict[str, Any] = self.get_params(deep=False)
        for own in ("start", "hyperparameters", "warm_start"):
            del given[own]
        hyperparameters = self._hyperparameters(taken=given)
        batches = self._batches(len(rows.data))
        if batches.sampler is not None:  # an iterator can be written out only once
            given["batch_sampler"] = batches.sampler
        exact = self.loss == "mse" and batches.sees_all(len(rows.data))
        if _is_auto(self.epochs):
            given["epochs"] = BATCH_EPOCHS if exact else OTHER_EPOCHS
        if _is_auto(self.tolerance):
            given["tolerance"] = LOSS_TOLERANCE if exact else None
            given["tolerance_on"] = "loss"
        if one_epoch:
            given.update(epochs=1, tolerance=None)
        given.update(hyperparameters)
        if not _is_auto(self.lr):
            Settings.of(**given)
            return given
        asked = Settings.of(**{**given, "lr": 1.0})
        return given | self._learning_rate(rows, before, batches, asked)

    def _hyperparameters(self, taken: Collection[str]) -> Mapping[str, Any]:
        """Check that they are the optimiser's own, and none that has an argument here."""
        own = {} if self.hyperparameters is None else self.hyperparameters
        advice = "try {'momentum': 0.9}"
        if isinstance(own, Mapping) and all(isinstance(name, str) for name in own):
            twice = next((name for name in own if name in taken), None)
            if twice is None:
                return own
            advice = f"{twice!r} is an argument of its own"
        raise InvalidSetting(
            "hyperparameters",
            got=repr(own),
            expected="a mapping from names of the optimiser's own settings",
            advice=advice,
        )

    def _batches(self, n: int) -> Batches:
        """Check which rows each step sees."""
        regime = ("batch_size", "shuffle", "drop_last", "batch_sampler")
        return batches_of(Settings.of(**{name: getattr(self, name) for name in regime}), n)

    def _learning_rate(
        self, rows: _WeightedRows, before: Run | None, batches: Batches, asked: Settings
    ) -> dict[str, float]:
        """Work out the learning rate, and the momentum where that is ours to choose."""
        name = self.optimizer.__name__ if isinstance(self.optimizer, type) else self.optimizer
        if not isinstance(name, str) or name.lower() != "sgd":
            rule = RULES.get(str(name).lower())
            # Without a rule of ours it is PyTorch's alone, or a name that ``fit`` refuses.
            return {"lr": OTHER_RATE if rule is None else declared(rule).defaults["lr"]}
        if self.loss == "l1":
            raise InvalidSetting(
                "lr",
                got="'auto' with loss='l1'",
                expected="a number: the absolute loss has no curvature to work it out from",
                advice="try a thousandth of the target's spread",
            )
        scaling, intercept = self._scaling(rows, before), bool(self.intercept)
        if rows.weights is None and batches.sees_all(len(rows.data)):
            summary = rows.data.summary
            if scaling is not None:
                summary = summary.rescaled(*scaling)
            curvature = curvature_of(summary, intercept=intercept)
            return self._rate_within(curvature, asked)
        design, y = rows.weighted(scaling, intercept=intercept)
        if not batches.sees_all(len(design)):
            # Batches written out may hold any rows: as if each were the longest.
            stable = sufficient_rate_shuffled(design, batches.batch_size or 1, drop_last=False)
            return {"lr": _half(stable)}
        return self._rate_within(curvature_of(Summary.of((design, y)), intercept=False), asked)

    def _rate_within(self, curvature: Curvature, asked: Settings) -> dict[str, float]:
        """Give the rate for a curvature, with the momentum where that is ours to choose."""
        fixed = self.hyperparameters is not None or asked.epochs == 1
        if fixed or not curvature.largest:
            return {"lr": _half(curvature.largest_stable_rate)}
        tuned = momentum_within(curvature, asked.epochs)
        return {"lr": tuned.lr, "momentum": tuned.momentum}

    def _scaling(self, rows: _WeightedRows, before: Run | None) -> Scaling | None:
        """Give the coordinates to walk in: those of the run gone on from, or the rows' own."""
        if before is not None:
            return before.scaling
        return rows.scaling(intercept=bool(self.intercept)) if self.standardize else None

    # --- The descent ------------------------------------------------------------------------------

    def _descend(self, rows: _WeightedRows, before: Run | None, settings: dict[str, Any]) -> None:
        start = before.continuation() if before is not None else self._start(rows.data)
        if rows.weights is None:
            run = fit(rows.data, start=start, **settings)
        else:
            run = self._descend_weighted(rows, before, start, settings)
        self.run_ = run
        self.coef_ = run.weights.copy()
        self.intercept_ = run.bias
        earlier: Array = self.loss_curve_ if before is not None else np.empty(0)
        self.loss_curve_: Array = np.concatenate([earlier, run.loss])
        self.n_iter_ = len(self.loss_curve_)

    def _start(self, data: Dataset) -> ArrayLike | int:
        if self.start is None:
            return np.zeros(len(data.features) + bool(self.intercept))
        return self.start

    def _descend_weighted(
        self,
        rows: _WeightedRows,
        before: Run | None,
        start: ArrayLike | int | ResumeState,
        settings: dict[str, Any],
    ) -> Run:
        r"""Fit rows that count differently, as plain rows that are longer or shorter.

        .. math:: \frac{1}{n} \sum_i w_i (b + x_i \beta - y_i)^2
                  = \frac{1}{n} \sum_i (\sqrt{w_i}\, b + \sqrt{w_i}\, x_i \beta
                                        - \sqrt{w_i}\, y_i)^2

        The column of ones becomes one of :math:`\sqrt{w_i}`, so it is given as a feature, and
        the features are standardised beforehand. For the absolute loss the factor is the weight
        itself.
        """
        if self.loss not in ("mse", "l1"):
            raise InvalidSetting(
                "sample_weight",
                got=f"weights with loss={self.loss!r}",
                expected="loss='mse' or 'l1', which a weight only scales",
                advice="leave the weights out, or choose one of these losses",
            )
        intercept = bool(self.intercept)
        scaling = self._scaling(rows, before)
        design, y = rows.weighted(scaling, intercept=intercept, absolute=self.loss == "l1")
        walked = _walked(start, scaling, len(rows.data.features), intercept=intercept)
        inner = {**settings, "intercept": False, "standardize": False}
        run = fit((design, y), start=walked, **inner)
        return replace(
            run,
            settings=replace(run.asked, intercept=intercept, standardize=bool(self.standardize)),
            features=rows.data.features,
            target=rows.data.target,
            data=None,
            scaling=scaling,
        )

    def _warn_if_unfinished(self, at_zero: float) -> None:
        """Warn where the descent gave less than was asked; ``at_zero`` is the zero start's loss."""
        run = self.run_
        if run.outcome is Outcome.CONVERGED:
            return
        # No tolerance was asked for, or none could be reached: an exact fit has a loss of zero.
        enough = run.asked.tolerance is None or run.loss[-1] <= EXACT_FIT * at_zero
        if run.outcome is Outcome.OUT_OF_EPOCHS and enough:
            return
        diverged = run.outcome is Outcome.DIVERGED
        advice = "lower lr, or leave it at 'auto'" if diverged else "raise epochs or the tolerance"
        warnings.warn(
            f"The descent ended after {counted(run.epochs, 'epoch')}, {run.outcome.value}; "
            f"{advice}.",
            ConvergenceWarning,
            stacklevel=3,
        )


class _WeightedRows(NamedTuple):
    """Rows, and how much each counts: weights of mean 1, or None where all count the same."""

    data: Dataset
    weights: Array | None

    def scaling(self, *, intercept: bool) -> Scaling:
        """Give the weighted moments of the features: (d,) each, as ``standardize`` takes them."""
        if self.weights is None:
            return scaling_of(self.data.summary, intercept=intercept)
        return weighted_scaling(self.data.X, self.weights, intercept=intercept)

    def weighted(
        self, scaling: Scaling | None, *, intercept: bool, absolute: bool = False
    ) -> tuple[Array, Array]:
        """Give the design, (n, p) with its column of ones, and the target, both weighted."""
        X = self.data.X if scaling is None else scaling.rows(self.data.X, self.data.summary)
        design = design_matrix(X, intercept=intercept)
        if self.weights is None:
            return design, self.data.y
        factor = self.weights if absolute else np.sqrt(self.weights)
        return design * factor[:, np.newaxis], self.data.y * factor


def _is_auto(value: object) -> bool:
    return isinstance(value, str) and value == "auto"


def _half(stable: float) -> float:
    """Give half of the largest stable rate; 1 where all the rows are zero and nothing moves."""
    return stable / 2.0 if np.isfinite(stable) else 1.0


def _mean_one(sample_weight: ArrayLike | None, n: int) -> Array | None:
    """Check weights and scale them to mean 1; None where they are all the same."""
    if sample_weight is None:
        return None
    weights: Array = check_array(
        sample_weight, ensure_2d=False, dtype=np.float64, input_name="sample_weight"
    )
    if weights.shape != (n,) or (weights < 0.0).any() or not weights.any():
        got = f"shape {weights.shape}" if weights.shape != (n,) else f"{weights.min():g} among them"
        raise InvalidData(
            "sample_weight",
            got=got,
            expected=f"{n} numbers, none negative and not all of them zero",
            advice="give each row one weight",
        )
    weights = weights / weights.max()  # so that the sum cannot overflow
    weights /= weights.mean()
    return None if (weights == weights[0]).all() else weights


def _walked(
    start: ArrayLike | int | ResumeState, scaling: Scaling | None, d: int, *, intercept: bool
) -> Array | ResumeState:
    """Turn a start in the user's units into one in the coordinates of the design."""
    if isinstance(start, ResumeState):
        return start._replace(parameters=start.scaled_parameters, scaling=None, intercept=False)
    if isinstance(start, Integral):
        drawn, _ = initial_parameters(Generator(int(start), 0), d, intercept)
        return drawn
    parameters = check_parameters("start", start, d + intercept)
    return parameters if scaling is None else scaling.from_user(parameters, intercept=intercept)
