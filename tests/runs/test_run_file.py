"""Run files: what is read is what was saved, to the bit, or an error; never anything else."""

from __future__ import annotations

import itertools
import json
import sqlite3
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

import thalweg
from thalweg import errors
from thalweg.errors import InvalidSetting, UnreadableFile
from thalweg.export import to_pytorch
from thalweg.optimizers.choice import TorchRule
from thalweg.runs import run_file
from thalweg.runs.run import InitialState, Outcome, Run
from thalweg.summary.summary import Summary
from thalweg.torch_random import Generator

CHAPTERS = thalweg.salammbo()

REGIMES: dict[str, dict[str, Any]] = {
    "batch": {},
    "every 7th of 4 steps an epoch, shuffled": {"batch_size": 4, "shuffle": True, "record": 7},
    "each step": {"batch_size": 4, "record": "step"},
    "standardised": {"standardize": True, "lr": 10.0},
    "diverged": {"optimizer": "sgd", "lr": 1.0},
    "converged": {"tolerance": 1e9},
    "batches written out": {"batch_sampler": [[0, 1, 2], [2, 14]]},
    "no intercept": {"intercept": False, "standardize": True},
    "reference": {"engine": "reference", "optimizer": "adafactor"},
    "loaded": {"optimizer": "adamw", "amsgrad": True, "betas": (0.8, 0.99), "loss": "huber"},
}


def fitted(**asked: Any) -> Run:
    return thalweg.fit(CHAPTERS, **{"seed": 4321, "epochs": 20, **asked})


@pytest.fixture(scope="module")
def run() -> Run:
    return fitted()


def bits(value: NDArray[np.float64]) -> bytes:
    """Bits, not values: NaN equals itself here, and 0 differs from −0."""
    return repr(value.shape).encode() + value.tobytes()


def assert_same(got: Run, expected: Run) -> None:
    """Hold every field of a run that was read against the one that was saved."""
    for field in fields(Run):
        mine, other = getattr(got, field.name), getattr(expected, field.name)
        if field.name in ("data", "stored_summary"):
            continue
        if field.name in ("optimizer_state", "initial_state"):
            assert repr(mine) == repr(other)
        elif isinstance(other, np.ndarray):
            assert mine.dtype == other.dtype
            assert bits(mine) == bits(other), field.name
        elif field.name == "scaling" and other is not None:
            assert [bits(a) for a in mine] == [bits(a) for a in other]
        else:
            assert mine == other, field.name
    for name, value in expected.optimizer_state.items():
        assert bits(np.asarray(got.optimizer_state[name])) == bits(np.asarray(value))
    assert bits(got.path) == bits(expected.path)


@pytest.mark.parametrize("regime", REGIMES)
def test_what_is_read_is_what_was_saved(regime: str, tmp_path: Path) -> None:
    run = fitted(**REGIMES[regime])
    run.save(tmp_path / "run.parquet")
    again = thalweg.load(tmp_path / "run.parquet")
    assert again.data is None
    assert_same(again, run)
    again.save(tmp_path / "again.parquet")
    assert_same(thalweg.load(tmp_path / "again.parquet"), run)


def test_the_summary_serves_in_place_of_the_rows(run: Run, tmp_path: Path) -> None:
    run.save(tmp_path / "run.parquet")
    again = thalweg.load(tmp_path / "run.parquet")
    assert again.summary.solve().parameters.tolist() == run.summary.solve().parameters.tolist()
    assert again.summary.loss(run.parameters) == run.summary.loss(run.parameters)


def test_figures_of_a_run_that_was_read_name_its_rows_and_units(run: Run, tmp_path: Path) -> None:
    run.save(tmp_path / "run.parquet")
    thalweg.load(tmp_path / "run.parquet").save(tmp_path / "again.parquet")
    again = thalweg.load(tmp_path / "again.parquet")
    assert again.source is not None
    assert again.source.name == CHAPTERS.name == "Salammbô"
    assert again.source.units == CHAPTERS.units
    for draw in (thalweg.figures.path_figure, thalweg.figures.loss_figure):
        assert draw(again).layout.to_plotly_json() == draw(run).layout.to_plotly_json()
    over = thalweg.figures.contour_figure(again.summary, again).layout
    expected = thalweg.figures.contour_figure(CHAPTERS, run).layout
    assert over.xaxis.title.text == expected.xaxis.title.text
    assert over.title.to_plotly_json() == expected.title.to_plotly_json()


def test_the_name_of_the_rows_is_no_part_of_what_they_are() -> None:
    other = thalweg.Dataset(CHAPTERS.X, CHAPTERS.y, features=CHAPTERS.features, target="A")
    assert other.name != CHAPTERS.name
    assert other.digest == CHAPTERS.digest
    assert other.summary.digest == CHAPTERS.summary.digest


def test_a_run_that_was_read_goes_on_exactly(run: Run, tmp_path: Path) -> None:
    run.save(tmp_path / "run.parquet")
    again = thalweg.load(tmp_path / "run.parquet")
    assert_same(thalweg.fit(CHAPTERS, start=again), thalweg.fit(CHAPTERS, start=run))


ODD_BITS = [0xFFF8000000000001, 0x7FF0000000000000, 0xFFF0000000000000, 0x8000000000000000, 1]


def test_every_bit_of_odd_numbers_is_kept(run: Run, tmp_path: Path) -> None:
    odd = np.array(ODD_BITS, dtype=np.uint64).view(np.float64)
    losses = np.where(odd < 0.0, -odd, odd)
    name = "\nsha256:" + "0" * 64
    rows = Summary.of(CHAPTERS.X, CHAPTERS.y, features=[name], target=run.target)
    extreme = replace(
        run,
        scaled_path=np.column_stack([odd, odd[::-1]]),
        steps=np.arange(5),
        loss=losses[:4],
        gradient_norm=losses[1:],
        outcome=Outcome.DIVERGED,
        optimizer_state={"exp_avg": odd[:2], "exp_avg_sq": odd[1:3], "step": float("-inf")},
        generator=Generator(-(2**63), 3),
        initial_state=InitialState(
            False, {"exp_avg": odd[2:4]}, Generator(2**64 - 1, 0), float("inf")
        ),
        features=(name,),
        data=None,
        stored_summary=rows,
    )
    extreme.save(tmp_path / "run.parquet")
    assert_same(thalweg.load(tmp_path / "run.parquet"), extreme)


@settings(max_examples=30, deadline=None)
@given(numbers=st.lists(st.floats(width=64), min_size=2, max_size=40))
def test_any_numbers_are_read_back_to_the_bit(numbers: list[float]) -> None:
    array = np.array(numbers)
    state = {"exp_avg": array, "step": numbers[0]}
    # Between the description and its text, as in a file.
    text = json.dumps(run_file._encode("optimizer_state", state), allow_nan=False)
    again = run_file._decode(json.loads(text))
    assert bits(again["exp_avg"]) == bits(array)
    assert bits(np.asarray(again["step"])) == bits(np.asarray(numbers[0]))


# --- Other readers --------------------------------------------------------------------------------


def test_the_table_has_a_row_for_each_recorded_point(run: Run, tmp_path: Path) -> None:
    run.save(tmp_path / "run.parquet")
    frame = pd.read_parquet(tmp_path / "run.parquet")
    assert list(frame) == ["epoch", "step", "loss", "gradient_norm", "bias", "weight"]
    np.testing.assert_array_equal(frame[["bias", "weight"]].to_numpy(), run.path)
    assert frame["epoch"].tolist() == list(range(21))
    np.testing.assert_array_equal(frame["loss"].to_numpy()[:-1], run.loss)
    # The loss stands beside the parameters that it is the loss of.
    at_row = [run.summary.loss(row) for row in frame[["bias", "weight"]].to_numpy()[:-1]]
    np.testing.assert_allclose(frame["loss"].to_numpy()[:-1], at_row, rtol=1e-9)
    assert np.isnan(frame["loss"].to_numpy()[-1])


def test_polars_reads_epochs_between_recorded_points_as_nulls(tmp_path: Path) -> None:
    run = fitted(batch_size=4, record=6, standardize=True)  # 4 steps an epoch
    run.save(tmp_path / "run.parquet")
    frame = pl.read_parquet(tmp_path / "run.parquet")
    assert frame.columns == [
        "epoch", "step", "loss", "gradient_norm", "bias", "weight", "scaled_bias", "scaled_weight",
    ]  # fmt: skip
    assert frame["step"].to_list()[:6] == [0, 4, 6, 8, 12, 16]
    assert frame["epoch"].to_list()[:6] == [0, 1, 1, 2, 3, 4]
    assert frame["bias"].is_null().to_list()[:6] == [False, True, False, True, False, True]
    assert frame["loss"].is_null().to_list()[:6] == [False, False, True, False, False, False]
    np.testing.assert_array_equal(
        frame["scaled_weight"].drop_nulls().to_numpy(), run.scaled_path[:, 1]
    )


def test_duckdb_reads_the_file_as_it_is(run: Run, tmp_path: Path) -> None:
    run.save(tmp_path / "run.parquet")
    with duckdb.connect() as database:
        asked = "SELECT epoch, step, loss, bias, weight FROM read_parquet(?) ORDER BY step"
        rows = database.execute(asked, [str(tmp_path / "run.parquet")]).fetchall()
    epochs, steps, loss, bias, weight = zip(*rows, strict=True)
    assert list(epochs) == list(steps) == list(range(21))
    assert list(loss) == [*run.loss.tolist(), None]
    np.testing.assert_array_equal(np.column_stack([bias, weight]), run.path)


def test_duckdb_takes_column_names_that_differ_in_case_alone(tmp_path: Path) -> None:
    rows = np.random.default_rng(0).normal(1.0, 2.0, (9, 3))
    run = thalweg.fit(
        thalweg.Dataset(rows, rows.sum(axis=1), features=["Loss", "loss", 'a "b"']), epochs=3
    )
    run.save(tmp_path / "run.parquet")
    with duckdb.connect() as database:
        table = database.read_parquet(str(tmp_path / "run.parquet"))
        assert table.columns == pq.read_schema(tmp_path / "run.parquet").names
        assert table.fetchall()[-1][-3:] == tuple(run.weights.tolist())


def test_columns_have_different_names_also_where_case_is_ignored(tmp_path: Path) -> None:
    names = ["Loss", "loss", "bias", "STEP"]
    rows = np.random.default_rng(0).normal(1.0, 2.0, (9, 4))
    data = thalweg.Dataset(rows, rows.sum(axis=1), features=names)
    run = thalweg.fit(data, epochs=3)
    run.save(tmp_path / "run.parquet")
    columns = pq.read_schema(tmp_path / "run.parquet").names
    with sqlite3.connect(":memory:") as database:  # refuses two columns of one name
        database.execute("CREATE TABLE run (" + ", ".join(f'"{name}"' for name in columns) + ")")
    database.close()
    assert thalweg.load(tmp_path / "run.parquet").features == tuple(names)
    assert_same(thalweg.load(tmp_path / "run.parquet"), run)


# --- Damage ---------------------------------------------------------------------------------------

ADVICE = "give a file that Run.save or a checkpoint wrote"


@pytest.fixture(scope="module")
def contents(run: Run, tmp_path_factory: pytest.TempPathFactory) -> bytes:
    path = tmp_path_factory.mktemp("run") / "run.parquet"
    fitted(epochs=3).save(path)
    return path.read_bytes()


def test_a_file_cut_anywhere_is_refused(contents: bytes, tmp_path: Path) -> None:
    path = tmp_path / "run.parquet"
    for length in range(len(contents)):
        path.write_bytes(contents[:length])
        with pytest.raises(errors.UnreadableFile):
            thalweg.load(path)


def test_a_file_with_any_byte_changed_is_refused(contents: bytes, tmp_path: Path) -> None:
    path = tmp_path / "run.parquet"
    chosen = np.random.default_rng(0)
    for place in range(0, len(contents), 3):
        changed = bytearray(contents)
        changed[place] ^= 1 << int(chosen.integers(8))
        path.write_bytes(changed)
        with pytest.raises(errors.UnreadableFile):
            thalweg.load(path)


@pytest.mark.parametrize("also", [b"\n", b"PAR1", b"\nsha256:" + b"0" * 64 + b"PAR1"])
def test_a_file_with_something_added_is_refused(
    also: bytes, contents: bytes, tmp_path: Path
) -> None:
    path = tmp_path / "run.parquet"
    path.write_bytes(contents + also)
    with pytest.raises(errors.UnreadableFile):
        thalweg.load(path)


@settings(max_examples=100, deadline=None)
@given(junk=st.binary(max_size=200), around=st.booleans())
def test_any_bytes_are_refused_with_our_own_error(
    junk: bytes, around: bool, tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path_factory.getbasetemp() / "junk.parquet"
    path.write_bytes(b"PAR1" + junk + b"PAR1" if around else junk)
    with pytest.raises(errors.UnreadableFile):
        thalweg.load(path)


def said(path: Path) -> str:
    with pytest.raises(errors.UnreadableFile) as error:
        thalweg.load(path)
    return str(error.value).removeprefix(f"{path}: ")


def test_each_kind_of_damage_has_its_sentence(contents: bytes, tmp_path: Path) -> None:
    path = tmp_path / "run.parquet"
    expected = "expected a run file as it was written; copy it again, or fit again"
    path.write_bytes(contents[:-20])
    assert said(path) == f"got one that was cut short, {expected}"
    path.write_bytes(contents.replace(b"out_of_epochs", b"converged____"))
    assert said(path) == f"got one that was altered, {expected}"
    path.write_bytes(b"")
    assert said(path) == f"got an empty file, expected a run file; {ADVICE}"
    path.write_bytes(b"characters,A\n1,2\n")
    assert said(path) == f"got another kind of file, expected a run file; {ADVICE}"
    pq.write_table(pa.table({"x": [1.0]}), path)
    assert said(path) == (
        f"got a Parquet file that is no run, or a damaged one, expected a run file; {ADVICE}"
    )
    assert said(tmp_path / "none") == (
        "got no such file or directory, expected a run file; check the path"
    )
    assert said(tmp_path) == "got a folder, expected a run file; check the path"


def rewritten(run: Run, path: Path, monkeypatch: pytest.MonkeyPatch, **changed: Any) -> None:
    """Save a run with another description, under a right checksum."""
    forge(run, path, monkeypatch, {**run_file._describe(run), **changed}, run_file._to_table(run))


def forge(
    run: Run, path: Path, monkeypatch: pytest.MonkeyPatch, description: Any, table: pa.Table
) -> None:
    """Save another description and another table, under a right checksum."""
    with monkeypatch.context() as other:
        other.setattr(run_file, "_describe", lambda _: description)
        other.setattr(run_file, "_to_table", lambda _: table)
        run.save(path)


@pytest.mark.parametrize(("number", "version"), [(2, "0.1.0"), (4, "9.9")])
def test_a_file_of_another_format_is_refused(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int, version: str
) -> None:
    path = tmp_path / "run.parquet"
    rewritten(run, path, monkeypatch, format=number, written_by=version, settings="another kind")
    assert said(path) == (
        f"got a run file of format {number}, written by Thalweg {version}, expected format 3; "
        "fit again, or use the Thalweg that wrote it"
    )


@pytest.mark.parametrize(
    "changed",
    [
        {"format": None},
        {"features": ["a", "b"]},
        {"settings": {"lr": "fast"}},
        {"settings": {"no": 1}},
        {"outcome": "won"},
        {"generator": [1, 2, 3]},
        {"scaling": [{"array": [1.0], "shape": [2]}, {"array": [1.0], "shape": [1]}]},
        {"optimizer_state": {"what": 1}},
        {"summary": "AAAA"},
        {"units": 3},
        {"initial_state": {}},
    ],
)
def test_parts_that_do_not_fit_together_are_refused(
    changed: dict[str, Any], run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "run.parquet"
    rewritten(run, path, monkeypatch, **changed)
    assert said(path) == (
        "got a file whose parts do not fit together, expected a run file; save the run again"
    )


WRONG: list[Any] = [
    None, True, -1, 0, 3, 10**30, 1e-3, "", "x", [], [1], {}, {"a": 1},
    {"bits": "00"}, {"array": [1.0], "shape": [1]}, {"tuple": []}, {"mapping": {"a": 1}},
]  # fmt: skip
PWNED = "eps=1e-8 if __import__('os').system('echo pwned') else 1e-8, weight_decay"


def places(value: Any, at: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Give the way to each part of a description."""
    if at:
        yield at
    inside: Any = ()
    if isinstance(value, dict | list):
        inside = value.items() if isinstance(value, dict) else enumerate(value)
    for key, part in inside:
        yield from places(part, (*at, key))


def edited(description: dict[str, Any], at: tuple[Any, ...], value: Any) -> dict[str, Any]:
    description = json.loads(json.dumps(description))
    *way, last = at
    part: Any = description
    for key in way:
        part = part[key]
    part[last] = value
    return description


@pytest.mark.parametrize("regime", ["batch", "standardised", "batches written out", "reference"])
def test_a_forged_description_is_refused_or_that_of_another_run(
    regime: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each part made something else: one sentence, or a run that is saved as the same again."""
    run, path, again = fitted(**REGIMES[regime]), tmp_path / "a.parquet", tmp_path / "b.parquet"
    description, table = run_file._describe(run), run_file._to_table(run)
    taken = set()
    for at, wrong in itertools.product(places(description), WRONG):
        forged = edited(description, at, wrong)
        if json.dumps(forged) == json.dumps(description):
            continue
        with suppress(UnreadableFile):
            forge(run, path, monkeypatch, forged, table)
            read = thalweg.load(path)
            read.save(again)
            assert json.dumps(thalweg.load(again).settings.keywords(), default=str) == json.dumps(
                read.settings.keywords(), default=str
            )
            with suppress(InvalidSetting):
                compile(to_pytorch(read), "script", "exec")
            taken.add(at[0])
    assert taken <= {
        "written_by", "name", "units", "data_digest", "settings", "optimizer_state", "generator",
        "initial_state", "summary",
    }  # fmt: skip


# --- Levels ---------------------------------------------------------------------------------------

HOUSES = pd.DataFrame(
    {
        "town": ["Caen", "Rouen", "Brest", "Caen", "Brest", "Rouen"],
        "rooms": [3.0, 4.0, 2.0, 5.0, 1.0, 6.0],
        "size": ["S", "L", "S", "M", "M", "L"],
        "price": [3.0, 5.0, 2.0, 6.0, 1.0, 9.0],
    }
)
OF_WORDS: dict[str, dict[str, Any]] = {
    "batch": {},
    "no intercept": {"intercept": False},
    "standardised": {"standardize": True, "batch_size": 2},
}


def of_words(**asked: Any) -> Run:
    asked = {"target": "price", "categories": "all", "epochs": 5, **asked}
    return thalweg.fit(HOUSES, **asked)


@pytest.mark.parametrize("kept", [None, ["size_M", "rooms"]])
@pytest.mark.parametrize("asked", OF_WORDS)
def test_a_run_keeps_its_levels(asked: str, kept: list[str] | None, tmp_path: Path) -> None:
    run = of_words(**OF_WORDS[asked])
    if kept is not None:
        rows = thalweg.read(HOUSES, target="price", categories="all").select(kept)
        run = thalweg.fit(rows, epochs=5, **OF_WORDS[asked])
    run.save(tmp_path / "run.parquet")
    again = thalweg.load(tmp_path / "run.parquet")
    assert_same(again, run)
    assert again.coding is not None
    assert again.coding.levels == {"town": ("Brest", "Caen", "Rouen"), "size": ("L", "M", "S")}
    assert again.predict(HOUSES).tobytes() == run.predict(HOUSES).tobytes()
    more = OF_WORDS[asked]
    assert_same(
        thalweg.fit(run.data, start=again, **more), thalweg.fit(run.data, start=run, **more)
    )
    with pytest.raises(errors.InvalidData, match="column 'size': got 'XL'"):
        again.predict(HOUSES.assign(size="XL"))


CODINGS: dict[str, dict[str, Any]] = {
    "no columns": {"columns": []},
    "other columns": {"columns": ["rooms", "town", "size"]},
    "a column twice": {"columns": ["town", "rooms", "size", "size"]},
    "one more column": {"columns": ["town", "rooms", "size", "q"]},
    "the target": {"columns": ["town", "rooms", "price"]},
    "columns that are no list": {"columns": "abc"},
    "columns that are no texts": {"columns": [1, 2, 3]},
    "levels of no column": {
        "levels": {"town": ["Brest", "Caen", "Rouen"], "size": ["L", "M", "S"], "q": ["a"]}
    },
    "words of the target": {
        "columns": ["town", "rooms", "size", "price"],
        "levels": {"town": ["Brest", "Caen", "Rouen"], "size": ["L", "M", "S"], "price": ["a"]},
    },
    "another category twice": {
        "columns": ["town", "rooms", "size", "q", "q"],
        "levels": {"town": ["Brest", "Caen", "Rouen"], "size": ["L", "M", "S"], "q": ["a"]},
    },
    "names that nothing makes": {
        "kept": ["town_Caen", "town_Rouen", "rooms", "size_M", "size_S"],
        "levels": {"town": ["a", "b", "c"], "size": ["L", "M", "S"]},
    },
    "no levels": {"levels": {"town": [], "size": ["L", "M", "S"]}},
    "no categories": {"levels": {}},
    "levels in another order": {
        "levels": {"town": ["Brest", "Rouen", "Caen"], "size": ["L", "M", "S"]}
    },
    "a level twice": {"levels": {"town": ["Caen", "Caen", "Rouen"], "size": ["L", "M", "S"]}},
    "levels that are numbers": {"levels": {"town": [1, 2, 3], "size": ["L", "M", "S"]}},
    "a number where none shows": {
        "levels": {"town": [1, "Caen", "Rouen"], "size": ["L", "M", "S"]}
    },
    "a text of levels": {"levels": {"town": ["Brest", "Caen", "Rouen"], "size": "LMS"}},
    "nested levels": {"levels": {"town": [["Brest"], "Caen", "Rouen"], "size": ["L", "M", "S"]}},
    "another intercept": {"intercept": False},
    "no intercept at all": {"intercept": None},
    "a number": {"intercept": 1},
    "other names": {"kept": ["a", "b", "c", "d", "e"]},
    "another order": {"kept": ["rooms", "town_Caen", "town_Rouen", "size_M", "size_S"]},
    "fewer": {"kept": ["town_Caen"]},
    "no names": {"kept": []},
    "one name": {"kept": "town_Caen"},
}


@pytest.mark.parametrize("change", CODINGS)
def test_forged_levels_are_refused(
    change: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = of_words()
    coding = run_file._describe(run)["coding"]
    rewritten(run, tmp_path / "a.parquet", monkeypatch, coding={**coding, **CODINGS[change]})
    assert "do not fit together" in said(tmp_path / "a.parquet")


@pytest.mark.parametrize("wrong", [*WRONG, {"columns": ["town"]}], ids=str)
def test_a_coding_is_one(wrong: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each part of it made something else: a run that says the same of its columns, or none."""
    run, path = of_words(), tmp_path / "a.parquet"
    description, table = run_file._describe(run), run_file._to_table(run)
    for at in places({"coding": description["coding"]}):
        forged = edited(description, at, wrong)
        if json.dumps(forged) == json.dumps(description):
            continue
        forge(run, path, monkeypatch, forged, table)
        with suppress(UnreadableFile):
            read = thalweg.load(path)
            assert read.features == run.features
            # Which word has no feature, nobody sees.
            assert read.coding is None or at in (
                ("coding", "levels", "town", 0),
                ("coding", "levels", "size", 0),
            )
            with suppress(errors.InvalidData, InvalidSetting):
                read.predict(HOUSES)


@pytest.mark.parametrize("name", [PWNED, "", "a b", "import", "weight_decay\n"])
@pytest.mark.parametrize("optimizer", ["nadam", "adafactor", "mine"])
def test_no_name_of_a_setting_becomes_code(
    name: str, optimizer: str, run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    description = run_file._describe(run)
    keywords = {**description["settings"], "optimizer": optimizer, "engine": "reference"}
    keywords[name] = 0.1
    forged = {**description, "settings": keywords, "optimizer_state": {"mapping": {}}}
    forge(run, tmp_path / "run.parquet", monkeypatch, forged, run_file._to_table(run))
    with pytest.raises((UnreadableFile, InvalidSetting)):
        to_pytorch(thalweg.load(tmp_path / "run.parquet"))


@pytest.mark.parametrize("name", ['a": 1}; import os; {"b', "weight.a b", ""])
def test_no_name_of_what_an_optimiser_remembers_becomes_code(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = fitted(**REGIMES["reference"])
    description = run_file._describe(run)
    description["initial_state"]["optimizer_state"] = {"mapping": {name: 1.0}}
    forge(run, tmp_path / "run.parquet", monkeypatch, description, run_file._to_table(run))
    assert "do not fit together" in said(tmp_path / "run.parquet")


def test_a_run_that_was_stopped_on_its_way_out_is_taken(run: Run, tmp_path: Path) -> None:
    """Its limit may not have been known yet; whether it diverged shows when it goes on."""
    path = run.scaled_path.copy()
    path[-1] = np.inf
    replace(run, outcome=Outcome.STOPPED, scaled_path=path).save(tmp_path / "run.parquet")
    assert thalweg.load(tmp_path / "run.parquet").outcome is Outcome.STOPPED


@pytest.mark.parametrize("engine", ["compiled", "reference"])
@pytest.mark.parametrize(
    ("optimizer", "first"),
    [
        ("sgd", {"momentum": 0.9}),
        ("adam", {"amsgrad": True}),
        ("rmsprop", {"centered": True, "momentum": 0.5}),
    ],
)
def test_a_run_may_remember_what_it_has_no_use_for(
    optimizer: str, first: dict[str, Any], engine: str, tmp_path: Path
) -> None:
    started = fitted(optimizer=optimizer, engine=engine, lr=1e-12, **first)
    plain = fitted(optimizer=optimizer, engine=engine, lr=1e-12, start=started)
    plain.save(tmp_path / "run.parquet")
    assert_same(thalweg.load(tmp_path / "run.parquet"), plain)


def test_rows_whose_squares_cannot_be_summed_up_are_saved_without_a_summary(tmp_path: Path) -> None:
    data = thalweg.Dataset(CHAPTERS.X, CHAPTERS.y * 1e150)
    huge = thalweg.fit(data, loss="huber", batch_size=5, epochs=2)
    huge.save(tmp_path / "run.parquet")
    assert thalweg.load(tmp_path / "run.parquet").stored_summary is None


@pytest.mark.parametrize("digest", ["", "x", "0" * 63, "A" * 64, 3, ["0" * 64], {"a": 1}])
def test_a_digest_is_one(
    digest: Any, run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rewritten(run, tmp_path / "run.parquet", monkeypatch, data_digest=digest)
    assert "do not fit together" in said(tmp_path / "run.parquet")


@pytest.mark.parametrize("state", [{"exp_avg": np.zeros(0)}, {"step": np.zeros(2)}, {"what": 1.0}])
def test_pytorchs_own_class_remembers_what_ours_does(
    state: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = fitted(optimizer="adam", foreach=True)
    wrong = run_file._encode("optimizer_state", state)
    rewritten(own, tmp_path / "run.parquet", monkeypatch, optimizer_state=wrong)
    assert "do not fit together" in said(tmp_path / "run.parquet")


def test_a_foreign_version_is_named_on_a_line(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "run.parquet"
    rewritten(run, path, monkeypatch, format=1, written_by="x\ny\x1b[31m")
    assert "Thalweg x\\ny\\x1b[31m," in said(path)


def test_a_forged_table_is_refused(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    description, table = run_file._describe(run), run_file._to_table(run)
    step, loss = table.column(1).to_numpy(), table.column(2)
    columns = {
        "fewer rows": table.slice(0, 5),
        "no rows": table.slice(0, 0),
        "rows twice": pa.concat_tables([table, table]),
        "another order": table.take(list(range(len(table)))[::-1]),
        "negative steps": table.set_column(1, "step", pa.array(step - 3)),
        "other steps": table.set_column(1, "step", pa.array(step * 2)),
        "steps as texts": table.set_column(1, "step", pa.array(map(str, step))),
        "another epoch": table.set_column(0, "epoch", pa.array(step + 1)),
        "one more loss": table.set_column(2, "loss", loss.combine_chunks().fill_null(1.0)),
        "a negative loss": table.set_column(2, "loss", pa.array([-1.0] * len(table))),
        "no column": table.drop_columns(["loss"]),
        "another name": table.rename_columns(["epoch", "step", "loss", "norm", "bias", "w"]),
        "other start": table.set_column(4, "bias", pa.array(np.zeros(len(table)))),
    }
    for what, other in columns.items():
        forge(run, tmp_path / "run.parquet", monkeypatch, description, other)
        assert "do not fit together" in said(tmp_path / "run.parquet"), what


def test_a_deep_description_is_refused(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    depth = 100_000
    description = run_file._describe(run)
    with monkeypatch.context() as other:
        text = json.dumps({**description, "optimizer_state": "HERE"})
        deep = text.replace('"HERE"', "[" * depth + "]" * depth)
        other.setattr(json, "dumps", lambda *_, **__: deep)
        run.save(tmp_path / "run.parquet")
    assert "do not fit together" in said(tmp_path / "run.parquet")


def test_a_setting_that_is_no_plain_data_is_refused(run: Run, tmp_path: Path) -> None:
    mine = TorchRule("Mine", 0.1, None, (("betas", {1, 2}),))
    odd = replace(run, settings=run.asked.replace(optimizer=mine, engine="auto", dtype=None))
    with pytest.raises(errors.InvalidSetting) as error:
        odd.save(tmp_path / "run.parquet")
    assert str(error.value) == (
        "betas: got a set, expected plain numbers, texts and truth values, which a run file can "
        "hold; give the setting as a plain number"
    )
    assert list(tmp_path.iterdir()) == []


def test_a_summary_too_large_for_metadata_is_left_out(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run_file, "SUMMARY_BYTES", 10)
    run.save(tmp_path / "run.parquet")
    assert thalweg.load(tmp_path / "run.parquet").stored_summary is None
