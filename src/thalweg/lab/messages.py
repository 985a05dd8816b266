"""What goes over the wire, both ways: requests as JSON, answers as JSON or as binary frames.

A request is one JSON object: ``version``, ``id``, ``type``, and what its type needs; every value
is checked here before anything is done with it. An answer repeats the ``id``. A frame is

======  ==============================================================================
bytes   what
======  ==============================================================================
4       ``THW`` and the version
4       the length H of the header in bytes, little-endian, a multiple of four
H       the header, JSON in UTF-8, padded with spaces; ``{"at": i, "length": n}`` in it
        stands for n numbers of the body from number i on
rest    the body: float32, little-endian
======  ==============================================================================

Not here: what is done with a request (:mod:`thalweg.lab.page_state`), the socket
(:mod:`thalweg.lab.pages`). ``static/codec.js`` is the other end.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from thalweg.errors import InvalidSetting, nearest
from thalweg.optimizers.registry import RULES
from thalweg.optimizers.rule import declared
from thalweg.plain import plain
from thalweg.settings import DEFAULTS, kind_of

VERSION = 1
MAGIC = b"THW" + bytes([VERSION])

MESSAGE_CHARACTERS = 1 << 20
"""The longest request: some 20,000 rows written out."""
RUNS = 12
"""The most runs that one request may ask for: the current one and those kept."""
COLUMNS = 50
"""The most features."""
WRITTEN_ROWS = 5_000
"""The most rows that a page may write out in a request."""

_LARGEST = 1e30  # what left float32's comfortable range is drawn at its edge
_NAMES = 200  # characters of a column's name


# --- Requests -------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Source:
    """Which rows: built in, the file that the lab was started with, uploaded, or written out."""

    kind: str  # "chapters", "file", "upload" or "rows"
    target: str = ""
    features: tuple[str, ...] = ()
    upload: str = ""
    drop_missing: bool = False
    X: tuple[tuple[float, ...], ...] = ()
    y: tuple[float, ...] = ()
    units: Mapping[str, str] | None = None
    name: str = ""


@dataclass(frozen=True)
class View:
    """Which plane of the parameters to look at, and how far; None is the library's own choice."""

    along: str | tuple[str, str] | None = None
    ranges: tuple[tuple[float, float], tuple[float, float]] | None = None


Keywords: TypeAlias = dict[str, Any]
"""Keyword arguments of :func:`thalweg.fit`, of the kinds that a page may send."""


@dataclass(frozen=True)
class Request:
    """A checked request.

    Attributes
    ----------
    id : int
        What the page calls it.
    type : str
        One of :data:`TYPES`.
    source : Source or None
        Which rows from now on; None for those of before.
    runs : tuple of mapping
        The settings of each run, the current one first.
    view : View
        For ``show``.
    epoch : int
        For ``moment``.
    autograd : bool
        For ``moment``: whether to let PyTorch check the gradient.
    names : tuple of str
        For ``download``: what the runs are called.
    """

    id: int
    type: str
    source: Source | None = None
    runs: tuple[Keywords, ...] = ()
    view: View = View()
    epoch: int = 0
    autograd: bool = False
    names: tuple[str, ...] = ()


TYPES = ("data", "move", "show", "moment", "explain")
"""What a page may ask for over the socket.

``data``: use these rows. ``move``: one run, on the plane that was shown last, while the hand
moves. ``show``: all the runs, with their plane. ``moment``: the gradient at an epoch, term by
term. ``explain``: why the run went that way.
"""


def parse(text: str) -> Request:
    """Check a request.

    Raises
    ------
    InvalidSetting
        With a sentence for the page; its ``id`` is then found by :func:`find_id`.

    Examples
    --------
    >>> parse('{"version": 1, "id": 7, "type": "move", "runs": [{"lr": 0.1}]}').runs
    ({'lr': 0.1},)
    """
    if len(text) > MESSAGE_CHARACTERS:
        raise _wrong(
            "message",
            f"{len(text):,} characters",
            f"at most {MESSAGE_CHARACTERS:,}",
            "upload the rows as a file",
        )
    message = _object("message", _decode(text))
    version = message.get("version")
    if version != VERSION:
        raise _wrong("version", repr(version), str(VERSION), "reload the page")
    return request_of(message)


def request_of(message: Mapping[str, Any]) -> Request:
    """Check a request that is already decoded; ``type`` may be one that only uploads know."""
    kind = message.get("type")
    if kind not in (*TYPES, "download"):
        raise _wrong(
            "type",
            repr(kind)[:60],
            "one of " + ", ".join(TYPES),
            nearest(str(kind)[:60], TYPES),
        )
    source = message.get("data")
    if kind == "data" and source is None:
        raise _wrong("data", "nothing", "which rows to use", 'try {"source": "chapters"}')
    runs = tuple(read_settings(run) for run in _list("runs", message.get("runs", []), RUNS))
    if kind in ("move", "show", "moment", "explain", "download") and not runs:
        raise _wrong("runs", "none", "the settings of one run at least", 'try [{"lr": 0.01}]')
    return Request(
        id=_whole("id", message.get("id", 0), 0, 2**53),
        type=str(kind),
        source=None if source is None else _read_source(source),
        runs=runs,
        view=_read_view(message.get("view", {})),
        epoch=_whole("epoch", message.get("epoch", 0), 0, 10**9),
        autograd=_flag("autograd", message.get("autograd", False)),
        names=tuple(
            _text("names", name, 80) for name in _list("names", message.get("names", []), RUNS)
        ),
    )


def find_id(text: str) -> int:
    """Find out which request could not be read, as far as that can be known: 0 where not.

    Examples
    --------
    >>> find_id('{"id": 7, "type": "nonsense"}'), find_id("{")
    (7, 0)
    """
    try:
        message = json.loads(text)
    except (ValueError, RecursionError):
        return 0
    number = message.get("id") if isinstance(message, dict) else None
    return number if isinstance(number, int) and 0 <= number < 2**53 else 0


def read_settings(given: object) -> Keywords:
    """Take the settings of one run: known names, plain kinds; their values are the library's."""
    settings = _object("runs", given)
    unknown = sorted(set(settings) - set(_SETTINGS))
    if unknown:
        raise _wrong(
            "runs",
            f"the setting {unknown[0][:60]!r}",
            "settings that the page has",
            nearest(unknown[0][:60], _SETTINGS),
        )
    read = {name: _SETTINGS[name](name, value) for name, value in settings.items()}
    hyperparameters = read.pop("hyperparameters", {})
    rule = RULES[read.get("optimizer", DEFAULTS["optimizer"])]
    for name in hyperparameters:
        if name not in declared(rule).settings or name == "lr":
            raise _wrong(
                "hyperparameters", repr(name[:60]), f"a setting of {rule.__name__}",
                nearest(name[:60], declared(rule).settings),
            )  # fmt: skip
    return {**read, **hyperparameters}


def _decode(text: str) -> object:
    def refuse(constant: str) -> object:
        raise _wrong("message", constant, "finite numbers", "leave the value out")

    try:
        return json.loads(text, parse_constant=refuse)
    except (ValueError, RecursionError) as error:
        if isinstance(error, InvalidSetting):
            raise
        raise _wrong("message", "no JSON", "a JSON object", "reload the page") from error


def _read_source(given: object) -> Source:
    source = _object("data", given)
    kind = source.get("source")
    if kind not in ("chapters", "file", "upload", "rows"):
        expected = "'chapters', 'file', 'upload' or 'rows'"
        raise _wrong("data", f"the source {str(kind)[:60]!r}", expected, "choose one of them")
    features = tuple(
        _text("features", name, _NAMES)
        for name in _list("features", source.get("features", []), COLUMNS)
    )
    units = _object("units", source.get("units", {}))
    rows = _list("X", source.get("X", []), WRITTEN_ROWS)
    return Source(
        kind=kind,
        target=_text("target", source.get("target", ""), _NAMES),
        features=features,
        upload=_text("upload", source.get("upload", ""), 100),
        drop_missing=_flag("drop_missing", source.get("drop_missing", False)),
        X=tuple(tuple(_numbers("X", row, COLUMNS)) for row in rows),
        y=tuple(_numbers("y", source.get("y", []), WRITTEN_ROWS)),
        units={_text("units", k, _NAMES): _text("units", v, _NAMES) for k, v in units.items()},
        name=_text("name", source.get("name", ""), _NAMES),
    )


def _read_view(given: object) -> View:
    view = _object("view", given)
    along, ranges = view.get("along"), view.get("ranges")
    if isinstance(along, list):
        pair = [_text("along", name, _NAMES) for name in _list("along", along, 2)]
        if len(pair) != 2:
            raise _wrong("along", repr(along), "two parameters", "name two")
        along = (pair[0], pair[1])
    elif along is not None:
        along = _text("along", along, 20)
    if ranges is not None:
        both = _list("ranges", ranges, 2)
        if len(both) != 2:
            raise _wrong("ranges", f"{len(both)} ranges", "one for each axis", "give two")
        ranges = (_pair("ranges", both[0]), _pair("ranges", both[1]))
    return View(along, ranges)


# --- Kinds of values ------------------------------------------------------------------------------


def _wrong(argument: str, got: str, expected: str, advice: str) -> InvalidSetting:
    return InvalidSetting(argument, got=got, expected=expected, advice=advice)


def _object(name: str, value: object) -> dict[str, Any]:
    if isinstance(value, dict):
        return value
    raise _wrong(name, type(value).__name__, "an object", "send name and value pairs")


def _list(name: str, value: object, longest: int) -> list[Any]:
    if isinstance(value, list) and len(value) <= longest:
        return value
    got = f"{len(value):,} entries" if isinstance(value, list) else type(value).__name__
    raise _wrong(name, got, f"a list of at most {longest:,}", "send fewer")


def _text(name: str, value: object, longest: int) -> str:
    if isinstance(value, str) and len(value) <= longest:
        return value
    got = f"{len(value):,} characters" if isinstance(value, str) else type(value).__name__
    raise _wrong(name, got, f"a text of at most {longest} characters", "shorten it")


def _flag(name: str, value: object) -> bool:
    if isinstance(value, bool):
        return value
    raise _wrong(name, repr(value)[:60], "true or false", "say one of the two")


def _number(name: str, value: object) -> float | int:
    # A whole number of JSON may be larger than any float: it has no place in a fit.
    if isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < 1e300:
        return value
    raise _wrong(name, repr(value)[:60], "a finite number", "send a number")


def _whole(name: str, value: object, low: int, high: int) -> int:
    if isinstance(value, int) and not isinstance(value, bool) and low <= value <= high:
        return value
    raise _wrong(name, repr(value)[:60], f"a whole number from {low:,} to {high:,}", "change it")


def _numbers(name: str, value: object, longest: int) -> list[float]:
    return [float(_number(name, v)) for v in _list(name, value, longest)]


def _pair(name: str, value: object) -> tuple[float, float]:
    pair = _numbers(name, value, 2)
    if len(pair) == 2:
        return pair[0], pair[1]
    raise _wrong(name, f"{len(pair)} numbers", "two", "send a pair")


def _optimizer(name: str, value: object) -> str:
    if isinstance(value, str) and value in RULES:
        return value
    raise _wrong(name, repr(value)[:60], "one of " + ", ".join(RULES), "choose one of them")


def _start(name: str, value: object) -> int | list[float] | None:
    if value is None:
        return None
    return _numbers(name, value, COLUMNS + 1) if isinstance(value, list) else _of_fit("seed", value)


def _of_fit(name: str, value: object) -> Any:
    """Take a setting by its own definition, within what a page may ask for."""
    taken = kind_of(name).take(name, value)
    most = _MOST.get(name, math.inf)
    if isinstance(taken, int) and abs(taken) > most:
        raise _wrong(name, f"{taken:,}", f"at most {most:,}", "lower it")
    return taken


def _hyperparameters(name: str, value: object) -> dict[str, Any]:
    return {k: _hyperparameter(k[:60], v) for k, v in _object(name, value).items()}


def _hyperparameter(name: str, value: object) -> bool | float | tuple[float, float]:
    if isinstance(value, bool):
        return value
    return _pair(name, value) if isinstance(value, list) else float(_number(name, value))


OFFERED = (
    "optimizer", "lr", "epochs", "batch_size", "shuffle", "drop_last", "loss", "delta", "seed",
    "standardize",
)  # fmt: skip
"""The settings of ``fit`` that a page may send: it always fits a bias, and walks all the epochs."""

_MOST = {"epochs": 10**6, "batch_size": 2**31, "seed": 2**53}

_SETTINGS: dict[str, Callable[[str, object], Any]] = {
    **dict.fromkeys(OFFERED, _of_fit),
    "optimizer": _optimizer,
    "start": _start,
    "hyperparameters": _hyperparameters,
}


# --- Answers --------------------------------------------------------------------------------------


def answer(request_id: int, kind: str, **contents: Any) -> str:
    """Write an answer as JSON; numbers that are not finite become null."""
    return json.dumps({"id": request_id, "type": kind, **plain(contents)}, allow_nan=False)


def error(request_id: int, text: str) -> str:
    """Write the answer to a request that could not be served."""
    return answer(request_id, "error", text=text)


class Frame:
    """A binary answer under construction.

    Examples
    --------
    >>> frame = Frame()
    >>> frame.put(np.array([1.0, 2.0]))
    {'at': 0, 'length': 2}
    >>> len(frame.encode({"id": 1}))
    28
    """

    def __init__(self) -> None:
        self._parts: list[NDArray[np.float32]] = []
        self._length = 0

    def put(self, values: Any) -> dict[str, int]:
        """Add numbers to the body, and say what stands for them in the header."""
        flat = np.asarray(values, dtype=np.float64).ravel()
        place = {"at": self._length, "length": int(flat.size)}
        # NaN stays NaN: a gap in a line.
        self._parts.append(np.clip(flat, -_LARGEST, _LARGEST).astype("<f4"))
        self._length += flat.size
        return place

    def encode(self, header: Mapping[str, Any]) -> bytes:
        """Give the whole frame."""
        text = json.dumps(plain(header), allow_nan=False).encode()
        text += b" " * (-len(text) % 4)
        body = [part.tobytes() for part in self._parts]
        return b"".join([MAGIC, len(text).to_bytes(4, "little"), text, *body])
