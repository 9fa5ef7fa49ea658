"""A graph: the outputs of a program as nodes over its inputs, the check of its form, and its text."""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from chainrule.errors import ChainruleError, GraphError
from chainrule.graph import ops
from chainrule.graph.node import Data, Node, in_order
from chainrule.graph.type_rules import result_type
from chainrule.graph.types import DTYPES, Several, Type

__all__ = ["Graph", "Origin", "parse", "verify"]


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a node came from: a line of the user's code, a layer, and the forward node that it answers for."""

    file: str
    line: int
    layer: str = ""
    backward_of: Node | None = None

    def __str__(self) -> str:
        layer = f"{self.layer} " if self.layer else ""
        backward = f"backward of {self.backward_of.op} " if self.backward_of else ""
        return f"{layer}{backward}{self.file.rpartition('/')[2]}:{self.line}"


@dataclass(frozen=True, slots=True)
class Graph:
    """A program: `inputs` in the order of the arguments, `outputs` in the order of the results.

    `origins` says of each node everywhere it was written; it does not take part in equality.
    """

    inputs: tuple[Node, ...]
    outputs: tuple[Node, ...]
    origins: Mapping[Node, tuple[Origin, ...]] = field(default_factory=dict, compare=False)

    def nodes(self) -> list[Node]:
        """Every node that the outputs need, inputs before users."""
        return in_order(self.outputs)

    def __str__(self) -> str:
        return self._text(with_data=True)

    def signature(self) -> str:
        """The text without the captured arrays' elements: equal for programs that the same code computes."""
        return self._text(with_data=False)

    def programs(self) -> list[Graph]:
        """The programs that operations of this one run (the body of a scan, …), each after those inside it."""
        found: dict[Graph, None] = {}
        for node in self.nodes():
            for inner in _programs_of(node):
                found.update(dict.fromkeys([*inner.programs(), inner]))
        return list(found)

    def _text(self, *, with_data: bool) -> str:
        labels = {inner: f"@{n}" for n, inner in enumerate(self.programs())}
        inner = [f"{label}:\n{graph._lines(labels, with_data, '  ')}" for graph, label in labels.items()]
        return "".join([*inner, self._lines(labels, with_data, "")])

    def _lines(self, labels: Mapping[Graph, str], with_data: bool, indent: str) -> str:
        names = {node: f"%{n}" for n, node in enumerate([*self.inputs, *self._computed()])}
        lines = [f"{names[node]} = {_spelled(node, names, labels, with_data)}" for node in names]
        lines.append("return " + ", ".join(names[node] for node in self.outputs))
        return "".join(f"{indent}{line}\n" for line in lines)

    def _computed(self) -> list[Node]:
        given = set(self.inputs)
        return [node for node in self.nodes() if node not in given]


def _programs_of(node: Node) -> tuple[Graph, ...]:
    return tuple(a for a in node.attributes if isinstance(a, Graph)) if node.op in ops.CONTROL else ()


def verify(graph: Graph) -> Graph:
    """The same graph, after checking its form; GraphError says what is wrong with it.

    Inputs are distinct `input` nodes numbered 0, 1, 2, …; no other input is used; every type is what its rule says.
    """
    for position, node in enumerate(graph.inputs):
        if node.op is not ops.INPUT or node.attributes[0] != position:
            raise GraphError(f"input {position} of the graph is {node!r}, numbered {node.attributes[:1]}.")
    for inner in graph.programs():
        verify(inner)
    allowed = set(graph.inputs)
    for node in graph.nodes():
        if node.op is ops.INPUT and node not in allowed:
            raise GraphError(f"{node!r} number {node.attributes[0]} is used but is no input of the graph.")
        if result_type(node.op, [n.type for n in node.inputs], node.attributes) != node.type:
            raise GraphError(f"{node!r} does not have the type that its rule gives.")
    return graph


# text: one node a line, `%3 = add %1 %2 : f32[10,30]`, attributes in braces where there are any


def _spelled(node: Node, names: Mapping[Node, str], labels: Mapping[Graph, str], with_data: bool) -> str:
    attributes = zip(node.op.attributes, node.attributes, strict=True)
    told = ((name, a) for name, a in attributes if not isinstance(a, Type) and (with_data or not isinstance(a, Data)))
    braces = ", ".join(f"{name}={labels[a] if isinstance(a, Graph) else _attribute_text(a)}" for name, a in told)
    words = [node.op.name, *(names[n] for n in node.inputs), *([f"{{{braces}}}"] if braces else []), f": {node.type}"]
    return " ".join(words)


def _attribute_text(attribute: Any) -> str:
    if isinstance(attribute, tuple):
        return "(" + " ".join(map(str, attribute)) + ")"
    if isinstance(attribute, Data):
        return base64.b64encode(np.ascontiguousarray(attribute.array).tobytes()).decode() or "empty"
    return str(attribute)


_TYPE = r"\w+\[[\d,]*\]"
_LINE = re.compile(rf"(%\d+) = (\w+)((?: %\d+)*)(?: \{{(.*)\}})? : ({_TYPE}|\((?:{_TYPE}(?:, {_TYPE})*)?\))")
_NAMES = {str(Type((), dtype))[:-2]: dtype for dtype in DTYPES}


def parse(text: str) -> Graph:
    """The graph that `str(graph)` printed; GraphError names the line that cannot be read."""
    programs: dict[str, Graph] = {}
    label, written = "", list[str]()
    for line in (line.strip() for line in text.splitlines()):
        if not label and not written and line.startswith("@") and line.endswith(":"):
            label = line[:-1]
        elif line:
            written.append(line)
        if label and line.startswith("return"):
            programs[label] = _graph(written, programs)
            label, written = "", []
    return _graph(written, programs)


def _graph(lines: list[str], programs: Mapping[str, Graph]) -> Graph:
    nodes: dict[str, Node] = {}
    if not lines or not lines[-1].startswith("return"):
        raise GraphError("the text of a graph ends with a line `return …`.")
    for line in lines[:-1]:
        name, node = _parsed(line, nodes, programs)
        if name in nodes:
            raise GraphError(f"{name} is defined twice: {line!r}.")
        nodes[name] = node
    names = lines[-1].removeprefix("return").replace(",", " ").split()
    inputs = [node for node in nodes.values() if node.op is ops.INPUT]
    try:
        return Graph(tuple(inputs), tuple(nodes[name] for name in names))
    except KeyError as missing:
        raise GraphError(f"the graph returns {missing}, which is not defined.") from None


def _type(text: str) -> Type | Several:
    if text.startswith("("):
        return Several(tuple(_single(part) for part in text[1:-1].split(", ") if part))
    return _single(text)


def _single(text: str) -> Type:
    name, _, extents = text[:-1].partition("[")
    return Type(tuple(int(n) for n in extents.split(",") if n), _NAMES[name])


def _parsed(line: str, nodes: Mapping[str, Node], programs: Mapping[str, Graph]) -> tuple[str, Node]:
    found = _LINE.fullmatch(line)
    if not found or found[2] not in ops.BY_NAME or not set(re.findall(r"(\w+)\[", found[5])) <= _NAMES.keys():
        raise GraphError(f"no line of a graph: {line!r}.")
    type_ = _type(found[5])
    op = ops.BY_NAME[found[2]]
    words = dict(pair.split("=", 1) for pair in (found[4] or "").split(", ") if pair)
    try:
        attributes = tuple(type_ if a == "type" else _attribute(a, words[a], type_, programs) for a in op.attributes)
        inputs = tuple(nodes[name] for name in found[3].split())
        result = result_type(op, [n.type for n in inputs], attributes)
    except (KeyError, ValueError, TypeError) as problem:
        reason = problem.what if isinstance(problem, ChainruleError) else problem
        raise GraphError(f"cannot read {line!r}: {reason}") from None
    if result != type_:
        raise GraphError(f"{line!r} says {type_}, but the rule of {op} gives {result}.")
    return found[1], Node(op, inputs, attributes)


def _attribute(name: str, text: str, type_: Any, programs: Mapping[str, Graph]) -> Any:
    if name == "data":
        raw = b"" if text == "empty" else base64.b64decode(text, validate=True)
        return Data(np.frombuffer(raw, type_.dtype).reshape(type_.shape))
    if name in ("value", "dtype"):
        return text
    if text.startswith("@"):
        return programs[text]
    if text.startswith("("):
        return tuple(int(n) for n in text[1:-1].split())
    return text == "True" if text in ("True", "False") else int(text)
