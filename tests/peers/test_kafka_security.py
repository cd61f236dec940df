"""SASL and TLS with real clients, by the very settings that docs/security.md tells people to use."""
import atexit
import json
import pathlib
import re
import shutil
import subprocess
import tempfile

from engines import HERE, Tools, free_port, name, package, peer, same, venv
from harness import ROOT, Server, check, run

VALUE = "behind the looking glass"
PYTHONS = [("librdkafka-2", "librdkafka"), ("librdkafka-1", "librdkafka")]


class Secure:
    """One server that asks for logins, with a client authority, users, and the files of the page's commands."""

    def __init__(self, *sets):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="sluice-secure-"))
        atexit.register(shutil.rmtree, self.folder, ignore_errors=True)
        (self.folder / "pipeline.sql").write_text("-- nothing\n")
        self.commands()
        for user, role in (("alice", "op"), ("vic", "viewer")):
            r = run("users", "add", user, "--role", role, "--project", self.folder, "--data", self.folder / ".sluice", stdin="wonderland\n")
            check(r.returncode == 0, r.stderr)
        self.server = Server(self.folder, sets=("kafka.tls_port=0", *sets))
        atexit.register(self.server.kill)
        self.server.ready()
        self.plain = f"127.0.0.1:{self.server.field('kafka_port')}"
        self.tls = f"localhost:{self.server.field('kafka_tls_port')}"
        shutil.copy(self.folder / ".sluice" / "tls-cert.pem", self.folder)

    def commands(self):
        """The page's own commands make the authority and alice's certificate; a stranger gets one, too."""
        lines = [l.strip() for l in PAGE.splitlines() if l.startswith("    openssl ") or l.startswith("    cat ")]
        check(len(lines) == 4, f"{lines}")
        lines += [l.replace("alice", "mallory") for l in lines[1:]]
        for line in lines:
            subprocess.run(["bash", "-c", line], cwd=self.folder, check=True, capture_output=True)


PAGE = (ROOT / "docs" / "security.md").read_text()
made = {}


def secure(*sets):
    if sets not in made:
        made[sets] = Secure(*sets)
    return made[sets]


def required():
    return secure("kafka.login=true", "tls.client_ca=ca.pem")


def block(title):
    """The settings of the page's block whose first line is '# TITLE'."""
    found = re.search(r"```\w+\n# " + re.escape(title) + r"\n(.*?)```", PAGE, re.S)
    check(found, f"docs/security.md has no block '{title}'")
    return found.group(1)


def settings_of(title, at, **other):
    """As a dictionary, with the files where they are."""
    d = dict(l.split("=", 1) for l in block(title).splitlines())
    d = {k: str(at.folder / v) if v.endswith((".pem", ".key")) else v for k, v in d.items()}
    return {**d, **{k.replace("_", "."): v for k, v in other.items()}}


def file_of(d, at):
    path = at.folder / f"{name('settings')}.conf"
    path.write_text("".join(f"{k}={v}\n" for k, v in d.items()))
    return path


# --- kcat and librdkafka ------------------------------------------------------------------------------

KCAT = [("kcat.conf: SASL_PLAINTEXT", "plain", {"sasl_mechanisms": m}) for m in ("PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512")]
KCAT += [("kcat.conf: SASL_SSL", "tls", {"sasl_mechanisms": m}) for m in ("PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512")]
KCAT += [("kcat.conf: SSL, with a certificate", "tls", {})]


def test_security_kcat_by_every_way_in():
    at = required()
    for title, port, other in KCAT:
        conf, topic = file_of(settings_of(title, at, **other), at), name("kcat")
        kcat = [package("kcat", "kcat"), "-F", conf, "-b", getattr(at, port), "-t", topic]
        peer(f"kcat {title} {other}", [*kcat, "-P"], stdin=VALUE + "\n", timeout=900)
        got = peer(f"kcat {title} {other}", [*kcat, "-C", "-e", "-q"], timeout=900)
        same(f"kcat {title} {other}", got, VALUE + "\n")


def python(environment, kind, address, settings, topic=None, code=0):
    out = peer(f"{environment}", [venv(environment), HERE / "python" / "secure.py", address, kind, topic or name("py")],
               stdin=json.dumps(settings), timeout=900, fine=(code,))
    return out.strip()


def test_security_librdkafka_by_every_way_in():
    at = required()
    for environment, kind in PYTHONS:
        for title, port, other in KCAT:
            same(f"{environment} {title} {other}", python(environment, kind, getattr(at, port), settings_of(title, at, **other)), VALUE)


def test_security_librdkafka_is_told_why_it_may_not():
    at = required()
    for mechanism, words in (("PLAIN", "Authentication failed: Invalid username or password"),
                             ("SCRAM-SHA-256", "Authentication failed during authentication due to invalid credentials with SASL mechanism SCRAM-SHA-256")):
        wrong = settings_of("kcat.conf: SASL_PLAINTEXT", at, sasl_mechanisms=mechanism, sasl_password="Wonderland")
        got = python("librdkafka-2", "librdkafka", at.plain, wrong, code=3)
        check(words in got, f"{mechanism}: {got}")
    vic = settings_of("kcat.conf: SASL_PLAINTEXT", at, sasl_username="vic")
    got = python("librdkafka-2", "librdkafka", at.plain, vic, code=3)
    check("TOPIC_AUTHORIZATION_FAILED" in got or "UNKNOWN_TOPIC" in got, got)


def test_security_a_strangers_certificate_is_no_login():
    at = required()
    stranger = {k: v.replace("alice", "mallory") for k, v in settings_of("kcat.conf: SSL, with a certificate", at).items()}
    got = subprocess.run([package("kcat", "kcat"), "-F", file_of(stranger, at), "-b", at.tls, "-L", "-m", "5"], capture_output=True, timeout=900)
    check(got.returncode != 0, "a certificate of nobody came in")


def test_security_tls_alone_where_nobody_must_log_in():
    at = secure("tls.client_ca=ca.pem")
    settings = {"security.protocol": "SSL", "ssl.ca.location": str(at.folder / "tls-cert.pem")}
    same("librdkafka, SSL", python("librdkafka-2", "librdkafka", at.tls, settings), VALUE)
    must = secure("tls.client_ca=ca.pem", "tls.client_required=true")
    settings["ssl.ca.location"] = str(must.folder / "tls-cert.pem")
    got = subprocess.run([package("kcat", "kcat"), *(w for k, v in settings.items() for w in ("-X", f"{k}={v}")), "-b", must.tls, "-L", "-m", "5"],
                         capture_output=True, timeout=900)
    check(got.returncode != 0, "a client without a certificate came in")


# --- other Pythons ------------------------------------------------------------------------------------

def test_security_kafka_python_and_aiokafka():
    at = required()
    for environment, kind in (("kafka-python-2", "kafka-python"), ("kafka-python-3", "kafka-python"), ("aiokafka", "aiokafka")):
        for mechanism in ("PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"):
            settings = {"security_protocol": "SASL_PLAINTEXT", "sasl_mechanism": mechanism, "sasl_plain_username": "alice", "sasl_plain_password": "wonderland"}
            same(f"{environment} {mechanism}", python(environment, kind, at.plain, settings), VALUE)


# --- Java ---------------------------------------------------------------------------------------------

JAVA = [("client.properties: SASL_PLAINTEXT, PLAIN", "plain", {}),
        ("client.properties: SASL_PLAINTEXT, SCRAM", "plain", {"sasl_mechanism": "SCRAM-SHA-256"}),
        ("client.properties: SASL_PLAINTEXT, SCRAM", "plain", {"sasl_mechanism": "SCRAM-SHA-512"}),
        ("client.properties: SASL_SSL", "tls", {}),
        ("client.properties: SSL, with a certificate", "tls", {})]


def java_by_every_way_in(jars):
    at, tools = required(), Tools(jars)
    try:
        for title, port, other in JAVA:
            conf, topic = file_of(settings_of(title, at, **other), at), name("java")
            address = getattr(at, port)
            tools.good("kafka-console-producer", "--bootstrap-server", address, "--topic", topic, "--producer.config", conf, stdin=VALUE + "\n")
            got = tools.good("kafka-console-consumer", "--bootstrap-server", address, "--topic", topic, "--from-beginning", "--max-messages", "1",
                             "--timeout-ms", "20000", "--consumer.config", conf)
            check(VALUE in got.splitlines(), f"{jars} {title} {other}: {got}")
    finally:
        tools.stop()


def test_security_java_3_9_by_every_way_in():
    java_by_every_way_in("kafka-3.9")


def test_security_java_4_3_by_every_way_in():
    java_by_every_way_in("kafka-4.3")


def test_security_java_tls_alone():
    at, tools = secure("tls.client_ca=ca.pem"), Tools("kafka-3.9")
    conf, topic = file_of(settings_of("client.properties: SSL", at), at), name("java")
    try:
        tools.good("kafka-console-producer", "--bootstrap-server", at.tls, "--topic", topic, "--producer.config", conf, stdin=VALUE + "\n")
        got = tools.good("kafka-console-consumer", "--bootstrap-server", at.tls, "--topic", topic, "--from-beginning", "--max-messages", "1",
                         "--timeout-ms", "20000", "--consumer.config", conf)
        check(VALUE in got.splitlines(), got)
    finally:
        tools.stop()


def test_security_kafka_configs_changes_passwords():
    """kafka-configs sets, shows and removes SCRAM credentials; what it set logs in."""
    at, tools = secure(), Tools("kafka-3.9")
    bob = ("--bootstrap-server", at.plain, "--entity-type", "users", "--entity-name", "bob")
    try:
        for mechanism in ("SCRAM-SHA-256=[iterations=8192,password=builder]", "SCRAM-SHA-512=[password=builder]"):
            tools.good("kafka-configs", *bob, "--alter", "--add-config", mechanism)  # one a request: Kafka refuses two
        said = tools.good("kafka-configs", *bob, "--describe")
        check("SCRAM-SHA-256=iterations=8192" in said and "SCRAM-SHA-512=iterations=4096" in said, said)
        for mechanism in ("PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"):
            settings = settings_of("kcat.conf: SASL_PLAINTEXT", at, sasl_mechanisms=mechanism, sasl_username="bob", sasl_password="builder")
            same(f"bob by {mechanism}", python("librdkafka-2", "librdkafka", at.plain, settings, topic="bobs"), VALUE)
        tools.good("kafka-configs", *bob, "--alter", "--delete-config", "SCRAM-SHA-256")
        said = tools.good("kafka-configs", *bob, "--describe")
        check("SCRAM-SHA-256" not in said and "SCRAM-SHA-512" in said, said)
        code, out, err = tools.run("kafka-configs", *bob, "--alter", "--delete-config", "SCRAM-SHA-256")
        check(code != 0 and "does not exist" in out + err, f"{code} {out} {err}")
    finally:
        tools.stop()
