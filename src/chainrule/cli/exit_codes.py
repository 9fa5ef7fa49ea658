"""What the command line tells the shell: 0 if all went well, else one of these."""

__all__ = ["FAILED", "MISUSED", "STOPPED"]

FAILED, MISUSED, STOPPED = 1, 2, 130  # 130 is what a shell gives for Ctrl-C
