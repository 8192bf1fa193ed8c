# SPDX-License-Identifier: Apache-2.0
"""The crash test of test_kill.py for as long as one likes. usage: soak.py BUILD-DIR KILLS [SEED]"""

import collections
import random
import sys
import tempfile
import time
from pathlib import Path

from daemon import Daemon
from sandbox import Sandbox
from storm import CONFIG, Storm

# A folder grows old with so many crashes; then a new one begins.
CRASHES = 100
EVERY = 25


def soak(build_dir, kills, seed, report):
    """One folder's lives. Returns what was counted."""
    with tempfile.TemporaryDirectory(prefix="factord-soak-") as directory:
        scratch = Path(directory)
        sandbox = Sandbox(build_dir, scratch, "--no-rate-limits")
        daemon = None
        try:
            daemon = Daemon(build_dir, sandbox, CONFIG)
            storm = Storm(daemon, sandbox, scratch / "copy", seed)
            storm.run(kills, report)
            daemon.stop()
            sandbox.stop()
            return storm.ledger.counts
        except BaseException:
            if daemon:
                print("factord said last:", *daemon.stderr.splitlines()[-40:], sep="\n  ")
            raise
        finally:
            if daemon:
                daemon.close()
            sandbox.close()


def main(build_dir, kills, seed=None):
    build_dir, kills = Path(build_dir).resolve(), int(kills)
    seed = random.randrange(1 << 32) if seed is None else int(seed)
    total, done, started = collections.Counter(), 0, time.monotonic()
    while done < kills:
        part = min(CRASHES, kills - done)
        print(f"seed {seed}: {part} crashes; again: scripts/soak {part} {seed}", flush=True)

        def report(n, before=done):
            if n % EVERY == 0:
                spent = time.monotonic() - started
                print(f"  {before + n} of {kills} crashes survived, {spent:.0f} s", flush=True)

        total += soak(build_dir, part, seed, report)
        done += part
        seed += 1
    print(
        f"soak: {done} crashes, {total['challenges']} challenges, {total['answers']} answers sent "
        f"({total['signatures']} signatures and {total['codes']} codes checked independently), "
        f"{total['under way']} answers under way at a crash, {total['told']} clients told: nothing "
        "lost, nothing answered twice, no code sent twice, each end as the provider has it, audit "
        "trail whole"
    )


if __name__ == "__main__":
    main(*sys.argv[1:])
