"""A good client beside bad ones: it goes round and round, and tells how long a round took."""
import statistics
import threading
import time

from harness import check


class GoodClient:
    """Does `self.round(n)` again and again on a thread of its own, over the connection `self.raw`."""

    def __init__(self, raw):
        self.raw, self.times, self.failure, self.over = raw, [], None, False
        self.thread = threading.Thread(target=self.work, daemon=True)

    def work(self):
        try:
            n = 0
            while not self.over:
                start = time.perf_counter()
                self.round(n)
                self.times.append(time.perf_counter() - start)
                time.sleep(0.005)
                n += 1
        except Exception as e:  # noqa: BLE001 - told by the main thread
            self.failure = e

    def __enter__(self):
        self.thread.start()
        time.sleep(0.5)
        return self

    def __exit__(self, *failure):
        self.over = True
        self.thread.join(15)
        self.raw.close()

    def judge(self, p99=2.0):
        """What a bad one could cost is its own time limit, 5 s and more; a busy machine costs some 100 ms."""
        check(self.failure is None, f"the good client failed: {self.failure!r}")
        check(len(self.times) > 20, f"the good client had only {len(self.times)} rounds")
        worst = statistics.quantiles(self.times, n=100)[98]
        check(worst < p99, f"the good client's p99 was {worst * 1000:.0f} ms of {len(self.times)} rounds")
