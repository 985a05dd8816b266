"""A process of its own that reads one uploaded file, so that no file can harm the server.

``python -m thalweg.lab.parsing`` takes a task as JSON on its standard input and writes its result
as JSON on its standard output: the table's columns, its rows as the name of a file, or letters
counted in texts. Whoever starts it ends it after a while; it bounds its own memory.
Not here: receiving the file (:mod:`thalweg.lab.uploads`).
"""

from __future__ import annotations

import json
import sys
import warnings
from pathlib import Path
from typing import Any

import numpy as np

from thalweg.data.columns import Column
from thalweg.errors import InvalidData, ThalwegError, ThalwegWarning
from thalweg.lab.messages import COLUMNS

MEMORY = 4 << 30
"""Bytes of address space: enough for a table of the largest allowed size, however packed."""
ROWS = 1_000_000
_SHOWN_COLUMNS = 500
_SOURCE = "the file"


def main() -> None:
    """Do the one task, and say what went wrong in a sentence where something did."""
    _bound_memory()
    task = json.load(sys.stdin)
    try:
        result = _TASKS[task["task"]](task)
    except ThalwegError as error:
        # The file has a random name here: to the page it is the file that it sent.
        result = {"error": str(error).replace(task.get("path", "\0"), _SOURCE)}
    except MemoryError:
        result = {"error": f"{_SOURCE}: got more than fits in memory, expected less; cut it down"}
    json.dump(result, sys.stdout)


def _bound_memory() -> None:
    try:
        import resource
    except ImportError:  # no such thing on Windows
        return
    _, hard = resource.getrlimit(resource.RLIMIT_AS)
    most = MEMORY if hard == resource.RLIM_INFINITY else min(MEMORY, hard)
    resource.setrlimit(resource.RLIMIT_AS, (most, hard))


def _columns(task: dict[str, Any]) -> dict[str, Any]:
    """Say what columns a table has."""
    from thalweg.data.tables import open_table, readable
    from thalweg.data.text_format import TextFormat

    path = Path(task["path"])
    with readable(path):
        columns = open_table(path, target="", written=TextFormat()).columns()
    if sum(column.numeric for column in columns) < 2:
        raise InvalidData(
            _SOURCE,
            got=f"columns of which {sum(c.numeric for c in columns)} hold numbers",
            expected="a target and at least one feature that are numbers",
            advice="check what separates the columns, and that the first row names them",
        )
    return {"columns": [_shown(column) for column in columns[:_SHOWN_COLUMNS]]}


def _shown(column: Column) -> dict[str, Any]:
    return {"name": column.name, "kind": column.kind, "numeric": column.numeric}


def _rows(task: dict[str, Any]) -> dict[str, Any]:
    """Read the chosen columns into a file of numbers; without a choice, the last one is the target.

    The chosen columns, or so many of the table's first that a page can show them.
    """
    from thalweg.data.files import scan

    columns = _columns(task)["columns"]
    if not task["target"]:
        numeric = [column["name"] for column in columns if column["numeric"]]
        task["target"], task["features"] = numeric[-1], numeric[:-1][:COLUMNS]
    blocks, count = [], 0
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", ThalwegWarning)
        table = scan(
            task["path"],
            target=task["target"],
            features=task["features"],
            missing="drop" if task["drop_missing"] else "error",
        )
        for X, y in table.batches():
            count += len(y)
            if count > ROWS:
                raise InvalidData(
                    _SOURCE,
                    got=f"more than {ROWS:,} rows",
                    expected="no more",
                    advice="take a sample, or use 'thalweg fit', which has no such limit",
                )
            blocks.append(np.column_stack([X, y]))
        notes = [str(w.message).replace(task["path"], _SOURCE) for w in caught]
    np.save(task["out"], np.concatenate(blocks), allow_pickle=False)
    return {
        "columns": columns,
        "features": table.features,
        "target": table.target,
        "notes": notes,
    }


def _count(task: dict[str, Any]) -> dict[str, Any]:
    """Count letters in texts."""
    from thalweg.data.texts import count_letters

    texts = json.loads(Path(task["path"]).read_text(encoding="utf-8"))
    counts = count_letters(texts["texts"], task["letter"], names=texts["names"])
    return {
        "X": counts.X.tolist(),
        "y": counts.y.tolist(),
        "features": counts.features,
        "target": counts.target,
        "units": counts.units,
        "chapters": counts.chapters,
    }


_TASKS = {"columns": _columns, "rows": _rows, "count": _count}

if __name__ == "__main__":
    main()
