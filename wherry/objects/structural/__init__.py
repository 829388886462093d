"""Structural schemas: what a custom resource may look like, and what follows from it.

A CustomResourceDefinition carries an OpenAPI v3 schema; `Node` is that schema read once. The
algorithms beside it work on plain objects: `prune` drops what is not specified, `defaults` fills what
was left out, `values` says what is wrong, `wellformed` judges the schema itself. All of it is pure.
"""

from wherry.objects.structural.defaults import TooManyDefaults, apply_defaults
from wherry.objects.structural.node import Node
from wherry.objects.structural.prune import prune
from wherry.objects.structural.values import value_errors

__all__ = ["Node", "TooManyDefaults", "apply_defaults", "prune", "value_errors"]
