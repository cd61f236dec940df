"""A short piece of ./test bank: few kills, few power cuts."""
import bank
from harness import folder


def test_bank_short_kills():
    with folder() as f:
        bank.run(f, "kill", 10, seed=4, every=10)


def test_bank_short_power_cuts():
    with folder() as f:
        bank.run(f, "cut", 15, seed=5, every=15)
