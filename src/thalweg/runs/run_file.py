"""Run files: a run as one Parquet file, that any reader of tables opens as it is.

Not here: how a file appears whole or not at all (:mod:`thalweg.atomic`), when a long fit writes
one (:mod:`thalweg.descent.parts`).

The table has a row for each recorded point, and for each epoch that began between two of them:

``epoch``, ``step``
    The epochs and the updates made before.
``loss``, ``gradient_norm``
    Of the epoch that begins here; null where none does, as in the last row.
``bias`` and one column per feature (one feature's is called ``weight``)
    The parameters in the user's units; null where the point was not recorded.
``scaled_…``
    The same in standardised coordinates, where the descent walked in those.

All else is JSON under the key ``thalweg`` of the file's metadata: settings, outcome, optimiser
state, random stream, scaling, the summary of the rows, their name, the columns' units, the digest
of the data, how its files were read and the levels of categories. Finite numbers are written so
that they are read back to the bit; others are written as their bits. Under ``thalweg.checksum``
stands the SHA-256 of the whole file with that digest blanked, so that no cut and no changed byte
passes. There is no pickle anywhere.
"""

from __future__ import annotations

import base64
import hashlib
import json
import math
import os
import re
import struct
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from thalweg import __version__
from thalweg.arrays import Array
from thalweg.atomic import write_atomically
from thalweg.data.categories import Coding
from thalweg.data.names import unique_names
from thalweg.data.reading import Reading
from thalweg.errors import InvalidData, InvalidSetting, ThalwegError, UnreadableFile, on_a_line
from thalweg.kinds import FILE
from thalweg.optimizers.choice import TORCH_ONLY, TorchRule
from thalweg.optimizers.registry import RULES
from thalweg.regular import read_whole
from thalweg.runs.agreement import check_agreement
from thalweg.runs.run import InitialState, Outcome, Run
from thalweg.settings import DEFAULTS, Settings
from thalweg.summary.scaling import Scaling
from thalweg.torch_random import Generator

if TYPE_CHECKING:
    from thalweg.summary.summary import Summary

FORMAT = 3
"""The layout that this version writes, and the only one that it reads."""

# Beyond this the summary is left out: Parquet readers bound the size of a file's metadata. Reached
# at about 1,400 features.
SUMMARY_BYTES = 2**24

_DIGEST = re.compile("[0-9a-f]{64}")
_KEY = "thalweg"
_CHECKSUM_KEY = "thalweg.checksum"
# With a line break, which JSON escapes: the last mark in a file cannot be part of a name.
_CHECKSUM_MARK = b"\nsha256:"
_BLANK = b"0" * 64
_MAGIC = b"PAR1"
_PER_EPOCH = ("loss", "gradient_norm")

# What reading a file meets that says something else than it should.
_MISSHAPEN = (
    LookupError, TypeError, ValueError, AttributeError, ArithmeticError, RecursionError,
    struct.error, pa.ArrowException, ThalwegError,
)  # fmt: skip


class Stored(NamedTuple):
    """What a run file holds: the run, and the digest of the data that it was fitted to."""

    run: Run
    data_digest: str | None


def save(run: Run, path: str | os.PathLike[str]) -> None:
    """Write a run to one Parquet file, whole or not at all.

    Parameters
    ----------
    run : Run
        The run.
    path : path-like
        Where the file shall stand.

    Raises
    ------
    UnwritableFile
        Where no file can be written. What stood at ``path`` is untouched.
    InvalidSetting
        If a setting is not plain data, such as a tensor given to an optimiser.
    """
    contents = _to_bytes(run)
    with write_atomically(path) as file:
        file.write(contents)


def load(path: str | os.PathLike[str]) -> Run:
    """Read a run file: the run that was saved, to the bit, without its rows.

    The summary of the rows is in the file, so the exact solution, the loss surface and the
    diagnosis work from it alone.

    Parameters
    ----------
    path : path-like
        A file written by :meth:`Run.save` or as a checkpoint.

    Returns
    -------
    Run

    Raises
    ------
    UnreadableFile
        If the file is missing, cut, altered, from a newer version, or no run file.
    InvalidSetting
        If ``path`` is none.

    Examples
    --------
    >>> import tempfile, thalweg
    >>> run = thalweg.fit(thalweg.salammbo(), epochs=20, seed=4321)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     run.save(f"{folder}/run.parquet")
    ...     again = load(f"{folder}/run.parquet")
    >>> bool((again.path == run.path).all()), again.outcome is run.outcome
    (True, True)
    """
    return read(FILE.take("path", path)).run


def read(path: str | os.PathLike[str]) -> Stored:
    """Read a run file with the digest of its data: see :func:`load`."""
    contents = _checked_bytes(path)
    try:
        parquet = pq.ParquetFile(pa.BufferReader(contents))
        description = json.loads(parquet.metadata.metadata[_KEY.encode()])
        written_in = int(description["format"])
        if written_in == FORMAT:
            return _checked(parquet.read(), description)
        written_by = on_a_line(str(description["written_by"]))
    except _MISSHAPEN as error:
        raise _unreadable(
            path,
            got="a file whose parts do not fit together",
            expected="a run file",
            advice="save the run again",
        ) from error
    raise _unreadable(
        path,
        got=f"a run file of format {written_in}, written by Thalweg {written_by}",
        expected=f"format {FORMAT}",
        advice="fit again, or use the Thalweg that wrote it",
    )


# --- Bytes: the checksum --------------------------------------------------------------------------


def _to_bytes(run: Run) -> bytearray:
    metadata = {
        _KEY: json.dumps(_describe(run), ensure_ascii=False, allow_nan=False),
        _CHECKSUM_KEY: (_CHECKSUM_MARK + _BLANK).decode(),
    }
    table = _to_table(run)
    sink = pa.BufferOutputStream()
    with pq.ParquetWriter(
        sink, table.schema, compression="zstd", use_dictionary=False, store_schema=False
    ) as writer:
        writer.write_table(table)
        writer.add_key_value_metadata(metadata)
    contents = bytearray(sink.getvalue())
    place = _checksum_place(contents)
    contents[place] = hashlib.sha256(contents).hexdigest().encode()
    return contents


def _checksum_place(contents: bytes | bytearray) -> slice:
    """Find where the checksum's digits stand: after the last mark."""
    mark = contents.rfind(_CHECKSUM_MARK)
    start = mark + len(_CHECKSUM_MARK)
    return slice(start, start + len(_BLANK)) if mark >= 0 else slice(0, 0)


def _checked_bytes(path: str | os.PathLike[str]) -> bytes:
    """Read a file, and refuse it unless every byte is as it was written."""
    try:
        contents = read_whole(path)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise _unreadable(
            path, got=reason.lower(), expected="a run file", advice="check the path"
        ) from error
    if not contents.startswith(_MAGIC):
        raise _no_run(path, "an empty file" if not contents else "another kind of file")
    if not contents.endswith(_MAGIC):
        raise _damaged(path, "one that was cut short")
    place = _checksum_place(contents)
    if place.stop == 0:
        raise _no_run(path, "a Parquet file that is no run, or a damaged one")
    digest = hashlib.sha256(memoryview(contents)[: place.start])
    digest.update(_BLANK)
    digest.update(memoryview(contents)[place.stop :])
    if contents[place] != digest.hexdigest().encode():
        raise _damaged(path, "one that was altered")
    return contents


def _no_run(path: str | os.PathLike[str], got: str) -> UnreadableFile:
    advice = "give a file that Run.save or a checkpoint wrote"
    return _unreadable(path, got=got, expected="a run file", advice=advice)


def _damaged(path: str | os.PathLike[str], got: str) -> UnreadableFile:
    expected = "a run file as it was written"
    return _unreadable(path, got=got, expected=expected, advice="copy it again, or fit again")


def _unreadable(
    path: str | os.PathLike[str], *, got: str, expected: str, advice: str
) -> UnreadableFile:
    return UnreadableFile(os.fspath(path), got=got, expected=expected, advice=advice)


# --- The table ------------------------------------------------------------------------------------


def _to_table(run: Run) -> pa.Table:
    per_epoch = run.steps_per_epoch
    began = np.arange(run.epochs, dtype=np.int64) * per_epoch
    # Two sorted lists merged: a stable sort does that in one pass, np.union1d hashes.
    merged = np.sort(np.concatenate([run.steps, began]), kind="stable")
    steps = merged[np.diff(merged, prepend=-1) > 0]
    recorded = np.searchsorted(steps, run.steps)
    epochs = np.searchsorted(steps, began)
    columns = [
        pa.array(steps // max(per_epoch, 1)),
        pa.array(steps),
        _spread(run.loss, epochs, len(steps)),
        _spread(run.gradient_norm, epochs, len(steps)),
    ]
    for points in (run.path,) if run.scaling is None else (run.path, run.scaled_path):
        columns += [_spread(column, recorded, len(steps)) for column in points.T]
    return pa.table(columns, names=_column_names(run))


def _spread(values: Array, rows: NDArray[np.intp], length: int) -> pa.Array:
    """Put values at their rows, with nulls elsewhere; a NaN stays a NaN."""
    column = np.zeros(length)
    missing = np.ones(length, dtype=bool)
    column[rows] = values
    missing[rows] = False
    return pa.array(column, mask=missing, from_pandas=False)


def _column_names(run: Run) -> list[str]:
    """Name the columns, all differently, also for a database that ignores case."""
    wanted = ["epoch", "step", *_PER_EPOCH, *run.names]
    if run.scaling is not None:
        wanted += [f"scaled_{name}" for name in run.names]
    return list(unique_names(wanted, same=str.casefold))


def _from_table(table: pa.Table, description: Mapping[str, Any]) -> Stored:
    settings = {name: _decode(value) for name, value in description["settings"].items()}
    features = tuple(description["features"])
    scaling, reading = description["scaling"], description["reading"]
    p = len(features) + settings["intercept"]
    expected = 2 + len(_PER_EPOCH) + p * (1 if scaling is None else 2)
    if table.num_columns != expected:
        raise ValueError(f"{table.num_columns} columns, not {expected}")
    walked = np.column_stack([_values(table, j) for j in range(expected - p, expected)])
    recorded = np.asarray(table.column(expected - 1).is_valid())
    run = Run(
        scaled_path=walked,
        steps=np.array(table.column(1).to_numpy()[recorded]),
        loss=_values(table, 2),
        gradient_norm=_values(table, 3),
        settings=_settings_from(settings),
        outcome=Outcome[description["outcome"].upper()],
        optimizer_state=_decode(description["optimizer_state"]),
        generator=Generator(*description["generator"]),
        features=features,
        target=description["target"],
        data=None,
        scaling=None if scaling is None else Scaling(*map(_decode, scaling)),
        stored_summary=_summary_from(description),
        initial_state=_initial_from(description["initial_state"]),
        coding=_coding_from(description["coding"], description["target"]),
        reading=None if reading is None else Reading.of(reading),
    )
    return Stored(run, description["data_digest"])


def _checked(table: pa.Table, description: Mapping[str, Any]) -> Stored:
    """Make a run of what a file says, where it says what this module would have written of it."""
    stored = _from_table(table, description)
    check_agreement(stored.run)
    again = _describe(stored.run)
    unknown: dict[str, Any] = {
        "written_by": str,
        "data_digest": str | None,
    }  # another version's, of other rows
    if stored.run.stored_summary is None:
        unknown |= {"name": str, "units": dict}
    for part, kind in unknown.items():
        if part in description and isinstance(description[part], kind):
            again[part] = description[part]
    digest = description["data_digest"]
    if digest is not None and not _DIGEST.fullmatch(digest):
        raise ValueError("a digest that is none")
    if _canonical(again) != _canonical(description):
        raise ValueError("a description that says more, or less")
    if not _same_bits(_to_table(stored.run), table):
        raise ValueError("a table that says more, or less")
    return stored


def _canonical(description: Mapping[str, Any]) -> str:
    return json.dumps(description, sort_keys=True)


def _same_bits(one: pa.Table, other: pa.Table) -> bool:
    """Compare tables to the bit: NaN equals itself here."""
    return one.schema.equals(other.schema) and all(
        a.is_valid() == b.is_valid()
        and np.array_equal(*(column.fill_null(0).to_numpy().view(np.int64) for column in (a, b)))
        for a, b in zip(one.columns, other.columns, strict=True)
    )


def _values(table: pa.Table, column: int) -> Array:
    """Give a column's values without its nulls, in memory of their own."""
    return np.array(table.column(column).drop_null().to_numpy(), dtype=np.float64)


# --- The description ------------------------------------------------------------------------------


def _describe(run: Run) -> dict[str, Any]:
    initial = run.initial_state
    return {
        "format": FORMAT,
        "written_by": __version__,
        "features": list(run.features),
        "target": run.target,
        "coding": _describe_coding(run.coding),
        "reading": None if run.reading is None else run.reading.described(),
        **_names_of(run),
        "outcome": run.outcome.name.lower(),
        "settings": _describe_settings(run.asked),
        "optimizer_state": _encode("optimizer_state", run.optimizer_state),
        "generator": [int(number) for number in run.generator],
        "initial_state": None if initial is None else _describe_initial(initial),
        "scaling": None if run.scaling is None else [_encode("scaling", a) for a in run.scaling],
        "summary": _summary_of(run),
        "data_digest": _digest_of(run),
    }


def _describe_settings(settings: Settings) -> dict[str, Any]:
    """Write the keywords of ``fit``; an optimiser that is nobody's but the user's by its name."""
    keywords = {**settings.keywords(), "optimizer": settings.optimizer}
    if isinstance(settings.rule, TorchRule):
        keywords["optimizer"] = settings.rule.name
    return {name: _encode(name, value) for name, value in keywords.items()}


def _settings_from(keywords: dict[str, Any]) -> Settings:
    name = keywords["optimizer"]
    if name.lower() in RULES or name.lower() in TORCH_ONLY:
        return Settings.of(**keywords)
    if not all(word.isidentifier() for word in (name, *keywords)):
        raise ValueError("names that no optimiser has")
    own = {k: v for k, v in keywords.items() if k not in DEFAULTS}
    rest = {k: v for k, v in keywords.items() if k in DEFAULTS}
    rule = TorchRule(name, keywords["lr"], None, tuple(own.items()))
    return Settings.of(**{**rest, "optimizer": rule})


def _describe_initial(initial: InitialState) -> dict[str, Any]:
    return {
        "drawn": initial.drawn,
        "optimizer_state": _encode("optimizer_state", initial.optimizer_state),
        "generator": [int(number) for number in initial.generator],
        "loss_limit": _encode("loss_limit", initial.loss_limit),
    }


def _initial_from(description: Mapping[str, Any] | None) -> InitialState | None:
    if description is None:
        return None
    return InitialState(
        drawn=bool(description["drawn"]),
        optimizer_state=_decode(description["optimizer_state"]),
        generator=Generator(*description["generator"]),
        loss_limit=_decode(description["loss_limit"]),
    )


def _describe_coding(coding: Coding | None) -> dict[str, Any] | None:
    if coding is None:
        return None
    return {
        "columns": list(coding.columns),
        "levels": {name: list(words) for name, words in coding.levels.items()},
        "intercept": coding.intercept,
        "kept": None if coding.kept is None else list(coding.kept),
    }


def _coding_from(description: Mapping[str, Any] | None, target: str) -> Coding | None:
    if description is None:
        return None
    kept = description["kept"]
    return Coding(
        tuple(description["columns"]),
        target,
        {name: tuple(words) for name, words in description["levels"].items()},
        description["intercept"],
        None if kept is None else tuple(kept),
    )


def _names_of(run: Run) -> dict[str, Any]:
    """Give what titles and axes call the rows; a summary's bytes do not hold it."""
    source = run.source
    return {"name": source.name, "units": source.units} if source is not None else {}


def _digest_of(run: Run) -> str | None:
    """Tell the data by their rows, which takes a pass over those of a scan; None without them."""
    if run.data is not None:
        return run.data.digest
    if run.scan is not None and run.summary.rows_digest is None:
        with suppress(ThalwegError):  # the files are gone: a run is kept without
            return run.scan.digest
    return None if run.stored_summary is None else run.stored_summary.rows_digest


def _summary_of(run: Run) -> str | None:
    if run.data is None and run.stored_summary is None:
        return None
    try:
        contents = run.summary.to_bytes()
    except InvalidData:  # columns of which no squares can be summed
        return None
    return base64.b64encode(contents).decode() if len(contents) <= SUMMARY_BYTES else None


def _summary_from(description: Mapping[str, Any]) -> Summary | None:
    if description["summary"] is None:
        return None
    from thalweg.summary.summary import Summary  # SciPy's LAPACK: only for a file that has one

    summary = Summary.from_bytes(base64.b64decode(description["summary"]))
    summary.name = description["name"]
    summary.units = dict(description["units"])
    summary.rows_digest = description["data_digest"]
    return summary


# --- Plain data as JSON, to the bit ---------------------------------------------------------------
#
# None, truth values, texts, whole and finite numbers and lists are JSON's own. What JSON lacks is
# an object with one key that names its kind.


def _encode(name: str, value: object) -> Any:
    match value:
        case np.ndarray():
            flat = [_encode(name, v) for v in value.astype(np.float64).ravel().tolist()]
            return {"array": flat, "shape": list(value.shape)}
        case np.generic():
            return _encode(name, value.item())
        case None | bool() | str() | int():
            return value
        case float():
            return value if math.isfinite(value) else {"bits": struct.pack(">d", value).hex()}
        case tuple():
            return {"tuple": [_encode(name, v) for v in value]}
        case list():
            return [_encode(name, v) for v in value]
        case Mapping() if all(isinstance(key, str) for key in value):
            return {"mapping": {key: _encode(key, v) for key, v in value.items()}}
    raise InvalidSetting(
        name,
        got=f"a {type(value).__name__}",
        expected="plain numbers, texts and truth values, which a run file can hold",
        advice="give the setting as a plain number",
    )


def _decode(value: Any) -> Any:
    match value:
        case {"array": flat, "shape": shape}:
            return np.array([_decode(v) for v in flat], dtype=np.float64).reshape(shape)
        case {"bits": digits}:
            return struct.unpack(">d", bytes.fromhex(digits))[0]
        case {"tuple": values}:
            return tuple(_decode(v) for v in values)
        case {"mapping": entries}:
            return {key: _decode(v) for key, v in entries.items()}
        case Sequence() if not isinstance(value, str):
            return [_decode(v) for v in value]
        case Mapping():
            raise ValueError("an object of no known kind")
        case _:
            return value
