# SPDX-License-Identifier: Apache-2.0
"""Fixtures of the integration tests: they drive the programs of FACTORD_BUILD_DIR, or of build/."""

import os
from pathlib import Path

import pytest

from agent import Agent, Setting
from desktop import Desktop
from harness import Daemon, Sandbox

SOURCE_ROOT = Path(__file__).resolve().parents[2]
PROGRAMS = ("daemon/factord", "agent/factor-agent", "cli/factorctl", "sandbox/factord-sandbox")


def pytest_configure(config):
    config.addinivalue_line("markers", "valgrind: also run with the daemon under valgrind")


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    """A failure shows what the programs had to say."""
    report = (yield).get_result()
    if report.failed:
        for title, text in getattr(item, "program_logs", {}).items():
            report.sections.append((title, text()))


@pytest.fixture
def show_on_failure(request):
    """A function (title, text): what text() returns is printed should the test fail."""

    def show(title, text):
        logs = request.node.__dict__.setdefault("program_logs", {})
        logs[f"{title} {len(logs) + 1}"] = text

    return show


@pytest.fixture(scope="session")
def source_root():
    return SOURCE_ROOT


@pytest.fixture(scope="session")
def build_dir():
    path = Path(os.environ.get("FACTORD_BUILD_DIR", SOURCE_ROOT / "build")).resolve()
    for program in PROGRAMS:
        if not (path / program).exists():
            pytest.fail(f"{path / program} is not built; run: meson setup build && ninja -C build")
    return path


def _stop_all(things):
    """Stops the newest first, all of them, and fails with the first complaint."""
    complaint = None
    for thing in reversed(things):
        try:
            thing.stop()
        except BaseException as e:
            complaint = complaint or e
    if complaint:
        raise complaint


@pytest.fixture
def make_sandbox(build_dir, tmp_path, show_on_failure):
    """A function that starts a sandbox; its arguments are the program's."""
    made = []

    def make(*arguments):
        directory = tmp_path / f"sandbox-{len(made)}"
        directory.mkdir()
        sandbox = Sandbox(build_dir, directory, *arguments)
        made.append(sandbox)
        show_on_failure("factord-sandbox", lambda: sandbox.process.stderr)
        return sandbox

    yield make
    _stop_all(made)


@pytest.fixture
def sandbox(make_sandbox):
    return make_sandbox()


@pytest.fixture
def make_daemon(build_dir, make_sandbox, show_on_failure):
    """A function that starts a daemon: make_daemon(sandbox, {"Poll": {"Interval": "1s"}})."""
    made = []

    def make(sandbox=None, config=None, *, start=True, **options):
        daemon = Daemon(build_dir, sandbox, config, start=False, **options)
        made.append(daemon)
        show_on_failure("factord", lambda: daemon.stderr)
        if start:
            daemon.start()
        return daemon

    yield make
    _stop_all(made)


@pytest.fixture
def daemon(make_daemon, sandbox):
    """A daemon that polls the sandbox fast and asks about everything."""
    return make_daemon(sandbox)


@pytest.fixture
def make_desktop(show_on_failure):
    """A function that makes a desktop; its arguments are Desktop's."""
    made = []

    def make(*arguments, **options):
        desktop = Desktop(*arguments, **options)
        made.append(desktop)
        show_on_failure("desktop", desktop.notices.describe)
        return desktop

    yield make
    _stop_all(made)


@pytest.fixture
def make_agent(build_dir, make_desktop, show_on_failure):
    """A function that starts an agent between a daemon and a desktop."""
    made = []

    def make(daemon, desktop, **options):
        agent = Agent(build_dir, daemon, desktop, **options)
        made.append(agent)
        show_on_failure("factor-agent", lambda: agent.stderr)
        return agent

    yield make
    _stop_all(made)


@pytest.fixture
def setting(make_daemon, sandbox, make_desktop, make_agent):
    """A function that makes a daemon with a push factor, a desktop and an agent between them."""

    def make(*, prompt=None, system_bus=None, **desktop):
        settings = {"ArmDelay": "0", **(prompt or {})}
        daemon = make_daemon(sandbox, {"Prompt": settings})
        return Setting(daemon, make_desktop(**desktop), make_agent, system_bus)

    return make
