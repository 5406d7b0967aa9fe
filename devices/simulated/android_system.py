"""The simulated Android as a whole: properties, files, log, display and what stands on it, over the
baseband.

The shell commands and adbd act on this object; everything runs in one event loop.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum

from devices.simulated import screen, system_windows
from devices.simulated.app_window import app_window
from devices.simulated.baseband import Baseband, Change, Functionality, Registration
from devices.simulated.file_tree import FileTree
from devices.simulated.logcat import Logcat, RadioLog
from devices.simulated.messaging_app import ACTIVITY, CONVERSATION_ACTIVITY, PACKAGE, MessagingApp
from devices.simulated.properties import Properties, factory_properties
from devices.simulated.ui_tree import Metrics, Node

LAUNCHER_ACTIVITY = f"{system_windows.LAUNCHER}/.NexusLauncherActivity"
SWIPE_SLOP = 8
PACKAGES = {
    PACKAGE: f"/data/app/~~rcslab==/{PACKAGE}-1/base.apk",
    "com.android.systemui": "/system_ext/priv-app/SystemUIGoogle/SystemUIGoogle.apk",
    "com.android.shell": "/system/priv-app/Shell/Shell.apk",
    "com.google.android.apps.nexuslauncher": "/system_ext/priv-app/NexusLauncher/NexusLauncher.apk",
}
# RSRP in dBm below which a bar goes (CellSignalStrengthLte.updateLevel of AOSP, default thresholds)
_LEVELS = (-128.0, -118.0, -108.0, -98.0)


@dataclass(slots=True)
class Storage:
    """The data partition in KiB: what it holds, what stands on it, and what of that are caches of apps."""

    total: int = 112_476_320
    used: int = 24_386_052
    caches: int = 812_340

    @property
    def free(self) -> int:
        """KiB not used."""
        return self.total - self.used


class Power(Enum):
    """Told to subscribers of the power state."""

    DOWN = "down"
    UP = "up"


class Front(Enum):
    """Whose window is in front."""

    LAUNCHER = "launcher"
    MESSAGING = "messaging"
    SHADE = "shade"


class AndroidSystem:
    """One simulated Android.

    `boot_seconds` is how long a reboot takes; `clock` gives Unix time in seconds.
    """

    def __init__(
        self,
        baseband: Baseband,
        *,
        serial: str,
        model: str | None = None,
        release: str = "15",
        sdk: int = 35,
        build: str = "AP4A.250105.002",
        operator: str = "rcslab",
        metrics: Metrics | None = None,
        boot_seconds: float = 1.0,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.baseband = baseband
        self.serial = serial
        self.operator = operator
        self.metrics = metrics or Metrics()
        self._host_clock, self.clock_step = clock, 0.0
        self.boot_seconds = boot_seconds
        self.started = self.clock()
        identity = baseband.identity
        self.properties = Properties(
            factory_properties(
                serial=serial,
                model=model or identity.model,
                manufacturer=identity.manufacturer,
                release=release,
                sdk=sdk,
                build=build,
                baseband=f"{identity.revision}-{identity.software_version}",
            )
        )
        self.files = FileTree(self.clock)
        self.logcat = Logcat(self.clock)
        self.radio_log = RadioLog(self.logcat)
        self.app = MessagingApp(self.clock, files=self.files)
        for name, value in self.app.acceptance.properties().items():
            self.properties.publish(name, value)
        self.properties.subscribe(self.app.acceptance.property_changed)
        self.settings: dict[tuple[str, str], str] = {
            ("global", "airplane_mode_on"): str(int(baseband.airplane)),
            ("global", "mobile_data"): "1",
            ("global", "wifi_on"): "0",
            ("global", "device_name"): model or identity.model,
            ("secure", "android_id"): "9774d56d682e549c",
        }
        self.awake, self.locked, self.pin = True, False, ""
        self.packages = dict(PACKAGES)
        self.sms_app = PACKAGE
        self.storage = Storage()
        self.front = Front.LAUNCHER
        self._power: list[Callable[[Power], None]] = []
        self._tasks: set[asyncio.Task[None]] = set()
        baseband.subscribe(self._radio_changed)
        self._publish_radio()

    def clock(self) -> float:
        """Unix time in seconds as this handset has it."""
        return self._host_clock() + self.clock_step

    def set_clock(self, now: float) -> None:
        """Set the clock of the system."""
        self.clock_step = now - self._host_clock()

    # Display

    def update(self) -> None:
        """Tell the app whether it is seen; call after each change of the display."""
        lit = self.awake and not self.locked
        self.app.set_visible(lit and self.front is Front.MESSAGING and self.app.running)

    def tree(self) -> Node | None:
        """The window on screen; None when the screen is off."""
        if not self.awake:
            return None
        if self.locked:
            return system_windows.keyguard(self.metrics, self.clock())
        if self.front is Front.SHADE:
            return system_windows.shade(self.metrics, list(self.app.notifications.values()))
        if self.front is Front.LAUNCHER or not self.app.running:
            return system_windows.launcher(self.metrics)
        return app_window(self.metrics, self.app)

    async def picture(self) -> bytes:
        """The screen as PNG. Drawn in a thread: the RCS client's timers share this loop."""
        tree = self.tree()
        bar = screen.StatusBar(
            time.strftime("%H:%M", time.gmtime(self.clock())),
            self.operator if self.baseband.registered else "",
            self.signal_level(),
            "LTE" if self.baseband.registered else "",
            self.baseband.airplane,
            len(self.app.notifications),
        )
        return await asyncio.to_thread(screen.draw, tree, bar, self.metrics)

    def signal_level(self) -> int | None:
        """Bars, 0 to 4; None without service."""
        power = self.baseband.signal_dbm
        if power is None or not self.baseband.registered:
            return None
        return sum(power >= limit for limit in _LEVELS)

    def focus(self) -> str:
        """package/activity in front."""
        if self.locked or not self.awake or self.front is Front.SHADE:
            return "NotificationShade"
        if self.front is Front.LAUNCHER or not self.app.running:
            return LAUNCHER_ACTIVITY
        return ACTIVITY if self.app.current is None else CONVERSATION_ACTIVITY

    def wake(self) -> None:
        """The screen goes on; a keyguard stays in front."""
        self.awake = True
        self.update()

    def sleep(self) -> None:
        """The screen goes off and locks."""
        self.awake, self.locked = False, True
        self.update()

    def unlock(self) -> None:
        """wm dismiss-keyguard, which also lights the screen. Where a PIN is set it only asks for that."""
        self.awake, self.locked = True, self.locked and bool(self.pin)
        self.update()

    def show(self, front: Front) -> None:
        """Bring a window to the front."""
        self.front = front
        self.update()

    def touch(self, x: int, y: int) -> None:
        """A tap at a point of the screen."""
        tree = self.tree()
        action = tree.at(x, y) if tree else None
        if action is None:
            return
        kind, argument = action
        if kind == "send":
            if self.app.press_send():
                self.show(Front.LAUNCHER)
        elif kind == "open":
            self.app.open_conversation(argument)
            self.show(Front.MESSAGING)
        elif kind == "app":
            self.app.open_list()
            self.show(Front.MESSAGING)
        elif kind == "back":
            self.back()
        else:
            self.app.touched(kind, argument)

    def swipe(self, x1: int, y1: int, x2: int, y2: int) -> None:
        """Unlock on the keyguard, scroll in a conversation, a tap when it hardly moves."""
        if max(abs(x2 - x1), abs(y2 - y1)) < SWIPE_SLOP:
            self.touch(x1, y1)
        elif self.awake and self.locked and y1 > y2:
            self.unlock()
        elif self.app.conversation_on_screen is not None:
            self.app.scroll = max(0, self.app.scroll + y2 - y1)

    def back(self) -> None:
        """The back key."""
        if self.front is Front.SHADE:
            self.show(Front.MESSAGING if self.app.running else Front.LAUNCHER)
        elif self.front is Front.MESSAGING and not self.app.back():
            self.show(Front.LAUNCHER)

    # Radio

    def set_airplane(self, on: bool) -> None:
        """The airplane switch."""
        self.settings["global", "airplane_mode_on"] = str(int(on))
        self.radio_log.request("RADIO_POWER", f"on = {str(not on).lower()}")
        self.baseband.set_airplane(on)

    def _radio_changed(self, change: str) -> None:
        match change:
            case Change.REGISTRATION | Change.CELL:
                self.radio_log.unsolicited("UNSOL_RESPONSE_NETWORK_STATE_CHANGED")
                self.radio_log.request("DATA_REGISTRATION_STATE", result=self._registration_text())
            case Change.SIGNAL:
                self.radio_log.unsolicited("UNSOL_SIGNAL_STRENGTH", f"rsrp = {self.baseband.signal_dbm}")
            case Change.PDN:
                pdn = self.baseband.pdn
                self.radio_log.unsolicited(
                    "UNSOL_DATA_CALL_LIST_CHANGED", f"[{pdn.apn} {pdn.address}]" if pdn else "[]"
                )
            case Change.IMS:
                self.radio_log.unsolicited("UNSOL_RESPONSE_IMS_NETWORK_STATE_CHANGED")
            case Change.FUNCTIONALITY:
                on = self.baseband.functionality is Functionality.FULL
                state = "RADIO_ON" if on else "RADIO_OFF"
                self.radio_log.unsolicited("UNSOL_RESPONSE_RADIO_STATE_CHANGED", state)
        self._publish_radio()

    def _registration_text(self) -> str:
        cell = self.baseband.cell
        where = f", mTac={cell.tac}, mCi={cell.eci}, rat=LTE" if cell else ""
        return f"{{regState={Registration(self.baseband.registration).name}{where}}}"

    def _publish_radio(self) -> None:
        baseband = self.baseband
        cell = baseband.cell if baseband.registered else None
        sim = "LOADED" if baseband.sim_present else "ABSENT"
        values = {
            "gsm.sim.state": sim,
            "gsm.operator.numeric": cell.plmn if cell else "",
            "gsm.operator.alpha": self.operator if cell else "",
            "gsm.operator.isroaming": str(baseband.roaming).lower(),
            "gsm.sim.operator.numeric": baseband.identity.home_plmn if baseband.sim_present else "",
            "gsm.network.type": "LTE" if cell else "Unknown",
        }
        for name, value in values.items():
            self.properties.publish(name, value)

    # Power

    def subscribe_power(self, observer: Callable[[Power], None]) -> Callable[[], None]:
        """Call observer when the system goes down and comes up. Returns the way to stop."""
        self._power.append(observer)
        return lambda: self._power.remove(observer)

    def reboot(self) -> None:
        """Go down at once and come up after boot_seconds."""
        task = asyncio.get_running_loop().create_task(self._reboot())
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _reboot(self) -> None:
        self.properties.publish("sys.boot_completed", "")
        self.app.stop()
        self.baseband.set_functionality(Functionality.MINIMUM)
        self._tell(Power.DOWN)
        await asyncio.sleep(self.boot_seconds)
        self.started = self.clock()
        self.awake, self.locked, self.front = True, bool(self.pin), Front.LAUNCHER
        airplane = self.settings["global", "airplane_mode_on"] == "1"
        self.baseband.set_functionality(Functionality.RF_OFF if airplane else Functionality.FULL)
        self.logcat.write("system", "I", "boot_progress_start", "Boot is finished")
        self.properties.publish("sys.boot_completed", "1")
        self._tell(Power.UP)

    def _tell(self, power: Power) -> None:
        for observer in tuple(self._power):
            observer(power)
