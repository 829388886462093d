"""Plug-ins of the node: programs that register by a socket in a folder and are then called over gRPC.

What is here knows how plug-ins come and go and how one is called; `devices` knows what they are for.
"""
