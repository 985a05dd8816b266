"""The part of an exported script that reads rows from files, as the run did.

With Thalweg where that is installed; else a text with the ``csv`` or the ``json`` module, the
dialect that was found written out, other kinds with PyArrow or pandas. Not here: the rest of the
script (:mod:`thalweg.export`), reading by ourselves (:mod:`thalweg.data`).
"""

from __future__ import annotations

import textwrap
from collections.abc import Iterator
from dataclasses import replace
from pprint import pformat
from typing import Any

from thalweg.data.cells import FALSE, TRUE
from thalweg.data.reading import Dialect, Reading
from thalweg.data.text_format import TextFormat
from thalweg.data.text_stream import comments
from thalweg.runs.run import Run

WIDTH = 80
# How a text is opened without Thalweg: the function, with its module.
_OPENERS = {None: "open", "gzip": "gzip.open", "bz2": "bz2.open", "xz": "lzma.open"}
_PLAIN = {"text": "csv", "json lines": "json"}
_BY_ARROW = {
    "parquet": "pyarrow.parquet.ParquetFile(path).read()",
    "arrow file": "pyarrow.ipc.open_file(path).read_all()",
    "arrow stream": "pyarrow.ipc.open_stream(path).read_all()",
}


def modules_for_rows(run: Run) -> list[str]:
    """Name the modules that the lines below need, in the order of the alphabet."""
    reading = _reading_of(run)
    if reading is None:
        return ["csv", "sys"]
    dialect, names = reading.dialect, {"sys"}
    if dialect is not None and dialect.kind in _PLAIN:
        names |= {_PLAIN[dialect.kind], _OPENERS.get(dialect.compression, "").rpartition(".")[0]}
    if dialect is not None and dialect.kind == "text":
        names |= {"io", "re"} if reading.written.comment else set()
    return sorted(names - {""})


def read_rows(run: Run, n: int, dtype: str) -> str:
    """Write the lines that make ``X`` and ``y``, with ``dtype`` in the call that makes ``X``."""
    reading = _reading_of(run)
    if reading is None:
        return "\n".join(_from_plain_csv(run, n, dtype))
    columns = run.features if run.coding is None else run.coding.columns
    parts = [
        [
            *_paths(reading),
            _assigned("columns", list(columns)),
            f"target = {run.target!r}",
            *_levels(run),
        ],
        _features_of(run),
        *_without_thalweg(reading),
        _with_thalweg(run, reading),
        [
            "features, targets = rows_of(paths)",
            f"if len(targets) != {n}:",
            f'    raise SystemExit(f"The run saw {n} rows, these are {{len(targets)}}.")',
            f"X = torch.tensor(features{dtype})",
            "y = torch.tensor([[value] for value in targets])",
        ],
    ]
    return "\n\n\n".join("\n".join(part) for part in parts)


def _reading_of(run: Run) -> Reading | None:
    """Give how the run's files were read; of rows in memory, how a plain CSV file of them is."""
    plain = Reading((), "error", TextFormat(), Dialect("text"))
    return plain if run.reading is None and run.coding is not None else run.reading


def _paths(reading: Reading) -> Iterator[str]:
    if reading.paths:
        yield _assigned("paths", list(reading.paths))
        yield "paths = sys.argv[1:] or paths"
        return
    yield "paths = sys.argv[1:]"
    yield "if len(paths) != 1:"
    yield '    print(f"usage: python {sys.argv[0]} ROWS.csv", file=sys.stderr)'
    yield "    sys.exit(2)"


def _from_plain_csv(run: Run, n: int, dtype: str) -> Iterator[str]:
    """Read a CSV file whose first line names the features."""
    yield "if len(sys.argv) != 2:"
    yield '    print(f"usage: python {sys.argv[0]} ROWS.csv", file=sys.stderr)'
    yield "    sys.exit(2)"
    yield f"features = {list(run.features)!r}"
    yield f"target = {run.target!r}"
    yield 'with open(sys.argv[1], newline="", encoding="utf-8-sig") as file:'
    yield "    rows = list(csv.DictReader(file))"
    yield f"if len(rows) != {n}:"
    yield f'    raise SystemExit(f"The run saw {n} rows, this file has {{len(rows)}}.")'
    yield f"X = torch.tensor([[float(row[name]) for name in features] for row in rows]{dtype})"
    yield "y = torch.tensor([[float(row[target])] for row in rows])"


def _levels(run: Run) -> Iterator[str]:
    coding = run.coding
    if coding is not None:
        first = int(coding.intercept)
        yield "# The words of each category that have a feature of zeros and ones, in their order."
        yield _assigned("levels", {name: words[first:] for name, words in coding.levels.items()})


def _features_of(run: Run) -> Iterator[str]:
    coding = run.coding
    yield "def features_of(row):"
    yield '    """Give the features of a row, whose cells go by the names of columns."""'
    if coding is None:
        yield "    return [number(row[name]) for name in columns]"
        return
    yield "    made = []"
    yield "    for name in columns:"
    yield "        if name in levels:"
    yield "            made += [float(is_level(row[name], word)) for word in levels[name]]"
    yield "        else:"
    yield "            made.append(number(row[name]))"
    if coding.kept is None:
        yield "    return made"
    else:
        places = [replace(coding, kept=None).features.index(name) for name in coding.kept]
        yield f"    return [made[place] for place in {places}]"


def _with_thalweg(run: Run, reading: Reading) -> Iterator[str]:
    asked = reading.written.changed()
    if reading.missing != "error":
        asked["missing"] = reading.missing
    if run.coding is not None:
        asked["categories"] = dict(run.coding.levels)
    yield "def rows_of(paths):"
    yield '    """Read features and targets, with Thalweg where it is installed."""'
    yield "    try:"
    yield "        import thalweg"
    yield "    except ImportError:"
    yield "        return read_plainly(paths)"
    yield "    rows = thalweg.read("
    yield "        paths[0] if len(paths) == 1 else paths,"
    yield "        target=target,"
    yield "        features=columns,"
    for name, value in asked.items():
        yield textwrap.indent(_assigned(name, value, "=") + ",", " " * 8)
    yield "    )"
    if run.coding is not None and not run.coding.intercept:
        yield "    rows = rows.for_intercept(False)"
    if run.coding is not None and run.coding.kept is not None:
        yield f"    rows = rows.select({list(run.coding.kept)!r})"
    yield "    return rows.X.tolist(), rows.y.tolist()"


def _without_thalweg(reading: Reading) -> list[Iterator[str]]:
    """Write the functions that take a cell, and those that give the rows of files."""
    dialect, written = reading.dialect, reading.written
    if dialect is None:
        return [_not_at_all("Files of several kinds are")]
    if dialect.kind in _PLAIN and dialect.compression not in _OPENERS:
        return [_not_at_all(f"A text compressed by {dialect.compression} is")]
    if dialect.kind == "text":
        cells, rows = _cells_of_text(written), _rows_of_text(dialect, written)
    else:
        cells = _cells_of_values(written if dialect.kind == "excel" else None)
        if dialect.kind == "json lines":
            rows = _rows_of_json(dialect)
        elif dialect.kind == "excel":
            rows = _rows_of_workbook(written)
        else:
            rows = _rows_of_arrow(_BY_ARROW[dialect.kind])
    return [cells, rows, _read_plainly(reading)]


def _not_at_all(what: str) -> Iterator[str]:
    yield "def read_plainly(paths):"
    yield f'    raise SystemExit("{what} read with Thalweg: pip install thalweg")'


def _read_plainly(reading: Reading) -> Iterator[str]:
    yield "def read_plainly(paths):"
    yield '    """Read features and targets without Thalweg."""'
    yield "    features, targets = [], []"
    yield "    for path in paths:"
    yield "        for row in rows_in(path):"
    if reading.missing == "drop":
        yield "            if any(is_missing(row[name]) for name in [*columns, target]):"
        yield "                continue"
    yield "            features.append(features_of(row))"
    yield "            targets.append(number(row[target]))"
    yield "    return features, targets"


def _cells_of_values(spelled: TextFormat | None) -> Iterator[str]:
    spelling = ""
    if spelled is not None:
        yield _assigned("missing", spelled.missing)
        yield ""
        yield ""
        spelling = " or str(value).strip() in missing"
    yield "def is_missing(value):"
    yield f"    return value is None or value != value{spelling}"
    yield ""
    yield ""
    yield "def number(value):"
    yield "    return float(value)"
    yield ""
    yield ""
    yield "def is_level(value, word):"
    yield '    """Compare a cell with a word: numbers by what they are, others as they print."""'
    yield "    if isinstance(value, bool) or not isinstance(value, (int, float)):"
    yield "        return str(value) == word"
    yield "    try:"
    yield "        return str(value) == word or float(word) == value"
    yield "    except ValueError:"
    yield "        return False"


def _cells_of_text(written: TextFormat) -> Iterator[str]:
    cell = "cell"
    if written.thousands is not None:
        cell += f".replace({written.thousands!r}, '')"
    if written.decimal != ".":
        cell += f".replace({written.decimal!r}, '.')"
    yield _assigned("missing", written.missing)
    yield _assigned("flags", {**dict.fromkeys(TRUE, 1.0), **dict.fromkeys(FALSE, 0.0)})
    yield ""
    yield ""
    yield "def is_missing(cell):"
    yield "    return cell in missing"
    yield ""
    yield ""
    yield "def number(cell):"
    yield f"    return flags[cell] if cell in flags else float({cell})"
    yield ""
    yield ""
    yield "def is_level(cell, word):"
    yield "    return cell == word"


def _rows_of_text(dialect: Dialect, written: TextFormat) -> Iterator[str]:
    opener, encoding = _OPENERS[dialect.compression], dialect.encoding or "utf-8-sig"
    yield "def rows_in(path):"
    yield '    """Read a text as it is written, with the csv module."""'
    yield "    csv.field_size_limit(2**31 - 1)"
    yield f'    with {opener}(path, "rt", encoding={encoding!r}, newline="") as file:'
    if written.skip_rows:
        yield f"        for _ in range({written.skip_rows}):  # lines above the table"
        yield "            next(file)"
    lines = "file"
    if written.comment is not None:
        yield f"        comment = {comments(written.comment)!r}"
        yield '        text = re.sub(comment, r"\\1", file.read())'
        lines = 'io.StringIO(text, newline="")'
    if dialect.aligned:
        lines = f'(" ".join(line.split()) for line in {lines})'
    yield f"        table = csv.reader({lines}, delimiter={dialect.delimiter!r})"
    yield "        table = (row for row in table if len(row) > 1)  # no blank lines"
    place = f"int(name[{len('column')}:]) - 1"
    if dialect.has_header:
        yield "        header = [cell.strip() for cell in next(table)]"
        place = "header.index(name)"
    place += f" + {dialect.in_front}" * bool(dialect.in_front)  # after the names of rows
    yield f"        places = {{name: {place} for name in [*columns, target]}}"
    yield "        for row in table:"
    yield "            yield {name: row[place].strip() for name, place in places.items()}"


def _rows_of_json(dialect: Dialect) -> Iterator[str]:
    opener, encoding = _OPENERS[dialect.compression], dialect.encoding or "utf-8-sig"
    yield "def rows_in(path):"
    yield '    """Read an object a line, with the json module."""'
    yield f'    with {opener}(path, "rt", encoding={encoding!r}) as file:'
    yield "        for line in filter(str.strip, file):"
    yield "            found = json.loads(line)"
    yield "            yield {name: found.get(name) for name in [*columns, target]}"


def _rows_of_arrow(call: str) -> Iterator[str]:
    yield "def rows_in(path):"
    yield '    """Read a table with PyArrow."""'
    yield "    try:"
    yield f"        import {'.'.join(call.split('.')[:2])}"
    yield "    except ImportError:"
    yield '        raise SystemExit("These files are read with Thalweg or PyArrow: install one.")'
    yield f"    return {call}.select([*columns, target]).to_pylist()"


def _rows_of_workbook(written: TextFormat) -> Iterator[str]:
    # NA may be a name; blank rows may stand above the names.
    how = f"header=None, dtype=object, skiprows={written.skip_rows}, na_filter=False"
    yield "def rows_in(path):"
    yield '    """Read the first sheet of a workbook with pandas."""'
    yield "    try:"
    yield "        import pandas"
    yield "    except ImportError:"
    yield '        raise SystemExit("These files are read with Thalweg or pandas: install one.")'
    yield f"    table = pandas.read_excel(path, {how})"
    yield "    rows = [row for row in table.values.tolist() if any(cell != '' for cell in row)]"
    yield "    names, *cells = rows"
    yield "    return [dict(zip(map(str, names), row)) for row in cells]"


def _assigned(name: str, value: Any, equals: str = " = ") -> str:
    """Give a name its value, on as many lines as that takes."""
    return f"{name}{equals}{pformat(value, width=WIDTH, compact=True, sort_dicts=False)}"
