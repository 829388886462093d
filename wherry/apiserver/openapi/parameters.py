"""The parameters operations take in their queries and paths."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Parameter:
    """One query or path parameter; `type` is string, boolean or integer."""

    name: str
    type: str
    description: str


def _parameters(*rows: tuple[str, str, str]) -> tuple[Parameter, ...]:
    return tuple(Parameter(*row) for row in rows)


PRETTY = _parameters(("pretty", "string", "If 'true', the output is indented for people to read."))
NAMESPACE = Parameter("namespace", "string", "The namespace of the object or collection.")
DRY_RUN = _parameters(
    ("dryRun", "string", "With 'All', everything is checked and nothing is stored."),
)
WRITE = (
    *DRY_RUN,
    *_parameters(
        ("fieldManager", "string", "The name of the program or person who makes the change."),
        (
            "fieldValidation",
            "string",
            "What to do about unknown or duplicate fields: Ignore, Warn or Strict.",
        ),
    ),
)
FORCE = _parameters(("force", "boolean", "Take over fields another manager owns (apply only)."))
SELECT = _parameters(
    ("fieldSelector", "string", "Restrict to objects whose fields match."),
    ("labelSelector", "string", "Restrict to objects whose labels match."),
    ("limit", "integer", "How many items a page may have at most."),
    ("continue", "string", "Where the next page begins, as the page before said."),
    ("resourceVersion", "string", "The version the answer may not be older than, or is to be from."),
    ("resourceVersionMatch", "string", "How resourceVersion is meant: Exact or NotOlderThan."),
    ("sendInitialEvents", "boolean", "Begin a watch with the present state as events."),
    ("timeoutSeconds", "integer", "After how many seconds the call ends."),
)
WATCH = _parameters(
    ("watch", "boolean", "Stream changes instead of answering once."),
    ("allowWatchBookmarks", "boolean", "Whether the stream may contain BOOKMARK events."),
)
DELETE = (
    *DRY_RUN,
    *_parameters(
        ("gracePeriodSeconds", "integer", "Seconds before the object is deleted; 0 means at once."),
        (
            "ignoreStoreReadErrorWithClusterBreakingPotential",
            "boolean",
            "Delete what is stored even if it cannot be read; nothing is checked then.",
        ),
        ("orphanDependents", "boolean", "Deprecated: use propagationPolicy."),
        ("propagationPolicy", "string", "What becomes of dependents: Orphan, Background or Foreground."),
    ),
)
_CONTAINER = _parameters(("container", "string", "Which container, if the pod has more than one."))
_STREAMS = _parameters(
    ("stdin", "boolean", "Send the standard input."),
    ("stdout", "boolean", "Receive the standard output."),
    ("stderr", "boolean", "Receive the standard error."),
    ("tty", "boolean", "Whether a terminal is made for the command."),
)
_PATH = _parameters(("path", "string", "The path asked for behind the proxy."))
CONNECT: Mapping[str, tuple[Parameter, ...]] = {
    "PodAttachOptions": (*_CONTAINER, *_STREAMS),
    "PodExecOptions": (
        *_parameters(("command", "string", "The command and, repeated, its arguments.")),
        *_CONTAINER,
        *_STREAMS,
    ),
    "PodPortForwardOptions": _parameters(("ports", "integer", "The ports to forward.")),
    "PodProxyOptions": _PATH,
    "ServiceProxyOptions": _PATH,
    "NodeProxyOptions": _PATH,
}
"""What a connection may be asked for, by the kind of its options."""
LOG = (
    *_CONTAINER,
    *_parameters(
        ("follow", "boolean", "Stay, and send what is written later."),
        ("insecureSkipTLSVerifyBackend", "boolean", "Do not check the certificate of the kubelet."),
        ("limitBytes", "integer", "The most bytes to send."),
        ("previous", "boolean", "The log of the container that ran before this one."),
        ("sinceSeconds", "integer", "Only lines not older than so many seconds."),
        ("stream", "string", "Which stream to send: All, Stdout or Stderr."),
        ("tailLines", "integer", "Only so many lines from the end."),
        ("timestamps", "boolean", "Put the time before each line."),
    ),
)
PROXY_PATH = Parameter("path", "string", "The path asked for behind the proxy.")
