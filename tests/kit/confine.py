"""Runs a program under a memory limit, page cache and all, as a container does; and says what it took.

The first version of cgroups: a group of our own below the one that we are in. The second: a scope of systemd's.
Either wants the right to make one; without it there is a reason, not a run without a limit."""
import os
import pathlib
import re
import shutil
import time

from harness import Failed, check

MOUNT = pathlib.Path("/sys/fs/cgroup")


def own_group(pid="self"):
    """(version, the group's folder) of a process's memory controller."""
    lines = pathlib.Path(f"/proc/{pid}/cgroup").read_text().splitlines()
    for line in lines:
        _, controllers, path = line.split(":", 2)
        if "memory" in controllers.split(","):
            return 1, MOUNT / "memory" / path.lstrip("/")
    path = next((line[3:] for line in lines if line.startswith("0::")), None)
    check(path is not None, "this system has no control groups")
    return 2, MOUNT / path.lstrip("/")


class Limit:
    """`wrapper`: what goes before a command to run it inside. Use as a context."""

    def __init__(self, name, limit):
        self.limit = limit
        self.version, group = own_group()
        self.pid = None
        if self.version == 2:
            check(shutil.which("systemd-run"), "a limit wants systemd-run, which is not here")
            self.group = None
            self.wrapper = ("systemd-run", "--scope", "--quiet", *(("--user",) if os.getuid() else ()), "-p", f"MemoryMax={limit}", "-p", "MemorySwapMax=0")
            return
        self.group = group / f"sluice-{name}-{os.getpid()}"
        try:
            self.group.mkdir()
            (self.group / "memory.limit_in_bytes").write_text(str(limit))
        except OSError as why:
            raise Failed(f"there is no right to make {self.group} with a limit: {why}") from None
        self.wrapper = ("sh", "-c", f'echo $$ > {self.group}/cgroup.procs && exec "$@"', "sh")

    def watch(self, pid):
        """The process whose group is asked; systemd makes it with the process."""
        self.pid = pid
        if self.version == 2:
            self.group = own_group(pid)[1]

    def usage(self):
        """What no page cache can be taken for, and all with the cache; bytes."""
        stat = dict(line.split() for line in (self.group / "memory.stat").read_text().splitlines())
        if self.version == 1:
            return int(stat["total_rss"]), int((self.group / "memory.usage_in_bytes").read_text())
        return int(stat["anon"]), int((self.group / "memory.current").read_text())

    def killed(self):
        """How often the kernel ended something of it for want of memory."""
        text = (self.group / ("memory.oom_control" if self.version == 1 else "memory.events")).read_text()
        found = re.search(r"^oom_kill (\d+)", text, re.M)
        return int(found.group(1)) if found else 0

    def __enter__(self):
        return self

    def __exit__(self, *failure):
        for _ in range(100):  # a group goes when its last process has
            if self.version == 2 or not self.group.exists():
                return
            try:
                self.group.rmdir()
            except OSError:
                time.sleep(0.1)
