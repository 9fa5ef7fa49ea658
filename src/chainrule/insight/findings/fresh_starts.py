"""A network started again, or with other activations, whatever its tree: what experiments begin with."""

from __future__ import annotations

import copy
import dataclasses
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from chainrule.nn.activations import Activation
from chainrule.nn.initializers import Initializer, glorot, he
from chainrule.nn.outline import StageOutline
from chainrule.nn.parameters import WEIGHT, Parameters
from chainrule.trace.tree import unflatten

__all__ = ["fitting", "fresh", "with_activations"]

Values = np.ndarray[Any, Any]


def fitting(activation: Activation) -> Initializer:
    """The initialiser that keeps a, z and δ at their size: half the units of an activation that dies are off."""
    return he if activation.dies and not activation.saturates else glorot


def fresh(network: Any, stages: Sequence[StageOutline], initializer: Initializer, seed: int) -> Any:
    """The network with weights drawn anew, stage after stage.

    Of dense stages biases are drawn with the weights; all other arrays that are no weights stay as they are.
    """
    parameters, random = Parameters.of(network), np.random.default_rng(seed)
    arrays, left = list(parameters.arrays), set(parameters.numbers(WEIGHT))
    for stage in stages:
        chosen = [n for n in stage.weights if n in left]
        left -= set(chosen)
        for n in chosen:
            w, b = _drawn(arrays[n], initializer, random)
            arrays[n] = w
            if stage.is_dense and len(stage.biases) == 1:
                arrays[stage.biases[0]] = b
    for n in sorted(left):
        arrays[n], _ = _drawn(arrays[n], initializer, random)
    return unflatten(parameters.structure, arrays)


def _drawn(like: Values, initializer: Initializer, random: np.random.Generator) -> tuple[Values, Values]:
    """Weights of the shape of an array, whose first axis counts as its units, and biases for these."""
    units, inputs = like.shape[0], int(np.prod(like.shape[1:]))
    w, b = initializer(inputs, units, random)
    return w.reshape(like.shape).astype(like.dtype), b.astype(like.dtype)


def with_activations(network: Any, before: Sequence[Activation], after: Sequence[Activation]) -> Any:
    """The network with other activations of its stages; None if they do not stand in its tree, one for each stage."""
    if list(_activations(network)) != list(before):
        return None
    return _replaced(network, iter(after))


def _activations(tree: Any) -> Iterator[Activation]:
    if isinstance(tree, Activation):
        yield tree
        return
    for part in _parts(tree).values():
        yield from _activations(part)


def _parts(tree: Any) -> dict[Any, Any]:
    """What a tree is made of, static fields too."""
    if dataclasses.is_dataclass(tree) and not isinstance(tree, type):
        return {f.name: getattr(tree, f.name) for f in dataclasses.fields(tree)}
    if isinstance(tree, dict):
        return tree
    return dict(enumerate(tree)) if isinstance(tree, tuple | list) else {}


def _replaced(tree: Any, after: Iterator[Activation]) -> Any:
    if isinstance(tree, Activation):
        return next(after)
    parts = {key: _replaced(part, after) for key, part in _parts(tree).items()}
    if dataclasses.is_dataclass(tree) and not isinstance(tree, type):
        made = copy.copy(tree)
        for name, part in parts.items():
            object.__setattr__(made, name, part)
        return made
    if isinstance(tree, dict):
        return parts
    return type(tree)(parts.values()) if type(tree) in (tuple, list) else tree
