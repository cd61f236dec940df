"""Every word of CQL as every kind of name, by the Python driver, against us and a real Cassandra 5.0.5: see
python/cql_words.py."""
import pathlib
import subprocess

import cassandra
from engines import venv
from harness import Failed

HERE = pathlib.Path(__file__).resolve().parent
WORDS = HERE.parent.parent / "src/sql/cql/words.def"


def ask(*addresses):
    r = subprocess.run([venv("cassandra-driver"), HERE / "python" / "cql_words.py", WORDS, *addresses],
                       stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=3000)
    print(r.stdout[-400:], flush=True)
    if r.returncode:
        raise Failed(r.stdout[:12000])


def test_cql_words():
    real = cassandra.Cassandra()
    try:
        ask(cassandra.address(), f"127.0.0.1:{real.port}")
    finally:
        real.stop()
