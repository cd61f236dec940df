"""clang-tidy over src/*.c by .clang-tidy, two at a time, on the compile commands of a clang build.

A file is looked at again only when it, a header it may see, .clang-tidy or this file has changed: a
clean one leaves its digest in build-tidy/clean. The first run takes some minutes, later ones seconds.
"""
import concurrent.futures
import hashlib
import os
import shutil
import subprocess

from harness import ROOT, check

BUILD = ROOT / "build-tidy"
AT_ONCE = 2


def setup():
    env = {**os.environ, "CC": "clang-14", "CXX": "clang++-14"}
    if (BUILD / "build.ninja").exists():
        r = subprocess.run(["ninja", "-C", BUILD, "build.ninja"], capture_output=True, text=True)
    else:
        r = subprocess.run(["meson", "setup", BUILD, ROOT], capture_output=True, text=True, env=env)
    check(r.returncode == 0, r.stdout[-3000:] + r.stderr[-3000:])
    (BUILD / "clean").mkdir(exist_ok=True)


def digest(*paths):
    h = hashlib.sha256()
    for p in paths:
        h.update(p.read_bytes())
    return h.hexdigest()


def rooms_seen():
    """Which rooms' headers a room's files may include: layers.txt, as tools/layers reads it."""
    rooms = {p.name for p in (ROOT / "src").iterdir()}
    seen = {}
    for line in (ROOT / "layers.txt").read_text().splitlines():
        if line.strip() and not line.startswith("#"):
            room, _, others = line.partition(":")
            names = {o.split("/")[0] for o in others.split()}
            seen[room.strip()] = rooms if "*" in names else names | {room.strip()}
    return seen


def look(source, wanted):
    mark = BUILD / "clean" / str(source.relative_to(ROOT)).replace("/", "_")
    if mark.exists() and mark.read_text() == wanted:
        return ""
    r = subprocess.run(["clang-tidy-14", "--quiet", "-p", BUILD, source], cwd=ROOT, capture_output=True, text=True)
    if r.returncode == 0:
        mark.write_text(wanted)
        return ""
    return r.stdout + r.stderr[-1000:]


def test_clang_tidy_is_clean():
    check(shutil.which("clang-tidy-14"), "clang-tidy-14 is missing: ./test installs it (tools/packages.txt)")
    setup()
    ends = (".h", ".def", ".inc")
    headers = {p.name: digest(*sorted(h for h in p.rglob("*") if h.suffix in ends)) for p in (ROOT / "src").iterdir() if p.is_dir()}
    rules = digest(ROOT / ".clang-tidy", ROOT / "meson.build", ROOT / "tests/kit/test.h")
    jobs = []
    for room, seen in rooms_seen().items():
        base = rules + "".join(headers[s] for s in sorted(seen & headers.keys()))
        for source in sorted((ROOT / "src" / room).rglob("*.c")):
            jobs.append((source, hashlib.sha256((base + digest(source)).encode()).hexdigest()))
    with concurrent.futures.ThreadPoolExecutor(AT_ONCE) as pool:
        said = [text for text in pool.map(lambda j: look(*j), jobs) if text]
    check(len(jobs) > 100, f"only {len(jobs)} files were found")
    check(not said, "\n".join(said)[:8000])
