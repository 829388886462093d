"""Go's text/template over JSON values, as far as Kubernetes' tools use it.

A template is compiled once (`compile_template`) and rendered often. Whoever renders may add functions; those
of Go itself and the common ones of sprig (`functions`) are always there. What is not known is a
`TemplateError` that names template, line and word, at compile time where possible.

Source: Go's package text/template. Left out: methods, channels, `call` and
complex numbers, which JSON values do not have.
"""

from __future__ import annotations

from wherry.objects.gotemplate.errors import TemplateError
from wherry.objects.gotemplate.template import Template, compile_template

__all__ = ["Template", "TemplateError", "compile_template"]
