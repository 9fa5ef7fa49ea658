"""The page as a whole: its head, its parts, the figures as data, and the file that it is written to."""

from __future__ import annotations

import base64
import hashlib
import json
import os
from importlib.resources import files
from pathlib import Path
from typing import Any

from chainrule.errors import OptionError
from chainrule.insight.network_and_data import AskedCost
from chainrule.insight.report_page.figures import Figures, figures_of
from chainrule.insight.report_page.markup import Markup, element
from chainrule.insight.report_page.sections import SECTIONS, run_facts
from chainrule.learning.run import Run
from chainrule.learning.summary import title_of
from chainrule.storage import check_file, write_file

__all__ = ["page", "report"]

_HINT = (
    "Point at any mark and the line below the drawing says what it is. With the keyboard: Tab goes from drawing to "
    "drawing, the arrow keys from mark to mark."
)


def report(run: Run, data: Any = None, path: str | os.PathLike[str] = "report.html", *, cost: AskedCost = None) -> Path:
    """Write a run as one HTML page: the verdict, the network, its layers and costs over time, noise, examples.

    The page opens without a network and loads nothing. With `data`, a DataSet or a pair `(x, labels)`, it also shows
    ∂C/∂w of the mean cost on them (penalty included), and the examples with the longest gradients ‖∂C_x/∂(w, b)‖.
    Every figure is exact, the noise scale an unbiased estimate's quotient; what is drawn is in the page as JSON too, in
    the element `report-data`. Returns the path; `-` is standard output.

    `cost` is that of a run which was learnt with one of your own.

    Raises OptionError if `run` is no Run, DataError for data that do not fit it, StorageError if the file cannot be
    written.

    >>> import tempfile
    >>> from chainrule.nn.network import Network
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     page = report(Run(Network([2, 3, 1]), []), path=f"{folder}/report.html")
    ...     page.read_text("utf-8").startswith("<!doctype html>")
    True
    """
    if not isinstance(run, Run):
        raise OptionError(f"a report is about a Run, not {type(run).__name__}.", cure="Give what cr.learn returns.")
    target = Path(path)
    check_file(target)
    write_file(target, page(figures_of(run, data, cost=cost)))
    return target


def page(figures: Figures) -> str:
    """The page, as text."""
    style, script = _resource("page.css"), _resource("page.js")
    title = f"{title_of(figures.run.network)}, a report"
    head = element(
        "head",
        element("meta", charset="utf-8"),
        element("meta", http_equiv="Content-Security-Policy", content=_policy(style, script)),
        element("meta", name="viewport", content="width=device-width, initial-scale=1"),
        element("meta", name="color-scheme", content="light dark"),
        element("title", title),
        element("style", Markup(style)),
    )
    body = element("body", _hatching(), _header(figures), element("main", *_sections(figures)), _footer(),
                   _data(figures), element("script", Markup(script)))  # fmt: skip
    return f"<!doctype html>\n{element('html', head, body, lang='en')}\n"


def _resource(name: str) -> str:
    return files("chainrule.insight.report_page").joinpath(name).read_text("utf-8")


def _policy(style: str, script: str) -> str:
    """Nothing is loaded from anywhere, and no style or script runs but the page's own."""
    own = [base64.b64encode(hashlib.sha256(text.encode()).digest()).decode() for text in (style, script)]
    return f"default-src 'none'; img-src data:; style-src 'sha256-{own[0]}'; script-src 'sha256-{own[1]}'"


def _hatching() -> Markup:
    """The pattern of cells that hold no number."""
    line = element("path", d="M0 4L4 0", class_="hatch-line")
    pattern = element("pattern", line, id="hatch", width=4, height=4, patternUnits="userSpaceOnUse")
    return element("svg", element("defs", pattern), width=0, height=0, class_="hidden", aria_hidden="true")


def _header(figures: Figures) -> Markup:
    theme = element("button", "Dark", type="button", id="theme", class_="theme", hidden=True)
    top = element("div", element("p", "chainrule report", class_="kicker"), theme, class_="top")
    name = element("h1", title_of(figures.run.network))
    stopped = element("p", "Learning was stopped early.", class_="stopped") if figures.run.interrupted else None
    verdict = element("p", figures.run.verdict, class_="verdict")
    return element("header", top, name, verdict, stopped, run_facts(figures), element("p", _HINT, class_="hint"))


def _sections(figures: Figures) -> list[Markup]:
    made = [(title, make(figures)) for title, make in SECTIONS.items()]
    return [_section(n, title, body) for n, (title, body) in enumerate(made) if body is not None]


def _section(number: int, title: str, body: Markup) -> Markup:
    return element("section", element("h2", title, id=f"section-{number}"), body, aria_labelledby=f"section-{number}")


def _footer() -> Markup:
    told = (
        "C is the cost, the mean over examples; w a weight, b a bias, a the activation of a neuron, z its weighted "
        "input, δ = ∂C/∂z its error. Layers, neurons and steps are counted from 0. All figures are in this file as "
        "JSON, in the element report-data."
    )
    return element("footer", element("p", told))


def _data(figures: Figures) -> Markup:
    """The figures as JSON, in which nothing can end the element."""
    text = json.dumps(figures.to_dict(), ensure_ascii=True, allow_nan=False, separators=(",", ":"))
    for character in "<>&":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return element("script", Markup(text), type="application/json", id="report-data")
