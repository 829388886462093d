"""Versions upstream serves no longer, for documents and programs written when it did.

One folder per old group version, one file per kind: what differs from the present version (defaults,
fields) and the pure conversion both ways. Stored is always the present version, so an object written
in one version is seen in all others. `versions` makes a declaration out of the present one, `catalog`
names them all.
"""
