"""Long work asks now and then whether it should end.

Ctrl-C is heard by Python alone, which does not run while native code does. So what may take longer than a fraction of a
second calls Python in between (`Host`), and returns early where it is told to: a kernel between the rounds of its
loops, a loop between its rounds, a program between its steps. What is short asks nothing.
"""

from __future__ import annotations

from chainrule.cpu.cost_model import CALL, LONG, ROUNDS
from chainrule.cpu.ir import I64, PTR, NativeFunction, Value
from chainrule.schedule.expressions import Apply
from chainrule.schedule.host_calls import GO_ON, MAY_GO_ON
from chainrule.schedule.kernel import Kernel
from chainrule.schedule.schedule import HostCall, Inner, Step

__all__ = ["Asking", "asks", "axis_to_ask_at", "spent_in_a_round", "work"]

_METER = Value("@spent", PTR)


def work(step: Step) -> int:
    """What a step's operations cost, each load counted as one."""
    if isinstance(step, Kernel):
        return step.points * _of_a_point(step) + CALL
    if isinstance(step, HostCall):
        return CALL  # what it takes is NumPy's
    rounds = step.length if step.kind == "scan" else ROUNDS if step.kind == "while" else 1
    return rounds * _round(step)


def _of_a_point(kernel: Kernel) -> int:
    return sum(e.op.cost if isinstance(e, Apply) else 1 for e in kernel.evaluated) or 1


def _round(step: Inner) -> int:
    return sum(work(inner) for program in step.programs for inner in program.steps) + CALL


def asks(step: Kernel | Inner) -> bool:
    """Whether a step is long enough to ask; of a loop that stops on a value nobody knows."""
    if isinstance(step, Inner) and step.kind != "scan":
        return step.kind == "while"
    return work(step) > LONG


def axis_to_ask_at(kernel: Kernel) -> tuple[int, int]:
    """The outermost axis of which one round is short enough, and how many rounds may go by between two questions."""
    assert kernel.tiling is not None
    axes = [*kernel.tiling.order, *range(kernel.outputs, len(kernel.sizes))]
    left = work(kernel)
    for axis in axes:
        left = max(left // max(kernel.sizes[axis] // kernel.tiling.step(axis), 1), 1)
        if left <= LONG:
            return axis, LONG // left
    return axes[-1], 1


def spent_in_a_round(step: Inner) -> int:
    """The work of one round of a loop, without that of the steps in it that ask themselves."""
    steps = (inner for program in step.programs for inner in program.steps)
    return CALL + sum(work(inner) for inner in steps if isinstance(inner, HostCall) or not inner.asks)


class Asking:
    """What writes the questions of a function, whose first block is still open."""

    def __init__(self, function: NativeFunction, host: Value) -> None:
        self.function = function
        self.host = host
        self.call = function.allocate(I64, 1)
        function.module.asks = True

    def now(self) -> None:
        """Ask whether to go on; if not, return from the function."""
        f = self.function
        f.store(NativeFunction.constant(I64, MAY_GO_ON), self.call)
        f.call_address(self.host, [self.call], rare=True)
        f.leave_if(f.icmp("ne", f.load(I64, self.call), NativeFunction.constant(I64, GO_ON)))

    def every(self, rounds: int, number: Value, step: int = 1) -> None:
        """Ask in about one of so many rounds of a loop, of which this is the round `number`, a multiple of `step`."""
        f = self.function
        apart = (1 << rounds.bit_length() - 1) * (step & -step)  # powers of two: what is odd in a step makes it rarer
        within = f.integer("and", number, NativeFunction.constant(I64, apart - 1))
        f.branch(f.icmp("eq", within, NativeFunction.constant(I64, 0)), self.now, lambda: None)

    def spend(self, amount: int) -> None:
        """Ask if the module's loops, this one and others, have spent so much since somebody asked.

        Who is told to end leaves the meter full, so that the loops around it ask at once.
        """
        f = self.function
        f.module.declare(f"{_METER.name} = internal global i64 0")
        total = f.add(f.load_shared(_METER), NativeFunction.constant(I64, amount))
        f.store_shared(total, _METER)

        def full() -> None:
            self.now()
            f.store_shared(NativeFunction.constant(I64, 0), _METER)

        f.branch(f.icmp("sgt", total, NativeFunction.constant(I64, LONG)), full, lambda: None)
