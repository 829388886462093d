"""One client for every component, over two transports.

`transport` is the seam: `http` speaks to any API server, the API server offers a local one that
skips HTTP and encoding but not authorization. On it stand `api` (typed verbs), `cache` (list-watch
with indexes), `events` (the recorder) and `leases` (leader election).
"""
