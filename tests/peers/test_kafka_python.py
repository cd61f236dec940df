"""kafka-python 2.0.2, which many still have, and 3.x: the cases stand in python/kafka_python*.py."""
from engines import python_cases

python_cases(globals(), "kafka_python_2", "kafka-python-2", "kafka_python.py", env={"KAFKA_PYTHON": "2.0.2"})
python_cases(globals(), "kafka_python_2", "kafka-python-2", "kafka_python_2.py")
python_cases(globals(), "kafka_python_3", "kafka-python-3", "kafka_python.py", env={"KAFKA_PYTHON": "3.0.12"})
python_cases(globals(), "kafka_python_3", "kafka-python-3", "kafka_python_3.py")
