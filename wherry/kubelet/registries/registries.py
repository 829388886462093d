"""`registries.yaml`, in k3s's format: mirrors, other names there, credentials, certificates.

Source: https://docs.k3s.io/installation/private-registry; github.com/rancher/wharfie/pkg/registries.
"""

from __future__ import annotations

import re
import ssl
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from wherry.kit.yaml_reader import YamlError, read_secret
from wherry.objects.regex import PatternError, compile_pattern

DEFAULT_FILE = Path("/etc/wherry/registries.yaml")
EVERY = "*"
LARGEST_BYTES = 1024 * 1024
_HOST = re.compile(
    r"(?:[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?|\[[0-9A-Fa-f:]+\])(?::(?P<port>[0-9]{1,5}))?", re.ASCII
)
_PATH = re.compile(r"(?:/[A-Za-z0-9._~!$&'()*+,;=:@-]*)*", re.ASCII)
"""No escapes: containerd and this agent would make different paths of them."""


class RegistriesError(ValueError):
    """The file cannot be used; the text names the place in it and the remedy."""


@dataclass(frozen=True, slots=True)
class Rewrite:
    """Repositories that match `pattern` (RE2) are called `replacement` at a mirror, in Go's notation ($1)."""

    pattern: str
    replacement: str


@dataclass(frozen=True, slots=True)
class Mirror:
    """Who is asked for the images of a registry, in order, before the registry itself."""

    endpoints: Sequence[str] = ()
    """URLs."""
    rewrites: Sequence[Rewrite] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Auth:
    """How the node tells a registry who it is, when the pod does not."""

    username: str = ""
    password: str = field(default="", repr=False)
    auth: str = field(default="", repr=False)
    """`username:password` in base64, instead of both."""
    identity_token: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Tls:
    """How a registry is known, and the node by it: PEM files."""

    ca_file: str = ""
    cert_file: str = ""
    key_file: str = ""
    insecure_skip_verify: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Registries:
    """What the file says, by the host (and port) of a registry; mirrors of `EVERY` are of all others."""

    mirrors: Mapping[str, Mirror] = field(default_factory=dict)
    auth: Mapping[str, Auth] = field(default_factory=dict)
    tls: Mapping[str, Tls] = field(default_factory=dict)

    def mirror_of(self, host: str) -> Mirror:
        """The mirror of a registry, one without endpoints where there is none."""
        return self.mirrors.get(host) or self.mirrors.get(EVERY) or Mirror()


NONE = Registries()


def read_registries(path: Path) -> Registries:
    """What the file at `path` says. Raises RegistriesError, OSError."""
    with path.open(encoding="utf-8") as file:
        try:
            text = file.read(LARGEST_BYTES + 1)
        except UnicodeDecodeError:
            raise RegistriesError(f"{path}: is no UTF-8 text") from None
    if len(text) > LARGEST_BYTES:
        raise RegistriesError(f"{path}: is larger than {LARGEST_BYTES >> 20} MiB")
    try:
        found = parse_registries(text)
        for host, tls in found.tls.items():
            check_files(f'configs."{host}".tls', tls)
    except (RegistriesError, YamlError) as error:
        raise RegistriesError(f"{path}: {error}") from None
    return found


def check_files(at: str, tls: Tls) -> None:
    """Raise RegistriesError unless the files are there and what they should be.

    containerd would find out with the first pull, and say less.
    """
    if bool(tls.cert_file) != bool(tls.key_file):
        lacking = "key_file" if tls.cert_file else "cert_file"
        raise RegistriesError(f"{at}.{lacking}: is missing; a certificate and its key go together")
    for name in ("ca_file", "cert_file", "key_file"):
        file = getattr(tls, name)
        if not file:
            continue
        if not Path(file).is_absolute():
            raise RegistriesError(f"{at}.{name}: {file}: must be an absolute path")
        try:
            with Path(file).open("rb") as opened:
                opened.read(1)
        except OSError as error:
            raise RegistriesError(f"{at}.{name}: {file}: {error.strerror}") from None
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    try:
        if tls.ca_file:
            context.load_verify_locations(cafile=tls.ca_file)
    except (ssl.SSLError, OSError):
        raise RegistriesError(f"{at}.ca_file: {tls.ca_file}: holds no certificate in PEM") from None
    try:
        if tls.cert_file:
            context.load_cert_chain(tls.cert_file, tls.key_file, password=_no_password)
    except (ssl.SSLError, OSError, ValueError):
        raise RegistriesError(
            f"{at}: {tls.cert_file} and {tls.key_file} are no certificate and its key in PEM; "
            "the key must be that of the certificate, and without a password"
        ) from None


def _no_password() -> str:
    """For a key that is encrypted: nobody is there to be asked."""
    raise ValueError("it has a password")


def parse_registries(text: str) -> Registries:
    """What a file with this text says. Raises RegistriesError, YamlError."""
    value = read_secret(text).value
    document = _Part("", {} if value is None else value)
    document.only("mirrors", "configs")
    configs = {host: part for host, part in document.parts("configs") if part.only("auth", "tls")}
    return Registries(
        mirrors={host: _mirror(part) for _, host, part in document.named("mirrors", EVERY)},
        auth={
            host: Auth(
                **{
                    name.replace("identitytoken", "identity_token"): auth.text(name)
                    for name in ("username", "password", "auth", "identity_token", "identitytoken")
                    if name in auth.value
                }
            )
            for host, part in configs.items()
            if (auth := part.part("auth")).only(
                "username", "password", "auth", "identity_token", "identitytoken"
            )
            and auth.value
        },
        tls={
            host: Tls(
                ca_file=tls.text("ca_file"),
                cert_file=tls.text("cert_file"),
                key_file=tls.text("key_file"),
                insecure_skip_verify=tls.flag("insecure_skip_verify"),
            )
            for host, part in configs.items()
            if (tls := part.part("tls")).only("ca_file", "cert_file", "key_file", "insecure_skip_verify")
            and tls.value
        },
    )


def endpoint_host(endpoint: str) -> str:
    """The host and port of an endpoint, as `configs` name it."""
    return urlsplit(endpoint).netloc


class _Part:
    """A map in the file, and where it stands.

    Names that should not be there are not shown, unless they are almost known ones: a password in the wrong
    place is a password still.
    """

    def __init__(self, at: str, value: Any) -> None:
        if not isinstance(value, dict):
            raise RegistriesError(f"{at or 'it'} must be a map, not {_kind(value)}")
        self.at = at
        self.value: dict[str, Any] = value

    def path(self, name: str) -> str:
        """Where a field of it stands."""
        return f"{self.at}.{name}" if self.at else name

    def only(self, *known: str) -> bool:
        """True. Raises RegistriesError for a field that is none of these."""
        for name in self.value:
            if name not in known:
                near = get_close_matches(str(name), known, 1)
                if near:
                    raise RegistriesError(f"{self.path(str(name))}: no such field; did you mean {near[0]}?")
                raise RegistriesError(f"{self.at or 'it'} has a field that is none of {', '.join(known)}")
        return True

    def part(self, name: str) -> _Part:
        """A map in it, empty where there is none."""
        value = self.value.get(name)
        return _Part(self.path(name), {} if value is None else value)

    def parts(self, name: str) -> list[tuple[str, _Part]]:
        """The maps in a map of hosts."""
        return [(host, part) for _, host, part in self.named(name)]

    def named(self, name: str, *others: str) -> list[tuple[str, str, _Part]]:
        """The same, with where each stands; `others` are no hosts and will do."""
        whole = self.part(name)
        found = []
        for number, (host, value) in enumerate(whole.value.items(), 1):
            _check_host(f"{whole.at}: entry {number}", str(host), *others)
            at = whole.path(f'"{host}"')
            found.append((at, str(host), _Part(at, {} if value is None else value)))
        return found

    def text(self, name: str) -> str:
        """A text in it, "" where there is none."""
        value = self.value.get(name)
        if value is None:
            return ""
        if not isinstance(value, str):
            raise RegistriesError(f"{self.path(name)} must be a string, not {_kind(value)}")
        return value

    def flag(self, name: str) -> bool:
        """A truth in it."""
        value = self.value.get(name)
        if value is not None and not isinstance(value, bool):
            raise RegistriesError(f"{self.path(name)} must be true or false, not {_kind(value)}")
        return bool(value)


def _mirror(part: _Part) -> Mirror:
    part.only("endpoint", "rewrite")
    endpoints = part.value.get("endpoint") or []
    if not isinstance(endpoints, list):
        raise RegistriesError(f"{part.path('endpoint')} must be a list of URLs, not {_kind(endpoints)}")
    rewrites = []
    whole = part.part("rewrite")
    for pattern in whole.value:
        at = whole.path(f'"{pattern}"')
        try:
            compile_pattern(str(pattern))
        except PatternError as error:
            raise RegistriesError(f"{at}: {error}") from None
        rewrites.append(Rewrite(str(pattern), whole.text(pattern)))
    return Mirror(
        tuple(_endpoint(f"{part.path('endpoint')}[{index}]", one) for index, one in enumerate(endpoints)),
        tuple(rewrites),
    )


def _endpoint(at: str, value: Any) -> str:
    """A URL; one without a scheme is https, as k3s has it."""
    text = str(value)
    url = text if "://" in text else f"https://{text}"
    try:
        parts = urlsplit(url)
        is_good = (
            parts.scheme in ("http", "https")
            and _is_host(parts.netloc)
            and bool(_PATH.fullmatch(parts.path))
            and url == f"{parts.scheme}://{parts.netloc}{parts.path}"
        )
    except ValueError:
        is_good = False
    if not isinstance(value, str) or not is_good:
        raise RegistriesError(f"{at}: is no URL of a registry; {_URL_REMEDY}")
    return url.rstrip("/")


_URL_REMEDY = "write it as https://HOST[:PORT][/PATH], without escapes, a name or a password"


def _is_host(text: str) -> bool:
    """Whether it is a host with or without a port there is."""
    match = _HOST.fullmatch(text)
    return match is not None and (match["port"] is None or 1 <= int(match["port"]) <= 65535)


def _check_host(at: str, host: str, *others: str) -> None:
    if host not in others and not _is_host(host):
        raise RegistriesError(
            f"{at} is no registry; name its host, and its port (1 to 65535) if it has one: HOST[:PORT]"
        )


def _kind(value: Any) -> str:
    kinds = {dict: "a map", list: "a list", str: "a string", bool: "true or false", int: "a number"}
    return kinds.get(type(value), "nothing" if value is None else "something else")
