"""Trees of arrays: tuples, lists, dicts, named tuples and dataclasses, nested in any way.

`flatten` takes a tree apart into its leaves and its structure; `unflatten` puts leaves back. None, strings, callables
and dtypes are not leaves: they belong to the structure, so a network's activation stays where it is; and so do the
fields of a dataclass that say `field(metadata={"static": True})`, whose values must be hashable.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Iterator
from typing import Any, NamedTuple

import numpy as np

from chainrule.errors import ShapeError

__all__ = [
    "Branch", "Structure", "flatten", "matched", "part", "paths", "routes", "statics", "tree_map", "unflatten",
    "written",
]  # fmt: skip


class Structure(NamedTuple):
    """The shape of a tree without its leaves: what kind of node, its keys, its children. Hashable."""

    kind: Any  # type of the container; None for a leaf; "static" for a part that is no array
    keys: tuple[Any, ...] = ()
    children: tuple[Structure, ...] = ()

    @property
    def leaves(self) -> int:
        """How many leaves the tree has."""
        return 1 if self.kind is None else sum(child.leaves for child in self.children)


_LEAF = Structure(None)


def flatten(tree: Any) -> tuple[list[Any], Structure]:
    """The leaves of a tree from left to right, and its structure.

    >>> leaves, structure = flatten({"w": [1.0, 2.0], "b": (3.0,)})
    >>> leaves
    [1.0, 2.0, 3.0]
    >>> unflatten(structure, leaves)
    {'w': [1.0, 2.0], 'b': (3.0,)}
    """
    leaves: list[Any] = []
    return leaves, _flatten(tree, leaves)


_LEAVES = frozenset({np.ndarray, float, np.float64, np.float32})


def _flatten(tree: Any, leaves: list[Any]) -> Structure:
    if type(tree) in _LEAVES:  # the commonest, at once
        leaves.append(tree)
        return _LEAF
    parts = None if isinstance(tree, _Static) else _parts(tree)
    if parts is not None:
        keys, values = parts
        return Structure(type(tree), keys, tuple(_flatten(value, leaves) for value in values))
    if isinstance(tree, _Static):
        return Structure("static", (tree.value,))
    if _is_static(tree):
        return Structure("static", (tree,))
    leaves.append(tree)
    return _LEAF


def _parts(tree: Any) -> tuple[tuple[Any, ...], Iterable[Any]] | None:
    """The keys and children of a container; None for anything else."""
    if isinstance(tree, (tuple, list)):
        return tuple(range(len(tree))), tree
    if isinstance(tree, dict):
        return tuple(tree), tree.values()
    if dataclasses.is_dataclass(tree) and not isinstance(tree, type):
        fields = dataclasses.fields(tree)
        values = [_Static(v) if f.metadata.get("static") else v for f in fields for v in [getattr(tree, f.name)]]
        return tuple(f.name for f in fields), values
    return None


class _Static(NamedTuple):
    """The value of a field that belongs to the structure."""

    value: Any


def _is_static(value: Any) -> bool:
    return value is None or isinstance(value, (str, bytes, type, np.dtype)) or callable(value)


def statics(structure: Structure) -> Iterator[Any]:
    """What belongs to a structure and is no array: strings, functions, values of static fields."""
    if structure.kind == "static":
        yield structure.keys[0]
    for child in structure.children:
        yield from statics(child)


def unflatten(structure: Structure, leaves: Iterable[Any]) -> Any:
    """The tree of the given structure with the given leaves."""
    return _unflatten(structure, iter(leaves))


def _unflatten(structure: Structure, leaves: Iterator[Any]) -> Any:
    if structure.kind is None:
        return next(leaves)
    if structure.kind == "static":
        return structure.keys[0]
    children = [_unflatten(child, leaves) for child in structure.children]
    return _assembled(structure.kind, structure.keys, children)


def _assembled(kind: Any, keys: tuple[Any, ...], children: list[Any]) -> Any:
    if issubclass(kind, dict):
        made = kind.__new__(kind)  # a kind of its own may be made from something else than pairs
        made.update(zip(keys, children, strict=True))
        return made
    if issubclass(kind, tuple):
        return kind(*children) if hasattr(kind, "_fields") else kind(children)
    if issubclass(kind, list):
        return kind(children)
    made = object.__new__(kind)  # a dataclass: its own checks are for users' values, not for what stands for them
    for key, child in zip(keys, children, strict=True):
        object.__setattr__(made, key, child)
    return made


def tree_map(function: Callable[..., Any], tree: Any, *others: Any) -> Any:
    """The tree with `function` applied to its leaves, side by side with those of trees of the same structure.

    Raises ShapeError if the structures differ.

    >>> tree_map(lambda w, g: w - 0.5 * g, [1.0, (2.0,)], [2.0, (0.0,)])
    [0.0, (2.0,)]
    """
    leaves, structure = flatten(tree)
    columns = [leaves]
    for other in others:
        more, same = flatten(other)
        if same != structure:
            raise ShapeError("tree_map needs trees of one structure.")
        columns.append(more)
    return unflatten(structure, [function(*row) for row in zip(*columns, strict=True)])


def matched(tree: Any, structure: Structure) -> list[Any] | None:
    """The leaves of a tree in the order of a structure; None if the tree does not fit it.

    What has names is matched by them, in whatever order; lists and tuples by position. A part that is None has None for
    every leaf that belongs there.

    >>> matched({"b": 2.0, "a": None}, flatten({"a": (0.0, 0.0), "b": 0.0})[1])
    [None, None, 2.0]
    """
    leaves, found = flatten(tree)
    return _matched(found, leaves, structure)


def _matched(found: Structure, leaves: list[Any], wanted: Structure) -> list[Any] | None:
    if found.kind == "static" or wanted.kind == "static":
        absent = found.keys == (None,) if found.kind == "static" else False
        return [None] * wanted.leaves if absent or found.kind == wanted.kind else None
    if found.kind is None or wanted.kind is None:
        return leaves if found.kind is wanted.kind else None
    if set(found.keys) != set(wanted.keys):
        return None
    parts, start = {}, 0
    for key, child in zip(found.keys, found.children, strict=True):
        parts[key] = child, leaves[start : start + child.leaves]
        start += child.leaves
    rows = [_matched(*parts[key], child) for key, child in zip(wanted.keys, wanted.children, strict=True)]
    return None if any(row is None for row in rows) else [leaf for row in rows if row is not None for leaf in row]


class Branch(NamedTuple):
    """A step down a tree: the kind of the container, and the name or number of its part."""

    kind: type
    key: Any


def routes(structure: Structure) -> list[tuple[Branch, ...]]:
    """The steps that lead to each leaf."""
    if structure.kind is None:
        return [()]
    if structure.kind == "static":
        return []
    named = zip(structure.keys, structure.children, strict=True)
    return [(Branch(structure.kind, key), *route) for key, child in named for route in routes(child)]


def written(route: Iterable[Branch], root: str = "") -> str:
    """A route as one would write it: `layers[0].w`, `["b"][1]`."""
    for step in route:
        is_item = issubclass(step.kind, dict) or isinstance(step.key, int)
        root += f"[{step.key!r}]" if is_item else f".{step.key}" if root else step.key
    return root


def paths(structure: Structure, root: str = "") -> list[str]:
    """The route to each leaf as one would write it."""
    return [written(route, root) for route in routes(structure)]


def part(tree: Any, route: Iterable[Branch]) -> Any:
    """The part of a tree that a route leads to."""
    for step in route:
        tree = getattr(tree, step.key) if dataclasses.is_dataclass(tree) else tree[step.key]
    return tree
