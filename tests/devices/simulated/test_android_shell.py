"""The shell of the simulated handset without adb: command lines in, output and exit code out."""

from __future__ import annotations

import asyncio
import io
from xml.etree import ElementTree

import pytest
from PIL import Image

from devices.simulated.android_adb import COMMANDS
from devices.simulated.android_shell import AndroidShell
from devices.simulated.android_system import AndroidSystem
from devices.simulated.baseband import Baseband, Cell, Pdn
from devices.simulated.pipes import Fixed, Memory

ALICE = "+15550101"


class Clock:
    now = 1_795_352_400.125

    def __call__(self) -> float:
        return self.now


class Handset:
    """An Android with a clock the test drives; `run` runs lines in a fresh loop each."""

    def __init__(self) -> None:
        self.clock = Clock()
        self.baseband = Baseband()
        self.android = AndroidSystem(self.baseband, serial="SIM0001", clock=self.clock)
        self.shell = AndroidShell(self.android, COMMANDS)

    def run(self, line: str, stdin: bytes = b"") -> tuple[int, bytes, str]:
        out, err = Memory(), Memory()
        code = asyncio.run(self.shell.run(line, Fixed(stdin), out, err))
        return code, bytes(out.data), err.data.decode()

    def text(self, line: str) -> str:
        code, out, err = self.run(line)
        assert (code, err) == (0, ""), (code, err)
        return out.decode()

    def camp(self) -> None:
        self.baseband.heard(Cell("001", "01", 7, 257, -85.0))
        self.baseband.attached(Pdn("ims", "10.0.0.2", ()))


@pytest.fixture
def handset() -> Handset:
    return Handset()


@pytest.mark.parametrize(
    ("line", "output", "code"),
    [
        ("echo a; echo b", "a\nb\n", 0),
        ("false && echo no || echo yes", "yes\n", 0),
        ("false; echo X4EXIT:$?", "X4EXIT:1\n", 0),
        ("export ANDROID_LOG_TAGS=''; exec echo done; echo never", "done\n", 0),
        ("A=1; echo \"$A\" '$A' ${A}2", "1 $A 12\n", 0),
        ("echo $(echo x; echo y)", "x y\n", 0),
        ("printf x | cat", "", 0),
        ("getprop | grep -c ro.product.model", "1\n", 0),
        ("echo one two | grep -o 't.o'", "two\n", 0),
        ("echo a > /sdcard/a; echo b >> /sdcard/a; cat /sdcard/a; ls /sdcard/*a*", None, 0),
        ("cat /sdcard/none 2>/dev/null; echo $?", "1\n", 0),
        ("! false", "", 0),
        ("exit 3; echo no", "", 3),
        ("sh -c 'echo in; exit 4'", "in\n", 4),
        ("wm size", "Physical size: 540x1200\n", 0),
        ("date +%s", "1795352400\n", 0),
        ("settings get global nothing", "null\n", 0),
        ("settings put global mobile_data 0; settings get global mobile_data", "0\n", 0),
        ("pm path com.google.android.apps.messaging", None, 0),
        ("pm path org.nothing", "", 1),
        ("svc data disable && settings get global mobile_data", "0\n", 0),
        ("cmd connectivity airplane-mode", "disabled\n", 0),
        ("cmd phone get-imei", "Device IMEI: 490154203237518\n", 0),
        ("input tap a b", "", 255),
        ("dumpsys nothing", "", 0),
    ],
)  # fmt: skip
def test_lines(handset: Handset, line: str, output: str | None, code: int) -> None:
    result = handset.run(line)
    assert result[0] == code
    if output is not None:
        assert result[1].decode() == output


def test_unknown_commands(handset: Handset) -> None:
    code, out, err = handset.run("su -c id")
    assert (code, out, err) == (127, b"", "/system/bin/sh: su: inaccessible or not found\n")


def test_standard_input_reaches_commands(handset: Handset) -> None:
    assert handset.run("cat | grep b", b"a\nb\n")[:2] == (0, b"b\n")
    assert handset.run("", b"echo a\nfalse\nexit 9\necho b\n")[:2] == (9, b"a\n")


def test_logcat_through_grep_shows_lines_as_they_come(handset: Handset) -> None:
    async def act() -> tuple[int, bytes]:
        out, log = Memory(), handset.android.logcat
        running = asyncio.ensure_future(
            handset.shell.run("logcat -b main | grep -m 1 wanted", Fixed(b""), out, Memory())
        )
        for _ in range(50):
            await asyncio.sleep(0)
        assert log.followed
        for text in ("other", "wanted", "later"):  # the last one finds the pipe broken, as SIGPIPE does
            log.write("main", "I", "Tag", text, pid=1)
            await asyncio.sleep(0)
        for _ in range(50):
            log.write("main", "I", "Tag", "later", pid=1)
            await asyncio.sleep(0)
        return await asyncio.wait_for(running, 5), bytes(out.data)

    code, out = asyncio.run(act())
    assert code == 0
    assert out.decode().endswith("I Tag     : wanted\n") and out.count(b"\n") == 1


def test_telephony_state_follows_the_baseband(handset: Handset) -> None:
    assert "mVoiceRegState=1(OUT_OF_SERVICE)" in handset.text("dumpsys telephony.registry")
    handset.camp()
    registry = handset.text("dumpsys telephony.registry")
    assert "mVoiceRegState=0(IN_SERVICE)" in registry and "mTac=7" in registry and "rsrp=-85" in registry
    assert handset.text("getprop gsm.operator.numeric") == "00101\n"
    handset.text("cmd connectivity airplane-mode enable")
    assert handset.baseband.airplane
    assert "mVoiceRegState=3(POWER_OFF)" in handset.text("dumpsys telephony.registry")
    assert handset.text("getprop gsm.operator.numeric") == "\n"
    assert "RADIO_POWER" in handset.text("logcat -b radio -d")


def test_start_of_the_messaging_app(handset: Handset) -> None:
    package, action = "com.google.android.apps.messaging", "android.intent.action.SENDTO"
    said = handset.text(f"am start -W -a {action} -d smsto:{ALICE} --es sms_body 'it'\\''s' {package}")
    first, status, *_, last = said.splitlines()
    assert first == f"Starting: Intent {{ act={action} dat=smsto:xxxxxxxxx pkg={package} (has extras) }}"
    assert (status, last) == ("Status: ok", "Complete")
    assert handset.android.app.conversations[ALICE].draft == "it's"
    assert "u0 com.google.android.apps.messaging/.ui.conversation" in handset.text(
        "dumpsys window windows | grep mCurrentFocus"
    )
    handset.text("am force-stop com.google.android.apps.messaging")
    assert "NexusLauncher" in handset.text("dumpsys activity activities | grep topResumed")


def test_an_intent_nobody_takes(handset: Handset) -> None:
    code, _, err = handset.run("am start -a android.intent.action.SENDTO -d smsto:1 org.nothing")
    assert code == 1
    assert err.startswith("Error: Activity not started, unable to resolve Intent {")


def test_typed_text(handset: Handset) -> None:
    handset.text(f"am start -a android.intent.action.SENDTO -d smsto:{ALICE}")
    handset.text("input text 'hello%sworld'; input keyevent 67")
    assert handset.android.app.conversations[ALICE].draft == "hello worl"
    code, _, err = handset.run("input text é")
    assert code == 255 and "NullPointerException" in err


def test_dump_to_file_and_terminal(handset: Handset) -> None:
    assert handset.text("uiautomator dump") == "UI hierchary dumped to: /sdcard/window_dump.xml\n"
    xml = handset.text("cat /storage/emulated/0/window_dump.xml")
    assert ElementTree.fromstring(xml).tag == "hierarchy"
    assert handset.text("uiautomator dump /dev/tty").startswith(
        "<?xml version='1.0' encoding='UTF-8' standalone='yes' ?><hierarchy"
    )
    assert len(handset.text("uiautomator dump --compressed /dev/tty")) < len(xml) + 40


@pytest.mark.parametrize(
    ("setting", "said"),
    [
        ("idle-error", "ERROR: could not get idle state.\n"),
        ("null-root", "ERROR: null root node returned by UiTestAutomationBridge.\n"),
    ],
)
def test_dump_fails_as_switched(handset: Handset, setting: str, said: str) -> None:
    handset.text(f"setprop debug.rcslab.uiautomator 1:{setting}; rm -f /sdcard/window_dump.xml")
    assert handset.run("uiautomator dump") == (0, b"", said)
    assert not handset.android.files.exists("/sdcard/window_dump.xml")
    assert handset.run("uiautomator dump")[2] == ""


def test_screen_off_has_no_root_node_and_a_black_picture(handset: Handset) -> None:
    handset.text("input keyevent SLEEP")
    assert "mWakefulness=Asleep" in handset.text("dumpsys power | grep mWakefulness=")
    assert "null root node" in handset.run("uiautomator dump")[2]
    assert Image.open(io.BytesIO(handset.run("screencap -p")[1])).getcolors() == [(540 * 1200, (0, 0, 0))]
    handset.text("input keyevent KEYCODE_WAKEUP")
    assert "keyguard_clock" in handset.text("uiautomator dump /dev/tty")
    handset.text("wm dismiss-keyguard")
    assert "keyguard_clock" not in handset.text("uiautomator dump /dev/tty")


def test_logcat_formats(handset: Handset) -> None:
    handset.android.logcat.write("radio", "D", "RILJ", "one\ntwo", pid=12, tid=13, uid=1001)
    assert handset.text("logcat -d -b radio -v threadtime") == (
        "--------- beginning of radio\n"
        "11-22 13:00:00.125    12    13 D RILJ    : one\n"
        "11-22 13:00:00.125    12    13 D RILJ    : two\n"
    )
    assert handset.text("logcat -d -b radio -v threadtime,uid -t 1").splitlines()[1] == (
        "11-22 13:00:00.125  1001    12    13 D RILJ    : two"
    )
    assert handset.text("logcat -d -b radio -v epoch -v brief").splitlines()[1] == "D/RILJ    (   12): one"
    assert handset.text("logcat -d -b radio -v threadtime -v epoch -T 1795352400.126") == ""
    assert handset.text("logcat -d -b radio RILJ:W '*:S'") == ""
    assert handset.text("logcat -c -b radio; logcat -d -b radio") == ""


def test_notifications_can_be_hidden(handset: Handset) -> None:
    handset.android.app.incoming(ALICE, "secret", "i1")
    assert "android.text=String (secret)" in handset.text("dumpsys notification --noredact")
    assert "secret" not in handset.text("dumpsys notification")
    handset.text("cmd statusbar expand-notifications")
    assert 'resource-id="android:id/text"' in handset.text("uiautomator dump /dev/tty")


SEND = "am start -a android.intent.action.SEND -t text/plain --eu android.intent.extra.STREAM"


def test_a_file_is_shared_with_a_number(handset: Handset) -> None:
    handset.text("echo -n hello > '/sdcard/Download/a b.txt'")
    said = handset.text(f"{SEND} 'file:///sdcard/Download/a%20b.txt' --es address '{ALICE}'")
    assert said == "Starting: Intent { act=android.intent.action.SEND typ=text/plain (has extras) }\n"
    attached = handset.android.app.conversations[ALICE].attached
    assert attached is not None
    assert (attached.name, attached.type, attached.size) == ("a b.txt", "text/plain", 5)


def test_a_file_shared_with_nobody_waits_for_the_user(handset: Handset) -> None:
    handset.text("echo hello > /sdcard/Download/a.txt")
    assert handset.text(f"{SEND} file:///sdcard/Download/a.txt")
    assert handset.android.app.pages.shared == ("/sdcard/Download/a.txt", "text/plain")
    handset.text(f"{SEND} file:///sdcard/none.txt --es address {ALICE}")
    assert handset.android.app.snackbar == "Couldn't load attachment"


def test_properties_say_what_is_accepted(handset: Handset) -> None:
    assert handset.text("getprop debug.rcslab.auto_download") == "10000000\n"
    handset.text("setprop debug.rcslab.accept_chats 0; setprop debug.rcslab.auto_download many")
    acceptance = handset.android.app.acceptance
    assert (acceptance.accept_chats, acceptance.accept_groups, acceptance.auto_download) == (0, 1, 10_000_000)


def test_files_grow_in_place(handset: Handset) -> None:
    handset.text("echo -n one > /sdcard/a; echo -n two >> /sdcard/a; echo -n three >> /sdcard/a")
    assert handset.text("cat /sdcard/a") == "onetwothree"
