"""``fit``: the user's words turned into a task, walked by an engine, and kept as a run.

Not here: what can be asked (:mod:`thalweg.settings`), the plan (:mod:`thalweg.descent.task`), the
engines (:mod:`~thalweg.descent.compiled`, :mod:`~thalweg.descent.reference`).
"""

from __future__ import annotations

import inspect
import os
import textwrap
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, TypeAlias

from numpy.typing import ArrayLike

from thalweg.data.categories import Categories
from thalweg.data.inputs import Data, take
from thalweg.data.outputs import check_outputs, kept_run
from thalweg.descent.engines import descend
from thalweg.descent.task import prepare
from thalweg.kinds import FILE_OR_NONE, POSITIVE, FlagOrFunction, Number
from thalweg.settings import DEFAULTS, MEANINGS, Settings

if TYPE_CHECKING:
    from thalweg.progress import Callback
    from thalweg.runs.run import ResumeState, Run

PathLike: TypeAlias = str | os.PathLike[str]

_PROGRESS = FlagOrFunction("", "say True for a bar, or pass the function that is called")
_EVERY = Number("", "try {every}", range=POSITIVE, example=60)


def fit(
    data: Data,
    y: Any = None,
    *,
    target: str | None = None,
    features: Sequence[str] | None = None,
    categories: Categories = None,
    start: ArrayLike | int | Run | ResumeState | None = None,
    progress: bool | Callback = False,
    checkpoint: PathLike | None = None,
    every: float = 60.0,
    resume: PathLike | None = None,
    **settings: Any,
) -> Run:
    r"""Fit a linear regression by gradient descent, and keep everything the descent did.

    Each step moves the parameters :math:`w` against the gradient of the mean loss :math:`\ell`
    over a batch :math:`B` of rows, as the optimiser's rule says; for plain SGD

    .. math:: w \leftarrow w - \mathrm{lr} \cdot \frac{1}{|B|} \sum_{i \in B}
              \nabla \ell(w_0 + x_i w_{1:},\, y_i)

    Parameters
    ----------
    data : array-like, frame, path, Dataset, Scan or pair
        The features, with ``y`` beside them: an array or tensor of shape (n, d) or (n,), or a
        frame. Or features and target together: a pair ``(X, y)``, a frame of pandas, Polars,
        Arrow or their kin, files or a folder of them (scanned above 64 MB), a
        :class:`thalweg.Dataset`, a scan, a dataset of PyTorch's. Of a :func:`thalweg.scan` batch
        descent on the squared error reads the files once, any other reads them once an epoch,
        with a few blocks in memory; the result is that of the same rows in memory, to the bit.
    y : array-like or series, optional
        The target, shape (n,), where ``data`` are the features alone.
    target : str, optional
        Which column of a frame or file is the target; beside ``y``, what to call it.
    features : sequence of str, optional
        Which columns are the features, in this order; of arrays, what to call them.
    categories : "all", sequence of str or mapping, optional
        Columns whose words become features of zeros and ones, one for each level, the first one
        left out where there is an intercept: see :func:`thalweg.read`.
    start : optional
        None draws PyTorch's own initialisation of ``nn.Linear`` from ``seed``; a whole number
        draws it from that seed instead; an array ``[bias, weights…]`` is taken as it is; a
        :class:`thalweg.Run` is gone on from, with its optimiser state and its stream of random
        numbers; :meth:`thalweg.Run.continuation` says to leave some of that behind.
    progress : bool or callable
        True shows a bar in a terminal or a notebook, on anything longer than a second; a
        function is called some times a second with a :class:`thalweg.progress.Progress`.
    checkpoint : path-like, optional
        Where to keep the run so far, as a run file: written after the first epoch, then every
        ``every`` seconds, and at the end. Left out with ``resume``, that file is kept on.
    every : float
        Seconds between two checkpoints. Default a minute: what a person would not mind to lose.
    resume : path-like, optional
        A checkpoint of the same fit to go on from; the end is the same to the bit.
    **settings
        How to descend; beside these the optimiser's own settings under PyTorch's names, such as
        ``momentum``.

    {settings}

    Returns
    -------
    Run

    Raises
    ------
    InvalidData
        On rows that cannot be fitted.
    InvalidSetting
        On a setting that does not exist or a value it cannot take.
    MissingExtra
        If the fit needs PyTorch and it is not installed.
    UnreadableFile, UnwritableFile
        If ``resume`` is missing or damaged, or ``checkpoint`` cannot be written or is read.

    Notes
    -----
    Ctrl-C ends the fit at once. With any of ``progress``, ``checkpoint`` and ``resume`` it gives
    the run so far, with :attr:`thalweg.Outcome.STOPPED`; otherwise it is a
    ``KeyboardInterrupt``. The bits are the same with and without.

    Examples
    --------
    >>> import thalweg
    >>> run = thalweg.fit(thalweg.salammbo(), optimizer="nadam", lr=0.01, epochs=250, seed=4321)
    >>> run
    Run(nadam, epochs=250, loss=3708.13, bias=0.891967, weight=0.0675632, out_of_epochs)
    """
    asked, every = Settings.of(**settings), _EVERY.take("every", every)
    progress = _PROGRESS.take("progress", progress)
    resumed = FILE_OR_NONE.take("resume", resume)
    kept, read = kept_run(FILE_OR_NONE.take("checkpoint", checkpoint), resumed)
    rows = take(
        data,
        y,
        target=target,
        features=features,
        categories=categories,
        intercept=asked.intercept,
    )
    if progress or kept is not None:
        from thalweg.descent.parts import fit_in_parts  # run files: only for a fit that has one

        check_outputs([kept], [*rows.origin, *read])
        return fit_in_parts(
            rows, start, asked, progress=progress, checkpoint=kept, every=every, resume=resumed
        )
    task = prepare(rows, start, asked)
    return task.run(descend(task.plan, task.settings))


def _with_settings(signature: inspect.Signature) -> inspect.Signature:
    """Put every setting with its default where ``**settings`` stands."""
    *own, rest = signature.parameters.values()
    each = [
        inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=default)
        for name, default in DEFAULTS.items()
    ]
    first = [p for p in own if p.kind is not inspect.Parameter.KEYWORD_ONLY]
    others = [p for p in own if p.kind is inspect.Parameter.KEYWORD_ONLY]
    return signature.replace(
        parameters=[*first, *each, *others, rest.replace(name="hyperparameters")]
    )


def _described() -> str:
    """Say what each setting means, as the docstring has it."""
    lines = []
    for name, meaning in MEANINGS.items():
        lines.append(f"{name} : default {DEFAULTS[name]!r}")
        lines += textwrap.wrap(meaning, 88, initial_indent="    ", subsequent_indent="    ")
    return textwrap.indent("\n".join(lines), "        ").lstrip()


# What help and completion show is the one definition of the settings.
fit.__signature__ = _with_settings(inspect.signature(fit))  # type: ignore[attr-defined]  # inspect reads it
if fit.__doc__ is not None:  # not under python -OO
    fit.__doc__ = fit.__doc__.replace("    {settings}", f"        {_described()}")
