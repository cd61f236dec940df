"""A short piece of ./test crash: few kills, few power cuts, some failing calls."""
import audit
from harness import folder


def test_nothing_is_lost_or_doubled_by_kills():
    with folder() as f:
        audit.kills(f, audit.expected(f), rounds=6, seed=1)


def test_nothing_is_lost_or_doubled_by_power_cuts():
    with folder() as f:
        audit.power_cuts(f, audit.expected(f), rounds=15, seed=2)


def test_failing_calls_are_survived():
    with folder() as f:
        want = audit.expected(f)
        most = audit.total_calls(f)
        audit.nth_call(f, want, "fail", step=max(1, most // 8), first=3)
