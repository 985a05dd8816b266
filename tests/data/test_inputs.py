"""The one door for data: whatever stands for rows against pandas, and every wrong combination."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.parquet
import pytest
import torch
from torch.utils.data import DataLoader, TensorDataset

import thalweg
from thalweg.data import inputs
from thalweg.data.inputs import take
from thalweg.data.scanning import Scan
from thalweg.errors import ThalwegError

FRAME = pd.DataFrame({"a": [1.5, 2.0, 4.0, 7.0], "b": [3, 1, 4, 1], "mass": [2.5, 3.5, 9.0, 8.0]})
X, Y = FRAME[["a", "b"]].to_numpy(dtype=float), FRAME["mass"].to_numpy()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The frame as a CSV file, and cut in two in a folder, the columns in another order."""
    FRAME.to_csv(tmp_path / "trees.csv", index=False)
    (tmp_path / "parts").mkdir()
    FRAME[:3].to_csv(tmp_path / "parts" / "1.csv", index=False)
    FRAME[3:][["mass", "b", "a"]].to_parquet(tmp_path / "parts" / "2.parquet", index=False)
    return tmp_path


Given = tuple[tuple[Any, ...], dict[str, Any]]
NAMED: dict[str, Callable[[Path], Given]] = {
    "pandas": lambda _: ((FRAME,), {"target": "mass"}),
    "polars": lambda _: ((pl.from_pandas(FRAME),), {"target": "mass"}),
    "polars, lazy": lambda _: ((pl.from_pandas(FRAME).lazy(),), {"target": "mass"}),
    "arrow": lambda _: ((pa.table(FRAME),), {"target": "mass"}),
    "frame and series": lambda _: ((FRAME[["a", "b"]], FRAME["mass"]), {}),
    "a pair of them": lambda _: (((FRAME[["a", "b"]], FRAME["mass"]),), {}),
    "array and series": lambda _: ((X, FRAME["mass"]), {"features": ["a", "b"]}),
    "frame and array": lambda _: ((FRAME[["a", "b"]], Y), {"target": "mass"}),
    "arrays with names": lambda _: ((X, Y), {"features": ["a", "b"], "target": "mass"}),
    "lists": lambda _: (
        (X.tolist(), Y.tolist()), {"features": ("a", "b"), "target": "mass"}
    ),
    "tensors": lambda _: (
        (torch.tensor(X), torch.tensor(Y)), {"features": ["a", "b"], "target": "mass"}
    ),
    "a dataset of PyTorch's": lambda _: (
        (TensorDataset(torch.tensor(X), torch.tensor(Y)),),
        {"features": ["a", "b"], "target": "mass"},
    ),
    "Dataset": lambda _: (
        (thalweg.Dataset(X, Y, features=["a", "b"], target="mass"),), {}
    ),
    "file": lambda at: ((at / "trees.csv",), {"target": "mass"}),
    "its name": lambda at: ((str(at / "trees.csv"),), {"target": "mass"}),
    "files": lambda at: (
        ([at / "parts" / "1.csv", at / "parts" / "2.parquet"],), {"target": "mass"}
    ),
    "folder": lambda at: ((at / "parts",), {"target": "mass"}),
    "scan": lambda at: ((thalweg.scan(at / "trees.csv", target="mass"),), {}),
}  # fmt: skip


@pytest.mark.parametrize("kind", NAMED)
def test_whatever_stands_for_rows_gives_the_same_rows(kind: str, folder: Path) -> None:
    given, said = NAMED[kind](folder)
    rows = take(*given, **said)
    assert (rows.features, rows.target, rows.n) == (("a", "b"), "mass", 4)
    for data in (rows.read(), take(rows).read()):
        np.testing.assert_array_equal(data.X, X)
        np.testing.assert_array_equal(data.y, Y)
    np.testing.assert_array_equal(np.concatenate([b for b, _ in rows.batches()]), X)
    assert rows.summary.n == 4
    expected = np.linalg.lstsq(np.c_[np.ones(4), X], Y, rcond=None)[0]
    solution = thalweg.solve(*given, **said)
    np.testing.assert_allclose([solution.bias, *solution.weights], expected, rtol=1e-9)
    assert thalweg.Summary.of(*given, **said).features == ("a", "b")
    plane = thalweg.surface(*given, **said, along=("a", "b"), points=3)
    np.testing.assert_allclose(plane.solution, expected, rtol=1e-9)


@pytest.mark.parametrize(
    "kind",
    [
        "pandas",
        "polars",
        "arrow",
        "frame and series",
        "a pair of them",
        "frame and array",
        "Dataset",
        "file",
        "files",
        "folder",
        "scan",
    ],
)
def test_features_choose_columns_where_there_are_names(kind: str, folder: Path) -> None:
    given, said = NAMED[kind](folder)
    for features in (["b"], ("b",), "b", np.array(["b"]), pd.Index(["b"])):
        rows = take(*given, **{**said, "features": features})
        assert (rows.features, rows.target) == (("b",), "mass")
        np.testing.assert_array_equal(rows.read().X, X[:, [1]])
    turned = take(*given, **{**said, "features": ["b", "a"]})
    np.testing.assert_array_equal(turned.read().X, X[:, ::-1])


def test_names_that_are_given_stand_above_those_of_series() -> None:
    data = take(FRAME["a"], FRAME["mass"]).read()
    assert (data.features, data.target) == (("a",), "mass")
    assert take(FRAME["a"].rename(None), FRAME["mass"], target="kg").target == "kg"
    assert take(FRAME["a"].rename(None), FRAME["mass"]).features == ("x",)
    assert take(X[:, 0], FRAME["mass"].rename("x")).features == ("x_2",)
    frame = FRAME.rename(columns={"a": 0, "b": 1, "mass": 2})
    data = take(frame, target=2, features=[1]).read()  # type: ignore[arg-type, list-item]  # as they print
    assert (data.features, data.target) == (("1",), "2")


def test_large_files_are_scanned(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = folder / "trees.csv"
    monkeypatch.setattr(inputs, "LARGE", path.stat().st_size)
    assert isinstance(take(path, target="mass"), thalweg.Dataset)
    monkeypatch.setattr(inputs, "LARGE", path.stat().st_size - 1)
    rows = take(path, target="mass", features=["b", "a"])
    assert isinstance(rows, Scan)
    np.testing.assert_array_equal(rows.read().X, X[:, ::-1])
    assert thalweg.gradients(path, target="mass", parameters=[0, 0, 0]).by_hand[0] == pytest.approx(
        -2 * Y.mean()
    )


def test_a_dataset_is_taken_as_it_is() -> None:
    data = thalweg.Dataset(X, Y)
    assert take(data) is data
    assert take(data, target="y") is data


def test_a_source_of_another_kind_is_taken_as_it_is() -> None:
    class Elsewhere:
        """Rows that are somewhere else."""

        batches = select = summary = digest = None
        target = "t"

    rows: Any = Elsewhere()
    assert take(rows) is rows


def test_arrays_are_not_copied_for_who_keeps_none_of_them() -> None:
    small = X.astype(np.float32)
    assert take(X, Y).read().X is not X
    for given in (X, small):
        assert np.shares_memory(take(given, Y, copy=False).read().X, given)


REFUSED: dict[str, tuple[Callable[[Path], Given], str]] = {
    "a frame alone": (
        lambda _: ((FRAME,), {}),
        "target: got None for a DataFrame, expected the name of the column to predict; "
        "name it with target=; there are 'a', 'b', 'mass'",
    ),
    "a file alone": (
        lambda at: ((at / "trees.csv",), {}),
        "target: got None for a file, expected the name of the column to predict; "
        "name it with target=",
    ),
    "an array alone": (
        lambda _: ((X,), {}),
        "data: got ndarray of shape (4, 2) without a target, expected X and y, a frame or file "
        "with target=, or a Dataset; pass the target beside it, as in thalweg.fit(X, y)",
    ),
    "a list of two rows alone": (
        lambda _: (([[1.0, 2.0], [3.0, 4.0]],), {}),
        "data: got list without a target, expected X and y, a frame or file with target=, or a "
        "Dataset; pass the target beside it, as in thalweg.fit(X, y)",
    ),
    "a list of rows, with a target": (
        lambda _: (([[1.0, 2.0], [3.0, 4.0]],), {"target": "mass"}),
        "data: got list without y, expected X and y, a frame or file with target=, or a Dataset; "
        "pass the target beside it, as in thalweg.fit(X, y)",
    ),
    "a dict": (
        lambda _: (({"a": [1.0, 2.0], "mass": [3.0, 4.0]},), {"target": "mass"}),
        "data: got dict, expected X and y, a frame or file with target=, or a Dataset; make a "
        "frame of it, as in pandas.DataFrame(data), with target=",
    ),
    "records": (
        lambda _: ((np.zeros(2, dtype=[("a", float), ("mass", float)]),), {"target": "mass"}),
        "data: got ndarray of shape (2,), expected X and y, a frame or file with target=, or a "
        "Dataset; make a frame of it, as in pandas.DataFrame(data), with target=",
    ),
    "an open file": (
        lambda _: ((io.StringIO(),), {"target": "mass"}),
        "data: got StringIO, an open file, expected X and y, a frame or file with target=, or a "
        "Dataset; pass the file's name, with target=",
    ),
    "nothing": (
        lambda _: ((None,), {}),
        "data: got NoneType without a target, expected X and y, a frame or file with target=, or "
        "a Dataset; pass the target beside it, as in thalweg.fit(X, y)",
    ),
    "an empty list": (
        lambda _: (([],), {}),
        "data: got list without a target, expected X and y, a frame or file with target=, or a "
        "Dataset; pass the target beside it, as in thalweg.fit(X, y)",
    ),
    "a loader": (
        lambda _: ((DataLoader(TensorDataset(torch.ones(2, 1), torch.ones(2))),), {}),
        "data: got DataLoader without a target, expected X and y, a frame or file with target=, "
        "or a Dataset; pass loader.dataset, and batch_size= and shuffle= as the loader has them",
    ),
    "a target of a pair": (
        lambda _: (((X, Y),), {"target": "mass"}),
        "target: got 'mass' beside a pair (X, y), expected a target named once; "
        "leave it out, or pass X and y by themselves to name the target",
    ),
    "y beside a Dataset": (
        lambda _: ((thalweg.Dataset(X, Y), Y), {}),
        "y: got values beside a Dataset, expected nothing: its target is 'y'; leave y out",
    ),
    "y beside a scan": (
        lambda at: ((thalweg.scan(at / "trees.csv", target="mass"), Y), {}),
        "y: got values beside a Scan, expected nothing: its target is 'mass'; leave y out",
    ),
    "another target of a Dataset": (
        lambda _: ((thalweg.Dataset(X, Y),), {"target": "mass"}),
        "target: got 'mass' beside a Dataset, expected 'y', which is its target; leave it out",
    ),
    "y beside a file": (
        lambda at: ((at / "trees.csv", Y), {"target": "mass"}),
        "y: got values beside a file, expected a column of the file; name the target's column "
        "with target=",
    ),
    "a name for y": (
        lambda _: ((FRAME, "mass"), {}),
        "y: got 'mass', expected the target's values; name a column of a frame or file with "
        "target='mass'",
    ),
    "a name for y of a file": (
        lambda at: ((at / "trees.csv", "mass"), {}),
        "y: got 'mass', expected the target's values; name a column of a frame or file with "
        "target='mass'",
    ),
    "an unknown target": (
        lambda _: ((FRAME,), {"target": "mas"}),
        "target: got 'mas', expected a column of frame; did you mean 'mass'?",
    ),
    "an unknown feature": (
        lambda _: ((FRAME,), {"target": "mass", "features": ["a", "c"]}),
        "features: got 'c', expected a column of frame; choose one of 'a', 'b', 'mass'",
    ),
    "an unknown feature of a Dataset": (
        lambda _: ((thalweg.Dataset(X, Y),), {"features": ["x3"]}),
        "features: got 'x3', expected a column of data; choose one of 'x1', 'x2', 'y'",
    ),
    "features that are none": (
        lambda _: ((X, Y), {"features": 3}),
        "features: got 3, expected names of columns; pass a list of them, such as ['x1', 'x2']",
    ),
    "too few names": (
        lambda _: ((X, Y), {"features": ["a"]}),
        "features: got ('a',) with target 'y', expected 2 different names, one for each column of "
        "X, none the target's; name each column of X once",
    ),
    "the target among the features": (
        lambda _: ((FRAME, FRAME["mass"]), {}),
        "X and y: got 2 columns called 'mass', expected a name of its own for each column that is "
        "fitted; rename them, or leave them out with features=['a', 'b']",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", REFUSED)
def test_what_is_no_data_is_refused_in_one_sentence(case: str, folder: Path) -> None:
    make, said = REFUSED[case]
    given, named = make(folder)
    for function in (
        take, thalweg.solve, thalweg.surface, thalweg.Summary.of,
        lambda *rows, **names: thalweg.gradients(*rows, **names, parameters=[0.0, 0.0]),
    ):  # fmt: skip
        with pytest.raises(ThalwegError) as caught:
            function(*given, **named)
        assert str(caught.value) == said


def test_the_advice_leads_to_rows() -> None:
    assert take(FRAME, target="mass").n == 4
    assert take(FRAME, FRAME["mass"], features=["a", "b"], target="kg").n == 4
    gaps = FRAME.assign(a=[1.0, None, 2.0, 3.0])
    with pytest.raises(ThalwegError, match=r"or use thalweg.read\(…, missing='drop'\)"):
        take(gaps, target="mass")
    with pytest.warns(thalweg.errors.ThalwegWarning):
        assert take(thalweg.read(gaps, target="mass", missing="drop")).n == 3


@pytest.mark.parametrize("categories", [None, ["b"]])
def test_a_row_to_predict_for_is_a_frame(categories: list[str] | None) -> None:
    run = thalweg.fit(FRAME, target="mass", categories=categories, epochs=2)
    with pytest.raises(ThalwegError) as error:
        run.predict(FRAME.iloc[0])
    assert str(error.value) == (
        f"X: got a Series, expected the columns of {len(run.features)} features; pass a frame, of "
        "one row too, such as frame.iloc[[0]]"
    )
    assert run.predict(FRAME.iloc[[0]]) == pytest.approx(run.predict(FRAME)[:1])
