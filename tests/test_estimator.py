"""``DescentRegressor``: scikit-learn's contract, the least-squares answer, weights."""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
from fractions import Fraction
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from numpy.typing import NDArray
from scipy import sparse
from sklearn.base import clone
from sklearn.datasets import load_diabetes
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LinearRegression
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, PolynomialFeatures, StandardScaler
from sklearn.utils.estimator_checks import parametrize_with_checks

import thalweg
from thalweg import errors
from thalweg.runs.run import Outcome
from thalweg.sklearn import DescentRegressor

Array = NDArray[np.float64]

# The default tolerance, 1e-12 of the loss, leaves predictions 1e-6 of the residuals' spread.
OF_RESIDUALS = 2e-6


@parametrize_with_checks(  # type: ignore[untyped-decorator]  # scikit-learn has no types
    [DescentRegressor(), DescentRegressor(intercept=False)]
)
def test_scikit_learns_own_checks(estimator: DescentRegressor, check: Any) -> None:
    check(estimator)


def test_check_estimator_passes_whole_and_skips_nothing() -> None:
    code = (
        "from sklearn.utils.estimator_checks import check_estimator\n"
        "from thalweg.sklearn import DescentRegressor\n"
        "print({check['status'] for check in check_estimator(DescentRegressor())})"
    )
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code], check=True, capture_output=True, text=True,
        env={**os.environ, "SCIPY_ARRAY_API": "1"},  # without it one check is skipped
    )  # fmt: skip
    assert done.stdout == "{'passed'}\n"


# --- The least-squares answer, out of the box -----------------------------------------------------


def made(d: int, *, n: int = 200, seed: int = 0) -> tuple[Array, Array]:
    chance = np.random.default_rng(seed)
    X = chance.normal(3.0, 1.0, (n, d))
    return X, X @ chance.normal(size=d) + 7.0 + chance.normal(size=n)


def correlated() -> tuple[Array, Array]:
    """Sixteen features that share most of what they say: pytorch issue 109104."""
    chance = np.random.default_rng(1)
    X = chance.normal(size=(400, 1)) + 0.2 * chance.normal(size=(400, 16))
    return X, X @ np.arange(16.0) + chance.normal(size=400)


X3, Y3 = made(3)
ORDINARY: dict[str, tuple[Array, Array]] = {
    "one feature": made(1),
    "features on scales 1 to 1e7": (X3 * [1.0, 1e3, 1e7], Y3),
    "far from zero": (X3 + 1e6, Y3),
    "a large target": (X3, 1e9 * Y3),
    "a small target": (X3, 1e-9 * Y3),
    "correlated": correlated(),
    "diabetes": load_diabetes(return_X_y=True),
    "diabetes, unscaled": load_diabetes(return_X_y=True, scaled=False),
    "chapters": (thalweg.salammbo().X, thalweg.salammbo().y),
}


@pytest.mark.parametrize("name", ORDINARY)
def test_the_defaults_reach_the_least_squares_answer(name: str) -> None:
    X, y = ORDINARY[name]
    model = DescentRegressor().fit(X, y)
    exact = thalweg.Dataset(X, y).summary.solve()
    residuals = y - X @ exact.weights - exact.bias
    apart = model.predict(X) - (X @ exact.weights + exact.bias)
    assert model.run_.outcome is Outcome.CONVERGED
    assert np.linalg.norm(apart) <= OF_RESIDUALS * np.linalg.norm(residuals)


def test_no_intercept() -> None:
    model = DescentRegressor(intercept=False).fit(X3, Y3)
    np.testing.assert_allclose(model.coef_, np.linalg.lstsq(X3, Y3, rcond=None)[0], rtol=1e-5)
    assert model.intercept_ == 0.0


def test_what_the_data_leave_open_stays_at_zero() -> None:
    X = np.column_stack([X3, np.full(200, 0.1), X3[:, 0]])  # a constant, and a column twice
    model = DescentRegressor().fit(X, Y3)
    exact = DescentRegressor().fit(X3, Y3)
    assert abs(model.coef_[3]) <= 1e-15
    np.testing.assert_allclose(model.coef_[[0, 4]], exact.coef_[0] / 2, rtol=1e-5)
    np.testing.assert_allclose(model.predict(X), exact.predict(X3), rtol=1e-5)


def test_an_exact_fit_is_no_cause_for_a_warning() -> None:
    y = X3 @ [1.0, 2.0, 3.0] + 4.0
    model = DescentRegressor().fit(X3, y)  # a warning would be an error here
    np.testing.assert_allclose(model.coef_, [1.0, 2.0, 3.0], rtol=1e-9)
    np.testing.assert_allclose(model.intercept_, 4.0, rtol=1e-9)


@pytest.mark.parametrize("loss", ["mse", "huber"])
@pytest.mark.parametrize(
    "batches",
    [
        {"batch_size": 1},
        {"batch_size": 8, "shuffle": True},
        {"batch_sampler": [[0, 1, 2], [3], [4, 5]]},
    ],
)
def test_the_automatic_rate_is_stable_in_any_batches(batches: dict[str, Any], loss: str) -> None:
    chance = np.random.default_rng(0)
    X = chance.standard_t(2.0, (60, 4))  # some rows are far longer than the others
    run = DescentRegressor(loss=loss, **batches).fit(X, X.sum(axis=1)).run_
    assert run.outcome is Outcome.OUT_OF_EPOCHS
    assert run.loss[-1] <= 0.2 * run.loss[0]


@pytest.mark.parametrize("batch_size", [200, 10_000, np.int64(200)])
def test_batches_of_all_the_rows_are_batch_descent(batch_size: int) -> None:
    plain, whole = DescentRegressor(), DescentRegressor(batch_size=batch_size)
    np.testing.assert_array_equal(whole.fit(X3, Y3).coef_, plain.fit(X3, Y3).coef_)
    assert whole.run_.outcome is Outcome.CONVERGED
    assert whole.n_iter_ == plain.n_iter_


def test_batches_that_can_be_written_out_only_once_are_kept() -> None:
    batches = [[0, 1, 2], [3], [4, 5]]
    once = DescentRegressor(batch_sampler=iter(batches), epochs=3).fit(X3, Y3)
    np.testing.assert_array_equal(
        once.coef_, DescentRegressor(batch_sampler=batches, epochs=3).fit(X3, Y3).coef_
    )


@pytest.mark.parametrize("gap", [1e-2, 1e-3, 1e-9])
def test_the_automatic_momentum_knows_columns_that_nearly_say_the_same(gap: float) -> None:
    """The small curvature of nearly equal columns has all its digits: it is not squared away."""
    other = np.random.default_rng(1).normal(size=200)
    x = X3[:, 0] / X3[:, 0].std()
    X = np.column_stack([x, x + gap * other])
    settings = DescentRegressor(epochs=10**7, tolerance=1.0).fit(X, Y3).run_.asked
    scaled = (X - X.mean(axis=0)) / X.std(axis=0)
    singular = np.linalg.svd(np.column_stack([np.ones(200), scaled]), compute_uv=False)
    # No condition number above 1e7: the loss would first grow as if it diverged.
    low, high = max(singular[-1], singular[0] / 10**3.5), singular[0]
    momentum = ((high - low) / (high + low)) ** 2
    assert 1.0 - settings.hyperparameters["momentum"] == pytest.approx(1.0 - momentum, rel=1e-4)


# --- All of fit's settings ------------------------------------------------------------------------


@pytest.mark.parametrize(
    "settings",
    [
        {"optimizer": "nadam", "lr": 0.1, "epochs": 30, "tolerance": None},
        {"optimizer": torch.optim.Adam, "lr": 0.1, "epochs": 5, "batch_size": 7, "shuffle": True,
         "hyperparameters": {"betas": (0.8, 0.9)}, "seed": 3, "standardize": False},
        {"engine": "reference", "lr": 0.01, "epochs": 3, "batch_sampler": [[1, 2], [3]]},
        {"loss": "huber", "delta": 2.0, "lr": 0.1, "epochs": 7, "record": "step", "start": 4},
        {"lr": 0.1, "epochs": 90, "tolerance": 1.0, "tolerance_on": "gradient_norm"},
    ],
)  # fmt: skip
def test_the_descent_is_that_of_fit(settings: dict[str, Any]) -> None:
    model = DescentRegressor(**settings).fit(X3, Y3)
    asked: dict[str, Any] = {"optimizer": "sgd", "standardize": True, "start": np.zeros(4)}
    asked |= {"tolerance": None, "tolerance_on": "loss", **settings}
    asked |= asked.pop("hyperparameters", {})
    run = thalweg.fit((X3, Y3), **asked)
    np.testing.assert_array_equal(model.run_.path, run.path)
    np.testing.assert_array_equal(model.loss_curve_, run.loss)
    np.testing.assert_array_equal(model.coef_, run.weights)
    np.testing.assert_array_equal(model.predict(X3), run.predict(X3))
    assert model.run_.settings == run.settings
    assert model.intercept_ == run.bias
    assert model.n_iter_ == run.epochs


def test_other_optimisers_take_pytorchs_learning_rate() -> None:
    model = DescentRegressor(optimizer="adagrad", epochs=2, tolerance=None).fit(X3, Y3)
    assert model.run_.settings.lr == 0.01
    assert model.run_.asked.epochs == 2


def test_ones_own_hyperparameters_leave_the_momentum_alone() -> None:
    model = DescentRegressor(hyperparameters={"nesterov": True, "momentum": 0.5}).fit(X3, Y3)
    assert model.run_.asked.hyperparameters["momentum"] == 0.5
    assert model.run_.outcome is Outcome.CONVERGED


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        (
            {"loss": "l1"},
            "lr: got 'auto' with loss='l1', expected a number: the absolute loss has no "
            "curvature to work it out from; try a thousandth of the target's spread",
        ),
        (
            {"optimizer": "sdg"},
            "optimizer: got 'sdg', expected the name or the class of an optimiser of "
            "torch.optim; did you mean 'sgd'?",
        ),
        (
            {"hyperparameters": {"momentun": 0.9}},
            "fit: got unknown setting 'momentun', expected its own settings and those of SGD; "
            "did you mean 'momentum'?",
        ),
        (
            {"hyperparameters": [1]},
            "hyperparameters: got [1], expected a mapping from names of the optimiser's own "
            "settings; try {'momentum': 0.9}",
        ),
        (
            {"hyperparameters": {"epochs": 3}},
            "hyperparameters: got {'epochs': 3}, expected a mapping from names of the optimiser's "
            "own settings; 'epochs' is an argument of its own",
        ),
        ({"warm_start": "no"}, "warm_start: got 'no', expected True or False; say one of the two"),
        ({"intercept": "no"}, "intercept: got 'no', expected True or False; say one of the two"),
    ],
)
@pytest.mark.parametrize("weights", [None, np.linspace(1.0, 2.0, len(Y3))])
def test_wrong_settings_are_refused_in_fit(
    settings: dict[str, Any], said: str, weights: Array | None
) -> None:
    model = DescentRegressor(**settings)
    with pytest.raises(errors.InvalidSetting) as error:
        model.fit(X3, Y3, weights)
    assert str(error.value) == said


@pytest.mark.parametrize(
    ("name", "value"),
    [("epochs", 0), ("epochs", 2.5), ("epochs", "5"), ("lr", np.array([1.0, 2.0])), ("lr", "fast"),
     ("tolerance", "x"), ("hyperparameters", 5), ("hyperparameters", {1: 2}), ("start", "zero"),
     ("start", 1.5), ("standardize", 1), ("batch_size", "a"), ("delta", 0)],
)  # fmt: skip
@pytest.mark.parametrize("weights", [None, np.linspace(1.0, 2.0, len(Y3))])
def test_no_wrong_value_is_a_bare_error(name: str, value: Any, weights: Array | None) -> None:
    with pytest.raises(errors.ThalwegError, match=f"^{name}: got "):
        DescentRegressor(**{name: value}).fit(X3, Y3, weights)


def test_divergence_is_warned_of() -> None:
    with pytest.warns(ConvergenceWarning) as caught:
        DescentRegressor(lr=3.0).fit(X3, Y3)
    [warning] = caught
    assert str(warning.message).startswith("The descent ended after ")
    assert str(warning.message).endswith(
        " epochs, diverged: the loss left all bounds and the fit stopped there; lower the "
        "learning rate; lower lr, or leave it at 'auto'."
    )


def test_a_crawl_is_warned_of() -> None:
    with pytest.warns(ConvergenceWarning) as caught:
        DescentRegressor(lr=1e-4, epochs=10).fit(X3, Y3)
    [warning] = caught
    assert str(warning.message) == (
        "The descent ended after 10 epochs, out of epochs: all of them were walked; compare with "
        "the exact solution to see how near; raise epochs or the tolerance."
    )


# --- Weights --------------------------------------------------------------------------------------


def test_weights_give_the_weighted_least_squares_answer() -> None:
    weights = np.random.default_rng(0).uniform(0.0, 3.0, 200)
    weights[:20] = 0.0
    for intercept in (True, False):
        model = DescentRegressor(intercept=intercept).fit(X3, Y3, sample_weight=weights)
        exact = LinearRegression(fit_intercept=intercept).fit(X3, Y3, sample_weight=weights)
        np.testing.assert_allclose(model.coef_, exact.coef_, rtol=1e-5)
        np.testing.assert_allclose(model.intercept_, exact.intercept_, rtol=1e-5, atol=1e-12)
        errors_squared = (Y3 - model.predict(X3)) ** 2
        np.testing.assert_allclose(
            model.loss_curve_[-1], np.average(errors_squared, weights=weights), rtol=1e-9
        )


def test_a_weight_of_three_is_a_row_three_times() -> None:
    counts = np.random.default_rng(0).integers(0, 4, 200)
    settings: dict[str, Any] = {"epochs": 20, "tolerance": None, "lr": 0.3}
    settings |= {"hyperparameters": {"momentum": 0.4}}
    weighted = DescentRegressor(**settings).fit(X3, Y3, sample_weight=1e6 * counts)
    repeated = DescentRegressor(**settings)
    repeated.fit(np.repeat(X3, counts, axis=0), np.repeat(Y3, counts))
    # The whole path, in the user's units and in the coordinates it was walked in.
    np.testing.assert_allclose(weighted.run_.path, repeated.run_.path, rtol=1e-9)
    np.testing.assert_allclose(weighted.run_.scaled_path, repeated.run_.scaled_path, rtol=1e-9)
    np.testing.assert_allclose(weighted.loss_curve_, repeated.loss_curve_, rtol=1e-9)
    assert weighted.run_.settings == repeated.run_.settings
    assert weighted.run_.names == repeated.run_.names


@pytest.mark.parametrize("loss", ["mse", "l1"])
def test_in_mini_batches_a_weight_multiplies_its_rows_gradient(loss: str) -> None:
    weights = np.random.default_rng(0).uniform(0.5, 3.0, 200)
    model = DescentRegressor(
        optimizer="adam", lr=0.1, epochs=3, batch_size=16, loss=loss, standardize=False,
        start=[1.0, 0.0, 0.0, 0.0], intercept=True,
    ).fit(X3, Y3, sample_weight=weights)  # fmt: skip
    w = torch.tensor([1.0, 0.0, 0.0, 0.0], dtype=torch.float64, requires_grad=True)
    optimizer = torch.optim.Adam([w], lr=0.1)
    design = torch.tensor(np.column_stack([np.ones(200), X3]))
    target, scaled = torch.tensor(Y3), torch.tensor(weights / weights.mean())
    for _ in range(3):
        for rows in np.split(np.arange(200), range(16, 200, 16)):
            residuals = design[rows] @ w - target[rows]
            lengths = residuals**2 if loss == "mse" else residuals.abs()
            optimizer.zero_grad()
            (scaled[rows] * lengths).mean().backward()  # type: ignore[no-untyped-call]
            optimizer.step()
    np.testing.assert_allclose(model.run_.parameters, w.detach().numpy(), rtol=1e-9)


def test_equal_weights_are_no_weights() -> None:
    plain = DescentRegressor().fit(X3, Y3)
    weighted = DescentRegressor().fit(X3, Y3, sample_weight=np.full(200, 0.3))
    np.testing.assert_array_equal(weighted.run_.path, plain.run_.path)


@pytest.mark.parametrize("start", [None, 5, [1.0, 2.0, 3.0, 4.0]])
@pytest.mark.parametrize("standardize", [True, False])
def test_weights_do_not_change_where_it_starts(start: Any, standardize: bool) -> None:
    settings: dict[str, Any] = {"start": start, "standardize": standardize, "epochs": 1}
    settings |= {"tolerance": None, "lr": 1e-3}
    plain = DescentRegressor(**settings).fit(X3, Y3)
    weights = np.linspace(1.0, 2.0, 200)
    weighted = DescentRegressor(**settings).fit(X3, Y3, sample_weight=weights)
    run = weighted.run_
    if start == 5 and standardize:  # drawn in coordinates that the weights shape
        np.testing.assert_array_equal(run.scaled_path[0], plain.run_.scaled_path[0])
    else:
        np.testing.assert_allclose(run.path[0], plain.run_.path[0], rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize(
    ("weights", "got"),
    [
        (np.ones(3), "shape (3,)"),
        (np.ones((200, 1)), "shape (200, 1)"),
        (np.linspace(-1.0, 1.0, 200), "-1 among them"),
        (np.zeros(200), "0 among them"),
    ],
)
def test_wrong_weights_are_refused(weights: Array, got: str) -> None:
    with pytest.raises(errors.InvalidData) as error:
        DescentRegressor().fit(X3, Y3, sample_weight=weights)
    assert str(error.value) == (
        f"sample_weight: got {got}, expected 200 numbers, none negative and not all of them "
        "zero; give each row one weight"
    )


def test_the_huber_loss_takes_no_weights() -> None:
    with pytest.raises(errors.InvalidSetting) as error:
        DescentRegressor(loss="huber").fit(X3, Y3, sample_weight=np.arange(200.0))
    assert str(error.value) == (
        "sample_weight: got weights with loss='huber', expected loss='mse' or 'l1', which a "
        "weight only scales; leave the weights out, or choose one of these losses"
    )


# --- In several calls -----------------------------------------------------------------------------


@pytest.mark.parametrize("weights", [None, np.linspace(1.0, 2.0, 200)])
def test_a_warm_start_goes_on_as_if_it_had_not_stopped(weights: Array | None) -> None:
    settings: dict[str, Any] = {"optimizer": "adam", "lr": 0.1, "tolerance": None}
    settings |= {"batch_size": 16, "shuffle": True}
    whole = DescentRegressor(epochs=10, **settings).fit(X3, Y3, sample_weight=weights)
    model = DescentRegressor(epochs=4, warm_start=True, **settings)
    model.fit(X3, Y3, sample_weight=weights)
    model.set_params(epochs=6).fit(X3, Y3, sample_weight=weights)
    np.testing.assert_array_equal(model.run_.scaled_path[-1], whole.run_.scaled_path[-1])
    np.testing.assert_array_equal(model.loss_curve_, whole.loss_curve_)
    assert model.n_iter_ == 10


def test_without_a_warm_start_fit_begins_anew() -> None:
    model = DescentRegressor()
    first = model.fit(X3, Y3).loss_curve_
    np.testing.assert_array_equal(model.fit(X3, Y3).loss_curve_, first)


def test_partial_fit_walks_an_epoch_and_keeps_its_coordinates() -> None:
    settings: dict[str, Any] = {"optimizer": "adam", "lr": 0.1}
    model = DescentRegressor(**settings)
    for part in (slice(0, 80), slice(80, 200)):
        model.partial_fit(X3[part], Y3[part])
    first = thalweg.fit(
        (X3[:80], Y3[:80]), epochs=1, standardize=True, start=np.zeros(4), **settings
    )
    second = thalweg.fit((X3[80:], Y3[80:]), epochs=1, standardize=True, start=first, **settings)
    np.testing.assert_array_equal(model.run_.path, second.path)
    assert model.run_.scaling is not None
    means = [float(sum(map(Fraction, column.tolist())) / 80) for column in X3[:80].T]
    np.testing.assert_array_equal(model.run_.scaling.means, means)
    np.testing.assert_array_equal(model.loss_curve_, [*first.loss, *second.loss])
    assert model.n_iter_ == 2


@pytest.mark.parametrize("rows", [1, 10, 200])
def test_partial_fit_over_a_stream_approaches_the_truth(rows: int) -> None:
    """Blocks of any size, the first one row alone, and no rate to be chosen."""
    y = X3 @ [1.0, 2.0, 3.0] + 4.0
    model = DescentRegressor()
    for _ in range(2 * rows + 10):
        for low in range(0, 200, rows):
            model.partial_fit(X3[low : low + rows], y[low : low + rows])
    assert model.score(X3, y) > 0.99


def test_partial_fit_takes_weights() -> None:
    weights = np.linspace(0.0, 2.0, 200)
    model = DescentRegressor()
    for _ in range(300):
        model.partial_fit(X3, Y3, sample_weight=weights)
    exact = LinearRegression().fit(X3, Y3, sample_weight=weights)
    np.testing.assert_allclose(model.coef_, exact.coef_, rtol=1e-6)


# --- Among scikit-learn's own ---------------------------------------------------------------------


def test_pipelines_grid_search_and_clones() -> None:
    X, y = ORDINARY["diabetes"]
    pipe = make_pipeline(StandardScaler(), PolynomialFeatures(2), DescentRegressor())
    scores = cross_val_score(pipe, X[:, :4], y, cv=3)
    exact = cross_val_score(
        make_pipeline(StandardScaler(), PolynomialFeatures(2), LinearRegression()), X[:, :4], y,
        cv=3,
    )  # fmt: skip
    np.testing.assert_allclose(scores, exact, rtol=1e-5)
    grid = {"lr": [1e-4, 0.1], "hyperparameters": [{"momentum": 0.0}, {"momentum": 0.9}]}
    search = GridSearchCV(DescentRegressor(epochs=30, tolerance=None), grid, cv=3).fit(X, y)
    assert search.best_params_["lr"] == 0.1
    assert search.best_score_ > 0.4
    model = DescentRegressor(lr=0.2, hyperparameters={"momentum": 0.3})
    assert clone(model).get_params() == model.get_params()


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize(
    "settings",
    [{}, {"batch_size": 8}, {"intercept": False}, {"loss": "l1", "lr": 0.01, "epochs": 9}],
    ids=str,
)
def test_a_sparse_matrix_is_fitted_as_its_table(settings: dict[str, Any], weighted: bool) -> None:
    rng = np.random.default_rng(2)
    X = rng.normal(3.0, 1.0, (60, 5)) * (rng.random((60, 5)) < 0.3)
    y = X @ np.arange(5.0) + rng.normal(4.0, 0.1, 60)
    weights = rng.random(60) if weighted else None
    expected = DescentRegressor(**settings).fit(X, y, weights)
    going_on = clone(expected).partial_fit(X, y, weights).partial_fit(X, y, weights)
    for form in ("csr", "csc", "coo", "lil"):
        matrix = sparse.csr_matrix(X).asformat(form)
        model = clone(expected).fit(matrix, y, weights)
        assert model.coef_.tobytes() == expected.coef_.tobytes()
        assert (model.intercept_, model.n_iter_) == (expected.intercept_, expected.n_iter_)
        np.testing.assert_allclose(model.predict(matrix), expected.predict(X), rtol=1e-13)
        model = clone(expected).partial_fit(matrix, y, weights).partial_fit(matrix, y, weights)
        assert model.coef_.tobytes() == going_on.coef_.tobytes()


@pytest.mark.parametrize("drop", [None, "first"])
def test_encoded_words_in_a_pipeline_give_the_least_squares_predictions(drop: str | None) -> None:
    rng = np.random.default_rng(0)
    words = rng.choice(["a", "b", "c", "d"], (200, 2))
    y = (words == "b") @ [2.0, -3.0] + rng.normal(5.0, 0.1, 200)
    encoder = OneHotEncoder(drop=drop)  # sparse
    model = clone(make_pipeline(encoder, DescentRegressor())).fit(words, y)
    exact = make_pipeline(encoder, LinearRegression()).fit(words, y).predict(words)
    assert np.abs(model.predict(words) - exact).max() <= OF_RESIDUALS
    scores = cross_val_score(DescentRegressor(), OneHotEncoder().fit_transform(words), y)
    expected = cross_val_score(LinearRegression(), OneHotEncoder().fit_transform(words), y)
    np.testing.assert_allclose(scores, expected, atol=1e-4)


def test_names_come_from_the_frame() -> None:
    frame = pd.DataFrame(X3, columns=["hours", "y", "pages"])
    model = DescentRegressor().fit(frame, pd.Series(Y3, name="grade"))
    assert model.feature_names_in_.tolist() == ["hours", "y", "pages"]
    assert model.n_features_in_ == 3
    assert model.run_.names == ("bias", "hours", "y", "pages")
    assert model.run_.target == "grade"
    assert DescentRegressor().fit(frame, pd.Series(Y3, name="y")).run_.target == "y_2"
    assert DescentRegressor().fit(X3, Y3).run_.names == ("bias", "x1", "x2", "x3")


def test_a_pickled_model_predicts_the_same() -> None:
    model = DescentRegressor().fit(X3, Y3)
    again = pickle.loads(pickle.dumps(model))  # noqa: S301 - our own bytes
    np.testing.assert_array_equal(again.predict(X3), model.predict(X3))


def test_it_shows_itself_in_a_notebook() -> None:
    html = DescentRegressor(lr=0.5)._repr_html_()
    assert "DescentRegressor" in html
    assert "lr" in html


def test_without_scikit_learn_the_install_command_is_said() -> None:
    code = "import sys; sys.modules['sklearn.base'] = None; import thalweg.sklearn"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.stderr.splitlines()[-1] == (
        "thalweg.errors.MissingExtra: thalweg.sklearn needs an optional part that is not "
        "installed; install it with: pip install 'thalweg[sklearn]'"
    )
