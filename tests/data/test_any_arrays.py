"""Whatever arrays come: a fit, its exact solution and its explanation, or our own exception."""

from __future__ import annotations

import tempfile
import warnings
from pathlib import Path
from typing import Any

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst

import thalweg
from thalweg.errors import ThalwegError, ThalwegWarning

KINDS = st.one_of(
    npst.floating_dtypes(),
    npst.integer_dtypes(),
    npst.boolean_dtypes(),
    npst.complex_number_dtypes(),
    npst.datetime64_dtypes(),
    npst.unicode_string_dtypes(max_len=2),
)
SHAPES = npst.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=5)
ANY_ARRAYS = KINDS.flatmap(lambda kind: npst.arrays(kind, SHAPES))
CELLS = st.one_of(
    st.none(), st.floats(), st.integers(), st.just(10**400), st.text(max_size=2), st.booleans()
)
ANY_LISTS = st.lists(st.one_of(CELLS, st.lists(CELLS, max_size=3)), max_size=4)


@st.composite
def fitting(draw: st.DrawFn) -> tuple[Any, Any]:
    """Rows whose shapes fit together, of any finite numbers."""
    n, d = draw(st.integers(1, 6)), draw(st.integers(1, 3))
    numbers = draw(
        st.sampled_from(
            [
                st.floats(allow_nan=False, allow_infinity=False),
                st.floats(-1e3, 1e3),
                st.integers(-3, 3).map(float),
            ]
        )
    )
    return (
        draw(npst.arrays(np.float64, (n, d), elements=numbers)),
        draw(npst.arrays(np.float64, (n,), elements=numbers)),
    )


@settings(max_examples=150)
@given(
    st.one_of(
        fitting(), st.tuples(st.one_of(ANY_ARRAYS, ANY_LISTS), st.one_of(ANY_ARRAYS, ANY_LISTS))
    ),
    st.sampled_from(["sgd", "nadam"]),
    st.booleans(),
    st.booleans(),
)
def test_any_arrays_are_fitted_or_refused(
    rows: tuple[Any, Any], optimizer: str, standardize: bool, intercept: bool
) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ThalwegWarning)  # columns depend on one another
        try:
            run = thalweg.fit(
                rows, optimizer=optimizer, epochs=4, standardize=standardize, intercept=intercept
            )
            assert run.path.shape == (run.epochs + 1, len(run.names))
            thalweg.solve(rows, intercept=intercept)
            assert str(thalweg.explain(run))
        except ThalwegError:
            return
    with tempfile.TemporaryDirectory() as folder:
        run.save(Path(folder) / "run.parquet")
        again = thalweg.load(Path(folder) / "run.parquet")
    np.testing.assert_array_equal(again.path, run.path)
