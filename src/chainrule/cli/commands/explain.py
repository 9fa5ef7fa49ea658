"""`chainrule explain`: what the derivatives say about a weight, a neuron, a layer of a saved run."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from chainrule.cli.arguments import FiguresFile, RunFolder, examples_argument

__all__ = ["explain"]


def explain(
    run: RunFolder,
    data: Annotated[Path | None, examples_argument()] = None,
    weight: Annotated[
        str | None, typer.Option(metavar="WEIGHT", help="A weight like 'layers[0].w[3, 407]', a bias 'layers[1].b[2]'.")
    ] = None,
    neuron: Annotated[str | None, typer.Option(metavar="NEURON", help="A neuron like 'layers[0][3]'.")] = None,
    layer: Annotated[int | None, typer.Option(metavar="NUMBER", help="A layer, the first is 0.")] = None,
    largest: Annotated[
        int | None, typer.Option(metavar="COUNT", help="So many weights with the largest derivatives.")
    ] = None,
    examples: Annotated[
        int, typer.Option(metavar="COUNT", help="How many examples are asked, drawn at random if there are more.")
    ] = 10_000,
    json: FiguresFile = None,
) -> None:
    """Say what ∂C/∂w means for a weight, a neuron or a layer of a saved run.

    Name one of --weight, --neuron, --layer and --largest; without any of them: --largest 10.
    """
    from chainrule.cli.results import check_files, deliver
    from chainrule.cli.run_examples import examples_of
    from chainrule.insight.weights.explanation import explain
    from chainrule.learning.run import Run

    check_files(json)
    asked: dict[str, Any] = {"weight": weight, "neuron": neuron, "layer": layer, "largest": largest}
    if not any(value is not None for value in asked.values()):
        asked["largest"] = 10
    loaded = Run.load(run)
    found = explain(loaded, examples_of(loaded, data, "explain", run), **asked, examples=examples)
    deliver("explain", found, found.to_dict(), json)
