"""The commands, one module for each. What they need is imported when one of them runs, so that `--help` is quick."""
