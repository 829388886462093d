"""Expressions about requests: what they can name (`Scope`), match conditions, questions to the authorizer."""
