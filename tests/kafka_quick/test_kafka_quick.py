"""One real client, kcat, against the Kafka door, quickly: what the long group `peers` asks in full."""
import importlib.util
import pathlib

spec = importlib.util.spec_from_file_location("test_kcat", pathlib.Path(__file__).parent.parent / "peers" / "test_kcat.py")
kcat = importlib.util.module_from_spec(spec)
spec.loader.exec_module(kcat)

test_kcat_lists_topics_and_partitions = kcat.test_kcat_lists_topics_and_partitions
test_kcat_reaches_the_broker_by_the_name_it_used = kcat.test_kcat_reaches_the_broker_by_the_name_it_used
test_kcat_produces_and_consumes_in_every_codec = kcat.test_kcat_produces_and_consumes_in_every_codec
test_kcat_null_keys_and_null_values = kcat.test_kcat_null_keys_and_null_values
