"""Bodies made to waste time or memory: every reader takes time in proportion to what it is given."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress

import pytest

from harness.bodies.conference_info import parse_conference_info
from harness.bodies.cpim import parse_cpim, parse_cpim_address
from harness.bodies.imdn import parse_imdn
from harness.bodies.mime import parse_content_type
from harness.bodies.multipart import split_multipart
from harness.bodies.reginfo import parse_reginfo
from harness.bodies.resource_lists import parse_resource_lists
from harness.bodies.timestamp import parse_timestamp
from harness.errors import BodySyntaxError


def read_cpim(data: bytes) -> None:
    """The object and all that is read of it later."""
    cpim = parse_cpim(data)
    _ = cpim.namespaces, cpim.from_, cpim.to, cpim.datetime, cpim.content_type, cpim.asks_for_imdn
    _ = cpim.imdn("Message-ID"), [header.text for header in cpim.headers]


def read_multipart(data: bytes) -> None:
    for part in split_multipart(data, "b").parts:
        _ = part.content_type, part.disposition


def read_lists(data: bytes) -> None:
    found = parse_resource_lists(data)
    _ = found.recipients, found.references, found.nested, found.lists


LISTS = b"<resource-lists xmlns='urn:ietf:params:xml:ns:resource-lists'>"
IMDN = b"<imdn xmlns='urn:ietf:params:xml:ns:imdn'>"
REGINFO = b"<reginfo xmlns='urn:ietf:params:xml:ns:reginfo' version='1' state='full'>"
CONFERENCE = b"<conference-info xmlns='urn:ietf:params:xml:ns:conference-info' entity='sip:a@b' version='1'>"
END = b"\r\n\r\n"

CPIM: dict[str, Callable[[int], bytes]] = {
    "namespaces": lambda n: b"NS: a <b>\r\n" * n + END,
    "namespaces and their users": lambda n: b"NS: a <b>\r\n" * n + b"a.x: b\r\n" * n + END,
    "addresses": lambda n: b"To: a <b:c>\r\n" * n + END,
    "folded lines": lambda n: b"To: a\r\n" + b" a\r\n" * n + END,
    "stray MIME headers": lambda n: b"a: b\r\n" + b"content-a: b\r\n" * n + END,
    "empty lines first": lambda n: b"\r\n" * n + b"a: b\r\n",
    "carriage returns": lambda n: b"a: " + b"\r" * 5 * n,
    "quotes and brackets": lambda n: b"From: " + b'"<' * 5 * n + END,
    "quotes and spaces": lambda n: b"From: " + b'" ' * 5 * n + END,
    "an unclosed quote": lambda n: b'From: "' + b" " * 5 * n + END,
    "words": lambda n: b"From: " + b"a " * 5 * n + END,
    "spaces": lambda n: b"NS: a" + b" " * 5 * n + b"a" + END,
    "escapes": lambda n: b'From: "' + b'\\"' * 5 * n + END,
    "parameters that do not close": lambda n: b"From:" + b';a="' * 5 * n + b" x" + END,
    "parameters": lambda n: b"From:" + b";a=b" * 5 * n + b" x" + END,
    "open brackets": lambda n: b"From: " + b"<" * 5 * n + END,
}
CONTENT_TYPES: dict[str, Callable[[int], str]] = {
    "spaces": lambda n: "a/b;" + " " * 10 * n,
    "spaces after a name": lambda n: "a/b;a " + " " * 10 * n,
    "quotes": lambda n: "a/b" + ';a="' * 3 * n,
    "escapes": lambda n: 'a/b;a="' + '\\"' * 3 * n,
    "quotes and escapes": lambda n: "a/b" + ';a="\\' * 3 * n,
    "semicolons": lambda n: "a/b" + ";" * 10 * n,
    "names": lambda n: "a/b" + ";a " * 10 * n,
}
MULTIPART: dict[str, Callable[[int], bytes]] = {
    "parts": lambda n: b"--b\r\n\r\n" * n,
    "delimiters": lambda n: b"--b\r\n" * n,
    "padding": lambda n: b"--b" + b" " * 10 * n + b"x\r\n",
    "padded lines that are no delimiter": lambda n: b"--b\r\n" + (b"--b" + b"\t" * 50 + b"x\r\n") * (n // 10),
    "headers": lambda n: b"--b\r\n" + b"a: b\r\n" * n,
    "folded lines": lambda n: b"--b\r\na: b\r\n" + b" b\r\n" * n,
    "carriage returns": lambda n: b"--b\r\n" + b"\r" * 10 * n,
    "spaces in a header": lambda n: b"--b\r\na" + b" " * 10 * n + b"\r\n",
}


def xml(start: bytes) -> dict[str, Callable[[int], bytes]]:
    """Documents in an element that begins so."""
    name = start[1 : start.index(b" ")]
    end = b"</" + name + b">"
    return {
        "text": lambda n: start + b"a" * 100 * n + end,
        "children": lambda n: start + b"<a/>b" * n + end,
        "depth": lambda n: start + b"<a>" * n + b"</a>" * n + end,
        "depth and breadth": lambda n: start + (b"<a>" * 60 + b"</a>" * 60) * (n // 20) + end,
        "attributes": lambda n: start + b"<a " + b" ".join(b"b%d='1'" % i for i in range(n)) + b"/>" + end,
        "namespaces": lambda n: (
            start + b"<a " + b" ".join(b"xmlns:b%d='u'" % i for i in range(n)) + b"/>" + end
        ),
        "lines": lambda n: b"\n" * 10 * n + b"<a",
        "children on lines": lambda n: start + b"\n<a/>" * n + end,
        "instructions": lambda n: start + b"<?a?>" * n + end,
        "comments": lambda n: start + b"<!--a-->" * n + end,
        "an entity": lambda n: b"<!DOCTYPE a [<!ENTITY e '" + b"x" * n + b"'>]>" + start + b"&e;" * n + end,
        "an entity in an attribute": lambda n: (
            b"<!DOCTYPE a [<!ENTITY e '" + b"x" * n + b"'>]><imdn a='" + b"&e;" * n + b"'/>"
        ),
        "digits": lambda n: start.replace(b"version='1'", b"version='" + b"1" * 10 * n + b"'") + end,
    }


READERS: dict[str, tuple[Callable[..., object], dict[str, Callable[[int], object]]]] = {
    "CPIM": (read_cpim, dict(CPIM)),
    "Content-Type": (parse_content_type, dict(CONTENT_TYPES)),
    "multipart": (read_multipart, dict(MULTIPART)),
    "IMDN": (parse_imdn, dict(xml(IMDN))),
    "reginfo": (parse_reginfo, dict(xml(REGINFO))),
    "conference-info": (parse_conference_info, dict(xml(CONFERENCE))),
    "resource-lists": (read_lists, dict(xml(LISTS))),
    "timestamp": (parse_timestamp, {"fraction": lambda n: "2015-02-17T06:54:27." + "1" * 10 * n}),
    "address": (parse_cpim_address, {"words": lambda n: "a " * 5 * n + "<"}),
}


@pytest.mark.parametrize(
    ("reader", "shape"), [(reader, shape) for reader, (_, shapes) in READERS.items() for shape in shapes]
)
def test_time_grows_with_the_length_and_not_with_its_square(
    reader: str, shape: str, assert_linear: Callable[..., None]
) -> None:
    read, shapes = READERS[reader]
    assert_linear(read, shapes[shape], 1_000)


def test_entities_are_not_expanded() -> None:
    laughs = b"".join(
        b"<!ENTITY e%d '%s'>" % (level, b"&e%d;" % (level - 1) * 10 if level else b"ha")
        for level in range(12)
    )
    document = b"<!DOCTYPE imdn [" + laughs + b"]>" + IMDN + b"<message-id>&e11;</message-id></imdn>"
    with suppress(BodySyntaxError):
        imdn = parse_imdn(document)
        assert len(imdn.message_id or "") < 100


@pytest.mark.parametrize("entity", [b"SYSTEM 'file:///etc/passwd'", b"SYSTEM 'http://127.0.0.1:9/'"])
def test_nothing_outside_the_document_is_read(entity: bytes) -> None:
    document = (
        b"<!DOCTYPE imdn [<!ENTITY e " + entity + b">]>" + IMDN + b"<message-id>&e;</message-id></imdn>"
    )
    with suppress(BodySyntaxError):
        assert not parse_imdn(document).message_id


def test_a_deep_document_is_refused_and_not_recursed_into() -> None:
    with pytest.raises(BodySyntaxError):
        parse_imdn(IMDN + b"<a>" * 100_000 + b"</a>" * 100_000 + b"</imdn>")
    assert parse_imdn(IMDN + b"<a>" * 200 + b"</a>" * 200 + b"</imdn>").root.children
