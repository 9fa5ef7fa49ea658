"""Networks that run in time, as layered networks: the same groups once for each step, with the same weights.

    zⱼ(t) = Σₖ wⱼₖ aₖ(t) + Σₖ uⱼₖ aₖ(t−1) + bⱼ,    aⱼ(t) = σ(zⱼ(t))

Weights and biases are tied by name across the steps, so the derivative with respect to one of them is the *sum* over
its copies, as in PDP. Nature *averages* ∂E/∂w over the copies in place of that; with n copies of a weight this is the
same gradient divided by n, so a rate of n·ε with the average does what ε does with the sum. `copies` counts them.

Source: Rumelhart, Hinton & Williams, Nature 323 (1986), 533-536, figure 5; and Parallel Distributed Processing, volume
1, chapter 8, pages 354-361.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace

from chainrule.checks import one_of, whole_number
from chainrule.errors import OptionError
from chainrule.nn.connected import INPUT, Connection, Units, Wiring

__all__ = ["at", "copies", "unrolled"]

Link = Connection | tuple[str, str]
Steps = Mapping[str, Collection[int]]


def unrolled(
    steps: int,
    inputs: int | Mapping[str, int],
    units: Sequence[Units],
    connections: Sequence[Link] = (),
    recurrent: Sequence[Link] = (),
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
    named = dict(inputs) if isinstance(inputs, Mapping) else {INPUT: inputs}
    sizes = named | {u.name: u.size for u in units}
    steps = whole_number("steps", steps, 1)
    shown = {name: range(1, steps + 1) for name in named} | dict(given or {})
    looked_at = outputs if outputs is not None else {u.name: (steps,) for u in units[-1:]}
    _check_times(steps, named, [u.name for u in units], shown, looked_at)
    now, before = [_link(c) for c in connections], [_link(c, "previous ") for c in recurrent]
    _check_connections(now, before, list(sizes), named)
    fed = tuple((at(name, t), sizes[name]) for name, t in _in_order(sizes, shown, steps))
    ends = tuple(at(name, t) for name, t in _in_order(sizes, looked_at, steps))
    groups = [replace(u, name=at(u.name, t), bias=u.bias_name or False) for t in range(1, steps + 1) for u in units]
    there = {*(name for name, _ in fed), *(u.name for u in groups)}
    links = [c for t in range(1, steps + 1) for c in (*_copied(now, t, t, there), *_copied(before, t - 1, t, there))]
    return _without_idle(fed, groups, links, ends)


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


def _link(connection: Link, prefix: str = "") -> Connection:
    """The connection with its weights named, as its copies must have the same."""
    made = connection if isinstance(connection, Connection) else Connection(*connection)
    return made if made.weights else replace(made, weights=prefix + made.name)


def _in_order(names: Collection[str], when: Steps, steps: int) -> list[tuple[str, int]]:
    """The groups and steps that `when` names, by step, and within a step in the order of the names."""
    return [(name, t) for t in range(steps + 1) for name in names if t in when.get(name, ())]


def _copied(connections: Sequence[Connection], start: int, end: int, there: Collection[str]) -> list[Connection]:
    """The connections from step `start` to step `end` whose sources are there."""
    found = []
    for c in connections:
        sources = tuple(at(name, start) for name in c.sources)
        missing = [name for name in sources if name not in there]
        if missing and len(missing) < len(sources):
            raise OptionError(f"{c.name} comes from several groups, but there is no {', '.join(missing)}.")
        if not missing:
            found.append(replace(c, source=sources, target=at(c.target, end)))
    return found


def _without_idle(
    inputs: tuple[tuple[str, int], ...], groups: Sequence[Units], links: Sequence[Connection], ends: tuple[str, ...]
) -> Wiring:
    """The wiring without groups on which no end depends."""
    needed = set(ends)
    for group in reversed(groups):
        if group.name in needed:
            needed.update(name for c in links if c.target == group.name for name in c.sources)
    used = tuple(u for u in groups if u.name in needed)
    return Wiring(inputs, used, tuple(c for c in links if c.target in needed), ends)


# checks


def _check_times(steps: int, inputs: Mapping[str, int], units: Sequence[str], given: Steps, outputs: Steps) -> None:
    if not any(outputs.values()):
        raise OptionError("outputs must name at least one group of units, and a step.")
    allowed = dict.fromkeys(inputs, range(steps + 1)) | dict.fromkeys(units, range(1))
    for what, asked, known in (
        ("given", given, allowed),
        ("outputs", outputs, dict.fromkeys(units, range(1, steps + 1))),
    ):
        for name, when in asked.items():
            one_of(f"a name in {what}", name, known)
            if not set(when) <= set(known[name]):
                raise OptionError(
                    f"{what}: {name} can be so at steps {known[name].start} to {known[name][-1]}, not at {list(when)}."
                )


def _check_connections(
    now: Sequence[Connection], before: Sequence[Connection], names: Sequence[str], inputs: Collection[str]
) -> None:
    for c in (*now, *before):
        for name in (*c.sources, c.target):
            one_of(f"the groups of the connection {c.name!r}", name, names)
        if c.target in inputs:
            raise OptionError(f"{c.name}: inputs are given, no connection goes to them.")
    for c in now:
        if any(names.index(source) >= names.index(c.target) for source in c.sources):
            raise OptionError(
                f"{c.name}: connections within a step go from earlier groups to later ones.",
                cure="Let it be one of the recurrent connections, which go to the next step.",
            )
