"""Named formats: `format.dns1123Label().validate(...)`. Source: Kubernetes' library of formats."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from wherry.objects.cel.cost import quarter, size, tenth
from wherry.objects.cel.declarations import declare
from wherry.objects.cel.values import NOTHING, Opaque, Optional
from wherry.objects.go_urls import UrlError, parse_request_uri
from wherry.objects.names import (
    dns1035_label_errors,
    dns1123_label_errors,
    dns1123_subdomain_errors,
    label_value_errors,
    qualified_name_errors,
)
from wherry.objects.structural.formats import has_format


class Format(Opaque):
    """A format: its name, what is wrong with a text of it, and how long the pattern is that it costs."""

    __slots__ = ("errors", "name", "pattern_size")
    cel_type = "kubernetes.NamedFormat"

    def __init__(self, name: str, errors: Callable[[str], list[str]], pattern_size: int) -> None:
        self.name = name
        self.errors = errors
        self.pattern_size = pattern_size


def _in_characters(errors: Callable[[str], list[str]]) -> Callable[[str], list[str]]:
    """Of names that are too long upstream says here how many characters, and elsewhere how many bytes."""
    return lambda text: [why.replace(" bytes", " characters") for why in errors(text)]


def _prefix(errors: Callable[[str], list[str]]) -> Callable[[str], list[str]]:
    """For the start of a name: a dash at its end may be followed by something."""

    def test(text: str) -> list[str]:
        return errors(f"{text[:-1]}a" if len(text) > 1 and text.endswith("-") else text)

    return test


def _uri_errors(text: str) -> list[str]:
    try:
        parse_request_uri(text)
    except UrlError as error:
        return [str(error)]
    return []


def _of(name: str, wrong: str) -> Callable[[str], list[str]]:
    return lambda text: [] if has_format(text, name) else [wrong]


_FORMATS = {
    "dns1123Label": Format("DNS1123Label", _in_characters(dns1123_label_errors), 30),
    "dns1123Subdomain": Format("DNS1123Subdomain", _in_characters(dns1123_subdomain_errors), 60),
    "dns1035Label": Format("DNS1035Label", _in_characters(dns1035_label_errors), 30),
    "qualifiedName": Format("QualifiedName", qualified_name_errors, 60),
    "dns1123LabelPrefix": Format("DNS1123LabelPrefix", _prefix(_in_characters(dns1123_label_errors)), 30),
    "dns1123SubdomainPrefix": Format(
        "DNS1123SubdomainPrefix", _prefix(_in_characters(dns1123_subdomain_errors)), 60
    ),
    "dns1035LabelPrefix": Format("DNS1035LabelPrefix", _prefix(_in_characters(dns1035_label_errors)), 30),
    "labelValue": Format("LabelValue", label_value_errors, 40),
    "uri": Format("URI", _uri_errors, 2000),
    "uuid": Format("uuid", _of("uuid", "does not match the UUID format"), 100),
    "byte": Format("byte", _of("byte", "invalid base64"), 84),
    "date": Format("date", _of("date", "invalid date"), 80),
    "datetime": Format("datetime", _of("datetime", "invalid datetime"), 80),
}


def _validate(form: Format, text: str) -> Optional:
    found = form.errors(text)
    return Optional(found) if found else NOTHING


def _named(name: str) -> Optional:
    found = _FORMATS.get(name)
    return NOTHING if found is None else Optional(found)


def _constant(form: Format) -> Callable[[], Format]:
    return lambda: form


def _cost(arguments: Sequence[Any]) -> int:
    return tenth(1 + size(arguments[1])) * quarter(arguments[0].pattern_size)


declare("validate", "format.(string) -> optional_type(list(string))", _validate, _cost)
declare("format.named", "(string) -> optional_type(format)", _named)
for _name, _form in _FORMATS.items():
    declare(f"format.{_name}", "() -> format", _constant(_form))
