"""What the processor takes for what: every number by which the compiler chooses for it, its reason, how to measure it.

Cycles, bytes and elements, as of x86-64 and ARM cores of the last ten years. None is exact, and none need be: each
has to put the better of two programs first. `Program.profile()` times kernels and `benchmarks/training.py` whole
steps, both on one core; a number is right if the kernels that it decides on are no faster with its double or its
half. What tells whether an operation is cheap enough to repeat stands in `schedule.materialization`; what an
operation costs, on it, in `graph.ops`.
"""

from __future__ import annotations

from chainrule.graph.ops import Op

# the core

#: Loads, and arithmetic instructions, that start in one cycle. The processor's manual has it; to measure it, the
#: multiply-adds per second of `benchmarks/peak.py` over the clock's frequency and the lanes.
PER_CYCLE = 2
#: Cycles from an accumulation to the next on the same register: a multiply-add's latency. To measure it, time a sum
#: of products with one accumulator in place of several.
LATENCY = 4
#: Of a round's arithmetic and of its loads from the caches, one hides the other, all but this share of the lesser.
#: Take a product whose operands come from the second cache, and one of the same size whose operands fit the first.
NOT_HIDDEN = 0.3
#: Cycles of each round for each accumulator that has no register: to memory and back. Time a product whose tile has
#: some cells more than there are registers.
SPILL = 4
#: Cycles of each round of an innermost loop for counting. Time a sum whose rounds are short, and the same unrolled.
ROUND = 0.25
#: Cycles to begin and end a tile: pointers, a jump. Time products that are large, but have few terms in each sum.
TILE = 6
#: Cycles to add up the lanes of one accumulator: to begin with, and for each lane. Time sums over the contiguous axis
#: of a matrix with short rows.
FOLD, FOLD_LANE = 3.0, 0.25
#: Cycles to take one lane out of a vector and store it, to load one lane and put it in. Time a transposed copy.
SCATTER_LANE, GATHER_LANE = 2, 2.0
#: Cycles to copy a vector, and a single element, into a panel. Time a large product with and without packing.
PACK_VECTOR, PACK_ELEMENT = 2.0, 1.0
#: The cost (`Op.cost`) from which an operation keeps many registers busy: a polynomial or a call of the library.
#: `benchmarks/training.py` with other activations, and their assembly (`machine.assemble`), show which do.
EXPENSIVE = 10
#: The vectors that an elementwise kernel takes at once if it has no expensive operation, one, or more: enough to hide
#: the latency, few enough for the registers. Time x + y and exp(x) with each number.
STREAM = (4, 2, 1)

# tiles

#: Cells of a tile, at least, where the axes are long enough, as fewer do not hide the latency; and along one axis, at
#: most, as of 16 registers two hold the operands. To see whether a tile is missed, search without these bounds.
FEWEST_CELLS, MOST_CELLS = 6, 14
#: How often the innermost reduced loop may be unrolled, instead of several output cells: until the latency is hidden.
#: Time a dot product with each.
UNROLLED = (2, 4, 8)
#: Points of a kernel from which the operands outgrow the caches, and one of them is always packed. Time square
#: products of 128 to 256 rows with and without packing.
LARGE = 4_000_000
#: Tiles along the inner axis of a packed product in a block, at least: shorter blocks cost more than they save. Time
#: a product of 4000 rows and columns with shorter ones.
SHORTEST_BLOCK = 8

# caches

#: Bytes of a cache line: `getconf LEVEL1_DCACHE_LINESIZE`.
LINE = 64
#: Bytes of the fastest cache, and of the next one less some room: as good as everywhere at least that. `lscpu -C`.
FIRST_CACHE, SECOND_CACHE = 32 * 1024, 384 * 1024
#: Bytes per cycle that come from the first cache (it takes no time of its own beside `PER_CYCLE`), from the second,
#: and from what is behind it. Time a sum over 256 KiB, and over 16 MiB.
FIRST_SPEED, SECOND_SPEED, THIRD_SPEED = 1e9, 48.0, 10.0
#: Lines that lie further apart than so many bytes may push each other out of the first cache; at multiples of
#: `ALIASES` bytes only one part in `ALIASING` of it is theirs. Each costs `CONFLICT` cycles. Time a product with a
#: turned matrix of 1024 columns, and one of 1040.
FAR_APART, ALIASES, ALIASING, CONFLICT = 512, 1024, 4, 4.0

# loops over a few numbers

#: Steps of a loop, and points of each of its kernels, up to which it becomes one function whose values stay in
#: registers: calls and memory are most of what such a loop costs. LLVM's passes take longer the more there are of
#: them: time the compilation as well as the loop.
SMALL_LOOP_STEPS, SMALL_LOOP_POINTS = 40, 32

# asking for memory ahead

#: Bytes of a row from which it pays to ask for it a round ahead: shorter ones come with the processor's own
#: prefetching. Time a loop that looks up rows of 64, 128, 256, 512 bytes in a table of 100 MB, with and without
#: `prefetch`.
SHORTEST_ROW = 4 * LINE
#: Rounds of a reduction that last long enough for memory to answer. Time an update of weights in place, by sums of so
#: many.
ANSWER = 64

# asking whether to end

#: The cost (as `Op.cost`) after which a program asks Python whether to go on: some hundredths of a second, tenths
#: where memory is slow. Time `interruption.work` of a large kernel against its profile.
LONG = 1 << 28
#: The same of a step, for being a function that is called. Time a scan of many rounds whose body is one small kernel.
CALL = 16
#: The rounds that a loop is taken for which stops on a value: nobody has counted them, so nothing measures this.
ROUNDS = 1 << 10


def is_expensive(op: Op) -> bool:
    """Whether the operation keeps many registers busy."""
    return op.cost >= EXPENSIVE
