"""CQL over TLS with real clients: the Python driver, cqlsh, the Java driver, our own; whom they believe, and whom the server lets in.

The authority for clients and alice's certificate are made by the very commands of docs/security.md."""
import atexit
import json
import os
import pathlib
import shutil
import subprocess
import tempfile

import cassandra
from engines import HERE, classes, package, peer, same, shell, venv
from harness import ROOT, check, run

MAKES = """openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj /CN={cn} -keyout {name}.key -out {name}.csr
openssl x509 -req -in {name}.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 365 -extfile {name}.names -out {name}.pem
cat {name}.key {name}.pem ca.pem > {name}-both.pem"""
REAL = """
client_encryption_options:
  enabled: true
  optional: false
  ssl_context_factory:
    class_name: org.apache.cassandra.security.PEMBasedSslContextFactory
  keystore: {server}-both.pem
  truststore: {folder}/ca.pem
  require_client_auth: {required}
  store_type: PEM
"""


class Files:
    """An authority, and by it: alice, a server at localhost, one whose name is another; mallory, whom nobody knows."""

    def __init__(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="sluice-cql-tls-"))
        atexit.register(shutil.rmtree, self.folder, ignore_errors=True)
        page = [l.strip() for l in (ROOT / "docs" / "security.md").read_text().splitlines() if l.startswith(("    openssl ", "    cat "))]
        check(len(page) == 4, f"{page}")
        lines = list(page)
        for name, names in (("here", "DNS:localhost,IP:127.0.0.1"), ("elsewhere", "DNS:elsewhere.example")):
            (self.folder / f"{name}.names").write_text(f"subjectAltName={names}\n")
            lines += MAKES.format(name=name, cn=name).splitlines()
        lines += [l.replace("ca.", "stranger.").replace("alice", "mallory") for l in page]
        for line in lines:
            subprocess.run(["bash", "-c", line], cwd=self.folder, check=True, capture_output=True)


made, servers = [], {}


def files():
    if not made:
        made.append(Files())
    return made[0]


def server(certificate="here", required=False):
    """(files, port) of a server with this certificate that speaks TLS alone; `required`: to clients with one of the authority's."""
    f, key = files(), (certificate, required)
    if key not in servers:
        if cassandra.CHOICE:
            servers[key] = cassandra.Cassandra(more=REAL.format(server=f.folder / certificate, folder=f.folder, required=str(required).lower()))
        else:
            own = (f"tls.cert={f.folder / certificate}.pem", f"tls.key={f.folder / certificate}.key") if certificate else ()
            sets = ("cql.port=-1", *own, *((f"tls.client_ca={f.folder}/ca.pem", "tls.client_required=true") if required else ()))
            servers[key] = cassandra.sluice(sets, port_is="cql.tls_port")
        atexit.register(servers[key].stop)
    return f, servers[key].port


def python(port, code=0, host="127.0.0.1", **settings):
    out = peer("the Python driver", [venv("cassandra-driver"), HERE / "python" / "cql_tls.py", host, port], stdin=json.dumps(settings, default=str), fine=(code,))
    return out.strip()


def test_cql_tls_python_driver_checks_whom_it_talks_to():
    f, port = server()
    for host in ("127.0.0.1", "localhost"):
        same(f"name and authority checked, {host}", python(port, host=host, ca=f.folder / "ca.pem"), "ok")
    same("nothing checked", python(port), "ok")
    said = python(port, code=3, ca=f.folder / "stranger.pem")
    check("CERTIFICATE_VERIFY_FAILED" in said, f"another's authority: {said}")


def test_cql_tls_python_driver_with_and_without_the_hosts_name():
    f, port = server("elsewhere")
    said = python(port, code=3, ca=f.folder / "ca.pem")
    check("CERTIFICATE_VERIFY_FAILED" in said and "127.0.0.1" in said, f"a certificate of elsewhere: {said}")
    same("the name is not looked at", python(port, ca=f.folder / "ca.pem", name=False), "ok")


def test_cql_tls_python_driver_shows_a_certificate():
    f, port = server(required=True)
    same("alice", python(port, ca=f.folder / "ca.pem", cert=f.folder / "alice.pem", key=f.folder / "alice.key"), "ok")
    for what, more in (("nobody", {}), ("mallory", {"cert": f.folder / "mallory.pem", "key": f.folder / "mallory.key"})):
        said = python(port, code=3, ca=f.folder / "ca.pem", **more)
        check("refused" in said, f"{what}: {said}")


def cqlsh(port, statement, code=0, own=None, rc="", **env):
    """The real one; `own`: ours by that name."""
    home = files().folder / "home"
    (home / ".cassandra").mkdir(parents=True, exist_ok=True)
    (home / ".cassandra" / "cqlshrc").write_text(rc)
    program = own or venv("cqlsh").parent / "cqlsh"
    r = subprocess.run([str(program), "--ssl", "127.0.0.1", str(port), "-e", statement], capture_output=True, text=True, timeout=900,
                       env={**os.environ, "HOME": str(home), "CQLSH_HOST": "", **{k: str(v) for k, v in env.items()}})
    check((r.returncode == 0) == (code == 0), f"cqlsh ended with {r.returncode}:\n{r.stdout[-2000:]}\n{r.stderr[-2000:]}")
    return r.stdout + r.stderr


ASK = "SELECT cluster_name, release_version FROM system.local"


def test_cql_tls_cqlsh():
    f, port = server()
    check("(1 rows)" in cqlsh(port, ASK, SSL_CERTFILE=f.folder / "ca.pem"), "checked")
    check("(1 rows)" in cqlsh(port, ASK, SSL_VALIDATE="false"), "unchecked")  # driver 3.29 checks in neither case: its cert_reqs become other options
    f, port = server(required=True)
    mine = f"[ssl]\ncertfile = {f.folder}/ca.pem\nuserkey = {f.folder}/alice.key\nusercert = {f.folder}/alice.pem\n"
    check("(1 rows)" in cqlsh(port, ASK, rc=mine), "alice")
    check("Connection error" in cqlsh(port, ASK, code=1, SSL_CERTFILE=f.folder / "ca.pem"), "without a certificate")


def test_cql_tls_our_own_client():
    f, port = server()
    link = f.folder / "bin" / "cqlsh"
    link.parent.mkdir(exist_ok=True)
    if not link.exists():
        link.symlink_to(os.path.realpath(cassandra.engines.SLUICE))
    check("(1 rows)" in cqlsh(port, ASK, own=link, SSL_CERTFILE=f.folder / "ca.pem"), "checked")
    check("(1 rows)" in cqlsh(port, ASK, own=link, SSL_VALIDATE="false"), "unchecked")
    said = cqlsh(port, ASK, own=link, code=1, SSL_CERTFILE=f.folder / "stranger.pem")
    check("certificate" in said, said)

    def query(port, *options, code=0):
        r = run("query", ASK, "--host", "127.0.0.1", "--port", port, "--ca", f.folder / "ca.pem", *options)
        check(r.returncode == code, f"ended with {r.returncode}: {r.stdout} {r.stderr}")
        return r.stdout + r.stderr
    check("(1 rows)" in query(port, "--tls"), "checked")
    _, port = server("elsewhere")
    check("certificate" in query(port, "--tls", code=1), "a certificate of elsewhere")
    check("(1 rows)" in query(port, "--insecure"), "not looked at")
    _, port = server(required=True)
    check("(1 rows)" in query(port, "--tls", "--cert", f.folder / "alice.pem", "--key", f.folder / "alice.key"), "alice")
    check("(1 rows)" in query(port, "--tls", "--cert", f.folder / "alice-both.pem"), "alice, in one file")
    query(port, "--tls", code=1)
    query(port, "--tls", "--cert", f.folder / "mallory-both.pem", code=1)


def java(port, *properties, code=0):
    f, jdk = files(), package("java", "openjdk-17-jdk-headless")
    trust, alice = f.folder / "trust.p12", f.folder / "alice.p12"
    if not trust.exists():
        shell("making Java's trust store", "keytool", "-importcert", "-noprompt", "-alias", "ca", "-file", f.folder / "ca.pem", "-keystore", trust, "-storetype",
              "PKCS12", "-storepass", "wonderland")
        shell("making Java's key store", "openssl", "pkcs12", "-export", "-in", f.folder / "alice.pem", "-inkey", f.folder / "alice.key", "-out", alice, "-passout",
              "pass:wonderland")
    words = [f"-Djavax.net.ssl.trustStore={trust}", "-Djavax.net.ssl.trustStorePassword=wonderland", "-Dcql.tls=true", *(p.format(alice=alice) for p in properties)]
    return peer("the Java driver", [jdk, "-Xmx256m", "-XX:TieredStopAtLevel=1", *words, "-cp", classes("cassandra-driver", "CqlDriver"), "CqlDriver", "127.0.0.1",
                                    port, "V5"], timeout=900, fine=(code,)).strip()


def test_cql_tls_java_driver():
    _, port = server()
    same("its last word", java(port), "ok")


def test_cql_tls_java_driver_with_the_hosts_name_and_a_certificate():
    _, port = server("elsewhere")
    java(port, code=1)
    same("the name is not looked at", java(port, "-Dcql.tls.any_name=true"), "ok")
    _, port = server(required=True)
    java(port, code=1)
    same("alice", java(port, "-Djavax.net.ssl.keyStore={alice}", "-Djavax.net.ssl.keyStorePassword=wonderland"), "ok")


def test_cql_tls_a_certificate_of_the_servers_own():
    """Without tls.cert it makes one: what the page's Python lines are told to trust."""
    if cassandra.CHOICE:
        print("left out: a real one makes none", flush=True)
        return
    _, port = server(certificate=None)
    made = next(iter(s for k, s in servers.items() if k[0] is None)).folder / ".sluice" / "tls-cert.pem"
    for host in ("127.0.0.1", "localhost"):
        same(f"its own, {host}", python(port, host=host, ca=made), "ok")
