"""What CONTRIBUTING says an addition costs: each is made in a copy of the package, counted, and seen to work."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

import chainrule

PAGE = (Path(__file__).parents[1] / "CONTRIBUTING.md").read_text("utf-8")
PACKAGE = Path(chainrule.__file__).parent
SECTIONS = dict(re.findall(r"## To add (an? \w+)\n(.*?)(?=\n## |\Z)", PAGE, re.DOTALL))
#: What the page says: files and lines of each addition.
TOLD = {name: (int(files), int(lines)) for name, files, lines in re.findall(r"\| (an? \w+) \| (\d+) \| (\d+) \|", PAGE)}

#: What is there after an addition, and works.
WORKS = {
    "an operation": """
        from chainrule.graph import ops
        from chainrule.trace.primitives import apply
        from chainrule.trace.promotion import as_array

        def rsqrt(x):
            return apply(ops.RSQRT, as_array(x).node)

        x = numpy.array([0.25, 1.0, 4.0])
        numpy.testing.assert_allclose(cr.compile(rsqrt)(x), [2, 1, 0.5])
        numpy.testing.assert_allclose(rsqrt(x).value, [2, 1, 0.5])
        numpy.testing.assert_allclose(cr.vmap(cr.grad(cr.grad(rsqrt)))(x), 0.75 * x**-2.5)
        numpy.testing.assert_allclose(cr.compile(lambda x: cr.jvp(rsqrt, (x,), (x,))[1])(x), -0.5 * x**-0.5)
    """,
    "a layer": """
        from chainrule.nn.layers import Scale

        network = cr.nn.Sequential(Scale(numpy.ones(3, numpy.float32)), cr.nn.Dense.of(3, 2, "softmax"))
        run = learned(network)
        assert not numpy.allclose(run.network.layers[0].s, 1)
        assert cr.backprop(run.network, "cross_entropy", X, Y).layers[0].dw
    """,
    "an activation": """
        run = learned(cr.nn.Network([3, 4, 2], "softplus", output="softmax"))
        softplus = cr.nn.ACTIVATIONS["softplus"]
        assert (softplus.saturates, softplus.dies, softplus.highest) == (False, False, numpy.inf)
        run.save("run")
        assert cr.Run.load("run").network.activations == ["softplus", "softmax"]
    """,
    "a cost": """
        run = learned(cr.nn.Network([3, 4, 2], "tanh", output="softmax"), cost="absolute")
        run.save("run")
        assert cr.Run.load("run").configuration.cost == "absolute"
    """,
    "a finding": """
        layers = [cr.nn.Dense(numpy.zeros((4, 3)), numpy.ones(4), "tanh"), cr.nn.Dense.of(4, 2, dtype=float)]
        found = cr.insight.diagnose(cr.nn.Sequential(*layers), (X, Y), cost="quadratic", confirm=True)
        assert "same_outputs" in [one.name for one in found.findings]
        assert next(one for one in found.findings if one.name == "same_outputs").outcome.confirmed
    """,
    "an optimiser": """
        run = learned(cr.nn.Network([3, 4, 2], "tanh", output="softmax"), optimizer=cr.optim.Signs(0.02))
        run.save("run")
        assert cr.Run.load("run").optimizer == cr.optim.Signs(0.02)
    """,
}
BEFORE = """
import numpy
import chainrule as cr

X = numpy.random.default_rng(0).normal(size=(40, 3)).astype(numpy.float32)
Y = (X[:, 0] > X[:, 1]).astype(int)

def learned(network, cost="cross_entropy", optimizer=cr.optim.SGD(0.3)):
    run = cr.learn(network, (X, Y), cost=cost, epochs=10, batch=10, optimizer=optimizer, watch=False, progress=False)
    assert run.history[-1].training_cost < run.history[0].training_cost
    return run
"""


def edits(section: str) -> Mapping[str, list[str]]:
    """The lines of a section's difference, for each file."""
    (block,) = re.findall(r"```diff\n(.*?)```", section, re.DOTALL)
    parts = re.split(r"^--- (.*)\n", block, flags=re.MULTILINE)[1:]
    return dict(zip(parts[::2], (part.splitlines() for part in parts[1::2]), strict=True))


def edited(text: str, difference: list[str]) -> str:
    """A text with what is to be added after the line before it, or before the one after; or in place of one."""
    lines, at, pending = text.splitlines(), 0, list[str]()
    for line in difference:
        if line.startswith("+"):
            pending.append(line[1:])
            continue
        found = next(n for n in range(at, len(lines)) if lines[n].startswith(line[1:]))
        start = at or found  # what comes first stands before the line that it comes before
        lines[start:start] = pending
        at, pending = found + len(pending), []
        if line.startswith("-"):
            del lines[at]
        else:
            at += 1
    lines[at or len(lines) : at or len(lines)] = pending
    return "\n".join(lines) + "\n"


def test_every_addition_is_there() -> None:
    assert set(TOLD) == {*WORKS, "a target"} == set(SECTIONS) - {"a problem"}


def test_a_target_takes_as_many_lines_as_told() -> None:
    """The one in the tests reads kernels in Python: all that a target must bring, and nothing that makes it fast."""
    source = (Path(__file__).parent / "schedule" / "test_target.py").read_text("utf-8")
    target = source[source.index("class Reader(") : source.index("@pytest.fixture")]
    assert TOLD["a target"] == (1, len([line for line in target.splitlines() if line.strip()]))


@pytest.mark.parametrize("name", WORKS)
def test_an_addition_takes_as_many_files_and_lines_as_told(name: str) -> None:
    made = edits(SECTIONS[name])
    lines = [line for part in made.values() for line in part if line.startswith("+") and line[1:].strip()]
    assert TOLD[name] == (len(made), len(lines))


@pytest.mark.parametrize("name", WORKS)
def test_an_addition_works(name: str, tmp_path: Path) -> None:
    package = tmp_path / "chainrule"
    shutil.copytree(PACKAGE, package, ignore=shutil.ignore_patterns("__pycache__"))
    for file, difference in edits(SECTIONS[name]).items():
        (package / file).write_text(edited((package / file).read_text("utf-8"), difference), "utf-8")
    program = BEFORE + "\n".join(line.removeprefix("        ") for line in WORKS[name].splitlines())
    environment = {"PYTHONPATH": str(tmp_path), "CHAINRULE_CACHE": "off", "PATH": ""}
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=tmp_path, env=environment, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
