"""The rules: PyTorch's names, defaults, ranges and state, and one step of each by hand."""

from __future__ import annotations

import inspect
from typing import Any

import pytest
import torch

from thalweg.descent.kernel import bases_of
from thalweg.optimizers.adam import Adam
from thalweg.optimizers.adamw import AdamW
from thalweg.optimizers.asgd import ASGD
from thalweg.optimizers.choice import make_rule
from thalweg.optimizers.nadam import NAdam
from thalweg.optimizers.registry import RULES
from thalweg.optimizers.rule import canonical, declared
from thalweg.optimizers.sgd import SGD, PlainSGD

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
    assert next(iter(declared(RULES[name]).settings)) == "lr"


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
    rule = make_rule(name, None, settings.get(name))
    known = declared(type(canonical(rule)))
    assert {one.name for one in known.slots if one.is_kept(canonical(rule))} == {
        k for k, v in theirs.items() if v.ndim
    }
    assert {one.name for one in known.scalars if one.is_kept(rule)} == {
        k for k, v in theirs.items() if not v.ndim
    }


@pytest.mark.parametrize("name", RULES)
def test_pure_python_makes_pytorchs_steps(name: str) -> None:
    """The arithmetic is plain Python: three steps of one parameter, without compiling."""
    rule = make_rule(name, None, FULL.get(name))
    same: Any = canonical(rule)
    known = declared(type(same))
    parameter = torch.nn.Parameter(torch.tensor([0.7], dtype=torch.float64))
    torch.set_default_dtype(torch.float64)
    optimizer = torch_class(name)([parameter], **rule._asdict())
    w, bases = 0.7, bases_of(same)
    slots = tuple(one.value(same) for one in known.slots)
    scalars: Any = (*(one.value(same) for one in known.scalars[1:]), 0.0, 0.0)[:2]
    try:
        for step, gradient in enumerate((0.9, 0.4, -0.3), start=1):
            parameter.grad = torch.tensor([gradient])
            optimizer.step()
            powers = (bases[0] ** step, bases[1] ** step)
            coefficients, scalars = same.schedule(float(step), bases, powers, scalars)
            w, slots = same.update(coefficients, w, gradient, slots)
            assert w == pytest.approx(parameter.item(), rel=1e-14)
    finally:
        torch.set_default_dtype(torch.float32)


def test_two_rules_have_a_canonical_form() -> None:
    adamw = AdamW(lr=0.5, betas=(0.1, 0.2), eps=0.3, amsgrad=True, maximize=True)
    adam = Adam(0.5, (0.1, 0.2), 0.3, 1e-2, True, True, decoupled_weight_decay=True)
    assert canonical(adamw) == adam
    plain = SGD(lr=0.5, dampening=0.3, weight_decay=0.2, maximize=True)
    assert canonical(plain) == PlainSGD(lr=0.5, weight_decay=0.2, maximize=True)
    for rule in (SGD(momentum=0.1), Adam(), NAdam()):
        assert canonical(rule) is rule


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (NAdam(lr=0.1, momentum_decay=0.0), Adam(lr=0.1)),
        (NAdam(lr=0.1, momentum_decay=1.0), Adam(lr=0.1, amsgrad=True)),
        (ASGD(lr=0.1, lambd=0.5, alpha=0.0, t0=0.0), SGD(lr=0.1, momentum=0.5)),
        (make_rule("adagrad", 0.1, {"lr_decay": 0.5, "eps": 0}), SGD(lr=0.1, momentum=0.5)),
    ],
)
def test_rules_of_two_classes_with_the_same_numbers_are_two(one: Any, other: Any) -> None:
    assert tuple(one) == tuple(other)  # what took one for the other
    assert one != other
    assert len({one, other}) == 2
    assert one == one._replace()
    assert hash(one) == hash(one._replace())


def test_each_file_of_an_optimiser_is_found() -> None:
    assert list(RULES) == sorted(RULES)
    for name, rule in RULES.items():
        assert rule.__name__.lower() == name
        assert rule.__module__ == f"thalweg.optimizers.{name}"
