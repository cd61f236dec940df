"""A good client beside bad ones: it goes round and round, and tells how long a round took."""
import statistics
import threading
import time

from harness import check, wait_for


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

    def judge(self):
        """It goes on beside the bad ones, which are still there. What one of them could cost it is that one's own time limit, 5 s and more; what a busy machine costs is less."""
        wait_for("the good client's rounds", lambda: self.failure or len(self.times) > 20, 120)
        check(self.failure is None, f"the good client failed: {self.failure!r}")
        worst = statistics.quantiles(self.times, n=100)[98]
        check(worst < 4.5, f"the good client's p99 was {worst * 1000:.0f} ms of {len(self.times)} rounds")
