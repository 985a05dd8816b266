"""How native kernels are compiled: Numba, cached on disk, typed for the checker.

Numba stamps what it caches by the file of the compiled function alone: what a kernel calls must
stand in the kernel's own file, or a change there goes unnoticed; a kernel that is made of several
files takes :func:`entry_point`. Not here: any kernel.
"""

from __future__ import annotations

import hashlib
import inspect
import os
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from importlib import import_module
from types import FunctionType
from typing import Any, TypeVar, cast

import numba

F = TypeVar("F", bound=Callable[..., Any])


def native(*signature: Any, **options: Any) -> Callable[[F], F]:
    """Compile a function with Numba on its first call, or at once for a given signature.

    The machine code is kept on disk; where no folder for it can be written, each process
    compiles its own. The kernel lets go of the interpreter's lock, and divides as NumPy does
    (no exception on zero), without which loops do not become vector code.

    Parameters
    ----------
    *signature : str
        Numba's signature, at most one. It spares a second compilation where the layouts of the
        arguments vary.
    **options
        Further options of ``numba.njit``.

    Examples
    --------
    >>> @native()
    ... def half(x: float) -> float:
    ...     return x / 2
    >>> half(3.0)
    1.5
    """
    njit: Any = numba.njit
    settings = {"nogil": True, "error_model": "numpy", **options}

    def compile_native(function: F) -> F:
        try:
            return cast("F", njit(*signature, cache=True, **settings)(function))
        except (RuntimeError, OSError):  # no folder to cache in, or no room left there
            return cast("F", njit(*signature, cache=False, **settings)(function))

    return compile_native


def digest(*modules: str) -> int:
    """Give a number that changes with the sources of the named modules.

    Examples
    --------
    >>> digest("thalweg.native") == digest("thalweg.native")
    True
    """
    sources = "".join(inspect.getsource(import_module(module)) for module in modules)
    return int.from_bytes(hashlib.sha256(sources.encode()).digest()[:7], "big")


def processors() -> int:
    """Count the processors that this process may use: the threads that are worth their while.

    Examples
    --------
    >>> processors() >= 1
    True
    """
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def entry_point(
    function: Callable[..., Any], name: str, version: int, arguments: tuple[Any, ...]
) -> Callable[..., Any]:
    """Compile a function for arguments of certain types, or load it, and give what runs it.

    What is given back takes arguments of these types only and does not look at them: it spares
    the microseconds in which Numba finds out what it was called with.

    Parameters
    ----------
    function : callable
        What to compile. Its first argument is not looked at: its type is ``version``, which so
        becomes part of the key under which Numba keeps the machine code.
    name : str
        Names the file that keeps the machine code: one for each kernel, so that processes which
        compile different ones at the same time do not meet.
    version : int
        A :func:`digest` of all the sources that the machine code is made of.
    arguments : tuple
        An example of each argument after the first, for its type.
    """
    copy = FunctionType(function.__code__, function.__globals__, function.__name__)
    copy.__qualname__ = name
    dispatcher: Any = native(fastmath={"contract"})(copy)
    typeof: Any = numba.typeof
    literal: Any = numba.types.literal
    types = (literal(version), *map(typeof, arguments))
    with suppress(OSError):  # compiled, but no room to keep it
        dispatcher.compile(types)
    _KEPT_ALIVE.append(dispatcher)
    return partial(dispatcher.overloads[types].entry_point, version)


_KEPT_ALIVE: list[Any] = []  # machine code is freed with its dispatcher
