"""Batching: what a program computes of one example, computed of all examples of a batch at once.

Visit the nodes that depend on the examples, in order, and apply each one's batch rule. What does not depend on them is
computed once, as it was.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from chainrule.derive.batch_rules import BATCH, BATCH_TOGETHER
from chainrule.graph import ops
from chainrule.graph.node import Node, between, results
from chainrule.trace.array import Array
from chainrule.trace.origins import carry_origins, origins_of

__all__ = ["batch"]


def batch(outputs: Sequence[Node], examples: Mapping[Node, Array], size: int) -> list[tuple[Array, bool]]:
    """Each output for a batch of `size` examples, and whether it has the batch as its first axis.

    `examples` gives, for each node that stands for one example, the array of all of them.
    """
    whole: dict[Node, Array] = dict(examples)
    for node in between(examples, outputs):
        if node not in whole and node.op is not ops.RESULT:
            _batch(node, whole, size)
    return [(whole.get(node, Array(node)), node in whole) for node in outputs]


def _batch(node: Node, whole: dict[Node, Array], size: int) -> None:
    inputs = [whole.get(n, Array(n)) for n in node.inputs]
    batched = [n in whole for n in node.inputs]
    if node.op in BATCH_TOGETHER:
        found = BATCH_TOGETHER[node.op](node, inputs, batched, size, batch)
        whole.update(zip(results(node), found, strict=True))
    else:
        whole[node] = BATCH[node.op](node, inputs, batched, size)
        carry_origins(whole[node].node, origins_of(node))
