"""A short piece of ./test crash: a server with workflows is killed a dozen times, and audited from what its tasks have done."""
import audit_workflows
from harness import folder, in_memory


def test_workflows_run_once_whatever_is_killed():
    with folder(in_memory()) as f:
        print(f"killed, audited: {audit_workflows.kills(f, 12, seed=3)}", flush=True)
