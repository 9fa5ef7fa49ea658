"""The race: the same budget for every rule, what it says in each case, its numbers, its picture."""

from __future__ import annotations

import io
import json
from typing import Any

import numpy as np
import pytest

from chainrule import random
from chainrule.classics import Entry, Problem, Race, Rule, Spending, problem, race, rule, trials
from chainrule.classics.problems.base import Settings, layers
from chainrule.errors import OptionError

PATTERNS = Problem("two", "two", "Which pattern is on?", "", np.eye(2, dtype=np.float32),
                   np.eye(2, 1, dtype=np.float32), layers(2, 1, 1), Settings(0.1), budget=50)  # fmt: skip


class Stub(Rule):
    """Solves the problem after `shortest` to `longest` sweeps, as each trial's key says."""

    def __init__(
        self, name: str, shortest: float = 4, longest: float = 4, operations: float = 10,
        refusal: str | None = None, limit: str | None = None,
    ) -> None:  # fmt: skip
        self.name, self.title = name, f"{name} (1986)"  # type: ignore[misc]
        self.shortest, self.range, self.cost = np.float32(shortest), np.float32(longest - shortest), operations
        self._refusal, self._limit = refusal, limit

    def refusal(self, problem: Problem) -> str | None:
        return self._refusal

    def limit(self, problem: Problem) -> str | None:
        return self._limit

    def start(self, problem: Problem, key: Any) -> Any:
        return np.float32(0), self.shortest + self.range * random.uniform(key)

    def sweep(self, problem: Problem, state: Any, number: Any, key: Any) -> Any:
        return state[0] + 1, state[1]

    def answers(self, problem: Problem, state: Any) -> Any:
        return problem.y * (state[0] >= state[1])

    def spending(self, problem: Problem) -> Spending:
        return Spending(2, 2, 1, 4, self.cost)


BASE = Stub("backpropagation", 4, 4, operations=10)


def raced(*rules: Rule, trials: int = 10, budget: float = 200) -> Race:
    return race(PATTERNS, rules, trials, budget)


def said(found: Race, name: str) -> str:
    (sentence,) = (s for s in found.sentences() if s.startswith(name))
    return sentence


# the budget


def test_every_rule_is_given_the_same_operations() -> None:
    found = raced(Stub("cheap", operations=3), Stub("dear", operations=70), budget=200)
    assert [entry.budget for entry in found.entries] == [66, 2]


def test_at_least_one_sweep_even_if_it_costs_more() -> None:
    found = raced(BASE, Stub("dear", 1, 1, operations=1e6), budget=200)
    assert found.entry("dear").budget == 1
    assert found.entry("dear").solved == 10
    assert said(found, "Dear").startswith("Dear solved 10 of 10 trials, in the median with 25,000 times the operations")
    assert said(found, "Dear").endswith("One sweep costs more than the budget.")


def test_the_usual_budget_is_what_backpropagation_may_spend_on_the_problem() -> None:
    xor = problem("xor")
    found = race(xor, [Stub("quick", 1, 1)], trials=1)
    assert found.budget == xor.budget * rule("backpropagation").operations(xor)


def test_what_is_spent_is_what_the_trials_made() -> None:
    slow = raced(Stub("slow", 30, 30, operations=10), trials=7, budget=200).entry("slow")
    assert slow.spent == Spending(280, 280, 140, 560, 1400)
    quick = raced(Stub("quick", 5, 5, operations=10), trials=7, budget=200).entry("quick")
    assert quick.spent == Spending(70, 70, 35, 140, 350)
    assert quick.operations_per_solution == 50
    assert slow.operations_per_solution == np.inf


def test_the_trials_are_those_of_trials() -> None:
    quick = Stub("quick", 0, 30)
    found = race(PATTERNS, [BASE, quick], trials=20, budget=150, seed=5)
    np.testing.assert_array_equal(found.entry("quick").sweeps, trials(PATTERNS, quick, 20, budget=15, seed=5).sweeps)
    assert 0 < found.entry("quick").solved < 20


def test_the_order_of_the_rules_does_not_matter() -> None:
    quick = Stub("quick", 0, 30)
    one, other = raced(BASE, quick), raced(quick, BASE)
    np.testing.assert_array_equal(one.entry("quick").sweeps, other.entry("quick").sweeps)
    assert one.factor("quick") == other.factor("quick")


# quantiles and factors


def entry(*sweeps: int, name: str = "some", operations: float = 10, budget: int = 100) -> Entry:
    """An entry of these trials, a sweep of which takes a millisecond."""
    spending = Spending(1, 1, 1, 1, operations)
    return Entry(
        name, name, "ran", "", "", len(sweeps), budget, np.array(sweeps), spending, spending.times(9), 9e-3, 1e-3
    )


def test_trials_without_a_solution_count_as_infinitely_much() -> None:
    found = entry(5, -1, 9, 7)
    assert [found.quantile(q) for q in (0.25, 0.5, 0.75, 1)] == [5, 7, 9, np.inf]
    assert [found.quantile(q, "operations") for q in (0.25, 1)] == [50, np.inf]
    assert found.quantile(0.5, "seconds") == pytest.approx(7e-3)
    assert (found.solved, found.finished, found.fraction) == (3, 4, 0.75)
    assert entry(-1, -1, 3).quantile(0.5) == np.inf


def test_no_trials_have_no_quantiles() -> None:
    assert np.isnan(entry().quantile(0.5))
    assert np.isnan(entry().fraction)


def test_the_factor_is_that_of_the_medians() -> None:
    base = entry(10, 20, 30, name="backpropagation", operations=10)
    found = Race("two", "", 3, 1000, 0, (base, entry(40, 40, 50, name="slow", operations=30)))
    assert found.factor("slow") == 40 * 30 / (20 * 10)
    assert found.factor("slow", "sweeps") == found.factor("slow", "seconds") == 2
    assert found.factor("backpropagation") == 1


def test_a_factor_without_a_median_is_at_least_that_of_the_budget() -> None:
    base = entry(10, 20, 30, name="backpropagation")
    found = Race("two", "", 3, 1000, 0, (base, entry(40, -1, -1, name="never", budget=100)))
    assert found.factor("never") == np.inf
    assert found.factor_at_least("never") == 100 / 20


def test_no_factor_where_backpropagation_has_no_median() -> None:
    for others in ((), (entry(-1, -1, 3, name="backpropagation"),)):
        found = Race("two", "", 3, 1000, 0, (entry(1, 2, 3), *others))
        assert np.isnan(found.factor("some"))
        assert np.isnan(found.factor_at_least("some"))


# what it says


def test_it_says_what_a_slower_rule_needs() -> None:
    base = entry(1000, 2000, 3000, name="backpropagation", budget=10_000)
    found = Race("two", "", 3, 100_000, 0, (base, entry(4000, 5000, 6000, name="slow", budget=10_000)))
    assert found.sentences() == [
        "Backpropagation solved 3 of 3 trials, in the median after 2,000 sweeps, 20,000 operations and 2 s.",
        "Slow solved 3 of 3 trials, in the median with 2.5 times the operations and 2.5 times the time of "
        "backpropagation.",
        "A trial may spend 100,000 floating-point operations.",
    ]


def test_it_says_where_backpropagation_loses() -> None:
    base = entry(20, 20, 20, name="backpropagation")
    found = Race(
        "two", "", 3, 1000, 0, (base, entry(5, 5, 5, name="fast"), entry(40, 40, 40, name="lean", operations=1))
    )
    assert said(found, "Fast").endswith(
        "0.25 times the time of backpropagation, which loses here in operations and time."
    )
    assert said(found, "Lean").endswith("2 times the time of backpropagation, which loses here in operations.")


def test_it_says_what_was_not_found_in_the_budget() -> None:
    found = raced(BASE, Stub("slow", 21, 21), budget=200)
    assert said(found, "Slow") == (
        "Slow solved none of 10 trials with 5 times the operations that backpropagation needs in the median."
    )
    some = Race("two", "", 3, 1000, 0, (entry(20, name="backpropagation"), entry(5, -1, -1, name="slow", budget=100)))
    assert said(some, "Slow").startswith("Slow solved 1 of 3 trials, fewer than half, with 5 times the operations")


def test_it_says_what_a_rule_needs_where_backpropagation_fails() -> None:
    found = raced(Stub("backpropagation", 50, 50), Stub("quick", 2, 2))
    assert said(found, "Backpropagation") == "Backpropagation solved none of 10 trials within 20 sweeps."
    assert said(found, "Quick").startswith("Quick solved 10 of 10 trials, in the median after 2 sweeps, 20 operations")


def test_a_rule_that_cannot_represent_it_is_shown_failing_in_a_few_trials() -> None:
    found = raced(BASE, Stub("layer", 1e9, 1e9, limit="no line separates the patterns."), trials=100, budget=1e6)
    layer = found.entry("layer")
    assert (layer.outcome, layer.finished, layer.solved) == ("cannot represent it", 8, 0)
    assert said(found, "Layer") == (
        "Layer cannot learn it: no line separates the patterns (none of 8 trials solved it within 1,000 sweeps)."
    )


def test_a_wrong_limit_does_not_hide_a_solution() -> None:
    found = raced(BASE, Stub("layer", 1, 1, limit="it was thought impossible"))
    assert (
        said(found, "Layer")
        == "Layer cannot learn it: it was thought impossible (8 of 8 trials solved it within 20 sweeps)."
    )


def test_a_network_of_its_own_is_told() -> None:
    found = race("encoder", ["backpropagation", "perceptron"], trials=2, budget=1e5)
    assert (found.entry("backpropagation").network, found.entry("perceptron").network) == ("", "8-8")
    assert said(found, "Perceptron").endswith(". Its network is another: 8-8.")
    assert "perceptron 8-8" in [row[0] for row in found.shown().rows]


def test_a_rule_that_cannot_take_it_is_not_run() -> None:
    found = raced(BASE, Stub("shallow", refusal="it has hidden units."))
    shallow = found.entry("shallow")
    assert (shallow.outcome, shallow.finished, shallow.spent.operations) == ("cannot take it", 0, 0)
    assert said(found, "Shallow") == "Shallow cannot take it: it has hidden units."


# how it shows


@pytest.fixture(scope="module")
def shown() -> Race:
    return raced(
        Stub("shallow", refusal="it has hidden units"), Stub("layer", 1e9, 1e9, limit="no line"),
        Stub("never", 1e9, 1e9), Stub("quick", 0, 30), BASE,
    )  # fmt: skip


def test_the_best_come_first_and_those_that_cannot_last(shown: Race) -> None:
    assert [row[0] for row in shown.shown().rows] == ["backpropagation", "quick", "never", "layer", "shallow"]
    assert [row[1] for row in shown.shown().rows] == ["10/10", "5/10", "0/10", "cannot learn it", "cannot take it"]
    assert shown.shown().rows[0][2:5] == ("4 (4–4)", "40 (40–40)", "1×")
    assert shown.shown().rows[2][2:5] == (">20", ">200", ">5×")


def test_the_table_has_every_rule_and_number(shown: Race) -> None:
    table = shown.table()
    assert all(len(row) == len(table.columns) for row in table.rows)
    rows = [dict(zip(table.columns, row, strict=True)) for row in table.rows]
    assert [row["rule"] for row in rows] == ["shallow", "layer", "never", "quick", "backpropagation"]
    assert rows[-1]["operations, median"] == 40
    assert rows[-1]["unit updates"] == 4 * 4 * 10


def test_what_each_spent_is_printed_beneath(shown: Race) -> None:
    assert [row[0] for row in shown.spent().rows] == ["backpropagation", "quick", "never", "layer"]
    assert shown.spent().rows[0][:-1] == ("backpropagation", "80", "80", "40", "160", "400")
    text = str(shown)
    assert text.startswith("The race on two: Which pattern is on?\nBackpropagation solved 10 of 10 trials")
    assert "spent by all trials" in text
    assert "80" in shown._repr_html_()


@pytest.mark.parametrize("width", [80, 200])
def test_it_fits_the_terminal(shown: Race, width: int) -> None:
    from rich.console import Console

    text = io.StringIO()
    Console(file=text, width=width).print(shown)
    assert max(map(len, text.getvalue().splitlines())) <= width
    assert "…" not in text.getvalue()


def test_json_has_everything(shown: Race) -> None:
    found = json.loads(json.dumps(shown.to_dict(), allow_nan=False))
    assert (found["problem"], found["trials"], found["budget"], found["seed"]) == ("two", 10, 200, 0)
    entries = {entry["rule"]: entry for entry in found["entries"]}
    assert entries["backpropagation"]["operations_to_solution"] == {
        "lower quartile": 40, "median": 40, "upper quartile": 40,
    }  # fmt: skip
    assert entries["backpropagation"]["spent"]["operations"] == 400
    assert entries["never"]["sweeps"] == [-1] * 10
    assert entries["never"]["operations_factor"] is None
    assert entries["quick"]["operations_factor"] == shown.factor("quick")
    assert (entries["layer"]["outcome"], entries["layer"]["why"]) == ("cannot represent it", "no line")
    assert (entries["shallow"]["outcome"], entries["shallow"]["finished"]) == ("cannot take it", 0)


def test_the_picture_has_a_line_for_each_rule_that_ran(shown: Race) -> None:
    axes = shown.plot()
    assert axes.get_xscale() == "log"
    lines = {line.get_label(): line.get_xydata() for line in axes.lines}
    assert list(lines) == ["layer (cannot represent it)", "never", "quick", "backpropagation"]
    np.testing.assert_allclose(lines["never"], [[10, 0], [200, 0]])
    assert lines["backpropagation"][-1].tolist() == [200, 1]
    assert lines["backpropagation"][1].tolist() == [40, pytest.approx(0.1)]
    assert lines["quick"][-1].tolist() == [200, pytest.approx(0.5)]


# as it goes on


def test_it_reports_what_is_known() -> None:
    known: list[Race] = []
    found = race(PATTERNS, [BASE, Stub("quick", 0, 30)], 10, 200, report=known.append)
    assert [len(k.entries) for k in known] == sorted(len(k.entries) for k in known)
    assert known[0].entries[0].finished == 0
    assert all(k.stopped for k in known)
    assert not found.stopped
    assert known[-1].entries == found.entries


def test_ctrl_c_keeps_what_is_known() -> None:
    def stop(known: Race) -> None:
        if len(known.entries) == 2:
            raise KeyboardInterrupt

    found = race(PATTERNS, [BASE, Stub("quick"), Stub("never")], 10, 200, report=stop)
    assert found.stopped
    assert [entry.rule for entry in found.entries] == ["backpropagation", "quick"]
    assert found.entry("backpropagation").solved == 10
    assert found.sentences()[-1].startswith("Stopped early")


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"problem": "xorr"}, "problem must be one of .*not 'xorr'"),
        ({"rules": ["magic"]}, "rule must be one of .*not 'magic'"),
        ({"rules": []}, "a race needs rules, each once"),
        ({"rules": [BASE, BASE]}, "a race needs rules, each once"),
        ({"trials": 0}, "trials must be a whole number of at least 1, not 0"),
        ({"budget": 0}, "budget must be a number above 0, not 0"),
        ({"budget": float("nan")}, "budget must be a number above 0, not nan"),
    ],
)
def test_what_cannot_be_raced_is_said(options: dict[str, Any], sentence: str) -> None:
    with pytest.raises(OptionError, match=sentence):
        race(**{"problem": PATTERNS, "rules": [BASE], **options})


def test_a_rule_that_was_not_in_the_race(shown: Race) -> None:
    with pytest.raises(OptionError, match="rule must be one of 'shallow', 'layer.*not 'magic'"):
        shown.entry("magic")
