"""The API server: the only component that opens the store.

Read `app` top to bottom: it is the filter chain. `cacher` holds every object as its encoded bytes,
`verbs/` has one verb per file, `filters/` one filter per file, `admission/` and `subresources/`
likewise; `discovery` and `openapi` describe what is served.
"""
