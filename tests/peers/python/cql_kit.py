"""What the CQL cases share: a session of the protocol asked for, in a keyspace of its own."""
import os
import time

from cassandra.auth import PlainTextAuthProvider
from cassandra.cluster import Cluster
from kit import ADDRESS, check, name

PROTOCOL = int(os.environ.get("CQL_PROTOCOL", "4"))
HOST, PORT = ADDRESS.rsplit(":", 1) if ADDRESS else ("", "0")


def cluster(protocol=PROTOCOL, user=None, password=None, **options):
    auth = PlainTextAuthProvider(user, password) if user else None
    return Cluster([HOST], port=int(PORT), protocol_version=protocol, auth_provider=auth, **options)


def keyspace(session):
    ks = name("ks").replace("-", "_")
    session.execute(f"CREATE KEYSPACE {ks} WITH replication = {{'class': 'SimpleStrategy', 'replication_factor': 1}}")
    session.set_keyspace(ks)
    return ks


def connect(**options):
    c = cluster(**options)
    s = c.connect()
    s.default_timeout = 30
    check(c.protocol_version == PROTOCOL or options.get("protocol"), f"protocol {c.protocol_version} instead of {PROTOCOL}")
    return c, s, keyspace(s)
