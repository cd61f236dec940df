"""A real PostgreSQL for a test: its own folder and port, passwords by SCRAM, TLS, started and restarted by pg_ctl.

As root its programs run as the user postgres, which they insist on."""
import atexit
import os
import pathlib
import re
import shutil
import subprocess
import tempfile

from engines import check, free_port, install

PASSWORD = "it's a \"test\""
SETTINGS = """
listen_addresses = '127.0.0.1'
port = {port}
unix_socket_directories = '{folder}'
ssl = on
ssl_cert_file = '{folder}/server.pem'
ssl_key_file = '{folder}/server.key'
password_encryption = scram-sha-256
fsync = {sync}
max_connections = 60
"""


def programs():
    """Where initdb and pg_ctl are: Debian keeps them out of the PATH, the newest version last."""
    def found():
        return sorted(pathlib.Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda p: int(re.sub(r"\D", "", p.parts[4]) or 0))
    if not found():
        install("postgresql")
    check(found(), "there is no initdb here, even with the package postgresql")
    return found()[-1].parent


class Postgres:
    def __init__(self, sync="on"):
        self.bin, self.port = programs(), free_port()
        self.user = ["runuser", "-u", "postgres", "--"] if os.getuid() == 0 else []
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="sluice-postgres-"))
        atexit.register(self.remove)
        if self.user:
            shutil.chown(self.folder, "postgres")
        self.data = self.folder / "data"
        self.do("sh", "-c", f"umask 077; printf '%s\\n' \"$0\" > {self.folder}/password", PASSWORD)
        self.do(self.bin / "initdb", "-D", self.data, "-U", "postgres", "-A", "scram-sha-256", "-E", "UTF8", "--locale=C.UTF-8", "--no-sync",
                f"--pwfile={self.folder}/password")
        self.do("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", "/CN=localhost", "-addext",
                "subjectAltName=DNS:localhost,IP:127.0.0.1", "-days", "30", "-keyout", self.folder / "server.key", "-out", self.folder / "server.pem")
        self.do("chmod", "644", self.folder / "server.pem")
        self.do("chmod", "755", self.folder)
        text = SETTINGS.format(port=self.port, folder=self.folder, sync=sync)
        self.do("sh", "-c", f"printf '%s' \"$0\" >> {self.data}/postgresql.conf", text)
        self.ctl("start")

    def do(self, *command):
        r = subprocess.run([*self.user, *map(str, command)], cwd=self.folder, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=120)
        check(r.returncode == 0, f"{command[0]}: {r.stdout[-2000:]}{r.stderr[-2000:]}")
        return r.stdout

    @property
    def command(self):
        """pg_ctl as a shell has it: a verb (start, stop, restart) and options are to follow."""
        return " ".join([*self.user, str(self.bin / "pg_ctl"), "-D", str(self.data), "-l", str(self.folder / "log"), "-w", "-s"])

    def ctl(self, verb):
        check(subprocess.run(f"{self.command} {verb}", shell=True, cwd=self.folder, timeout=120, stdin=subprocess.DEVNULL,
                             stdout=subprocess.DEVNULL).returncode == 0, f"pg_ctl {verb}: {self.log()[-2000:]}")

    def log(self):
        return (self.folder / "log").read_text(errors="replace") if (self.folder / "log").exists() else ""

    def address(self, **parameters):
        """As libpq has it; with nothing said, over TLS whose certificate is checked."""
        words = {"sslmode": "verify-full", "sslrootcert": f"{self.folder}/server.pem", **parameters}
        password = "".join(c if c.isalnum() else f"%{ord(c):02X}" for c in PASSWORD)
        return f"postgresql://postgres:{password}@localhost:{self.port}/postgres?" + "&".join(f"{k}={v}" for k, v in words.items())

    def psql(self, sql):
        return self.do("sh", "-c", f"PGPASSWORD=$(cat {self.folder}/password) exec {self.bin}/psql -h {self.folder} -p {self.port} -U postgres -Atqc \"$0\"", sql).strip()

    def remove(self):
        if self.data.exists():
            subprocess.run(f"{self.command} -m immediate stop", shell=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        shutil.rmtree(self.folder, ignore_errors=True)
