"""System properties of the simulated Android: what getprop and setprop show.

`ro.*` is set once at start; other values hold at most 91 octets (PROP_VALUE_MAX of bionic). Names under
debug.rcslab are ours and may be longer, since a list of defects is.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

Observer = Callable[[str, str], None]
VALUE_MAX = 91
OWN_PREFIX = "debug.rcslab."


class PropertyRefused(Exception):
    """setprop is not allowed to write this name or value. The text is what setprop prints."""


class Properties:
    """Names and values, and who wants to know when one changes."""

    def __init__(self, initial: Mapping[str, str] | None = None) -> None:
        self._values = dict(initial or {})
        self._observers: list[Observer] = []

    def get(self, name: str, default: str = "") -> str:
        """The value, or `default` when unset or empty."""
        return self._values.get(name) or default

    def set(self, name: str, value: str) -> None:
        """Write as setprop does.

        Raises PropertyRefused for a second write of ro.*, a bad name or a long value.
        """
        taken = name.startswith("ro.") and bool(self._values.get(name))
        long = len(value.encode()) > VALUE_MAX and not name.startswith((OWN_PREFIX, "ro."))
        bad = not name or not name.isascii() or any(c.isspace() for c in name) or ".." in name
        if taken or long or bad:
            raise PropertyRefused(
                f"Failed to set property '{name}' to '{value}'.\nSee dmesg for error reason."
            )
        self.publish(name, value)

    def publish(self, name: str, value: str) -> None:
        """Write as init and the system services do: no permission is asked."""
        if self._values.get(name) == value:
            return
        self._values[name] = value
        for observer in tuple(self._observers):
            observer(name, value)

    def subscribe(self, observer: Observer) -> Callable[[], None]:
        """Call observer(name, value) after each change. Returns the way to stop."""
        self._observers.append(observer)

        def stop() -> None:
            if observer in self._observers:
                self._observers.remove(observer)

        return stop

    def __iter__(self) -> Iterator[tuple[str, str]]:
        return iter(sorted(self._values.items()))


def factory_properties(
    *, serial: str, model: str, manufacturer: str, release: str, sdk: int, build: str, baseband: str
) -> dict[str, str]:
    """What a user build sets before the shell answers. `build` is the build id, e.g. AP4A.250105.002."""
    name = model.lower().replace(" ", "_")
    return {
        "ro.product.model": model,
        "ro.product.manufacturer": manufacturer,
        "ro.product.brand": manufacturer.lower(),
        "ro.product.name": name,
        "ro.product.device": name,
        "ro.product.cpu.abi": "arm64-v8a",
        "ro.build.version.release": release,
        "ro.build.version.sdk": str(sdk),
        "ro.build.id": build,
        "ro.build.type": "user",
        "ro.build.fingerprint": (
            f"{manufacturer.lower()}/{name}/{name}:{release}/{build}/1:user/release-keys"
        ),
        "ro.serialno": serial,
        "ro.debuggable": "0",
        "gsm.version.baseband": baseband,
        "gsm.sim.state": "LOADED",
        "persist.sys.timezone": "UTC",
        "sys.boot_completed": "1",
    }
