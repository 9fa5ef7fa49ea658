"""What is connected to what: the wirings that cannot be are refused."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from chainrule.errors import OptionError
from chainrule.nn import Connection, Units, Wiring

HALF = ((0, 1, -1), (-1, 0, 1))  # two weights, each at two places, and two places without
INTO = ("input", "hidden"), ("hidden", "output")


def wiring(*connections: Connection | tuple[str, str], hidden: int = 3, **options: Any) -> Wiring:
    links = tuple(c if isinstance(c, Connection) else Connection(*c) for c in connections)
    units = Units("hidden", hidden), Units("output", 2)
    return Wiring((("input", 3),), options.get("units", units), links, options.get("outputs", ("output",)))


def of_units(*units: Units) -> Wiring:
    return Wiring((("input", 3),), units, (), tuple(u.name for u in units[-1:]))


REFUSED: dict[str, tuple[Callable[[], Wiring], str]] = {
    "two groups of one name": (lambda: of_units(Units("a", 1), Units("a", 1)), "names of their own"),
    "units named as the inputs": (lambda: of_units(Units("input", 1)), "names of their own"),
    "no units": (lambda: of_units(), "at least one besides the inputs"),
    "an empty group": (lambda: of_units(Units("a", 0)), "the size of 'a' must be a whole number of at least 1"),
    "a size that is no number": (lambda: of_units(Units("a", 1.5)), "the size of 'a' must be a whole number"),  # type: ignore[arg-type]
    "inputs without size": (lambda: Wiring((("input", 0),), (Units("a", 1),), (), ("a",)), "of .input. must be a"),
    "no such activation": (lambda: of_units(Units("a", 1, "step")), "the activation of 'a' must be one of"),
    "units that nothing reaches": (lambda: of_units(Units("a", 1, bias=False)), "nothing reaches the units 'a'"),
    "no such source": (lambda: wiring(*INTO, ("inputs", "output")), "one of 'input', 'hidden', .*not 'inputs'"),
    "no such target": (lambda: wiring(*INTO, ("input", "outputs")), "the connection 'input->outputs' must be one of"),
    "backward": (lambda: wiring(*INTO, ("output", "hidden")), "from earlier groups to later ones"),
    "to itself": (lambda: wiring(*INTO, ("hidden", "hidden")), "from earlier groups to later ones"),
    "one source too late": (lambda: wiring(Connection(("input", "output"), "hidden")), "earlier groups"),
    "a product of nothing": (
        lambda: wiring(Connection("input", "hidden", products=((),))), "each product must name some"
    ),
    "a product of no such unit": (
        lambda: wiring(Connection("input", "hidden", products=((0, 3),))), "some of the 3 units"
    ),
    "too few places": (lambda: wiring(Connection("input", "hidden", places=((0, 1, 2),))), "3 rows of 3"),
    "ragged places": (lambda: wiring(Connection("input", "output", places=((0, 1, 2), (0,)))), "2 rows of 3"),
    "a place before none": (
        lambda: wiring(Connection("input", "output", places=((0, 1, 2), (0, 1, -2)))), "counted from 0"
    ),
    "no products": (lambda: wiring(Connection("input", "hidden", products=())), "each product must name some"),
    "no source": (lambda: wiring(Connection((), "hidden")), "to a group that is no input"),
    "into an input": (
        lambda: Wiring((("a", 1), ("b", 1)), (Units("c", 1),), (Connection("a", "b"),), ("c",)), "that is no input"
    ),
    "an output twice": (lambda: wiring(*INTO, outputs=("output", "output")), "each once"),
    "places of products": (
        lambda: wiring(Connection("input", "output", places=HALF, products=((0, 1),))), "2 rows of 1"
    ),
    "no weight at any place": (
        lambda: wiring(Connection("input", "output", places=((-1, -1, -1), (-1, -1, -1)))), "some weight must be there"
    ),
    "tied weights of two shapes": (
        lambda: wiring(Connection("input", "hidden", "w"), Connection("hidden", "output", "w")), "of different shapes"
    ),
    "tied biases of two sizes": (
        lambda: of_units(Units("a", 1, bias="same"), Units("b", 2, bias="same")), "groups of different sizes"
    ),
    "inputs as outputs": (lambda: wiring(*INTO, outputs=("input",)), "outputs must be groups of units"),
    "no outputs": (lambda: wiring(*INTO, outputs=()), "outputs must be groups of units"),
}  # fmt: skip


@pytest.mark.parametrize("what", REFUSED)
def test_a_wiring_that_cannot_be_is_refused(what: str) -> None:
    made, message = REFUSED[what]
    with pytest.raises(OptionError, match=message):
        made()
