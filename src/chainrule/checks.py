"""Checks of arguments: whole numbers, numbers, names, sizes, kinds of objects.

Each takes the argument's name and its value and returns the value as plain Python has it. An OptionError says which
argument it was, what is accepted, and what was given. NumPy's numbers count as numbers. A truth (`True`) does not, and
3.0 is no whole number.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Iterable
from difflib import get_close_matches
from typing import Any

import numpy as np

from chainrule.errors import ChainruleError, OptionError

__all__ = ["did_you_mean", "instance", "one_of", "real_number", "refusal", "several", "whole_number", "whole_numbers"]

_COUNTS = ("no", "one", "two", "three")
_LONGEST = 100  # characters of a value in a message


def whole_number(name: str, value: Any, least: int | None = None, most: int | None = None, *, cure: str = "") -> int:
    """A whole number from `least` to `most`, as an int; OptionError for any other value.

    >>> whole_number("steps", np.int64(3), 1)
    3
    >>> whole_number("steps", True, 1)
    Traceback (most recent call last):
    chainrule.errors.OptionError: steps must be a whole number of at least 1, not True...
    """
    found = _whole(value)
    if found is None or not _within(found, least, None, most, None):
        wanted = f"a whole number{_between(least, None, most, None)}"
        raise refusal(name, wanted, value, cure=cure or _whole_meant(value, least, most))
    return found


def real_number(
    name: str,
    value: Any,
    least: float | None = None,
    most: float | None = None,
    *,
    above: float | None = None,
    below: float | None = None,
    cure: str = "",
) -> float:
    """A finite number within bounds, `above` and `below` excluded, as a float; OptionError for any other value.

    >>> real_number("fraction", np.float32(0.5), above=0, most=1)
    0.5
    >>> real_number("fraction", 1.5, above=0, most=1)
    Traceback (most recent call last):
    chainrule.errors.OptionError: fraction must be a number above 0 and at most 1, not 1.5...
    """
    found = _real(value)
    if found is None or not math.isfinite(found) or not _within(found, least, above, most, below):
        bounds = _between(least, above, most, below)
        raise refusal(name, f"a number{bounds}" if bounds else "a finite number", value, cure=cure)
    return found


def one_of(name: str, value: Any, known: Iterable[str], *, cure: str = "") -> str:
    """One of the known names; OptionError for anything else, with the name that may have been meant.

    >>> one_of("activation", "sigmod", ("sigmoid", "tanh"))
    Traceback (most recent call last):
    chainrule.errors.OptionError: activation must be one of 'sigmoid', 'tanh', not 'sigmod'...
    """
    names = list(known)
    if isinstance(value, str) and value in names:
        return str(value)
    wanted = f"one of {', '.join(map(repr, names))}" if len(names) > 1 else ", ".join(map(repr, names))
    raise refusal(name, wanted, value, cure=f"{did_you_mean(value, names)} {cure}".strip())


def several(name: str, values: Any, what: str, fewest: int = 0, *, cure: str = "") -> list[Any]:
    """The members of a sequence, at least so many; OptionError for a string, a single value, or too few."""
    single = isinstance(values, str | bytes) or not isinstance(values, Iterable) or getattr(values, "ndim", 1) != 1
    found = [] if single else list(values)
    if single or len(found) < fewest:
        least = "several" if fewest == 0 else f"at least {_COUNTS[fewest] if fewest < len(_COUNTS) else fewest}"
        raise refusal(name, f"{least} {what}", values, cure=cure)
    return found


def whole_numbers(
    name: str, values: Any, least: int | None = None, most: int | None = None, *, fewest: int = 1, cure: str = ""
) -> tuple[int, ...]:
    """At least so many whole numbers, each from `least` to `most`; OptionError names the one that is not.

    >>> whole_numbers("depths", np.array([2, 3]), 1)
    (2, 3)
    >>> whole_numbers("sizes", [784, 0, 10], 1)
    Traceback (most recent call last):
    chainrule.errors.OptionError: sizes[1] must be a whole number of at least 1, not 0...
    """
    what = f"whole number{'' if fewest == 1 else 's'}{_between(least, None, most, None)}"
    members = enumerate(several(name, values, what, fewest, cure=cure))
    return tuple(whole_number(f"{name}[{n}]", value, least, most, cure=cure) for n, value in members)


def instance(name: str, value: Any, kind: type[Any], what: str, *, cure: str = "") -> Any:
    """An object of a class, `what` in words; OptionError for any other.

    >>> instance("network", 3, str, "a name")
    Traceback (most recent call last):
    chainrule.errors.OptionError: network must be a name, not 3...
    """
    if not isinstance(value, kind):
        raise refusal(name, what, value, cure=cure)
    return value


def refusal(name: str, accepted: str, given: Any, *, cure: str = "") -> OptionError:
    """The error that says: `name` must be `accepted`, not `given`."""
    return OptionError(f"{name} must be {accepted}, not {_shown(given)}.", cure=cure)


def did_you_mean(value: Any, known: Iterable[str]) -> str:
    """A question for the known name that is spelled most like the value; "" if there is none.

    >>> did_you_mean("Tahn", ["sigmoid", "tanh"])
    "Did you mean 'tanh'?"
    """
    if not isinstance(value, str):
        return ""
    lower = {name.lower(): name for name in known}
    return "".join(f"Did you mean {lower[close]!r}?" for close in get_close_matches(value.lower(), lower, 1))


# what a value is


def _whole(value: Any) -> int | None:
    if _is_truth(value):
        return None
    try:
        return operator.index(value)
    except ChainruleError:  # a traced value, whose own message says more
        raise
    except TypeError:
        return None


def _real(value: Any) -> float | None:
    if _is_truth(value) or isinstance(value, str | bytes | complex | np.complexfloating) or np.ndim(value) != 0:
        return None
    try:
        return float(value)
    except ChainruleError:
        raise
    except (TypeError, ValueError, OverflowError):
        return None


def _is_truth(value: Any) -> bool:
    return isinstance(value, bool) or getattr(value, "dtype", None) == np.bool_


def _within(found: float, least: float | None, above: float | None, most: float | None, below: float | None) -> bool:
    high_enough = (least is None or found >= least) and (above is None or found > above)
    return high_enough and (most is None or found <= most) and (below is None or found < below)


# words


def _between(least: float | None, above: float | None, most: float | None, below: float | None) -> str:
    """The bounds as they follow the word "number"."""
    if least is not None and most is not None:
        return f" from {least} to {most}"
    lower = f"of at least {least}" if least is not None else f"above {above}" if above is not None else ""
    upper = f"at most {most}" if most is not None else f"below {below}" if below is not None else ""
    joined = " and ".join(filter(None, (lower, upper)))
    return f" {'of ' if joined.startswith('at most') else ''}{joined}" if joined else ""


def _whole_meant(value: Any, least: int | None, most: int | None) -> str:
    """What to write for 3.0 or "3"."""
    text = value if isinstance(value, str) else None
    found = _real(float(text) if text is not None and text.strip().isdecimal() else value)
    meant = found is not None and found.is_integer() and _within(found, least, None, most, None)
    return f"Write {int(found)}." if meant and found is not None else ""


def _shown(value: Any) -> str:
    """A value as it was given, in a few words where it is long."""
    shape = getattr(value, "shape", ())
    if shape and hasattr(value, "dtype"):
        return f"an array of {value.dtype} of shape {tuple(shape)}"
    text = repr(value)
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…"
