"""A graph planned: which kernels, in which order, in what memory."""
