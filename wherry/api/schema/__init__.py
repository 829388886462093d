"""Schema facts of every built-in type: fields, types, list types, merge keys, required, enums.

`definition(name)` gives one type by its published name (`io.k8s.api.apps.v1.Deployment`). Definitions
are decoded one by one, when first asked for. `check` holds decoded objects against them,
`validation` derives the plain errors (required, enum) from them.
"""

from wherry.api.schema.check import Findings, check
from wherry.api.schema.definitions import Definition, Field, definition, definition_names, source
from wherry.api.schema.validation import required_and_enum_errors
from wherry.api.schema.zeros import may_have_zeros

__all__ = [
    "Definition",
    "Field",
    "Findings",
    "check",
    "definition",
    "definition_names",
    "may_have_zeros",
    "required_and_enum_errors",
    "source",
]
