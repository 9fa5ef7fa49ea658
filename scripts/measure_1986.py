"""Measure the networks of 1986, and the claim made of them; write measured.json beside the code, and docs/1986.md.

python scripts/measure_1986.py [--only NAME,…] [--again] [--page] [--mnist FOLDER]

Problems that were measured are left as they are, unless they are others by now, are named, or --again is said; what has
been measured is written after each, so that it can be stopped and go on. --page writes the page from what is there.
"""

from __future__ import annotations

import argparse
import json
import math
import platform
import sys
import textwrap
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from chainrule.classics.demonstrations import DEMONSTRATIONS, demonstration
from chainrule.classics.problems import PROBLEMS, problem
from chainrule.classics.problems.base import Problem, Settings
from chainrule.classics.races.batched_trials import trials
from chainrule.classics.races.measurements import RECORD, Comparison, Distribution, fingerprint
from chainrule.classics.races.racing import race
from chainrule.classics.rules import RULES, rule
from chainrule.cpu.processor import host
from chainrule.display import plain

PAGE = Path(__file__).parents[1] / "docs" / "1986.md"
BASE = "backpropagation"
OTHERS = tuple(name for name in RULES if name != BASE)
SEEDS = {"symmetry": 1000}  # 200 of the others
MACHINES = {"boltzmann-encoder": 250}  # problems that were published of the Boltzmann machine, with its trials
BUDGETS = {"family-trees-as-printed": 1500}  # as many sweeps as were published
TIMES, LEAST = 1000, 20  # a trial of another rule may spend so many of backpropagation's medians; the least of them
TRIALS, FEW = 20, 4  # of another rule; where they would take too long
MOST = 2.5e10, 5e11  # operations of all trials of another rule, of backpropagation, on one problem
SURE = 2.0  # standard errors of a difference from which on it is told

Record = dict[str, Any]


# measuring


def main(arguments: Sequence[str]) -> None:
    """Measure what is asked for, and write the page."""
    asked = options(arguments)
    record = read()
    for name in () if asked.page else chosen(asked, record):
        begin = time.perf_counter()
        measure(name, record, asked.mnist)
        record["machine"] = machine()
        RECORD.write_text(json.dumps(record, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
        print(f"{name}: {time.perf_counter() - begin:.1f} s", file=sys.stderr, flush=True)
    PAGE.write_text(page(record), encoding="utf-8")


def options(arguments: Sequence[str]) -> argparse.Namespace:
    """What was asked on the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", type=lambda text: text.split(","), default=[], metavar="NAME,…")
    parser.add_argument("--again", action="store_true")
    parser.add_argument("--page", action="store_true")
    parser.add_argument("--mnist", type=Path, default=None, metavar="FOLDER")
    return parser.parse_args(arguments)


def read() -> Record:
    """The record, empty to begin with."""
    parts = ("fingerprints", "problems", "machines", "races", "demonstrations")
    empty: Record = {"machine": "", **{part: {} for part in parts}}
    return empty | (json.loads(RECORD.read_text("utf-8")) if RECORD.exists() else {})


def chosen(asked: argparse.Namespace, record: Record) -> list[str]:
    """What is to be measured."""
    names = [*PROBLEMS, *DEMONSTRATIONS]
    if asked.only:
        return [name for name in names if name in asked.only]
    return [name for name in names if asked.again or not is_known(name, record)]


def is_known(name: str, record: Record) -> bool:
    """Whether it was measured as it is now."""
    if name in DEMONSTRATIONS:
        return name in record["demonstrations"]
    return name in record["races"] and record["fingerprints"].get(name) == fingerprint(problem(name))


def measure(name: str, record: Record, mnist: Path | None) -> None:
    """One problem or demonstration."""
    if name in DEMONSTRATIONS:
        record["demonstrations"][name] = demonstrated(name, mnist)
        return
    asked = problem(name)
    base = backpropagation(asked)
    record["problems"][name] = base.to_dict()
    record["fingerprints"][name] = fingerprint(asked)
    if name in MACHINES:
        record["machines"][name] = Distribution.of(trials(asked, rule("boltzmann"), MACHINES[name])).to_dict()
    record["races"][name] = {entry: found.to_dict() for entry, found in raced(asked, base)}


def backpropagation(asked: Problem) -> Distribution:
    """Backpropagation at the problem's settings, over at least 200 seeds."""
    learner, seeds = rule(BASE), SEEDS.get(asked.name, 200)
    affordable = int(MOST[1] / (seeds * learner.spending(asked).operations))
    budget = min(BUDGETS.get(asked.name, asked.budget), affordable)
    return Distribution.of(trials(asked, learner, seeds, budget=budget))


def raced(asked: Problem, base: Distribution) -> Iterator[tuple[str, Comparison]]:
    """Every other rule on the problem."""
    each = base.operations * (base.median or base.budget)
    times = 1 if base.median is None else min(TIMES, max(LEAST, MOST[0] / (TRIALS * each)))
    count = int(min(TRIALS, max(FEW, MOST[0] / (times * each))))
    beside = race(asked, [BASE], count, budget=times * each).entry(BASE)  # side by side in as many lanes as the others
    base = replace(base, seconds=beside.seconds_per_sweep)
    for name in OTHERS:
        begin = time.perf_counter()
        hopeless = rule(name).limit(asked) is not None  # and shown to be, with what backpropagation needs
        found = race(asked, [name], count, budget=each if hopeless else times * each)
        yield name, Comparison.of(found.entry(name), base)
        print(f"  {asked.name}, {name}: {time.perf_counter() - begin:.1f} s", file=sys.stderr, flush=True)


def demonstrated(name: str, mnist: Path | None) -> Record:
    """What a demonstration says."""
    given: dict[str, Any] = {"folder": mnist} if name == "chapter-1" and mnist is not None else {}
    found = demonstration(name).run(**given)
    table = found.table()
    return {"sentences": list(found.sentences()), "columns": list(table.columns), "rows": plain(table.rows)}


def machine() -> str:
    """The machine that measures."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
        own = next(line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        own = platform.processor()
    return (
        f"one core of {own} ({host().cpu}, {host().vector_bytes * 8}-bit vectors), Python {platform.python_version()}"
    )


# the page


def page(record: Record) -> str:
    """The page, from the record alone and the problems' own words."""
    parts = [_opening(record), _networks(record), _readings(), _claim(record), _losses(record), _why(record)]
    return "\n".join([*parts, _book(record)])


def _opening(record: Record) -> str:
    said = (
        "In 1986 Rumelhart, Hinton and Williams described several networks that backpropagation taught what the "
        "approaches before it could not, or hardly. Here they are run again: every network from many seeds, with the "
        "published figure beside ours; and every problem with the earlier approaches to learning, against "
        "backpropagation.",
        f"`scripts/measure_1986.py` measured all of it, on {record['machine']}, and wrote this page. One of the "
        "networks as it learns, its weights and its solution: `chainrule classics run symmetry`; a race: `chainrule "
        "race xor`.",
        "A network has solved its problem when every output for every pattern that it learns is on its target's side "
        "of ½, looked at before each sweep through all patterns. Trial i starts from the key `fold_in(key(0), i)`. "
        "Sweeps are given as the least, the quartiles and the most over all seeds, those that did not solve the "
        "problem counted as infinitely many: — says that so many did not solve it within the budget.",
    )
    return "\n".join(["# 1986\n", *(textwrap.fill(part, 120, break_on_hyphens=False) + "\n" for part in said)])


def _networks(record: Record) -> str:
    rows = [row for name in PROBLEMS if name in record["problems"] for row in _network_rows(name, record)]
    return "\n".join(
        [
            "## The networks\n",
            "Weights and biases start evenly distributed from −init to init. `d` are the targets for off and on.\n",
            "| problem | units | patterns | settings | published | seeds | solved | least | ¼ | median | ¾ | most "
            "| budget | µs a sweep |",
            "|---|---|---|---|---|---|---|---|---|---|---|---|---|---|",
            *rows,
            "",
        ]
    )


def _network_rows(name: str, record: Record) -> Iterator[str]:
    asked = problem(name)
    units = "-".join(str(size) for size in asked.wiring.sizes.values())
    if any("@" in name for name in asked.wiring.sizes):
        units = f"{asked.wiring.parameters} weights, unrolled in time"
    figures = "; ".join(f"{one.what}: {one.figure}" for one in asked.published) or "none"
    known = f"{units} | {asked.patterns}"
    base = _distribution(record["problems"][name])
    machines = record["machines"].get(name)
    if machines is not None:
        found = _distribution(machines)
        yield f"| {name}, Boltzmann machine | {known} | as published | {figures} | {_numbers(found)} |"
        figures = "none"
    yield f"| {name} | {known} | {_settings(asked.settings)} | {figures} | {_numbers(base)} |"


def _settings(s: Settings) -> str:
    said = [f"ε {s.rate:g}", f"α {s.momentum:g}", f"init {s.initial:g}", f"d {s.off:g}/{s.on:g}"]
    said += [f"decay {s.decay:g}"] if s.decay else []
    said += [f"errors below {s.ignored:g} ignored"] if s.ignored else []
    if s.early_sweeps:
        said.append(f"the first {s.early_sweeps} sweeps ε {s.early_rate:g}, α {s.early_momentum:g}")
    return ", ".join([*said, f"a change after each {s.change_after}"])


def _numbers(found: Distribution) -> str:
    sweeps = " | ".join("—" if n is None else f"{n:,}" for n in found.sweeps)
    share = 100 * found.fraction
    return f"{found.trials:,} | {share:.3g} % | {sweeps} | {found.budget:,} | {_three(1e6 * found.seconds)}"


def _readings() -> str:
    said = ["## What the publications say, and how it is read\n"]
    for name in PROBLEMS:
        for one in problem(name).published:
            reading = f" {one.reading[:1].upper()}{one.reading[1:]}." if one.reading else ""
            said.append(f"- **{name}**, {one.what}: {one.figure} ({one.source}).{reading}")
    return "\n".join([*said, ""])


def _claim(record: Record) -> str:
    return "\n".join(
        [
            "## The claim\n",
            "Each earlier approach on each problem: the same network, patterns and seeds. A cell has how many of its "
            "trials solved the problem, and what a solution cost in the median over what it cost backpropagation: in "
            "floating-point operations, then in time, with as many networks side by side. `> 100` says that fewer than "
            "half of the trials solved it with 100 times the operations that backpropagation needs in the median.\n",
            "*Cannot take*: the rule does not apply to such a network. *Cannot represent*: no weights that it can "
            "reach solve the problem; it was run a few times all the same. Reasons are below.\n",
            f"| problem | backpropagation | {' | '.join(OTHERS)} |",
            "|---|---|" + "---|" * len(OTHERS),
            *(_claim_row(name, record) for name in PROBLEMS if name in record["races"]),
            "",
        ]
    )


def _claim_row(name: str, record: Record) -> str:
    base = _distribution(record["problems"][name])
    needed = "no median" if base.median is None else f"{_short(base.median * base.operations)} operations"
    cells = [_cell(Comparison(**record["races"][name][other])) for other in OTHERS if other in record["races"][name]]
    return f"| {name} | {base.solved} of {base.trials}: {needed} | {' | '.join(cells)} |"


def _cell(found: Comparison) -> str:
    if found.outcome != "ran":
        return found.outcome.removesuffix(" it")
    solved = f"{found.solved} of {found.trials}"
    if found.operations is not None:
        return f"{solved}: {_three(found.operations)}, {_three(found.seconds or 0.0)}"
    return solved if found.least_operations is None else f"{solved}: > {_three(found.least_operations)}"


def _losses(record: Record) -> str:
    """Where backpropagation loses."""
    said = [sentence for name in PROBLEMS if name in record["races"] for sentence in _lost(name, record)]
    note = (
        "The perceptron and the delta rule learn a single layer of weights, from the inputs to the outputs. Where that "
        "can represent the answers they need the fewest operations; but there are no hidden units then, and so no "
        "codes, which is what the encoders and the networks that run in time were there to show.\n"
    )
    return "\n".join(["## Where backpropagation loses\n", note, *(said or ["Nowhere in these races."]), ""])


def _lost(name: str, record: Record) -> Iterator[str]:
    base = _distribution(record["problems"][name])
    own = f"{base.solved} of {base.trials}"
    if base.fraction < 0.5:
        yield f"- **{name}**: backpropagation itself solves {own} within {base.budget:,} sweeps."
    for other, raw in record["races"][name].items():
        found = Comparison(**raw)
        rule_named = f"- **{name}**: {other} (network {found.network})" if found.network else f"- **{name}**: {other}"
        if found.outcome == "ran" and _is_surely_more(found, base):
            yield f"{rule_named} solves {found.solved} of {found.trials}, backpropagation {own}."
        if found.operations is not None and found.seconds is not None and min(found.operations, found.seconds) < 1:
            yield (
                f"{rule_named} needs {_three(found.operations)} times the operations of backpropagation, and "
                f"{_three(found.seconds)} times its time."
            )


def _is_surely_more(found: Comparison, base: Distribution) -> bool:
    """Whether a rule solves it for a larger share of the seeds, by more than chance would have it."""
    both = (found.solved + base.solved) / (found.trials + base.trials)
    error = math.sqrt(both * (1 - both) * (1 / found.trials + 1 / base.trials))
    return found.solved / found.trials - base.fraction > SURE * error


def _why(record: Record) -> str:
    """The reasons for what a rule cannot do, each with the problems that it is the reason for."""
    reasons: dict[tuple[str, str, str], list[str]] = {}
    for name in PROBLEMS:
        for other, raw in record["races"].get(name, {}).items():
            if raw["outcome"] != "ran":
                reasons.setdefault((other, raw["outcome"], raw["why"].rstrip(".")), []).append(name)
    said = [
        f"- **{other}** {outcome.removesuffix(' it')} {', '.join(names)}: {why}."
        for (other, outcome, why), names in sorted(reasons.items(), key=lambda item: OTHERS.index(item[0][0]))
    ]
    return "\n".join(["## Why a rule cannot\n", *said, ""])


def _book(record: Record) -> str:
    said = ["## Nielsen's book\n"]
    for name in DEMONSTRATIONS:
        found, shown = record["demonstrations"].get(name), demonstration(name)
        if found is None:
            continue
        said += [f"### {name}: {shown.title}\n", f"{shown.description} {shown.source}.\n"]
        said += [f"- Published, {one.what}: {one.figure} ({one.source})." for one in shown.published]
        said += [f"- {sentence}" for sentence in found["sentences"]]
        said += ["", *_table(found["columns"], _some(found["rows"])), ""]
    return "\n".join(said)


def _some(rows: Sequence[Sequence[Any]]) -> Sequence[Sequence[Any]]:
    """Of many rows those in which nothing is missing, which are those with a published figure."""
    return rows if len(rows) <= 12 else [row for row in rows if None not in row]


def _table(columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> list[str]:
    body = [f"| {' | '.join(_short_cell(cell) for cell in row)} |" for row in rows]
    return [f"| {' | '.join(columns)} |", "|" + "---|" * len(columns), *body]


def _short_cell(value: Any) -> str:
    return "—" if value is None else f"{value:.4g}" if isinstance(value, float) else str(value)


def _distribution(found: Mapping[str, Any]) -> Distribution:
    return Distribution(**{**found, "sweeps": tuple(found["sweeps"])})


def _three(value: float) -> str:
    """A number in three digits."""
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def _short(value: float) -> str:
    for size, letter in ((1e9, " billion"), (1e6, " million"), (1e3, " thousand")):
        if value >= size:
            return f"{_three(value / size)}{letter}"
    return _three(value)


if __name__ == "__main__":
    main(sys.argv[1:])
