"""Reading dumps of the shapes seen on handsets, as literal text."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from devices.apps import load_app
from devices.apps.dump import DumpError, as_dumped, file_state_of, parse_dump, read_conversation, status_of
from devices.handset import ComposeMode, FileState, ScreenFile, ScreenMessage, TextStatus

GOOGLE, SAMSUNG = load_app("google_messages"), load_app("samsung_messages")
G = "com.google.android.apps.messaging"
S = "com.samsung.android.messaging"
FLAGS = 'checkable="false" checked="false" clickable="true" enabled="true" focusable="true" focused="false" scrollable="false" long-clickable="false" password="false" selected="false"'  # noqa: E501


def node(
    kind: str, bounds: str, *inside: str, text: str = "", rid: str = "", desc: str = "", package: str = G
) -> str:
    head = f'<node index="0" text="{text}" resource-id="{rid}" class="{kind}" package="{package}"'
    return f'{head} content-desc="{desc}" {FLAGS} bounds="{bounds}">{"".join(inside)}</node>'


def hierarchy(*nodes: str, width: int = 1080) -> str:
    root = node("android.widget.FrameLayout", f"[0,0][{width},2400]", *nodes)
    return (
        "<?xml version='1.0' encoding='UTF-8' standalone='yes' ?>"
        f'<hierarchy rotation="0">{root}</hierarchy>'
        "UI hierchary dumped to: /dev/tty\n"
    )


VIEW_BUILD = hierarchy(
    node(
        "android.view.ViewGroup",
        "[0,300][1080,500]",
        node("android.widget.TextView", "[40,310][700,480]", text="hi there", rid=f"{G}:id/message_text"),
        desc="Alice said hi there Yesterday 12:00 PM",
    ),
    node(
        "android.view.ViewGroup",
        "[0,500][1080,800]",
        node(
            "android.widget.TextView",
            "[500,510][1040,700]",
            text="a &amp; b&#10;&#128512;",
            rid=f"{G}:id/message_text",
        ),
        node(
            "android.widget.TextView",
            "[700,710][1040,760]",
            text="12:01 PM • Delivered",
            rid=f"{G}:id/message_status",
        ),
        desc="You said a &amp; b",
    ),
    node(
        "android.widget.EditText",
        "[150,2200][880,2320]",
        text="RCS message",
        rid=f"{G}:id/compose_message_text",
    ),
    node(
        "android.widget.ImageButton",
        "[900,2200][1060,2320]",
        rid=f"{G}:id/send_message_button_icon",
        desc="Send SMS",
    ),
)

COMPOSE_BUILD = hierarchy(
    node(
        "android.view.View",
        "[0,200][1080,2100]",
        node(
            "android.view.View",
            "[0,300][1080,460]",
            node("android.widget.TextView", "[400,310][1040,440]", text="on my way", rid="message_text"),
        ),
        node(
            "android.widget.TextView",
            "[700,460][1040,500]",
            text="Not sent. Touch to try again.",
            rid="message_status",
        ),
        node(
            "android.view.View",
            "[0,520][1080,700]",
            node("android.widget.TextView", "[40,530][600,680]", text="You said that", rid="message_text"),
            desc="Bob said You said that",
        ),
        rid="message_list",
    ),
    node("android.widget.EditText", "[150,2200][880,2320]", text="draft", rid=f"{G}:id/compose_message_text"),
    node(
        "android.view.View",
        "[900,2200][1060,2320]",
        node("android.widget.Button", "[900,2200][1060,2320]"),
        rid="Compose:Draft:Send",
    ),
)

SAMSUNG_BUILD = hierarchy(
    node(
        "android.widget.TextView",
        "[60,300][700,420]",
        text="from them",
        rid=f"{S}:id/text_content",
        package=S,
    ),
    node(
        "android.widget.TextView",
        "[420,500][1020,620]",
        text="from me",
        rid=f"{S}:id/text_content",
        package=S,
    ),
    node("android.widget.TextView", "[300,560][400,600]", text="Read", package=S),
    node(
        "android.widget.EditText",
        "[150,2200][880,2320]",
        text="Enter message",
        rid=f"{S}:id/message_edit_text",
        package=S,
    ),
    node("android.widget.ImageButton", "[900,2200][1060,2320]", rid=f"{S}:id/send_button1", package=S),
)


def test_view_build_of_google_messages() -> None:
    dump = parse_dump(VIEW_BUILD)
    screen = read_conversation(dump, GOOGLE, "+1")
    assert screen.messages == (
        ScreenMessage("hi there", False, TextStatus.NONE),
        ScreenMessage("a & b\n😀", True, TextStatus.DELIVERED),
    )
    assert (screen.draft, screen.mode) == ("", ComposeMode.CHAT)
    send = dump.find(GOOGLE.elements.send_button)
    assert send is not None and send.centre == (980, 2260)
    assert dump.package == G


def test_compose_build_of_google_messages() -> None:
    dump = parse_dump(COMPOSE_BUILD)
    screen = read_conversation(dump, GOOGLE, "+1")
    assert screen.messages == (
        ScreenMessage("on my way", True, TextStatus.NOT_SENT),
        ScreenMessage("You said that", False, TextStatus.NONE),
    )
    assert (screen.draft, screen.mode) == ("draft", ComposeMode.UNKNOWN)
    send = dump.find(GOOGLE.elements.send_button)
    assert send is not None and send.id == "Compose:Draft:Send"


def test_samsung_messages_tells_sides_by_place_and_status_by_words() -> None:
    screen = read_conversation(parse_dump(SAMSUNG_BUILD), SAMSUNG, "+1")
    assert screen.messages == (
        ScreenMessage("from them", False, TextStatus.NONE),
        ScreenMessage("from me", True, TextStatus.READ),
    )
    assert screen.mode is ComposeMode.SMS


@pytest.mark.parametrize(
    ("line", "status"),
    [
        ("Sending…", TextStatus.SENDING),
        ("Sent", TextStatus.SENT),
        ("12:01 PM • RCS • Read", TextStatus.READ),
        ("Not sent. Touch to try again.", TextStatus.NOT_SENT),
        ("Not sent", TextStatus.NOT_SENT),
        ("Ready", TextStatus.NONE),
        ("Now", TextStatus.NONE),
    ],
)
def test_status_words(line: str, status: TextStatus) -> None:
    assert status_of(line, GOOGLE) is status


def test_longer_status_words_win_in_whatever_order_they_are_listed() -> None:
    words = {TextStatus.DELIVERED: ("delivered",), TextStatus.NOT_SENT: ("not delivered",)}
    app = GOOGLE.model_copy(update={"status_words": words})
    assert status_of("12:01 • not delivered", app) is TextStatus.NOT_SENT
    assert status_of("12:01 • delivered", app) is TextStatus.DELIVERED


@pytest.mark.parametrize(
    "output",
    [
        "ERROR: could not get idle state.\n",
        "ERROR: null root node returned by UiTestAutomationBridge.\n",
        "",
        "<hierarchy><node </hierarchy>",
    ],
)
def test_what_is_no_hierarchy_is_told(output: str) -> None:
    with pytest.raises(DumpError) as caught:
        parse_dump(output)
    assert str(caught.value)


def test_entities_are_not_resolved() -> None:
    bomb = '<!DOCTYPE h [<!ENTITY x SYSTEM "file:///etc/hostname">]><hierarchy><node text="a"/></hierarchy>'
    assert parse_dump(bomb).nodes[0].text == "a"


@given(st.text())
def test_no_output_raises_anything_else(text: str) -> None:
    for output in (text, f"<hierarchy>{text}</hierarchy>"):
        with contextlib.suppress(DumpError):
            parse_dump(output)


@given(st.text())
def test_as_dumped_is_stable(text: str) -> None:
    assert as_dumped(as_dumped(text)) == as_dumped(text)
    assert len(as_dumped(text)) == len(text)


CHAT = hierarchy(
    node("android.widget.TextView", "[100,60][900,100]", text="Alice", rid=f"{G}:id/conversation_title"),
    node("android.widget.TextView", "[100,100][900,140]", text="Chat", rid=f"{G}:id/conversation_subtitle"),
    node(
        "android.widget.FrameLayout",
        "[0,150][1080,290]",
        node(
            "android.widget.TextView", "[40,160][1040,200]", text="Join Alice?", rid=f"{G}:id/invitation_text"
        ),
        node("android.widget.Button", "[40,210][500,280]", text="Decline", rid=f"{G}:id/decline_button"),
        node("android.widget.Button", "[540,210][1040,280]", text="Accept", rid=f"{G}:id/accept_button"),
    ),
    node(
        "android.view.ViewGroup",
        "[0,300][1080,500]",
        node("android.widget.TextView", "[40,300][500,330]", text="Bob", rid=f"{G}:id/message_sender"),
        node("android.widget.TextView", "[40,340][700,480]", text="look", rid=f"{G}:id/message_text"),
    ),
    node("android.widget.TextView", "[40,500][1040,540]", text="Bob left", rid=f"{G}:id/system_message"),
    node(
        "android.view.ViewGroup",
        "[0,550][1080,800]",
        node("android.widget.TextView", "[500,560][1040,600]", text="a.pdf", rid=f"{G}:id/attachment_name"),
        node(
            "android.widget.TextView",
            "[500,610][1040,640]",
            text="1.2 MB • Not sent",
            rid=f"{G}:id/attachment_status",
        ),
        node(
            "android.widget.TextView",
            "[500,650][1040,690]",
            text="Not sent. Touch to try again.",
            rid=f"{G}:id/message_status",
        ),
    ),
    node(
        "android.widget.TextView",
        "[40,900][700,940]",
        text="Alice is typing...",
        rid=f"{G}:id/typing_indicator",
    ),
    node("android.widget.TextView", "[40,950][700,990]", text="No network", rid=f"{G}:id/snackbar_text"),
    node(
        "android.widget.EditText",
        "[40,1000][900,1100]",
        text="RCS message",
        rid=f"{G}:id/compose_message_text",
    ),
)


def test_chats_files_and_offers_are_read() -> None:
    screen = read_conversation(parse_dump(CHAT), GOOGLE, "Alice")
    assert screen.messages == (ScreenMessage("look", False, TextStatus.NONE, "Bob"),)
    assert screen.files == (
        ScreenFile("a.pdf", True, FileState.FAILED, "1.2 MB • Not sent", TextStatus.NOT_SENT),
    )
    assert (screen.offers, screen.notes) == (("Join Alice?",), ("Bob left",))
    assert (screen.composing, screen.said) == ("Alice is typing...", "No network")
    assert screen.in_chat


def test_an_app_without_words_for_files_leaves_their_state_open() -> None:
    mute = GOOGLE.model_copy(update={"file_words": {}})
    (file,) = read_conversation(parse_dump(CHAT), mute, "Alice").files
    assert (file.state, file.line) == (FileState.UNKNOWN, "1.2 MB • Not sent")


@pytest.mark.parametrize(
    ("line", "state"),
    [
        ("1.2 MB • Complete", FileState.DONE),
        ("500.0 kB of 1.2 MB • Transferring…", FileState.MOVING),
        ("1 B • Download?", FileState.OFFERED),
        ("Download failed", FileState.FAILED),
        ("Canceled", FileState.CANCELLED),
        ("what is this", FileState.UNKNOWN),
    ],
)
def test_state_of_a_file_by_its_line(line: str, state: FileState) -> None:
    assert file_state_of(line, GOOGLE) is state
