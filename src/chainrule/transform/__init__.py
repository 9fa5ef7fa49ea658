"""What users call: derivatives of Python functions, batches of them, loops inside them, and native code of them."""

import chainrule.special  # noqa: F401 - so that SciPy's functions, given an Array, find those of the same names
from chainrule.transform.batches import per_example, vmap
from chainrule.transform.compiled import Compiled, compile
from chainrule.transform.control import cond, scan, while_loop
from chainrule.transform.derivatives import grad, jvp, value_and_grad, vjp
from chainrule.transform.matrices import ggn_vp, hessian, hvp, jacfwd, jacobian, jacrev
from chainrule.transform.rules import checkpoint, custom_derivative, stop_gradient

__all__ = [
    "Compiled", "checkpoint", "compile", "cond", "custom_derivative", "ggn_vp", "grad", "hessian", "hvp", "jacfwd",
    "jacobian", "jacrev", "jvp", "per_example", "scan", "stop_gradient", "value_and_grad", "vjp", "vmap", "while_loop",
]  # fmt: skip
