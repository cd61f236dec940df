"""./test [GROUP] [WORD]: runs the groups below; the last line is "N passed, N failed".

A group is a folder of tests/ with test_*.py files, whose functions test_* are the tests; or the unit
programs. Without a group the quick ones run. WORD picks the tests whose name holds it.
"""
import importlib.util
import inspect
import os
import pathlib
import re
import subprocess
import sys
import time
import traceback

ROOT = pathlib.Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tests" / "kit"))
from harness import in_memory

QUICK = ["house", "unit", "examples", "plan", "imports", "walk", "workflows", "console", "tools", "bad", "hostile", "kafka_quick", "crash_short", "fuzz_short", "queries"]
LONG = ["crash", "fuzz", "fresh", "peers", "browser", "nexmark", "tidy", "bank", "rows", "long"]


class Count:
    passed = 0
    failed = 0


def say(text):
    print(text, flush=True)


def run_unit(word):
    """Every room's unit tests, with address and undefined-behaviour sanitizers."""
    build = ROOT / "build-debug"
    names = sorted(p.stem for p in (ROOT / "src").glob("*") if (p / "meson.build").exists())
    programs = [f"unit_{n}" for n in names]
    listed = subprocess.run(["ninja", "-C", build, "-t", "targets", "all"], capture_output=True, text=True).stdout
    programs = [p for p in programs if f"\n{p}: " in "\n" + listed]
    programs += sorted(re.findall(r"^(src/\w+/unit_\w+): ", listed, re.M))  # parts of a room, with another's place taken
    made = subprocess.run(["ninja", "-C", build, *programs], capture_output=True, text=True)
    if made.returncode:
        say(made.stdout[-4000:])
        say("FAILED building the unit tests")
        Count.failed += 1
        return
    for p in programs:
        start = time.time()
        r = subprocess.run([build / p, *([word] if word else [])], capture_output=True, text=True,
                           env={**os.environ, "SLUICE_TEST_DIR": in_memory(), "ASAN_OPTIONS": "detect_leaks=1", "UBSAN_OPTIONS": "halt_on_error=1:print_stacktrace=1"})
        last = (r.stdout.strip().splitlines() or [""])[-1].replace(",", "").split()
        if len(last) == 4 and last[1] == "passed":
            passed, failed = int(last[0]), int(last[2])
            if word and passed + failed == 0:
                continue
            Count.passed += passed
            Count.failed += failed
            broke = r.returncode != 0 and failed == 0
        else:
            broke, passed, failed = True, 0, 0
        Count.failed += broke
        say(f"{p}: {passed} passed, {failed} failed ({time.time() - start:.1f} s)")
        if failed or broke:
            say(r.stdout[-6000:])
            say(r.stderr[-6000:])


def run_folder(group, word):
    before = Count.passed + Count.failed
    for path in sorted((ROOT / "tests" / group).glob("test_*.py")):
        spec = importlib.util.spec_from_file_location(f"{group}_{path.stem}", path)
        module = importlib.util.module_from_spec(spec)
        try:
            spec.loader.exec_module(module)
        except Exception:
            say(f"FAILED {group}/{path.name}\n{traceback.format_exc()}")
            Count.failed += 1
            continue
        for name, test in inspect.getmembers(module, inspect.isfunction):
            if not name.startswith("test_") or test.__module__ != module.__name__ or (word and word not in name):
                continue
            start = time.time()
            try:
                test()
            except Exception:
                Count.failed += 1
                say(f"FAILED {group}/{name} ({time.time() - start:.1f} s)\n{traceback.format_exc()}")
            else:
                Count.passed += 1
                say(f"passed {group}/{name} ({time.time() - start:.1f} s)")
    if not word and Count.passed + Count.failed == before:
        Count.failed += 1
        say(f"FAILED {group}: there is no test in it")


def main():
    group = sys.argv[1] if len(sys.argv) > 1 else None
    word = sys.argv[2] if len(sys.argv) > 2 else None
    if group and group not in QUICK + LONG:
        say(f"there is no group '{group}'; there are {' '.join(QUICK + LONG)}")
        return closing(wrong=1)
    start = time.time()
    for g in [group] if group else QUICK:
        say(f"-- {g}")
        begun = time.time()
        try:
            if g == "unit":
                run_unit(word)
            else:
                run_folder(g, word)
        except KeyboardInterrupt:
            say(f"FAILED {g}: interrupted")
            return closing(wrong=1)
        say(f"-- {g}: {time.time() - begun:.0f} s")
    say(f"in {time.time() - start:.0f} s")
    if not Count.passed + Count.failed:
        say("FAILED: no test was run")
        return closing(wrong=1)
    return closing()


def closing(wrong=0):
    """The last line, which people and machines look for."""
    Count.failed += wrong
    say(f"{Count.passed} passed, {Count.failed} failed")
    return 1 if Count.failed else 0


if __name__ == "__main__":
    sys.exit(main())
