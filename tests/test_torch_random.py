"""PyTorch's random numbers, drawn without it, against PyTorch."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader, TensorDataset

from thalweg import torch_random
from thalweg.torch_random import (
    STATE,
    WORDS_PER_EPOCH,
    Generator,
    begin_shuffle,
    initial_parameters,
    seed_twister,
    shuffle_on,
)

# torch.manual_seed takes whole numbers from -2**63 to 2**64 - 1, of which 32 bits matter.
SEEDS = (0, 1, 4321, 2**32 - 1, 2**32, 2**32 + 5, 2**64 - 1, -1, -7, -(2**63))
DRAWN = (0, 1, 226, 227, 623, 624, 625, 1300)  # about the places where the state wraps around


def pytorch_stream(generator: Generator) -> None:
    torch.manual_seed(generator.seed)
    if generator.drawn:
        torch.empty(generator.drawn, dtype=torch.int32).random_()


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("intercept", [True, False])
def test_start_is_that_of_linear_to_the_last_bit(seed: int, intercept: bool) -> None:
    for drawn in DRAWN:
        for d in (1, 2, 3, 10, 64):
            generator = Generator(seed, drawn)
            pytorch_stream(generator)
            linear = torch.nn.Linear(d, 1, bias=intercept)
            weights = linear.weight.detach().flatten().tolist()
            expected = [linear.bias.item(), *weights] if intercept else weights
            start, moved = initial_parameters(generator, d, intercept)
            assert start.dtype == np.float64
            assert start.tolist() == expected
            assert moved == (seed, drawn + d + intercept)


def epoch_order(generator: Generator, n: int) -> tuple[np.ndarray, Generator]:
    """Draw an epoch's order as a walk does."""
    twister, fresh = np.zeros(STATE + 1, np.uint32), np.zeros(STATE + 1, np.uint32)
    seed_twister(twister, generator.seed & 0xFFFFFFFF, generator.drawn)
    order = np.zeros(n, np.int64)
    begin_shuffle(twister, fresh)
    shuffle_on(order, fresh, 0, 2 * n)
    return order, generator._replace(drawn=generator.drawn + WORDS_PER_EPOCH)


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("drawn", DRAWN)
def test_epochs_are_shuffled_as_the_loader_does(seed: int, drawn: int) -> None:
    n, generator = 37, Generator(seed, drawn)
    pytorch_stream(generator)
    loader = DataLoader(TensorDataset(torch.arange(n)), batch_size=5, shuffle=True)
    for _ in range(3):
        expected = torch.cat([rows for (rows,) in loader])
        order, generator = epoch_order(generator, n)
        assert order.tolist() == expected.tolist()


@pytest.mark.parametrize("n", [1, 2, 3, 227, 624, 625, 10_000, 200_000])
def test_any_number_of_rows_is_shuffled_alike(n: int) -> None:
    torch.manual_seed(9)
    loader = DataLoader(TensorDataset(torch.arange(n)), batch_size=n, shuffle=True)
    ((expected,),) = loader
    order, generator = epoch_order(Generator(9), n)
    assert np.array_equal(order, expected.numpy())
    assert generator == (9, 4)


def test_streams_of_different_seeds_differ() -> None:
    """The low 32 bits of a seed are what matters, and every one of them does."""
    starts = {tuple(initial_parameters(Generator(1 << bit), 4, True)[0]) for bit in range(32)}
    assert len(starts) == 32


@pytest.mark.parametrize("n", [1, 2, 5, 1000])
def test_more_rows_than_32_bits_can_shuffle_take_64_bits_each(
    n: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """PyTorch's ``randperm`` for so many rows, written out here on NumPy's Mersenne Twister."""
    monkeypatch.setattr(torch_random, "LARGE", 1)
    twister, fresh = np.zeros(STATE + 1, np.uint32), np.zeros(STATE + 1, np.uint32)
    seed_twister(twister, 9, 0)
    order = np.zeros(n, np.int64)
    begin_shuffle(twister, fresh)
    torch_random.shuffle_on.py_func(order, fresh, 0, 2 * n)

    def words(seed: int, count: int) -> list[int]:
        stream = np.random.RandomState(seed)
        return [int(w) for w in stream.randint(0, 2**32, size=count, dtype=np.uint32)]

    drawn = words(words(9, 4)[3], 2 * n)
    expected: list[int] = []
    for i in range(n):
        other = (drawn[2 * i] << 32 | drawn[2 * i + 1]) % (i + 1)
        expected.append(i)
        expected[i], expected[other] = expected[other], i
    assert order.tolist() == expected


def test_the_branch_is_taken_where_pytorch_takes_it() -> None:
    assert torch_random.LARGE == (2**32 - 1) // 20
