# SPDX-License-Identifier: Apache-2.0
"""The checks of scripts/ can fail: a check that can't is worth nothing."""

import re
import subprocess

import pytest


@pytest.fixture
def tree(tmp_path, source_root):
    """An empty source tree with the project's own format; returns a function that adds a file."""
    (tmp_path / ".clang-format").write_text((source_root / ".clang-format").read_text())

    def add(path, text):
        file = tmp_path / path
        file.parent.mkdir(exist_ok=True)
        file.write_text(text)
        return tmp_path

    return add


def check(source_root, name, root):
    return subprocess.run(
        ["sh", source_root / "scripts" / name, root], capture_output=True, text=True, timeout=60
    )


@pytest.mark.parametrize(
    "path, line",
    [
        ("base/x.c", '#include "totp/otp.h"'),
        ("totp/x.h", '#include "push/key.h"'),
        ("verify/x.c", '#include "daemon/config.h"'),
        ("sandbox/x.c", '#include "push/key.h"'),
        ("cli/x.c", '#  include "store/store.h"'),
        ("daemon/x.c", '#include "sandbox/state.h"'),
        ("daemon/x.c", '#include "config.h"'),
        ("verify/x.c", "#include <curl/curl.h>"),
        ("daemon/x.c", "#include <sqlite3.h>"),
        ("daemon/x.c", "#include <microhttpd.h>"),
        ("verify/x.c", "#include <openssl/evp.h>"),
        ("base/x.c", "#include <openssl/evp.h>"),
        ("daemon/x.c", "#include <systemd/sd-journal.h>"),
        ("elsewhere/x.c", "#include <stdio.h>"),
    ],
)
def test_layers_are_refused(tree, source_root, path, line):
    root = tree(path, line + "\n")
    done = check(source_root, "check-layers", root)
    assert done.returncode == 1
    assert done.stderr.startswith(f"{path}:1: ")


def test_layers_are_allowed(tree, source_root):
    tree("base/secret-equal.c", '#include "base/secret.h"\n#include <openssl/crypto.h>\n')
    tree("verify/http.c", '#include <curl/curl.h>\n#include "base/text.h"\n')
    tree("sandbox/x.c", '#include <microhttpd.h>\n#include "totp/otp.h"\n')
    tree("log/log.c", "#include <systemd/sd-journal.h>\n")
    root = tree("daemon/x.c", '#include <systemd/sd-event.h>\n#include "store/store.h"\n')
    done = check(source_root, "check-layers", root)
    assert (done.returncode, done.stderr) == (0, "")


def test_format_is_refused(tree, source_root):
    tree("base/good.c", "int good(void) {\n        return 0;\n}\n")
    root = tree("base/bad.c", "int bad(void)\n{\n  return 0;\n}\n")
    done = check(source_root, "check-format", root)
    assert done.returncode == 1
    assert "bad.c" in done.stderr and "good.c" not in done.stderr


def test_format_is_allowed(tree, source_root):
    root = tree("base/good.c", "int good(void) {\n        return 0;\n}\n")
    assert check(source_root, "check-format", root).returncode == 0


def test_empty_trees_are_refused(tmp_path, source_root):
    for name in ("check-layers", "check-format"):
        assert check(source_root, name, tmp_path).returncode == 1


def test_one_place_assigns_a_state(source_root):
    """A challenge's state changes in one function, so that the table of moves can't be passed by."""
    found = [
        (path.name, line.strip())
        for path in sorted((source_root / "daemon").glob("*.c"))
        for line in path.read_text().splitlines()
        if re.search(r"view\.state\s*=[^=]", line)
    ]
    assert found == [("challenge-change.c", "c->view.state = to;")]
