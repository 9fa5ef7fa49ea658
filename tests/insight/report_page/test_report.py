"""The report page: what is in it, that its figures are the library's, and that nothing from a file becomes code."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.insight.small_networks import KINDS, gradients, small, tolerance

import chainrule as cr
import chainrule.insight
from chainrule.cli.main import execute
from chainrule.data import DataSet
from chainrule.display import number
from chainrule.errors import DataError, OptionError, StorageError
from chainrule.insight.network_and_data import subject_of
from chainrule.insight.report_page.charts import linear_axis, logarithmic_axis, signed_axis
from chainrule.insight.report_page.example_gradients import pulls_of
from chainrule.insight.report_page.figures import EXAMPLES, figures_of
from chainrule.insight.report_page.markup import element
from chainrule.insight.report_page.page import page, report
from chainrule.insight.report_page.pictures import grey_picture, one_sign_picture
from chainrule.learning.run import Run

VOID = {"meta", "input", "img", "br"}


class Parsed(HTMLParser):
    """A page as the list of its elements, each with its attributes and text; fails where elements do not nest."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[tuple[str, str]] = []
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.texts.append((self.open[-1] if self.open else "", data))

    def said(self) -> list[str]:
        """What the marks say."""
        return [str(a["aria-label"]) for _, a in self.elements if a.get("role") == "img"]

    def data(self) -> Any:
        """The figures that the page carries."""
        return json.loads(next(text for tag, text in self.texts if tag == "script" and text.startswith("{")))

    def all_of(self, tag: str) -> list[str]:
        """The texts directly in elements of a kind."""
        return [text for name, text in self.texts if name == tag]


def xor(**options: Any) -> tuple[Run, Any]:
    data = (np.array([[0, 0], [0, 1], [1, 0], [1, 1]], np.float32), np.array([0, 1, 1, 0]))
    network = cr.nn.Network([2, 4, 2], activation="tanh", output="softmax", seed=1)
    given = {"epochs": 20, "batch": 2, "optimizer": cr.optim.SGD(1.0), "watch": 2} | options
    return cr.learn(network, data, cost="cross_entropy", progress=False, **given), data


def pictures(**options: Any) -> tuple[Run, DataSet]:
    random = np.random.default_rng(0)
    labels = np.arange(120) % 3
    x = random.uniform(0, 0.2, (120, 8, 8)).astype(np.float32)
    x[np.arange(120), labels, labels] = 1
    data = DataSet(x, labels, class_names=("cat", "dog", "<b>eel</b>"))
    given = {"epochs": 3, "batch": 10, "optimizer": cr.optim.SGD(0.5), "watch": 3} | options
    network = cr.nn.Network([64, 12, 3], output="softmax", seed=0)
    return cr.learn(network, data, cost="cross_entropy", progress=False, **given), data


def regression(**options: Any) -> tuple[Run, Any]:
    x = np.random.default_rng(0).normal(size=(60, 3)).astype(np.float32)
    y = x[:, :1] * x[:, 1:2]
    network = cr.nn.Network([3, 5, 1], activation="relu", output="identity", seed=1)
    given = {"epochs": 4, "batch": 10, "optimizer": cr.optim.SGD(0.05), "watch": 2} | options
    return cr.learn(
        network, (x[:40], y[:40]), cost="quadratic", validation=(x[40:], y[40:]), progress=False, **given
    ), (x, y)


def parsed(run: Run, data: Any = None) -> Parsed:
    return Parsed(page(figures_of(run, data)))


@pytest.mark.parametrize("made", [xor, pictures, regression])
@pytest.mark.parametrize("with_data", [True, False])
def test_a_page_is_whole_and_says_what_came_of_learning(made: Any, with_data: bool) -> None:
    run, data = made()
    found = parsed(run, data if with_data else None)
    kinds = [tag for tag, _ in found.elements]
    assert [kinds.count(tag) for tag in ("html", "head", "main", "h1", "header", "footer")] == [1] * 6
    assert found.elements[0] == ("html", {"lang": "en"})
    assert run.verdict in found.all_of("p")
    titles = ["How the cost went", "The network", "Its layers", "How the layers learned", "Signal and noise"]
    shown = found.all_of("h2")
    assert [title for title in shown if title in titles] == titles
    assert ("Examples that pull hardest" in shown) == with_data
    assert ("What stands out" in shown) == with_data


def test_headings_do_not_skip_a_level_and_every_name_is_unique() -> None:
    run, data = pictures()
    found = parsed(run, data)
    levels = [int(tag[1]) for tag, _ in found.elements if re.fullmatch("h[1-6]", tag)]
    assert levels[0] == 1
    assert all(after - before <= 1 for before, after in zip(levels, levels[1:], strict=False))
    names = [a["id"] for _, a in found.elements if "id" in a]
    assert len(names) == len(set(names))
    labelled = {a["aria-labelledby"] for _, a in found.elements if "aria-labelledby" in a}
    assert labelled <= set(names)


@pytest.mark.parametrize("made", [xor, pictures, regression])
def test_nothing_is_loaded_from_anywhere(made: Any) -> None:
    found = parsed(*made())
    for _, attributes in found.elements:
        for name in ("src", "href", "action", "data", "srcset"):
            assert (attributes.get(name) or "data:").startswith("data:")
        assert not [name for name in attributes if name.startswith("on") or name == "style"]
    style = next(text for tag, text in found.texts if tag == "style")
    assert "@import" not in style
    assert "http" not in style
    policy = next(a["content"] for _, a in found.elements if a.get("http-equiv") == "Content-Security-Policy")
    assert str(policy).startswith("default-src 'none'; img-src data:;")


def test_the_figures_are_those_of_the_run() -> None:
    run, data = pictures()
    assert run.flow is not None
    held = parsed(run, data).data()
    assert held["verdict"] == run.verdict
    assert held["network"]["sizes"] == run.network.sizes
    assert [r["training_cost"] for r in held["history"]] == [r.training_cost for r in run.history]
    flow = held["flow"]
    assert flow["recorded"] == len(run.flow) == len(flow["steps"])
    assert flow["steps"] == run.flow.steps.tolist()
    for name, array in run.flow.layers.items():
        assert flow["layers"][name] == array.tolist()
    for name, array in run.flow.totals.items():
        assert flow["totals"][name] == [v if np.isfinite(v) else None for v in array.tolist()]
    assert flow["class_shares"] == run.flow.class_shares.tolist()
    assert [f["title"] for f in held["findings"]] == [f.title for f in chainrule.insight.diagnose(run, data).findings]


def test_marks_and_tables_say_the_same_figures() -> None:
    run, data = pictures()
    flow = run.flow
    assert flow is not None
    found = parsed(run, data)
    said = set(found.said())
    for record, step in enumerate(flow.steps):
        for layer in range(2):
            assert f"layer {layer}, step {step:,}: rms ∂C/∂w {number(flow.layers['gradient'][record, layer])}" in said
            assert f"layer {layer}, step {step:,}: rms δ {number(flow.layers['error'][record, layer])}" in said
        predicted, measured = (flow.totals[name][record] for name in ("predicted", "measured"))
        assert f"step {step:,}: predicted {number(predicted)}, measured {number(measured)}" in said
        assert f"class cat, step {step:,}: share {100 * flow.class_shares[record, 0]:.1f} %" in said
    for record in run.history:
        assert f"training cost in epoch {record.epoch}: {number(record.training_cost)}" in said
    cells = found.all_of("td")
    assert number(flow.layers["error"][-1, 1]) in cells
    assert number(flow.layers["update_ratio"][-1, 0]) in cells


def test_noise_is_that_of_the_flow() -> None:
    run, data = pictures(epochs=2)
    flow = run.flow
    assert flow is not None
    windows = figures_of(run, data).noise
    assert (windows[0].first, windows[-1].last) == (flow.steps[0], flow.steps[-1])
    one = figures_of(run, data).noise[0]
    rows = [n for n, step in enumerate(flow.steps) if step <= one.last]
    signal, noise = flow.signal[rows].mean(axis=0), flow.noise[rows].mean(axis=0) / flow.batch
    np.testing.assert_allclose(one.signal_to_noise, np.sqrt(np.maximum(signal, 0) / noise))
    expected = flow.noise[rows].sum(axis=1).mean() / flow.signal[rows].sum(axis=1).mean()
    assert one.noise_scale == pytest.approx(expected if expected > 0 else float("inf"))


def test_every_weight_of_a_small_network_has_a_mark() -> None:
    run, data = xor()
    held = parsed(run, data)
    said = held.said()
    w = run.network.layers[0].w
    gradient = cr.backprop(run.network, "cross_entropy", *data).layers
    for j, k in np.ndindex(w.shape):
        mark = f"layers[0].w[{j}, {k}] (to neuron {j} from input {k}): w = {number(w[j, k])}, ∂C/∂w = "
        marks = [one for one in said if one.startswith(mark)]
        assert len(marks) == 2  # one for w, one for ∂C/∂w
        assert float(marks[0].split(" = ")[-1]) == pytest.approx(gradient[0].dw[j, k], rel=2e-3, abs=1e-6)
    kept = held.data()["network"]
    assert kept["weights"][0]["w"] == w.tolist()
    np.testing.assert_allclose(kept["gradient"][1]["b"], gradient[1].db, atol=1e-6)


def test_signs_are_told_without_colour() -> None:
    run, data = xor()
    edges = [
        a for tag, a in parsed(run, data).elements if tag == "line" and "edge" in str(a.get("class")) and "role" in a
    ]
    style = Path(report.__code__.co_filename).with_name("page.css").read_text("utf-8")
    assert re.search(r"\.edge\.negative \{[^}]*stroke-dasharray", style)
    for edge in edges[: run.network.layers[0].w.size]:
        value = float(re.search(r" w = (\S+?),", str(edge["aria-label"]))[1])  # type: ignore[index]
        assert ("negative" in str(edge["class"])) == (value < 0)


@pytest.mark.parametrize("kind", KINDS)
def test_pulls_are_those_of_loops(kind: Any) -> None:
    subject = small(*kind)
    found = pulls_of(subject)
    each = gradients(subject)
    np.testing.assert_allclose(found.norms, np.linalg.norm(each, axis=1), atol=tolerance(kind[3]))
    rows = found.hardest(3)
    assert rows.tolist() == np.argsort(-np.linalg.norm(each, axis=1))[:3].tolist()
    flat = np.concatenate([part.ravel() for layer in found.gradient.layers for part in (layer.w, layer.b)])
    np.testing.assert_allclose(flat, each.mean(axis=0), atol=tolerance(kind[3]))
    outputs = subject.network(subject.x)
    assert found.answer(0) == str(outputs[0].argmax())


def test_the_gradient_holds_the_penalty_and_pulls_do_not() -> None:
    run, data = xor(l2=0.1)
    with_penalty = pulls_of(subject_of(run, data))
    without = pulls_of(subject_of(run, data, l2=0.0))
    np.testing.assert_array_equal(with_penalty.norms, without.norms)
    for one, two, layer in zip(with_penalty.gradient.layers, without.gradient.layers, run.network.layers, strict=True):
        np.testing.assert_allclose(one.w - two.w, 0.1 / 4 * layer.w, atol=1e-6)
        np.testing.assert_array_equal(one.b, two.b)


def test_the_hardest_examples_are_shown_with_label_and_answer() -> None:
    run, data = pictures()
    found = parsed(run, data)
    pulls = pulls_of(subject_of(run, data))
    shown = found.data()["examples"]
    assert [one["row"] for one in shown] == pulls.hardest(EXAMPLES).tolist()
    images = [a for tag, a in found.elements if tag == "img"]
    assert [a["alt"] for a in images] == [f"Example {one['row']}, labelled {one['label']}" for one in shown]
    for one in shown:
        assert one["label"] == data.class_names[data.labels[one["row"]]]
        assert one["norm"] == float(pulls.norms[one["row"]])
        assert number(one["norm"]) in found.all_of("dd")


def test_nothing_from_a_file_becomes_code() -> None:
    run, data = pictures()
    bad = "</script><script>alert(1)</script><img src=x onerror=alert(2)>\"'&"
    run = replace(run, configuration={**run.configuration, "data": bad, "optimizer": bad})
    found = parsed(run, data)
    assert [a for tag, a in found.elements if tag == "script"] == [
        {"type": "application/json", "id": "report-data"},
        {},
    ]
    assert not [a for tag, a in found.elements if tag in ("img", "b") and not str(a.get("src")).startswith("data:")]
    assert bad in "".join(found.all_of("dd"))
    assert found.data()["configuration"]["data"] == bad
    assert "class <b>eel</b>" in "".join(found.all_of("li"))


def test_a_run_whose_making_is_not_known_has_a_page() -> None:
    run, _ = xor()
    assert "<h1>2-4-2</h1>" in page(figures_of(replace(run, configuration={})))


def test_a_run_that_nobody_watched_says_so() -> None:
    run, data = xor(watch=False)
    found = parsed(run, data)
    assert found.data()["flow"] is None
    assert any("was not recorded" in text for text in found.all_of("p"))


def test_a_run_without_an_epoch_has_a_page() -> None:
    found = parsed(Run(cr.nn.Network([2, 3, 1]), []))
    assert "Stopped before the first epoch was over." in found.all_of("p")


def test_numbers_that_are_not_finite_leave_gaps() -> None:
    run, data = regression(optimizer=cr.optim.SGD(1e12))
    assert not np.isfinite(run.history[-1].training_cost)
    with np.errstate(all="ignore"):
        found = parsed(run)
    drawn = {
        v
        for _, a in found.elements
        for k, v in a.items()
        if k in ("d", "x1", "y1", "fill-opacity", "stroke-width", "cx")
    }
    assert not [v for v in drawn if "nan" in str(v) or "inf" in str(v)]
    assert "cell unknown" in {a.get("class") for _, a in found.elements}


def test_one_example_a_batch_and_whole_batches_have_no_noise_to_show() -> None:
    for batch, told in ((1, "at least 2 are needed"), (4, "every step saw all training examples")):
        run, _ = xor(batch=batch)
        assert any(told in text.lower() for text in parsed(run).all_of("p"))


def test_long_runs_and_many_classes_are_thinned_out_evenly() -> None:
    random = np.random.default_rng(0)
    x, labels = random.normal(size=(200, 5)).astype(np.float32), random.integers(0, 40, 200)
    labels[0] = 39
    run = cr.learn(
        cr.nn.Network([5, 40], output="softmax"), (x, labels), cost="cross_entropy", epochs=150, batch=100,
        optimizer=cr.optim.SGD(0.1), watch=1, progress=False,
    )  # fmt: skip
    assert run.flow is not None
    held = parsed(run).data()
    steps = held["flow"]["steps"]
    assert (len(steps), steps[0], steps[-1], held["flow"]["recorded"]) == (120, 0, 299, 300)
    assert held["flow"]["layers"]["gradient"] == run.flow.layers["gradient"][steps].tolist()
    epochs = [record["epoch"] for record in held["history"]]
    assert (len(epochs), epochs[0], epochs[-1], held["epochs"]) == (120, 1, 150, 150)
    shares = run.flow.class_shares[steps].mean(axis=0)
    assert set(held["flow"]["classes"]) == set(np.argsort(-shares, kind="stable")[:20].tolist())


def test_the_same_run_gives_the_same_page() -> None:
    run, data = pictures()
    assert page(figures_of(run, data)) == page(figures_of(run, data))


def test_a_large_network_stays_below_two_megabytes(tmp_path: Path) -> None:
    data = cr.data.digits()
    network = cr.nn.Network([784, 100, 10])
    run = cr.learn(
        network, data, cost="quadratic", epochs=1, batch=10, optimizer=cr.optim.SGD(1.0), watch=2, progress=False
    )
    written = cr.insight.report(run, data, tmp_path / "report.html")  # type: ignore[attr-defined]
    assert 200_000 < written.stat().st_size < 2_000_000
    found = Parsed(written.read_text("utf-8"))
    assert len([text for text in found.said() if text.startswith("layer 0, neuron ")]) == 100


def test_a_page_replaces_an_older_one_and_leaves_nothing_else(tmp_path: Path) -> None:
    run, _ = xor()
    for _ in range(2):
        assert report(run, path=tmp_path / "a.html") == tmp_path / "a.html"
    assert [file.name for file in tmp_path.iterdir()] == ["a.html"]


def test_refusals(tmp_path: Path) -> None:
    run, _ = xor()
    with pytest.raises(OptionError, match="a report is about a Run, not Network"):
        report(run.network, path=tmp_path / "a.html")  # type: ignore[arg-type]
    with pytest.raises(DataError, match="3 features"):
        report(run, (np.zeros((2, 3), np.float32), [0, 1]), tmp_path / "a.html")
    with pytest.raises(StorageError, match="No such file or directory"):
        report(run, path=tmp_path / "nowhere" / "a.html")
    assert list(tmp_path.iterdir()) == []


def test_the_command_writes_a_page(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    xor()[0].save("run")
    assert execute(["report", "run"]) == 0
    assert capsys.readouterr().out == "report.html\n"
    assert Parsed(Path("report.html").read_text("utf-8")).data()["examples"] is None
    assert execute(["report", "run", "-o", "nowhere/x.html"]) != 0
    learned = Run(cr.nn.Network([784, 3, 10]), [], {"data": "digits", "cost": "quadratic"})
    learned.save("digits")
    assert execute(["report", "digits", "-o", "digits.html"]) == 0
    assert len(Parsed(Path("digits.html").read_text("utf-8")).data()["examples"]) == EXAMPLES
    assert execute(["report", "nothing"]) != 0


def test_text_is_escaped_unless_it_is_markup() -> None:
    inner = element("b", "<i>", title='"<&')
    assert inner == '<b title="&quot;&lt;&amp;">&lt;i&gt;</b>'
    assert element("p", inner, " & ", None, 3) == f"<p>{inner} &amp; 3</p>"
    assert element("input", hidden=True, checked=False, value=None) == "<input hidden>"


def test_pictures_hold_the_numbers() -> None:
    matplotlib = pytest.importorskip("matplotlib.image")
    values = np.array([[0.0, 1.0, -2.0], [4.0, np.nan, 2.0]])
    drawn = {sign: _decoded(matplotlib, one_sign_picture(values, sign, 2.0)) for sign in (1, -1)}
    np.testing.assert_allclose(drawn[1][..., 3], [[0, 0.5, 0], [1, 0, 1]], atol=0.02)
    np.testing.assert_allclose(drawn[-1][..., 3], [[0, 0, 1], [0, 0, 0]], atol=0.02)
    grey = _decoded(matplotlib, grey_picture(np.array([[0.0, 5.0, 10.0]]), 0.0, 10.0))
    np.testing.assert_allclose(grey[0, :, 0], [0, 0.5, 1], atol=0.01)


def _decoded(matplotlib: Any, address: str) -> Any:
    import base64
    import io

    return matplotlib.imread(io.BytesIO(base64.b64decode(address.removeprefix("data:image/png;base64,"))))


@pytest.mark.parametrize(
    ("axis", "values"),
    [
        (linear_axis("x", [0.0, 5.0], zero=True), [0.0, 2.5, 5.0]),
        (linear_axis("x", [-3e-7, 4e-7]), [-3e-7, 4e-7]),
        (linear_axis("x", [2.0, 2.0]), [2.0]),
        (linear_axis("x", []), []),
        (logarithmic_axis("x", [0.001, 5000.0, 0.0]), [0.001, 1.0, 5000.0]),
        (logarithmic_axis("x", [3.0, 4.0]), [3.0, 4.0]),
        (signed_axis("x", [-20.0, *[-0.1] * 9, 0.05]), [-20.0, -0.1, 0.05]),
        (signed_axis("x", []), [0.0]),
    ],
)
def test_axes_hold_their_values_in_order_and_have_ticks(axis: Any, values: list[float]) -> None:
    positions = [axis.position(v) for v in values]
    assert all(0 <= position <= 1 for position in positions)
    assert positions == sorted(positions)
    ticks = axis.ticks()
    assert 1 <= len(ticks) <= 10
    assert ticks == sorted(set(ticks))
    assert all(-1e-9 <= axis.position(tick) <= 1 + 1e-9 for tick in ticks)
    assert np.isnan(axis.position(float("nan")))


# words that are true


def test_of_numbers_that_are_not_finite_nothing_is_claimed() -> None:
    run, data = regression(optimizer=cr.optim.SGD(1e12))
    with np.errstate(all="ignore"):
        text = " ".join(parsed(run, data).all_of("p"))
    assert "which pull hardest cannot be told" in text
    assert "in any recorded step" not in text
    assert "None of them shows" not in text


def test_what_was_in_no_recorded_step_was_looked_for_in_all_of_them_and_not_in_those_drawn() -> None:
    run, _ = xor(epochs=400, watch=1)
    flow = run.flow
    assert flow is not None
    drawn = figures_of(run).flow
    assert drawn is not None
    assert len(drawn) < len(flow)
    hidden = next(n for n in range(len(flow)) if flow.steps[n] not in drawn.steps)
    layers = {name: np.zeros_like(a) if name in ("saturated", "dead") else a for name, a in flow.layers.items()}
    clean = replace(run, flow=replace(flow, layers=layers))
    assert "No saturated units and no dead units in any recorded step." in parsed(clean).all_of("p")
    layers["dead"][hidden] = 1.0
    once = replace(run, flow=replace(flow, layers=layers))
    assert "No saturated units in any recorded step." in parsed(once).all_of("p")


def test_a_page_of_a_network_that_learned_nothing_does_not_reassure() -> None:
    run, data = xor(optimizer=cr.optim.SGD(0.0))
    text = " ".join(parsed(run, data).all_of("p"))
    assert "that of the best constant answer" in text
    assert run.doubt
    assert run.verdict in parsed(run, data).all_of("p")
