"""LLVM, through llvmlite: text to machine code, machine code to something that can be called."""

from __future__ import annotations

import ctypes
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from chainrule.cpu.processor import Processor
from chainrule.errors import NativeError

__all__ = ["Loaded", "assemble", "machine_code"]

_OPTIMISATION = 2  # of instruction selection, scheduling and register allocation


@lru_cache(maxsize=1)
def _llvm() -> Any:
    import llvmlite.binding as llvm

    llvm.initialize_native_target()
    llvm.initialize_native_asmprinter()
    return llvm


def _parsed(text: str, processor: Processor) -> tuple[Any, Any]:
    """LLVM's module and target machine. No passes run on it: it is written in the shape that it should have."""
    llvm = _llvm()
    triple = llvm.get_process_triple()
    try:
        module = llvm.parse_assembly(f'target triple = "{triple}"\n{text}')
        machine = llvm.Target.from_triple(triple).create_target_machine(
            cpu=processor.cpu, features=processor.features, opt=_OPTIMISATION, jit=True
        )
    except RuntimeError as problem:
        raise NativeError(f"LLVM does not accept the program for {processor.cpu}: {problem}") from problem
    module.data_layout = str(machine.target_data)
    return module, machine


def machine_code(text: str, processor: Processor, loops: Sequence[str] = ()) -> bytes:
    """The object file of an LLVM module, after LLVM's passes over the functions named in `loops`."""
    module, machine = _parsed(text, processor)
    if loops:
        _run_passes(module, machine, loops)
    return bytes(machine.emit_object(module))


def _run_passes(module: Any, machine: Any, loops: Sequence[str]) -> None:
    """Write what small loops call into them, and keep in registers what goes from one step to the next."""
    llvm = _llvm()
    builder = llvm.create_pass_builder(machine, llvm.create_pipeline_tuning_options(speed_level=_OPTIMISATION))
    inlining = llvm.create_new_module_pass_manager()
    inlining.add_always_inliner_pass()
    inlining.add_global_dead_code_eliminate_pass()
    inlining.run(module, builder)
    passes = builder.getFunctionPassManager()
    for name in loops:
        passes.run(module.get_function(name.strip('"')), builder)


def assemble(text: str, processor: Processor) -> str:
    """The assembly of an LLVM module, for a person to read."""
    module, machine = _parsed(text, processor)
    return str(machine.emit_assembly(module))


@dataclass(frozen=True, eq=False)
class Loaded:
    """Machine code in memory; keeps it there as long as it is referred to."""

    engine: Any

    @classmethod
    def from_object(cls, code: bytes) -> Loaded:
        """Load an object file."""
        llvm = _llvm()
        empty = llvm.parse_assembly("")
        machine = llvm.Target.from_triple(llvm.get_process_triple()).create_target_machine(jit=True)
        engine = llvm.create_mcjit_compiler(empty, machine)
        engine.add_object_file(llvm.ObjectFileRef.from_data(code))
        engine.finalize_object()
        return cls(engine)

    def has(self, name: str) -> bool:
        """Whether there is a function of that name."""
        return bool(self.engine.get_function_address(name))

    def function(self, name: str, *arguments: Any) -> Any:
        """The function of that name, which returns nothing, to be called through ctypes."""
        address = self.engine.get_function_address(name)
        if not address:
            raise NativeError(f"the machine code has no function {name}.")
        return ctypes.CFUNCTYPE(None, *arguments)(address)
