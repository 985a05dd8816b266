"""A summary as bytes, for a file or another machine.

Sixteen bytes of name; version and header length, each a little-endian 32-bit integer; a JSON
header with ``n``, ``weights`` (the sum of the rows' weights; null, for there are none yet),
``features`` and ``target``; the upper triangles of the Gram matrix's high and low parts, row by
row, in little-endian float64; the SHA-256 of it all.

Bytes come from anywhere: what is not a summary is refused with a sentence, before any memory is
taken that the bytes themselves do not fill. Not here: the summary (:mod:`thalweg.summary.summary`).
"""

from __future__ import annotations

import hashlib
import json
import struct
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from thalweg.errors import UnreadableFile
from thalweg.summary.double_double import Matrix

MAGIC = b"thalweg summary\n"
VERSION = 2
DIGEST_BYTES = 32
LARGEST_NORM = 1e80  # beyond that of any column that is summed up, and of sums of many

_START = len(MAGIC) + 8
_FIELDS = {"n", "weights", "features", "target"}


class Content(NamedTuple):
    """What the bytes of a summary hold."""

    n: int
    matrix: Matrix
    features: tuple[str, ...]
    target: str


def encode(n: int, matrix: Matrix, features: Sequence[str], target: str) -> bytes:
    """Give a summary as bytes."""
    fields = {"n": n, "weights": None, "features": features, "target": target}
    header = json.dumps(fields).encode()
    upper = np.triu_indices(len(matrix[0]))
    body = b"".join(part[upper].astype("<f8").tobytes() for part in matrix)
    content = MAGIC + struct.pack("<II", VERSION, len(header)) + header + body
    return content + hashlib.sha256(content).digest()


def decode(content: bytes | bytearray | memoryview) -> Content:
    """Take back what :func:`encode` gave.

    Raises
    ------
    UnreadableFile
        On bytes that are no summary, are cut short or altered, or of another version.
    """
    if not isinstance(content, bytes | bytearray | memoryview):
        raise _unreadable(f"a value of type {type(content).__name__}")
    content = bytes(content)
    if content[: len(MAGIC)] != MAGIC or len(content) < _START:
        raise _unreadable("bytes that are not a summary")
    version, length = struct.unpack("<II", content[len(MAGIC) : _START])
    if version != VERSION:
        raise _unreadable(f"a summary of version {version}", newer=version > VERSION)
    body = _START + length
    if hashlib.sha256(content[:-DIGEST_BYTES]).digest() != content[-DIGEST_BYTES:]:
        raise _unreadable("a summary that was cut short or altered")
    n, features, target = _header(content[_START:body])
    return Content(n, _matrix(content[body:-DIGEST_BYTES], len(features) + 2, n), features, target)


def _header(text: bytes) -> tuple[int, tuple[str, ...], str]:
    try:
        fields: Any = json.loads(text)
    except (ValueError, RecursionError):
        raise _unreadable("a summary whose header is no JSON") from None
    if not isinstance(fields, dict) or set(fields) != _FIELDS or fields["weights"] is not None:
        raise _unreadable("a summary with other fields in its header")
    n, features, target = fields["n"], fields["features"], fields["target"]
    if type(n) is not int or not 1 <= n < 2**53:
        raise _unreadable("a summary with a number of rows that cannot be")
    if not isinstance(features, list) or not features:
        raise _unreadable("a summary without features")
    names = [*features, target]
    if not all(type(name) is str for name in names) or len(set(names)) != len(names):
        raise _unreadable("a summary whose columns have no names of their own")
    return n, tuple(features), target


def _matrix(body: bytes, width: int, n: int) -> Matrix:
    """Read the two triangles of ``width`` rows each, and see that they can be a Gram matrix's."""
    cells = width * (width + 1) // 2
    if len(body) != 2 * 8 * cells:
        raise _unreadable(
            f"a summary with {len(body):,} bytes of numbers for {width - 2:,} features"
        )
    parts = np.frombuffer(body, "<f8").reshape(2, cells)
    if not np.isfinite(parts).all():
        raise _unreadable("a summary with numbers that are not finite")
    upper = np.triu_indices(width)
    high, low = np.zeros((width, width)), np.zeros((width, width))
    for matrix, part in zip((high, low), parts, strict=True):
        matrix[upper] = part
        matrix.T[upper] = part
    # By Cauchy and Schwarz, with room for what rounding leaves of columns that nearly cancel.
    norms = np.sqrt(np.clip(high.diagonal(), 0.0, None))
    are_products = (np.abs(high) <= 2.0 * np.outer(norms, norms)).all()
    are_rests = (np.abs(low) <= np.abs(high)).all()
    if not (are_products and are_rests and norms.max() < LARGEST_NORM and high[0, 0] == n):
        raise _unreadable("a summary whose numbers are no sums of squares and products")
    return high, low


def _unreadable(got: str, *, newer: bool = False) -> UnreadableFile:
    advice = "update thalweg" if newer else "sum the rows up again"
    return UnreadableFile(
        "content",
        got=got,
        expected=f"the bytes of a summary, version {VERSION}",
        advice=advice,
    )
