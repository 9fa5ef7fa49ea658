"""Graphs rewritten: the same values with less work and less memory, whatever runs them."""
