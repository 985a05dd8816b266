"""Run files under random edits, with a right checksum: a sentence, or a run that is a whole one.

Whoever forges a file can make its checksum too. Not here: each kind of damage by itself
(test_run_file).
"""

from __future__ import annotations

import ast
import base64
import copy
import functools
import hashlib
import json
import math
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import thalweg
from thalweg.errors import ThalwegError, UnreadableFile
from thalweg.export import to_pytorch
from thalweg.runs import run_file
from thalweg.runs.agreement import check_agreement
from thalweg.summary import encoding

ROWS = np.random.default_rng(5).normal([3.0, -20.0], [1.0, 5.0], size=(11, 2))
DATA = thalweg.Dataset(ROWS, 4.0 + ROWS @ [2.0, -0.3], features=["length", "depth"], target="flow")

KINDS: dict[str, dict[str, Any]] = {
    "batch": {"lr": 0.1},
    "mini-batches with momentum": {
        "optimizer": "sgd", "momentum": 0.9, "batch_size": 4, "shuffle": True, "lr": 1e-5,
    },
    "standardised": {"standardize": True, "optimizer": "adamw", "amsgrad": True, "lr": 0.5},
    "reference": {"engine": "reference", "optimizer": "adafactor"},
    "PyTorch's own class": {"optimizer": "adam", "foreach": True, "batch_size": 6},
    "converged": {"tolerance": 1e9, "tolerance_on": "loss"},
    "diverged": {"optimizer": "sgd", "lr": 1.0, "epochs": 300},
    "huber": {"loss": "huber", "delta": 0.5, "batch_size": 4, "drop_last": True},
    "without intercept": {"intercept": False, "standardize": True, "loss": "l1"},
    "each step": {"batch_size": 4, "record": "step", "optimizer": "rprop"},
    "every fifth of three steps an epoch": {"batch_size": 4, "record": 5, "optimizer": "nadam"},
    "batches written out": {"batch_sampler": [[0, 1, 2], [2, 10]], "optimizer": "rmsprop"},
}  # fmt: skip


class Content(NamedTuple):
    """What a run file holds, and its bytes."""

    description: dict[str, Any]
    table: pa.Table
    whole: bytes


@functools.cache
def originals() -> list[Content]:
    """Give the files of all kinds of runs, of one that went on, and of one without a summary."""
    runs = [thalweg.fit(DATA, **{"epochs": 7, "seed": 3, **asked}) for asked in KINDS.values()]
    runs.append(thalweg.fit(DATA, start=runs[1], optimizer="sgd", lr=1e-5, epochs=2))
    runs.append(replace(runs[0], data=None))
    return [content(bytes(run_file._to_bytes(run))) for run in runs]


def content(whole: bytes) -> Content:
    parquet = pq.ParquetFile(pa.BufferReader(whole))
    return Content(json.loads(parquet.metadata.metadata[b"thalweg"]), parquet.read(), whole)


def written(text: str, table: pa.Table) -> bytes:
    """Write a file as another program would that knows how the checksum is made."""
    sink = pa.BufferOutputStream()
    with pq.ParquetWriter(sink, table.schema, store_schema=False) as writer:
        writer.write_table(table)
        mark = "\nsha256:" + "0" * 64
        writer.add_key_value_metadata({"thalweg": text, "thalweg.checksum": mark})
    blank: bytes = sink.getvalue().to_pybytes()
    before, zeros, after = blank.rpartition(b"0" * 64)
    return before + hashlib.sha256(before + zeros + after).hexdigest().encode() + after


# --- Edits of the description ---------------------------------------------------------------------

EVIL = "evil"
"""In each text that an edit brings along: no name in a script may hold it."""
PIECES = st.sampled_from(
    ["evil()", "{evil()}", "evil=1", '"""', "'''", '"', "'", "\\", "\n", "\r", "\u2028", "\0", "#",
     ";", "%s", ")", "]", "\x1b[31m", "<evil>", "\ud800", "🙂", "evil"]
)  # fmt: skip
TEXTS = st.lists(PIECES, max_size=3).map(lambda pieces: EVIL + "".join(pieces))
NUMBERS = st.one_of(
    st.sampled_from(
        [math.nan, math.inf, -math.inf, 0.0, -0.0, 5e-324, 1e300, -1.0, 0, -1, 2, 10**30,
         2**53 + 1, 2**63, -(2**63) - 1, 2**64]
    ),
    st.floats(),
    st.integers(-3, 20),
)  # fmt: skip
LEAVES = st.one_of(st.none(), st.booleans(), NUMBERS, TEXTS)
KEYS = st.one_of(
    TEXTS, st.sampled_from(["array", "shape", "bits", "tuple", "mapping", "step", "momentum", "lr"])
)
FLOATS: st.SearchStrategy[Any] = st.one_of(
    st.floats(allow_nan=False, allow_infinity=False),
    st.sampled_from([{"bits": bits} for bits in ("7ff8000000000001", "7ff0000000000000")]),
)
VALUES = st.one_of(
    LEAVES,
    st.recursive(
        LEAVES,
        lambda inside: st.one_of(
            st.lists(inside, max_size=3), st.dictionaries(KEYS, inside, max_size=2)
        ),
        max_leaves=5,
    ),
    st.lists(NUMBERS, max_size=4).map(lambda flat: {"array": flat, "shape": [len(flat)]}),
    st.sampled_from(["7ff8000000000001", "8000000000000000", "00", "evil"]).map(
        lambda bits: {"bits": bits}
    ),
)
WORDS = [
    "sgd", "adam", "Adam", "lbfgs", "muon", "epoch", "step", "l1", "huber", "loss", "float32",
    "reference", "auto", "converged", "diverged", "stopped", "out_of_epochs", "length",
]  # fmt: skip


def ways(value: Any, at: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Give the way to each part of a description."""
    if at:
        yield at
    if isinstance(value, dict | list):
        for key, part in value.items() if isinstance(value, dict) else enumerate(value):
            yield from ways(part, (*at, key))


def retyped(draw: st.DrawFn, old: Any) -> Any:
    """Say the same in another type."""
    kinds: list[Callable[[Any], Any]] = [
        str, float, int, bool, lambda v: [v], lambda v: {"tuple": [v]}, lambda v: {"mapping": v},
        lambda v: {"array": v, "shape": [1]}, lambda v: {"bits": np.float64(v).tobytes().hex()},
        lambda v: v["array"], lambda v: list(v.items()), lambda v: dict(enumerate(v)),
    ]  # fmt: skip
    with suppress(TypeError, ValueError, KeyError, AttributeError, OverflowError):
        return draw(st.sampled_from(kinds))(old)
    return None


def moved(draw: st.DrawFn, old: Any) -> Any:
    """Change a number a little or much; of what is none, make one."""
    if isinstance(old, bool) or not isinstance(old, int | float):
        return draw(NUMBERS)
    changes: list[Callable[[Any], Any]] = [
        lambda v: -v, lambda v: v + 1, lambda v: v - 1, lambda v: v * 2, lambda v: v * 1e300,
        lambda v: v * 1e-300, lambda v: float(np.nextafter(v, math.inf)),
    ]  # fmt: skip
    return draw(st.sampled_from(changes))(old)


def relisted(draw: st.DrawFn, old: Any) -> Any:
    """Cut a list or an object, extend it, or turn it round."""
    if isinstance(old, dict):
        key = draw(KEYS)
        return {**old, key: draw(st.sampled_from([*old.values(), None]))}
    if not isinstance(old, list):
        return [old, old]
    cut = draw(st.integers(0, len(old)))
    return draw(st.sampled_from([old[:cut], old[cut:], old + old[:cut], old[::-1], []]))


def rewritten(draw: st.DrawFn, old: Any) -> Any:
    """Change a text."""
    if not isinstance(old, str):
        return draw(TEXTS)
    cut = draw(st.integers(0, len(old)))
    text = draw(TEXTS)
    return draw(st.sampled_from([old[:cut] + text + old[cut:], old[:cut], text, old.upper()]))


def nested(draw: st.DrawFn, old: Any) -> Any:
    for _ in range(draw(st.sampled_from([1, 2, 50]))):
        old = [old]
    return old


CHANGES: list[Callable[[st.DrawFn, Any], Any]] = [
    retyped, moved, relisted, rewritten, nested,
    lambda draw, old: draw(VALUES),
    lambda draw, old: draw(st.sampled_from(WORDS)),
]  # fmt: skip


def edit(draw: st.DrawFn, description: dict[str, Any]) -> None:
    """Change one part of a description in place."""
    part = draw(st.sampled_from(sorted(description)))  # large parts no oftener than small ones
    *way, last = draw(st.sampled_from([at for at in ways(description) if at[0] == part]))
    holder = functools.reduce(lambda part, key: part[key], way, description)
    what = draw(st.sampled_from(["change", "change", "change", "delete", "copy", "graft"]))
    if what == "change":
        holder[last] = draw(st.sampled_from(CHANGES))(draw, holder[last])
    elif what == "delete":
        del holder[last]
    elif what == "copy" and isinstance(holder, list):
        holder.insert(last, copy.deepcopy(holder[last]))
    elif what == "copy":
        holder[draw(KEYS)] = copy.deepcopy(holder[last])
    else:  # what another run says there
        with suppress(LookupError, TypeError):
            other = draw(st.sampled_from(originals())).description
            holder[last] = copy.deepcopy(functools.reduce(lambda p, key: p[key], way, other)[last])


# --- Edits of several parts that agree ------------------------------------------------------------


def resummed(
    draw: st.DrawFn, description: dict[str, Any], names: dict[str, str] | None = None
) -> None:
    """Write the summary of other rows, of other columns' names, or of numbers that no rows have."""
    if description["summary"] is None:
        return
    n, parts, features, target = encoding.decode(base64.b64decode(description["summary"]))
    high, low = (part.copy() for part in parts)
    if names is not None:
        features = tuple(names.get(name, name) for name in features)
        target = names.get(target, target)
    else:
        j, k = (draw(st.integers(0, len(high) - 1)) for _ in range(2))
        factor = draw(st.sampled_from([0.0, -1.0, 1e-30, 1e-8, 0.999, 1.0 + 1e-9, 1.5, 1e8, 1e40]))
        if draw(st.booleans()):  # another unit of a column
            for part in (high, low):
                part[j] *= factor
                part[:, j] *= factor
        else:
            for part in (high, low):
                part[j, k] = part[k, j] = part[j, k] * factor
        n = draw(st.sampled_from([n, n, 1, 2, int(abs(high[0, 0]))]))
        high[0, 0] = draw(st.sampled_from([high[0, 0], float(n)]))
    content = encoding.encode(n, (high, low), features, target)
    description["summary"] = base64.b64encode(content).decode()


def renamed(draw: st.DrawFn, description: dict[str, Any], table: pa.Table) -> pa.Table:
    """Give a column of the data another name, wherever it is named."""
    names = [*description["features"], description["target"]]
    old, new = draw(st.sampled_from(names)), draw(st.one_of(TEXTS, st.sampled_from(names)))
    description["features"] = [new if name == old else name for name in description["features"]]
    description["target"] = new if description["target"] == old else description["target"]
    with suppress(UnicodeEncodeError):
        resummed(draw, description, {old: new})
    columns = {old: new, f"scaled_{old}": f"scaled_{new}"}
    with suppress(UnicodeEncodeError):
        return table.rename_columns([columns.get(name, name) for name in table.column_names])
    return table


def reset(draw: st.DrawFn, description: dict[str, Any]) -> None:
    """Change some settings to what they may be; an optimiser of PyTorch's may have any others."""
    for name in draw(st.lists(st.sampled_from(sorted(SETTINGS)), min_size=1, max_size=3)):
        description["settings"][name] = draw(SETTINGS[name])
    if draw(st.booleans()):
        description["settings"][draw(st.one_of(TEXTS, st.sampled_from(RESERVED)))] = 0.5


def remember(draw: st.DrawFn, description: dict[str, Any]) -> None:
    """Have the optimiser remember something else, at the end or at the start."""
    first = description["initial_state"]
    holder = draw(st.sampled_from([description, first])) if first else description
    p = len(description["features"]) + description["settings"]["intercept"]
    held = (holder["optimizer_state"] or {"mapping": {}})["mapping"]
    known = [*held, *SLOTS, "weight.step", "bias.exp_avg_sq"]
    name = draw(st.one_of(st.sampled_from(known), TEXTS, st.sampled_from(RESERVED)))
    size = draw(st.sampled_from([p, p, p, p - 1, p + 1, 0]))
    flat = draw(st.lists(FLOATS, min_size=size, max_size=size))
    array = {"array": flat, "shape": draw(st.sampled_from([[size], [size], [1, size], [size, 1]]))}
    holder["optimizer_state"] = {"mapping": {**held, name: draw(st.one_of(st.just(array), FLOATS))}}


def retold(draw: st.DrawFn, description: dict[str, Any]) -> None:
    """Change what is told of the rows, of the program, and of the random stream."""
    description["written_by"] = draw(st.one_of(TEXTS, st.just("0.1")))
    description["data_digest"] = draw(st.sampled_from([None, "0" * 64, description["data_digest"]]))
    if "name" in description:
        description["name"] = draw(TEXTS)
        names = [*description["features"], description["target"]]
        description["units"] = draw(st.dictionaries(st.sampled_from(names), TEXTS))
    numbers = st.integers(-(2**63), 2**64 - 1)
    description["generator"] = [draw(numbers), draw(st.integers(0, 1000))]
    if description["initial_state"] and draw(st.booleans()):
        description["initial_state"] |= {
            "drawn": False,
            "generator": [draw(numbers), draw(st.integers(0, 1000))],
            "loss_limit": draw(FLOATS),
        }


RESERVED = ["import", "lambda", "None", "params", "lr", "self"]
SLOTS = ["exp_avg", "exp_avg_sq", "max_exp_avg_sq", "step", "momentum_buffer", "square_avg", "prev",
         "step_size", "mu_product", "evil"]  # fmt: skip


SETTINGS: dict[str, st.SearchStrategy[Any]] = {
    "lr": st.floats(0.0, exclude_min=True, allow_infinity=False),
    "seed": st.integers(-(2**63), 2**64 - 1),
    "epochs": st.integers(7, 2**63 - 1),
    "delta": st.floats(0.0, exclude_min=True, allow_infinity=False),
    "loss": st.sampled_from(["mse", "l1", "huber"]),
    "tolerance": st.floats(0.0, exclude_min=True, allow_infinity=False),
    "tolerance_on": st.sampled_from(["gradient_norm", "loss"]),
    "shuffle": st.booleans(),
    "optimizer": st.sampled_from(["sgd", "adam", "nadam", "adafactor", "muon", "evil", "Rprop"]),
    "engine": st.sampled_from(["compiled", "reference"]),
    "dtype": st.sampled_from(["float32", "float64"]),
    "weight_decay": st.floats(0.0, 2.0),
    "momentum": st.floats(0.0, 1.0),
    "foreach": st.booleans(),
    "fused": st.booleans(),
    "evil": VALUES,
}


# --- Edits of the table ---------------------------------------------------------------------------


def recolumned(draw: st.DrawFn, table: pa.Table) -> pa.Table:
    """Change a column: its type, its name, or one of its cells."""
    j = draw(st.integers(0, table.num_columns - 1))
    name, values = table.column_names[j], table.column(j).to_pylist()
    kind = table.column(j).type
    what = draw(st.sampled_from(["type", "name", "cell", "cell", "cell", "cell", "away", "twice"]))
    if what == "away":
        return table.remove_column(j)
    if what == "twice":
        return table.append_column(draw(st.sampled_from([name, "another"])), table.column(j))
    if what == "name":
        name = draw(st.sampled_from([*table.column_names, EVIL, ""]))
    elif what == "cell" and values:
        i = draw(st.integers(0, len(values) - 1))
        change = draw(st.sampled_from([None, math.nan, math.inf, -1.0, 0.0, -0.0, 1e308, 1e9, 3.0]))
        values[i] = change
        if kind == pa.int64() and change is not None:
            values[i] = int(change) if abs(change) < 2**62 else 2**62
    elif what == "type":
        kind = draw(st.sampled_from([pa.string(), pa.float32(), pa.float64(), pa.int32(),
                                     pa.int64(), pa.uint64(), pa.bool_(), pa.null()]))  # fmt: skip
    try:
        changed = pa.array(values, kind, from_pandas=False)
    except (pa.ArrowException, TypeError, OverflowError):
        changed = pa.array([None if v is None else str(v) for v in values], pa.string())
    return table.set_column(j, name, changed)


def rerowed(draw: st.DrawFn, table: pa.Table) -> pa.Table:
    """Cut rows, repeat them, or bring them in another order."""
    n = len(table)
    rows = draw(st.lists(st.integers(0, n - 1), max_size=n)) if n else []
    taken = table.take(pa.array(rows, pa.int64()))
    cut = draw(st.integers(0, n))
    longer = pa.concat_tables([table, table[:cut]])
    return [table[:cut], table[cut:], longer, taken][draw(st.integers(0, 3))]


def permuted(draw: st.DrawFn, table: pa.Table) -> pa.Table:
    return table.select(draw(st.permutations(range(table.num_columns))))


DEPTHS = st.sampled_from([0, 0, 0, 0, 0, 0, 0, 900, 100_000])


@st.composite
def forgeries(draw: st.DrawFn) -> bytes:
    """Give the file of some run, edited once or a few times in its description or its table."""
    description, table, _ = draw(st.sampled_from(originals()))
    description = copy.deepcopy(description)
    if draw(st.integers(0, 2)) == 0:  # then the names may be any
        description["summary"] = None
    for _ in range(draw(st.sampled_from([0, 1, 1, 1, 1, 2]))):
        what = draw(
            st.sampled_from([None, None, reset, reset, remember, retold, resummed, renamed])
        )
        if what is None:
            edit(draw, description)
            continue
        with suppress(LookupError, TypeError, ValueError, ThalwegError):  # of what is no more whole
            table = (
                what(draw, description, table)
                if what is renamed
                else what(draw, description) or table
            )
    for _ in range(draw(st.sampled_from([0, 0, 0, 1, 2]))):
        table = draw(st.sampled_from([recolumned, recolumned, rerowed, permuted]))(draw, table)
    text = json.dumps(description)
    depth = draw(DEPTHS)
    if depth:
        text = text.replace("[", "[" * depth, 1).replace("]", "]" * depth, 1)
    if draw(st.integers(0, 19)) == 0:  # JSON may say a thing twice
        text = text[:-1] + ', "format": 2, "target": "evil"}'
    return written(text, table)


# --- What must hold -------------------------------------------------------------------------------

UNTIED = {"data_digest", "name", "units"}
"""What is said of rows that are not at hand, where no summary says more of them."""


def check_saved_again(run: thalweg.Run, saved: bytes, forged: bytes) -> None:
    """Hold a run and what it says of itself against the file that it was read from."""
    again, said = content(saved), content(forged)
    untold = {"written_by"} | (UNTIED if run.stored_summary is None else set())
    for part in said.description.keys() | again.description.keys():
        if part not in untold:
            mine, its = (json.dumps(one.description[part], sort_keys=True) for one in (again, said))
            assert mine == its, part
    assert again.table.schema == said.table.schema
    for mine, other in zip(again.table.columns, said.table.columns, strict=True):
        assert cells(mine) == cells(other)
    assert cells(said.table.column(2).drop_null()) == [x.hex() for x in run.loss.tolist()]


def check_sense(run: thalweg.Run) -> None:
    """Hold what is true of every run."""
    names = [*run.features, run.target]
    assert all(name.encode() for name in names)
    assert len(set(names)) == len(names)
    assert run.scaled_path.shape == (len(run.steps), len(run.names))
    assert len(run.loss) == len(run.gradient_norm) == run.epochs <= run.asked.epochs
    assert not (run.loss < 0).any()
    assert not (run.gradient_norm < 0).any()
    assert run.steps[0] == 0
    assert (np.diff(run.steps) > 0).all()
    for value in run.optimizer_state.values():
        assert np.shape(value) in ((), (len(run.names),)) or run.asked.engine == "reference"
    if run.outcome is thalweg.Outcome.CONVERGED:
        assert run.asked.tolerance is not None
        assert np.isfinite(run.path).all()


def cells(column: pa.ChunkedArray) -> list[Any]:
    """Give a column's cells to the bit."""
    return [v.hex() if isinstance(v, float) else v for v in column.to_pylist()]


def check_use(run: thalweg.Run) -> None:
    """Do with a run what people do: each works, or says in a sentence why not."""
    assert "\n" not in repr(run)
    assert "<evil>" not in run._repr_html_()
    uses: list[Callable[[], Any]] = [
        lambda: run.predict([[1.0] * len(run.features)]),
        lambda: run.solution,
        lambda: run.model(),
        lambda: thalweg.explain(run),
        lambda: thalweg.fit(DATA, start=run, epochs=1),
        lambda: thalweg.fit(DATA, start=run, **{**run.asked.keywords(), "epochs": 1}),
    ]
    for use in uses:
        try:
            use()
        except ThalwegError as error:
            check_sentence(error)
    try:
        script = to_pytorch(run)
    except ThalwegError as error:
        check_sentence(error)
    else:
        check_script(script)


def check_sentence(error: ThalwegError) -> None:
    assert len(str(error).splitlines()) == 1, error
    assert "; " in str(error)


def check_script(script: str) -> None:
    """See that nothing in a script is code that a file brought along: texts are texts."""
    for node in ast.walk(ast.parse(script)):
        if isinstance(node, ast.Constant):
            continue
        # A setting of PyTorch's keeps its name; its value is looked at by itself.
        names = [value for _, value in ast.iter_fields(node) if isinstance(value, str)]
        if isinstance(node, ast.keyword):
            assert node.arg is None or node.arg.isidentifier()
            continue
        assert not any(EVIL in name for name in names), ast.unparse(node)


@given(forged=forgeries())
@settings(max_examples=200)
def test_a_forged_run_is_refused_or_a_whole_one(
    forged: bytes, tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path_factory.getbasetemp() / "forged.parquet"
    path.write_bytes(forged)
    try:
        run = thalweg.load(path)
    except ThalwegError as error:
        check_sentence(error)
        return
    run.save(path)
    saved = path.read_bytes()
    check_saved_again(run, saved, forged)
    thalweg.load(path).save(path)
    assert path.read_bytes() == saved
    check_sense(run)
    check_use(run)


@given(
    which=st.integers(0, len(KINDS) + 1),
    places=st.lists(st.tuples(st.floats(0, 1), st.integers(0, 40), st.binary(max_size=40))),
    end=st.integers(0, 200),
)
@settings(max_examples=100)
def test_changed_bytes_without_a_new_checksum_are_refused(
    which: int,
    places: list[tuple[float, int, bytes]],
    end: int,
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    whole = originals()[which].whole
    changed = bytearray(whole)
    for where, length, patch in places:
        at = int(where * len(changed))
        changed[at : at + length] = patch
    changed = changed[: max(0, len(changed) - end)] if end % 2 else changed
    path = tmp_path_factory.getbasetemp() / "changed.parquet"
    path.write_bytes(changed)
    if changed == whole:
        thalweg.load(path)
        return
    with pytest.raises(UnreadableFile) as caught:
        thalweg.load(path)
    check_sentence(caught.value)


# --- Found so -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("exp_avg", [[1.0, 2.0, 3.0]]),
        ("exp_avg", [1.0]),
        ("x.exp_avg", [1.0]),
        ("weight.step", 1.0),
    ],
)
def test_what_only_pytorch_knows_has_the_shape_of_the_parameters_all_the_same(
    name: str, value: Any
) -> None:
    run = thalweg.fit(DATA, epochs=3, engine="reference", optimizer="adafactor")
    state = {name: value if isinstance(value, float) else np.array(value)}
    check_agreement(run)
    with pytest.raises(ValueError, match="another optimiser's state"):
        check_agreement(replace(run, optimizer_state=state))


def test_a_run_that_went_as_far_as_numbers_go_is_explained() -> None:
    run = thalweg.fit(DATA, epochs=7, batch_size=4, lr=1e-9, optimizer="sgd")
    path = run.scaled_path.copy()
    path[4::2] = 1e308
    path[5::2] = -1e308
    far = replace(run, scaled_path=path, outcome=thalweg.Outcome.STOPPED)
    assert thalweg.explain(far).text
