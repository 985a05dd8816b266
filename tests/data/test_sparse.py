"""Rows that are mostly zero are held so, and all that is done with them is as with their table."""

from __future__ import annotations

import copy
import pickle
from typing import Any

import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray
from scipy import sparse

import thalweg
import thalweg.data.compact
import thalweg.data.dataset
from thalweg.data.compact import PART_CELLS, SparseRows, parts
from thalweg.errors import InvalidData, InvalidSetting
from thalweg.export import to_pytorch
from thalweg.pages.report import report_page

Array = NDArray[np.float64]

N, D = 70, 9
RNG = np.random.default_rng(3)
# Without negative zeros, of which a sparse matrix has none.
X: Array = RNG.normal(3.0, 1.0, (N, D)) * (RNG.random((N, D)) < 0.3) + 0.0
Y = X @ np.linspace(-2.0, 3.0, D) + 4.0 + RNG.normal(0.0, 0.1, N)
MATRIX: Any = sparse.csr_array(X)

FORMATS = ["csr", "csc", "coo", "lil", "dok", "bsr", "dia"]
OF_PREDICTIONS = 1e-13  # where a sum is in another order


@pytest.fixture(params=[True, False], ids=["a table", "a few rows at a time"])
def held(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> bool:
    """Rows of which the table is made at once, or never without need."""
    if not request.param:
        monkeypatch.setattr(thalweg.data.dataset, "is_small", lambda table: False)
    return bool(request.param)


# --- What comes in --------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["array", "matrix"])
@pytest.mark.parametrize("form", FORMATS)
def test_every_format_is_the_same_rows(form: str, kind: str, held: bool) -> None:
    data = thalweg.Dataset(getattr(sparse, f"{form}_{kind}")(X), Y)
    expected = thalweg.Dataset(X, Y)
    assert (data.is_dense, data.features, data.n) == (held, expected.features, N)
    assert data.summary.to_bytes() == expected.summary.to_bytes()
    assert data.digest == expected.digest
    np.testing.assert_array_equal(data.X, X)
    assert not data.X.flags.writeable


@pytest.mark.parametrize("dtype", [bool, np.int8, np.int64, np.uint16, np.float32])
def test_every_real_type_is_taken(dtype: Any) -> None:
    values = sparse.csr_array((X * 9).astype(dtype))
    expected = thalweg.Dataset(values.toarray().astype(float), Y)
    assert thalweg.Dataset(values, Y).digest == expected.digest


def test_what_stands_twice_is_added_up_and_the_rows_are_a_copy() -> None:
    twice = sparse.csr_array(([1.0, 2.0, 4.0], [1, 1, 0], [0, 2, 3]), shape=(2, 2))
    rows = SparseRows.of(twice)
    assert thalweg.Dataset(twice, [1.0, 2.0]).X.tolist() == [[0.0, 3.0], [4.0, 0.0]]
    twice.data[:] = 1e308  # each is finite
    assert np.asarray(rows).tolist() == [[0.0, 3.0], [4.0, 0.0]]
    with pytest.raises(InvalidData, match="got inf at row 0, column 1"):
        thalweg.Dataset(twice, [1.0, 2.0])
    assert thalweg.Dataset(sparse.csr_array((N, D)), Y).X.any() == np.False_


EXPECTED = (
    "expected real numbers in shape (n, d), with a row and a feature at least; make it of "
    "float64, a row for each observation"
)


@pytest.mark.parametrize(
    ("values", "got"),
    [
        (sparse.csr_array(X.astype(complex)), "complex128, shape (70, 9)"),
        (sparse.coo_array(X[:, 0]), "float64, shape (70,)"),
        (sparse.csr_array((0, D)), "float64, shape (0, 9)"),
        (sparse.csr_array((N, 0)), "float64, shape (70, 0)"),
    ],
)
def test_what_is_no_table_of_numbers_is_refused(values: Any, got: str) -> None:
    for take in (lambda: thalweg.Dataset(values, Y), lambda: thalweg.solve(values, Y)):
        with pytest.raises(InvalidData) as error:
            take()
        assert str(error.value) == f"X: got a sparse array of {got}, {EXPECTED}"


@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_a_value_that_is_not_finite_is_said_where_it_stands(form: str, value: float) -> None:
    bad = X.copy()
    bad[[5, 7], [3, 1]] = value
    run = thalweg.fit(X, Y, epochs=1)
    values = sparse.csr_array(bad).asformat(form)
    for take in (thalweg.Dataset, thalweg.solve, lambda X, y: run.predict(X)):
        with pytest.raises(InvalidData) as error:
            take(values, Y)
        assert str(error.value) == (
            f"X: got {value} at row 5, column 3 (2 such values in all), expected finite numbers; "
            "drop those rows or fill them in first"
        )


@pytest.mark.parametrize(
    ("y", "said"),
    [
        (Y[:-1], "X and y: got shapes (70, 9) and (69,)"),
        (np.where(np.arange(N) == 3, np.nan, Y), "y: got nan at row 3 (1 such values in all)"),
        (sparse.csr_array(Y[:, None]), "y: got a sparse matrix, expected"),
    ],
)
def test_the_target_is_checked_as_beside_a_table(y: Any, said: str) -> None:
    with pytest.raises(InvalidData) as error:
        thalweg.Dataset(MATRIX, y)
    assert str(error.value).startswith(said)


def test_names_and_pairs_are_as_of_an_array() -> None:
    names = [f"f{j}" for j in range(D)]
    assert thalweg.Dataset(MATRIX, pd.Series(Y, name="q")).target == "q"
    data = thalweg.Dataset(MATRIX, Y, features=names, target="t")
    assert (data.features, data.target) == (tuple(names), "t")
    assert thalweg.fit((MATRIX, Y), epochs=1).names == thalweg.fit(X, Y, epochs=1).names
    with pytest.raises(InvalidData, match="9 different names"):
        thalweg.Dataset(MATRIX, Y, features=["a"])
    with pytest.raises(InvalidData, match="got csr_array of shape \\(70, 9\\) without a target"):
        thalweg.fit(MATRIX)
    with pytest.raises(InvalidSetting, match="a setting for a csr_array"):
        thalweg.Dataset(MATRIX, Y, categories="all")


# --- What is done with them -----------------------------------------------------------------------


FITS: list[dict[str, Any]] = [
    {},
    {"batch_size": 8},
    {"batch_size": 9, "drop_last": True, "record": "step", "standardize": True},
    {"loss": "huber", "delta": 0.5},
    {"loss": "l1", "batch_size": 5, "intercept": False},
    {"standardize": True},
    {"intercept": False, "standardize": True},
    {"optimizer": "sgd", "lr": 0.01, "tolerance": 0.5, "epochs": 200},
]
OF_ALL: list[dict[str, Any]] = [
    {"batch_size": 8, "shuffle": True},
    {"batch_sampler": [[0, 1], [5]]},
    {"engine": "reference", "batch_size": 8},
]


@pytest.mark.parametrize("asked", [*FITS, *OF_ALL], ids=str)
def test_a_fit_is_that_of_the_table_to_the_bit(asked: dict[str, Any], held: bool) -> None:
    settings = {"epochs": 3, "seed": 2, **asked}
    data, expected = thalweg.Dataset(MATRIX, Y), thalweg.fit(X, Y, **settings)
    run = thalweg.fit(data, **settings)
    assert data.is_dense is (held or asked in OF_ALL)
    assert run.path.tobytes() == expected.path.tobytes()
    assert run.loss.tobytes() == expected.loss.tobytes()
    assert run.outcome is expected.outcome
    assert thalweg.explain(run).text == thalweg.explain(expected).text


@pytest.mark.parametrize("intercept", [True, False])
def test_the_answer_is_that_of_numpy(intercept: bool, held: bool) -> None:
    design = np.c_[np.ones(N), X] if intercept else X
    least = np.linalg.lstsq(design, Y, rcond=None)[0]
    solution = thalweg.solve(MATRIX, Y, intercept=intercept)
    np.testing.assert_allclose(solution.parameters, least, rtol=1e-12, atol=1e-12)
    expected = thalweg.solve(X, Y, intercept=intercept)
    assert solution.parameters.tobytes() == expected.parameters.tobytes()
    assert solution.loss == expected.loss


def test_copies_and_selections_are_held_so_too(held: bool) -> None:
    data = thalweg.Dataset(MATRIX, Y)
    for again in (copy.deepcopy(data), pickle.loads(pickle.dumps(data))):  # noqa: S301  # our own
        assert (again.is_dense, again.digest) == (held, data.digest)
    chosen = ["x7", "x2"]
    some, expected = data.select(chosen), thalweg.Dataset(X, Y).select(chosen)
    assert (some.is_dense, some.features, some.digest) == (held, ("x7", "x2"), expected.digest)
    assert some.summary.to_bytes() == expected.summary.to_bytes()
    assert data.for_intercept(False) is data


@pytest.mark.parametrize("form", FORMATS)
def test_predictions_are_those_of_the_table(form: str) -> None:
    run = thalweg.fit(X, Y, epochs=5)
    got = run.predict(MATRIX.asformat(form))
    np.testing.assert_allclose(got, run.predict(X), rtol=OF_PREDICTIONS)
    with pytest.raises(InvalidData, match="got shape \\(70, 8\\), expected \\(m, 9\\)"):
        run.predict(MATRIX[:, :8].asformat(form))


def test_parts_are_all_the_rows_in_their_order() -> None:
    n = 3 * PART_CELLS // D + 5
    rows = SparseRows.of(sparse.random_array((n, D), density=0.1, rng=np.random.default_rng(1)))
    given = [*parts(rows)]
    assert len(given) == 4
    assert max(X.size for _, X in given) <= PART_CELLS
    np.testing.assert_array_equal(np.concatenate([X for _, X in given]), np.asarray(rows))
    assert [part.start for part, _ in given[1:]] == [part.stop for part, _ in given[:-1]]


def test_a_table_that_is_too_large_is_never_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is shown, explained and written of a fit that needed no table needs none either."""
    monkeypatch.setattr(thalweg.data.dataset, "is_small", lambda table: False)
    monkeypatch.setattr(thalweg.data.compact, "MOST_BYTES", 8 * 500 * 20)
    monkeypatch.setattr(thalweg.data.compact, "PART_CELLS", 2000)
    values = sparse.random_array((500, 40), density=0.05, rng=np.random.default_rng(1))
    y = np.arange(500.0)
    for asked in ({}, {"loss": "huber"}, {"batch_size": 50, "optimizer": "adam"}):
        data: Any = thalweg.Dataset(values, y)
        run = thalweg.fit(data, epochs=2, **asked)
        expected = thalweg.fit(values.toarray(), y, epochs=2, **asked)
        assert run.path.tobytes() == expected.path.tobytes()
        assert thalweg.explain(run).text == thalweg.explain(expected).text
        assert "and 30 more features" in data._repr_html_()
        assert "sys.argv[1]" in to_pytorch(run)
        assert "Predicted against actual" in report_page(run)
        np.testing.assert_allclose(run.predict(values), run.predict(values.toarray()))
        assert not data.is_dense
    with pytest.raises(InvalidData, match=r"^data: got 500 rows of 40 features, mostly zeros"):
        _ = data.X


def test_no_dense_copy_is_made_on_the_way(monkeypatch: pytest.MonkeyPatch) -> None:
    """A billion cells, of which each would be seen."""
    import tracemalloc

    n, d = 2_000_000, 500
    values = sparse.csr_array(
        (np.ones(2), np.array([1, 2]), np.r_[0, 1, np.full(n - 1, 2)]), shape=(n, d)
    )
    y = np.zeros(n)
    tracemalloc.start()
    data = thalweg.Dataset(values, y)
    _ = data.select(["x1"]), copy.copy(data), repr(data)
    most = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert most < 100e6
