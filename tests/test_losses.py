"""The losses: PyTorch's values and gradients, and their names."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pytest
import torch

from thalweg.errors import InvalidSetting
from thalweg.losses import L1, LOSSES, MSE, Huber, Loss, make_loss, mean_loss, value_and_slope

RESIDUALS = (-3.0, -1.0, -0.4, -0.0, 0.0, 1e-9, 0.5, 1.0, 2.0, 1e200)


def torch_loss(loss: Loss) -> Any:
    return getattr(torch.nn, f"{type(loss).__name__}Loss")(**loss._asdict())


@pytest.mark.parametrize("loss", [MSE(), L1(), Huber(), Huber(0.3), Huber(5.0)], ids=str)
@pytest.mark.parametrize("residual", RESIDUALS)
def test_value_and_slope_are_pytorchs(loss: Loss, residual: float) -> None:
    prediction = torch.tensor([residual], dtype=torch.float64, requires_grad=True)
    expected = torch_loss(loss)(prediction, torch.zeros(1, dtype=torch.float64))
    expected.backward()
    assert prediction.grad is not None
    value, slope = value_and_slope(loss, residual)
    assert value == pytest.approx(expected.item(), rel=1e-15)
    assert slope == pytest.approx(prediction.grad.item(), rel=1e-15)


@pytest.mark.parametrize("loss", [MSE(), L1(), Huber(), Huber(0.3), Huber(5.0)], ids=str)
def test_the_mean_over_rows_is_pytorchs(loss: Loss) -> None:
    residuals = torch.tensor(RESIDUALS[:-1], dtype=torch.float64)  # the last one squared overflows
    expected = torch_loss(loss)(residuals, torch.zeros_like(residuals)).item()
    assert mean_loss(loss, residuals.numpy()) == pytest.approx(expected, rel=1e-14)


@pytest.mark.parametrize(
    ("given", "made"),
    [
        ("mse", MSE()),
        ("MSELoss", MSE()),
        (torch.nn.MSELoss, MSE()),
        (MSE, MSE()),
        (MSE(), MSE()),
        ("L1", L1()),
        (torch.nn.L1Loss, L1()),
        (L1(), L1()),
        ("huber", Huber(1.0)),
        ("HuberLoss", Huber(1.0)),
        (Huber(np.float64(0.5)), Huber(0.5)),
    ],
)
def test_a_loss_is_made_of_the_users_words(given: object, made: Loss) -> None:
    loss = make_loss(given)
    assert loss == made
    assert type(loss) is type(made)


def test_a_name_alone_has_pytorchs_default() -> None:
    assert [make_loss(name) for name in LOSSES] == [MSE(), L1(), Huber(1.0)]


@pytest.mark.parametrize(
    ("loss", "delta", "sentence"),
    [
        ("hubber", 1.0, "loss: got 'hubber', expected the name of a loss; did you mean 'huber'?"),
        (
            "cross_entropy",
            1.0,
            "loss: got 'cross_entropy', expected the name of a loss; "
            "choose one of 'mse', 'l1', 'huber'",
        ),
        (3, 1.0, "loss: got 3, expected the name of a loss; pass for example 'mse'"),
        ("huber", 0, "delta: got 0, expected a positive number; PyTorch's default is 1.0"),
        ("huber", True, "delta: got True, expected a positive number; PyTorch's default is 1.0"),
        ("huber", "1", "delta: got '1', expected a positive number; PyTorch's default is 1.0"),
        (
            Huber(float("inf")),
            1.0,
            "delta: got inf, expected a positive number; PyTorch's default is 1.0",
        ),
    ],
)
def test_a_wrong_word_or_value_is_refused(loss: object, delta: object, sentence: str) -> None:
    with pytest.raises(InvalidSetting, match=f"^{re.escape(sentence)}$"):
        make_loss(loss, delta)
