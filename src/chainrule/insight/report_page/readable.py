"""A figure with what one needs to read it."""

from __future__ import annotations

from typing import Any

from chainrule.insight.report_page.markup import Markup, element

__all__ = ["readable"]


def readable(title: str, how: str, *parts: Any, wide: bool = False) -> Markup:
    """A figure under its title: how to read it, the drawing, and the line that says which mark one points at."""
    head = element("figcaption", element("h3", title), element("p", how, class_="how"))
    hint = "Point at a mark, or press Tab and the arrow keys."
    told = element("p", hint, class_="readout", aria_live="polite", data_hint=hint)
    return element("figure", head, *parts, told, class_="wide" if wide else None)
