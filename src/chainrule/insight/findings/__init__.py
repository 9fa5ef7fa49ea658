"""What keeps networks from learning: one row for each pathology, with the derivative that shows it."""
