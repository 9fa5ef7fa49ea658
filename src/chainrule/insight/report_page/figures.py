"""All that a page shows, gathered before anything is drawn; and the same as plain data, which the page carries."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from math import sqrt
from typing import Any

import numpy as np

from chainrule.data.dataset import DataSet
from chainrule.display import plain
from chainrule.insight.findings.diagnosis import Diagnosis, diagnose
from chainrule.insight.findings.examination import Case
from chainrule.insight.network_and_data import AskedCost, subject_of
from chainrule.insight.report_page.example_gradients import Pulls, pulls_of
from chainrule.insight.report_page.layers import DrawnLayer, drawn_layers, is_chain
from chainrule.learning.flow import LAYER_QUANTITIES, STEP_QUANTITIES, Flow
from chainrule.learning.run import Record, Run
from chainrule.nn.outline import StageOutline
from chainrule.nn.parameters import Parameters

__all__ = ["EXAMPLES", "Figures", "NoiseWindow", "figures_of", "is_small", "picture_shape"]

Values = np.ndarray[Any, Any]
EXAMPLES = 12  # shown
_RECORDS = 120  # shown, as of epochs; more are narrower than one can point at
_CELLS = 2400  # of records and layers, shown
_CLASSES = 20
_WINDOWS = 10  # of records, over which signal and noise are averaged
_EDGES, _NEURONS = 400, 24  # up to which a network is drawn with its edges


@dataclass(frozen=True)
class NoiseWindow:
    """Some records on end: the noise scale in examples, infinite where noise drowns all, and ‖G‖ over noise by layer.

    `signal_to_noise` is that of the batch: the root of ‖G‖² / (tr Σ / n), 0 where no signal can be told from noise.
    """

    first: int
    last: int
    noise_scale: float
    signal_to_noise: tuple[float, ...]


@dataclass(frozen=True, eq=False)
class Figures:
    """What is shown of a run: `flow` holds the records that are drawn, `recorded` says how many there are."""

    run: Run
    flow: Flow | None
    recorded: int
    noise: tuple[NoiseWindow, ...]
    pulls: Pulls | None
    picture: tuple[int, int] | None
    diagnosis: Diagnosis | None
    layers: tuple[DrawnLayer, ...]

    @property
    def names(self) -> list[str]:
        """The names of the layers; of those that only the record knows, their numbers."""
        known = [layer.outline.name for layer in self.layers]
        recorded = 0 if self.flow is None else self.flow.layers["error"].shape[1]
        return known if len(known) >= recorded else [f"layers[{n}]" for n in range(recorded)]

    @property
    def history(self) -> list[Record]:
        """The epochs that are drawn: all, or so many evenly from the first to the last."""
        epochs = self.run.history
        return [epochs[n] for n in _evenly(len(epochs), _RECORDS)] if epochs else []

    @property
    def classes(self) -> list[int]:
        """The classes that are shown: all, or those that pull hardest."""
        if self.flow is None:
            return []
        order = np.argsort(-np.nan_to_num(self.flow.class_shares).mean(axis=0), kind="stable")
        return sorted(int(n) for n in order[:_CLASSES])

    @property
    def steps_per_epoch(self) -> float | None:
        """How many steps an epoch has; None if the run does not say."""
        known = self.run.configuration
        if known.training_examples is None or known.batch is None:
            return None
        return -(-known.training_examples // known.batch)

    @property
    def whole_batches(self) -> bool:
        """Whether every step saw all examples, so that nothing was left to chance."""
        return self.flow is not None and self.flow.batch == self.run.configuration.training_examples

    def _shares(self) -> dict[str, Any]:
        assert self.flow is not None
        return {"classes": self.classes, "class_shares": plain(self.flow.class_shares[:, self.classes])}

    def to_dict(self) -> dict[str, Any]:
        """All numbers on the page as plain lists, numbers and strings."""
        parameters, told = Parameters.of(self.run.network), [layer.outline for layer in self.layers]
        return {
            "format": 1,
            "verdict": self.run.verdict,
            "configuration": plain(dict(self.run.configuration)),
            "epochs": len(self.run.history),
            "history": [plain(asdict(record)) for record in self.history],
            "network": {
                "sizes": _sizes(self.run, told),
                "activations": [layer.activation.name for layer in told],
                "parameters": parameters.count,
                "dtype": str(parameters.dtype),
                **_weights(self),
            },
            "flow": None if self.flow is None else {**_records(self.flow, self.recorded), **self._shares()},
            "noise": [plain(asdict(window)) for window in self.noise],
            "examples": None if self.pulls is None else _examples(self.pulls),
            "findings": [] if self.diagnosis is None else plain(list(self.diagnosis.findings)),
        }


def figures_of(run: Run, data: Any = None, *, cost: AskedCost = None) -> Figures:
    """All that is shown of a run, and of examples if they are given; DataError if those do not fit."""
    flow = run.flow if run.flow is not None and len(run.flow) else None
    subject = None if data is None else subject_of(run, data, cost, finite=False)
    pulls = None if subject is None else pulls_of(subject)
    stages = Case(run.network, subject, run).stages
    layers = drawn_layers(run.network, None if pulls is None else pulls.gradient, stages)
    shown = None if flow is None else chosen(flow, _evenly(len(flow), _most(flow)))
    noise = () if flow is None or flow.batch < 2 else _noise(flow)
    diagnosis = None if data is None else diagnose(run, data, cost=cost)
    count, picture = 0 if flow is None else len(flow), picture_shape(run, data, layers)
    return Figures(run, shown, count, noise, pulls, picture, diagnosis, layers)


def _sizes(run: Run, stages: Sequence[StageOutline]) -> list[int] | None:
    """How many inputs there are, and units of each layer, where a network has such sizes."""
    sizes = getattr(run.network, "sizes", None)
    if sizes is None:
        return list(run.configuration.sizes) if run.configuration.sizes else [stage.units for stage in stages] or None
    return list(sizes)


def _most(flow: Flow) -> int:
    layers = int(flow.layers["error"].shape[1])
    return min(_RECORDS, max(_CELLS // max(layers, 1), 20))


def chosen(flow: Flow, records: Any) -> Flow:
    """Some of the records."""
    return replace(
        flow,
        steps=flow.steps[records],
        layers={name: array[records] for name, array in flow.layers.items()},
        totals={name: array[records] for name, array in flow.totals.items()},
        class_shares=flow.class_shares[records],
    )


def is_small(figures: Figures) -> bool:
    """Whether the network can be drawn with every one of its edges."""
    if not is_chain(figures.layers):
        return False
    weights = [layer.w for layer in figures.layers if layer.w is not None]
    sizes = [n for w in weights for n in w.shape]
    return max(sizes) <= _NEURONS and sum(w.size for w in weights) <= _EDGES


def picture_shape(run: Run, data: Any, layers: Sequence[DrawnLayer]) -> tuple[int, int] | None:
    """Height and width, if an example is a picture: where the data say so, or the inputs make a square of 4 or more."""
    shape: tuple[int, ...] = tuple(data.shape[1:]) if isinstance(data, DataSet) and data.shape else ()
    if len(shape) > 1:
        return (int(shape[0]), int(shape[1])) if len(shape) == 2 else None
    inputs = getattr(run.network, "inputs", None) or (layers[0].inputs if layers else None)
    side = round(sqrt(inputs or 0))
    return (side, side) if side >= 4 and side * side == inputs else None


def _evenly(count: int, most: int) -> Values:
    """So many records from the first to the last, evenly."""
    return np.unique(np.linspace(0, count - 1, min(count, most)).round().astype(np.intp))


def _noise(flow: Flow) -> tuple[NoiseWindow, ...]:
    groups = [group for group in np.array_split(np.arange(len(flow)), _WINDOWS) if len(group)]
    return tuple(_window(chosen(flow, group)) for group in groups)


def _window(flow: Flow) -> NoiseWindow:
    signal, noise = np.maximum(flow.signal.mean(axis=0), 0), flow.noise.mean(axis=0) / flow.batch
    with np.errstate(divide="ignore", invalid="ignore"):
        strength = np.sqrt(signal / noise)
    return NoiseWindow(int(flow.steps[0]), int(flow.steps[-1]), flow.noise_scale(), tuple(map(float, strength)))


def _weights(figures: Figures) -> dict[str, Any]:
    """Every weight and derivative of a network that is drawn with its edges."""
    if not is_small(figures):
        return {}
    found = {"weights": [plain({"w": layer.w, "b": layer.b}) for layer in figures.layers]}
    if figures.pulls is not None:
        found["gradient"] = [plain({"w": layer.dw, "b": layer.db}) for layer in figures.layers]
    return found


def _records(flow: Flow, recorded: int) -> dict[str, Any]:
    return {
        "recorded": recorded,
        "batch": flow.batch,
        "steps": plain(flow.steps),
        "layers": {name: plain(flow.layers[name]) for name in LAYER_QUANTITIES},
        "totals": {name: plain(flow.totals[name]) for name in STEP_QUANTITIES},
    }


def _examples(pulls: Pulls) -> list[dict[str, Any]]:
    rows = [int(row) for row in pulls.hardest(EXAMPLES)]
    return [
        {"row": row, "label": pulls.label(row), "answer": pulls.answer(row), "norm": plain(pulls.norms[row])}
        for row in rows
    ]
