"""Chromium without a window, told what to do through its DevTools protocol."""

import base64
import json
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

BINARY = next(filter(None, map(shutil.which, ("chromium", "chromium-browser"))), None)
_PATIENCE = 600  # seconds, on the busiest machine


class Browser:
    """One page of one Chromium."""

    def __init__(self) -> None:
        from websocket import create_connection

        self._folder = tempfile.TemporaryDirectory(
            prefix="unspool-chromium-",
            ignore_cleanup_errors=True,  # its helpers may write a moment longer than it lives
        )
        # As root in a container Chromium cannot have its sandbox, and /dev/shm is small there.
        flags = ("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage")
        self._process = subprocess.Popen(
            [
                *(str(BINARY), *flags, "--no-first-run", "--hide-scrollbars"),
                *("--remote-debugging-port=0", f"--user-data-dir={self._folder.name}"),
                "about:blank",
            ],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        address = self._address()
        self._socket = create_connection(address, timeout=_PATIENCE, suppress_origin=True)
        self._number = 0
        self._events: list[dict[str, Any]] = []
        target = self._call("Target.createTarget", url="about:blank")["targetId"]
        attached = self._call("Target.attachToTarget", targetId=target, flatten=True)
        self._session = attached["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self._call(f"{domain}.enable")

    _session: str | None = None

    def open(self, page: Path, width: int, scheme: str) -> None:
        """Load a file as a screen of so many CSS pixels shows it, in "light" or "dark"."""
        self._events.clear()
        self._call(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=900,
            deviceScaleFactor=1,
            mobile=width < 600,
        )
        self._features = [{"name": "prefers-color-scheme", "value": scheme}]
        self._call("Emulation.setEmulatedMedia", media="screen", features=self._features)
        self._call("Page.navigate", url=page.resolve().as_uri())
        self._until("Page.loadEventFired")

    def run(self, script: str) -> Any:
        """The value of an expression in the page."""
        answer = self._call("Runtime.evaluate", expression=script, returnByValue=True)
        assert "exceptionDetails" not in answer, answer
        return answer["result"].get("value")

    def complaints(self) -> list[str]:
        """What the console said since the page was opened."""
        self.run("0")  # events that are under way come before this answer
        names = ("Runtime.consoleAPICalled", "Runtime.exceptionThrown", "Log.entryAdded")
        return [json.dumps(e["params"]) for e in self._events if e["method"] in names]

    def requests(self) -> list[str]:
        """What was asked for since the page was opened."""
        return [
            e["params"]["request"]["url"]
            for e in self._events
            if e["method"] == "Network.requestWillBeSent"
        ]

    def screenshot(self, path: Path) -> None:
        """Keep the whole page as PNG."""
        answer = self._call("Page.captureScreenshot", captureBeyondViewport=True)
        path.write_bytes(base64.b64decode(answer["data"]))

    def print(self, path: Path) -> None:
        """Keep the page as PDF, as it is printed on A4, whatever the scheme of the screen."""
        self._call("Emulation.setEmulatedMedia", media="", features=self._features)
        size = {"paperWidth": 8.27, "paperHeight": 11.69}
        answer = self._call("Page.printToPDF", preferCSSPageSize=True, **size)
        path.write_bytes(base64.b64decode(answer["data"]))

    def close(self) -> None:
        """End it."""
        self._session = None
        self._call("Browser.close")
        self._socket.close()
        self._process.wait(_PATIENCE)
        self._folder.cleanup()

    def _address(self) -> str:
        """Chromium writes its port and path to a file as soon as it listens."""
        file = Path(self._folder.name) / "DevToolsActivePort"
        for _ in range(10 * _PATIENCE):
            lines = file.read_text().split() if file.is_file() else []
            if len(lines) == 2:
                return f"ws://127.0.0.1:{lines[0]}{lines[1]}"
            assert self._process.poll() is None, "Chromium ended before it listened"
            time.sleep(0.1)
        raise TimeoutError("Chromium does not listen")

    def _call(self, method: str, **parameters: Any) -> Any:
        self._number += 1
        message = {"id": self._number, "method": method, "params": parameters}
        if self._session:
            message["sessionId"] = self._session
        self._socket.send(json.dumps(message))
        while True:
            answer = json.loads(self._socket.recv())
            if answer.get("id") == self._number:
                assert "error" not in answer, f"{method}: {answer}"
                return answer["result"]
            if "method" in answer:
                self._events.append(answer)

    def _until(self, event: str) -> None:
        while not any(e["method"] == event for e in self._events):
            answer = json.loads(self._socket.recv())
            if "method" in answer:
                self._events.append(answer)


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """One for all tests of a worker."""
    opened = Browser()
    yield opened
    opened.close()
