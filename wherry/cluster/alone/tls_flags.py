"""The flags that say what a component's TLS is at least, the same for every one that serves.

Source: k8s.io/apiserver, pkg/server/options/serving.go.
"""

from __future__ import annotations

from pathlib import Path

from wherry.cluster.alone.flags import EMPTY_DEFAULT, NAMES, Flag, FlagError, Values, only
from wherry.kit.tls import VERSIONS, TlsRules, tls_rules

OLDEST, SUITES = "tls-min-version", "tls-cipher-suites"
TLS_FLAGS = (
    Flag(
        OLDEST,
        f"The oldest version of TLS: {' or '.join(VERSIONS)}.",
        default="VersionTLS12",
        empty=EMPTY_DEFAULT,
    ),
    Flag(SUITES, "The cipher suites of TLS 1.2, by Go's names; else OpenSSL's.", NAMES),
    only("tls-curve-preferences", "", "keys are exchanged as OpenSSL has it", NAMES),
)


def pair_of(values: Values, cert: str, key: str) -> tuple[Path, Path] | None:
    """A certificate's file and its key's, None when neither is named. Raises FlagError for one alone."""
    files = values.path(cert), values.path(key)
    if files[0] is not None and files[1] is not None:
        return files[0], files[1]
    if files != (None, None):
        raise FlagError(f"--{cert} and --{key} go together; give both")
    return None


def tls_of(values: Values) -> TlsRules:
    """What the flags say. Raises FlagError."""
    for flag, oldest, suites in ((OLDEST, values.text(OLDEST), ()), (SUITES, "", values.names(SUITES))):
        try:
            tls_rules(oldest, suites)
        except ValueError as error:
            raise FlagError(f"--{flag}: {error}") from None
    return tls_rules(values.text(OLDEST), values.names(SUITES))
