"""The changes of results for small changes of variables, by the walk that gets them right.

Pushing forward is enough, unless a distance may be 0 on the way and the change is differentiated in turn: what the
limit of δ/r is, only the error δ knows (see `distances`). Then the change is pulled twice: Jᵀε is linear in the error
ε, and the derivative of ⟨Jᵀε, t⟩ by ε is J·t.
"""

from __future__ import annotations

from collections.abc import Sequence

from chainrule.derive.backpropagation import backpropagate
from chainrule.derive.distances import is_measured
from chainrule.derive.forward import push_forward
from chainrule.graph import ops
from chainrule.graph.graph import Graph
from chainrule.graph.node import Node, between, full
from chainrule.trace.arithmetic import total
from chainrule.trace.array import Array
from chainrule.trace.promotion import variable

__all__ = ["changes_of"]


def changes_of(outputs: Sequence[Node], changes: Sequence[tuple[Node, Array]]) -> list[Array | None]:
    """The change of each output for these changes of variables; None where there is none."""
    path = between([node for node, _ in changes], outputs, floats=True)
    if not any(map(is_measured, path)) or any(map(_goes_forward_only, path)):
        return push_forward(changes, outputs)
    errors = {node: variable(Array(full(0, node.type))) for node in outputs if node in path}
    pulled = backpropagate(errors.items(), [node for node, _ in changes])
    products = [total(p * t) for p, (_, t) in zip(pulled, changes, strict=True)]
    given = [(product.node, Array(full(1, product.node.type))) for product in products]
    found = dict(zip(errors, backpropagate(given, [e.node for e in errors.values()]), strict=True))
    return [found.get(node) for node in outputs]


def _goes_forward_only(node: Node) -> bool:
    """Whether a node is, or runs, a loop of unknown length or a rule of a user's: the one has no way back."""
    if node.op in (ops.WHILE, ops.CUSTOM):
        return True
    programs = (a for a in node.attributes if isinstance(a, Graph)) if node.op in ops.CONTROL else ()
    return any(_goes_forward_only(n) for program in programs for n in program.nodes())
