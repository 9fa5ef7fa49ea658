"""What the options of `chainrule learn` mean: the sizes of a network, an optimiser with a sensible rate."""

from __future__ import annotations

import re

from chainrule.data import DataSet
from chainrule.errors import OptionError
from chainrule.learning.optimizers import SGD, Adam, Momentum, Optimizer, settings
from chainrule.nn.activations import sigmoid
from chainrule.nn.costs import cost_function, quadratic
from chainrule.nn.network import Network

__all__ = ["optimizer", "sizes"]

_HIDDEN = 30  # neurons, as in the book


def sizes(text: str | None, data: DataSet) -> list[int]:
    """The sizes that `784-30-10` names, which must suit the data; for None, one hidden layer of 30.

    Raises OptionError if the text names none, or the data have other features or classes.
    """
    fitting = [data.features, _HIDDEN, data.classes]
    if text is None:
        return fitting
    if not re.fullmatch("[1-9][0-9]{0,8}(-[1-9][0-9]{0,8})+", text):
        raise OptionError(f"--network {text} names no sizes.", cure=f"Write them like {_joined(fitting)}.")
    found = [int(size) for size in text.split("-")]
    suggested = f"Write --network {_joined([data.features, *found[1:-1], data.classes])}."
    if found[0] != data.features:
        mismatch = f"{found[0]} inputs, but the examples have {data.features} features"
        raise OptionError(f"--network {text} has {mismatch}.", cure=suggested)
    if found[-1] != data.classes:
        mismatch = f"{found[-1]} outputs, but the data have {data.classes} classes"
        raise OptionError(f"--network {text} has {mismatch}.", cure=suggested)
    return found


def _joined(numbers: list[int]) -> str:
    return "-".join(map(str, numbers))


def optimizer(method: str, rate: float | None, momentum: float | None, network: Network, cost: str) -> Optimizer:
    """The optimiser of that name; what is None is chosen to suit it, the network and the cost.

    Raises OptionError for a rate or a momentum outside its range, or one that the optimiser has no use for.
    """
    if method == "momentum":
        return _momentum(rate, momentum, _usual_rate(network, cost))
    if momentum is not None:
        raise OptionError(f"--momentum means nothing to --optimizer {method}.", cure="Add --optimizer momentum.")
    if method == "adam":
        return Adam() if rate is None else Adam(rate)
    return SGD(_usual_rate(network, cost) if rate is None else rate)


def _momentum(rate: float | None, momentum: float | None, usual: float) -> Momentum:
    """Momentum, of which the usual rate is as much smaller as the steps add up to more."""
    made = Momentum(usual if rate is None else rate, **({} if momentum is None else {"momentum": momentum}))
    return made if rate is not None else made.with_rate(round(usual * (1 - settings(made, 0)["momentum"]), 6))


def _usual_rate(network: Network, cost: str) -> float:
    """The book's rates for networks like the book's, and one that is small enough for others."""
    if any(activation != sigmoid for activation in network.activations):
        return 0.1
    return 3.0 if cost_function(cost, network.output_activation) == quadratic else 0.5
