"""The verbs, one per file: each a function of the core, a call and the resource it is about.

Reads are answered without awaiting anything; `write` holds what create, update and patch share.
"""
