"""The command line as a person meets it: what it prints, where, and how it exits."""

from __future__ import annotations

import json
import re
import shlex
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import thalweg
from command_line import call, run
from thalweg.cli import rows
from thalweg.data.scanning import Scan

CORPUS = "salammbo_fr_ch{:02}.txt"


def test_version() -> None:
    assert call("--version").stdout == f"thalweg {thalweg.__version__}\n"


def test_a_misspelt_command_gets_the_nearest() -> None:
    done = call("lessson")
    assert done.returncode == 2
    assert done.stdout == ""
    assert "Did you mean 'lesson'?" in done.stderr


def test_count_goes_to_stdout(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("A cat\n\nsat.", encoding="utf-8")
    done = call("count", "a.txt", cwd=tmp_path)
    assert (done.returncode, done.stdout) == (0, "chapter,characters,A\na.txt,10,3\n")


def test_count_options(tmp_path: Path) -> None:
    (tmp_path / "book.txt").write_text("I\nà la mer\nII\nété, eau\n", encoding="utf-8")
    done = call(
        "count", "book.txt", "--split", "^I+$", "--letter", "e", "--fold-accents",
        "--alphabetic-only", "--out", "e.csv", cwd=tmp_path,
    )  # fmt: skip
    assert (done.returncode, done.stdout) == (0, "")
    lines = (tmp_path / "e.csv").read_text(encoding="utf-8").splitlines()
    assert lines[0] == "chapter,characters,E"
    assert [line.split(",")[-1] for line in lines[1:]] == ["1", "3"]


def test_mistakes_get_one_sentence_and_leave_nothing(tmp_path: Path) -> None:
    (tmp_path / "latin.txt").write_bytes("é".encode("latin-1"))
    (tmp_path / "empty.txt").write_bytes(b"")
    (tmp_path / "book.txt").write_text("no headings here", encoding="utf-8")
    for arguments in (
        ("latin.txt",),
        ("empty.txt",),
        ("missing.txt",),
        ("book.txt", "--split", "^CHAPTER"),
        ("book.txt", "--split", "("),
        ("book.txt", "--letter", "ab"),
    ):
        done = call("count", *arguments, "--out", "counts.csv", cwd=tmp_path)
        assert done.returncode == 2, arguments
        assert done.stdout == ""
        assert done.stderr.startswith("thalweg: ")
        assert len(done.stderr.strip().splitlines()) == 1
        assert not (tmp_path / "counts.csv").exists()


def test_the_novel_gives_the_builtin_table(shared: Path) -> None:
    files = [shared / "corpus" / CORPUS.format(chapter) for chapter in range(1, 16)]
    done = call("count", *files)
    counted = [tuple(map(float, line.split(",")[1:])) for line in done.stdout.splitlines()[1:]]
    data = thalweg.salammbo()
    assert counted == list(zip(data.X[:, 0].tolist(), data.y.tolist(), strict=True))


def test_the_lesson_writes_its_page_and_table(tmp_path: Path) -> None:
    done = call("lesson", "--out", "page.html", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "page.html").read_text(encoding="utf-8").startswith("<!doctype html>")
    assert "numbers agree" in done.stdout
    assert "loss after the last update" in done.stdout


# --- Own data -------------------------------------------------------------------------------------


ROWS = "length,depth,flow\n" + "".join(
    f"{10 + i},{(7 * i) % 5},{3 + 2 * i - (7 * i) % 5 + (i % 3) / 10}\n" for i in range(20)
)
ROUNDING = 1e-14  # a product of rows with weights, summed in another order
STABLE = ("--optimizer", "adam", "--lr", "0.3", "--standardize", "--epochs", "300")


@pytest.fixture
def river(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder to stand in, with a table in it."""
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "river.csv"
    path.write_text(ROWS, encoding="utf-8")
    return path


def expected_fit(path: Path) -> thalweg.Run:
    return thalweg.fit(
        thalweg.read(path, target="flow"), optimizer="adam", lr=0.3, standardize=True, epochs=300
    )


def test_fit_shows_the_descent_beside_the_exact_solution(river: Path) -> None:
    said = run("fit", river, "--target", "flow", *STABLE)
    expected = expected_fit(river)
    solution = thalweg.solve(thalweg.read(river, target="flow"))
    assert said.code == 0
    lines = said.out.splitlines()
    assert lines[0].split() == ["by", "descent", "exact", "solution"]
    assert lines[2].split() == [
        "length", f"{expected.weights[0]:.8g}", f"{solution.weights[0]:.8g}"
    ]  # fmt: skip
    assert said.err.startswith("out of epochs after 300: the loss is ")
    assert len(said.err.strip().splitlines()) == 1


def test_fit_for_a_program(river: Path) -> None:
    said = run("fit", river, "-y", "flow", "-x", "length", "--json", *STABLE)
    answer = json.loads(said.out)
    expected = thalweg.fit(
        thalweg.read(river, target="flow", features=["length"]),
        optimizer="adam", lr=0.3, standardize=True, epochs=300,
    )  # fmt: skip
    assert said.code == 0
    assert answer["bias"] == expected.bias
    assert list(answer["weights"].values()) == [expected.weights[0]]
    assert answer["outcome"] == "out_of_epochs"
    assert answer["settings"]["optimizer"] == "adam"
    assert answer["exact"]["loss"] == expected.summary.solve().loss


def test_a_diverged_fit_exits_with_3_and_valid_json(river: Path) -> None:
    said = run("fit", river, "-y", "flow", "--optimizer", "sgd", "--lr", "1e200", "--json")
    answer = json.loads(said.out, parse_constant=lambda name: pytest.fail(f"{name} in JSON"))
    assert said.code == 3
    assert answer["outcome"] == "diverged"
    assert said.err.startswith("diverged at epoch ")


def test_the_optimisers_own_settings(river: Path) -> None:
    said = run(
        "fit", river, "-y", "flow", "--json", "--optimizer", "sgd", "--lr", "1e-4",
        "--set", "momentum=0.9", "--set", "nesterov=True",
    )  # fmt: skip
    hyperparameters = json.loads(said.out)["settings"]
    assert (hyperparameters["momentum"], hyperparameters["nesterov"]) == (0.9, True)


def test_a_run_is_written_predicted_with_explained_and_exported(river: Path) -> None:
    out = river.with_name("run.parquet")
    assert run("fit", river, "-y", "flow", *STABLE, "--out", out).code == 0
    loaded, expected = thalweg.load(out), expected_fit(river)
    np.testing.assert_array_equal(loaded.path, expected.path)

    said = run("predict", out, river)
    assert said.code == 0
    header, *values = said.out.splitlines()
    X = thalweg.read(river, target="flow").X
    assert header == "flow"
    np.testing.assert_allclose([float(value) for value in values], expected.predict(X), ROUNDING)

    said = run("explain", out)
    assert (said.code, said.out) == (0, thalweg.explain(loaded).text + "\n")
    answer = json.loads(run("explain", out, "--json").out)
    assert answer["recommended"] == thalweg.explain(loaded).recommended

    said = run("export", out, "--to", "pytorch", "--out", "again.py")
    assert (said.code, said.out) == (0, "")
    compile(Path("again.py").read_text(encoding="utf-8"), "again.py", "exec")


def test_predictions_need_no_target_and_go_to_a_file(river: Path) -> None:
    run("fit", river, "-y", "flow", *STABLE, "--out", "run.parquet")
    table = pa.table({"note": ["a", "b"], "depth": [1.0, 2.0], "length": [5, 6]})
    pq.write_table(table, "new.parquet")
    said = run("predict", "run.parquet", "new.parquet", "--out", "flow.csv")
    assert (said.code, said.out) == (0, "")
    header, *values = Path("flow.csv").read_text(encoding="utf-8").splitlines()
    assert header == "flow"
    predicted = expected_fit(river).predict([[5.0, 1.0], [6.0, 2.0]])
    np.testing.assert_allclose([float(value) for value in values], predicted, ROUNDING)


def test_predictions_are_written_whole_or_not_at_all(river: Path) -> None:
    run("fit", river, "-y", "flow", *STABLE, "--out", "run.parquet")
    table = pa.table({"depth": [1.0] * 200_000 + [None], "length": [5.0] * 200_001})
    pq.write_table(table, "new.parquet")
    said = run("predict", "run.parquet", "new.parquet", "--out", "flow.csv")
    assert said.code == 2
    assert said.err == (
        "thalweg: new.parquet: got missing values in 1 of 200,001 rows, in columns 'depth' (1); "
        "row 200000 (counted from 0), expected a value in each cell; fill them in, or take "
        "those rows out\n"
    )
    assert not Path("flow.csv").exists()


def test_a_lacking_feature_is_named(river: Path) -> None:
    run("fit", river, "-y", "flow", *STABLE, "--out", "run.parquet")
    Path("new.csv").write_text("length,deep\n1,2\n", encoding="utf-8")
    said = run("predict", "run.parquet", "new.csv")
    assert said.code == 2
    assert said.err == (
        "thalweg: features: got 'depth', expected a column of new.csv; did you mean 'deep'?\n"
    )


def test_solve_gives_all_digits(river: Path) -> None:
    solution = thalweg.solve(thalweg.read(river, target="flow"))
    said = run("solve", river, "-y", "flow")
    named = dict(line.split("\t") for line in said.out.splitlines())
    assert said.code == 0
    assert float(named["length"]) == solution.weights[0]
    assert float(named["loss"]) == solution.loss
    answer = json.loads(run("solve", river, "-y", "flow", "--json").out)
    assert answer["rows"] == 20
    assert answer["bias"] == solution.bias


def test_explain_of_data(river: Path) -> None:
    said = run("explain", river, "--target", "flow", "--json")
    answer = json.loads(said.out)
    found = thalweg.explain(thalweg.read(river, target="flow"))
    assert said.code == 0
    assert answer["recommended"] == found.recommended
    assert answer["condition_number"] == found.condition_number


@pytest.mark.parametrize("decimal", [".", ","])
def test_what_is_recommended_is_a_command_that_does_it(river: Path, decimal: str) -> None:
    table = "length;the depth;flow\n" + ROWS.split("\n", 1)[1].replace(",", ";")
    Path("the river.csv").write_text(table.replace(".", decimal), encoding="utf-8")
    said = run(
        "explain", "the river.csv", "-y", "flow", "-x", "the depth", "--delimiter", ";",
        "--decimal", decimal,
    )  # fmt: skip
    text, command = said.out.split("\nAs a command: ")
    data = thalweg.read("the river.csv", target="flow", features=["the depth"], decimal=decimal)
    found = thalweg.explain(data)
    assert text == found.text + "\n"
    words = shlex.split(command)
    assert words[:3] == ["thalweg", "fit", "the river.csv"]
    answer = json.loads(run(*words[1:], "--json").out)
    fitted = thalweg.fit(data, **found.recommended)
    assert answer["bias"] == fitted.bias
    assert answer["weights"] == {"the depth": fitted.weights[0]}


def test_reports_of_one_run_and_of_several(river: Path) -> None:
    run("fit", river, "-y", "flow", *STABLE, "--out", "one.parquet", "--report", "one.html")
    run("fit", river, "-y", "flow", "--standardize", "--out", "two.parquet")
    said = run("report", "one.parquet", "two.parquet", "--out", "both.html")
    assert (said.code, said.out) == (0, "")
    assert said.err == f"The report is {Path('both.html').resolve()}\n"
    for page in ("one.html", "both.html"):
        assert Path(page).read_text(encoding="utf-8").startswith("<!doctype html>")
    assert "two" in Path("both.html").read_text(encoding="utf-8")


def test_runs_of_one_name_are_all_in_the_report(river: Path) -> None:
    for folder, rate in (("fast", "0.3"), ("slow", "0.001")):
        Path(folder).mkdir()
        run("fit", river, "-y", "flow", "--lr", rate, "--out", f"{folder}/run.parquet")
    said = run("report", "fast/run.parquet", "slow/run.parquet", "slow/run.parquet")
    assert said.code == 0
    page = Path("report.html").read_text(encoding="utf-8")
    head = re.findall(r"<h3>(.*?)</h3>", page)
    assert [name for name in head if name.endswith("run.parquet")] == [
        "fast/run.parquet",
        "slow/run.parquet",
    ]


def test_a_fit_on_another_loss_is_held_against_the_exact_solution_on_its_own(river: Path) -> None:
    asked = ("fit", river, "-y", "flow", *STABLE, "--loss", "l1")
    answer = json.loads(run(*asked, "--json").out)
    data = thalweg.read(river, target="flow")
    walked = thalweg.fit(data, optimizer="adam", lr=0.3, standardize=True, epochs=300, loss="l1")
    squared = np.mean((walked.predict(data.X) - data.y) ** 2)
    assert answer["loss"] == walked.loss[-1]
    assert answer["mean_squared_error"] == pytest.approx(squared, rel=1e-9)
    lines = run(*asked).out.splitlines()
    exact = thalweg.solve(data).loss
    assert lines[-2].split() == ["mean", "squared", "error", f"{squared:.8g}", f"{exact:.8g}"]
    assert lines[-1].split() == [
        "l1",
        "loss",
        "of",
        "the",
        "last",
        "epoch",
        f"{answer['loss']:.8g}",
    ]


def test_a_run_on_another_loss_is_explained(river: Path) -> None:
    run("fit", river, "-y", "flow", *STABLE, "--loss", "huber", "--out", "run.parquet")
    said = run("explain", "run.parquet")
    assert (said.code, said.err) == (0, "")
    assert said.out.startswith("Adam with lr = 0.3 on the Huber loss with delta = 1 walked 300 ")
    assert "What follows is about the mean squared error on these rows." in said.out


@pytest.mark.parametrize("kept", [True, False])
def test_ctrl_c_ends_with_what_was_reached(river: Path, kept: bool) -> None:
    asked = ["fit", "river.csv", "-y", "flow", "--batch-size", "1", "--epochs", "40000000",
             "--lr", "1e-4", "--json"]  # fmt: skip
    asked += ["--checkpoint", "run.parquet", "--every", "0.1"] if kept else []
    shown = "import signal, sys, thalweg.cli.main as c\nfrom thalweg.progress import Bar\n" + (
        "signal.signal(signal.SIGINT, signal.default_int_handler)\n"  # ignored in the background
        "was = Bar.epochs\n"
        "def told(bar, at): was(bar, at); print('walking', file=sys.stderr, flush=True)\n"
        "Bar.epochs = told\n"
        f"c.main({asked!r})"
    )
    child = subprocess.Popen(
        [sys.executable, "-c", shown], cwd=river.parent, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip
    assert child.stderr is not None
    assert child.stderr.readline() == "walking\n"
    child.send_signal(signal.SIGINT)
    out, err = child.communicate()
    answer = json.loads(out)
    assert child.returncode == 130
    assert answer["outcome"] == "stopped"
    advice = "go on with --resume run.parquet" if kept else "nothing is kept without --checkpoint"
    assert err.splitlines()[-1] == (
        f"stopped: interrupted after {answer['epochs']:,} of 40,000,000 epochs; {advice}"
    )
    assert Path("run.parquet").exists() == kept
    if kept:
        assert thalweg.load("run.parquet").epochs == answer["epochs"]


def test_delimiter_and_decimal_mark(river: Path) -> None:
    text = ROWS.replace(",", "\t").replace(".", ",")
    Path("river.txt").write_text(text, encoding="utf-8")
    said = run("solve", "river.txt", "-y", "flow", "--decimal", ",", "--delimiter", r"\t")
    assert said == run("solve", river, "-y", "flow")
    assert run("solve", "river.txt", "-y", "flow", "--delimiter", ";").code == 2


def test_warnings_are_one_line_on_stderr(river: Path) -> None:
    river.write_text(ROWS + "30,,4\n", encoding="utf-8")
    said = run("solve", river, "-y", "flow", "--missing", "drop")
    assert said.code == 0
    assert said.err == (f"thalweg: {river}: 1 of 21 rows with missing values are left out\n")


MISTAKES = [
    (("fit", "river.csv", "-y", "flow", "--lr", "-1"), "lr: got -1.0"),
    (("fit", "river.csv", "-y", "flw"), "target: got 'flw', expected a column of river.csv"),
    (("fit", "river.csv", "-y", "flow", "--set", "momentum"), "--set: got 'momentum'"),
    (("fit", "river.csv", "-y", "flow", "--set", "momentm=1"), "fit: got unknown setting"),
    (
        ("fit", "river.csv", "-y", "flow", "--set", "batch_size=3"),
        "--set: got 'batch_size=3', expected a setting that has no option of its own; "
        "use --batch-size",
    ),
    (
        ("fit", "river.csv", "-y", "flow", "--set", "data=3"),
        "--set: got 'data=3', expected a setting that has no option of its own; leave it out",
    ),
    (
        ("fit", "river.csv", "-y", "flow", "--set", "betas=1", "--set", "betas=2"),
        "--set: got 'betas=2', expected one value for betas; leave out the other",
    ),
    (("fit", "river.csv", "-y", "flow", "--out", "no/run.parquet"), "no/run.parquet: got"),
    (("fit", "none.csv", "-y", "flow"), "none.csv: got no such file"),
    (("fit", "river.csv", "-y", "flow", "--resume", "none.parquet"), "none.parquet: got"),
    (("solve", "river.csv", "-y", "flow", "--missing", "drp"), "missing: got 'drp'"),
    (("solve", "river.csv", "-y", "flow", "--decimal", ";"), "decimal: got ';'"),
    (("predict", "river.csv", "river.csv"), "river.csv: got another kind of file"),
    (("explain", "a.parquet", "b.parquet"), "explain: got 2 files, expected one run file"),
    (("export", "river.csv", "--to", "jax"), "to: got 'jax'"),
    (
        ("fit", "river.csv", "-y", "flow", "--drop-last"),
        "drop_last: got True without a batch_size, expected a batch_size whose last, short batch "
        "could be dropped; add --batch-size, or leave --drop-last out\n",
    ),
    (
        ("fit", "river.csv", "-y", "flow", "--batch-size", "99", "--drop-last"),
        "batch_size: got 99 for 20 rows, with drop_last, expected at most 20, or no step would be "
        "left; lower --batch-size, or leave --drop-last out\n",
    ),
    (
        ("fit", "river.csv", "-y", "flow", "--shuffle", "--set", "batch_sampler=[[0]]"),
        "batch_sampler: got batches written out, and shuffle too, expected one or the other; "
        "leave out --shuffle: the sampler says which rows each step sees\n",
    ),
    (
        ("fit", "river.csv", "-y", "flow", "--delta", "3"),
        "delta: got 3.0 with loss='mse', expected loss='huber', which alone has one; leave "
        "--delta out\n",
    ),
    (
        ("solve", "river.csv", "-y", "flow", "-x", "flow"),
        "features: got ['flow'] with target 'flow', expected at least one name, each once, and "
        "not the target's; leave --features out to take every column but the target\n",
    ),
]


def test_advice_is_given_as_it_is_typed(river: Path) -> None:
    river.write_text("a,b,when,flow\n1,2,2024-01-01,3\n2,,2024-01-02,5\n4,1,2024-01-03,4\n")
    dates, gaps = run("fit", river, "-y", "flow"), run("fit", river, "-y", "flow", "-x", "a,b")
    assert dates.err == (
        f"thalweg: {river}: got columns that are not numbers: 'when' (date), expected numbers in "
        "each column that is fitted; leave them out with --features a,b, or turn them into "
        "numbers first\n"
    )
    assert gaps.err.endswith("; fill them in, or use --missing drop\n")
    Path("comma.csv").write_text('"a, b";flow\n1,5;2\n2,5;3\n')
    commas = run("solve", "comma.csv", "-y", "flow")
    assert "; for a decimal comma use --decimal ','; else turn them" in commas.err
    assert run("solve", "comma.csv", "-y", "flow", "--decimal", ",").code == 0
    assert run("fit", river, "-y", "flow", "--features", "a").code == 0
    taken = run("fit", river, "-y", "flow", "--features", "a,b", "--missing", "drop", "--json")
    assert json.loads(taken.out)["epochs"] == 250


def test_what_is_quoted_from_the_data_is_not_taken_for_advice(river: Path) -> None:
    river.write_text('x,"pass lr=3","p,q",when,flow\n1,2,3,2024-01-01,5\n')
    said = run("solve", river, "-y", "flow")
    # Where a name holds a comma, each has an option of its own.
    assert "out with --features x --features 'pass lr=3' --features p,q, or turn" in said.err
    names = ["--features", "x", "--features", "pass lr=3", "--features", "p,q"]
    assert run("solve", river, "-y", "flow", *names).code == 0
    river.write_text('x,"p,q",flow\na,2,5\nb,3,7\n')
    said = run("solve", river, "-y", "flow")
    assert said.err.endswith("or leave them out with --features '\"p,q\"'\n")
    assert run("solve", river, "-y", "flow", "--features", '"p,q"').code == 0


@pytest.mark.parametrize(
    ("arguments", "said"),
    MISTAKES,
)
@pytest.mark.usefixtures("river")
def test_mistakes_with_own_data_get_one_sentence(arguments: tuple[str, ...], said: str) -> None:
    got = run(*arguments)
    assert got.code == 2
    assert got.out == ""
    assert got.err.startswith(f"thalweg: {said}")
    assert len(got.err.splitlines()) == 1
    assert sorted(path.name for path in Path().iterdir()) == ["river.csv"]


def test_large_files_are_scanned_to_the_same_answer(
    river: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    batch = ("fit", river, "-y", "flow", "--json", *STABLE)
    for asked in (batch, (*batch, "--batch-size", "3"), (*batch, "--loss", "l1")):
        in_memory = run(*asked)
        with monkeypatch.context() as patch:
            patch.setattr(rows, "LARGE", 0)
            patch.setattr(Scan, "read", lambda scan: pytest.fail("it was read"))
            assert run(*asked) == in_memory
    monkeypatch.setattr(rows, "LARGE", 0)
    for needs_all in ("--shuffle", "--engine=reference"):
        assert run(*batch, "--batch-size", "3", needs_all).code == 0


def test_a_killed_fit_is_resumed_to_the_same_bits(river: Path) -> None:
    asked = ("fit", "river.csv", "-y", "flow", "--batch-size", "1", "--epochs", "400000",
             "--lr", "1e-4", "--json")  # fmt: skip
    child = subprocess.Popen(
        [sys.executable, "-m", "thalweg", *asked, "--checkpoint", "run.parquet", "--every", "0.1"],
        cwd=river.parent, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    while not Path("run.parquet").exists() and child.poll() is None:
        time.sleep(0.01)
    child.send_signal(signal.SIGKILL)
    child.wait()
    assert thalweg.load("run.parquet").epochs < 400_000
    resumed = run(*asked, "--resume", "run.parquet")
    assert resumed.code == 0
    assert resumed.out == run(*asked).out


def test_help_names_each_command() -> None:
    said = run("--help")
    assert said.code == 0
    for name in (
        "lesson",
        "count",
        "fit",
        "solve",
        "predict",
        "explain",
        "report",
        "export",
        "lab",
    ):
        assert re.search(rf"^\W*{name}\b", said.out, re.M), name


def test_columns_called_as_answers_are_keep_their_numbers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("odd.csv").write_text("bias,loss,y\n1,2,3\n2,1,4\n4,5,1\n3,3,9\n5,1,2\n")
    table = np.loadtxt("odd.csv", delimiter=",", skiprows=1)
    expected, (rest,), *_ = np.linalg.lstsq(
        np.column_stack([np.ones(5), table[:, :2]]), table[:, 2], rcond=None
    )
    answer = json.loads(run("solve", "odd.csv", "-y", "y", "--json").out)
    assert list(answer) == ["bias", "weights", "loss", "rows"]
    got = [answer["bias"], answer["weights"]["bias"], answer["weights"]["loss"], answer["loss"]]
    np.testing.assert_allclose(got, [*expected, rest / 5], rtol=1e-12)
    said = [line.split("\t") for line in run("solve", "odd.csv", "-y", "y").out.splitlines()]
    assert [name for name, _ in said] == ["bias", "bias_2", "loss_2", "loss"]
    assert [float(value) for _, value in said] == got
    fitted = run("fit", "odd.csv", "-y", "y", "--epochs", "3").out.split()
    assert [word for word in fitted if word.startswith(("bias", "loss"))] == [
        "bias", "bias_2", "loss_2", "loss",
    ]  # fmt: skip
    alone = json.loads(run("solve", "odd.csv", "-y", "y", "--no-intercept", "--json").out)
    assert alone["bias"] is None


def test_standard_input_is_taken(river: Path) -> None:
    command = [sys.executable, "-m", "thalweg", "solve", "-", "-y", "flow"]
    told = subprocess.run(command, input=river.read_bytes(), capture_output=True, check=True)
    assert told.stdout.decode() == run("solve", river, "-y", "flow").out


@pytest.mark.usefixtures("river")
def test_how_a_text_is_written_is_said_by_options() -> None:
    text = "made by hand\nx;flow\n1.234,5;2\n# no\n2.000;?\n3.000;5\n"
    Path("t.csv").write_bytes(text.encode("utf-16"))
    marks = ["--decimal", ",", "--thousands", ".", "--comment", "#", "--na-values", "?"]
    rest = ["--skip-rows", "1", "--missing", "drop", "--encoding", "utf-16", "--json"]
    said = run("solve", "t.csv", "-y", "flow", *marks, *rest)
    assert said.code == 0, said.err
    assert json.loads(said.out)["rows"] == 2
    assert json.loads(said.out)["weights"]["x"] == pytest.approx(3 / (3000 - 1234.5))


# --- Names are text -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "written"),
    [
        ("mass [kg]", "mass [kg]"),
        ("a[/]", "a[/]"),
        (":warning: t", ":warning: t"),
        ("[red]x[/red]", "[red]x[/red]"),
        ("\x1b[31mred", "\\x1b[31mred"),
        ("two\nlines", "two\\nlines"),
        ("\x07bell\x9b", "\\x07bell\\x9b"),
        ("a" * 200, "a" * 200),
        ("naïve 👩\u200d🔬\u00a0é", "naïve 👩\u200d🔬\u00a0é"),
    ],
)
def test_names_are_printed_as_they_are(name: str, written: str, tmp_path: Path) -> None:
    table = pa.table({name: [1.0, 2.0, 4.0], "z": [1.0, 0.0, 1.0], "y": [2.0, 3.0, 5.0]})
    pq.write_table(table, tmp_path / "rows.parquet")
    for command in ("fit", "solve"):
        said = run(command, tmp_path / "rows.parquet", "-y", "y")
        assert any(
            line.startswith((f"{written} ", f"{written}\t")) for line in said.out.split("\n")
        )
        answer = run(command, tmp_path / "rows.parquet", "-y", "y", "--json")
        assert list(json.loads(answer.out)["weights"]) == [name, "z"]


# --- Columns of words -----------------------------------------------------------------------------

TOWNS = """rooms,town,"old, new",price
3,Rouen,old,5
4,Rouen,new,7.5
5,Caen,old,8
2,Caen,new,4
6,Brest,old,11
1,Brest,new,3
"""
TOWNS_EXPANDED = ("rooms", "town_Caen", "town_Rouen", "old, new_old")


@pytest.fixture
def towns(tmp_path: Path) -> Path:
    path = tmp_path / "towns.csv"
    path.write_text(TOWNS, encoding="utf-8")
    return path


@pytest.mark.parametrize(
    "options",
    [
        ["--categories", "all"],
        ["--categories", 'town,"old, new"'],
        ["--categories", "old, new", "--categories", "town"],
    ],
)
def test_columns_of_words_are_named_by_options(towns: Path, options: list[str]) -> None:
    answer = json.loads(run("solve", towns, "-y", "price", *options, "--json").out)
    exact = thalweg.solve(towns, target="price", categories="all")
    assert (answer["bias"], answer["loss"]) == (exact.bias, exact.loss)
    assert answer["weights"] == dict(zip(TOWNS_EXPANDED, exact.weights, strict=True))
    fitted = run("fit", towns, "-y", "price", *options, "--no-intercept", "--json")
    alone = ["rooms", "town_Brest", "town_Caen", "town_Rouen", "old, new_new", "old, new_old"]
    assert list(json.loads(fitted.out)["weights"]) == alone


@pytest.mark.parametrize("given", [[], ["--categories", "town"]])
def test_what_takes_columns_of_words_is_said_as_it_is_typed(towns: Path, given: list[str]) -> None:
    said = run("solve", towns, "-y", "price", *given)
    assert said.code == 2
    advice = "take them as categories with "
    typed = said.err.partition(advice)[2].partition(", or leave them out with ")
    assert typed[0] == "--categories town --categories 'old, new'"
    assert run("solve", towns, "-y", "price", *shlex.split(typed[0])).code == 0
    assert run("solve", towns, "-y", "price", *given, *shlex.split(typed[2])).code == 0


def test_a_run_predicts_for_the_same_columns(towns: Path) -> None:
    kept, again = towns.with_name("kept.run"), towns.with_name("again.run")
    asked = ("fit", towns, "-y", "price", "--categories", "all", "--epochs", "9")
    assert run(*asked, "--checkpoint", kept, "--out", towns.with_name("a.run")).code == 0
    assert run(*asked, "--resume", kept, "--out", again).code == 0
    fitted = thalweg.load(again)
    assert fitted.features == TOWNS_EXPANDED
    assert fitted.path.tobytes() == thalweg.load(kept).path.tobytes()
    new = towns.with_name("new.csv")
    new.write_text('q,town,rooms,"old, new"\nx,Brest,2,new\ny,Rouen,2,old\n', encoding="utf-8")
    bias, rooms, _, rouen, old = fitted.parameters
    header, *predicted = run("predict", again, new).out.splitlines()
    assert header == "price"
    assert [float(value) for value in predicted] == pytest.approx(
        [bias + 2 * rooms, bias + 2 * rooms + rouen + old], rel=1e-13
    )
    new.write_text('town,rooms,"old, new"\nParis,2,new\n', encoding="utf-8")
    said = run("predict", again, new)
    assert (said.code, said.out) == (2, "")
    assert said.err == (
        "thalweg: column 'town': got 'Paris', expected one of its levels, 'Brest', 'Caen', "
        "'Rouen'; take those rows out, or fit again with such rows among the others\n"
    )


def test_what_is_recommended_for_words_is_a_command_that_does_it(towns: Path) -> None:
    said = run("explain", towns, "-y", "price", "--categories", "town", "--categories", "old, new")
    words = shlex.split(said.out.split("\nAs a command: ")[1])
    answer = json.loads(run(*words[1:], "--json").out)
    assert tuple(answer["weights"]) == TOWNS_EXPANDED
