"""What a program does, one step after the other: kernels, programs inside it, calls of NumPy.

A step says which buffers it touches, in the order of its function's parameters, which of them it reads and which it
writes; that is all that ordering the steps and placing their buffers needs.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import NamedTuple

from chainrule.graph.node import Node
from chainrule.schedule.expressions import HOST, Buffer
from chainrule.schedule.kernel import Kernel
from chainrule.schedule.loop import Loop

__all__ = ["HOST", "HostCall", "Inner", "MemoryLayout", "Schedule", "Step", "touched"]

Renaming = Callable[[Buffer], Buffer]


@dataclass(frozen=True, slots=True)
class HostCall:
    """An operation that NumPy computes: sorting, solving. `number` is which of those of the program it is."""

    number: int
    operation: str
    inputs: tuple[Buffer, ...]
    output: Buffer
    origin: str = ""
    name: str = ""

    flops = 0

    @property
    def buffers(self) -> tuple[Buffer, ...]:
        """The parameters of the step's function."""
        return tuple(dict.fromkeys([*self.inputs, self.output, HOST]))

    @property
    def reads(self) -> frozenset[Buffer]:
        """The buffers that are read."""
        return frozenset(self.inputs)

    @property
    def writes(self) -> frozenset[Buffer]:
        """The buffers that are written."""
        return frozenset({self.output})

    @property
    def bytes(self) -> int:
        """Bytes of the buffers read and written."""
        return sum(b.type.bytes for b in {*self.inputs, self.output})

    def with_buffers(self, renamed: Renaming) -> HostCall:
        """The step with other buffers."""
        return replace(self, inputs=tuple(map(renamed, self.inputs)), output=renamed(self.output))

    @property
    def heading(self) -> str:
        """The first line of the step's text."""
        return f"{self.name}: numpy {self.operation}" + (f"   # {self.origin}" if self.origin else "")

    def __str__(self) -> str:
        return f"{self.heading}\n    {self.output.name} = {self.operation}({', '.join(b.name for b in self.inputs)})"


@dataclass(frozen=True, slots=True)
class Inner:
    """Programs inside the program: the body of a scan; a condition and a body; or two branches.

    The first `carried` outputs hold what is carried, from before the first round. A scan sees row t of the next
    `stepped` inputs, and writes row t of its other outputs. The rest of the inputs are whole for every round.
    """

    kind: str  # "scan", "while" or "cond"
    programs: tuple[Schedule, ...]
    inputs: tuple[Buffer, ...]
    outputs: tuple[Buffer, ...]
    carried: int = 0
    stepped: int = 0
    length: int = 1
    reverse: bool = False
    scratch: Buffer | None = field(default=None)
    origin: str = ""
    name: str = ""
    asks: bool = False  # now and then, whether to end
    in_registers: bool = False  # all that it works on, so that it is one function with what is inside it

    @property
    def buffers(self) -> tuple[Buffer, ...]:
        """The parameters of the step's function."""
        calls = self.asks or any(HOST in step.buffers for p in self.programs for step in p.steps)
        host = [HOST] if calls else []
        scratch = [self.scratch] if self.scratch else []
        return tuple(dict.fromkeys([*self.inputs, *self.outputs, *scratch, *host]))

    @property
    def reads(self) -> frozenset[Buffer]:
        """The buffers that are read."""
        return frozenset({*self.inputs, *self.outputs[: self.carried]})

    @property
    def writes(self) -> frozenset[Buffer]:
        """The buffers that are written."""
        return frozenset(self.outputs)

    @property
    def flops(self) -> int:
        """Floating-point operations of all rounds; of one, where their number is not known."""
        return self.length * sum(step.flops for program in self.programs for step in program.steps)

    @property
    def bytes(self) -> int:
        """Bytes of the buffers read and written."""
        return sum(b.type.bytes for b in self.reads | self.writes)

    def with_buffers(self, renamed: Renaming) -> Inner:
        """The step with other buffers."""
        inputs, outputs = (tuple(map(renamed, buffers)) for buffers in (self.inputs, self.outputs))
        return replace(self, inputs=inputs, outputs=outputs)

    @property
    def heading(self) -> str:
        """The first line of the step's text."""
        rounds = f" of {self.length} rounds{', from the last' if self.reverse else ''}" if self.kind == "scan" else ""
        return f"{self.name}: {self.kind}{rounds}" + (f"   # {self.origin}" if self.origin else "")

    def __str__(self) -> str:
        given = ", ".join(b.name for b in self.inputs)
        lines = [self.heading, f"    {', '.join(b.name for b in self.outputs)} = {self.kind}({given})"]
        for program in self.programs:
            lines += [f"    {line}" for step in program.steps for line in str(step).splitlines()]
            lines.append(f"    gives {', '.join(b.name for b in program.outputs)}")
        return "\n".join(lines)


Step = Kernel | HostCall | Inner


class MemoryLayout(NamedTuple):
    """Where temporary buffers lie in one block of memory, and how many bytes it takes."""

    offsets: Mapping[Buffer, int]
    bytes: int


@dataclass(frozen=True, slots=True)
class Schedule:
    """Steps in order; the buffers of the arguments, of captured arrays, of the results, and temporary ones.

    `last_rows` hold, for each argument that is a table with any number of rows, the number of the last. Where the
    temporary buffers lie, the target says.
    """

    steps: tuple[Step, ...]
    inputs: tuple[Buffer, ...]
    captured: tuple[tuple[Buffer, Node], ...]
    outputs: tuple[Buffer, ...]
    last_rows: tuple[Buffer, ...] = ()
    loop: Loop = field(default_factory=Loop)
    layout: MemoryLayout | None = None

    @property
    def temporaries(self) -> list[Buffer]:
        """Buffers that only this program sees, in the order of their first use."""
        known = {*self.inputs, *self.outputs, *(buffer for buffer, _ in self.captured), *self.last_rows, HOST}
        return [b for b in touched(self.steps) if b not in known]

    @property
    def kernels(self) -> tuple[Kernel, ...]:
        """The kernels among the steps, those of programs inside included."""
        inner = (k for step in self.steps if isinstance(step, Inner) for p in step.programs for k in p.kernels)
        return (*(step for step in self.steps if isinstance(step, Kernel)), *inner)


def touched(steps: Sequence[Step]) -> list[Buffer]:
    """Every buffer of the steps, once, in the order of their first use."""
    return list(dict.fromkeys(buffer for step in steps for buffer in step.buffers))
