"""The derivatives and batches of operations that run programs: scan, while, cond; and of those with rules of their own.

A rule is given the walk that it takes inside the program (`backpropagate`, `push_forward` or `batch`), so that loops in
loops need nothing more. The derivative of a loop is a loop:

    backward   the rounds in reverse order; carried are the errors of what was carried and of what all rounds use. The
               values carried forward are kept, one row a round; all else in a round is computed again.
    forward    the same loop, carrying each value with its change
    batch      the same loop, carrying a batch of what differs from member to member
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from chainrule.errors import DifferentiationError
from chainrule.graph import ops
from chainrule.graph.graph import Graph
from chainrule.graph.node import Node, between, full
from chainrule.graph.types import Type
from chainrule.trace.arithmetic import binary
from chainrule.trace.array import Array, Maybe
from chainrule.trace.control import branched, instantiated, placeholders, repeated, results_of, scanned
from chainrule.trace.primitives import apply, broadcast, moved_axis, reduced, reshape
from chainrule.trace.promotion import variable

__all__ = [
    "batch_cond", "batch_custom", "batch_scan", "batch_while", "pull_cond", "pull_custom", "pull_scan", "pull_while",
    "push_cond", "push_custom", "push_scan", "push_while",
]  # fmt: skip

ProgramWalk = Callable[..., Any]


def _zeros(x: Array) -> Array:
    return Array(full(0, x.node.type))


def _filled(tangents: Sequence[Maybe], like: Sequence[Array]) -> list[Maybe]:
    """Zeros where a number has no error or change; None where there are no floating-point numbers."""
    return [
        (_zeros(x) if t is None else t) if x.node.type.is_float else None for t, x in zip(tangents, like, strict=True)
    ]


def _present(items: Sequence[Maybe]) -> list[Array]:
    return [item for item in items if item is not None]


def _given(items: Sequence[Maybe]) -> list[int]:
    """The positions of those that are not None."""
    return [n for n, item in enumerate(items) if item is not None]


def _wanted(flags: Sequence[bool]) -> list[int]:
    """The positions of those that are wanted."""
    return [n for n, is_wanted in enumerate(flags) if is_wanted]


def _spread(items: Sequence[Array], positions: Sequence[int], count: int) -> list[Maybe]:
    """The items at their positions among `count`, None elsewhere."""
    found: dict[int, Array] = dict(zip(positions, items, strict=True))
    return [found.get(n) for n in range(count)]


def _chosen(items: Sequence[Any], wanted: Sequence[bool]) -> list[Any]:
    return [item for item, is_wanted in zip(items, wanted, strict=True) if is_wanted]


def _marked(arrays: Sequence[Array], wanted: Sequence[bool] | None = None) -> list[Array]:
    """The arrays as variables of a derivative: all of them, or those that are wanted."""
    return [variable(x) if w else x for x, w in zip(arrays, wanted or [True] * len(arrays), strict=True)]


def _nodes(*groups: Sequence[Array]) -> list[Node]:
    return [x.node for group in groups for x in group]


def _groups(items: Sequence[Array], counts: Sequence[int]) -> list[list[Array]]:
    """The items in groups of so many, one after the other; what is left is a group too."""
    left = iter(items)
    return [*(list(itertools.islice(left, count)) for count in counts), list(left)]


def _flat(function: Callable[..., Sequence[Sequence[Array]]], *counts: int) -> Callable[..., list[Array]]:
    """A function from and to groups, as one of all arguments and all results: the first groups are of so many."""
    return lambda *arguments: [x for group in function(*_groups(arguments, counts)) for x in group]


# rules that users gave


def pull_custom(
    errors: Sequence[Maybe], y: Array, inputs: Sequence[Array], wanted: Sequence[bool], walk: ProgramWalk
) -> list[Maybe]:
    """The errors that the user's rule gives for the arguments."""
    rule, count = y.node.attributes
    filled = _filled(errors, inputs[:count])
    return [*[None] * count, *rule.pull(filled, inputs[:count], inputs[count:], walk)]


def push_custom(tangents: Sequence[Maybe], y: Array, inputs: Sequence[Array], walk: ProgramWalk) -> list[Maybe]:
    """The changes that the user's rule gives for the results."""
    rule, count = y.node.attributes
    filled = _filled(tangents[count:], inputs[count:])
    return list(rule.push(filled, inputs[:count], inputs[count:], walk))


def batch_custom(
    y: Node, inputs: Sequence[Array], batched: Sequence[bool], size: int, walk: ProgramWalk
) -> list[Array]:
    """The same results with the rule for a batch."""
    rule, count = y.attributes
    wide = [_repeated(x, is_batched, size) for x, is_batched in zip(inputs, batched, strict=True)]
    return results_of(Node(ops.CUSTOM, tuple(x.node for x in wide), (rule.batched(size), count)))


# scan


@dataclass(frozen=True, slots=True)
class _Scan:
    """The parts of a scan, or what is known of each of them."""

    body: Graph
    carry: Sequence[Any]
    stepped: Sequence[Any]
    constants: Sequence[Any]
    length: int
    reverse: bool

    def outputs(self, carry: Sequence[Array], rows: Sequence[Array], constants: Sequence[Array]) -> list[Array]:
        """One round."""
        return instantiated(self.body, [*carry, *rows, *constants])


def _scan(node: Node, inputs: Sequence[Any]) -> _Scan:
    body, carried, stepped, length, reverse = node.attributes
    split = carried + stepped
    return _Scan(body, inputs[:carried], inputs[carried:split], inputs[split:], length, reverse)


def _carries_before(scan: _Scan) -> list[Array]:
    """What is carried into each round, one row a round."""

    def saving(*arguments: Array) -> list[Array]:
        before, rows = arguments[: len(scan.carry)], arguments[len(scan.carry) :]
        return [*scan.outputs(before, rows, scan.constants), *before]

    collected = scanned(saving, scan.carry, scan.stepped, scan.length, reverse=scan.reverse)[1]
    return collected[len(collected) - len(scan.carry) :]


def pull_scan(
    errors: Sequence[Maybe], y: Array, inputs: Sequence[Array], wanted: Sequence[bool], walk: ProgramWalk
) -> list[Maybe]:
    """The errors of what was carried in, of the rows, and of what all rounds use."""
    scan, is_wanted = _scan(y.node, inputs), _scan(y.node, wanted)
    carried = len(scan.carry)
    carry_errors, row_errors = _filled(errors[:carried], scan.carry), errors[carried:]
    moving, shared = _given(carry_errors), _wanted(is_wanted.constants)
    results = [*moving, *(carried + n for n in _given(row_errors))]

    def one_round(
        later: list[Array], sums: list[Array], before: list[Array], rows: list[Array], given: list[Array]
    ) -> list[list[Array]]:
        """From the errors after the round, those before it; of what all rounds use, the sums so far."""
        before, rows, used = _marked(before), _marked(rows), _marked(scan.constants, is_wanted.constants)
        outputs = scan.outputs(before, rows, used)
        pairs = [(outputs[n].node, error) for n, error in zip(results, [*later, *given], strict=True)]
        sources = [[before[n] for n in moving], [used[n] for n in shared], _chosen(rows, is_wanted.stepped)]
        of_before, of_used, of_rows = _groups(walk(pairs, _nodes(*sources)), (len(moving), len(shared)))
        return [of_before, [binary(ops.ADD, s, e) for s, e in zip(sums, of_used, strict=True)], of_rows]

    final, rows = scanned(
        _flat(one_round, len(moving), len(shared), carried, len(scan.stepped)),
        [*_present(carry_errors), *(_zeros(scan.constants[n]) for n in shared)],
        [*_carries_before(scan), *scan.stepped, *_present(row_errors)],
        scan.length,
        reverse=not scan.reverse,
    )
    of_carry, of_constants = _groups(final, (len(moving),))
    return [
        *_spread(of_carry, moving, carried),
        *_spread(rows, _wanted(is_wanted.stepped), len(scan.stepped)),
        *_spread(of_constants, shared, len(scan.constants)),
    ]


def push_scan(tangents: Sequence[Maybe], y: Array, inputs: Sequence[Array], walk: ProgramWalk) -> list[Maybe]:
    """The changes of the results."""
    scan, changes = _scan(y.node, inputs), _scan(y.node, tangents)
    carried, count = len(scan.carry), len(scan.body.outputs)
    carry_changes = _filled(changes.carry, scan.carry)
    moving, of_rows = _given(carry_changes), _given(changes.stepped)
    used = _marked(scan.constants, [t is not None for t in changes.constants])
    steady = [(c.node, t) for c, t in zip(used, changes.constants, strict=True) if t is not None]
    changing: list[int] = []  # the rows' results that change, known after a look at a round

    def one_round(
        before: list[Array], moved: list[Array], rows: list[Array], moved_rows: list[Array]
    ) -> list[list[Array]]:
        """What is carried on with its change, then the row's results with those of them that change."""
        before, rows = _marked(before), _marked(rows)
        sources = [*(before[n] for n in moving), *(rows[n] for n in of_rows)]
        outputs = scan.outputs(before, rows, used)
        pairs = [*zip(_nodes(sources), [*moved, *moved_rows], strict=True), *steady]
        found = walk(pairs, _nodes(outputs))
        after = _present(_filled(found[:carried], outputs[:carried]))
        changing[:] = [n for n in _given(found) if n >= carried]
        return [outputs[:carried], after, outputs[carried:], [found[n] for n in changing]]

    final, collected = scanned(
        _flat(one_round, carried, len(moving), len(scan.stepped)),
        [*scan.carry, *_present(carry_changes)],
        [*scan.stepped, *_present(changes.stepped)],
        scan.length,
        reverse=scan.reverse,
    )
    return _spread([*final[carried:], *collected[count - carried :]], [*moving, *changing], count)


def batch_scan(y: Node, inputs: Sequence[Array], batched: Sequence[bool], size: int, walk: ProgramWalk) -> list[Array]:
    """The results of every member of the batch."""
    scan, wide = _scan(y, inputs), _scan(y, batched)
    differs = _reached(scan.body, len(scan.carry), batched)
    carry = [
        _repeated(c, w, size) if n in differs else c
        for n, (c, w) in enumerate(zip(scan.carry, wide.carry, strict=True))
    ]
    stepped = [moved_axis(s, 0, 1) if w else s for s, w in zip(scan.stepped, wide.stepped, strict=True)]
    is_wide = [n in differs for n in range(len(carry))] + [*wide.stepped, *wide.constants]
    rows_wide: list[bool] = []

    def one_round(*arguments: Array) -> list[Array]:
        outputs = _batched_outputs(scan.body, [*arguments, *scan.constants], is_wide, size, walk)
        rows_wide[:] = [w for _, w in outputs[len(carry) :]]
        return [_repeated(x, w, size) if n in differs else x for n, (x, w) in enumerate(outputs)]

    final, rows = scanned(one_round, carry, stepped, scan.length, reverse=scan.reverse)
    rows = [moved_axis(r, 0, 1) if w else r for r, w in zip(rows, rows_wide, strict=True)]
    return [_repeated(x, w, size) for x, w in zip([*final, *rows], [*is_wide[: len(carry)], *rows_wide], strict=True)]


def _reached(body: Graph, carried: int, sources: Sequence[bool], *, floats: bool = False) -> set[int]:
    """The positions of what is carried on which the sources among the inputs act, in one round or in several."""
    acting = {n for n, is_source in enumerate(sources) if is_source}
    while True:
        active = between([body.inputs[n] for n in acting], body.outputs, floats=floats)
        found = {n for n, output in enumerate(body.outputs[:carried]) if output in active}
        if found <= acting:
            return {n for n in acting if n < carried}
        acting |= found


def _batched_outputs(
    program: Graph, arguments: Sequence[Array], batched: Sequence[bool], size: int, walk: ProgramWalk
) -> list[tuple[Array, bool]]:
    """The outputs of a program for a batch of those arguments that are batched, and which of them are."""
    whole = {n: arguments[n] for n in _wanted(batched)}
    members = dict(zip(whole, placeholders([_member(x) for x in whole.values()]), strict=True))
    outputs = instantiated(program, [members.get(n, x) for n, x in enumerate(arguments)])
    return list(walk(_nodes(outputs), {members[n].node: x for n, x in whole.items()}, size))


def _batch_of_outputs(
    program: Graph, arguments: Sequence[Array], batched: Sequence[bool], size: int, walk: ProgramWalk
) -> list[Array]:
    """The same, every one of them batched."""
    return [_repeated(x, w, size) for x, w in _batched_outputs(program, arguments, batched, size, walk)]


def _member(x: Array) -> Type:
    return x.node.type.with_shape(x.shape[1:])


def _repeated(x: Array, is_batched: bool, size: int) -> Array:
    return x if is_batched else broadcast(x, (size, *x.shape))


# while


def pull_while(
    errors: Sequence[Maybe], y: Array, inputs: Sequence[Array], wanted: Sequence[bool], walk: ProgramWalk
) -> list[Maybe]:
    """None where a variable acts on the results by way of the condition alone; else there is no rule.

    How many rounds were run, and so what must be kept, is not known beforehand.
    """
    changing = _reached(y.node.body, y.node.carried, wanted, floats=True)
    if changing.isdisjoint(_given(errors)):
        return [None] * len(inputs)
    raise DifferentiationError(
        "while_loop cannot be differentiated backward, as the number of its rounds is not known beforehand.",
        cure="Use cr.scan with a fixed length, cr.jvp (which goes forward), or Python's while without compiling.",
    )


def push_while(tangents: Sequence[Maybe], y: Array, inputs: Sequence[Array], walk: ProgramWalk) -> list[Maybe]:
    """The changes of what is carried, carried along."""
    condition, body, carried = y.node.attributes
    carry, constants = inputs[:carried], inputs[carried:]
    changes = _filled(tangents[:carried], carry)
    moving = _given(changes)
    used = _marked(constants, [t is not None for t in tangents[carried:]])
    steady = [(c.node, t) for c, t in zip(used, tangents[carried:], strict=True) if t is not None]

    def holds(*arguments: Array) -> list[Array]:
        return instantiated(condition, [*arguments[:carried], *constants])

    def one_round(before: list[Array], moved: list[Array]) -> list[list[Array]]:
        before = _marked(before)
        outputs = instantiated(body, [*before, *used])
        found = walk([*zip(_nodes([before[n] for n in moving]), moved, strict=True), *steady], _nodes(outputs))
        return [outputs, _present(_filled(found, outputs))]

    final = repeated(holds, _flat(one_round, carried), [*carry, *_present(changes)])
    return _spread(final[carried:], moving, carried)


def batch_while(y: Node, inputs: Sequence[Array], batched: Sequence[bool], size: int, walk: ProgramWalk) -> list[Array]:
    """Rounds as long as one member of the batch needs them; those that need no more stay as they are.

    Where all members have the same number of rounds, only what differs between them is a batch.
    """
    condition, body, carried = y.attributes
    differs = _reached(body, carried, batched)
    sources = [condition.inputs[n] for n, w in enumerate(batched) if w or n in differs]
    if condition.outputs[0] in between(sources, condition.outputs):
        return _each_its_rounds(y, inputs, batched, size, walk)
    carry = [_repeated(x, batched[n], size) if n in differs else x for n, x in enumerate(inputs[:carried])]
    constants, is_wide = inputs[carried:], [*(n in differs for n in range(carried)), *batched[carried:]]

    def holds(*arguments: Array) -> list[Array]:
        return instantiated(condition, [*arguments, *constants])

    def one_round(*arguments: Array) -> list[Array]:
        after = _batched_outputs(body, [*arguments, *constants], is_wide, size, walk)
        return [_repeated(x, w, size) if n in differs else x for n, (x, w) in enumerate(after)]

    final = repeated(holds, one_round, carry)
    return [_repeated(x, w, size) for x, w in zip(final, is_wide, strict=False)]


def _each_its_rounds(
    y: Node, inputs: Sequence[Array], batched: Sequence[bool], size: int, walk: ProgramWalk
) -> list[Array]:
    condition, body, carried = y.attributes
    carry = [_repeated(x, w, size) for x, w in zip(inputs[:carried], batched[:carried], strict=True)]
    constants, is_wide = inputs[carried:], [*[True] * carried, *batched[carried:]]

    def going(arguments: Sequence[Array]) -> Array:
        return _batch_of_outputs(condition, [*arguments, *constants], is_wide, size, walk)[0]

    def holds(*arguments: Array) -> list[Array]:
        return [reduced(ops.MAX, going(arguments), None, False)]

    def one_round(*arguments: Array) -> list[Array]:
        after = _batch_of_outputs(body, [*arguments, *constants], is_wide, size, walk)
        active = going(arguments)
        return [_selected(active, new, old) for new, old in zip(after, arguments, strict=True)]

    return repeated(holds, one_round, carry)


def _selected(condition: Array, a: Array, b: Array) -> Array:
    """`a` for the members of the batch of which the condition holds, else `b`."""
    spread = broadcast(reshape(condition, (*condition.shape, *[1] * (a.ndim - 1))), a.shape)
    return apply(ops.SELECT, spread.node, a.node, b.node)


# cond


def pull_cond(
    errors: Sequence[Maybe], y: Array, inputs: Sequence[Array], wanted: Sequence[bool], walk: ProgramWalk
) -> list[Maybe]:
    """The errors that go through the branch that was taken."""
    given, operands = _given(errors), inputs[1:]

    def pulled(program: Graph) -> Callable[..., list[Array]]:
        def branch(arguments: list[Array], later: list[Array]) -> list[list[Array]]:
            variables = _marked(arguments)
            outputs = instantiated(program, variables)
            pairs = [(outputs[n].node, error) for n, error in zip(given, later, strict=True)]
            return [walk(pairs, _nodes(_chosen(variables, wanted[1:])))]

        return _flat(branch, len(operands))

    if_true, if_false = y.node.attributes
    found = branched(inputs[0], pulled(if_true), pulled(if_false), [*operands, *_present(errors)])
    return _spread(found, [n + 1 for n in _wanted(wanted[1:])], len(inputs))


def push_cond(tangents: Sequence[Maybe], y: Array, inputs: Sequence[Array], walk: ProgramWalk) -> list[Maybe]:
    """The changes that come out of the branch that was taken."""
    operands, given = inputs[1:], _given(tangents[1:])
    if_true, if_false = y.node.attributes
    float_results = [n for n, node in enumerate(if_true.outputs) if node.type.is_float]

    def pushed(program: Graph) -> Callable[..., list[Array]]:
        def branch(arguments: list[Array], changes: list[Array]) -> list[list[Array]]:
            variables = _marked(arguments)
            outputs = instantiated(program, variables)
            pairs = list(zip(_nodes([variables[n] for n in given]), changes, strict=True))
            return [_present(_filled(walk(pairs, _nodes(outputs)), outputs))]

        return _flat(branch, len(operands))

    found = branched(inputs[0], pushed(if_true), pushed(if_false), [*operands, *_present(tangents[1:])])
    return _spread(found, float_results, len(if_true.outputs))


def batch_cond(y: Node, inputs: Sequence[Array], batched: Sequence[bool], size: int, walk: ProgramWalk) -> list[Array]:
    """One branch for all, if the condition is the same for all; else both, and of each member the one it takes."""
    operands, is_wide = inputs[1:], batched[1:]

    def widened(program: Graph) -> Callable[..., list[Array]]:
        return lambda *arguments: _batch_of_outputs(program, arguments, is_wide, size, walk)

    if_true, if_false = map(widened, y.attributes)
    if not batched[0]:
        return branched(inputs[0], if_true, if_false, operands)
    taken, other = if_true(*operands), if_false(*operands)
    return [_selected(inputs[0], a, b) for a, b in zip(taken, other, strict=True)]
