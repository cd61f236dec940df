"""aiokafka: the cases stand in python/aio.py."""
from engines import python_cases

python_cases(globals(), "aiokafka", "aiokafka", "aio.py", env={"AIOKAFKA": "0.14.0"})
