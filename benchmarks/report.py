"""What was measured, as Markdown tables to be pasted, and as plain data for a JSON file."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from contest import Contest, Entry
from startup import Spans
from workloads import BOOK, described, flops

__all__ = ["DISAGREEMENT", "Report", "heading", "number_text", "seconds_text", "table"]

DISAGREEMENT = 1e-3  # relative; contestants whose first costs differ by more do not do the same thing


@dataclass
class Report:
    """Everything that one run has measured; `names` are the contestants' titles with their versions."""

    machine: dict[str, Any]
    names: dict[str, str]
    absent: list[str] = field(default_factory=list)  # peers that should have been there
    peak: float = 0.0
    contests: dict[str, Contest] = field(default_factory=dict)
    imports: dict[str, Spans] = field(default_factory=dict)
    starts: dict[str, dict[str, Spans]] = field(default_factory=dict)

    @property
    def problems(self) -> list[str]:
        """What went wrong, a line each."""
        found = [
            f"{workload}, {name}: {entry.error}"
            for workload, contest in self.contests.items()
            for name, entry in contest.entries.items()
            if entry.error
        ]
        found += [
            f"{workload}: the contestants' costs differ by {max(contest.differences()):.1e}, which is too much"
            for workload, contest in self.contests.items()
            if max(contest.differences(), default=0.0) > DISAGREEMENT
        ]
        spans = {f"import {n}": s for n, s in self.imports.items()}
        spans |= {f"first step, {n}, {kind}": s for n, kinds in self.starts.items() for kind, s in kinds.items()}
        return found + [f"{what}: {s.error}" for what, s in spans.items() if s.error]

    def floor(self, contest: Contest) -> float:
        """Seconds that a step's flops take at the measured peak."""
        return flops(contest.task) / self.peak

    def markdown(self) -> str:
        """All tables."""
        parts = [heading(self.machine, self.names, self.absent, self.peak) + " Times: minimum (median)."]
        if self.contests:
            parts += [table(*self._steps()), self._agreement(), table(*self._memory())]
        if self.imports:
            parts += [table(*self._beginnings())]
        if self.problems:
            parts += ["Problems:\n\n" + "\n".join(f"- {p}" for p in self.problems)]
        return "\n\n".join(parts) + "\n"

    def _steps(self) -> tuple[list[str], list[list[str]]]:
        others = [n for n in self.names if n != "chainrule"]
        head = ["µs per training step", *self.names.values(), *(f"{self.names[n]} / chainrule" for n in others)]
        rows = []
        for workload, contest in self.contests.items():
            row = [f"{workload} ({described(contest.task)})"]
            row += [_step_text(contest.entries[n]) for n in self.names]
            row += [_ratio_text(contest.ratio(n)) for n in others]
            rows.append([*row, *self._floor_texts(contest)])
        return [*head, "flop floor", "chainrule / floor"], rows

    def _floor_texts(self, contest: Contest) -> list[str]:
        if not self.peak:
            return ["–", "–"]
        floor, own = self.floor(contest), contest.entries["chainrule"]
        return [number_text(floor * 1e6), f"{own.minimum / floor:.2f}" if own.seconds else "–"]

    def _agreement(self) -> str:
        """How nearly the contestants compute the same."""
        texts = []
        for workload, contest in self.contests.items():
            d = contest.differences()
            if d and sum(bool(e.costs) for e in contest.entries.values()) > 1:
                texts.append(f"{workload} {d[0]:.0e}, {max(d):.0e}")
        head = "Largest relative difference of the contestants' costs at the first step, and in the first eight: "
        return head + ("; ".join(texts) or "nothing to compare") + "."

    def _memory(self) -> tuple[list[str], list[list[str]]]:
        rows = [
            [workload, *(_memory_text(contest.entries[n].memory) for n in self.names)]
            for workload, contest in self.contests.items()
        ]
        return ["peak memory of the process, MB", *self.names.values()], rows

    def _beginnings(self) -> tuple[list[str], list[list[str]]]:
        names = list(self.names)
        rows = [["import (NumPy alone: " + seconds_text(self.imports["numpy"].seconds) + ")"]]
        rows[0] += [seconds_text(self.imports[n].seconds) for n in names]
        for kind, words in (("cold", "nothing compiled"), ("warm", "compiled code on disk")):
            spans = [self.starts[n].get(kind, Spans()) for n in names]
            rows.append([f"process start to first step, {words}", *(seconds_text(s.seconds) for s in spans)])
            rows.append([f"of which compiling, {words}", *(seconds_text(s.compiling) for s in spans)])
        return [f"seconds to begin ({BOOK})", *self.names.values()], rows

    def data(self) -> dict[str, Any]:
        """The whole report as JSON can hold it."""
        return {
            "machine": self.machine,
            "contestants": self.names,
            "absent": self.absent,
            "peak_flops_per_second": self.peak,
            "workloads": {name: self._contest_data(contest) for name, contest in self.contests.items()},
            "imports": {name: asdict(spans) for name, spans in self.imports.items()},
            "first_steps": {n: {kind: asdict(s) for kind, s in kinds.items()} for n, kinds in self.starts.items()},
            "problems": self.problems,
        }

    def _contest_data(self, contest: Contest) -> dict[str, Any]:
        task = asdict(contest.task)
        del task["arrays"]
        ratios = {n: contest.ratio(n) for n in self.names if n != "chainrule"}
        return {
            "task": task,
            "flops": flops(contest.task),
            "floor_seconds": self.floor(contest) if self.peak else None,
            "entries": {n: _entry_data(e) for n, e in contest.entries.items()},
            "ratios": {n: {"of_minima": r[0], "median": r[1]} for n, r in ratios.items() if r},
            "relative_cost_differences": contest.differences(),
        }


def _entry_data(entry: Entry) -> dict[str, Any]:
    summary = {"minimum": entry.minimum, "median": entry.median} if entry.seconds else {}
    return asdict(entry) | summary


def heading(machine: Mapping[str, Any], names: Mapping[str, str], absent: Sequence[str], peak: float) -> str:
    """What was measured, on what, and how."""
    missing = f" (absent: {', '.join(absent)})" if absent else ""
    fastest = f"; measured peak {peak / 1e9:.0f} GFLOP/s in float32" if peak else ""
    return (
        f"One core of {machine['processor']} ({machine['vector_bits']}-bit vectors{fastest}), "
        f"Python {machine['python']}; {', '.join(names.values())}{missing}; {machine['rounds']} rounds, "
        "the contestants in turn in each."
    )


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A Markdown table, its columns aligned: words to the left, numbers to the right."""
    columns = list(zip(head, *rows, strict=True))
    widths = [max(3, *map(len, column)) for column in columns]
    rule = ["-" * widths[0], *("-" * (w - 1) + ":" for w in widths[1:])]
    lines = [head, rule, *rows]
    return "\n".join("| " + " | ".join(_padded(line, widths)) + " |" for line in lines)


def _padded(cells: Sequence[str], widths: Sequence[int]) -> list[str]:
    return [c.ljust(w) if n == 0 else c.rjust(w) for n, (c, w) in enumerate(zip(cells, widths, strict=True))]


def number_text(value: float) -> str:
    """Three significant digits, no exponent."""
    if value >= 100:
        return f"{value:,.0f}"
    return f"{value:.1f}" if value >= 10 else f"{value:.2f}" if value >= 0.1 else f"{value:.3f}"


def seconds_text(seconds: Sequence[float]) -> str:
    """`minimum (median)`."""
    if not seconds:
        return "–"
    return f"{number_text(min(seconds))} ({number_text(statistics.median(seconds))})"


def _step_text(entry: Entry) -> str:
    if entry.error and not entry.seconds:
        return "failed"
    return f"{number_text(entry.minimum * 1e6)} ({number_text(entry.median * 1e6)})"


def _ratio_text(ratio: tuple[float, float] | None) -> str:
    return f"{number_text(ratio[0])} ({number_text(ratio[1])})" if ratio else "–"


def _memory_text(memory: int | None) -> str:
    return f"{memory / 1e6:.0f}" if memory else "–"
