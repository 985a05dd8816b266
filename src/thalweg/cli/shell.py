"""Words as they are typed in a shell.

Not here: which words stand for which setting (:mod:`thalweg.cli.settings`).
"""

from __future__ import annotations

import shlex
from collections.abc import Iterable

from thalweg.errors import on_a_line


def quoted(word: str) -> str:
    r"""Quote a word for a shell; where a terminal would obey it, in the escapes of ``$'…'``.

    Examples
    --------
    >>> print(quoted("flow"), quoted("it's"), quoted("red\x1b[31m"))
    flow 'it'"'"'s' $'red\x1b[31m'
    """
    if on_a_line(word) == word:
        return shlex.quote(word)
    return f"$'{''.join(map(_escaped, word))}'"


def joined(words: Iterable[str]) -> str:
    """Quote the words of a command."""
    return " ".join(map(quoted, words))


def _escaped(character: str) -> str:
    if on_a_line(character) != character:  # byte by byte: of a file's name some may be no text
        return "".join(f"\\x{byte:02x}" for byte in character.encode(errors="surrogateescape"))
    return f"\\{character}" if character in "\\'" else character
