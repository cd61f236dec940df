"""The bank's clients, by librdkafka: `work` moves money in transactions while the broker is killed under it, `read` tells
what a read_committed consumer sees. Run by tests/kit/bank.py.

work BOOTSTRAP FOLDER SEED LIFE: writes FOLDER/journal, a line an event, before or after it as said:
  begin T          before the transaction T writes its first leg
  committing T     before it asks for the commit; from here on both ends are possible
  committed T      the broker has said so
  aborted T        it was given up, and the broker has said so (or the client knows it was never committed)
  plain P O V      the idempotent producer's record V was acknowledged at offset O of partition P
It pauses while FOLDER/pause exists, and says so by FOLDER/paused-NAME. LIFE counts the processes before this one.
"""
import json
import pathlib
import random
import sys
import threading
import time

from confluent_kafka import Consumer, KafkaError, KafkaException, Producer, TopicPartition

PARTITIONS = 3
QUICK = {"reconnect.backoff.ms": 5, "reconnect.backoff.max.ms": 40, "retry.backoff.ms": 5, "log_level": 0, "socket.timeout.ms": 10000,
         "topic.metadata.refresh.interval.ms": 1000, "topic.metadata.refresh.fast.interval.ms": 20}


A_LIFE = 10_000_000  # more than a process numbers


class Journal:
    def __init__(self, folder):
        self.file = open(folder / "journal", "a", buffering=1)
        self.lock = threading.Lock()

    def say(self, *words):
        with self.lock:
            self.file.write(" ".join(map(str, words)) + "\n")


class Worker(threading.Thread):
    """One transactional id: transfers, some given up, some overtaken by a second producer of the same id."""

    def __init__(self, name, bootstrap, folder, journal, seed, first):
        super().__init__(daemon=True)
        self.name, self.bootstrap, self.folder, self.journal = name, bootstrap, folder, journal
        self.rng = random.Random(seed)
        self.n = first
        self.producer = None

    def make(self):
        while True:
            p = Producer({"bootstrap.servers": self.bootstrap, "transactional.id": self.name, "transaction.timeout.ms": 60000, "linger.ms": 0, **QUICK})
            try:
                self.until(lambda: p.init_transactions(15))
                return p
            except KafkaException:
                continue

    def until(self, act):
        """Again and again while the broker is away; other errors are the caller's."""
        while True:
            try:
                return act()
            except KafkaException as e:
                if not e.args[0].retriable():
                    raise
                time.sleep(0.01)

    def legs(self, p, txn):
        amount = self.rng.randrange(1, 100)
        places = self.rng.sample(range(PARTITIONS), 2)
        for leg, (partition, sign) in enumerate(zip(places, (1, -1))):
            p.produce("bank", json.dumps({"txn": txn, "leg": leg, "by": self.name, "n": self.n, "amount": sign * amount}), key=f"account-{partition}", partition=partition)

    def next(self):
        self.n += 1
        return f"{self.name}-{self.n}"

    def abort(self, p, txn):
        self.until(lambda: p.abort_transaction(15))
        self.journal.say("aborted", txn)

    def transfer(self):
        p, txn = self.producer, self.next()
        self.journal.say("begin", txn)
        try:
            p.begin_transaction()
            self.legs(p, txn)
            if self.rng.random() < 0.2:
                p.flush(5)
                self.abort(p, txn)
                return
            self.journal.say("committing", txn)
            self.until(lambda: p.commit_transaction(15))
            self.journal.say("committed", txn)
        except KafkaException as e:
            if e.args[0].txn_requires_abort():
                self.abort(p, txn)
            else:
                self.producer = self.make()

    def overtaken(self):
        """A producer that goes on after another one with its id has begun: nothing of it may be seen."""
        old, txn = self.producer, self.next()
        self.journal.say("begin", txn)
        try:
            old.begin_transaction()
            self.legs(old, txn)
            old.flush(5)
            self.producer = self.make()
            self.legs(old, txn)  # librdkafka's own thread sends them while the next transfer is under way
            self.transfer()
            old.flush(0.1)
        except (KafkaException, BufferError):
            self.producer = self.make()

    def run(self):
        self.producer = self.make()
        while True:
            if (self.folder / "pause").exists():
                (self.folder / f"paused-{self.name}").touch()
                time.sleep(0.01)
                continue
            try:
                self.overtaken() if self.rng.random() < 0.05 else self.transfer()
            except KafkaException:
                self.producer = self.make()


class Plain(threading.Thread):
    """An idempotent producer: what it is told is there, is there, once, in order."""

    def __init__(self, bootstrap, folder, journal, first):
        super().__init__(daemon=True)
        self.folder, self.journal, self.n = folder, journal, first
        self.options = {"bootstrap.servers": bootstrap, "enable.idempotence": True, "linger.ms": 1, "message.timeout.ms": 300000, **QUICK}

    def told(self, err, message):
        if not err:
            self.journal.say("plain", message.partition(), message.offset(), message.value().decode())
        elif err.code() != KafkaError._PURGE_QUEUE:
            self.journal.say("plain-failed", err.str().replace(" ", "_"))

    def run(self):
        p = Producer(self.options)
        while True:
            if (self.folder / "pause").exists():
                p.flush(30)
                (self.folder / "paused-plain").touch()
                time.sleep(0.01)
                continue
            self.n += 1
            p.produce("plain", f"plain-{self.n}", partition=self.n % PARTITIONS, on_delivery=self.told)
            p.poll(0)
            if len(p) > 200:
                p.poll(0.05)
            time.sleep(0.002)


def work(bootstrap, folder, seed, life):
    folder, first = pathlib.Path(folder), int(life) * A_LIFE
    journal = Journal(folder)
    rng = random.Random(f"{seed} {life}")
    workers = [Worker(f"teller{i}", bootstrap, folder, journal, rng.random(), first) for i in range(4)]
    workers.append(Plain(bootstrap, folder, journal, first))
    for w in workers:
        w.start()
    while all(w.is_alive() for w in workers):
        time.sleep(0.1)
    sys.exit("a worker has ended")


def read(bootstrap, topic, isolation):
    """Every record a consumer sees, a JSON line each."""
    c = Consumer({"bootstrap.servers": bootstrap, "group.id": "reader", "isolation.level": isolation, "enable.partition.eof": True, "check.crcs": True,
                  "auto.offset.reset": "error", "enable.auto.commit": False, **QUICK})
    c.assign([TopicPartition(topic, i, 0) for i in range(PARTITIONS)])
    left = set(range(PARTITIONS))
    end = time.monotonic() + 60
    while left:
        if time.monotonic() > end:
            sys.exit(f"partitions {left} of {topic} have no end after 60 s")
        for m in c.consume(5000, 0.2):
            if m.error():
                if m.error().code() != KafkaError._PARTITION_EOF:
                    sys.exit(f"{topic}: {m.error()}")
                left.discard(m.partition())
            else:
                print(json.dumps([m.partition(), m.offset(), m.value().decode()]))
    c.close()


if __name__ == "__main__":
    {"work": work, "read": read}[sys.argv[1]](*sys.argv[2:])
