"""Workflows in a server that is killed 500 times."""
import audit_workflows
from harness import check, folder, in_memory


def test_500_kills_under_workflows():
    with folder(in_memory()) as f:
        done = audit_workflows.kills(f, 500, seed=7)
        print(f"killed, audited: {done}", flush=True)
        check(done["server"] + done["up"] >= 500, f"too few kills: {done}")
