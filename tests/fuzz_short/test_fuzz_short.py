"""Some seconds for each parser; forty seconds in ./test fuzz."""
import fuzzing

fuzzing.build()
AT_ONCE = 2


def make(target):
    def test():
        fuzzing.run(target, 4)
    test.__module__ = __name__
    return test


for name in fuzzing.TARGETS:
    globals()[f"test_fuzz_{name}"] = make(name)
