"""Group versions served by other API servers: `APIService`s, followed, checked and passed on to.

`aggregator` follows and registers, `availability` checks one, `proxy` passes requests on.
"""
