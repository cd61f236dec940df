"""A short piece of ./test crash: few kills, few power cuts, some failing calls, a mutant."""
import audit
from harness import Failed, folder, in_memory


def test_nothing_is_lost_or_doubled_by_kills():
    with folder(in_memory()) as f:
        audit.kills(f, audit.expected(f), rounds=4, seed=1)


def test_nothing_is_lost_or_doubled_by_power_cuts():
    with folder(in_memory()) as f:
        audit.power_cuts(f, audit.expected(f), rounds=6, seed=2)


def test_failing_calls_are_survived():
    with folder(in_memory()) as f:
        want = audit.expected(f)
        most = audit.total_calls(f)
        audit.nth_call(f, want, "fail", step=max(1, most // 6), first=3)


def test_state_outside_the_batch_is_seen():
    with folder(in_memory()) as f:
        want = audit.expected(f)
        try:
            audit.kills(f, want, rounds=60, seed=3, env={"SLUICE_MUTANT_STATE_FIRST": "1"})
        except Failed as red:
            print(f"caught: {red}")
            return
    raise Failed("the audit did not see state that is durable before its epoch")
