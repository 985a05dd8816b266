"""Sweeps: each run of one native call is the run that ``fit`` makes alone."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

import thalweg
from thalweg import errors
from thalweg.figures import rates_figure, settings_map_figure
from thalweg.optimizers.registry import RULES

RELATIVE = 1e-9  # float64, 120 steps, sums taken in another order
RATES = [1e-4, 3e-4, 1e-3]


@pytest.mark.parametrize("optimizer", RULES)
@pytest.mark.parametrize("intercept", [True, False])
def test_each_run_is_what_fit_makes_alone(
    optimizer: str, intercept: bool, three_features: thalweg.Dataset
) -> None:
    swept = thalweg.sweep(
        three_features, lr=RATES, optimizer=optimizer, epochs=120, start=[3, 4], paths=True,
        intercept=intercept,
    )  # fmt: skip
    assert len(swept) == 6
    for number in range(len(swept)):
        alone = swept.run(number)
        assert swept.paths is not None
        # Adadelta is chaotic after its first steps: there the first 60 are compared.
        known = 61 if optimizer == "adadelta" else 121
        np.testing.assert_allclose(swept.paths[number][:known], alone.path[:known], rtol=RELATIVE)
        assert swept.settings["lr"][number] == alone.settings.lr
        expected = three_features.summary.loss(swept.parameters[number], intercept=intercept)
        assert swept.loss[number] == pytest.approx(expected, rel=RELATIVE)


def test_divergence_is_where_fit_sees_it(three_features: thalweg.Dataset) -> None:
    swept = thalweg.sweep(
        three_features, lr=[1e-4, 0.01, 0.1, 10.0], optimizer="sgd", epochs=400, paths=True
    )
    assert swept.diverged.tolist() == [False, True, True, True]
    assert swept.outcomes[0] is thalweg.Outcome.OUT_OF_EPOCHS
    for number in (1, 2, 3):
        alone = swept.run(number)
        assert alone.outcome is swept.outcomes[number] is thalweg.Outcome.DIVERGED
        assert swept.epochs[number] == alone.epochs
        assert swept.paths is not None
        assert np.isnan(swept.paths[number, alone.epochs + 1 :]).all()
        np.testing.assert_allclose(
            swept.paths[number, : alone.epochs + 1], alone.path, rtol=RELATIVE
        )


def test_the_stable_rate_parts_the_runs(three_features: thalweg.Dataset) -> None:
    once = thalweg.sweep(three_features, lr=[1e-4], optimizer="sgd")
    edge = once.stable_learning_rate
    swept = thalweg.sweep(
        three_features, lr=[0.99 * edge, 1.01 * edge], optimizer="sgd", epochs=5000
    )
    assert swept.diverged.tolist() == [False, True]


def test_lists_are_combined_and_optimisers_do_without_what_they_have_not(
    three_features: thalweg.Dataset,
) -> None:
    swept = thalweg.sweep(
        three_features, lr=[1e-4, 2e-4], optimizer=["sgd", "adam"], momentum=[0.0, 0.5, 0.9],
        betas=(0.8, 0.99), epochs=30,
    )  # fmt: skip
    assert len(swept) == (3 + 1) * 2
    assert swept.settings["optimizer"].tolist() == ["sgd"] * 6 + ["adam"] * 2
    np.testing.assert_array_equal(
        swept.settings["momentum"], [0, 0, 0.5, 0.5, 0.9, 0.9, np.nan, np.nan]
    )
    assert "momentum" not in swept.setting(7)
    assert swept.setting(7)["betas"] == (0.8, 0.99)
    assert swept.setting(3)["momentum"] == 0.5
    for number in range(len(swept)):
        np.testing.assert_allclose(
            swept.run(number).parameters, swept.parameters[number], rtol=RELATIVE
        )


@pytest.mark.parametrize("start", [None, 5, [1, 2], [0.5, 1.0, 2.0, -1.0], np.ones((3, 4))])
def test_standardised_runs_are_in_the_users_units(
    start: Any, three_features: thalweg.Dataset
) -> None:
    swept = thalweg.sweep(
        three_features, lr=[0.01, 0.1], optimizer="nadam", start=start, standardize=True,
        epochs=50, paths=True,
    )  # fmt: skip
    assert swept.paths is not None
    for number in range(len(swept)):
        alone = swept.run(number)
        np.testing.assert_allclose(swept.paths[number], alone.path, rtol=1e-8, atol=1e-10)
        np.testing.assert_allclose(
            swept.paths[number, 0], swept.starts[swept.settings["start"][number]], rtol=1e-12
        )


def test_the_best_is_the_least_loss_that_holds(three_features: thalweg.Dataset) -> None:
    swept = thalweg.sweep(three_features, lr=[1e-5, 1e-3, 10.0], optimizer="sgd", epochs=200)
    assert swept.best == 1
    assert swept.exact_loss <= swept.loss[1]
    every = thalweg.sweep(three_features, lr=[10.0], optimizer="sgd", epochs=200)
    with pytest.raises(errors.InvalidSetting) as caught:
        _ = every.best
    assert str(caught.value).startswith(
        "lr: got a sweep in which every run diverged, expected at least one that did not; plain "
        "SGD is stable below lr="
    )


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({"lr": []}, "lr: got none, expected at least one; try lr=[0.01, 0.1]"),
        (
            {"lr": [0.1, -1.0]},
            "lr: got -1.0, expected a positive number; try numpy.geomspace(1e-4, 1, 50)",
        ),
        (
            {"lr": 0.1, "optimizer": "nadm"},
            "optimizer: got 'nadm', expected the name or the class of an optimiser of "
            "torch.optim; did you mean 'nadam'?",
        ),
        (
            {"lr": 0.1, "optimizer": "adafactor"},
            "optimizer: got 'adafactor', expected one of 'adadelta', 'adagrad', 'adam', 'adamax', "
            "'adamw', 'asgd', 'nadam', 'radam', 'rmsprop', 'rprop', 'sgd'; walk the others one at "
            "a time with thalweg.fit",
        ),
        (
            {"lr": 0.1, "momentun": [0.1, 0.9], "optimizer": "sgd"},
            "sweep: got unknown setting 'momentun', expected its own settings and those of SGD; "
            "did you mean 'momentum'?",
        ),
        (
            {"lr": 0.1, "batch_sizes": 4, "path": True, "optimizer": "sgd"},
            "sweep: got unknown settings 'batch_sizes', 'path', expected its own settings and "
            "those of SGD; for 'batch_sizes' choose one of 'lr', 'optimizer', 'start', 'paths', "
            "'epochs', 'seed', 'intercept', 'standardize', 'momentum', 'dampening', "
            "'weight_decay', 'nesterov', 'maximize', 'capturable', 'differentiable', 'foreach', "
            "'fused'; for 'path' did you mean 'paths'?",
        ),
        (
            {"lr": 0.1, "start": [1.0, 2.0]},
            "start: got array([1., 2.]), expected 4 finite numbers, [bias, weights…]; give one "
            "value for each parameter",
        ),
        (
            {"lr": np.geomspace(1e-4, 1, 50), "epochs": 10**6, "paths": True},
            "paths: got 50 paths of 1.5 GiB together, expected at most 1 GiB; leave paths out, "
            "and walk the interesting runs again with Sweep.run",
        ),
    ],
)
def test_mistakes_get_one_sentence(
    asked: dict[str, Any], said: str, three_features: thalweg.Dataset
) -> None:
    with pytest.raises((errors.InvalidSetting, errors.InvalidData)) as caught:
        thalweg.sweep(three_features, **asked)
    assert str(caught.value) == said


@pytest.mark.parametrize(
    "asked",
    [
        {"nesterov": [True, False], "momentum": 0.5, "optimizer": "sgd"},
        {"optimizer": torch.optim.SGD, "momentum": [0.0, 0.5]},
        {"optimizer": [torch.optim.SGD, "adam"], "amsgrad": [True, False]},
        {"optimizer": "adam", "betas": [(0.9, 0.99), (0.5, 0.9)], "intercept": False},
        {"optimizer": "sgd", "momentum": np.array([0.0, 0.5]), "standardize": True, "start": [3]},
    ],
)
def test_every_run_can_be_walked_again(
    asked: dict[str, Any], three_features: thalweg.Dataset
) -> None:
    """What a run says of its settings is what ``fit`` takes: flags are flags, numbers numbers."""
    swept = thalweg.sweep(three_features, lr=[1e-4, 2e-4], epochs=5, **asked)
    for number in range(len(swept)):
        np.testing.assert_allclose(
            swept.run(number).parameters, swept.parameters[number], rtol=RELATIVE
        )
        longer = thalweg.fit(three_features, **{**swept.setting(number), "epochs": 6})
        np.testing.assert_allclose(longer.path[5], swept.parameters[number], rtol=RELATIVE)


@pytest.mark.parametrize("name", ["optimizer", "momentum"])
def test_an_empty_list_is_refused(name: str, three_features: thalweg.Dataset) -> None:
    asked: dict[str, Any] = {"optimizer": "sgd", name: []}
    with pytest.raises(errors.InvalidSetting) as caught:
        thalweg.sweep(three_features, lr=0.1, **asked)
    assert str(caught.value) == (
        f"{name}: got an empty list, expected at least one value to try; leave it out, or give it "
        "one"
    )


@pytest.mark.parametrize("start", [[], np.ones((0, 4)), [[]]])
def test_an_empty_start_is_refused(start: Any, three_features: thalweg.Dataset) -> None:
    with pytest.raises(errors.InvalidData, match=r"^start: got"):
        thalweg.sweep(three_features, lr=0.1, start=start)


@pytest.mark.parametrize("asked", [{"batch_size": 4}, {"loss": "l1"}, {"engine": "reference"}])
def test_what_a_sweep_does_not_walk_is_refused(
    asked: dict[str, Any], three_features: thalweg.Dataset
) -> None:
    with pytest.raises(errors.InvalidSetting, match="a sweep walks batch descent on the squared"):
        thalweg.sweep(three_features, lr=0.1, **asked)


def test_the_rates_figure_says_what_is_stable(three_features: thalweg.Dataset) -> None:
    swept = thalweg.sweep(
        three_features, lr=np.geomspace(1e-6, 1, 20), optimizer=["sgd", "nadam"], epochs=50
    )
    figure = rates_figure(swept)
    assert [trace.name for trace in figure.data] == ["sgd", "nadam", "diverged", "exact solution"]
    assert figure.layout.xaxis.title.text == "learning rate"
    assert figure.layout.yaxis.title.text == "mean squared error (flow²)"
    (region,) = figure.layout.shapes
    assert region.x1 == swept.stable_learning_rate
    assert figure.layout.annotations[0].text == "plain SGD is stable"
    drawn = np.asarray(figure.data[0].y)
    of_sgd = swept.settings["optimizer"] == "sgd"
    np.testing.assert_array_equal(np.isnan(drawn), swept.diverged[of_sgd])


def test_the_map_shows_the_best_of_what_else_varies(three_features: thalweg.Dataset) -> None:
    swept = thalweg.sweep(
        three_features, lr=[1e-4, 1e-3, 1.0], optimizer="sgd", momentum=[0.0, 0.9], start=[1, 2],
        epochs=50,
    )  # fmt: skip
    shown = settings_map_figure(swept).data[0]
    assert (list(shown.x), list(shown.y)) == (["0.0001", "0.001", "1"], ["0", "0.9"])
    loss = swept.loss.reshape(2, 3, 2).min(axis=2)
    np.testing.assert_allclose(10.0 ** np.asarray(shown.z)[:, :2], loss[:, :2], rtol=1e-12)
    assert np.isnan(np.asarray(shown.z)[:, 2]).all()
    with pytest.raises(errors.InvalidSetting) as caught:
        settings_map_figure(swept, up="beta")
    assert str(caught.value) == (
        "up: got 'beta', expected one of 'optimizer', 'lr', 'start', 'momentum'; choose one of them"
    )


@pytest.mark.parametrize("start", [[3, 4], None])
def test_a_drawn_start_is_drawn_again(start: list[int] | None) -> None:
    """Not taken to the user's units and back, where a far offset leaves it few digits."""
    rng = np.random.default_rng(0)
    far = thalweg.Dataset(1e12 + rng.normal(size=(50, 2)), rng.normal(size=50))
    swept = thalweg.sweep(far, lr=[1e-2, 1e-3], standardize=True, epochs=5, start=start)
    for number in range(len(swept)):
        end = swept.run(number).path[-1]
        np.testing.assert_allclose(end, swept.parameters[number], rtol=1e-14)
