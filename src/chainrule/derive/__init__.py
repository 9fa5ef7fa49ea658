"""What a derivative is: the rules of each operation, and backpropagation as a walk that writes a graph."""
