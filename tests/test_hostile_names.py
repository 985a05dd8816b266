"""A column's name is text in all that is written of it, whatever it looks like.

Files, JSON, scripts and pages hold it exactly; a line on a terminal shows control characters as
their escapes. Not here: figures (test_figures, with the same names), names that are refused.
"""

from __future__ import annotations

import ast
import csv
import importlib.resources
import io
import json
import os
import pty
import re
import runpy
import subprocess
import sys
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import thalweg
from command_line import Said, run
from hostile_names import NAMES
from lab.conftest import Served
from thalweg.cli.options import names_as_words
from thalweg.export import to_pytorch
from thalweg.figures.labels import as_text
from thalweg.lab.gradient_inspection import inspect_gradient
from thalweg.lab.messages import COLUMNS, Source, View, answer
from thalweg.lab.page_state import LabData, PageState
from thalweg.lab.serving import make_lab
from thalweg.pages.report import report_page

if TYPE_CHECKING:
    from playwright.sync_api import Browser

# What a terminal obeys, and what some readers of lines end a line at.
CONTROLS = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029]")
# How a shell hands words on: one after another, each ended by what no word can hold.
AS_WORDS = "printf '%s\\0'"
TAKEN = {"bias": "bias_2", "loss": "loss_2"}  # the answer's own come first


def shown(name: str) -> str:
    """Write a name as a line on a terminal does."""
    return CONTROLS.sub(lambda c: c[0].encode("unicode_escape").decode(), name)


def rows(d: int, n: int = 5) -> np.ndarray:
    return np.random.default_rng(d).normal(1.0, 2.0, size=(n, d))


def datasets(name: str) -> dict[str, thalweg.Dataset]:
    """Give rows that have the name as a feature's, and some that have it as the target's."""
    X = rows(3)
    return {
        "feature": thalweg.Dataset(X[:, :2], X[:, 2], features=[name, "z"], target="t"),
        "only feature": thalweg.Dataset(X[:, :1], X[:, 2], features=[name], target="t"),
        "target": thalweg.Dataset(X[:, :2], X[:, 2], features=["z", "v"], target=name),
    }


@pytest.fixture(scope="module")
def wide() -> thalweg.Dataset:
    """All the names as features, with rows enough for one exact solution."""
    X = rows(len(NAMES), n=80)
    return thalweg.Dataset(X, X.sum(axis=1) + rows(1, n=80)[:, 0], features=NAMES, target="y")


@pytest.fixture(scope="module")
def folder(wide: thalweg.Dataset, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A table with all the names, a run on them, and a run on each as the target."""
    made = tmp_path_factory.mktemp("hostile")
    table = pa.table([*wide.X.T, wide.y], names=[*NAMES, "y"])
    pq.write_table(table, made / "all.parquet")
    texts = pa.array(["no number"] * len(table))
    pq.write_table(table.append_column("words", texts), made / "words.parquet")
    thalweg.fit(wide, epochs=3).save(made / "wide.run")
    for i, name in enumerate(NAMES):
        thalweg.fit(datasets(name)["target"], epochs=1).save(made / f"{i}.run")
    pq.write_table(
        table.append_column("z", pa.array(rows(1, len(table))[:, 0])), made / "z.parquet"
    )
    pq.write_table(pa.table({"z": [1.0, 2.0], "v": [0.5, 3.0]}), made / "new.parquet")
    return made


@pytest.fixture(autouse=True)
def here(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder)


def typed(name: str) -> str:
    """Write a name as ``--features`` takes it alone: where commas separate, they need quotes."""
    doubled = name.replace('"', '""')
    return f'"{doubled}"' if "," in name else name


def is_said(said: Said) -> None:
    """Hold what was said to whole lines of text."""
    assert said.code == 0, said
    for line in (said.out + said.err).replace("\t", " ").split("\n"):
        assert CONTROLS.search(line) is None, line


def test_the_names_are_as_many_as_they_claim() -> None:
    assert len(NAMES) == len(set(NAMES)) == 61
    assert any(len(name) == 500 for name in NAMES)


# --- Files, read and written ----------------------------------------------------------------------


def test_tables_give_their_names(tmp_path: Path, wide: thalweg.Dataset) -> None:
    given = thalweg.read("all.parquet", target="y")
    assert (given.features, given.target) == (NAMES, "y")
    # A text's header is stripped of blanks, and one with control characters is taken for no text.
    lines = [name for name in NAMES if name == name.strip() and not CONTROLS.search(name)]
    with (tmp_path / "all.csv").open("w", newline="", encoding="utf-8") as file:
        table = csv.writer(file)
        table.writerow(["y", *lines])
        table.writerows(rows(len(lines) + 1).tolist())
    assert thalweg.read(tmp_path / "all.csv", target="y").features == tuple(lines)
    for name in NAMES:
        assert thalweg.read("all.parquet", target=name, features=["y"]).target == name
        assert thalweg.read("all.parquet", target="y", features=[name]).features == (name,)


def test_a_run_keeps_its_names(wide: thalweg.Dataset, tmp_path: Path) -> None:
    settings: list[dict[str, Any]] = [{}, {"standardize": True}, {"intercept": False}]
    for asked in settings:
        made = thalweg.fit(wide, epochs=1, **asked)
        made.save(tmp_path / "a.run")
        kept = thalweg.load(tmp_path / "a.run")
        assert (kept.features, kept.names) == (NAMES, made.names)
        assert kept.summary.features == NAMES
    for i, name in enumerate(NAMES):
        kept = thalweg.load(f"{i}.run")
        assert (kept.target, kept.summary.target, kept.features) == (name, name, ("z", "v"))


def test_predictions_bear_the_target_s_name() -> None:
    for i, name in enumerate(NAMES):
        assert run("predict", f"{i}.run", "new.parquet", "--out", "flow.csv").code == 0
        said = run("predict", f"{i}.run", "new.parquet")
        written = Path("flow.csv").read_bytes()
        assert said.out.encode() == written
        # As readers do that know of the mark of byte order.
        text = io.StringIO(written.decode("utf-8-sig"), newline="")
        header, *values = csv.reader(text)
        assert (header, len(values)) == ([name], 2)


def literals(script: str) -> list[str]:
    """Give the texts in a script, without that of its opening."""
    parsed = ast.parse(script)
    found = [node.value for node in ast.walk(parsed) if isinstance(node, ast.Constant)]
    return [value for value in found if isinstance(value, str) and value != doc(script)]


def doc(script: str) -> str:
    return ast.get_docstring(ast.parse(script), clean=False) or ""


@pytest.mark.filterwarnings("error")  # an escape that Python does not know
@pytest.mark.parametrize("inlined", [True, False])
def test_a_script_holds_the_name(inlined: bool, tmp_path: Path) -> None:
    for name in NAMES:
        for place, data in datasets(name).items():
            made = thalweg.fit(data, epochs=1)
            if not inlined:
                made.save(tmp_path / "a.run")
                made = thalweg.load(tmp_path / "a.run")
            script = to_pytorch(made)
            assert ("csv.DictReader" in script) is not inlined
            if place != "target" or not inlined:
                assert name in literals(script), name
            unwrapped = re.sub(r"\s", "", doc(script))
            assert re.sub(r"\s", "", repr(name)) in unwrapped
            plain = to_pytorch(thalweg.fit(datasets("plain")[place], epochs=1))
            if inlined:
                assert outline(script) == outline(plain)
    assert run("export", "wide.run").out == to_pytorch(thalweg.load("wide.run"))


def outline(script: str) -> list[str]:
    """Tell what a script does, whatever its texts and numbers are."""
    return [type(node).__name__ for node in ast.walk(ast.parse(script))]


@pytest.mark.usefixtures("torch_as_it_was")
def test_a_script_reads_the_columns_of_these_names(
    wide: thalweg.Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("torch")
    (tmp_path / "script.py").write_text(to_pytorch(thalweg.load("wide.run")), encoding="utf-8")
    with (tmp_path / "rows.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\r\n")
        writer.writerow(["y", *NAMES])
        writer.writerows(np.column_stack([wide.y, wide.X]).tolist())
    monkeypatch.setattr(sys, "argv", ["script.py", str(tmp_path / "rows.csv")])
    end = runpy.run_path(str(tmp_path / "script.py"))
    np.testing.assert_allclose(
        end["weights"], thalweg.load("wide.run").weights, rtol=1e-4, atol=1e-6
    )


# --- The command line -----------------------------------------------------------------------------


def test_answers_for_a_program_hold_the_names() -> None:
    fitted = run("fit", "all.parquet", "-y", "y", "--epochs", "3", "--json")
    solved = run("solve", "all.parquet", "-y", "y", "--json")
    for said in (fitted, solved):
        is_said(said)
        assert tuple(json.loads(said.out)["weights"]) == NAMES
    exact = thalweg.solve("all.parquet", target="y").weights.tolist()
    assert list(json.loads(solved.out)["weights"].values()) == exact
    for name in NAMES:
        said = run("solve", "all.parquet", "-y", name, "-x", "y", "--json")
        assert list(json.loads(said.out)["weights"]) == ["y"]
        said = run("explain", "all.parquet", "-y", "y", "-x", typed(name), "--json")
        is_said(said)
        assert json.loads(said.out)["text"]


def test_answers_for_people_have_a_line_for_each_name() -> None:
    solved = run("solve", "all.parquet", "-y", "y")
    fitted = run("fit", "all.parquet", "-y", "y", "--epochs", "3")
    for said in (solved, fitted):
        is_said(said)
    expected = [shown(TAKEN.get(name, name)) for name in NAMES]
    lines = solved.out.removesuffix("\n").split("\n")
    assert [line.rpartition("\t")[0] for line in lines] == ["bias", *expected, "loss"]
    heading, bias, *lines = fitted.out.removesuffix("\n").split("\n")
    assert (heading.split()[:2], bias.split()[0]) == (["by", "descent"], "bias")
    for name, line in zip([*expected, "loss"], lines, strict=True):
        assert line.startswith(name), line
        assert re.fullmatch(r" +[−\d.,]+ +[−\d.,]+", line[len(name) :]), line


def test_one_column_is_chosen_by_its_name_alone() -> None:
    for name in NAMES:
        said = run("solve", "all.parquet", "-y", "y", "-x", typed(name), "--json")
        assert list(json.loads(said.out)["weights"]) == [name], said


def test_explanations_name_columns_as_text() -> None:
    said = run("explain", "wide.run")
    is_said(said)
    for name in NAMES:  # beside one other, a direction is called by it
        text = thalweg.explain(thalweg.fit(datasets(name)["feature"], epochs=3)).text
        assert shown(name) in text
        assert CONTROLS.search(text.replace("\n\n", "")) is None


def test_a_shell_takes_the_recommended_command_as_it_is_meant() -> None:
    pairs = [*((name, "y") for name in NAMES), *(("y", typed(name)) for name in NAMES)]
    asked = [("explain", "all.parquet", "-y", target, "-x", feature) for target, feature in pairs]
    commands = []
    for line in asked:
        said = run(*line)
        is_said(said)
        commands.append(said.out.splitlines()[-1].removeprefix("As a command: "))
    words = words_of(commands)
    for line, command in zip(asked, words, strict=True):
        assert command[:3] == ["thalweg", "fit", "all.parquet"]
        assert command[3:7] == ["--target", line[3], "--features", line[5]]


def words_of(commands: list[str]) -> list[list[str]]:
    """Let a shell read commands, and give the words of each."""
    script = "\n".join(f"{AS_WORDS} {command}; {AS_WORDS} ''" for command in commands)
    told = subprocess.run(["bash", "-c", script], capture_output=True, check=True)
    lines = told.stdout.decode().split("\0\0")
    assert lines.pop() == ""
    return [line.split("\0") for line in lines]


def test_mistakes_are_one_sentence_that_quotes_the_name() -> None:
    for name in NAMES:
        said = run("solve", "all.parquet", "-y", f"{name} none")
        assert (said.code, said.out) == (2, "")
        assert said.err.startswith("thalweg: target: got ")
        assert f"got {f'{name} none'!r}, expected a column of all.parquet;" in said.err
        assert CONTROLS.sub("", said.err) + "\n" == said.err
    said = run("fit", "all.parquet", "-y", "y", "-x", "a,b\nc")
    assert (said.code, said.err) == (
        2,
        "thalweg: --features: got 'a,b\\nc', expected names that commas separate, or one name; "
        "repeat --features with one name each, or put the name in double quotes\n",
    )
    for name in (":smile:", "[red]", "\x1b[35mpink", "two\nlines"):  # of a file, too
        said = run("fit", f"{name}.csv", "-y", "y")
        assert said.err.startswith(f"thalweg: {shown(name)}.csv: got ")


def test_advice_that_names_columns_is_taken_as_it_is_meant() -> None:
    said = run("solve", "words.parquet", "-y", "y")
    assert said.code == 2
    assert CONTROLS.sub("", said.err) + "\n" == said.err
    advised = re.search(r"leave them out with (.*)\n", said.err)
    assert advised
    (words,) = words_of([advised[1]])
    assert words[::2] == ["--features"] * len(NAMES)
    assert words[1::2] == list(NAMES)
    is_said(run("solve", "words.parquet", "-y", "y", *words))
    for name in NAMES:  # alone, and beside one that is as any other
        for others in ([], ["z"]):
            words = names_as_words([name, *others])
            said = run(
                "solve", "all.parquet" if not others else "z.parquet", "-y", "y", *words, "--json"
            )
            assert list(json.loads(said.out)["weights"]) == [name, *others], words


def test_a_warning_quotes_the_names() -> None:
    for name in NAMES:
        x = [1.0, 2.0, 4.0]
        pq.write_table(pa.table({name: x, "z": x, "y": [2.0, 3.0, 5.0]}), "same.parquet")
        said = run("solve", "same.parquet", "-y", "y")
        is_said(said)
        assert f"columns that depend on one another: {name!r}, 'z'," in said.err


# Headings, mistakes, warnings; a bar too, where the machine is slow.
OURS = re.compile(r"\x1b\[[?0-9;]*[a-zA-Z]|[\r\n\t]")
ON_A_TERMINAL = """
import sys
from thalweg.cli.main import main
for line in {lines!r}:
    try:
        main(line)
    except SystemExit as end:
        print("ended with", end.code, flush=True)
"""


def test_no_name_is_obeyed_by_a_terminal() -> None:
    chosen = [i for i, name in enumerate(NAMES) if CONTROLS.search(name) or name[0] in "[:"]
    lines = [
        ["fit", "all.parquet", "-y", "y", "--epochs", "3"],
        ["solve", "all.parquet", "-y", "y"],
        ["solve", "words.parquet", "-y", "y"],
        ["explain", "wide.run"],
        ["export", "wide.run"],
        *(["predict", f"{i}.run", "new.parquet"] for i in chosen),
        *(["explain", "all.parquet", "-y", NAMES[i], "-x", "y"] for i in chosen),
        *(["solve", "all.parquet", "-y", f"{NAMES[i]} none"] for i in chosen),
    ]
    text = on_a_terminal(ON_A_TERMINAL.format(lines=lines))
    assert text.count("ended with 0") == 4 + 2 * len(chosen)
    assert text.count("ended with 2") == 1 + len(chosen)
    rest = OURS.sub("", text)
    assert CONTROLS.search(rest) is None, rest
    assert not [name for name in NAMES if CONTROLS.search(name) and name in text]
    for i in chosen:
        assert text.count(shown(NAMES[i])) >= 3, NAMES[i]


def on_a_terminal(program: str) -> str:
    """Run a program on a terminal of its own; give all that reaches it."""
    master, slave = pty.openpty()
    environment = {**os.environ, "COLUMNS": "120", "TERM": "xterm", "NO_COLOR": ""}
    child = subprocess.Popen(
        [sys.executable, "-c", program], stdin=slave, stdout=slave, stderr=slave,
        env=environment,
    )  # fmt: skip
    os.close(slave)
    parts = []
    while True:
        try:
            part = os.read(master, 1 << 16)
        except OSError:  # nobody holds its other end
            break
        if not part:
            break
        parts.append(part)
    os.close(master)
    assert child.wait() == 0, b"".join(parts)
    return b"".join(parts).decode().replace("\r\n", "\n")


# --- Pages ----------------------------------------------------------------------------------------


class Seen(HTMLParser):
    """What a browser makes of a page: its elements with their attributes, and its text."""

    def __init__(self, page: str) -> None:
        super().__init__(convert_charrefs=True)
        self.elements: list[tuple[str, ...]] = []
        self.values: list[str] = []
        self.texts: list[str] = [""]
        self.others: list[str] = []
        self.feed(page)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, *(name for name, _ in attrs)))
        self.values += [value or "" for _, value in attrs]
        self.texts.append("")

    def handle_endtag(self, tag: str) -> None:
        self.elements.append((f"/{tag}",))
        self.texts.append("")

    def handle_data(self, data: str) -> None:
        self.texts[-1] += data

    def handle_comment(self, data: str) -> None:
        self.others.append(data)

    def handle_pi(self, data: str) -> None:
        self.others.append(data)


PLAIN = tuple(f"plain{i}" for i in range(len(NAMES)))
ALL = " ".join(NAMES)  # of one name that holds all the others


def test_a_report_shows_names_as_text(wide: thalweg.Dataset) -> None:
    def page(features: tuple[str, ...], name: str) -> Seen:
        data = thalweg.Dataset(wide.X, wide.y, features=features, target=name, name=name)
        return Seen(report_page({name: thalweg.fit(data, epochs=3)}))

    hostile, plain = page(NAMES, ALL), page(PLAIN, "plain")
    assert hostile.elements == plain.elements
    assert hostile.others == plain.others == []
    for name in NAMES:
        assert ("bias_2" if name == "bias" else name) in hostile.texts
    title = f"{ALL} from {', '.join(NAMES)}"
    assert hostile.texts.count(title) == 2  # in the window's bar and over the page
    assert ALL in hostile.texts  # the run's own column


def representations(features: list[str], target: str) -> Iterator[Any]:
    X = rows(len(features) + 1, n=8)
    data = thalweg.Dataset(X[:, :-1], X[:, -1], features=features, target=target, name=target)
    fitted = thalweg.fit(data, epochs=3)
    yield from (data, data.summary, data.summary.solve(), fitted, thalweg.explain(fitted))


def test_notebooks_show_names_as_text() -> None:
    plain = [Seen(each._repr_html_()) for each in representations(["plain", "z"], "target")]
    for name in NAMES:
        for features, target in (([name, "z"], "target"), (["plain", "z"], name)):
            shows = 0
            for each, beside in zip(representations(features, target), plain, strict=True):
                seen = Seen(each._repr_html_())
                assert seen.elements == beside.elements, name
                assert seen.values == beside.values, name
                assert seen.others == []
                shows += any(name in text or shown(name) in text for text in seen.texts)
                assert CONTROLS.search(repr(each).replace("\n", "")) is None, repr(each)
            assert shows >= (5 if target == "target" else 3), name


# --- The lab --------------------------------------------------------------------------------------


@pytest.mark.parametrize("part", [NAMES[:COLUMNS], NAMES[COLUMNS:]])
def test_the_lab_sends_names_as_they_are(part: tuple[str, ...]) -> None:
    X = rows(len(part), n=80)
    data = thalweg.Dataset(X, X.sum(axis=1) + rows(1, n=80)[:, 0], features=part, target=ALL)
    lab = PageState(LabData(data, Source("rows")))
    described = json.loads(answer(1, "data", data=lab.data.describe()))["data"]
    assert (tuple(described["features"]), described["target"]) == (part, ALL)
    assert described["labels"]["features"] == list(part)
    assert described["labels"]["target"] == ALL
    fitted = lab.run({"epochs": 3})
    assert tuple(described["parameters"]) == fitted.names
    assert inspect_gradient(data, fitted, 1)["names"] == fitted.names
    for name, parameter in zip(part, fitted.names[1:], strict=True):
        seen = header(lab.show(1, ({"epochs": 3},), View(along=(parameter, "bias"))))
        assert seen["plane"]["along"] == [parameter, "bias"]
        label, bias = seen["plane"]["labels"]
        assert label.endswith(f"{name} ({ALL} per {name})" if name != "weight" else "per weight)")
        assert bias == f"bias ({ALL})"
    made: dict[str, Any] = {}
    exec(seen["python"], made)  # noqa: S102 - the code that the page offers
    assert (made["data"].features, made["data"].target) == (part, ALL)
    assert made["run"].names == fitted.names


def test_the_lab_takes_a_table_s_names() -> None:
    served = Served()
    try:
        with served.open() as client:
            table, page = Path("all.parquet").read_bytes(), client.hello["page"]
            uploaded = served.post("/upload/table?name=a.parquet", table, page).json
            assert [column["name"] for column in uploaded["columns"]] == [*NAMES, "y"]
            sent = [name for name in NAMES if len(name) <= 200][:COLUMNS]  # what a page may send
            source = {"source": "upload", "upload": uploaded["upload"]}
            for target, features in (("y", sent), (sent[4], ["y", sent[0]])):
                given = {**source, "target": target, "features": features}
                described = client.ask("data", data=given)["data"]
                assert (described["target"], described["features"]) == (target, features)
            rows = {"source": "rows", "X": [[1.0], [2.0], [4.0]], "y": [1.0, 2.0, 3.0]}
            for name in sent:
                given = {**rows, "features": [name], "target": f"{name}!", "name": name}
                described = client.ask("data", data=given)["data"]
                assert described["features"] == [name]
                assert (described["target"], described["name"]) == (f"{name}!", name)
    finally:
        served.stop()


# Our own elements, and in what Plotly draws those that a name could have made.
ELEMENTS_SHOWN = """() => [...document.querySelectorAll("*")]
  .filter((each) => !each.parentElement?.closest(".plot") || each.matches(":is(a, script, img)"))
  .map((each) => [each.localName, ...each.getAttributeNames()].join(" "))"""
TEXTS_SHOWN = """() => [...document.querySelectorAll("body *")]
  .flatMap((each) => [...each.childNodes].filter((node) => node.nodeType === 3))
  .map((node) => node.data)"""


def opened(browser: Browser, table: Path, faults: list[str]) -> tuple[list[str], str]:
    """Open a lab with a table; give the elements of its page, and the texts."""
    served = Served(lambda: make_lab(table))
    context = browser.new_context()
    try:
        page = context.new_page()
        page.on("pageerror", lambda error: faults.append(str(error)))
        page.on("dialog", lambda asked: faults.append(asked.message))
        page.goto(served.address)
        page.wait_for_selector("body[data-committed]", timeout=60_000)
        page.wait_for_selector("#why p:not(.hint)", timeout=60_000)  # what is said last
        return page.evaluate(ELEMENTS_SHOWN), "\n".join(page.evaluate(TEXTS_SHOWN))
    finally:
        context.close()
        served.stop()


def test_the_lab_s_page_shows_names_as_text(browser: Browser, tmp_path: Path) -> None:
    chosen = [name for name in NAMES if re.search("[<>&]", name)]
    faults: list[str] = []
    seen = []
    for i, names in enumerate((chosen, PLAIN[: len(chosen)])):
        X = rows(len(names), n=80)
        y = X.sum(axis=1) + rows(1, n=80)[:, 0]
        target = f"t {names[0]}"
        pq.write_table(pa.table([*X.T, y], names=[*names, target]), tmp_path / f"{i}.parquet")
        seen.append(opened(browser, tmp_path / f"{i}.parquet", faults))
    (hostile, texts), (plain, _) = seen
    assert faults == []
    assert hostile == plain
    for name in [*chosen, f"t {chosen[0]}"]:
        assert name in texts


def header(frame: bytes) -> dict[str, Any]:
    length = int.from_bytes(frame[4:8], "little")
    read: dict[str, Any] = json.loads(frame[8 : 8 + length])
    return read


def test_the_page_s_charts_write_names_as_ours_do() -> None:
    static = importlib.resources.files("thalweg.lab") / "static"
    charts = (static / "charts.js").read_text(encoding="utf-8")
    found = re.search(r"const MARKS = (\{.*\});\nconst escape = .*/\[(.*)\]/g", charts)
    assert found
    marks: dict[str, Any] = json.loads(found[1])
    assert set(found[2]) == set(marks)
    for name in NAMES:
        assert name.translate(str.maketrans(marks)) == as_text(name)
