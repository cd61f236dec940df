"""The DataStax Python driver 3.29 in protocols 3, 4 and 5: the cases stand in python/cql_driver.py."""
import cassandra
from engines import python_cases

for protocol in ("3", "4", "5"):
    python_cases(globals(), f"cql_driver_v{protocol}", "cassandra-driver", "cql_driver.py", env={"CQL_PROTOCOL": protocol}, address=cassandra.address)
python_cases(globals(), "cql_login", "cassandra-driver", "cql_login.py", address=lambda: cassandra.address(True))
