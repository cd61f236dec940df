"""./test bank: a transactional bank through kills and power cuts, and the proof that its audit sees the mistakes it is there for."""
import bank
from harness import folder


def test_300_kills():
    with folder() as f:
        bank.run(f, "kill", 300, seed=1)


def test_1000_power_cuts():
    with folder() as f:
        bank.run(f, "cut", 1000, seed=2)


def caught(what, disturb, mutant, *signs):
    with folder() as f:
        bank.must_be_caught(f, what, disturb, {f"SLUICE_MUTANT_{mutant}": "1"}, 200, seed=3, signs=signs)


def test_mutant_answer_before_fsync_is_caught():
    caught("answer before fsync", "cut", "ANSWER_FIRST", "are torn", "are lost", "acknowledged at")


def test_mutant_skip_the_truncation_is_caught():
    caught("skip the truncation", "cut", "SKIP_TRUNCATION", "damaged", "reading bank", "reading plain", "are torn", "are lost")


def test_mutant_ignore_aborts_is_caught():
    caught("ignore aborts", "kill", "IGNORE_ABORTS", "never were committed")


def test_mutant_reuse_an_epoch_is_caught():
    caught("reuse an epoch", "kill", "REUSE_EPOCH", "are torn", "are lost", "never were committed", "seen twice")
