"""What one weight, a neuron or a layer does to the cost, and what if it were another."""
