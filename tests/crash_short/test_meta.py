"""The workflows' database on a disk that misbehaves at its n-th call, for every n: what was acknowledged is there, nothing by half, and the trouble is said."""
import os
import pathlib
import re
import shutil
import sqlite3
import subprocess
import tempfile

from harness import ROOT, SLUICE, check, in_memory

BUILD = pathlib.Path(SLUICE).parent


def one(at, **fault):
    """The child's words with this fault at its `at`-th call, and the database that is left."""
    folder = pathlib.Path(tempfile.mkdtemp(prefix="sluice-meta-", dir=in_memory()))
    try:
        env = {**os.environ, "META_CRASH_FILE": str(folder / "meta.db"), "LD_PRELOAD": str(BUILD / "tests" / "libfault.so"),
               "SLUICE_FAULT_DIR": str(folder), "SLUICE_FAULT_AT": str(at), "SLUICE_TEST_META": "",
               **{f"SLUICE_FAULT_{k}": v for k, v in fault.items()}}
        r = subprocess.run([BUILD / "unit_sched", "meta_pairs"], env=env, capture_output=True, text=True, timeout=60)
        check(r.returncode in (0, 137), f"at {at} {fault}: {r.returncode} {r.stdout}{r.stderr}")
        kept = [int(n) for n in re.findall(r"kept (\d+)", r.stdout)]
        check(kept == list(range(1, len(kept) + 1)), r.stdout)
        said = re.findall(r"said (\w+): (.*)", r.stdout)
        check(r.returncode == 137 or said or len(kept) == 12, f"at {at} {fault}: {r.stdout}{r.stderr}")
        check(not said or said[0][1], f"at {at} {fault}: no reason is given: {r.stdout}")
        look(folder / "meta.db", len(kept), f"at {at} {fault}: {r.stdout}")
        return r.returncode, len(kept), said[0][0] if said else ""
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def look(path, kept, story):
    if not path.exists():
        return check(kept == 0, f"{story}: the file is gone")
    db = sqlite3.connect(path)
    check(db.execute("PRAGMA integrity_check").fetchone() == ("ok",), f"{story}: damaged")
    tables = [r[0] for r in db.execute("SELECT name FROM sqlite_master WHERE type = 'table' AND name <> 'sqlite_sequence'")]
    check(not tables or len(tables) > 15, f"{story}: half of the tables: {tables}")
    keys = sorted(int(r[0]) for r in db.execute("SELECT key FROM variable")) if tables else []
    db.close()
    pairs = len(keys) // 2
    check(keys == sorted([*range(1, pairs + 1), *(-n for n in range(1, pairs + 1))]), f"{story}: {keys}")
    check(pairs in (kept, kept + 1), f"{story}: {pairs} pairs are there, {kept} were acknowledged")


def every(words=None, least=12, **fault):
    r = subprocess.run(["ninja", "-C", BUILD, "unit_sched", "tests/libfault.so"], capture_output=True, text=True)
    check(r.returncode == 0, r.stdout[-3000:])
    at, met, said = 1, 0, set()
    while met < 3: # past the last call nothing happens any more
        code, kept, word = one(at, **fault)
        said.add(word)
        met = met + 1 if code == 0 and kept == 12 and not word else 0
        at += 1
    check(at > least, f"only {at} calls were met")
    if words:
        check(said - {""} <= words, f"said {said}")
    return at


def test_meta_a_full_disk():
    every({"DISK_FULL"}, DO="fail", ERRNO="ENOSPC", STICKY="1", ONLY="write,truncate")
    every({"DISK_FULL", "IO"}, DO="fail", ERRNO="EIO", ONLY="write,truncate,open,fsync")


def test_meta_a_sync_that_fails():
    every({"IO"}, DO="fail", ERRNO="EIO", STICKY="1", ONLY="fsync")


def test_meta_killed_at_each_call():
    every(DO="stop")


def test_meta_torn_at_each_write():
    every(DO="tear", ONLY="write")


def test_meta_power_cut_at_each_call():
    every(DO="cut")
    for seed in range(1, 6):
        for at in range(20, 60, 3):
            one(at, DO="cut", SEED=str(seed))
