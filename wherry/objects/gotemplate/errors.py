"""What is wrong with a template."""

from __future__ import annotations


class TemplateError(ValueError):
    """A template that cannot be read or rendered; the message names template and line."""


class FunctionError(ValueError):
    """A function was called with what it cannot take; whoever called it adds the place."""
