"""Slow, silent and hostile Kafka clients cost nobody else anything: while each of them does its worst, a
good client's produce and fetch keep their time, and the server's memory stays bounded."""
import contextlib
import gzip
import os
import resource
import socket
import ssl
import struct
import threading
import time

from good import GoodClient
from harness import Server, check, folder, project, pss, run
from kafka_raw import AUTHENTICATE, METADATA, VERSIONS, Raw, batch, record, scram, string

MIB = 1 << 20
resource.setrlimit(resource.RLIMIT_NOFILE, (resource.getrlimit(resource.RLIMIT_NOFILE)[1],) * 2)


@contextlib.contextmanager
def broker(*sets, users=()):
    with folder() as f:
        p = project(f / "p", "")
        for command, name, role, password in users:
            args = [command, name] + (["--role", role] if role else [])
            r = run("users", *args, "--project", p, "--data", p / ".sluice", stdin=password + "\n")
            check(r.returncode == 0, r.stderr)
        with Server(p, sets=sets) as s:
            s.ready()
            s.port = int(s.field("kafka_port"))
            s.tls_port = int(s.field("kafka_tls_port"))
            yield s


class Good(GoodClient):
    """Produces and fetches one record again and again."""

    def __init__(self, port, **how):
        super().__init__(Raw(port, **how))
        self.login()
        check(self.raw.create_topic("good") == 0, "the topic was not made")

    def login(self):
        pass

    def round(self, n):
        error, offset = self.raw.produce("good", batch([b"x" * 100]))
        check(error == 0, f"produce says {error}")
        error, got = self.raw.fetch("good", offset)
        check(error == 0 and got[:8] == struct.pack(">q", offset), f"fetch says {error}, {got[:8]!r}")


def test_half_frames_that_stay_cost_little():
    with broker() as s, Good(s.port) as good:
        before = pss(s)
        crowd = [Raw(s.port) for _ in range(2000)]
        for c in crowd:
            c.send_raw(struct.pack(">i", 100 * MIB - 1) + b"\0\0\0\x09\0\0\0\1")
        time.sleep(2)
        grown = pss(s) - before
        check(grown < 2000 * 16 * 1024, f"2,000 half frames take {grown >> 10} KiB")
        good.judge()
        [c.close() for c in crowd]


def test_a_hundred_mebibytes_that_come_slowly_are_not_paid_in_advance():
    with broker() as s, Good(s.port) as good:
        before = pss(s)
        crowd = [Raw(s.port) for _ in range(50)]
        for c in crowd:
            c.send_raw(struct.pack(">i", 100 * MIB))
        for _ in range(20):
            for c in crowd:
                c.send_raw(bytes(1000))
            time.sleep(0.1)
        grown = pss(s) - before
        check(grown < 50 * 128 * 1024, f"50 clients sent 1 MB together, and take {grown >> 10} KiB")
        good.judge()
        [c.close() for c in crowd]


def test_a_frame_beyond_the_limit_is_refused_before_it_is_received():
    with broker("kafka.max_request=1MiB") as s:
        for size in (MIB + 1, 0x7FFFFFFF, -1, -2147483648, 0, 7):
            with Raw(s.port) as c:
                c.send_raw(struct.pack(">i", size))
                check(c.closed(), f"{size} was taken")
        with Raw(s.port) as c:
            check(c.metadata(), "the server is gone")


def test_clients_that_never_read_their_fetches_are_bounded():
    with broker() as s:
        with Raw(s.port) as c:
            c.create_topic("big")
            some = batch([os.urandom(500_000)])
            for _ in range(64):
                check(c.produce("big", some)[0] == 0, "produce failed")
        with Good(s.port) as good:
            before = pss(s)
            crowd = [Raw(s.port) for _ in range(30)]
            for c in crowd:
                c.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
                for n in range(100):
                    c.send(1, 4, c.fetch_body("big", 0, most=32 * MIB))
            time.sleep(4)
            grown = pss(s) - before
            check(grown < 64 * MIB, f"30 clients that do not read take {grown >> 20} MiB")
            good.judge()
            [c.close() for c in crowd]


def test_random_bytes_end_their_connection_and_nothing_else():
    import random
    rng = random.Random(7)
    with broker() as s, Good(s.port) as good:
        before = pss(s)
        for n in range(1500):
            with Raw(s.port) as c:
                raw = rng.randbytes(rng.randrange(1, 600))
                if n % 3:  # with a length that fits, and often with a head that could be one
                    if n % 2:
                        raw = struct.pack(">hhi", rng.randrange(0, 80), rng.randrange(0, 14), n) + string("x") + raw
                    raw = struct.pack(">i", len(raw)) + raw
                with contextlib.suppress(OSError):
                    c.send_raw(raw)
        check(s.process.poll() is None, "the server has ended")
        good.judge()
        check(pss(s) - before < 48 * MIB, f"it has grown by {pss(s) - before >> 20} MiB")


def test_a_batch_that_would_unpack_to_a_lot_is_kept_packed():
    """The log checks a batch's CRC and head; whoever unpacks it bounds what comes out."""
    bomb = gzip.compress(record(0, b"k", bytes(64 * MIB)), 6)
    check(len(bomb) < 900_000, f"{len(bomb)}")
    packed = batch([], codec=1, packed=bomb, count=1)
    with broker() as s, Good(s.port) as good, Raw(s.port) as c:
        c.create_topic("bombs")
        before = pss(s)
        error, _ = c.produce("bombs", packed)
        check(error in (0, 2, 87), f"produce says {error}")
        if error == 0:
            error, got = c.fetch("bombs", 0)
            check(error == 0 and got.endswith(bomb[-100:]), "it is not what was sent")
        time.sleep(1)
        good.judge()
        check(pss(s) - before < 32 * MIB, f"it has grown by {pss(s) - before >> 20} MiB")


# --- before a login ----------------------------------------------------------------------------------

ANN = ("add", "ann", "user", "sesame")
LOGIN = ("kafka.login=true",)


def test_nothing_is_served_before_a_login():
    with broker(*LOGIN, users=[ANN]) as s:
        with Raw(s.port) as c:
            check(c.ask(VERSIONS, 0)[:2] == b"\0\0", "ApiVersions is served")
            c.send(METADATA, 0, struct.pack(">i", 0))
            check(c.closed(), "Metadata was answered")
        with Raw(s.port) as c:
            c.send(AUTHENTICATE, 0, struct.pack(">i", 0))
            check(c.closed(), "a token came before its mechanism")
        with Raw(s.port) as c:
            error, mechanisms = c.handshake("GSSAPI")
            check(error == 33 and mechanisms == ["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"], f"{error} {mechanisms}")
            check(c.closed(), "the connection stays")
        with Raw(s.port) as c:
            check(c.handshake("PLAIN")[0] == 0, "PLAIN is not there")
            c.send(METADATA, 0, struct.pack(">i", 0))
            check(c.closed(), "Metadata was answered between the mechanism and its token")


def test_logins_of_each_mechanism_and_wire():
    with broker(*LOGIN, users=[ANN]) as s:
        for mechanism, digest in (("SCRAM-SHA-256", "sha256"), ("SCRAM-SHA-512", "sha512")):
            with Raw(s.port) as c:
                check(c.handshake(mechanism)[0] == 0, mechanism)
                check(scram(lambda t: c.token(t)[2], "ann", "sesame", digest), f"{mechanism}: the server did not prove itself")
                check(c.metadata(), "no service after the login")
                error, words, _ = c.token(b"again")
                check(error == 34 and "after successful authentication" in words, f"{error} {words}")
                check(c.handshake("PLAIN")[0] == 34, "a second handshake was taken")
            with Raw(s.port) as c:  # tokens on the raw wire
                check(c.handshake(mechanism, version=0)[0] == 0, mechanism)
                check(scram(c.raw_token, "ann", "sesame", digest), f"{mechanism}, raw: the server did not prove itself")
                check(c.metadata(), "no service after the raw login")
        with Raw(s.port) as c:
            c.handshake("PLAIN")
            check(c.plain("ann", "sesame") == (0, "", b""), "PLAIN was refused")
            check(c.metadata(), "no service after PLAIN")
        with Raw(s.port) as c:
            c.handshake("PLAIN", version=0)
            check(c.raw_token(b"\0ann\0sesame") == b"", "raw PLAIN was refused")
            check(c.metadata(), "no service after raw PLAIN")


def test_failed_logins_say_kafkas_words_and_take_their_time():
    invalid = "Authentication failed: Invalid username or password"
    with broker(*LOGIN, users=[ANN]) as s:
        for n, (token, words) in enumerate(((b"\0ann\0Sesame", invalid), (b"\0nobody\0sesame", invalid),
                             (b"\0\0sesame", "Authentication failed: username not specified"),
                             (b"\0ann\0", "Authentication failed: password not specified"),
                             (b"ann\0sesame", "Invalid SASL/PLAIN response: expected 3 tokens, got 2"),
                             (b"a\0b\0c\0d", "Invalid SASL/PLAIN response: expected 3 tokens, got 4"),
                             (b"bob\0ann\0sesame", "Authentication failed: Client requested an authorization id that is different from username"))):
            with Raw(s.port, source=f"127.0.1.{n}") as c:  # an address of its own: the next failure takes twice as long
                c.handshake("PLAIN")
                start = time.perf_counter()
                got = c.token(token)
                check(got[:2] == (58, words), f"{token!r}: {got}")
                check(time.perf_counter() - start > 0.09, f"{token!r}: an answer at once")
                check(c.closed(), "the connection stays")
        with Raw(s.port) as c:
            c.handshake("SCRAM-SHA-256")
            answers = []

            def say(token):
                answers.append(c.token(token))
                return answers[-1][2]
            scram(say, "ann", "wrong")
            check(answers[-1][:2] == (58, "Authentication failed during authentication due to invalid credentials with SASL "
                                      "mechanism SCRAM-SHA-256"), f"{answers[-1]}")


def test_four_kibibytes_and_five_seconds_are_all_there_is_before_a_login():
    with broker(*LOGIN) as s:
        with Raw(s.port) as c:
            c.send_raw(struct.pack(">i", 4097))
            check(c.closed(), "a frame of more than 4 KiB was taken")
        with Raw(s.port) as c:  # small ones, too many
            with contextlib.suppress(OSError, EOFError):
                for _ in range(300):
                    c.ask(VERSIONS, 0)
                check(False, "300 requests before a login were served")
        with Raw(s.port, timeout=20) as c:
            start = time.perf_counter()
            c.ask(VERSIONS, 0)
            check(c.closed(), "")
            took = time.perf_counter() - start
            check(4 < took < 8, f"a client that does not log in was let go after {took:.1f} s")


def test_guessing_passwords_keeps_nobody_else_waiting():
    """One address tries passwords on many connections at once; logins from another one stay quick."""
    with broker(*LOGIN, users=[ANN]) as s:
        over = threading.Event()

        def guess():
            while not over.is_set():
                with contextlib.suppress(OSError, EOFError, ValueError), Raw(s.port, source="127.0.0.2") as c:
                    c.handshake("PLAIN")
                    c.plain("ann", "guess")
        threads = [threading.Thread(target=guess, daemon=True) for _ in range(60)]
        [t.start() for t in threads]
        time.sleep(1)
        times = []
        for _ in range(20):
            start = time.perf_counter()
            with Raw(s.port) as c:
                c.handshake("PLAIN")
                check(c.plain("ann", "sesame")[0] == 0, "a good login was refused")
            times.append(time.perf_counter() - start)
        over.set()
        check(max(times) < 1, f"logins took up to {max(times):.2f} s")
        [t.join(10) for t in threads]


def test_roles_are_held_where_kafka_has_a_place_for_the_error():
    viewer = ("add", "vic", "viewer", "pw")
    with broker(*LOGIN, users=[ANN, viewer, ("add", "olga", "op", "pw")]) as s:
        def as_user(name, password):
            c = Raw(s.port)
            c.handshake("PLAIN")
            check(c.plain(name, password)[0] == 0, name)
            return c
        with as_user("ann", "sesame") as ann, as_user("vic", "pw") as vic, as_user("olga", "pw") as olga:
            check(ann.create_topic("t") == 29, "a user made a topic")
            check(olga.create_topic("t") == 0, "an op could not make a topic")
            check(vic.produce("t", batch([b"x"]))[0] == 29, "a viewer produced")
            check(ann.produce("t", batch([b"x"]))[0] == 0, "a user could not produce")
            check(vic.fetch("t")[0] == 0, "a viewer could not fetch")


def test_a_listener_beyond_loopback_refuses_the_passwords_of_the_tutorials():
    with folder() as f:
        p = project(f / "p", "")
        s = Server(p, sets=("listen.address=0.0.0.0",))
        check(s.process.wait(20) != 0 and "well-known password" in s.output(), s.output())


# --- TLS ---------------------------------------------------------------------------------------------

def context(certificate=None):
    c = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    if certificate:
        c.load_verify_locations(certificate)
    else:
        c.check_hostname, c.verify_mode = False, ssl.CERT_NONE
    return c


def test_tls_has_a_certificate_of_its_own_that_stays():
    with broker("kafka.tls_port=0") as s:
        kept = s.data / "tls-cert.pem"
        check((s.data / "tls-key.pem").stat().st_mode & 0o77 == 0, "others may read the key")
        with Raw(s.tls_port, tls=context(kept), name="localhost") as c:
            check(c.create_topic("t") == 0, "no topic")
            values = [os.urandom(300_000) for _ in range(3)]
            for v in values:
                check(c.produce("t", batch([v]))[0] == 0, "produce failed")
            error, got = c.fetch("t", 0)  # the way of sendfile on plain connections
            check(error == 0 and all(v in got for v in values[:len(got) // 301_000]) and len(got) > 300_000, f"{error} {len(got)}")
        before = kept.read_bytes()
        s.stop()
        with Server(s.directory, sets=("kafka.tls_port=0",)) as again:
            again.ready()
            check(kept.read_bytes() == before, "another certificate")


def test_tls_clients_that_sit_or_babble_cost_little():
    with broker("kafka.tls_port=0") as s, Good(s.tls_port, tls=context(), name="localhost") as good:
        before = pss(s)
        crowd = [Raw(s.tls_port) for _ in range(500)]
        for n, c in enumerate(crowd):
            c.send_raw(b"\x16\x03\x01\x02\x00" if n % 2 else os.urandom(50))
        time.sleep(1)
        grown = pss(s) - before
        check(grown < 500 * 64 * 1024, f"500 handshakes that stop take {grown >> 10} KiB")
        good.judge()
        [c.close() for c in crowd]


def test_zookeepers_words_are_answered():
    with broker("zookeeper.port=0") as s:
        port = int(s.field("zookeeper_port"))

        def word(text):
            with socket.create_connection(("127.0.0.1", port), timeout=5) as c:
                c.sendall(text)
                got = b""
                while some := c.recv(4096):
                    got += some
                return got.decode()
        check(word(b"ruok") == "imok", "ruok")
        check("Mode: standalone\n" in word(b"srvr") and word(b"srvr").startswith("Zookeeper version: "), word(b"srvr"))
        check("Clients:\n" in word(b"stat"), word(b"stat"))
        check("zk_server_state\tstandalone\n" in word(b"mntr\n"), word(b"mntr"))
        check(word(b"isro") == "rw", "isro")
        check(word(b"dump") == "dump is not executed because it is not in the whitelist.\n", word(b"dump"))
        check(word(b"what") == "", "what")
