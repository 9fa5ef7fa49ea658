"""How a network does on examples, in float64."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from chainrule import numpy as cnp
from chainrule.insight.blocks import each_of
from chainrule.insight.compiling import native
from chainrule.insight.network_and_data import Subject
from chainrule.nn.feedforward import Feedforward

__all__ = ["Judgement", "judged"]


@dataclass(frozen=True, slots=True)
class Judgement:
    """The mean cost of a network on examples, without penalty, and the fraction that it classifies rightly."""

    cost: float
    accuracy: float | None


def judged(network: Feedforward, subject: Subject) -> Judgement:
    """The network's mean cost and its accuracy on the subject's examples, computed in float64."""
    costs, right = each_of(_measured, replace(subject, network=network))
    return Judgement(float(costs.mean()), float(right.mean()) if subject.examples.classes else None)


def _measured(subject: Subject) -> Any:
    return _costs_and_answers(_wide(subject))


def _wide(subject: Subject) -> Subject:
    labels = subject.labels if subject.labels.ndim == 1 else subject.labels.astype(np.float64)
    examples = replace(subject.examples, x=subject.x.astype(np.float64), labels=labels)
    return replace(subject, network=subject.network.astype(np.float64), examples=examples)


@native
def _costs_and_answers(subject: Subject) -> Any:
    outputs = subject.network(subject.x)
    classes = subject.labels if subject.labels.ndim == 1 else cnp.argmax(subject.labels, axis=1)
    return subject.costs(subject.network, subject.x, subject.labels), subject.answers(outputs) == classes
