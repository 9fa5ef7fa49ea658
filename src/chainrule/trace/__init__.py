"""How Python becomes a graph: the Array that records, the NumPy namespace over it, trees of arrays."""
