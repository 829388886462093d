"""Admission of connections: exec, attach, portforward and proxy go through the plugins as CONNECT.

What plugins see as the object are the connection's options (a PodExecOptions ...), read off the query.
"""

from __future__ import annotations

from urllib.parse import parse_qsl

from wherry.apiserver.admission.base import CONNECT, Attributes
from wherry.apiserver.admission.matching.rules import kind_of
from wherry.apiserver.call import Call
from wherry.apiserver.core import Core
from wherry.apiserver.registry import Served
from wherry.apiserver.request import is_set
from wherry.kit.integers import go_unsigned
from wherry.objects.errors import bad_request
from wherry.objects.meta import Object

_FLAGS = ("stdin", "stdout", "stderr", "tty")


async def admit_connection(core: Core, call: Call, served: Served) -> Object:
    """Ask the plugins; the options as they left them. Raises ApiError."""
    info, resource = call.info, served.resource
    options = connect_options(call, served)
    concerned = core.admission.concerned(core, resource, info.subresource, CONNECT)
    if not concerned.admit and not concerned.validate:
        return options
    attributes = Attributes.of(core, call, served, CONNECT, options, None)
    attributes.dry_run = False
    await core.admission.admit(attributes)
    await core.admission.validate(attributes)
    return options


def connect_options(call: Call, served: Served) -> Object:
    """The options object of a connection."""
    kind = kind_of(served.resource, call.info.subresource)
    options: Object = {"kind": kind.kind, "apiVersion": kind.api_version}
    match call.info.subresource:
        case "proxy":
            if call.info.tail:
                options["path"] = f"/{call.info.tail}"
        case "portforward":
            if ports := _ports(call):
                options["ports"] = ports
        case _:
            options |= {name: True for name in _FLAGS if is_set(call.query, name)}
            if call.query.get("container"):
                options["container"] = call.query["container"]
            if commands := _values(call, "command"):
                options["command"] = commands
    return options


def _ports(call: Call) -> list[int]:
    """The ports to forward. Raises ApiError (400), as apimachinery's Convert_Slice_string_To_Slice_int32."""
    try:
        return [go_unsigned(port, 16) for value in _values(call, "ports") for port in value.split(",")]
    except ValueError as error:
        raise bad_request(f"cannot convert to []int32: {error}") from error


def _values(call: Call, name: str) -> list[str]:
    query = call.request.query if call.request is not None else ""
    return [value for key, value in parse_qsl(query, keep_blank_values=True) if key == name]
