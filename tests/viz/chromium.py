"""A headless Chromium driven over its DevTools pipe: no package but the browser itself.

Messages are JSON objects ended by a zero byte, written to the browser's file descriptor 3 and read
from 4 (`--remote-debugging-pipe`).
"""

import base64
import json
import os
import select
import shutil
import subprocess
import tempfile
import time
from pathlib import Path

NAMES = ("chromium", "chromium-browser", "google-chrome", "chrome")
FLAGS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
    "--disable-dev-shm-usage", "--hide-scrollbars", "--remote-debugging-pipe",
    "--allow-file-access-from-files",
)  # fmt: skip


def find():
    """Path of a Chromium, or None."""
    return next((path for name in NAMES if (path := shutil.which(name))), None)


class Browser:
    """One browser with one page; complaints of the page gather in `errors`."""

    def __init__(self, program, width=1280, height=720):
        self.profile = tempfile.mkdtemp(prefix="chromium-")
        read_in, self.write_to = os.pipe()
        self.read_from, write_out = os.pipe()

        def connect():
            os.dup2(read_in, 13)
            os.dup2(write_out, 14)
            os.dup2(13, 3)
            os.dup2(14, 4)

        self.process = subprocess.Popen(
            [program, *FLAGS, f"--user-data-dir={self.profile}", "about:blank"],
            close_fds=False, preexec_fn=connect,
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        os.close(read_in)
        os.close(write_out)
        self.buffer, self.number, self.session = b"", 0, None
        self.errors, self.requests, self.events = [], [], []
        targets = self.call("Target.getTargets")["targetInfos"]
        target = next(t["targetId"] for t in targets if t["type"] == "page")
        self.session = self.call("Target.attachToTarget", targetId=target, flatten=True)[
            "sessionId"
        ]
        for domain in ("Page", "Runtime", "Log", "Network", "Performance"):
            self.call(f"{domain}.enable")
        self.resize(width, height)

    def close(self):
        """End the browser and remove its profile."""
        self.process.terminate()
        self.process.wait(10)
        os.close(self.write_to)
        os.close(self.read_from)
        shutil.rmtree(self.profile, ignore_errors=True)

    def call(self, method, *, limit=120.0, **parameters):
        """Send a command and return its result."""
        self.number += 1
        message = {"id": self.number, "method": method, "params": parameters}
        if self.session:
            message["sessionId"] = self.session
        data = json.dumps(message).encode() + b"\0"
        while data:
            data = data[os.write(self.write_to, data) :]
        end = time.monotonic() + limit
        while True:
            answer = self.receive(end - time.monotonic())
            if answer.get("id") == self.number:
                if "error" in answer:
                    raise RuntimeError(f"{method}: {answer['error']}")
                return answer["result"]
            self.note(answer)

    def receive(self, seconds):
        """Return the next message."""
        while b"\0" not in self.buffer:
            if seconds <= 0 or not select.select([self.read_from], [], [], seconds)[0]:
                raise TimeoutError("the browser does not answer")
            part = os.read(self.read_from, 1 << 20)
            if not part:
                raise RuntimeError("the browser has gone")
            self.buffer += part
        message, self.buffer = self.buffer.split(b"\0", 1)
        return json.loads(message)

    def note(self, event):
        """Keep what the page complains of, and what it asks of a network."""
        method, values = event.get("method"), event.get("params", {})
        self.events.append(method)
        if method == "Runtime.exceptionThrown":
            details = values["exceptionDetails"]
            self.errors.append(details.get("exception", {}).get("description", details["text"]))
        elif method == "Runtime.consoleAPICalled" and values["type"] in ("error", "warning"):
            self.errors.append(str([a.get("value") for a in values["args"]]))
        elif method == "Log.entryAdded" and values["entry"]["level"] in ("error", "warning"):
            self.errors.append(values["entry"]["text"])
        elif method == "Network.requestWillBeSent":
            self.requests.append(values["request"]["url"])

    # --- what a person does

    def resize(self, width, height, *, mobile=False, scale=1):
        self.call("Emulation.setDeviceMetricsOverride", width=width, height=height,
                  deviceScaleFactor=scale, mobile=mobile)  # fmt: skip
        self.call("Emulation.setTouchEmulationEnabled", enabled=mobile)

    def dark(self, on):
        value = "dark" if on else "light"
        feature = {"name": "prefers-color-scheme", "value": value}
        self.call("Emulation.setEmulatedMedia", features=[feature])

    def open(self, path):
        self.events.clear()
        self.call("Page.navigate", url=Path(path).resolve().as_uri())
        while "Page.loadEventFired" not in self.events:
            self.note(self.receive(120))

    def run(self, code):
        """Value of a JavaScript expression; promises are awaited."""
        answer = self.call("Runtime.evaluate", expression=code, awaitPromise=True,
                           returnByValue=True, userGesture=True)  # fmt: skip
        if "exceptionDetails" in answer:
            raise RuntimeError(answer["exceptionDetails"]["exception"]["description"])
        return answer["result"].get("value")

    def frame(self):
        """Wait until what was asked has been painted."""
        self.run("new Promise(f => requestAnimationFrame(() => requestAnimationFrame(f)))")

    def mouse(self, kind, x, y, *, down=False, **more):
        button = "left" if down else "none"
        self.call("Input.dispatchMouseEvent", type=kind, x=x, y=y, button=button,
                  buttons=int(down), pointerType="mouse", **more)  # fmt: skip

    def hover(self, x, y):
        self.mouse("mouseMoved", x, y)
        self.frame()

    def click(self, x, y, *, modifiers=0):
        self.mouse("mouseMoved", x, y)
        self.mouse("mousePressed", x, y, down=True, clickCount=1, modifiers=modifiers)
        self.mouse("mouseReleased", x, y, down=True, clickCount=1, modifiers=modifiers)
        self.frame()

    def drag(self, points):
        self.mouse("mouseMoved", *points[0])
        self.mouse("mousePressed", *points[0], down=True, clickCount=1)
        for point in points[1:]:
            self.mouse("mouseMoved", *point, down=True)
        self.mouse("mouseReleased", *points[-1], down=True, clickCount=1)
        self.frame()

    def tap(self, x, y):
        self.call("Input.dispatchTouchEvent", type="touchStart", touchPoints=[{"x": x, "y": y}])
        self.call("Input.dispatchTouchEvent", type="touchEnd", touchPoints=[])
        self.frame()

    def touch(self, steps):
        """Fingers down at the places of the first step, moved through the others, then up."""
        for index, places in enumerate(steps):
            points = [{"x": x, "y": y, "id": k} for k, (x, y) in enumerate(places)]
            kind = "touchMove" if index else "touchStart"
            self.call("Input.dispatchTouchEvent", type=kind, touchPoints=points)
        self.call("Input.dispatchTouchEvent", type="touchEnd", touchPoints=[])
        self.frame()

    def cpu(self):
        """Seconds of processor that the page's process has used."""
        found = self.call("Performance.getMetrics")["metrics"]
        return next(m["value"] for m in found if m["name"] == "ProcessTime")

    def key(self, key, *, control=False, shift=False):
        more = {"modifiers": 2 * control + 8 * shift, "key": key}
        more |= {"text": key} if len(key) == 1 and not control else {}
        codes = {"Enter": 13, "Escape": 27}
        more |= {"windowsVirtualKeyCode": codes.get(key, ord(key[0].upper()))}
        self.call("Input.dispatchKeyEvent", type="keyDown", **more)
        self.call("Input.dispatchKeyEvent", type="keyUp", **more)
        self.frame()

    def box(self, selector):
        """Left, top, width and height of an element on the screen."""
        element = f"document.querySelector({json.dumps(selector)})"
        code = f"(b => [b.left, b.top, b.width, b.height])({element}.getBoundingClientRect())"
        return self.run(code)

    def press(self, selector, **more):
        """Click the middle of an element."""
        left, top, width, height = self.box(selector)
        self.click(left + width / 2, top + height / 2, **more)

    def screenshot(self, path):
        data = self.call("Page.captureScreenshot", format="png", limit=120)["data"]
        Path(path).write_bytes(base64.b64decode(data))
