"""Steps as LLVM functions of their buffers' addresses, and the calls of them, one after the other.

A program inside the program is a function that calls its own steps: a loop over rows, a loop that stops on a value, or
one of two branches. Its temporary memory is a piece of the outer program's.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping, Sequence
from types import MappingProxyType

import numpy as np

from chainrule.cpu import elementwise
from chainrule.cpu.cost_model import LONG
from chainrule.cpu.emit_kernel import emit
from chainrule.cpu.interruption import Asking, spent_in_a_round, work
from chainrule.cpu.ir import I64, PTR, Module, NativeFunction, Value
from chainrule.schedule.deduplication import from_the_start, signature
from chainrule.schedule.expressions import Buffer
from chainrule.schedule.kernel import Kernel
from chainrule.schedule.schedule import HOST, HostCall, Inner, Schedule, Step

__all__ = ["StepFunctions"]

_BYTE = I64.with_kind("i8")
Addresses = Mapping[Buffer, Value]


class StepFunctions:
    """The functions of a module's steps, and how they are called. Kernels that are alike share one."""

    def __init__(self, module: Module) -> None:
        self.module = module
        self.kinds: dict[Hashable, str] = {}
        self._starts: dict[str, tuple[int, ...]] = {}  # of a kernel's buffers, by its name
        self._shared: dict[str, str] = {}

    def write(self, steps: Sequence[Step], *, inline: bool = False) -> None:
        """A function for each step, after those of the steps inside it; `inline` those of a small loop."""
        for step in steps:
            if isinstance(step, Kernel):
                self._write_kernel(step, inline)
            elif isinstance(step, HostCall):
                _write_host_call(self.module, step)
            else:
                self._write_inner(step, inline)

    def _write_kernel(self, kernel: Kernel, inline: bool) -> None:
        moved, self._starts[kernel.name] = from_the_start(kernel)
        kind = signature(moved), inline
        if kind not in self.kinds:
            self.kinds[kind] = kernel.name
            emit(self.module, moved, inline=inline)
        self._shared[kernel.name] = self.kinds[kind]

    def _write_inner(self, step: Inner, inline: bool) -> None:
        for program in step.programs:
            self.write(program.steps, inline=inline or step.in_registers)
        function, address = _opened(self.module, step, inline)
        if step.in_registers and not inline:
            self._write_in_registers(function, step, address)
        else:
            _BODIES[step.kind](self, function, step, address)
        function.ret()

    def _write_in_registers(self, function: NativeFunction, step: Inner, address: Addresses) -> None:
        """What it carries is the function's own too: copied there before, and back afterwards."""
        self.module.loops.append(function.name)
        carried = {b: _own(function, b) for b in step.outputs[: step.carried]}
        for buffer, own in carried.items():
            function.copy(address[buffer], own, buffer.type.bytes)
        _BODIES[step.kind](self, function, step, {**address, **carried})
        for buffer, own in carried.items():
            function.copy(own, address[buffer], buffer.type.bytes)

    def call(
        self, function: NativeFunction, steps: Sequence[Step], addresses: Addresses, asking: Asking | None = None
    ) -> None:
        """Call the functions of the steps in order; if they are long, ask in between whether to go on."""
        spent = 0
        for step in steps:
            if asking and spent > LONG:
                asking.now()
                spent = 0
            spent += work(step)
            given = [addresses[b] for b in step.buffers]
            if isinstance(step, Kernel):
                starts = zip(given, step.buffers, self._starts[step.name], strict=True)
                given = [_further(function, address, buffer, start) for address, buffer, start in starts]
            function.call(f'"{self._shared.get(step.name, step.name)}"', given)


def _further(function: NativeFunction, address: Value, buffer: Buffer, start: int) -> Value:
    """The address of a buffer's element number `start`."""
    element = elementwise.memory_type(buffer.type.dtype)
    return function.offset(address, element, NativeFunction.constant(I64, start)) if start else address


def _opened(module: Module, step: HostCall | Inner, inline: bool = False) -> tuple[NativeFunction, dict[Buffer, Value]]:
    buffers = step.buffers
    parameters = [(f"b{n}", PTR) for n in range(len(buffers))]
    function = module.function(f'"{step.name}"', parameters, "internal", inline=inline)
    function.comment(step.heading)
    return function, dict(zip(buffers, function.parameters, strict=True))


def _write_host_call(module: Module, step: HostCall) -> None:
    function, address = _opened(module, step)
    operands = [*step.inputs, step.output]
    table = function.allocate(PTR, 1 + len(operands))
    function.store(NativeFunction.constant(I64, step.number), table)
    for slot, buffer in enumerate(operands, 1):
        function.store(address[buffer], function.offset(table, PTR, NativeFunction.constant(I64, slot)))
    function.call_address(address[HOST], [table])
    function.ret()


def _scan(functions: StepFunctions, function: NativeFunction, step: Inner, address: Addresses) -> None:
    (body,) = step.programs
    fixed = _inside(function, step, body, address)
    asking = Asking(function, address[HOST]) if step.asks else None

    def one_round(t: Value, _: list[Value]) -> list[Value]:
        if asking:
            asking.spend(spent_in_a_round(step))
        row = function.sub(NativeFunction.constant(I64, step.length - 1), t) if step.reverse else t
        moving = [*body.inputs[step.carried : step.carried + step.stepped], *body.outputs[step.carried :]]
        here = {b: _row(function, fixed[b], b, row) for b in moving}
        functions.call(function, body.steps, fixed | here, asking)
        return []

    if step.length:
        function.loop(NativeFunction.constant(I64, 0), NativeFunction.constant(I64, step.length), 1, [], one_round)


def _while(functions: StepFunctions, function: NativeFunction, step: Inner, address: Addresses) -> None:
    condition, body = step.programs
    while_inside, inside = (_inside(function, step, program, address) for program in step.programs)
    asking = Asking(function, address[HOST]) if step.asks else None

    def holds() -> Value:
        if asking:
            asking.spend(spent_in_a_round(step))
        functions.call(function, condition.steps, while_inside, asking)
        return elementwise.load(function, np.dtype(bool), 1, while_inside[condition.outputs[0]])

    function.repeat(holds, lambda: functions.call(function, body.steps, inside, asking))


def _cond(functions: StepFunctions, function: NativeFunction, step: Inner, address: Addresses) -> None:
    test = elementwise.load(function, np.dtype(bool), 1, address[step.inputs[0]])

    def branch(program: Schedule) -> Callable[[], None]:
        return lambda: functions.call(function, program.steps, _inside(function, step, program, address))

    if_true, if_false = map(branch, step.programs)
    function.branch(test, if_true, if_false)


_BODIES: Mapping[str, Callable[[StepFunctions, NativeFunction, Inner, Addresses], None]] = MappingProxyType(
    {"scan": _scan, "while": _while, "cond": _cond}
)


def _inside(function: NativeFunction, step: Inner, program: Schedule, address: Addresses) -> dict[Buffer, Value]:
    """The addresses of an inner program's buffers: what is carried is where the step's results are."""
    given = step.inputs[1:] if step.kind == "cond" else (*step.outputs[: step.carried], *step.inputs[step.carried :])
    found = {HOST: address[HOST]} if HOST in address else {}
    assert program.layout is not None
    for buffer, offset in program.layout.offsets.items():
        if step.in_registers or step.scratch is None:
            found[buffer] = _own(function, buffer)
        else:
            found[buffer] = function.offset(address[step.scratch], _BYTE, NativeFunction.constant(I64, offset))
    is_condition = step.kind == "while" and program is step.programs[0]  # whose truth is a temporary of its own
    if not is_condition:
        found |= {inner: address[outer] for inner, outer in zip(program.outputs, step.outputs, strict=True)}
    return found | {inner: address[outer] for inner, outer in zip(program.inputs, given, strict=True)}


def _own(function: NativeFunction, buffer: Buffer) -> Value:
    """Memory for a buffer that is a function's own."""
    return function.allocate(elementwise.memory_type(buffer.type.dtype), max(buffer.type.size, 1))


def _row(function: NativeFunction, address: Value, buffer: Buffer, row: Value) -> Value:
    return function.offset(address, _BYTE, function.mul(row, NativeFunction.constant(I64, buffer.type.bytes)))
