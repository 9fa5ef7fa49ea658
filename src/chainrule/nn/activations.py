"""Activations: a = σ(z). Each takes and gives arrays of shape (examples, …, units)."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from types import MappingProxyType
from typing import Any

import numpy

from chainrule import numpy as np
from chainrule.errors import OptionError
from chainrule.graph import ops
from chainrule.nn.named import STATIC, Named, checked_name, named
from chainrule.nn.recording import activated
from chainrule.trace.array import Array
from chainrule.trace.primitives import apply
from chainrule.trace.promotion import as_array
from chainrule.transform import grad, vjp

__all__ = [
    "ACTIVATIONS", "Activation", "activation_named", "identity", "logistic", "relu", "sigmoid", "softmax", "tanh",
]  # fmt: skip

_FLAT = 0.05  # of the largest slope: below it a unit hardly learns


@dataclass(frozen=True, eq=False, repr=False)
class Activation(Named):
    """An activation, and what is known of it; call it for `a = σ(z)`, on plain and on traced arrays.

    `function` takes z of shape (examples, …, units) and is written in the array language. The rest are facts, which are
    measured where they are not told (on numbers from −40 to 40, in float64):

        slope           σ'(z) from z and a, in the array language; by backpropagation unless told
        elementwise     whether each unit's a depends on its own z alone
        largest_slope   the largest |σ'|
        saturates       whether σ' vanishes at both ends, where a unit learns slowly
        dies            whether σ' is exactly 0 at an end, where a unit learns nothing
        lowest, highest what its outputs lie between
        initializer     the name of the initialiser that suits it
        output          the name of the activation of outputs that goes with it in hidden layers; "" for the same
        cost            the name of the cost that belongs to outputs with it; "" for none

    >>> swish = Activation("swish", lambda z: z * sigmoid(z))
    >>> swish.saturates, swish.dies, round(swish.lowest, 3), swish.highest
    (False, False, -0.278, inf)
    """

    name: str = field(metadata=STATIC)
    function: Callable[[Any], Any] = field(metadata=STATIC)
    slope: Callable[[Any, Any], Any] | None = field(default=None, metadata=STATIC)
    elementwise: bool | None = field(default=None, metadata=STATIC)
    largest_slope: float | None = field(default=None, metadata=STATIC)
    saturates: bool | None = field(default=None, metadata=STATIC)
    dies: bool | None = field(default=None, metadata=STATIC)
    lowest: float | None = field(default=None, metadata=STATIC)
    highest: float | None = field(default=None, metadata=STATIC)
    initializer: str = field(default="", metadata=STATIC)
    output: str = field(default="", metadata=STATIC)
    cost: str = field(default="", metadata=STATIC)

    def __post_init__(self) -> None:
        checked_name("an activation", self.name)
        missing = [f.name for f in fields(self) if getattr(self, f.name) in (None, "") and f.name in _MEASURES]
        for name in missing:
            object.__setattr__(self, name, _MEASURES[name](self))

    @classmethod
    def known(cls) -> Mapping[str, Activation]:
        """Those that come with chainrule."""
        return ACTIVATIONS

    @property
    def __name__(self) -> str:
        return self.name

    def __call__(self, z: Any) -> Any:
        """`a = σ(z)`."""
        return activated(self, z)

    def slopes(self, z: Any, a: Any) -> Any:
        """`σ'(z)`, element by element, for `a = σ(z)`: the derivative of each unit's a by its own z."""
        if self.slope is not None:
            return self.slope(z, a)
        found, back = vjp(self.function, z)
        if self.elementwise:
            return back(np.ones_like(found))
        units = np.eye(z.shape[-1], dtype=z.dtype)
        return np.stack([back(np.ones_like(found) * unit)[..., n] for n, unit in enumerate(units)], axis=-1)

    def is_off(self, slopes: Any, axis: int = -1) -> Any:
        """Whether units, along an axis, learn nothing: σ' = 0 on every example, for slopes with examples first."""
        return np.max(np.abs(slopes), axis=_all_but(axis, slopes)) <= 0

    def is_saturated(self, slopes: Any, axis: int = -1) -> Any:
        """Whether units learn slowly: the mean of σ' over the examples is below 1/20 of the largest that it can be."""
        return np.mean(slopes, axis=_all_but(axis, slopes)) < _FLAT * (self.largest_slope or 0.0)


def _all_but(axis: int, x: Any) -> tuple[int, ...]:
    return tuple(n for n in range(np.ndim(x)) if n != axis % np.ndim(x))


# what is measured


def _line() -> Any:
    return numpy.concatenate(
        [-numpy.geomspace(1e6, 41, 32), numpy.linspace(-40, 40, 1601), numpy.geomspace(41, 1e6, 32)]
    )


def _values(activation: Activation, z: Any, beside: Any = 0.0) -> Any:
    """What the function makes of the first of two units."""
    both = numpy.stack([z, numpy.broadcast_to(beside, z.shape)], axis=1)
    try:
        found = numpy.asarray(activation.function(both), numpy.float64)
    except (TypeError, ValueError, IndexError) as problem:
        raise OptionError(
            f"the activation {activation.name!r} cannot be applied to an array of shape {both.shape}: {problem}.",
            cure="Its function takes z of shape (examples, units) and gives a of the same shape.",
        ) from None
    if found.shape != both.shape:
        raise OptionError(f"the activation {activation.name!r} makes {found.shape} of the shape {both.shape}.")
    return found[:, 0]


def _slopes(activation: Activation, z: Any) -> Any:
    def total(z: Any) -> Any:
        return np.sum(activation.function(np.stack([z, np.zeros_like(z)], axis=1))[:, 0])

    return numpy.asarray(grad(total)(z))


def _is_elementwise(activation: Activation) -> bool:
    z = numpy.linspace(-2, 2, 9)
    return bool(numpy.allclose(_values(activation, z), _values(activation, z, z + 1), rtol=1e-9))


def _largest_slope(activation: Activation) -> float:
    return float(numpy.max(numpy.abs(_slopes(activation, numpy.linspace(-40, 40, 1601)))))


def _saturates(activation: Activation) -> bool:
    ends = numpy.abs(_slopes(activation, numpy.array([-40.0, 40.0])))
    return bool(activation.elementwise) and bool((ends < _FLAT * _largest_slope(activation)).all())


def _dies(activation: Activation) -> bool:
    """Not far out, where any slope is 0 to the last digit."""
    return any((_slopes(activation, end) == 0).all() for end in (numpy.linspace(-8, -6, 9), numpy.linspace(6, 8, 9)))


def _lowest(activation: Activation) -> float:
    return _extreme(activation, -1)


def _highest(activation: Activation) -> float:
    return _extreme(activation, 1)


def _extreme(activation: Activation, sign: int) -> float:
    """The largest of `sign · a`; infinite if it still grows far out."""
    with numpy.errstate(all="ignore"):
        a = sign * _values(activation, _line())
    most, near = float(numpy.nanmax(a)), float(numpy.nanmax(a[16:-16]))  # nan where it overflows
    return sign * (math.inf if most > max(1.5 * near, near + 1) else most)


_MEASURES: Mapping[str, Callable[[Activation], Any]] = MappingProxyType(
    {
        "elementwise": _is_elementwise,
        "largest_slope": _largest_slope,
        "saturates": _saturates,
        "dies": _dies,
        "lowest": _lowest,
        "highest": _highest,
        "initializer": lambda activation: "he" if activation.dies and not activation.saturates else "glorot",
    }
)


# what they compute


def _sigmoid(z: Any) -> Any:
    return _elementwise(ops.LOGISTIC, z)


def _relu(z: Any) -> Any:
    return _elementwise(ops.RELU, z)


def _softmax(z: Any) -> Any:
    array = as_array(z)
    if not array.size:
        return _like(z, _floating(array))
    powers = np.exp(array - _constant(array.max(-1, keepdims=True)))
    return _like(z, powers / powers.sum(-1, keepdims=True))


def _identity(z: Any) -> Any:
    return z


def _elementwise(op: ops.Op, z: Any) -> Any:
    return _like(z, apply(op, _floating(as_array(z)).node))


def _floating(x: Array) -> Array:
    return x if x.node.type.is_float else x.astype("float64")


def _constant(x: Array) -> Array:
    return apply(ops.STOP_GRADIENT, x.node)


def _like(given: Any, result: Array) -> Any:
    """An Array for an Array, a plain array for a plain one."""
    return result if isinstance(given, Array) else result.value[()]


def _tanh(z: Any) -> Any:
    return np.tanh(z)


def _ones(z: Any, a: Any) -> Any:
    return np.ones_like(a)


def _slope_of_relu(z: Any, a: Any) -> Any:
    return np.astype(np.asarray(a) > 0, a.dtype)


def _slope_of_tanh(z: Any, a: Any) -> Any:
    return 1 - a * a


def _slope_of_logistic(z: Any, a: Any) -> Any:
    return a * (1 - a)


#: The logistic function, `σ(z) = 1 / (1 + e⁻ᶻ)`, element by element; `σ' = σ·(1 − σ)`.
sigmoid = logistic = Activation(
    "sigmoid", _sigmoid, _slope_of_logistic, elementwise=True, largest_slope=0.25, saturates=True, dies=False,
    lowest=0.0, highest=1.0, initializer="normal", cost="sigmoid_cross_entropy",
)  # fmt: skip
#: The hyperbolic tangent, element by element; `tanh' = 1 − tanh²`.
tanh = Activation(
    "tanh", _tanh, _slope_of_tanh, elementwise=True, largest_slope=1.0, saturates=True, dies=False, lowest=-1.0,
    highest=1.0, initializer="glorot",
)  # fmt: skip
#: `z` where it is positive, else 0; its derivative at 0 is 0.
relu = Activation(
    "relu", _relu, _slope_of_relu, elementwise=True, largest_slope=1.0, saturates=False, dies=True, lowest=0.0,
    highest=math.inf, initializer="he", output="softmax",
)  # fmt: skip
#: `aⱼ = e^zⱼ / Σₖ e^zₖ` along the last axis: positive, and 1 together; of no elements, none.
softmax = Activation(
    "softmax", _softmax, _slope_of_logistic, elementwise=False, largest_slope=0.25, saturates=False, dies=False,
    lowest=0.0, highest=1.0, initializer="glorot", cost="softmax_cross_entropy",
)  # fmt: skip
#: `z` itself: for outputs that are any real numbers.
identity = Activation(
    "identity", _identity, _ones, elementwise=True, largest_slope=1.0, saturates=False, dies=False, lowest=-math.inf,
    highest=math.inf, initializer="glorot",
)  # fmt: skip

#: The activations by name.
ACTIVATIONS: Mapping[str, Activation] = MappingProxyType({a.name: a for a in (sigmoid, tanh, relu, softmax, identity)})


def activation_named(asked: Any, what: str = "activation") -> Activation:
    """The activation that is asked for, itself or by its name; OptionError for anything else."""
    return named(what, asked, ACTIVATIONS, Activation)
