"""Pure functions on API objects: metadata, selectors, quantities, patches, conditions, errors.

An API object is a plain JSON dict (`meta.Object`). Nothing here does I/O, nothing knows a kind's
rules (those are declared in `wherry.api`), and nothing changes its argument unless its name says so.
"""
