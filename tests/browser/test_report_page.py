"""The report page in a real browser: nothing fails or overflows, and the keyboard reaches all of it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.browser.browser import MISSING, Browser

import chainrule as cr
from chainrule.data import DataSet
from chainrule.insight.report_page.page import report

pytestmark = [pytest.mark.browser, pytest.mark.skipif(bool(MISSING), reason=f"not installed: {MISSING}")]

PAGES = ("pictures", "xor", "regression", "bare")
DRAWINGS = "[...document.querySelectorAll('svg[role=group]')]"
FOCUSED = "document.activeElement"


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    opened = Browser()
    yield opened
    opened.close()


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a page of each kind."""
    folder = tmp_path_factory.mktemp("pages")
    for name, (network, data, options) in _kinds().items():
        run = cr.learn(network, data, epochs=12, batch=10, optimizer=cr.optim.SGD(0.2), progress=False, **options)
        report(run, None if name == "bare" else data, folder / f"{name}.html")
    return folder


def _kinds() -> dict[str, tuple[Any, Any, dict[str, Any]]]:
    random = np.random.default_rng(0)
    labels = np.arange(200) % 10
    images = random.uniform(0, 0.5, (200, 12, 12)).astype(np.float32)
    images[np.arange(200), labels, :] += 0.5
    names = tuple(f"<i>a class with a long name, number {n}</i>" for n in range(10))
    pictures = DataSet(images, labels, class_names=names)
    points = random.integers(0, 2, (40, 2)).astype(np.float32)
    classes = (points, (points[:, 0] != points[:, 1]).astype(np.int64))
    x = random.normal(size=(100, 3)).astype(np.float32)
    watched = {"cost": "cross_entropy", "watch": 1}
    deep = cr.nn.Network([144, 30, 30, 30, 10], output="softmax", seed=0)
    tiny = cr.nn.Network([2, 4, 2], "tanh", output="softmax", seed=1)
    real = cr.nn.Network([3, 16, 16, 1], "relu", output="identity", seed=1)
    return {
        "pictures": (deep, pictures, watched),
        "xor": (tiny, classes, watched),
        "regression": (real, (x, x[:, :1] * x[:, 1:2]), {"cost": "quadratic", "watch": 1}),
        "bare": (tiny, classes, {"cost": "cross_entropy", "watch": False}),
    }


@pytest.mark.parametrize("name", PAGES)
@pytest.mark.parametrize("width", [400, 1600])
def test_nothing_fails_and_nothing_overflows(browser: Browser, pages: Path, name: str, width: int) -> None:
    for dark in (False, True):
        browser.open(pages / f"{name}.html", width, dark=dark)
        assert browser.messages() == []
        assert browser.value("document.documentElement.scrollWidth") == width
        assert (
            browser.value("performance.getEntriesByType('resource').filter(e => !e.name.startsWith('data:')).length")
            == 0
        )
        assert browser.value("[...document.images].every(one => one.complete && one.naturalWidth > 0)")


@pytest.mark.parametrize("dark", [False, True])
def test_text_can_be_read_on_its_ground(browser: Browser, pages: Path, dark: bool) -> None:
    browser.open(pages / "pictures.html", dark=dark)
    ground = _rgb(browser, "document.body", "backgroundColor")
    assert (sum(ground) < 200) == dark
    for chosen in ("h1", "dd", ".how", ".facts dt", ".strip-names", ".scale", ".severity", ".fine"):
        contrast = _contrast(_rgb(browser, f"document.querySelector('{chosen}')", "color"), ground)
        assert contrast >= 4.5, chosen
    for chosen in (".series-0", ".series-1", ".series-2", ".series-3"):
        assert _contrast(_rgb(browser, f"document.querySelector('{chosen}')", "color"), ground) >= 3, chosen


def _rgb(browser: Browser, where: str, what: str) -> list[float]:
    """A colour as the browser paints it, from 0 to 255."""
    paint = f"""(() => {{
        const canvas = document.createElement('canvas').getContext('2d');
        canvas.fillStyle = getComputedStyle({where}).{what};
        canvas.fillRect(0, 0, 1, 1);
        return [...canvas.getImageData(0, 0, 1, 1).data].slice(0, 3);
    }})()"""
    found: list[float] = browser.value(paint)
    return found


def _contrast(one: list[float], two: list[float]) -> float:
    """The contrast ratio of WCAG 2, from 1 to 21."""
    dark, light = sorted(map(_luminance, (one, two)))
    return (light + 0.05) / (dark + 0.05)


def _luminance(colour: list[float]) -> float:
    parts = [c / 255 / 12.92 if c / 255 <= 0.04045 else ((c / 255 + 0.055) / 1.055) ** 2.4 for c in colour]
    return 0.2126 * parts[0] + 0.7152 * parts[1] + 0.0722 * parts[2]


def test_the_theme_follows_the_system_until_one_is_chosen(browser: Browser, pages: Path) -> None:
    browser.open(pages / "xor.html", dark=False)
    assert browser.value("document.getElementById('theme').textContent") == "Dark"
    browser.press("Tab", "Space")
    assert sum(_rgb(browser, "document.body", "backgroundColor")) < 200
    assert browser.value("document.getElementById('theme').textContent") == "Light"
    browser.press("Space")
    assert sum(_rgb(browser, "document.body", "backgroundColor")) > 600


def test_tab_goes_through_the_page_in_order_one_stop_a_drawing(browser: Browser, pages: Path) -> None:
    browser.open(pages / "pictures.html")
    browser.value("document.querySelectorAll('*').forEach((one, n) => { one.dataset.order = n })")
    drawings = browser.value(f"{DRAWINGS}.length")
    stops, inside = [], []
    for _ in range(drawings + 12):
        browser.press("Tab")
        if browser.value(f"{FOCUSED} === document.body"):
            break
        stops.append(int(browser.value(f"{FOCUSED}.dataset.order")))
        inside.append(browser.value(f"{DRAWINGS}.findIndex(one => one.contains({FOCUSED}))"))
    assert stops == sorted(set(stops))
    assert [n for n in inside if n >= 0] == list(range(drawings))


def test_arrows_go_from_mark_to_mark_and_the_line_below_says_which(browser: Browser, pages: Path) -> None:
    browser.open(pages / "pictures.html")
    browser.press("Tab")
    browser.value("document.querySelector('.strip [tabindex=\"0\"]').focus()")
    assert _told(browser).startswith("layer 0, step 0: rms ∂C/∂w ")
    browser.press("ArrowRight")
    assert re.match(r"layer 0, step \d+: rms ∂C/∂w ", _told(browser))
    browser.press("ArrowLeft", "ArrowDown")
    assert _told(browser).startswith("layer 1, step 0: rms ∂C/∂w ")
    assert browser.value("document.querySelectorAll('.strip')[0].querySelectorAll('[tabindex=\"0\"]').length") == 1
    browser.press("Tab")
    assert browser.value("document.querySelectorAll('.strip')[1].contains(document.activeElement)")


def _told(browser: Browser) -> str:
    """The line below the drawing, which says what the focused mark says, and the focus can be seen."""
    assert browser.value(f"{FOCUSED}.matches(':focus-visible')")
    assert float(browser.value(f"getComputedStyle({FOCUSED}).strokeWidth").removesuffix("px")) >= 3
    told: str = browser.value(f"{FOCUSED}.closest('figure').querySelector('.readout').textContent")
    assert told == browser.value(f"{FOCUSED}.getAttribute('aria-label')")
    return told


@pytest.mark.parametrize("name", ["pictures", "xor"])
def test_weights_and_derivatives_and_their_signs_are_chosen_with_the_keyboard(
    browser: Browser, pages: Path, name: str
) -> None:
    browser.open(pages / f"{name}.html")
    assert _visible(browser, ".of-weight .positive") > 0
    assert _visible(browser, ".of-gradient") == 0
    browser.value("document.querySelector('input[value=weight]').focus()")
    browser.press("ArrowRight")
    assert _visible(browser, ".of-weight") == 0
    assert _visible(browser, ".of-gradient .negative") > 0
    browser.press("Tab", "ArrowRight")
    assert _visible(browser, ".of-gradient .positive") > 0
    assert _visible(browser, ".of-gradient .negative") == 0
    browser.press("Tab")
    assert _told(browser)


def _visible(browser: Browser, chosen: str) -> int:
    found: int = browser.value(
        f"[...document.querySelectorAll('{chosen}')].filter(one => one.getClientRects().length).length"
    )
    return found


def test_pointing_at_a_mark_says_what_it_is(browser: Browser, pages: Path) -> None:
    browser.open(pages / "xor.html")
    readout = "document.querySelector('.chart').closest('figure').querySelector('.readout').textContent"
    assert browser.value(readout) == ""
    browser.value("document.querySelector('.chart .mark').dispatchEvent(new Event('pointerover', {bubbles: true}))")
    assert re.fullmatch(r"training cost in epoch 1: [\d.]+", browser.value(readout))


def test_what_only_a_screen_needs_is_not_printed(browser: Browser, pages: Path) -> None:
    browser.open(pages / "pictures.html", printed=True, dark=True)
    assert _visible(browser, "#theme, .readout, fieldset, .hint") == 0
    assert sum(_rgb(browser, "document.body", "backgroundColor")) > 600


def test_a_picture_of_the_page_shows_something(browser: Browser, pages: Path) -> None:
    browser.open(pages / "xor.html")
    assert len(browser.picture()) > 50_000
