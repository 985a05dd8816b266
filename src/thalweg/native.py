"""How native kernels are compiled: Numba, cached on disk, typed for the checker.

Numba stamps what it caches by the file of the compiled function alone: what a kernel calls must
stand in the kernel's own file, or a change there goes unnoticed. Not here: any kernel.
"""

from __future__ import annotations

from collections.abc import Callable
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
