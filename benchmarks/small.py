"""What small things cost: `python benchmarks/small.py`.

Gradients of small functions with nothing compiled, beside autograd; a call of `learn` whose programs are known, beyond
its steps, and a sweep of rates; the first call of programs with a loop written out, compiler and all; a chain of terms
in a scan's body; loops in loops with derivatives inside, beside JAX. Processor time on one core, minima, both sides in
turn. JAX lives in the environment of the other benchmarks' peers.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
import warnings
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy

from small_programs import UNCOMPILED, WRITTEN_OUT, saddle

_KINDS = {"forward over forward": (True, True), "forward over reverse": (True, False)}


def _least(*runs: Callable[[], Any], rounds: int = 12, calls: int = 25) -> list[float]:
    """The least seconds of a call of each, in turn."""
    best = [float("inf")] * len(runs)
    for _ in range(rounds):
        for n, run in enumerate(runs):
            start = time.process_time()
            for _ in range(calls):
                run()
            best[n] = min(best[n], (time.process_time() - start) / calls)
    return best


def _row(*cells: Any) -> None:
    print("| " + " | ".join(map(str, cells)) + " |", flush=True)


def _uncompiled() -> None:
    import autograd
    import autograd.numpy

    import chainrule as cr
    import chainrule.numpy

    _row("gradient, nothing compiled", "autograd, µs", "chainrule, µs", "ratio")
    _row("---", "---:", "---:", "---:")
    ratios = []
    for name, (program, x) in UNCOMPILED.items():
        for title, depth in ((name, 1), *(((f"{name}, twice", 2),) if numpy.ndim(x) == 0 else ())):
            theirs: Any = lambda x, program=program: program(autograd.numpy, x)  # noqa: E731
            ours: Any = lambda x, program=program: program(chainrule.numpy, x)  # noqa: E731
            for _ in range(depth):
                theirs, ours = autograd.grad(theirs), cr.grad(ours)
            numpy.testing.assert_allclose(theirs(x), ours(x), rtol=1e-9)
            a, b = _least(lambda: theirs(x), lambda: ours(x))  # noqa: B023 - called at once
            ratios.append(b / a)
            _row(title, f"{a * 1e6:.0f}", f"{b * 1e6:.0f}", f"{b / a:.2f}")
    _row("geometric mean", "", "", f"{numpy.exp(numpy.mean(numpy.log(ratios))):.2f}")


def _learning() -> None:
    """What `learn` takes besides its steps, once it has learnt so before; and a sweep of 20 rates."""
    import chainrule as cr
    from chainrule import numpy as cnp

    swish: Any = cr.nn.Activation("swish", lambda z: z * cr.nn.sigmoid(z))
    huber: Any = cr.nn.Cost("huber", lambda z, a, y: cnp.sum(cnp.sqrt(1 + (a - y) ** 2) - 1, axis=-1))
    random = numpy.random.default_rng(0)
    data = random.random((1000, 784), dtype=numpy.float32), random.integers(0, 10, 1000)

    def learn(activation: Any, cost: Any, watch: bool, epochs: int = 1, rate: float = 0.1) -> None:
        network = cr.nn.Network([784, 30, 10], activation, output="softmax")
        cr.learn(network, data, cost=cost, epochs=epochs, batch=20, optimizer=cr.optim.SGD(rate), watch=watch,
                 progress=False)  # fmt: skip

    print()
    _row("learn, one epoch of 1,000 rows, 784-30-10, batch 20, known", "whole call, ms", "its steps, ms", "beyond, ms")
    _row("---", "---:", "---:", "---:")
    whats = {
        "chainrule's own layers": ("sigmoid", "cross_entropy"),
        "an activation of the user's": (swish, "cross_entropy"),
        "an activation and a cost of the user's": (swish, huber),
    }
    for what, asked in whats.items():
        for watch in (False, True):
            ways = [partial(learn, *asked, watch, epochs) for epochs in (1, 11)]
            ways[0]()  # after which the programs are known
            one, eleven = _least(*ways, rounds=5, calls=3)
            steps = (eleven - one) / 10
            figures = (f"{1e3 * seconds:.1f}" for seconds in (one, steps, one - steps))
            _row(f"{what}{', watched' if watch else ''}", *figures)

    def all_rates() -> None:
        for rate in numpy.geomspace(1e-3, 1, 20).tolist():
            learn("sigmoid", "cross_entropy", True, rate=rate)

    (sweep,) = _least(all_rates, rounds=3, calls=1)
    _row("20 rates, watched", f"{1e3 * sweep:.0f}", "", "")


def _first_calls() -> None:
    import chainrule as cr
    import chainrule.numpy

    os.environ["CHAINRULE_CACHE"] = "off"
    print()
    _row("first call of a gradient, nothing on disk", "kernels", "s")
    _row("---", "---:", "---:")

    def timed(name: str, function: Any, *arguments: Any) -> None:
        compiled = cr.compile(function)
        start = time.process_time()
        compiled(*arguments)
        seconds = time.process_time() - start
        _row(name, len(compiled.program(*arguments).schedule.kernels), f"{seconds:.2f}")

    for name, (program, x) in WRITTEN_OUT.items():
        timed(name, cr.grad(lambda x, program=program: program(chainrule.numpy, x)), x)
    for terms in (75, 150, 300):

        def cost(weights: Any, start: Any, xs: Any, terms: int = terms) -> Any:
            def body(carried: Any, x: Any) -> Any:
                for k in range(terms):
                    carried = carried * x + chainrule.numpy.sin(weights[k] * carried)
                return carried, carried

            return chainrule.numpy.sum(cr.scan(body, start, xs)[1])

        arguments = numpy.linspace(0.1, 1, terms), numpy.float64(0.3), numpy.linspace(0, 1, 20)
        timed(f"a chain of {terms} terms in a scan's body", cr.grad(cost), *arguments)


def _saddles_here(library: str) -> dict[str, float]:
    """Seconds of a call of each kind of saddle in a library."""
    start, found = numpy.ones(2), {}
    for kind, (outer, inner) in _KINDS.items():
        if library == "jax":
            import jax

            jax.config.update("jax_enable_x64", True)
            makers = [jax.jacfwd if forward else jax.grad for forward in (outer, inner)]
            run = jax.jit(saddle(jax.numpy, jax.lax.while_loop, jax.lax.cond, *makers))
            call: Any = lambda run=run: jax.block_until_ready(run(start))  # noqa: E731
        else:
            import chainrule as cr
            import chainrule.numpy

            forward = lambda f: cr.jacobian(f, mode="forward")  # noqa: E731
            makers = [forward if is_forward else cr.grad for is_forward in (outer, inner)]
            compiled = cr.compile(saddle(chainrule.numpy, cr.while_loop, cr.cond, *makers))
            call = lambda compiled=compiled: compiled(start)  # noqa: E731
        assert numpy.allclose(call(), 0, atol=1e-4)
        (found[kind],) = _least(call, calls=3)
    return found


def _saddles(peers: Path) -> None:
    ours, theirs = _saddles_here("chainrule"), {}
    python = peers / "bin" / "python"
    if python.exists():
        command = [str(python), str(Path(__file__).resolve()), "--jax-alone"]
        theirs = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    print()
    _row("a saddle, loops in loops with derivatives inside", "JAX, ms", "chainrule, ms", "ratio")
    _row("---", "---:", "---:", "---:")
    for kind, seconds in ours.items():
        other = theirs.get(kind)
        _row(
            kind,
            f"{other * 1e3:.2f}" if other else "not there",
            f"{seconds * 1e3:.2f}",
            f"{seconds / other:.2f}" if other else "",
        )


def main() -> int:
    """Measure and print the tables."""
    assert __doc__
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    home = Path(__file__).resolve().parent / ".peers"
    parser.add_argument("--peers-env", type=Path, default=home, metavar="DIR", help="where JAX lives")
    parser.add_argument("--jax-alone", action="store_true", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.jax_alone:
        print(json.dumps(_saddles_here("jax")))
        return 0
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    warnings.simplefilter("ignore", UserWarning)  # that loops are written out
    _uncompiled()
    _learning()
    _first_calls()
    _saddles(arguments.peers_env)
    return 0


if __name__ == "__main__":
    sys.exit(main())
