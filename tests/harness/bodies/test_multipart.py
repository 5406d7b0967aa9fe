"""Multipart bodies: preamble, epilogue, padding, quoted boundaries, what is missing."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.bodies.mime import parse_content_type
from harness.bodies.multipart import MultipartFault, build_multipart, split_multipart
from harness.errors import BodySyntaxError

INVITE = (
    b"--da96a\r\n"
    b"Content-Type: application/sdp\r\n"
    b"\r\n"
    b"v=0\r\n"
    b"\r\n--da96a\r\n"
    b"content-type: application/resource-lists+xml\r\n"
    b"Content-Disposition: Recipient-List;handling=required\r\n"
    b"\r\n"
    b"<resource-lists/>"
    b"\r\n--da96a--"
)


def test_parts_are_found_with_offsets() -> None:
    body = split_multipart(INVITE, "da96a")
    assert (body.closed, body.faults, body.preamble, body.epilogue) == (True, (), b"", b"")
    sdp, entries = body.parts
    assert sdp.content == b"v=0\r\n"
    assert sdp.content_type is not None and sdp.content_type.essence == "application/sdp"
    assert entries.disposition == "recipient-list"
    for part in body.parts:
        assert INVITE[part.offset :].startswith(part.raw)
        assert INVITE[part.content_offset :].startswith(part.content)
        for header in part.mime:
            assert INVITE[header.offset :].startswith(header.raw)


def test_preamble_epilogue_and_padding_are_kept_apart() -> None:
    body = split_multipart(b"read me\r\n--b \t\r\n\r\none\r\n--b--  \r\nthe end", "b")
    assert (body.preamble, body.epilogue) == (b"read me", b"\r\nthe end")
    assert [part.content for part in body.parts] == [b"one"]
    assert body.parts[0].mime == ()


def test_a_line_that_only_begins_like_the_boundary_is_content() -> None:
    body = split_multipart(b"--b\r\n\r\n--bb\r\n--b--", "b")
    assert [part.content for part in body.parts] == [b"--bb"]


def test_the_aggregate_of_rfc_5438_is_read_although_it_is_not_closed() -> None:
    data = (
        b"--imdn-boundary\r\nContent-type: message/imdn+xml\r\n\r\n<imdn/>\r\n"
        b"--imdn-boundary\r\nContent-type: message/imdn+xml\r\n\r\n<imdn/>\r\n"
        b"--imdn-boundary\r\n"
    )
    body = split_multipart(data, "imdn-boundary")
    assert [part.content for part in body.parts] == [b"<imdn/>", b"<imdn/>"]
    assert [fault.what for fault in body.faults] == [MultipartFault.NOT_CLOSED]


@pytest.mark.parametrize("data", [b"", b"no delimiter", b"x--b\r\n"])
def test_a_body_without_delimiter_is_refused(data: bytes) -> None:
    with pytest.raises(BodySyntaxError):
        split_multipart(data, "b")


@pytest.mark.parametrize(
    ("value", "boundary"),
    [
        ("multipart/mixed; boundary=da96a", "da96a"),
        ('Multipart/Mixed;Boundary="a b;c"', "a b;c"),
        ('multipart/mixed; x="q\\"z"; boundary="b"', "b"),
    ],
)
def test_the_boundary_of_a_content_type(value: str, boundary: str) -> None:
    content_type = parse_content_type(value)
    assert content_type.essence == "multipart/mixed"
    assert content_type.parameters["boundary"] == boundary
    assert parse_content_type(str(content_type)) == content_type


@pytest.mark.parametrize("value", ["", "text", "text/", "/x", "te xt/x", ";a=b"])
def test_what_is_no_media_type_is_refused(value: str) -> None:
    with pytest.raises(BodySyntaxError):
        parse_content_type(value)


@pytest.mark.parametrize(
    ("parts", "boundary"),
    [
        ([([], b"--b in content")], "b"),
        ([([], b"a\r\n--b")], "b"),
        ([([], b"")], ""),
        ([([], b"")], "ends with space "),
        ([([], b"")], "x" * 71),
        ([([("Content-Type", "a\r\nb")], b"")], "b"),
        ([], "b"),
    ],
)
def test_the_writer_refuses(parts: list[tuple[list[tuple[str, str]], bytes]], boundary: str) -> None:
    with pytest.raises(BodySyntaxError):
        build_multipart(parts, boundary)


BOUNDARIES = st.text("abcXYZ019'()+_,-./:=? ", min_size=1, max_size=70).filter(lambda text: text[-1] != " ")
PARTS = st.lists(
    st.tuples(
        st.lists(
            st.tuples(st.sampled_from(["Content-Type", "Content-ID"]), st.sampled_from(["a/b", "", "x;y"]))
        ),
        st.binary(max_size=40),
    ),
    min_size=1,
    max_size=4,
)


@given(PARTS, BOUNDARIES, st.sampled_from([b"", b"hello"]))
def test_what_is_written_is_read_back(
    parts: list[tuple[list[tuple[str, str]], bytes]], boundary: str, preamble: bytes
) -> None:
    try:
        data = build_multipart(parts, boundary, preamble=preamble)
    except BodySyntaxError:
        return
    body = split_multipart(data, boundary)
    assert body.closed and body.preamble == preamble and not body.faults
    assert [([(h.name, h.value) for h in part.mime], part.content) for part in body.parts] == parts


PIECES = st.sampled_from(
    [b"--b", b"--", b"\r\n", b"\n", b" ", b"Content-Type: a/b", b"x", b"\r\n--b--", b"\xff"]
)


@given(st.one_of(st.binary(max_size=80), st.lists(PIECES, max_size=20).map(b"".join)), st.text(max_size=4))
def test_no_octets_raise_anything_but_our_own_error(data: bytes, boundary: str) -> None:
    for mark in ("b", boundary):
        try:
            body = split_multipart(data, mark)
        except BodySyntaxError:
            continue
        assert len(body.parts) <= data.count(b"--") + 1
