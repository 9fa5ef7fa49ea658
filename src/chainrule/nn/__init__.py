"""Networks: layers, activations, costs and initialisers, and what goes through them."""

from chainrule.nn.activations import ACTIVATIONS, Activation, identity, logistic, relu, sigmoid, softmax, tanh
from chainrule.nn.connected import Connected
from chainrule.nn.costs import COSTS, Cost
from chainrule.nn.feedforward import Feedforward
from chainrule.nn.initializers import INITIALIZERS, Initializer
from chainrule.nn.layers import Dense, Function, Sequential, training
from chainrule.nn.network import Network
from chainrule.nn.recording import linear
from chainrule.nn.recurrent import unrolled
from chainrule.nn.wiring import Connection, Units, Wiring

__all__ = [
    "ACTIVATIONS",
    "COSTS",
    "INITIALIZERS",
    "Activation",
    "Connected",
    "Connection",
    "Cost",
    "Dense",
    "Feedforward",
    "Function",
    "Initializer",
    "Network",
    "Sequential",
    "Units",
    "Wiring",
    "identity",
    "linear",
    "logistic",
    "relu",
    "sigmoid",
    "softmax",
    "tanh",
    "training",
    "unrolled",
]
