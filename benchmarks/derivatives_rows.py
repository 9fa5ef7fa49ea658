"""The quantities that are measured, of which networks, and how much longer than a gradient they may take."""

from __future__ import annotations

from dataclasses import dataclass

from protocol import Task
from workloads import WORKLOADS

__all__ = ["NETS", "ROWS", "Row"]


@dataclass(frozen=True)
class Row:
    """A quantity of a network, and what it may cost.

    `against` is the way that every other one is divided by; None for each library's own gradient.
    """

    quantity: str
    net: str
    required: float
    aim: float | None = None  # None for the time that only writing the result takes
    against: str | None = None


_LARGE, _SMALL, _TINY = "mlp-512-b128", "mlp-100-b10", "mlp-32-b32"

#: The networks: those that are trained elsewhere, and one of about a thousand parameters.
NETS: dict[str, Task] = {
    _LARGE: WORKLOADS[_LARGE],
    _SMALL: WORKLOADS[_SMALL],
    _TINY: Task((20, 32, 10), 32, "tanh", "softmax", "cross_entropy", "sgd", 0.1),
}

#: What is measured, by name.
ROWS: dict[str, Row] = {
    "norms-100": Row("norms", _SMALL, 1.3, 1.1),
    "norms-512": Row("norms", _LARGE, 1.15, 1.05),
    "gradient-and-norms-100": Row("gradient-and-norms", _SMALL, 1.3, 1.1),
    "gradient-and-norms-512": Row("gradient-and-norms", _LARGE, 1.15, 1.05),
    "second-moment-512": Row("second-moment", _LARGE, 1.7, 1.4),
    "variance-512": Row("variance", _LARGE, 1.7, 1.4),
    "per-example-512": Row("per-example", _LARGE, 6.0),
    "hvp-100": Row("hvp", _SMALL, 3.0, 2.2),
    "hvp-512": Row("hvp", _LARGE, 2.6, 2.2),
    "hessian-1k": Row("hessian", _TINY, 1.0, 0.3, against="JAX"),
}
