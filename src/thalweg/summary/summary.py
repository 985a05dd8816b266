"""What one pass over the rows leaves: enough for loss, gradient and the exact solution.

For the squared error, everything about n rows follows from the Gram matrix of the columns
``[1, X, y]``, or from its triangular factor R: the loss at any parameters is ``‖R z‖² / n`` with
``z = [parameters…, -1]``, whatever n. The matrix is kept in double-double arithmetic, so that
summaries add up, in any order and from any cut of the rows, to the same answer.

Not here: the kernels (:mod:`thalweg.summary.gram`, :mod:`thalweg.summary.double_double`), digits
that only the rows have (:mod:`thalweg.summary.exact`), other losses than the mean squared error
(:mod:`thalweg.losses`), the loss over a plane (:mod:`thalweg.loss_surface`).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from thalweg.arrays import Array
from thalweg.checks import check_flag, check_parameters
from thalweg.data.array_likes import as_pair, as_real_arrays
from thalweg.data.categories import Categories
from thalweg.data.dataset import Dataset
from thalweg.data.inputs import Data, take
from thalweg.data.names import default_features, shown
from thalweg.errors import InvalidData
from thalweg.interrupts import interruptible
from thalweg.kinds import Whole
from thalweg.numbers import counted
from thalweg.summary.blocks import Tree
from thalweg.summary.double_double import (
    Matrix,
    column_means,
    multiply,
    quadratic_form,
    squares_about,
    standardize,
    triangle,
)
from thalweg.summary.encoding import DIGEST_BYTES, decode, encode
from thalweg.summary.gram import GramSums, add, gram_of
from thalweg.summary.solution import (
    DEPENDENCE,
    Solution,
    loss_error,
    solution_of,
    warn_of_dependence,
)

_BLOCK_NUMBER = Whole("", low=0)


class SquaredError(NamedTuple):
    """What batch descent on the mean squared error needs of the rows.

    Attributes
    ----------
    triangle : ndarray, shape (p + 1, p + 1)
        R, read-only.
    n : float
        The number of rows.
    variance : float
        The target's variance.
    """

    triangle: Array
    n: float
    variance: float


class Summary:
    """Rows, summed up: their number and the triangular factor R of the columns ``[1, X, y]``.

    It is made by :meth:`of`, :meth:`of_batches`, :meth:`of_blocks`, :meth:`merge` and
    :meth:`from_bytes`; the memory it takes is O(d²), whatever the rows. The same rows in the same
    order give the same bits, in memory and in batches, on every machine.

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
    rows_digest : str or None
        The identity of the rows (:mod:`thalweg.data.identity`), where the source that this is
        the summary of was asked for it; no part of :meth:`to_bytes`.

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
        self.features = _checked_names(features, target, len(matrix[0]) - 2)
        self.target = target
        self.name = name
        self.units: dict[str, str] = dict(units or {})
        self.rows_digest: str | None = None
        self._gram = matrix
        # Worked out once for each intercept; a summary does not change.
        self._squared_errors: dict[bool, SquaredError] = {}
        self._solutions: dict[bool, Solution] = {}
        self.refined: dict[bool, Solution] = {}  # by the rows, where these were asked

    # --- Making one -------------------------------------------------------------------------------

    @classmethod
    def of(
        cls,
        data: Data,
        y: Any = None,
        *,
        target: str | None = None,
        features: Sequence[str] | None = None,
        categories: Categories = None,
    ) -> Summary:
        """Sum up rows that are in memory, which are not copied, or those of a scan.

        Parameters
        ----------
        data, y, target, features, categories
            As :func:`thalweg.fit` takes them. Features that are made of categories are those
            beside an intercept; :meth:`thalweg.Dataset.for_intercept` makes the others.

        Raises
        ------
        InvalidData
            On shapes that do not fit together, values that are not finite numbers, no rows.
        """
        rows = take(data, y, target=target, features=features, categories=categories, copy=False)
        if not isinstance(rows, Dataset):
            return rows.summary
        return cls(
            len(rows),
            gram_of(rows.table, rows.y),
            rows.features,
            rows.target,
            name=rows.name,
            units=rows.units,
        )

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
        if not isinstance(batches, Iterable):
            raise InvalidData(
                "batches",
                got=f"a {type(batches).__name__}",
                expected="blocks of rows, (X, y) each",
                advice="rows that are in memory as a whole are for Summary.of",
            )
        sums: GramSums | None = None
        for number, batch in enumerate(batches):
            try:
                block = _block(batch)
                if block is None:
                    continue
                d = block[0].shape[1]
                sums = sums or GramSums(d)
                if d == sums.d:
                    sums.add(*block)
            except InvalidData as error:
                raise InvalidData(f"block {number}, {error}") from None
            if d != sums.d:
                raise _other_columns(f"block {number}", d, sums.d)
        if sums is None:
            raise InvalidData(
                "batches",
                got="no rows",
                expected="at least one block with a row",
                advice="check the filter or the files that the rows come from",
            )
        names = default_features(sums.d) if features is None else features
        _checked_names(names, target, sums.d)
        return cls(sums.n, sums.total(), names, target)

    @classmethod
    def of_blocks(cls, blocks: Iterable[tuple[int, Summary]]) -> Summary:
        """Add up the summaries of numbered blocks of rows, which may come in any order.

        Always as the same tree, by the blocks' numbers: the bits do not depend on who finished
        first. Of blocks of :data:`~thalweg.data.identity.BLOCK_ROWS` rows, the last one perhaps
        shorter, it is to the bit what :meth:`of` gives for all the rows.

        Parameters
        ----------
        blocks : iterable of (int, Summary)
            Each number from 0 on once.

        Raises
        ------
        InvalidData
            On missing or repeated numbers, and on other columns.

        Examples
        --------
        >>> first, second = Summary.of(([[1.0]], [5.0])), Summary.of(([[2.0]], [7.0]))
        >>> Summary.of_blocks([(1, second), (0, first)]).n
        2
        """
        tree: Tree[Summary] = Tree(Summary.merge)
        if not isinstance(blocks, Iterable):
            raise _no_blocks(f"a {type(blocks).__name__}")
        for numbered in blocks:
            pair = tuple(numbered) if isinstance(numbered, Sequence) else ()
            number = _BLOCK_NUMBER.normal(pair[0]) if len(pair) == 2 else None
            if number is None or not isinstance(pair[1], Summary):
                raise _no_blocks(repr(numbered))
            tree.put(number, pair[1])
        return tree.total()

    def merge(self, other: Summary) -> Summary:
        """Give the summary of both sets of rows.

        The order of merging changes nothing beyond the last bits of double-double arithmetic.

        Examples
        --------
        >>> first, second = Summary.of(([[1.0]], [5.0])), Summary.of(([[2.0]], [7.0]))
        >>> first.merge(second).n
        2
        """
        if not isinstance(other, Summary):
            raise InvalidData(
                "other",
                got=f"a {type(other).__name__}",
                expected="a Summary",
                advice="sum up its rows first, with thalweg.Summary.of",
            )
        if (self.features, self.target) != (other.features, other.target):
            raise InvalidData(
                "other",
                got=f"features {other.features!r} and target {other.target!r}",
                expected=f"{self.features!r} and {self.target!r}",
                advice="sum up the same columns in the same order",
            )
        total = add(self._gram, other._gram)
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
        means = column_means(high, low)[1:-1] if intercept else np.zeros(len(self.features))
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
        varies = self.varies(means)
        scales = np.where(varies, scales, 0.0)
        shifts = np.concatenate(([0.0], means, [0.0]))
        units = np.concatenate(([1.0], scales, [1.0]))
        matrix = interruptible(20 * len(shifts) ** 2, standardize, *self._gram, shifts, units)
        return Summary(self.n, matrix, self.features, self.target)

    def varies(self, means: Array) -> NDArray[np.bool_]:
        """Tell which features differ from ``means`` by more than rounding: (d,) each.

        Of the others standardising leaves nothing, in the rows as in their summary.
        """
        found: NDArray[np.bool_] = self._shifted(means)[1]
        return found

    def _shifted(self, means: Array) -> tuple[Array, Any]:
        """Give the squared norms of ``X - means``, and which are more than rounding, (d,) each."""
        left = squares_about(*self._gram, np.concatenate(([0.0], means, [0.0])))
        return left[1:-1], (left > DEPENDENCE * np.diag(self._gram[0]))[1:-1]

    # --- Asking it --------------------------------------------------------------------------------

    def triangle(self, *, intercept: bool = True) -> Array:
        """Give R, the triangular factor of ``[1, X, y]``, or of ``[X, y]``.

        Upper triangular, its diagonal at least zero, each entry rounded from double-double
        arithmetic. The row of a column that depends on those before it is zero. The square of the
        last entry, divided by n, is the least loss, to within ``loss_error`` of :meth:`solve`.

        Parameters
        ----------
        intercept : bool
            Whether the column of ones is there.

        Returns
        -------
        ndarray, shape (p + 1, p + 1)
            With p = d + 1, or d without an intercept; read-only, the same in each call.

        Examples
        --------
        >>> Summary.of(([[3.0], [3.0], [6.0]], [1.0, 2.0, 3.0])).triangle(intercept=False).round(3)
        array([[7.348, 3.674],
               [0.   , 0.707]])
        """
        return self.full_batch(check_flag("intercept", intercept)).triangle

    def full_batch(self, intercept: bool) -> SquaredError:
        """Give R with the number of rows and the target's variance, worked out once."""
        found = self._squared_errors.get(intercept)
        if found is None:
            high, low = self._matrix(intercept=intercept)
            R = interruptible(len(high) ** 3, triangle, high, low, DEPENDENCE)
            R.flags.writeable = False
            about_mean = (R if intercept else self.full_batch(True).triangle)[1:, -1]
            found = SquaredError(R, float(self.n), float(about_mean @ about_mean) / self.n)
            self._squared_errors[intercept] = found
        return found

    def matrix(self, *, intercept: bool = True) -> Matrix:
        """Give the Gram matrix of ``[1, X, y]``, or of ``[X, y]``: its high and its low parts.

        They are copies: what is done with them changes no answer.
        """
        high, low = self._matrix(intercept=check_flag("intercept", intercept))
        return high.copy(), low.copy()

    def _matrix(self, *, intercept: bool) -> Matrix:
        high, low = self._gram
        if check_flag("intercept", intercept):
            return high, low
        return high[1:, 1:].copy(), low[1:, 1:].copy()

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
        dependent. The loss is right to some 1e-30 of the mean square of the terms that cancel in
        it, and for certain to within the solution's ``loss_error``. None of these digits are lost
        by :func:`thalweg.solve`, which has the rows.

        Warns
        -----
        ThalwegWarning
            Where columns depend on one another, or rows are fewer than parameters.

        Examples
        --------
        >>> Summary.of(([[1.0], [2.0], [3.0]], [5.0, 7.0, 9.0])).solve().weights
        array([2.])
        """
        solution = self.solution(intercept=intercept)
        warn_of_dependence(solution, self.n)
        return solution

    def solution(self, *, intercept: bool = True) -> Solution:
        """Give what :meth:`solve` gives, without a warning, worked out once."""
        found = self._solutions.get(check_flag("intercept", intercept))
        if found is None:
            matrix = self._matrix(intercept=intercept)
            found = solution_of(matrix, self.n, self.features, intercept=intercept)
            found.weights.flags.writeable = False
            self._solutions[intercept] = found
        return found

    def loss(self, parameters: ArrayLike, *, intercept: bool = True) -> float:
        """Give the mean squared error at any parameters: never negative.

        It is right to within :meth:`loss_error`. From the Gram matrix and not from R, whose zero
        rows leave out what dependent columns still have beside each other.

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
        return abs(quadratic_form(*self._matrix(intercept=intercept), z)) / self.n

    def loss_error(self, parameters: ArrayLike, *, intercept: bool = True) -> float:
        """Bound what :meth:`loss` is off by, which the rows themselves would tell.

        Examples
        --------
        >>> summary = Summary.of(([[1.0], [2.0]], [1e15, 1e15]))
        >>> summary.loss_error([1e15, 0.0]) > 1e4
        True
        """
        loss = self.loss(parameters, intercept=intercept)
        z = self._residual_coefficients(parameters, intercept)
        return loss_error(self._matrix(intercept=intercept)[0], z[:-1], self.n, loss)

    def gradient(self, parameters: ArrayLike, *, intercept: bool = True) -> Array:
        """Give the gradient of the mean squared error at any parameters, shape (p,).

        Examples
        --------
        >>> Summary.of(([[1.0], [2.0]], [5.0, 7.0])).gradient([3.0, 1.0])
        array([-3., -5.])
        """
        z = self._residual_coefficients(parameters, intercept)
        high, _ = multiply(*self._matrix(intercept=intercept), z)
        return (2.0 / self.n) * high[:-1]

    def hessian(self, *, intercept: bool = True) -> Array:
        """Give the Hessian of the mean squared error, the same everywhere, shape (p, p).

        Examples
        --------
        >>> Summary.of(([[1.0], [2.0]], [5.0, 7.0])).hessian()
        array([[2., 3.],
               [3., 5.]])
        """
        high, _ = self._matrix(intercept=intercept)
        return (2.0 / self.n) * high[:-1, :-1]

    def __repr__(self) -> str:
        rows = counted(self.n, "row")
        return f"Summary({rows}, features={shown(self.features)}, target={self.target!r})"

    def _repr_html_(self) -> str:
        from thalweg.pages.notebook import summary_html  # only in a notebook

        return summary_html(self)

    # --- Sending it -------------------------------------------------------------------------------

    def to_bytes(self) -> bytes:
        """Give all of it as bytes, for a file or another machine; :meth:`from_bytes` reads them.

        The layout is described in :mod:`thalweg.summary.encoding`.
        """
        return encode(self.n, self._gram, self.features, self.target)

    @property
    def digest(self) -> str:
        """The SHA-256 that :meth:`to_bytes` ends with: whether two summaries are the same."""
        return self.to_bytes()[-DIGEST_BYTES:].hex()

    @classmethod
    def from_bytes(cls, content: bytes | bytearray | memoryview) -> Summary:
        """Take back what :meth:`to_bytes` gave.

        Raises
        ------
        UnreadableFile
            On bytes that are no summary, are cut short or altered, or of another version.

        Examples
        --------
        >>> Summary.from_bytes(Summary.of(([[1.0]], [5.0])).to_bytes())
        Summary(1 row, features=('x',), target='y')
        """
        return cls(*decode(content))

    # --- Inside -----------------------------------------------------------------------------------

    def _residual_coefficients(self, parameters: ArrayLike, intercept: bool) -> Array:
        """Give z with ``[1, X, y] z`` the residuals: [parameters…, -1]."""
        p = len(self.features) + check_flag("intercept", intercept)
        return np.append(check_parameters("parameters", parameters, p), -1.0)


# --- Rows on their way in -------------------------------------------------------------------------


def _block(batch: tuple[Any, Any]) -> tuple[Any, Any] | None:
    """Take a block of rows; None where it has no rows."""
    X, y = as_pair(batch)
    if np.shape(y)[:1] == (0,) and np.shape(X)[:1] == (0,):
        return None
    return as_real_arrays(X, y)


# --- Sentences ------------------------------------------------------------------------------------


def _checked_names(features: Sequence[str], target: str, d: int) -> tuple[str, ...]:
    several = isinstance(features, Iterable) and not isinstance(features, str)
    names = tuple(features) if several else ()
    for argument, given in (("features", names), ("target", (target,))):
        if not given or not all(isinstance(name, str) for name in given):
            raise InvalidData(
                argument,
                got=repr(features if argument == "features" else target),
                expected="names as texts",
                advice="write them as str, such as ['x1', 'x2'] and 'y'",
            )
    if len(names) != d:
        raise _other_columns("features", len(names), d)
    if len({*names, target}) != d + 1:
        raise InvalidData(
            "features",
            got=f"{names!r} with target {target!r}",
            expected=f"{d} different names, none the target's",
            advice="name each column once",
        )
    return names


def _no_blocks(got: str) -> InvalidData:
    return InvalidData(
        "blocks",
        got=got,
        expected="pairs of a block's number, from 0 on, and its Summary",
        advice="number the blocks in the order of their rows",
    )


def _other_columns(argument: str, got: int, expected: int) -> InvalidData:
    return InvalidData(
        argument,
        got=counted(got, "feature"),
        expected=f"{expected}, as before",
        advice="give every block the same columns",
    )
