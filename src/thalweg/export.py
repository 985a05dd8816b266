"""A run as a plain PyTorch script: what ``loss.backward(); optimizer.step()`` would have been.

The script needs PyTorch and nothing of ours. It begins where the run began and takes the same
steps over the same rows in the same order; its last lines print where it ends. Not here: running
it, files of our own (:mod:`thalweg.runs.run_file`).
"""

from __future__ import annotations

import math
import textwrap
from collections.abc import Iterable, Iterator, Mapping
from keyword import iskeyword
from typing import Any

import numpy as np

from thalweg import __version__
from thalweg.arrays import Array
from thalweg.data.dataset import Dataset
from thalweg.errors import InvalidSetting, and_more
from thalweg.export_rows import modules_for_rows, read_rows
from thalweg.losses import torch_class
from thalweg.numbers import counted
from thalweg.optimizers.choice import class_name
from thalweg.runs.run import InitialState, Run
from thalweg.settings import Settings
from thalweg.summary.scaling import Scaling

# Up to so many numbers the rows stand in the script itself; beyond, it reads them from a CSV file.
INLINE_NUMBERS = 1000
WIDTH = 88
NAMES_SHOWN = 8


def to_pytorch(run: Run) -> str:
    r"""Write a run as a plain PyTorch script that does it again.

    In the run's own precision: a run of the reference engine is repeated to its last bits, one
    of the compiled engine to rounding. Rows stand in the script where they are at hand and few
    (1,000 numbers at most); else it reads them from the files that the run read, as it did: with
    Thalweg where that is installed, else with Python's csv module or pandas. Where the rows came
    from no file, it is called with a CSV file that holds them.

    Parameters
    ----------
    run : Run
        The run. Where it went on from another, what the optimiser remembered is written out.

    Returns
    -------
    str
        The script.

    Raises
    ------
    InvalidSetting
        If the run does not say what it was fitted to and where it began, or if its optimiser is
        not one of ``torch.optim``.

    Examples
    --------
    >>> import thalweg
    >>> script = to_pytorch(thalweg.fit(thalweg.salammbo(), epochs=20, seed=4321))
    >>> print("\n".join(line for line in script.splitlines() if "optimizer" in line))
    optimizer = torch.optim.NAdam(model.parameters(), lr=0.01)
        optimizer.zero_grad()
        optimizer.step()
    """
    settings = run.asked
    initial, n = _known(run)
    rows = run.data if run.data is not None and _is_small(run.data) else None
    parts = [
        _opening(run, settings, n, from_file=rows is None),
        *_data(run, rows, n),
        _model(run, initial),
        _training(run, settings, initial),
        _ending(run),
    ]
    return "\n\n".join(parts) + "\n"


def _known(run: Run) -> tuple[InitialState, int]:
    """Say what the run began with and how many rows it saw, or refuse."""
    if run.initial_state is None or (run.data is None and run.stored_summary is None):
        raise InvalidSetting(
            "run",
            got="one that does not say what it was fitted to and where it began",
            expected="a run of fit, without weights",
            advice="fit again with thalweg.fit, and export that run",
        )
    return run.initial_state, len(run.data) if run.data is not None else run.summary.n


def _is_small(data: Dataset) -> bool:
    return len(data) * (len(data.features) + 1) <= INLINE_NUMBERS


# --- The parts of the script ----------------------------------------------------------------------


def _opening(run: Run, settings: Settings, n: int, *, from_file: bool) -> str:
    regime = "batch descent" if settings.batch_size is None else f"batches of {settings.batch_size}"
    if settings.batch_sampler is not None:
        regime = "batches written out"
    count = f"{run.epochs} epoch{'s' * (run.epochs != 1)}"
    columns = f"{run.target!r} from {_columns(run)}, {counted(n, 'row')}."
    call = ""
    if from_file:
        call = "Call it with the CSV file that holds these columns."
        if run.reading is not None:
            call = "It reads the files that the run read, or those that it is called with."
    text = f"{settings.optimizer}, {count}, {regime}: {columns} {call}".strip()
    lines = [
        '"""A linear regression by gradient descent, in plain PyTorch.',
        "",
        # As a docstring's own text, once it is cut into lines: none may end within an escape.
        *(_in_docstring(line) for line in textwrap.wrap(text, WIDTH)),
        f"Written by Thalweg {__version__}.",
        '"""',
        "",
        *([*(f"import {name}" for name in modules_for_rows(run)), ""] if from_file else []),
        "import torch",
        "from torch import nn",
    ]
    if _needs_loader(settings):
        lines.append("from torch.utils.data import DataLoader, TensorDataset")
    if settings.dtype != "float32":
        lines += ["", f"torch.set_default_dtype(torch.{settings.dtype})"]
    return "\n".join(lines)


def _columns(run: Run) -> str:
    return and_more(map(repr, run.features), NAMES_SHOWN)


def _data(run: Run, rows: Dataset | None, n: int) -> Iterator[str]:
    # In float64 first: standardised before they are rounded, as the run's were.
    dtype = ", dtype=torch.float64" if run.scaling is not None else ""
    if rows is not None:
        yield "\n".join(
            [
                f"# The rows: {_comment(_columns(run))}, and the target.",
                _assign("X = torch.tensor(", rows.X, f"{dtype})"),
                _assign("y = torch.tensor(", rows.y[:, np.newaxis], ")"),
            ]
        )
    else:
        yield read_rows(run, n, dtype)
    if run.scaling is not None:
        yield "\n".join(
            [
                "# The descent walks in standardised features.",
                _assign("means = torch.tensor(", run.scaling.means, ", dtype=torch.float64)"),
                _assign("scales = torch.tensor(", run.scaling.scales, ", dtype=torch.float64)"),
                f"X = ((X - means) / scales).to(torch.{run.settings.dtype})",
                *_constants(run, run.scaling),
            ]
        )


def _model(run: Run, initial: InitialState) -> str:
    settings = run.asked
    seeding = [f"torch.manual_seed({initial.generator.seed & 0xFFFF_FFFF_FFFF_FFFF})"]
    if initial.generator.drawn:
        seeding += [
            "# Random numbers that the descents before this one took.",
            f"torch.empty({initial.generator.drawn}, dtype=torch.int32).random_()",
        ]
    linear = f"nn.Linear({len(run.features)}, 1{'' if settings.intercept else ', bias=False'}"
    if not initial.drawn:
        # After the model: making it takes random numbers too.
        lines = [f"linear = {linear})", *_start(run), *(seeding if settings.shuffle else [])]
    elif settings.dtype == "float32":
        lines = [*seeding, f"linear = {linear})"]
    else:
        lines = [
            *seeding,
            "# Drawn in float32, PyTorch's default, then widened.",
            f"linear = {linear}, dtype=torch.float32).double()",
        ]
    return "\n".join([*lines, "model = nn.Sequential(linear)"])


def _start(run: Run) -> list[str]:
    """Set the parameters where the run began."""
    start, first = run.scaled_path[0], int(run.settings.intercept)
    lines = [
        "with torch.no_grad():",
        _assign("    linear.weight.copy_(torch.tensor(", start[None, first:], "))"),
    ]
    if first:
        lines.append(f"    linear.bias.fill_({_number(start[0])})")
    return lines


def _training(run: Run, settings: Settings, initial: InitialState) -> str:
    delta = f"delta={settings.delta!r}" if settings.loss == "huber" else ""
    lines = [
        f"loss_fn = nn.{torch_class(settings.loss_function)}({delta})",
        f"optimizer = torch.optim.{_optimizer_call(settings)}",
    ]
    if initial.optimizer_state:
        lines += _state(initial.optimizer_state, intercept=settings.intercept)
    if _needs_loader(settings):
        lines.append(f"loader = DataLoader(TensorDataset(X, y), {_loader_settings(settings)})")
        lines += [
            "",
            f"for epoch in range({run.epochs}):",
            "    total, seen = 0.0, 0",
            "    for X_batch, y_batch in loader:",
            "        loss = loss_fn(model(X_batch), y_batch)",
            "        optimizer.zero_grad()",
            "        loss.backward()",
            "        optimizer.step()",
            "        total += loss.item() * len(X_batch)",
            "        seen += len(X_batch)",
            "    epoch_loss = total / seen",
        ]
    else:
        lines += [
            "",
            f"for epoch in range({run.epochs}):",
            "    loss = loss_fn(model(X), y)",
            "    optimizer.zero_grad()",
            "    loss.backward()",
            "    optimizer.step()",
            "    epoch_loss = loss.item()  # before the step",
        ]
    if run.epochs < settings.epochs:
        at = next(i for i, line in enumerate(lines) if line.startswith("for epoch"))
        lines.insert(at, f"# The run ended here, {run.outcome.name.lower()}, of {settings.epochs}.")
    return "\n".join(lines)


def _ending(run: Run) -> str:
    lines = ["weights = linear.weight.detach()[0]"]
    if run.settings.intercept:
        lines.append("bias = linear.bias.item()")
    if run.scaling is not None:
        lines += ["# Back to the units of the rows.", "weights = weights.double() / scales"]
        if run.settings.intercept:
            lines.append("bias -= (weights @ means).item()")
    lines.append('print("loss of the last epoch:", epoch_loss)')
    if run.settings.intercept:
        lines.append('print("bias:", bias)')
    lines += [
        f"for name, weight in zip({_texts(run.features)}, weights.tolist()):",
        '    print(f"weight of {name}: {weight}")',
    ]
    return "\n".join(lines)


# --- PyTorch's own words --------------------------------------------------------------------------


def _needs_loader(settings: Settings) -> bool:
    return bool(
        settings.batch_size is not None or settings.shuffle or settings.batch_sampler is not None
    )


def _loader_settings(settings: Settings) -> str:
    if settings.batch_sampler is not None:
        return f"batch_sampler={[list(batch) for batch in settings.batch_sampler]}"
    size = "len(X)" if settings.batch_size is None else settings.batch_size
    shuffle = ", shuffle=True" if settings.shuffle else ""
    return f"batch_size={size}{shuffle}{', drop_last=True' if settings.drop_last else ''}"


def _optimizer_call(settings: Settings) -> str:
    """Write the optimiser with what differs from PyTorch's defaults."""
    name = class_name(settings.optimizer)
    if name is None:
        raise InvalidSetting(
            "run",
            got=f"one of {settings.optimizer!r}",
            expected="an optimiser of torch.optim, which a script can import",
            advice="fit with one of those, or export the data and write the loop by hand",
        )
    changes = settings.own_changes.items()
    given = "".join(f", {_word(key)}={_literal(value)}" for key, value in changes)
    return f"{name}(model.parameters(), lr={_number(settings.lr)}{given})"


def _state(state: Mapping[str, Any], *, intercept: bool) -> list[str]:
    """Write out what the optimiser remembered, for the weights and for the bias."""
    lines = ["# What the optimiser remembered from the descent before."]
    for owner in ("weight", "bias") if intercept else ("weight",):
        lines.append(f"optimizer.state[linear.{owner}] = {{")
        for key, value in state.items():
            whose, _, name = key.rpartition(".")
            if whose not in ("", owner):
                continue
            array = np.asarray(value, dtype=np.float64)
            if array.ndim and not whose:  # per parameter, the bias first
                array = array[int(intercept) :][None] if owner == "weight" else array[:1]
            lines.append(_assign(f'    "{_word(name)}": torch.tensor(', array, "),"))
        lines.append("}")
    return lines


# --- Numbers and texts as Python writes them ------------------------------------------------------


def _word(name: str) -> str:
    """Give a name that becomes part of the script, where it can be one."""
    if not name.isidentifier() or iskeyword(name):
        raise InvalidSetting(
            "run",
            got=f"a setting called {name!r}",
            expected="names that Python can write",
            advice="fit again with thalweg.fit, and export that run",
        )
    return name


def _literal(value: Any) -> str:
    if isinstance(value, tuple):
        return f"({', '.join(map(_literal, value))}{',' * (len(value) == 1)})"
    return _number(value) if isinstance(value, float) else repr(value)


def _number(value: float) -> str:
    return repr(float(value)) if math.isfinite(value) else f'float("{float(value)}")'


def _texts(texts: Iterable[str]) -> str:
    return repr(list(texts))


def _in_docstring(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"')


def _comment(text: str) -> str:
    return " ".join(text.split())


def _constants(run: Run, scaling: Scaling) -> list[str]:
    """Write that features of which the shift leaves only rounding are nothing."""
    constant = np.flatnonzero(~run.summary.varies(scaling.means)).tolist()
    return [f"X[:, {constant}] = 0.0  # as good as constant"] if constant else []


def _assign(before: str, values: Array, after: str) -> str:
    """Write an array in its brackets, on one line where it fits, else a row or so a line."""
    if values.ndim == 0:
        return f"{before}{_number(float(values))}{after}"
    rows = values if values.ndim == 2 else values[np.newaxis]
    written = [f"[{', '.join(map(_number, row))}]" for row in rows]
    whole = f"[{', '.join(written)}]" if values.ndim == 2 else written[0]
    if len(before) + len(whole) + len(after) <= WIDTH:
        return f"{before}{whole}{after}"
    margin = " " * (len(before) - len(before.lstrip()))
    inner = margin + "    "
    if values.ndim == 2 and max(map(len, written)) <= WIDTH - len(inner):
        body = textwrap.wrap(
            ", ".join(row.replace(" ", "\0") for row in written),
            WIDTH, initial_indent=inner, subsequent_indent=inner,
        )  # fmt: skip
        text = "\n".join(body).replace("\0", " ")
        return f"{before}[\n{text},\n{margin}]{after}"
    text = "\n".join(textwrap.wrap(whole, WIDTH, initial_indent=inner, subsequent_indent=inner))
    return f"{before}\n{text}\n{margin}{after}"
