"""What ∂C/∂w says about a network: in plain words, with numbers that carry their own check, and in pictures.

Names are imported when they are first used.
"""

from importlib import import_module
from typing import Any

_PLACES: dict[str, str] = {
    "Attribution": "chainrule.insight.attributions",
    "Curvature": "chainrule.insight.hessian",
    "CurvatureDiagonal": "chainrule.insight.diagonals",
    "Diagnosis": "chainrule.insight.diagnosis",
    "Finding": "chainrule.insight.diagnosis",
    "GradientNoise": "chainrule.insight.noise",
    "HessianMatrix": "chainrule.insight.hessian",
    "Influence": "chainrule.insight.influences",
    "InfluentialExample": "chainrule.insight.influences",
    "LabelSuspects": "chainrule.insight.suspects",
    "Landscape": "chainrule.insight.landscape",
    "LargestWeights": "chainrule.insight.layers",
    "LayerExplanation": "chainrule.insight.layers",
    "NeuronExplanation": "chainrule.insight.neurons",
    "Pruning": "chainrule.insight.pruning",
    "PruningStep": "chainrule.insight.pruning",
    "RateSearch": "chainrule.insight.rate_finder",
    "Saliency": "chainrule.insight.saliencies",
    "ScoredWeight": "chainrule.insight.saliencies",
    "SlopeCheck": "chainrule.insight.attributions",
    "Suspect": "chainrule.insight.suspects",
    "WeightExplanation": "chainrule.insight.explanation",
    "WhatIf": "chainrule.insight.change",
    "attribution": "chainrule.insight.attributions",
    "curvature": "chainrule.insight.hessian",
    "curvature_diagonal": "chainrule.insight.diagonals",
    "diagnose": "chainrule.insight.diagnosis",
    "diagnose_function": "chainrule.insight.diagnosis",
    "explain": "chainrule.insight.explanation",
    "find_rate": "chainrule.insight.rate_finder",
    "gradient_noise": "chainrule.insight.noise",
    "hessian_matrix": "chainrule.insight.hessian",
    "influence": "chainrule.insight.influences",
    "label_suspects": "chainrule.insight.suspects",
    "loss_landscape": "chainrule.insight.landscape",
    "prune": "chainrule.insight.pruning",
    "report": "chainrule.insight.report_page.page",
    "saliency": "chainrule.insight.saliencies",
    "what_if": "chainrule.insight.change",
}

__all__ = sorted(_PLACES)


def __getattr__(name: str) -> Any:
    if name in _PLACES:
        return getattr(import_module(_PLACES[name]), name)
    raise AttributeError(f"module 'chainrule.insight' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
