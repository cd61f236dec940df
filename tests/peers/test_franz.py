"""franz-go's own tests of its client kgo: produce, groups of every kind, transactions, chained through several topics."""
import os
import re
import subprocess

import engines
from engines import bootstrap
from harness import Failed, check

# Those of its tests that ask a broker. The others of kgo run too, and must pass too, but judge nothing of ours.
BROKER = ["TestGroupETL", "TestTxnEtl"]


def test_franz_go_passes_its_own_tests():
    program, place = engines.franz_go()
    env = {"KGO_SEEDS": bootstrap(), "KGO_TEST_RF": "1", "KGO_TEST_RECORDS": "20000"}
    try:
        r = subprocess.run([program, "-test.short", "-test.v", "-test.timeout", "850s"], cwd=place, env={**os.environ, **env},
                           capture_output=True, text=True, timeout=900)
    except subprocess.TimeoutExpired as e:
        raise Failed(f"franz-go: no end after 900 s; its last words:\n{(e.stdout or b'').decode(errors='replace')[-6000:]}{engines.broker_words()}") from None
    results = {t: verdict for verdict, t in re.findall(r"^\s*--- (PASS|FAIL|SKIP): (\S+)", r.stdout, re.M)}
    failed = [t for t, verdict in results.items() if verdict == "FAIL"]
    skipped = [t for t, verdict in results.items() if verdict == "SKIP"]
    print(f"franz-go: {len(results)} tests, skipped: {' '.join(skipped) or 'none'}", flush=True)
    check(r.returncode == 0 and not failed, f"franz-go's tests ended with {r.returncode}, failed: {failed}\n{words(r.stdout)}{r.stderr[-2000:]}{engines.broker_words()}")
    for t in BROKER:
        check(results.get(t) == "PASS", f"{t} was not run: {results.get(t)}")


def words(out):
    lines = [line for line in out.splitlines() if not re.match(r"=== (RUN|PAUSE|CONT)", line)]
    return "\n".join(lines)[-6000:]
