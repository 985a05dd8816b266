"""The diagnosis on the threads that it is for, each with data made by the thread's recipe.

Every recommended setting is run here again, through ``thalweg.fit``, and held against
``numpy.linalg.lstsq`` on the rows. Where a thread gives numbers, they are an oracle too: PyTorch's
or statsmodels', written down by whoever asked.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
import torch

import thalweg
from thalweg.diagnosis.classification import Verdict
from thalweg.diagnosis.diagnosis import Diagnosis, explain, message
from thalweg.errors import InvalidData


class Case(NamedTuple):
    """A thread: its rows, what was tried on them, and what has to come out."""

    make: Callable[[], thalweg.Dataset]
    tried: dict[str, Any]
    verdict: Verdict
    said: tuple[str, ...]  # what the explanation must say, as patterns


def blowing_up() -> thalweg.Dataset:
    """One feature, x = 100·U(0,1), y = 5x + 3 + noise: 500 rows, noise of deviation 0.1."""
    rng = np.random.default_rng(0)
    x = 100.0 * rng.random(500)
    return thalweg.Dataset(x, 5.0 * x + 3.0 + 0.1 * rng.normal(size=500))


def celsius() -> thalweg.Dataset:
    """Celsius to Fahrenheit over −500…500, measured with an error of 0.3 degrees.

    The fast.ai forum's thread 18783. It does not give its rate; 1e-6 is the one at which 5000
    epochs move a bias from −0.5949 to −0.2762, as they did there.
    """
    rng = np.random.default_rng(1)
    c = rng.uniform(-500.0, 500.0, 2000)
    f = 1.8 * c + 32.0 + 0.3 * rng.normal(size=2000)
    return thalweg.Dataset(c, f, features=["celsius"], target="fahrenheit")


def six_orders() -> thalweg.Dataset:
    """Two variables whose curvatures lie six orders of magnitude apart."""
    rng = np.random.default_rng(2)
    X = rng.normal(size=(200, 2)) * [1000.0, 1.0]
    return thalweg.Dataset(X, X @ [0.002, 3.0] + 1.0 + 0.5 * rng.normal(size=200))


def scales() -> thalweg.Dataset:
    """Eight features on scales from 1 to 1e7."""
    rng = np.random.default_rng(3)
    scale = 10.0 ** np.arange(8)
    X = rng.normal(1.0, 1.0, size=(500, 8)) * scale
    return thalweg.Dataset(X, (X / scale) @ rng.normal(size=8) + rng.normal(size=500))


def sixteen() -> thalweg.Dataset:
    """Sixteen features that nearly say the same, and coefficients that hardly show in the loss.

    As in pytorch 109104, whose own rows are in a file that is not here: x1 … x16 without a
    constant, scaled features, and SGD beside the least-squares coefficients.
    """
    rng = np.random.default_rng(4)
    shared = rng.normal(size=(1000, 1))
    X = shared + 0.02 * rng.normal(size=(1000, 16))
    return thalweg.Dataset(X, X @ (40.0 * rng.normal(size=16)) + rng.normal(size=1000))


def twins() -> thalweg.Dataset:
    """Two columns that are one."""
    rng = np.random.default_rng(5)
    x = 10.0 * rng.normal(size=100)
    return thalweg.Dataset(np.column_stack([x, x]), 2.0 * x + 1.0 + rng.normal(size=100))


def column_target() -> thalweg.Dataset:
    """A target of shape (n, 1), of which pytorch 16045 made a silent wrong fit by broadcasting."""
    rng = np.random.default_rng(6)
    X = rng.normal(size=(100, 2))
    y = 10.0 + 9.0 * X[:, 0] - 2.0 * X[:, 1] + rng.normal(size=100)
    return thalweg.Dataset(X, y[:, None])


CASES = {
    "blowing up": Case(
        blowing_up,
        {"lr": 0.01, "epochs": 2000},
        Verdict.DIVERGED,
        (
            r"diverged: the loss grew from the start",
            r"stable below lr = 0\.000\d+ on these data; this run had 0\.01: \d\d\.\d+ times that",
            r"the units and offsets of the columns make the difference",
        ),
    ),
    "Celsius": Case(
        celsius,
        {"lr": 1e-6, "epochs": 5000, "start": [-0.5949, 0.3]},
        Verdict.CRAWLED,
        (
            r"crawled: after 5,000 epochs",
            r"Nearly all of the loss still to lose lies along one direction, nearly all bias",
            r"bias ended at −0\.2\d+, exactly it is 32",
            r"takes off one part in 500,000 of the distance along nearly all bias",
            r"come within 1 % of the exact loss after 3,\d00,000 epochs",
        ),
    ),
    "six orders apart": Case(
        six_orders,
        {"lr": 5e-7, "epochs": 500},
        Verdict.CRAWLED,
        (
            r"The loss is \d,?\d{3},\d{3}.* times as curved .*\(nearly all x1\)",
            r"With standardised features it is 1\.\d+: the units and offsets",
        ),
    ),
    "scales of 1 to 1e7": Case(
        scales,
        {"lr": 4e-15, "epochs": 500},
        Verdict.CRAWLED,
        (r"\d\.\d+ × 10¹⁵ times as curved along its steepest direction \(nearly all x8\)",),
    ),
    "sixteen correlated": Case(
        sixteen,
        {"lr": 0.05, "epochs": 2000, "intercept": False},
        Verdict.CRAWLED,
        (
            r"it is not a matter of units, but of columns that nearly say the same \(foremost x",
            r"standard errors away",
            r"Of 16 directions of curvature|None of the 16 directions of curvature",
        ),
    ),
    "two columns that are one": Case(
        twins,
        {"lr": 0.001, "epochs": 100},
        Verdict.CRAWLED,
        (r"x2 is a combination of x1", r"where the parameters end depends on where they start"),
    ),
    "a target of shape (n, 1)": Case(
        column_target,
        {"lr": 0.1, "epochs": 30},
        Verdict.CONVERGED,
        (r"All are within their standard error", r"Nothing needs to change"),
    ),
}


def least_loss(data: thalweg.Dataset, *, intercept: bool = True) -> float:
    """Give the exact loss by NumPy's SVD, on columns scaled to one length."""
    design = np.column_stack([np.ones(len(data)), data.X]) if intercept else data.X
    lengths = np.linalg.norm(design, axis=0)
    solved = np.linalg.lstsq(design / lengths, data.y, rcond=1e-13)[0]
    return float(np.mean((design / lengths @ solved - data.y) ** 2))


def last_loss(run: thalweg.Run) -> float:
    assert run.data is not None
    return float(np.mean((run.bias + run.data.X @ run.weights - run.data.y) ** 2))


@pytest.fixture(scope="module", params=CASES)
def found(request: pytest.FixtureRequest) -> tuple[Case, thalweg.Run, Diagnosis]:
    case = CASES[request.param]
    data = case.make()
    run = thalweg.fit(data, optimizer="sgd", **case.tried)
    return case, run, explain(data, run)


def test_the_verdict_is_what_happened(found: tuple[Case, thalweg.Run, Diagnosis]) -> None:
    case, _, diagnosis = found
    assert diagnosis.verdict is case.verdict


def test_the_words_say_why(found: tuple[Case, thalweg.Run, Diagnosis]) -> None:
    case, _, diagnosis = found
    for pattern in case.said:
        assert re.search(pattern, diagnosis.text), (pattern, diagnosis.text)


def test_the_recommended_setting_comes_within_one_percent(
    found: tuple[Case, thalweg.Run, Diagnosis],
) -> None:
    case, _, diagnosis = found
    data = case.make()
    run = thalweg.fit(data, **diagnosis.recommended)
    exact = least_loss(data, intercept=run.settings.intercept)
    assert last_loss(run) <= 1.01 * exact
    assert diagnosis.recommended_run is not None
    np.testing.assert_array_equal(run.path, diagnosis.recommended_run.path)
    ratio = last_loss(run) / exact
    assert f"reaches {ratio:.3f} times the exact loss in {run.epochs:,} epochs" in diagnosis.text


def test_the_data_alone_get_a_setting_that_works_too(
    found: tuple[Case, thalweg.Run, Diagnosis],
) -> None:
    data = found[0].make()
    before = explain(data)
    assert before.verdict is None
    assert last_loss(thalweg.fit(data, **before.recommended)) <= 1.01 * least_loss(data)
    assert "Plain SGD is stable only below" in before.text


def test_the_exact_loss_is_that_of_the_rows(found: tuple[Case, thalweg.Run, Diagnosis]) -> None:
    case, run, diagnosis = found
    exact = least_loss(case.make(), intercept=run.settings.intercept)
    assert diagnosis.exact_loss == pytest.approx(exact, rel=1e-9)


def test_the_losses_along_the_path_are_those_of_the_rows(
    found: tuple[Case, thalweg.Run, Diagnosis],
) -> None:
    case, run, diagnosis = found
    data, seen = case.make(), diagnosis.classification
    assert seen is not None
    for k in (0, len(run.path) // 2):
        bias = run.path[k, 0] if run.settings.intercept else 0.0
        residual = bias + data.X @ run.path[k, -data.X.shape[1] :] - data.y
        assert seen.loss[k] == pytest.approx(np.mean(residual**2), rel=1e-9)
        above = seen.loss[k] - diagnosis.exact_loss
        assert seen.excess[k].sum() == pytest.approx(above, rel=1e-6)


def test_the_promised_epochs_are_those_that_a_run_needs() -> None:
    for make, lr in ((twins, 0.001), (column_target, 0.02)):
        data = make()
        short = thalweg.fit(data, optimizer="sgd", epochs=50, lr=lr)
        needed = explain(short).epochs_needed
        assert needed is not None
        long = thalweg.fit(data, optimizer="sgd", epochs=needed, lr=lr)
        goal = 1.01 * least_loss(data)
        assert (
            last_loss(long)
            <= goal
            < np.mean((long.path[-2, 0] + data.X @ long.path[-2, 1:] - data.y) ** 2)
        )


@pytest.mark.parametrize("optimizer", ["adam", "rmsprop", "adagrad"])
def test_so_are_those_of_a_rule_without_a_closed_form(optimizer: str) -> None:
    data = twins()
    run = thalweg.fit(data, optimizer=optimizer, lr=0.05, epochs=20)
    needed = explain(run).epochs_needed
    assert needed is not None
    longer = thalweg.fit(data, optimizer=optimizer, lr=0.05, epochs=needed)
    goal = 1.01 * least_loss(data)
    losses = ((longer.path[:, :1] + longer.path[:, 1:] @ data.X.T - data.y) ** 2).mean(axis=1)
    assert losses[-1] <= goal < losses[:-1].min()


# --- Numbers that a thread gives ------------------------------------------------------------------


def test_the_bias_crawls_as_far_as_it_did_there() -> None:
    run = thalweg.fit(celsius(), optimizer="sgd", **CASES["Celsius"].tried)
    # The rows of the thread were drawn anew by whoever ran it: their mean is only about 0.
    assert run.bias == pytest.approx(-0.2762, abs=0.01)
    assert run.weights[0] == pytest.approx(1.8, abs=1e-3)


def test_a_system_of_two_rows_whose_curvatures_lie_six_orders_apart() -> None:
    """PyTorch's forum, thread 208572. Its loss is a sum: rates are half of those here."""
    A = np.array([[-249.69, -4.1511], [-4.1511, -0.20755]])
    data = thalweg.Dataset(A, [0.0, 10.0])
    tried: dict[str, Any] = {"optimizer": "sgd", "intercept": False, "start": [0.0, 0.0]}
    run = thalweg.fit(data, lr=2e-5, epochs=1_000_000, **tried)
    # In float32 there; it writes the matrix to five digits.
    assert 2.0 * run.loss[-1] == pytest.approx(46.44608688354492, rel=2e-3)
    diagnosis = explain(run)
    assert diagnosis.verdict is Verdict.CRAWLED
    assert diagnosis.condition_number == pytest.approx(np.linalg.cond(A) ** 2, rel=1e-6)
    assert 1e6 < diagnosis.condition_number < 1e7
    # 1.603e-5 converged there, 1.604e-5 diverged.
    assert 2 * 1.603e-5 < diagnosis.stable_learning_rate < 2 * 1.604e-5
    assert "as curved along its steepest direction (nearly all x1)" in diagnosis.text
    for advised in (diagnosis.recommended, explain(data, intercept=False).recommended):
        assert last_loss(thalweg.fit(data, **advised)) <= diagnosis.landscape.goal


def test_the_least_squares_coefficients_are_those_of_statsmodels() -> None:
    """The rows that pytorch 109104 can be reproduced with, and what its author got for them."""
    legacy = np.random.RandomState(0)
    X = legacy.rand(1000, 3)
    y = X @ [2.5, 3.7, -1.2] + legacy.randn(1000)
    there = [2.370151652709953, 3.644314533388675, -1.1861498969992876]
    diagnosis = explain((X, y), intercept=False)
    np.testing.assert_allclose(diagnosis.landscape.solution, there, rtol=1e-13)
    run = thalweg.fit((X, y), **diagnosis.recommended)
    data = thalweg.Dataset(X, y)
    assert last_loss(run) <= 1.01 * least_loss(data, intercept=False)


def test_the_shape_of_the_target_makes_no_difference() -> None:
    data = column_target()
    asked: dict[str, Any] = {"optimizer": "sgd", "lr": 0.1, "epochs": 30}
    flat = thalweg.fit((data.X, data.y), **asked)
    tall = thalweg.fit((data.X, data.y[:, None]), **asked)
    np.testing.assert_array_equal(flat.path, tall.path)


# --- The lesson -----------------------------------------------------------------------------------


def test_the_lessons_first_run_is_explained_to_a_class() -> None:
    chapters = thalweg.salammbo()
    run = thalweg.fit(chapters, optimizer="nadam", lr=0.01, epochs=250, seed=4321)
    diagnosis = explain(chapters, run)
    for pattern in (
        r"NAdam with lr = 0\.01 ran out of epochs: after 250 epochs the loss is 1\.877 times",
        r"bias ended at 0\.89\d*, exactly it is 8\.725",
        r"The loss is 1\.209 × 10¹⁰ times as curved along its steepest direction",
        r"With standardised features it is 1: the units and offsets",
        r"An update of NAdam moved bias by 0\.01\d* at the most, about lr = 0\.01",
        r"where 8\.65 were to go",
        r"Plain SGD is stable only below lr = 4\.86 × 10⁻¹⁰ on these data",
        r"come within 1 % of the exact loss after 3\d\d epochs",
    ):
        assert re.search(pattern, diagnosis.text), (pattern, diagnosis.text)
    assert diagnosis.condition_number == pytest.approx(1.2094e10, rel=1e-4)
    assert diagnosis.condition_number_standardized == pytest.approx(1.0, rel=1e-12)
    assert diagnosis.recommended["optimizer"] == "nadam"
    assert diagnosis.recommended["seed"] == 4321
    assert last_loss(thalweg.fit(chapters, **diagnosis.recommended)) <= 1.01 * least_loss(chapters)
    assert diagnosis.parameter_distance is not None
    np.testing.assert_allclose(
        diagnosis.parameter_distance, run.parameters - [8.725323, 0.0683016], atol=1e-6
    )


# --- Verdicts -------------------------------------------------------------------------------------


def noisy() -> thalweg.Dataset:
    rng = np.random.default_rng(7)
    X = rng.normal(size=(300, 3))
    return thalweg.Dataset(X, X @ [1.0, 2.0, 3.0] + 2.0 * rng.normal(size=300))


@pytest.mark.parametrize(
    ("settings", "verdict"),
    [
        ({"lr": 0.1, "epochs": 100}, Verdict.CONVERGED),
        ({"lr": 1.5, "epochs": 100}, Verdict.DIVERGED),
        ({"lr": 1.2, "epochs": 12}, Verdict.DIVERGED),  # not yet beyond all bounds
        ({"lr": 0.01, "epochs": 60}, Verdict.OUT_OF_EPOCHS),
        ({"lr": 1e-4, "epochs": 100}, Verdict.CRAWLED),
        ({"lr": 0.5, "momentum": 0.99, "epochs": 60}, Verdict.OSCILLATED),
        ({"lr": 0.05, "batch_size": 1, "epochs": 40}, Verdict.NOISE),
        ({"lr": 0.05, "batch_size": 1, "shuffle": True, "epochs": 40}, Verdict.NOISE),
        ({"lr": 1e-6, "batch_size": 1, "epochs": 40}, Verdict.CRAWLED),
        ({"lr": 0.1, "weight_decay": 1.0, "epochs": 200}, Verdict.BESIDE),
        ({"lr": 0.01, "maximize": True, "epochs": 40}, Verdict.DIVERGED),
    ],
)
def test_each_way_of_going_wrong_is_told_apart_and_mended(
    settings: dict[str, Any], verdict: Verdict
) -> None:
    data = noisy()
    diagnosis = explain(thalweg.fit(data, optimizer="sgd", **settings))
    assert diagnosis.verdict is verdict
    assert last_loss(thalweg.fit(data, **diagnosis.recommended)) <= 1.01 * least_loss(data)


def test_a_run_that_arrived_is_left_as_it_is() -> None:
    run = thalweg.fit(noisy(), optimizer="sgd", lr=0.1, epochs=100, seed=3)
    diagnosis = explain(run)
    assert diagnosis.recommended == {"optimizer": "sgd", "lr": 0.1, "epochs": 100, "seed": 3}
    assert "Nothing needs to change" in diagnosis.text
    losses = ((run.path[:, :1] + run.path[:, 1:] @ run.data.X.T - run.data.y) ** 2).mean(axis=1)  # type: ignore[union-attr]  # made here
    outside = np.flatnonzero(losses > 1.01 * least_loss(noisy()))
    assert diagnosis.since == outside[-1] + 1


def test_batches_are_kept_where_a_lower_rate_is_enough() -> None:
    run = thalweg.fit(noisy(), optimizer="sgd", lr=0.05, batch_size=1, epochs=40, shuffle=True)
    recommended = explain(run).recommended
    assert recommended["batch_size"] == 1
    assert recommended["shuffle"] is True
    assert recommended["lr"] < 0.05


@pytest.mark.parametrize("drop_last", [False, True])
def test_the_rate_that_is_stable_for_certain_is_that_of_the_steepest_batch(drop_last: bool) -> None:
    """Without an intercept, features are scaled and not shifted: also those that are constant."""
    X = np.column_stack([np.full(21, 2.0**-10), np.append(np.ones(20), 40.0)])
    data = thalweg.Dataset(X, X.sum(axis=1))
    run = thalweg.fit(
        data, optimizer="sgd", lr=1e-3, epochs=3, batch_size=4, drop_last=drop_last,
        intercept=False, standardize=True,
    )  # fmt: skip
    scaled = X / np.sqrt((X**2).mean(axis=0))
    batches = [scaled[i : i + 4] for i in range(0, 20 if drop_last else 21, 4)]
    truth = min(2.0 / np.linalg.eigvalsh(2.0 / len(B) * B.T @ B)[-1] for B in batches)
    assert explain(run).certain_learning_rate == pytest.approx(truth, rel=1e-12)


def test_a_constant_feature_without_intercept_is_stable_for_certain_below_one() -> None:
    X = np.full((20, 1), 2.0**-10)
    settings: dict[str, Any] = {"optimizer": "sgd", "batch_size": 4, "standardize": True}
    settings |= {"intercept": False, "epochs": 400}
    bound = explain(thalweg.fit((X, np.ones(20)), lr=0.1, **settings)).certain_learning_rate
    assert bound is not None
    assert bound == pytest.approx(1.0, rel=1e-12)
    outcomes = [
        thalweg.fit((X, np.ones(20)), lr=share * bound, **settings).outcome
        for share in (0.99, 1.1)
    ]  # fmt: skip
    assert outcomes == [thalweg.Outcome.OUT_OF_EPOCHS, thalweg.Outcome.DIVERGED]


@pytest.mark.parametrize("lr", [0.01, 1e-4])
def test_batches_of_all_the_rows_are_judged_as_no_batches_are(lr: float) -> None:
    data = noisy()
    settings: dict[str, Any] = {"optimizer": "sgd", "lr": lr, "epochs": 60}
    plain = explain(thalweg.fit(data, **settings))
    whole = explain(thalweg.fit(data, **settings, batch_size=300))
    assert whole.is_batch
    assert whole.certain_learning_rate is None
    assert (whole.verdict, whole.text.split("\n\n")[0]) == (
        plain.verdict, plain.text.split("\n\n")[0],
    )  # fmt: skip
    assert whole.recommended == {**plain.recommended, "batch_size": 300}


def test_the_directions_that_have_not_converged_are_the_flat_ones() -> None:
    diagnosis = explain(thalweg.fit(sixteen(), optimizer="sgd", lr=0.05, epochs=2000))
    seen = diagnosis.classification
    assert seen is not None
    converged = seen.converged
    assert converged[0]
    assert not converged.all()
    assert seen.distances.shape == (2001, 17)


def test_a_standardised_run_is_judged_in_its_own_coordinates() -> None:
    run = thalweg.fit(thalweg.salammbo(), optimizer="sgd", lr=0.1, epochs=5, standardize=True)
    diagnosis = explain(run)
    seen = diagnosis.classification
    assert seen is not None
    # Curvature 2 along both directions: each step takes off 2 · 0.1 of either distance.
    np.testing.assert_allclose(seen.distances[1:], 0.8 * seen.distances[:-1], rtol=1e-9)
    assert "stable below lr = 1 on standardised features" in diagnosis.text


# --- Data that are not ordinary -------------------------------------------------------------------


def test_data_that_fit_exactly_have_a_goal_of_their_own() -> None:
    c = np.linspace(-500.0, 500.0, 101)
    diagnosis = explain((c, 1.8 * c + 32.0))
    goal = diagnosis.landscape.goal
    assert goal == pytest.approx(1e-6 * np.var(1.8 * c), rel=1e-9)
    assert "As the least loss is 0, 'within 1 %' means here: a loss of at most a millionth" in (
        diagnosis.text
    )
    run = thalweg.fit((c, 1.8 * c + 32.0), **diagnosis.recommended)
    assert last_loss(run) <= goal


@pytest.mark.parametrize(
    ("X", "y"),
    [
        (np.arange(6.0), np.full(6, 3.0)),
        (np.arange(6.0), np.zeros(6)),
        (np.zeros((6, 2)), np.arange(6.0)),
        (np.zeros((6, 2)), np.zeros(6)),
        (np.column_stack([np.arange(6.0), np.full(6, 7.0)]), np.arange(6.0) ** 2),
        (np.array([[2.0]]), np.array([3.0])),
        (np.arange(10.0).reshape(2, 5) ** 2, np.array([1.0, 5.0])),
    ],
    ids=["constant target", "zero target", "zero features", "all zero", "constant feature",
         "one row", "fewer rows than parameters"],
)  # fmt: skip
@pytest.mark.parametrize("intercept", [True, False])
def test_degenerate_data_are_explained_without_a_warning(
    X: np.ndarray, y: np.ndarray, intercept: bool
) -> None:
    diagnosis = explain((X, y), intercept=intercept)
    assert diagnosis.recommendation.reached
    assert "nan" not in diagnosis.text
    run = thalweg.fit((X, y), **diagnosis.recommended)
    assert last_loss(run) <= diagnosis.landscape.goal
    assert explain(run).verdict is Verdict.CONVERGED


def test_a_constant_feature_is_named() -> None:
    X = np.column_stack([np.arange(6.0), np.full(6, 7.0)])
    diagnosis = explain((X, np.arange(6.0) ** 2))
    assert diagnosis.dependencies == (("x2", "bias"),)
    assert "x2 is constant, as the bias is" in diagnosis.text


def test_without_an_intercept_there_is_no_bias_to_speak_of() -> None:
    data = noisy()
    run = thalweg.fit(data, optimizer="sgd", lr=1e-4, epochs=50, intercept=False)
    diagnosis = explain(run)
    assert diagnosis.names == ("x1", "x2", "x3")
    assert "bias" not in diagnosis.text
    assert diagnosis.recommended["intercept"] is False
    exact = np.linalg.lstsq(data.X, data.y, rcond=None)[0]
    np.testing.assert_allclose(diagnosis.landscape.solution, exact, rtol=1e-10)


def test_a_run_whose_rows_are_gone_is_explained_from_their_summary() -> None:
    data = celsius()
    whole = thalweg.fit(data, optimizer="sgd", lr=1e-5, epochs=200)
    lone = dataclasses.replace(whole, data=None, stored_summary=data.summary)
    diagnosis, other = explain(lone), explain(whole)
    assert diagnosis.recommended_run is None
    assert diagnosis.recommended == other.recommended
    assert "was run, on the summary of the rows, and reaches" in diagnosis.text
    assert diagnosis.recommendation.loss == pytest.approx(other.recommendation.loss, rel=1e-9)


def test_a_summary_is_enough_before_any_fit() -> None:
    data = scales()
    diagnosis = explain(data.summary)
    assert diagnosis.recommended == explain(data).recommended
    assert last_loss(thalweg.fit(data, **diagnosis.recommended)) <= 1.01 * least_loss(data)
    assert "was run, on the summary of the rows, and reaches" in diagnosis.text


# --- How it is asked, and how it shows itself -----------------------------------------------------


def test_a_run_alone_is_the_same_as_with_its_data() -> None:
    run = thalweg.fit(noisy(), optimizer="sgd", lr=0.01, epochs=60)
    assert explain(run).text == explain(noisy(), run).text == str(explain(run))


def test_a_run_on_other_columns_is_refused() -> None:
    run = thalweg.fit(noisy(), optimizer="sgd", lr=0.1, epochs=1)
    with pytest.raises(InvalidData) as error:
        explain(thalweg.salammbo(), run)
    assert str(error.value) == (
        "run: got a run on the features ('x1', 'x2', 'x3'), expected one on ('characters',); "
        "pass the data that the run was fitted to"
    )


@pytest.mark.parametrize("epochs", [5, 3000])
@pytest.mark.parametrize("loss", ["l1", "huber"])
def test_a_run_of_another_loss_is_held_against_least_squares(loss: str, epochs: int) -> None:
    data = noisy()
    asked: dict[str, Any] = {"loss": loss, **({"delta": 0.5} if loss == "huber" else {})}
    run = thalweg.fit(data, optimizer="sgd", lr=0.05, epochs=epochs, **asked)
    diagnosis = explain(run)
    assert diagnosis.verdict is None
    theirs = {"l1": torch.nn.L1Loss(), "huber": torch.nn.HuberLoss(delta=0.5)}[loss]
    ended, least = (
        theirs(torch.as_tensor(data.X @ w[1:] + w[0]), torch.tensor(data.y)).item()
        for w in (run.parameters, np.linalg.lstsq(np.c_[np.ones(300), data.X], data.y)[0])
    )
    named = {"l1": "mean absolute error", "huber": "Huber loss with delta = 0.5"}[loss]
    started = f"Plain SGD with lr = 0.05 on the {named} walked {epochs:,} epochs: that loss was "
    assert diagnosis.text.startswith(started + f"{run.loss[0]:.4g} in the first and")
    beside = (
        f"Over all the rows it ended at {ended:.4g}; the least-squares solution has {least:.4g}"
    )
    assert beside in diagnosis.text
    if epochs == 5:
        assert ended > least
        assert "so the run has not arrived: at least " in diagnosis.text
    else:
        assert ended <= least
        assert "How low it can get is not known: no exact solution of it" in diagnosis.text
    squared = f"Its mean squared error ended at {last_loss(run):.4g}; the least there is"
    assert squared in diagnosis.text
    assert f"is {least_loss(data):.4g}. What follows is about the mean" in diagnosis.text
    assert diagnosis.recommended["loss"] == "mse"
    assert last_loss(thalweg.fit(data, **diagnosis.recommended)) <= 1.01 * least_loss(data)


def test_what_is_not_computed_of_another_loss_is_not_said(tmp_path: Path) -> None:
    """Without its rows a run's own loss over all of them is not known."""
    thalweg.fit(noisy(), optimizer="sgd", lr=0.05, loss="l1").save(tmp_path / "run.parquet")
    diagnosis = explain(thalweg.load(tmp_path / "run.parquet"))
    assert "Over all the rows" not in diagnosis.text
    assert "not arrived" not in diagnosis.text
    assert "What follows is about the mean squared error" in diagnosis.text
    assert diagnosis._repr_html_().count("<tr>") == 5
    far = explain(thalweg.fit(noisy(), optimizer="sgd", lr=1e300, loss="l1"))
    assert "on the mean absolute error diverged: its loss left all bounds in" in far.text
    assert "Its mean squared error" not in far.text


def test_names_cannot_inject_html() -> None:
    X = np.arange(12.0).reshape(6, 2) ** 2
    data = thalweg.Dataset(X, np.arange(6.0) ** 3, features=["<b>bold</b>", "b"])
    html = explain(data)._repr_html_()
    assert "<b>" not in html
    assert "&lt;b&gt;bold&lt;/b&gt;" in html


def test_the_table_has_a_row_for_each_direction() -> None:
    html = explain(thalweg.fit(sixteen(), optimizer="sgd", lr=0.05, epochs=100))._repr_html_()
    assert html.count("<tr>") == 18
    assert html.count(">converged<") + html.count(">not converged<") == 17


def test_the_repr_is_one_line() -> None:
    assert repr(explain(thalweg.salammbo())) == (
        "Diagnosis(condition_number=1.21e+10, recommended={'optimizer': 'sgd', 'lr': 0.5, "
        "'epochs': 10, 'standardize': True})"
    )


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        (
            {"optimizer": "sgd", "lr": 0.01},
            "diverged at epoch 2: the loss left all bounds with lr = 0.01; plain SGD on these "
            "data is stable below lr = 4.86 × 10⁻¹⁰",
        ),
        (
            {"optimizer": "sgd", "lr": 0.01, "momentum": 0.9},
            "diverged at epoch 2: the loss left all bounds with lr = 0.01; SGD with momentum 0.9 "
            "on these data is stable below lr = 9.24 × 10⁻¹⁰",
        ),
        (
            {"optimizer": "sgd", "lr": 3.0, "standardize": True},
            # Each step multiplies the loss by 25; before the seventh it is over 1e8 times itself.
            "diverged at epoch 7: the loss left all bounds with lr = 3; plain SGD on standardised "
            "features is stable below lr = 1",
        ),
        (
            {"optimizer": "radam", "lr": 0.01},
            "diverged at epoch 2: the loss left all bounds with lr = 0.01; plain SGD on these "
            "data is stable below lr = 4.86 × 10⁻¹⁰",
        ),
        (
            {"optimizer": "sgd", "lr": 0.5, "standardize": True, "epochs": 5},
            "out of epochs after 5: the loss is 1,893 against the exact solution's 1,893",
        ),
        (
            {"optimizer": "sgd", "lr": 0.4, "standardize": True, "tolerance": 1e-6},
            # The gradient, some 6,000 at the start, shrinks to a fifth at each of 15 steps.
            "converged at epoch 16: the loss is 1,893 against the exact solution's 1,893",
        ),
    ],
)
def test_the_message_says_how_a_run_ended(settings: dict[str, Any], said: str) -> None:
    assert message(thalweg.fit(thalweg.salammbo(), **settings)) == said
