"""A Kafka Streams word count with exactly_once_v2 that is killed (-9) again and again: no count is lost or doubled."""
import collections
import random
import subprocess
import tempfile
import time

import engines
from engines import HERE, bootstrap, name, same, topic
from harness import Failed, check, folder, written

WORDS = [f"word{i}" for i in range(40)]
KILLS = 4


def kcat(*args, stdin=None):
    return engines.peer(f"kcat {' '.join(args)}", [engines.package("kcat", "kcat"), "-b", bootstrap(), *args], stdin=stdin)


class Application:
    def __init__(self, jars, source, sink, identity, state):
        self.log = tempfile.TemporaryFile()
        self.process = subprocess.Popen(
            ["java", "-Xmx400m", "-XX:+UseSerialGC", "-cp", engines.classes(jars, "WordCount"), "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn",
             f"-Dlog4j.configuration=file:{HERE / 'java' / 'log4j.properties'}", "WordCount", bootstrap(), source, sink, identity, str(state)],
            stdin=subprocess.DEVNULL, stdout=self.log, stderr=subprocess.STDOUT, start_new_session=True)

    def output(self):
        return written(self.log)

    def until_running(self):
        end = time.monotonic() + 60
        while "RUNNING" not in self.output().split():
            check(self.process.poll() is None, f"the application ended with {self.process.returncode}:\n{self.output()[-4000:]}")
            check(time.monotonic() < end, f"the application did not run within 60 s:\n{self.output()[-4000:]}{engines.broker_words()}")
            time.sleep(0.05)

    def kill(self):
        self.process.kill()
        self.process.wait()
        self.log.close()


def counts(sink):
    """word -> its counts in their order, by a reader of committed records"""
    seen = collections.defaultdict(list)
    for line in kcat("-C", "-q", "-e", "-t", sink, "-o", "beginning", "-f", "%k %s\n", "-X", "isolation.level=read_committed").splitlines():
        word, value = line.split()
        seen[word].append(int(value))
    return seen


def word_count(jars):
    dice = random.Random(7)
    source, sink, identity = topic("streams-in", 2), topic("streams-out", 2), name("streams")
    expected = collections.Counter()

    def feed(lines):
        text = []
        for _ in range(lines):
            words = dice.choices(WORDS, k=5)
            expected.update(words)
            text.append(" ".join(words))
        kcat("-P", "-t", source, stdin="\n".join(text) + "\n")
    with folder() as state:
        for life in range(KILLS + 1):
            feed(3000)
            application = Application(jars, source, sink, identity, state)
            try:
                application.until_running()
                if life < KILLS:
                    time.sleep(dice.uniform(0.1, 1.2))
                    continue
                end, before = time.monotonic() + 90, -1
                while (done := sum(map(len, counts(sink).values()))) < sum(expected.values()):
                    check(application.process.poll() is None, f"the application ended:\n{application.output()[-4000:]}")
                    if time.monotonic() > end:
                        raise Failed(f"{done} of {sum(expected.values())} counts (before: {before}) in 90 s:\n{application.output()[-4000:]}")
                    before = done
                    time.sleep(0.5)
                application.process.terminate()
                application.process.wait(30)
            finally:
                application.kill()
    seen = counts(sink)
    for word in WORDS:
        same(f"the counts of {word}, one after another", seen[word], list(range(1, expected[word] + 1)))


def test_streams_3_9_counts_exactly_once_through_kills():
    word_count("kafka-3.9")


def test_streams_4_3_counts_exactly_once_through_kills():
    word_count("kafka-4.3")
