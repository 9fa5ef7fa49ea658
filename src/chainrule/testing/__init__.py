"""Checks of derivatives for users' tests and our own: `check_gradient`, tolerances, and random functions to check.

    cr.testing.check_gradient(lambda w: np.sum(np.tanh(w) ** 2), w)   # raises GradientMismatch if a derivative is wrong

Needs no test framework: a failed check is an AssertionError, which every framework reports.
"""

from chainrule.testing.closeness import ROUNDING, TOLERANCE, assert_close
from chainrule.testing.gradients import check_gradient
from chainrule.testing.random_functions import OPERATIONS, RandomFunction, random_function

__all__ = [
    "OPERATIONS", "ROUNDING", "TOLERANCE", "RandomFunction", "assert_close", "check_gradient", "random_function",
]  # fmt: skip
