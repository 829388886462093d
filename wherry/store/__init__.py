"""The store: a log of versions of keys under one global revision.

`base` is the protocol; `memory` and `sqlite` are the backends that live inside the API server's
process. Only the API server (and the code that puts a cluster together) opens a store.
"""
