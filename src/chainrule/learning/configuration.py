"""How a run was learnt, as one typed value: checked when it is made, whether `learn` makes it or a file holds it."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, fields
from typing import Any

from chainrule.checks import one_of, real_number, refusal, several, whole_number
from chainrule.errors import OptionError
from chainrule.learning.optimizers import optimizer_from
from chainrule.nn.costs import COSTS, CROSS_ENTROPY

__all__ = ["Configuration"]

_MOST = 2**53  # that a count can be: what a float64 holds exactly


def _count(name: str, value: Any) -> int:
    return whole_number(name, whole_number(name, value, 1), 1, _MOST)


def _counts(name: str, value: Any) -> tuple[int, ...]:
    return tuple(_count(f"{name}[{n}]", v) for n, v in enumerate(several(name, value, "whole numbers", 2)))


def _seed(name: str, value: Any) -> int:
    return whole_number(name, whole_number(name, value, 0), 0, 2**128)


def _amount(name: str, value: Any) -> float:
    return real_number(name, value, 0)


def _share(name: str, value: Any) -> float:
    return real_number(name, value, 0, 1)


def _cost(name: str, value: Any) -> float:
    return value if isinstance(value, float) else real_number(name, value)  # nan, where numbers overflowed


def _named_cost(name: str, value: Any) -> str:
    """The name of a cost; of one of a user's own `module: name`."""
    is_own = isinstance(value, str) and ": " in value
    return _text(name, value) if is_own else one_of(name, value, (CROSS_ENTROPY, *COSTS))


def _text(name: str, value: Any) -> str:
    if not isinstance(value, str) or not value.isprintable():
        raise refusal(name, "text that can be printed", value)
    return value


def _digest(name: str, value: Any) -> str:
    if len(_text(name, value)) != 64:
        raise refusal(name, "64 hexadecimal digits", value)
    return str(value)


def _optimizer(name: str, value: Any) -> str:
    try:
        if _text(name, value):
            optimizer_from(value)
            return str(value)
    except OptionError:
        pass
    raise refusal(name, "an optimiser like SGD(rate=0.1)", value)


#: What each field may be: the value as it is kept; OptionError for any other.
_CHECKS: Mapping[str, Callable[[str, Any], Any]] = {
    "sizes": _counts,
    "cost": _named_cost,
    "epochs": _count,
    "batch": _count,
    "optimizer": _optimizer,
    "l2": _amount,
    "seed": _seed,
    "dtype": lambda name, value: one_of(name, value, ("float32", "float64")),
    "training_examples": _count,
    "data": _text,
    "data_shape": _counts,
    "data_digest": _digest,
    "constant_cost": _amount,
    "constant_accuracy": _share,
    "validation_examples": _count,
    "validation_constant_cost": _amount,
    "validation_constant_accuracy": _share,
    "test_examples": _count,
    "test_cost": _cost,
    "test_accuracy": _share,
}


@dataclass(frozen=True, eq=False, repr=False)
class Configuration(Mapping[str, Any]):
    """How a run was learnt: the options of `learn`, the data, what a constant answer gets on them; None is not known.

    `data` is the name of the data, or the folder that they were read from; `data_shape` the shape of their x;
    `data_digest` tells the same data from others. `constant_cost` and `constant_accuracy` are those of the best
    constant answer to the training examples, `validation_constant_…` to the validation examples. It is a mapping of
    what is known, as it stands in `configuration.json`.

    Raises OptionError for a value that a field cannot have.

    >>> Configuration(cost="quadratic", batch=10)["batch"]
    10
    >>> sorted(Configuration(cost="quadratic", batch=10))
    ['batch', 'cost']
    """

    sizes: tuple[int, ...] | None = None
    cost: str | None = None
    epochs: int | None = None
    batch: int | None = None
    optimizer: str | None = None
    l2: float | None = None
    seed: int | None = None
    dtype: str | None = None
    training_examples: int | None = None
    data: str | None = None
    data_shape: tuple[int, ...] | None = None
    data_digest: str | None = None
    constant_cost: float | None = None
    constant_accuracy: float | None = None
    validation_examples: int | None = None
    validation_constant_cost: float | None = None
    validation_constant_accuracy: float | None = None
    test_examples: int | None = None
    test_cost: float | None = None
    test_accuracy: float | None = None

    def __post_init__(self) -> None:
        for name in self:
            object.__setattr__(self, name, _CHECKS[name](name, getattr(self, name)))
        _check_together(self)

    @classmethod
    def of(cls, found: Mapping[str, Any]) -> Configuration:
        """The configuration that a mapping holds; OptionError for a name that there is none of."""
        for name in found:
            if name not in _CHECKS:
                raise OptionError(f"there is no {name!a:.80} in a configuration.", cure=f"It has {_NAMES}.")
        return cls(**found)

    def __repr__(self) -> str:
        return f"Configuration({', '.join(f'{name}={value!r}' for name, value in self.items())})"

    def __getitem__(self, name: str) -> Any:
        if name not in _CHECKS or getattr(self, name) is None:
            raise KeyError(name)
        return getattr(self, name)

    def __iter__(self) -> Iterator[str]:
        return (f.name for f in fields(self) if getattr(self, f.name) is not None)

    def __len__(self) -> int:
        return sum(1 for _ in self)

    @property
    def missing(self) -> list[str]:
        """What `learn` would have told and is not known."""
        return [name for name in _CHECKS if getattr(self, name) is None and not name.startswith(_NOT_ALWAYS)]


_NAMES = ", ".join(_CHECKS)
_NOT_ALWAYS = ("sizes", "constant_", "validation_", "test_")


def _check_together(known: Configuration) -> None:
    """OptionError for values that cannot be true of the same run."""
    examples, shape = known.training_examples, known.data_shape
    if examples is not None and known.batch is not None and known.batch > examples:
        raise OptionError(f"batch must be at most training_examples, {examples}, not {known.batch}.")
    if shape is not None and examples is not None and shape[0] != examples:
        raise OptionError(f"data_shape must start with training_examples, {examples}, not be {shape}.")
    if shape is not None and known.sizes is not None and math.prod(shape[1:]) != known.sizes[0]:
        raise OptionError(f"data_shape must have {known.sizes[0]} features, as sizes say, not be {shape}.")
    for part in ("validation", "test"):
        told = [name for name in known if name.startswith(f"{part}_")]
        if told and f"{part}_examples" not in told:
            raise OptionError(f"{told[0]} must not be told without {part}_examples.")
