"""Logins, roles and permissions by the Python driver, on a server that asks who you are."""
from cassandra import Unauthorized
from cassandra.cluster import NoHostAvailable
from cql_kit import cluster, keyspace
from kit import check, main, name, refused, same


def admin():
    return cluster(user="cassandra", password="cassandra").connect()


def case_login():
    s = admin()
    check(list(s.execute("SELECT release_version FROM system.local")), "logged in")
    refused("a wrong password", "", lambda: cluster(user="cassandra", password="wrong").connect())
    refused("nobody", "", lambda: cluster().connect())


def case_roles_and_permissions():
    s = admin()
    ks, who, group = keyspace(s), name("joe").replace("-", "_"), name("group").replace("-", "_")
    s.execute("CREATE TABLE t (k int PRIMARY KEY, v int)")
    s.execute(f"CREATE ROLE {group}")
    s.execute(f"CREATE ROLE {who} WITH PASSWORD = 'secret' AND LOGIN = true")
    joe = cluster(user=who, password="secret").connect()
    refused("nothing is his", "no SELECT permission", lambda: joe.execute(f"SELECT * FROM {ks}.t"))
    s.execute(f"GRANT SELECT ON TABLE {ks}.t TO {who}")
    same("now he reads", list(joe.execute(f"SELECT * FROM {ks}.t")), [])
    refused("but does not write", "no MODIFY permission", lambda: joe.execute(f"INSERT INTO {ks}.t (k) VALUES (1)"))
    s.execute(f"GRANT MODIFY ON KEYSPACE {ks} TO {group}")
    s.execute(f"GRANT {group} TO {who}")
    joe.execute(f"INSERT INTO {ks}.t (k) VALUES (1)")
    refused("nor makes tables", "no CREATE permission", lambda: joe.execute(f"CREATE TABLE {ks}.u (k int PRIMARY KEY)"))
    refused("nor roles", "", lambda: joe.execute("CREATE ROLE other"))
    seen = {(r.role, r.resource, r.permission) for r in s.execute(f"LIST ALL PERMISSIONS OF {who}")}
    same("listed", seen, {(who, f"<table {ks}.t>", "SELECT"), (group, f"<keyspace {ks}>", "MODIFY")})
    same("roles", {r.role for r in s.execute(f"LIST ROLES OF {who}")}, {who, group})
    s.execute(f"REVOKE {group} FROM {who}")
    refused("no longer", "no MODIFY permission", lambda: joe.execute(f"INSERT INTO {ks}.t (k) VALUES (2)"))
    s.execute(f"ALTER ROLE {who} WITH PASSWORD = 'other'")
    refused("the old password", "", lambda: cluster(user=who, password="secret").connect())
    check(cluster(user=who, password="other").connect(), "the new one")
    s.execute(f"DROP ROLE {who}")
    s.execute(f"DROP ROLE {group}")
    refused("gone", "", lambda: cluster(user=who, password="other").connect())


def case_every_role_may_read_the_schema():
    s = admin()
    who = name("ann").replace("-", "_")
    s.execute(f"CREATE ROLE {who} WITH PASSWORD = 'secret' AND LOGIN = true")
    ann = cluster(user=who, password="secret")
    ann.connect().execute("SELECT * FROM system.local")
    check("system_schema" in ann.metadata.keyspaces, "she sees the schema")
    refused("but not the roles", "no SELECT permission", lambda: ann.connect().execute("SELECT * FROM system_auth.roles"))


main(globals())
