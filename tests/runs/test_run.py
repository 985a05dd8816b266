"""``Run``: what it says of a descent."""

from __future__ import annotations

import numpy as np
import pytest
import torch

import thalweg
from thalweg import errors
from thalweg.summary.scaling import Scaling


def test_predictions_are_the_models(three_features: thalweg.Dataset) -> None:
    run = thalweg.fit(three_features, epochs=20, lr=0.1, engine="reference")
    X = three_features.X[:5]
    model = run.model()
    by_model = model(torch.tensor(X, dtype=torch.float32)).detach().numpy().ravel()
    assert run.predict(X).dtype == np.float32
    np.testing.assert_allclose(run.predict(X), by_model, rtol=1e-6)
    linear = model[0]
    assert isinstance(model, torch.nn.Sequential)
    assert isinstance(linear, torch.nn.Linear)
    assert linear.bias.item() == run.bias
    assert linear.weight.detach().double().numpy().ravel().tolist() == run.weights.tolist()


def test_a_float64_run_predicts_in_float64(three_features: thalweg.Dataset) -> None:
    run = thalweg.fit(three_features, epochs=20, lr=0.1)
    expected = run.bias + three_features.X @ run.weights
    np.testing.assert_allclose(run.predict(three_features.X), expected, rtol=1e-15)
    linear = run.model()[0]
    assert isinstance(linear, torch.nn.Linear)
    assert linear.weight.dtype is torch.float64


@pytest.mark.parametrize("engine", ["compiled", "reference"])
def test_predictions_do_not_depend_on_how_rows_lie_in_memory(engine: str) -> None:
    X = np.random.default_rng(2).normal(1.0, 9.0, (500, 7))
    run = thalweg.fit(X, X.sum(axis=1), epochs=3, engine=engine)
    assert run.predict(np.asfortranarray(X)).tolist() == run.predict(X).tolist()


def test_predict_refuses_other_features(three_features: thalweg.Dataset) -> None:
    run = thalweg.fit(three_features, epochs=1)
    with pytest.raises(errors.InvalidData) as caught:
        run.predict([[1.0, 2.0]])
    assert str(caught.value) == (
        "X: got shape (1, 2), expected (m, 3), a row per prediction; give the columns of the fit "
        "in their order, or a frame that has them by name"
    )
    with pytest.raises(errors.InvalidData, match=r"reshape it, with X.reshape\(-1, 3\)"):
        run.predict(np.arange(6.0))


def test_bias_and_weights_are_the_paths_end(three_features: thalweg.Dataset) -> None:
    run = thalweg.fit(three_features, epochs=4, lr=0.1)
    assert [run.bias, *run.weights] == run.path[-1].tolist() == run.parameters.tolist()
    assert run.names == ("bias", "length", "depth", "slope")
    assert (run.epochs, run.steps_per_epoch) == (4, 1)


@pytest.mark.parametrize("intercept", [True, False])
def test_scaling_goes_there_and_back(intercept: bool) -> None:
    scaling = Scaling(np.array([3.0, -2.0]) * intercept, np.array([0.5, 100.0]))
    points = np.array([[1.0, 2.0, 3.0], [-4.0, 5.0, 0.1]])[:, 1 - intercept :]
    there = scaling.from_user(points, intercept=intercept)
    np.testing.assert_allclose(scaling.to_user(there, intercept=intercept), points, rtol=1e-14)
    X = np.array([[1.0, 7.0], [2.5, -3.0]])
    Z = (X - scaling.means) / scaling.scales
    for user, scaled in zip(points, there, strict=True):
        expected = X @ user[-2:] + (user[0] if intercept else 0.0)
        np.testing.assert_allclose(Z @ scaled[-2:] + (scaled[0] if intercept else 0.0), expected)


def test_a_standardised_run_speaks_in_the_users_units(three_features: thalweg.Dataset) -> None:
    run = thalweg.fit(three_features, optimizer="sgd", lr=0.4, epochs=3000, standardize=True)
    solution = three_features.summary.solve()
    np.testing.assert_allclose(run.parameters, [solution.bias, *solution.weights], rtol=1e-9)
    assert not np.allclose(run.scaled_path[-1], run.parameters)


def test_outcomes_advise() -> None:
    assert {outcome.name for outcome in thalweg.Outcome} == {
        "CONVERGED", "OUT_OF_EPOCHS", "DIVERGED", "STOPPED",
    }  # fmt: skip
    assert "lower the learning rate" in thalweg.Outcome.DIVERGED.value


def test_the_repr_says_where_it_ended() -> None:
    run = thalweg.fit(thalweg.salammbo(), epochs=2, start=[1.0, 0.5], engine="reference")
    assert repr(run).startswith("Run(nadam, epochs=2, loss=")
    assert repr(run).endswith(", out_of_epochs)")


def test_a_feature_may_be_called_as_the_loss_is() -> None:
    data = thalweg.Dataset([[1.0, 0.0], [2.0, 1.0], [4.0, 0.0]], [1.0, 3.0, 4.0],
                           features=["loss", "rank"])  # fmt: skip
    said = repr(thalweg.solve(data))
    assert "loss_2=1," in said
    assert "rank_2=1," in said
    assert repr(thalweg.fit(data, epochs=1)).count(" loss=") == 1
