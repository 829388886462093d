"""Roles and bindings before v1, the same but for the name."""
