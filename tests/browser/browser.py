"""Chromium without a window, told what to do in the WebDriver protocol; nothing but the standard library is needed."""

from __future__ import annotations

import base64
import json
import shutil
import subprocess
import tempfile
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

__all__ = ["MISSING", "Browser"]

_PROGRAMS = {"chromium": ("chromium", "chromium-browser", "google-chrome"), "chromedriver": ("chromedriver",)}
_FOUND = {name: next(filter(None, map(shutil.which, names)), None) for name, names in _PROGRAMS.items()}
#: Which of the programs is not installed; empty if none.
MISSING = ", ".join(name for name, path in _FOUND.items() if path is None)

_OPTIONS = ("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--hide-scrollbars")
_KEYS = {"Tab": "\ue004", "ArrowRight": "\ue014", "ArrowDown": "\ue015", "ArrowLeft": "\ue012", "Space": " "}
_PATIENCE = 30  # seconds


class Browser:
    """One browser with one page; close it."""

    def __init__(self) -> None:
        self._folder = tempfile.TemporaryDirectory()
        output = Path(self._folder.name, "output")
        with output.open("w") as file:
            command = [str(_FOUND["chromedriver"]), "--port=0"]
            self._driver = subprocess.Popen(command, stdout=file, stderr=subprocess.STDOUT)
        self._address = f"http://127.0.0.1:{_port(output)}"
        arguments = [*_OPTIONS, f"--user-data-dir={self._folder.name}/profile"]
        options = {"goog:chromeOptions": {"binary": _FOUND["chromium"], "args": arguments}}
        wanted = {"capabilities": {"alwaysMatch": {**options, "goog:loggingPrefs": {"browser": "ALL"}}}}
        session = self._ask("POST", "/session", wanted)["sessionId"]
        self._address += f"/session/{session}"

    def close(self) -> None:
        """End it."""
        try:
            self._ask("DELETE", "")
        finally:
            self._driver.terminate()
            self._driver.wait()
            self._folder.cleanup()

    def open(self, page: Path, width: int = 1200, *, dark: bool = False, printed: bool = False) -> None:
        """Show a page in a window of a width, in light or dark colours, on the screen or as it is printed."""
        self.command("Emulation.setDeviceMetricsOverride", width=width, height=900, deviceScaleFactor=1, mobile=False)
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.command("Emulation.setEmulatedMedia", media="print" if printed else "screen", features=[scheme])
        self._ask("POST", "/url", {"url": page.resolve().as_uri()})

    def value(self, expression: str) -> Any:
        """What an expression of JavaScript gives on the page."""
        return self._ask("POST", "/execute/sync", {"script": f"return {expression}", "args": []})

    def press(self, *keys: str) -> None:
        """Press keys, one after the other."""
        for key in keys:
            actions = [{"type": kind, "value": _KEYS[key]} for kind in ("keyDown", "keyUp")]
            self._ask("POST", "/actions", {"actions": [{"type": "key", "id": "keyboard", "actions": actions}]})

    def messages(self) -> list[str]:
        """What the console says since it was last asked."""
        return [entry["message"] for entry in self._ask("POST", "/se/log", {"type": "browser"})]

    def picture(self) -> bytes:
        """The whole page as a PNG file."""
        taken = self.command("Page.captureScreenshot", captureBeyondViewport=True)
        return base64.b64decode(taken["data"])

    def command(self, name: str, **arguments: Any) -> Any:
        """A command of Chromium's own protocol."""
        return self._ask("POST", "/goog/cdp/execute", {"cmd": name, "params": arguments})

    def _ask(self, method: str, place: str, body: dict[str, Any] | None = None) -> Any:
        content = None if method != "POST" else json.dumps(body or {}).encode()
        request = urllib.request.Request(
            self._address + place, content, {"Content-Type": "application/json"}, method=method
        )
        try:
            with urllib.request.urlopen(request, timeout=2 * _PATIENCE) as answer:
                return json.load(answer)["value"]
        except urllib.error.HTTPError as problem:
            raise RuntimeError(problem.read().decode()) from None


def _port(output: Path) -> int:
    """The port that chromedriver chose and tells."""
    end = time.monotonic() + _PATIENCE
    while time.monotonic() < end:
        words = output.read_text().rstrip().split("on port ")
        if len(words) > 1 and words[-1].rstrip(".").isdigit():
            return int(words[-1].rstrip("."))
        time.sleep(0.05)
    raise RuntimeError(f"chromedriver does not start: {output.read_text()}")
