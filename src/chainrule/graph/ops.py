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
from enum import Enum
from types import MappingProxyType

__all__ = ["BINARY", "BY_NAME", "COMPARISONS", "ELEMENTWISE", "LEAVES", "LOGICAL", "OPS", "UNARY", "Op", "OpGroup"]


class OpGroup(Enum):
    """What kind of operation it is: those of one kind are treated alike by derivatives, batches and the compiler."""

    LEAF = "leaf"
    UNARY = "one input, element by element"
    ARITHMETIC = "two inputs, element by element"
    FUNCTION_OF_TWO = "a function of two inputs, element by element"
    BITWISE = "the bits of two integers, element by element"
    COMPARISON = "two inputs compared, element by element"
    LOGICAL = "two truths, element by element"
    CHOICE = "one of two, element by element"
    CONTRACTION = "a sum of products"
    REDUCTION = "one element in place of many"
    LAYOUT = "the same elements elsewhere"
    INDEXING = "rows by their numbers"
    ORDER = "which element comes when"
    MATRIX = "linear algebra"
    PASSING = "an input, or one of several results"
    CONTROL = "several results; most run programs"


@dataclass(frozen=True, eq=False, slots=True)
class Op:
    """One operation: its name, its number of inputs (None: any), its group, the names of its attributes.

    `cost` is what an element takes where it is computed, in additions: about 4 for what the processor divides, 10 for
    a polynomial in registers, 20 for a call of the mathematical library, 0 for what only says where elements are.
    """

    name: str
    arity: int | None
    group: OpGroup
    attributes: tuple[str, ...] = ()
    cost: int = 1

    def __repr__(self) -> str:
        return self.name


# leaves
INPUT = Op("input", 0, OpGroup.LEAF, ("index", "type"), cost=0)  # argument number `index` of the program
CONSTANT = Op("constant", 0, OpGroup.LEAF, ("data",), cost=0)  # a captured array
# one number everywhere, as text: −0 and nan are themselves
FULL = Op("full", 0, OpGroup.LEAF, ("value", "type"), cost=0)
IOTA = Op("iota", 0, OpGroup.LEAF, ("axis", "type"), cost=0)  # 0, 1, 2, … along an axis
# an argument of a function being looked at
PLACEHOLDER = Op("placeholder", 0, OpGroup.LEAF, ("tag", "index", "type"), cost=0)

# one input, element by element
NEGATIVE = Op("negative", 1, OpGroup.UNARY)
EXP = Op("exp", 1, OpGroup.UNARY, cost=10)
EXPM1 = Op("expm1", 1, OpGroup.UNARY, cost=10)
LOG = Op("log", 1, OpGroup.UNARY, cost=10)
LOG1P = Op("log1p", 1, OpGroup.UNARY, cost=10)
TANH = Op("tanh", 1, OpGroup.UNARY, cost=10)
LOGISTIC = Op("logistic", 1, OpGroup.UNARY, cost=10)  # 1 / (1 + e⁻ˣ), whose slope is y·(1 − y), of a layer's output
EXPIT = Op("expit", 1, OpGroup.UNARY, cost=10)  # 1 / (1 + e⁻ˣ), whose slope keeps its digits where y rounds to 1
RELU = Op("relu", 1, OpGroup.UNARY)  # x where x > 0, else 0
SQRT = Op("sqrt", 1, OpGroup.UNARY, cost=4)
ROOT = Op("root", 1, OpGroup.UNARY, cost=4)  # √x of a sum of squares: a distance, whose slope at 0 is 0
SIN = Op("sin", 1, OpGroup.UNARY, cost=10)
COS = Op("cos", 1, OpGroup.UNARY, cost=10)
TAN = Op("tan", 1, OpGroup.UNARY, cost=20)
ARCSIN = Op("arcsin", 1, OpGroup.UNARY, cost=20)
ARCCOS = Op("arccos", 1, OpGroup.UNARY, cost=20)
ARCTAN = Op("arctan", 1, OpGroup.UNARY, cost=20)
SINH = Op("sinh", 1, OpGroup.UNARY, cost=20)
COSH = Op("cosh", 1, OpGroup.UNARY, cost=20)
ARCSINH = Op("arcsinh", 1, OpGroup.UNARY, cost=20)
ARCCOSH = Op("arccosh", 1, OpGroup.UNARY, cost=20)
ARCTANH = Op("arctanh", 1, OpGroup.UNARY, cost=20)
EXP2 = Op("exp2", 1, OpGroup.UNARY, cost=20)
LOG2 = Op("log2", 1, OpGroup.UNARY, cost=20)
LOG10 = Op("log10", 1, OpGroup.UNARY, cost=20)
CBRT = Op("cbrt", 1, OpGroup.UNARY, cost=20)
ERF = Op("erf", 1, OpGroup.UNARY, cost=20)  # 2/√π ∫₀ˣ e^−t² dt
ABSOLUTE = Op("absolute", 1, OpGroup.UNARY)
SIGN = Op("sign", 1, OpGroup.UNARY)
FLOOR = Op("floor", 1, OpGroup.UNARY)
CEIL = Op("ceil", 1, OpGroup.UNARY)
ROUND = Op("round", 1, OpGroup.UNARY)
LOGICAL_NOT = Op("logical_not", 1, OpGroup.UNARY)
CAST = Op("cast", 1, OpGroup.UNARY, ("dtype",))
BITCAST = Op("bitcast", 1, OpGroup.UNARY, ("dtype",))  # the same bits as another type of that size
STOP_GRADIENT = Op("stop_gradient", 1, OpGroup.UNARY)
MARK = Op("mark", 1, OpGroup.UNARY, ("tag",))  # the identity, as a node of its own: what a derivative is taken by

# two inputs, element by element
ADD = Op("add", 2, OpGroup.ARITHMETIC)
SUBTRACT = Op("subtract", 2, OpGroup.ARITHMETIC)
MULTIPLY = Op("multiply", 2, OpGroup.ARITHMETIC)
DIVIDE = Op("divide", 2, OpGroup.ARITHMETIC, cost=4)
POWER = Op("power", 2, OpGroup.ARITHMETIC, cost=20)
MAXIMUM = Op("maximum", 2, OpGroup.ARITHMETIC)
MINIMUM = Op("minimum", 2, OpGroup.ARITHMETIC)
FLOOR_DIVIDE = Op("floor_divide", 2, OpGroup.ARITHMETIC, cost=8)
REMAINDER = Op("remainder", 2, OpGroup.ARITHMETIC, cost=8)
ARCTAN2 = Op("arctan2", 2, OpGroup.FUNCTION_OF_TWO, cost=20)
HYPOT = Op("hypot", 2, OpGroup.FUNCTION_OF_TWO, cost=20)
LOGADDEXP = Op("logaddexp", 2, OpGroup.FUNCTION_OF_TWO, cost=20)  # ln(eᵃ + eᵇ)
COPYSIGN = Op("copysign", 2, OpGroup.FUNCTION_OF_TWO)
NEXTAFTER = Op("nextafter", 2, OpGroup.FUNCTION_OF_TWO, cost=20)
BITWISE_AND = Op("bitwise_and", 2, OpGroup.BITWISE)
BITWISE_OR = Op("bitwise_or", 2, OpGroup.BITWISE)
BITWISE_XOR = Op("bitwise_xor", 2, OpGroup.BITWISE)
LEFT_SHIFT = Op("left_shift", 2, OpGroup.BITWISE)  # by all bits or more: 0
RIGHT_SHIFT = Op("right_shift", 2, OpGroup.BITWISE)  # by all bits or more: 0, or −1 of what is negative
LESS = Op("less", 2, OpGroup.COMPARISON)
LESS_EQUAL = Op("less_equal", 2, OpGroup.COMPARISON)
EQUAL = Op("equal", 2, OpGroup.COMPARISON)
NOT_EQUAL = Op("not_equal", 2, OpGroup.COMPARISON)
LOGICAL_AND = Op("logical_and", 2, OpGroup.LOGICAL)
LOGICAL_OR = Op("logical_or", 2, OpGroup.LOGICAL)

# three inputs, element by element
SELECT = Op("select", 3, OpGroup.CHOICE)  # condition, value if true, value if false

# contraction: out[o…] = Σ a[…] · b[…] over the labels that are not in `out`
CONTRACT = Op("contract", 2, OpGroup.CONTRACTION, ("a", "b", "out"))

# reductions
SUM = Op("sum", 1, OpGroup.REDUCTION, ("axes",))
MAX = Op("max", 1, OpGroup.REDUCTION, ("axes",))

# layout
RESHAPE = Op("reshape", 1, OpGroup.LAYOUT, ("shape",), cost=0)
TRANSPOSE = Op("transpose", 1, OpGroup.LAYOUT, ("axes",), cost=0)
# the input's axis n becomes the result's axes[n]
BROADCAST = Op("broadcast", 1, OpGroup.LAYOUT, ("shape", "axes"), cost=0)
# element start + i · step, i < size, along each axis
SLICE = Op("slice", 1, OpGroup.LAYOUT, ("start", "size", "step"), cost=0)
PAD = Op("pad", 1, OpGroup.LAYOUT, ("low", "high", "interior"), cost=0)  # with zeros: before, after, between neighbours
CONCATENATE = Op("concatenate", None, OpGroup.LAYOUT, ("axis",), cost=0)

# indexing; an index outside the array is taken to its nearest edge
GATHER = Op("gather", 2, OpGroup.INDEXING)  # x, i ↦ x[i]
SCATTER_ADD = Op("scatter_add", 3, OpGroup.INDEXING)  # x, i, u ↦ x with u[n] added to row i[n]

# order and linear algebra, by NumPy itself: of the last two axes, in stacks of matrices
ARGSORT = Op("argsort", 1, OpGroup.ORDER, ("axis",))  # the stable order, int64
SOLVE = Op("solve", 2, OpGroup.MATRIX)  # a, b ↦ a⁻¹b, for b of several columns
CHOLESKY = Op("cholesky", 1, OpGroup.MATRIX)  # the lower triangle of a = y·yᵀ, from the lower triangle of a
SLOGDET = Op("slogdet", 1, OpGroup.MATRIX)  # [the sign of the determinant, ln|determinant|]
EIGH = Op("eigh", 1, OpGroup.MATRIX, ("triangle",))  # a row [λ, v] for each eigenpair, from the triangle "L" or "U"
SVD = Op("svd", 1, OpGroup.MATRIX)  # a row [u, s, v] for each singular value
QR = Op("qr", 1, OpGroup.MATRIX)  # the rows [qᵀ, r] of a = q·r, for a of no more columns than rows
PINV = Op("pinv", 2, OpGroup.MATRIX)  # a, c ↦ a⁺, where singular values up to c times the largest count as 0

RECOMPUTE = Op("recompute", 2, OpGroup.PASSING)  # x, δ ↦ x as a new thing: what is computed from it comes after δ

# control: operations with several results, each taken out by `result`; most run programs, which are attributes
RESULT = Op("result", 1, OpGroup.PASSING, ("index",))
CUSTOM = Op("custom", None, OpGroup.CONTROL, ("rule", "results"))  # y₁, …, x₁, … ↦ y, whose derivatives the rule gives
SCAN = Op("scan", None, OpGroup.CONTROL, ("body", "carried", "stepped", "length", "reverse"))
WHILE = Op("while", None, OpGroup.CONTROL, ("condition", "body", "carried"))  # carried values, then constants
COND = Op("cond", None, OpGroup.CONTROL, ("if_true", "if_false"))  # condition, then the operands of both programs

OPS = tuple(thing for thing in list(globals().values()) if isinstance(thing, Op))
BY_NAME: Mapping[str, Op] = MappingProxyType({op.name: op for op in OPS})


def _of(*groups: OpGroup) -> tuple[Op, ...]:
    return tuple(op for op in OPS if op.group in groups)


LEAVES = _of(OpGroup.LEAF)
UNARY = _of(OpGroup.UNARY)
ARITHMETIC = _of(OpGroup.ARITHMETIC)
FUNCTIONS_OF_TWO = _of(OpGroup.FUNCTION_OF_TWO)
BITWISE = _of(OpGroup.BITWISE)
COMPARISONS = _of(OpGroup.COMPARISON)
LOGICAL = _of(OpGroup.LOGICAL)
BINARY = (*ARITHMETIC, *FUNCTIONS_OF_TWO, *BITWISE, *COMPARISONS, *LOGICAL)
ELEMENTWISE = frozenset((*UNARY, *BINARY, SELECT))
MATRIX = _of(OpGroup.MATRIX)
LAYOUT = _of(OpGroup.LAYOUT)
CONTROL = _of(OpGroup.CONTROL)
STEPS = frozenset((SIGN, FLOOR, CEIL, ROUND, FLOOR_DIVIDE, STOP_GRADIENT))  # of which the derivative is 0 everywhere
