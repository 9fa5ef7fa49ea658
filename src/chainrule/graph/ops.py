"""The closed set of operations. What each one means stands in one table per meaning:

    type       `graph.type_rules.TYPE_RULES`      shape and dtype of the result
    value      `graph.interpret.NUMPY`            the meaning, in NumPy: the oracle
    pull       `derive.pull_rules.PULL`           the derivative, backward
    push       `derive.push_rules.PUSH`           the derivative, forward
    batch      `derive.batch_rules.BATCH`         the operation on every member of a batch
    native     `schedule.lower.LOWER`             how it becomes loops over buffers

A test names the row that an operation lacks.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

__all__ = ["BINARY", "BY_NAME", "COMPARISONS", "ELEMENTWISE", "LEAVES", "LOGICAL", "OPS", "UNARY", "Op"]


@dataclass(frozen=True, eq=False, slots=True)
class Op:
    """One operation: its name, its number of inputs (None: any), the names of its attributes."""

    name: str
    arity: int | None
    attributes: tuple[str, ...] = ()

    def __repr__(self) -> str:
        return self.name


# leaves
INPUT = Op("input", 0, ("index", "type"))  # argument number `index` of the program
CONSTANT = Op("constant", 0, ("data",))  # a captured array
FULL = Op("full", 0, ("value", "type"))  # one number everywhere; the number as text, so that −0 and nan are themselves
IOTA = Op("iota", 0, ("axis", "type"))  # 0, 1, 2, … along an axis
PLACEHOLDER = Op("placeholder", 0, ("tag", "index", "type"))  # an argument of a function that is being looked at

# one input, element by element
NEGATIVE = Op("negative", 1)
EXP = Op("exp", 1)
EXPM1 = Op("expm1", 1)
LOG = Op("log", 1)
LOG1P = Op("log1p", 1)
TANH = Op("tanh", 1)
LOGISTIC = Op("logistic", 1)  # 1 / (1 + e⁻ˣ), whose slope y·(1 − y) is that of a layer's outputs
EXPIT = Op("expit", 1)  # 1 / (1 + e⁻ˣ), whose slope keeps its digits where y rounds to 1
RELU = Op("relu", 1)  # x where x > 0, else 0
SQRT = Op("sqrt", 1)
ROOT = Op("root", 1)  # √x of a sum of squares: a distance, whose slope at 0 is 0
SIN = Op("sin", 1)
COS = Op("cos", 1)
TAN = Op("tan", 1)
ARCSIN = Op("arcsin", 1)
ARCCOS = Op("arccos", 1)
ARCTAN = Op("arctan", 1)
SINH = Op("sinh", 1)
COSH = Op("cosh", 1)
ARCSINH = Op("arcsinh", 1)
ARCCOSH = Op("arccosh", 1)
ARCTANH = Op("arctanh", 1)
EXP2 = Op("exp2", 1)
LOG2 = Op("log2", 1)
LOG10 = Op("log10", 1)
CBRT = Op("cbrt", 1)
ERF = Op("erf", 1)  # 2/√π ∫₀ˣ e^−t² dt
ABSOLUTE = Op("absolute", 1)
SIGN = Op("sign", 1)
FLOOR = Op("floor", 1)
CEIL = Op("ceil", 1)
ROUND = Op("round", 1)
LOGICAL_NOT = Op("logical_not", 1)
CAST = Op("cast", 1, ("dtype",))
BITCAST = Op("bitcast", 1, ("dtype",))  # the same bits as another type of that size
STOP_GRADIENT = Op("stop_gradient", 1)
MARK = Op("mark", 1, ("tag",))  # the identity, as a node of its own: the variable that a derivative is taken with

# two inputs, element by element
ADD = Op("add", 2)
SUBTRACT = Op("subtract", 2)
MULTIPLY = Op("multiply", 2)
DIVIDE = Op("divide", 2)
POWER = Op("power", 2)
MAXIMUM = Op("maximum", 2)
MINIMUM = Op("minimum", 2)
FLOOR_DIVIDE = Op("floor_divide", 2)
REMAINDER = Op("remainder", 2)
ARCTAN2 = Op("arctan2", 2)
HYPOT = Op("hypot", 2)
LOGADDEXP = Op("logaddexp", 2)  # ln(eᵃ + eᵇ)
COPYSIGN = Op("copysign", 2)
NEXTAFTER = Op("nextafter", 2)
BITWISE_AND = Op("bitwise_and", 2)
BITWISE_OR = Op("bitwise_or", 2)
BITWISE_XOR = Op("bitwise_xor", 2)
LEFT_SHIFT = Op("left_shift", 2)  # by as many bits as there are, or more: 0
RIGHT_SHIFT = Op("right_shift", 2)  # by as many bits as there are, or more: 0, or −1 of what is negative
LESS = Op("less", 2)
LESS_EQUAL = Op("less_equal", 2)
EQUAL = Op("equal", 2)
NOT_EQUAL = Op("not_equal", 2)
LOGICAL_AND = Op("logical_and", 2)
LOGICAL_OR = Op("logical_or", 2)

# three inputs, element by element
SELECT = Op("select", 3)  # condition, value if true, value if false

# contraction: out[o…] = Σ a[…] · b[…] over the labels that are not in `out`
CONTRACT = Op("contract", 2, ("a", "b", "out"))

# reductions
SUM = Op("sum", 1, ("axes",))
MAX = Op("max", 1, ("axes",))

# layout
RESHAPE = Op("reshape", 1, ("shape",))
TRANSPOSE = Op("transpose", 1, ("axes",))
BROADCAST = Op("broadcast", 1, ("shape", "axes"))  # the input's axis n becomes the result's axis axes[n]
SLICE = Op("slice", 1, ("start", "size", "step"))  # element start + i · step, i < size, along each axis
PAD = Op("pad", 1, ("low", "high", "interior"))  # with zeros: before, after, between neighbours
CONCATENATE = Op("concatenate", None, ("axis",))

# indexing; an index outside the array is taken to its nearest edge
GATHER = Op("gather", 2)  # x, i ↦ x[i]
SCATTER_ADD = Op("scatter_add", 3)  # x, i, u ↦ x with u[n] added to row i[n]

# order and linear algebra, by NumPy itself: of the last two axes, in stacks of matrices
ARGSORT = Op("argsort", 1, ("axis",))  # the stable order, int64
SOLVE = Op("solve", 2)  # a, b ↦ a⁻¹b, for b of several columns
CHOLESKY = Op("cholesky", 1)  # the lower triangle of a = y·yᵀ, from the lower triangle of a
SLOGDET = Op("slogdet", 1)  # [the sign of the determinant, ln|determinant|]
EIGH = Op("eigh", 1, ("triangle",))  # a row [λ, v] for each eigenpair, from the lower or the upper triangle: "L", "U"
SVD = Op("svd", 1)  # a row [u, s, v] for each singular value
QR = Op("qr", 1)  # the rows [qᵀ, r] of a = q·r, for a of no more columns than rows
PINV = Op("pinv", 2)  # a, c ↦ a⁺, where singular values up to c times the largest count as 0

RECOMPUTE = Op("recompute", 2)  # x, δ ↦ x as a new thing, so that what is computed from it is computed after δ

# control: operations with several results, each taken out by `result`; most run programs, which are attributes
RESULT = Op("result", 1, ("index",))
CUSTOM = Op("custom", None, ("rule", "results"))  # y₁, y₂, …, x₁, x₂, … ↦ y, whose derivatives the rule gives
SCAN = Op("scan", None, ("body", "carried", "stepped", "length", "reverse"))
WHILE = Op("while", None, ("condition", "body", "carried"))  # carried values, then constants of both programs
COND = Op("cond", None, ("if_true", "if_false"))  # condition, then the operands of both programs

LEAVES = (INPUT, CONSTANT, FULL, IOTA, PLACEHOLDER)
UNARY = (
    NEGATIVE, EXP, EXPM1, LOG, LOG1P, TANH, LOGISTIC, EXPIT, RELU, SQRT, ROOT, SIN, COS, TAN, ARCSIN, ARCCOS, ARCTAN,
    SINH, COSH, ARCSINH, ARCCOSH, ARCTANH, EXP2, LOG2, LOG10, CBRT, ERF, ABSOLUTE, SIGN, FLOOR, CEIL, ROUND,
    LOGICAL_NOT, CAST, BITCAST, STOP_GRADIENT, MARK,
)  # fmt: skip
COMPARISONS = (LESS, LESS_EQUAL, EQUAL, NOT_EQUAL)
LOGICAL = (LOGICAL_AND, LOGICAL_OR)
ARITHMETIC = (ADD, SUBTRACT, MULTIPLY, DIVIDE, POWER, MAXIMUM, MINIMUM, FLOOR_DIVIDE, REMAINDER)
BITWISE = (BITWISE_AND, BITWISE_OR, BITWISE_XOR, LEFT_SHIFT, RIGHT_SHIFT)
FUNCTIONS_OF_TWO = (ARCTAN2, HYPOT, LOGADDEXP, COPYSIGN, NEXTAFTER)
BINARY = (*ARITHMETIC, *FUNCTIONS_OF_TWO, *BITWISE, *COMPARISONS, *LOGICAL)
ELEMENTWISE = frozenset((*UNARY, *BINARY, SELECT))
MATRIX = (SOLVE, CHOLESKY, SLOGDET, EIGH, SVD, QR, PINV)
LAYOUT = (RESHAPE, TRANSPOSE, BROADCAST, SLICE, PAD, CONCATENATE)
CONTROL = (CUSTOM, SCAN, WHILE, COND)
STEPS = frozenset((SIGN, FLOOR, CEIL, ROUND, FLOOR_DIVIDE, STOP_GRADIENT))  # of which the derivative is 0 everywhere
OPS = (
    *LEAVES, *UNARY, *BINARY, SELECT, CONTRACT, SUM, MAX, *LAYOUT, GATHER, SCATTER_ADD, ARGSORT, *MATRIX, RECOMPUTE,
    RESULT, *CONTROL,
)  # fmt: skip
BY_NAME: Mapping[str, Op] = MappingProxyType({op.name: op for op in OPS})
