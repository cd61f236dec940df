"""One real client, kcat, against the Kafka door, quickly: what the long group `peers` asks in full."""
import importlib.util
import pathlib

spec = importlib.util.spec_from_file_location("test_kcat", pathlib.Path(__file__).parent.parent / "peers" / "test_kcat.py")
kcat = importlib.util.module_from_spec(spec)
spec.loader.exec_module(kcat)

for name in ("test_kcat_lists_topics_and_partitions", "test_kcat_is_told_the_address_that_it_dialled",
             "test_kcat_produces_and_consumes_in_every_codec", "test_kcat_null_keys_and_null_values"):
    test = getattr(kcat, name)
    test.__module__ = __name__  # else ./test takes it for a helper of another file's, and leaves it out
    globals()[name] = test
