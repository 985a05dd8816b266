"""How native kernels are compiled: Numba, cached on disk, typed for the checker.

Numba stamps what it caches by the file of the compiled function alone: what a kernel calls must
stand in the kernel's own file, or a change there goes unnoticed; a kernel that is made of several
files takes :func:`entry_point`. Not here: any kernel.
"""

from __future__ import annotations

import hashlib
import inspect
import math
import os
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from importlib import import_module
from threading import Lock
from types import CodeType, FunctionType, ModuleType
from typing import Any, TypeVar, cast

import numba

from thalweg.interrupts import interruptible
from thalweg.progress import waiting_for

COMPILING = "compiling native code, which is kept for the next time"

F = TypeVar("F", bound=Callable[..., Any])

_PACKAGE = __name__.partition(".")[0] + "."


def native(signature: Any = None, **options: Any) -> Callable[[F], F]:
    """Compile a function with Numba on its first call.

    The machine code is kept on disk; where no folder for it can be written, each process
    compiles its own. Ctrl-C while it is compiled is heard at once and leaves it to be compiled to
    its end, for a half compiled function could never be called again. The kernel lets go of the
    interpreter's lock, and divides as NumPy does (no exception on zero), without which loops do
    not become vector code.

    Parameters
    ----------
    signature : optional
        Numba's, the only one to compile. It spares a second compilation where the layouts of the
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
            dispatcher = njit(cache=True, **settings)(function)
        except (RuntimeError, OSError):  # no folder to cache in, or no room left there
            dispatcher = njit(cache=False, **settings)(function)
        compile_as, lock = dispatcher.compile, Lock()

        def compile_only(_: Any) -> Any:
            with lock:
                if not dispatcher.overloads:
                    compile_as(signature)
                    dispatcher.disable_compile()  # other layouts are converted to this one
            [compiled] = dispatcher.overloads.values()
            return compiled.entry_point

        compiling: Any = compile_as if signature is None else compile_only
        dispatcher.compile = partial(_compile, compiling)
        return cast("F", dispatcher)

    return compile_native


def _compile(compiling: Callable[[Any], Any], types: Any) -> Any:
    """Compile, or load what was compiled before, and say so where it takes its time."""
    with waiting_for(COMPILING):
        return interruptible(math.inf, compiling, types)


def digest(*parts: object) -> int:
    """Give a number that changes with whatever machine code made of functions and classes is of.

    That is the source of each module of this package whose functions or classes their code can
    reach, by the names that it uses, and the values that it finds under these.

    Parameters
    ----------
    *parts : function or class

    Examples
    --------
    >>> digest(native) == digest(native)
    True
    """
    modules: set[str] = set()
    values: set[str] = set()
    _reach(parts, modules, values, set())
    sources = [inspect.getsource(import_module(module)) for module in sorted(modules)]
    text = "\n".join([*sources, *sorted(values)])
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:7], "big")


def _reach(part: Any, modules: set[str], values: set[str], seen: set[int]) -> None:
    """Note the modules that something reaches, and the values that it uses."""
    part = getattr(part, "py_func", part)  # what Numba compiles, as it is written
    if id(part) in seen:
        return
    seen.add(id(part))
    if isinstance(part, dict):
        further = [*part, *part.values()]
    elif isinstance(part, tuple | list):
        further = [*part]
    elif isinstance(part, ModuleType) and part.__name__.startswith(_PACKAGE):
        modules.add(part.__name__)
        return
    elif isinstance(part, FunctionType | type) and part.__module__.startswith(_PACKAGE):
        modules.add(part.__module__)
        further = _members(part) if isinstance(part, type) else _used(part, values)
    else:
        return
    for one in further:
        _reach(one, modules, values, seen)


def _members(of: type) -> list[Any]:
    return [*of.__mro__[1:], *(getattr(own, "__func__", own) for own in vars(of).values())]


def _used(function: FunctionType, values: set[str]) -> list[Any]:
    """Give what a function finds under the names in its code, and note plain values."""
    names = _names(function.__code__) & function.__globals__.keys()
    found = {name: function.__globals__[name] for name in names}
    values.update(
        f"{function.__module__}.{name} = {value!r}"
        for name, value in found.items()
        if _is_plain(value)
    )
    return [*found.values(), *(cell.cell_contents for cell in function.__closure__ or ())]


def _is_plain(value: object) -> bool:
    if isinstance(value, tuple):
        return all(map(_is_plain, value))
    return isinstance(value, int | float | str)


def _names(code: CodeType) -> set[str]:
    inner = (_names(constant) for constant in code.co_consts if isinstance(constant, CodeType))
    return set(code.co_names).union(*inner)


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
        A :func:`digest` of all that the machine code is made of.
    arguments : tuple
        An example of each argument after the first, for its type.
    """
    copy = FunctionType(function.__code__, function.__globals__, function.__name__)
    # Other code has another file: what an older one has kept may not even be readable.
    copy.__qualname__ = f"{name}_{version:x}"
    dispatcher: Any = native(fastmath={"contract"})(copy)
    typeof: Any = numba.typeof
    literal: Any = numba.types.literal
    types = (literal(version), *map(typeof, arguments))
    with suppress(OSError):  # compiled, but no room to keep it
        dispatcher.compile(types)
    _KEPT_ALIVE.append(dispatcher)
    return partial(dispatcher.overloads[types].entry_point, version)


_KEPT_ALIVE: list[Any] = []  # machine code is freed with its dispatcher
