"""HTML and SVG as values: text is escaped unless it is markup already, so that nothing from a file can become code."""

from __future__ import annotations

from html import escape
from typing import Any

__all__ = ["Markup", "element", "joined"]

_VOID = frozenset({"meta", "input", "img", "br"})


class Markup(str):
    """Text that is HTML and is not escaped again."""

    __slots__ = ()


def element(tag: str, /, *children: Any, **attributes: Any) -> Markup:
    """An element; an attribute that is None or False is left out, `class_` is class, `aria_label` aria-label.

    >>> element("p", "1 < 2", class_="note")
    '<p class="note">1 &lt; 2</p>'
    """
    written = "".join(_attribute(key, value) for key, value in attributes.items())
    end = "" if tag in _VOID else f"{joined(*children)}</{tag}>"
    return Markup(f"<{tag}{written}>{end}")


def joined(*parts: Any) -> Markup:
    """Parts one after the other; None is nothing."""
    return Markup("".join(_text(part) for part in parts if part is not None))


def _text(part: Any) -> str:
    return part if isinstance(part, Markup) else escape(str(part))


def _attribute(key: str, value: Any) -> str:
    name = key.rstrip("_").replace("_", "-")
    if value is None or value is False:
        return ""
    return f" {name}" if value is True else f' {name}="{escape(_compact(value))}"'


def _compact(value: Any) -> str:
    """Coordinates in as many digits as can be seen."""
    return f"{value:.5g}" if isinstance(value, float) else str(value)
