"""Whatever is typed ends in an answer or a sentence, and changes no file but those it names.

Command lines are put together of the real options with good and bad values, over tiny files. Not
here: what each command answers (test_cli), each place where nothing can go (test_written_files).
"""

from __future__ import annotations

import functools
import glob
import io
import json
import math
import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import typer
from hypothesis import example, given, settings
from hypothesis import strategies as st

import thalweg
from command_line import Said, run
from thalweg.cli.main import app

ROWS = "length,depth,flow\n" + "".join(
    f"{10 + i},{(7 * i) % 5},{3 + 2 * i - (7 * i) % 5 + (i % 3) / 10}\n" for i in range(20)
)

# --- The files ------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of good and bad files."""
    folder = tmp_path_factory.mktemp("files")
    (folder / "river.csv").write_text(ROWS, encoding="utf-8")
    data = thalweg.read(folder / "river.csv", target="flow")
    runs: dict[str, dict[str, Any]] = {
        "run": {},
        "other": {"optimizer": "sgd", "batch_size": 7, "shuffle": True, "lr": 1e-4},
        "diverged": {"optimizer": "sgd", "lr": 10.0},
        "huber": {"loss": "huber", "standardize": True, "intercept": False},
    }
    for name, asked in runs.items():
        thalweg.fit(data, **{"epochs": 5, **asked}).save(folder / f"{name}.parquet")
    table = pa.table({**dict(zip(data.features, data.X.T, strict=True)), "flow": data.y})
    pq.write_table(table, folder / "river.parquet")
    whole = (folder / "river.parquet").read_bytes()
    (folder / "cut.parquet").write_bytes(whole[: len(whole) // 2])
    whole = (folder / "run.parquet").read_bytes()
    (folder / "altered.parquet").write_bytes(whole.replace(b"nadam", b"Nadam"))
    (folder / "gaps.csv").write_text(ROWS + "1,,2\n", encoding="utf-8")
    (folder / "text.csv").write_text("length,note,flow\n1,a,2\n2,b,3\n", encoding="utf-8")
    (folder / "comma.csv").write_text("length;flow\n# no\n1,5;2\n2,5;?\n", encoding="utf-8")
    (folder / "latin.csv").write_bytes("é,flow\n1,2\n2,4\n".encode("latin-1"))
    (folder / "constant.csv").write_text("length,flow\n2,1\n2,1\n2,1\n", encoding="utf-8")
    (folder / "huge.csv").write_text("length,flow\n1e300,1\n2,1e-300\n-1e300,3\n", encoding="utf-8")
    (folder / "empty.csv").write_bytes(b"")
    (folder / "old").write_bytes(b"what stood here before")
    (folder / "rivers").mkdir()
    for part in "12":
        (folder / "rivers" / f"{part}.csv").write_text(ROWS, encoding="utf-8")
    return folder


def contents(folder: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


# --- What may be typed ----------------------------------------------------------------------------


def values(good: list[str], bad: list[str] | st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    """Draw good values much oftener than bad ones: of those one is enough for a refusal."""
    other = st.sampled_from(bad) if isinstance(bad, list) else bad
    return st.sampled_from([*[st.sampled_from(good)] * 14, other]).flatmap(lambda one: one)


WORDS = st.sampled_from(
    ["", "nan", "inf", "-1", "0", "1e400", "é", "x y", "[bold]", "a=b", "--", ",", "{lr}", "%s"]
)
REALS = st.one_of(st.floats().map(str), st.integers(-3, 3).map(str), WORDS)
RATES = values(["0.1", "1e-3", "1e-5", "10", "1e100"], REALS)
COUNTS = values(["1", "2", "3", "7", "20", "40"], st.one_of(st.integers(-2, 0).map(str), WORDS))
RUNS = ["run.parquet", "other.parquet", "diverged.parquet", "huber.parquet"]
TABLES = ["river.csv", "river.parquet", "rivers", "rivers/?.csv", "-"]
ODD = ["text.csv", "gaps.csv", "river.*", "empty.csv", "cut.parquet", "altered.parquet",
       "constant.csv", "comma.csv", "huge.csv", "latin.csv", "none.csv", ".", "", "old", "link",
       "none*.csv", "*.csv"]  # fmt: skip
DATA = values(TABLES, [*ODD, *RUNS])
RUN = values(RUNS, [*TABLES, *ODD])
OUT = values(
    ["out", "./out", "rivers/../out", "link", "old"],
    ["rivers/out", "no/out", ".", "", "river.csv/out", "river.csv", "run.parquet", "gaps.csv",
     "rivers", "rivers/1.csv", "x" * 300],
)  # fmt: skip
VALUES: dict[str, st.SearchStrategy[str]] = {
    "--target": values(["flow"], ["length", "note", "flo", ""]),
    "--features": values(
        ["length", "depth", "length,depth", '"length"'],
        ["flow", "depth,depth", "", "note", '"', ","],
    ),
    "--categories": values(["all", "note", "length"], ["flow", "nota", "", "depth,note"]),
    "--missing": values(["error", "drop", "drop"], ["x", ""]),
    "--delimiter": values([","], [";", r"\t", "ab", ""]),
    "--decimal": values(["."], [",", "x"]),
    "--thousands": values(["'", " "], [",", ".", "x", ""]),
    "--na-values": values(["?", "2", "x"], [""]),
    "--encoding": values(["utf-8", "latin-1"], ["utf-16", "klingon", "", "rot13", "base64"]),
    "--comment": values(["#"], ["1", "//", ""]),
    "--skip-rows": values(["0"], ["1", "2", "-1", "x", "99", "9" * 30]),
    "--optimizer": values(
        ["sgd", "nadam", "adamw", "rprop", "Adam", "adafactor"], ["lbfgs", "nadm", ""]
    ),
    "--lr": RATES,
    "--epochs": COUNTS,
    "--batch-size": COUNTS,
    "--loss": values(["mse", "l1", "huber"], ["x"]),
    "--delta": RATES,
    "--seed": values(["0", "7", "-1"], WORDS),
    "--tolerance": RATES,
    "--tolerance-on": values(["gradient_norm", "loss"], ["x"]),
    "--engine": values(["auto", "compiled", "reference"], ["x"]),
    "--dtype": values(["float32", "float64"], ["float16"]),
    "--record": values(["epoch", "step", "3"], ["0", "-1", "x", "9" * 30]),
    "--set": values(
        [
            "momentum=0.9", "betas=(0.5,0.9)", "foreach=True", "batch_sampler=[[0]]",
            "weight_decay=0.1",
        ],
        [
            "momentum=-1", "betas=1", "=", "x", "lr=1", "start=7", "start=[1]", "data=1",
            "progress=True", "record=step", "record=0", "dtype=float32", "batch_sampler=[[99]]",
            "json=1", "every=1", "a b=1", "eps=" + "(" * 300, "batch_sampler=" + "9" * 5000,
        ],
    ),
    "--every": values(["1", "0.01"], REALS),
    "--checkpoint": OUT,
    "--resume": RUN,
    "--out": OUT,
    "--report": OUT,
    "--to": values(["pytorch"], ["torch", ""]),
}  # fmt: skip
FLAGS = {
    "--shuffle", "--drop-last", "--standardize", "--intercept", "--no-intercept", "--json",
}  # fmt: skip
SHORT = {"--target": "-y", "--features": "-x", "--out": "-o"}
WRITTEN = ("--out", "--report", "--checkpoint")
COMMANDS = ("fit", "solve", "predict", "explain", "export", "report")
SLOW = ("--report",)


@functools.cache
def options_of(command: str) -> list[str]:
    """Name the options of a command, in their long forms, as the command line has them."""
    commands = typer.main.get_command(app).commands  # type: ignore[attr-defined]  # a group
    forms = [
        form
        for parameter in commands[command].params
        for form in (*parameter.opts, *parameter.secondary_opts)
    ]
    return [form for form in forms if form.startswith("--")]


class Line(NamedTuple):
    """A command line: positions, options and flags in the order in which they are typed."""

    command: str
    parts: tuple[tuple[str, ...], ...]
    ends_early: str = ""
    """A word with which nothing is done: an option that there is not, or the call for help."""

    @property
    def words(self) -> list[str]:
        words = [self.command]
        for name, *value in self.parts:
            joined = name.startswith("--") and value and len(value[0]) % 3 == 1
            words += [f"{name}={value[0]}"] if joined else [name, *value]
        return [*words, self.ends_early] if self.ends_early else words

    @property
    def places(self) -> list[str]:
        return [part[0] for part in self.parts if len(part) == 1 and part[0] not in FLAGS]

    def said(self, option: str) -> str | None:
        """Give the value of an option, the last where it is repeated."""
        forms = (option, SHORT.get(option))
        return next((part[1] for part in self.parts[::-1] if part[0] in forms), None)

    def outputs(self) -> dict[str, str]:
        """Give the places that may be written, by the option that names each."""
        named = {option: self.said(option) for option in (*WRITTEN, "--resume")}
        if named["--checkpoint"] is not None:
            del named["--resume"]
        if self.command == "report" and named["--out"] is None:
            named["--out"] = "report.html"
        return {option: place for option, place in named.items() if place is not None}

    def inputs(self) -> Iterator[str]:
        """Give the files that are read and may not be written, whatever is said."""
        resumed, kept = self.said("--resume"), self.said("--checkpoint")
        only_read = [resumed] if resumed and kept and not is_same(resumed, kept) else []
        for place in [*self.places, *only_read]:
            if place == "-":  # standard input; to write it is to write a file of that name
                continue
            if Path(place).is_dir() and self.command not in ("export", "report"):
                yield from (str(path) for path in Path(place).rglob("*"))
            elif "*" in place or "?" in place:
                yield from glob.glob(place)  # noqa: PTH207  # as it is typed
                continue  # the pattern itself is no file
            yield place


def is_same(one: str, other: str) -> bool:
    return os.path.realpath(one) == os.path.realpath(other)


@st.composite
def command_lines(draw: st.DrawFn) -> Line:
    command = draw(st.sampled_from([*COMMANDS, *("fit", "solve", "predict", "explain") * 2]))
    many = draw(st.sampled_from([1] * 15 + [2, 2, 0]))
    places = [draw(RUN if command in ("predict", "export", "report") else DATA)] * min(many, 1)
    if command == "predict":
        places += [draw(DATA) for _ in range(many)]
    elif command == "explain" and draw(st.booleans()):
        places = [draw(RUN)]
    elif many == 2:
        places.append(draw(RUN if command == "report" else DATA))
    options = options_of(command)
    parts: list[tuple[str, ...]] = [(place,) for place in places]
    is_of_data = command in ("fit", "solve") or (command == "explain" and not set(places) & {*RUNS})
    if is_of_data and draw(st.sampled_from([True] * 19 + [False])):
        parts.append(("--target", "flow"))
    if command == "fit":
        parts.append(("--epochs", draw(COUNTS)))
    if command == "report" or draw(st.integers(0, 2)) == 0:
        parts += [("--out", draw(OUT))] * ("--out" in options)
    slow = SLOW if draw(st.sampled_from([True] * 7 + [False])) else ()
    chosen = [name for name in options if name not in slow and name != "--help"]
    for name in draw(st.lists(st.sampled_from(chosen), max_size=draw(st.integers(0, 5)))):
        form = draw(st.sampled_from([name, SHORT.get(name, name)]))
        parts.append((name,) if name in FLAGS else (form, draw(VALUES[name])))
    if places and "--out" in options and draw(st.sampled_from([False] * 5 + [True])):
        parts.append(("--out", draw(st.sampled_from(places))))  # over what is read
    ends_early = draw(st.sampled_from([""] * 30 + ["--nope", "--help"]))
    inner = iter(places)  # the places stay in their order, wherever they stand
    mixed = [
        (next(inner),) if part[:1] == part and part[0] in places else part
        for part in draw(st.permutations(parts))
    ]
    return Line(command, tuple(mixed), ends_early)


# --- What must hold -------------------------------------------------------------------------------


def test_every_option_is_among_those_that_are_tried() -> None:
    for command in COMMANDS:
        assert set(options_of(command)) <= VALUES.keys() | FLAGS | {"--help"}, command


@example(line=Line("predict", (("run.parquet",), ("run.parquet",), ("--out", "out"))))
@given(line=command_lines())
@settings(max_examples=70)
def test_any_command_line_ends_in_an_answer_or_a_sentence(line: Line, files: Path) -> None:
    start = Path.cwd()
    with tempfile.TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        os.chdir(folder)
        patch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(ROWS.encode())))
        try:
            shutil.copytree(files, folder, dirs_exist_ok=True)
            Path("link").symlink_to("old")
            before = contents(Path(folder))
            inputs = {os.path.realpath(place) for place in line.inputs()}
            said = run(*line.words)
            check_said(line, said)
            after = contents(Path(folder))
            changed = {name for name in before | after if before.get(name) != after.get(name)}
            check_changed(line, said, changed, inputs)
        finally:
            os.chdir(start)


def check_said(line: Line, said: Said) -> None:
    """Hold what was said: an answer, or one sentence; each warning on a line of its own."""
    assert said.code in (0, 2, 3), said
    assert "Traceback" not in said.err, said
    assert (said.code == 2) <= bool(said.err), said
    if line.ends_early:
        assert said.code == (0 if line.ends_early == "--help" else 2)
    elif said.code == 2 and not said.err.startswith("Usage: "):
        *warnings, sentence = said.err.splitlines()
        assert all(each.startswith("thalweg: ") for each in (*warnings, sentence)), said
        assert "; " in sentence, said
        assert all(" of " in warning or "depend" in warning for warning in warnings), said
        assert said.out == "" or line.command == "predict" or "standard output" in sentence, said
    elif "--json" in line.words and said.code != 2:
        json.loads(said.out, parse_constant=lambda name: pytest.fail(f"{name} in JSON"))


def check_changed(line: Line, said: Said, changed: set[str], inputs: set[str]) -> None:
    """Hold what a command left behind: what it names, each whole, and nothing else."""
    outputs = {} if line.ends_early else line.outputs()
    places = {os.path.realpath(place): option for option, place in outputs.items()}
    for name in changed:
        place = os.path.realpath(name)
        assert place in places, (line.words, said, name)
        assert place not in inputs, (line.words, said, name)
        assert said.code != 2 or places[place] in ("--checkpoint", "--resume"), (line.words, said)
    if said.code == 2:
        return
    for option, place in outputs.items():
        if option != "--checkpoint" or Path(place).exists():  # a fit that is quick keeps none
            check_whole(line, said, option, Path(place))


def check_whole(line: Line, said: Said, option: str, place: Path) -> None:
    """Hold a file that was written against what it should be."""
    if option == "--resume" or (option in ("--out", "--checkpoint") and line.command == "fit"):
        thalweg.load(place)
    elif option == "--report" or line.command == "report":
        page = place.read_text(encoding="utf-8")
        assert page.startswith("<!doctype html>")
        assert page.rstrip().endswith("</html>")
    elif line.command == "export":
        compile(place.read_bytes(), "out", "exec")
    else:
        lines = place.read_text(encoding="utf-8").splitlines()
        assert said.code == 0
        assert lines[0] == "flow"
        assert len(lines) > 1
        assert all(math.isfinite(float(value)) for value in lines[1:])
        if line.places[1:] in (["river.csv"], ["river.parquet"]):
            assert len(lines) == 1 + 20
