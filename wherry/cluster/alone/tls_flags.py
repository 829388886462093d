"""The flags that say what a component's TLS is at least, the same for every one that serves.

Source: k8s.io/apiserver, pkg/server/options/serving.go.
"""

from __future__ import annotations

from wherry.cluster.alone.flags import EMPTY_DEFAULT, NAMES, Flag, FlagError, Values
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
)


def tls_of(values: Values) -> TlsRules:
    """What the flags say. Raises FlagError."""
    for flag, oldest, suites in ((OLDEST, values.text(OLDEST), ()), (SUITES, "", values.names(SUITES))):
        try:
            tls_rules(oldest, suites)
        except ValueError as error:
            raise FlagError(f"--{flag}: {error}") from None
    return tls_rules(values.text(OLDEST), values.names(SUITES))
