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
    r · r of a root, a distance, |x|      what it is the root of
    √s of a sum of squares                a distance, with the derivative 0 at 0
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from types import MappingProxyType

import numpy as np

from chainrule.graph import ops
from chainrule.graph.choices import with_safe_branches
from chainrule.graph.node import Node, full, number, replaced
from chainrule.graph.ops import Op

__all__ = ["FORMS"]

Maybe = Node | None
_DEEP = 4  # how far below a node its form reaches
_VIEWS = (ops.RESHAPE, ops.TRANSPOSE, ops.BROADCAST, ops.SLICE)


def _full(value: float, like: Node) -> Node:
    return full(value, like.type)


def _constant(x: Node) -> float | None:
    """The number that a node is everywhere."""
    return float(number(x)) if x.op is ops.FULL and x.type.is_float else None


def _is(x: Node, value: float) -> bool:
    return _constant(x) == value


def _positive(x: Node) -> bool:
    return 0 < (_constant(x) or 0) < math.inf


def _written(op: Op, *inputs: Node) -> Node:
    """The operation, in its form if it has one."""
    node = Node(op, inputs)
    return FORMS[op](node) or node if op in FORMS else node


def _negated(x: Node) -> Node:
    return x.inputs[0] if x.op is ops.NEGATIVE else Node(ops.NEGATIVE, (x,))


def _same(a: Node, b: Node, deep: int = 2 * _DEEP) -> bool:
    """Whether two nodes compute the same, from constants with the same elements."""
    if a is b:
        return True
    if a.op is not b.op or a.type != b.type or not deep:
        return False
    if a.op is ops.CONSTANT:
        return np.array_equal(a.data.array, b.data.array)
    alike = a.attributes == b.attributes and len(a.inputs) == len(b.inputs) > 0
    return alike and all(_same(m, n, deep - 1) for m, n in zip(a.inputs, b.inputs, strict=True))


def _seen_through(x: Node, form: Callable[[Node], Maybe]) -> Maybe:
    """The form of what lies below views of it, under the same views."""
    found = _seen_through(x.inputs[0], form) if x.op in _VIEWS else form(x)
    return Node(x.op, (found,), x.attributes) if found and x.op in _VIEWS else found


# logarithms of what is made of exponentials


def _exponent(x: Node) -> Node:
    """v of what was written as exp(v)."""
    (v,) = x.inputs
    is_guarded = v.op is ops.SELECT and _is(v.inputs[1], -math.inf) and v.inputs[0].op is ops.LESS
    return v.inputs[0].inputs[0] if is_guarded else v


def _power_of_constant(x: Node) -> Maybe:
    """ln bᵘ of a positive number b."""
    base, exponent = x.inputs
    natural = math.log(_constant(base) or 1.0) if _positive(base) else 0.0
    if natural == 0:
        return None
    return exponent if abs(natural - 1) < 1e-6 else Node(ops.MULTIPLY, (exponent, _full(natural, x)))


def _logarithm(x: Node, deep: int = _DEEP) -> Maybe:
    """ln x, if x is made of exponentials, so that it is known without them."""
    if x.op is ops.EXP:
        return _exponent(x)
    if x.op is ops.POWER and x.inputs[0].op is ops.FULL:
        return _power_of_constant(x)
    if x.op is ops.EXP2:
        return Node(ops.MULTIPLY, (x.inputs[0], _full(math.log(2), x)))
    if x.op in _LOGARITHMS and deep:
        return _LOGARITHMS[x.op](x, deep - 1)
    return None


def _logarithm_of_view(x: Node, deep: int) -> Maybe:
    found = _logarithm(x.inputs[0], deep + 1)
    return found and Node(x.op, (found,), x.attributes)


def _known_logarithm(x: Node, deep: int) -> Maybe:
    constant = _constant(x)
    return _full(math.log(constant), x) if constant and _positive(x) else _logarithm(x, deep)


def _logarithms_of_both(x: Node, deep: int) -> tuple[Node, Node] | None:
    """The logarithms of two operands of which one at least is no constant."""
    left, right = x.inputs
    if left.op is ops.FULL and right.op is ops.FULL:
        return None
    a = _known_logarithm(left, deep)
    b = _known_logarithm(right, deep) if a else None
    return (a, b) if a and b else None


def _logarithm_of_sum(x: Node, deep: int) -> Maybe:
    pair = _logarithms_of_both(x, deep)
    return pair and Node(ops.LOGADDEXP, pair)


def _logarithm_of_difference(x: Node, deep: int) -> Maybe:
    """Of 1 − σ(z)."""
    one, y = x.inputs
    return _of_expit(_negated(y.inputs[0])) if _is(one, 1) and y.op is ops.LOGISTIC else None


def _logarithm_of_product(x: Node, deep: int) -> Maybe:
    pair = _logarithms_of_both(x, deep)
    return pair and Node(ops.ADD if x.op is ops.MULTIPLY else ops.SUBTRACT, pair)


def _logarithm_of_power(x: Node, deep: int) -> Maybe:
    base, exponent = x.inputs
    found = _logarithm(base, deep)
    return found and Node(ops.MULTIPLY, (exponent, found))


def _logarithm_of_expit(x: Node, deep: int) -> Maybe:
    return _of_expit(x.inputs[0])


def _of_expit(z: Node) -> Node:
    return Node(ops.NEGATIVE, (Node(ops.LOGADDEXP, (_full(0, z), _negated(z))),))


def _logarithm_of_many(x: Node, deep: int) -> Maybe:
    """ln Σ eᶻ with the largest z subtracted first."""
    z = _logarithm(x.inputs[0], deep)
    if z is None or x.inputs[0].type.size == 0:
        return None
    if _is_shifted(z):
        return Node(ops.LOG, (x,))
    largest = _largest(z, x.axes)
    return Node(ops.ADD, (Node(ops.LOG, (_sum_of_shifted(z, largest, x.axes),)), largest))


_LOGARITHMS: Mapping[Op, Callable[[Node, int], Maybe]] = MappingProxyType(
    {
        ops.ADD: _logarithm_of_sum,
        ops.SUBTRACT: _logarithm_of_difference,
        ops.MULTIPLY: _logarithm_of_product,
        ops.DIVIDE: _logarithm_of_product,
        ops.POWER: _logarithm_of_power,
        ops.EXPIT: _logarithm_of_expit,
        ops.LOGISTIC: _logarithm_of_expit,
        ops.SUM: _logarithm_of_many,
        **dict.fromkeys(_VIEWS, _logarithm_of_view),
    }
)


def _largest(z: Node, axes: tuple[int, ...]) -> Node:
    """The largest over axes, as a constant to derivatives; 0 where it is not finite."""
    found = Node(ops.STOP_GRADIENT, (Node(ops.MAX, (z,), (axes,)),))
    finite = Node(ops.LESS, (Node(ops.ABSOLUTE, (found,)), _full(math.inf, found)))
    return Node(ops.SELECT, (finite, found, _full(0, found)))


def _sum_of_shifted(z: Node, largest: Node, axes: tuple[int, ...]) -> Node:
    kept = tuple(1 if n in axes else extent for n, extent in enumerate(z.type.shape))
    wide = Node(ops.RESHAPE, (largest,), (kept,)) if kept != largest.type.shape else largest
    if kept != z.type.shape:
        wide = Node(ops.BROADCAST, (wide,), (z.type.shape, tuple(range(z.type.rank))))
    return Node(ops.SUM, (Node(ops.EXP, (Node(ops.SUBTRACT, (z, wide)),)),), (axes,))


def _is_shifted(z: Node) -> bool:
    """Whether a maximum has been subtracted already."""
    if z.op is not ops.SUBTRACT:
        return False
    found = z.inputs[1]
    while found.op in (*_VIEWS, ops.SELECT, ops.STOP_GRADIENT, ops.MARK):
        found = found.inputs[1 if found.op is ops.SELECT else 0]
    return found.op is ops.MAX


def _has_exponentials(x: Node, deep: int = _DEEP) -> bool:
    """Whether there are any, quickly: this is asked of every quotient and logarithm."""
    op = x.op
    if op in _EXPONENTIAL or (op is ops.POWER and x.inputs[0].op is ops.FULL):
        return True
    if deep == 0 or (op not in _LOGARITHMS and op is not ops.NEGATIVE):
        return False
    deep = min(deep - 1, 1) if op is ops.SUBTRACT else deep - 1
    return _has_exponentials(x.inputs[-1], deep) or (len(x.inputs) > 1 and _has_exponentials(x.inputs[0], deep))


_EXPONENTIAL = frozenset((ops.EXP, ops.EXP2, ops.EXPM1, ops.COSH, ops.EXPIT, ops.LOGISTIC))


def _natural(x: Node) -> Maybe:
    (power,) = x.inputs
    if power.op is ops.COSH:
        return _of_large(power.inputs[0], lambda z: Node(ops.LOG, (Node(ops.COSH, (z,)),)), _logarithm_of_half_power)
    found = _logarithm(power)
    return found or next((_without(power, n) for n in _factors(power) if n.op is ops.EXP), None)


def _without(x: Node, factor: Node) -> Maybe:
    """ln x, where eᶻ is a factor of x: ln(what else it is) + z."""
    rest = _with(x, factor, _full(1, x))
    return rest and Node(ops.ADD, (Node(ops.LOG, (rest,)), _exponent(factor)))


def _of_another_base(base: float) -> Callable[[Node], Maybe]:
    def form(x: Node) -> Maybe:
        found = _logarithm(x.inputs[0])
        return found and Node(ops.DIVIDE, (found, _full(math.log(base), found)))

    return form


def _log1p(x: Node) -> Maybe:
    found = _logarithm(x.inputs[0])
    return found and Node(ops.LOGADDEXP, (_full(0, found), found))


# quotients of exponentials


def _quotient(x: Node) -> Maybe:
    above, below = x.inputs
    if not _has_exponentials(below):
        return None
    return _softmax(x) or _hyperbolic_tangent(x) or _divided(above, below)


def _softmax(x: Node) -> Maybe:
    """eᶻ / Σ eᶻ, both times with the largest z subtracted."""
    powers, below = x.inputs
    z = _logarithm(powers, 0)
    if z is None or x.type.size == 0 or _is_shifted(z):
        return None

    def form(found: Node) -> Callable[[Node], Maybe]:
        return lambda s: found if s.op is ops.SUM and _same(s.inputs[0], powers) else None

    largest = _seen_through(below, lambda s: _largest(z, s.axes) if form(s)(s) else None)
    if largest is None:
        return None
    summed = _seen_through(below, lambda s: _sum_of_shifted(z, _largest(z, s.axes), s.axes))
    assert summed is not None
    return Node(ops.DIVIDE, (Node(ops.EXP, (Node(ops.SUBTRACT, (z, largest)),)), summed))


def _hyperbolic_tangent(x: Node) -> Maybe:
    """(eᵃ − eᵇ) / (eᵃ + eᵇ) = tanh((a − b)/2), and sinh/cosh."""
    above, below = x.inputs
    if above.op is ops.SINH and below.op is ops.COSH and _same(above.inputs[0], below.inputs[0]):
        return Node(ops.TANH, above.inputs)
    if above.op is not ops.SUBTRACT or below.op is not ops.ADD or _logarithm_of_sum(below, _DEEP) is None:
        return None
    if not any(all(map(_same, above.inputs, terms)) for terms in (below.inputs, below.inputs[::-1])):
        return None
    a, b = (_known_logarithm(n, _DEEP) for n in above.inputs)
    assert a
    assert b
    if _negated(b) is a:
        return Node(ops.TANH, (a,))
    return Node(ops.TANH, (Node(ops.MULTIPLY, (_difference(a, b), _full(0.5, a))),))


def _difference(a: Node, b: Node) -> Node:
    if _is(a, 0):
        return _negated(b)
    return a if _is(b, 0) else Node(ops.SUBTRACT, (a, b))


def _divided(above: Node, below: Node, deep: int = _DEEP) -> Maybe:
    """A quotient of which the divisor is 1 + eᶻ, or has it as a factor."""
    if below.op is ops.MULTIPLY and deep:
        for p, q in (below.inputs, below.inputs[::-1]):
            found = _divided(above, p, deep - 1)
            if found:
                return _written(ops.DIVIDE, found, q)
    n = _constant(below.inputs[1]) if below.op is ops.POWER else None
    if n and n > 1 and deep:
        found = _divided(above, below.inputs[0], deep - 1)
        return found and _written(ops.DIVIDE, found, _raised(below.inputs[0], n - 1))
    if below.op is ops.ADD and not _positive(above):
        for mine, other in (below.inputs, below.inputs[::-1]):
            a = _logarithm(mine) if _same(above, mine) else None
            b = _known_logarithm(other, _DEEP) if a else None
            if a and b:
                return Node(ops.EXPIT, (_difference(a, b),))
    inverse = _seen_through(below, _inverse)
    if inverse is None:
        return None
    return inverse if _is(above, 1) else _written(ops.MULTIPLY, above, inverse)


def _inverse(x: Node) -> Maybe:
    """1/(c + eᶻ) = expit(ln c − z) / c, 1/(eᶻ − 1), 1/cosh z, and powers of them."""
    if x.op is ops.POWER and x.inputs[1].op is ops.FULL:
        found = _inverse(x.inputs[0])
        return found and Node(ops.POWER, (found, x.inputs[1]))
    if x.op is ops.COSH:
        return _of_large(x.inputs[0], lambda z: _over(Node(ops.COSH, (z,))), _twice_power)
    if x.op is ops.EXPM1:
        return _inverse_less_one(x, x.inputs[0])
    if x.op is ops.SUBTRACT:
        left, right = x.inputs
        if left.op is ops.EXP and _is(right, 1):
            return _inverse_less_one(x, left.inputs[0])
        found = _inverse_less_one(Node(ops.SUBTRACT, (right, left)), right.inputs[0]) if _is_rest(x) else None
        return found and Node(ops.NEGATIVE, (found,))
    if x.op is not ops.ADD:
        return None
    for c, e in (x.inputs, x.inputs[::-1]):
        z = _logarithm(e) if _positive(c) else None
        if z:
            constant = _constant(c) or 1.0
            y = Node(ops.EXPIT, (_difference(_full(math.log(constant), z), z),))
            return y if constant == 1 else Node(ops.MULTIPLY, (y, _full(1 / constant, z)))
    return None


def _is_rest(x: Node) -> bool:
    """Whether a difference is 1 − eᶻ."""
    return _is(x.inputs[0], 1) and x.inputs[1].op is ops.EXP


def _over(x: Node) -> Node:
    return Node(ops.DIVIDE, (_full(1, x), x))


def _inverse_less_one(written: Node, z: Node) -> Node:
    """1/(eᶻ − 1), above 1 as e⁻ᶻ/(1 − e⁻ᶻ)."""
    large = Node(ops.LESS, (_full(1, z), z))
    near = replaced(written, tuple(_chosen(large, _full(-1, z), n, z) for n in written.inputs))
    w = Node(ops.EXP, (Node(ops.NEGATIVE, (Node(ops.SELECT, (large, z, _full(1, z))),)),))
    far = Node(ops.DIVIDE, (w, Node(ops.SUBTRACT, (_full(1, z), w))))
    return Node(ops.SELECT, (large, far, _over(near)))


def _chosen(large: Node, safe: Node, x: Node, z: Node) -> Node:
    """An operand of what is written, with a safe z where it is large."""
    near = Node(ops.SELECT, (large, safe, z))
    return near if x is z else Node(x.op, (near,)) if x.op is ops.EXP else x


def _of_large(z: Node, near: Callable[[Node], Node], far: Callable[[Node], Node]) -> Node:
    """A function of cosh z; far from 0, where cosh z is e^|z|/2 to rounding, one of |z|."""
    size = Node(ops.ABSOLUTE, (z,))
    large = Node(ops.LESS, (_full(20, z), size))
    return Node(ops.SELECT, (large, far(size), near(Node(ops.SELECT, (large, _full(0, z), z)))))


def _logarithm_of_half_power(size: Node) -> Node:
    return Node(ops.SUBTRACT, (size, _full(math.log(2), size)))


def _twice_power(size: Node) -> Node:
    return Node(ops.MULTIPLY, (_full(2, size), Node(ops.EXP, (Node(ops.NEGATIVE, (size,)),))))


def _difference_of_one(x: Node) -> Maybe:
    one, y = x.inputs
    return Node(ops.EXPIT, (_negated(y.inputs[0]),)) if y.op is ops.EXPIT and _is(one, 1) else None


def _power_of_power(x: Node) -> Maybe:
    """exp(v) of a v with exponentials in it: where it rounds to 0 they may be ∞, and are not looked at."""
    (v,) = x.inputs
    if not _has_exponentials(v):
        return None
    gone = Node(ops.LESS, (v, _full(-800, v)))
    nothing, below = with_safe_branches(gone, _full(-math.inf, v), v)
    return Node(ops.EXP, (Node(ops.SELECT, (gone, nothing, below)),)) if below is not v else None


# products of roots


def _factors(x: Node, deep: int = _DEEP) -> Iterator[Node]:
    """What a node is a product of, as far as that is seen."""
    if x.op is ops.MULTIPLY and deep:
        yield from _factors(x.inputs[0], deep - 1)
        yield from _factors(x.inputs[1], deep - 1)
    elif x.op in (ops.NEGATIVE, ops.DIVIDE) and deep:
        yield from _factors(x.inputs[0], deep - 1)
    elif x.op in _FACTORS:
        yield x


def _has_factors(x: Node, deep: int = _DEEP) -> bool:
    """Whether there are any, quickly: this is asked of every product."""
    op = x.op
    if op is ops.MULTIPLY:
        return deep > 0 and (_has_factors(x.inputs[0], deep - 1) or _has_factors(x.inputs[1], deep - 1))
    if op is ops.NEGATIVE or op is ops.DIVIDE:
        return deep > 0 and _has_factors(x.inputs[0], deep - 1)
    return op in _FACTORS


def _with(x: Node, factor: Node, new: Node, deep: int = _DEEP) -> Maybe:
    """A product with another factor in place of one that it has."""
    if _same(x, factor):
        return new
    if x.op not in (ops.MULTIPLY, ops.NEGATIVE, ops.DIVIDE) or not deep:
        return None
    for n in range(1 if x.op is ops.DIVIDE else len(x.inputs)):
        found = _with(x.inputs[n], factor, new, deep - 1)
        if found and x.op is ops.MULTIPLY and _is(found, 1):
            return x.inputs[1 - n]
        if found:
            return _written(x.op, *(found if m == n else other for m, other in enumerate(x.inputs)))
    return None


def _product(x: Node) -> Maybe:
    a, b = x.inputs
    if not (_has_factors(b) and _has_factors(a)):
        return None
    for factor in _factors(b):
        square = _seen_through(factor, _square)
        once = _with(a, factor, square) if square else None
        if once:
            return _with(b, factor, once)
    for one, other in ((a, b), (b, a)):
        for factor in _factors(one):
            once = _with_exponential(other, factor) or _with_inner_exponential(other, factor)
            if once:
                return _with(one, factor, once)
    return _cube(a, b) or _cube(b, a)


def _with_exponential(x: Node, factor: Node) -> Maybe:
    """x · expit(−z) where eᶻ is a factor of x: expit(z) in its place."""
    if factor.op is not ops.EXPIT:
        return None
    z = _negated(factor.inputs[0])
    return _with(x, Node(ops.EXP, (z,)), Node(ops.EXPIT, (z,)))


def _with_inner_exponential(x: Node, factor: Node) -> Maybe:
    """x · exp(k·eᶻ) where eᶻ is a factor of x: exp(k·eᶻ + z) in its place, as eᶻ may be ∞ where the other is 0."""
    inner = _factors(_exponent(factor)) if factor.op is ops.EXP else ()
    both = (_with(x, e, _written(ops.EXP, _sum(factor, e))) for e in inner if e.op is ops.EXP)
    return next((found for found in both if found), None)


def _sum(a: Node, b: Node) -> Node:
    return Node(ops.ADD, (_exponent(a), _exponent(b)))


def _square(x: Node) -> Maybe:
    """The square of a root, of which it is the root; nan where that is negative."""
    if x.op is ops.ROOT:
        return x.inputs[0]
    if x.op is ops.ABSOLUTE and x.type.is_float:
        return Node(ops.MULTIPLY, (x.inputs[0], x.inputs[0]))
    if x.op is ops.HYPOT:
        return Node(ops.ADD, tuple(Node(ops.MULTIPLY, (n, n)) for n in x.inputs))
    if x.op is ops.SQRT or (x.op is ops.POWER and _is(x.inputs[1], 0.5)):
        s = x.inputs[0]
        return Node(ops.SELECT, (Node(ops.LESS, (s, _full(0, s))), _full(math.nan, s), s))
    return None


def _cube(square: Node, root: Node) -> Maybe:
    if root.op is ops.CBRT and square.op is ops.MULTIPLY and all(_same(n, root) for n in square.inputs):
        return root.inputs[0]
    return None


_FACTORS = frozenset((ops.ROOT, ops.ABSOLUTE, ops.HYPOT, ops.SQRT, ops.POWER, ops.EXPIT, ops.EXP, ops.CBRT, *_VIEWS))


def _power(x: Node) -> Maybe:
    base, exponent = x.inputs
    n = _constant(exponent)
    if n is None:
        return None
    if n == 2:
        return _raised(base, n)
    inverse = _seen_through(base, _inverse) if n < 0 else None
    if inverse:
        return _raised(inverse, -n) if n % 1 == 0 else _by_logarithm(inverse, -n)
    if n == 0.5:
        return _root(Node(ops.SQRT, (base,)))
    if base.op is ops.CBRT and n and n % 3 == 0:
        return _raised(base.inputs[0], n / 3)
    square = _product(Node(ops.MULTIPLY, (base, base))) if n and n % 2 == 0 else None
    return square and _raised(square, n / 2)


def _by_logarithm(x: Node, n: float) -> Maybe:
    """xⁿ where x may be so small that its root has no derivative."""
    found = _logarithm(x)
    return found and Node(ops.EXP, (Node(ops.MULTIPLY, (found, _full(n, x))),))


def _raised(x: Node, n: float) -> Node:
    if n == 2:
        return _written(ops.MULTIPLY, x, x)
    return x if n == 1 else _written(ops.POWER, x, _full(n, x))


# distances


def _root(x: Node) -> Maybe:
    (s,) = x.inputs
    return Node(ops.ROOT, (s,)) if _is_of_squares(s) else None


def _is_of_squares(x: Node, deep: int = _DEEP) -> bool:
    """Whether a node is a sum of squares, each of them 0 where the sum is."""
    if not deep or not x.type.is_float:
        return False
    if x.op in (ops.MULTIPLY, ops.CONTRACT) and _same(x.inputs[0], x.inputs[1]):
        return x.op is ops.MULTIPLY or x.a == x.b
    if x.op is ops.POWER:
        n = _constant(x.inputs[1])
        return n is not None and n > 0 and n % 2 == 0
    if x.op in (ops.SUM, *_VIEWS):
        return _is_of_squares(x.inputs[0], deep - 1)
    if x.op is ops.ADD:
        return all(_is_of_squares(n, deep - 1) for n in x.inputs)
    if x.op is ops.SELECT:
        return all(_is_of_squares(n, deep - 1) or (_constant(n) or 0) > 0 or _is(n, 0) for n in x.inputs[1:])
    if x.op in (ops.MULTIPLY, ops.DIVIDE):
        squares = [_is_of_squares(n, deep - 1) for n in x.inputs]
        scaled = [found or _positive(n) for found, n in zip(squares, x.inputs, strict=True)]
        return all(scaled) and (squares[0] if x.op is ops.DIVIDE else any(squares))
    return False


#: The form of each operation that has one: what it is to be, or None for what is no such form.
FORMS: Mapping[Op, Callable[[Node], Maybe]] = MappingProxyType(
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
        ops.SQRT: _root,
    }
)
