"""What the scripts of this folder share: names, checks, waiting; and the main that runs one case."""
import asyncio
import inspect
import os
import sys
import time
import traceback

ADDRESS = sys.argv[1] if len(sys.argv) > 1 else ""
count = 0


class Failed(Exception):
    pass


def name(word):
    """A name for a topic or group that nobody else uses."""
    global count
    count += 1
    return f"{word}-{os.getpid()}-{count}"


def check(condition, text):
    if not condition:
        raise Failed(text)


def same(what, seen, expected):
    if seen != expected:
        if isinstance(seen, list) and isinstance(expected, list):
            at = next((i for i, (a, b) in enumerate(zip(seen, expected)) if a != b), min(len(seen), len(expected)))
            raise Failed(f"{what}: {len(seen)} seen, {len(expected)} expected; at {at}: "
                         f"seen {seen[at:at + 3]}, expected {expected[at:at + 3]}")
        raise Failed(f"{what}: seen {seen!r}, expected {expected!r}")


def wait_for(what, condition, timeout=30.0):
    end = time.monotonic() + timeout
    while True:
        got = condition()
        if got:
            return got
        if time.monotonic() > end:
            raise Failed(f"waited {timeout} s in vain for: {what}")
        time.sleep(0.01)


def refused(what, expected, action):
    """The action must be refused with an error whose text or type holds `expected`."""
    try:
        got = action()
    except Exception as e:
        check(expected in f"{type(e).__name__} {e!r} {e}", f"{what}: refused, but not with {expected}: {e!r}")
        return e
    raise Failed(f"{what}: {expected} was expected, but it was done: {got!r}")


def main(cases):
    """script.py ADDRESS CASE: runs case_CASE; ends with 1 and the trace when it fails."""
    case = cases[f"case_{sys.argv[2]}"]
    code = 0
    try:
        if inspect.iscoroutinefunction(case):
            asyncio.run(case())
        else:
            case()
    except BaseException:
        traceback.print_exc()
        code = 1
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)  # clients that a failed case left open would wait for their threads
