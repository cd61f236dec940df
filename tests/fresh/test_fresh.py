"""The two commands on a bare Debian 12, made with debootstrap: nothing but git (and sudo, where it is
about sudo). The last commit is cloned into it. Needs root, debootstrap and apt's mirror; fails without."""
import atexit
import fcntl
import functools
import os
import pathlib
import pty
import re
import select
import shutil
import signal
import struct
import subprocess
import tempfile
import termios
import time

from harness import Failed, ROOT, check

BASE = pathlib.Path(tempfile.mkdtemp(prefix="sluice-fresh-"))
atexit.register(shutil.rmtree, BASE, ignore_errors=True)

# Mounts, processes and (with --net) the network of its own: all of it ends with the command.
ENTER = """set -e
mount -t proc proc $0/proc
mount -t tmpfs dev $0/dev
mkdir $0/dev/pts $0/dev/shm
for f in null zero full random urandom tty; do touch $0/dev/$f; mount --bind /dev/$f $0/dev/$f; done
ln -s pts/ptmx $0/dev/ptmx
mount --bind /dev/pts $0/dev/pts  # sudo remembers a password by the terminal's name
mount -t tmpfs shm $0/dev/shm
ln -s /proc/self/fd $0/dev/fd
ip link set lo up 2>/dev/null || :
exec chroot $0 env -i TERM=xterm-256color "$@"
"""


def must(*command, **kw):
    r = subprocess.run([str(c) for c in command], stdin=subprocess.DEVNULL, capture_output=True, text=True, **kw)
    check(r.returncode == 0, f"{' '.join(map(str, command))[:300]}: {r.stdout[-3000:]}{r.stderr[-3000:]}")
    return r


@functools.cache
def bare():
    """The bare system, made once; apt in it asks where apt here asks."""
    check(os.getuid() == 0, "a Debian root can be made and entered only by root")
    check(shutil.which("debootstrap"), "debootstrap is missing: apt-get install debootstrap")
    apt = pathlib.Path("/etc/apt")
    lists = [p for p in [apt / "sources.list", *apt.glob("sources.list.d/*.list"), *apt.glob("sources.list.d/*.sources")] if p.exists()]
    mirror = re.search(r"^[^#\n]*?(https?://\S*/debian)(?=[/\s])", "".join(p.read_text() for p in lists), re.M)
    check(mirror, "no mirror of Debian stands in /etc/apt/sources.list*")
    root = BASE / "bare"
    must("debootstrap", "--variant=minbase", "--include=git,ca-certificates", "bookworm", root, mirror.group(1), timeout=1200)
    (root / "etc/apt/sources.list").unlink(missing_ok=True)
    for p in lists:
        shutil.copy(p, root / p.relative_to("/"))
    for folder in ("keyrings", "trusted.gpg.d"):
        shutil.copytree(apt / folder, root / "etc/apt" / folder, dirs_exist_ok=True)
    fetching = [l for l in must("apt-config", "dump").stdout.splitlines() if l.startswith("Acquire::")]
    (root / "etc/apt/apt.conf.d/90fetch").write_text("\n".join(fetching) + "\n")
    npmrc = "registry=" + must("npm", "config", "get", "registry").stdout  # npm too asks where npm here asks, and trusts whom it trusts
    trusted = pathlib.Path(must("npm", "config", "get", "cafile").stdout.strip())
    if trusted.is_file():
        shutil.copy(trusted, root / "etc/npm-trusted.pem")
        npmrc += "cafile=/etc/npm-trusted.pem\n"
    (root / "etc/npmrc").write_text(npmrc)
    return root


def machine(name):
    """A copy of the bare system with a fresh clone in /srv/sluice."""
    root = BASE / name
    must("cp", "-a", bare(), root)
    must("git", "clone", "--quiet", "--no-hardlinks", ROOT, root / "srv/sluice")
    return root


def command(root, line, user="root", network=True):
    who = ["setpriv", f"--reuid={user}", f"--regid={user}", "--init-groups"] if user != "root" else []
    path = "/usr/local/bin:/usr/bin:/bin" + (":/usr/local/sbin:/usr/sbin:/sbin" if user == "root" else "")
    home = f"HOME={'/root' if user == 'root' else f'/home/{user}'}"
    return ["unshare", "--mount", "--pid", "--fork", "--kill-child", *([] if network else ["--net"]), "bash", "-c", ENTER, str(root),
            home, "PATH=" + path, *who, "bash", "-c", f"cd /srv/sluice && {line}"]


def inside(root, line, timeout=900, **kw):
    r = subprocess.run(command(root, line, **kw), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=timeout)
    return r.returncode, r.stdout


def works(root, line, **kw):
    code, text = inside(root, line, **kw)
    check(code == 0, f"{line} ended with {code}:\n{text[-5000:]}")
    return text


class Terminal:
    """A command with a terminal of 40 lines and 120 columns, as someone sits before it."""

    def __init__(self, arguments):
        self.text, self.start = "", time.monotonic()
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            os.execvp(arguments[0], arguments)
        fcntl.ioctl(self.fd, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 120, 0, 0))

    def read(self, seconds):
        """False at the end."""
        if select.select([self.fd], [], [], seconds)[0]:
            try:
                more = os.read(self.fd, 65536)
            except OSError:  # the other side is gone: Linux says EIO
                more = b""
            self.text += more.decode(errors="replace")
            return bool(more)
        return True

    def until(self, word, timeout):
        """Seconds since the start when `word` stood there."""
        end = time.monotonic() + timeout
        while word not in self.text:
            check(self.read(0.2), f"it ended without '{word}':\n{self.text[-4000:]}")
            check(time.monotonic() < end, f"waited {timeout} s in vain for '{word}':\n{self.text[-4000:]}")
        return time.monotonic() - self.start

    def type(self, text):
        os.write(self.fd, text.encode())

    def end(self, timeout):
        end = time.monotonic() + timeout
        while self.read(0.2):
            if time.monotonic() > end:
                os.kill(self.pid, signal.SIGKILL)
                raise Failed(f"it did not end in {timeout} s:\n{self.text[-4000:]}")
        os.close(self.fd)
        return os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])


def rows(root):
    text = works(root, "build/sluice query 'SELECT count(*) AS n FROM spark_streams.created_users' --json --project examples/user_automation")
    return int(re.search(r'"n":\s*(\d+)', text).group(1))


def sit_before(root):
    """./run in a terminal: the display, rows, Ctrl-C. Answers the seconds until the display."""
    t = Terminal(command(root, "./run", network=False))
    seconds = t.until("Ctrl-C ends it cleanly", 30)
    for word in ("source randomuser", "stream load_users", "dead", "memory", "http://127.0.0.1:8000/api/", "sluice query"):
        t.until(word, 10)
    while not re.search(r"stream load_users +\S+ +[1-9]", t.text):
        check(t.read(0.2) and time.monotonic() - t.start < 30, f"no row in 30 s:\n{t.text[-3000:]}")
    t.type("\x03")
    check(t.end(20) == 0, f"Ctrl-C ended it badly:\n{t.text[-3000:]}")
    check("clean=yes" in t.text and "building" not in t.text, t.text[-3000:])
    return seconds


@functools.cache
def built():
    root = machine("by-root")
    return root, works(root, "./run --build")


def test_root_from_nothing_to_rows_and_again():
    root, text = built()
    for step in ("installing", "configuring build", "building build", "build/sluice is ready"):
        check(re.search(rf"^{step}.*\d+\.\d s", text, re.M), f"'{step}' and its time are not in:\n{text}")
    check("note:" not in text, f"another version than the one tried:\n{text}")
    sit_before(root)
    before = rows(root)
    again = sit_before(root)
    check(again < 1, f"the second start took {again:.2f} s until the display")
    check(rows(root) > before > 0, f"{before} rows before the second start, {rows(root)} after it")
    # plain lines where there is no terminal; SIGTERM ends it cleanly
    text = works(root, "true; { exec ./run; } >/tmp/plain 2>&1 & server=$!; "
                 "for i in $(seq 200); do grep -q msg=.*up_ms= /tmp/plain && break; sleep 0.1; done; "
                 "kill -TERM $server; wait $server; code=$?; cat /tmp/plain; exit $code", network=False)
    check("\x1b" not in text and "clean=yes" in text, text)
    print(f"the second start: {again * 1000:.0f} ms until the display, entering the root included")


def test_tests_set_themselves_up():
    root, _ = built()
    text = works(root, "./test unit base", timeout=1500)
    check("looking up packages" in text, text)
    check(re.search(r"^\d+ passed, 0 failed$", text.splitlines()[-1]), text[-3000:])


def test_sudo():
    """A user who may use sudo without a password, with one, and not at all."""
    root = machine("by-sudo")
    code, text = inside(root, "./run --build", network=False, user="daemon")
    check(code == 1 and "can not write to /srv/sluice/build" in text, text)
    works(root, "apt-get update && apt-get install -y --no-install-recommends sudo && "
          "for u in ada bo cy; do useradd -m -s /bin/bash $u && echo $u:secret | chpasswd; done && "
          "echo 'ada ALL=(ALL) NOPASSWD: ALL' > /etc/sudoers.d/ada && echo 'bo ALL=(ALL) ALL' > /etc/sudoers.d/bo && chown -R ada /srv/sluice")
    text = works(root, "./run --build", user="ada")
    check("build/sluice is ready" in text and "[sudo]" not in text, text)

    works(root, "chown -R bo /srv/sluice && apt-get remove -y libgmp-dev")
    code, text = inside(root, "./run --build", user="bo")
    check(code == 1 and "no terminal to ask" in text and "apt-get install --no-install-recommends libgmp-dev" in text, text)
    t = Terminal(command(root, "./run --build", user="bo"))
    t.until("password for bo", 30)
    t.type("secret\n")
    check(t.end(300) == 0 and "build/sluice is ready" in t.text, t.text)

    works(root, "chown -R cy /srv/sluice && apt-get remove -y libgmp-dev")
    t = Terminal(command(root, "./run --build", user="cy"))
    check(t.end(60) == 1 and "sudo did not let you, cy" in t.text and "as root: apt-get update" in t.text, t.text)
    works(root, "SUDO_FORCE_REMOVE=yes apt-get remove -y sudo")
    code, text = inside(root, "./run --build", user="cy")
    check(code == 1 and "you are cy, and there is no sudo" in text, text)


def test_no_network():
    code, text = inside(machine("no-network"), "./run", network=False, timeout=300)
    check(code == 1 and re.search(r"^error: .* packages.*: failed", text, re.M) and "resolving" in text and
          "see that the network is there" in text and "apt-get update && apt-get install" in text, text)
