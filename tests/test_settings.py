"""The one definition of what a fit can be asked: normalised, frozen, whatever ran before."""

from __future__ import annotations

import ast
import inspect
import subprocess
import sys
from contextlib import suppress
from dataclasses import FrozenInstanceError, fields
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import thalweg
from thalweg.errors import InvalidSetting
from thalweg.losses import L1, MSE, Huber
from thalweg.settings import DEFAULTS, MEANINGS, Settings, kind_of

DATA = thalweg.salammbo()
SOURCES = Path(thalweg.__file__).parent

# Each value as a user may have it, and as it must be kept.
NORMAL: list[tuple[str, Any, Any]] = [
    ("lr", np.float64(0.01), 0.01),
    ("lr", np.float32(0.5), 0.5),
    ("lr", Fraction(1, 4), 0.25),
    ("lr", 1, 1.0),
    ("epochs", np.int64(4), 4),
    ("batch_size", np.int32(4), 4),
    ("batch_size", None, None),
    ("seed", np.int64(4), 4),
    ("seed", 2**64 - 1, 2**64 - 1),
    ("shuffle", np.bool_(True), True),
    ("record", np.int64(3), 3),
    ("record", np.str_("step"), "step"),
    ("tolerance", np.float64(0.5), 0.5),
    ("intercept", np.False_, False),
    ("batch_sampler", [np.array([0, 1]), (np.int64(2),)], ((0, 1), (2,))),
]


@pytest.mark.parametrize(("name", "given", "kept"), NORMAL)
def test_a_checked_value_is_pythons_own(name: str, given: Any, kept: Any) -> None:
    got = getattr(Settings.of(**{name: given}), name)
    assert got == kept
    assert type(got) is type(kept)
    assert ast.literal_eval(repr(got)) == kept  # what is printed is Python, without NumPy


@pytest.mark.parametrize(
    ("name", "given"),
    [
        ("lr", True), ("lr", "0.1"), ("lr", np.array([0.1])), ("lr", 10**400), ("lr", 0),
        ("lr", float("nan")), ("epochs", 2.0), ("epochs", True), ("epochs", 0),
        ("batch_size", 0), ("batch_size", 2**63), ("epochs", 2**63), ("record", 2**63),
        ("lr", np.timedelta64(1, "s")), ("epochs", np.timedelta64(1, "s")),
        ("seed", 2**64), ("seed", -(2**63) - 1), ("seed", 1.5),
        ("shuffle", 1), ("shuffle", None), ("record", 0), ("record", True), ("record", "steps"),
        ("tolerance", 0), ("tolerance_on", "lost"), ("engine", None), ("dtype", "float16"),
        ("batch_sampler", []), ("batch_sampler", [[]]), ("batch_sampler", [[1.5]]),
        ("batch_sampler", 3), ("batch_sampler", [[True, False]]), ("batch_sampler", [b"ab"]),
        ("optimizer", []), ("optimizer", None), ("momentum", []),
        ("loss", 3), ("delta", 0),
    ],
)  # fmt: skip
def test_what_is_of_no_kind_is_refused_in_one_sentence(name: str, given: Any) -> None:
    with pytest.raises(InvalidSetting) as caught:
        Settings.of(**{"optimizer": "sgd", "loss": "huber", name: given})
    said = str(caught.value)
    assert said.startswith(f"{name}: got {repr(given)[:200]}") or name == "batch_sampler"
    assert len(said) < 600
    assert ", expected " in said
    assert "; " in said


@pytest.mark.parametrize("value", [1.0, 1, "True", None])
def test_acceptance_does_not_depend_on_what_ran_before(value: Any) -> None:
    """A flag that equals True is no flag, also where True was taken a moment ago."""
    asked: dict[str, Any] = {"optimizer": "sgd", "momentum": 0.9, "epochs": 2}
    thalweg.fit(DATA, **asked, nesterov=True)
    with pytest.raises(InvalidSetting, match=r"^nesterov: got"):
        thalweg.fit(DATA, **asked, nesterov=value)
    thalweg.fit(DATA, optimizer="sgd", momentum=1.0, epochs=2)
    with pytest.raises(InvalidSetting, match=r"^momentum: got True"):
        thalweg.fit(DATA, optimizer="sgd", momentum=True, epochs=2)


def test_runs_share_nothing_that_can_be_changed() -> None:
    first = thalweg.fit(DATA, epochs=2)
    settings: Any = first.settings
    with pytest.raises(TypeError):
        settings.hyperparameters["weight_decay"] = 0.5
    with pytest.raises(FrozenInstanceError):
        settings.epochs = 3
    assert thalweg.fit(DATA, epochs=2).settings == first.settings
    assert hash(settings) == hash(thalweg.fit(DATA, epochs=2).settings)
    assert not any(isinstance(getattr(settings, f.name), dict | list) for f in fields(settings))


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({"loss": "mse"}, {"loss": "l1"}),
        (
            {"momentum_decay": 0.0, "lr": 0.1},
            {"optimizer": "adam", "lr": 0.1},
        ),
        ({"optimizer": "sgd", "momentum": 1.0}, {"optimizer": "sgd"}),
    ],
)
def test_other_settings_are_other_settings(one: dict[str, Any], other: dict[str, Any]) -> None:
    assert Settings.of(**one) != Settings.of(**other)
    assert len({Settings.of(**one), Settings.of(**other)}) == 2


@pytest.mark.parametrize(
    "asked",
    [
        {},
        {"optimizer": "sgd", "momentum": 0.5, "nesterov": True, "lr": 0.1},
        {"optimizer": torch.optim.Adam, "amsgrad": True, "engine": "reference"},
        {"optimizer": "adam", "foreach": True},
        {"optimizer": "adafactor", "beta2_decay": -0.7},
        {"loss": Huber(3.0), "batch_size": 4, "shuffle": True, "drop_last": True},
        {"batch_sampler": [[0, 1], [2]], "record": 3, "tolerance": 0.1, "dtype": "float32"},
    ],
)
def test_keywords_ask_for_the_same_again(asked: dict[str, Any]) -> None:
    settings = Settings.of(**asked)
    assert Settings.of(**settings.keywords()) == settings
    changed = settings.changed()
    again = Settings.of(**changed)
    assert again == settings
    for name in changed:
        if name not in ("optimizer", "lr"):
            without = {k: v for k, v in changed.items() if k != name}
            with suppress(InvalidSetting):  # what another setting needs
                assert Settings.of(**without) != settings, f"{name} is not a change"
    assert str(settings) == repr(settings)


@pytest.mark.parametrize(
    ("loss", "delta", "made"),
    [
        (Huber(3.0), None, Huber(3.0)),
        (torch.nn.HuberLoss(delta=3.0), None, Huber(3.0)),
        (torch.nn.MSELoss(), None, MSE()),
        ("huber", 2, Huber(2.0)),
        (L1, None, L1()),
        (Huber(3.0), 3, Huber(3.0)),
    ],
)
def test_a_loss_keeps_its_own_delta(loss: Any, delta: Any, made: Any) -> None:
    assert Settings.of(loss=loss, delta=delta).loss_function == made


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        (
            {"loss": Huber(3.0), "delta": 2.0},
            "delta: got 2.0 with loss=Huber(delta=3.0), expected the loss's own, or none; leave "
            "delta out",
        ),
        (
            {"loss": torch.nn.MSELoss(reduction="sum")},
            "loss: got MSELoss(), expected the name of a loss; pass it with reduction='mean'",
        ),
    ],
)
def test_a_loss_that_is_another_is_refused(asked: dict[str, Any], said: str) -> None:
    with pytest.raises(InvalidSetting) as caught:
        Settings.of(**asked)
    assert str(caught.value) == said


def test_everything_comes_from_the_one_definition() -> None:
    """``fit``'s signature, its help and the estimator have every setting, with its default."""
    from thalweg.sklearn import DescentRegressor

    shown = inspect.signature(thalweg.fit).parameters
    assert {name: shown[name].default for name in DEFAULTS} == DEFAULTS
    assert list(DEFAULTS) == [name for name in shown if name in DEFAULTS]
    assert set(MEANINGS) == set(DEFAULTS)
    for name in DEFAULTS:
        assert f"{name} : default" in str(thalweg.fit.__doc__)
        if name != "optimizer":
            assert kind_of(name).take(name, DEFAULTS[name]) == DEFAULTS[name]
    assert set(DEFAULTS) <= set(inspect.signature(DescentRegressor).parameters)


def test_gridsearch_over_arrays_runs_on_both_engines() -> None:
    for engine in ("compiled", "reference"):
        for size in np.array([4, 5]):
            for seed in np.array([1]):
                thalweg.fit(DATA, batch_size=size, seed=seed, engine=engine, epochs=1)


def test_no_cache_is_keyed_by_what_a_user_gives() -> None:
    """Whoever adds one says here why its key is exact and its values immutable."""
    allowed = {
        "pages/environment.py": 1,  # the templates' environment: no key
    }
    found = {}
    for path in SOURCES.rglob("*.py"):
        tree = ast.parse(path.read_text())
        names = [
            getattr(node, "attr", getattr(node, "id", ""))
            for node in ast.walk(tree)
            if isinstance(node, ast.Name | ast.Attribute)
        ]
        count = sum(name in ("lru_cache", "cache") for name in names)
        if count:
            found[path.relative_to(SOURCES).as_posix()] = count
    assert found == allowed


def test_a_new_process_accepts_the_same() -> None:
    code = (
        "import thalweg\n"
        "try: thalweg.fit(thalweg.salammbo(), optimizer='sgd', momentum=.9, nesterov=1.0)\n"
        "except thalweg.errors.InvalidSetting as error: print(error)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.startswith("nesterov: got 1.0, expected True or False")


def test_a_number_that_cannot_be_written_is_refused_all_the_same() -> None:
    with pytest.raises(InvalidSetting, match=r"^lr: got a number of thousands of digits, expected"):
        Settings.of(lr=10**5000)
