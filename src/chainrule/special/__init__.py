"""SciPy's special functions, with derivatives: `from chainrule import special`.

Names, argument orders and values are those of `scipy.special`, which is not needed. On plain arrays and numbers they
return plain arrays and numbers; under derivatives of any order, `vmap` and `compile` they are recorded, like the
functions of `chainrule.numpy`, and SciPy's own universal functions hand over what is traced. Single-precision numbers
are computed in double precision and rounded once. Each docstring says by how many units in the last place (ULP) a
result in double precision was off at most, against mpmath.
"""

from __future__ import annotations

import sys as _sys

from chainrule.numpy.bessel import i0, i0e, i1, i1e
from chainrule.numpy.elementwise import erf
from chainrule.numpy.language import speak as _speak
from chainrule.special.error import erfc, erfcinv, erfcx, erfinv, log_ndtr, ndtr, ndtri
from chainrule.special.gamma import beta, betaln, digamma, gamma, gammaln, gammasgn, multigammaln, polygamma, zeta
from chainrule.special.logarithms import (
    entr,
    expit,
    kl_div,
    log_expit,
    log_softmax,
    logit,
    logsumexp,
    rel_entr,
    softmax,
    xlog1py,
    xlogy,
)

psi = digamma

__all__ = [
    "beta",
    "betaln",
    "digamma",
    "entr",
    "erf",
    "erfc",
    "erfcinv",
    "erfcx",
    "erfinv",
    "expit",
    "gamma",
    "gammaln",
    "gammasgn",
    "i0",
    "i0e",
    "i1",
    "i1e",
    "kl_div",
    "log_expit",
    "log_ndtr",
    "log_softmax",
    "logit",
    "logsumexp",
    "multigammaln",
    "ndtr",
    "ndtri",
    "polygamma",
    "psi",
    "rel_entr",
    "softmax",
    "xlog1py",
    "xlogy",
    "zeta",
]

_speak(_sys.modules[__name__])
