"""A headless Chromium, spoken to over its pipe (DevTools protocol): what a reader sees and does."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from itertools import count
from pathlib import Path
from typing import Any

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
_KEYS = {
    "ArrowDown": 40,
    "ArrowUp": 38,
    "ArrowLeft": 37,
    "ArrowRight": 39,
    "Escape": 27,
    "Enter": 13,
    "Tab": 9,
}


class Browser:
    """One tab. `loaded`: addresses that were asked for; `trouble`: what the page logged or threw."""

    def __init__(self, profile: Path) -> None:
        assert CHROMIUM is not None, "tests without Chromium are skipped"
        theirs_in, self._out = os.pipe()
        self._in, theirs_out = os.pipe()
        options = [
            *("--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run"),
            *("--remote-debugging-pipe", f"--user-data-dir={profile}", "--window-size=1500,1200"),
        ]
        script = f'exec "$0" "$@" 3<&{theirs_in} 4>&{theirs_out}'
        self._process = subprocess.Popen(
            ["/bin/bash", "-c", script, CHROMIUM, *options, "about:blank"],
            pass_fds=(theirs_in, theirs_out),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        os.close(theirs_in)
        os.close(theirs_out)
        self._ids, self._waiting = count(1), bytearray()
        self.loaded: list[str] = []
        self.trouble: list[str] = []
        self._ready: set[str] = set()
        target = self._call("Target.createTarget", url="about:blank")["targetId"]
        self._session = None
        self._session = self._call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self._call(f"{domain}.enable")
        self._call("Page.setLifecycleEventsEnabled", enabled=True)

    def close(self) -> None:
        """End the browser."""
        self._process.terminate()
        self._process.wait(10)
        os.close(self._in)
        os.close(self._out)

    def open(self, path: Path, fragment: str = "") -> None:
        """Open a file, anew, and wait until it has drawn itself."""
        self._call("Page.navigate", url="about:blank")
        self.loaded.clear()
        self.trouble.clear()
        loader = self._call("Page.navigate", url=f"file://{path}#{fragment}")["loaderId"]
        while loader not in self._ready:
            self._note(self._next())
        assert self.run("document.body.dataset.drawn") == "yes", self.trouble

    def go(self, fragment: str) -> None:
        """Change the fragment and let the page see it."""
        self.run(
            f"new Promise(done => {{ addEventListener('hashchange', done, {{once: true}});"
            f"location.hash = {json.dumps(fragment)} }}).then(() => 1)"
        )

    def run(self, expression: str) -> Any:
        """The value of an expression in the page; a promise is waited for."""
        found = self._call("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        if "exceptionDetails" in found:
            raise AssertionError(found["exceptionDetails"])
        return found["result"].get("value")

    def texts(self, selector: str) -> list[str]:
        """The text of each element."""
        return self.run(f"[...document.querySelectorAll({json.dumps(selector)})].map(e => e.textContent)")

    def count(self, selector: str) -> int:
        """How many elements there are."""
        return self.run(f"document.querySelectorAll({json.dumps(selector)}).length")

    def click(self, selector: str) -> None:
        """Click the middle of the first such element, and let what follows happen."""
        box = self.run(
            f"(() => {{ const e = document.querySelector({json.dumps(selector)});"
            "e.scrollIntoView({block: 'center'}); const b = e.getBoundingClientRect();"
            "return [b.x + b.width / 2, b.y + b.height / 2]; })()"
        )
        for kind in ("mousePressed", "mouseReleased"):
            self._call("Input.dispatchMouseEvent", type=kind, x=box[0], y=box[1], button="left", clickCount=1)
        self.settle()

    def press(self, key: str) -> None:
        """Press a key where the focus is."""
        code = _KEYS[key]
        text = {"text": "\r"} if key == "Enter" else {}
        self._call(
            "Input.dispatchKeyEvent", type="keyDown", key=key, code=key, windowsVirtualKeyCode=code, **text
        )
        self._call("Input.dispatchKeyEvent", type="keyUp", key=key, code=key, windowsVirtualKeyCode=code)
        self.settle()

    def settle(self) -> None:
        """Wait until events that are under way have been handled."""
        self.run("new Promise(done => setTimeout(() => setTimeout(done, 0), 0)).then(() => 1)")

    # -- the protocol -------------------------------------------------------------------------------------

    def _call(self, method: str, **parameters: Any) -> dict[str, Any]:
        number = next(self._ids)
        asked: dict[str, Any] = {"id": number, "method": method, "params": parameters}
        if getattr(self, "_session", None):
            asked["sessionId"] = self._session
        os.write(self._out, json.dumps(asked).encode() + b"\0")
        while (said := self._next()).get("id") != number:
            self._note(said)
        if "error" in said:
            raise AssertionError(f"{method}: {said['error']}")
        found: dict[str, Any] = said["result"]
        return found

    def _next(self) -> dict[str, Any]:
        while b"\0" not in self._waiting:
            piece = os.read(self._in, 1 << 20)
            assert piece, f"Chromium has ended: {self._process.poll()}"
            self._waiting += piece
        said, _, rest = self._waiting.partition(b"\0")
        self._waiting = bytearray(rest)
        value: dict[str, Any] = json.loads(said)
        return value

    def _note(self, said: dict[str, Any]) -> None:
        method, values = said.get("method", ""), said.get("params", {})
        if method == "Network.requestWillBeSent":
            self.loaded.append(values["request"]["url"])
        elif method == "Log.entryAdded":
            self.trouble.append(values["entry"]["text"])
        elif method == "Runtime.exceptionThrown":
            self.trouble.append(str(values["exceptionDetails"]))
        elif method == "Page.lifecycleEvent" and values["name"] == "load":
            self._ready.add(values["loaderId"])
