"""The processor as a target: kernels tiled, written as LLVM's instructions and made machine code."""
