"""What idle Kafka and CQL connections take: 10,000 plain ones at most 16 KiB each, 10,000 under TLS at most 64 KiB
each, measured as the growth of the server's PSS; and a good client beside them keeps its time."""
import asyncio
import pathlib
import resource
import socket
import sys
import time

from harness import Failed, Server, check, folder, project, wait_for

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "hostile"))
from kafka_raw import Raw  # noqa: E402
from test_cql import Good as GoodCql  # noqa: E402
from test_hostile import Good, broker, context, pss  # noqa: E402

MANY = 10_000
resource.setrlimit(resource.RLIMIT_NOFILE, (resource.getrlimit(resource.RLIMIT_NOFILE)[1],) * 2)
OPTIONS = b"\5\0\0\0\5\0\0\0\0"
STARTUP = b"\5\0\0\0\1\0\0\0\x16\0\1\0\x0bCQL_VERSION\0\x053.4.5"
APIVERSIONS = b"\0\0\0\x0b\0\x12\0\0\0\0\0\1\0\1x"


async def idle(port, tls, count, then):
    """Connects `count` times, asks for ApiVersions on each, and sits."""
    gate = asyncio.Semaphore(100)

    async def one():
        async with gate:
            reader, writer = await asyncio.open_connection("127.0.0.1", port, ssl=tls, server_hostname="localhost" if tls else None)
            writer.write(APIVERSIONS)
            await reader.readexactly(int.from_bytes(await reader.readexactly(4), "big"))
            return writer
    writers = await asyncio.gather(*(one() for _ in range(count)))
    await asyncio.sleep(2)
    answer = then()
    for w in writers:
        w.close()
    return answer


def measure(tls, most):
    limit = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    if limit < MANY + 1000:
        raise Failed(f"{MANY} connections need as many descriptors on both sides; the limit is {limit}: ulimit -n 30000")
    with folder() as f:
        p = project(f / "p", "")
        with Server(p, sets=("kafka.tls_port=0",)) as s:
            s.ready()
            port = int(s.field("kafka_tls_port" if tls else "kafka_port"))
            how = {"tls": context(), "name": "localhost"} if tls else {}
            with Good(port, **how) as good:
                asyncio.run(idle(port, context() if tls else None, 200, lambda: 0))  # what is made once
                before = pss(s)
                start = time.monotonic()
                each = asyncio.run(idle(port, context() if tls else None, MANY, lambda: (pss(s) - before) / MANY))
                print(f"   {MANY} idle {'TLS' if tls else 'plain'} connections: {each / 1024:.1f} KiB each ({time.monotonic() - start:.0f} s)")
                check(each <= most, f"an idle connection takes {each / 1024:.1f} KiB, more than {most / 1024:.0f}")
                good.judge()


async def idle_cql(port, tls, count, then):
    """Connects `count` times, says STARTUP in version 5, and sits: what a driver's pool does."""
    gate = asyncio.Semaphore(100)

    async def one():
        async with gate:
            reader, writer = await asyncio.open_connection("127.0.0.1", port, ssl=tls, server_hostname="localhost" if tls else None)
            writer.write(OPTIONS)
            await reader.readexactly(int.from_bytes((await reader.readexactly(9))[5:], "big"))
            writer.write(STARTUP)
            await reader.readexactly(9)
            return writer
    writers = await asyncio.gather(*(one() for _ in range(count)))
    await asyncio.sleep(2)
    answer = then()
    for w in writers:
        w.close()
    return answer


def measure_cql(tls, most):
    with folder() as f:
        p = project(f / "p", "")
        with Server(p, sets=("cql.tls_port=0",)) as s:
            s.ready()
            port = int(s.field("cql_tls_port" if tls else "cql_port"))
            trust = context() if tls else None
            with GoodCql(int(s.field("cql_port"))) as good:
                asyncio.run(idle_cql(port, trust, 200, lambda: 0))  # what is made once
                before = pss(s)
                each = asyncio.run(idle_cql(port, trust, MANY, lambda: (pss(s) - before) / MANY))
                print(f"   {MANY} idle {'TLS' if tls else 'plain'} CQL connections: {each / 1024:.1f} KiB each")
                check(each <= most, f"an idle connection takes {each / 1024:.1f} KiB, more than {most / 1024:.0f}")
                good.judge()


def test_ten_thousand_idle_plain_cql_connections():
    measure_cql(False, 16 << 10)


def test_ten_thousand_idle_tls_cql_connections():
    measure_cql(True, 64 << 10)


def test_ten_thousand_idle_plain_connections():
    measure(False, 16 << 10)


def test_ten_thousand_idle_tls_connections():
    measure(True, 64 << 10)


def test_twenty_thousand_connections_leave_room_for_others():
    """From one address; the places for others stay free, and the time of those inside is as before."""
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    many = min(20_000, hard - 2000)
    with broker("kafka.conns_per_address=5000") as s, Good(s.port) as good:
        crowd, refused = [], 0
        for n in range(many):
            c = socket.socket()
            c.bind(("127.0.0.2", 0))
            c.settimeout(5)
            c.connect(("127.0.0.1", s.port))
            crowd.append(c)
        time.sleep(1)
        for c in crowd:  # those turned away have been told so
            c.setblocking(False)
            try:
                refused += c.recv(1) == b""
            except BlockingIOError:
                pass
            except ConnectionResetError:
                refused += 1
        check(refused == many - 5000, f"{refused} of {many} were turned away, and 5,000 may be inside")
        with Raw(s.port) as c:
            check(c.metadata(), "there was no room for another address")
        good.judge()
        [c.close() for c in crowd]
        with Raw(s.port, source="127.0.0.2") as c:
            wait_for("places to be free again", lambda: c.metadata())
