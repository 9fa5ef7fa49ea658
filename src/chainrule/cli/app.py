"""The commands. What they need is imported when one of them runs, so that `--help` is quick."""

from __future__ import annotations

from typing import Annotated

import typer

import chainrule
from chainrule.cli.commands.classics import classics
from chainrule.cli.commands.diagnose import diagnose
from chainrule.cli.commands.explain import explain
from chainrule.cli.commands.learn import learn
from chainrule.cli.commands.race import race
from chainrule.cli.commands.report import report
from chainrule.cli.commands.show import show
from chainrule.cli.help import Command, Group

__all__ = ["app"]

app = typer.Typer(
    cls=Group,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
for command in (learn, show, explain, diagnose, report):
    app.command(cls=Command)(command)
app.add_typer(classics, name="classics")
app.command(cls=Command)(race)


@app.callback(invoke_without_command=True)
def start(
    context: typer.Context,
    version: Annotated[bool, typer.Option("--version", help="Print the version.")] = False,
) -> None:
    """Backpropagation, compiled: small and medium networks learn fast."""
    if version:
        print(f"chainrule {chainrule.__version__}")
        raise typer.Exit
    if context.invoked_subcommand is None:
        print(context.get_help())
