"""Where the nodes of a program were written: notes that are taken while a function is looked at to be compiled."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from chainrule.errors import user_line
from chainrule.graph import ops
from chainrule.graph.graph import Origin
from chainrule.graph.node import Data, Node
from chainrule.graph.types import plain_array

__all__ = ["RECORDER", "Recorder", "all_origins", "carry_origins", "is_recording", "origins_of", "recording", "scope"]


@dataclass(slots=True)
class Recorder:
    """Where the nodes made while it is active were written."""

    origins: dict[Node, tuple[Origin, ...]] = field(default_factory=dict)
    layer: str = ""
    backward_of: Node | None = None
    captured: dict[int, tuple[Any, Node]] = field(default_factory=dict)  # by identity, with what must live as long

    def capture(self, x: np.ndarray[Any, Any]) -> Node:
        """A plain array as part of the program, which reads it whenever it runs."""
        if id(x) not in self.captured:
            array = plain_array(x)
            turned = array.flags.f_contiguous and not array.flags.c_contiguous  # what is read is in row-major order
            found = Node(ops.CONSTANT, (), (Data(array.T if turned else array.view(), shared=True),))
            self.captured[id(x)] = x, self._turned(found) if turned else found
        return self.captured[id(x)][1]

    def _turned(self, node: Node) -> Node:
        turned = Node(ops.TRANSPOSE, (node,), (tuple(range(node.type.rank))[::-1],))
        self.note(turned)
        return turned

    def note(self, node: Node) -> None:
        """Remember where the node was written, and what it was made of that nobody wrote.

        A backward node belongs to the line of the one it answers for.
        """
        for part in node.inputs:
            if part not in self.origins and part.op not in ops.LEAVES:
                self.note(part)
        forward = self.origins.get(self.backward_of, ()) if self.backward_of else ()
        if forward:
            origin = Origin(forward[0].file, forward[0].line, forward[0].layer, self.backward_of)
        else:
            file, line = user_line() or ("", 0)
            origin = Origin(file, line, self.layer, self.backward_of)
        known = self.origins.get(node, ())
        if origin not in known:
            self.origins[node] = (*known, origin)


#: Who takes notes now, if a program is being traced to be compiled.
RECORDER: ContextVar[Recorder | None] = ContextVar("recorder", default=None)


@contextmanager
def recording(notes: Recorder | None) -> Iterator[None]:
    """While the block runs, note where nodes come from."""
    token = RECORDER.set(notes)
    try:
        yield
    finally:
        RECORDER.reset(token)


def is_recording() -> bool:
    """Whether a program is being traced to be compiled."""
    return RECORDER.get() is not None


@contextmanager
def scope(layer: str = "", backward_of: Node | None = None) -> Iterator[None]:
    """While the block runs, new nodes belong to a layer, or answer for a forward node."""
    notes = RECORDER.get()
    if notes is None:
        yield
        return
    before = notes.layer, notes.backward_of
    notes.layer, notes.backward_of = layer or before[0], backward_of or before[1]
    try:
        yield
    finally:
        notes.layer, notes.backward_of = before


def all_origins() -> Mapping[Node, tuple[Origin, ...]]:
    """Where nodes were written, as far as anybody is taking notes."""
    notes = RECORDER.get()
    return notes.origins if notes else {}


def origins_of(node: Node) -> tuple[Origin, ...]:
    """Where a node was written, as far as anybody is taking notes."""
    return all_origins().get(node, ())


def carry_origins(node: Node, origins: tuple[Origin, ...]) -> None:
    """Note that a node comes from where another was written."""
    notes = RECORDER.get()
    if notes is not None:
        notes.origins.setdefault(node, origins)
