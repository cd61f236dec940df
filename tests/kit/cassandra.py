"""Starts the CQL server that the peers are to judge: ours, or Apache Cassandra 5.0.5 itself.

SLUICE_PEER_CQL says which:
  (unset)      ours: build/sluice up on an empty project
  real         Apache Cassandra 5.0.5; so it is shown that a test asks for what Cassandra does
  HOST:PORT    one that somebody else started
A fresh Cassandra is silent for half a minute while it makes its own tables: its folder is kept once made,
and each start copies it.
"""
import atexit
import os
import pathlib
import shutil
import subprocess
import tempfile
import time

import engines
from engines import check, free_port, jars, listens, once, package, wait_for

CHOICE = os.environ.get("SLUICE_PEER_CQL", "")
VENVS = {
    "cassandra-driver": ["cassandra-driver==3.29.2", "lz4==4.4.5", "python-snappy==0.7.3"],
    "cqlsh": ["cqlsh==6.2.2"],
}
engines.VENVS.update(VENVS)

YAML = """cluster_name: 'peers'
num_tokens: 1
initial_token: '0'
partitioner: org.apache.cassandra.dht.Murmur3Partitioner
authenticator: {authenticator}
authorizer: {authorizer}
role_manager: CassandraRoleManager
roles_validity: 0ms
permissions_validity: 0ms
credentials_validity: 0ms
data_file_directories: [ "{data}/data" ]
commitlog_directory: "{data}/commitlog"
saved_caches_directory: "{data}/saved_caches"
hints_directory: "{data}/hints"
cdc_raw_directory: "{data}/cdc_raw"
commitlog_sync: {sync}
disk_failure_policy: stop
commit_failure_policy: stop
concurrent_reads: 32
concurrent_writes: 32
concurrent_counter_writes: 32
memtable_allocation_type: heap_buffers
endpoint_snitch: SimpleSnitch
listen_address: 127.0.0.1
rpc_address: 127.0.0.1
storage_port: {storage}
ssl_storage_port: {secure}
native_transport_port: {port}
start_native_transport: true
auto_bootstrap: false
materialized_views_enabled: true
user_defined_functions_enabled: true
sasi_indexes_enabled: true
drop_compact_storage_enabled: true
seed_provider:
  - class_name: org.apache.cassandra.locator.SimpleSeedProvider
    parameters:
      - seeds: "127.0.0.1:{storage}"
"""
PERIODIC = "periodic\ncommitlog_sync_period: 10000ms"
GROUP = "group\ncommitlog_sync_group_window: 2ms"  # every write waits for its fsync
OPENS = ["jdk.internal.misc", "jdk.internal.ref", "java.lang.module", "jdk.internal.loader", "jdk.internal.reflect",
         "jdk.internal.math", "jdk.internal.module", "jdk.internal.util.jar", "sun.nio.ch", "java.io", "java.nio", "java.util",
         "java.util.concurrent", "java.util.concurrent.atomic", "java.lang", "java.math", "java.net", "java.lang.ref"]
JAVA = ["-Xss256k", "-XX:+UseG1GC", "-XX:MaxGCPauseMillis=300", "-XX:+PerfDisableSharedMem", "-Djdk.attach.allowAttachSelf=true",
        "--add-exports=java.management.rmi/com.sun.jmx.remote.internal.rmi=ALL-UNNAMED",
        "--add-exports=java.rmi/sun.rmi.registry=ALL-UNNAMED", "--add-exports=java.rmi/sun.rmi.server=ALL-UNNAMED",
        "--add-exports=java.sql/java.sql=ALL-UNNAMED", "--add-exports=jdk.unsupported/sun.misc=ALL-UNNAMED",
        "--add-opens=jdk.management/com.sun.management.internal=ALL-UNNAMED",
        *(f"--add-exports=java.base/{p}=ALL-UNNAMED" for p in OPENS), *(f"--add-opens=java.base/{p}=ALL-UNNAMED" for p in OPENS)]


class Cassandra:
    """Apache Cassandra itself, one node on free ports. `login`: PasswordAuthenticator and CassandraAuthorizer.
    `more`: lines for its cassandra.yaml."""

    HEAP = ("-Xms1G", "-Xmx1G")

    def __init__(self, login=False, sync=PERIODIC, heap=HEAP, folder=None, keep=False, more=""):
        package("java", "openjdk-17-jdk-headless")
        self.keep = keep
        self.folder = pathlib.Path(folder or tempfile.mkdtemp(prefix="sluice-cassandra-"))
        self.port, self.jmx = free_port(), free_port()
        self.log = self.folder / "server.log"
        conf = self.folder / "conf"
        fresh = not conf.exists()
        if fresh:
            conf.mkdir(parents=True)
            if not keep:
                shutil.copytree(made(login) / "data", self.folder / "data")
                shutil.copytree(made(login) / "commitlog", self.folder / "commitlog")
        (conf / "cassandra.yaml").write_text(YAML.format(
            data=self.folder, port=self.port, storage=free_port(), secure=free_port(), sync=sync,
            authenticator="PasswordAuthenticator" if login else "AllowAllAuthenticator",
            authorizer="CassandraAuthorizer" if login else "AllowAllAuthorizer") + more)
        (conf / "logback.xml").write_text(
            '<configuration><appender name="STDOUT" class="ch.qos.logback.core.ConsoleAppender"><encoder><pattern>%-5level '
            '%date{ISO8601} %F:%L - %msg%n</pattern></encoder></appender><root level="INFO"><appender-ref ref="STDOUT"/></root></configuration>\n')
        (self.folder / "tmp").mkdir(exist_ok=True)
        start = time.monotonic()
        with open(self.log, "a") as out:
            self.process = subprocess.Popen(
                ["java", *heap, *JAVA, f"-javaagent:{next(jars('cassandra-5.0').glob('jamm-*.jar'))}",
                 f"-Dcassandra.jmx.local.port={self.jmx}", f"-Dcassandra.config=file://{conf}/cassandra.yaml",
                 f"-Dcassandra.storagedir={self.folder}", f"-Dcassandra.logdir={self.folder}",
                 f"-Dlogback.configurationFile={conf}/logback.xml", f"-Djava.io.tmpdir={self.folder}/tmp",
                 "-Dcassandra.skip_wait_for_gossip_to_settle=0", "-Dcassandra.ring_delay_ms=1000",
                 "-Dcassandra.superuser_setup_delay_ms=0", "-Dcassandra-foreground=yes",
                 "-cp", f"{conf}:{jars('cassandra-5.0')}/*", "org.apache.cassandra.service.CassandraDaemon"],
                stdin=subprocess.DEVNULL, stdout=out, stderr=subprocess.STDOUT, start_new_session=True)
        try:
            wait_for("Cassandra to listen", lambda: self.process.poll() is not None or listens(self.port), 180)
            check(self.process.poll() is None, f"Cassandra ended with {self.process.returncode}:\n{self.output()}")
            self.start_ms = (time.monotonic() - start) * 1000
        except BaseException:
            self.stop()
            raise

    def output(self):
        return self.log.read_text(errors="replace")[-3000:]

    def nodetool(self, *args, timeout=120):
        """Cassandra's own nodetool on this node; what it prints."""
        conf = self.folder / "conf"
        return engines.shell(f"nodetool {args[0]}", "java", "-Xmx128m", *JAVA, f"-Dlogback.configurationFile={conf}/logback.xml",
                             "-cp", f"{conf}:{jars('cassandra-5.0')}/*", "org.apache.cassandra.tools.NodeTool", "-p", self.jmx, *args,
                             timeout=timeout)

    def stop(self):
        self.process.kill()
        self.process.wait()
        if not self.keep:
            shutil.rmtree(self.folder, ignore_errors=True)


def made(login):
    """The folder of a Cassandra that has made its own tables (and its first role)."""
    def make(folder):
        server = Cassandra(login, folder=folder, keep=True)
        try:
            time.sleep(15 if login else 5)  # the default role is made behind the door
            server.nodetool("drain")
        finally:
            server.stop()
        shutil.rmtree(folder / "conf")
        (folder / "commitlog").mkdir(exist_ok=True)
    return once(f"cassandra-fresh{'-login' if login else ''}", YAML + "5.0.5", make)


def sluice(sets=(), folder=None, login=False, port_is="cql.port"):
    """Our server with its CQL door. `port_is`: cql.port, or cql.tls_port."""
    return engines.SluiceServer((*(("cql.login=true",) if login else ()), *sets), folder=folder, port_is=port_is)


running = {}


def server(login=False):
    """The server that is judged, one for all tests of a run (one with a login, one without); started again
    when a test has brought it down. Answers (host, port)."""
    if ":" in CHOICE:
        host, port = CHOICE.rsplit(":", 1)
        return host, int(port)
    check(CHOICE in ("", "real"), f"SLUICE_PEER_CQL={CHOICE}: real, HOST:PORT or nothing")
    now = running.get(login)
    if now and now.process.poll() is not None:
        print(f"the server is started again; it had ended with {now.process.returncode}:\n{now.output()}", flush=True)
        now.stop()
        now = None
    if not now:
        now = running[login] = Cassandra(login) if CHOICE else sluice(login=login)
        atexit.register(now.stop)
    return "127.0.0.1", now.port


def address(login=False):
    return "%s:%d" % server(login)


def go_program(what):
    """A Go program of tests/peers/go/cql, on gocql: load, lwt."""
    source = engines.HERE / "go" / "cql"
    text = "".join(p.read_text() for p in sorted([source / "go.mod", *(source / what).glob("*.go")]))

    def make(folder):
        go = shutil.which("go")
        check(go, "there is no program 'go' here: gocql wants Go 1.22 or newer")
        shutil.copytree(source, folder)
        engines.shell(f"building {what}", go, "build", "-mod=mod", "-o", folder / "program", f"./{what}", cwd=folder)
    return once(f"go-cql-{what}", text, make) / "program"


GOCQL = "v1.7.0"


def gocql():
    """gocql's own integration tests, and the folder that they run in."""
    def make(folder):
        go = shutil.which("go")
        check(go, "there is no program 'go' here: gocql's tests want Go 1.22 or newer")
        engines.shell("fetching gocql", go, "mod", "download", f"github.com/gocql/gocql@{GOCQL}", cwd="/tmp")
        module = pathlib.Path(engines.shell("asking for Go's module cache", go, "env", "GOMODCACHE").strip())
        shutil.copytree(module / "github.com" / "gocql" / f"gocql@{GOCQL}", folder)
        engines.shell("making the copy writable", "chmod", "-R", "u+w", folder)
        engines.shell("building gocql's tests", go, "test", "-mod=mod", "-c", "-tags", "all gocql_debug", "-o", folder / "gocql.test", ".", cwd=folder)
    folder = once("gocql", GOCQL, make)
    return folder / "gocql.test", folder
