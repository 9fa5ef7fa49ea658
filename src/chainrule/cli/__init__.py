"""The command line: `chainrule learn`, `chainrule show`."""
