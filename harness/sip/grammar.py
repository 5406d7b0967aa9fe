"""The pieces every SIP header is composed of (RFC 3261 section 25.1).

Tokens, quoted strings, parameters, comma lists. All functions work on unfolded text; `offset` is the octet
where that text starts, so that errors point at the octet.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from typing import TypeVar, overload

from harness.errors import SipSyntaxError

TOKEN_CHARACTERS = r"A-Za-z0-9\-.!%*_+`'~"
TOKEN = re.compile(rf"[{TOKEN_CHARACTERS}]+")
QUOTED = re.compile(r'"(?:[^"\\]|\\.)*"', re.DOTALL)
DIGITS = re.compile(r"[0-9]+")

_PARAMETER = re.compile(
    rf"[ \t]*;[ \t]*([{TOKEN_CHARACTERS}\[\]/:&$]+)"
    r'(?:[ \t]*=[ \t]*("(?:[^"\\]|\\.)*"|[^ \t;,"<>]+))?[ \t]*(?=;|$)',
    re.DOTALL,
)
_LIST_PIECE = re.compile(r'"(?:[^"\\]|\\.)*+(?:"|\\?\Z)|<[^>]*+(?:>|\Z)|[^,"<]++|(,)', re.DOTALL)
_ESCAPE = re.compile(r"\\(.)", re.DOTALL)
_T = TypeVar("_T")


def octets(text: str) -> int:
    """The number of octets of text on the wire."""
    return len(text) if text.isascii() else len(text.encode("utf-8", "surrogatepass"))


def is_token(text: str) -> bool:
    """True for a token of RFC 3261 25.1."""
    return TOKEN.fullmatch(text) is not None


def quote(text: str) -> str:
    """A quoted-string that stands for text (RFC 3261 25.1)."""
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def unquote(text: str) -> str:
    """The text a quoted-string stands for; anything else is returned unchanged."""
    if len(text) >= 2 and text[0] == '"' and text[-1] == '"':
        inner = text[1:-1]
        return _ESCAPE.sub(r"\1", inner) if "\\" in inner else inner
    return text


def list_elements(value: str) -> list[tuple[int, str]]:
    """The elements of a comma list with the index each starts at; empty elements are kept.

    Commas within quoted strings and angle brackets do not separate. An unclosed quote or bracket
    reaches to the end.
    """
    if "," not in value:
        return [(len(value) - len(value.lstrip(" \t")), value.strip(" \t"))]
    if '"' not in value and "<" not in value:
        pieces, start = [], 0
        for part in value.split(","):
            pieces.append((start, part))
            start += len(part) + 1
    else:
        pieces, start = [], 0
        for match in _LIST_PIECE.finditer(value):
            if match.lastindex:
                pieces.append((start, value[start : match.start()]))
                start = match.end()
        pieces.append((start, value[start:]))
    return [(index + len(part) - len(part.lstrip(" \t")), part.strip(" \t")) for index, part in pieces]


def split_list(value: str) -> list[str]:
    """The elements of a comma list, trimmed, without empty ones."""
    if "," not in value:
        return [text] if (text := value.strip(" \t")) else []
    return [text for _, text in list_elements(value) if text]


def parse_number(text: str, what: str, offset: int, clause: str, limit: int = 2**32 - 1) -> int:
    """A decimal number up to limit. Raises SipSyntaxError."""
    if DIGITS.fullmatch(text) is None:
        raise SipSyntaxError(what, text, offset, clause, "not a decimal number")
    significant = text.lstrip("0") or "0"
    if len(significant) > 20 or int(significant) > limit:
        raise SipSyntaxError(what, text, offset, clause, f"larger than {limit}")
    return int(significant)


class Parameters(Mapping[str, str | None]):
    """Ordered parameters with case-insensitive names, as `;name=value` of a header or a URI.

    Made from pairs or a mapping whose values are the text as written (use quote() where a quoted-string is
    needed). Reading (`[]`, get) gives values without quotes; None is a parameter without `=`. `raw` gives the
    text as written. Of a name given twice the first counts; `pairs` shows all.
    """

    __slots__ = ("_index", "pairs")

    def __init__(self, pairs: Iterable[tuple[str, str | None]] | Mapping[str, str | None] = ()) -> None:
        items = pairs if isinstance(pairs, list) or not isinstance(pairs, Mapping) else pairs.items()
        self.pairs: tuple[tuple[str, str | None], ...] = tuple(items)
        self._index: dict[str, str | None] | None = None

    def _values(self) -> dict[str, str | None]:
        """Names in lower case and values as written."""
        index = self._index
        if index is None:
            index = self._index = {}
            for name, value in self.pairs:
                index.setdefault(name.lower(), value)
        return index

    def __getitem__(self, name: str) -> str | None:
        value = self._values()[name.lower()]
        return value if value is None else unquote(value)

    @overload
    def get(self, name: str, /) -> str | None: ...
    @overload
    def get(self, name: str, /, default: str | _T) -> str | _T | None: ...
    def get(self, name: str, /, default: str | _T | None = None) -> str | _T | None:
        """The value of a parameter, None for one without; default when it is absent."""
        index = self._values() if self._index is None else self._index
        key = name.lower()
        if key not in index:
            return default
        value = index[key]
        return unquote(value) if value is not None and value[:1] == '"' else value

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and name.lower() in self._values()

    def __iter__(self) -> Iterator[str]:
        """Names in lower case, each once, in order."""
        return iter(self._values())

    def __len__(self) -> int:
        return len(self._values())

    def raw(self, name: str) -> str | None:
        """The value as written, quotes included; None when absent or without value."""
        return self._values().get(name.lower())

    @property
    def duplicates(self) -> tuple[str, ...]:
        """Names (lower case) that occur more than once."""
        counts = Counter(name.lower() for name, _ in self.pairs)
        return tuple(name for name, count in counts.items() if count > 1)

    def replaced(self, name: str, value: str | None) -> Parameters:
        """A copy where name has this written value, at its old place or at the end."""
        key, out, done = name.lower(), [], False
        for old, text in self.pairs:
            if old.lower() != key:
                out.append((old, text))
            elif not done:
                out.append((old, value))
                done = True
        return Parameters(out if done else [*out, (name, value)])

    def without(self, name: str) -> Parameters:
        """A copy without name."""
        return Parameters((old, text) for old, text in self.pairs if old.lower() != name.lower())

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Parameters):
            return NotImplemented
        return self._key() == other._key()

    def __hash__(self) -> int:
        return hash(self._key())

    def _key(self) -> tuple[tuple[str, str | None], ...]:
        return tuple((name.lower(), value) for name, value in self.pairs)

    def __str__(self) -> str:
        """As written after a value: each with its semicolon."""
        return "".join([f";{name}" if value is None else f";{name}={value}" for name, value in self.pairs])

    def __repr__(self) -> str:
        return f"Parameters({str(self)!r})"


NO_PARAMETERS = Parameters()


def parse_parameters(
    text: str, offset: int = 0, what: str = "parameter", clause: str = "RFC 3261 25.1"
) -> Parameters:
    """`;name=value` pairs of a header. The leading semicolon may be absent. Raises SipSyntaxError."""
    if not text or text.isspace():
        return NO_PARAMETERS
    shift = 0
    if text[0] != ";" and text.lstrip(" \t")[:1] != ";":
        text, shift = ";" + text, 1
    pairs: list[tuple[str, str | None]] = []
    position, end = 0, len(text)
    while position < end:
        match = _PARAMETER.match(text, position)
        if match is None:
            place = offset + octets(text[:position]) - (shift if position else 0)
            raise SipSyntaxError(what, text[position:], place, clause, "bad parameter")
        pairs.append((match[1], match[2]))
        position = match.end()
    return Parameters(pairs)
