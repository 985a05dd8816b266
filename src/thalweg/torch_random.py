"""PyTorch's random numbers without PyTorch: where a fit starts and how its rows are shuffled.

PyTorch's CPU generator is the Mersenne Twister with the classical seeding. A
:class:`Generator` says where such a stream stands: its seed, of which PyTorch takes the low 32
bits, and how many 32-bit words were drawn. Every function here gives back the generator moved
on. Not here: any other randomness.

References
----------
Matsumoto and Nishimura (1998), "Mersenne twister", ACM TOMACS 8, pages 3 to 30.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from thalweg.arrays import Array
from thalweg.native import native

STATE = 624  # words of the twister; one more holds the number of the next to be renewed
WORDS_PER_EPOCH = 4  # two 64-bit draws: the DataLoader's base seed, then its sampler's seed

# From here on PyTorch shuffles with 64-bit draws and the other way round, since 32 bits modulo n
# would no longer be near uniform.
LARGE = (2**32 - 1) // 20

Words = NDArray[np.uint32]


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
    >>> start, generator = initial_parameters(Generator(4321), 1, intercept=True)
    >>> start.round(4).tolist(), generator
    ([0.0753, -0.7489], Generator(seed=4321, drawn=2))
    """
    parameters = _initial(generator.seed & 0xFFFFFFFF, generator.drawn, d, intercept)
    return parameters, Generator(generator.seed, generator.drawn + d + intercept)


@native()
def _initial(seed: int, drawn: int, d: int, intercept: bool) -> Array:
    twister = np.empty(STATE + 1, np.uint32)
    seed_twister(twister, seed, drawn)
    bias_bound = np.float64(np.float32(1.0 / math.sqrt(d)))
    bound = np.float64(np.float32(math.sqrt(3.0) * (math.sqrt(2.0 / 6.0) / math.sqrt(d))))
    parameters = np.empty(d + intercept)
    for j in range(d):
        parameters[intercept + j] = _uniform(next_word(twister), bound)
    if intercept:
        parameters[0] = _uniform(next_word(twister), bias_bound)
    return parameters


@njit(error_model="numpy")
def _uniform(word: np.uint32, bound: float) -> float:
    """Scale the low 24 bits to ±bound as PyTorch does: fused, and rounded once to float32."""
    fraction = (word & np.uint32(0xFFFFFF)) * 2.0**-24
    return float(np.float32(fraction * (2.0 * bound) - bound))  # exact before it is rounded


# --- For kernels ----------------------------------------------------------------------------------


@njit(error_model="numpy")
def seed_twister(twister: Words, seed: int, drawn: int) -> None:
    """Seed a stream and skip the words that were drawn from it."""
    word = np.uint32(seed)
    twister[0] = word
    for i in range(1, STATE):
        word = np.uint32(np.uint32(1812433253) * (word ^ (word >> np.uint32(30))) + np.uint32(i))
        twister[i] = word
    twister[STATE] = 0
    for _ in range(drawn):
        next_word(twister)


@njit(error_model="numpy")
def next_word(twister: Words) -> np.uint32:
    """Give the next 32 bits, renewing the one word of the state that they come from."""
    i = np.int64(twister[STATE])
    following = i + 1 if i < STATE - 1 else 0
    distant = i + 397 if i < STATE - 397 else i + 397 - STATE
    joined = (twister[i] & np.uint32(0x80000000)) | (twister[following] & np.uint32(0x7FFFFFFF))
    odd = np.uint32(0) - (joined & np.uint32(1))
    word = twister[distant] ^ (joined >> np.uint32(1)) ^ (odd & np.uint32(0x9908B0DF))
    twister[i] = word
    twister[STATE] = following
    word ^= word >> np.uint32(11)
    word ^= (word << np.uint32(7)) & np.uint32(0x9D2C5680)
    word ^= (word << np.uint32(15)) & np.uint32(0xEFC60000)
    return np.uint32(word ^ (word >> np.uint32(18)))


@njit(error_model="numpy")
def begin_shuffle(twister: Words, fresh: Words) -> None:
    """Draw what an epoch draws; ``fresh`` is memory for the epoch's own stream."""
    for _ in range(3):  # the loader's base seed, and the high half of the sampler's seed
        next_word(twister)
    seed_twister(fresh, int(next_word(twister)), 0)


@njit(error_model="numpy")
def shuffle_on(order: NDArray[np.int64], fresh: Words, low: int, high: int) -> None:
    """Write an epoch's order, from entry ``low`` to before ``high`` of 2n.

    The first n write the numbers down, the others bring them out of order.
    """
    n = order.size
    for i in range(low, min(high, n)):
        order[i] = i
    for i in range(max(low, n) - n, high - n):
        if n >= LARGE:
            word = np.uint64(next_word(fresh)) << np.uint64(32)
            other = np.int64((word | np.uint64(next_word(fresh))) % np.uint64(i + 1))
            order[i] = order[other]
            order[other] = i
        elif i < n - 1:
            other = i + np.int64(next_word(fresh) % np.uint32(n - i))
            order[i], order[other] = order[other], order[i]
