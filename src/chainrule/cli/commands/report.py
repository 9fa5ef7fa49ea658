"""`chainrule report`: a saved run as one HTML page."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from chainrule.cli.arguments import RunFolder, examples_argument

__all__ = ["report"]


def report(
    run: RunFolder,
    data: Annotated[Path | None, examples_argument()] = None,
    output: Annotated[
        Path,
        typer.Option(
            "--output", "-o", metavar="FILE", help="The page, which replaces a file of that name; - is standard output."
        ),
    ] = Path("report.html"),
) -> None:
    """Write a saved run as one HTML page that any browser opens, without a network.

    With examples the page also shows ∂C/∂w, and the examples that pull hardest; it has none of a run whose own are not
    at hand, unless DATA names some.
    """
    from chainrule.cli.run_examples import examples_of
    from chainrule.errors import OptionError
    from chainrule.insight.report_page.page import report
    from chainrule.learning.run import Run
    from chainrule.storage import check_file, is_standard_output

    check_file(output)
    learned = Run.load(run)
    try:
        examples = examples_of(learned, data, "report", run)
    except OptionError as problem:
        print(f"note: the page shows no examples: {problem.sentence}", file=sys.stderr)
        examples = None
    written = report(learned, examples, output)
    if not is_standard_output(output):
        print(written)
