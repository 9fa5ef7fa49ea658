"""Networks that run in time, as layered networks: the same groups once for each step, with the same weights.

    zⱼ(t) = Σₖ wⱼₖ aₖ(t) + Σₖ uⱼₖ aₖ(t−1) + bⱼ,    aⱼ(t) = σ(zⱼ(t))

Weights and biases are tied by name across the steps, so the derivative with respect to one of them is the *sum* over
its copies, as in PDP. Nature *averages* ∂E/∂w over the copies instead; with n copies of a weight this is the
same gradient divided by n, so a rate of n·ε with the average does what ε does with the sum. `copies` counts them.

Source: Rumelhart, Hinton & Williams, Nature 323 (1986), 533-536, figure 5; and Parallel Distributed Processing, volume
1, chapter 8, pages 354-361.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from chainrule.checks import one_of, whole_number
from chainrule.errors import OptionError
from chainrule.nn.wiring import Connection, ConnectionLike, Units, Wiring, named_inputs

__all__ = ["at", "copies", "unrolled"]

#: For each of some groups, steps, counted from 1; 0 is before the first.
Steps = Mapping[str, Collection[int]]


def unrolled(
    steps: int,
    inputs: int | Mapping[str, int],
    units: Sequence[Units],
    connections: Sequence[ConnectionLike] = (),
    recurrent: Sequence[ConnectionLike] = (),
    *,
    given: Steps | None = None,
    outputs: Steps | None = None,
) -> Wiring:
    """The wiring of a network that runs for so many steps, counted from 1: a group "hidden" is "hidden@3" at step 3.

    `connections` go between groups within a step, from earlier to later ones; `recurrent` ones from any group to any at
    the next step, with weights named "previous source->target" unless told. What comes from a step before the first,
    or from inputs at a step without them, is zero: such connections are left out.

    `given` says at which steps inputs are given, each step unless told; a group of units can be given at step 0, which
    is its state before the first step. `outputs` says which groups are looked at, at which steps: the last group at the
    last step unless told. An example's inputs, and its outputs, stand side by side in the order of the steps, and of
    the groups within a step. Groups on which no output depends are left out.

    Raises OptionError for names or steps that there are not, or groups that cannot be wired so.

    >>> wiring = unrolled(3, 2, [Units("hidden", 4), Units("output", 1)], [("input", "hidden"), ("hidden", "output")],
    ...     [("hidden", "hidden")])
    >>> list(wiring.sizes)
    ['input@1', 'input@2', 'input@3', 'hidden@1', 'hidden@2', 'hidden@3', 'output@3']
    >>> list(wiring.weight_shapes), wiring.parameters
    (['input->hidden', 'previous hidden->hidden', 'hidden->output'], 33)
    """
    named, steps = named_inputs(inputs), whole_number("steps", steps, 1)
    loop = _Loop(
        steps=steps,
        inputs=named,
        units=tuple(units),
        within=tuple(_named(Connection.of(c)) for c in connections),
        onward=tuple(_named(Connection.of(c), "previous ") for c in recurrent),
        given=dict.fromkeys(named, range(1, steps + 1)) | dict(given or {}),
        outputs={u.name: (steps,) for u in units[-1:]} if outputs is None else outputs,
    )
    _check(loop)
    return _without_idle(loop.given_groups(), loop.working_groups(), list(loop.connections()), loop.output_names())


def at(name: str, step: int) -> str:
    """The name of a group at a step."""
    return f"{name}@{step}"


def copies(wiring: Wiring) -> dict[str, int]:
    """How many copies there are of the weights, and of the biases, of each name.

    The gradient divided by them is the average over the copies.

    >>> wiring = unrolled(3, {}, [Units("state", 2)], recurrent=[("state", "state")], given={"state": [0]})
    >>> copies(wiring)
    {'previous state->state': 3, 'state': 3}
    """
    biases = (units.bias_name for units in wiring.units if units.bias_name is not None)
    return dict(Counter([*(c.name for c in wiring.connections), *biases]))


def _named(connection: Connection, prefix: str = "") -> Connection:
    """The connection with its weights named, as its copies must have the same."""
    return connection if connection.weights else replace(connection, weights=prefix + connection.name)


@dataclass(frozen=True)
class _Loop:
    """A network as it is before it is unrolled: its groups, and what connects them."""

    steps: int
    inputs: dict[str, int]
    units: tuple[Units, ...]
    within: tuple[Connection, ...]  # a step
    onward: tuple[Connection, ...]  # from a step to the next
    given: Steps
    outputs: Steps

    @property
    def sizes(self) -> dict[str, int]:
        """How many units each group has, the inputs first."""
        return self.inputs | {u.name: u.size for u in self.units}

    def given_groups(self) -> tuple[tuple[str, int], ...]:
        """The inputs of the unrolled network, and the states before the first step."""
        return tuple((at(name, t), self.sizes[name]) for name, t in self._in_order(self.given))

    def output_names(self) -> tuple[str, ...]:
        """The outputs of the unrolled network."""
        return tuple(at(name, t) for name, t in self._in_order(self.outputs))

    def _in_order(self, when: Steps) -> list[tuple[str, int]]:
        """The groups at their steps, by step, and within a step in the order of the groups."""
        return [(name, t) for t in range(self.steps + 1) for name in self.sizes if t in when.get(name, ())]

    def working_groups(self) -> list[Units]:
        """The groups of units at each step, which share their biases."""
        return [
            replace(u, name=at(u.name, t), bias=u.bias_name or False)
            for t in range(1, self.steps + 1)
            for u in self.units
        ]

    def connections(self) -> Iterator[Connection]:
        """Those within each step and those from the step before, as far as there is something that they come from."""
        there = {*dict(self.given_groups()), *(u.name for u in self.working_groups())}
        for t in range(1, self.steps + 1):
            copied = [_copy(c, t, t) for c in self.within] + [_copy(c, t - 1, t) for c in self.onward]
            yield from (c for c in copied if _comes_from(c, there))


def _copy(connection: Connection, start: int, end: int) -> Connection:
    """The connection from its groups at step `start` to its target at step `end`."""
    sources = tuple(at(name, start) for name in connection.sources)
    return replace(connection, source=sources, target=at(connection.target, end))


def _comes_from(connection: Connection, there: Collection[str]) -> bool:
    """Whether the sources are there; OptionError if only some are."""
    missing = [name for name in connection.sources if name not in there]
    if missing and len(missing) < len(connection.sources):
        raise OptionError(f"{connection.name} comes from several groups, but there is no {', '.join(missing)}.")
    return not missing


def _without_idle(
    inputs: tuple[tuple[str, int], ...],
    groups: Sequence[Units],
    connections: Sequence[Connection],
    outputs: tuple[str, ...],
) -> Wiring:
    """The wiring without groups on which no output depends."""
    needed = set(outputs)
    for group in reversed(groups):
        if group.name in needed:
            needed.update(name for c in connections if c.target == group.name for name in c.sources)
    used = tuple(u for u in groups if u.name in needed)
    return Wiring(inputs, used, tuple(c for c in connections if c.target in needed), outputs)


# checks


def _check(loop: _Loop) -> None:
    if not any(loop.outputs.values()):
        raise OptionError("outputs must name at least one group of units, and a step.")
    names, working = [u.name for u in loop.units], range(1, loop.steps + 1)
    _check_steps(
        "given", loop.given, dict.fromkeys(loop.inputs, range(loop.steps + 1)) | dict.fromkeys(names, range(1))
    )
    _check_steps("outputs", loop.outputs, dict.fromkeys(names, working))
    for connection in (*loop.within, *loop.onward):
        _check_ends(loop, connection)
    for connection in loop.within:
        _check_order(list(loop.sizes), connection)


def _check_steps(what: str, asked: Steps, allowed: Mapping[str, range]) -> None:
    for name, when in asked.items():
        steps = allowed[one_of(f"a name in {what}", name, allowed)]
        if not set(when) <= set(steps):
            raise OptionError(f"{what}: {name} can be so at steps {steps.start} to {steps[-1]}, not at {list(when)}.")


def _check_ends(loop: _Loop, connection: Connection) -> None:
    for name in (*connection.sources, connection.target):
        one_of(f"the groups of the connection {connection.name!r}", name, loop.sizes)
    if connection.target in loop.inputs:
        raise OptionError(f"{connection.name}: inputs are given, no connection goes to them.")


def _check_order(groups: Sequence[str], connection: Connection) -> None:
    if any(groups.index(source) >= groups.index(connection.target) for source in connection.sources):
        raise OptionError(
            f"{connection.name}: connections within a step go from earlier groups to later ones.",
            cure="Let it be one of the recurrent connections, which go to the next step.",
        )
