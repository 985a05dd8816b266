"""The lab under a real hand: a mouse drags the learning rate's slider in headless Chromium.

From each ``input`` event of the slider to the moment when the moved lines on all three 2-D charts
are painted; how many distinct pictures a drag of three seconds shows; and how long it takes from
the start of the process to four painted charts, in a browser that nobody inspects until they are
there: developer tools, and what drives a browser, have every error traced and slow the start down
by half. Run it with ``python -m benchmarks.lab``.
"""

from __future__ import annotations

import json
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from http.client import HTTPConnection
from pathlib import Path
from statistics import median, quantiles
from typing import Any

from playwright.sync_api import Browser, Page, Playwright, sync_playwright

from benchmarks.measure import Comparison, Row, in_words

FLAGS = ["--no-sandbox", "--disable-quic", "--no-first-run", "--disable-background-networking",
         "--disable-gpu", "--enable-unsafe-swiftshader"]  # fmt: skip
DRAG_SECONDS = 3.0
REPETITIONS = 5
UNSEEN_SECONDS = 6.0  # before anybody looks into the tab
STEPS = 10  # of the mouse between two places given here: each as soon as the page took the last

# Watches from outside: the slider's events, the SVG layers that change, the frame after that.
_WATCH = """
() => {
  const watch = { inputs: [], updates: [], pending: null };
  window.watch = watch;
  document.getElementById("lr").addEventListener("input", (event) => {
    watch.inputs.push(event.timeStamp);
    watch.pending ??= event.timeStamp;
  }, true);
  const layers = [...document.querySelectorAll(".preview")];
  const changed = new Set();
  const observer = new MutationObserver((records) => {
    for (const record of records) changed.add(record.target.closest(".preview"));
    if (changed.size < layers.length || watch.pending === null) return;
    changed.clear();
    const since = watch.pending;
    watch.pending = null;
    const picture = layers.map((layer) => layer.innerHTML).join("");
    requestAnimationFrame(() => {
      const channel = new MessageChannel();
      channel.port1.onmessage = () => watch.updates.push([since, performance.now(), picture]);
      channel.port2.postMessage(null);
    });
  });
  const all = { subtree: true, attributes: true, childList: true };
  for (const layer of layers) observer.observe(layer, all);
}
"""


@dataclass(frozen=True)
class Drag:
    """One drag of the slider."""

    events: int
    updates: int  # distinct pictures
    median_ms: float
    p95_ms: float


def drag(page: Page, seconds: float = DRAG_SECONDS) -> Drag:
    """Drag the learning rate's slider to and fro with the mouse."""
    page.evaluate(_WATCH)
    box = page.locator("#lr").bounding_box()
    assert box is not None  # noqa: S101  # the slider is on the page
    y, left, width = box["y"] + box["height"] / 2, box["x"] + 10, box["width"] - 20
    page.mouse.move(left + width / 2, y)
    page.mouse.down()
    began = time.perf_counter()
    while (passed := time.perf_counter() - began) < seconds:
        share = abs((passed / seconds * 2.0 + 0.5) % 2.0 - 1.0)
        page.mouse.move(left + width * share, y, steps=STEPS)
    page.mouse.up()
    page.wait_for_timeout(1500)
    seen: dict[str, Any] = page.evaluate("() => window.watch")
    waits = [painted - since for since, painted, _ in seen["updates"]]
    return Drag(
        events=len(seen["inputs"]),
        updates=len({picture for *_, picture in seen["updates"]}),
        median_ms=median(waits),
        p95_ms=quantiles(waits, n=20)[-1],
    )


@contextmanager
def served() -> Iterator[str]:
    """Start a lab in a process of its own."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = f"from thalweg.lab import serve; serve(port={port}, open_browser=False)"
    server = subprocess.Popen([sys.executable, "-c", command], stdout=subprocess.PIPE, text=True)
    try:
        assert server.stdout is not None  # noqa: S101  # a pipe, as just asked
        server.stdout.readline()
        yield f"http://127.0.0.1:{port}/"
    finally:
        server.terminate()
        server.wait()


@contextmanager
def chromium() -> Iterator[Browser]:
    """Start a headless Chromium with software rendering."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=_chromium(), args=FLAGS)
        yield browser
        browser.close()


def _chromium() -> str:
    found = shutil.which("chromium") or shutil.which("google-chrome")
    if found is None:
        raise FileNotFoundError("the lab is measured in Chromium, which is not installed")
    return found


def opened(browser: Browser, address: str) -> Page:
    """Open the page and wait for four painted charts."""
    page = browser.new_page(viewport={"width": 1280, "height": 900})
    page.goto(address)
    page.wait_for_selector("body[data-committed]")
    return page


def start(playwright: Playwright) -> float:
    """Start a lab, open it in a browser that is there already; give the seconds to its charts."""
    arguments = [*FLAGS, "--headless", "--window-size=1280,900", "--remote-debugging-port=0"]
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        command = [_chromium(), *arguments, f"--user-data-dir={profile}", "about:blank"]
        browser = subprocess.Popen(command, stderr=subprocess.DEVNULL)
        try:
            door = f"127.0.0.1:{_once(Path(profile, 'DevToolsActivePort'))}"
            time.sleep(2)  # until the browser itself rests
            began = time.time()
            with served() as address:
                asking = HTTPConnection(door)
                asking.request("PUT", f"/json/new?{address}")
                asking.getresponse().read()
                asking.close()
                time.sleep(UNSEEN_SECONDS)
                pages = playwright.chromium.connect_over_cdp(f"http://{door}").contexts[0].pages
                page = next(page for page in pages if page.url.startswith(address))
                painted: float = page.wait_for_function(
                    "performance.timeOrigin + performance.getEntriesByName('painted')[0]?.startTime"
                ).json_value()
                return painted / 1e3 - began
        finally:
            browser.terminate()
            browser.wait()


def _once(file: Path) -> str:
    """Wait for a file that the browser writes, and read its first line."""
    while not (file.exists() and (lines := file.read_text().splitlines())):
        time.sleep(0.05)
    return lines[0]


def measure() -> dict[str, Any]:
    """Measure drags in one server and browser, and starts in fresh ones each."""
    with sync_playwright() as playwright:
        starts = [start(playwright) for _ in range(REPETITIONS)]
    with chromium() as browser, served() as address:
        page = opened(browser, address)
        page.wait_for_timeout(1000)
        drags = [drag(page) for _ in range(REPETITIONS)]
    return {
        "start_seconds": median(starts),
        "starts": starts,
        "median_ms": median(each.median_ms for each in drags),
        "p95_ms": median(each.p95_ms for each in drags),
        "updates": median(each.updates for each in drags),
        "drags": [asdict(each) for each in drags],
    }


def comparisons() -> Iterator[Row]:
    """Measure the lab against its marks: the "other side" is the mark itself."""
    measured = measure()
    for work, seconds, mark in (
        (
            f"lab: slider to moved charts, 95th percentile ({measured['updates']:.0f} distinct "
            "updates in a drag of 3 s)",
            measured["p95_ms"] / 1e3,
            0.050,
        ),
        ("lab: from the command to four painted charts", measured["start_seconds"], 4.0),
    ):
        claim = Comparison(
            work=work,
            against=f"{in_words(mark)}",
            ours=lambda: None,
            theirs=lambda: None,
            at_least=1.0,
            aim=1.0,
            agree=lambda ours, theirs: None,
        )
        yield Row(claim, seconds, mark, (REPETITIONS, 1))


if __name__ == "__main__":
    print(json.dumps(measure(), indent=2))
