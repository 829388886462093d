"""Defending the node against its pods: what is running short, who must go, and who broke its own limit.

`signals` (what is left, and how little is too little), `usage` (what pods use, and measuring it), `limits`
and `ranking` (who is evicted, pure), `messages` (in upstream's words, pure), `manager` (the rounds).
Upstream: `pkg/kubelet/eviction`.
"""
