"""What each elementwise operation is in LLVM, and how elements are held in registers and in memory."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any

import numpy as np

from chainrule.cpu import vector_math
from chainrule.cpu.ir import LLVMType, NativeFunction, Value
from chainrule.graph import ops
from chainrule.graph.ops import Op

__all__ = ["NATIVE", "apply", "cast", "load", "memory_type", "register_type", "smallest", "store"]

DType = np.dtype[Any]


def register_type(dtype: DType, lanes: int) -> LLVMType:
    """How elements are held in registers: booleans as one bit."""
    return LLVMType({"f4": "float", "f8": "double", "b1": "i1"}.get(dtype.str[1:]) or f"i{dtype.itemsize * 8}", lanes)


def memory_type(dtype: DType, lanes: int = 1) -> LLVMType:
    """How elements are held in memory: booleans as one byte, 0 or 1."""
    return LLVMType("i8", lanes) if dtype.kind == "b" else register_type(dtype, lanes)


def smallest(dtype: DType) -> float | int:
    """The number that no other is below."""
    if dtype.kind == "f":
        return -np.inf
    return 0 if dtype.kind == "b" else int(np.iinfo(dtype).min)


def load(f: NativeFunction, dtype: DType, lanes: int, pointer: Value) -> Value:
    """Read elements into a register."""
    value = f.load(memory_type(dtype, lanes), pointer)
    return f.icmp("ne", value, f.like(value, 0)) if dtype.kind == "b" else value


def store(f: NativeFunction, dtype: DType, value: Value, pointer: Value) -> None:
    """Write elements from a register."""
    f.store(f.convert("zext", value, "i8") if dtype.kind == "b" else value, pointer)


def apply(
    f: NativeFunction, op: Op, dtype: DType, operands: Sequence[Value], operand_dtype: DType | None = None
) -> Value:
    """The operation on registers; `dtype` is of the result, `operand_dtype` of the first operand."""
    if op is ops.CAST:
        return cast(f, operands[0], operand_dtype or dtype, dtype)
    if op is ops.BITCAST:
        return f.convert("bitcast", operands[0], register_type(dtype, 1).kind)
    return NATIVE[op](f, operand_dtype or dtype, *operands)


def cast(f: NativeFunction, value: Value, source: DType, target: DType) -> Value:
    """The value as another element type, as NumPy's astype does it."""
    if source == target:
        return value
    kind = register_type(target, 1).kind
    if target.kind == "b":
        zero = f.like(value, 0)
        return f.fcmp("une", value, zero) if source.kind == "f" else f.icmp("ne", value, zero)
    if source.kind == "f":
        return _from_float(f, value, source, target, kind)
    if target.kind == "f":
        return f.convert("sitofp" if source.kind == "i" else "uitofp", value, kind)
    if source.kind == "b" or source.itemsize < target.itemsize:
        return f.convert("sext" if source.kind == "i" else "zext", value, kind)
    return f.convert("trunc", value, kind) if source.itemsize > target.itemsize else value


def _from_float(f: NativeFunction, value: Value, source: DType, target: DType, kind: str) -> Value:
    if target.kind == "f":
        return f.convert("fpext" if target.itemsize > source.itemsize else "fptrunc", value, kind)
    name = f"llvm.fpto{'u' if target.kind == 'u' else 's'}i.sat"  # out of range: the nearest integer, never undefined
    result = value.type.with_kind(kind)
    full = f"{name}.{result.suffix}.{value.type.suffix}"
    f.module.declare(f"declare {result} @{full}({value.type})")
    return f.emit(result, f"call {result} @{full}({value.type} {value.name})")


Instruction = Callable[..., Value]


def _float_or_integer(
    on_float: Instruction, on_signed: Instruction, on_unsigned: Instruction | None = None
) -> Instruction:
    def write(f: NativeFunction, dtype: DType, *operands: Value) -> Value:
        chosen = on_float if dtype.kind == "f" else on_signed if dtype.kind == "i" else on_unsigned or on_signed
        return chosen(f, *operands)

    return write


def _intrinsic(name: str) -> Instruction:
    return lambda f, dtype, *operands: f.intrinsic(name, operands[0].type, *operands)


def _plain(name: str) -> Instruction:
    return lambda f, *operands: f.intrinsic(name, operands[0].type, *operands)


def _integer(op: str) -> Instruction:
    return lambda f, a, b: f.integer(op, a, b)


def _library(name: str) -> Instruction:
    return lambda f, dtype, *operands: f.library(name, *operands)


def _bits(op: str) -> Instruction:
    return lambda f, dtype, a, b: f.integer(op, a, b)


def _left_shift(f: NativeFunction, dtype: DType, a: Value, b: Value) -> Value:
    inside, zero = f.icmp("ult", b, f.like(b, b.type.bits)), f.like(a, 0)
    return f.select(inside, f.integer("shl", a, f.select(inside, b, zero)), zero)


def _right_shift(f: NativeFunction, dtype: DType, a: Value, b: Value) -> Value:
    inside, zero = f.icmp("ult", b, f.like(b, b.type.bits)), f.like(a, 0)
    if dtype.kind == "i":
        return f.integer("ashr", a, f.select(inside, b, f.like(b, b.type.bits - 1)))
    return f.select(inside, f.integer("lshr", a, f.select(inside, b, zero)), zero)


def _logaddexp(f: NativeFunction, dtype: DType, a: Value, b: Value) -> Value:
    """The larger, and ln(1 + e^−d) where d is the distance: 0 between equals, even between infinities."""
    distance = f.intrinsic("llvm.fabs", a.type, f.fsub(a, b))
    below = f.select(f.fcmp("oeq", a, b), f.like(a, 0), f.fneg(distance))
    larger = f.intrinsic("llvm.maximum", a.type, a, b)
    return f.fadd(larger, vector_math.log1p(f, vector_math.exp(f, below)))


def _from_vector_math(function: Callable[[NativeFunction, Value], Value]) -> Instruction:
    return lambda f, dtype, x: function(f, x)


def _compare(on_float: str, on_signed: str, on_unsigned: str) -> Instruction:
    def write(f: NativeFunction, dtype: DType, a: Value, b: Value) -> Value:
        if dtype.kind == "f":
            return f.fcmp(on_float, a, b)
        return f.icmp(on_signed if dtype.kind == "i" else on_unsigned, a, b)

    return write


def _add(f: NativeFunction, dtype: DType, a: Value, b: Value) -> Value:
    """Of booleans, as NumPy's: whether either is true."""
    if dtype.kind == "f":
        return f.fadd(a, b)
    return f.integer("or", a, b) if dtype.kind == "b" else f.add(a, b)


def _negative(f: NativeFunction, a: Value) -> Value:
    return f.sub(f.like(a, 0), a)


def _sign_float(f: NativeFunction, a: Value) -> Value:
    one, zero = f.like(a, 1), f.like(a, 0)
    signed = f.intrinsic("llvm.copysign", a.type, one, a)
    nonzero = f.select(f.fcmp("oeq", a, zero), zero, signed)
    return f.select(f.fcmp("uno", a, a), a, nonzero)


def _sign_integer(f: NativeFunction, a: Value) -> Value:
    one, zero = f.like(a, 1), f.like(a, 0)
    negative = f.select(f.icmp("slt", a, zero), f.like(a, -1), zero)
    return f.select(f.icmp("sgt", a, zero), one, negative)


def _sign_unsigned(f: NativeFunction, a: Value) -> Value:
    return f.select(f.icmp("ne", a, f.like(a, 0)), f.like(a, 1), f.like(a, 0))


def _absolute_integer(f: NativeFunction, a: Value) -> Value:
    return f.select(f.icmp("slt", a, f.like(a, 0)), _negative(f, a), a)


def _divisor(f: NativeFunction, b: Value) -> Value:
    """The divisor, with one in place of zero, for which the processor would stop the program."""
    return f.select(f.icmp("eq", b, f.like(b, 0)), f.like(b, 1), b)


def _floor_divide_signed(f: NativeFunction, a: Value, b: Value) -> Value:
    minus_one = f.icmp("eq", b, f.like(b, -1))  # the smallest integer over −1 would stop the program too
    safe = f.select(minus_one, f.like(b, 1), _divisor(f, b))
    quotient, rest = f.integer("sdiv", a, safe), f.integer("srem", a, safe)
    zero = f.like(a, 0)
    uneven = f.icmp("ne", rest, zero)
    opposite = f.icmp("slt", f.integer("xor", a, safe), zero)
    down = f.integer("and", uneven, opposite)
    floored = f.select(down, f.sub(quotient, f.like(a, 1)), quotient)
    negated = f.select(minus_one, _negative(f, a), floored)
    return f.select(f.icmp("eq", b, zero), zero, negated)


def _floor_divide_unsigned(f: NativeFunction, a: Value, b: Value) -> Value:
    zero = f.like(a, 0)
    return f.select(f.icmp("eq", b, zero), zero, f.integer("udiv", a, _divisor(f, b)))


def _remainder_signed(f: NativeFunction, a: Value, b: Value) -> Value:
    zero = f.like(a, 0)
    product = f.mul(_floor_divide_signed(f, a, b), b)
    return f.select(f.icmp("eq", b, zero), zero, f.sub(a, product))


def _remainder_unsigned(f: NativeFunction, a: Value, b: Value) -> Value:
    zero = f.like(a, 0)
    return f.select(f.icmp("eq", b, zero), zero, f.integer("urem", a, _divisor(f, b)))


def _fmod(f: NativeFunction, a: Value, b: Value) -> tuple[Value, Value]:
    """The remainder with the sign of `a`, and whether that is not zero and not the sign of `b`."""
    rest = f.emit(a.type, f"frem {a.type} {a.name}, {b.name}")
    zero = f.like(a, 0)
    opposite = f.icmp("ne", *(f.fcmp("olt", x, zero) for x in (rest, b)))
    return rest, f.integer("and", f.fcmp("une", rest, zero), opposite)


def _remainder_float(f: NativeFunction, a: Value, b: Value) -> Value:
    """The remainder with the sign of the divisor, as NumPy's: fmod, moved by b where the signs differ."""
    rest, opposite = _fmod(f, a, b)
    zero = f.like(a, 0)
    moved = f.select(opposite, f.fadd(rest, b), rest)
    return f.select(f.fcmp("une", rest, zero), moved, f.intrinsic("llvm.copysign", a.type, zero, b))


def _floor_divide_float(f: NativeFunction, a: Value, b: Value) -> Value:
    """NumPy's: (a − fmod) / b, less one where the signs differ, to the nearest integer; a / b where b is zero."""
    zero, half, one = f.like(a, 0), f.like(a, 0.5), f.like(a, 1)
    rest, opposite = _fmod(f, a, b)
    exact = f.fdiv(f.fsub(a, rest), b)
    quotient = f.select(opposite, f.fsub(exact, one), exact)
    floored = f.intrinsic("llvm.floor", a.type, quotient)
    near = f.select(f.fcmp("ogt", f.fsub(quotient, floored), half), f.fadd(floored, one), floored)
    signed = f.select(f.fcmp("oeq", quotient, zero), f.intrinsic("llvm.copysign", a.type, zero, f.fdiv(a, b)), near)
    return f.select(f.fcmp("oeq", b, zero), f.fdiv(a, b), signed)


def _power_integer(f: NativeFunction, a: Value, b: Value) -> Value:
    """Square and multiply; an integer to a negative power is 0, ±1 (NumPy refuses it)."""
    result, square, rest = f.like(a, 1), a, b
    for _ in range(a.type.bits):
        odd = f.icmp("ne", f.integer("and", rest, f.like(a, 1)), f.like(a, 0))
        result = f.select(odd, f.mul(result, square), result)
        square, rest = f.mul(square, square), f.integer("lshr", rest, f.like(a, 1))
    return result


def _select(f: NativeFunction, dtype: DType, condition: Value, a: Value, b: Value) -> Value:
    return f.select(condition, a, b)


def _not(f: NativeFunction, dtype: DType, a: Value) -> Value:
    return f.integer("xor", a, f.like(a, 1))


def _method(name: str) -> Instruction:
    return lambda f, *operands: getattr(f, name)(*operands)


def _same(f: NativeFunction, dtype: DType, x: Value) -> Value:
    return x


NATIVE: Mapping[Op, Instruction] = MappingProxyType(
    {
        ops.NEGATIVE: _float_or_integer(_method("fneg"), _negative),
        ops.EXP: _from_vector_math(vector_math.exp),
        ops.EXPM1: _from_vector_math(vector_math.expm1),
        ops.LOG: _from_vector_math(vector_math.log),
        ops.LOG1P: _from_vector_math(vector_math.log1p),
        ops.TANH: _from_vector_math(vector_math.tanh),
        ops.LOGISTIC: _from_vector_math(vector_math.logistic),
        ops.EXPIT: _from_vector_math(vector_math.logistic),
        ops.RELU: lambda f, dtype, x: f.select(f.fcmp("ole", x, f.like(x, 0)), f.like(x, 0), x),
        ops.SQRT: _intrinsic("llvm.sqrt"),
        ops.ROOT: _intrinsic("llvm.sqrt"),
        ops.SIN: _intrinsic("llvm.sin"),
        ops.COS: _intrinsic("llvm.cos"),
        ops.TAN: _library("tan"),
        ops.ARCSIN: _library("asin"),
        ops.ARCCOS: _library("acos"),
        ops.ARCTAN: _library("atan"),
        ops.SINH: _library("sinh"),
        ops.COSH: _library("cosh"),
        ops.ARCSINH: _library("asinh"),
        ops.ARCCOSH: _library("acosh"),
        ops.ARCTANH: _library("atanh"),
        ops.EXP2: _library("exp2"),
        ops.LOG2: _library("log2"),
        ops.LOG10: _library("log10"),
        ops.CBRT: _library("cbrt"),
        ops.ERF: _library("erf"),
        ops.ABSOLUTE: _float_or_integer(_plain("llvm.fabs"), _absolute_integer, lambda f, a: a),
        ops.SIGN: _float_or_integer(_sign_float, _sign_integer, _sign_unsigned),
        ops.FLOOR: _intrinsic("llvm.floor"),
        ops.CEIL: _intrinsic("llvm.ceil"),
        ops.ROUND: _intrinsic("llvm.roundeven"),
        ops.LOGICAL_NOT: _not,
        ops.CAST: _same,  # `apply` calls `cast`, which needs both types
        ops.BITCAST: _same,  # `apply` knows the type
        ops.STOP_GRADIENT: _same,
        ops.MARK: _same,
        ops.ADD: _add,
        ops.SUBTRACT: _float_or_integer(_method("fsub"), _method("sub")),
        ops.MULTIPLY: _float_or_integer(_method("fmul"), _method("mul")),
        ops.DIVIDE: _float_or_integer(_method("fdiv"), _integer("sdiv")),
        ops.POWER: _float_or_integer(_plain("llvm.pow"), _power_integer),
        ops.MAXIMUM: _float_or_integer(_plain("llvm.maximum"), _plain("llvm.smax"), _plain("llvm.umax")),
        ops.MINIMUM: _float_or_integer(_plain("llvm.minimum"), _plain("llvm.smin"), _plain("llvm.umin")),
        ops.FLOOR_DIVIDE: _float_or_integer(_floor_divide_float, _floor_divide_signed, _floor_divide_unsigned),
        ops.REMAINDER: _float_or_integer(_remainder_float, _remainder_signed, _remainder_unsigned),
        ops.ARCTAN2: _library("atan2"),
        ops.HYPOT: _library("hypot"),
        ops.LOGADDEXP: _logaddexp,
        ops.COPYSIGN: _intrinsic("llvm.copysign"),
        ops.NEXTAFTER: _library("nextafter"),
        ops.BITWISE_AND: _bits("and"),
        ops.BITWISE_OR: _bits("or"),
        ops.BITWISE_XOR: _bits("xor"),
        ops.LEFT_SHIFT: _left_shift,
        ops.RIGHT_SHIFT: _right_shift,
        ops.LESS: _compare("olt", "slt", "ult"),
        ops.LESS_EQUAL: _compare("ole", "sle", "ule"),
        ops.EQUAL: _compare("oeq", "eq", "eq"),
        ops.NOT_EQUAL: _compare("une", "ne", "ne"),
        ops.LOGICAL_AND: lambda f, dtype, a, b: f.integer("and", a, b),
        ops.LOGICAL_OR: lambda f, dtype, a, b: f.integer("or", a, b),
        ops.SELECT: _select,
    }
)
