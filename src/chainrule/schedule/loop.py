"""How a program goes round: what steps along, what is collected, what replaces what."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

__all__ = ["Loop"]


@dataclass(frozen=True)
class Loop:
    """How a program goes round: all positions are of the graph's inputs and outputs.

    `updates` maps an output to the input that it replaces for the next round; the inputs in `stepped` are arrays of
    which round t sees row t; the outputs in `collected` become rows of arrays. The inputs in `tables` may have any
    number of rows from one on, because rows are looked up by number and nothing else is done with them: the graph may
    have been traced with any number of them, and the code does not know it.
    """

    updates: Mapping[int, int] = field(default_factory=dict)
    stepped: frozenset[int] = frozenset()
    collected: frozenset[int] = frozenset()
    tables: frozenset[int] = frozenset()
