"""A real Chromium without a screen, spoken to in its own protocol over a pipe: no driver, no packages beside the browser.

    with Browser(width=1280, height=900, dark=False) as b:
        b.open("file:///tmp/site/en/index.html")
        b.type("bad sequence")
        b.run("document.title")
"""
import base64
import json
import os
import select
import subprocess
import tempfile
import time

from harness import peer

DEADLINE_S = 60
KEYS = {"Enter": 13, "Escape": 27, "ArrowDown": 40, "ArrowUp": 38, "Tab": 9}


class Browser:
    def __init__(self, width=1280, height=900, dark=False, phone=False, scripts=True):
        self.look = (width, height, dark, phone, scripts)

    def __enter__(self):
        path, env = peer("chromium", "usr/lib/chromium/chromium-headless-shell")
        self.home = tempfile.TemporaryDirectory(prefix="sallyport-browser-")
        fonts = os.path.join(self.home.name, "fonts.conf")
        root = str(path).split("/usr/lib/chromium/")[0]
        for folder in env["LD_LIBRARY_PATH"].split(os.pathsep):
            env["LD_LIBRARY_PATH"] += f"{os.pathsep}{folder}/pulseaudio"
        with open(fonts, "w", encoding="ascii") as f:
            f.write('<?xml version="1.0"?><!DOCTYPE fontconfig SYSTEM "fonts.dtd"><fontconfig>'
                    f"<dir>{root}/usr/share/fonts</dir><dir>/usr/share/fonts</dir>"
                    f"<cachedir>{self.home.name}/fonts</cachedir></fontconfig>")
        to_read, self.to = os.pipe()
        self.out, to_write = os.pipe()

        def at_three_and_four():
            os.dup2(to_read, 1003), os.dup2(to_write, 1004)  # neither may stand where the other goes
            os.dup2(1003, 3), os.dup2(1004, 4)

        self.process = subprocess.Popen(
            [str(path), "--remote-debugging-pipe", "--no-sandbox", "--disable-gpu", "--hide-scrollbars",
             "--disable-dev-shm-usage", "--disable-background-networking", "--no-first-run",
             f"--user-data-dir={self.home.name}/data", "about:blank"],
            env=dict(env, HOME=self.home.name, FONTCONFIG_FILE=fonts), close_fds=False, preexec_fn=at_three_and_four,
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        os.close(to_read), os.close(to_write)
        self.number, self.left, self.events, self.session = 0, b"", [], None
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        self.session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        width, height, dark, phone, scripts = self.look
        for domain in ("Page", "Runtime", "Network", "Log"):
            self.call(f"{domain}.enable")
        self.call("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=phone)
        self.call("Emulation.setEmulatedMedia",
                  features=[{"name": "prefers-color-scheme", "value": "dark" if dark else "light"}])
        if not scripts:
            self.call("Emulation.setScriptExecutionDisabled", value=True)
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()
        os.close(self.to), os.close(self.out)
        self.home.cleanup()

    def message(self, deadline):
        while b"\0" not in self.left:
            ready, _, _ = select.select([self.out], [], [], max(0, deadline - time.monotonic()))
            piece = os.read(self.out, 1 << 16) if ready else b""
            if not piece:
                raise AssertionError("the browser fell silent")
            self.left += piece
        one, self.left = self.left.split(b"\0", 1)
        return json.loads(one)

    def call(self, method, **params):
        self.number += 1
        order = {"id": self.number, "method": method, "params": params}
        if self.session:
            order["sessionId"] = self.session
        os.write(self.to, json.dumps(order).encode() + b"\0")
        deadline = time.monotonic() + DEADLINE_S
        while True:
            answer = self.message(deadline)
            if answer.get("id") == self.number:
                if "error" in answer:
                    raise AssertionError(f"{method}: {answer['error']}")
                return answer["result"]
            self.events.append(answer)

    def open(self, url):
        self.events.clear()
        self.call("Page.navigate", url=url)
        self.wait_for_load()

    def wait_for_load(self):
        deadline = time.monotonic() + DEADLINE_S
        while not any(e.get("method") == "Page.loadEventFired" for e in self.events):
            self.events.append(self.message(deadline))

    def run(self, expression):
        """The value of an expression of JavaScript on the page."""
        result = self.call("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        if "exceptionDetails" in result:
            raise AssertionError(f"{expression}: {result['exceptionDetails']}")
        return result["result"].get("value")

    def until(self, expression):
        deadline = time.monotonic() + DEADLINE_S
        while not self.run(expression):
            if time.monotonic() > deadline:
                raise AssertionError(f"waited in vain for {expression}")
            time.sleep(0.02)

    def press(self, key):
        what = {"key": key, "windowsVirtualKeyCode": KEYS.get(key, 0)}
        if key not in KEYS:
            what["text"] = key
        elif key == "Enter":
            what["text"] = "\r"
        self.call("Input.dispatchKeyEvent", type="keyDown", **what)
        self.call("Input.dispatchKeyEvent", type="keyUp", key=key, windowsVirtualKeyCode=KEYS.get(key, 0))

    def type(self, text):
        self.call("Input.insertText", text=text)

    def picture(self, path, whole=False):
        shot = self.call("Page.captureScreenshot", format="png", captureBeyondViewport=whole)
        with open(path, "wb") as f:
            f.write(base64.b64decode(shot["data"]))

    def faults(self):
        """What the page complained of, and each thing that it asked of anywhere but its own files."""
        wrong = []
        for event in self.events:
            params = event.get("params", {})
            if event.get("method") == "Runtime.exceptionThrown":
                wrong.append(params["exceptionDetails"].get("text", "exception"))
            elif event.get("method") == "Log.entryAdded" and params["entry"]["level"] in ("error", "warning"):
                wrong.append(params["entry"]["text"])
            elif event.get("method") == "Network.requestWillBeSent":
                url = params["request"]["url"]
                if not url.startswith(("file:", "data:", "about:")):
                    wrong.append(f"asked for {url}")
        return wrong
