"""The processor that code is made for: its name, its features, and the width and number of its vector registers."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

__all__ = ["BASELINE", "Processor", "host"]


@dataclass(frozen=True, slots=True)
class Processor:
    """A processor as LLVM names it, with vector registers of `vector_bytes` bytes, `registers` of them."""

    cpu: str
    features: str
    vector_bytes: int
    registers: int

    def lanes(self, itemsize: int) -> int:
        """How many elements of `itemsize` bytes a vector register holds."""
        return max(self.vector_bytes // itemsize, 1)

    @property
    def attributes(self) -> str:
        """LLVM function attributes that let it use the full width."""
        bits = self.vector_bytes * 8
        return f'nounwind "prefer-vector-width"="{bits}" "min-legal-vector-width"="{bits}"'


#: Any x86-64 processor: SSE2, no fused multiply-add.
BASELINE = Processor("x86-64", "", 16, 16)


@lru_cache(maxsize=1)
def host() -> Processor:
    """The processor that this program runs on."""
    import llvmlite.binding as llvm

    features = llvm.get_host_cpu_features()
    wide, avx = bool(features.get("avx512f") and features.get("avx512vl")), bool(features.get("avx2"))
    arm = "aarch64" in llvm.get_process_triple() or "arm64" in llvm.get_process_triple()
    vector_bytes = 64 if wide else 32 if avx else 16
    return Processor(llvm.get_host_cpu_name(), features.flatten(), vector_bytes, 32 if wide or arm else 16)
