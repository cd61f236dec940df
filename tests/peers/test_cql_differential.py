"""Some thousands of generated statements against us and a real Cassandra 5.0.5, everything compared: see
python/cql_differential.py. SLUICE_DIFFERENTIAL=SEED,COUNT runs another part of them."""
import os
import pathlib
import subprocess

import cassandra
from engines import venv
from harness import Failed

SCRIPT = pathlib.Path(__file__).resolve().parent / "python" / "cql_differential.py"


def compare(protocol, seed, count):
    # its cache of counters counts on from values of deleted rows; what it keeps on disk does not
    real = cassandra.Cassandra(more="counter_cache_size: 0MiB\n")
    try:
        host, port = cassandra.server()
        r = subprocess.run([venv("cassandra-driver"), SCRIPT, f"{host}:{port}", f"127.0.0.1:{real.port}", str(seed), str(count), str(protocol)],
                           stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=3000)
    finally:
        real.stop()
    print(r.stdout[-3000:], flush=True)
    if r.returncode:
        raise Failed(f"differences:\n{r.stdout[:12000]}")


def test_cql_differential():
    seed, count = (int(x) for x in os.environ.get("SLUICE_DIFFERENTIAL", "1,6000").split(","))
    compare(4, seed, count)


def test_cql_differential_in_protocol_5():
    compare(5, 77, 2000)
