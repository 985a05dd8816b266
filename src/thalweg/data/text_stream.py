"""The bytes of a text as UTF-8, without comments and without blanks that line columns up.

Not here: compression (:mod:`thalweg.data.tables`), what the text means
(:mod:`thalweg.data.delimited`).
"""

from __future__ import annotations

import codecs
import io
import re
from typing import IO, Any, cast

CHUNK = 1 << 20

_UTF16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)


def encoding_of(first: bytes, encoding: str | None) -> str | None:
    """Tell the encoding from the first bytes where nobody named it; None is UTF-8."""
    return "utf-16" if encoding is None and first.startswith(_UTF16) else encoding


def as_utf8(
    source: IO[bytes], encoding: str | None, comment: str | None, *, aligned: bool = False
) -> IO[bytes]:
    """Give a stream of text in UTF-8 without its comments; the lines stay as many.

    Of ``aligned`` columns one blank is left between two cells, and none around them.
    """
    if encoding is not None:
        source = cast("IO[bytes]", _Recoded(source, encoding))
    if comment is not None:
        source = cast("IO[bytes]", _WithoutComments(source, comment.encode()))
    return cast("IO[bytes]", _Squeezed(source)) if aligned else source


def as_text(source: IO[bytes]) -> IO[str]:
    """Give the characters of a stream in UTF-8, line ends as they are."""
    return io.TextIOWrapper(
        io.BufferedReader(_Derived(source)), encoding="utf-8", errors="replace", newline=""
    )


def comments(mark: str) -> str:
    r"""Give an expression for a line, of which ``\1`` is what stands before a comment.

    A mark inside quotation marks begins none, in whichever line of the cell it stands.

    Examples
    --------
    >>> re.sub(comments("#"), r"\1", 'a,"b\n#c"\n1,2#3\n')
    'a,"b\n#c"\n1,2\n'
    """
    begins, sign = r"(?:(?<=[\r\n])|\A)", re.escape(mark)
    cell = rf'(?:(?<=[,;\t|])|{begins})"(?:[^"]|"")*+"'
    return rf"{begins}((?:{cell}|[^{sign}\r\n])*+)(?:{sign}[^\r\n]*)?"


class OtherEncoding(UnicodeError):
    """A text is not written in the encoding that was named."""


class _Derived(io.RawIOBase):
    """A stream made of another, part by part."""

    def __init__(self, source: IO[bytes]) -> None:
        super().__init__()
        self._source = source
        self._left = memoryview(b"")
        self._ended = False

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        while not self._left and not self._ended:
            chunk = self._source.read(CHUNK)
            self._ended = not chunk
            self._left = memoryview(self._made_of(chunk))
        view = memoryview(buffer)
        count = min(len(view), len(self._left))
        view[:count] = self._left[:count]
        self._left = self._left[count:]
        return count

    def close(self) -> None:
        self._source.close()
        super().close()

    def _made_of(self, chunk: bytes) -> bytes:
        """Give what comes of the next bytes; none are the end."""
        return chunk


class _Recoded(_Derived):
    def __init__(self, source: IO[bytes], encoding: str) -> None:
        super().__init__(source)
        self._encoding = encoding
        self._decoder = codecs.getincrementaldecoder(encoding)()

    def _made_of(self, chunk: bytes) -> bytes:
        try:
            return self._decoder.decode(chunk, final=not chunk).encode()
        except UnicodeError as error:
            raise OtherEncoding(self._encoding) from error


class _ByLines(_Derived):
    """A stream of which each line is changed for itself."""

    def __init__(self, source: IO[bytes]) -> None:
        super().__init__(source)
        self._rest = b""

    def _made_of(self, chunk: bytes) -> bytes:
        text = self._rest + chunk
        end = len(text) if not chunk else max(text.rfind(b"\n"), text.rfind(b"\r")) + 1
        text, self._rest = text[:end], text[end:]
        return self._changed(text)

    def _changed(self, lines: bytes) -> bytes:
        """Give what comes of whole lines."""
        return lines


class _Squeezed(_ByLines):
    """One blank between two cells, however many there are, and none around a line."""

    _BLANKS = re.compile(rb"(?:\A|(?<=[\r\n])) +| +(?=[\r\n]|\Z)|(?<= ) +")

    def _changed(self, lines: bytes) -> bytes:
        return self._BLANKS.sub(b"", lines)


class _WithoutComments(_ByLines):
    """Lines up to the character from which on they are comments, outside quotation marks."""

    def __init__(self, source: IO[bytes], mark: bytes) -> None:
        super().__init__(source)
        self._mark = mark
        self._line = re.compile(comments(mark.decode()).encode())

    def _changed(self, lines: bytes) -> bytes:
        return self._line.sub(rb"\1", lines) if self._mark in lines else lines
