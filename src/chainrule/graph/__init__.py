"""What a program is: types, the closed set of operations, interned nodes, graphs, their text and their meaning."""
