"""chainrule: backpropagation, compiled; and what its derivatives say.

Write a cost in NumPy's language; `grad` differentiates it by backpropagation, `compile` makes it native code, `learn`
trains networks with it.

    import chainrule as cr
    from chainrule import numpy as np

    slope = cr.grad(lambda w: np.sum(np.tanh(w) ** 2))
    run = cr.learn(cr.nn.Network([784, 30, 10]), cr.data.digits(), cost="quadratic", epochs=30, batch=10,
                   optimizer=cr.optim.SGD(3.0))
"""

from chainrule import data, errors, nn
from chainrule.learn import optimizers as optim
from chainrule.nn.backprop import Backpropagation, LayerDerivatives, backprop
from chainrule.learn.loop import learn
from chainrule.learn.run import Record, Run
from chainrule.transform import compile, grad, stop_gradient, value_and_grad

__version__ = "0.1.0"

__all__ = [
    "Backpropagation",
    "LayerDerivatives",
    "Record",
    "Run",
    "backprop",
    "compile",
    "data",
    "errors",
    "grad",
    "learn",
    "nn",
    "optim",
    "stop_gradient",
    "value_and_grad",
]
