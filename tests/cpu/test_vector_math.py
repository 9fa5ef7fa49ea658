"""The elementary functions of `chainrule.cpu.vector_math`, compiled and compared with mpmath.

An error is counted in units in the last place (ULP) of the exact result; a denormal's last place is that of the
smallest normal number. The baseline target has no fused multiply-add, the host usually has.
"""

from __future__ import annotations

import ctypes
import functools
import platform
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import llvmlite.binding as llvm
import mpmath
import numpy as np
import pytest

from chainrule.cpu import vector_math
from chainrule.cpu.ir import I64, PTR, LLVMType, Module, NativeFunction, Value

LANES = (1, 4, 8, 16)
KINDS = {"float": np.dtype(np.float32), "double": np.dtype(np.float64)}
TARGETS = ("host", "baseline")


@dataclass(frozen=True)
class Elementary:
    """A function as it is written, computed in double, and computed exactly; and the most ULP it may be wrong by."""

    write: Callable[[NativeFunction, Value], Value]
    double: Callable[[Any], Any]
    exact: Callable[[Any], Any]
    bound: float
    lowest: float = -np.inf  # the domain, without its end


FUNCTIONS = {
    "exp": Elementary(vector_math.exp, np.exp, mpmath.exp, 2),
    "expm1": Elementary(vector_math.expm1, np.expm1, mpmath.expm1, 3),
    "log": Elementary(vector_math.log, np.log, mpmath.log, 1, lowest=0.0),
    "log1p": Elementary(vector_math.log1p, np.log1p, mpmath.log1p, 1, lowest=-1.0),
    "tanh": Elementary(vector_math.tanh, np.tanh, mpmath.tanh, 3),
    "logistic": Elementary(
        vector_math.logistic, lambda x: 1 / (1 + np.exp(-x)), lambda x: 1 / (1 + mpmath.exp(-x)), 3
    ),
}  # fmt: skip


# compiling


def source() -> str:
    """Loops over arrays: one for each function, element type and number of lanes."""
    module = Module()
    for name, elementary in FUNCTIONS.items():
        for kind in KINDS:
            for lanes in LANES:
                write_loop(module, f"{name}_{kind}_{lanes}", elementary, LLVMType(kind, lanes))
    return module.text()


def write_loop(module: Module, name: str, elementary: Elementary, vector: LLVMType) -> None:
    function = module.function(name, [("x", PTR), ("y", PTR), ("n", I64)])
    x, y, n = function.parameters
    element = vector.with_lanes(1)

    def body(index: Value, _: list[Value]) -> list[Value]:
        value = function.load(vector, function.offset(x, element, index))
        function.store(elementary.write(function, value), function.offset(y, element, index))
        return []

    function.loop(function.constant(I64, 0), n, vector.lanes, [], body)
    function.ret()


class Compiled:
    """The loops, compiled for one target."""

    def __init__(self, cpu: str, features: str) -> None:
        llvm.initialize_native_target()
        llvm.initialize_native_asmprinter()
        machine = llvm.Target.from_default_triple().create_target_machine(cpu=cpu, features=features, opt=3)
        module = llvm.parse_assembly(source())
        module.verify()
        self._engine = llvm.create_mcjit_compiler(module, machine)
        self._engine.finalize_object()

    def __call__(self, name: str, x: np.ndarray, lanes: int = 8) -> np.ndarray:
        kind = next(k for k, dtype in KINDS.items() if dtype == x.dtype)
        address = self._engine.get_function_address(f"{name}_{kind}_{lanes}")
        loop = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_int64)(address)
        padded = np.resize(x, -(-len(x) // max(LANES)) * max(LANES))
        y = np.empty_like(padded)
        loop(padded.ctypes.data, y.ctypes.data, len(padded))
        return y[: len(x)]


@pytest.fixture(scope="module", params=TARGETS)
def compiled(request: pytest.FixtureRequest) -> Iterator[Compiled]:
    if request.param == "host":
        yield Compiled(llvm.get_host_cpu_name(), llvm.get_host_cpu_features().flatten())
    elif platform.machine().lower() in ("x86_64", "amd64"):
        yield Compiled("x86-64", "")
    else:
        pytest.skip("the baseline target is one of x86-64")


# exact results


@dataclass(frozen=True)
class Reference:
    """Exact results (whole + part) · 2^exponent, where 2^exponent is one ULP."""

    whole: np.ndarray
    part: np.ndarray
    exponent: np.ndarray

    def errors(self, y: np.ndarray) -> np.ndarray:
        """The error of each result in ULP; ∞ counts as the power of two after the largest number."""
        limits = np.finfo(y.dtype)
        digits = limits.nmant + 1
        with np.errstate(over="ignore", invalid="ignore"):
            scaled = np.ldexp(y.astype(np.float64), -self.exponent)
            at_end = np.isinf(y) & (self.exponent == limits.maxexp - digits)
            scaled = np.where(at_end, np.copysign(2.0**digits, scaled), scaled)
            errors = np.abs(scaled - self.whole - self.part)
        return np.where(np.isnan(errors), np.inf, errors)


def reference_single(elementary: Elementary, x: np.ndarray) -> Reference:
    """From the function in double precision, which is exact enough."""
    with np.errstate(over="ignore"):
        exact = np.clip(elementary.double(x.astype(np.float64)), -(2.0**128), 2.0**128)
    exponent = np.clip(np.frexp(exact)[1] - 1, -126, 127) - 23
    return Reference(np.ldexp(exact, -exponent), np.zeros_like(exact), exponent)


def reference_double(elementary: Elementary, x: np.ndarray) -> Reference:
    """From mpmath."""
    whole, part, exponents = [], [], []
    with mpmath.workprec(120):
        end = mpmath.mpf(2) ** 1024
        for value in x:
            exact = min(elementary.exact(mpmath.mpf(float(value))), end)
            exponent = min(max(int(mpmath.frexp(exact)[1]) - 1, -1022), 1023) - 52
            scaled = mpmath.ldexp(exact, -exponent)
            floor = mpmath.floor(scaled)
            whole.append(float(floor))
            part.append(float(scaled - floor))
            exponents.append(exponent)
    return Reference(np.array(whole), np.array(part), np.array(exponents))


@functools.cache
def single_points(name: str) -> np.ndarray:
    """Numbers of every exponent and sign, denormals as well; many where the function is neither flat nor straight."""
    everywhere = np.arange(0, 1 << 32, 13999, dtype=np.uint32).view(np.float32)
    middle = np.random.default_rng(1).uniform([-105, -4], [95, 4], (100_000, 2)).astype(np.float32).ravel()
    return in_domain(name, np.concatenate([everywhere, middle, critical(np.float32)]))


@functools.cache
def double_points(name: str) -> np.ndarray:
    """As for float32, but fewer."""
    random = np.random.default_rng(2)
    everywhere = np.arange(0, 1 << 64, (1 << 64) // 1009, dtype=np.uint64).view(np.float64)
    middle = random.uniform([-750, -40, -4, -4], [715, 40, 4, 4], (600, 4)).ravel()
    small = random.normal(size=300) * 10.0 ** random.uniform(-17, 0, 300)
    return in_domain(name, np.concatenate([everywhere, middle, small, 1 + small, critical(np.float64)]))


def in_domain(name: str, x: np.ndarray) -> np.ndarray:
    return x[np.isfinite(x) & (x > FUNCTIONS[name].lowest)]


def critical(dtype: type) -> np.ndarray:
    """Neighbours of where the reductions change over and where results reach the ends of the type."""
    limits = np.finfo(dtype)
    halves = np.log(2) * np.arange(-12.5, 13) / 2
    roots = np.sqrt(2) * 2.0 ** np.array([-30, -1, 0, 1, 30])
    tiny, smallest, largest = (float(v) for v in (limits.tiny, limits.smallest_subnormal, limits.max))
    ends = [np.log(tiny), np.log(smallest), np.log(smallest) - np.log(2), np.log(largest)]
    middle = np.concatenate([halves, roots, roots - 1, ends, [1, 2, 9, 10, 19, 20, tiny, smallest, largest]])
    points = np.concatenate([middle, -middle]).astype(dtype)
    bits = points.view(f"u{points.itemsize}")
    near = np.concatenate([bits + np.array(step, bits.dtype) for step in range(4)] + [bits - np.array(1, bits.dtype)])
    return near.view(dtype)


@functools.cache
def single_reference(name: str) -> Reference:
    return reference_single(FUNCTIONS[name], single_points(name))


@functools.cache
def double_reference(name: str) -> Reference:
    return reference_double(FUNCTIONS[name], double_points(name))


# accuracy


@pytest.mark.parametrize("name", FUNCTIONS)
def test_single_precision_results_are_within_the_error_bound(compiled: Compiled, name: str) -> None:
    x = single_points(name)
    errors = single_reference(name).errors(compiled(name, x))
    worst = int(np.argmax(errors))
    assert errors[worst] <= FUNCTIONS[name].bound, f"{errors[worst]:.2f} ULP at {x[worst]!r}"


@pytest.mark.parametrize("name", FUNCTIONS)
def test_double_precision_results_are_within_the_error_bound(compiled: Compiled, name: str) -> None:
    x = double_points(name)
    errors = double_reference(name).errors(compiled(name, x))
    worst = int(np.argmax(errors))
    assert errors[worst] <= FUNCTIONS[name].bound, f"{errors[worst]:.2f} ULP at {x[worst]!r}"


@pytest.mark.parametrize(
    ("name", "dtype", "x", "expected"),
    [
        ("exp", np.float32, -100.0, 3.78e-44),
        ("logistic", np.float32, -100.0, 3.78e-44),
        ("exp", np.float64, -740.0, 4.2e-322),
        ("logistic", np.float64, -740.0, 4.2e-322),
        ("log", np.float32, 1e-44, -101.33),
        ("log", np.float64, 1e-322, -741.44),
    ],
)
def test_denormal_results_and_arguments_are_not_flushed_to_zero(
    compiled: Compiled, name: str, dtype: type, x: float, expected: float
) -> None:
    assert compiled(name, np.array([x], dtype))[0] == pytest.approx(expected, rel=0.01)


# special values

SMALLEST = object()  # the smallest positive number of the type
SPECIAL = {
    "exp": [(0.0, 1.0), (-0.0, 1.0), (np.inf, np.inf), (-np.inf, 0.0), (89.0, {np.float32: np.inf}),
            (710.0, np.inf), (-104.0, {np.float32: 0.0}), (-746.0, 0.0), (SMALLEST, 1.0)],
    "expm1": [(0.0, 0.0), (-0.0, -0.0), (np.inf, np.inf), (-np.inf, -1.0), (710.0, np.inf), (-746.0, -1.0),
              (SMALLEST, SMALLEST)],
    "log": [(0.0, -np.inf), (-0.0, -np.inf), (1.0, 0.0), (np.inf, np.inf), (-1.0, np.nan), (-np.inf, np.nan)],
    "log1p": [(0.0, 0.0), (-0.0, -0.0), (-1.0, -np.inf), (np.inf, np.inf), (-2.0, np.nan), (-np.inf, np.nan),
              (SMALLEST, SMALLEST)],
    "tanh": [(0.0, 0.0), (-0.0, -0.0), (np.inf, 1.0), (-np.inf, -1.0), (40.0, 1.0), (-40.0, -1.0),
             (SMALLEST, SMALLEST)],
    "logistic": [(0.0, 0.5), (-0.0, 0.5), (np.inf, 1.0), (-np.inf, 0.0), (800.0, 1.0), (-800.0, 0.0)],
}  # fmt: skip


@pytest.mark.parametrize("dtype", KINDS.values(), ids=str)
@pytest.mark.parametrize("name", FUNCTIONS)
def test_zeros_infinities_and_poles_come_out_to_the_bit(compiled: Compiled, name: str, dtype: np.dtype) -> None:
    def number(value: Any) -> float:
        return float(np.finfo(dtype).smallest_subnormal) if value is SMALLEST else value

    pairs = [(x, y.get(dtype.type) if isinstance(y, dict) else y) for x, y in SPECIAL[name]]
    pairs = [(number(x), number(y)) for x, y in pairs if y is not None]
    x, expected = (np.array(column, dtype) for column in zip(*pairs, strict=True))
    result = compiled(name, x)
    is_nan = np.isnan(expected)
    np.testing.assert_array_equal(np.isnan(result), is_nan)
    unsigned = f"u{dtype.itemsize}"
    np.testing.assert_array_equal(result[~is_nan].view(unsigned), expected[~is_nan].view(unsigned))


@pytest.mark.parametrize("name", FUNCTIONS)
def test_nan_comes_out_as_nan_whatever_its_payload_and_sign(compiled: Compiled, name: str) -> None:
    payloads = np.random.default_rng(3).integers(1, 1 << 22, 1000)
    single = np.concatenate([payloads | 0x7FC00000, payloads | 0xFFC00000]).astype(np.uint32).view(np.float32)
    high = np.array([0x7FF8 << 48, 0xFFF8 << 48], np.uint64)
    double = (payloads.astype(np.uint64)[:, None] | high).ravel().view(np.float64)
    assert np.isnan(compiled(name, single)).all()
    assert np.isnan(compiled(name, double)).all()


# structure


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", FUNCTIONS)
def test_every_number_of_lanes_gives_the_same_bits(compiled: Compiled, name: str, kind: str) -> None:
    bits = np.random.default_rng(4).integers(0, 1 << 64, 4000, np.uint64, endpoint=False)
    middle = np.random.default_rng(5).uniform(-800, 800, 4000)
    x = np.concatenate([bits.view(KINDS[kind]), middle.astype(KINDS[kind])])
    scalar = compiled(name, x, 1)
    for lanes in LANES[1:]:
        np.testing.assert_array_equal(np.signbit(compiled(name, x, lanes)), np.signbit(scalar))
        np.testing.assert_array_equal(compiled(name, x, lanes), scalar)  # nan equals nan here


@pytest.mark.parametrize("kind", KINDS)
def test_tanh_is_odd_and_at_most_one(compiled: Compiled, kind: str) -> None:
    x = np.random.default_rng(6).uniform(0, 25, 100_000).astype(KINDS[kind])
    y = compiled("tanh", x)
    assert y.max() == 1
    np.testing.assert_array_equal(compiled("tanh", -x), -y)


@pytest.mark.parametrize("kind", KINDS)
def test_logistic_is_at_most_one_and_positive_wherever_the_type_can_show_it(compiled: Compiled, kind: str) -> None:
    x = np.random.default_rng(7).uniform({"float": -103, "double": -744}[kind], 60, 100_000).astype(KINDS[kind])
    y = compiled("logistic", x)
    assert y.max() == 1
    assert y.min() > 0
