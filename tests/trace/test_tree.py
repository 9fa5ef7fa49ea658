"""Trees: taken apart into leaves and structure, put together again, with a name for the place of each leaf."""

from __future__ import annotations

from collections import OrderedDict, defaultdict
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any, NamedTuple

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from chainrule.errors import ShapeError
from chainrule.trace.tree import Structure, flatten, matched, paths, tree_map, unflatten


@dataclass
class Layer:
    w: Any
    b: Any
    name: str = "dense"


@dataclass(frozen=True)
class Frozen:
    scale: Any


@dataclass
class Checked:
    """Refuses what is no number, and computes a field of its own."""

    x: Any
    double: Any = field(init=False)

    def __post_init__(self) -> None:
        if not isinstance(self.x, float):
            raise TypeError("x must be a float")
        self.double = 2 * self.x


class Pair(NamedTuple):
    first: Any
    second: Any


class Mine(tuple):
    pass


TREES = st.recursive(
    st.integers() | st.none() | st.sampled_from(["text", len, np.dtype(np.float32), int]),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.lists(inner, max_size=3).map(tuple),
        st.dictionaries(st.text(max_size=2) | st.integers(), inner, max_size=3),
        st.tuples(inner, inner).map(lambda pair: Pair(*pair)),
        st.tuples(inner, inner).map(lambda pair: Layer(*pair)),
        inner.map(Frozen),
    ),
    max_leaves=12,
)


@given(TREES)
def test_a_tree_is_put_together_from_its_leaves_and_its_structure(tree: Any) -> None:
    leaves, structure = flatten(tree)
    again = unflatten(structure, leaves)
    assert again == tree
    assert type(again) is type(tree)


@given(TREES)
def test_each_leaf_has_a_place_that_python_understands(tree: Any) -> None:
    leaves, structure = flatten(tree)
    places = paths(structure, "tree")
    assert structure.leaves == len(leaves) == len(places) == len(set(places))
    assert [eval(place, {"tree": tree}) for place in places] == leaves


@given(TREES)
def test_structures_of_equal_shape_are_equal_and_hash_alike(tree: Any) -> None:
    leaves, structure = flatten(tree)
    same = flatten(unflatten(structure, [leaf + 1 for leaf in leaves]))[1]
    assert same == structure
    assert hash(same) == hash(structure)


@given(TREES)
def test_mapping_applies_a_function_to_the_leaves_and_keeps_the_rest(tree: Any) -> None:
    leaves, structure = flatten(tree)
    doubled = tree_map(lambda a, b: a + b, tree, tree)
    assert flatten(doubled) == ([2 * leaf for leaf in leaves], structure)


def test_leaves_come_in_the_order_in_which_they_are_written() -> None:
    tree = {"b": [1, (2, 3)], "a": Pair(4, Layer(5, [6]))}
    assert flatten(tree)[0] == [1, 2, 3, 4, 5, 6]
    assert paths(flatten(tree)[1]) == [
        "['b'][0]", "['b'][1][0]", "['b'][1][1]", "['a'][0]", "['a'][1].w", "['a'][1].b[0]"
    ]  # fmt: skip


def test_the_root_of_a_path_may_be_left_out() -> None:
    structure = flatten(Layer([0], 1))[1]
    assert paths(structure) == ["w[0]", "b"]
    assert paths(structure, "layers[2]") == ["layers[2].w[0]", "layers[2].b"]


def test_arrays_numbers_and_anything_else_that_is_no_container_are_leaves() -> None:
    strange = SimpleNamespace(x=1)
    tree = [np.ones(2), 1.5, True, strange, np.float32(2)]
    assert flatten(tree)[0] == tree or all(a is b for a, b in zip(flatten(tree)[0], tree, strict=True))


@pytest.mark.parametrize("static", [None, "relu", b"bytes", np.tanh, len, float, np.dtype(bool), np.float32])
def test_what_is_no_array_belongs_to_the_structure(static: Any) -> None:
    leaves, structure = flatten((1, static))
    assert leaves == [1]
    assert unflatten(structure, [2]) == (2, static)
    assert structure != flatten((1, "something else"))[1]


@pytest.mark.parametrize(
    ("one", "other"),
    [((1, 2), [1, 2]), ((1, 2), (1, 2, 3)), ({"a": 1}, {"b": 1}), (Pair(1, 2), (1, 2)), (1, (1,)), ((), None)],
)
def test_trees_of_another_kind_have_another_structure(one: Any, other: Any) -> None:
    assert flatten(one)[1] != flatten(other)[1]


def test_containers_keep_their_own_types() -> None:
    for tree in (Mine([1, 2]), OrderedDict(a=1), Pair(1, 2), Frozen(1)):
        leaves, structure = flatten(tree)
        again = unflatten(structure, leaves)
        assert type(again) is type(tree)
        assert again == tree


def test_a_dictionary_of_a_kind_of_its_own_is_put_together() -> None:
    tree = defaultdict(list, a=1, b=2)
    leaves, structure = flatten(tree)
    again = unflatten(structure, leaves)
    assert isinstance(again, defaultdict)
    assert again == tree


def test_a_dataclass_is_put_together_without_running_its_checks() -> None:
    """What stands for a number while a program is traced is none."""
    leaves, structure = flatten(Checked(1.5))
    assert leaves == [1.5, 3.0]
    again = unflatten(structure, ["stands for x", "stands for its double"])
    assert (again.x, again.double) == ("stands for x", "stands for its double")


def test_a_dataclass_itself_is_no_tree() -> None:
    assert flatten(Layer) == ([], Structure("static", (Layer,)))


def test_trees_of_different_structure_are_not_mapped_together() -> None:
    with pytest.raises(ShapeError, match="trees of one structure"):
        tree_map(lambda a, b: a, (1, 2), [1, 2])


def test_too_few_leaves_are_noticed() -> None:
    with pytest.raises((StopIteration, RuntimeError)):
        unflatten(flatten((1, 2))[1], [1])


def test_leaves_are_matched_to_a_structure_by_name_or_by_place() -> None:
    structure = flatten({"a": (1, [2]), "b": Layer})[1]
    assert matched({"b": Layer, "a": [10, (20,)]}, structure) == [10, 20]
    assert matched({"a": (10, None), "b": None}, structure) == [10, None]
    assert matched(None, structure) == [None, None]
    others = {"a": (10, [20])}, {"a": (10, 20), "b": 0}, {"a": (10,), "b": Layer}, 10, (10, 20), {"a": 10, "b": 0}
    for other in others:
        assert matched(other, structure) is None


@dataclass(frozen=True)
class Plan:
    """What a network is made like, which is no part of what is learnt."""

    sizes: tuple[int, ...]


@dataclass
class Planned:
    w: Any
    plan: Plan = field(metadata={"static": True})


def test_static_fields_of_a_dataclass_belong_to_the_structure() -> None:
    tree = Planned(1.0, Plan((3, 4)))
    leaves, structure = flatten(tree)
    assert leaves == [1.0]
    assert unflatten(structure, [2.0]) == Planned(2.0, Plan((3, 4)))
    assert hash(structure) == hash(flatten(Planned(5.0, Plan((3, 4))))[1])
    assert structure != flatten(Planned(1.0, Plan((3, 5))))[1]
    assert paths(structure, "net") == ["net.w"]
