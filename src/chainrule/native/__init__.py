"""How a graph runs: simplified, scheduled into kernels, given memory, and turned into native code by LLVM."""
