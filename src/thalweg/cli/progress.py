"""The bar that shows how far a fit or a file has come.

Not here: what reports it (:mod:`thalweg.descent.parts`, :mod:`thalweg.reading.scanning`).
"""

from __future__ import annotations

from time import monotonic
from types import TracebackType
from typing import TYPE_CHECKING

from thalweg.cli.app import errors

if TYPE_CHECKING:
    from rich.progress import TaskID

    from thalweg.descent.parts import Progress as Walked


class Bar:
    """Progress with rate and time left, in a terminal, on anything longer than a second."""

    def __init__(self) -> None:
        from rich.progress import (
            BarColumn,
            Progress,
            TaskProgressColumn,
            TextColumn,
            TimeRemainingColumn,
        )

        self._progress = Progress(
            TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(),
            TextColumn("{task.fields[rate]}"), TimeRemainingColumn(),
            TextColumn("{task.fields[said]}"), console=errors, transient=True,
            disable=not errors.is_terminal,
        )  # fmt: skip
        self._tasks: dict[str, tuple[TaskID, float]] = {}
        self._started = monotonic()

    def __enter__(self) -> Bar:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._progress.live.is_started:  # it would end a line that it never began
            self._progress.stop()

    def epochs(self, at: Walked) -> None:
        """Show how far a fit has come."""
        self._show("fitting", "epochs", at.epochs_done, at.epochs, f"loss {at.loss:.6g}")

    def rows(self, done: int, expected: int | None) -> None:
        """Show how far a file is read; a new pass starts afresh."""
        self._show("reading", "rows", done, expected, "")

    def _show(self, what: str, unit: str, done: int, total: int | None, said: str) -> None:
        now = monotonic()
        task, since = self._tasks.get(what, (None, now))
        if task is None:
            task = self._progress.add_task(what, total=total, rate="", said="")
        elif done < self._progress.tasks[task].completed:
            since = now
            self._progress.reset(task)
        self._tasks[what] = task, since
        rate = f"{done / (now - since):,.0f} {unit}/s" if now > since else ""
        self._progress.update(task, completed=done, total=total, said=said, rate=rate)
        if now - self._started > 1.0:
            self._progress.start()
