"""Runs the fuzz targets, built with clang, address and undefined-behaviour sanitizers."""
import os
import pathlib
import subprocess
import tempfile

from harness import Failed, ROOT, check

TARGETS = ["csv", "http", "json", "people", "record_batch", "segment", "settings", "sql", "value"]
BUILD = ROOT / "build-fuzz"


def build():
    env = {**os.environ, "CC": "clang-14", "CXX": "clang++-14"}
    if not (BUILD / "build.ninja").exists():
        r = subprocess.run(["meson", "setup", BUILD, ROOT, "-Dfuzz=true", "-Db_sanitize=address,undefined", "-Db_lundef=false"],
                           capture_output=True, text=True, env=env)
        check(r.returncode == 0, r.stdout[-3000:] + r.stderr[-3000:])
    r = subprocess.run(["ninja", "-C", BUILD, *[f"tests/fuzz_{t}" for t in TARGETS]], capture_output=True, text=True, env=env)
    check(r.returncode == 0, r.stdout[-4000:])


def run(target, seconds):
    corpus = ROOT / "tests" / "fuzz" / "corpus" / target
    with tempfile.TemporaryDirectory() as found:
        r = subprocess.run([BUILD / "tests" / f"fuzz_{target}", f"-max_total_time={seconds}", "-max_len=16384", "-rss_limit_mb=2048", "-timeout=20",
                            f"-artifact_prefix={found}/", found, corpus], capture_output=True, text=True, cwd=found)
        if r.returncode:
            crashes = [p for p in pathlib.Path(found).iterdir() if p.name.startswith(("crash", "leak", "oom", "timeout", "slow"))]
            raise Failed(f"fuzz_{target}: {[c.read_bytes()[:500] for c in crashes[:1]]}\n{r.stderr[-4000:]}")
