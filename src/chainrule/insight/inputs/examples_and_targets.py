"""What is asked, as attributions need it: examples one a row, their baselines, the outputs that are explained."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from chainrule.display import number
from chainrule.errors import DataError, OptionError
from chainrule.nn.outline import outline
from chainrule.nn.parameters import Parameters
from chainrule.trace.tree import flatten

__all__ = ["baseline_rows", "chosen_targets", "example_rows", "in_rows", "target_names"]

Values = np.ndarray[Any, Any]
_LEAST_PICTURE = 16  # inputs


def in_rows(values: Values) -> Values:
    """All numbers of an example in one row."""
    return values.reshape(len(values), -1)


def example_rows(network: Any, example: Any, shape: tuple[int, int] | None) -> tuple[Values, tuple[int, int] | None]:
    """The examples, one a row, and the height and width of each if they are images.

    A network that does not say how many `inputs` it has is given examples of the shape that they have.
    """
    if isinstance(example, dict | tuple) and any(np.ndim(part) > 0 for part in flatten(example)[0]):
        raise DataError("attribution is about examples that are one array, not several.")
    given, inputs = np.asarray(example, Parameters.of(network).dtype), getattr(network, "inputs", None)
    if inputs is None:
        given = given[None] if given.ndim == 1 else given
        inputs = int(np.prod(given.shape[1:]))
        known = (given.shape[1], given.shape[2]) if given.ndim == 3 else None
        return given, _picture(shape or known, inputs)
    if given.ndim == 0 or given.size == 0 or given.size % inputs:
        raise DataError(f"the network takes {inputs} inputs, but the examples have the shape {given.shape}.")
    if given.shape[-2:] != (given.size // inputs, inputs) and math.prod(given.shape[-2:]) == inputs and given.ndim > 1:
        shape = shape or (given.shape[-2], given.shape[-1])
    return given.reshape(-1, inputs), _picture(shape, inputs)


def _picture(shape: tuple[int, int] | None, inputs: int) -> tuple[int, int] | None:
    """Height and width of examples with so many inputs; what is told, or those of a square that is large enough."""
    side = math.isqrt(inputs)
    if shape is None and side * side == inputs and inputs >= _LEAST_PICTURE:
        shape = (side, side)
    if shape is not None and math.prod(shape) != inputs:
        raise DataError(f"{inputs} inputs are no image of shape {shape}.")
    return shape


def baseline_rows(baseline: Any, x: Values) -> Values:
    """The baseline of each example."""
    given, inputs = np.asarray(0.0 if baseline is None else baseline, x.dtype), int(np.prod(x.shape[1:]))
    rows = given if given.ndim == 0 else given.reshape(-1, inputs) if given.size % inputs == 0 else None
    if rows is None or (rows.ndim == 2 and len(rows) not in (1, len(x))):
        raise DataError(f"a baseline of shape {given.shape} does not fit examples of shape {x.shape}.")
    return np.array(np.broadcast_to(rows, (len(x), inputs))).reshape(x.shape)


def chosen_targets(network: Any, x: Values, target: Any, of: str) -> Values:
    """The class of each example whose output is explained, or its label."""
    if target is None and of == "cost":
        raise OptionError("the cost needs the label of each example.", cure="Give target=…, the label or labels.")
    if of == "cost" and np.ndim(target) > 1:
        return np.asarray(target)
    outputs = _outputs(network, x)
    if target is None:
        said: Values = np.asarray(network(x)).argmax(axis=1)
        return said
    classes = np.asarray(target)
    if classes.dtype.kind not in "iu" or classes.ndim > 1 or classes.size not in (1, len(x)):
        raise DataError(f"target must be a class, or one for each of {len(x)} examples, not {target!r}.")
    if not 0 <= classes.min() <= classes.max() < outputs:
        raise DataError(f"target {target!r} is not one of the {outputs} outputs, counted from 0.")
    return np.array(np.broadcast_to(classes, len(x)), np.int64)


def _outputs(network: Any, x: Values) -> int:
    """How many outputs there are in a row; OptionError if they are not in a row, or nobody but the cost makes them."""
    if not callable(network):
        raise OptionError(
            "attribution explains an output of a network that is called with examples, which this one is not.",
            cure="Make it one: cr.nn.Function(function, parameters).",
        )
    shape = outline(network, x).shape
    if len(shape) != 1:
        raise OptionError(f"attribution explains one of the outputs in a row, not of outputs of shape {shape}.")
    return int(shape[0])


def target_names(targets: Values, class_names: Sequence[str]) -> tuple[str, ...]:
    """What is explained of each example: a class by its name, or the numbers of its target."""
    if targets.ndim == 2:
        return tuple(f"target {', '.join(map(number, row))}" for row in targets)
    return tuple(class_names[n] if n < len(class_names) else f"class {n}" for n in targets)
