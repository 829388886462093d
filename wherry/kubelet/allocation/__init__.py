"""Resizing pods in place (KEP-1287, KEP-5419): what pods were given, what they wait for, what they have.

Source: pkg/kubelet/allocation. What a pod was given (`allocations`) is written beside its files before
anything is started or changed by it; what its spec asks for beyond that waits (`pending`) for room.
"""
