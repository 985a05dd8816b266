"""The socket, uploads and downloads, by raw clients: right, separate, limited, sturdy."""

from __future__ import annotations

import io
import json
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pytest
from websockets.exceptions import InvalidStatus

import thalweg
from thalweg.errors import InvalidData, InvalidSetting, UnreadableFile
from thalweg.lab.gradient_inspection import inspect_gradient
from thalweg.lab.messages import Source
from thalweg.lab.page_state import PageState
from thalweg.lab.pages import BURST, Bucket, Lab, chapters
from thalweg.lab.serving import listen, make_lab
from thalweg.lab.uploads import UPLOAD_BYTES

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from lab.conftest import Client, Served

CSV = "height,girth,name\n" + "".join(f"{h},{2 * h + h % 3},t{h}\n" for h in range(10, 40))

SETTINGS = [
    {},
    {"optimizer": "sgd", "lr": 1e-10, "epochs": 30},
    {"optimizer": "sgd", "lr": 1e-9, "epochs": 5000},  # diverges
    {"optimizer": "adam", "lr": 0.5, "hyperparameters": {"betas": [0.8, 0.99], "amsgrad": True}},
    {"optimizer": "nadam", "batch_size": 4, "shuffle": True, "drop_last": True, "epochs": 20},
    {"optimizer": "rmsprop", "loss": "huber", "delta": 50.0, "epochs": 40, "standardize": True},
    {"optimizer": "rprop", "start": [100.0, 0.05], "epochs": 60},
]


@pytest.fixture
def client(served: Served) -> Iterator[Client]:
    with served.open() as opened:
        yield opened


def fitted(settings: dict[str, Any], data: thalweg.Dataset | None = None) -> thalweg.Run:
    """Make the run that the library makes of the page's settings."""
    rules: dict[str, Any] = {k: tuple(v) if isinstance(v, list) else v
             for k, v in settings.get("hyperparameters", {}).items()}  # fmt: skip
    plain = {k: v for k, v in settings.items() if k != "hyperparameters"}
    return thalweg.fit(data or thalweg.salammbo(), **plain, **rules)


@pytest.mark.parametrize("settings", SETTINGS, ids=lambda s: s.get("optimizer", "defaults"))
def test_a_run_on_the_page_is_the_library_s_own(client: Client, settings: dict[str, Any]) -> None:
    run, data = fitted(settings), thalweg.salammbo()
    shown = client.ask("show", runs=[settings])
    drawn = shown["runs"][0]
    assert drawn["parameters"] == run.path[-1].tolist()
    assert drawn["start"] == run.path[0].tolist()
    assert drawn["outcome"] == run.outcome.name.lower()
    assert drawn["epochs_walked"] == run.epochs
    residual = data.X[:, 0] * run.path[-1, 1] + run.path[-1, 0] - data.y
    np.testing.assert_allclose(drawn["loss"], np.mean(residual**2), rtol=1e-9)
    ranges = np.array(shown["plane"]["ranges"])
    flat = drawn["flat"].reshape(-1, 2) * (ranges[:, 1] - ranges[:, 0]) + ranges[:, 0]
    at = np.searchsorted(run.steps / run.steps_per_epoch, drawn["at"])
    near = np.abs(run.path[at]).max(axis=1) < 1e6
    extent = np.ptp(ranges, axis=1) + np.abs(run.path[at][near])
    assert (np.abs(flat[near] - run.path[at][near]) <= 1e-6 * extent).all()


def test_predictions_follow_from_the_standardised_path(client: Client) -> None:
    run, data = fitted({}), thalweg.salammbo()
    described = client.ask("data", data={"source": "chapters"})["data"]
    drawn = client.ask("show", runs=[{}])["runs"][0]
    z = (data.X[:, 0] - described["means"][0]) / described["scales"][0]
    bias, weight = drawn["standardized"].reshape(-1, 2)[-1]
    np.testing.assert_allclose(bias + weight * z, run.predict(data.X), rtol=1e-6)


def test_while_the_hand_moves_the_path_lies_on_the_plane_that_is_shown(client: Client) -> None:
    shown = client.ask("show", runs=[{}])
    moved = client.ask("move", runs=[{"lr": 0.2}])
    assert moved["ranges"] == shown["plane"]["ranges"]
    assert moved["runs"][0]["parameters"] == fitted({"lr": 0.2}).path[-1].tolist()


def test_several_features_lie_on_planes_of_the_library_s(
    client: Client, three_features: thalweg.Dataset
) -> None:
    rows = {"source": "rows", "X": three_features.X.tolist(), "y": three_features.y.tolist(),
            "features": list(three_features.features), "target": "flow"}  # fmt: skip
    shown = client.ask("show", runs=[{}], data=rows)
    assert shown["data"]["features"] == ["length", "depth", "slope"]
    assert shown["plane"]["along"] == ["first main direction", "second main direction"]
    view = {"along": ["length", "slope"], "ranges": [[-1, 3], [0, 9]]}
    chosen = client.ask("show", runs=[{}], view=view)["plane"]
    expected = thalweg.surface(
        three_features, length=(-1, 3), slope=(0, 9), points=chosen["points"]
    )
    np.testing.assert_allclose(chosen["grid"], expected.log10_loss.ravel(), rtol=1e-6)
    origin, (first, second) = np.array(chosen["origin"]), np.array(chosen["directions"])
    lifted = origin + (2.0 - chosen["offset"][0]) * first + (5.0 - chosen["offset"][1]) * second
    np.testing.assert_allclose(lifted, expected.lift([[2.0, 5.0]])[0])


@pytest.mark.parametrize(
    ("settings", "measure"),
    [
        ({"epochs": 30}, lambda r: r**2),
        ({"epochs": 30, "loss": "l1"}, np.abs),
        (
            {"epochs": 30, "loss": "huber", "delta": 700.0, "batch_size": 99},
            lambda r: np.where(np.abs(r) < 700, r**2 / 2, 700 * (np.abs(r) - 350)),
        ),
    ],
    ids=["mse", "l1", "huber"],
)
def test_the_loss_is_that_after_each_epoch(
    client: Client, settings: dict[str, Any], measure: Callable[[Any], Any]
) -> None:
    drawn = client.ask("show", runs=[settings])["runs"][0]
    data, run = thalweg.salammbo(), fitted(settings)
    residuals = run.path[:, :1] + run.path[:, 1:] @ data.X.T - data.y
    assert list(drawn["loss_at"]) == list(range(31))
    np.testing.assert_allclose(drawn["losses"], measure(residuals).mean(axis=1), rtol=1e-6)


def test_of_batches_the_loss_is_what_their_steps_found(client: Client) -> None:
    settings = {"epochs": 30, "batch_size": 8, "drop_last": True}  # one step of 8 rows per epoch
    drawn = client.ask("show", runs=[settings])["runs"][0]
    assert list(drawn["loss_at"]) == list(range(1, 31))
    np.testing.assert_allclose(drawn["losses"], fitted(settings).loss, rtol=1e-6)


MOMENTS = [
    {},
    {"optimizer": "sgd", "lr": 1e-10},
    {"batch_size": 4, "shuffle": True},
    {"loss": "l1"},
    {"loss": "huber", "delta": 30.0},
    {"loss": "huber", "delta": 3.0, "batch_size": 4},
]


@pytest.mark.parametrize("settings", MOMENTS, ids=str)
def test_the_gradient_is_that_of_autograd_and_its_terms_add_up(
    client: Client, settings: dict[str, Any]
) -> None:
    pytest.importorskip("torch")
    found = client.ask("moment", runs=[settings], epoch=7)
    checked = client.ask("moment", runs=[settings], epoch=7, autograd=True)
    assert found["epoch"] == checked["epoch"] == 7
    np.testing.assert_allclose(found["gradient"], checked["autograd"], rtol=1e-7)
    shares = np.array(found["terms"])[:, -2:]
    np.testing.assert_allclose(shares.sum(axis=0), found["gradient"], rtol=1e-9)
    run = fitted(settings)
    at = 7 * run.steps_per_epoch
    index = int(np.flatnonzero(run.steps == at)[0])
    np.testing.assert_array_equal(found["parameters"], run.path[index])
    np.testing.assert_array_equal(found["step"], run.path[index + 1] - run.path[index])
    if "loss" not in settings:
        by_hand = thalweg.gradients(thalweg.salammbo(), parameters=run.path[index]).by_hand
        np.testing.assert_allclose(found["gradient"], by_hand, rtol=1e-9)


@pytest.mark.parametrize(("loss", "delta"), [("mse", 1.0), ("l1", 1.0), ("huber", 700.0)])
def test_the_gradient_of_each_loss_agrees_with_differences(
    client: Client, loss: str, delta: float
) -> None:
    found = client.ask("moment", runs=[{"loss": loss, "delta": delta, "epochs": 5}], epoch=3)
    data = thalweg.salammbo()

    def loss_at(w: np.ndarray[Any, Any]) -> float:
        away = np.abs(data.X[:, 0] * w[1] + w[0] - data.y)
        huber = np.where(away < delta, away**2 / 2, delta * (away - delta / 2))
        return float(np.mean({"mse": away**2, "l1": away, "huber": huber}[loss]))

    w = np.array(found["parameters"])
    steps = np.diag([1e-4, 1e-8])
    differences = [(loss_at(w + h) - loss_at(w - h)) / (2 * h.sum()) for h in steps]
    np.testing.assert_allclose(found["gradient"], differences, rtol=1e-5)


def test_the_explanation_is_the_library_s(client: Client) -> None:
    settings = {"optimizer": "sgd", "lr": 0.01}
    found = client.ask("explain", runs=[settings])
    expected = thalweg.explain(thalweg.salammbo(), fitted(settings))
    assert found["text"] == expected.text
    assert found["recommended"] == json.loads(json.dumps(expected.recommended))


@pytest.mark.parametrize("loss", ["l1", "huber"])
def test_a_run_on_another_loss_is_explained_as_the_library_does(client: Client, loss: str) -> None:
    found = client.ask("explain", runs=[{"loss": loss}])
    expected = thalweg.explain(thalweg.salammbo(), fitted({"loss": loss}))
    assert found["text"] == expected.text
    assert "What follows is about the mean squared error on these rows." in found["text"]
    assert found["recommended"] == json.loads(json.dumps(expected.recommended))
    assert found["recommended"]["loss"] == "mse"


@pytest.mark.parametrize("lr", [0.003, 1.0, 1e20])
def test_of_a_descent_that_flies_off_the_map_shows_the_valley(
    client: Client, three_features: thalweg.Dataset, lr: float
) -> None:
    rows = {"source": "rows", "X": three_features.X.tolist(), "y": three_features.y.tolist(),
            "features": list(three_features.features), "target": "flow"}  # fmt: skip
    shown = client.ask("show", runs=[{"optimizer": "sgd", "lr": lr}], data=rows)
    assert shown["runs"][0]["outcome"] == "diverged"
    for (low, high), where in zip(shown["plane"]["ranges"], shown["plane"]["exact"], strict=True):
        assert high - low > 0.01 * max(abs(low), abs(high))  # ticks that can be told apart
        assert 0 < where < 1
    assert np.isfinite(shown["plane"]["grid"]).all()
    assert 0 < shown["runs"][0]["flat"][0] < 1  # where it began is in sight


def test_the_python_makes_the_same_run(client: Client) -> None:
    settings = SETTINGS[3]
    shown = client.ask("show", runs=[settings], data={"source": "rows", "X": [[1], [2], [4]],
                       "y": [1, 3, 2], "features": ["x"], "target": "y"})  # fmt: skip
    made: dict[str, Any] = {}
    exec(shown["python"].replace("print(run)", ""), made)  # noqa: S102  # what the page tells to type
    assert made["run"].path[-1].tolist() == shown["runs"][0]["parameters"]


# --- Wrong requests -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("message", "text"),
    [
        ("nonsense", "message: got no JSON, expected a JSON object; reload the page"),
        (b"\0\1", "message: got bytes, expected JSON text; reload the page"),
        (
            '{"version": 1, "id": 5, "type": "show", "runs": [{"lr": -1}]}',
            "lr: got -1, expected a positive number; try lr=0.01",
        ),
        (
            '{"version": 1, "id": 5, "type": "show", '
            '"runs": [{"epochs": 999999, "batch_size": 1}]}',
            "epochs: got 999,999 over 15 rows, expected at most 909,090 with these settings; "
            "lower it, or let each step see all the rows",
        ),
        (
            '{"version": 1, "id": 5, "type": "data", "data": {"source": "file", "target": "A"}}',
            "data: got the file of another lab, expected one that this lab was started with; "
            "start it with: thalweg lab FILE",
        ),
        (
            '{"version": 1, "id": 5, "type": "data", '
            '"data": {"source": "upload", "upload": "../x"}}',
            "upload: got a file that is not here any more, expected one of this page's last files; "
            "drop it on the page again",
        ),
        (
            '{"version": 1, "id": 5, "type": "data", '
            '"data": {"source": "rows", "X": [[1], [2, 3]], "y": [1, 2]}}',
            "X: got rows of different lengths, expected an array of real numbers; "
            "convert it first, for example with numpy.asarray(values, dtype=float)",
        ),
    ],
)
def test_a_wrong_message_gets_its_sentence_and_the_page_lives_on(
    client: Client, message: str | bytes, text: str
) -> None:
    client.socket.send(message)
    answer = client.receive()
    assert answer == {"id": 5 if "{" in str(message) else 0, "type": "error", "text": text}
    assert client.ask("move", runs=[{}])["type"] == "move"


def test_batches_of_all_the_rows_cost_what_batch_descent_costs() -> None:
    """A million epochs over the sums are quick; over single rows they are refused."""
    state, settings = PageState(chapters()), {"optimizer": "sgd", "epochs": 10**6}
    for regime in ({"batch_size": 15}, {"batch_size": 16, "shuffle": True}, {"shuffle": True}):
        assert state.work({**settings, **regime}) == state.work(settings)
    with pytest.raises(InvalidSetting) as refused:
        state.work({**settings, "batch_size": 1})
    assert str(refused.value) == (
        "epochs: got 1,000,000 over 15 rows, expected at most 909,090 with these settings; "
        "lower it, or let each step see all the rows"
    )


def test_a_mistake_of_the_lab_s_own_is_no_end_either(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object, **__: object) -> None:
        raise RuntimeError("broken")

    monkeypatch.setattr("thalweg.lab.page_state.PageState.show", broken)
    answer = client.ask("show", runs=[{}])
    assert answer["text"] == "The lab made a mistake: its terminal says which."
    assert client.ask("move", runs=[{}])["type"] == "move"


@pytest.mark.parametrize(("n", "remaining"), [(14, 0), (15, 0), (16, 1), (40, 25)])
def test_rows_that_are_not_written_out_are_added_up_once_each(n: int, remaining: int) -> None:
    rng = np.random.default_rng(n)
    rows = thalweg.Dataset(rng.normal(size=(n, 2)), rng.normal(size=n))
    found = inspect_gradient(rows, thalweg.fit(rows, epochs=3), 2)
    shares = np.array(found["terms"])[:, -3:]
    assert (len(shares), found["remaining"]) == (n - remaining, remaining)
    others = np.zeros(3) if found["others"] is None else found["others"]
    by_hand = thalweg.gradients(rows, parameters=found["parameters"]).by_hand
    np.testing.assert_allclose(found["gradient"], by_hand, rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(shares.sum(axis=0) + others, by_hand, rtol=1e-9, atol=1e-12)


# --- Many pages -----------------------------------------------------------------------------------


def test_pages_share_nothing(served: Served) -> None:
    with served.open() as one, served.open() as other:
        assert one.hello["page"] != other.hello["page"]
        one.ask("data", data={"source": "rows", "X": [[1], [2], [3]], "y": [1, 2, 2]})
        uploaded = served.post("/upload/table?name=t.csv", CSV, one.hello["page"]).json["upload"]
        assert other.ask("show", runs=[{}])["runs"][0]["parameters"] == fitted({}).path[-1].tolist()
        source = {"source": "upload", "upload": uploaded, "target": "girth", "features": ["height"]}
        assert other.ask("data", data=source)["type"] == "error"
        assert one.ask("data", data=source)["data"]["n"] == 30


def test_no_more_pages_are_opened_than_there_is_room_for(
    serve: type[Served], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("thalweg.lab.pages.PAGES", 2)
    lab = serve()
    try:
        with lab.open(), lab.open():
            with pytest.raises(InvalidStatus), lab.open():
                pass
            assert len(lab.lab.pages) == 2
        deadline = time.monotonic() + 10
        while lab.lab.pages and time.monotonic() < deadline:
            time.sleep(0.02)
        with lab.open() as again:  # there is room again
            assert again.ask("move", runs=[{}])["type"] == "move"
    finally:
        lab.stop()


def test_a_page_that_goes_leaves_nothing_behind(served: Served) -> None:
    with served.open() as client:
        page = served.lab.pages[client.hello["page"]]
        served.post("/upload/table?name=t.csv", CSV, page.id)
        folder = Path(page.uploads._folder.name)
        assert [len(file.name) for file in folder.iterdir()] == [32]  # a name of ours, not its own
    deadline = time.monotonic() + 10
    while (page.id in served.lab.pages or folder.exists()) and time.monotonic() < deadline:
        time.sleep(0.02)
    assert page.id not in served.lab.pages
    assert not folder.exists()


def test_fifty_pages_at_once_each_get_their_last_value(served: Served) -> None:
    together = threading.Barrier(50)

    def hand(number: int) -> tuple[float, list[float], int]:
        with served.open() as client:
            together.wait(60)
            for step in range(25):
                lr = 0.01 * (number + 1) + 0.0001 * step
                moved = client.ask("move", runs=[{"lr": lr}])
            shown = client.ask("show", runs=[{"lr": lr}])["runs"][0]
            parameters: list[float] = moved["runs"][0]["parameters"]
            assert shown["parameters"] == parameters
            return lr, parameters, len(served.lab.pages[client.hello["page"]].state._runs)

    with ThreadPoolExecutor(50) as hands:
        for lr, parameters, remembered in hands.map(hand, range(50)):
            assert parameters == fitted({"lr": lr}).path[-1].tolist()
            assert remembered == 16  # of 25: what a page holds does not grow with its drags


def test_a_page_that_asks_too_fast_is_slowed(served: Served) -> None:
    bucket = Bucket(rate=100.0, burst=10.0)
    waits = [bucket.take(now=0.0) for _ in range(20)]
    assert waits[:10] == [0.0] * 10
    np.testing.assert_allclose(waits[10:], np.arange(1, 11) / 100.0)
    assert bucket.take(now=10.0) == 0.0
    with served.open() as client:
        message = json.dumps({"version": 1, "id": 1, "type": "nonsense"})
        asked = int(BURST) + 60
        began = time.monotonic()
        for _ in range(asked):
            client.socket.send(message)
        for _ in range(asked):
            client.receive()
        assert time.monotonic() - began > 0.25  # 60 beyond the burst, at 200 a second


def test_heavy_work_of_one_page_holds_up_no_other(served: Served) -> None:
    heavy = {"epochs": 400_000, "batch_size": 1, "optimizer": "sgd", "lr": 1e-11}
    done = threading.Event()

    def work() -> None:
        with served.open() as client:
            client.ask("show", runs=[heavy])
        done.set()

    worker = threading.Thread(target=work)
    worker.start()
    with served.open() as light:
        answers = 0
        while not done.is_set() and answers < 5:
            answers += light.ask("move", runs=[{"lr": 0.01 + answers / 100}])["type"] == "move"
    worker.join()
    assert answers >= 1


# --- Files ----------------------------------------------------------------------------------------


def as_parquet(frame: pd.DataFrame) -> bytes:
    buffer = io.BytesIO()
    frame.to_parquet(buffer)
    return buffer.getvalue()


@pytest.mark.parametrize("kind", ["csv", "tsv", "parquet"])
def test_a_table_is_read_and_fitted(served: Served, client: Client, kind: str) -> None:
    frame = pd.read_csv(io.StringIO(CSV))
    body = {
        "csv": CSV.encode(),
        "tsv": frame.to_csv(sep="\t", index=False).encode(),
        "parquet": as_parquet(frame),
    }[kind]
    answer = served.post(f"/upload/table?name=../../trees.{kind}", body, client.hello["page"])
    assert answer.status == 200
    assert [c["name"] for c in answer.json["columns"] if c["numeric"]] == ["height", "girth"]
    source = {"source": "upload", "upload": answer.json["upload"], "target": "girth",
              "features": ["height"]}  # fmt: skip
    described = client.ask("data", data=source)["data"]
    assert (described["n"], described["name"]) == (30, f"trees.{kind}")
    data = thalweg.Dataset(frame[["height"]].to_numpy(), frame["girth"].to_numpy())
    shown = client.ask("show", runs=[{"lr": 0.1}])
    assert shown["runs"][0]["parameters"] == fitted({"lr": 0.1}, data).path[-1].tolist()
    assert f"thalweg.read('trees.{kind}', target='girth'" in shown["python"]


@pytest.mark.parametrize(
    ("body", "begins"),
    [
        (b"", "the file: got "),
        (b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 20, "the file: got "),
        (b"PAR1" + b"\0" * 100 + b"PAR1", "the file: got a file that cannot be read"),
        (b"name,town\na,b\n", "the file: got columns of which 0 hold numbers"),
    ],
)
def test_what_is_no_table_is_refused_without_its_place_on_the_disk(
    served: Served, client: Client, body: bytes, begins: str
) -> None:
    answer = served.post("/upload/table?name=x", body, client.hello["page"])
    assert answer.status == 400
    assert answer.json["error"].startswith(begins)
    assert "thalweg-lab-" not in answer.json["error"]


def test_rows_with_missing_values_are_left_out_when_asked(served: Served, client: Client) -> None:
    page = client.hello["page"]
    uploaded = served.post("/upload/table?name=t.csv", "x,y\n1,2\n,3\n3,4\n5,7\n", page).json
    source = {"source": "upload", "upload": uploaded["upload"], "target": "y", "features": ["x"]}
    refused = client.ask("data", data=source)
    assert "missing" in refused["text"]
    described = client.ask("data", data={**source, "drop_missing": True})["data"]
    assert described["n"] == 3
    assert described["notes"] == ["the file: 1 of 4 rows with missing values are left out"]


def test_a_file_that_is_too_large_is_refused_before_it_is_read(
    served: Served, client: Client
) -> None:
    answer = served.request(
        "POST", "/upload/table", origin=f"http://{served.host}",
        x_thalweg_page=client.hello["page"], content_length=str(UPLOAD_BYTES + 1),
    )  # fmt: skip
    assert answer.status == 400
    assert answer.json["error"] == (
        "the file: got more than 32 MB, expected at most 32 MB; "
        "start with it instead: thalweg lab FILE"
    )


def test_a_file_that_lies_about_its_length_is_stopped(
    served: Served, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("thalweg.lab.uploads.UPLOAD_BYTES", 1000)
    answer = served.post("/upload/table?name=t.csv", "x,y\n" + "1,2\n" * 1000, client.hello["page"])
    assert answer.status == 400
    assert client.ask("move", runs=[{}])["type"] == "move"


def test_reading_that_takes_too_long_is_ended(
    served: Served, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("thalweg.lab.uploads.SECONDS", 0.01)
    answer = served.post("/upload/table?name=t.csv", CSV, client.hello["page"])
    assert answer.status == 400
    assert "expected less time" in answer.json["error"]


def test_letters_are_counted_in_texts(served: Served, client: Client) -> None:
    body = json.dumps({"names": ["one", "two"], "texts": ["À la mer,\n\nallons !", "Non."]})
    counted = served.post("/upload/texts?letter=a", body, client.hello["page"]).json
    assert (counted["X"], counted["y"]) == ([[18.0], [4.0]], [2.0, 0.0])
    wrong = served.post("/upload/texts?letter=ab", body, client.hello["page"])
    assert wrong.status == 400
    assert wrong.json["error"].startswith("letter: got 'ab'")


def test_an_upload_needs_an_open_page(served: Served) -> None:
    answer = served.post("/upload/table", CSV, "nobody")
    assert answer.json["error"] == (
        "page: got one that is not connected, expected an open page of this lab; reload the page"
    )


def test_a_run_is_taken_along(served: Served, client: Client, tmp_path: Path) -> None:
    page = client.hello["page"]
    asked = json.dumps({"version": 1, "type": "download", "runs": [{}, {"lr": 0.1}],
                        "names": ["now", "<b>kept</b>"]})  # fmt: skip
    (tmp_path / "run.parquet").write_bytes(served.post("/download/run", asked, page).body)
    loaded = thalweg.load(tmp_path / "run.parquet")
    np.testing.assert_array_equal(loaded.path, fitted({}).path)
    report = served.post("/download/report", asked, page)
    assert report.headers["Content-Disposition"] == 'attachment; filename="descent.html"'
    assert b"<b>kept" not in report.body
    assert b"now" in report.body
    script = served.post("/download/pytorch", asked, page).body.decode()
    compile(script, "descent.py", "exec")
    assert "NAdam" in script
    assert served.post("/download/nonsense", asked, page).status == 404
    assert served.post("/download/run", "{}", page).status == 400


# --- Starting -------------------------------------------------------------------------------------


def test_a_lab_starts_with_a_file(tmp_path: Path) -> None:
    (tmp_path / "trees.csv").write_text(CSV)
    lab = make_lab(tmp_path / "trees.csv")
    assert lab.first.rows.target == "girth"
    assert lab.first.rows.features == ("height",)
    assert lab.first.source == Source("file", drop_missing=True)
    assert [column["name"] for column in lab.columns or []] == ["height", "girth", "name"]


def test_a_lab_refuses_what_is_no_table(tmp_path: Path) -> None:
    with pytest.raises(UnreadableFile) as missing:
        make_lab(tmp_path / "nowhere.csv")
    assert str(missing.value) == (
        f"{tmp_path}/nowhere.csv: got no such file, expected a table; check the name"
    )
    (tmp_path / "words.csv").write_text("a,b\nx,y\n")
    with pytest.raises(InvalidData):
        make_lab(tmp_path / "words.csv")


def test_the_page_s_files_are_answered_before_the_lab_is_made_once(serve: type[Served]) -> None:
    made: list[Lab] = []
    gate = threading.Event()

    def make() -> Lab:
        assert gate.wait(30)
        made.append(Lab(chapters()))
        return made[-1]

    served = serve(make)
    try:
        for path in ("/", "/static/main.js", "/plotly.js"):
            assert served.request("GET", path).status == 200
        assert made == []
        with ThreadPoolExecutor(3) as pool:
            waiting = [pool.submit(served.post, "/upload/table", "x,y\n1,2\n") for _ in range(3)]
            gate.set()
            assert {answer.result().status for answer in waiting} == {400}  # of no open page
        assert len(made) == 1
    finally:
        gate.set()
        served.stop()


def test_a_taken_port_is_refused_when_it_was_asked_for() -> None:
    with listen("127.0.0.1", 0) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(InvalidSetting) as refusal:
            listen("127.0.0.1", port)
    assert str(refusal.value) == (
        f"host and port: got 127.0.0.1:{port} (address already in use), expected an address of "
        "this machine and a free port; leave --port out to take any free one"
    )
