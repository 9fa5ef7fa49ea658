"""chainrule: backpropagation, compiled; and what its derivatives say.

Write a cost in NumPy's language; `grad` differentiates it by backpropagation, `compile` makes it native code, `learn`
trains networks with it.

    import chainrule as cr
    from chainrule import numpy as np

    slope = cr.grad(lambda w: np.sum(np.tanh(w) ** 2))
    run = cr.learn(cr.nn.Network([784, 30, 10]), cr.data.digits(), cost="quadratic", epochs=30, batch=10,
                   optimizer=cr.optim.SGD(3.0))

Parts are imported when they are first used.
"""

import sys
from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from chainrule import classics, data, errors, insight, nn, numpy, random, special, testing, tree
    from chainrule.learning import optimizers as optim
    from chainrule.learning.loop import learn
    from chainrule.learning.run import Record, Run
    from chainrule.nn.backprop import Backpropagation, LayerDerivatives, backprop
    from chainrule.transform import (
        checkpoint,
        compile,
        cond,
        custom_derivative,
        ggn_vp,
        grad,
        hessian,
        hvp,
        jacfwd,
        jacobian,
        jacrev,
        jvp,
        per_example,
        scan,
        stop_gradient,
        value_and_grad,
        vjp,
        vmap,
        while_loop,
    )

__version__ = "0.1.0"

if not getattr(sys, "_is_gil_enabled", lambda: True)():
    raise ImportError(
        "chainrule does not run on free-threaded Python yet: what its programs keep from call to call is guarded by "
        "the interpreter's lock. Use the ordinary build of this version, or start it with PYTHON_GIL=1."
    )

__all__ = [
    "Backpropagation",
    "LayerDerivatives",
    "Record",
    "Run",
    "backprop",
    "checkpoint",
    "classics",
    "compile",
    "cond",
    "custom_derivative",
    "data",
    "errors",
    "ggn_vp",
    "grad",
    "hessian",
    "hvp",
    "insight",
    "jacfwd",
    "jacobian",
    "jacrev",
    "jvp",
    "learn",
    "nn",
    "numpy",
    "optim",
    "per_example",
    "random",
    "scan",
    "special",
    "stop_gradient",
    "testing",
    "tree",
    "value_and_grad",
    "vjp",
    "vmap",
    "while_loop",
]

_TRANSFORMATIONS = (
    "checkpoint",
    "compile",
    "cond",
    "custom_derivative",
    "ggn_vp",
    "grad",
    "hessian",
    "hvp",
    "jacfwd",
    "jacobian",
    "jacrev",
    "jvp",
    "per_example",
    "scan",
    "stop_gradient",
    "value_and_grad",
    "vjp",
    "vmap",
    "while_loop",
)
_MODULES = {
    "Backpropagation": "chainrule.nn.backprop",
    "LayerDerivatives": "chainrule.nn.backprop",
    "Record": "chainrule.learning.run",
    "Run": "chainrule.learning.run",
    "backprop": "chainrule.nn.backprop",
    "learn": "chainrule.learning.loop",
    **dict.fromkeys(_TRANSFORMATIONS, "chainrule.transform"),
}


def __getattr__(name: str) -> Any:
    if name in _MODULES:
        return getattr(import_module(_MODULES[name]), name)
    if name in ("classics", "data", "errors", "insight", "nn", "numpy", "random", "special", "testing", "tree"):
        return import_module(f"chainrule.{name}")
    if name == "optim":
        return import_module("chainrule.learning.optimizers")
    raise AttributeError(f"module 'chainrule' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
