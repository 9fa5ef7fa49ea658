"""What is to be seen in the weights of a network that has solved one of the problems, with its own numbers."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

import numpy as np

from chainrule.classics.problems.base import Problem
from chainrule.display import number
from chainrule.insight.wording import counted
from chainrule.nn.connected import Connected

__all__ = ["SOLUTIONS", "solution"]

Values = np.ndarray[Any, Any]
_FUNCTIONS = {  # of two bits: the answers to 00, 01, 10, 11
    "0000": "never", "1111": "always", "0001": "both", "0111": "at least one", "1110": "not both", "1000": "neither",
    "0110": "exactly one", "1001": "both or neither", "0011": "the first", "0101": "the second",
    "1100": "not the first", "1010": "not the second", "0010": "the first alone", "0100": "the second alone",
    "1011": "not the second alone", "1101": "not the first alone",
}  # fmt: skip
_PEOPLE = {  # the 24 people of the family trees, in the order of their units
    "nationality": np.repeat([0, 1], 12),
    "generation": np.tile([1, 1, 2, 2, 2, 3], 4),
}


def solution(problem: Problem, network: Connected) -> list[str]:
    """What the weights of this network have to say about this problem; nothing where nothing is known to look for.

    >>> from chainrule.classics.problems.xor import xor_direct, xor_direct_published
    >>> solution(xor_direct(), xor_direct_published())
    ['Hidden unit 0 is on for neither (activities .9, .015, .015, 0 for 00, 01, 10, 11).']
    """
    say = SOLUTIONS.get(problem.name)
    return [] if say is None else say(problem, network)


def _symmetry(problem: Problem, network: Connected) -> list[str]:
    w = np.asarray(network.weights["input->hidden"], float)
    half = w[:, : w.shape[1] // 2]
    largest = float(np.abs(w).max())
    mirror = float(np.abs(w + w[:, ::-1]).max()) / largest
    resting = _activities(network, np.zeros((1, w.shape[1])))["hidden"][0]
    said = [
        f"Weights at the same distance from the centre are opposite, to within {_percent(mirror)} of the largest: a "
        f"symmetric row cancels, and the hidden units rest at {_listed(resting)}, so the output is on.",
        f"Magnitudes, the smallest as 1: {'; '.join(_ratios(row) for row in half)}. At 1 : 2 : 4 no two different "
        "halves weigh the same, so that no other row cancels.",
    ]
    if len(w) == 2:
        apart = float(np.abs(w[0] + w[1]).max()) / largest
        said.append(
            f"The two hidden units have opposite weights, to within {_percent(apart)} of the largest: whichever half "
            "weighs more, one of them is on, and turns the output off."
        )
    return said


def _ratios(row: Values) -> str:
    sizes = np.sort(np.abs(row))
    return " : ".join(number(size / sizes[0]) for size in sizes)


def _two_bits(problem: Problem, network: Connected) -> list[str]:
    said = []
    for name, a in _hidden(problem, network).items():
        for unit in range(min(a.shape[1], 8)):
            on = "".join(str(int(value > 0.5)) for value in a[:, unit])
            said.append(
                f"{name.capitalize()} unit {unit} is on for {_FUNCTIONS[on]} (activities {_listed(a[:, unit])} for 00, "
                "01, 10, 11)."
            )
    return said


def _parity(problem: Problem, network: Connected) -> list[str]:
    count = problem.x.sum(axis=1).astype(int)
    said = ["Mean activity of the hidden units by the number of bits that are on:"]
    for name, a in _hidden(problem, network).items():
        for unit in range(a.shape[1]):
            means = [float(a[count == n, unit].mean()) for n in range(problem.x.shape[1] + 1)]
            said.append(f"{name} {unit}: {_listed(means)}.")
    return said


def _encoder(problem: Problem, network: Connected) -> list[str]:
    (a,) = _hidden(problem, network).values()
    codes = ["".join(_level(value) for value in row) for row in a]
    between = sum("½" in code for code in codes)
    return [
        f"The codes on {counted(a.shape[1], 'hidden unit')}: {' '.join(codes)}; {len(set(codes))} of {len(codes)} are "
        f"different, {between} of them with a unit in between (from ¼ to ¾, written ½)."
    ]


def _addition(problem: Problem, network: Connected) -> list[str]:
    carries = _carries(problem)
    said = []
    for name, a in _hidden(problem, network).items():
        for unit in range(a.shape[1]):
            agree = {what: int(((a[:, unit] > 0.5) == on).sum()) for what, on in carries.items()}
            what = max(agree, key=lambda key: max(agree[key], len(a) - agree[key]))
            way = "" if 2 * agree[what] >= len(a) else "the opposite of "
            share = max(agree[what], len(a) - agree[what])
            said.append(f"{name.capitalize()} unit {unit} says {way}{what} for {share} of {len(a)} patterns.")
    return said


def _carries(problem: Problem) -> dict[str, Values]:
    """What a hidden unit of the adder may be there for: the carries, of inputs a₁ b₁ a₀ b₀ and the sum's three bits."""
    low = problem.x[:, 2] + problem.x[:, 3] > 1
    return {"the carry from the low bits": low, "the carry from the high bits": problem.y[:, 0] > 0}


def _single_unit(problem: Problem, network: Connected) -> list[str]:
    a = _hidden(problem, network)["hidden1"][:, 0]
    order = [2, 3, 0, 1]  # 10, 11, 00, 01, as in table 7
    return [f"The single unit says 10, 11, 00 and 01 by {_listed(a[order])}."]


def _letters(problem: Problem, network: Connected) -> list[str]:
    a = _hidden(problem, network)["hidden"]
    on, is_t = (a > 0.5).sum(axis=1), problem.y[:, 0] > 0.5
    counts = (f"{number(float(on[rows].mean()))}" for rows in (is_t, ~is_t))
    return ["Hidden units that are on, of {}: {} for a T in the mean, {} for a C.".format(a.shape[1], *counts)]


def _neighbours(problem: Problem, network: Connected) -> list[str]:
    (w,) = (np.asarray(w) for w in network.weights.values())
    sources = np.abs(w).argmax(axis=1)
    said = ", ".join(f"{unit} from {source} ({w[unit, source]:+.2f})" for unit, source in enumerate(sources))
    return [f"Each unit's largest weight: {said}."]


def _person_codes(problem: Problem, network: Connected) -> list[str]:
    people = np.concatenate([np.eye(24), np.zeros((24, 12))], axis=1)
    a = _activities(network, people)["person code"]
    said = []
    for unit in range(a.shape[1]):
        told = ", ".join(f"{what}: {100 * _explained(a[:, unit], labels):.0f} %" for what, labels in _PEOPLE.items())
        said.append(f"Person code unit {unit}, share of its variance over the 24 people that goes with {told}.")
    return said


def _explained(a: Values, labels: Values) -> float:
    """The share of the variance of a that is between the groups that the labels make."""
    groups = [a[labels == label] for label in np.unique(labels)]
    between = sum(len(group) * (group.mean() - a.mean()) ** 2 for group in groups)
    return float(between / max(len(a) * a.var(), 1e-30))


#: What is said of each problem.
SOLUTIONS: Mapping[str, Callable[[Problem, Connected], list[str]]] = MappingProxyType(
    {
        "addition": _addition,
        "encoder": _encoder,
        "boltzmann-encoder": _encoder,
        "distributed-to-local": _single_unit,
        "family-trees": _person_codes,
        "parity": _parity,
        "shift-register": _neighbours,
        "symmetry": _symmetry,
        "symmetry-pdp": _symmetry,
        "t-c": _letters,
        "xor": _two_bits,
        "xor-direct": _two_bits,
    }
)


def _activities(network: Connected, x: Values) -> dict[str, Values]:
    return {name: np.asarray(a) for name, (_, a) in network.forward(x.astype(network.dtype)).items()}


def _hidden(problem: Problem, network: Connected) -> dict[str, Values]:
    found, outputs = _activities(network, problem.x), network.wiring.outputs
    return {units.name: found[units.name] for units in network.wiring.units if units.name not in outputs}


def _level(value: float) -> str:
    return "½" if 0.25 <= value <= 0.75 else str(int(value > 0.5))


def _listed(values: Any) -> str:
    return ", ".join(f"{float(value):.3f}".rstrip("0").removeprefix("0").rstrip(".") or "0" for value in values)


def _percent(share: float) -> str:
    return f"{100 * share:.2g} %"
