"""Wherry: Kubernetes, whole, in Python.

`docs/architecture.md` says how the packages hang together and which may import which.
"""

KUBERNETES_VERSION = "v1.37.0"
"""The API level served; what `/version` answers and what a node reports as its kubelet version."""


def __getattr__(name: str) -> str:
    """`__version__`, looked up when it is first wanted: reading package metadata costs milliseconds."""
    if name != "__version__":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib.metadata import PackageNotFoundError, version

    try:
        found = version("wherry")
    except PackageNotFoundError:  # a source tree on sys.path that was never installed
        found = "0.0.0"
    globals()[name] = found
    return found
