"""The unit tests that go fewer rounds under the sanitizers (TEST_ROUNDS, tests/kit/rounds.h) go all of them here: their
rooms' programs as the release is built."""
import os
import pathlib
import subprocess

from harness import ROOT, SLUICE, check, in_memory

BUILD = pathlib.Path(SLUICE).parent


def rooms():
    """Those with such a test; never none."""
    found = sorted({p.relative_to(ROOT / "src").parts[0] for p in (ROOT / "src").rglob("*_test.c") if "TEST_ROUNDS(" in p.read_text()})
    check(found, "no unit test says TEST_ROUNDS")
    return found


def make(room):
    def test():
        r = subprocess.run(["ninja", "-C", BUILD, f"unit_{room}"], capture_output=True, text=True)
        check(r.returncode == 0, r.stdout[-4000:])
        r = subprocess.run([BUILD / f"unit_{room}"], capture_output=True, text=True, errors="replace", timeout=1200,
                           env={**os.environ, "SLUICE_TEST_DIR": in_memory()})
        check(r.returncode == 0, f"it ended with {r.returncode}:\n{r.stdout[-6000:]}\n{r.stderr[-4000:]}")
    test.__module__ = __name__
    return test


for room in rooms():
    globals()[f"test_rounds_of_{room}"] = make(room)
