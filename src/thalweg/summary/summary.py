"""What one pass over the rows leaves: enough for loss, gradient and the exact solution.

For the squared error, everything about n rows follows from the Gram matrix of the columns
``[1, X, y]``, or from its triangular factor R: the loss at any parameters is ``‖R z‖² / n`` with
``z = [parameters…, -1]``, whatever n. The matrix is kept in double-double arithmetic, so that
summaries add up, in any order and from any cut of the rows, to the same answer.

Not here: the kernels (:mod:`thalweg.summary.gram`, :mod:`thalweg.summary.double_double`), other
losses than the mean squared error (:mod:`thalweg.losses`), the loss over a plane
(:mod:`thalweg.loss_surface`).
"""

from __future__ import annotations

import hashlib
import json
import struct
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from thalweg.arrays import Array
from thalweg.checks import check_parameters
from thalweg.data.dataset import Data, Dataset, as_arrays, as_pair
from thalweg.data.names import default_features
from thalweg.data.scanning import Scan
from thalweg.errors import InvalidData, UnreadableFile, sentence
from thalweg.summary.double_double import Matrix, multiply, squared_norm, standardize, triangle
from thalweg.summary.gram import add, gram_of, in_spans
from thalweg.summary.refinement import Spans, refine
from thalweg.summary.solution import DEPENDENCE, RESOLUTION, Solution, solution_of

MAGIC = b"thalweg summary\n"
VERSION = 1


def solve(data: Data | Scan, *, intercept: bool = True) -> Solution:
    r"""Give the exact least-squares answer, never by descent, never truncated by a default.

    .. math:: \min_{b, w} \frac1n \sum_i (b + x_i^\top w - y_i)^2

    Parameters
    ----------
    data : Dataset, (X, y) or Scan
    intercept : bool
        Whether there is a bias.

    Returns
    -------
    Solution
        Where columns depend on one another, that of :meth:`Summary.solve`, which says when they
        do. Otherwise all digits are right, the last one perhaps excepted, while the condition
        number of the columns, each scaled to norm one, is below 1e13: where the Gram matrix
        alone would lose some, passes over the rows correct the answer.

    Raises
    ------
    InvalidData
        On shapes that do not fit together, values that are not finite numbers, no rows.

    Warns
    -----
    ThalwegWarning
        Where columns depend on one another, or rows are fewer than parameters.

    Examples
    --------
    >>> solution = solve(([[1.0], [2.0], [3.0]], [5.0, 7.0, 9.0]))
    >>> solution.bias, solution.weights, solution.loss
    (3.0, array([2.]), 0.0)
    """
    summary = data.summary if isinstance(data, Dataset) else Summary.of(data)
    solution = summary.solve(intercept=intercept)
    if solution.dependent:
        return solution
    matrix = summary._columns(intercept)
    refined = refine(_spans_of(data), summary.n, matrix, solution.parameters, intercept=intercept)
    return solution if refined is None else solution.refined(*refined)


class Summary:
    """Rows, summed up: their number and the triangular factor R of the columns ``[1, X, y]``.

    It is made by :meth:`of`, :meth:`of_batches`, :meth:`merge` and :meth:`from_bytes`; the memory
    it takes is O(d²), whatever the rows.

    Attributes
    ----------
    n : int
        The number of rows.
    features : tuple of str
        The d names.
    target : str
        The target's name.
    name : str
        What the rows are, for titles; no part of :meth:`to_bytes`.
    units : dict of str to str
        The units of the columns that have one, for axes; no part of :meth:`to_bytes`.

    Examples
    --------
    >>> summary = Summary.of(([[1.0], [2.0], [3.0]], [5.0, 7.0, 9.5]))
    >>> summary
    Summary(3 rows, features=('x',), target='y')
    >>> summary.loss([3.0, 2.0])
    0.0833...
    """

    def __init__(
        self,
        n: int,
        matrix: Matrix,
        features: Sequence[str],
        target: str,
        *,
        name: str = "",
        units: Mapping[str, str] | None = None,
    ) -> None:
        self.n = n
        self.features = tuple(features)
        self.target = target
        self.name = name
        self.units: dict[str, str] = dict(units or {})
        self._gram = matrix
        self._triangles: dict[bool, Matrix] = {}
        self._full_batches: dict[bool, tuple[Array, float, float]] = {}

    # --- Making one -------------------------------------------------------------------------------

    @classmethod
    def of(cls, data: Data | Scan) -> Summary:
        """Sum up rows that are in memory, which are not copied, or those of a scan.

        Parameters
        ----------
        data : Dataset, (X, y) or Scan

        Raises
        ------
        InvalidData
            On shapes that do not fit together, values that are not finite numbers, no rows.
        """
        if isinstance(data, Dataset):
            return cls(
                len(data),
                gram_of(data.X, data.y),
                data.features,
                data.target,
                name=data.name,
                units=data.units,
            )
        if isinstance(data, Scan):
            return data.summary
        X, y = _real_arrays(*as_pair(data))
        return cls(len(y), gram_of(X, y), default_features(X.shape[1]), "y")

    @classmethod
    def of_batches(
        cls,
        batches: Iterable[tuple[Any, Any]],
        *,
        features: Sequence[str] | None = None,
        target: str = "y",
    ) -> Summary:
        """Sum up rows that come in blocks, of which one at a time is looked at.

        Parameters
        ----------
        batches : iterable of (X, y)
            Blocks of rows with the same columns; a block may have no rows.
        features : sequence of str, optional
            The d names; ``x``, or ``x1 … xd``, when left out.
        target : str
            The target's name.

        Raises
        ------
        InvalidData
            As :meth:`of` does, and on blocks with different numbers of columns.

        Examples
        --------
        >>> Summary.of_batches([([[1.0], [2.0]], [5.0, 7.0]), ([[3.0]], [9.5])]).n
        3
        """
        total: Matrix | None = None
        n = 0
        for number, batch in enumerate(batches):
            try:
                block = _block(batch)
                part = None if block is None else gram_of(*block)
            except InvalidData as error:
                raise InvalidData(f"block {number}, {error}") from None
            if block is None or part is None:
                continue
            if total is not None and len(part[0]) != len(total[0]):
                raise _other_columns(f"block {number}", len(part[0]) - 2, len(total[0]) - 2)
            n += len(block[1])
            total = part if total is None else add(total, part)
        if total is None:
            raise InvalidData(
                sentence(
                    "batches",
                    got="no rows",
                    expected="at least one block with a row",
                    advice="check the filter or the files that the rows come from",
                )
            )
        d = len(total[0]) - 2
        names = default_features(d) if features is None else tuple(features)
        if len(names) != d:
            raise _other_columns("features", len(names), d)
        return cls(n, total, names, target)

    def merge(self, other: Summary) -> Summary:
        """Give the summary of both sets of rows.

        The order of merging changes nothing beyond the last bits of double-double arithmetic.

        Examples
        --------
        >>> first, second = Summary.of(([[1.0]], [5.0])), Summary.of(([[2.0]], [7.0]))
        >>> first.merge(second).n
        2
        """
        if (self.features, self.target) != (other.features, other.target):
            raise InvalidData(
                sentence(
                    "other",
                    got=f"features {other.features!r} and target {other.target!r}",
                    expected=f"{self.features!r} and {self.target!r}",
                    advice="sum up the same columns in the same order",
                )
            )
        total = add((self._gram[0].copy(), self._gram[1].copy()), other._gram)
        n = self.n + other.n
        return Summary(n, total, self.features, self.target, name=self.name, units=self.units)

    def standardized(self, *, intercept: bool = True) -> tuple[Summary, Array, Array]:
        """Give the summary that the same rows have once their features are standardised.

        By algebra alone: no row is touched, and the target is left as it is.

        Parameters
        ----------
        intercept : bool
            Without an intercept nothing could make up for a shift: features are only scaled, to
            mean square 1.

        Returns
        -------
        summary : Summary
            Of the features ``(X - means) / scales``, which have mean 0 and standard deviation 1.
        means : ndarray, shape (d,)
        scales : ndarray, shape (d,)
            The standard deviations of the n rows (``ddof=0``); 1 for a constant feature, which
            becomes zero.

        Examples
        --------
        >>> summary, means, scales = Summary.of(([[1.0], [3.0]], [5.0, 9.0])).standardized()
        >>> means, scales, summary.solve().parameters
        (array([2.]), array([1.]), array([7., 2.]))
        """
        high, low = self._gram
        means = (high[0, 1:-1] + low[0, 1:-1]) / self.n
        if not intercept:
            means = np.zeros_like(means)
        left, varies = self._shifted(means)
        scales = np.sqrt(np.where(varies, left, self.n) / self.n)
        return self.rescaled(means, scales), means, scales

    def rescaled(self, means: Array, scales: Array) -> Summary:
        """Give the summary that the same rows have with the features ``(X - means) / scales``.

        By algebra alone. A feature of which the shift leaves nothing becomes zero.

        Parameters
        ----------
        means, scales : ndarray, shape (d,)

        Examples
        --------
        >>> summary = Summary.of(([[1.0], [3.0]], [5.0, 9.0]))
        >>> summary.rescaled(np.array([1.0]), np.array([2.0])).solve().parameters
        array([5., 4.])
        """
        _, varies = self._shifted(means)
        scales = np.where(varies, scales, 0.0)
        matrix = standardize(
            *self._gram,
            np.concatenate(([0.0], means, [0.0])),
            np.concatenate(([1.0], scales, [1.0])),
        )
        return Summary(self.n, matrix, self.features, self.target)

    def _shifted(self, means: Array) -> tuple[Array, Any]:
        """Give the squared norms of ``X - means``, and which are more than rounding, (d,) each."""
        high, low = self._gram
        shifts = np.concatenate(([0.0], means, [0.0]))
        left = np.diag(standardize(high, low, shifts, np.ones_like(shifts))[0])
        return left[1:-1], (left > DEPENDENCE * np.diag(high))[1:-1]

    # --- Asking it --------------------------------------------------------------------------------

    def triangle(self, *, intercept: bool = True) -> Array:
        """Give R, the triangular factor of ``[1, X, y]``, or of ``[X, y]``.

        Upper triangular, its diagonal at least zero, each entry rounded from double-double
        arithmetic. The row of a column that depends on those before it is zero.

        Parameters
        ----------
        intercept : bool
            Whether the column of ones is there.

        Returns
        -------
        ndarray, shape (p + 1, p + 1)
            With p = d + 1, or d without an intercept.

        Examples
        --------
        >>> Summary.of(([[3.0], [3.0], [6.0]], [1.0, 2.0, 3.0])).triangle(intercept=False).round(3)
        array([[7.348, 3.674],
               [0.   , 0.707]])
        """
        return self._triangle(intercept)[0].copy()

    def full_batch(self, *, intercept: bool) -> tuple[Array, float, float]:
        """Give what batch descent needs of the rows, not to be written to: worked out once.

        That is :meth:`triangle`, the number of rows, and the target's variance.
        """
        if intercept not in self._full_batches:
            about_mean = self.triangle()[1:, -1]
            variance = float(about_mean @ about_mean) / self.n
            self._full_batches[intercept] = (
                self.triangle(intercept=intercept),
                float(self.n),
                variance,
            )
        return self._full_batches[intercept]

    def solve(self, *, intercept: bool = True) -> Solution:
        """Give the exact least-squares answer.

        Where it is not unique, it is the one of smallest Euclidean norm of all the parameters,
        the bias among them: what ``numpy.linalg.lstsq`` gives on ``[1, X]``, and where gradient
        descent ends that starts from zero. A constant feature then shares the intercept with the
        bias.

        A column counts as dependent where what the others leave of it is below 1.4e-14 (64 units
        in the last place) of the terms that cancel there. Columns that were made from others in
        float64 are some 1e-16 away, and double-double arithmetic resolves 3e-15.

        With κ the condition number of the columns, each scaled to norm one, about
        ``30 - 2 log₁₀ κ`` digits of the parameters hold, 16 at most: all of them up to κ = 1e7;
        13 at offsets of 1e8 standard deviations; 11 or 12 on polynomials like NIST's Filip, of
        tenth degree on [-9, -3]; 9 at κ = 3e10; 3 at 3e13, near which columns begin to count as
        dependent. The loss is right to some 1e-30 of the mean square of the target. None of these
        digits are lost by :func:`solve`, which has the rows.

        Warns
        -----
        ThalwegWarning
            Where columns depend on one another, or rows are fewer than parameters.

        Examples
        --------
        >>> Summary.of(([[1.0], [2.0], [3.0]], [5.0, 7.0, 9.0])).solve().weights
        array([2.])
        """
        return solution_of(self._columns(intercept), self.n, self.features, intercept=intercept)

    def loss(self, parameters: ArrayLike, *, intercept: bool = True) -> float:
        """Give the mean squared error at any parameters: never negative.

        Parameters
        ----------
        parameters : array-like, shape (p,)
            [bias, weights…], or the weights without an intercept.
        intercept : bool

        Examples
        --------
        >>> Summary.of(([[1.0], [2.0]], [5.0, 7.0])).loss([3.0, 1.0])
        2.5
        """
        z = self._residual_coefficients(parameters, intercept)
        return squared_norm(*multiply(*self._triangle(intercept), z)) / self.n

    def gradient(self, parameters: ArrayLike, *, intercept: bool = True) -> Array:
        """Give the gradient of the mean squared error at any parameters, shape (p,).

        Examples
        --------
        >>> Summary.of(([[1.0], [2.0]], [5.0, 7.0])).gradient([3.0, 1.0])
        array([-3., -5.])
        """
        z = self._residual_coefficients(parameters, intercept)
        high, _ = multiply(*self._columns(intercept), z)
        return (2.0 / self.n) * high[:-1]

    def hessian(self, *, intercept: bool = True) -> Array:
        """Give the Hessian of the mean squared error, the same everywhere, shape (p, p).

        Examples
        --------
        >>> Summary.of(([[1.0], [2.0]], [5.0, 7.0])).hessian()
        array([[2., 3.],
               [3., 5.]])
        """
        high, _ = self._columns(intercept)
        return (2.0 / self.n) * high[:-1, :-1]

    def __repr__(self) -> str:
        return f"Summary({self.n:,} rows, features={self.features!r}, target={self.target!r})"

    def _repr_html_(self) -> str:
        from thalweg.pages.notebook import summary_html  # only in a notebook

        return summary_html(self)

    # --- Sending it -------------------------------------------------------------------------------

    def to_bytes(self) -> bytes:
        """Give all of it as bytes, for a file or another machine; :meth:`from_bytes` reads them.

        Sixteen bytes of name; version and header length, each a little-endian 32-bit integer; a
        JSON header with ``n``, ``features`` and ``target``; the upper triangles of the Gram
        matrix's high and low parts, row by row, in little-endian float64; the SHA-256 of it all.
        """
        names = {"n": self.n, "features": self.features, "target": self.target}
        header = json.dumps(names).encode()
        upper = np.triu_indices(len(self._gram[0]))
        body = b"".join(part[upper].astype("<f8").tobytes() for part in self._gram)
        content = MAGIC + struct.pack("<II", VERSION, len(header)) + header + body
        return content + hashlib.sha256(content).digest()

    @property
    def digest(self) -> str:
        """The SHA-256 that :meth:`to_bytes` ends with: whether two summaries are the same."""
        return self.to_bytes()[-32:].hex()

    @classmethod
    def from_bytes(cls, content: bytes) -> Summary:
        """Take back what :meth:`to_bytes` gave.

        Raises
        ------
        UnreadableFile
            On bytes that are no summary, are cut short or altered, or come from a newer version.

        Examples
        --------
        >>> Summary.from_bytes(Summary.of(([[1.0]], [5.0])).to_bytes())
        Summary(1 rows, features=('x',), target='y')
        """
        start = len(MAGIC) + 8
        if content[: len(MAGIC)] != MAGIC or len(content) < start:
            raise _unreadable("bytes that are not a summary")
        version, length = struct.unpack("<II", content[len(MAGIC) : start])
        if version > VERSION:
            raise _unreadable(f"a summary of version {version}")
        if hashlib.sha256(content[:-32]).digest() != content[-32:]:
            raise _unreadable("a summary that was cut short or altered")
        header = json.loads(content[start : start + length])
        width = len(header["features"]) + 2
        parts = np.frombuffer(content[start + length : -32], "<f8").reshape(2, -1)
        upper = np.triu_indices(width)
        matrices = np.zeros((2, width, width))
        for matrix, part in zip(matrices, parts, strict=True):
            matrix[upper] = part
            matrix.T[upper] = part
        return cls(header["n"], (matrices[0], matrices[1]), header["features"], header["target"])

    # --- Inside -----------------------------------------------------------------------------------

    def _columns(self, intercept: bool) -> Matrix:
        """Give the Gram matrix of ``[1, X, y]``, or of ``[X, y]``."""
        if intercept:
            return self._gram
        high, low = self._gram
        return high[1:, 1:].copy(), low[1:, 1:].copy()

    def _triangle(self, intercept: bool) -> Matrix:
        """Give R in double-double arithmetic, worked out once."""
        if intercept not in self._triangles:
            self._triangles[intercept] = triangle(*self._columns(intercept), DEPENDENCE, RESOLUTION)
        return self._triangles[intercept]

    def _residual_coefficients(self, parameters: ArrayLike, intercept: bool) -> Array:
        """Give z with ``[1, X, y] z`` the residuals: [parameters…, -1]."""
        p = len(self.features) + bool(intercept)
        return np.append(check_parameters("parameters", parameters, p), -1.0)


# --- Rows on their way in -------------------------------------------------------------------------


def _spans_of(data: Data | Scan) -> Spans:
    """Give what hands out the rows span by span, anew for each pass."""
    if isinstance(data, Scan):
        return lambda work: (work(X, y) for X, y in data.batches())
    X, y = (data.X, data.y) if isinstance(data, Dataset) else _real_arrays(*as_pair(data))
    return lambda work: in_spans(work, X, y)


def _real_arrays(X: Any, y: Any) -> tuple[Any, Any]:
    """Check the shapes, (n, d) and (n,), without a copy of a big array of another real type."""
    if not all(type(part) is np.ndarray and part.dtype.kind in "iuf" for part in (X, y)):
        return as_arrays(X, y)
    if X.dtype == y.dtype == np.float64:
        return as_arrays(X, y)
    stand_ins = (np.broadcast_to(0.0, np.shape(part)) for part in (X, y))
    as_arrays(*stand_ins)
    return (X[:, np.newaxis] if X.ndim == 1 else X), (y[:, 0] if y.ndim == 2 else y)


def _block(batch: tuple[Any, Any]) -> tuple[Any, Any] | None:
    """Take a block of rows; None where it has no rows."""
    X, y = as_pair(batch)
    if np.shape(y)[:1] == (0,) and np.shape(X)[:1] == (0,):
        return None
    return _real_arrays(X, y)


# --- Sentences ------------------------------------------------------------------------------------


def _other_columns(argument: str, got: int, expected: int) -> InvalidData:
    return InvalidData(
        sentence(
            argument,
            got=f"{got} features",
            expected=f"{expected}, as before",
            advice="give every block the same columns",
        )
    )


def _unreadable(got: str) -> UnreadableFile:
    return UnreadableFile(
        sentence(
            "content",
            got=got,
            expected=f"the bytes of a summary, version {VERSION} at most",
            advice="sum the rows up again, or update thalweg",
        )
    )
