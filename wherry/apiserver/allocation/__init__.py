"""Giving out what there is only one of: service addresses and node ports.

The allocators live in memory and are rebuilt from the stored services at start; within one event
loop nothing can come between looking and taking.
"""
