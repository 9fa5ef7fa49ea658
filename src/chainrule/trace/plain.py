"""How a traced array becomes plain: only where no derivative is lost by it.

What is asked for as a plain number or array must not depend on a variable of a derivative that is being taken, unless
whoever asks makes no number of it: a condition, a comparison, a whole number, a text. What depends on a variable by
steps alone, as `floor` does, or by an integer, has the derivative 0 everywhere, and may always become plain.

The question is asked only when a value is. The walk from the node stops at what is older than the variables, and at
what was found free of them before, so that all questions together visit each node once.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar, Token
from dataclasses import dataclass
from types import TracebackType
from typing import Any
from weakref import WeakSet

import numpy as np

from chainrule.errors import ChainruleError, DifferentiationError, TracingError, line_of
from chainrule.graph import ops
from chainrule.graph.interpret import has_value, value
from chainrule.graph.node import Node
from chainrule.graph.walks import reached

__all__ = [
    "Request", "acts_on", "differentiating", "is_differentiating", "is_transforming", "may_become_plain",
    "plain_value", "shown", "transforming", "without_derivatives",
]  # fmt: skip


# which transformation is active


class transforming:  # noqa: N801 - used as a word: with transforming() as outermost
    """While the block runs a transformation is active; gives whether it is the outermost one.

    NumPy and Python put errors of their own in place of one that is raised while they ask for a number, as in
    `b[0] = x`: what leaves the block is the one that says what was wrong.
    """

    __slots__ = ("_token", "refused")
    refused: ChainruleError | None  # the last refusal of a plain value

    def __enter__(self) -> bool:
        outermost = _TRANSFORMATION.get() is None
        self.refused = None
        self._token: Token[transforming | None] = _TRANSFORMATION.set(self)
        return outermost

    def __exit__(self, kind: Any, problem: BaseException | None, traceback: TracebackType | None) -> None:
        _TRANSFORMATION.reset(self._token)
        refused, self.refused = self.refused, None
        if refused is None or not isinstance(problem, Exception) or isinstance(problem, ChainruleError):
            return
        if refused.where == line_of(traceback):
            raise refused.with_traceback(traceback) from None


_TRANSFORMATION: ContextVar[transforming | None] = ContextVar("transformation", default=None)


def is_transforming() -> bool:
    """Whether a transformation is active."""
    return _TRANSFORMATION.get() is not None


# which derivatives are being taken


class differentiating:  # noqa: N801 - used as a word: with differentiating(variables)
    """While the block runs, a derivative with respect to these nodes is being taken, inside those that already are."""

    __slots__ = ("_free", "_token", "outer", "variables")
    outer: differentiating | None

    def __init__(self, variables: Iterable[Node]) -> None:
        self.variables = frozenset(variables)
        self._free: WeakSet[Node] | None = None  # on which no variable acts; made with the first question

    def __enter__(self) -> None:
        self.outer = _DERIVATIVE.get()
        self._token: Token[differentiating | None] = _DERIVATIVE.set(self)

    def __exit__(self, *problem: object) -> None:
        _DERIVATIVE.reset(self._token)

    def reaches(self, node: Node) -> bool:
        """Whether a variable acts on the node, with a derivative that is not zero everywhere."""
        free = self._free = WeakSet() if self._free is None else self._free
        oldest = min((variable.serial for variable in self.variables), default=0)
        seen = []
        for current in reached([node], lambda n: _acting(n) if n.serial >= oldest and n not in free else ()):
            if current in self.variables:
                return True
            seen.append(current)
        free.update(seen)
        return False


_DERIVATIVE: ContextVar[differentiating | None] = ContextVar("derivative", default=None)


def _acting(node: Node) -> Sequence[Node]:
    """The inputs of a node on which its derivative may depend."""
    if not node.type.is_float or node.op in ops.STEPS:
        return ()
    return node.inputs[node.results :] if node.op is ops.CUSTOM else node.inputs


@contextmanager
def without_derivatives() -> Iterator[None]:
    """While the block runs, nothing is lost by becoming plain, as derivatives come from a rule."""
    token = _DERIVATIVE.set(None)
    try:
        yield
    finally:
        _DERIVATIVE.reset(token)


def is_differentiating() -> bool:
    """Whether a derivative is being taken, seen from where its function runs."""
    return _DERIVATIVE.get() is not None


def acts_on(node: Node) -> bool:
    """Whether a variable of a derivative that is being taken acts on a node."""
    derivative = _DERIVATIVE.get()
    while derivative is not None:
        if derivative.reaches(node):
            return True
        derivative = derivative.outer
    return False


# asking for values


@dataclass(frozen=True, slots=True)
class Request:
    """Who asks for a plain value, and what to write instead."""

    who: str
    cure: str


def plain_value(node: Node, request: Request) -> np.ndarray[Any, Any]:
    """The value of a node, to be read only.

    DifferentiationError if a derivative would be lost by it; TracingError if the value is not known.
    """
    found = shown(node, request.cure)
    if acts_on(node):
        raise _noted(
            DifferentiationError(
                f"{request.who} takes the plain value of {node.type}, which depends on a variable of a derivative, and "
                "that derivative would be lost.",
                cure=f"{request.cure} Where no derivative is wanted, ask cr.stop_gradient(x) in place of x.",
            )
        )
    return found


def may_become_plain(node: Node) -> bool:
    """Whether the value of a node is known, and no derivative would be lost by making it plain."""
    return has_value(node) and not acts_on(node)


def shown(node: Node, cure: str = "") -> np.ndarray[Any, Any]:
    """The value of a node, to be read only, for what makes no number of it; TracingError if it is not known."""
    try:
        found = value(node).view()
    except TracingError as problem:
        raise _noted(TracingError(problem.what, cure=f"{cure} {problem.cure}".strip())) from None
    found.flags.writeable = False
    return found


def _noted(refused: ChainruleError) -> ChainruleError:
    """The same error, kept in case that another takes its place."""
    transformation = _TRANSFORMATION.get()
    if transformation is not None:
        transformation.refused = refused
    return refused
