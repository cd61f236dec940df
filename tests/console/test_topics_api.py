"""The console's API of topics, messages, groups and inferred schemas, beside the command line's own words and records."""
import base64
import contextlib
import json
import subprocess
import urllib.error
import urllib.parse
import urllib.request

from engines import venv
from harness import Server, check, folder, project, run, wait_for

PIPELINE = """CREATE TOPIC people WITH (partitions = 3, retention = '36500d');
CREATE TABLE ks.people (id TEXT PRIMARY KEY, n INT);
CREATE STREAM load INTO ks.people AS SELECT CAST(id AS TEXT) AS id, CAST(n AS INT) AS n FROM people;
"""
XSS = '<img src=x onerror="window.pwned=1">'


class Api:
    def __init__(self, server):
        self.server = server
        self.base = f"http://127.0.0.1:{server.field('console_port')}/api/console/"

    def ask(self, method, path, body=None, **query):
        """(status, JSON or text)"""
        q = {k: v for k, v in query.items() if v is not None}
        r = urllib.request.Request(self.base + path + ("?" + urllib.parse.urlencode(q) if q else ""), method=method,
                                   data=None if body is None else json.dumps(body).encode())
        r.add_header("Authorization", "Basic " + base64.b64encode(b"admin:admin").decode())
        r.add_header("Content-Type", "application/json")
        try:
            with urllib.request.urlopen(r, timeout=60) as a:
                status, text, kind = a.status, a.read(), a.headers.get("Content-Type", "")
        except urllib.error.HTTPError as e:
            status, text, kind = e.code, e.read(), e.headers.get("Content-Type", "")
        return status, json.loads(text) if text and kind.startswith("application/json") else text

    def get(self, path, **query):
        status, answer = self.ask("GET", path, **query)
        check(status == 200, f"GET {path} {query}: {status} {answer}")
        return answer

    def do(self, method, path, body=None):
        status, answer = self.ask(method, path, body)
        check(status < 300, f"{method} {path} {body}: {status} {answer}")
        return answer

    def refuse(self, code, status, method, path, body=None, **query):
        got, answer = self.ask(method, path, body, **query)
        check(got == status and answer["error"]["code"] == code, f"{method} {path}: {got} {answer}, expected {status} {code}")
        return answer["error"]

    def pages(self, topic, limit, **query):
        """Every record, by pages."""
        out, after = [], None
        while True:
            page = self.get(f"topics/{topic}/messages", limit=limit, after=after, **query)
            out += page["records"]
            after = page["next"]
            if after is None:
                return out


@contextlib.contextmanager
def served(pipeline=PIPELINE, **more):
    with folder() as place, Server(project(place / "p", pipeline), sets=("server.restart=false",), **more).ready() as server:
        yield server, Api(server)


def produce(server, topic, lines, *options):
    r = run("produce", topic, "--json", *options, "--brokers", f"127.0.0.1:{server.field('kafka_port')}", stdin="\n".join(json.dumps(x) for x in lines) + "\n")
    check(r.returncode == 0, r.stderr)


def places(records):
    return [(r["partition"], r["offset"]) for r in records]


def test_topics_are_listed_made_changed_and_deleted():
    with served() as (server, api):
        row = next(t for t in api.get("topics")["topics"] if t["name"] == "people")
        check(row["partition_count"] == 3 and row["readers"] == ["load"] and row["writers"] == [] and row["records"] == 0, row)
        made = api.do("POST", "topics", {"name": "orders", "partitions": 2, "settings": {"retention.ms": 60000, "cleanup.policy": "compact"}})
        check(made == {"name": "orders", "partitions": 2, "made": True}, made)
        own = {s["name"]: s["value"] for s in api.get("topics/orders/settings") if s["own"]}
        check(own == {"retention.ms": "60000", "cleanup.policy": "compact"}, own)
        told = server.command("topics", "config", "orders", "--json", "--brokers", f"127.0.0.1:{server.field('kafka_port')}").stdout
        check("60000" in told, f"the command line says the same: {told}")
        api.do("PATCH", "topics/orders/settings", {"settings": {"retention.ms": None, "max.message.bytes": "5000"}})
        own = {s["name"]: s["value"] for s in api.get("topics/orders/settings") if s["own"]}
        check(own == {"max.message.bytes": "5000", "cleanup.policy": "compact"}, own)
        api.do("POST", "topics/orders/partitions", {"partitions": 4})
        check(api.get("topics/orders")["partition_count"] == 4, "it grew")
        check(api.refuse("ERR_PARTITIONS", 400, "POST", "topics/orders/partitions", {"partitions": 3})["what"], "it does not shrink")
        check(api.refuse("ERR_EXISTS", 409, "POST", "topics", {"name": "orders"})["where"] == "name", "the field is named")
        api.refuse("ERR_TOPIC_NAME", 400, "POST", "topics", {"name": XSS})
        api.refuse("ERR_CONFIG", 400, "PATCH", "topics/orders/settings", {"settings": {"no.such": "1"}})
        api.refuse("ERR_POLICY", 403, "POST", "topics/orders/cut", {})
        api.refuse("ERR_POLICY", 403, "DELETE", "topics/people")
        check(api.do("POST", "topics", {"name": "later", "dry_run": True})["made"] is False, "only checked")
        api.refuse("ERR_UNKNOWN_TOPIC", 404, "GET", "topics/later")
        loss = api.get("topics/people/loss")
        check(loss["used_by"] == "load" and loss["records"] == 0, loss)
        api.do("DELETE", "topics/orders")
        api.refuse("ERR_UNKNOWN_TOPIC", 404, "DELETE", "topics/orders")
        api.refuse("ERR_UNKNOWN_TOPIC", 404, "GET", f"topics/{urllib.parse.quote(XSS, safe='')}/messages")


def test_messages_page_jump_and_are_found():
    with served("CREATE TOPIC t WITH (partitions = 3, retention = '36500d');") as (server, api):
        produce(server, "t", [{"key": f"k{i}", "value": json.dumps({"n": i, "name": "Ada" if i % 10 == 0 else "Bob"}), "partition": i % 3,
                               "timestamp": 1700000000000 + i * 1000, "headers": [{"key": "h", "value": f"v{i}"}]} for i in range(500)])
        forward = api.pages("t", 77, direction="forward")
        check([json.loads(r["value"]["text"])["n"] for r in forward] == list(range(500)), "each once, by time")
        backward = api.pages("t", 50)
        check(places(backward) == places(forward)[::-1], "the same backward")
        one = [r["offset"] for r in api.pages("t", 10, direction="forward", partition="1")]
        check(one == list(range(167)), f"{one}")
        check(places(api.get("topics/t/messages", partition="2", offset=5, limit=2)["records"]) == [(2, 5), (2, 4)], "newest first, from an offset")
        at = api.get("topics/t/messages", direction="forward", time="2023-11-14T22:15:00Z", limit=3)["records"]
        check([r["time_ms"] for r in at] == [1700000100000, 1700000101000, 1700000102000], f"{at}")
        check(api.get("topics/t/messages", time=1700000100500, limit=1)["records"][0]["time_ms"] == 1700000100000, "before a time")
        found = api.pages("t", 100, q="aDA")
        check(len(found) == 50, f"{len(found)} by text")
        check(len(api.pages("t", 100, q="v499")) == 1, "by a header")
        where = api.get("topics/t/messages", where="CAST(n AS INT) >= 490 AND name = 'Bob'", limit=3, direction="forward")
        check([json.loads(r["value"]["text"])["n"] for r in where["records"]] == [491, 492, 493] and where["end"] == "limit", where)
        rest = api.get("topics/t/messages", where="CAST(n AS INT) >= 490 AND name = 'Bob'", after=where["next"], direction="forward")
        check([json.loads(r["value"]["text"])["n"] for r in rest["records"]] == [494, 495, 496, 497, 498, 499] and rest["end"] == "end" and rest["next"] is None, rest)
        wrong = api.refuse("ERR_SYNTAX", 400, "GET", "topics/t/messages", where="n >")
        check("condition" in wrong["where"], wrong)
        api.refuse("ERR_USAGE", 400, "GET", "topics/t/messages", where="1=1 UNION ALL SELECT 1 FROM t")
        api.refuse("ERR_USAGE", 400, "GET", "topics/t/messages", after="x")
        api.refuse("ERR_RANGE", 400, "GET", "topics/t/messages", limit=100000)
        whole = api.get("topics/t/messages/2/4")
        check(whole["key"]["text"] == "k14" and whole["headers"][0]["value"]["text"] == "v14" and not whole["value"]["cut"], whole)
        api.refuse("ERR_NOT_FOUND", 404, "GET", "topics/t/messages/2/9999")
        lines = api.ask("GET", "topics/t/messages.jsonl", q="Ada")[1].decode().splitlines()
        check(len(lines) == 50 and json.loads(lines[0])["key"] == "k0", lines[:1])
        consumed = run("consume", "t", "--json", "--from", "earliest", "--until", "end", "--brokers", f"127.0.0.1:{server.field('kafka_port')}").stdout.splitlines()
        every = api.ask("GET", "topics/t/messages.jsonl")[1].decode().splitlines()
        check(sorted(every) == sorted(consumed), "the file is what sluice consume --json writes")
        table = api.ask("GET", "topics/t/messages.csv", limit=2)[1].decode().split("\r\n")
        check(table[0] == "partition,offset,time,kind,key,value,headers" and table[1].startswith('0,0,2023-11-14T22:13:20.000Z,record,k0,"{""n"": 0') and len(table) == 4, table)
        cut = api.do("POST", "topics/t/cut", {"before": 100, "partition": 0, "dry_run": True})
        check(cut["records"] == 100 and not cut["done"] and api.get("topics/t")["records"] == 500, cut)
        api.do("POST", "topics/t/cut", {"before": 100, "partition": 0})
        check(api.get("topics/t")["partitions"][0]["start"] == 100, "cut off")
        check(len(api.pages("t", 100)) == 400, "what was cut off is not told")


def test_what_is_written_from_the_page_is_read_as_it_was_meant():
    with served("CREATE TOPIC t WITH (partitions = 4);") as (server, api):
        for body, key, value in (({"key": "a", "value": '{"x":1}'}, "a", {"type": "json", "text": '{"x":1}', "size": 7, "cut": False}),
                                 ({"key": None, "value": XSS}, None, {"type": "text", "text": XSS, "size": len(XSS), "cut": False}),
                                 ({"key": "a", "value": None}, "a", {"type": "null", "text": None, "size": 0, "cut": False}),
                                 ({"key": "ff00", "key_encoding": "hex", "value": "AAAAAAcB", "value_encoding": "base64", "partition": 2}, "ff00",
                                  {"type": "binary", "text": "000000000701", "size": 6, "cut": False, "schema_id": 7})):
            made = api.do("POST", "topics/t/messages", {**body, "headers": [{"name": XSS, "value": "é"}], "time": "2026-01-02T03:04:05Z"})
            r = api.get(f"topics/t/messages/{made['partition']}/{made['offset']}")
            check(r["key"]["text"] == key and r["value"] == value and r["time"] == "2026-01-02T03:04:05.000Z", f"{r}")
            check(r["headers"][0]["name"] == XSS and r["headers"][0]["value"]["text"] == "é", f"{r}")
        read = [json.loads(x) for x in run("consume", "t", "--json", "--from", "earliest", "--until", "end", "--brokers", f"127.0.0.1:{server.field('kafka_port')}").stdout.splitlines()]
        check(len(read) == 4 and len({x["partition"] for x in read if x["key"] == "a"}) == 1, "a key has one partition")
        check(api.refuse("ERR_UNKNOWN_TOPIC", 404, "POST", "topics/t/messages", {"value": "x", "partition": 9})["where"] == "partition", "named")
        check(api.refuse("ERR_MALFORMED", 400, "POST", "topics/t/messages", {"value": "xyz", "value_encoding": "hex"})["where"] == "value", "named")


def test_groups_are_told_and_moved():
    with served(PIPELINE) as (server, api):
        broker = f"127.0.0.1:{server.field('kafka_port')}"
        produce(server, "people", [{"key": f"k{i}", "value": json.dumps({"id": f"k{i}", "n": i}), "partition": i % 3, "timestamp": 1700000000000 + i * 1000} for i in range(90)])
        r = run("consume", "people", "--group", "readers", "--count", "90", "--brokers", broker)
        check(r.returncode == 0, r.stderr)
        produce(server, "people", [{"key": "k", "value": json.dumps({"id": "k", "n": 1}), "partition": 1} for i in range(7)])
        row = wait_for("the group to be empty", lambda: next((g for g in api.get("groups")["groups"] if g["name"] == "readers" and g["state"] == "Empty"), None))
        check(row["lag"] == 7 and row["topics"] == ["people"] and row["stream"] is None, row)
        said = json.loads(server.command("groups", "list", "--json", "--brokers", broker).stdout.splitlines()[0])
        g = api.get("groups/readers")
        check([(p["partition"], p["position"], p["end"], p["lag"]) for p in g["partitions"]] == [(0, 30, 30, 0), (1, 30, 37, 7), (2, 30, 30, 0)], g)
        plan = api.do("POST", "groups/readers/reset", {"to": "earliest", "dry_run": True})
        check(plan["again"] == 90 and plan["skipped"] == 0 and not plan["done"] and api.get("groups/readers")["lag"] == 7, plan)
        plan = api.do("POST", "groups/readers/reset", {"to": "latest", "dry_run": True})
        check(plan["skipped"] == 7, plan)
        plan = api.do("POST", "groups/readers/reset", {"to": "time", "time_ms": 1700000030000, "dry_run": True})
        check([p["to"] for p in plan["partitions"]] == [10, 10, 10], plan)
        plan = api.do("POST", "groups/readers/reset", {"to": "shift", "number": -4, "topic": "people", "partition": 2})
        check(plan["done"] and [(p["partition"], p["from"], p["to"]) for p in plan["partitions"]] == [(2, 30, 26)], plan)
        check(api.get("groups/readers")["lag"] == 11, "moved")
        told = server.command("groups", "describe", "readers", "--json", "--brokers", broker).stdout
        check('"position": 26' in told or '"position":26' in told, f"the command line says the same: {told}")
        check(api.do("POST", "groups/readers/reset", {"to": "offset", "number": 1000, "topic": "people", "partition": 0, "dry_run": True})["partitions"][0]["to"] == 30, "within the log")
        check(api.refuse("ERR_USAGE", 400, "POST", "groups/readers/reset", {"to": "offset"})["where"] == "number", "named")
        api.refuse("ERR_USAGE", 400, "POST", "groups/readers/reset", {"to": "nowhere"})
        mirror = wait_for("the stream's group", lambda: next((x for x in api.get("groups")["groups"] if x["stream"] == "load"), None))
        api.refuse("ERR_POLICY", 403, "POST", f"groups/{mirror['name']}/reset", {"to": "earliest"})
        api.refuse("ERR_POLICY", 403, "DELETE", f"groups/{mirror['name']}")
        api.refuse("ERR_POLICY", 403, "DELETE", "topics/__consumer_offsets")
        api.refuse("ERR_POLICY", 403, "POST", "topics/__consumer_offsets/messages", {"value": "x"})
        loss = api.get("topics/people/loss")
        check("readers" in loss["groups"] and loss["records"] == 97, loss)
        api.do("DELETE", "groups/readers")
        api.refuse("ERR_UNKNOWN_GROUP", 404, "GET", "groups/readers")
        check(said, "the command line lists groups")


def test_schemas_are_what_the_records_look_like():
    with served("CREATE TOPIC t WITH (partitions = 1); CREATE TOPIC u WITH (partitions = 1);") as (server, api):
        produce(server, "t", [{"key": f"k{i}", "value": json.dumps({"id": i, "mail": f"a{i}@example.com", **({"extra": 1.5 if i % 4 else "x"} if i % 2 else {})})} for i in range(100)])
        api.do("POST", "topics/t/messages", {"value": "no json"})
        s = api.get("topics/t/schema", sample=50)
        fields = {f["path"]: f for f in s["fields"]}
        check(s["sampled"] == 50 and s["values"] == {"json": 49, "text": 1} and s["keys"]["text"] == 49, s)
        check(fields["id"]["presence"] == 1 and fields["id"]["types"] == {"integer": 49} and fields["mail"]["looks_like"] == "email", fields)
        check(0.4 < fields["extra"]["presence"] < 0.6 and len(fields["id"]["examples"]) == 3, fields)
        all_ = api.get("schemas")
        check(all_["registry"]["there"] is False and "no schema registry" in all_["registry"]["why"], all_)
        rows = {t["topic"]: t for t in all_["topics"]}
        check(rows["t"]["field_count"] == 3 and rows["u"]["sampled"] == 0, rows)


def events(api, channels, enough, timeout=20):
    """Hears the live stream until enough(channel, data) is true; what it answered."""
    q = urllib.parse.urlencode([("c", c) for c in channels])
    r = urllib.request.Request(api.base + "live?" + q)
    r.add_header("Authorization", "Basic " + base64.b64encode(b"admin:admin").decode())
    with urllib.request.urlopen(r, timeout=timeout) as stream:
        name = None
        for line in stream:
            text = line.decode().rstrip("\n")
            if text.startswith("event: "):
                name = text[7:]
            elif text.startswith("data: "):
                got = enough(name, json.loads(text[6:]))
                if got:
                    return got
    raise AssertionError("the stream ended")


def test_live_numbers_and_the_tail():
    with served("CREATE TOPIC t WITH (partitions = 2);") as (server, api):
        seen = []

        def follow(name, data):
            if name == "tail:t":
                seen.extend(r["value"]["text"] for r in data["records"])
                seen.extend(["left out"] * data["left_out"])
            if name == "tail:t" and not data["records"] and not seen:
                produce(server, "t", [{"value": f"m{i}", "partition": 0} for i in range(5)])
            if len(seen) == 5:
                api.do("POST", "topics/t/messages", {"value": "last", "partition": 1})
            return len(seen) >= 6
        check(events(api, ["tail:t"], follow) and seen == ["m0", "m1", "m2", "m3", "m4", "last"], f"{seen}")
        produced = []

        def rates(name, data):
            row = next(t for t in data["topics"] if t["name"] == "t")
            if not produced:
                produced.append(True)
                produce(server, "t", [{"value": "x" * 100} for i in range(500)])
            return row["records"] == 506 and row["rate"] and row["rate"] > 0 and row
        row = events(api, ["topics"], rates)
        check(row["bytes_rate"] > 0, row)
        many = []

        def flood(name, data):
            if not many:
                produce(server, "t", [{"value": f"n{i}", "partition": 0} for i in range(5000)])
            many.append((len(data["records"]), data["left_out"]))
            return sum(a + b for a, b in many[1:]) >= 5000
        check(events(api, ["tail:t"], flood) and all(a <= 200 for a, b in many) and any(b for a, b in many), f"{many}")


def test_a_live_tail_with_a_condition_tells_what_it_is_true_of():
    with served("CREATE TOPIC t WITH (partitions = 2);") as (server, api):
        produce(server, "t", [{"value": json.dumps({"n": n})} for n in range(50)])
        seen, told, behind, channel = [], [], [], "tail:t?where=n >= 45 AND n %25 5 = 0"

        def follow(name, data):
            check(name == channel, name)
            seen.extend(json.loads(r["value"]["text"])["n"] for r in data["records"])
            told.append((data["left_out"], data["unsure"], data["why"]))
            behind.append(data["behind"])
            if len(told) == 1:
                check(seen == [45], f"of what was there: {seen}")
                produce(server, "t", [{"value": json.dumps({"n": n})} for n in range(50, 5050)] + [{"value": "no JSON"}, {"value": json.dumps({"n": 5050})}])
            return len(seen) >= 1002 and sum(u for _, u, _ in told) >= 1 and told
        check(events(api, [channel], follow, timeout=120), "all of them, a hundred a telling")
        check(sorted(seen) == list(range(45, 5055, 5)) and all(l == 0 for l, _, _ in told) and sum(u for _, u, _ in told) == 1, f"each once: {len(seen)}, {told}")
        check(any(behind) and behind[-1] == 0, f"what was not looked at yet is told: {behind}")
        check(any(why for _, _, why in told), f"why one could not be asked: {told}")

        def wrong(name, data):
            return data.get("error")
        check("condition" in events(api, ["tail:t?where=n >="], wrong)["where"], "a mistake has its place")
        for channel, code in (("tail:t?where=n % 5 = 0", "ERR_USAGE"), ("tail:t?n > 3", "ERR_USAGE"), ("tail:t?partition=7", "ERR_UNKNOWN_TOPIC"), ("tail:none?q=a", "ERR_UNKNOWN_TOPIC"),
                              ("tail:t?q=" + "a" * 3500, "ERR_TOO_BIG")):
            check(events(api, [channel], wrong)["code"] == code, channel)
            check(events(api, [channel, "topics"], lambda name, data: name == "topics" and data)["topics"], "the other channels of the tab go on")


CLIENT = """
import sys
from kafka import KafkaProducer
at, what = sys.argv[1:]
if what == "plain":
    p = KafkaProducer(bootstrap_servers=at)
    for i in range(400):
        p.send("t", key=f"k{i}".encode(), value=f'{{"n": {i}, "name": "{"Ada" if i % 7 == 0 else "Bob"}"}}'.encode(), partition=i % 4, headers=[("trace", f"t{i}".encode())])
    p.flush(60)
else:
    p = KafkaProducer(bootstrap_servers=at, transactional_id="shop")
    p.init_transactions()
    for name, end in (("kept", p.commit_transaction), ("dropped", p.abort_transaction)):
        p.begin_transaction()
        for i in range(3):
            p.send("t", key=name.encode(), value=f"{name} {i}".encode(), partition=2)
        p.flush(60)
        end()
p.close()
"""


def test_a_live_tail_tells_exactly_what_is_asked_for_while_a_real_client_writes():
    python = venv("kafka-python-3")
    with served("CREATE TOPIC t WITH (partitions = 4);") as (server, api):
        def write(what):
            r = subprocess.run([python, "-c", CLIENT, f"127.0.0.1:{server.field('kafka_port')}", what], capture_output=True, text=True, timeout=120)
            check(r.returncode == 0, r.stderr)

        asked = {"q=ADA": {i for i in range(400) if i % 7 == 0}, "q=t39": {39, *range(390, 400)}, "partition=1,3&where=name = 'Ada'": {i for i in range(400) if i % 2 and i % 7 == 0},
                 "where=_key = 'k77'": {77}, "partition=0-1&q=bob&where=CAST(n AS INT) > 300": {i for i in range(301, 400) if i % 4 < 2 and i % 7}, "where=name = 'Eve'": set()}
        got, first, written = {f"tail:t?{words}": [] for words in asked}, set(), []

        def follow(name, data):
            check("error" not in data, f"{name}: {data}")
            got[name] += [int(r["key"]["text"][1:]) for r in data["records"]]
            check(data["left_out"] == 0 and data["unsure"] == 0, data)
            first.add(name)
            if len(first) == len(asked) and not written:
                written.append(True)
                write("plain")
            return bool(written) and all(len(got[f"tail:t?{words}"]) >= len(want) for words, want in asked.items())
        check(events(api, list(got), follow, timeout=60), "all of them came")
        for words, want in asked.items():
            seen = got[f"tail:t?{words}"]
            check(sorted(seen) == sorted(want), f"{words}: {sorted(seen)}")
        seen = []

        def committed(name, data):
            if not seen:
                seen.append(None)
                write("in a transaction")
                api.do("POST", "topics/t/messages", {"key": "last", "value": "last", "partition": 2})
            seen.extend(r["value"]["text"] for r in data["records"] if r["key"]["text"] in ("kept", "dropped", "last"))
            return seen[-1] == "last"
        check(events(api, ["tail:t?partition=2&committed=true"], committed, timeout=60) and seen[1:] == ["kept 0", "kept 1", "kept 2", "last"], f"as a consumer of committed records: {seen}")


def test_a_topic_of_many_partitions_is_looked_at_by_ranges():
    with served("CREATE TOPIC t WITH (partitions = 300, retention = '36500d');") as (server, api):
        produce(server, "t", [{"key": f"p{p}", "value": "x", "partition": p, "timestamp": 1700000000000 + p} for p in range(300)])
        refused = api.refuse("ERR_TOO_BIG", 413, "GET", "topics/t/messages")
        check("256" in refused["what"] and refused["why"] and "partition=0-255" in refused["hint"], refused)
        check([r["partition"] for r in api.pages("t", 100, partition="44-299", direction="forward")] == list(range(44, 300)), "256 of them, by pages")
        check([r["partition"] for r in api.get("topics/t/messages", partition="7,290-292")["records"]] == [292, 291, 290, 7], "some")
        api.refuse("ERR_UNKNOWN_TOPIC", 404, "GET", "topics/t/messages", partition="299-300")
        check(events(api, ["tail:t"], lambda name, data: data.get("error"))["code"] == "ERR_TOO_BIG", "nothing is left out unseen")
        seen = []

        def follow(name, data):
            if not seen:
                produce(server, "t", [{"value": "a", "partition": 299}, {"value": "b", "partition": 3}])
            seen.extend((r["partition"], r["value"]["text"]) for r in data["records"])
            return (299, "a") in seen
        check(events(api, ["tail:t?partition=256-299"], follow) and all(p >= 256 for p, _ in seen), f"{seen}")
