"""Paths below an object, one file per kind of thing done there; `catalog` says which is which."""
