"""Fetches the real peers of the Kafka door, and starts the broker that they are to judge.

Everything fetched lies outside the checkout, in ~/.cache/sluice-peers (or $SLUICE_PEERS), once: what is
there in the wanted version is not asked for again. What can not be had is a failure with a reason.

SLUICE_PEER_BOOTSTRAP says which broker is judged:
  (unset)      ours: build/sluice up on an empty project
  real         Apache Kafka 3.9.1; so it is shown that a test asks for what Kafka does
  real-4       Apache Kafka 4.3.0
  HOST:PORT    one that somebody else started
"""
import atexit
import fcntl
import hashlib
import importlib.util
import os
import pathlib
import re
import shutil
import socket
import subprocess
import sys
import sysconfig
import tempfile
import time

from harness import ROOT, SLUICE, Failed, Server, check, run, wait_for, written

PLACE = pathlib.Path(os.environ.get("SLUICE_PEERS", pathlib.Path.home() / ".cache" / "sluice-peers"))
HERE = ROOT / "tests" / "peers"
HANGS = 900  # seconds: only what hangs takes so long, whatever else the machine does
CHOICE = os.environ.get("SLUICE_PEER_BOOTSTRAP", "")
REAL = {"real": "kafka-3.9", "real-4": "kafka-4.3"}
CODECS = ["lz4==4.4.5", "zstandard==0.25.0", "python-snappy==0.7.3"]
VENVS = {
    "librdkafka-2": ["confluent-kafka==2.16.1"],
    "librdkafka-1": ["confluent-kafka==1.9.2"],
    "kafka-python-2": ["kafka-python==2.0.2", *CODECS],
    "kafka-python-3": ["kafka-python==3.0.12", *CODECS],
    "aiokafka": ["aiokafka==0.14.0", "cramjam==2.11.0", *CODECS],
    "spark": ["pyspark==3.5.3"],
    "duckdb": ["duckdb==2.0.0"],
    "grafana": ["grafana-foundation-sdk==1769699998!10.1.0"],  # its models, made from Grafana's own schemas
    "playwright": ["playwright==1.65.2"],
    "croniter": ["croniter==6.0.0", "cron-descriptor==1.4.5", "python-dateutil==2.9.0.post0"],
    "airflow": ["apache-airflow==2.10.5", "croniter==6.0.0", "cron-descriptor==1.4.5", "pendulum==3.0.0"],
    "airflow-client-2": ["apache-airflow-client==2.10.0"],
    "airflow-client-3": ["apache-airflow-client==3.1.0"],
}
FRANZ_GO = "v1.22.2"
LIBRDKAFKA_1 = "4.3.0+1.9.2"  # of the crate rdkafka-sys, which carries librdkafka's sources


# --- fetching -----------------------------------------------------------------------------------

def shell(what, *command, timeout=900, **options):
    """One command of a fetch, to its end; a failure names it and says its last words."""
    try:
        r = subprocess.run([str(c) for c in command], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                           stdin=subprocess.DEVNULL, timeout=timeout, **options)
    except FileNotFoundError:
        raise Failed(f"{what}: there is no program '{command[0]}' here")
    except subprocess.TimeoutExpired:
        raise Failed(f"{what}: no end after {timeout} s; is the registry reachable?")
    if r.returncode:
        raise Failed(f"{what}: `{' '.join(map(str, command))}` ended with {r.returncode}:\n{r.stdout[-3000:]}")
    return r.stdout


def install(*names):
    """Debian's packages, by apt."""
    root = [] if os.getuid() == 0 else ["sudo", "-n"]
    shell(f"looking for {names[0]}", *root, "apt-get", "update")
    shell(f"installing {names[0]}", *root, "apt-get", "install", "-y", "--no-install-recommends", *names)


def package(program, *names):
    """A program of Debian's; installed when it is missing."""
    found = shutil.which(program)
    if not found:
        install(*names)
        found = shutil.which(program)
    check(found, f"there is no program '{program}' here, even with the package {names[0]}")
    return found


def once(name, wanted, make):
    """The folder PLACE/name, made by make(folder) unless it is there already for this `wanted`."""
    folder = PLACE / name
    mark = PLACE / f"{name}.fetched"
    PLACE.mkdir(parents=True, exist_ok=True)
    if mark.exists() and mark.read_text() == wanted and folder.exists():
        return folder
    with open(PLACE / f".{name}.lock", "w") as lock:  # one for each: a folder may need another one made
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (mark.exists() and mark.read_text() == wanted and folder.exists()):
            mark.unlink(missing_ok=True)
            shutil.rmtree(folder, ignore_errors=True)
            folder.parent.mkdir(parents=True, exist_ok=True)
            make(folder)
            mark.write_text(wanted)
    return folder


def venv(name):
    """The python of a virtual environment that holds VENVS[name] and nothing else."""
    wanted = VENVS[name]

    def make(folder):
        env = dict(os.environ)
        source = []
        if name == "librdkafka-1":  # no wheel for this Python: built against its own librdkafka
            lib = librdkafka_1()
            if not os.path.exists(os.path.join(sysconfig.get_paths()["include"], "Python.h")):
                install("python3-dev")
            env |= {"C_INCLUDE_PATH": f"{lib}/include", "LIBRARY_PATH": f"{lib}/lib", "LDFLAGS": f"-Wl,-rpath,{lib}/lib"}
            source = ["--no-binary", "confluent-kafka", "--no-cache-dir"]
        if not importlib.util.find_spec("ensurepip"):  # Debian keeps it in a package of its own
            install("python3-venv")
        shell(f"making {name}", sys.executable, "-m", "venv", folder)
        shell(f"fetching {' '.join(wanted)} from PyPI", folder / "bin" / "python", "-m", "pip", "install", "--quiet",
              "--disable-pip-version-check", *source, *wanted, env=env)
    text = "\n".join(wanted) + (LIBRDKAFKA_1 if name == "librdkafka-1" else "") + sys.version
    return once(f"venv-{name}", text, make) / "bin" / "python"


def librdkafka_1():
    """librdkafka 1.9.2 with its rdkafka_performance, built from the sources inside a crate."""
    def make(folder):
        cargo = package("cargo", "cargo")
        package("make", "make")
        with tempfile.TemporaryDirectory() as scratch:
            scratch = pathlib.Path(scratch)
            (scratch / "src").mkdir()
            (scratch / "src" / "lib.rs").write_text("")
            (scratch / "Cargo.toml").write_text(
                '[package]\nname = "peers"\nversion = "0.1.0"\nedition = "2021"\n[dependencies]\n'
                f'rdkafka-sys = {{ version = "={LIBRDKAFKA_1.split("+")[0]}", default-features = false }}\n')
            shell("fetching the crate rdkafka-sys", cargo, "vendor", "--versioned-dirs", "vendor", cwd=scratch)
            source = scratch / "vendor" / f"rdkafka-sys-{LIBRDKAFKA_1}" / "librdkafka"
            (source / "configure").chmod(0o755)
            for path in source.glob("*.sh"):
                path.chmod(0o755)
            shell("configuring librdkafka 1.9.2", "./configure", f"--prefix={folder}", "--disable-gssapi",
                  "--disable-lz4-ext", cwd=source)
            shell("building librdkafka 1.9.2", "make", "-j2", "libs", cwd=source)
            shell("installing librdkafka 1.9.2", "make", "-C", "src", "install", cwd=source)
            shell("building rdkafka_performance", "make", "-C", "examples", "rdkafka_performance", cwd=source)
            shutil.copy(source / "examples" / "rdkafka_performance", folder)
    return once("librdkafka-1.9.2", LIBRDKAFKA_1, make)


def rdkafka_performance():
    """librdkafka's own load generator; for the benchmarks."""
    return librdkafka_1() / "rdkafka_performance"


def jars(name):
    """The folder of the jars that tests/peers/pom/NAME.xml asks for."""
    pom = HERE / "pom" / f"{name}.xml"

    def make(folder):
        package("mvn", "maven")
        package("javac", "openjdk-17-jdk-headless")
        shell(f"fetching the jars of {pom.name} from Maven Central", "mvn", "-q", "-B", "-f", pom,
              "org.apache.maven.plugins:maven-dependency-plugin:3.6.1:copy-dependencies",
              f"-DoutputDirectory={folder}", "-DincludeScope=runtime")
    return once(f"jars-{name}", pom.read_text(), make)


def classes(name, *sources):
    """Compiles tests/peers/java/SOURCE.java against the jars NAME; answers a class path."""
    found = jars(name)
    paths = [HERE / "java" / f"{s}.java" for s in sources]
    text = hashlib.sha256(b"".join(p.read_bytes() for p in paths)).hexdigest()

    def make(folder):
        javac = package("javac", "openjdk-17-jdk-headless")
        shell(f"compiling {' '.join(sources)}", javac, "-nowarn", "-Xlint:-options", "-cp", f"{found}/*", "-d", folder, *paths)
    return f"{once(f'classes-{name}-{sources[0]}', text, make)}:{found}/*"


def franz_go():
    """The test program of franz-go's kgo, and the folder that it runs in."""
    def make(folder):
        go = shutil.which("go")
        check(go, "there is no program 'go' here: franz-go's tests want Go 1.26 or newer")
        shell("fetching franz-go", go, "mod", "download", f"github.com/twmb/franz-go@{FRANZ_GO}", cwd="/tmp")
        module = pathlib.Path(shell("asking for Go's module cache", go, "env", "GOMODCACHE").strip())
        shutil.copytree(module / "github.com" / "twmb" / f"franz-go@{FRANZ_GO}", folder)
        shell("making the copy writable", "chmod", "-R", "u+w", folder)
        shell("building franz-go's tests", go, "test", "-c", "-o", folder / "kgo.test", "./pkg/kgo", cwd=folder)
    folder = once("franz-go", FRANZ_GO, make)
    return folder / "kgo.test", folder / "pkg" / "kgo"


# --- brokers ------------------------------------------------------------------------------------

def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def listens(port):
    with socket.socket() as s:
        s.settimeout(1)
        return s.connect_ex(("127.0.0.1", port)) == 0


def answers(address):
    """Whether a broker answers the first question of every client, ApiVersions, within five seconds."""
    host, port = address.rsplit(":", 1)
    ask = b"\x00\x12\x00\x00\x00\x00\x00\x07\x00\x05peers"  # API 18, version 0, correlation 7
    try:
        with socket.create_connection((host, int(port)), timeout=5) as s:
            s.sendall(len(ask).to_bytes(4, "big") + ask)
            return s.recv(8, socket.MSG_WAITALL)[4:] == b"\x00\x00\x00\x07"
    except OSError:
        return False


PROPERTIES = """process.roles=broker,controller
node.id=1
controller.quorum.voters=1@127.0.0.1:{controller}
listeners=PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller}
advertised.listeners=PLAINTEXT://127.0.0.1:{port}
controller.listener.names=CONTROLLER
listener.security.protocol.map=CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT
inter.broker.listener.name=PLAINTEXT
log.dirs={data}
num.partitions=1
offsets.topic.replication.factor=1
offsets.topic.num.partitions=5
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
transaction.state.log.num.partitions=5
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
group.initial.rebalance.delay.ms=0
"""


class Kafka:
    """Apache Kafka itself: one broker that is its own controller, on free ports."""

    HEAP = ("-Xms768m", "-Xmx768m", "-XX:+UseG1GC")

    def __init__(self, name, more="", heap=HEAP):
        """`more`: lines for server.properties; `heap`: the machine's options."""
        package("java", "openjdk-17-jdk-headless")
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="sluice-kafka-"))
        self.port, controller = free_port(), free_port()
        self.log = self.folder / "broker.log"
        settings = self.folder / "server.properties"
        settings.write_text(PROPERTIES.format(port=self.port, controller=controller, data=self.folder / "log") + more)
        quiet = self.folder / "log4j.properties"
        quiet.write_text("log4j.rootLogger=WARN, e\nlog4j.appender.e=org.apache.log4j.ConsoleAppender\n"
                         "log4j.appender.e.Target=System.err\nlog4j.appender.e.layout=org.apache.log4j.PatternLayout\n"
                         "log4j.appender.e.layout.ConversionPattern=[%d] %p %m (%c)%n\n")
        java = ["java", "-cp", f"{jars(name)}/*", f"-Dlog4j.configuration=file:{quiet}",
                "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn"]
        identity = shell("asking Kafka for an identity", *java, "kafka.tools.StorageTool", "random-uuid").split()[-1]
        shell("formatting Kafka's folder", *java, "kafka.tools.StorageTool", "format", "-t", identity, "-c", settings)
        start = time.monotonic()
        with open(self.log, "w") as out:
            self.process = subprocess.Popen([*java, *heap, "kafka.Kafka", str(settings)],
                                            stdin=subprocess.DEVNULL, stdout=out, stderr=subprocess.STDOUT, start_new_session=True)
        try:
            wait_for("Kafka to listen", lambda: self.process.poll() is not None or listens(self.port), 60)
            check(self.process.poll() is None, f"Kafka ended with {self.process.returncode}:\n{self.output()}")
            self.start_ms = (time.monotonic() - start) * 1000  # without the formatting
        except BaseException:
            self.stop()
            raise

    def output(self):
        return self.log.read_text(errors="replace")[-3000:]

    def stop(self):
        self.process.kill()
        self.process.wait()
        shutil.rmtree(self.folder, ignore_errors=True)


class SluiceServer:
    """Our server with one door on a free port, whose setting is `port_is` (and others on free ports too), on a
    project in `folder`, or on an empty one of its own."""

    def __init__(self, sets=(), closed=False, folder=None, port_is="kafka.port"):
        """`closed`: without the tutorials' passwords, as a listener beyond loopback wants it."""
        check(os.access(SLUICE, os.X_OK), f"there is no program {SLUICE}: ./test builds it, or ninja -C build")
        self.own = folder is None
        self.folder = pathlib.Path(folder or tempfile.mkdtemp(prefix="sluice-peers-"))
        if not (self.folder / "pipeline.sql").exists():
            (self.folder / "pipeline.sql").write_text("-- no streams: the peers make their own topics and tables\n")
        self.port = free_port()
        if closed:
            for words, line in ((("passwd", "admin"), "a long and private one\n"), (("remove", "cassandra"), "")):
                r = run("users", *words, "--project", self.folder, stdin=line)
                check(r.returncode == 0, f"sluice users {' '.join(words)}: {r.stderr}")
        self.server = Server(self.folder, sets=(f"{port_is}={self.port}", *sets))
        self.process = self.server.process
        try:
            self.server.ready()
            wait_for(f"{port_is} to listen", lambda: self.process.poll() is not None or listens(self.port), 10)
            check(self.process.poll() is None, f"the server ended with {self.process.returncode}:\n{self.output()}")
        except Failed as why:
            self.stop()
            raise Failed(f"our server does not listen on {port_is}={self.port}: {why}") from None
        except BaseException:
            self.stop()
            raise

    def output(self):
        return self.server.output()[-3000:]

    def stop(self):
        self.server.kill()
        if self.own:
            shutil.rmtree(self.folder, ignore_errors=True)


running = None  # one broker serves all tests of a run; every test has topics and groups of its own


def bootstrap():
    """The address of the broker that is judged; starts it, also again when a test has brought it down."""
    global running
    if ":" in CHOICE:
        check(answers(CHOICE), f"no broker answers at {CHOICE}")
        return CHOICE
    if running and (running.process.poll() is not None or not answers(f"127.0.0.1:{running.port}")):
        code = running.process.poll()
        print(f"the broker is started again; it {'did not answer' if code is None else f'had ended with {code}'}:\n{running.output()}", flush=True)
        running.stop()
        running = None
    if not running:
        check(CHOICE in ("", *REAL), f"SLUICE_PEER_BOOTSTRAP={CHOICE}: real, real-4, HOST:PORT or nothing")
        running = Kafka(REAL[CHOICE]) if CHOICE else SluiceServer()
        atexit.register(running.stop)
        wait_for("the broker to answer ApiVersions", lambda: answers(f"127.0.0.1:{running.port}"), 20)
    return f"127.0.0.1:{running.port}"


def broker_words():
    """The broker's own last lines, for a failure's text."""
    return f"\nthe broker's last words:\n{running.output()}" if running else ""


count = 0


def name(word):
    """A name for a topic or group that nobody else uses."""
    global count
    count += 1
    return f"{word}-{os.getpid()}-{count}"


# --- running peers ------------------------------------------------------------------------------

def peer(what, command, stdin=None, timeout=HANGS, env=None, fine=(0,)):
    """Runs a peer to its end; answers what it printed. A failure holds the peer's last words."""
    try:
        r = subprocess.run([str(c) for c in command], capture_output=True, timeout=timeout, env={**os.environ, **(env or {})},
                           input=stdin if isinstance(stdin, (bytes, type(None))) else stdin.encode(),
                           **({"stdin": subprocess.DEVNULL} if stdin is None else {}))
    except subprocess.TimeoutExpired as e:
        said = (e.stdout or b"").decode(errors="replace")[-2500:] + (e.stderr or b"").decode(errors="replace")[-2500:]
        raise Failed(f"{what}: no end after {timeout} s; its last words:\n{said}{broker_words()}") from None
    if r.returncode not in fine:
        raise Failed(f"{what}: ended with {r.returncode}; its last words:\n{r.stdout.decode(errors='replace')[-2500:]}"
                     f"\n{r.stderr.decode(errors='replace')[-4000:]}{broker_words()}")
    return r.stdout.decode(errors="surrogateescape")


def same(what, seen, expected):
    """Compares, and shows the first difference rather than everything."""
    if seen == expected:
        return
    if isinstance(seen, list) and isinstance(expected, list):
        at = next((i for i, (a, b) in enumerate(zip(seen, expected)) if a != b), min(len(seen), len(expected)))
        raise Failed(f"{what}: {len(seen)} seen, {len(expected)} expected; at {at}: seen {seen[at:at + 3]}, expected {expected[at:at + 3]}")
    raise Failed(f"{what}: seen {seen!r}, expected {expected!r}")


def topic(word, partitions=1, **configs):
    """A new topic, made by librdkafka's admin client; dots in a config's name are written __."""
    made = name(word)
    peer(f"making the topic {made}", [venv("librdkafka-2"), HERE / "python" / "make_topic.py", bootstrap(), made, partitions,
                                      *(f"{k.replace('__', '.')}={v}" for k, v in configs.items())])
    return made


def python_cases(module, prefix, environment, script, timeout=HANGS, env=None, address=None):
    """Gives `module` a test for each function case_* of tests/peers/python/SCRIPT, run by that environment's python.
    `address`: says whom they ask; the Kafka broker that is judged when it is left out."""
    path = HERE / "python" / script

    def test_of(case):
        def test():
            peer(f"{prefix} {case}", [venv(environment), path, (address or bootstrap)(), case], timeout=timeout, env=env)
        test.__name__ = f"test_{prefix}_{case}"
        test.__module__ = module["__name__"]
        return test
    for case in re.findall(r"^(?:async )?def case_(\w+)", path.read_text(), re.M):
        test = test_of(case)
        module[test.__name__] = test


class Tools:
    """One Java process with the jars NAME that runs the mains of Kafka's tools and of our own classes, one after another.

    run() answers (exit code, standard output, standard error)."""
    TIMEOUT = 90

    def __init__(self, jars_name):
        self.jars_name = jars_name
        self.process = None

    def start(self):
        if self.process and self.process.poll() is None:
            return
        path = classes(self.jars_name, "Runner", "Clients")
        self.errors = tempfile.TemporaryFile()
        self.process = subprocess.Popen(
            ["java", "-Xmx512m", "-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-cp", path,
             "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn", f"-Dlog4j.configuration=file:{HERE / 'java' / 'log4j.properties'}", "Runner"],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self.errors, start_new_session=True)
        atexit.register(self.process.kill)

    def run(self, tool, *args, stdin="", timeout=TIMEOUT):
        import base64
        import select
        self.start()
        fields = [tool, stdin, *map(str, args)]
        self.process.stdin.write(b"\t".join(base64.b64encode(f.encode()) for f in fields) + b"\n")
        self.process.stdin.flush()
        line, end = b"", time.monotonic() + timeout
        while not line.endswith(b"\n"):
            ready, _, _ = select.select([self.process.stdout], [], [], max(0, end - time.monotonic()))
            more = os.read(self.process.stdout.fileno(), 1 << 16) if ready else b""
            if not more:
                self.process.kill()
                self.process.wait()
                raise Failed(f"{self.jars_name}: {tool} {' '.join(map(str, args))}: "
                             f"{'no end after %d s' % timeout if not ready else 'the Java process ended'}\n"
                             f"{written(self.errors)[-3000:]}{broker_words()}")
            line += more
        code, out, err = line.rstrip(b"\n").split(b"\t")
        return int(code), base64.b64decode(out).decode(errors="replace"), base64.b64decode(err).decode(errors="replace")

    def good(self, tool, *args, **kw):
        """Runs a tool that has to end with 0; answers what it printed."""
        code, out, err = self.run(tool, *args, **kw)
        check(code == 0, f"{self.jars_name}: {tool} {' '.join(map(str, args))}: ended with {code}\n{out[-2500:]}\n{err[-4000:]}{broker_words()}")
        return out

    def stop(self):
        if self.process:
            self.process.kill()
            self.process.wait()
            self.process = None
