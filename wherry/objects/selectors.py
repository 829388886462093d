"""Label and field selectors: parsing, matching, and the one canonical spelling of each.

The grammar and the error texts are upstream's (apimachinery's labels and fields packages), because
kubectl shows them to people. A selector is immutable and cheap to match: the equality terms, which
are nearly all there ever are, come first as plain pairs, and what is said of one key is one test. A
selector of thousands of requirements costs no more than the object has labels, and one of thousands of
field terms no more than the kind has fields.
"""

from __future__ import annotations

import math
import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from threading import Lock
from typing import Any, Generic, TypeVar

import orjson

from wherry.kit.integers import parse_integer
from wherry.kit.remembered import Recent
from wherry.objects.errors import show_value
from wherry.objects.names import label_value_errors, qualified_name_errors

T = TypeVar("T")

_EQUALITY = ("=", "==")
_OPERATORS = {"=", "==", "!=", "in", "notin", ">", "<"}
_FROM_API = {"In": "in", "NotIn": "notin", "Exists": "exists", "DoesNotExist": "!"}


@dataclass(frozen=True, slots=True)
class Requirement:
    """One condition on one label.

    `operator` is "=", "==", "!=", "in", "notin", "exists", "!", ">" or "<".
    """

    key: str
    operator: str
    values: frozenset[str] = frozenset()

    def matches(self, labels: Mapping[str, str]) -> bool:
        """Whether the labels fulfil the condition; absent labels fulfil "!=" and "notin"."""
        found = labels.get(self.key)
        match self.operator:
            case "=" | "==" | "in":
                return found is not None and found in self.values
            case "!=" | "notin":
                return found is None or found not in self.values
            case "exists":
                return found is not None
            case "!":
                return found is None
        if found is None:
            return False
        number, limit = parse_integer(found), parse_integer(next(iter(self.values)))
        if number is None or limit is None:
            return False
        return number > limit if self.operator == ">" else number < limit

    def __str__(self) -> str:
        if self.operator == "exists":
            return self.key
        if self.operator == "!":
            return f"!{self.key}"
        joined = ",".join(sorted(self.values))
        if self.operator in ("in", "notin"):
            return f"{self.key} {self.operator} ({joined})"
        return f"{self.key}{self.operator}{joined}"


class _Others:
    """Requirements that demand no single value, with all that is said of one key in one place.

    Those that want a label fail at the first it is missing, so they cost as many steps as there are labels;
    of those about absent ones only what the object has is looked at.
    """

    __slots__ = ("_absent", "_among", "_between", "_not_among", "_present")

    def __init__(self, requirements: Iterable[Requirement]) -> None:
        present: set[str] = set()
        absent: set[str] = set()
        among: dict[str, frozenset[str]] = {}
        not_among: dict[str, set[str]] = {}
        between: dict[str, tuple[float, float]] = {}
        for one in requirements:
            match one.operator:
                case "exists":
                    present.add(one.key)
                case "!":
                    absent.add(one.key)
                case "!=" | "notin":
                    not_among.setdefault(one.key, set()).update(one.values)
                case ">" | "<":
                    between[one.key] = _narrowed(between.get(one.key, (-math.inf, math.inf)), one)
                case _:
                    among[one.key] = among[one.key] & one.values if one.key in among else one.values
        self._present = frozenset(present)
        self._absent = frozenset(absent)
        self._among = among
        self._not_among = not_among
        self._between = between

    def match(self, labels: Mapping[str, str]) -> bool:
        keys = labels.keys()
        if not self._absent.isdisjoint(labels) or len(self._present) > len(labels):
            return False
        for key, values in self._among.items():
            if labels.get(key) not in values:
                return False
        if not keys >= self._present:
            return False
        for key, (low, high) in self._between.items():
            number = parse_integer(labels.get(key, ""))
            if number is None or not low < number < high:
                return False
        if not self._not_among:
            return True
        return all(labels[key] not in self._not_among[key] for key in keys & self._not_among.keys())


def _narrowed(bounds: tuple[float, float], requirement: Requirement) -> tuple[float, float]:
    """The bounds of a number with one more; one that is no number of Go's lets nothing through."""
    low, high = bounds
    limit = parse_integer(next(iter(requirement.values)))
    if limit is None:
        return math.inf, -math.inf
    return (max(low, limit), high) if requirement.operator == ">" else (low, min(high, limit))


class Selector:
    """A conjunction of requirements on labels; without any it matches everything.

    `nothing` makes one that matches no object at all, as an absent LabelSelector does.
    """

    __slots__ = ("_nothing", "_others", "exact", "requirements")

    def __init__(self, requirements: Iterable[Requirement] = (), nothing: bool = False) -> None:
        self.requirements = tuple(sorted(requirements, key=lambda r: r.key))
        exact: dict[tuple[str, str], None] = {}
        others = []
        for requirement in self.requirements:
            if requirement.operator in (*_EQUALITY, "in") and len(requirement.values) == 1:
                exact[requirement.key, next(iter(requirement.values))] = None
            else:
                others.append(requirement)
        self.exact = tuple(exact)
        """The (label, value) pairs it demands."""
        self._others = _Others(others) if others else None
        self._nothing = nothing

    @property
    def is_empty(self) -> bool:
        """Whether it matches everything."""
        return not self.requirements and not self._nothing

    def matches(self, labels: Mapping[str, str] | None) -> bool:
        """Whether labels (None as an object without any) fulfil every requirement."""
        if self._nothing:
            return False
        if labels is None:
            labels = {}
        for key, value in self.exact:
            if labels.get(key) != value:
                return False
        return self._others is None or self._others.match(labels)

    def required_exact(self, key: str) -> str | None:
        """The one value the label must have, None if the selector does not demand one."""
        return next((value for name, value in self.exact if name == key), None)

    def __str__(self) -> str:
        return ",".join(map(str, self.requirements))

    def __repr__(self) -> str:
        return f"<Selector {'nothing' if self._nothing else str(self) or 'everything'}>"

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Selector):
            return NotImplemented
        return self.requirements == other.requirements and self._nothing == other._nothing

    def __hash__(self) -> int:
        return hash((self.requirements, self._nothing))


EVERYTHING = Selector()
NOTHING = Selector(nothing=True)


def from_map(labels: Mapping[str, str] | None) -> Selector:
    """The selector that wants each of these labels exactly; none given selects everything."""
    if not labels:
        return EVERYTHING
    return Selector(Requirement(key, "=", frozenset((value,))) for key, value in labels.items())


def from_label_selector(selector: Mapping[str, Any] | None) -> Selector:
    """The selector a metav1.LabelSelector means: None selects nothing, an empty one everything.

    Raises ValueError for an operator or value that is not allowed there.
    """
    if selector is None:
        return NOTHING
    expressions: Sequence[Mapping[str, Any]] = selector.get("matchExpressions") or ()
    count = len(selector.get("matchLabels") or ()) + sum(len(one.get("values") or ()) for one in expressions)
    if count + len(expressions) < MANY:
        return _read(selector)
    key = orjson.dumps(selector)
    with _LARGE_ONES:
        known = _large.get(key)
    if known is None:
        known = _read(selector)
        with _LARGE_ONES:
            _large.put(key, known, len(key))
    return known


class ByLabels(Generic[T]):
    """Things by their labels: a selector that wants a label looks at those that have it, and at no others."""

    def __init__(self, items: Iterable[tuple[Mapping[str, str], T]]) -> None:
        self._items = list(items)
        self._places: dict[str | tuple[str, str], list[int]] = {}
        for place, (labels, _) in enumerate(self._items):
            for pair in labels.items():
                self._places.setdefault(pair, []).append(place)
                self._places.setdefault(pair[0], []).append(place)

    def chosen(self, selector: Selector) -> Iterator[T]:
        """Those the selector matches, in the order they were given."""
        for place in self._candidates(selector):
            labels, item = self._items[place]
            if selector.matches(labels):
                yield item

    def _candidates(self, selector: Selector) -> Sequence[int]:
        for pair in selector.exact:
            return self._places.get(pair, ())
        wanted = (one for one in selector.requirements if one.operator in ("exists", "in", ">", "<"))
        for one in wanted:
            return self._places.get(one.key, ())
        return range(len(self._items))


MANY = 200
"""From so many requirements and values on, what was read is remembered: judging each takes microseconds, and
controllers ask for the same selector whenever one of its objects changes."""
_large: Recent[bytes, Selector] = Recent(2 * 1024 * 1024)
_LARGE_ONES = Lock()  # threads judge objects, too


def _read(selector: Mapping[str, Any]) -> Selector:
    requirements = [_checked(key, "=", [value]) for key, value in (selector.get("matchLabels") or {}).items()]
    for expression in selector.get("matchExpressions") or ():
        operator = _FROM_API.get(expression.get("operator", ""))
        if operator is None:
            shown = show_value(expression.get("operator", ""))
            raise ValueError(f"{shown} is not a valid label selector operator")
        requirements.append(_checked(expression.get("key", ""), operator, expression.get("values") or []))
    return Selector(requirements) if requirements else EVERYTHING


def _checked(key: str, operator: str, values: Sequence[str]) -> Requirement:
    """A requirement that makes sense. Raises ValueError with every complaint, as upstream joins them."""
    faults = [f"key: {fault}" for fault in _key_faults(key)]
    if operator in ("in", "notin") and not values:
        faults.append(
            f"values: Invalid value: {show_value(list(values))}: "
            "for 'in', 'notin' operators, values set can't be empty"
        )
    elif operator in ("exists", "!") and values:
        faults.append(
            f"values: Invalid value: {show_value(list(values))}: "
            "values set must be empty for exists and does not exist"
        )
    elif operator in (">", "<"):
        faults += [
            f"values[{i}]: Invalid value: {show_value(value)}: "
            "for 'Gt', 'Lt' operators, the value must be an integer"
            for i, value in enumerate(values)
            if not re.fullmatch(r"[-+]?[0-9]+", value, re.ASCII)
        ]
    for i, value in enumerate(values):
        if wrong := label_value_errors(value):
            faults.append(f"values[{i}][{key}]: Invalid value: {show_value(value)}: {'; '.join(wrong)}")
    if faults:
        raise ValueError(faults[0] if len(faults) == 1 else f"[{', '.join(faults)}]")
    return Requirement(key, operator, frozenset(values))


def _key_faults(key: str) -> list[str]:
    faults = qualified_name_errors(key)
    return [f"Invalid value: {show_value(key)}: {'; '.join(faults)}"] if faults else []


_TOKEN = re.compile(r"[ \t\r\n]*(?:(==|!=|[=!(),><])|([^ \t\r\n=!(),><]+)|$)")
_END = ("end", "")


def _tokens(text: str) -> list[tuple[str, str]]:
    """(kind, literal) pairs: kind is "symbol", "word" or "end"; the last is always the end."""
    found: list[tuple[str, str]] = []
    position = 0
    while position < len(text):
        match = _TOKEN.match(text, position)
        if match is None or match.end() == position:
            break
        position = match.end()
        if match[1]:
            found.append(("symbol", match[1]))
        elif match[2]:
            found.append(("word", match[2]))
    found.append(_END)
    return found


class _Parser:
    """Recursive descent over the tokens of one label selector."""

    def __init__(self, text: str) -> None:
        self._tokens = _tokens(text)
        self._at = 0

    def _peek(self) -> tuple[str, str]:
        return self._tokens[self._at]

    def _take(self) -> tuple[str, str]:
        token = self._tokens[self._at]
        self._at = min(self._at + 1, len(self._tokens) - 1)
        return token

    def parse(self) -> list[Requirement]:
        requirements: list[Requirement] = []
        if self._peek() == _END:
            return requirements
        if not self._starts_requirement():
            raise ValueError(f"found '{self._peek()[1]}', expected: !, identifier, or 'end of string'")
        while True:
            try:
                requirements.append(self._requirement())
            except ValueError as error:
                raise ValueError(f"unable to parse requirement: {error}") from None
            token = self._take()
            if token == _END:
                return requirements
            if token[1] != ",":
                raise ValueError(f"found '{token[1]}', expected: ',' or 'end of string'")
            if not self._starts_requirement():
                raise ValueError(f"found '{self._peek()[1]}', expected: identifier after ','")

    def _starts_requirement(self) -> bool:
        kind, literal = self._peek()
        return kind == "word" or literal == "!"

    def _requirement(self) -> Requirement:
        kind, key = self._take()
        negated = key == "!" and kind == "symbol"
        if negated:
            kind, key = self._take()
        if kind != "word":
            raise ValueError(f"found '{key}', expected: identifier")
        faults = _key_faults(key)
        if faults:
            raise ValueError(f"<nil>: {faults[0]}")
        if self._peek() == _END or self._peek() == ("symbol", ","):
            return Requirement(key, "!" if negated else "exists")
        operator = self._take()[1]
        if operator not in _OPERATORS:
            raise ValueError(f"found '{operator}', expected: in, notin, =, ==, !=, gt, lt")
        values = self._set() if operator in ("in", "notin") else [self._exact()]
        return _checked(key, operator, values)

    def _exact(self) -> str:
        if self._peek() == _END or self._peek() == ("symbol", ","):
            return ""
        kind, literal = self._take()
        if kind != "word":
            raise ValueError(f"found '{literal}', expected: identifier")
        return literal

    def _set(self) -> list[str]:
        """The values between parentheses; an empty place between commas is the empty value."""
        opening = self._take()
        if opening[1] != "(":
            raise ValueError(f"found '{opening[1]}' expected: '('")
        if self._peek()[1] not in (",", ")") and self._peek()[0] != "word":
            raise ValueError(f"found '{self._peek()[1]}', expected: ',', ')' or identifier")
        values: set[str] = set()
        while True:
            if self._peek()[0] == "word":
                values.add(self._take()[1])
            else:
                values.add("")
            kind, literal = self._take()
            if literal == ")" and kind == "symbol":
                return sorted(values)
            if literal != "," or kind != "symbol":
                raise ValueError(f"found '{literal}', expected: ',' or ')'")


def parse_label_selector(text: str) -> Selector:
    """A selector as kubectl's `-l` takes it: `app=web,tier in (a,b),!canary`; "" selects everything.

    Raises ValueError with upstream's text.
    """
    requirements = _Parser(text).parse() if text else []
    return Selector(requirements) if requirements else EVERYTHING


@dataclass(frozen=True, slots=True)
class FieldTerm:
    """One condition on one field: `operator` is "=" or "!="."""

    field: str
    operator: str
    value: str

    def __str__(self) -> str:
        return f"{self.field}{self.operator}{escape_field_value(self.value)}"


@dataclass(frozen=True, slots=True)
class FieldSelector:
    """A conjunction of conditions on the selectable fields of an object."""

    terms: tuple[FieldTerm, ...] = ()
    _wanted: tuple[tuple[str, str], ...] = field(init=False, repr=False, compare=False)
    _unwanted: Mapping[str, Collection[str]] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        wanted: dict[tuple[str, str], None] = {}
        unwanted: dict[str, set[str]] = {}
        for term in self.terms:
            if term.operator == "=":
                wanted[term.field, term.value] = None
            else:
                unwanted.setdefault(term.field, set()).add(term.value)
        object.__setattr__(self, "_wanted", tuple(wanted))
        object.__setattr__(self, "_unwanted", unwanted)

    @property
    def is_empty(self) -> bool:
        """Whether it matches everything."""
        return not self.terms

    @property
    def fields(self) -> tuple[str, ...]:
        """The names of the fields it looks at."""
        return tuple(term.field for term in self.terms)

    def matches(self, fields: Mapping[str, str]) -> bool:
        """Whether the fields' values fulfil every term; an absent field reads as ""."""
        for name, value in self._wanted:
            if fields.get(name, "") != value:
                return False
        return all(fields.get(name, "") not in values for name, values in self._unwanted.items())

    def required_exact(self, field: str) -> str | None:
        """The one value the field must have, None if the selector does not demand one."""
        return next((t.value for t in self.terms if t.field == field and t.operator == "="), None)

    def exact(self) -> dict[str, str]:
        """The values it demands, by field."""
        return {term.field: term.value for term in self.terms if term.operator == "="}

    def __str__(self) -> str:
        return ",".join(map(str, self.terms))


_FIELD_TERM = re.compile(r"(.*?)(!=|==|=)(.*)", re.DOTALL)
_TERMS = re.compile(r"(?:\\.|[^,\\]|\\$)+", re.DOTALL)
_SPECIAL = re.compile(r"[\\,=]")


def escape_field_value(value: str) -> str:
    """The value as it may stand in a field selector."""
    return _SPECIAL.sub(lambda found: "\\" + found[0], value)


def _unescape(value: str) -> str:
    pieces: list[str] = []
    characters = iter(value)
    for character in characters:
        if character == "\\":
            following = next(characters, "")
            if following not in ("\\", ",", "="):
                raise ValueError(f"invalid field selector: invalid escape sequence: \\{following}")
            pieces.append(following)
        elif character in ",=":
            raise ValueError(f"invalid field selector: unescaped character in value: {character}")
        else:
            pieces.append(character)
    return "".join(pieces)


def parse_field_selector(text: str) -> FieldSelector:
    """A selector as kubectl's `--field-selector` takes it: `status.phase!=Running,spec.nodeName=n`.

    Raises ValueError with upstream's text.
    """
    terms = []
    for part in _TERMS.findall(text):
        match = _FIELD_TERM.fullmatch(part)
        if match is None:
            raise ValueError(f"invalid selector: '{text}'; can't understand '{part}'")
        terms.append(FieldTerm(match[1], "!=" if match[2] == "!=" else "=", _unescape(match[3])))
    return FieldSelector(tuple(sorted(terms, key=str)))
