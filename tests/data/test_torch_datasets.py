"""Rows from PyTorch: tensors of any precision, and datasets of pairs."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
import torch
from torch.utils import data as torch_data

import thalweg
from thalweg.data.inputs import take
from thalweg.errors import InvalidData

X = torch.arange(12.0).reshape(6, 2) ** 2
Y = X @ torch.tensor([1.0, -2.0]) + 3.0


class Mapped(torch_data.Dataset[Any]):
    """Items by index, as a function makes them."""

    def __init__(self, item: Callable[[int], Any], n: int = 6) -> None:
        self.item, self.n = item, n

    def __len__(self) -> int:
        return self.n

    def __getitem__(self, row: int) -> Any:
        return self.item(row)


class Streamed(torch_data.IterableDataset[Any]):
    def __iter__(self) -> Iterator[Any]:
        return iter(zip(X, Y, strict=True))


DATASETS: dict[str, Any] = {
    "tensors": torch_data.TensorDataset(X.clone().requires_grad_(), Y),
    "tensors, a column": torch_data.TensorDataset(X, Y[:, None]),
    "mapped": Mapped(lambda row: (X[row], Y[row])),
    "mapped, a column": Mapped(lambda row: [X[row].tolist(), Y[row : row + 1]]),
    "arrays": Mapped(lambda row: (X[row].numpy(), Y[row].item())),
    "streamed": Streamed(),
    "part of it": torch_data.Subset(torch_data.TensorDataset(X, Y), range(6)),
}


@pytest.mark.parametrize("kind", DATASETS)
def test_a_dataset_stands_for_its_rows(kind: str) -> None:
    data = take(DATASETS[kind]).read()
    np.testing.assert_array_equal(data.X, X)
    np.testing.assert_array_equal(data.y, Y)
    run = thalweg.fit(DATASETS[kind], epochs=3)
    np.testing.assert_array_equal(run.path, thalweg.fit((X, Y), epochs=3).path)


def test_one_feature_may_be_a_number() -> None:
    rows: Any = Mapped(lambda row: (float(row), Y[row]))
    data = take(rows).read()
    np.testing.assert_array_equal(data.X[:, 0], range(6))


@pytest.mark.parametrize(
    ("dataset", "said"),
    [
        (torch_data.TensorDataset(X), "got a TensorDataset of 1 tensors, expected pairs (x, y)"),
        (Mapped(lambda row: X[row]), "got a Tensor as row 0, expected pairs (x, y)"),
        (Mapped(lambda row: 1.0), "got a float as row 0, expected pairs (x, y)"),
        (Mapped(lambda row: (X[row], 1, 2)), "got a tuple of 3 as row 0, expected pairs (x, y)"),
        (Mapped(lambda row: {"x": 1, "y": 2}), "got a dict as row 0, expected pairs (x, y)"),
        (
            Mapped(lambda row: (X[row], 1) if row < 4 else None),
            "got a NoneType as row 4, expected pairs (x, y)",
        ),
        (
            Mapped(lambda row: (list(range(2 + row % 2)), 1)),
            "got rows of 2 and 3 features, expected rows of the same features, one at least",
        ),
        (
            Mapped(lambda row: 1, n=0),
            "got no rows, expected rows of the same features, one at least",
        ),
    ],
)
def test_a_dataset_of_something_else_is_refused(dataset: Any, said: str) -> None:
    with pytest.raises(InvalidData) as error:
        thalweg.fit(dataset)
    advice = "give its features and its target as a pair (X, y) of tensors"
    assert str(error.value) == f"data: {said}; {advice}"


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16, torch.float64, torch.int8])
def test_each_precision_is_taken_as_it_is(dtype: torch.dtype) -> None:
    rounded = (X / 3.0).to(dtype)
    data = thalweg.Dataset(rounded, Y.to(dtype))
    np.testing.assert_array_equal(data.X, rounded.to(torch.float64))


@pytest.mark.parametrize(
    ("tensor", "said"),
    [
        (
            X.to_sparse(),
            "got a tensor of layout torch.sparse_coo, expected a dense tensor of real numbers; "
            "call to_dense()",
        ),
        (
            X.to("meta"),
            "got a tensor without values, on the meta device, expected a dense tensor of real "
            "numbers; make it on a device that holds values",
        ),
        (
            X > 3.0,
            "got an array of dtype bool, expected an array of real numbers; convert it first, "
            "for example with numpy.asarray(values, dtype=float)",
        ),
    ],
)
def test_tensors_that_hold_no_numbers(tensor: torch.Tensor, said: str) -> None:
    with pytest.raises(InvalidData) as error:
        thalweg.fit((tensor, Y))
    assert str(error.value) == f"X: {said}"


def test_of_a_loader_its_dataset_is_asked_for() -> None:
    loader = torch_data.DataLoader(Mapped(lambda row: (X[row], Y[row])), batch_size=2)
    with pytest.raises(InvalidData) as caught:
        thalweg.fit(loader)
    assert str(caught.value) == (
        "data: got DataLoader without a target, expected X and y, a frame or file with target=, "
        "or a Dataset; "
        "pass loader.dataset, and batch_size= and shuffle= as the loader has them"
    )
    rows: Any = loader.dataset
    run = thalweg.fit(rows, batch_size=loader.batch_size, epochs=2)
    assert run.epochs == 2
