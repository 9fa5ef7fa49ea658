"""LLVM's intermediate representation, written as text: values, instructions, loops.

A thin pen: each method writes one instruction and returns its result. A vector of n lanes and a scalar go through
the same methods, so code written with them is generic in the number of lanes. Nothing here knows what a graph is.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Sequence
from dataclasses import dataclass

__all__ = ["BOOL", "F32", "F64", "I8", "I32", "I64", "PTR", "LLVMType", "Module", "NativeFunction", "Value"]


@dataclass(frozen=True, slots=True)
class LLVMType:
    """A scalar kind ("float", "double", "i1", "i8", …, "ptr") in a number of lanes; 1 lane is a scalar."""

    kind: str
    lanes: int = 1

    def __str__(self) -> str:
        return self.kind if self.lanes == 1 else f"<{self.lanes} x {self.kind}>"

    @property
    def is_float(self) -> bool:
        """Whether the elements are floating-point numbers."""
        return self.kind in ("float", "double")

    @property
    def bits(self) -> int:
        """Bits of one element."""
        return {"float": 32, "double": 64, "ptr": 64}.get(self.kind) or int(self.kind[1:])

    def with_lanes(self, lanes: int) -> LLVMType:
        """The same kind in another number of lanes."""
        return LLVMType(self.kind, lanes)

    def with_kind(self, kind: str) -> LLVMType:
        """Another kind in the same number of lanes."""
        return LLVMType(kind, self.lanes)

    @property
    def suffix(self) -> str:
        """The way intrinsics' names spell the type: `f32`, `v8f32`, `i64`."""
        scalar = {"float": "f32", "double": "f64"}.get(self.kind, self.kind)
        return scalar if self.lanes == 1 else f"v{self.lanes}{scalar}"


BOOL, I8, I32, I64, F32, F64, PTR = (LLVMType(k) for k in ("i1", "i8", "i32", "i64", "float", "double", "ptr"))


@dataclass(frozen=True, slots=True)
class Value:
    """An operand: its spelling in the text and its type."""

    name: str
    type: LLVMType


def _literal(type_: LLVMType, value: float | int | bool) -> str:
    if type_.kind == "double":
        return "0x" + struct.pack(">d", value).hex()
    if type_.kind == "float":  # LLVM spells a float as the double of the same value
        return "0x" + struct.pack(">d", struct.unpack("f", struct.pack("f", value))[0]).hex()
    return str(int(value))


class NativeFunction:
    """One function being written. `entry` is open at the start; finish it with `ret`."""

    def __init__(
        self,
        module: Module,
        name: str,
        parameters: Sequence[tuple[str, LLVMType]],
        attributes: str = "",
        inline: bool = False,
    ) -> None:
        self.module = module
        self.name = name
        self.parameters = [Value(f"%{n}", t) for n, t in parameters]
        self._allocations: list[str] = []  # of the whole function, whoever asks for them
        self._lines: list[str] = []
        self._block = "entry"
        self._count = 0
        signature = ", ".join(f"{t}{' noalias' if t == PTR else ''} %{n}" for n, t in parameters)
        self._head = f"define {attributes} void @{name}({signature}) {'alwaysinline ' if inline else ''}#0 {{"

    # writing

    def _fresh(self, hint: str = "") -> str:
        self._count += 1
        return f"{hint}{self._count}"

    def emit(self, type_: LLVMType, text: str) -> Value:
        """Write an instruction with a result of the given type."""
        result = Value("%v" + self._fresh(), type_)
        self._lines.append(f"  {result.name} = {text}")
        return result

    def line(self, text: str) -> None:
        """Write an instruction without a result."""
        self._lines.append("  " + text)

    def comment(self, text: str) -> None:
        """Write a comment."""
        self._lines.append("  ; " + text.replace("\n", " "))

    def text(self) -> str:
        """The function as LLVM text."""
        return "\n".join([self._head, "entry:", *self._allocations, *self._lines, "}"])

    # constants

    @staticmethod
    def constant(type_: LLVMType, value: float | int | bool) -> Value:
        """A constant; in several lanes, the same in each."""
        scalar = _literal(type_, value)
        if type_.lanes == 1:
            return Value(scalar, type_)
        each = f"{type_.kind} {scalar}"
        return Value("<" + ", ".join([each] * type_.lanes) + ">", type_)

    @staticmethod
    def constants(type_: LLVMType, values: Sequence[float | int]) -> Value:
        """A constant vector."""
        return Value("<" + ", ".join(f"{type_.kind} {_literal(type_, v)}" for v in values) + ">", type_)

    def like(self, x: Value, value: float | int | bool) -> Value:
        """A constant of the type of `x`."""
        return self.constant(x.type, value)

    # arithmetic; both operands have the same type

    def _binary(self, op: str, a: Value, b: Value) -> Value:
        return self.emit(a.type, f"{op} {a.type} {a.name}, {b.name}")

    def fadd(self, a: Value, b: Value) -> Value:
        """`a + b`, floating point."""
        return self._binary("fadd", a, b)

    def fsub(self, a: Value, b: Value) -> Value:
        """`a − b`, floating point."""
        return self._binary("fsub", a, b)

    def fmul(self, a: Value, b: Value) -> Value:
        """`a · b`, floating point."""
        return self._binary("fmul", a, b)

    def fdiv(self, a: Value, b: Value) -> Value:
        """`a / b`, floating point."""
        return self._binary("fdiv", a, b)

    def fneg(self, a: Value) -> Value:
        """`−a`, floating point."""
        return self.emit(a.type, f"fneg {a.type} {a.name}")

    def fma(self, a: Value, b: Value, c: Value) -> Value:
        """`a · b + c`, with one rounding where the processor can, two where it cannot."""
        return self.intrinsic("llvm.fmuladd", a.type, a, b, c)

    def add(self, a: Value, b: Value) -> Value:
        """`a + b`, integers."""
        return self._binary("add", a, b)

    def sub(self, a: Value, b: Value) -> Value:
        """`a − b`, integers."""
        return self._binary("sub", a, b)

    def mul(self, a: Value, b: Value) -> Value:
        """`a · b`, integers."""
        return self._binary("mul", a, b)

    def integer(self, op: str, a: Value, b: Value) -> Value:
        """Any other integer instruction: and, or, xor, shl, lshr, ashr, sdiv, udiv, srem, urem."""
        return self._binary(op, a, b)

    def fcmp(self, predicate: str, a: Value, b: Value) -> Value:
        """Compare floating-point numbers: `oeq`, `olt`, `ole`, `ogt`, `oge`, `une`, `uno`, …"""
        return self.emit(a.type.with_kind("i1"), f"fcmp {predicate} {a.type} {a.name}, {b.name}")

    def icmp(self, predicate: str, a: Value, b: Value) -> Value:
        """Compare integers: `eq`, `ne`, `slt`, `ult`, …"""
        return self.emit(a.type.with_kind("i1"), f"icmp {predicate} {a.type} {a.name}, {b.name}")

    def select(self, condition: Value, a: Value, b: Value) -> Value:
        """`a` where the condition holds, else `b`, lane by lane."""
        return self.emit(a.type, f"select {condition.type} {condition.name}, {a.type} {a.name}, {b.type} {b.name}")

    def convert(self, op: str, a: Value, kind: str) -> Value:
        """A conversion instruction: bitcast, sitofp, uitofp, fptosi, fptrunc, fpext, zext, sext, trunc."""
        to = a.type.with_kind(kind)
        return self.emit(to, f"{op} {a.type} {a.name} to {to}")

    def intrinsic(self, name: str, result: LLVMType, *operands: Value) -> Value:
        """Call an intrinsic overloaded on its result type, such as `llvm.sqrt`."""
        full = f"{name}.{result.suffix}"
        self.module.declare(f"declare {result} @{full}({', '.join(str(o.type) for o in operands)})")
        arguments = ", ".join(f"{o.type} {o.name}" for o in operands)
        return self.emit(result, f"call {result} @{full}({arguments})")

    def library(self, name: str, *operands: Value) -> Value:
        """Call a function of the C library's mathematics, lane by lane: `erf` of doubles, `erff` of floats."""
        scalar = operands[0].type.with_lanes(1)
        full = name + ("f" if scalar.kind == "float" else "")
        self.module.declare(f"declare {scalar} @{full}({', '.join([str(scalar)] * len(operands))})")

        def one(lane: int) -> Value:
            arguments = ", ".join(f"{scalar} {self.extract(o, lane).name}" for o in operands)
            return self.emit(scalar, f"call {scalar} @{full}({arguments})")

        return self.gathered([one(lane) for lane in range(operands[0].type.lanes)])

    def call(self, name: str, operands: Sequence[Value]) -> None:
        """Call a function without a result."""
        self.line(f"call void @{name}({', '.join(f'{o.type} {o.name}' for o in operands)})")

    # lanes

    def splat(self, a: Value, lanes: int) -> Value:
        """The scalar `a` in every lane."""
        if lanes == 1:
            return a
        vector = a.type.with_lanes(lanes)
        if not a.name.startswith("%"):
            return Value("<" + ", ".join([f"{a.type} {a.name}"] * lanes) + ">", vector)
        first = self.emit(vector, f"insertelement {vector} poison, {a.type} {a.name}, i64 0")
        return self.emit(
            vector, f"shufflevector {vector} {first.name}, {vector} poison, <{lanes} x i32> zeroinitializer"
        )

    def shuffle(self, a: Value, b: Value, lanes: Sequence[int]) -> Value:
        """Pick lanes from `a` (0 … n−1) and `b` (n … 2n−1); −1 is a lane that nobody reads."""
        mask = ", ".join(f"i32 {lane}" if lane >= 0 else "i32 poison" for lane in lanes)
        result = a.type.with_lanes(len(lanes))
        return self.emit(result, f"shufflevector {a.type} {a.name}, {b.type} {b.name}, <{len(lanes)} x i32> <{mask}>")

    def extract(self, a: Value, lane: int) -> Value:
        """One lane of a vector; a scalar is its own only lane."""
        if a.type.lanes == 1:
            return a
        return self.emit(a.type.with_lanes(1), f"extractelement {a.type} {a.name}, i64 {lane}")

    def insert(self, a: Value, element: Value, lane: int) -> Value:
        """The vector `a` with one lane replaced."""
        return self.emit(a.type, f"insertelement {a.type} {a.name}, {element.type} {element.name}, i64 {lane}")

    def gathered(self, elements: Sequence[Value]) -> Value:
        """The vector of the given scalars."""
        if len(elements) == 1:
            return elements[0]
        vector = Value("poison", elements[0].type.with_lanes(len(elements)))
        for lane, element in enumerate(elements):
            vector = self.insert(vector, element, lane)
        return vector

    # memory

    def offset(self, pointer: Value, element: LLVMType, index: Value) -> Value:
        """The address of element number `index`."""
        return self.emit(PTR, f"getelementptr {element.kind}, ptr {pointer.name}, i64 {index.name}")

    def load(self, type_: LLVMType, pointer: Value, align: int = 0) -> Value:
        """Read a scalar or vector; aligned to its element unless told otherwise."""
        return self.emit(type_, f"load {type_}, ptr {pointer.name}, align {align or max(type_.bits // 8, 1)}")

    def store(self, value: Value, pointer: Value, align: int = 0) -> None:
        """Write a scalar or vector."""
        self.line(f"store {value.type} {value.name}, ptr {pointer.name}, align {align or max(value.type.bits // 8, 1)}")

    def load_shared(self, pointer: Value) -> Value:
        """Read a whole number that other threads may be writing."""
        return self.emit(I64, f"load atomic i64, ptr {pointer.name} monotonic, align 8")

    def store_shared(self, value: Value, pointer: Value) -> None:
        """Write a whole number that other threads may be reading."""
        self.line(f"store atomic i64 {value.name}, ptr {pointer.name} monotonic, align 8")

    def prefetch(self, pointer: Value, *, soon: bool = True) -> None:
        """Ask for the cache line at an address: to be written to at once, or to be read only later.

        An address that is not the program's own is no error.
        """
        self.module.declare("declare void @llvm.prefetch.p0(ptr, i32, i32, i32)")
        how = "i32 1, i32 3" if soon else "i32 0, i32 2"
        self.line(f"call void @llvm.prefetch.p0(ptr {pointer.name}, {how}, i32 1)")

    def copy(self, source: Value, target: Value, size: int) -> None:
        """Copy so many bytes to where they do not overlap."""
        self.module.declare("declare void @llvm.memcpy.p0.p0.i64(ptr, ptr, i64, i1)")
        self.line(f"call void @llvm.memcpy.p0.p0.i64(ptr {target.name}, ptr {source.name}, i64 {size}, i1 false)")

    # control

    def loop(
        self,
        start: Value,
        stop: Value,
        step: int,
        carried: Sequence[Value],
        body: Callable[[Value, list[Value]], Sequence[Value]],
    ) -> list[Value]:
        """`for i in range(start, stop, step)`, at least one round; returns the carried values after the last.

        `body(i, carried)` writes one round and returns the carried values for the next.
        """
        label = self._fresh("loop")
        before = self._block
        self.line(f"br label %{label}")
        self._lines.append(f"{label}:")
        self._block = label
        index = Value(f"%i.{label}", I64)
        phis = [Value(f"%c.{label}.{n}", v.type) for n, v in enumerate(carried)]
        at = len(self._lines)
        following = list(body(index, phis))
        advanced = self.emit(I64, f"add nuw nsw i64 {index.name}, {step}")
        again = self.icmp("slt", advanced, stop)
        latch = self._block
        heads = [f"  {index.name} = phi i64 [ {start.name}, %{before} ], [ {advanced.name}, %{latch} ]"]
        for phi, first, next_ in zip(phis, carried, following, strict=True):
            heads.append(f"  {phi.name} = phi {phi.type} [ {first.name}, %{before} ], [ {next_.name}, %{latch} ]")
        self._lines[at:at] = heads
        self.line(f"br i1 {again.name}, label %{label}, label %end.{label}")
        self._block = f"end.{label}"
        self._lines.append(f"{self._block}:")
        return following

    def repeat(self, condition: Callable[[], Value], body: Callable[[], None]) -> None:
        """`while condition: body`, with what is carried in memory."""
        label = self._fresh("while")
        self.line(f"br label %{label}")
        self._open(label)
        holds = condition()
        self.line(f"br i1 {holds.name}, label %body.{label}, label %end.{label}")
        self._open(f"body.{label}")
        body()
        self.line(f"br label %{label}")
        self._open(f"end.{label}")

    def branch(self, condition: Value, if_true: Callable[[], None], if_false: Callable[[], None]) -> None:
        """`if condition: … else: …`, with the results in memory."""
        label = self._fresh("if")
        self.line(f"br i1 {condition.name}, label %{label}, label %else.{label}")
        for name, write in ((label, if_true), (f"else.{label}", if_false)):
            self._open(name)
            write()
            self.line(f"br label %end.{label}")
        self._open(f"end.{label}")

    def _open(self, block: str) -> None:
        self._block = block
        self._lines.append(f"{block}:")

    def allocate(self, element: LLVMType, count: int) -> Value:
        """Memory for so many elements that lasts as long as the function runs."""
        result = Value("%v" + self._fresh(), PTR)
        self._allocations.append(f"  {result.name} = alloca {element}, i64 {count}")
        return result

    def call_address(self, function: Value, operands: Sequence[Value], *, rare: bool = False) -> None:
        """Call a function without a result by its address; a `rare` call takes no registers from what is around it."""
        arguments = ", ".join(f"{o.type} {o.name}" for o in operands)
        self.line(f"call void {function.name}({arguments})" + (" cold" if rare else ""))

    def leave_if(self, condition: Value) -> None:
        """Return from the function if the condition holds."""
        label = self._fresh("leave")
        self.line(f"br i1 {condition.name}, label %{label}, label %stay.{label}")
        self._open(label)
        self.ret()
        self._open(f"stay.{label}")

    def ret(self) -> None:
        """Return from the function."""
        self.line("ret void")


class Module:
    """Functions and declarations, in the order written."""

    def __init__(self, attributes: str = "nounwind") -> None:
        self._declarations: dict[str, None] = {}
        self._functions: list[NativeFunction] = []
        self.asks = False  # whether a function of it calls Python to ask whether to end
        self._attributes = attributes
        self.loops: list[str] = []  # functions that are worth the compiler's passes

    def declare(self, text: str) -> None:
        """Declare an external function, once."""
        self._declarations[text] = None

    def function(
        self, name: str, parameters: Sequence[tuple[str, LLVMType]], attributes: str = "", *, inline: bool = False
    ) -> NativeFunction:
        """Open a new function without a result; `inline` puts it in the place of every call."""
        function = NativeFunction(self, name, parameters, attributes, inline)
        self._functions.append(function)
        return function

    def text(self) -> str:
        """The module as LLVM text."""
        bodies = [f.text() for f in self._functions]
        return "\n\n".join([*bodies, "\n".join(self._declarations), f"attributes #0 = {{ {self._attributes} }}"]) + "\n"
