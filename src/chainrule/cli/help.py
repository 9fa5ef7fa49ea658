"""Commands whose help names no type beside an option that takes no value."""

from __future__ import annotations

from typing import Any

from typer.core import TyperCommand, TyperGroup

__all__ = ["Command", "Group"]


class _PlainFlags:
    """What has options, those without a value among them."""

    def get_params(self, context: Any) -> list[Any]:
        """All of its options and arguments, --help among them."""
        found: list[Any] = super().get_params(context)  # type: ignore[misc]
        for option in found:
            if getattr(option, "is_flag", False) and option.metavar is None:
                option.metavar = ""
        return found


class Command(_PlainFlags, TyperCommand):
    """A command."""


class Group(_PlainFlags, TyperGroup):
    """Commands under one name."""
