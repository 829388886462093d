"""Declarations of the API, without any I/O.

One `Resource` per served kind and version, one folder per API group, one file per kind with its
defaults, validation and table columns together; `catalog` names them all; `schema` holds the field
tables generated from upstream's OpenAPI. What a declaration drives: routes, discovery, OpenAPI,
tables, storage keys, command-line names.
"""
