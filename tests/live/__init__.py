"""Tests against a real cluster: real containers, real iptables, driven by unmodified programs.

All share one cluster of their own (ports, ranges and directories that nobody else uses), made once
per run and taken down at its end, when nothing of it may be left on the machine.
"""
