"""The settings of the rules: PyTorch's ranges, described, and every refusal to its sentence."""

from __future__ import annotations

import math
import re
from typing import Any

import numpy as np
import pytest
import torch

from thalweg.errors import InvalidSetting
from thalweg.hyperparameters import check_rule, describe, make_rule
from thalweg.optimizers import ASGD, RULES, SGD, Adagrad, Adam, NAdam, RMSprop, Rprop


def torch_class(name: str) -> Any:
    return getattr(torch.optim, RULES[name].__name__)


@pytest.mark.parametrize("name", RULES)
def test_every_setting_is_described(name: str) -> None:
    rule = RULES[name]
    descriptions = describe(rule)
    assert tuple(d.name for d in descriptions) == rule._fields
    for description in descriptions:
        assert description.default == rule._field_defaults[description.name]
        assert description.explanation.endswith(".")
        assert "\n" not in description.explanation
        kind = {float: "number", bool: "flag", tuple: "pair"}[type(description.default)]
        assert description.kind == kind
        assert len(description.ranges) == {"number": 1, "flag": 0, "pair": 2}[kind]
        values = np.atleast_1d(description.default)
        assert all(r.holds(float(v)) for r, v in zip(description.ranges, values, strict=False))


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
    for description in describe(RULES[name]):
        for k, bounds in enumerate(description.ranges):
            for bound in (bounds.minimum, bounds.maximum):
                if math.isinf(bound) or description.name == "step_sizes":  # PyTorch asks nothing
                    continue
                for value in (bound, math.nextafter(bound, -9), math.nextafter(bound, 9)):
                    tried: Any = value
                    if description.kind == "pair":
                        tried = list(description.default)  # type: ignore[arg-type]  # a pair
                        tried[k] = value
                        tried = tuple(tried)
                    assert bounds.holds(value) == accepted(name, description.name, tried), tried


@pytest.mark.parametrize(
    ("name", "settings", "sentence"),
    [
        (
            "nadm",
            {},
            "optimizer: got 'nadm', expected the name of an optimiser; did you mean 'nadam'?",
        ),
        (
            "newton",
            {},
            "optimizer: got 'newton', expected the name of an optimiser; "
            + "choose one of "
            + ", ".join(map(repr, RULES)),
        ),
        (
            7,
            {},
            "optimizer: got 7, expected the name of an optimiser; pass for example 'nadam'",
        ),
        (
            "adam",
            {"weight_deccay": 0.1},
            "weight_deccay: got 0.1, expected a setting that Adam has; "
            "did you mean 'weight_decay'?",
        ),
        (
            "sgd",
            {"lr": -1},
            "lr: got -1, expected a number of at least 0; PyTorch's default is 0.001",
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
    assert make_rule("NAdam", np.float64(0.5)) == NAdam(lr=0.5)
    assert make_rule(torch.optim.ASGD, 1, {"t0": 5}) == ASGD(lr=1.0, t0=5.0)
    made = make_rule("adam", 1, {"betas": [0, np.float64(0.5)], "amsgrad": np.bool_(True)})
    assert made == Adam(lr=1.0, betas=(0.0, 0.5), amsgrad=True)
    assert [type(value) for value in made] == [float, tuple, float, float, bool, bool, bool]
    assert make_rule("rprop") == Rprop()


def test_an_instance_is_checked_as_its_words_are() -> None:
    assert check_rule(Adagrad(lr=1)) == Adagrad(lr=1.0)
    with pytest.raises(InvalidSetting, match=r"^alpha: got -1, expected a number of at least 0; "):
        check_rule(RMSprop(alpha=-1))
    with pytest.raises(
        InvalidSetting, match=r"^momentum: got 0\.0, expected a number above 0 with"
    ):
        check_rule(SGD(nesterov=True))
