"""An option that has NumPy's default is as good as none, in every function of `chainrule.numpy`."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from tests.namespace.calls import M
from tests.namespace.test_numpy import CALLS

import chainrule as cr
from chainrule import numpy as cnp
from chainrule.errors import DTypeError, OptionError
from chainrule.trace.promotion import as_array


class Told:
    """A namespace one of whose functions is told more arguments, unless the call gives them itself."""

    def __init__(self, name: str, option: str, value: Any, *, by_place: bool = False) -> None:
        self.name, self.option, self.value, self.by_place = name, option, value, by_place

    def __getattr__(self, name: str) -> Any:
        found, (place, _, last) = getattr(cnp, name), self.name.rpartition(".")
        if place == name:
            return SimpleNamespace(**{last: self.telling(getattr(found, last))})
        return self.telling(found) if self.name == name else found

    def telling(self, function: Callable[..., Any]) -> Callable[..., Any]:
        """The function, told more."""

        def told(*arguments: Any, **options: Any) -> Any:
            given = signature(self.name).bind(*arguments, **options)
            if self.option in given.arguments:
                return function(*arguments, **options)
            if not self.by_place:
                return function(*arguments, **options, **{self.option: self.value})
            given.apply_defaults()
            given.arguments[self.option] = self.value
            parameters = [p for p in given.signature.parameters.values() if p.kind is not p.KEYWORD_ONLY]
            before = parameters[: [p.name for p in parameters].index(self.option) + 1]
            rest = {k: v for k, v in options.items() if k not in {p.name for p in before}}
            return function(*(given.arguments[p.name] for p in before), **rest)

        return told


def signature(name: str) -> inspect.Signature:
    """That of NumPy's function; before NumPy 2.4 what is written in C has none, and is not asked for."""
    found: Any = np
    for part in name.split("."):
        found = getattr(found, part, None) or getattr(np.linalg, part, None)
    try:
        return inspect.signature(found)
    except (TypeError, ValueError):
        return inspect.Signature()


def defaults(name: str, *kinds: Any) -> list[tuple[str, Any]]:
    """The options that may be given, each with its default."""
    parameters = signature(name).parameters.values()
    if any(p.kind is p.VAR_POSITIONAL for p in parameters) and inspect.Parameter.KEYWORD_ONLY not in kinds:
        return []
    return [(p.name, p.default) for p in parameters if p.default not in (p.empty, NOT_GIVEN) and p.kind in kinds]


def assert_equal(found: Any, expected: Any) -> None:
    for one, other in zip(*(x if isinstance(x, tuple) else (x,) for x in (found, expected)), strict=True):
        np.testing.assert_array_equal(one, other)


NOT_GIVEN = inspect.signature(np.sum).parameters["keepdims"].default  # of what has no default to be written
BY_NAME = (inspect.Parameter.KEYWORD_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
BY_PLACE = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)


@pytest.mark.parametrize("name", CALLS)
def test_an_option_may_have_numpys_default(name: str) -> None:
    call, arguments = CALLS[name][0]
    given = [as_array(a) if isinstance(a, np.ndarray) else a for a in arguments]
    expected = call(cnp, *given)
    for option, value in defaults(name, *BY_NAME):
        assert_equal(call(Told(name, option, value), *given), expected)
    for option, value in defaults(name, *BY_PLACE):
        assert_equal(call(Told(name, option, value, by_place=True), *given), expected)


def test_the_option_is_told() -> None:
    """So that the test above can fail."""
    with pytest.raises(OptionError, match="casting"):
        cr.grad(lambda x: Told("vstack", "casting", "unsafe").vstack([x, x]))(M)
    with pytest.raises(OptionError, match="out"):
        cr.grad(lambda x: Told("sum", "out", np.ones(()), by_place=True).sum(x))(M)


#: What methods are called with before their options.
ARGUMENTS: dict[str, tuple[Any, ...]] = {
    "astype": (np.float32,), "reshape": ((4, 3),), "take": ([0, 1],), "repeat": (2,), "dot": (np.ones(4),),
    "swapaxes": (0, 1), "argpartition": (1,), "compress": ([True, False],), "clip": (0.0, 1.0), "round": (),
}  # fmt: skip
#: The options of NumPy's methods, whose signatures do not show all.
METHODS: dict[str, tuple[dict[str, Any], ...]] = {
    "astype": ({"order": "K", "casting": "unsafe", "subok": True, "copy": True}, {"casting": "same_kind"}),
    "reshape": ({"order": "C"}, {"copy": None}),
    "take": ({"axis": None, "out": None, "mode": "raise"},),
    "repeat": ({"axis": None},),
    "dot": ({"out": None},),
    "argpartition": ({"axis": -1, "kind": "introselect", "order": None},),
    "compress": ({"axis": None, "out": None},),
    "clip": ({"out": None}, {"where": True, "casting": "same_kind", "dtype": None}),
    "round": ({"decimals": 0, "out": None},),
    **dict.fromkeys(("sum", "prod", "mean"), ({"axis": None, "dtype": None, "out": None, "keepdims": False},)),
    **dict.fromkeys(("var", "std"), ({"axis": None, "dtype": None, "out": None, "ddof": 0, "where": True},)),
    **dict.fromkeys(("max", "min", "any", "all", "argmax"), ({"axis": None, "out": None, "keepdims": False},)),
    **dict.fromkeys(("cumsum", "cumprod"), ({"axis": None, "dtype": None, "out": None},)),
    "argsort": ({"axis": -1, "kind": None, "order": None, "stable": None},),
    "trace": ({"offset": 0, "axis1": 0, "axis2": 1, "dtype": None, "out": None},),
    "diagonal": ({"offset": 0, "axis1": 0, "axis2": 1},),
    "squeeze": ({"axis": None},),
    **dict.fromkeys(("ravel", "flatten", "copy"), ({"order": "C"},)),
}


@pytest.mark.parametrize("name", METHODS)
def test_an_option_of_a_method_may_have_numpys_default(name: str) -> None:
    before = ARGUMENTS.get(name, ())
    for options in METHODS[name]:
        expected = getattr(M, name)(*before, **options)
        found = getattr(as_array(M), name)(*before, **options)
        np.testing.assert_allclose(found.value, expected, rtol=1e-14)
        assert found.dtype == expected.dtype


def test_a_cast_that_is_not_allowed_is_refused() -> None:
    with pytest.raises(DTypeError, match="same_kind"):
        as_array(M).astype(int, casting="same_kind")


def test_too_many_arguments_are_refused_as_pythons() -> None:
    for function, more in ((cnp.exp, 3), (cnp.sum, 9), (cnp.zeros_like, 9)):
        with pytest.raises(TypeError, match="positional"):
            function(as_array(M), *[None] * more)
