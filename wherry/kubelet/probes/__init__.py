"""Probes: `runner` decides when, the modules named after a way of asking decide how.

Each way is one small class with one coroutine that returns a `ProbeResult`; `target` reads addresses
and ports out of a pod.
"""
