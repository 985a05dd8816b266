"""The bar that shows how far a fit or a file has come, and what else a person waits for.

Not here: what reports it (:mod:`thalweg.descent.parts`, :mod:`thalweg.data.scanning`).
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from html import escape
from threading import Timer
from time import monotonic
from types import TracebackType
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol, TypeAlias

if TYPE_CHECKING:
    from rich.console import Console
    from rich.progress import TaskID

# What ends sooner needs no bar.
_PATIENCE = 1.0  # seconds
_PER_SECOND = 10  # a page is drawn anew no more often than that


class Progress(NamedTuple):
    """How far a fit has come."""

    epochs_done: int
    epochs: int
    loss: float  # of the last epoch
    epochs_per_second: float  # in the last part
    seconds_left: float  # at that rate, should all the epochs be walked


Callback: TypeAlias = Callable[[Progress], object]


_LISTENERS: list[Callable[[str], object]] = []


@contextmanager
def announcing(listener: Callable[[str], object]) -> Iterator[None]:
    """Pass what a person waits for, in words and each once, to a function.

    Examples
    --------
    >>> from time import sleep
    >>> with announcing(print), waiting_for("the kettle", patience=0.0):
    ...     sleep(0.1)
    the kettle
    """
    said: set[str] = set()

    def say_once(what: str) -> None:
        if what not in said:
            said.add(what)
            listener(what)

    _LISTENERS.append(say_once)
    try:
        yield
    finally:
        _LISTENERS.remove(say_once)


@contextmanager
def waiting_for(what: str, *, patience: float = _PATIENCE) -> Iterator[None]:
    """Say what is waited for, where it takes longer than ``patience`` seconds and one listens."""
    timers = [Timer(patience, listener, (what,)) for listener in _LISTENERS]
    for timer in timers:
        timer.daemon = True
        timer.start()
    try:
        yield
    finally:
        for timer in timers:
            timer.cancel()


class Bar:
    """Progress with rate and time left, on anything longer than a second.

    Drawn on standard error where that is a terminal, in the output of the cell in a notebook,
    and nowhere else.

    Parameters
    ----------
    console : rich.console.Console, optional
        Where to draw; a terminal's standard error when left out.
    """

    def __init__(self, console: Console | None = None) -> None:
        self._surface: _Surface = _Page() if _in_notebook() else _Terminal(console)
        self._started = monotonic()
        self._since: dict[str, tuple[float, int]] = {}  # when a pass began, how far it came

    def __enter__(self) -> Bar:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._surface.close()

    def epochs(self, at: Progress) -> None:
        """Show how far a fit has come."""
        self._show("fitting", "epochs", at.epochs_done, at.epochs, f"loss {at.loss:.6g}")

    def rows(self, done: int, expected: int | None) -> None:
        """Show how far a file is read; a new pass starts afresh."""
        self._show("reading", "rows", done, expected, "")

    def _show(self, what: str, unit: str, done: int, total: int | None, said: str) -> None:
        now = monotonic()
        since, before = self._since.get(what, (now, 0))
        if done < before:
            since = now
        self._since[what] = since, done
        rate = done / (now - since) if now > since else None
        step = _Step(what, unit, done, total, rate, said, afresh=done < before)
        self._surface.show(step, visible=now - self._started > _PATIENCE)


class _Step(NamedTuple):
    what: str
    unit: str
    done: int
    total: int | None
    rate: float | None  # units per second
    said: str
    afresh: bool  # another pass has begun


class _Surface(Protocol):
    """What a bar is drawn on."""

    def show(self, step: _Step, *, visible: bool) -> None: ...

    def close(self) -> None: ...


class _Terminal:
    """Standard error; nothing is left of the bars at the end."""

    def __init__(self, console: Console | None) -> None:
        from rich import progress
        from rich.console import Console

        console = Console(stderr=True) if console is None else console
        self._progress = progress.Progress(
            progress.TextColumn("{task.description}"), progress.BarColumn(),
            progress.TaskProgressColumn(), progress.TextColumn("{task.fields[rate]}"),
            progress.TimeRemainingColumn(), progress.TextColumn("{task.fields[said]}"),
            console=console, transient=True, disable=not console.is_terminal,
        )  # fmt: skip
        self._tasks: dict[str, TaskID] = {}

    def show(self, step: _Step, *, visible: bool) -> None:
        task = self._tasks.get(step.what)
        if task is None:
            task = self._progress.add_task(step.what, total=step.total, rate="", said="")
            self._tasks[step.what] = task
        elif step.afresh:
            self._progress.reset(task)
        rate = "" if step.rate is None else f"{step.rate:,.0f} {step.unit}/s"
        self._progress.update(
            task, completed=step.done, total=step.total, said=step.said, rate=rate
        )
        if visible:
            self._progress.start()

    def close(self) -> None:
        if self._progress.live.is_started:  # it would end a line that it never began
            self._progress.stop()


class _Page:
    """The output of a notebook's cell; the last state stays, as part of what was done."""

    def __init__(self) -> None:
        self._steps: dict[str, _Step] = {}
        self._handle: Any = None
        self._drawn = -1.0

    def show(self, step: _Step, *, visible: bool) -> None:
        self._steps[step.what] = step
        if visible and monotonic() - self._drawn > 1.0 / _PER_SECOND:
            self._draw()

    def close(self) -> None:
        if self._handle is not None:
            self._draw()

    def _draw(self) -> None:
        from IPython.display import HTML, display

        self._drawn = monotonic()
        page = HTML(progress_html(tuple(self._steps.values())))
        if self._handle is None:
            self._handle = display(page, display_id=True)
        else:
            self._handle.update(page)


def progress_html(steps: tuple[_Step, ...]) -> str:
    """Draw bars for a page: HTML's own, in the page's own colours."""
    return "".join(f"<div>{_bar(step)} {escape(_words(step))}</div>" for step in steps)


def _bar(step: _Step) -> str:
    known = "" if step.total is None else f' value="{step.done}" max="{step.total}"'
    return f'<progress aria-label="{step.what}"{known} style="vertical-align: middle"></progress>'


def _words(step: _Step) -> str:
    of = "" if step.total is None else f" of {step.total:,}"
    words = [f"{step.what}: {step.done:,}{of} {step.unit}"]
    if step.rate:
        words.append(f"{step.rate:,.0f} {step.unit}/s")
        if step.total is not None and step.done < step.total:
            words.append(f"{_clock((step.total - step.done) / step.rate)} left")
    return ", ".join([*words, step.said] if step.said else words)


def _clock(seconds: float) -> str:
    """Write a time as a clock does.

    Examples
    --------
    >>> _clock(3.2), _clock(3725.0)
    ('0:03', '1:02:05')
    """
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def _in_notebook() -> bool:
    """Tell whether a notebook's kernel runs this."""
    shell = getattr(sys.modules.get("IPython"), "get_ipython", lambda: None)()
    return hasattr(shell, "kernel")
