"""The view tree and its picture."""

from __future__ import annotations

import io
from xml.etree import ElementTree

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from devices.apps.dump import as_dumped
from devices.simulated import lettering, ui_tree
from devices.simulated.android_system import AndroidSystem, Front
from devices.simulated.baseband import Baseband
from devices.simulated.screen import StatusBar, draw
from devices.simulated.ui_tree import Box, Metrics, Node

ALICE = "+15550101"
BAR = StatusBar("13:00", "rcslab", 3, "LTE", False, 1)


@pytest.fixture
def android() -> AndroidSystem:
    return AndroidSystem(Baseband(), serial="S", clock=lambda: 1_795_352_400.0)


@given(st.text())
def test_any_text_survives_the_dump(text: str) -> None:
    node = Node("android.widget.TextView", Box(0, 0, 10, 10), text)
    (found,) = ElementTree.fromstring(ui_tree.dump(node))
    assert found.get("text") == as_dumped(text)


def test_serialized_as_android_does() -> None:
    node = Node("V", Box(0, 0, 1, 1), "a\nb <&> 😀 \x07", description='say "x"')
    xml = ui_tree.dump(node)
    assert 'text="a&#10;b &lt;&amp;&gt; &#128512; ."' in xml
    assert "content-desc='say \"x\"'" in xml


@settings(max_examples=25, deadline=None)
@given(st.text(max_size=300))
def test_any_text_can_be_drawn(text: str) -> None:
    android = AndroidSystem(Baseband(), serial="S", clock=lambda: 0.0)
    android.app.incoming(ALICE, text, "i")
    android.app.open_conversation(ALICE, text)
    android.show(Front.MESSAGING)
    picture = Image.open(io.BytesIO(draw(android.tree(), BAR, Metrics(270, 600))))
    assert picture.size == (270, 600)


@pytest.mark.parametrize("size", [(540, 1200), (1080, 2400), (270, 600)])
def test_only_what_is_on_screen_is_in_the_tree(android: AndroidSystem, size: tuple[int, int]) -> None:
    android.metrics = Metrics(*size)
    for number in range(60):
        android.app.incoming(ALICE, f"text {number}", f"i{number}")
    android.app.open_conversation(ALICE)
    android.show(Front.MESSAGING)
    tree = android.tree()
    assert tree is not None
    texts = [node.text for node in tree.walk() if node.resource_id.endswith(":id/message_text")]
    assert texts[-1] == "text 59" and 5 < len(texts) < 60
    assert all(not node.bounds.empty and node.bounds.bottom <= size[1] for node in tree.walk())
    android.swipe(100, 400, 100, 400 + size[1] // 4)
    scrolled = android.tree()
    assert scrolled is not None
    assert "text 59" not in [
        node.text for node in scrolled.walk() if node.resource_id.endswith(":id/message_text")
    ]


def test_touching_the_list_opens_the_conversation(android: AndroidSystem) -> None:
    android.app.incoming(ALICE, "hi", "i")
    android.app.open_list()
    android.show(Front.MESSAGING)
    tree = android.tree()
    assert tree is not None
    row = next(node for node in tree.walk() if node.resource_id.endswith("conversation_name"))
    android.touch(row.bounds.left + 1, row.bounds.top + 1)
    assert android.app.conversation_on_screen == ALICE


def test_exit_on_sent_leaves_the_app(android: AndroidSystem) -> None:
    android.app.open_conversation(ALICE, "bye", exit_on_sent=True)
    android.show(Front.MESSAGING)
    tree = android.tree()
    assert tree is not None
    send = next(node for node in tree.walk() if node.resource_id == "Compose:Draft:Send")
    android.touch((send.bounds.left + send.bounds.right) // 2, (send.bounds.top + send.bounds.bottom) // 2)
    assert android.front is Front.LAUNCHER


def test_lines_break_at_blanks_and_inside_long_words() -> None:
    lines = lettering.wrap("one two three four five six seven " + "x" * 200, 20, 200)
    assert all(lettering.width(line, 20) <= 200 for line in lines)
    assert "".join(lines).replace(" ", "") == "onetwothreefourfivesixseven" + "x" * 200


def test_screen_off_is_black() -> None:
    assert Image.open(io.BytesIO(draw(None, BAR, Metrics(100, 200)))).getcolors() == [(20000, (0, 0, 0))]
