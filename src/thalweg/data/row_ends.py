"""Where the rows of a text end, in native code: line ends inside quotation marks are none.

As Arrow's parser, Python's and pandas' have it, a quotation mark opens a cell only where it stands
at its beginning: inches and seconds inside a cell are marks like others. Not here: anything else
about a text (:mod:`thalweg.data.delimited`).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from thalweg.native import native

QUOTE, NEWLINE, RETURN = 34, 10, 13
_BEGIN, _PLAIN, _QUOTED, _AFTER = 0, 1, 2, 3  # where in a cell


@native()
def scan_rows(content: NDArray[np.uint8], delimiter: int, line_end: int) -> tuple[int, bool, int]:
    """Go through a text that begins with a row.

    Parameters
    ----------
    content : ndarray of uint8, shape (k,)
    delimiter, line_end : int
        The bytes.

    Returns
    -------
    end : int
        Just behind the last line end that ends a row; 0 if there is none.
    within : bool
        Whether a cell in the rows before it holds a line end.
    open : int
        Where the quotation mark stands that is open at the end; -1 if none is.
    """
    state, end, opened, within, held = _BEGIN, 0, -1, False, False
    for i in range(content.size):
        byte = content[i]
        if state == _QUOTED:
            if byte == QUOTE:
                state = _AFTER
            elif byte in (NEWLINE, RETURN):
                held = True
        elif byte == line_end:
            state, end, within = _BEGIN, i + 1, within or held
        elif byte == delimiter:
            state = _BEGIN
        elif byte == QUOTE and state != _PLAIN:  # behind a closed one it is a mark of the cell
            state, opened = _QUOTED, (i if state == _BEGIN else opened)
        else:
            state = _PLAIN
    return end, within, opened if state == _QUOTED else -1
