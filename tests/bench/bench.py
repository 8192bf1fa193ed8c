# SPDX-License-Identifier: Apache-2.0
"""Prints how our codes, signatures, decisions and commands compare with others' in speed, in ratios.

usage: bench.py BUILD_DIR [--factors N]

Ratios come from one run, with the contestants taking turns. After them come figures of one daemon
with N factors and N challenges, without an aim; with --factors 0 they are left out. Ends with 1
when an aim is missed or something could not be measured.
"""

import argparse
import os
import statistics
import subprocess
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "integration"))

import scale  # noqa: E402
from harness import Daemon  # noqa: E402

SECRET_HEX = b"12345678901234567890".hex()
URI = "otpauth://totp/bench?secret=GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ\n"
PROCESSES = 300


class Row:
    """Ours beside another's. A rate shall be at least the aim times the other's, a duration at most."""

    def __init__(self, name, unit, ours, others, aim, *, lower_is_better=False):
        self.name = name
        self.unit = unit
        self.ours = ours
        self.others = others
        self.ratio = ours / others
        self.aim = aim
        self.lower_is_better = lower_is_better

    @property
    def reached(self):
        return self.ratio <= self.aim if self.lower_is_better else self.ratio >= self.aim

    def __str__(self):
        sign = "<=" if self.lower_is_better else ">="
        word = "ok" if self.reached else "MISSED"
        return (
            f"{self.name:44} {self.ours:>12,.2f} {self.others:>12,.2f} {self.unit:10}"
            f" {self.ratio:6.2f}x  {sign} {self.aim:.2f}x  {word}"
        )


def measured(program):
    """The lines "name value" that a benchmark prints."""
    out = subprocess.run([program], check=True, capture_output=True, text=True).stdout
    return {name: float(value) for name, value in (line.split() for line in out.splitlines())}


def totp_rows(build_dir):
    rates = measured(build_dir / "tests/bench/bench-totp")
    for algorithm in ("SHA1", "SHA256", "SHA512"):
        ours, oath, bare = (
            rates[f"totp.{algorithm}.{who}"] for who in ("ours", "liboath", "bare")
        )
        yield Row(f"TOTP {algorithm}: liboath", "codes/s", ours, oath, 1.7)
        yield Row(f"TOTP {algorithm}: EVP_MAC alone", "codes/s", ours, bare, 0.9)


def policy_rows(build_dir):
    """A decision by the last of 1,000 rules; the loop knows nothing of fields, ranges and time."""
    rates = measured(build_dir / "tests/bench/bench-policy")
    ours, bare = (1000 / rates[f"policy.1000.{who}"] for who in ("ours", "bare"))
    title = "1,000 rules: "
    yield Row(title + "fnmatch, PCRE2 alone", "ms", ours, bare, 2.0, lower_is_better=True)
    yield Row(title + "a millisecond", "ms", ours, 1.0, 0.5, lower_is_better=True)


def openssl_speed():
    """P-256 signatures a second, of openssl speed."""
    out = subprocess.run(
        ["openssl", "speed", "-seconds", "1", "ecdsap256"],
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    return float(out.splitlines()[-1].split()[-2])


def es256_rows(build_dir):
    speeds, runs = [], []
    for _ in range(3):
        speeds.append(openssl_speed())
        runs.append(measured(build_dir / "tests/bench/bench-es256"))
    speed = statistics.median(speeds)
    rates = {name: statistics.median(run[name] for run in runs) for name in runs[0]}
    for kind, title in (("device", "device JWT"), ("challenge", "challenge JWS")):
        ours, bare = (rates[f"es256.{kind}.{who}"] for who in ("ours", "bare"))
        yield Row(f"ES256 {title}: EVP_DigestSign alone", "tokens/s", ours, bare, 0.95)
        yield Row(f"ES256 {title}: openssl speed", "tokens/s", ours, speed, 0.75)


def milliseconds(command, env):
    """How long a process takes from its start to its end; it must succeed."""
    quiet = [(os.POSIX_SPAWN_OPEN, 1, os.devnull, os.O_WRONLY, 0)]
    start = time.perf_counter()
    pid = os.posix_spawnp(command[0], command, env, file_actions=quiet)
    _, status = os.waitpid(pid, 0)
    spent = time.perf_counter() - start
    if status != 0:
        raise RuntimeError(f"{' '.join(command)} failed")
    return 1000 * spent


def command_rows(build_dir):
    """A code by factorctl, the daemon and the socket between them, and one by oathtool alone."""
    daemon = Daemon(build_dir)
    try:
        daemon.ctl("import", "-", input=URI)
        ours = [str(build_dir / "cli/factorctl"), "--socket", str(daemon.socket_path)]
        ours += ["code", "bench"]
        theirs = ["oathtool", "--totp", SECRET_HEX]
        times = ([], [])
        for i in range(PROCESSES + 10):
            for command, found in zip((ours, theirs), times):
                spent = milliseconds(command, daemon.env)
                if i >= 10:  # what came before warmed up
                    found.append(spent)
    finally:
        daemon.stop()
    medians = [statistics.median(found) for found in times]
    yield Row(
        "factorctl code: oathtool, as processes", "ms", *medians, 2.0, lower_is_better=True
    )


def print_rows(build_dir):
    """Returns whether each aim was reached."""
    good = True
    print(f"{'':44} {'ours':>12} {'theirs':>12} {'':10} {'ratio':>7}  aim")
    for rows in (totp_rows, es256_rows, policy_rows, command_rows):
        try:
            for row in rows(build_dir):
                print(row, flush=True)
                good = good and row.reached
        except scale.FAILURES as e:
            print(f"{rows.__name__}: not measured: {e}", flush=True)
            good = False
    return good


def main():
    parser = argparse.ArgumentParser(prog="bench.py")
    parser.add_argument("build_dir", type=Path)
    parser.add_argument("--factors", type=int, default=10000, metavar="N")
    arguments = parser.parse_args()
    build_dir = arguments.build_dir.resolve()
    good = print_rows(build_dir)
    if arguments.factors > 0:
        good = scale.run(build_dir, arguments.factors) and good
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
