"""LLVM, through llvmlite: text to machine code, machine code to something that can be called."""

from __future__ import annotations

import ctypes
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from chainrule.errors import NativeError
from chainrule.native.target import Target

__all__ = ["Loaded", "assemble", "machine_code"]

_OPTIMISATION = 2


@lru_cache(maxsize=1)
def _llvm() -> Any:
    import llvmlite.binding as llvm

    llvm.initialize_all_targets()
    llvm.initialize_all_asmprinters()
    import os
    for o in os.environ.get("LO","").split(): llvm.set_option("",o)
    return llvm


def _optimised(text: str, target: Target) -> tuple[Any, Any]:
    llvm = _llvm()
    triple = llvm.get_process_triple()
    try:
        module = llvm.parse_assembly(f'target triple = "{triple}"\n{text}')
        machine = llvm.Target.from_triple(triple).create_target_machine(
            cpu=target.cpu, features=target.features, opt=_OPTIMISATION, jit=True
        )
    except RuntimeError as problem:
        raise NativeError(f"LLVM does not accept the program for {target.cpu}: {problem}") from problem
    module.data_layout = str(machine.target_data)
    options = llvm.create_pipeline_tuning_options(speed_level=1)
    options.loop_vectorization = options.slp_vectorization = options.loop_unrolling = False
    builder = llvm.create_pass_builder(machine, options)
    passes = llvm.create_new_module_pass_manager()
    _add_passes(passes)
    passes.run(module, builder)
    return module, machine


def _add_passes(passes: Any) -> None:
    """Common subexpressions, dead code, loop-invariant code: the program's structure is left as it was scheduled."""
    passes.add_instruction_combine_pass()
    passes.add_licm_pass() if hasattr(passes, "add_licm_pass") else None


def machine_code(text: str, target: Target) -> bytes:
    """The object file of an LLVM module."""
    module, machine = _optimised(text, target)
    return bytes(machine.emit_object(module))


def assemble(text: str, target: Target) -> str:
    """The assembly of an LLVM module, for a person to read."""
    module, machine = _optimised(text, target)
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

    def function(self, name: str, *arguments: Any) -> Any:
        """The function of that name, which returns nothing, to be called through ctypes."""
        address = self.engine.get_function_address(name)
        if not address:
            raise NativeError(f"the machine code has no function {name}.")
        return ctypes.CFUNCTYPE(None, *arguments)(address)
