"""DNS messages as bytes: reading a question, writing an answer (RFC 1035, 4; EDNS: RFC 6891).

Names are kept as they are on the wire, in lower case: what is looked up is a slice of the question. Answers
are written with pointers to the question's name, which is always at byte 12.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import IntEnum

HEADER = struct.Struct("!6H")
LONGEST_NAME = 255
LONGEST_LABEL = 63
AT_QUESTION = b"\xc0\x0c"
"""A pointer to the question's name."""
PLAIN_SIZE, EDNS_SIZE, LARGEST_MESSAGE = 512, 1232, 65535
"""What a datagram may be long without EDNS, at most with it (the size of the DNS flag day), and a stream's
message.
"""

QR, AA, TC, RD, RA, AD, CD = 0x8000, 0x0400, 0x0200, 0x0100, 0x0080, 0x0020, 0x0010
OPCODE = 0x7800
IN = 1


class Type(IntEnum):
    """Kinds of records that are looked at here."""

    A = 1
    NS = 2
    CNAME = 5
    SOA = 6
    PTR = 12
    TXT = 16
    AAAA = 28
    SRV = 33
    OPT = 41
    ANY = 255


class Code(IntEnum):
    """How a question is answered (RCODE)."""

    NOERROR = 0
    FORMERR = 1
    SERVFAIL = 2
    NXDOMAIN = 3
    NOTIMP = 4
    REFUSED = 5


class Malformed(ValueError):
    """Not a DNS message that can be read."""


@dataclass(frozen=True, slots=True)
class Query:
    """A question. `question` is name, type and class as they came, `key` the same in lower case.

    `size` is how long a datagram the client takes; `has_edns` and `is_dnssec` say whether it sent an OPT
    record and asked for signatures in it.
    """

    id: int
    flags: int
    question: bytes
    key: bytes
    size: int = PLAIN_SIZE
    has_edns: bool = False
    is_dnssec: bool = False

    @property
    def name(self) -> bytes:
        """The name asked for, on the wire and in lower case."""
        return self.key[:-4]

    @property
    def kind(self) -> int:
        """The type asked for."""
        return int.from_bytes(self.key[-4:-2], "big")

    @property
    def is_internet(self) -> bool:
        """Whether the class is IN."""
        return self.key[-2:] == b"\x00\x01"


@dataclass(frozen=True, slots=True)
class Record:
    """A resource record. `owner` is "" where it is the question's name."""

    kind: int
    ttl_s: int
    data: bytes
    owner: bytes = b""

    def to_wire(self) -> bytes:
        """The record as bytes."""
        name = self.owner or AT_QUESTION
        return b"%b%b%b" % (name, struct.pack("!HHIH", self.kind, IN, self.ttl_s, len(self.data)), self.data)


@dataclass(frozen=True, slots=True)
class Answer:
    """What a question is answered with: records as bytes, of the three sections.

    The first `aliases` of the records lead to the others.
    """

    code: int = Code.NOERROR
    records: tuple[bytes, ...] = ()
    authority: tuple[bytes, ...] = ()
    additional: tuple[bytes, ...] = ()
    is_authoritative: bool = True
    aliases: int = 0


def read_query(data: bytes) -> Query:
    """The question of a message.

    Raises Malformed for what is none; opcodes other than QUERY are read, too.
    """
    if len(data) < HEADER.size:
        raise Malformed("too short")
    number, flags, questions, answers, authorities, additions = HEADER.unpack_from(data)
    if flags & QR:
        raise Malformed("an answer")
    if questions != 1 or answers or authorities:
        raise Malformed("not one question")
    end = _name_end(data, HEADER.size)
    if end + 4 > len(data):
        raise Malformed("no type and class")
    question = data[HEADER.size : end + 4]
    key = question[:-4].lower() + question[-4:]
    if not additions:
        return Query(number, flags, question, key)
    size, has_edns, is_dnssec = PLAIN_SIZE, False, False
    place = end + 4
    for _ in range(min(additions, 4)):
        kind, size_or_class, ttl, place = _skip_record(data, place)
        if kind == Type.OPT:
            has_edns = True
            size = min(max(size_or_class, PLAIN_SIZE), EDNS_SIZE)
            is_dnssec = bool(ttl & 0x8000)
    return Query(number, flags, question, key, size, has_edns, is_dnssec)


def write_answer(query: Query, answer: Answer, *, longest: int = 0) -> bytes:
    """An answer to a question, at most `longest` bytes long: of records there are too many, as many as fit.

    0: as long as the client takes by datagram.
    """
    longest = longest or query.size
    records, authority, additional = answer.records, answer.authority, answer.additional
    opt = _OPT if query.has_edns else b""
    flags = QR | (query.flags & (OPCODE | RD | CD)) | RA | answer.code
    if answer.is_authoritative:
        flags |= AA
    body = b"".join((query.question, *records, *authority, *additional, opt))
    if HEADER.size + len(body) > longest:
        room = longest - HEADER.size - len(query.question) - len(opt)
        kept: list[bytes] = []
        for record in records:
            room -= len(record)
            if room < 0:
                flags |= TC
                break
            kept.append(record)
        records, authority, additional = tuple(kept), (), ()
        body = b"".join((query.question, *records, opt))
    more = len(additional) + query.has_edns
    return HEADER.pack(query.id, flags, 1, len(records), len(authority), more) + body


def write_error(data: bytes, code: int) -> bytes:
    """An answer without a question, to a message whose question cannot be read; "" for what needs none."""
    if len(data) < HEADER.size or data[2] & 0x80:
        return b""
    number, flags = struct.unpack_from("!HH", data)
    return HEADER.pack(number, QR | (flags & (OPCODE | RD)) | RA | code, 0, 0, 0, 0)


_OPT = b"\x00" + struct.pack("!HHIH", Type.OPT, EDNS_SIZE, 0, 0)


def _name_end(data: bytes, place: int) -> int:
    """Where a name that begins at `place` and has no pointers ends. Raises Malformed."""
    begin, last = place, len(data)
    while place < last:
        length = data[place]
        if length == 0:
            if place + 1 - begin > LONGEST_NAME:
                raise Malformed("a name too long")
            return place + 1
        if length > LONGEST_LABEL:
            raise Malformed("a pointer where none is expected")
        place += length + 1
    raise Malformed("a name without an end")


def _skip_name(data: bytes, place: int) -> int:
    """Where a name ends, pointers allowed. Raises Malformed."""
    while place < len(data):
        length = data[place]
        if length == 0:
            return place + 1
        if length >= 0xC0:
            return place + 2
        if length > LONGEST_LABEL:
            raise Malformed("a label of no known kind")
        place += length + 1
    raise Malformed("a name without an end")


def _skip_record(data: bytes, place: int) -> tuple[int, int, int, int]:
    """(type, class, TTL, where it ends) of the record at `place`. Raises Malformed."""
    place = _skip_name(data, place)
    try:
        kind, class_, ttl, length = struct.unpack_from("!HHIH", data, place)
    except struct.error:
        raise Malformed("a record without an end") from None
    if place + 10 + length > len(data):
        raise Malformed("a record without an end")
    return kind, class_, ttl, place + 10 + length


def ttl_places(data: bytes) -> Iterator[tuple[int, int, int]]:
    """(type, TTL, where the TTL is written) of each record of an answer but OPT. Raises Malformed."""
    if len(data) < HEADER.size:
        raise Malformed("too short")
    _, _, questions, *sections = HEADER.unpack_from(data)
    place = HEADER.size
    for _ in range(questions):
        place = _skip_name(data, place) + 4
    for _ in range(sum(sections)):
        begin = _skip_name(data, place)
        kind, _, ttl, place = _skip_record(data, place)
        if kind != Type.OPT:
            yield kind, ttl, begin + 4


def question_of(data: bytes) -> bytes:
    """The only question of an answer, its name in lower case. Raises Malformed."""
    if len(data) < HEADER.size or HEADER.unpack_from(data)[2] != 1:
        raise Malformed("not one question")
    end = _name_end(data, HEADER.size)
    if end + 4 > len(data):
        raise Malformed("no type and class")
    return data[HEADER.size : end].lower() + data[end : end + 4]


def name_of_text(text: str) -> bytes:
    """A name on the wire, in lower case. Raises ValueError for one that cannot be."""
    labels = text.lower().rstrip(".").split(".") if text.strip(".") else []
    return name_of_labels(label.encode("ascii") for label in labels)


def name_of_labels(labels: Iterable[bytes]) -> bytes:
    """A name on the wire of its labels. Raises ValueError for one that cannot be."""
    parts = []
    for label in labels:
        if not 0 < len(label) <= LONGEST_LABEL:
            raise ValueError(f"a label of {len(label)} bytes")
        parts.append(bytes((len(label),)) + label)
    name = b"".join((*parts, b"\x00"))
    if len(name) > LONGEST_NAME:
        raise ValueError(f"a name of {len(name)} bytes")
    return name


def labels_of_name(name: bytes) -> list[bytes]:
    """The labels of a name on the wire."""
    labels, place = [], 0
    while name[place]:
        length = name[place]
        labels.append(name[place + 1 : place + 1 + length])
        place += length + 1
    return labels


def ancestors(name: bytes) -> Iterator[bytes]:
    """The name's parents, the nearest first, the root last."""
    place = 0
    while name[place]:
        place += name[place] + 1
        yield name[place:]


def is_below(name: bytes, domain: bytes) -> bool:
    """Whether a name is the domain or below it. What looks like it may be within a longer label."""
    if not name.endswith(domain):
        return False
    place, goal = 0, len(name) - len(domain)
    while place < goal:
        place += name[place] + 1
    return place == goal


def text_of_name(name: bytes) -> str:
    """A name as people write it, for logs."""
    return ".".join(label.decode("ascii", "backslashreplace") for label in labels_of_name(name)) + "."


def without_opt(message: bytes) -> bytes:
    """An answer less its OPT records, which are between two neighbours. Raises Malformed."""
    if len(message) < HEADER.size:
        raise Malformed("too short")
    number, flags, questions, answers, authorities, additions = HEADER.unpack_from(message)
    place = HEADER.size
    for _ in range(questions):
        place = _skip_name(message, place) + 4
    for _ in range(answers + authorities):
        *_, place = _skip_record(message, place)
    kept = [message[HEADER.size : place]]
    left = additions
    for _ in range(additions):
        begin = place
        kind, _, _, place = _skip_record(message, place)
        if kind == Type.OPT:
            left -= 1
        else:
            kept.append(message[begin:place])
    return HEADER.pack(number, flags, questions, answers, authorities, left) + b"".join(kept)


def write_relayed(query: Query, message: bytes, *, longest: int = 0) -> bytes:
    """Another server's answer (without OPT) as one to `query`; where it is too long, that is all it says."""
    longest = longest or query.size
    _, flags, _, answers, authorities, additions = HEADER.unpack_from(message)
    # Whether an answer is true is for those to find out who ask for signatures.
    flags = (
        QR
        | (flags & (AA | TC | 0xF))
        | (query.flags & (RD | CD))
        | RA
        | (flags & AD if query.is_dnssec else 0)
    )
    body = query.question + message[HEADER.size + len(query.question) :] + (_OPT if query.has_edns else b"")
    if HEADER.size + len(body) > longest:
        answers = authorities = additions = 0
        flags |= TC
        body = query.question + (_OPT if query.has_edns else b"")
    return HEADER.pack(query.id, flags, 1, answers, authorities, additions + query.has_edns) + body


def data_of(message: bytes, kind: int) -> list[tuple[int, bytes]]:
    """(TTL, data) of the records of a type among the answers; of a type without names in its data.

    Raises Malformed.
    """
    _, _, questions, answers, *_ = HEADER.unpack_from(message)
    place = HEADER.size
    for _ in range(questions):
        place = _skip_name(message, place) + 4
    found = []
    for _ in range(answers):
        begin = _skip_name(message, place) + 10
        its_kind, _, ttl, place = _skip_record(message, place)
        if its_kind == kind:
            found.append((ttl, message[begin:place]))
    return found
