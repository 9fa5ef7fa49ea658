"""Learning: optimisers, the training step, the loop over epochs, and the run that it leaves."""
