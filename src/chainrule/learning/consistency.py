"""Whether the parts of a run can be those of one run: a network, its history, its configuration, what flowed."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Any

import numpy as np

from chainrule.errors import OptionError
from chainrule.learning.configuration import Configuration
from chainrule.learning.flow import Flow
from chainrule.learning.record import Record
from chainrule.nn.costs import COSTS, CROSS_ENTROPY, cost_function
from chainrule.nn.feedforward import Feedforward
from chainrule.nn.parameters import Parameters

__all__ = ["contradiction"]


def contradiction(
    network: Any, history: Sequence[Record], configuration: Configuration, interrupted: bool, flow: Flow | None
) -> tuple[str, str] | None:
    """The part that does not belong to the others, "network", "history" or "flow", and why; None if all do."""
    said = [
        *(("network", why) for why in _of_network(network, configuration)),
        *(("history", why) for why in _of_history(history, configuration, interrupted)),
        *(("flow", why) for why in _of_flow(flow, network, configuration)),
    ]
    return said[0] if said else None


def _of_network(network: Any, known: Configuration) -> Iterator[str]:
    sizes, dtype = _sizes(network), Parameters.of(network).dtype
    if known.sizes is not None and sizes is not None and known.sizes != tuple(sizes):
        yield f"sizes are {_joined(known.sizes)} by the configuration, {_joined(sizes)} by the weights"
    if known.dtype is not None and known.dtype != dtype.name:
        yield f"dtype is {known.dtype} by the configuration, {dtype} by the weights"
    outputs = network.output_activation if isinstance(network, Feedforward) else None
    if known.cost in (*COSTS, CROSS_ENTROPY) and outputs is not None:
        try:
            cost_function(known.cost, outputs)
        except OptionError as problem:
            yield problem.what.rstrip(".")


def _sizes(network: Any) -> Sequence[int] | None:
    return network.sizes if isinstance(network, Feedforward) else None


def _joined(sizes: Sequence[int]) -> str:
    return "-".join(map(str, sizes))


def _of_history(history: Sequence[Record], known: Configuration, interrupted: bool) -> Iterator[str]:
    count = len(history)
    if history and known.missing:
        yield f"its configuration lacks {', '.join(known.missing)}"
    if [record.epoch for record in history] != list(range(1, count + 1)):
        yield f"its epochs must be 1 to {count} in order"
    if known.epochs is not None and count > known.epochs:
        yield f"it has {count} epochs, more than the configuration's {known.epochs}"
    if known.epochs is not None and count < known.epochs and not interrupted:
        yield f"it has {count} of the configuration's {known.epochs} epochs, though learning was not stopped early"
    if any(not 0 <= one.seconds <= two.seconds < math.inf for one, two in pairwise([*history[:1], *history])):
        yield "its seconds must be finite, and must not go back"
    for name in ("training_accuracy", "validation_accuracy", "validation_cost"):
        values = [getattr(record, name) for record in history]
        if None in values and any(value is not None for value in values):
            yield f"{name} must be known of all epochs or of none"
        if name.endswith("accuracy") and not all(value is None or 0 <= value <= 1 for value in values):
            yield f"{name} must be from 0 to 1"
    if history and (history[0].validation_cost is None) != (known.validation_examples is None):
        yield "it must have validation_cost if, and only if, the configuration has validation_examples"
    if history and history[0].validation_cost is None and history[0].validation_accuracy is not None:
        yield "it must not have validation_accuracy without validation_cost"


def _of_flow(flow: Flow | None, network: Any, known: Configuration) -> Iterator[str]:
    if flow is None:
        return
    layers, sizes = next(iter(flow.layers.values())).shape[1], known.sizes or _sizes(network)
    if known.cost not in (*COSTS, CROSS_ENTROPY, None):
        sizes = None  # a cost of the user's own may lead through other layers, to other outputs
    if sizes and layers != len(sizes) - 1:
        yield f"it tells of {layers} layers, but the network has {len(sizes) - 1}"
    if sizes and flow.class_shares.shape[1] not in (0, sizes[-1]):
        yield f"it tells of {flow.class_shares.shape[1]} classes, but the network has {sizes[-1]} outputs"
    if known.batch is not None and flow.batch != known.batch:
        yield f"batch is {known.batch} by the configuration, {flow.batch} by what flowed"
    if len(flow.steps) and (flow.steps[0] < 0 or not (np.diff(flow.steps) > 0).all()):
        yield "its steps must be whole numbers from 0 on, in order"
    if known.epochs is not None and known.batch is not None and known.training_examples is not None:
        most = known.epochs * -(-known.training_examples // known.batch)
        if len(flow.steps) and flow.steps[-1] >= most:
            yield f"it tells of step {flow.steps[-1]}, but there were only {most}"
