"""Admission: what must hold of a write beyond the object itself, one plugin per file.

`base` has the protocol and the chain, `catalog` names the plugins in upstream's order.
"""
