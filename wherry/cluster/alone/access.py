"""The API server a component alone works against: from a kubeconfig, `--master`, or the pod it runs in.

Source: k8s.io/client-go, tools/clientcmd (BuildConfigFromFlags) and rest (InClusterConfig).
"""

from __future__ import annotations

import base64
import binascii
import os
import ssl
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from wherry.client.admittance import Standing
from wherry.client.http import HttpTransport
from wherry.cluster import kubeconfig
from wherry.cluster.alone.flags import Flag, FlagError, Values

POD_SECRETS = Path("/var/run/secrets/kubernetes.io/serviceaccount")
FLAGS = (
    Flag("kubeconfig", "The file that says where the API server is, and who we are to it."),
    Flag("master", "The address of the API server, instead of the kubeconfig's."),
)
CLUSTER_FIELDS = frozenset(
    {
        *("server", "tls-server-name", "insecure-skip-tls-verify"),
        *("certificate-authority", "certificate-authority-data", "disable-compression", "extensions"),
    }
)
"""Fields of a kubeconfig's clusters that are followed, or say nothing of who is asked and how."""
USER_FIELDS = frozenset(
    {
        *("client-certificate", "client-certificate-data", "client-key", "client-key-data"),
        *("token", "tokenFile", "extensions"),
    }
)
_CREDENTIALS = "use a certificate or a token"
_ITSELF = "name a user with the rights themselves"
REFUSED: Mapping[str, Mapping[str, str]] = {
    "cluster": {"proxy-url": "give the server's own address"},
    "user": {
        **dict.fromkeys(("exec", "auth-provider", "username", "password"), _CREDENTIALS),
        **dict.fromkeys(("as", "as-uid", "as-groups", "as-user-extra"), _ITSELF),
    },
}
"""The others, and what to do instead: whoever gives one must not be taken for somebody else."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Access:
    """An API server's address, and who we are to it: PEM texts, a token, or a file whose token changes."""

    server: str
    authority_pem: str = ""
    cert_pem: str = ""
    key_pem: str = ""
    fixed_token: str = ""
    token_file: Path | None = None
    is_insecure: bool = False
    server_name: str = ""
    user: str = ""
    file: Path | None = None
    """The kubeconfig all this is in, and the name of the user there."""

    @property
    def has_token(self) -> bool:
        """See `client.http.Identity`."""
        return bool(self.fixed_token or self.token_file)

    def ssl_context(self) -> ssl.SSLContext:
        """See `client.http.Identity`."""
        context = ssl.create_default_context(cadata=self.authority_pem or None)
        if self.is_insecure:
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        if self.cert_pem:
            with tempfile.TemporaryDirectory(prefix="wherry-") as directory:  # ssl reads files only
                file = Path(directory) / "client.pem"
                file.touch(mode=0o600)
                file.write_text(f"{self.cert_pem}\n{self.key_pem}")
                context.load_cert_chain(file)
        return context

    async def token(self) -> str:
        """See `client.http.Identity`."""
        return self.token_file.read_text().strip() if self.token_file is not None else self.fixed_token

    def refused(self, token: str) -> None:
        """Nothing to forget: a file is read for every request, and a kubeconfig has one token alone."""

    def standing(self) -> Standing:
        """See `client.http.Identity`."""
        if self.file is not None:
            who = f"the user {self.user!r} of {self.file}" if self.user else f"nobody, by {self.file}"
            remedy = "make that user good, or give another file with --kubeconfig"
        elif self.token_file is not None:
            who, remedy = f"the service account of {self.token_file}", "give it its rights, or --kubeconfig"
        else:
            who, remedy = "nobody", "give --kubeconfig"
        return Standing(who=who, remedy=remedy, certificate_pem=self.cert_pem)

    def transport(self, program: str) -> HttpTransport:
        """A transport as who we are. Raises OSError, ssl.SSLError among them."""
        return HttpTransport(self.server, self, user_agent=program)

    def nobody(self) -> Access:
        """The same server without saying who we are."""
        return Access(
            server=self.server,
            authority_pem=self.authority_pem,
            is_insecure=self.is_insecure,
            server_name=self.server_name,
        )


def is_named(values: Values, environ: Mapping[str, str] = os.environ) -> bool:
    """Whether anything says where the API server is."""
    flags = values.text("kubeconfig") or values.text("master")
    return bool(flags or environ.get("KUBERNETES_SERVICE_HOST"))


def find_access(values: Values, environ: Mapping[str, str] = os.environ) -> Access:
    """What flags and, without any, the pod say. Raises FlagError with the remedy."""
    file, master = values.path("kubeconfig"), values.text("master")
    if file is not None:
        return read_access(file, master)
    if master:
        return Access(server=master)
    host, port = environ.get("KUBERNETES_SERVICE_HOST", ""), environ.get("KUBERNETES_SERVICE_PORT", "")
    if not host or not port:
        raise FlagError(
            "--kubeconfig is missing, and this is no pod of a cluster; give the file that says where the API "
            "server is"
        )
    try:
        authority = (POD_SECRETS / "ca.crt").read_text()
        (POD_SECRETS / "token").read_text()
    except OSError as error:
        raise FlagError(f"{error.filename}: {error.strerror}; give --kubeconfig") from error
    host = f"[{host}]" if ":" in host else host
    return Access(server=f"https://{host}:{port}", authority_pem=authority, token_file=POD_SECRETS / "token")


def read_access(file: Path, master: str = "", context_name: str = "") -> Access:
    """What a context of a kubeconfig says (the current one, if none is named). Raises FlagError.

    `master` stands in place of its server.
    """
    if not file.exists():
        raise FlagError(f"{file}: no such file; check --kubeconfig")
    try:
        content = kubeconfig.read(file)
    except kubeconfig.KubeconfigError as error:
        raise FlagError(str(error)) from error
    name = context_name or content.get("current-context") or ""
    context = _entry(file, content, "contexts", "context", name, "current-context")
    cluster = _entry(file, content, "clusters", "cluster", context.get("cluster") or "", f"context {name!r}")
    user: dict[str, Any] = {}
    if context.get("user"):
        user = _entry(file, content, "users", "user", context["user"], f"context {name!r}")
    _check(file, cluster, user)
    server = master or cluster.get("server") or ""
    if not str(server).startswith("https://"):
        raise FlagError(f"{file}: server must be an https:// URL, is {str(server)!r}")
    token_file = user.get("tokenFile")
    return Access(
        server=str(server),
        authority_pem=_pem(file, cluster, "certificate-authority"),
        cert_pem=_pem(file, user, "client-certificate"),
        key_pem=_pem(file, user, "client-key"),
        fixed_token=str(user.get("token") or ""),
        token_file=file.parent / token_file if token_file else None,
        is_insecure=cluster.get("insecure-skip-tls-verify") is True,
        server_name=str(cluster.get("tls-server-name") or ""),
        user=str(context.get("user") or ""),
        file=file,
    )


def _check(file: Path, cluster: Mapping[str, Any], user: Mapping[str, Any]) -> None:
    """Refuse what would be followed in part only. Raises FlagError."""
    for kind, given in (("cluster", cluster), ("user", user)):
        for name, remedy in REFUSED[kind].items():
            if given.get(name):
                raise FlagError(f"{file}: {name} is not followed here; {remedy}")
    if cluster.get("insecure-skip-tls-verify") and _is_given(cluster, "certificate-authority"):
        raise FlagError(
            f"{file}: a certificate-authority with insecure-skip-tls-verify; leave out one of both"
        )
    if _is_given(user, "client-certificate") != _is_given(user, "client-key"):
        raise FlagError(f"{file}: client-certificate and client-key go together; give both")


def _is_given(entry: Mapping[str, Any], field: str) -> bool:
    return bool(entry.get(field) or entry.get(f"{field}-data"))


def _entry(
    file: Path, content: Mapping[str, Any], section: str, kind: str, name: str, by: str
) -> dict[str, Any]:
    for entry in content.get(section) or ():
        if entry.get("name") == name:
            found = entry.get(kind)
            return found if isinstance(found, dict) else {}
    raise FlagError(f"{file}: {by} means the {kind} {name!r}, which is not among its {section}")


def _pem(file: Path, entry: Mapping[str, Any], field: str) -> str:
    """A PEM text, from `field-data` or the file `field` names (relative to the kubeconfig)."""
    data, path = entry.get(f"{field}-data"), entry.get(field)
    try:
        if data:
            return base64.b64decode(str(data), validate=True).decode()
        return (file.parent / str(path)).read_text() if path else ""
    except (binascii.Error, UnicodeDecodeError):
        raise FlagError(f"{file}: {field}-data is not base64 of a PEM text") from None
    except OSError as error:
        raise FlagError(f"{file}: {field}: {error.filename}: {error.strerror}") from error
