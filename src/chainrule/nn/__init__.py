"""Networks of layers, activations, costs and initialisers."""

from chainrule.nn.activations import ACTIVATIONS, logistic, relu, sigmoid, softmax, tanh
from chainrule.nn.connected import Connected
from chainrule.nn.costs import COSTS
from chainrule.nn.feedforward import Feedforward
from chainrule.nn.initializers import INITIALIZERS
from chainrule.nn.network import Dense, Network
from chainrule.nn.recurrent import unrolled
from chainrule.nn.wiring import Connection, Units, Wiring

__all__ = [
    "ACTIVATIONS",
    "COSTS",
    "INITIALIZERS",
    "Connected",
    "Connection",
    "Dense",
    "Feedforward",
    "Network",
    "Units",
    "Wiring",
    "logistic",
    "relu",
    "sigmoid",
    "softmax",
    "tanh",
    "unrolled",
]
