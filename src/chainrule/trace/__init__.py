"""How Python becomes a graph: the Array that records, and what else a program is looked at with."""
