"""Ctrl-C in work that cannot be cut: a factorisation of wide matrices is one call of native code.

Python hears Ctrl-C between two of its own instructions, and machine code that has just ended may
meet it at a point where it cannot be passed on. Such work is done beside the thread that listens.
Not here: work that is cut into short calls (:mod:`thalweg.descent.engines`,
:mod:`thalweg.summary.gram`).
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future
from threading import Thread, current_thread, main_thread
from typing import ParamSpec, TypeVar

P = ParamSpec("P")
R = TypeVar("R")

SHORT = 5e5  # operations: about a thousandth of a second


def interruptible(
    operations: float, work: Callable[P, R], *arguments: P.args, **options: P.kwargs
) -> R:
    """Do work of native code such that Ctrl-C is heard at once, however long it takes.

    What was begun goes on to its end then, unheard: it must be calculation alone, on arrays that
    nobody writes to.

    Parameters
    ----------
    operations : float
        About how many there are. Few are done at once: a thread costs some 50 microseconds.
    work : callable
    *arguments, **options
        What it takes.

    Examples
    --------
    >>> interruptible(1e9, sum, [1, 2])
    3
    """
    if operations <= SHORT or current_thread() is not main_thread():  # that alone hears Ctrl-C
        return work(*arguments, **options)
    result: Future[R] = Future()

    def in_thread() -> None:
        try:
            result.set_result(work(*arguments, **options))
        except BaseException as error:  # noqa: BLE001  # raised again where the result is waited for
            result.set_exception(error)

    Thread(target=in_thread, daemon=True).start()  # the process need not wait for it to end
    return result.result()
