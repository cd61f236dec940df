"""probe.py TOPIC KAFKA_PORT CQL_PORT RATE SECONDS WARM: events at a rate into the topic, and when each of some becomes a visible row.

Half a thousand of them a second at most are watched, two minutes longer than events are sent: a prepared SELECT by id asks for the oldest ones, turn by turn, until each is there. Prints
JSON: sent, acknowledged, and milliseconds from produce() to the answer that held the row, without the first WARM seconds.
With the word acks behind: until it is acknowledged, and no row is asked for.
probe.py - KAFKA_PORT CQL_PORT reads RATE SECONDS KEYS: so many SELECTs a second of together.copied by ids below KEYS, milliseconds each.
probe.py TOPIC KAFKA_PORT CQL_PORT restart PID: sends 100 events a second; SIGKILLs the processes PID,PID when rows come, says `killed`, and prints
the milliseconds until a row is visible of an event that was sent after the kill."""
import collections
import json
import os
import random
import signal
import struct
import sys
import threading
import time
import uuid

sys.path.insert(0, sys.argv[0].rsplit("/bench/", 1)[0] + "/tests/kit")
import cql_raw  # noqa: E402
from confluent_kafka import Producer  # noqa: E402

EVENT = {"first_name": "Elaine", "last_name": "Harvey", "gender": "female", "address": "353 Blossom Hill Rd, Dayton, Vermont, United States",
         "post_code": 18511, "email": "elaine.harvey@example.com", "username": "smallcat386", "dob": "1999-04-02T12:55:47.460Z",
         "registered_date": "2019-10-19T01:25:43.507Z", "phone": "(456) 390-1836", "picture": "https://randomuser.me/api/portraits/med/women/0.jpg"}
REST = json.dumps(EVENT)[1:]
TOPIC = sys.argv[1]
RNG = random.Random(os.getpid())


def make():
    raw = RNG.getrandbits(128).to_bytes(16, "big")
    key = uuid.UUID(bytes=raw, version=4)
    return key, '{"id": "' + str(key) + '", ' + REST


class Reader:
    """One connection, one prepared statement, no driver: what is measured is the server."""

    def __init__(self, port, statement="SELECT id FROM spark_streams.created_users WHERE id = ?"):
        self.port, self.raw, self.text = port, None, statement

    def connect(self):
        self.raw = cql_raw.Raw(self.port, version=4)
        opcode = self.raw.ask(cql_raw.STARTUP, cql_raw.startup())[3]
        if opcode != cql_raw.READY:
            raise ConnectionError(f"STARTUP was answered by {opcode}")
        opcode, body = self.raw.ask(cql_raw.PREPARE, cql_raw.long_string(self.text))[3:]
        if opcode != cql_raw.RESULT:
            raise ConnectionError(f"PREPARE was answered by {opcode}: {body}")
        size = struct.unpack(">H", body[4:6])[0]
        self.statement = struct.pack(">H", size) + body[6:6 + size]

    def ask(self, key):
        if not self.raw:
            self.connect()
        opcode, body = self.raw.ask(cql_raw.EXECUTE, self.statement + struct.pack(">HBHi", 1, 1, 1, len(key)) + key)[3:]
        if opcode != cql_raw.RESULT:
            raise ConnectionError(f"EXECUTE was answered by {opcode}: {body}")
        return body

    def there(self, key):
        return self.ask(key.bytes).endswith(key.bytes)  # the rows come last


def send(producer, watched, rate, seconds, every, counts):
    """At each millisecond what is due by then."""
    start, sent = time.monotonic(), 0
    while sent < rate * seconds:
        due = min(int((time.monotonic() - start) * rate) + 1, rate * seconds)
        while sent < due:
            key, value = make()
            if sent % every == 0:
                watched.append((key, time.monotonic(), sent))
            producer.produce(TOPIC, value, key=str(key), on_delivery=counts)
            sent += 1
        producer.poll(0)
        pause = start + sent / rate - time.monotonic()
        if pause > 0:
            time.sleep(min(pause, 0.05))
    producer.flush(60)


def client(port, linger):
    """It goes back to its one broker at once: starting over from the addresses, as librdkafka does by itself, waits two of its own seconds."""
    return Producer({"bootstrap.servers": f"127.0.0.1:{port}", "linger.ms": linger, "acks": "all", "enable.idempotence": True, "reconnect.backoff.ms": 5, "reconnect.backoff.max.ms": 20,
                     "metadata.recovery.strategy": "none", "queue.buffering.max.messages": 1000000, "log_level": 0})


def look(reader, waiting, seen):
    """Asks for the oldest; what is there leaves `waiting`."""
    for item in list(waiting)[:64]:
        if reader.there(item[0]):
            seen.append((item[2], (time.monotonic() - item[1]) * 1000))
            waiting.remove(item)


def steady(kafka, cql, rate, seconds, warm):
    acknowledged = [0, 0]

    def counts(error, message):
        acknowledged[error is not None] += 1
    watched, waiting, seen = collections.deque(), collections.deque(), []
    every = max(1, rate // 100)
    producer = client(kafka, 0 if rate <= 1000 else 2)
    reader = Reader(cql)
    reader.connect()
    sender = threading.Thread(target=send, args=(producer, watched, rate, seconds + warm, every, counts))
    sender.start()
    quiet = None
    while sender.is_alive() or watched or waiting:
        while watched:
            waiting.append(watched.popleft())
        look(reader, waiting, seen)
        if not waiting:
            time.sleep(0.0002)
        if not sender.is_alive():
            quiet = quiet or time.monotonic()
            if time.monotonic() - quiet > 120:
                break
    sender.join()
    unseen = [(item[2], (time.monotonic() - item[1]) * 1000) for item in (*waiting, *watched)]  # at least so long
    tell([ms for number, ms in (*seen, *unseen) if number >= rate * warm], unseen=len(unseen), sent=rate * (seconds + warm), acknowledged=acknowledged[0], failed=acknowledged[1])


def tell(values, **more):
    values.sort()
    at = lambda q: values[min(len(values) - 1, int(len(values) * q))]
    print(json.dumps({**more, "watched": len(values), "p50": at(0.5), "p99": at(0.99), "max": values[-1]}), flush=True)


def acks(kafka, rate, seconds):
    """Every 20th of them is timed, from the second second on."""
    taken, count = [], [0, 0]
    producer, start, sent = client(kafka, 2), time.monotonic(), 0

    def timed(began):
        def done(error, message):
            count[error is not None] += 1
            taken.append((time.monotonic() - began) * 1000)
        return done

    def plain(error, message):
        count[error is not None] += 1
    while sent < rate * seconds:
        due = min(int((time.monotonic() - start) * rate) + 1, rate * seconds)
        while sent < due:
            key, value = make()
            watched = sent % 20 == 0 and sent >= rate  # not the second in which it connects
            producer.produce(TOPIC, value, key=str(key), on_delivery=timed(time.monotonic()) if watched else plain)
            sent += 1
            if sent % 100 == 0:
                producer.poll(0)
        producer.poll(0.001)
    producer.flush(60)
    tell(taken, sent=sent, acknowledged=count[0], failed=count[1])


def reads(cql, rate, seconds, keys):
    reader, taken, start = Reader(cql, "SELECT a FROM together.copied WHERE id = ?"), [], time.monotonic()
    reader.connect()
    while len(taken) < rate * seconds:
        pause = start + len(taken) / rate - time.monotonic()
        if pause > 0:
            time.sleep(pause)
        began = time.monotonic()
        body = reader.ask(struct.pack(">i", RNG.randrange(keys)))
        taken.append((time.monotonic() - began) * 1000)
        if not body.endswith(b"a" * 40):
            raise SystemExit(f"a row is not there: {body}")
    tell(taken)


def restart(kafka, cql, pids):
    stop, watched = threading.Event(), collections.deque()

    def sender():
        producer = client(kafka, 0)
        while not stop.is_set():
            key, value = make()
            watched.append((key, time.monotonic(), 0))
            producer.produce(TOPIC, value, key=str(key))
            producer.poll(0)
            time.sleep(0.01)
    thread = threading.Thread(target=sender, daemon=True)
    thread.start()
    reader, killed, visible, waiting = Reader(cql), None, 0, collections.deque()
    end = time.monotonic() + 240
    while time.monotonic() < end:
        while watched:
            waiting.append(watched.popleft())
        try:
            for item in list(waiting)[-32:]:  # the newest: one of them will do
                if not reader.there(item[0]):
                    continue
                waiting.remove(item)
                visible += 1
                if killed and item[1] > killed:
                    print(f"visible {(time.monotonic() - killed) * 1000:.1f}", flush=True)
                    stop.set()
                    return
        except (OSError, ConnectionError):
            reader.raw = None
            time.sleep(0.002)
        if not killed and visible >= 100:
            killed = time.monotonic()
            for pid in pids:
                os.kill(pid, signal.SIGKILL)
            print("killed", flush=True)
        time.sleep(0.0005)
    raise SystemExit("no new row within four minutes")


def main():
    kafka, cql, what, *rest = sys.argv[2:]
    if what == "restart":
        restart(int(kafka), int(cql), [int(p) for p in rest[0].split(",")])
    elif what == "reads":
        reads(int(cql), *map(int, rest))
    elif rest[-1] == "acks":
        acks(int(kafka), int(what), int(rest[0]))
    else:
        steady(int(kafka), int(cql), int(what), int(rest[0]), int(rest[1]))


main()
