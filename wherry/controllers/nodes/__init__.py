"""Nodes that fall silent: noticing it, marking them, and moving their pods elsewhere.

`lifecycle` watches heartbeats and sets conditions and taints; `eviction` deletes pods that do not
tolerate a NoExecute taint (any longer). What they decide is in `plan` and `tolerations`.
"""
