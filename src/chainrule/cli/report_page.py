"""`chainrule report`: a saved run as one HTML page."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from chainrule.cli.arguments import RunFolder, examples_argument

__all__ = ["report"]


def report(
    run: RunFolder,
    data: Annotated[
        Path | None,
        examples_argument("the digits that come along, if the run learned from them; else none"),
    ] = None,
    output: Annotated[
        Path,
        typer.Option(
            "--output", "-o", metavar="FILE", help="The page, which replaces a file of that name; - is standard output."
        ),
    ] = Path("report.html"),
) -> None:
    """Write a saved run as one HTML page that any browser opens, without a network.

    With examples the page also shows ∂C/∂w, and the examples that pull hardest.
    """
    from chainrule.cli.insights import examples_in
    from chainrule.insight.report_page.page import report
    from chainrule.learning.run import Run
    from chainrule.storage import check_file, is_standard_output

    check_file(output)
    learned = Run.load(run)
    known = data is not None or learned.configuration.get("data") == "digits"
    written = report(learned, examples_in(data) if known else None, output)
    if not is_standard_output(output):
        print(written)
