"""How long steps may be, and how many examples each should see."""
