"""A network of 1986 that has learnt: its curve, its weights, its answers, and how its solution works."""
