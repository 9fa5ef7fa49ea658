"""The most float32 operations per second that this core can do: multiply-adds on registers, nothing else."""

from __future__ import annotations

import ctypes
import time
from functools import lru_cache
from typing import Any

import numpy as np

from chainrule.cpu import machine
from chainrule.cpu.ir import F32, I64, PTR, Module, NativeFunction
from chainrule.cpu.processor import Processor, host

__all__ = ["measured_peak"]

_ROUNDS = 100_000
_SPARE = 4  # registers that hold no accumulator


def _chains(processor: Processor) -> int:
    """Accumulators that do not wait for each other: as many as registers allow."""
    return processor.registers - _SPARE


def _module(processor: Processor) -> str:
    """`spin(data, rounds)`: each round is one multiply-add on each accumulator; their sum is stored at the end."""
    module = Module(processor.attributes)
    spin = module.function("spin", [("data", PTR), ("rounds", I64)])
    data, rounds = spin.parameters
    vector = F32.with_lanes(processor.lanes(4))
    factor, addend, *starts = (
        spin.load(vector, spin.offset(data, F32, NativeFunction.constant(I64, n * vector.lanes)))
        for n in range(2 + _chains(processor))
    )
    ends = spin.loop(
        NativeFunction.constant(I64, 0), rounds, 1, starts, lambda _, held: [spin.fma(a, factor, addend) for a in held]
    )
    total = ends[0]
    for end in ends[1:]:
        total = spin.fadd(total, end)
    spin.store(total, data)
    spin.ret()
    return module.text()


@lru_cache(maxsize=1)
def _spin() -> Any:
    code = machine.Loaded.from_object(machine.machine_code(_module(host()), host()))
    function = code.function("spin", ctypes.c_void_p, ctypes.c_int64)
    return lambda data, rounds: (function(data, rounds), code)  # the code stays as long as the function


def measured_peak(repeats: int = 10) -> float:
    """Operations per second of one core in float32, the best of some short trials."""
    processor, spin = host(), _spin()
    lanes, chains = processor.lanes(4), _chains(processor)
    best = 0.0
    for _ in range(repeats):
        data = np.repeat(np.r_[0.5, 0.5, 1 : 1 + chains].astype(np.float32), lanes)
        start = time.perf_counter()
        spin(data.ctypes.data, _ROUNDS)
        best = max(best, 2 * lanes * chains * _ROUNDS / (time.perf_counter() - start))
    return best


if __name__ == "__main__":
    print(f"{measured_peak() / 1e9:.1f} GFLOP/s ({host().cpu}, {host().vector_bytes * 8}-bit vectors)")
