"""Slow, silent and hostile CQL clients cost nobody else anything: while each of them does its worst, a good
client's writes and reads keep their time, and the server's memory stays bounded."""
import contextlib
import os
import random
import socket
import ssl
import struct
import threading
import time

from cql_raw import ERROR, OPTIONS, QUERY, RESPONSE, RESULT, STARTUP, SUPPORTED, Raw, long_string, message, query, segment, startup
from good import GoodClient
from harness import Server, check, folder, project, pss, run

MIB = 1 << 20


@contextlib.contextmanager
def server(*sets, users=()):
    with folder() as f:
        p = project(f / "p", "")
        for name, role, password in users:
            r = run("users", "add", name, "--role", role, "--project", p, "--data", p / ".sluice", stdin=password + "\n")
            check(r.returncode == 0, r.stderr)
        with Server(p, sets=sets) as s:
            s.ready()
            s.port = int(s.field("cql_port"))
            s.tls_port = int(s.field("cql_tls_port"))
            yield s


class Good(GoodClient):
    """Writes a row and reads it again and again."""

    def __init__(self, port, user=None, password=None, **how):
        super().__init__(Raw(port, version=5, **how).ready(user, password))
        self.do("CREATE KEYSPACE IF NOT EXISTS good WITH replication = {'class': 'SimpleStrategy', 'replication_factor': 1}")
        self.do("CREATE TABLE IF NOT EXISTS good.t (k int PRIMARY KEY, v text)")

    def do(self, text):
        opcode, body = self.raw.query(text)
        check(opcode == RESULT, f"{text}: {self.raw.error(body) if opcode == ERROR else opcode}")
        return body

    def round(self, n):
        self.do(f"INSERT INTO good.t (k, v) VALUES ({n}, 'value {n}')")
        body = self.do(f"SELECT v FROM good.t WHERE k = {n}")
        check(f"value {n}".encode() in body, f"row {n}: {body!r}")


# --- frames that never end, or announce too much --------------------------------------------------------

def test_silent_connections_end_by_themselves():
    with server() as s, Good(s.port) as good:
        crowd = [Raw(s.port) for _ in range(500)]
        for n, c in enumerate(crowd):
            c.send_raw([b"", b"\x04", b"\x05\0\0\1", message(4, STARTUP, startup())[:20]][n % 4])
        time.sleep(7)
        for c in crowd:
            check(c.closed(3), "a connection that said nothing is still open after 7 s")
        good.judge()


def test_half_frames_that_stay_cost_little():
    """1,000 that announce 16 MiB and send 64 bytes of them: nothing is paid in advance, small requests pass,
    and within half a minute they are gone."""
    with server() as s, Good(s.port) as good:
        before = pss(s)
        crowd = [Raw(s.port, version=4 + n % 2).ready() for n in range(1000)]
        big = (16 * MIB - 100)
        for c in crowd:
            head = struct.pack(">BBhBi", c.version, 0, 1, QUERY, big) + bytes(64)
            c.send_raw(segment(head, False) if c.version == 5 else head)
        time.sleep(3)
        grown = pss(s) - before
        check(grown < 1000 * 24 * 1024, f"1,000 half frames take {grown >> 10} KiB")
        with Raw(s.port) as other:
            other.ready()
            check(other.query("SELECT key FROM system.local")[0] == RESULT, "nobody else is served")
        deadline = time.monotonic() + 45
        for c in crowd[:50]:
            check(c.closed(max(1, deadline - time.monotonic())), "a half frame stays for ever")
        good.judge()
        [c.close() for c in crowd]


def test_lengths_of_every_kind_are_refused_or_passed_over():
    with server("cql.max_frame=1MiB") as s:
        for length in (MIB, 0x7FFFFFFF, -1, -2147483648):
            with Raw(s.port) as c:
                c.ready()
                c.send_raw(struct.pack(">BBhBi", 4, 0, 7, QUERY, length))
                c.send_raw(bytes(100_000))
            with Raw(s.port, version=5) as c:
                c.ready()
                c.send_raw(segment(struct.pack(">BBhBi", 5, 0, 7, QUERY, length)))
                check(c.closed(), f"a message of {length} bytes that is not in its segment was taken")
        with Raw(s.port) as c:
            c.ready()
            c.send_raw(struct.pack(">BBhBi", 4, 0, 7, QUERY, 3 * MIB) + bytes(3 * MIB))
            _, _, stream, opcode, body = c.take()
            check((stream, opcode) == (7, ERROR) and c.error(body)[0] == 0x2200, f"{stream} {opcode} {body[:80]!r}")
            check(c.query("SELECT key FROM system.local")[0] == RESULT, "it did not go on")
        inside = [struct.pack(">i", 0x7FFFFFFF), struct.pack(">i", -5), long_string("x") + b"\0\1\1\xff\xff",
                  long_string("x") + b"\0\1\1\0\1" + struct.pack(">i", 0x7FFFFFFF), long_string("x") + b"\0\1\x08" + struct.pack(">i", 1 << 30)]
        with Raw(s.port) as c:
            c.ready()
            for n, body in enumerate(inside):
                _, _, stream, opcode, answer = c.ask(QUERY, body, n)
                check((stream, opcode) == (n, ERROR) and c.error(answer)[0] == 0x0A, f"{n}: {opcode} {answer[:80]!r}")
            check(c.query("SELECT key FROM system.local")[0] == RESULT, "it did not go on")


def test_packed_bodies_that_promise_much_take_nothing():
    """LZ4 and Snappy that announce 2 GiB, or unpack to something else than they say."""
    with server() as s, Good(s.port) as good:
        before = pss(s)
        for name, bodies in {"lz4": [struct.pack(">I", 0x7FFFFFFF) + bytes(50), struct.pack(">I", 0xFFFFFFFF) + bytes(50), struct.pack(">I", 500) + b"\x1f\x00\1\0" + bytes(9), b"\0\0"],
                             "snappy": [b"\xff\xff\xff\xff\x07" + bytes(40), b"\x80\x80\x80\x80\x80\x80", b""]}.items():
            for body in bodies:
                with Raw(s.port) as c:
                    c.ready(COMPRESSION=name)
                    c.send(QUERY, body, 5, flags=1)
                    _, _, stream, opcode, answer = c.take()
                    check((stream, opcode) == (5, ERROR), f"{name} {body[:8]!r}: {opcode}")
                    c.send(OPTIONS, b"", 6)
                    check(c.take()[2:4] == (6, SUPPORTED), f"{name}: it did not go on")
        check(pss(s) - before < 16 * MIB, f"it has grown by {pss(s) - before >> 20} MiB")
        good.judge()


def test_a_wrong_checksum_ends_the_connection():
    with server() as s, Good(s.port) as good:
        right = segment(message(5, OPTIONS, stream=3))
        for at in range(len(right)):
            with Raw(s.port, version=5) as c:
                c.ready()
                c.send_raw(right[:at] + bytes([right[at] ^ 1]) + right[at + 1:] + bytes(200_000))
                check(c.closed(), f"byte {at} was wrong, and the connection goes on")
        good.judge()


def test_random_bytes_end_their_connection_and_nothing_else():
    rng = random.Random(11)
    with server() as s, Good(s.port) as good:
        before = pss(s)
        for n in range(1500):
            with Raw(s.port, version=rng.choice((3, 4, 5))) as c:
                raw = rng.randbytes(rng.randrange(1, 600))
                with contextlib.suppress(OSError, struct.error):
                    if n % 3:
                        c.ready()
                        raw = message(c.version, rng.choice((1, 5, 7, 9, 10, 11, 13, 15, rng.randrange(256))), raw, n)
                    if n % 3 == 2 and c.segmented:
                        raw = segment(raw, rng.random() < 0.8)
                    c.send_raw(raw)
                    if n % 5 == 0:
                        c.socket.settimeout(0.05)
                        c.take()
        check(s.process.poll() is None, "the server has ended")
        good.judge()
        check(pss(s) - before < 48 * MIB, f"it has grown by {pss(s) - before >> 20} MiB")


# --- clients that ask and do not read -------------------------------------------------------------------

def test_clients_that_never_read_their_answers_are_bounded():
    with server() as s, Good(s.port) as good:
        with Raw(s.port, version=5) as c:
            c.ready()
            c.query("CREATE TABLE good.big (k int PRIMARY KEY, v blob)")
            for k in range(8):
                check(c.query(f"INSERT INTO good.big (k, v) VALUES ({k}, 0x{os.urandom(500_000).hex()})")[0] == RESULT, "no write")
        before = pss(s)
        crowd = [Raw(s.port, version=4 + n % 2).ready() for n in range(30)]
        for c in crowd:
            c.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            c.socket.settimeout(0.2)
            with contextlib.suppress(TimeoutError):
                for n in range(200):
                    c.send(QUERY, query(c.version, f"SELECT v FROM good.big WHERE k = {n % 8}"), n)
        time.sleep(3)
        grown = pss(s) - before
        check(grown < 160 * MIB, f"30 clients that do not read take {grown >> 20} MiB")
        good.judge()
        [c.close() for c in crowd]


def test_floods_of_requests_wait_their_turn():
    """Six clients with 5,000 requests each on the way: not read beyond what is in flight, and all answered."""
    with server() as s, Good(s.port) as good:
        one = query(5, "SELECT key FROM system.local")
        answered = []

        def flood(n):
            with Raw(s.port, version=5, timeout=120) as c:
                c.ready()
                raw = segment(b"".join(message(5, QUERY, one, i) for i in range(1000)))

                def send():
                    for _ in range(5):
                        c.send_raw(raw)
                sender = threading.Thread(target=send, daemon=True)
                sender.start()
                got = sum(c.take()[3] == RESULT for _ in range(5000))
                answered.append(got)
        threads = [threading.Thread(target=flood, args=(n,)) for n in range(6)]
        [t.start() for t in threads]
        [t.join(150) for t in threads]
        check(answered == [5000] * 6, f"{answered}")
        good.judge()


# --- before a login ---------------------------------------------------------------------------------------

LOGIN = ("cql.login=true",)
ANN = [("ann", "admin", "sesame")]


def test_nothing_is_served_before_a_login():
    with server(*LOGIN, users=ANN) as s:
        with Raw(s.port) as c:
            check(c.ask(OPTIONS)[3] == SUPPORTED, "no options")
            check(c.ask(STARTUP, startup())[3] == 3, "no login was asked for")
            for opcode in (QUERY, 9, 10, 11, 13):
                _, _, _, got, body = c.ask(opcode, query(4, "SELECT key FROM system.local"))
                check(got == ERROR and "expecting SASL_RESPONSE" in c.error(body)[1], f"{opcode}: {got} {body!r}")
        with Raw(s.port) as c:
            c.ready("ann", "sesame")
            check(c.query("SELECT key FROM system.local")[0] == RESULT, "not served after it")


def test_failed_logins_take_their_time_and_keep_nobody_waiting():
    with server(*LOGIN, users=ANN) as s, Good(s.port, "ann", "sesame") as good:
        over = time.monotonic() + 6
        tried = []

        def guess(n):
            while time.monotonic() < over:
                with Raw(s.port, source="127.0.0.9") as c:
                    c.ask(STARTUP, startup())
                    with contextlib.suppress(OSError):
                        opcode, body = c.ask(RESPONSE, long_string(b"\0ann\0guess%d" % n))[3:]
                        check(opcode == ERROR and c.error(body) == (0x100, "Provided username ann and/or password are incorrect"), f"{body!r}")
                        tried.append(n)
        threads = [threading.Thread(target=guess, args=(n,)) for n in range(20)]
        [t.start() for t in threads]
        time.sleep(2)
        start = time.monotonic()
        with Raw(s.port) as c:
            c.ready("ann", "sesame")
        check(time.monotonic() - start < 1, f"a login from elsewhere took {time.monotonic() - start:.1f} s")
        [t.join(20) for t in threads]
        check(0 < len(tried) < 150, f"{len(tried)} guesses in 6 s")
        good.judge()


def test_only_a_little_may_be_said_before_a_login():
    with server(*LOGIN, users=ANN) as s:
        for raw in (message(4, OPTIONS) * 1000, message(4, RESPONSE, bytes(100_000)), struct.pack(">BBhBi", 4, 0, 0, STARTUP, 5000), bytes([3]) * 5000):
            with Raw(s.port) as c:
                with contextlib.suppress(OSError):
                    c.send_raw(raw)
                check(c.closed(8), f"{raw[:9]!r} … was taken")


# --- TLS ----------------------------------------------------------------------------------------------------

def test_tls_serves_the_same_and_nothing_in_the_clear():
    with server("cql.tls_port=0", *LOGIN, users=ANN) as s:
        trust = ssl.create_default_context(cafile=str(s.data / "tls-cert.pem"))
        for version in (3, 4, 5):
            with Raw(s.tls_port, version=version, tls=trust, name="localhost") as c:
                c.ready("ann", "sesame")
                check(c.query("SELECT key FROM system.local")[0] == RESULT, "no answer under TLS")
        with Raw(s.tls_port) as c:
            c.send(OPTIONS)
            check(c.closed(), "plain words were taken on the port for TLS")
