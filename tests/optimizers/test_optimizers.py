"""The rules: PyTorch's names, defaults, ranges and state, and one step of each by hand."""

from __future__ import annotations

import inspect
from typing import Any

import pytest
import torch

from thalweg.hyperparameters import make_rule
from thalweg.optimizers import (
    ARITHMETIC,
    RULES,
    SGD,
    Adam,
    AdamW,
    NAdam,
    PlainSGD,
    Rule,
    memory_of,
    numbers_of,
    state_names,
    walked,
)

# How PyTorch computes a step, not what the step is.
IMPLEMENTATION = {"params", "foreach", "fused", "capturable", "differentiable"}

# Settings that bring out everything a rule can remember.
FULL: dict[str, dict[str, Any]] = {
    "sgd": {"momentum": 0.9},
    "rmsprop": {"momentum": 0.9, "centered": True},
    "adam": {"amsgrad": True},
    "adamw": {"amsgrad": True},
}


def torch_class(name: str) -> Any:
    return getattr(torch.optim, RULES[name].__name__)


@pytest.mark.parametrize("name", RULES)
def test_settings_and_defaults_are_pytorchs(name: str) -> None:
    theirs = {
        parameter.name: parameter.default
        for parameter in inspect.signature(torch_class(name)).parameters.values()
        if parameter.name not in IMPLEMENTATION
    }
    assert RULES[name]()._asdict() == theirs
    assert RULES[name]._fields[0] == "lr"


def test_every_coordinate_wise_rule_of_pytorch_is_here() -> None:
    others = {"Optimizer", "Adafactor", "LBFGS", "Muon", "SparseAdam"}
    theirs = {n for n, c in vars(torch.optim).items() if inspect.isclass(c)} - others
    assert {rule.__name__ for rule in RULES.values()} == theirs


@pytest.mark.parametrize("settings", [{}, FULL])
@pytest.mark.parametrize("name", RULES)
def test_state_has_pytorchs_names(name: str, settings: dict[str, dict[str, Any]]) -> None:
    parameter = torch.nn.Parameter(torch.tensor([1.0, 2.0]))
    optimizer = torch_class(name)([parameter], **settings.get(name, {}))
    parameter.grad = torch.tensor([0.5, -0.5])
    optimizer.step()
    theirs = {k: v for k, v in optimizer.state[parameter].items() if v is not None}
    names = state_names(make_rule(name, None, settings.get(name)))
    assert set(names.arrays) == {k for k, v in theirs.items() if v.ndim}
    assert set(names.numbers) == {k for k, v in theirs.items() if not v.ndim}


@pytest.mark.parametrize("name", RULES)
def test_pure_python_makes_pytorchs_steps(name: str) -> None:
    """The arithmetic is plain Python: three steps of one parameter, without compiling."""
    rule = make_rule(name, None, FULL.get(name))
    same: Any = walked(rule)
    bases_of, schedule, update = ARITHMETIC[type(same)]
    parameter = torch.nn.Parameter(torch.tensor([0.7], dtype=torch.float64))
    torch.set_default_dtype(torch.float64)
    optimizer = torch_class(name)([parameter], **rule._asdict())
    w, bases = 0.7, bases_of(same)
    memory = tuple(one.start for one in memory_of(same))
    numbers: Any = (*(one.start for one in numbers_of(same)[1:]), 0.0, 0.0)[:2]
    try:
        for step, gradient in enumerate((0.9, 0.4, -0.3), start=1):
            parameter.grad = torch.tensor([gradient])
            optimizer.step()
            powers = (bases[0] ** step, bases[1] ** step)
            now, numbers = schedule(same, float(step), bases, powers, numbers)
            w, memory = update(same, now, w, gradient, memory)
            assert w == pytest.approx(parameter.item(), rel=1e-14)
    finally:
        torch.set_default_dtype(torch.float32)


def test_two_rules_are_walked_as_others() -> None:
    adamw = AdamW(lr=0.5, betas=(0.1, 0.2), eps=0.3, amsgrad=True, maximize=True)
    adam: Rule = Adam(0.5, (0.1, 0.2), 0.3, 1e-2, True, True, decoupled_weight_decay=True)
    assert walked(adamw) == adam
    assert type(walked(adamw)) is Adam
    plain = SGD(lr=0.5, dampening=0.3, weight_decay=0.2, maximize=True)
    assert walked(plain) == PlainSGD(lr=0.5, weight_decay=0.2, maximize=True)
    for rule in (SGD(momentum=0.1), Adam(), NAdam()):
        assert walked(rule) is rule
