"""AndroidHandset through the real adb server and the real adbutils against the simulated Android."""

from __future__ import annotations

import io
import os
import select
import signal
import socket
import threading
import time
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from devices.adb_server import AdbServer, free_port
from devices.android import AndroidHandset, parcel_text, read_notifications
from devices.apps import load_app
from devices.handset import ComposeMode, HandsetNotification, ScreenMessage, ShellResult, TextStatus
from devices.simulated.android_system import Front
from devices.simulated.conversations import MessageStatus
from devices.simulated.shell_system import parcel
from harness.errors import HandsetError, HandsetLost, NotSeen
from harness.evidence.timeline import Event, Layer, Timeline

ALICE, BOB = "+15550101", "+15550102"
HARD_TEXTS = [
    "hello",
    'it\'s "quoted" & <b>bold</b> $HOME `id` \\n ; rm -rf / | cat #x ~ !',
    "Grüße 你好 привет שלום 😀👩‍👩‍👧🏽",
    "first line\nsecond line\n\nfourth line",
    "x" * 1301,
    "é" * 650 + "a",
    "control \x07 and \x0b end",
    "-d --es %s%%",
]


def screen_events(timeline: Timeline) -> list[Event]:
    return [entry for entry in timeline if isinstance(entry, Event) and entry.name == "screen"]


def wait_until(handset: AndroidHandset, condition: Any) -> None:
    """Wait on state through the handset itself: each look is a shell call."""
    until = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < until, "state not reached"
        handset.link.run("true", record=False)


def test_exit_codes_and_error_output_are_kept_apart(handset: AndroidHandset, timeline: Timeline) -> None:
    result = handset.shell("echo out; cat /nowhere; exit 7")
    assert (result.exit, result.stdout) == (7, "out\n")
    assert result.stderr == "cat: /nowhere: No such file or directory\n"
    event = timeline.since(0)[-1]
    assert isinstance(event, Event)
    assert event.layer is Layer.ADB and event.name == "shell"
    assert event.fields["exit"] == 7 and event.fields["command"] == "echo out; cat /nowhere; exit 7"


def test_unknown_command_answers_as_android_does(handset: AndroidHandset) -> None:
    result = handset.shell("foo --bar")
    assert result.exit == 127
    assert result.stderr == "/system/bin/sh: foo: inaccessible or not found\n"


def test_arguments_given_as_a_list_survive_the_device_shell(handset: AndroidHandset) -> None:
    for text in HARD_TEXTS:
        assert handset.shell(["echo", "-n", text]).stdout == text


def test_exec_out_is_binary_safe_over_three_megabytes(bench: Any, handset: AndroidHandset) -> None:
    data = bytes(range(256)) * 4 * 3072
    bench.call(bench.android.files.write, "/sdcard/big.bin", data)
    assert handset.link.raw("cat /sdcard/big.bin") == data


def test_a_command_that_does_not_end_is_given_up(handset: AndroidHandset) -> None:
    with pytest.raises(HandsetLost, match=r"sleep 100.*within 0.3 s, got silence"):
        handset.shell("sleep 100", timeout=0.3)
    assert handset.shell("echo again").stdout == "again\n"


def test_a_command_that_drips_for_ever_is_given_up(bench: Any, handset: AndroidHandset) -> None:
    def drip() -> None:
        bench.android.logcat.write("main", "I", "drip", "drop")
        bench.loop.call_later(0.02, drip)

    bench.call(drip)
    began = time.monotonic()
    with pytest.raises(HandsetLost, match=r"logcat -b all` within 0\.5 s, got silence"):
        handset.shell("logcat -b all", timeout=0.5)
    assert time.monotonic() - began < 5


def test_old_handsets_without_shell_v2_still_give_exit_codes(handset: AndroidHandset) -> None:
    handset.link._shell_v2 = False
    result = handset.shell("echo out; cat /nowhere")
    assert (result.exit, result.stdout) == (1, "out\ncat: /nowhere: No such file or directory\n")


def test_identity(bench: Any, handset: AndroidHandset) -> None:
    identity = handset.identify()
    assert (identity.serial, identity.model, identity.release) == ("SIM0001", "Simulated Handset", "15")
    assert identity.fingerprint.endswith(":user/release-keys")
    assert identity.imei == bench.baseband.imei


def test_imei_falls_back_to_the_parcel_when_denied(bench: Any, handset: AndroidHandset) -> None:
    handset.set_property("debug.rcslab.imei", "denied")
    assert handset.identify().imei == bench.baseband.imei


def test_parcel_text_reads_what_service_call_prints() -> None:
    assert parcel_text(parcel("490154203237518")) == "490154203237518"
    denied = "Result: Parcel(\n  0x00000000: ffffffff 00000052 00650067 00490074 'R...g.e.t.I.')"
    assert parcel_text(denied) == ""


def test_airplane_mode_switches_the_radio(bench: Any, handset: AndroidHandset) -> None:
    handset.airplane(True)
    assert handset.airplane_mode() and bench.baseband.airplane
    assert "mVoiceRegState=3(POWER_OFF)" in handset.shell("dumpsys telephony.registry").stdout
    handset.airplane(False)
    assert not handset.airplane_mode()


def says(handset: AndroidHandset, monkeypatch: pytest.MonkeyPatch, *outputs: str) -> list[str]:
    """Let the shell print these, one for each line it is given, the last one ever after; gives the lines."""
    given: list[str] = []
    left = list(outputs)

    def run(command: Any, timeout: float | None = None, *, record: bool = True) -> ShellResult:
        given.append(str(command))
        return ShellResult(0, left.pop(0) if len(left) > 1 else left[0], "")

    monkeypatch.setattr(handset.link, "run", run)
    return given


def test_airplane_mode_that_takes_its_time_is_awaited(
    handset: AndroidHandset, monkeypatch: pytest.MonkeyPatch
) -> None:
    given = says(handset, monkeypatch, "disabled\n", "disabled\n", "enabled\n")
    handset.airplane(True)
    assert given == [
        "cmd connectivity airplane-mode enable && cmd connectivity airplane-mode",
        "cmd connectivity airplane-mode",
        "cmd connectivity airplane-mode",
    ]


def test_airplane_mode_that_does_not_come_is_an_error(
    handset: AndroidHandset, monkeypatch: pytest.MonkeyPatch
) -> None:
    says(handset, monkeypatch, "disabled\n")
    handset.link.deadline = 0.2
    with pytest.raises(HandsetError, match="expected airplane mode enabled, got 'disabled'"):
        handset.airplane(True)


def test_a_handset_that_is_still_booting_is_not_ready(bench: Any, handset: AndroidHandset) -> None:
    bench.call(bench.android.properties.publish, "sys.boot_completed", "0")
    with pytest.raises(HandsetLost, match=r"sys.boot_completed 1, got still booting after 0\.3 s"):
        handset.wait_ready(0.3)
    bench.call(bench.android.properties.publish, "sys.boot_completed", "1")
    handset.wait_ready(5)


def test_an_app_that_does_not_start_is_an_error_though_am_ends_well(
    handset: AndroidHandset, monkeypatch: pytest.MonkeyPatch
) -> None:
    error = "Starting: Intent { act=SENDTO }\nError: Activity not started, unable to resolve Intent\n"
    says(handset, monkeypatch, error)
    with pytest.raises(HandsetError, match=r"did not open for \S+ Starting.*\nError: Activity"):
        handset.open_conversation(ALICE)


def test_property_is_read_back(handset: AndroidHandset) -> None:
    handset.set_property("debug.rcslab.defects", "a,b c'd")
    assert handset.property("debug.rcslab.defects") == "a,b c'd"
    with pytest.raises(HandsetError, match="Failed to set property"):
        handset.set_property("ro.product.model", "other")


@pytest.mark.parametrize("text", HARD_TEXTS, ids=range(len(HARD_TEXTS)))
def test_a_text_is_sent_as_it_is(bench: Any, handset: AndroidHandset, text: str) -> None:
    handset.send_text(ALICE, text)
    assert bench.service.sent == [(ALICE, text)]
    last = handset.wait_for_text(text, 5, outgoing=True)
    assert last.status is TextStatus.SENDING


def test_status_follows_the_client(bench: Any, handset: AndroidHandset, timeline: Timeline) -> None:
    handset.send_text(ALICE, "hello")
    for status, expected in (
        (MessageStatus.SENT, TextStatus.SENT),
        (MessageStatus.DELIVERED, TextStatus.DELIVERED),
        (MessageStatus.READ, TextStatus.READ),
        (MessageStatus.DELIVERED, TextStatus.READ),
    ):
        bench.outcome("m1", status)
        assert handset.conversation(ALICE).messages == (ScreenMessage("hello", True, expected),)
    assert screen_events(timeline)[-1].fields["messages"] == [
        {"text": "hello", "outgoing": True, "status": "read"}
    ]
    assert screen_events(timeline)[-1].fields["conversation"] == ALICE


def test_wait_for_text_returns_when_the_status_comes(bench: Any, handset: AndroidHandset) -> None:
    handset.send_text(ALICE, "hello")
    timer = threading.Timer(0.2, bench.outcome, ("m1", MessageStatus.DELIVERED))
    timer.start()
    assert handset.wait_for_text("hello", 5, status=TextStatus.DELIVERED).outgoing
    timer.join()


def test_wait_for_text_says_what_was_on_screen(bench: Any, handset: AndroidHandset) -> None:
    handset.open_conversation(ALICE)
    bench.incoming("something else")
    with pytest.raises(NotSeen, match=r"'hello' not on screen in 0\.2 s; last bubbles: in 'something else'"):
        handset.wait_for_text("hello", 0.2)


def test_a_text_with_another_status_is_not_the_one_waited_for(bench: Any, handset: AndroidHandset) -> None:
    handset.send_text(ALICE, "hello")
    bench.outcome("m1", MessageStatus.DELIVERED)
    with pytest.raises(NotSeen, match=r"'hello' with status read .* last bubbles: out 'hello' \[delivered\]"):
        handset.wait_for_text("hello", 0.2, status=TextStatus.READ)


def test_a_text_of_the_other_side_is_not_the_one_waited_for(bench: Any, handset: AndroidHandset) -> None:
    handset.open_conversation(ALICE)
    bench.incoming("hello")
    with pytest.raises(NotSeen, match="last bubbles: in 'hello'"):
        handset.wait_for_text("hello", 0.2, outgoing=True)
    assert not handset.wait_for_text("hello", 5, outgoing=False).outgoing


def test_of_equal_texts_the_last_counts(bench: Any, handset: AndroidHandset) -> None:
    for message_id, status in (("m1", MessageStatus.READ), ("m2", MessageStatus.SENT)):
        handset.send_text(ALICE, "again")
        bench.outcome(message_id, status)
    assert handset.wait_for_text("again", 5, outgoing=True).status is TextStatus.SENT
    with pytest.raises(NotSeen, match=r"'again' with status read .* out 'again' \[sent\]"):
        handset.wait_for_text("again", 0.2, status=TextStatus.READ)


def test_incoming_text_is_shown_only_on_screen(bench: Any, handset: AndroidHandset) -> None:
    bench.incoming("are you there? 😀\nsecond")
    assert bench.service.shown == []
    (notification,) = handset.notifications()
    assert notification.title == ALICE and notification.text == "are you there? 😀\nsecond"
    handset.open_conversation(ALICE)
    assert bench.service.shown == [ALICE]
    assert handset.notifications() == ()
    bench.incoming("one more")
    assert bench.service.shown == [ALICE, ALICE]
    for leave in (handset.home, handset.sleep, lambda: handset.open_conversation(BOB)):
        leave()
        before = list(bench.service.shown)
        bench.incoming("unseen")
        assert bench.service.shown == before
        handset.open_conversation(ALICE)
        assert set(bench.service.shown[len(before) :]) == {ALICE}


def test_a_conversation_left_by_the_user_is_opened_again(bench: Any, handset: AndroidHandset) -> None:
    bench.incoming("hello")
    handset.open_conversation(ALICE)
    handset.shell("input keyevent 3")
    assert handset.conversation(ALICE).messages == (ScreenMessage("hello", False, TextStatus.NONE),)


def test_a_screen_without_conversation_claims_none(
    bench: Any, handset: AndroidHandset, timeline: Timeline
) -> None:
    bench.incoming("hello")
    handset.open_conversation(ALICE)
    bench.call(bench.android.show, Front.LAUNCHER)
    screen = handset.conversation()
    assert (screen.conversation, screen.messages) == ("", ())
    assert screen_events(timeline)[-1].fields["conversation"] == ""


def test_mode_tells_chat_from_sms(bench: Any, handset: AndroidHandset) -> None:
    assert handset.conversation(ALICE).mode is ComposeMode.CHAT
    bench.android.app.chat_mode = False
    assert handset.conversation(ALICE).mode is ComposeMode.SMS


@pytest.mark.parametrize("failure", ["2:idle-error", "1:null-root", "3:idle-error"])
def test_uiautomator_is_asked_again(handset: AndroidHandset, failure: str) -> None:
    handset.set_property("debug.rcslab.uiautomator", failure)
    handset.open_conversation(ALICE)


def test_uiautomator_that_never_works_is_a_fault_of_the_lab(handset: AndroidHandset) -> None:
    handset.set_property("debug.rcslab.uiautomator", "idle-error")
    with pytest.raises(HandsetLost, match="ERROR: could not get idle state"):
        handset.dump()


def test_wedged_uiautomator_is_killed(handset: AndroidHandset, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("devices.android_screen.DUMP_TIMEOUT", 0.4)
    handset.set_property("debug.rcslab.uiautomator", "wedged")
    handset.open_conversation(ALICE)


def test_screenshot_opens_and_shows_the_conversation(bench: Any, handset: AndroidHandset) -> None:
    handset.send_text(ALICE, "hello there")
    picture = Image.open(io.BytesIO(handset.screenshot()))
    picture.load()
    assert picture.size == (540, 1200)
    colours = {colour for _, colour in picture.getcolors(1 << 20) or []}
    assert (11, 87, 208) in colours  # an outgoing bubble


def test_a_picture_that_is_cut_short_is_no_screenshot(
    handset: AndroidHandset, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = handset.screenshot()
    monkeypatch.setattr(handset.link, "raw", lambda command: whole[:-20])
    with pytest.raises(HandsetLost, match=f"expected a whole PNG of screencap, got {len(whole) - 20} octets"):
        handset.screenshot()


def test_logcat_lines_reach_the_timeline(bench: Any, handset: AndroidHandset, timeline: Timeline) -> None:
    handset.log.start()
    seen = threading.Event()
    timeline.listen(
        lambda entry: seen.set() if isinstance(entry, Event) and "marker-77" in entry.text else None
    )
    handset.shell("log -t harness marker-77")
    assert seen.wait(5)
    handset.airplane(True)
    wait_until(handset, lambda: any("RADIO_POWER" in line for line in handset.log.excerpt()))
    handset.log.stop()
    lines = [line for line in handset.log.excerpt() if "RADIO_POWER" in line]
    assert lines and "RILJ" in lines[0]
    assert len([line for line in handset.log.excerpt() if "marker-77" in line]) == 1


def test_an_excerpt_of_logcat_holds_the_lines_of_its_time(
    handset: AndroidHandset, timeline: Timeline
) -> None:
    handset.log.start()
    handset.shell("log -t harness earlier")
    wait_until(handset, lambda: any("earlier" in line for line in handset.log.excerpt()))
    between = timeline.now()
    handset.shell("log -t harness later")
    wait_until(handset, lambda: any("later" in line for line in handset.log.excerpt()))
    own = [line for line in handset.log.excerpt(between) if "harness" in line]
    assert len(own) == 1 and "later" in own[0]
    own = [line for line in handset.log.excerpt(until=between) if "harness" in line]
    assert len(own) == 1 and "earlier" in own[0]


def test_logcat_goes_on_after_an_interruption_without_repeating(bench: Any, handset: AndroidHandset) -> None:
    handset.log.start()
    handset.shell("log -t harness before")
    wait_until(handset, lambda: any("before" in line for line in handset.log.excerpt()))
    bench.call(bench.daemon.drop_transports)
    handset.link.reconnect(10)
    handset.shell("log -t harness after")
    wait_until(handset, lambda: any("after" in line for line in handset.log.excerpt()))
    texts = [line for line in handset.log.excerpt() if "harness" in line]
    assert len(texts) == 2


def test_reboot_waits_for_the_boot(bench: Any, handset: AndroidHandset) -> None:
    handset.open_conversation(ALICE)
    handset.reboot(30)
    assert handset.property("sys.boot_completed") == "1"
    assert "NexusLauncher" in handset.shell("dumpsys window | grep mCurrentFocus").stdout


def test_absent_handset_is_named(adb_server: AdbServer, timeline: Timeline) -> None:
    handset = AndroidHandset("NOSUCHSERIAL", adb_server.port, load_app("google_messages"), timeline)
    assert handset.state() == "absent"
    with pytest.raises(HandsetLost, match=r"NOSUCHSERIAL.*expected state device, got absent; check cable"):
        handset.shell("true")


def test_unauthorized_handset_is_named(bench: Any, adb_server: AdbServer, timeline: Timeline) -> None:
    bench.daemon.authorized = False
    handset = AndroidHandset(bench.address, adb_server.port, load_app("google_messages"), timeline)
    handset.link._connect_anew(10**9)
    with pytest.raises(HandsetLost, match=r"got unauthorized; unlock the handset"):
        handset.shell("true")
    handset.link.client.disconnect(bench.address)


def test_handset_lost_in_the_middle_of_a_command(bench: Any, handset: AndroidHandset) -> None:
    threading.Timer(0.2, lambda: bench.call(bench.daemon.drop_transports)).start()
    with pytest.raises(HandsetLost, match="the connection ended"):
        handset.shell("sleep 30")
    handset.link.reconnect(10)
    assert handset.shell("echo back").stdout == "back\n"


def test_adbd_gone_and_back(bench: Any, handset: AndroidHandset) -> None:
    bench.call(bench.daemon.go_down)
    with pytest.raises(HandsetLost, match=r"got (offline|absent)"):
        for _ in range(100):
            handset.shell("true")
    bench.call(bench.daemon.come_up)
    handset.link.reconnect(10)
    assert handset.shell("echo back").stdout == "back\n"


def test_a_handset_the_server_was_told_to_forget_is_connected_again(
    bench: Any, handset: AndroidHandset
) -> None:
    handset.link.client.disconnect(bench.address)
    assert handset.state() == "absent"
    handset.link.reconnect(5)
    assert handset.shell("echo back").stdout == "back\n"


def test_adb_server_killed_in_the_middle(bench: Any, timeline: Timeline, tmp_path: Path) -> None:
    with AdbServer(tmp_path) as server:
        server.connect(bench.address)
        handset = AndroidHandset(bench.address, server.port, load_app("google_messages"), timeline)
        assert handset.shell("echo here").stdout == "here\n"
        pid = server.pid
        assert pid is not None
        death = os.pidfd_open(pid)
        threading.Timer(0.2, os.kill, (pid, signal.SIGKILL)).start()
        # The shell ends when its socket does; the kernel closes the listening one a moment later.
        with pytest.raises(HandsetLost, match="adb server at"):
            handset.shell("sleep 30")
        assert select.select([death], [], [], 10)[0]
        os.close(death)
        with pytest.raises(HandsetLost, match="adb server at"):
            handset.shell("true")
        with socket.socket() as probe:  # nobody started a server in its place
            assert probe.connect_ex(("127.0.0.1", server.port)) != 0
        server.start()
        again = AndroidHandset(server.connect(bench.address), server.port, handset.app, timeline)
        assert again.shell("echo back").stdout == "back\n"


def test_no_adb_server(timeline: Timeline) -> None:
    handset = AndroidHandset("X", free_port(), load_app("google_messages"), timeline)
    with pytest.raises(HandsetLost, match="adb server at"):
        handset.state()


def test_clock_is_the_handsets(handset: AndroidHandset) -> None:
    assert handset.clock().year >= 2024


def test_notifications_are_read_from_aosp_text() -> None:
    text = (
        "  Notification List:\n    NotificationRecord(0x0c: pkg=com.google.android.apps.messaging user=0\n"
        "      extras={\n        android.title=String (Bob)\n"
        "        android.text=SpannableString (hi (there)\nyou)\n"
        "        android.showWhen=Boolean (true)\n      }\n"
        "    NotificationRecord(0x0d: pkg=android user=0\n      extras={\n      }\n"
    )
    expected = HandsetNotification("com.google.android.apps.messaging", "Bob", "hi (there)\nyou")
    assert read_notifications(text) == (expected,)
