"""Which inputs an answer comes from."""
