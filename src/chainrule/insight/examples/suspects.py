"""Label suspects: the examples whose labels a person should look at."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from chainrule import numpy as cnp
from chainrule.checks import one_of, real_number, whole_number
from chainrule.display import Table
from chainrule.insight.blocks import each_of
from chainrule.insight.compiling import native
from chainrule.insight.gradients import example_gradients, slopes_along, weighted_gradient
from chainrule.insight.network_and_data import AskedCost, Subject, subject_of
from chainrule.insight.presentation import Insight, figure
from chainrule.nn.costs import targets_of

__all__ = ["LabelSuspects", "Suspect", "label_suspects"]

Values = np.ndarray[Any, Any]

_MEANINGS = {
    "el2n": "the distance ‖a − y‖ of the network's outputs from the label (EL2N)",
    "grand": "the length ‖∂C_x/∂w‖ of the example's gradient (GraNd), how hard it pulls at the weights",
}


@dataclass(frozen=True)
class Suspect:
    """An example: its row, the class of its label, what the network says instead, and the three measures."""

    row: int
    label: str
    answer: str
    el2n: float
    grand: float
    alignment: float


@dataclass(frozen=True, eq=False, repr=False)
class LabelSuspects(Insight):
    """The examples that are most at odds with their labels, the most suspicious first, and the measures of all.

    `el2n`, `grand` and `alignment` have one number for each example; `disagreeing` counts those of all the examples of
    which the network says another class than the label.
    """

    by: str
    suspects: tuple[Suspect, ...]
    el2n: Values
    grand: Values
    alignment: Values
    disagreeing: int

    @property
    def title(self) -> str:
        """What it is."""
        return f"{len(self.suspects)} of {self.el2n.size} labels to look at"

    @property
    def rows(self) -> list[int]:
        """The rows of the suspects, the most suspicious first."""
        return [suspect.row for suspect in self.suspects]

    def sentences(self) -> Sequence[str]:
        """How they were ranked, the first, and what it does not mean."""
        first = self.suspects[0]
        return [
            f"Ranked by {_MEANINGS[self.by]}.",
            f"The first is example {first.row}: its label is {first.label}, the network says {first.answer}.",
            f"The network says another class than the label for {self.disagreeing} of {self.el2n.size} examples.",
            "These are labels for a person to look at: a suspect may be wrongly labelled, or right and hard. "
            "A network that has learnt its examples by heart, wrong labels too, finds few of them: ask one that "
            "has learnt for a few epochs, or from other examples.",
        ]

    def table(self) -> Table:
        """One row a suspect."""
        columns = ("example", "label", "the network says", "‖a − y‖", "‖∂C_x/∂w‖", "alignment with its class")
        rows = [(s.row, s.label, s.answer, s.el2n, s.grand, s.alignment) for s in self.suspects]
        return Table(columns, tuple(rows))

    def plot(self, axes: Any = None) -> Any:
        """All examples by ‖a − y‖ and the length of the gradient, the suspects marked."""
        axes = figure(axes)
        axes.scatter(self.el2n, self.grand, s=4, alpha=0.4, label="examples")
        axes.scatter(self.el2n[self.rows], self.grand[self.rows], s=14, label="suspects")
        axes.set(xlabel="‖a − y‖", ylabel="‖∂C_x/∂w‖", title=self.title)
        axes.legend()
        return axes


def label_suspects(
    network_or_run: Any, data: Any, *, top: float | int = 0.01, by: str = "el2n", cost: AskedCost = None
) -> LabelSuspects:
    """The examples whose labels a person should look at first: a fraction `top` of them, or so many.

    Three measures of each example, all exact: "el2n", ‖a − y‖; "grand", ‖∂C_x/∂w‖ over all weights and biases; and
    the alignment, the cosine between ∂C_x/∂w and the mean of the gradients of all examples with its label. They are
    ranked `by` one of the first two; the alignment is there to look at, as a wrong label pulls the same way as the
    right ones of its class do. No gradient of a single example is formed.

    Raises OptionError if the targets are no classes, or for a `top` or `by` that there is not; DataError for data that
    do not fit.

    >>> from chainrule.nn import Network
    >>> network = Network.from_weights([(np.eye(2), np.zeros(2))], "identity")
    >>> found = label_suspects(network, (np.eye(2)[[0, 0, 1]], [0, 1, 1]), top=1)
    >>> found.rows, found.suspects[0].answer
    ([1], '0')

    Source: Paul, Ganguli & Dziugaite, Deep learning on a data diet, 2021.
    """
    one_of("by", by, _MEANINGS)
    subject = subject_of(network_or_run, data, cost)
    labels = subject.classes
    wanted = _count(top, subject.count)
    el2n, answers = each_of(_distances, subject)
    grand = example_gradients(subject).lengths
    measured = {"el2n": el2n, "grand": grand, "alignment": _alignment(subject, labels, grand)}
    order = np.argsort(-measured[by], kind="stable")[:wanted]
    suspects = [
        Suspect(int(n), subject.named(int(labels[n])), subject.named(int(answers[n])),
                *(float(values[n]) for values in measured.values()))
        for n in order
    ]  # fmt: skip
    return LabelSuspects(by, tuple(suspects), **measured, disagreeing=int((answers != labels).sum()))


def _count(top: Any, examples: int) -> int:
    """How many suspects: of a fraction, at least one."""
    if isinstance(top, float | np.floating):
        share = real_number("top", top, above=0, most=1, cure="A whole number of at least 1 says how many.")
        return max(1, round(share * examples))
    return min(whole_number("top", top, 1, cure="A number above 0 and at most 1.0 says which share."), examples)


def _alignment(subject: Subject, labels: Values, lengths: Values) -> Values:
    """The cosine between each example's gradient and the mean gradient of its class; 0 where one of them is 0."""
    found = np.zeros(subject.count)
    for label in np.unique(labels):
        mine = np.flatnonzero(labels == label)
        chosen, weights = _padded(subject, mine)
        direction = weighted_gradient(chosen, weights)  # of the mean, but for its length
        length = float(np.linalg.norm(direction))
        along = slopes_along(chosen, direction)[: len(mine)]
        found[mine] = along / np.maximum(lengths[mine] * length, np.finfo(np.float32).tiny)
    return found


def _padded(subject: Subject, rows: Values) -> tuple[Subject, Values]:
    """Some examples, and weights of 1 for them; so many more of weight 0 that few programs serve all classes."""
    step = max(1, subject.count // 16)
    missing = -len(rows) % step
    weights = np.repeat([1.0, 0.0], [len(rows), missing])
    return subject.taking(np.concatenate([rows, np.repeat(rows[:1], missing)])), weights


@native
def _distances(subject: Subject) -> Any:
    """‖a − y‖ of each example, and the class that the network says."""
    outputs = subject.network(subject.x)
    y = targets_of(subject.labels, outputs.shape[-1], outputs.dtype)
    apart = cnp.sqrt(cnp.sum((outputs - y) ** 2, axis=1))
    return apart, subject.answers(outputs)
