"""What ∂C/∂w says about a network: in plain words, with numbers that carry their own check, and in pictures.

Names are imported when they are first used.
"""

from importlib import import_module
from typing import Any

_MODULES: dict[str, str] = {
    "Attribution": "chainrule.insight.inputs.attributions",
    "Curvature": "chainrule.insight.second_order.hessian",
    "CurvatureDiagonal": "chainrule.insight.second_order.diagonals",
    "Diagnosis": "chainrule.insight.findings.diagnosis",
    "Finding": "chainrule.insight.findings.diagnosis",
    "GradientNoise": "chainrule.insight.step_size.noise",
    "HessianMatrix": "chainrule.insight.second_order.hessian",
    "Influence": "chainrule.insight.examples.influences",
    "InfluentialExample": "chainrule.insight.examples.influences",
    "LabelSuspects": "chainrule.insight.examples.suspects",
    "Landscape": "chainrule.insight.second_order.landscape",
    "LargestWeights": "chainrule.insight.weights.layers",
    "LayerExplanation": "chainrule.insight.weights.layers",
    "NeuronExplanation": "chainrule.insight.weights.neurons",
    "Pruning": "chainrule.insight.pruning.iterative",
    "PruningStep": "chainrule.insight.pruning.iterative",
    "RateSearch": "chainrule.insight.step_size.rate_finder",
    "Saliency": "chainrule.insight.pruning.saliencies",
    "ScoredWeight": "chainrule.insight.pruning.saliencies",
    "SlopeCheck": "chainrule.insight.inputs.attributions",
    "Suspect": "chainrule.insight.examples.suspects",
    "WeightExplanation": "chainrule.insight.weights.explanation",
    "WhatIf": "chainrule.insight.weights.perturbation",
    "attribution": "chainrule.insight.inputs.attributions",
    "curvature": "chainrule.insight.second_order.hessian",
    "curvature_diagonal": "chainrule.insight.second_order.diagonals",
    "diagnose": "chainrule.insight.findings.diagnosis",
    "diagnose_function": "chainrule.insight.findings.diagnosis",
    "explain": "chainrule.insight.weights.explanation",
    "find_rate": "chainrule.insight.step_size.rate_finder",
    "gradient_noise": "chainrule.insight.step_size.noise",
    "hessian_matrix": "chainrule.insight.second_order.hessian",
    "influence": "chainrule.insight.examples.influences",
    "label_suspects": "chainrule.insight.examples.suspects",
    "loss_landscape": "chainrule.insight.second_order.landscape",
    "prune": "chainrule.insight.pruning.iterative",
    "report": "chainrule.insight.report_page.page",
    "saliency": "chainrule.insight.pruning.saliencies",
    "what_if": "chainrule.insight.weights.perturbation",
}

__all__ = sorted(_MODULES)


def __getattr__(name: str) -> Any:
    if name in _MODULES:
        return getattr(import_module(_MODULES[name]), name)
    raise AttributeError(f"module 'chainrule.insight' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
