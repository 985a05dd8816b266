"""``fit``: what it refuses, with the whole sentence, and what it makes of its settings."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

import thalweg
from thalweg import Outcome, errors
from thalweg.data.text_format import TextFormat

DATA = thalweg.salammbo()


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        (
            {"optimizer": "nadm"},
            "optimizer: got 'nadm', expected the name or the class of an optimiser of "
            "torch.optim; did you mean 'nadam'?",
        ),
        (
            {"optimizer": 3},
            "optimizer: got 3, expected the name or the class of an optimiser of torch.optim; "
            "choose one of 'adadelta', 'adafactor', 'adagrad', 'adam', 'adamax', 'adamw', "
            "'asgd', 'muon', 'nadam', 'radam', 'rmsprop', 'rprop', 'sgd'",
        ),
        (
            {"optimizer": torch.nn.Linear},
            "optimizer: got 'Linear', expected the name or the class of an optimiser of "
            "torch.optim; choose one of 'adadelta', 'adafactor', 'adagrad', 'adam', 'adamax', "
            "'adamw', 'asgd', 'muon', 'nadam', 'radam', 'rmsprop', 'rprop', 'sgd'",
        ),
        (
            {"optimizer": "lbfgs"},
            "optimizer: got 'lbfgs', expected one that makes a step from one gradient; it asks "
            "for the loss many times in one step, through a closure; try 'nadam'",
        ),
        (
            {"optimizer": torch.optim.SparseAdam},
            "optimizer: got 'sparseadam', expected one that makes a step from one gradient; it "
            "takes sparse gradients only, and a regression's are dense; try 'nadam'",
        ),
        (
            {"momentun_decay": 0.1},
            "fit: got unknown setting 'momentun_decay', expected its own settings and those of "
            "NAdam; did you mean 'momentum_decay'?",
        ),
        (
            {"learning_rate": 0.1, "epoch": 3},
            "fit: got unknown settings 'learning_rate', 'epoch', expected its own settings and "
            "those of NAdam; for 'learning_rate' did you mean 'lr'?; for 'epoch' did you mean "
            "'epochs'?",
        ),
        ({"lr": -1.0}, "lr: got -1.0, expected a positive number; try lr=0.01"),
        ({"lr": float("nan")}, "lr: got nan, expected a positive number; try lr=0.01"),
        ({"lr": "fast"}, "lr: got 'fast', expected a positive number; try lr=0.01"),
        ({"lr": [0.1]}, "lr: got [0.1], expected a positive number; try lr=0.01"),
        (
            {"epochs": 0},
            "epochs: got 0, expected a whole number of at least 1; try epochs=250",
        ),
        (
            {"epochs": 2.5},
            "epochs: got 2.5, expected a whole number of at least 1; try epochs=250",
        ),
        (
            {"epochs": 2**63},
            f"epochs: got {2**63}, expected a whole number from 1 to 2**63 - 1; try epochs=250",
        ),
        (
            {"seed": -(2**63) - 1},
            f"seed: got {-(2**63) - 1}, expected a whole number of at least -2**63; any whole "
            "number that PyTorch's manual_seed takes gives a stream",
        ),
        (
            {"seed": 2**64},
            f"seed: got {2**64}, expected a whole number of at most 2**64 - 1; any whole number "
            "that PyTorch's manual_seed takes gives a stream",
        ),
        (
            {"record": 2**63},
            f"record: got {2**63}, expected one of 'epoch', 'step', or a whole number from 1 to "
            "2**63 - 1; say 'epoch', 'step', or how many steps lie between two points",
        ),
        (
            {"record": "x"},
            "record: got 'x', expected one of 'epoch', 'step', or a whole number of at least 1; "
            "say 'epoch', 'step', or how many steps lie between two points",
        ),
        (
            {"engine": "x"},
            "engine: got 'x', expected one of 'auto', 'compiled', 'reference'; choose one of them",
        ),
        (
            {"batch_size": 0},
            "batch_size: got 0, expected a whole number of at least 1; leave it out to take all "
            "the rows",
        ),
        ({"shuffle": "yes"}, "shuffle: got 'yes', expected True or False; say one of the two"),
        (
            {"drop_last": True},
            "drop_last: got True without a batch_size, expected a batch_size whose last, short "
            "batch could be dropped; add batch_size, or leave drop_last out",
        ),
        (
            {"batch_size": 16, "drop_last": True},
            "batch_size: got 16 for 15 rows, with drop_last, expected at most 15, or no step "
            "would be left; lower batch_size, or leave drop_last out",
        ),
        (
            {"batch_sampler": [[0, 1], [14, 15]]},
            "batch_sampler: got row 15, expected row numbers from 0 to 14; rows are counted "
            "from 0",
        ),
        (
            {"batch_sampler": [[0], []]},
            "batch_sampler: got [[0], []], expected lists of row numbers, one list a batch, none "
            "empty; try [[0, 1, 2, 3], [4, 5, 6, 7]]",
        ),
        (
            {"batch_sampler": [[0, 1]], "batch_size": 2, "shuffle": True},
            "batch_sampler: got batches written out, and batch_size, shuffle too, expected one "
            "or the other; leave out batch_size, shuffle: the sampler says which rows each step "
            "sees",
        ),
        (
            {"engine": "compild"},
            "engine: got 'compild', expected one of 'auto', 'compiled', 'reference'; did you "
            "mean 'compiled'?",
        ),
        (
            {"engine": "compiled", "dtype": "float32"},
            "engine: got 'compiled' with dtype='float32', expected 'reference', which alone can "
            "do that; use engine='auto'",
        ),
        (
            {"engine": "compiled", "optimizer": "adafactor"},
            "engine: got 'compiled' with Adafactor, expected 'reference', which alone can do "
            "that; use engine='auto'",
        ),
        (
            {"dtype": "float16"},
            "dtype: got 'float16', expected one of 'float32', 'float64'; did you mean 'float64'?",
        ),
        (
            {"seed": 1.5},
            "seed: got 1.5, expected a whole number; any whole number that PyTorch's manual_seed "
            "takes gives a stream",
        ),
        (
            {"start": [1.0]},
            "start: got [1.0], expected 2 finite numbers, [bias, weights…]; give one value for "
            "each parameter",
        ),
        (
            {"start": [1.0, float("inf")]},
            "start: got [1.0, inf], expected 2 finite numbers, [bias, weights…]; give one value "
            "for each parameter",
        ),
        (
            {"record": "steps"},
            "record: got 'steps', expected one of 'epoch', 'step', or a whole number of at "
            "least 1; did you mean 'step'?",
        ),
        (
            {"record": 0},
            "record: got 0, expected one of 'epoch', 'step', or a whole number of at least 1; "
            "say 'epoch', 'step', or how many steps lie between two points",
        ),
        (
            {"record": "step", "epochs": 10**9},
            "record: got 'step': a path of 14.9 GiB, expected one of at most 1 GiB; use "
            "record=15, every 15th step",
        ),
        ({"tolerance": 0}, "tolerance: got 0, expected a positive number; try tolerance=0.01"),
        (
            {"tolerance": 0.1, "tolerance_on": "loss", "loss": "l1"},
            "tolerance_on: got 'loss' with loss='l1', expected loss='mse', whose exact solution "
            "is known; use tolerance_on='gradient_norm'",
        ),
        (
            {"delta": 2.0},
            "delta: got 2.0 with loss='mse', expected loss='huber', which alone has one; leave "
            "delta out",
        ),
    ],
)  # fmt: skip
def test_a_wrong_setting_is_refused_in_one_sentence(settings: dict[str, Any], said: str) -> None:
    with pytest.raises((errors.InvalidSetting, errors.InvalidData)) as caught:
        thalweg.fit(DATA, **settings)
    assert str(caught.value) == said


def test_another_optimisers_state_is_refused() -> None:
    run = thalweg.fit(DATA, epochs=2)
    with pytest.raises(errors.InvalidSetting) as caught:
        thalweg.fit(DATA, optimizer="sgd", start=run)
    assert str(caught.value) == (
        "start: got a run of 'nadam', whose state 'sgd' cannot take, expected a run of the same "
        "optimiser; use start=run.continuation(fresh_optimizer=True)"
    )
    fresh = run.continuation(fresh_optimizer=True)
    on = thalweg.fit(DATA, optimizer="sgd", lr=1e-12, epochs=1, start=fresh)
    np.testing.assert_array_equal(on.path[0], run.path[-1])


def test_the_settings_say_everything() -> None:
    run = thalweg.fit(DATA, epochs=3, lr=0.1, betas=(0.8, 0.99), batch_size=4, shuffle=True)
    settings = run.asked
    assert (settings.optimizer, settings.lr, settings.epochs) == ("nadam", 0.1, 3)
    assert settings.hyperparameters["betas"] == (0.8, 0.99)
    assert settings.hyperparameters["eps"] == 1e-8
    assert (settings.batch_size, settings.shuffle, settings.drop_last) == (4, True, False)
    assert (settings.engine, settings.dtype, settings.seed) == ("compiled", "float64", 0)


@pytest.mark.parametrize(
    ("asked", "engine", "dtype"),
    [
        ({}, "compiled", "float64"),
        ({"dtype": "float64"}, "compiled", "float64"),
        ({"dtype": "float32"}, "reference", "float32"),
        ({"optimizer": "adafactor"}, "reference", "float32"),
        ({"foreach": True}, "reference", "float32"),
        ({"engine": "reference"}, "reference", "float32"),
        ({"engine": "reference", "dtype": "float64"}, "reference", "float64"),
    ],
)
def test_auto_is_compiled_wherever_that_applies(
    asked: dict[str, Any], engine: str, dtype: str
) -> None:
    settings = thalweg.fit(DATA, epochs=1, **asked).asked
    assert (settings.engine, settings.dtype) == (engine, dtype)


@pytest.mark.parametrize("engine", ["compiled", "reference"])
class TestStart:
    def test_none_draws_pytorchs_initialisation(self, engine: str) -> None:
        torch.manual_seed(12)
        linear = torch.nn.Linear(1, 1)
        run = thalweg.fit(DATA, seed=12, epochs=1, engine=engine)
        np.testing.assert_array_equal(run.path[0], [linear.bias.item(), linear.weight.item()])

    def test_a_number_is_another_seed(self, engine: str) -> None:
        drawn = thalweg.fit(DATA, seed=12, epochs=1, engine=engine).path[0]
        run = thalweg.fit(DATA, seed=3, start=12, epochs=1, engine=engine)
        np.testing.assert_array_equal(run.path[0], drawn)

    def test_parameters_are_taken_as_they_are(self, engine: str) -> None:
        run = thalweg.fit(DATA, start=[8.0, 0.5], epochs=1, engine=engine)
        assert run.path[0].tolist() == [8.0, 0.5]


def test_without_an_intercept_there_is_no_bias_anywhere(three_features: thalweg.Dataset) -> None:
    run = thalweg.fit(three_features, intercept=False, epochs=3)
    assert run.path.shape == (4, 3)
    assert run.bias == 0.0
    assert run.names == ("length", "depth", "slope")
    np.testing.assert_allclose(run.predict(three_features.X), three_features.X @ run.weights)


def test_tolerance_on_the_gradient_stops_at_its_epoch(three_features: thalweg.Dataset) -> None:
    asked: dict[str, Any] = {"optimizer": "sgd", "lr": 0.002, "momentum": 0.9}
    whole = thalweg.fit(three_features, epochs=2000, **asked)
    run = thalweg.fit(three_features, epochs=2000, tolerance=0.5, **asked)
    first = int(np.argmax(whole.gradient_norm <= 0.5))
    assert run.outcome is thalweg.Outcome.CONVERGED
    assert run.epochs == first + 1
    np.testing.assert_array_equal(run.path, whole.path[: first + 2])


@pytest.mark.parametrize("engine", ["compiled", "reference"])
def test_tolerance_on_the_loss_is_the_distance_to_the_exact_one(
    engine: str, three_features: thalweg.Dataset
) -> None:
    design = np.column_stack([np.ones(37), three_features.X])
    best = np.linalg.lstsq(design, three_features.y, rcond=None)[0]
    exact = np.mean((design @ best - three_features.y) ** 2)
    run = thalweg.fit(
        three_features, optimizer="adam", lr=0.5, epochs=3000, standardize=True, engine=engine,
        tolerance=0.01, tolerance_on="loss",
    )  # fmt: skip
    assert run.outcome is thalweg.Outcome.CONVERGED
    assert run.loss[-1] <= 1.01 * exact < run.loss[-2]


@pytest.mark.parametrize("engine", ["compiled", "reference"])
@pytest.mark.parametrize("batch_size", [None, 6])
@pytest.mark.parametrize("intercept", [True, False])
def test_standardised_descent_is_descent_on_standardised_rows(
    engine: str, batch_size: int | None, intercept: bool, three_features: thalweg.Dataset
) -> None:
    asked: dict[str, Any] = {
        "lr": 0.1, "epochs": 20, "engine": engine, "batch_size": batch_size,
        "intercept": intercept, "dtype": "float64",
    }  # fmt: skip
    X = three_features.X
    means = X.mean(axis=0) if intercept else np.zeros(3)
    scales = np.sqrt(np.mean((X - means) ** 2, axis=0))
    by_hand = thalweg.fit(((X - means) / scales, three_features.y), **asked)
    run = thalweg.fit(three_features, standardize=True, **asked)
    np.testing.assert_allclose(run.scaled_path, by_hand.path, rtol=1e-9)
    np.testing.assert_allclose(run.loss, by_hand.loss, rtol=1e-9)
    np.testing.assert_allclose(run.predict(X), by_hand.predict((X - means) / scales), rtol=1e-9)


def test_a_standardised_run_goes_on_where_it_ended(three_features: thalweg.Dataset) -> None:
    asked: dict[str, Any] = {"lr": 0.1, "standardize": True}
    whole = thalweg.fit(three_features, epochs=10, **asked)
    first = thalweg.fit(three_features, epochs=4, **asked)
    rest = thalweg.fit(three_features, epochs=6, start=first, **asked)
    np.testing.assert_array_equal(rest.scaled_path, whole.scaled_path[4:])


def test_nothing_is_modified(three_features: thalweg.Dataset) -> None:
    X, y, start = three_features.X.copy(), three_features.y.copy(), np.array([1.0, 2.0, 3.0, 4.0])
    for engine in ("compiled", "reference"):
        thalweg.fit((X, y), start=start, epochs=3, engine=engine, standardize=True)
    np.testing.assert_array_equal(X, three_features.X)
    np.testing.assert_array_equal(y, three_features.y)
    assert start.tolist() == [1.0, 2.0, 3.0, 4.0]


@pytest.mark.parametrize("engine", ["compiled", "reference"])
def test_a_start_whose_parameters_mean_something_else_is_refused(engine: str) -> None:
    """One feature with a bias and two without have two parameters each."""
    rng = np.random.default_rng(2)
    X, y = rng.normal(size=(9, 2)), rng.normal(size=9)
    with_bias = thalweg.fit((X[:, 0], y), epochs=3, engine=engine)
    for start in (with_bias, with_bias.continuation(fresh_optimizer=True)):
        with pytest.raises(errors.InvalidSetting) as caught:
            thalweg.fit((X, y), intercept=False, start=start, engine=engine)
        assert str(caught.value) == (
            "start: got a run with a bias for a fit without one, expected a run whose parameters "
            "mean the same; use intercept=True, or give the start as an array"
        )
    again = thalweg.fit((X, y), intercept=False, start=with_bias.parameters, epochs=1)
    np.testing.assert_array_equal(again.path[0], with_bias.parameters)


@pytest.mark.parametrize("changed", ["features", "intercept"])
def test_an_optimizer_state_goes_on_only_where_it_fits(changed: str) -> None:
    first = thalweg.fit(DATA, optimizer="adam", epochs=3)
    data: Any = DATA
    if changed == "features":
        data = (np.column_stack([DATA.X, DATA.X**2]), DATA.y)
    asked: Any = {"optimizer": "adam", "epochs": 3, "intercept": changed != "intercept"}
    with pytest.raises(errors.InvalidSetting, match="start: got"):
        thalweg.fit(data, start=first.continuation(fresh_parameters=True), **asked)
    fresh = first.continuation(fresh_parameters=True, fresh_optimizer=True)
    assert thalweg.fit(data, start=fresh, **asked).epochs == 3


@pytest.mark.parametrize("size", [1e155, 1e-190])
@pytest.mark.parametrize("batch_size", [None, 2, 1])
@pytest.mark.parametrize("engine", ["compiled", "reference"])
def test_a_gradient_norm_is_right_whatever_its_size(
    size: float, batch_size: int | None, engine: str
) -> None:
    X = np.array([[1.0, 2.0], [2.0, 1.0], [3.0, 5.0], [4.0, 4.0]])
    asked: Any = {"loss": "l1", "intercept": False, "start": [0.0, 0.0], "dtype": "float64"}
    run = thalweg.fit(
        (X * size, [1.0, 2.0, 3.0, 5.0]),
        optimizer="sgd",
        lr=1e-314,  # the later batches meet the same signs
        epochs=1,
        batch_size=batch_size,
        engine=engine,
        **asked,
    )
    assert run.gradient_norm[0] / size == pytest.approx(float(np.hypot(2.5, 3.0)), rel=1e-14)


@pytest.mark.parametrize(
    ("asked", "advice"),
    [
        ({"loss": "mae"}, "did you mean 'l1'?"),
        ({"loss": "squared_error"}, "did you mean 'mse'?"),
        ({"scheduler": "cosine"}, "the rate is constant; for another from here on go on with "
                                  "start=run and its lr"),
        ({"penalty": "l1"}, "lasso and elastic net are out of scope; weight_decay shrinks as ridge "
                            "does"),
        *(({asked: "x"}, f"give it to thalweg.read(data, target=…, {name}=…), and fit what that "
                         "gives")
          for asked, name in [("missing", "missing"), ("sep", "delimiter"),
                              *((name, name) for name in TextFormat._fields)]),
    ],
)  # fmt: skip
def test_words_from_elsewhere_get_their_way_here(asked: dict[str, Any], advice: str) -> None:
    with pytest.raises(errors.InvalidSetting) as error:
        thalweg.fit(thalweg.salammbo(), **asked)
    assert error.value.advice == advice


@pytest.mark.parametrize(
    "way",
    [{}, {"batch_sampler": [[0, 1, 2, 3]]}, {"engine": "reference", "dtype": "float64"}],
    ids=["summary", "rows", "reference"],
)
@pytest.mark.parametrize("feature", [0.1, 1e14, -7.3e-9])
@pytest.mark.parametrize("nearly", [False, True])
def test_a_constant_feature_is_nothing_to_every_engine(
    way: dict[str, Any], feature: float, nearly: bool
) -> None:
    """Rprop would take a whole step for what rounding leaves of it."""
    X = np.column_stack([[0.0, 1.0, 2.0, 5.0], np.full(4, feature)])
    X[2, 1] = np.nextafter(feature, np.inf) if nearly else feature
    y = [1.0, 2.0, 4.0, 5.0]
    asked: dict[str, Any] = {"optimizer": "rprop", "epochs": 30, "standardize": True}
    run = thalweg.fit(X, y, start=[0, 0, 0], **asked, **way)
    alone = thalweg.fit(X[:, :1], y, start=[0, 0], **asked)
    np.testing.assert_allclose(run.scaled_path[:, :2], alone.scaled_path, rtol=1e-9, atol=1e-12)
    assert (run.scaled_path[:, 2] == 0.0).all()


@pytest.mark.parametrize(
    "asked",
    [{}, {"standardize": True}, {"batch_size": 3}, {"engine": "reference", "dtype": "float64"}],
)
def test_an_infinite_loss_is_no_fit(asked: dict[str, Any]) -> None:
    """Whatever the loss at the start: no limit is beyond it."""
    run = thalweg.fit(thalweg.salammbo(), start=[1e300, 1e300], epochs=2, **asked)
    assert run.outcome is Outcome.DIVERGED
    assert thalweg.sweep(thalweg.salammbo(), lr=[0.1], start=[[1e300, 1e300]]).diverged.all()


@pytest.mark.parametrize(
    "asked",
    [{"lr": 1e38}, {"lr": 1e200}, {"start": [1e300, 0.0]}, {"optimizer": "sgd", "lr": 1e200}],
)
def test_numbers_beyond_float32_are_refused_in_a_sentence(asked: dict[str, Any]) -> None:
    with pytest.raises(errors.InvalidSetting, match="from PyTorch"):
        thalweg.fit(
            thalweg.salammbo(), engine="reference", **{"optimizer": "adam", "epochs": 2, **asked}
        )


def test_a_state_of_other_flags_is_refused_in_a_sentence() -> None:
    first = thalweg.fit(thalweg.salammbo(), engine="reference", optimizer="adam", epochs=2)
    with pytest.raises(errors.InvalidSetting, match="from PyTorch"):
        thalweg.fit(
            thalweg.salammbo(), engine="reference", optimizer="adam", amsgrad=True, start=first
        )
