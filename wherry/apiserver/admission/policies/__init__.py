"""Admission policies: rules and changes written as expressions, which the server evaluates itself.

`policy` reads policies and bindings off the cluster's objects, `matching` says which concern a request,
`params` finds their parameters; `validating` and `mutating` are the two plugins, `mutations` what the latter
does to an object.
"""
