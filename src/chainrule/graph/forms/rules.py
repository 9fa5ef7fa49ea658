"""Formulas that mean more than they compute, recognised as they are written.

`1 / (1 + exp(-z))` is 0 where `exp` overflows, but its derivative would be 0 · ∞; `norm(x) ** 2` is smooth at 0, where
the norm is not; books write them so nevertheless. Each form is replaced, before anybody takes a derivative, by one
with the same value, to rounding, that stays right where the written one does not, as do its derivatives of all orders:

    1 / (1 + e⁻ᶻ), eᶻ / (1 + eᶻ), …       expit(z)
    1 − expit(z)                          expit(−z)
    (eˣ − e⁻ˣ) / (eˣ + e⁻ˣ), …            tanh(x)
    ln(eᵃ + eᵇ), ln(1 + eᶻ), …            logaddexp(a, b)
    ln Σ eᶻ, eᶻ / Σ eᶻ                    with the largest z subtracted
    ln(p · eᶻ)                            ln p + z
    exp(v), v of exponentials             0 without them where v is below −800
    1/(eᶻ − 1), 1/cosh z, ln cosh z       the same, by e⁻ᶻ where z is large
    a/(p + k·eᶻ)                          0 where eᶻ is ∞
    r · r of a root, a distance, |x|      what it is the root of
    √s of a sum of squares                a distance, with the derivative 0 at 0
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Iterator, Mapping
from types import MappingProxyType

import numpy as np

from chainrule.graph import ops
from chainrule.graph.choices import with_safe_branches
from chainrule.graph.forms.far import inverse_less_one, logarithm_of_cosh, one_over_cosh
from chainrule.graph.forms.logarithms import (
    exponent_of,
    has_exponentials,
    is_shifted,
    known_logarithm,
    largest_over,
    logarithm,
    logarithm_of_sum,
    sum_of_shifted,
)
from chainrule.graph.forms.patterns import (
    DEEP,
    VIEWS,
    MaybeNode,
    difference,
    filled,
    is_number,
    is_positive,
    negated,
    number_of,
    same,
    under_views,
)
from chainrule.graph.forms.roots import cubed, distance_form, squared
from chainrule.graph.node import Node
from chainrule.graph.ops import Op

__all__ = ["FORMS"]


def _written(op: Op, *inputs: Node) -> Node:
    """The operation, in its form if it has one."""
    node = Node(op, inputs)
    return FORMS[op](node) or node if op in FORMS else node


def _natural(x: Node) -> MaybeNode:
    (power,) = x.inputs
    if not has_exponentials(power):
        return None
    if power.op is ops.COSH:
        return logarithm_of_cosh(power.inputs[0])
    found = logarithm(power)
    return found or next((_without(power, n) for n in _factors(power) if n.op is ops.EXP), None)


def _without(x: Node, factor: Node) -> MaybeNode:
    """ln x, where eᶻ is a factor of x: ln(what else it is) + z."""
    rest = _with(x, factor, filled(1, x))
    return rest and Node(ops.ADD, (Node(ops.LOG, (rest,)), exponent_of(factor)))


def _of_another_base(base: float) -> Callable[[Node], MaybeNode]:
    def form(x: Node) -> MaybeNode:
        found = logarithm(x.inputs[0]) if has_exponentials(x.inputs[0]) else None
        return found and Node(ops.DIVIDE, (found, filled(math.log(base), found)))

    return form


def _log1p(x: Node) -> MaybeNode:
    found = logarithm(x.inputs[0])
    return found and Node(ops.LOGADDEXP, (filled(0, found), found))


def _power_of_power(x: Node) -> MaybeNode:
    """exp(v) of a v with exponentials in it: where it rounds to 0 they may be ∞, and are not looked at."""
    (v,) = x.inputs
    if not has_exponentials(v):
        return None
    gone = Node(ops.LESS, (v, filled(-800, v)))
    nothing, below = with_safe_branches(gone, filled(-math.inf, v), v)
    return Node(ops.EXP, (Node(ops.SELECT, (gone, nothing, below)),)) if below is not v else None


def _quotient(x: Node) -> MaybeNode:
    above, below = x.inputs
    if not has_exponentials(below):
        return None
    return _softmax(x) or _hyperbolic_tangent(x) or _divided(above, below) or _vanishing(x)


def _softmax(x: Node) -> MaybeNode:
    """eᶻ / Σ eᶻ, both times with the largest z subtracted."""
    powers, below = x.inputs
    z = logarithm(powers, 0)
    if z is None or x.type.size == 0 or is_shifted(z):
        return None

    def form(found: Node) -> Callable[[Node], MaybeNode]:
        return lambda s: found if s.op is ops.SUM and same(s.inputs[0], powers) else None

    largest = under_views(below, lambda s: largest_over(z, s.axes) if form(s)(s) else None)
    if largest is None:
        return None
    summed = under_views(below, lambda s: sum_of_shifted(z, largest_over(z, s.axes), s.axes))
    assert summed is not None
    return Node(ops.DIVIDE, (Node(ops.EXP, (Node(ops.SUBTRACT, (z, largest)),)), summed))


def _hyperbolic_tangent(x: Node) -> MaybeNode:
    """(eᵃ − eᵇ) / (eᵃ + eᵇ) = tanh((a − b)/2), and sinh/cosh."""
    above, below = x.inputs
    if above.op is ops.SINH and below.op is ops.COSH and same(above.inputs[0], below.inputs[0]):
        return Node(ops.TANH, above.inputs)
    if above.op is not ops.SUBTRACT or below.op is not ops.ADD or logarithm_of_sum(below) is None:
        return None
    if not any(all(map(same, above.inputs, terms)) for terms in (below.inputs, below.inputs[::-1])):
        return None
    a, b = (known_logarithm(n) for n in above.inputs)
    assert a
    assert b
    if negated(b) is a:
        return Node(ops.TANH, (a,))
    return Node(ops.TANH, (Node(ops.MULTIPLY, (difference(a, b), filled(0.5, a))),))


def _divided(above: Node, below: Node, deep: int = DEEP) -> MaybeNode:
    """A quotient of which the divisor is 1 + eᶻ, or has it as a factor."""
    if below.op is ops.MULTIPLY and deep:
        for p, q in (below.inputs, below.inputs[::-1]):
            found = _divided(above, p, deep - 1)
            if found:
                return _written(ops.DIVIDE, found, q)
    n = number_of(below.inputs[1]) if below.op is ops.POWER else None
    if n and n > 1 and deep:
        found = _divided(above, below.inputs[0], deep - 1)
        return found and _written(ops.DIVIDE, found, _raised(below.inputs[0], n - 1))
    if below.op is ops.ADD and not is_positive(above):
        for mine, other in (below.inputs, below.inputs[::-1]):
            a = logarithm(mine) if same(above, mine) else None
            b = known_logarithm(other) if a else None
            if a and b:
                return Node(ops.EXPIT, (difference(a, b),))
    inverse = under_views(below, _inverse)
    if inverse is None:
        return None
    return inverse if is_number(above, 1) else _written(ops.MULTIPLY, above, inverse)


def _vanishing(x: Node) -> MaybeNode:
    """a/(p + k·eᶻ) of any k: 0 where eᶻ is ∞, unless k is 0 or a is ∞ too."""
    above, below = x.inputs
    if below.op not in (ops.ADD, ops.SUBTRACT) or has_exponentials(above):
        return None
    parts = [(term, e) for term in below.inputs for e in _factors(term) if e.op is ops.EXP]
    if not parts:
        return None
    gone = functools.reduce(_either, (_is_infinite(term, e) for term, e in parts))
    finite = Node(ops.LESS, (Node(ops.ABSOLUTE, (above,)), filled(math.inf, above)))
    gone = Node(ops.LOGICAL_AND, (gone, finite))
    return Node(ops.SELECT, (gone, *with_safe_branches(gone, filled(0, x), x)))


def _is_infinite(term: Node, power: Node) -> Node:
    """Where eᶻ is ∞, and what it is multiplied with is not 0."""
    (z,), rest = power.inputs, _with(term, power, filled(1, power))
    large = Node(ops.LESS, (filled(math.log(np.finfo(z.type.dtype).max), z), z))
    return Node(ops.LOGICAL_AND, (large, Node(ops.NOT_EQUAL, (rest, filled(0, rest))))) if rest else large


def _either(a: Node, b: Node) -> Node:
    return Node(ops.LOGICAL_OR, (a, b))


def _inverse(x: Node) -> MaybeNode:
    """1/(c + eᶻ) = expit(ln c − z) / c, 1/(eᶻ − 1), 1/cosh z, and powers of them."""
    if x.op is ops.POWER and number_of(x.inputs[1]) is not None:
        found = _inverse(x.inputs[0])
        return found and Node(ops.POWER, (found, x.inputs[1]))
    if x.op is ops.COSH:
        return one_over_cosh(x.inputs[0])
    if x.op is ops.EXPM1:
        return inverse_less_one(x, x.inputs[0])
    if x.op is ops.SUBTRACT:
        left, right = x.inputs
        if left.op is ops.EXP and is_number(right, 1):
            return inverse_less_one(x, left.inputs[0])
        if right.op is ops.EXP and is_number(left, 1):
            return Node(ops.NEGATIVE, (inverse_less_one(Node(ops.SUBTRACT, (right, left)), right.inputs[0]),))
        return None
    if x.op is not ops.ADD:
        return None
    for c, e in (x.inputs, x.inputs[::-1]):
        z = logarithm(e) if is_positive(c) else None
        if z:
            constant = number_of(c) or 1.0
            y = Node(ops.EXPIT, (difference(filled(math.log(constant), z), z),))
            return y if constant == 1 else Node(ops.MULTIPLY, (y, filled(1 / constant, z)))
    return None


def _difference_of_one(x: Node) -> MaybeNode:
    one, y = x.inputs
    return Node(ops.EXPIT, (negated(y.inputs[0]),)) if y.op is ops.EXPIT and is_number(one, 1) else None


def _product(x: Node) -> MaybeNode:
    a, b = x.inputs
    if not (_has_factors(b) and _has_factors(a)):
        return None
    for factor in _factors(b):
        square = under_views(factor, squared)
        once = _with(a, factor, square) if square else None
        if once:
            return _with(b, factor, once)
    for one, other in ((a, b), (b, a)):
        for factor in _factors(one):
            once = _with_exponential(other, factor) or _with_inner_exponential(other, factor)
            if once:
                return _with(one, factor, once)
    return cubed(a, b) or cubed(b, a)


def _has_factors(x: Node, deep: int = DEEP) -> bool:
    """Whether there are any, quickly: this is asked of every product."""
    op = x.op
    if op is ops.MULTIPLY:
        return deep > 0 and (_has_factors(x.inputs[0], deep - 1) or _has_factors(x.inputs[1], deep - 1))
    if op is ops.NEGATIVE or op is ops.DIVIDE:
        return deep > 0 and _has_factors(x.inputs[0], deep - 1)
    return op in _FACTORS


def _factors(x: Node, deep: int = DEEP) -> Iterator[Node]:
    """What a node is a product of, as far as that is seen."""
    if x.op is ops.MULTIPLY and deep:
        yield from _factors(x.inputs[0], deep - 1)
        yield from _factors(x.inputs[1], deep - 1)
    elif x.op in (ops.NEGATIVE, ops.DIVIDE) and deep:
        yield from _factors(x.inputs[0], deep - 1)
    elif x.op in _FACTORS:
        yield x


_FACTORS = frozenset((ops.ROOT, ops.ABSOLUTE, ops.HYPOT, ops.SQRT, ops.POWER, ops.EXPIT, ops.EXP, ops.CBRT, *VIEWS))


def _with(x: Node, factor: Node, new: Node, deep: int = DEEP) -> MaybeNode:
    """A product with another factor in place of one that it has."""
    if same(x, factor):
        return new
    if x.op not in (ops.MULTIPLY, ops.NEGATIVE, ops.DIVIDE) or not deep:
        return None
    for n in range(1 if x.op is ops.DIVIDE else len(x.inputs)):
        found = _with(x.inputs[n], factor, new, deep - 1)
        if found and x.op is ops.MULTIPLY and is_number(found, 1):
            return x.inputs[1 - n]
        if found:
            return _written(x.op, *(found if m == n else other for m, other in enumerate(x.inputs)))
    return None


def _with_exponential(x: Node, factor: Node) -> MaybeNode:
    """x · expit(−z) where eᶻ is a factor of x: expit(z) in its place."""
    if factor.op is not ops.EXPIT:
        return None
    z = negated(factor.inputs[0])
    return _with(x, Node(ops.EXP, (z,)), Node(ops.EXPIT, (z,)))


def _with_inner_exponential(x: Node, factor: Node) -> MaybeNode:
    """x · exp(k·eᶻ) where eᶻ is a factor of x: exp(k·eᶻ + z) in its place, as eᶻ may be ∞ where the other is 0."""
    inner = _factors(exponent_of(factor)) if factor.op is ops.EXP else ()
    for e in (n for n in inner if n.op is ops.EXP):
        found = _with(x, e, _written(ops.EXP, Node(ops.ADD, (exponent_of(factor), exponent_of(e)))))
        if found:
            return found
    return None


def _power(x: Node) -> MaybeNode:
    base, exponent = x.inputs
    n = number_of(exponent)
    if n is None:
        return None
    if n == 2:
        return _raised(base, n)
    inverse = under_views(base, _inverse) if n < 0 else None
    if inverse:
        return _raised(inverse, -n) if n % 1 == 0 else _by_logarithm(inverse, -n)
    if n == 0.5:
        return distance_form(Node(ops.SQRT, (base,)))
    if base.op is ops.CBRT and n and n % 3 == 0:
        return _raised(base.inputs[0], n / 3)
    square = _product(Node(ops.MULTIPLY, (base, base))) if n and n % 2 == 0 else None
    return square and _raised(square, n / 2)


def _by_logarithm(x: Node, n: float) -> MaybeNode:
    """xⁿ where x may be so small that its root has no derivative."""
    found = logarithm(x)
    return found and Node(ops.EXP, (Node(ops.MULTIPLY, (found, filled(n, x))),))


def _raised(x: Node, n: float) -> Node:
    if n == 2:
        return _written(ops.MULTIPLY, x, x)
    return x if n == 1 else _written(ops.POWER, x, filled(n, x))


#: The form of each operation that has one: what it is to be, or None for what is no such form.
FORMS: Mapping[Op, Callable[[Node], MaybeNode]] = MappingProxyType(
    {
        ops.EXP: _power_of_power,
        ops.LOG: _natural,
        ops.LOG2: _of_another_base(2),
        ops.LOG10: _of_another_base(10),
        ops.LOG1P: _log1p,
        ops.DIVIDE: _quotient,
        ops.SUBTRACT: _difference_of_one,
        ops.MULTIPLY: _product,
        ops.POWER: _power,
        ops.SQRT: distance_form,
    }
)
