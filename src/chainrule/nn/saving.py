"""A network as named arrays and a few words about what they belong to, and back.

What consists of chainrule's own layers is made again from its words. Of any other tree the words only say which it is:
to read it, a network of the same kind must be given, whose arrays are replaced. No code is looked up by name.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import numpy as np

from chainrule.errors import ChainruleError, OptionError
from chainrule.nn.activations import ACTIVATIONS, Activation
from chainrule.nn.connected import Connected
from chainrule.nn.layers import Dense, Sequential
from chainrule.nn.network import Network
from chainrule.nn.wiring import Wiring
from chainrule.trace.tree import flatten, paths, statics, unflatten

__all__ = ["WORDS", "listed", "put_together", "taken_apart"]

#: The words that a configuration has about a network, one of them for each.
WORDS = ("activations", "wiring", "layers", "tree")

Values = np.ndarray[Any, Any]
_DEEPEST = 100  # layers within layers that a file may tell of


def taken_apart(network: Any) -> tuple[dict[str, Values], dict[str, Any]]:
    """The arrays of a network by the routes to them, `layers[0].w`, and the words about it."""
    arrays, structure = flatten(network)
    return dict(zip(paths(structure), map(np.asarray, arrays), strict=True)), _words(network)


def _words(network: Any) -> dict[str, Any]:
    if all(activation == activation.name for activation in _activations(network)):
        if isinstance(network, Network):
            return {"activations": [activation.name for activation in network.activations]}
        if isinstance(network, Connected):
            return {"wiring": network.wiring.to_dict()}
        if isinstance(network, Dense | Sequential) and (layers := _layers(network)):
            return {"layers": layers}
    kind = type(network)
    return {"tree": f"{kind.__module__}.{kind.__qualname__}"}


def _activations(network: Any) -> list[Activation]:
    if isinstance(network, Connected):
        return [units.activation for units in network.wiring.units]
    return [static for static in statics(flatten(network)[1]) if isinstance(static, Activation)]


def _layers(layer: Any) -> Any:
    """A layer in words, layers one after the other as a list; None for one that only its user knows."""
    if isinstance(layer, Sequential):
        found = [_layers(one) for one in layer.layers]
        return found if all(found) else None
    if isinstance(layer, Activation):
        return {"activation": layer.name}
    return {"dense": layer.activation.name} if type(layer) is Dense else None


def put_together(tensors: Mapping[str, Values], told: Mapping[str, Any], template: Any = None) -> Any:
    """The network of named arrays and words about it, or one like the template.

    Raises OptionError for words that do not say what it is; ValueError for arrays that are not those of such a network.
    """
    if template is not None:
        return _like(template, tensors)
    if "wiring" in told:
        return _connected(told["wiring"], tensors)
    if "layers" in told:
        return _of_layers(told["layers"], tensors)
    if "tree" in told:
        raise OptionError(
            f"the network is a {told['tree']!s:.80}, which is not made of chainrule's own layers and activations.",
            cure="Read it with cr.Run.load(folder, network=...), given a network of that kind.",
        )
    return _layered(told.get("activations"), tensors)


def _like(template: Any, tensors: Mapping[str, Values]) -> Any:
    arrays, structure = flatten(template)
    wanted = dict(zip(paths(structure), arrays, strict=True))
    check_names(tensors, wanted)
    for name, array in wanted.items():
        if np.shape(array) != tensors[name].shape:
            raise ValueError(f"{name} has the shape {tensors[name].shape}, that of the given network {np.shape(array)}")
    return unflatten(structure, [tensors[name] for name in wanted])


def _layered(activations: Any, tensors: Mapping[str, Values]) -> Network:
    known = isinstance(activations, list) and activations and all(isinstance(name, str) for name in activations)
    if not known or not all(name in ACTIVATIONS for name in activations):
        raise OptionError(
            f"activations must be a list of some of {', '.join(ACTIVATIONS)}.",
            cure="For activations of your own read it with cr.Run.load(folder, network=...), given one with them.",
        )
    names = [(f"layers[{n}].w", f"layers[{n}].b") for n in range(len(activations))]
    check_names(tensors, [name for pair in names for name in pair])
    return Network.from_weights([(tensors[w], tensors[b]) for w, b in names], activations)


def _of_layers(told: Any, tensors: Mapping[str, Values]) -> Any:
    template = _template(told)
    check_names(tensors, paths(flatten(template)[1]))
    return _filled(template, iter([tensors[name] for name in paths(flatten(template)[1])]))


def _template(told: Any, depth: int = 0) -> Any:
    """The layers that words tell of, with no numbers yet."""
    if isinstance(told, list) and told and depth < _DEEPEST:
        return Sequential(*(_template(one, depth + 1) for one in told))
    if isinstance(told, dict) and len(told) == 1:
        kind, activation = next(iter(told.items()))
        if kind in ("dense", "activation") and isinstance(activation, str) and activation in ACTIVATIONS:
            return Dense.of(1, 1, activation) if kind == "dense" else ACTIVATIONS[activation]
    raise OptionError("layers must be a list of objects like {'dense': 'tanh'}, or of such lists.")


def _filled(template: Any, arrays: Iterator[Values]) -> Any:
    """The same layers with other arrays, checked as those that anybody makes."""
    if isinstance(template, Sequential):
        return Sequential(*(_filled(one, arrays) for one in template.layers))
    return Dense(next(arrays), next(arrays), template.activation) if isinstance(template, Dense) else template


def _connected(told: Any, tensors: Mapping[str, Values]) -> Connected:
    if not isinstance(told, dict):
        raise OptionError("wiring must be an object.")
    try:
        wiring = Wiring.from_dict(told)
    except ChainruleError as problem:
        raise OptionError(f"wiring: {problem.what}") from None
    weights = {f"weights[{name!r}]": name for name in wiring.weight_shapes}
    biases = {f"biases[{name!r}]": name for name in wiring.bias_shapes}
    check_names(tensors, [*weights, *biases])
    parts = ({name: tensors[key] for key, name in named.items()} for named in (weights, biases))
    return Connected.from_weights(wiring, *parts)


def check_names(tensors: Mapping[str, Values], needed: Iterable[str]) -> None:
    """ValueError unless the arrays are those that are needed, and real numbers of one type."""
    if set(tensors) != set(needed):
        raise ValueError(f"it must hold {listed(needed)}, not {listed(tensors)}")
    kinds = {str(tensor.dtype) for tensor in tensors.values() if tensor.dtype.kind not in "iub"}
    if kinds not in ({"float32"}, {"float64"}):
        raise ValueError(f"all must be float32, or all float64, not {listed(kinds)}")


def listed(names: Iterable[str]) -> str:
    """Some names in a sentence: the first six."""
    quoted = sorted(f"{name!a:.80}" for name in names)
    return ", ".join(quoted[:6]) + (f" and {len(quoted) - 6} more" if len(quoted) > 6 else "") or "nothing"
