"""PyTorch's random numbers without PyTorch: where a fit starts and how its rows are shuffled.

PyTorch's CPU generator is the Mersenne Twister with the classical seeding. A
:class:`Generator` says where such a stream stands: its seed and how many 32-bit words were
taken. Every function here gives back the generator moved on. Not here: any other randomness.

References
----------
Matsumoto and Nishimura (1998), "Mersenne twister", ACM TOMACS 8, pages 3 to 30.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from thalweg.dataset import Array

WORDS_PER_EPOCH = 4  # two 64-bit draws: the DataLoader's base seed, then its sampler's seed


class Generator(NamedTuple):
    """PyTorch's CPU generator after ``torch.manual_seed(seed)`` and ``drawn`` 32-bit words."""

    seed: int
    drawn: int = 0


def initial_parameters(generator: Generator, d: int, intercept: bool) -> tuple[Array, Generator]:
    """Draw the parameters that ``torch.nn.Linear(d, 1)`` starts with, in float32's values.

    Each is uniform over ±1/√d. The weights are drawn first, then the bias.

    Parameters
    ----------
    generator : Generator
        Where the stream stands.
    d : int
        The number of features.
    intercept : bool
        Whether there is a bias.

    Returns
    -------
    parameters : ndarray, shape (d + 1,) or (d,)
        ``[bias, weights…]``.
    generator : Generator
        The stream after the draws.

    Examples
    --------
    >>> start, _ = initial_parameters(Generator(4321), 1, intercept=True)
    >>> start.round(4).tolist()
    [0.0753, -0.7489]
    """
    count = d + intercept
    words = _words(generator, count)
    # PyTorch takes a float32's 24 bits from each word and scales them in one fused operation;
    # in float64 the product and the sum are exact, so one rounding to float32 remains.
    fractions = (words & 0xFFFFFF).astype(np.float64) / 2**24
    weight_bound = np.float64(np.float32(math.sqrt(3.0) * (math.sqrt(2.0 / 6.0) / math.sqrt(d))))
    bias_bound = np.float64(np.float32(1.0 / math.sqrt(d)))
    bounds = np.full(count, weight_bound)
    if intercept:
        bounds[-1] = bias_bound
    drawn = (fractions * (2.0 * bounds) - bounds).astype(np.float32).astype(np.float64)
    return np.roll(drawn, int(intercept)), generator._replace(drawn=generator.drawn + count)


def _words(generator: Generator, count: int) -> NDArray[np.uint32]:
    stream = np.random.RandomState(generator.seed & 0xFFFFFFFF)
    words: NDArray[np.uint32] = stream.randint(0, 2**32, generator.drawn + count, dtype=np.uint32)
    return words[generator.drawn :]


def epoch_order(generator: Generator, n: int) -> tuple[NDArray[np.int64], Generator]:
    """Give the order in which a shuffling DataLoader walks ``n`` rows in its next epoch.

    Examples
    --------
    >>> order, generator = epoch_order(Generator(0), 5)
    >>> generator
    Generator(seed=0, drawn=4)
    """
    words = _words(generator, WORDS_PER_EPOCH)
    draws = _words(Generator(int(words[3])), max(n - 1, 0)).astype(np.int64)
    order = np.arange(n)
    for i, z in enumerate(draws % (n - np.arange(n - 1))):
        order[[i, i + z]] = order[[i + z, i]]
    return order, generator._replace(drawn=generator.drawn + WORDS_PER_EPOCH)
