"""Wherry: Kubernetes, whole, in Python.

`docs/architecture.md` says how the packages hang together and which may import which.
"""

from importlib.metadata import PackageNotFoundError, version

try:
    __version__ = version("wherry")
except PackageNotFoundError:  # a source tree on sys.path that was never installed
    __version__ = "0.0.0"

KUBERNETES_VERSION = "v1.37.0"
"""The API level served; what `/version` answers and what a node reports as its kubelet version."""
