"""The API server: the only component that opens the store.

`front` is the chain of filters, `app` puts the server together. `cacher` holds every object as its encoded
bytes; `verbs/` has one verb per file, `admission/` and `subresources/` likewise; `rewrite` is the one way to
change what is stored, `outbound` the one way to other servers; `discovery` and `openapi`
describe what is served.
"""
