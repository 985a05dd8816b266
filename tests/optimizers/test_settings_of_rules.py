"""The settings of the rules: PyTorch's ranges, described, and every refusal to its sentence."""

from __future__ import annotations

import math
import re
from decimal import Decimal
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
import torch

import thalweg
from thalweg.errors import InvalidSetting
from thalweg.kinds import POSITIVE, Flag, Number, TwoNumbers
from thalweg.optimizers.adam import Adam
from thalweg.optimizers.asgd import ASGD
from thalweg.optimizers.choice import (
    TORCH_FLAGS,
    TORCH_ONLY,
    TorchRule,
    choose_rule,
    make_rule,
)
from thalweg.optimizers.nadam import NAdam
from thalweg.optimizers.registry import RULES
from thalweg.optimizers.rprop import Rprop
from thalweg.optimizers.rule import declared


def torch_class(name: str) -> Any:
    return getattr(torch.optim, RULES[name].__name__)


def ranges(kind: Any) -> tuple[Any, ...]:
    return kind.ranges if isinstance(kind, TwoNumbers) else (kind.range,)


@pytest.mark.parametrize("name", RULES)
def test_every_setting_is_described(name: str) -> None:
    known = declared(RULES[name])
    assert list(known.settings) == list(known.defaults) == list(RULES[name]()._asdict())
    for setting, kind in known.settings.items():
        default = known.defaults[setting]
        assert kind.meaning.endswith(".")
        assert "\n" not in kind.meaning
        assert type(kind) is {float: Number, bool: Flag, tuple: TwoNumbers}[type(default)]
        assert kind.take(setting, default) == default


def accepted(name: str, setting: str, value: Any) -> bool:
    """Whether PyTorch takes a value."""
    parameter = torch.nn.Parameter(torch.zeros(1))
    try:
        torch_class(name)([parameter], **{setting: value})
    except ValueError:
        return False
    return True


@pytest.mark.parametrize("name", RULES)
def test_ranges_are_pytorchs(name: str) -> None:
    """Each bound, from both sides, is where PyTorch has it."""
    known = declared(RULES[name])
    for setting, kind in known.settings.items():
        if isinstance(kind, Flag) or setting == "step_sizes":  # PyTorch asks nothing of those
            continue
        if setting == "lr":  # PyTorch takes 0 too, which goes nowhere
            assert ranges(kind) == (POSITIVE,)
            continue
        for k, bounds in enumerate(ranges(kind)):
            for bound in (bounds.minimum, bounds.maximum):
                if math.isinf(bound):
                    continue
                for value in (bound, math.nextafter(bound, -9), math.nextafter(bound, 9)):
                    tried: Any = value
                    if isinstance(kind, TwoNumbers):
                        pair = list(known.defaults[setting])
                        pair[k] = value
                        tried = tuple(pair)
                    assert bounds.holds(value) == accepted(name, setting, tried), tried


@pytest.mark.parametrize(
    ("name", "settings", "sentence"),
    [
        (
            "sgd",
            {"lr": -1},
            "lr: got -1, expected a positive number; try lr=0.01",
        ),
        (
            "sgd",
            {"dampening": math.nan},
            "dampening: got nan, expected a finite number; PyTorch's default is 0.0",
        ),
        (
            "adadelta",
            {"rho": 1.5},
            "rho: got 1.5, expected a number from 0 to 1; PyTorch's default is 0.9",
        ),
        (
            "adam",
            {"betas": (0.9, 1.0)},
            "betas: got (0.9, 1.0), expected a pair, each a number from 0 to 1 (excluded); "
            "PyTorch's default is (0.9, 0.999)",
        ),
        (
            "adam",
            {"betas": 0.9},
            "betas: got 0.9, expected a pair, each a number from 0 to 1 (excluded); "
            "PyTorch's default is (0.9, 0.999)",
        ),
        (
            "rprop",
            {"etas": (0.5, 0.9)},
            "etas: got (0.5, 0.9), expected a pair, a number from 0 (excluded) to 1 (excluded) "
            "and a number above 1; PyTorch's default is (0.5, 1.2)",
        ),
        (
            "adam",
            {"amsgrad": 1},
            "amsgrad: got 1, expected True or False; PyTorch's default is False",
        ),
        (
            "sgd",
            {"momentum": True},
            "momentum: got True, expected a number of at least 0; PyTorch's default is 0.0",
        ),
        (
            "sgd",
            {"nesterov": True},
            "momentum: got 0.0, expected a number above 0 with nesterov=True; "
            "Nesterov's momentum needs a momentum and no dampening",
        ),
        (
            "sgd",
            {"nesterov": True, "momentum": 0.9, "dampening": 0.1},
            "dampening: got 0.1, expected 0 with nesterov=True; "
            "Nesterov's momentum needs a momentum and no dampening",
        ),
    ],
)
def test_a_wrong_word_or_value_is_refused(name: Any, settings: Any, sentence: str) -> None:
    with pytest.raises(InvalidSetting, match=f"^{re.escape(sentence)}$"):
        make_rule(name, None, settings)


def test_a_rule_is_made_of_the_users_words() -> None:
    assert make_rule("nadam", np.float64(0.5)) == NAdam(lr=0.5)
    assert make_rule("asgd", 1, {"t0": 5}) == ASGD(lr=1.0, t0=5.0)
    made = make_rule("adam", 1, {"betas": [0, np.float64(0.5)], "amsgrad": np.bool_(True)})
    assert made == Adam(lr=1.0, betas=(0.0, 0.5), amsgrad=True)
    assert [type(value) for value in made] == [float, tuple, float, float, bool, bool, bool]
    assert make_rule("rprop") == Rprop()


# --- PyTorch's own flags --------------------------------------------------------------------------


@pytest.mark.parametrize("optimizer", [*RULES, *TORCH_ONLY])
@pytest.mark.parametrize("flag", sorted(TORCH_FLAGS))
@pytest.mark.parametrize(
    "value", [1, "x", {}, Fraction(1), Decimal(1), np.array([True]), len, [True]], ids=repr
)
def test_pytorchs_flags_are_flags(optimizer: str, flag: str, value: Any) -> None:
    with pytest.raises(InvalidSetting, match=flag):
        thalweg.fit(thalweg.salammbo(), optimizer=optimizer, epochs=1, **{flag: value})


@pytest.mark.parametrize("optimizer", RULES)
@pytest.mark.parametrize("flag", ["capturable", "differentiable"])
def test_flags_for_what_no_fit_does_are_refused(optimizer: str, flag: str) -> None:
    asked: dict[str, Any] = {flag: True}
    with pytest.raises(InvalidSetting, match=flag):
        thalweg.fit(thalweg.salammbo(), optimizer=optimizer, epochs=1, **asked)


@pytest.mark.parametrize("flag", sorted(TORCH_FLAGS))
def test_a_sweep_takes_none_of_them(flag: str) -> None:
    asked: dict[str, Any] = {flag: False}
    with pytest.raises(InvalidSetting, match=f"^{flag}: "):
        thalweg.sweep(thalweg.salammbo(), lr=[0.1], epochs=1, **asked)


def test_what_pytorch_alone_checks_is_kept_as_pythons_own() -> None:
    rule = choose_rule("adafactor", 0.1, {"eps": [None, np.float64(1e-3)], "d": np.int64(2)})
    assert isinstance(rule, TorchRule)
    assert rule.settings == (("eps", (None, 1e-3)), ("d", 2))
    assert [type(value) for value in (*rule.settings[0][1], rule.settings[1][1])] == [
        type(None), float, int,
    ]  # fmt: skip
    with pytest.raises(InvalidSetting, match="eps"):
        choose_rule("adafactor", 0.1, {"eps": {}})
