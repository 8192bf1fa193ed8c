# SPDX-License-Identifier: Apache-2.0
"""docs/faults.md and the tests of faults: each row has its tests, each test its row."""

import re
import subprocess
import sys

import pytest

# All tests of these are about faults.
MODULES = ("test_faults", "test_hostile")
ROW = re.compile(r"\| (?P<fault>[^|]+) \| (?P<does>[^|]+) \| (?P<tests>(?:`[^`|]+` ?)+) \|")


@pytest.fixture(scope="module")
def rows(source_root):
    lines = (source_root / "docs/faults.md").read_text().splitlines()
    table = [line for line in lines if re.match(r"\| (?!fault \|)", line)]
    assert all(ROW.fullmatch(line) for line in table)
    return [
        (match["fault"], match["does"], re.findall("`([^`]+)`", match["tests"]))
        for match in map(ROW.fullmatch, table)
    ]


@pytest.fixture(scope="module")
def collected(rows, source_root):
    """Of each module that matters, the names of its tests."""
    named = {name.split("::")[0] for _, _, tests in rows for name in tests if "::" in name}
    folder = source_root / "tests/integration"
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "--collect-only", "-q"]
        + [str(folder / f"{module}.py") for module in {*MODULES, *named}],
        cwd=source_root,
        capture_output=True,
        text=True,
        timeout=100,
    )
    found = re.findall(r"^\S*?(test_\w+)\.py::(.+)$", done.stdout, re.MULTILINE)
    assert done.returncode == 0 and found, done.stdout + done.stderr
    return {module: {name for of, name in found if of == module} for module, _ in found}


def meant(collected, name):
    """The tests that a row's name stands for: one, or all of a function; with their module."""
    *module, name = name.split("::")
    return {
        (of, test)
        for of in module or MODULES
        for test in collected.get(of, ())
        if test == name or test.partition("[")[0] == name
    }


def test_each_row_has_its_tests(rows, collected):
    assert len(rows) >= 40
    missing = [(fault, n) for fault, _, names in rows for n in names if not meant(collected, n)]
    assert not missing


def test_each_test_has_its_row(rows, collected):
    said = set().union(*(meant(collected, name) for _, _, names in rows for name in names))
    assert {(of, test) for of in MODULES for test in collected[of]} <= said


def test_each_fault_has_one_row(rows):
    faults = [fault for fault, _, _ in rows]
    assert len(faults) == len(set(faults))
    names = [name for _, _, tests in rows for name in tests]
    assert len(names) == len(set(names))
