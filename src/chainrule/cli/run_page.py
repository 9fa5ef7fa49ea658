"""What is printed of a run, and what of it goes into a file of figures."""

from __future__ import annotations

import json
import shlex
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from chainrule.display import Facts, Page
from chainrule.learning.run import Run
from chainrule.learning.summary import epochs, figures, network_in_words, summary
from chainrule.nn.parameters import Parameters

__all__ = ["contents", "history", "result"]


def result(run: Run, saved: Path | None) -> Page:
    """What came of learning: the network, the data, the last figures; the verdict, what stands out, what to do next."""
    last = [figures(run.history[-1], run.configuration)] if run.history else []
    came_of_it = Page(run.verdict, (_standing_out(run), _next(saved)))
    return Page("", (summary(run.network, run.history, run.configuration), *last, came_of_it))


def history(run: Run) -> Page:
    """What is known of a saved run: its configuration, each epoch, the verdict."""
    known = {name.replace("_", " "): _plain(fact) for name, fact in run.configuration.items()}
    stopped = "yes" if run.interrupted else "no"
    facts = Facts({"network": network_in_words(run.network), **known, "stopped early": stopped})
    return Page("", (facts, epochs(run.history), Page(run.verdict)))


def contents(run: Run) -> dict[str, Any]:
    """All that is known of a run but its weights and what flowed."""
    return {
        "title": run.page().title,
        "network": _network(run.network),
        "configuration": dict(run.configuration),
        "history": [asdict(record) for record in run.history],
        "interrupted": run.interrupted,
        "verdict": run.verdict,
    }


def _network(network: Any) -> dict[str, Any]:
    """Its sizes and activations, if it says what they are, and the shape of each of its arrays."""
    found = Parameters.of(network)
    shapes = zip(found.paths, map(np.shape, found.arrays), strict=True)
    sizes = {"sizes": network.sizes} if hasattr(network, "sizes") else {}
    activations = {"activations": list(map(str, network.activations))} if hasattr(network, "activations") else {}
    arrays = {path: list(shape) for path, shape in shapes}
    return {**sizes, **activations, "arrays": arrays, "parameters": found.count, "dtype": str(found.dtype)}


def _standing_out(run: Run) -> str:
    """The worst of what was recorded while it learned, in a sentence."""
    from chainrule.insight.findings.diagnosis import glance

    found = glance(run)
    if found is None and not run.history:
        return "It ended before there was anything to look at."
    if found is None and run.doubt:
        return "What was recorded while it learned does not say why; with the examples more is seen."
    if found is None:
        return "Nothing that was recorded while it learned stands out."
    return f"{found.severity.capitalize()}, {found.sure}: {found.title} ({found.evidence[0]})."


def _next(saved: Path | None) -> str:
    if saved is None:
        return "Next: save a run (without --no-save), then ask chainrule diagnose what keeps it from learning more."
    return f"Next: chainrule diagnose {shlex.quote(str(saved))}"


def _plain(value: object) -> str:
    if isinstance(value, float):
        return f"{value:.6g}"
    return value if isinstance(value, str) else json.dumps(value)
