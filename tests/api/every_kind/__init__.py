"""Upstream's facts about every built-in kind, and what is needed to hold kinds against them.

`facts/*.yaml` lists for each kind of each version a legal object and the fields of it that are required,
take one of a few values, or never change. `facts` reads them, `judge` asks a kind for its verdict.
"""
