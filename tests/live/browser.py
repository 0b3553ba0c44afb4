"""A browser without a window, asked over a pipe: it loads a file, runs its script, and says what it saw and asked for."""

from __future__ import annotations

import base64
import json
import os
import select
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

CHROMIUM = "chromium"
SWITCHES = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync", "--hide-scrollbars", "--remote-debugging-pipe",
)  # fmt: skip
PATIENCE = 60  # seconds that an answer may take
SETTLED = "new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))"


@dataclass
class Tab:
    """One page, spoken to in the DevTools protocol (NUL-terminated JSON on two pipes)."""

    to: int
    answers: int
    session: str = ""
    number: int = 0
    rest: bytes = b""
    events: list[dict[str, Any]] = field(default_factory=list)

    def ask(self, method: str, **params: Any) -> dict[str, Any]:
        """Send a command and wait for its answer; what happens meanwhile is kept in `events`."""
        self.number += 1
        message = {"id": self.number, "method": method, "params": params} | ({"sessionId": self.session} if self.session else {})
        os.write(self.to, json.dumps(message).encode() + b"\0")
        while (told := self._next()).get("id") != self.number:
            self.events.append(told)
        assert "error" not in told, told
        return dict(told["result"])

    def wait(self, event: str) -> None:
        while not any(told["method"] == event for told in self.events):
            self.events.append(self._next())

    def _next(self) -> dict[str, Any]:
        while b"\0" not in self.rest:
            assert select.select([self.answers], [], [], PATIENCE)[0], "the browser does not answer"
            read = os.read(self.answers, 1 << 16)
            assert read, "the browser has gone"
            self.rest += read
        text, _, self.rest = self.rest.partition(b"\0")
        return dict(json.loads(text))

    def open(self, page: Path, fragment: str = "", settle: bool = True) -> None:
        self.events.clear()
        self.ask("Page.navigate", url=page.as_uri() + fragment)
        self.wait("Page.loadEventFired")
        if settle:
            self.run(SETTLED)

    def run(self, script: str) -> Any:
        """A script's value; its promises are awaited."""
        told = self.ask("Runtime.evaluate", expression=script, awaitPromise=True, returnByValue=True)
        assert "exceptionDetails" not in told, told
        return told["result"].get("value")

    def size(self, width: int, height: int = 900) -> None:
        self.ask("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=False)

    def media(self, **features: str) -> None:
        """media(scheme="dark"), media(media="print")."""
        told = [{"name": "prefers-color-scheme", "value": features["scheme"]}] if "scheme" in features else []
        self.ask("Emulation.setEmulatedMedia", media=features.get("media", ""), features=told)

    def script(self, enabled: bool) -> None:
        self.ask("Emulation.setScriptExecutionDisabled", value=not enabled)

    def picture(self, whole: bool = True) -> bytes:
        return base64.b64decode(self.ask("Page.captureScreenshot", captureBeyondViewport=whole)["data"])

    def pdf(self) -> bytes:
        return base64.b64decode(self.ask("Page.printToPDF", preferCSSPageSize=True, printBackground=True)["data"])

    def press(self, key: str, code: int) -> None:
        for kind in ("rawKeyDown", "keyUp"):
            self.ask("Input.dispatchKeyEvent", type=kind, key=key, code=key, windowsVirtualKeyCode=code)

    @property
    def asked_for(self) -> list[str]:
        """Every address that the page asked for since it was opened, whether it was let through or not."""
        return [told["params"]["request"]["url"] for told in self.events if told["method"] == "Network.requestWillBeSent"]

    @property
    def complaints(self) -> list[str]:
        """What the browser's console says: scripts that failed, and what the content security policy refused."""
        return [json.dumps(told["params"]) for told in self.events if told["method"] in ("Log.entryAdded", "Runtime.exceptionThrown", "Runtime.consoleAPICalled")]  # fmt: skip


@contextmanager
def browser(folder: Path) -> Iterator[Tab]:
    """A browser with an empty profile in the folder, and one tab."""
    its_in, our_out = os.pipe()
    our_in, its_out = os.pipe()
    words = [CHROMIUM, *SWITCHES, f"--user-data-dir={folder / 'profile'}", "about:blank"]
    started = subprocess.Popen(
        ["bash", "-c", f'exec 3<&{its_in} 4>&{its_out}; exec "$@"', "bash", *words], pass_fds=(its_in, its_out),
        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True,
    )  # fmt: skip
    os.close(its_in)
    os.close(its_out)
    try:
        tab = Tab(our_out, our_in)
        target = next(t for t in tab.ask("Target.getTargets")["targetInfos"] if t["type"] == "page")["targetId"]
        tab.session = tab.ask("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Network", "Log"):
            tab.ask(f"{domain}.enable")
        yield tab
    finally:
        os.killpg(started.pid, 15)
        started.wait(20)
        os.close(our_out)
        os.close(our_in)
