"""Kills, power cuts, failing calls, and the proof that this test sees the mistakes it is there for."""
import audit
import audit_fed
from harness import Failed, Server, check, folder, in_memory, wait_for


def test_1000_kills():
    """A third inside a commit of the store, the others anywhere."""
    with folder(in_memory()) as f:
        done = audit.kills(f, audit.expected(f), rounds=1100, seed=10)  # one to three a round
        print(f"killed: {done}")
        check(sum(done.values()) >= 1000 and done["inside"] * 4 >= sum(done.values()), f"too few kills: {done}")


def test_100_kills_of_streams_with_feeders():
    """Large epochs, which feeders read and gather for: a third inside a commit, the others while feeders are at work."""
    with folder(in_memory()) as f:
        done = audit_fed.kills(f, rounds=75, seed=40)
        print(f"killed: {done}")
        check(sum(done.values()) >= 100 and min(done.values()) >= 20, f"too few kills: {done}")


def test_1000_power_cuts():
    with folder(in_memory()) as f:
        done = audit.power_cuts(f, audit.expected(f), rounds=900, seed=20)  # one or two a round
        print(f"power cuts: {done}")
        check(done >= 1000, f"too few power cuts: {done}")


def test_every_call_failing_once():
    with folder(in_memory()) as f:
        want = audit.expected(f)
        audit.nth_call(f, want, "fail", step=7)
        audit.nth_call(f, want, "fail", step=13, errno="ENOSPC")


def test_torn_writes():
    with folder(in_memory()) as f:
        audit.nth_call(f, audit.expected(f), "tear", step=11, only="write")


def test_mutant_state_outside_the_batch_is_caught_with_feeders():
    with folder(in_memory()) as f:
        try:
            audit_fed.kills(f, rounds=40, seed=41, env={"SLUICE_MUTANT_STATE_FIRST": "1"})
        except Failed as red:
            print(f"caught state before rows, with feeders: {red}")
            return
    raise Failed("the audit did not see state that is durable before its epoch, with feeders")


def must_be_caught(what, mutant, rounds, way=audit.power_cuts):
    """With a seeded mistake the audit must go red."""
    with folder(in_memory()) as f:
        want = audit.expected(f)
        try:
            way(f, want, rounds=rounds, seed=30, env={mutant: "1"})
        except Failed as red:
            print(f"caught {what}: {red}")
            return
    raise Failed(f"the audit did not see: {what}")


def test_mutant_cursor_before_rows_is_caught():
    must_be_caught("cursor before rows, by kills", "SLUICE_MUTANT_CURSOR_FIRST", 100, audit.kills)
    must_be_caught("cursor before rows, by power cuts", "SLUICE_MUTANT_CURSOR_FIRST", 300)


def test_mutant_state_outside_the_batch_is_caught():
    must_be_caught("state before rows, by kills", "SLUICE_MUTANT_STATE_FIRST", 100, audit.kills)
    must_be_caught("state before rows, by power cuts", "SLUICE_MUTANT_STATE_FIRST", 300)


def test_mutant_answer_before_fsync_is_caught():
    must_be_caught("answer before fsync", "SLUICE_MUTANT_ANSWER_FIRST", 600)


def test_mutant_ledger_term_not_counted_is_red():
    """One counting site at a time is switched off: the stream fails, status is red and non-zero."""
    terms = {0: "in", 1: "applied", 2: "filtered", 5: "dead", 7: "held"}
    for number, term in terms.items():
        with folder(in_memory()) as f, Server(audit.make(f), sets=audit.SETS, env={"SLUICE_MUTANT_SKIP_COUNT": str(number)}) as s:
            s.ready()
            stage = wait_for(f"red without the term {term}", lambda: next((x for x in s.status()["stages"] if x["state"] == "failed"), None))
            check(not stage["balanced"], f"{term}: {stage}")
            check(s.command("status").returncode != 0, f"status is green without the term {term}")
