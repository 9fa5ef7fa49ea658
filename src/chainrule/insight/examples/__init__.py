"""Which examples made an answer, and which labels are doubtful."""
