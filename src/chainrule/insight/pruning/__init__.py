"""Which weights nobody would miss."""
