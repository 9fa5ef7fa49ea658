"""`chainrule learn`: train a network, say what came of it, save the run."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, get_args

import typer

from chainrule.cli.arguments import FIGURES
from chainrule.cli.exit_codes import STOPPED

if TYPE_CHECKING:
    from chainrule.data import DataSet
    from chainrule.learning.run import Run

__all__ = ["learn"]

ActivationName = Literal["sigmoid", "tanh", "relu", "softmax", "identity"]
InitializerName = Literal["normal", "scaled_normal", "glorot", "he"]
CostName = Literal["quadratic", "cross_entropy"]
OptimizerName = Literal["sgd", "momentum", "adam"]
DTypeName = Literal["float32", "float64"]

_network = partial(typer.Option, rich_help_panel="Network")
_learning = partial(typer.Option, rich_help_panel="Learning")
_result = partial(typer.Option, rich_help_panel="Result")
FiguresInResult = Annotated[Path | None, _result(**FIGURES)]


def _among(names: Any) -> str:
    *others, last = get_args(names)
    return f"{', '.join(others)} or {last}"


def learn(
    folder: Annotated[
        Path | None,
        typer.Argument(
            metavar="FOLDER",
            help="Images to learn from: a folder with the four files of MNIST, or others in that layout.",
            show_default="5,000 digits that come along",
        ),
    ] = None,
    network: Annotated[
        str | None,
        _network(
            metavar="SIZES",
            help="How many inputs, neurons in each hidden layer, and outputs.",
            show_default="784-30-10 for digits",
        ),
    ] = None,
    activation: Annotated[
        ActivationName,
        _network(metavar="NAME", help=f"What neurons make of their weighted input: {_among(ActivationName)}."),
    ] = "sigmoid",
    output_activation: Annotated[
        ActivationName | None,
        _network(
            metavar="NAME", help="The same for the outputs.", show_default="as the others, but softmax after relu"
        ),
    ] = None,
    initializer: Annotated[
        InitializerName | None,
        _network(
            metavar="NAME",
            help=f"How weights and biases start: {_among(InitializerName)}.",
            show_default="normal with sigmoid, he with relu, else glorot",
        ),
    ] = None,
    cost: Annotated[CostName, _learning(metavar="NAME", help=f"What is minimised: {_among(CostName)}.")] = "quadratic",
    epochs: Annotated[int, _learning(metavar="NUMBER", help="How often to go through the training examples.")] = 30,
    batch: Annotated[int, _learning(metavar="NUMBER", help="How many examples make one step.")] = 10,
    optimizer: Annotated[
        OptimizerName, _learning(metavar="NAME", help=f"How the gradient changes the weights: {_among(OptimizerName)}.")
    ] = "sgd",
    rate: Annotated[
        float | None,
        _learning(
            metavar="NUMBER",
            help="The learning rate.",
            show_default="0.001 with adam; else 3.0, or 0.5 with cross_entropy, or 0.1 if not all neurons are sigmoid; "
            "with momentum, that times 1 - momentum",
        ),
    ] = None,
    momentum: Annotated[
        float | None,
        _learning(
            metavar="NUMBER",
            help="How much of the last change goes on, with the optimizer momentum.",
            show_default="0.9",
        ),
    ] = None,
    l2: Annotated[
        float, _learning(metavar="NUMBER", help="How strongly weights are held small: λ in λ/(2n) Σ w².")
    ] = 0.0,
    seed: Annotated[
        int, _learning(metavar="NUMBER", help="Decides the first weights and the order of the examples.")
    ] = 0,
    dtype: Annotated[DTypeName, _learning(metavar="NAME", help=f"The numbers: {_among(DTypeName)}.")] = "float32",
    evaluate_training: Annotated[
        bool,
        _learning(
            "--evaluate-training",
            help="After each epoch measure all training examples, instead of averaging over its steps.",
        ),
    ] = False,
    output: Annotated[
        Path | None,
        _result(
            "--output",
            "-o",
            metavar="FOLDER",
            help="Where to save the run: a folder that is new or empty, or holds a run to be replaced.",
            show_default="a new one in runs",
        ),
    ] = None,
    no_save: Annotated[bool, _result("--no-save", help="Do not save the run.")] = False,
    quiet: Annotated[bool, _result("--quiet", "-q", help="Print nothing but the folder of the saved run.")] = False,
    json: FiguresInResult = None,
) -> int:
    """Train a network by backpropagation and save the run.

    Without arguments: the first program of Nielsen's book, on bundled digits.

    Ctrl-C ends learning early and keeps what was learnt.
    """
    with _stoppable():
        import chainrule as cr
        from chainrule.cli import learn_options, run_folder
        from chainrule.cli.results import check_files, says

        check_files(json)
        if not no_save:
            run_folder.check(output)
        data = cr.data.digits() if folder is None else cr.data.mnist(folder)
        sizes = learn_options.sizes(network, data)
        untrained = cr.nn.Network(
            sizes, activation, output=output_activation, initializer=initializer, seed=seed, dtype=dtype
        )
        learned = cr.learn(
            untrained,
            data,
            cost=cost,
            epochs=epochs,
            batch=batch,
            optimizer=learn_options.optimizer(optimizer, rate, momentum, untrained, cost),
            l2=l2,
            seed=seed,
            dtype=dtype,
            evaluate_training=evaluate_training,
            progress=not quiet,
        )
        run = _completed(learned, data)
        if run.interrupted:
            print(f"stopped after {len(run.history)} of {epochs} epochs: keeping what was learnt", file=sys.stderr)
        name = f"{data.name}-{'-'.join(map(str, sizes))}"
        saved = _kept(run, None if no_save else partial(run_folder.save, run, output, name), not quiet and says(json))
    _write_figures(run, saved, json)
    if saved is not None and says(json):
        print(saved if quiet else f"Saved in {saved}")
    return STOPPED if run.interrupted else 0


@contextmanager
def _stoppable() -> Iterator[None]:
    """Ctrl-C at a moment when there is nothing yet to keep."""
    try:
        yield
    except KeyboardInterrupt:
        print("stopped: nothing was saved", file=sys.stderr)
        raise typer.Exit(STOPPED) from None


def _kept(run: Run, save: Callable[[], Path] | None, tells: bool) -> Path | None:
    """Where the run was saved, if it was to be; what was learnt is told even if it could not be kept."""
    from chainrule.cli.results import show
    from chainrule.cli.run_page import result

    saved = None
    try:
        saved = save() if save is not None else None
    finally:
        if tells:
            show(result(run, saved), after_progress=True)
    return saved


def _write_figures(run: Run, saved: Path | None, file: Path | None) -> None:
    from chainrule.cli.results import write_figures
    from chainrule.cli.run_page import contents

    if file is not None:
        write_figures("learn", {**contents(run), "saved": None if saved is None else str(saved)}, file)


def _completed(run: Run, data: DataSet) -> Run:
    """The run with how it does on the test examples, if there are such."""
    more: dict[str, Any] = {}
    stopped = run.interrupted
    if data.test is not None and not stopped:
        try:
            more |= _tested(run, data, data.test)
        except KeyboardInterrupt:
            stopped = True
    return replace(run, configuration=replace(run.configuration, **more), interrupted=stopped)


def _tested(run: Run, data: DataSet, test: DataSet) -> dict[str, Any]:
    from chainrule.learning.evaluate import evaluate

    l2 = run.configuration["l2"] * len(test) / len(data)  # the penalty as it was in learning
    cost, accuracy = evaluate(run.network, test, cost=run.configuration["cost"], l2=l2)
    return {"test_examples": len(test), "test_cost": cost, "test_accuracy": accuracy}
