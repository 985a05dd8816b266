"""The page in a real browser: what a person does with mouse and keyboard, and what then holds."""

from __future__ import annotations

import importlib.resources
import importlib.util
import json
import os
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

import numpy as np
import pytest
from playwright.sync_api import FilePayload

import thalweg
from lab.conftest import Served
from thalweg.lab.serving import make_lab

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Browser, Page


CSV = "length,depth,flow,name\n" + "".join(
    f"{3 + i % 7},{-20 + i % 5},{2 * (3 + i % 7) - 0.3 * (-20 + i % 5) + (i % 3) / 4},r{i}\n"
    for i in range(40)
)
FLOAT32 = 1e-6
"""What single precision leaves of a number on its way to the page."""
FOCUSED = "() => document.activeElement.id || document.activeElement.ariaLabel"
RIVERS = FilePayload(name="rivers.csv", mimeType="text/csv", buffer=CSV.encode())
FEW = FilePayload(
    name="few.csv", mimeType="text/csv", buffer="".join(CSV.splitlines(True)[:8]).encode()
)
LONG = FilePayload(  # too long for an address
    name="long.csv",
    mimeType="text/csv",
    buffer=("x,y\n" + "".join(f"{i / 7},{i % 13 + i / 5}\n" for i in range(3000))).encode(),
)
WCAG = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]


class Lab:
    """A page of the lab, and what a person sees of it."""

    def __init__(self, page: Page, address: str) -> None:
        self.page = page
        self.address = address
        self.faults: list[str] = []
        page.on("console", self._console)
        page.on("pageerror", lambda error: self.faults.append(str(error)))
        page.on("request", self._request)

    def _console(self, message: Any) -> None:
        # A server that is restarted refuses for a moment: the browser says so itself.
        if message.type == "error" and "ERR_CONNECTION_REFUSED" not in message.text:
            self.faults.append(message.text)

    def _request(self, request: Any) -> None:
        here = self.address.removeprefix("http://")
        if not request.url.startswith((f"http://{here}", f"ws://{here}", "blob:", "data:")):
            self.faults.append(f"asked {request.url}")

    def open(self, fragment: str = "") -> Lab:
        self.page.goto(self.address + fragment)
        self.page.wait_for_selector("body[data-committed]", timeout=60_000)
        return self.rest()

    def rest(self) -> Lab:
        """Wait until the hand rests and all is answered and drawn."""
        self.page.wait_for_function(
            """() => {
              const lab = window.lab;
              if (!lab?.shown) return false;
              const idle = lab.link.busy.size === 0 && lab.link.next.size === 0;
              const known = lab.link.open && lab.established === lab.state.data;
              const still = known && !lab.hand && !lab.time.playing;
              const drawn = String(lab.round) === document.body.dataset.committed;
              const now = idle && still && drawn && !document.querySelector(".plot.live");
              window.calmFor = now ? (window.calmFor ?? 0) + 1 : 0;
              return window.calmFor > 5;
            }""",
            polling=100,
            timeout=60_000,
        )
        self.page.evaluate("() => { window.calmFor = 0; }")
        return self

    def set(self, control: str, value: str) -> Lab:
        self.page.fill(f"#{control}", value)
        self.page.keyboard.press("Enter")
        return self.rest()

    def traces(self, chart: str, name: str) -> dict[str, Any]:
        """Give what Plotly shows of a trace."""
        found: dict[str, Any] = self.page.evaluate(
            """([chart, name]) => {
              const plot = document.querySelector(`[data-chart="${chart}"] .plot`);
              const trace = plot.data.find((each) => each.uid === name || each.name === name);
              const list = (axis) => [axis, trace[axis] && Array.from(trace[axis])];
              return Object.fromEntries(["x", "y", "z"].map(list));
            }""",
            [chart, name],
        )
        return found

    def text(self, selector: str) -> str:
        return self.page.inner_text(selector)


@pytest.fixture
def lab(served: Served, browser: Browser) -> Iterator[Lab]:
    """The lab at a laptop's width, with nothing wrong on its console at the end."""
    context = browser.new_context(
        viewport={"width": 1280, "height": 900}, permissions=["clipboard-read", "clipboard-write"]
    )
    opened = Lab(context.new_page(), served.address)
    yield opened
    context.close()
    assert opened.faults == []


def choose(page: Page, *files: FilePayload) -> None:
    """Give the page files, as its button does."""
    page.set_input_files("#file", list(files))


def drop(page: Page, *files: FilePayload) -> None:
    """Drag files over the page and let them go above a chart."""
    contents = [[each["name"], each["mimeType"], list(each["buffer"])] for each in files]
    said = page.evaluate(
        """(files) => {
          const carried = new DataTransfer();
          for (const [name, type, bytes] of files) {
            carried.items.add(new File([Uint8Array.from(bytes)], name, { type }));
          }
          const chart = document.querySelector(".plot");
          const happen = (kind) => chart.dispatchEvent(new DragEvent(kind,
            { bubbles: true, cancelable: true, dataTransfer: carried }));
          const veil = document.getElementById("drop");
          happen("dragenter");
          const invited = !veil.hidden;
          const taken = !happen("dragover"); // the browser would open the file itself otherwise
          happen("drop");
          return [invited, taken, veil.hidden];
        }""",
        contents,
    )
    assert said == [True, True, True]


def path_shown(lab: Lab) -> Any:
    trace = lab.traces("map", "current")
    return np.column_stack([trace["x"], trace["y"]])


def assert_shows(lab: Lab, run: thalweg.Run, data: thalweg.Dataset) -> None:
    """Hold all four charts, from end to end, against one run of the library's."""
    path = path_shown(lab)
    extent = np.ptp(run.path, axis=0) + np.abs(run.path).max(axis=0)
    np.testing.assert_allclose((path - run.path) / extent, 0.0, atol=FLOAT32)
    loss = lab.traces("loss", "current")
    whole = run.asked.batch_size is None  # then what a step recorded is the loss before it
    np.testing.assert_allclose(loss["y"][: run.epochs], run.loss, rtol=FLOAT32)
    assert loss["x"] == list(range(0 if whole else 1, run.epochs + 1))
    if whole and run.settings.loss == "mse":
        residual = run.predict(data.X) - data.y
        np.testing.assert_allclose(loss["y"][-1], np.mean(residual**2), rtol=FLOAT32)
    line = lab.traces("data", "current")
    expected = run.predict(np.array(line["x"])[:, None])
    np.testing.assert_allclose(line["y"], expected, atol=1e-5 * np.abs(data.y).max())
    surface = lab.traces("surface", "current run")
    drawn = np.array(list(zip(*surface.values(), strict=True)), dtype=float)
    ranges = np.array(lab.page.evaluate("() => lab.shown.plane.ranges"))
    within = np.all((run.path >= ranges[:, 0]) & (run.path <= ranges[:, 1]), axis=1)
    assert within[-1]
    heights = np.log10([data.summary.loss(point) for point in run.path[within]])
    points = np.column_stack([run.path[within], heights])
    scale = np.array([*extent, 10.0])
    # Between them there may be those where the path leaves the surface and comes back.
    misses = np.abs((drawn[np.newaxis] - points[:, np.newaxis]) / scale)
    nearest = np.nanmin(np.max(misses, axis=2), axis=1)
    np.testing.assert_allclose(nearest, 0.0, atol=FLOAT32)
    np.testing.assert_allclose(drawn[-1], points[-1], rtol=1e-5)
    if within.all():
        assert len(drawn) == len(run.path)


def test_all_charts_show_the_library_s_run(lab: Lab) -> None:
    lab.open()
    data = thalweg.salammbo()
    assert_shows(lab, thalweg.fit(data), data)
    assert "After 250 epochs: mean squared error 1,904" in lab.text("#result")
    assert "NAdam with lr = 0.01" in lab.text("#why")
    grid = lab.traces("map", "loss")["z"]
    assert len(grid) == 80


def test_a_dragged_slider_moves_the_path_and_its_last_value_stays(lab: Lab) -> None:
    page = lab.open().page
    box = page.locator("#lr").bounding_box()
    assert box is not None
    y = box["y"] + box["height"] / 2
    page.mouse.move(box["x"] + box["width"] / 2, y)
    page.mouse.down()
    seen = set()
    for step in range(25):
        page.mouse.move(box["x"] + box["width"] * (0.5 + step / 80), y)
        layers = page.locator(".preview").all()
        seen.add("".join(layer.inner_html() for layer in layers))
    assert len(seen) > 5  # light lines, drawn while the button is down
    assert page.locator(".plot.live").count() == 3
    page.mouse.up()
    lab.rest()
    lr = float(page.input_value("#lr-box"))
    assert lr > 0.05
    data = thalweg.salammbo()
    assert_shows(lab, thalweg.fit(data, lr=lr), data)
    assert f"lr={lr}" in page.url.replace("%22", "")


def test_everything_is_done_by_keyboard(lab: Lab) -> None:
    page = lab.open().page
    page.focus("#lr")
    for _ in range(10):
        page.keyboard.press("ArrowRight")
    lab.rest()
    data = thalweg.salammbo()
    assert_shows(lab, thalweg.fit(data, lr=float(page.input_value("#lr-box"))), data)
    page.focus("#epoch")
    page.keyboard.press("Home")
    lab.rest()
    assert "Epoch 0" in lab.text("#result")
    page.focus("#step-forward")
    page.keyboard.press("Enter")
    page.keyboard.press("Enter")
    lab.rest()
    assert "Epoch 2" in lab.text("#result")
    page.focus("#keep")
    page.keyboard.press("Enter")
    lab.rest()
    assert page.locator("#kept tbody tr").count() == 2
    reached = set()
    for _ in range(90):
        page.keyboard.press("Tab")
        reached.add(
            page.evaluate("() => document.activeElement.id || document.activeElement.ariaLabel")
        )
    for control in ("epochs", "play", "Turn the surface left", "copy-python",
                    "Save map of the loss as PNG", "Look closer at the map"):  # fmt: skip
        assert control in reached


def test_the_moment_is_the_same_on_all_charts(lab: Lab) -> None:
    page = lab.open().page
    page.fill("#epoch", "40")
    page.dispatch_event("#epoch", "change")
    lab.rest()
    run = thalweg.fit(thalweg.salammbo())
    assert len(path_shown(lab)) == 41
    line = lab.traces("data", "current")
    w = run.path[40]
    np.testing.assert_allclose(line["y"], w[0] + w[1] * np.array(line["x"]), rtol=1e-5)
    head = lab.traces("loss", "current-head")
    assert head["x"] == [40]
    [loss] = head["y"]
    said = re.search(r"Epoch 40: mean squared error ([\d,]+)", lab.text("#result"))
    assert said is not None
    assert loss == pytest.approx(float(said[1].replace(",", "")), rel=1e-3)
    data = thalweg.salammbo()
    assert loss == pytest.approx(np.mean((data.X @ w[1:] + w[0] - data.y) ** 2), rel=FLOAT32)
    assert len(lab.traces("surface", "current run")["z"]) == 41
    page.locator("#gradient").scroll_into_view_if_needed()
    page.wait_for_function("() => !document.getElementById('gradient').innerText.includes('…')")
    cells = page.locator("#gradient table").first.locator("tbody tr").first.locator("td").all()
    by_hand, by_autograd = cells[1].inner_text(), cells[2].inner_text()
    expected = thalweg.gradients(thalweg.salammbo(), parameters=run.path[40]).by_autograd[0]
    assert by_hand == by_autograd
    assert float(by_hand.replace(",", "").replace("−", "-")) == pytest.approx(expected, rel=1e-5)
    assert page.evaluate("() => lab.gradient.found.epoch") == 40


def test_the_pointer_on_the_loss_chooses_the_epoch(lab: Lab) -> None:
    page = lab.open().page
    place = page.evaluate(
        """() => {
          const plot = lab.charts.plots.loss;
          const [axis, rect] = [plot._fullLayout.xaxis, plot.getBoundingClientRect()];
          const x = (epoch) => rect.left + axis._offset + axis.l2p(epoch);
          return { y: rect.top + rect.height / 2, at: [60, 100, 180].map(x) };
        }"""
    )
    first, second, third = place["at"]
    page.mouse.move(first, place["y"])
    page.wait_for_function("() => lab.gradient.found?.epoch === 60")
    assert page.evaluate("() => lab.state.epoch") is None  # only the gradient follows a hover
    page.mouse.move(first, 5)
    page.wait_for_function("() => lab.gradient.found.epoch === 250")
    page.mouse.move(second, place["y"])
    page.mouse.down()
    page.mouse.move(third, place["y"], steps=4)
    assert page.locator(".plot.live-all").count() == 3  # all charts go along
    page.mouse.up()
    lab.rest()
    assert page.evaluate("() => lab.state.epoch") == 180
    assert len(path_shown(lab)) == 181
    assert page.evaluate("() => lab.gradient.found.epoch") == 180


@pytest.mark.parametrize(
    "settings",
    [
        {"optimizer": "sgd", "lr": 1e-10},
        {"optimizer": "nadam", "batch_size": 4, "shuffle": True},
        {"loss": "huber", "delta": 30.0},
    ],
    ids=["sgd", "batches", "huber"],
)
def test_any_loss_is_explained_and_has_its_gradient(lab: Lab, settings: dict[str, Any]) -> None:
    fragment = urlencode({name: json.dumps(value) for name, value in settings.items()})
    page = lab.open(f"#{fragment}&epoch=30").page
    assert page.locator("#trouble").is_hidden()
    page.locator("#gradient").scroll_into_view_if_needed()
    page.wait_for_function("() => !document.getElementById('gradient').innerText.includes('…')")
    rows = page.locator("#gradient table").first.locator("tbody tr").all()
    cells = [[cell.inner_text() for cell in row.locator("td").all()] for row in rows]
    assert [row[1] for row in cells] == [row[2] for row in cells]
    sums = page.locator("#gradient details tbody tr").last.locator("td").all_inner_texts()
    assert sums[-2:] == [row[1] for row in cells]
    page.wait_for_function("() => !document.querySelector('#why .hint')")
    about = "What follows is about the mean squared error" in lab.text("#why")
    assert about == ("loss" in settings)
    if about:
        page.click("#recommended")
        lab.rest()
        assert page.input_value("#loss") == "mse"


def test_play_pause_and_play_on(lab: Lab) -> None:
    page = lab.open().page
    page.click("#play")
    page.wait_for_function("() => lab.state.epoch > 5")
    assert page.locator(".plot.live-all").count() == 3
    page.click("#play")
    lab.rest()
    stopped = page.evaluate("() => lab.state.epoch")
    assert 5 < stopped < 250
    assert len(path_shown(lab)) == stopped + 1
    page.click("#step-back")
    lab.rest()
    assert page.evaluate("() => lab.state.epoch") == stopped - 1


def test_a_start_is_chosen_on_the_map(lab: Lab) -> None:
    page = lab.open().page
    box = page.locator('[data-chart="map"] .plot').bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + 200, box["y"] + 60)
    page.mouse.down()
    page.mouse.move(box["x"] + 240, box["y"] + 80)
    page.mouse.up()
    lab.rest()
    start = page.evaluate("() => lab.state.settings.start")
    data = thalweg.salammbo()
    assert_shows(lab, thalweg.fit(data, start=start), data)


def test_points_are_added_moved_and_removed(lab: Lab) -> None:
    page = lab.open().page
    page.get_by_role("button", name="Edit points with the pointer").click()
    box = page.locator('[data-chart="data"] .plot').bounding_box()
    assert box is not None
    page.mouse.click(box["x"] + 250, box["y"] + 200)
    lab.rest()
    rows = page.evaluate("() => lab.state.data")
    assert len(rows["y"]) == 16
    page.mouse.move(box["x"] + 250, box["y"] + 200)
    page.mouse.down()
    page.mouse.move(box["x"] + 180, box["y"] + 150, steps=4)
    page.mouse.up()
    lab.rest()
    moved = page.evaluate("() => lab.state.data")
    assert moved["y"][15] > rows["y"][15]
    data = thalweg.Dataset(moved["X"], moved["y"], features=["characters"], target="A")
    assert_shows(lab, thalweg.fit(data), data)
    page.mouse.click(box["x"] + 180, box["y"] + 150, button="right")
    lab.rest()
    assert page.evaluate("() => lab.state.data.y.length") == 15
    page.get_by_text("Edit the rows", exact=True).click()
    page.get_by_label("A, row 1", exact=True).fill("9000")
    page.keyboard.press("Enter")
    lab.rest()
    assert page.evaluate("() => lab.state.data.y[0]") == 9000
    address = page.url
    lab.open()
    page.goto("about:blank")
    page.goto(address)
    lab.rest()
    assert page.evaluate("() => lab.state.data.y[0]") == 9000  # the link holds own points


def test_a_dropped_table_is_fitted_and_fits_into_the_link(lab: Lab) -> None:
    page = lab.open("#optimizer=%22adam%22&lr=0.05").page
    drop(page, RIVERS)
    page.wait_for_selector("#apply-columns")
    lab.rest()
    assert "rivers.csv: 40 rows, flow by length, depth." in lab.text("#data-name")
    assert lab.text('[data-chart="data"] h2') == "Predicted and actual"
    page.get_by_role("checkbox", name="depth").uncheck()
    page.click("#apply-columns")
    lab.rest()
    assert "flow by length." in lab.text("#data-name")
    page.goto("about:blank")
    page.go_back()
    lab.rest()
    assert "40 rows, flow by length." in lab.text("#data-name")


def test_texts_are_counted(lab: Lab) -> None:
    page = lab.open().page
    texts = [("1.txt", "À la mer, allons !"), ("2.txt", "Non."), ("3.txt", "Ah, la vague.")]
    choose(
        page,
        *(FilePayload(name=n, mimeType="text/plain", buffer=t.encode()) for n, t in texts),
    )
    page.wait_for_function("() => lab.shown.rows.n === 3")
    lab.rest()
    expected = thalweg.count_letters([text for _, text in texts])
    assert page.evaluate("() => lab.shown.rows.y") == expected.y.tolist()
    page.fill("#letter", "l")
    page.keyboard.press("Enter")
    page.wait_for_function("() => lab.shown.rows.target === 'L'")


def test_a_link_holds_everything_and_history_goes_back_and_forward(lab: Lab) -> None:
    page = lab.open().page
    page.click("#keep")
    lab.rest()
    page.wait_for_timeout(1100)
    page.select_option("#optimizer", "sgd")
    lab.set("lr-box", "3e-10")
    page.fill("#epoch", "100")
    page.dispatch_event("#epoch", "change")
    lab.rest()
    state = page.evaluate("() => lab.state")
    address = page.url
    page.goto("about:blank")
    page.goto(address)
    lab.rest()
    assert page.evaluate("() => lab.state") == state
    page.wait_for_timeout(1100)
    lab.set("lr-box", "1e-10")
    page.wait_for_timeout(1100)
    lab.set("lr-box", "2e-10")
    page.go_back()
    lab.rest()
    assert page.input_value("#lr-box") == "1e-10"
    page.go_forward()
    lab.rest()
    assert page.input_value("#lr-box") == "2e-10"


def test_kept_runs_are_compared_sorted_renamed_and_removed(lab: Lab) -> None:
    page = lab.open().page
    page.click("#keep")
    lab.rest()
    page.select_option("#optimizer", "adam")
    lab.set("epochs-box", "20")
    page.click("#keep")
    lab.rest()
    names = "#kept tbody th[scope=row]"
    assert page.locator("#kept tbody tr").count() == 3
    page.get_by_role("button", name="Final mean squared error").click()
    losses = page.locator("#kept tbody tr td:nth-child(3)").all_inner_texts()
    values = [float(re.sub(" × 10.", "e7", text.replace(",", ""))) for text in losses]
    assert values == sorted(values)
    page.get_by_label("Name of run 1").fill("the lesson's")
    page.keyboard.press("Enter")
    lab.rest()
    assert "the lesson's" in lab.text("#legend")
    for chart in ("data", "loss", "map"):
        kept = lab.traces(chart, "kept-1")
        assert len(kept["x"]) > 1
    looks = page.evaluate(
        """() => document.querySelector('[data-chart="loss"] .plot').data
             .filter((t) => t.mode === 'lines').map((t) => [t.line.color, t.line.dash].join())"""
    )
    assert len(set(looks)) == len(looks) == 4
    page.get_by_label("Remove run 2").click()
    lab.rest()
    assert page.locator(names).count() == 2


def test_a_path_that_leaves_the_surface_ends_on_its_edge(lab: Lab) -> None:
    page = lab.open("#optimizer=%22sgd%22&lr=1e-9").page
    data = thalweg.salammbo()
    run = thalweg.fit(data, optimizer="sgd", lr=1e-9)
    ranges = np.array(page.evaluate("() => lab.shown.plane.ranges"))
    within = np.all((run.path >= ranges[:, 0]) & (run.path <= ranges[:, 1]), axis=1)
    assert within[0]
    assert not within.all()
    shown = lab.traces("surface", "current run")
    drawn = np.array(list(zip(*shown.values(), strict=True)), dtype=float)
    line = drawn[: np.isnan(drawn[:, 0]).argmax()]  # to the first gap
    left = int(within.argmin())  # the first point outside
    assert len(line) == left + 1
    scale = np.ptp(ranges, axis=1)
    np.testing.assert_allclose((line[:-1, :2] - run.path[:left]) / scale, 0.0, atol=FLOAT32)
    edge = line[-1, :2]
    assert np.abs((edge[:, None] - ranges) / scale[:, None]).min() < FLOAT32
    before, after = run.path[left - 1 : left + 1]
    share = (edge - before) / (after - before)
    assert share[0] == pytest.approx(share[1], rel=1e-3)  # on the way from one to the other
    loss = np.mean((data.X @ edge[1:] + edge[0] - data.y) ** 2)
    assert line[-1, 2] == pytest.approx(np.log10(loss), abs=0.02)
    head = page.evaluate("() => lab.charts.plots.surface.data[2].x")
    assert head == [None]


def test_a_divergence_is_said_and_the_recommendation_mends_it(lab: Lab) -> None:
    page = lab.open("#optimizer=%22sgd%22&lr=0.01").page
    assert "Diverged after" in lab.text("#result")
    assert "Stable below 4.9 × 10⁻¹⁰" in lab.text("#stable")
    axes = page.evaluate("() => lab.shown.axes.data.y")
    assert axes[0] > -5000
    assert axes[1] < 10_000
    page.click("#recommended")
    lab.rest()
    assert "Diverged" not in lab.text("#result")
    final = page.evaluate("() => lab.shown.results[0].loss")
    assert final <= 1.01 * thalweg.salammbo().summary.solve().loss


def test_an_error_is_said_and_the_page_goes_on(lab: Lab) -> None:
    page = lab.open().page
    page.evaluate("() => lab.change({ settings: { ...lab.state.settings, lr: -1 } }, true)")
    page.wait_for_selector("#trouble:not([hidden])")
    assert lab.text("#trouble") == "lr: got -1, expected a positive number; try lr=0.01"
    page.evaluate("() => scrollTo(0, document.body.scrollHeight)")
    box = page.locator("#trouble").bounding_box()
    assert box is not None
    assert box["y"] >= 0  # wherever the page is scrolled to
    lab.set("lr-box", "0.02")
    assert page.locator("#trouble").is_hidden()


@pytest.mark.parametrize(
    ("fragment", "said"),
    [
        ("#lr=-1&epochs=20", "lr: got -1, expected a positive number; try lr=0.01"),
        ("#epochs=20&lr=abc", "This link's lr cannot be read: "),
        ("#data={%22source%22:%22file%22}", "data: got the file of another lab, expected "),
    ],
    ids=["wrong", "damaged", "elsewhere"],
)
def test_a_wrong_link_is_said_and_shows_the_rest(lab: Lab, fragment: str, said: str) -> None:
    lab.open(fragment)
    assert lab.text("#trouble").startswith(said)
    epochs = 20 if "lr=abc" in fragment else 250
    data = thalweg.salammbo()
    assert_shows(lab, thalweg.fit(data, epochs=epochs), data)
    lab.set("lr-box", "0.02")
    assert lab.page.locator("#trouble").is_hidden()


def test_a_lab_that_starts_with_a_file_shows_it(
    browser: Browser, serve: type[Served], tmp_path: Path
) -> None:
    (tmp_path / "rivers.csv").write_text(CSV)
    served = serve(lambda: make_lab(tmp_path / "rivers.csv"))
    page = browser.new_page(viewport={"width": 1280, "height": 900})
    lab = Lab(page, served.address).open()
    assert "rivers.csv: 40 rows, flow by length, depth." in lab.text("#data-name")
    page.get_by_role("checkbox", name="depth").uncheck()
    page.click("#apply-columns")
    lab.rest()
    address = page.url
    page.close()
    again = browser.new_context().new_page()  # a browser that knows nothing of it
    lab = Lab(again, served.address).open(address.removeprefix(served.address))
    assert "flow by length." in lab.text("#data-name")
    again.close()
    served.stop()
    assert lab.faults == []


def test_a_restarted_server_finds_the_page_as_it_was(browser: Browser, serve: type[Served]) -> None:
    first = serve()
    page = browser.new_page(viewport={"width": 1280, "height": 900})
    lab = Lab(page, first.address).open()
    lab.set("lr-box", "0.3")
    drop(page, LONG)
    page.wait_for_selector("#apply-columns")
    lab.rest()
    page.click("#keep")
    lab.rest()
    lab.set("lr-box", "0.35")
    assert page.evaluate("() => lab.state.data.source") == "upload"
    # The server's own word for the file is another afterwards; the page has the file itself.
    state = "() => ({ ...lab.state, data: { ...lab.state.data, upload: null } })"
    before, shown = page.evaluate(state), path_shown(lab)
    first.stop()
    page.wait_for_selector("#connection[data-state=lost]")
    second = serve(port=first.port)
    page.wait_for_selector("#connection[data-state=open]", timeout=30_000)
    lab.rest()
    assert page.evaluate(state) == before, lab.text("#trouble")
    np.testing.assert_array_equal(path_shown(lab), shown)
    assert len(lab.traces("loss", "kept-1")["x"]) == 251
    lab.set("lr-box", "0.4")
    page.close()
    second.stop()
    assert lab.faults == []


def test_runs_are_taken_along(lab: Lab, tmp_path: Path) -> None:
    page = lab.open().page
    files = {"run": "descent.parquet", "report": "descent.html", "pytorch": "descent.py"}
    for kind, name in files.items():
        with page.expect_download() as waiting:
            page.click(f"#take-{kind}")
        waiting.value.save_as(tmp_path / name)
    loaded = thalweg.load(tmp_path / "descent.parquet")
    np.testing.assert_array_equal(loaded.path, thalweg.fit(thalweg.salammbo()).path)
    assert "nadam" in (tmp_path / "descent.html").read_text().lower()
    with page.expect_download() as waiting:
        page.get_by_role("button", name="Save map of the loss as PNG").click()
    waiting.value.save_as(tmp_path / "map.png")
    assert (tmp_path / "map.png").read_bytes().startswith(b"\x89PNG")
    page.click("#copy-python")
    page.wait_for_function(
        "() => navigator.clipboard.readText().then((t) => t.includes('thalweg.fit'))"
    )


def axe() -> str:
    """The accessibility checker's own script."""
    if importlib.util.find_spec("axe_playwright_python") is None:
        reason = "axe-playwright-python is not installed"
        if os.environ.get("CI"):
            pytest.fail(reason)
        pytest.skip(reason)
    script = importlib.resources.files("axe_playwright_python") / "axe.min.js"
    return script.read_text(encoding="utf-8")


@pytest.mark.parametrize(("scheme", "width"), [("light", 1280), ("dark", 320)])
def test_nothing_is_inaccessible_in_any_state(
    served: Served, browser: Browser, scheme: Any, width: int
) -> None:
    checker = axe()
    context = browser.new_context(
        viewport={"width": width, "height": 800}, color_scheme=scheme, reduced_motion="reduce"
    )
    page = context.new_page()
    lab = Lab(page, served.address).open()
    found: dict[str, list[str]] = {}

    def check(state: str) -> None:
        page.evaluate(checker)
        # What Plotly draws is one image to a reader, said in words below it. What passes is
        # neither gathered nor sent.
        found[state] = page.evaluate(
            """async (tags) => {
              const options = { runOnly: tags, resultTypes: ["violations"] };
              const { violations } = await axe.run({ exclude: [".main-svg"] }, options);
              return violations.map((each) => `${each.id}: ${each.nodes[0].target}`);
            }""",
            WCAG,
        )
        wide = page.evaluate("() => document.documentElement.scrollWidth - innerWidth")
        assert wide <= 0, f"{state}: the page scrolls sideways by {wide} pixels"

    def unfold(opened: bool) -> None:
        """Open everything that can be opened, or close it: what was looked at is soon done."""
        page.evaluate(
            """(open) => document.querySelectorAll('details').forEach((d) => { d.open = open; })""",
            opened,
        )

    check("start")
    unfold(True)
    check("everything opened")
    unfold(False)
    page.click("#play")
    check("running")
    page.evaluate("() => { lab.time.play(); lab.time.pause(); }")
    lab.rest()
    check("paused")
    page.click("#keep")
    lab.rest()
    check("kept")
    unfold(True)
    drop(page, FEW)
    page.wait_for_selector("#apply-columns")
    lab.rest()
    check("own data")
    unfold(False)
    page.evaluate("() => lab.change({ settings: { ...lab.state.settings, lr: -1 } }, true)")
    page.wait_for_selector("#trouble:not([hidden])")
    check("error")
    lab.open("#optimizer=%22sgd%22&lr=1")
    page.wait_for_selector("#result.diverged")
    check("diverged")
    context.close()
    assert found == {state: [] for state in found}
    assert lab.faults == []


def test_every_control_says_what_it_is_and_is_large_enough(lab: Lab) -> None:
    page = lab.open().page
    small = page.evaluate(
        """() => [...document.querySelectorAll("button, input, select, summary")]
             .filter((each) => each.checkVisibility())
             .filter((each) => !each.classList.contains("visually-hidden"))
             .map((each) => [each.outerHTML.slice(0, 80), each.getBoundingClientRect()])
             .filter(([, box]) => box.width < 24 || box.height < 24).map(([name]) => name)"""
    )
    assert small == []
    described = json.loads(page.evaluate("() => JSON.stringify(lab.greeting.controls.optimizers)"))
    from thalweg.optimizers.registry import RULES
    from thalweg.optimizers.rule import declared

    assert [each["name"] for each in described] == list(RULES)
    for rule in described:
        _, *own = declared(RULES[rule["name"]]).settings.values()  # the first is lr
        assert [s["explanation"] for s in rule["settings"]] == [kind.meaning for kind in own]
