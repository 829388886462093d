"""Mail addresses as Go's net/mail reads one: `is_mail_address`. Source: RFC 5322, address."""

from __future__ import annotations

from wherry.objects.go_addresses import AddressError, parse_address

_ATOM = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789!#$%&'*+-/=?^_`{|}~")
_BLANK = " \t"


def is_mail_address(text: str) -> bool:
    """Whether it is one address, with a name before it or not, or a group of one."""
    try:
        _Reader(text).whole()
    except _No:
        return False
    return True


class _No(Exception):
    """It is none."""


class _Reader:
    """One reading of one text, which is gone through once."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0

    def whole(self) -> None:
        self._address()
        self._blanks_and_comments()
        if self._at < len(self._text):
            raise _No

    def _now(self) -> str:
        return self._text[self._at : self._at + 1]

    def _takes(self, sign: str) -> bool:
        if self._now() == sign:
            self._at += 1
            return True
        return False

    def _needs(self, sign: str) -> None:
        if not self._takes(sign):
            raise _No

    def _blanks(self) -> None:
        while self._now() in _BLANK and self._now():
            self._at += 1

    def _blanks_and_comments(self) -> None:
        self._blanks()
        while self._takes("("):
            depth = 1
            while depth:
                sign = self._now()
                if not sign:
                    raise _No
                self._at += 2 if sign == "\\" else 1
                depth += (sign == "(") - (sign == ")")
            self._blanks()

    def _address(self, *, in_group: bool = False) -> None:
        self._blanks()
        start = self._at
        try:
            self._bare()
            return
        except _No:
            self._at = start
        if self._now() != "<":
            self._phrase()
        self._blanks()
        if not in_group and self._takes(":"):
            self._group()
            return
        self._needs("<")
        self._bare()
        self._needs(">")

    def _group(self) -> None:
        self._address(in_group=True)
        self._blanks_and_comments()
        self._needs(";")

    def _bare(self) -> None:
        """local@domain"""
        self._blanks()
        if self._now() == '"':
            if not self._quoted():
                raise _No
        else:
            self._atom(dots_anywhere=False)
        self._needs("@")
        self._blanks()
        if self._takes("["):
            self._literal()
        else:
            self._atom(dots_anywhere=False)

    def _literal(self) -> None:
        end = self._text.find("]", self._at)
        inside = self._text[self._at : end] if end >= 0 else ""
        try:
            parse_address(inside)
        except AddressError:
            raise _No from None
        self._at = end + 1

    def _phrase(self) -> None:
        words = 0
        while True:
            self._blanks_and_comments()
            if not self._now():
                break
            if self._now() == '"':
                self._quoted()
            elif self._is_atom(self._now()):
                self._atom(dots_anywhere=True)
            else:
                break
            words += 1
        if not words:
            raise _No

    def _is_atom(self, sign: str, dots: str = "") -> bool:
        return bool(sign) and (sign in _ATOM or sign >= "\x80" or sign in dots)

    def _atom(self, *, dots_anywhere: bool) -> None:
        start = self._at
        while self._is_atom(self._now(), "."):
            self._at += 1
        atom = self._text[start : self._at]
        if not atom:
            raise _No
        if not dots_anywhere and (atom[0] == "." or atom[-1] == "." or ".." in atom):
            raise _No

    def _quoted(self) -> bool:
        """Pass over a text in quotes; whether there is something in it."""
        self._needs('"')
        start = self._at
        while not self._takes('"'):
            sign = self._now()
            if not sign or sign < " ":
                raise _No
            self._at += 2 if sign == "\\" else 1
        return self._at - 1 > start
