"""Dynamic resource allocation on the node: drivers, and preparing what they allocated
(pkg/kubelet/cm/dra).
"""
