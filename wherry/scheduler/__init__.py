"""The scheduler: gives every pod without a node the node that fits it best.

`table` holds all nodes as NumPy columns, `plugins/` filter and score over them (one per file, named
in `catalog`), `cycle` is the pure decision for one pod, `queue` decides who is next, `scheduler`
watches, binds and reports.
"""
