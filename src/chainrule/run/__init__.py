"""How a graph runs: compiled once, kept in memory and on disk, called often."""
