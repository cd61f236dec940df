"""The set-up of ./run and ./test on machines that lack something: made-up ones, by commands of the
test's own on the PATH, and small mounts. Each stop says what, why and exactly what to do."""
import contextlib
import os
import re
import shutil
import signal
import subprocess

from harness import Failed, ROOT, check, folder, wait_for

PLAIN = ("bash awk basename cat chmod cksum cut date df dirname env flock grep id ls mkdir rm sed stat tail touch tr wc").split()
PACKAGES = {w[0]: w for l in (ROOT / "tools/packages.txt").read_text().splitlines() if (w := l.split()) and l[0] != "#"}
BUILD = [n for n, w in PACKAGES.items() if w[2] == "build"]


class Machine:
    """A copy of the set-up's files and a PATH of our own. What stands in `installed` is what dpkg knows."""

    def __init__(self, base):
        self.root, self.bin, self.calls, self.installed = base / "checkout", base / "bin", base / "calls", base / "installed"
        self.bin.mkdir()
        for name in PLAIN:
            (self.bin / name).symlink_to(shutil.which(name))
        self.root.mkdir()
        self.lay_out()
        self.calls.touch()
        self.installed.touch()
        self.command("dpkg-query", f"cat '{self.installed}'")
        self.command("apt-cache", "exit 0")
        self.command("apt-get", f"""echo "apt-get $*" >> '{self.calls}'
case "$*" in *install*) for p; do case $p in -* | *::* | *Lock* | install) ;; *) echo "${{p%%=*}} installed ${{p#*=}}" >> '{self.installed}' ;; esac; done ;; esac""")
        self.command("meson", f"""echo meson >> '{self.calls}'; mkdir -p "$2"; touch "$2/build.ninja" """)
        self.command("ninja", f"""case "$*" in *-n*) [ -e '{self.root}/build/sluice' ] && echo "ninja: no work to do."; exit 0 ;; esac
echo ninja >> '{self.calls}'; printf '#!/bin/bash\\nprintf "ran:%%s\\\\n" "$*"\\n' > '{self.root}/build/sluice'; chmod +x '{self.root}/build/sluice'""")

    def lay_out(self):
        for name in ("run", "test", "tools", "examples"):
            (shutil.copytree if (ROOT / name).is_dir() else shutil.copy)(ROOT / name, self.root / name)

    def command(self, name, body):
        path = self.bin / name
        path.unlink(missing_ok=True)
        path.write_text("#!/bin/bash\n" + body + "\n")
        path.chmod(0o755)

    def without(self, *names):
        for name in names:
            (self.bin / name).unlink()

    def user(self):
        """Not root: `id` says so."""
        self.command("id", 'case $1 in -u) echo 1000 ;; *) echo ada ;; esac')

    def run(self, *args):
        return subprocess.run(["bash", *args], cwd=self.root, env={"PATH": str(self.bin), "HOME": str(self.root)},
                              stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60)


@contextlib.contextmanager
def machine():
    with folder() as f:
        yield Machine(f)


def stopped(r, *parts):
    check(r.returncode == 1, f"exit code {r.returncode}: {r.stdout}{r.stderr}")
    check(re.search(r"^error: .+\n  because .+\n  hint: .+", r.stderr, re.M), f"what, why, hint: {r.stderr}")
    for part in parts:
        check(part in r.stderr, f"'{part}' is not in: {r.stderr}")


# --- nothing stands in the way -------------------------------------------------------------------------

def test_all_is_installed_and_built_once():
    with machine() as m:
        r = m.run("run", "--build")
        check(r.returncode == 0 and "build/sluice is ready" in r.stderr, r.stderr)
        said = m.calls.read_text().split("\n")
        check([c.split()[1] if " " in c else c for c in said[:4]] == ["update", "install", "meson", "ninja"], f"{said}")
        for step in ("looking up packages", f"installing {len(BUILD)} packages", "configuring build", "building build"):
            check(re.search(re.escape(step) + r".*: \d+\.\d s", r.stderr), f"how long '{step}' took is not in: {r.stderr}")
        m.calls.write_text("")
        r = m.run("run", "--build")
        check(r.returncode == 0 and not m.calls.read_text(), f"the second start did: {m.calls.read_text()}")


def test_the_tried_release_is_asked_for():
    """Where the archive has it, whatever its revision; where not, the newest with a note."""
    with machine() as m:
        m.command("apt-cache", """cat <<X
 meson | 1.7.0-1~bpo12+1 | http://archive backports/main amd64 Packages
 meson | 1.0.1-5 | http://archive bookworm/main amd64 Packages
 zlib1g-dev | 1:1.2.13.dfsg-1 | http://archive bookworm/main amd64 Packages
 libssl-dev | 3.0.99-1 | http://archive bookworm/main amd64 Packages
 libgmp-dev | 2:6.2.10-1 | http://archive bookworm/main amd64 Packages
 libyaml-dev | 0.2.5-1 | http://archive bookworm/main Sources
X""")
        r = m.run("run", "--build")
        check(r.returncode == 0, r.stderr)
        asked = next(l for l in m.calls.read_text().splitlines() if " install " in l).split()
        for word in ("meson=1.0.1-5", "zlib1g-dev=1:1.2.13.dfsg-1", "libssl-dev=3.0.99-1", "libgmp-dev", "libyaml-dev"):
            check(word in asked, f"{word} is not in {asked}")


def test_another_release_is_told():
    with machine() as m:
        m.installed.write_text("".join(f"{n} installed {'9.9' if n == 'meson' else PACKAGES[n][1]}-1\n" for n in BUILD))
        r = m.run("run", "--build")
        check(r.returncode == 0 and "note: meson is 9.9-1; Sluice was tried with 1.0.1" in r.stderr, r.stderr)
        check(r.stderr.count("note:") == 1 and "apt-get" not in m.calls.read_text(), r.stderr)


def test_run_takes_a_folder_or_an_examples_name_and_passes_options_on():
    with machine() as m:
        (m.root / "mine").mkdir()
        for args, ran in {
            (): f"up {m.root}/examples/user_automation",
            ("examples/minute_etl",): "up examples/minute_etl",
            ("minute_etl", "--data", "/d"): f"up {m.root}/examples/minute_etl --data /d",
            ("mine", "--set", "api.port=1"): "up mine --set api.port=1",
            ("--set", "api.port=1", "--plain"): f"up {m.root}/examples/user_automation --set api.port=1 --plain",
        }.items():
            r = m.run("run", *args)
            check(r.returncode == 0 and r.stdout == f"ran:{ran}\n", f"{args}: {r.stdout}{r.stderr}")
        stopped(m.run("run", "user_automatoin"), "user_automatoin", "user_automation")
        stopped(m.run("run", "--build", "mine"), "./run --build, then ./run mine")
        r = m.run("run", "--help")
        check(r.returncode == 0 and all(e.name in r.stdout for e in (ROOT / "examples").iterdir()), r.stdout)


# --- something is not there -----------------------------------------------------------------------------

def test_no_dpkg():
    with machine() as m:
        m.without("dpkg-query")
        stopped(m.run("run"), "not a Debian system", "tools/packages.txt", "ninja -C build")


def test_no_apt():
    with machine() as m:
        m.without("apt-get")
        stopped(m.run("run"), "there is no apt-get here", *BUILD)


def test_no_sudo():
    with machine() as m:
        m.user()
        stopped(m.run("run"), "you are ada, and there is no sudo",
                "as root: apt-get update && apt-get install --no-install-recommends gcc g++")
        check(not m.calls.read_text(), "something was done all the same")


def test_sudo_without_a_password():
    with machine() as m:
        m.user()
        m.command("sudo", f"""echo "sudo $*" >> '{m.calls}'; [ "$1" = -n ] && exit 0; exec "$@" """)
        r = m.run("run", "--build")
        check(r.returncode == 0 and "sudo env DEBIAN_FRONTEND=noninteractive apt-get install" in m.calls.read_text(), r.stderr)


def test_sudo_with_a_password_and_no_terminal():
    with machine() as m:
        m.user()
        m.command("sudo", "echo 'sudo: a password is required' >&2; exit 1")
        stopped(m.run("run"), "no terminal to ask", "as root: apt-get update")


def test_no_network():
    with machine() as m:
        m.command("apt-get", "echo 'E: Unable to fetch some archives' >&2; exit 100")
        stopped(m.run("run"), "looking up packages: failed", "E: Unable to fetch", "see that the network is there")


def test_one_dead_source_is_no_harm():
    with machine() as m:
        works = (m.bin / "apt-get").read_text().removeprefix("#!/bin/bash\n")
        m.command("apt-get", "case $1 in update) echo 'E: old.example' >&2; exit 100 ;; esac\n" + works)
        r = m.run("run", "--build")
        check(r.returncode == 0, r.stderr)


def test_an_install_that_fails_shows_apts_words():
    with machine() as m:
        m.command("apt-get", "case $1 in update) exit 0 ;; esac; echo 'E: Unable to locate package librocksdb-dev'; exit 100")
        stopped(m.run("run"), "E: Unable to locate package librocksdb-dev", "apt-get install --no-install-recommends")
        m.command("apt-get", "case $1 in update) exit 0 ;; esac; echo \"E: You don't have enough free space in /var/cache/apt\"; exit 100")
        stopped(m.run("run"), "the disk is full", "free about 2 GiB")


def test_a_build_that_fails_says_what_to_do():
    with machine() as m:
        m.command("ninja", "echo 'x.c:1: error: no'; exit 1")
        stopped(m.run("run"), "x.c:1: error: no", "building build: failed", f"remove {m.root}/build")


def test_the_last_line_of_test_when_the_set_up_fails():
    with machine() as m:
        m.without("apt-get")
        r = m.run("test")
        stopped(r, "there is no apt-get here")
        check(r.stdout == "0 passed, 1 failed\n", r.stdout)


def test_ctrl_c_ends_a_step_and_says_so():
    with machine() as m:
        m.command("ninja", f"touch '{m.root}/begun'; exec {shutil.which('sleep')} 60")
        p = subprocess.Popen(["bash", "test"], cwd=m.root, env={"PATH": str(m.bin)}, stdin=subprocess.DEVNULL,
                             stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True)
        wait_for("the build", lambda: (m.root / "begun").exists())
        os.killpg(p.pid, signal.SIGINT)
        out, err = p.communicate(timeout=20)
        check(p.returncode == 130 and "interrupted; the same command goes on" in err, f"{p.returncode}: {err}")
        check(out == "0 passed, 1 failed\n", out)


# --- the disk --------------------------------------------------------------------------------------------

@contextlib.contextmanager
def mounted(path, size):
    """A small disk of our own; only root can."""
    r = subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "none", path], capture_output=True, text=True)
    if r.returncode:
        raise Failed(f"this test mounts a small disk, which only root may: {r.stderr}")
    try:
        yield
    finally:
        subprocess.run(["umount", path], check=True)


def test_a_full_disk():
    with machine() as m, mounted(m.root, "1m"):
        m.lay_out()
        m.installed.write_text("".join(f"{n} installed {PACKAGES[n][1]}-1\n" for n in BUILD))
        m.command("ninja", f"{shutil.which('head')} -c 9000000 /dev/zero > '{m.root}/build/sluice'")
        stopped(m.run("run"), "building build: failed", f"the disk is full: 0 MiB are free on {m.root}")
        stopped(m.run("run"), "0 MiB are free", "free about 2 GiB")  # and not even a line fits into the log


def test_a_read_only_checkout():
    with machine() as m, mounted(m.root, "4m"):
        m.lay_out()
        subprocess.run(["mount", "-o", "remount,ro", m.root], check=True)
        stopped(m.run("run"), f"can not write to {m.root}/build", "Read-only file system", "as the user who owns the checkout (root)")


def test_a_checkout_of_someone_else():
    if os.getuid():
        raise Failed("this test acts as another user, which only root may")
    with machine() as m:
        m.root.parent.chmod(0o755)
        r = subprocess.run(["setpriv", "--reuid=nobody", "--regid=nogroup", "--clear-groups", "bash", m.root / "run"],
                           env={"PATH": str(m.bin) + ":/usr/bin"}, stdin=subprocess.DEVNULL, capture_output=True, text=True)
        stopped(r, f"can not write to {m.root}/build", "Permission denied", "(root)")
