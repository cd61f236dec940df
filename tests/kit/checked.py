"""build-checked: the unit programs and the fuzz targets by clang, with address and undefined-behaviour sanitizers. `./test unit` (fuzz, fuzz_short) sets it up."""
import re
import subprocess

from harness import ROOT, check

BUILD = ROOT / "build-checked"


def targets(pattern):
    """Those of the build's that match; never none."""
    check((BUILD / "build.ninja").exists(), f"there is no {BUILD.name} yet: ./test unit makes it")
    listed = subprocess.run(["ninja", "-C", BUILD, "-t", "targets", "all"], capture_output=True, text=True).stdout
    found = sorted(set(re.findall(rf"^({pattern}): ", listed, re.M)))
    check(found, f"{BUILD.name} has nothing like {pattern}")
    return found


def build(names):
    """What of these is out of date; normally nothing, where ./test was called."""
    made = subprocess.run(["ninja", "-C", BUILD, *names], capture_output=True, text=True)
    check(made.returncode == 0, made.stdout[-4000:])
