"""Walks through what is made of other things, as nodes are of nodes: without recursion, as chains are long."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
from typing import TypeVar

__all__ = ["post_order", "reached"]

T = TypeVar("T", bound=Hashable)


def post_order(roots: Iterable[T], below: Callable[[T], Sequence[T]]) -> list[T]:
    """Everything from the roots down, once: what a thing is made of before the thing, first roots first.

    `below` says what a thing is made of, or the part of it that the walk is to visit.

    >>> post_order([12], {12: (4, 6), 6: (2, 3), 4: (2, 2), 3: (), 2: ()}.__getitem__)
    [2, 4, 3, 6, 12]
    """
    order: dict[T, None] = {}
    opened: set[T] = set()
    stack = list(roots)[::-1]
    while stack:
        thing = stack[-1]
        if thing in opened:
            order[stack.pop()] = None
        else:
            opened.add(thing)
            stack.extend(below(thing)[::-1])
    return list(order)


def reached(roots: Iterable[T], below: Callable[[T], Iterable[T]]) -> Iterator[T]:
    """Everything from the roots down, once, a thing before what it is made of: to look for something.

    >>> next(n for n in reached([12], {12: (4, 6), 6: (2, 3), 4: (2, 2), 3: (), 2: ()}.__getitem__) if n % 2)
    3
    """
    stack = list(roots)
    seen: set[T] = set()
    while stack:
        thing = stack.pop()
        if thing not in seen:
            seen.add(thing)
            yield thing
            stack.extend(below(thing))
