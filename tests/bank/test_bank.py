"""./test bank: a transactional bank through kills and power cuts, and the proof that its audit sees the mistakes it is there for."""
import bank
from harness import folder


def test_300_kills():
    with folder() as f:
        bank.run(f, "kill", 300, seed=1)


def test_1000_power_cuts():
    with folder() as f:
        bank.run(f, "cut", 1000, seed=2)


def caught(what, disturb, **env):
    with folder() as f:
        bank.must_be_caught(f, what, disturb, {f"SLUICE_MUTANT_{k.upper()}": "1" for k in env}, 200, seed=3)


def test_mutant_answer_before_fsync_is_caught():
    caught("answer before fsync", "cut", answer_first=True)


def test_mutant_skip_the_truncation_is_caught():
    caught("skip the truncation", "cut", skip_truncation=True)


def test_mutant_ignore_aborts_is_caught():
    caught("ignore aborts", "kill", ignore_aborts=True)


def test_mutant_reuse_an_epoch_is_caught():
    caught("reuse an epoch", "kill", reuse_epoch=True)
