"""What the token in a Secret of type kubernetes.io/service-account-token says: names, and no time it ends.

Source: pkg/serviceaccount/legacy.go. The controllers put these claims together, the API server reads them;
who holds such a token is the account for as long as Secret and account are there.
"""

from __future__ import annotations

from wherry.objects.meta import Object, name_of, namespace_of, uid_of

ISSUER = "kubernetes/serviceaccount"
ACCOUNT_NAME = "kubernetes.io/service-account.name"
ACCOUNT_UID = "kubernetes.io/service-account.uid"
"""The annotations by which a Secret names its account."""
INVALID_SINCE = "kubernetes.io/legacy-token-invalid-since"
"""The label that turns a token off while its Secret stays."""
LAST_USED = "kubernetes.io/legacy-token-last-used"
"""The label that tells the day (UTC) a token was last used."""
_NAMESPACE = "kubernetes.io/serviceaccount/namespace"
_SECRET = "kubernetes.io/serviceaccount/secret.name"  # noqa: S105 - a claim's name
_NAME = "kubernetes.io/serviceaccount/service-account.name"
_UID = "kubernetes.io/serviceaccount/service-account.uid"


def legacy_claims(account: Object, secret_name: str) -> Object:
    """The claims of a token for `account` that lives in the Secret `secret_name` of its namespace."""
    namespace, name = namespace_of(account), name_of(account)
    return {
        "iss": ISSUER,
        _NAMESPACE: namespace,
        _SECRET: secret_name,
        _NAME: name,
        _UID: uid_of(account),
        "sub": f"system:serviceaccount:{namespace}:{name}",
    }


def read_legacy_claims(claims: Object) -> tuple[str, str, str, str]:
    """Namespace, account's name and uid, Secret's name. Raises ValueError when one is missing or at odds."""
    found = [claims.get(name) for name in (_NAMESPACE, _NAME, _UID, _SECRET)]
    if not all(isinstance(value, str) and value for value in found):
        raise ValueError("namespace, account or secret is missing in the claims")
    namespace, name, uid, secret = map(str, found)
    if claims.get("sub") != f"system:serviceaccount:{namespace}:{name}":
        raise ValueError("the subject is not the account of the claims")
    return namespace, name, uid, secret
