"""The resource claim controller: claims are made from templates for pods, and freed after them.

What a claim looks like is `claims`; `controller` acts on pods and claims.
"""
