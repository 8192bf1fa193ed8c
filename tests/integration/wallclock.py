# SPDX-License-Identifier: Apache-2.0
"""A local wall clock of a test's own, for the programs that run with its environment."""

import os
import struct
import subprocess
from pathlib import Path

import pytest

SOURCE = Path(__file__).with_name("wallclock.c")
UNSYNCHRONISED = 16_000_000


class WallClock:
    """Make a daemon with env=clock.env: it and its factorctl then live by this clock."""

    def __init__(self, library, path):
        path.write_bytes(struct.pack("=qq", 0, 1000))
        self.file = path.open("r+b", buffering=0)
        options = f"{os.environ.get('ASAN_OPTIONS', '')}:verify_asan_link_order=0"
        self.env = {"LD_PRELOAD": str(library), "WALLCLOCK": str(path), "ASAN_OPTIONS": options}

    def _write(self, at, value):
        self.file.seek(at)
        self.file.write(struct.pack("=q", value))

    def set(self, offset):
        """In seconds against the machine's clock; at once, also for what runs."""
        self._write(0, round(offset * 1_000_000))

    def synchronised(self, yes):
        """What the kernel says."""
        self._write(8, 1000 if yes else UNSYNCHRONISED)


@pytest.fixture(scope="session")
def wallclock_library(tmp_path_factory):
    """Without the sanitizers of the programs: it is loaded into setpriv and valgrind, too."""
    library = tmp_path_factory.mktemp("wallclock") / "wallclock.so"
    compiler = os.environ.get("CC", "cc")
    command = [compiler, "-Wall", "-Werror", "-O2", "-shared", "-fPIC", "-o", library, SOURCE]
    subprocess.run([str(part) for part in command], check=True)
    return library


@pytest.fixture
def make_wallclock(wallclock_library, tmp_path):
    made = []

    def make(offset=0):
        clock = WallClock(wallclock_library, tmp_path / f"wallclock-{len(made)}")
        clock.set(offset)
        made.append(clock)
        return clock

    yield make
    for clock in made:
        clock.file.close()


@pytest.fixture
def wallclock(make_wallclock):
    """A right one, to begin with."""
    return make_wallclock()
