"""The lesson's page in a real browser: it draws, it says everything, it fetches nothing."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from thalweg.pages.lesson import SECTIONS, page, replay

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

FIGURES = {
    "data-figure", "batch-path", "batch-loss", "batch-surface", "stochastic-loss",
    "stochastic-surface", "mini-batch-loss", "mini-batch-surface", "dataloader-loss",
    "dataloader-surface", "map-figure", "fit-figure",
}  # fmt: skip
READY = "document.documentElement.dataset.ready === 'true'"


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    written = tmp_path_factory.mktemp("lesson") / "lesson.html"
    written.write_text(page(replay()), encoding="utf-8")
    return written


@pytest.fixture(scope="module")
def opened(browser: Browser, file: Path) -> Iterator[tuple[Page, list[str], list[str]]]:
    """The page, drawn, with what it said on the console and what it asked the network for."""
    context = browser.new_context(viewport={"width": 1200, "height": 900})
    tab = context.new_page()
    complaints: list[str] = []
    requests: list[str] = []
    tab.on("console", lambda said: complaints.append(said.text) if said.type == "error" else None)
    tab.on("pageerror", lambda error: complaints.append(str(error)))
    tab.on("request", lambda request: requests.append(request.url))
    tab.goto(file.as_uri())
    tab.wait_for_function(READY, timeout=120_000)
    yield tab, complaints, requests
    context.close()


def test_it_says_nothing_on_the_console(opened: tuple[Page, list[str], list[str]]) -> None:
    assert opened[1] == []


def test_no_request_leaves_the_page(opened: tuple[Page, list[str], list[str]]) -> None:
    outside = [url for url in opened[2] if not url.startswith(("file:", "data:", "blob:"))]
    assert outside == []


def test_every_figure_has_drawn(opened: tuple[Page, list[str], list[str]]) -> None:
    tab = opened[0]
    drawn: list[dict[str, Any]] = tab.evaluate(
        """() => [...document.querySelectorAll('.plot')].map(plot => ({
            id: plot.id,
            drawn: plot.dataset.drawn === 'true',
            traces: plot.querySelectorAll('.trace, canvas').length,
            width: plot.getBoundingClientRect().width,
        }))"""
    )
    assert {figure["id"] for figure in drawn} == FIGURES
    for figure in drawn:
        assert figure["drawn"], figure
        assert figure["traces"] > 0, figure
        assert figure["width"] > 400, figure


def test_the_sections_are_there_in_their_order(opened: tuple[Page, list[str], list[str]]) -> None:
    tab = opened[0]
    headings = tab.locator("main h2").all_inner_texts()
    assert headings == [heading for _, heading in SECTIONS]
    links = tab.locator("nav a").all()
    assert [link.get_attribute("href") for link in links] == [f"#{id_}" for id_, _ in SECTIONS]
    for id_, _ in SECTIONS:
        assert tab.locator(f"section#{id_}").count() == 1


def test_every_comparison_says_yes(opened: tuple[Page, list[str], list[str]]) -> None:
    tab = opened[0]
    verdicts = tab.locator("#numbers table.comparison tbody td:last-child").all_text_contents()
    assert len(verdicts) == len(replayed_numbers(tab))
    assert set(verdicts) <= {"yes", "to 0.1%", "to float32's last bit"}


def replayed_numbers(tab: Page) -> list[str]:
    return tab.locator("#numbers table.comparison tbody th").all_text_contents()


def test_a_path_plays(opened: tuple[Page, list[str], list[str]]) -> None:
    """The play button moves the epoch slider from the first epoch towards the last."""
    tab = opened[0]
    plot = tab.locator("#batch-path")
    plot.scroll_into_view_if_needed()
    before = plot.locator(".slider-group .slider-label").first.text_content()
    plot.locator(".updatemenu-button").first.click()
    tab.wait_for_timeout(1500)
    after = plot.locator(".slider-group .slider-label").first.text_content()
    assert before != after


def test_the_keyboard_steps_through_the_epochs(
    opened: tuple[Page, list[str], list[str]],
) -> None:
    tab = opened[0]
    plot = tab.locator("#map-figure")
    plot.focus()
    shown = "document.querySelector('#map-figure').layout.sliders[0].active"
    plot.press("End")
    last = tab.evaluate(shown)
    plot.press("ArrowLeft")
    assert tab.evaluate(shown) == last - 1
    plot.press("Home")
    assert tab.evaluate(shown) == 0
    assert opened[1] == []


@pytest.mark.parametrize("scheme", ["dark", "light"])
def test_it_follows_the_readers_theme(
    opened: tuple[Page, list[str], list[str]], scheme: Any
) -> None:
    tab = opened[0]
    tab.emulate_media(color_scheme=scheme)
    figures_ink = "document.querySelector('#data-figure')._fullLayout.font.color"
    wanted = "> 128" if scheme == "dark" else "< 128"
    tab.wait_for_function(f"parseInt({figures_ink}.slice(1, 3), 16) {wanted}")
    ink = tab.evaluate("getComputedStyle(document.body).color")
    brightness = sum(map(int, re.findall(r"\d+", ink)[:3])) / 3
    assert (brightness > 128) == (scheme == "dark")


@pytest.mark.parametrize("width", [320, 700, 1200])
def test_it_fits_its_window(opened: tuple[Page, list[str], list[str]], width: int) -> None:
    tab = opened[0]
    tab.set_viewport_size({"width": width, "height": 900})
    # Plotly follows the window a moment later; a page too wide for good never gets there.
    tab.wait_for_function("document.documentElement.scrollWidth <= innerWidth", timeout=60_000)
