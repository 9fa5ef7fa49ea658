"""A problem that networks were given: its patterns, its network, the published settings and what came of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from chainrule.checks import whole_number
from chainrule.display import Facts, Page, Shown, Table, counted
from chainrule.errors import ShapeError
from chainrule.nn.connected import Connected
from chainrule.nn.wiring import Connection, Units, Wiring

__all__ = ["Problem", "Published", "Settings", "binary_patterns", "layers"]

Values = np.ndarray[Any, Any]


@dataclass(frozen=True)
class Settings:
    """How a network learns by `Δw(t) = −ε ∂E/∂w + α Δw(t−1)` for `E = ½ Σ_x Σⱼ (yⱼ − dⱼ)²`: Nature 323, eqs. 3 and 9.

    The change is made after each sweep through all patterns, or after each presentation of one. Weights and biases
    start evenly from −`initial` to `initial`. The targets are `off` and `on`. An output's error counts as none where it
    is smaller than `ignored`; after each change every weight shrinks by the fraction `decay`. For the first
    `early_sweeps` sweeps the rate and the momentum are `early_rate` and `early_momentum`.
    """

    rate: float
    momentum: float = 0.9
    initial: float = 0.3
    change_after: Literal["sweep", "presentation"] = "sweep"
    off: float = 0.0
    on: float = 1.0
    ignored: float = 0.0
    decay: float = 0.0
    early_sweeps: int = 0
    early_rate: float = 0.0
    early_momentum: float = 0.0


@dataclass(frozen=True)
class Published:
    """A figure as it was published: what it is of, the number with its unit in words, where it stands.

    `reading` says under which reading the figure is natural, where the publication leaves something unsaid.
    """

    what: str
    figure: str
    source: str
    reading: str = ""


@dataclass(frozen=True, eq=False, repr=False)
class Problem(Shown):
    """Patterns to be learnt, the network that learnt them, its settings, and the result as it was published.

    `x` has the shape (patterns, inputs), `y` (patterns, outputs) with 0 for off and 1 for on (or real targets); the
    outputs are right when every one is on its target's side of ½. `x_test`, `y_test` are patterns that are not learnt.
    `budget` is the number of sweeps after which a trial of backpropagation is given up.
    """

    name: str
    title: str
    description: str
    source: str
    x: Values
    y: Values
    wiring: Wiring
    settings: Settings
    published: tuple[Published, ...] = ()
    x_test: Values | None = None
    y_test: Values | None = None
    budget: int = 10_000

    def __post_init__(self) -> None:
        inputs = sum(size for _, size in self.wiring.inputs)
        outputs = sum(self.wiring.sizes[name] for name in self.wiring.outputs)
        if self.x.shape != (len(self.y), inputs) or self.y.shape != (len(self.x), outputs):
            raise ShapeError(
                f"{self.name}: patterns of shapes {self.x.shape} and {self.y.shape} do not fit a network of {inputs} "
                f"inputs and {outputs} outputs."
            )

    def page(self) -> Page:
        """What is shown of it: what is asked, the network, the settings, what was published."""
        s = self.settings
        facts = {
            "source": self.source,
            "patterns": str(self.patterns),
            "units": ", ".join(f"{name} {size}" for name, size in self.wiring.sizes.items()),
            "learning": f"ε = {s.rate:g}, α = {s.momentum:g}, weights from −{s.initial:g} to {s.initial:g}, targets "
            f"{s.off:g} and {s.on:g}, changed after each {s.change_after}",
            "budget": counted(self.budget, "sweep"),
        }
        published = tuple((one.what, one.figure, one.source) for one in self.published)
        table = Table(("published", "figure", "where"), published)
        return Page(f"{self.name}: {self.title}", (self.description, Facts(facts), table))

    def __repr__(self) -> str:
        sizes = "-".join(map(str, self.wiring.sizes.values()))
        return f"Problem({self.name!r}, {counted(self.patterns, 'pattern')}, {sizes})"

    @property
    def patterns(self) -> int:
        """How many patterns a sweep presents."""
        return len(self.x)

    @property
    def targets(self) -> Values:
        """The targets that are learnt, `off` and `on` for 0 and 1, shape (patterns, outputs)."""
        found: Values = (self.settings.off + (self.settings.on - self.settings.off) * self.y).astype(np.float32)
        return found

    def network(self, key: Any) -> Connected:
        """The network as it starts, drawn from a key."""
        return Connected.of(self.wiring, key, self.settings.initial)


def binary_patterns(bits: int) -> Values:
    """All patterns of so many bits, in the order of the numbers that they write, shape (2^bits, bits).

    >>> binary_patterns(2).tolist()
    [[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]]
    """
    bits = whole_number("bits", bits, 1)
    numbers = np.arange(2**bits)[:, None]
    return (numbers >> np.arange(bits)[::-1] & 1).astype(np.float32)


def layers(*sizes: int) -> Wiring:
    """The wiring of a plain layered network: groups "input", "hidden" (or "hidden1", …), "output"."""
    hidden = ["hidden"] if len(sizes) == 3 else [f"hidden{n}" for n in range(1, len(sizes) - 1)]
    names: Sequence[str] = ["input", *hidden, "output"]
    units = tuple(Units(name, size) for name, size in zip(names[1:], sizes[1:], strict=True))
    links = tuple(Connection(a, b) for a, b in zip(names, names[1:], strict=False))
    return Wiring((("input", sizes[0]),), units, links, ("output",))
