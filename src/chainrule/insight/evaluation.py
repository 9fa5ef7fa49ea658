"""How a network does on examples, in float64."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from chainrule.insight.blocks import each_of
from chainrule.insight.compiling import native
from chainrule.insight.network_and_data import Subject

__all__ = ["Judgement", "judged"]


@dataclass(frozen=True, slots=True)
class Judgement:
    """The mean cost of a network on examples, without penalty, and the fraction that it classifies rightly."""

    cost: float
    accuracy: float | None


def judged(network: Any, subject: Subject) -> Judgement:
    """The network's mean cost and its accuracy on the subject's examples, computed in float64."""
    asked = replace(subject, network=network)
    costs, *answers = each_of(_measured, asked)
    right = float(np.mean(answers[0] == asked.classes)) if asked.has_classes else None
    return Judgement(float(costs.mean()), right)


def _measured(subject: Subject) -> Any:
    return _costs_and_answers(subject.wide)


@native
def _costs_and_answers(subject: Subject) -> Any:
    """C_x of each example, and the class that the outputs say, where the network gives outputs."""
    costs = subject.costs(subject.network, subject.x, subject.labels)
    return (costs, subject.answers(subject.network(subject.x))) if callable(subject.network) else (costs,)
