"""A figure with what one needs to read it."""

from __future__ import annotations

from typing import Any

from chainrule.insight.report_page.markup import Markup, element

__all__ = ["readable"]


def readable(title: str, how: str, *parts: Any, wide: bool = False) -> Markup:
    """A figure under its title: how to read it, the drawing, and the line that says which mark one points at."""
    # the word joiner keeps ∂C/∂w on one line
    head = element("figcaption", element("h3", title), element("p", how.replace("∂C/", "∂C/\u2060"), class_="how"))
    told = element("p", class_="readout", aria_live="polite")
    return element("figure", head, element("div", *parts, class_="drawn"), told, class_="wide" if wide else None)
