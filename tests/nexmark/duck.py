"""Runs in a virtual environment with DuckDB: duck.py DIR END, queries as JSON on standard input, answers as JSON lines."""
import datetime
import json
import sys

import duckdb

folder, end = sys.argv[1], int(sys.argv[2])
db = duckdb.connect()
COLUMNS = {
    "person": "id BIGINT, name VARCHAR, email_address VARCHAR, credit_card VARCHAR, city VARCHAR, state VARCHAR, date_time TIMESTAMP, extra VARCHAR",
    "auction": "id BIGINT, item_name VARCHAR, description VARCHAR, initial_bid BIGINT, reserve BIGINT, date_time TIMESTAMP, expires TIMESTAMP, "
               "seller BIGINT, category BIGINT, extra VARCHAR",
    "bid": "auction BIGINT, bidder BIGINT, price BIGINT, channel VARCHAR, url VARCHAR, date_time TIMESTAMP, extra VARCHAR",
}
for table, columns in COLUMNS.items():
    wanted = ", ".join(f"'{c.split()[0]}': '{c.split()[1]}'" for c in columns.split(", "))
    db.execute(f"CREATE TABLE {table} AS SELECT * FROM read_json('{folder}/{table}.jsonl', format='newline_delimited', columns={{{wanted}}})")


def plain(v):
    return v.strftime("%Y-%m-%dT%H:%M:%S.") + f"{v.microsecond // 1000:03d}Z" if isinstance(v, datetime.datetime) else v


for name, sql in json.load(sys.stdin):
    cursor = db.execute(sql.replace("$end", str(end)))
    names = [d[0] for d in cursor.description]
    rows = [{n: plain(v) for n, v in zip(names, row)} for row in cursor.fetchall()]
    print(json.dumps([name, rows]))
