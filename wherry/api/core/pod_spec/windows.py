"""`windowsOptions` of pods and containers.

Rules: pkg/apis/core/validation, validateWindowsSecurityContextOptions and validateWindowsHostProcessPod.
"""

from __future__ import annotations

import re

from wherry.api.core.pod_spec.rules import Errors, Fields, check
from wherry.objects.errors import invalid_value
from wherry.objects.names import dns1123_subdomain_errors

GMSA_LIMIT_KIB = 64
DOMAIN_LIMIT = 256
USER_LIMIT = 104

_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_NETBIOS = re.compile(r"""[^\\/:*?"<>|.][^\\/:*?"<>|]{0,14}""")
_LABEL = "[a-zA-Z0-9](?:[a-zA-Z0-9-]{0,61}[a-zA-Z0-9])?"
_DNS = re.compile(rf"{_LABEL}(?:\.{_LABEL})*", re.ASCII)
_CONTAINERS = ("initContainers", "containers", "ephemeralContainers")
_NOT_IN_USERS = frozenset('"/\\:;|=,+*?<>@[]')


def validate_windows_options(context: Fields, path: str, errors: Errors) -> None:
    """`windowsOptions` of the security context at `path`, of a pod or a container."""
    options = context.get("windowsOptions")
    if options is None:
        return
    at = f"{path}.windowsOptions"
    if (name := options.get("gmsaCredentialSpecName")) is not None:
        check(dns1123_subdomain_errors, name, f"{at}.gmsaCredentialSpecName", errors)
    if (spec := options.get("gmsaCredentialSpec")) is not None:
        detail = ""
        if not spec:
            detail = "gmsaCredentialSpec cannot be an empty string"
        elif len(spec.encode()) > GMSA_LIMIT_KIB * 1024:
            detail = f"gmsaCredentialSpec size must be under {GMSA_LIMIT_KIB} KiB"
        if detail:
            errors.append(invalid_value(f"{at}.gmsaCredentialSpec", spec, detail))
    if (user := options.get("runAsUserName")) is not None:
        wrong = _user_errors(user)
        errors.extend([invalid_value(f"{at}.runAsUserName", user, f"runAsUserName{text}") for text in wrong])


def _user_errors(name: str) -> list[str]:
    """What is wrong with `DOMAIN\\user`, each sentence without its subject."""
    if not name:
        return [" cannot be an empty string"]
    if _CONTROL.search(name):
        return [" cannot contain control characters"]
    if name.count("\\") > 1:
        return [" cannot contain more than one backslash"]
    domain, slash, user = name.rpartition("\\")
    wrong: list[str] = []
    if len(domain.encode()) >= DOMAIN_LIMIT:
        wrong.append(f"'s Domain length must be under {DOMAIN_LIMIT} characters")
    if slash and not _NETBIOS.fullmatch(domain) and not _DNS.fullmatch(domain):
        wrong.append("'s Domain doesn't match the NetBios nor the DNS format")
    if not user:
        wrong.append("'s User cannot be empty")
    elif len(user.encode()) > USER_LIMIT:
        wrong.append(f"'s User length must not be longer than {USER_LIMIT} characters")
    if user and not user.strip(". "):
        wrong.append("'s User cannot contain only periods or spaces")
    if not _NOT_IN_USERS.isdisjoint(user):
        wrong.append("'s User cannot contain the following characters: \"/\\:;|=,+*?<>@[]")
    return wrong


def validate_host_processes(spec: Fields, path: str, errors: Errors) -> None:
    """Either all containers are host processes or none; such a pod is in the host's network."""
    if not _names_windows(spec):
        return
    whole = _host_process(spec)
    count = processes = 0
    for field in _CONTAINERS:
        for index, container in enumerate(spec.get(field) or ()):
            own = _host_process(container)
            count += 1
            if whole is not None and own is not None and whole != own:
                shown = str(whole).lower()
                detail = f"pod hostProcess value must be identical if both are specified, was {shown}"
                at = f"{path}.{field}[{index}].securityContext.windowsOptions.hostProcess"
                errors.append(invalid_value(at, own, detail))
            if own or (own is None and whole):
                processes += 1
    if not processes:
        return
    if processes != count:
        detail = (
            "If pod contains any hostProcess containers then all containers must be HostProcess containers"
        )
        errors.append(invalid_value(path, "", detail))
    if not spec.get("hostNetwork"):
        detail = "hostNetwork must be true if pod contains any hostProcess containers"
        errors.append(invalid_value(f"{path}.hostNetwork", False, detail))


def _names_windows(spec: Fields) -> bool:
    """Whether the pod has any Windows options, which nearly none has."""
    if "windowsOptions" in (spec.get("securityContext") or ()):
        return True
    for field in _CONTAINERS:
        for container in spec.get(field) or ():
            if "windowsOptions" in (container.get("securityContext") or ()):
                return True
    return False


def _host_process(part: Fields) -> bool | None:
    options = (part.get("securityContext") or {}).get("windowsOptions") or {}
    found: bool | None = options.get("hostProcess")
    return found
