"""How things look: as text at any width, in a notebook, and when they are named at Python's prompt."""

from __future__ import annotations

import base64
import importlib.util
import pkgutil
import re
import sys
from html.parser import HTMLParser
from importlib import import_module
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import chainrule as cr
from chainrule import display
from chainrule.display import Facts, Lines, Page, PageEntry, Picture, Shown, Table, aligned, number, printable
from chainrule.insight.presentation import Insight

TABLE = Table(
    ("name of the thing", "value", "change of the cost", "share"),
    (
        ("layers[0].w[3, 407]", -3.5, 2.5e-7, "90.1 %"),
        ("a bias", 0.25, None, "9 %"),
        ("the last", 12, -3e-05, "100.0 %"),
    ),
)
FULL = Page(
    "A title",
    ("One sentence.", "Another.", TABLE, Facts({"cost": "quadratic", "many words": "word " * 30}),
     PageEntry("Something", "alarm, likely", "red", Facts({"Why": "Because."})), Page("A part", ("Its sentence.",))),
)  # fmt: skip


class Thing(Shown):
    """Something to show."""

    def __init__(self, page: Page) -> None:
        self._page = page

    def page(self) -> Page:
        """The page it was given."""
        return self._page


class Tags(HTMLParser):
    """Whether every tag is closed in its turn, and the text between."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.opened: list[str] = []
        self.text = ""
        self.feed(html)
        assert self.opened == []

    def handle_starttag(self, tag: str, attrs: Any) -> None:
        if tag not in ("br", "img"):
            self.opened.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.opened.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data


def at(width: int, monkeypatch: pytest.MonkeyPatch, thing: Any) -> list[str]:
    monkeypatch.setattr(display, "_width", lambda: width)
    return str(thing).split("\n")


# numbers under each other


@given(st.lists(st.one_of(st.none(), st.integers(-(10**9), 10**9), st.floats(allow_nan=False)), min_size=1))
def test_numbers_stand_with_their_points_in_one_column(values: list[float | None]) -> None:
    cells = [number(value) for value in values]
    found = aligned(cells)
    assert [cell.strip() for cell in found] == cells
    assert len({len(cell) for cell in found}) == 1
    assert len({cell.index(".") for cell in found if "." in cell}) <= 1


def test_numbers_are_read_in_four_digits_and_none_is_minus_zero() -> None:
    assert [number(x) for x in (-0.0, 0.1 + 0.2, np.float32(1e-7), 10**6, True, "word", None)] == [
        "0", "0.3", "1e-07", "1000000", "True", "word", "—",
    ]  # fmt: skip


def test_exponents_stand_under_each_other() -> None:
    assert aligned(["1.25e-05", "-3e-05", "0.5"]) == ["1.25e-05", "  -3e-05", "0.5     "]


# text


@pytest.mark.parametrize("width", [40, 60, 80, 120, 10_000])
def test_a_page_fits_any_width_and_loses_nothing(width: int, monkeypatch: pytest.MonkeyPatch) -> None:
    lines = at(width, monkeypatch, Thing(FULL))
    assert max(map(len, lines)) <= width
    assert lines[0] == "A title"
    words = " ".join(lines).split()
    for word in ("sentence.", "layers[0].w[3,", "407]", "-3.5", "2.5e-07", "-3e-05", "[alarm,", "Because.", "90.1"):
        assert word in words
    assert words.count("word") == 30


def test_parts_of_a_page_are_set_apart_by_a_blank_line(monkeypatch: pytest.MonkeyPatch) -> None:
    assert at(60, monkeypatch, Thing(Page("T", ("One.", "Two.", Table(("a",), ((1,),)), "Three.")))) == [
        "T", "One.", "Two.", "", "a", "1", "", "Three.",
    ]  # fmt: skip
    assert at(60, monkeypatch, Thing(Page("T", (Table(("a",), ()), "One.")))) == ["T", "One."]


def test_nothing_in_a_text_commands_the_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    assert printable("a\x1b[31mb\x07\u202e") == r"a\x1b[31mb\x07\u202e"
    evil = "\x1b]0;x\x07[red]"
    said = "\n".join(at(80, monkeypatch, Thing(Page(evil, (evil, Table((evil,), ((evil,),)), Facts({evil: evil}))))))
    assert "\x1b" not in said
    assert said.count("[red]") == 6


def test_the_width_is_that_of_the_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    class Terminal:
        def isatty(self) -> bool:
            return True

    monkeypatch.setenv("COLUMNS", "57")
    assert display._width() == 120
    with monkeypatch.context() as patch:
        patch.setattr(sys, "stdout", Terminal())
        width = display._width()
    assert width == 57


# in a notebook


def test_a_page_is_html_that_says_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    found = Tags(Thing(FULL)._repr_html_())
    plain = re.sub(r"\s", "", " ".join(at(10_000, monkeypatch, Thing(FULL))))
    assert re.sub(r"\s", "", found.text) == plain


def test_what_looks_like_html_is_text() -> None:
    bad = "<script>alert(1)</script>&"
    page = Page(
        bad, (bad, Table((bad,), ((bad,),)), Facts({bad: bad}), PageEntry(bad, bad, "red", Facts({})), Page(bad))
    )
    html = Thing(page)._repr_html_()
    assert "<script" not in html
    assert Tags(html).text.count(bad) == 9


def test_numbers_in_a_notebook_are_aligned_and_words_are_not() -> None:
    html = Thing(Page("", (TABLE,)))._repr_html_()
    assert html.count("text-align: right; white-space: pre; font-variant-numeric: tabular-nums") == 9
    assert "12\N{PUNCTUATION SPACE}\N{FIGURE SPACE}\N{FIGURE SPACE}<" in html


def test_a_picture_is_in_the_page_once() -> None:
    pytest.importorskip("matplotlib")
    network = cr.nn.Network([3, 4, 2], seed=0)
    data = np.random.default_rng(0).normal(size=(8, 3)), np.arange(8) % 2
    html = cr.insight.explain(network, data, weight="layers[0].w[1, 2]")._repr_html_()
    pictures = re.findall(r'<img [^>]*src="data:image/png;base64,([^"]+)"', html)
    assert len(pictures) == 1
    assert base64.b64decode(pictures[0]).startswith(b"\x89PNG")
    Tags(html)


def test_without_matplotlib_there_is_no_picture(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(display, "find_spec", lambda name: None)
    assert "<img" not in Thing(Page("", ("One.", Picture(lambda: pytest.fail("drawn")))))._repr_html_()


def test_lines_stay_as_they_are(monkeypatch: pytest.MonkeyPatch) -> None:
    from rich.text import Text

    thing = Thing(Page("T", (Lines(lambda: Text("a  <b\n  c")),)))
    assert at(60, monkeypatch, thing) == ["T", "", "a  <b", "  c"]
    assert "a  &lt;b\n  c</pre>" in thing._repr_html_()


# at the prompt


def every(kind: type) -> list[type]:
    return [kind, *(below for sub in kind.__subclasses__() for below in every(sub))]


def test_every_insight_shows_its_prose_at_the_prompt() -> None:
    for found in pkgutil.walk_packages(cr.__path__, "chainrule."):
        if found.name.startswith(("chainrule.insight", "chainrule.classics")):
            import_module(found.name)
    kinds = [kind for kind in every(Insight) if kind.__module__.startswith("chainrule.")]
    assert len(kinds) > 20
    for kind in kinds:
        assert kind.__repr__ is Insight.__repr__, kind


X = np.random.default_rng(0).normal(size=(40, 3)).astype(np.float32)
DATA = cr.data.DataSet(X, np.arange(40) % 2, name="made up")
NETWORK = cr.nn.Network([3, 4, 2], activation="tanh", output="softmax", seed=0)
UNITS = [cr.nn.Units("hidden", 4, "tanh"), cr.nn.Units("output", 2, "softmax")]
CONNECTED = cr.nn.Connected(3, UNITS, [("input", "hidden"), ("input", "output"), ("hidden", "output")], seed=0)


def learnt(network: Any = NETWORK, **options: Any) -> cr.Run:
    asked = {"cost": "cross_entropy", "epochs": 30, "batch": 10, "optimizer": cr.optim.SGD(0.1), "progress": False}
    return cr.learn(network, DATA, **{**asked, **options})


#: What is shown, the whole or the beginning of its name at the prompt, and words that its page has.
NAMED: dict[str, tuple[Any, str, list[str]]] = {
    "run": (learnt, "Run(3-4-2, 30 epochs: ", ["Run of 3-4-2", "SGD(rate=0.1)", "epoch", "training cost"]),
    "network": (
        lambda: NETWORK,
        "Network(3-4-2, tanh, softmax, float32)",
        ["26 weights and biases", "softmax", "w (rms)"],
    ),
    "connected": (lambda: CONNECTED, "Connected(input 3, hidden 4, output 2; ", ["input, hidden"]),
    "data": (lambda: DATA, "DataSet('made up', 40 examples of 3 features", ["Data 'made up'", "class", "lowest x"]),
    "targets": (lambda: cr.data.as_dataset((X, X)), "DataSet(40 examples of 3", ["target", "standard deviation"]),
    "flow": (
        lambda: learnt(watch=5).flow,
        "Flow(steps=int64[24], batch=10, ",
        ["24 looks at steps 0 to 115", "Δw / w"],
    ),
    "backprop": (
        lambda: cr.backprop(NETWORK, "quadratic", X, np.arange(40) % 2),
        "Backpropagation(cost=",
        ["40 examples"],
    ),
    "problem": (lambda: cr.classics.problem("xor"), "Problem('xor', 4 patterns, 2-2-1)", ["exclusive or", "ε = 0.25"]),
}
#: What is named in a line and has no page.
IN_A_LINE: dict[str, tuple[Any, str]] = {
    "layer": (lambda: NETWORK.layers[0], "Dense(w=float32[4, 3], b=float32[4], activation='tanh')"),
    "record": (lambda: learnt().history[0], "Record(epoch 1: training "),
    "wiring": (lambda: CONNECTED.wiring, "Wiring(input 3, hidden 4, output 2; 3 connections, 32 parameters)"),
    "layer's derivatives": (
        lambda: cr.backprop(NETWORK, "quadratic", X, np.arange(40) % 2).layers[1],
        "LayerDerivatives(a=float32[40, 2], z=float32[40, 2], delta=float32[40, 2], dw=float32[2, 4], db=float32[2])",
    ),
    "long unrolled": (
        lambda: cr.nn.unrolled(50, 2, [cr.nn.Units("h", 4)], [("input", "h")], [("h", "h")]),
        "Wiring(input@1 2, input@2 2, input@3 2, input@4 2, input@5 2, input@6 2, … 93 more …, h@50 4; ",
    ),
    "trials": (
        lambda: cr.classics.trials(cr.classics.problem("xor"), cr.classics.rule("backpropagation"), 4, budget=10),
        "Trials(xor by backpropagation: 0 of 4 solved within 10 sweeps)",
    ),
    "program": (lambda: cr.compile(np.sin).program(np.ones(3)), "<program of 1 kernel: f64[3] to f64[3]>"),
    "optimiser": (cr.optim.Adam, "Adam(rate=0.001, beta1=0.9, beta2=0.999, epsilon=1e-08)"),
    "demonstration": (lambda: cr.classics.demonstration("toy-neuron"), "<demonstration toy-neuron: "),
}


@pytest.mark.parametrize("what", NAMED)
def test_what_has_a_page_is_named_in_a_line_and_printed_in_a_few(what: str) -> None:
    make, named, words = NAMED[what]
    thing = make()
    assert repr(thing).startswith(named)
    assert len(repr(thing)) < 300
    assert "\n" not in repr(thing)
    said = str(thing)
    assert 3 < len(said.split("\n")) < 40
    for word in (*words, *([] if what != "run" else [thing.verdict])):
        assert word in said
    html = thing._repr_html_()
    assert Tags(html).text
    assert "<table " in html


@pytest.mark.parametrize("what", IN_A_LINE)
def test_what_has_no_page_is_named_in_a_line(what: str) -> None:
    make, named = IN_A_LINE[what]
    thing = make()
    assert repr(thing).startswith(named)
    assert len(repr(thing)) < 300


def test_a_network_that_is_traced_is_shown_without_numbers() -> None:
    said: list[str] = []

    def outputs(network: Any) -> Any:
        said.extend([str(network), repr(network), repr(network.layers[0])])
        return network(X)

    cr.compile(outputs)(NETWORK)
    assert "—" in said[0]
    assert said[1] == repr(NETWORK)
    assert said[2] == "Dense(w=float32[4, 3], b=float32[4], activation='tanh')"


def test_a_long_history_is_printed_in_some_of_its_epochs() -> None:
    run = learnt(epochs=200)
    rows = [line.split()[0] for line in str(run).split("\n") if re.match(r" *\d+ ", line)]
    assert (rows[0], rows[-1]) == ("1", "200")
    assert len(rows) == 12


def test_a_diagnosis_sets_its_findings_apart() -> None:
    network = cr.nn.Network.from_weights([(np.ones((3, 2)), np.zeros(3)), (np.ones((2, 3)), np.zeros(2))])
    found = cr.insight.diagnose(network, ([[0.0, 1.0], [1.0, 0.0]], [0, 1]))
    said = repr(found).split("\n")
    assert said[0] == found.title
    for n, finding in enumerate(found.findings, 1):
        first = said.index(f"{n}. {finding.title}  [{finding.severity}, {finding.sure}]")
        assert said[first - 1] == ""
        assert said[first + 1].startswith("   Measured     ")
        assert any(line.startswith("   What to do   ") for line in said[first:])
    assert str(found.worst) == repr(found.worst)
    assert found.worst is not None
    assert found.worst.title in str(found.worst)
    assert importlib.util.find_spec("matplotlib") is None or "<img" in found._repr_html_() or len(found.findings) == 1


# what is only rounding


def test_no_change_and_no_effect_measure_as_nothing() -> None:
    x = np.random.default_rng(0).normal(size=(50, 3)).astype(np.float32)
    x[:, 1] = 0
    network, data = cr.nn.Network([3, 6, 2], activation="tanh", output="softmax", seed=1), (x, np.arange(50) % 2)
    alive = cr.insight.what_if(network, data, "layers[0].w[2, 0]")
    assert alive.measured[alive.changes == 0].tolist() == [0.0]
    assert np.count_nonzero(alive.measured) == 40
    dead = cr.insight.what_if(network, data, "layers[0].w[2, 1]")
    assert not dead.measured.any()
    assert dead.sentences()[0].endswith(
        "is predicted to leave the cost as it is; measured: it would leave the cost as it is, within rounding."
    )
    assert dead.ends[0].measured == 0
    tiny = cr.insight.what_if(network, data, "layers[0].w[2, 0]", [-1e-17, 1e-17])
    assert not tiny.measured.any()
    said = str(cr.insight.explain(network, data, weight="layers[0].w[2, 1]"))
    assert not re.search(r"e-(1[6-9]|[2-9]\d)", said)
