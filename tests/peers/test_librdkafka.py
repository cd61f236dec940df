"""librdkafka 1.9.2 and 2.x, through confluent-kafka: the cases stand in python/librdkafka.py and librdkafka_2.py."""
from engines import python_cases

python_cases(globals(), "librdkafka_1", "librdkafka-1", "librdkafka.py", env={"LIBRDKAFKA": "1.9.2"})
python_cases(globals(), "librdkafka_2", "librdkafka-2", "librdkafka.py", env={"LIBRDKAFKA": "2.16"})
python_cases(globals(), "librdkafka_2", "librdkafka-2", "librdkafka_2.py")
