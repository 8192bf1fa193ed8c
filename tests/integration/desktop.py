# SPDX-License-Identifier: Apache-2.0
"""A person's desktop: a session bus, a notification server, and a screen to look at and click on.

Where to click is asked of the server's own toolkit, by AT-SPI as a screen reader would: it names
each button and says where on the screen it was drawn, whatever the font, the theme, the text and the
screen are. The click itself is the X server's. Labels are read the same way: what stands there was
drawn, after the markup was read. A server that draws its own text (dunst) has no such tree; of it
there are the windows, the screenshots, and what it was told over the bus.
"""

import glob
import subprocess
import sys
from pathlib import Path

import dbus
import dbus.lowlevel

from notices import NAME, PATH, Notices, SessionBus
from process import TIMEOUT, Process, wait_for
from xserver import XServer

ACCESSIBLE = "org.a11y.atspi.Accessible"

FADE = """<?xml version="1.0" encoding="UTF-8"?>
<channel name="xfce4-notifyd" version="1.0">
  <property name="do-fadeout" type="bool" value="false"/>
  <property name="do-slideout" type="bool" value="false"/>
  <property name="initial-opacity" type="double" value="1.0"/>
</channel>
"""
DUNSTRC = """[global]
 dmenu = /bin/grep -m1 ^.{choice}
 mouse_left_click = do_action
 font = DejaVu Sans 10
 width = 420
 height = 600
 format = "<b>%s</b>\\n%b"
"""


def program(pattern):
    found = glob.glob(pattern)
    assert found, f"{pattern} is not installed"
    return found[0]


class Desktop:
    """server: "xfce4-notifyd" (draws buttons), "dunst" (has actions, draws none), "notify-osd" (has
    no actions), or "fake" with its capabilities: that one has no screen, and is quick."""

    def __init__(self, server="fake", capabilities=("actions", "body", "body-markup")):
        self.server = server
        self.capabilities = capabilities
        self.screen = self.process = None
        self.helpers = []
        self.bus = SessionBus()
        self.directory = self.bus.directory
        try:
            self.env = self._environment()
            self.notices = Notices(self.bus)
            if server != "fake":
                self.screen = Screen(self.directory)
                self.env |= self.screen.env
            self.start_server()
        except BaseException:
            self.stop()
            raise

    def _environment(self):
        folders = {
            "HOME": "home",
            "XDG_RUNTIME_DIR": "run",
            "XDG_CONFIG_HOME": "config",
            "XDG_CACHE_HOME": "cache",
            "XDG_DATA_HOME": "data",
        }
        for name in folders.values():
            (self.directory / name).mkdir(mode=0o700)
        return {
            "PATH": "/usr/bin:/bin",
            "LC_ALL": "C.UTF-8",
            "GSETTINGS_BACKEND": "memory",
            **{key: str(self.directory / name) for key, name in folders.items()},
            **self.bus.env,
        }

    # The notification server.

    def _configure(self, name, text):
        path = self.directory / "config" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)

    def _spawn(self, name, command):
        """A program of the desktop; it is there when it has its name."""
        process = Process(command, self.directory / "desktop.log", env=self.env)
        wait_for(
            lambda: self.notices.connection.name_has_owner(name),
            what=lambda: f"{name}:\n{process.stderr}",
        )
        return process

    def _server_command(self):
        match self.server:
            case "fake":
                script = Path(__file__).with_name("fake_notifyd.py")
                return [sys.executable, "-B", script, *self.capabilities]
            case "dunst":
                self._configure("dunst/dunstrc", DUNSTRC.format(choice="Approve"))
                return ["/usr/bin/dunst"]
            case "notify-osd":
                # It draws with transparency, or nothing.
                compositor = Process(["xcompmgr"], self.directory / "desktop.log", env=self.env)
                self.helpers.append(compositor)
                return [program("/usr/lib/*/notify-osd")]
            case "xfce4-notifyd":
                self._configure("xfce4/xfconf/xfce-perchannel-xml/xfce4-notifyd.xml", FADE)
                xfconf = program("/usr/lib/*/xfce4/xfconf/xfconfd")
                self.helpers.append(self._spawn("org.xfce.Xfconf", [xfconf]))
                return [program("/usr/lib/*/xfce4/notifyd/xfce4-notifyd")]

    def start_server(self):
        self.process = self._spawn(NAME, self._server_command())

    def end_server(self):
        """It crashes, and all that it showed is gone."""
        self.process.kill()
        for helper in self.helpers:
            helper.kill()
        self.helpers.clear()
        wait_for(
            lambda: not self.notices.connection.name_has_owner(NAME), what="the server's name to go"
        )

    def restart_bus(self):
        """A new bus at the same address; who does not come back by itself is gone."""
        self.end_server()
        self.notices.end()
        self.bus.end()
        self.bus.socket_path.unlink(missing_ok=True)
        self.bus.start()
        self.notices.standing.clear()
        self.notices.start()
        self.start_server()

    def capability_list(self):
        server = self.notices.connection.get_object(NAME, PATH, introspect=False)
        return [str(c) for c in server.GetCapabilities(dbus_interface=NAME)]

    def run(self, *command):
        """A program of the person's, on this desktop; what it prints."""
        return subprocess.run(
            command, env=self.env, check=True, stdout=subprocess.PIPE, text=True, timeout=TIMEOUT
        ).stdout

    # The person, before the server that has no screen.

    def _play(self, method, signature, *arguments):
        server = self.notices.connection.get_object(NAME, PATH, introspect=False)
        server.get_dbus_method(method, "org.factord.Test")(*arguments, signature=signature)

    def choose(self, notice, key):
        self._play("Choose", "us", notice.id, key)

    def dismiss(self, notice):
        self._play("Dismiss", "u", notice.id)

    def emit(self, number, key):
        """The server says that this was chosen, whatever it shows."""
        self._play("Emit", "us", number, key)

    def forge(self, member, signature, *arguments):
        """A signal as the server's, from somebody else on the bus."""
        message = dbus.lowlevel.SignalMessage(PATH, NAME, member)
        message.append(*arguments, signature=signature)
        self.notices.connection.send_message(message)
        self.notices.connection.flush()

    # The end.

    @property
    def log(self):
        path = self.directory / "desktop.log"
        return path.read_text(errors="replace") if path.exists() else ""

    def stop(self):
        for process in filter(None, [self.process, *self.helpers]):
            process.kill()
        if self.screen:
            self.screen.stop()
        if getattr(self, "notices", None):
            self.notices.end()
        self.bus.stop()


class Screen(XServer):
    """One whose programs can be asked what they have drawn."""

    def __init__(self, directory):
        super().__init__(directory)
        self.accessibility = self.registry = None
        try:
            self._start_registry(directory)
        except BaseException:
            self.stop()
            raise

    def _start_registry(self, directory):
        """What screen readers use, on a bus of its own."""
        self.accessibility = SessionBus()
        self.connection = self.accessibility.connect()
        self.env["AT_SPI_BUS_ADDRESS"] = self.accessibility.address
        self.registry = Process(
            ["/usr/libexec/at-spi2-registryd"],
            directory / "registry.log",
            env={"PATH": "/usr/bin:/bin", **self.accessibility.env, **self.env},
        )
        wait_for(
            lambda: self.connection.name_has_owner("org.a11y.atspi.Registry"),
            what=lambda: f"AT-SPI's registry:\n{self.registry.stderr}",
        )

    # What the toolkit says that it has drawn.

    def _get(self, node, key):
        return node.Get(ACCESSIBLE, key, dbus_interface="org.freedesktop.DBus.Properties")

    def _walk(self, node):
        yield node
        for owner, path in node.GetChildren(dbus_interface=ACCESSIBLE):
            yield from self._walk(self.connection.get_object(owner, path, introspect=False))

    def _nodes(self, role):
        """(text, extents) of all that have that role and are showing."""
        root = self.connection.get_object(
            "org.a11y.atspi.Registry", "/org/a11y/atspi/accessible/root", introspect=False
        )
        found = []
        for node in self._walk(root):
            if node.GetRoleName(dbus_interface=ACCESSIBLE) == role:
                extents = node.GetExtents(dbus.UInt32(0), dbus_interface="org.a11y.atspi.Component")
                found.append((str(self._get(node, "Name")), tuple(int(n) for n in extents)))
        return found

    def nodes(self, role):
        """Likewise; a tree that changes while it is read is read again."""

        def read():
            try:
                return [self._nodes(role)]
            except dbus.DBusException:
                return None

        return wait_for(read, what="the tree of what is drawn to hold still")[0]

    def buttons(self):
        return [name for name, _ in self.nodes("push button")]

    def labels(self):
        return [name for name, _ in self.nodes("label")]

    def press(self, name):
        """A real click in the middle of the one button that is called so."""

        def place():
            places = [extents for text, extents in self.nodes("push button") if text == name]
            return places[0] if len(places) == 1 and places[0][0] >= 0 else None

        x, y, width, height = wait_for(place, what=lambda: f"a button {name}: {self.buttons()}")
        self.click(x + width // 2, y + height // 2)

    def press_label(self, text):
        """A real click on a text: what people take for the notification itself."""
        x, y, width, height = wait_for(
            lambda: next((e for label, e in self.nodes("label") if text in label), None),
            what=lambda: f"a label with {text}: {self.labels()}",
        )
        self.click(x + width // 2, y + height // 2)

    def stop(self):
        if self.registry:
            self.registry.kill()
        if self.accessibility:
            self.connection.close()
            self.accessibility.stop()
        super().stop()
