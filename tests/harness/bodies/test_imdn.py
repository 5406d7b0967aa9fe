"""message/imdn+xml: the RFC 5438 example, what rules ask of a document, and hostile XML."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.bodies.imdn import IMDN_XML_NAMESPACE, STATUSES, ImdnFault, Kind, build_imdn, parse_imdn
from harness.errors import BodySyntaxError

EXAMPLE = b"""<?xml version="1.0" encoding="UTF-8"?>
<imdn xmlns="urn:ietf:params:xml:ns:imdn">
      <message-id>34jk324j</message-id>
      <datetime>2008-04-04T12:16:49-05:00</datetime>
     <recipient-uri>im:bob@example.com</recipient-uri>
      <original-recipient-uri
        >im:bob@example.com</original-recipient-uri>
      <delivery-notification>
         <status>
            <delivered/>
         </status>
      </delivery-notification>
    </imdn>
"""


def document(inner: str, namespace: str = IMDN_XML_NAMESPACE) -> bytes:
    return f'<imdn xmlns="{namespace}" xmlns:x="urn:example:x">{inner}</imdn>'.encode()


def test_the_example_of_rfc_5438() -> None:
    imdn = parse_imdn(EXAMPLE)
    assert imdn.message_id == "34jk324j"
    assert imdn.datetime == "2008-04-04T12:16:49-05:00"
    assert imdn.recipient_uri == imdn.original_recipient_uri == "im:bob@example.com"
    assert (imdn.notification, imdn.status, imdn.subject) == ("delivery", "delivered", None)
    assert imdn.order == (
        "message-id",
        "datetime",
        "recipient-uri",
        "original-recipient-uri",
        "delivery-notification",
    )
    assert (imdn.encoding, imdn.faults, imdn.foreign, imdn.unknown) == ("UTF-8", (), (), ())
    assert imdn.root.namespace == IMDN_XML_NAMESPACE


def test_message_id_is_a_token_with_its_white_space_collapsed() -> None:
    assert parse_imdn(document("<message-id>\n a  b\t</message-id>")).message_id == "a b"


def test_notifications_are_counted_and_foreign_elements_kept_apart() -> None:
    imdn = parse_imdn(
        document(
            "<message-id>a</message-id><x:more/><display-notification><status><displayed/></status>"
            "</display-notification><delivery-notification/><other/>"
        )
    )
    assert [item.name for item in imdn.notifications] == ["display-notification", "delivery-notification"]
    assert (imdn.notification, imdn.status) == ("display", "displayed")
    assert [(item.namespace, item.name) for item in imdn.foreign] == [("urn:example:x", "more")]
    assert [item.name for item in imdn.unknown] == ["other"]


def test_children_of_status_carry_text_attributes_and_namespace() -> None:
    imdn = parse_imdn(
        document(
            "<delivery-notification><status><failed a='1'>x</failed><x:y/></status></delivery-notification>"
        )
    )
    status = imdn.notifications[0].children[0]
    assert [(child.name, child.empty) for child in status.children] == [("failed", False), ("y", True)]
    assert status.children[0].attributes == ("a",)


def test_a_document_of_another_namespace_is_still_read() -> None:
    imdn = parse_imdn(document("<message-id>a</message-id>", "urn:wrong"))
    assert (imdn.root.namespace, imdn.message_id) == ("urn:wrong", "a")


def test_comments_split_no_text() -> None:
    assert parse_imdn(document("<message-id>a<!-- c -->b</message-id>")).message_id == "ab"


@pytest.mark.parametrize(
    "data",
    [b"", b"x", b"<imdn>", b"<imdn/><imdn/>", b"\xff\xfe\x00", b'<?xml version="1.0" encoding="nope"?><a/>'],
)
def test_what_is_not_well_formed_is_refused(data: bytes) -> None:
    with pytest.raises(BodySyntaxError):
        parse_imdn(data)


def test_the_error_points_at_the_octet() -> None:
    with pytest.raises(BodySyntaxError) as error:
        parse_imdn(b"<imdn>\n<message-id>\n</imdn>")
    assert 20 <= error.value.offset <= 28


def test_entities_are_not_expanded() -> None:
    data = (
        b'<!DOCTYPE imdn [<!ENTITY a "0123456789"><!ENTITY b "&a;&a;&a;"><!ENTITY f SYSTEM "file:///etc/passwd">]>'
        b'<imdn xmlns="urn:ietf:params:xml:ns:imdn"><message-id>&b;</message-id>'
        b"<datetime>&f;</datetime></imdn>"
    )
    imdn = parse_imdn(data)
    assert (imdn.message_id, imdn.datetime) == ("", "")
    assert [fault.what for fault in imdn.faults] == [ImdnFault.DOCTYPE]


def test_another_encoding_is_read_and_noted() -> None:
    data = '<?xml version="1.0" encoding="UTF-16"?><imdn xmlns="urn:ietf:params:xml:ns:imdn"/>'.encode(
        "utf-16"
    )
    assert [fault.what for fault in parse_imdn(data).faults] == [ImdnFault.ENCODING]


def test_what_is_written_follows_the_schema_order() -> None:
    data = build_imdn("m1", "2015-02-17T06:54:27Z", "display", recipient_uri="sip:a@b", subject="x & <y>")
    assert parse_imdn(data).order == (
        "message-id",
        "datetime",
        "recipient-uri",
        "subject",
        "display-notification",
    )
    assert b"x &amp; &lt;y&gt;" in data


@pytest.mark.parametrize(
    ("message_id", "when", "kind", "status"),
    [
        ("m", None, "delivery", None),
        ("", "t", "delivery", None),
        (" m", "t", "delivery", None),
        ("m\x00", "t", "delivery", None),
        ("m", "t\r", "delivery", None),
        ("m", "t", "delivery", "displayed"),
        ("m", "t", "processing", "delivered"),
    ],
)
def test_the_writer_refuses(message_id: str, when: str | None, kind: Kind, status: str | None) -> None:
    with pytest.raises(BodySyntaxError):
        build_imdn(message_id, when, kind, status)
    assert build_imdn(message_id, when, kind, status, strict=False)


TOKENS = st.text(
    st.characters(min_codepoint=33, blacklist_categories=["Cs", "Cc", "Zs", "Zl", "Zp"]), min_size=1
)


@given(
    TOKENS.filter(lambda text: not set(text) & {"\ufffe", "\uffff"}),
    st.sampled_from([(kind, status) for kind, statuses in STATUSES.items() for status in statuses]),
    st.one_of(st.none(), st.just("a <b> & c")),
)
def test_what_is_written_is_read_back(
    message_id: str, disposition: tuple[Kind, str], subject: str | None
) -> None:
    imdn = parse_imdn(build_imdn(message_id, "2015-02-17T06:54:27Z", *disposition, subject=subject))
    assert (imdn.message_id, imdn.notification, imdn.status, imdn.subject) == (
        message_id,
        *disposition,
        subject,
    )
    assert imdn.faults == ()


XML = st.sampled_from(
    [
        "<imdn",
        ' xmlns="urn:ietf:params:xml:ns:imdn"',
        ">",
        "</imdn>",
        "<message-id>",
        "</message-id>",
        "&lt;",
        "&x;",
        "<status/>",
        "<!-- ",
        " -->",
        "<![CDATA[",
        "]]>",
        "<?p ?>",
        "<!DOCTYPE a>",
        "\x00",
        "a",
        '<?xml version="1.1"?>',
    ]
)


@given(
    st.one_of(st.binary(max_size=120), st.lists(XML, max_size=15).map(lambda parts: "".join(parts).encode()))
)
def test_no_octets_raise_anything_but_our_own_error(data: bytes) -> None:
    try:
        imdn = parse_imdn(data)
    except BodySyntaxError:
        return
    assert isinstance(imdn.order, tuple)
