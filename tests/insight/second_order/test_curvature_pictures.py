"""Every result about curvature, noise, landscapes and rates shows itself in every way."""

from __future__ import annotations

import json
from collections.abc import Callable
from html import escape
from typing import Any

import numpy as np
import pytest
from tests.insight.small_networks import data_of, small

from chainrule import insight

QUESTIONS: dict[str, Callable[..., Any]] = {
    "curvature": insight.curvature,
    "hessian matrix": insight.hessian_matrix,
    "diagonal": insight.curvature_diagonal,
    "noise": insight.gradient_noise,
    "line": insight.loss_landscape,
    "plane": lambda network, data: insight.loss_landscape(network, data, directions=2, points=5),
    "rate": lambda network, data: insight.find_rate(network, data, batch=4),
}


@pytest.fixture(params=list(QUESTIONS))
def found(request: pytest.FixtureRequest) -> insight.presentation.Insight:
    subject = small("tanh", "softmax", "cross_entropy", np.float32)
    answer: insight.presentation.Insight = QUESTIONS[request.param](subject.network, data_of(subject))
    return answer


def test_in_words_and_numbers(found: Any) -> None:
    said = str(found)
    assert said.startswith(found.title[:60])
    assert "nan" not in said
    assert all(sentence.endswith(".") for sentence in found.sentences())
    assert all(len(row) == len(found.table().columns) for row in found.table().rows)
    assert json.loads(json.dumps(found.to_dict()))["title"] == found.title
    assert repr(found) == said
    assert f"{escape(found.title)}</h4>" in found._repr_html_()


def test_as_a_picture(found: Any) -> None:
    pytest.importorskip("matplotlib")
    axes = found.plot()
    assert axes.get_title() == found.title
    axes.figure.canvas.draw()


def test_as_a_frame(found: Any) -> None:
    pytest.importorskip("pandas")
    assert len(found.to_frame()) == len(found.table().rows)
