"""./test [GROUP] [WORD]: runs the groups below; the last line is "N passed, N failed".

A group is a folder of tests/ with test_*.py files, whose functions test_* are the tests; or the unit
programs. Without a group the quick ones run. WORD picks the tests whose name holds it.

What only computes runs two at a time: the unit programs, and the tests of a file that says AT_ONCE = 2.
The groups that ask a server wait most of their time: where all of them run, two are beside the unit
programs, and three beside each other when those have ended.
"""
import concurrent.futures
import importlib.util
import inspect
import os
import pathlib
import re
import resource
import subprocess
import sys
import threading
import time
import traceback

ROOT = pathlib.Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tests" / "kit"))
import checked
from harness import Failed, in_memory

COMPUTE = ["house", "fuzz_short"]  # both cores, each for itself
SLOW = ["unit_flow", "unit_sched", "unit_store", "unit_log"]  # these first: then nothing that takes long is left to run alone
ASK = ["walk", "console", "crash_short", "workflows", "hostile", "tools", "bad", "examples", "kafka_quick", "queries", "plan", "imports"]
BESIDE = ["unit", *ASK]  # the longest first
QUICK = COMPUTE + BESIDE
LONG = ["crash", "fuzz", "fresh", "peers", "browser", "nexmark", "tidy", "bank", "rows", "long"]


class Count:
    passed = 0
    failed = 0
    lock = threading.Lock()


def count(passed, failed):
    with Count.lock:
        Count.passed += passed
        Count.failed += failed


def say(text):
    print(text, flush=True)


def run_unit(word):
    """Every room's unit tests, with address and undefined-behaviour sanitizers."""
    try:
        programs = checked.targets(r"(?:src/\w+/)?unit_\w+")  # in src/: a part of a room, with another's place taken
        checked.build(programs)
    except Failed as why:
        say(f"FAILED building the unit tests: {why}")
        count(0, 1)
        return
    with concurrent.futures.ThreadPoolExecutor(2) as lanes:
        list(lanes.map(lambda p: run_program(p, word), sorted(programs, key=lambda p: p not in SLOW)))


def run_program(p, word):
    start = time.time()
    r = subprocess.run([checked.BUILD / p, *([word] if word else [])], capture_output=True, text=True,
                       env={**os.environ, "SLUICE_TEST_DIR": in_memory(), "ASAN_OPTIONS": "detect_leaks=1", "UBSAN_OPTIONS": "halt_on_error=1:print_stacktrace=1"})
    last = (r.stdout.strip().splitlines() or [""])[-1].replace(",", "").split()
    told = len(last) == 4 and last[1] == "passed"
    passed, failed = (int(last[0]), int(last[2])) if told else (0, 0)
    if told and word and passed + failed == 0:
        return
    broke = not told or (r.returncode != 0 and failed == 0)
    count(passed, failed + broke)
    say(f"{p}: {passed} passed, {failed} failed ({time.time() - start:.1f} s)" + (f"\n{r.stdout[-6000:]}\n{r.stderr[-6000:]}" if failed or broke else ""))


def run_folder(group, word):
    before = Count.passed + Count.failed
    for path in sorted((ROOT / "tests" / group).glob("test_*.py")):
        spec = importlib.util.spec_from_file_location(f"{group}_{path.stem}", path)
        module = importlib.util.module_from_spec(spec)
        try:
            spec.loader.exec_module(module)
        except Exception:
            count(0, 1)
            say(f"FAILED {group}/{path.name}\n{traceback.format_exc()}")
            continue
        tests = [(f"{group}/{name}", test) for name, test in inspect.getmembers(module, inspect.isfunction)
                 if name.startswith("test_") and test.__module__ == module.__name__ and (not word or word in name)]
        if (at_once := getattr(module, "AT_ONCE", 1)) > 1:
            with concurrent.futures.ThreadPoolExecutor(at_once) as lanes:
                list(lanes.map(lambda t: run_test(*t), tests))
        else:  # on the main thread, which alone may be told of signals
            for t in tests:
                run_test(*t)
    if not word and Count.passed + Count.failed == before:
        count(0, 1)
        say(f"FAILED {group}: there is no test in it")


def run_test(name, test):
    start = time.time()
    try:
        test()
    except Exception:
        count(0, 1)
        say(f"FAILED {name} ({time.time() - start:.1f} s)\n{traceback.format_exc()}")
    else:
        count(1, 0)
        say(f"passed {name} ({time.time() - start:.1f} s)")


def processor_s():
    """Of what we have started and waited for."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def run_group(group, word=None):
    say(f"-- {group}")
    begun, before = time.time(), processor_s()
    run_unit(word) if group == "unit" else run_folder(group, word)
    say(f"-- {group}: {time.time() - begun:.0f} s, {processor_s() - before:.0f} of a processor")


def run_beside_each_other(groups):
    """Three at a time, each in a process of its own; what one said is told whole when it has ended."""
    def one(group):
        p = subprocess.run([sys.executable, __file__, group], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace")
        said, _, last = p.stdout.rstrip().rpartition("\n")
        counted = re.fullmatch(r"(\d+) passed, (\d+) failed", last)
        say(said if counted else p.stdout.rstrip())
        if counted and p.returncode == (counted[2] != "0"):
            count(int(counted[1]), int(counted[2]))
        else:
            say(f"FAILED {group}: ended with {p.returncode}")
            count(0, 1)
    with concurrent.futures.ThreadPoolExecutor(3) as lanes:
        list(lanes.map(one, groups))


def main():
    group = sys.argv[1] if len(sys.argv) > 1 else None
    word = sys.argv[2] if len(sys.argv) > 2 else None
    if group and group not in QUICK + LONG:
        say(f"there is no group '{group}'; there are {' '.join(QUICK + LONG)}")
        return closing(wrong=1)
    start = time.time()
    try:
        for g in [group] if group else COMPUTE:
            run_group(g, word)
        if not group:
            run_beside_each_other(BESIDE)
    except KeyboardInterrupt:
        say("FAILED: interrupted")
        return closing(wrong=1)
    say(f"in {time.time() - start:.0f} s")
    if not Count.passed + Count.failed:
        say("FAILED: no test was run")
        return closing(wrong=1)
    return closing()


def closing(wrong=0):
    """The last line, which people and machines look for."""
    count(0, wrong)
    say(f"{Count.passed} passed, {Count.failed} failed")
    return 1 if Count.failed else 0


if __name__ == "__main__":
    sys.exit(main())
