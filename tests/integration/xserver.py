# SPDX-License-Identifier: Apache-2.0
"""An X server of a test's own, its mouse and keyboard, and what is to be seen there."""

import os
import select
import subprocess
from pathlib import Path

from process import TIMEOUT, Process, wait_for

SCREENSHOTS = Path(__file__).resolve().parents[2] / "build-results/screenshots"


class XServer:
    """It chooses its display itself; env is what makes programs use it."""

    def __init__(self, directory, size="1000x700x24"):
        self.process = Process(
            ["Xvfb", "-displayfd", "1", "-screen", "0", size, "-nolisten", "tcp", "-noreset"],
            directory / "xvfb.log",
            stdout=subprocess.PIPE,
        )
        try:
            self.env = {"DISPLAY": f":{self._read_display()}"}
        except BaseException:
            self.process.kill()
            raise

    def _read_display(self):
        """Number and newline are two writes; the X server dies when nobody reads the second."""
        stdout, line = self.process.popen.stdout, b""
        while not line.endswith(b"\n"):
            assert select.select([stdout], [], [], TIMEOUT)[0], "the X server is not up in time"
            more = os.read(stdout.fileno(), 16)
            assert more, f"no X server:\n{self.process.stderr}"
            line += more
        stdout.close()
        return line.decode().strip()

    def run(self, *command, text=True):
        """What the program prints; a search that finds nothing is no failure."""
        return subprocess.run(
            [str(part) for part in command],
            env={"PATH": "/usr/bin:/bin", **self.env},
            capture_output=True,
            text=text,
            timeout=TIMEOUT,
        ).stdout

    def xdotool(self, *arguments):
        return self.run("xdotool", *arguments).split()

    def stop(self):
        """It removes its lock and its socket."""
        self.process.terminate()

    def screenshot(self, name):
        """All of the screen, once something is drawn and holds still, for a person to look at."""
        last = b""

        def is_still():
            nonlocal last
            before, last = last, self._pixels()
            return before == last and len(set(last)) > 1

        wait_for(is_still, what="something to be drawn that holds still")
        SCREENSHOTS.mkdir(parents=True, exist_ok=True)
        self.run("/usr/bin/import", "-window", "root", SCREENSHOTS / f"{name}.png")

    def _pixels(self):
        return self.run("/usr/bin/import", "-window", "root", "-depth", 8, "rgb:-", text=False)

    def windows(self):
        """Where windows are drawn: (x, y, width, height) of those that are mapped and visible. Those
        that toolkits keep for themselves are tiny; the largest is the screen's own."""
        found = []
        for number in self.xdotool("search", "--onlyvisible", "--name", ""):
            lines = self.xdotool("getwindowgeometry", "--shell", number)
            values = dict(line.split("=") for line in lines)
            if values:  # it has not gone meanwhile
                found.append(tuple(int(values[k]) for k in ("X", "Y", "WIDTH", "HEIGHT")))
        screen = (0, 0, *map(int, self.xdotool("getdisplaygeometry")))
        return [w for w in found if w[2] > 10 and w != screen]

    def wait_windows(self, number):
        return wait_for(
            lambda: len(found := self.windows()) == number and (found or True),
            what=lambda: f"{number} windows: {self.windows()}",
        )

    def click(self, x, y):
        """Moves there, presses and releases, and goes away again."""
        self.xdotool("mousemove", x, y, "click", 1, "mousemove", 1, 1)

    def click_window(self):
        """In the middle of the only window there is."""
        ((x, y, width, height),) = self.wait_windows(1)
        self.click(x + width // 2, y + height // 2)
