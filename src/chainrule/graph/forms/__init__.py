"""Formulas that mean more than they compute: `rules` recognises them as they are written."""

from chainrule.graph.forms.rules import FORMS

__all__ = ["FORMS"]
