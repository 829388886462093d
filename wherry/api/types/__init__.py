"""TypedDicts of the API's types, one module per group (and version, where it is not v1).

Written by `tools/generate_schema.py`. They are for the type checker: import them under
`TYPE_CHECKING`; objects are plain dicts at run time.
"""
