"""cql_tls.py HOST PORT: reads and writes over TLS, by the settings given as JSON on standard input: ca (the PEM that is trusted;
without it whoever answers is), name (whether the certificate has to fit the host), cert, key, user, password. Prints "ok", or
"refused: …" with code 3."""
import json
import ssl
import sys

from cassandra.auth import PlainTextAuthProvider
from cassandra.cluster import Cluster, NoHostAvailable
from cassandra.concurrent import execute_concurrent_with_args

settings = json.load(sys.stdin)
context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
context.check_hostname = settings.get("name", True)
if "ca" in settings:
    context.load_verify_locations(settings["ca"])
else:
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
if "cert" in settings:
    context.load_cert_chain(settings["cert"], settings["key"])
auth = PlainTextAuthProvider(settings["user"], settings["password"]) if "user" in settings else None
cluster = Cluster([sys.argv[1]], port=int(sys.argv[2]), protocol_version=5, ssl_context=context, auth_provider=auth, connect_timeout=15)
try:
    s = cluster.connect()
except NoHostAvailable as e:
    print("refused:", *(f"{type(why).__name__} {why}" for why in e.errors.values()))
    sys.exit(3)
s.default_timeout = 60
s.execute("CREATE KEYSPACE IF NOT EXISTS tls WITH replication = {'class': 'SimpleStrategy', 'replication_factor': 1}")
s.execute("CREATE TABLE IF NOT EXISTS tls.t (k int PRIMARY KEY, v text)")
put = s.prepare("INSERT INTO tls.t (k, v) VALUES (?, ?)")
execute_concurrent_with_args(s, put, [(i, f"{i} " * (i * 20)) for i in range(1000)], concurrency=200)  # up to 80 KB: more than a record of TLS
s.default_fetch_size = 77
seen = {r.k: r.v for r in s.execute("SELECT k, v FROM tls.t")}
if seen != {i: f"{i} " * (i * 20) for i in range(1000)}:
    sys.exit(f"{len(seen)} rows, not what was written")
cluster.shutdown()
print("ok")
