"""Starts the real program on data of a test's own, and asks it as a user would."""
import contextlib
import json
import os
import pathlib
import shutil
import signal
import subprocess
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
SLUICE = os.environ.get("SLUICE_BINARY", str(ROOT / "build" / "sluice"))
EXAMPLES = ROOT / "examples"


class Failed(Exception):
    pass


def check(condition, text):
    if not condition:
        raise Failed(text)


def run(*args, stdin=None, timeout=60, env=None, cwd=None):
    """One command of sluice, to its end."""
    return subprocess.run([SLUICE, *map(str, args)], capture_output=True, text=True, input=stdin, timeout=timeout,
                          env={**os.environ, **(env or {})}, cwd=cwd)


def wait_for(what, condition, timeout=30.0):
    """Waits for a condition, not for a time; answers what it answered."""
    end = time.monotonic() + timeout
    while True:
        got = condition()
        if got:
            return got
        if time.monotonic() > end:
            raise Failed(f"waited {timeout} s in vain for: {what}")
        time.sleep(0.005)


def written(log):
    """What a child has written into an open file so far. Never by seek(): the place in it is the child's too, which would write over its own lines."""
    return os.pread(log.fileno(), os.fstat(log.fileno()).st_size, 0).decode(errors="replace")


def in_memory():
    """Where tests write that wait for thousands of fdatasyncs: in memory, if there is room. What a power cut leaves of a
    real disk is the fault kit's to say."""
    memory = pathlib.Path("/dev/shm")
    try:
        room = os.statvfs(memory)
    except OSError:
        return "/tmp"
    return str(memory) if os.access(memory, os.W_OK) and room.f_bavail * room.f_frsize > 2 << 30 else "/tmp"


@contextlib.contextmanager
def folder(where=None):
    path = pathlib.Path(tempfile.mkdtemp(prefix="sluice-test-", dir=where))
    try:
        yield path
    finally:
        shutil.rmtree(path, ignore_errors=True)


def project(path, pipeline, settings=None, tests=None):
    """Writes a project folder."""
    path.mkdir(parents=True, exist_ok=True)
    (path / "pipeline.sql").write_text(pipeline)
    if settings is not None:
        (path / "sluice.yaml").write_text(settings)
    for name, text in (tests or {}).items():
        (path / "tests").mkdir(exist_ok=True)
        (path / "tests" / name).write_text(text)
    return path


class Server:
    """`sluice up` in the background; free ports, plain log lines."""

    def __init__(self, directory, data=None, sets=(), env=None, restart=False, args=(), wrapper=()):
        self.directory = pathlib.Path(directory)
        self.data = pathlib.Path(data) if data else self.directory / ".sluice"
        self.log = tempfile.TemporaryFile()
        every = ["api.port=0", "metrics.port=0", "kafka.port=0", "cql.port=0", "console.port=0", "console.topics_port=-1", "console.streams_port=-1", "console.notebooks_port=-1", f"server.restart={'true' if restart else 'false'}", *sets]
        options = [w for s in every for w in ("--set", s)]
        self.process = subprocess.Popen(
            [*wrapper, SLUICE, "up", str(self.directory), "--data", str(self.data), "--plain", *options, *args],
            stdin=subprocess.DEVNULL, stdout=self.log, stderr=subprocess.STDOUT, env={**os.environ, **(env or {})})

    def output(self):
        return written(self.log)

    def ready(self, timeout=30):
        def up():
            if self.process.poll() is not None:
                raise Failed(f"the server ended with {self.process.returncode}:\n{self.output()}")
            return "msg=up" in self.output() or 'msg="up"' in self.output()
        wait_for("the server to be up", up, timeout)
        return self

    def field(self, name):
        """A value of the line that says it is up."""
        line = next(l for l in self.output().splitlines() if "msg=up" in l or 'msg="up"' in l)
        return next(w.split("=", 1)[1] for w in line.split() if w.startswith(name + "="))

    def command(self, verb, *args, **kw):
        return run(verb, *args, "--project", self.directory, "--data", self.data, **kw)

    def query(self, sql, timeout=60):
        r = self.command("query", sql, "--json", timeout=timeout)
        check(r.returncode == 0, f"{sql}: {r.stderr}")
        return [json.loads(line) for line in r.stdout.splitlines()]

    def status(self):
        r = self.command("status", "--json")
        return json.loads(r.stdout)

    def stage(self, name):
        return next(s for s in self.status()["stages"] if s["name"] == name)

    def kill(self):
        self.process.kill()
        self.process.wait()

    def stop(self, timeout=30):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        try:
            code = self.process.wait(timeout)
        except subprocess.TimeoutExpired:
            self.kill()
            raise Failed(f"the server did not end on SIGTERM:\n{self.output()[-3000:]}")
        return code

    def __enter__(self):
        return self

    def __exit__(self, *failure):
        if self.process.poll() is None:
            self.kill()
        if failure[0] and failure[0] is not Failed:
            print(self.output()[-3000:])
        self.log.close()


def offline_query(directory, data, sql):
    r = run("query", sql, "--json", "--project", directory, "--data", data)
    check(r.returncode == 0, f"{sql}: {r.stderr}")
    return [json.loads(line) for line in r.stdout.splitlines()]


def pss(server):
    """What the server takes, shared pages by share."""
    with open(f"/proc/{server.process.pid}/smaps_rollup") as f:
        return next(int(line.split()[1]) << 10 for line in f if line.startswith("Pss:"))
