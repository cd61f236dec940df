"""Topics, groups and schemas in a browser: made, watched while a real Kafka client writes, searched, written, moved."""
import json
import pathlib
import re
import subprocess
import tempfile
from urllib.parse import quote

from browser import XSS, Console, axe, everywhere, fits, harmless, number, shot
from engines import venv
from harness import check, project, run, wait_for

PIPELINE = """CREATE TOPIC people WITH (partitions = 3, retention = '36500d');
CREATE TOPIC empty WITH (partitions = 1);
CREATE TABLE ks.people (id TEXT PRIMARY KEY, n INT);
CREATE STREAM load INTO ks.people AS SELECT CAST(id AS TEXT) AS id, CAST(n AS INT) AS n FROM people;
"""
PRODUCER = """
import json, sys, time
from kafka import KafkaProducer
p = KafkaProducer(bootstrap_servers=sys.argv[1], linger_ms=0)
for i in range(int(sys.argv[3]), int(sys.argv[4])):
    p.send(sys.argv[2], key=f"k{i}".encode(), value=json.dumps({"id": f"k{i}", "n": i, "name": "مَرْحَبًا 🙂"}).encode(), headers=[("from", b"kafka-python")]).get(30)
p.close()
"""


def console(**more):
    place = pathlib.Path(tempfile.mkdtemp(prefix="sluice-topics-"))
    return Console(directory=project(place / "shop", PIPELINE), **more)


def broker(c):
    return f"127.0.0.1:{c.server.field('kafka_port')}"


def kafka_python(c, topic, first, last):
    """A real client of Kafka's writes records k<first> to k<last - 1>, each acknowledged."""
    subprocess.run([venv("kafka-python-3"), "-c", PRODUCER, broker(c), topic, str(first), str(last)], check=True, timeout=60, capture_output=True)


def produce(c, topic, lines):
    r = run("produce", topic, "--json", "--brokers", broker(c), stdin="\n".join(json.dumps(x) for x in lines) + "\n")
    check(r.returncode == 0, r.stderr)


def people(n, first=0):
    return [{"key": f"k{i}", "partition": i % 3, "timestamp": 1700000000000 + i * 1000, "headers": [{"key": "trace", "value": f"t{i}"}],
             "value": json.dumps({"id": f"k{i}", "n": i, "name": {"first": "Ada" if i % 10 == 0 else "Bob"}, "big": 12345678901234567890, "tags": ["x", "y"]})} for i in range(first, first + n)]


def figure(page, title):
    return page.locator(f".figures li:has(.figure-title:text-is('{title}')) .figure-value").inner_text()


def test_a_topic_is_made_and_messages_come_while_one_looks():
    with console() as c:
        page = c.open("/topics", ready=".table-row")
        page.get_by_role("button", name="Create topic").first.click()
        page.get_by_label("Name", exact=True).fill("people")
        page.get_by_label("Partitions", exact=True).fill("2")
        page.locator("dialog .button-main").click()
        page.wait_for_selector("dialog .field-error")
        check("exists" in page.inner_text("dialog .field-error"), page.inner_text("dialog"))
        page.get_by_label("Name", exact=True).fill("orders")
        axe(page, "create")
        shot(page, "topics-create", full=False)
        check("sluice topics create orders --partitions 2" in page.inner_text("dialog .command"), page.inner_text("dialog .command"))
        page.locator("dialog .button-main").click()
        page.wait_for_url(c.url("/topics/orders"))
        page.wait_for_selector(".state-title:has-text('There is nothing in this topic')")
        page.get_by_role("button", name="Live").click()
        page.wait_for_selector(".state-title:has-text('Waiting for the next record')")
        kafka_python(c, "orders", 0, 5)
        page.wait_for_selector("[role=row][data-key]")
        wait_for("five messages", lambda: page.locator("[role=row][data-key]").count() == 5)
        told = c.get("topics/orders")
        wait_for("the number of records", lambda: number(figure(page, "Records")) == told["records"] == 5)
        kafka_python(c, "orders", 5, 12)
        wait_for("twelve", lambda: page.locator("[role=row][data-key]").count() == 12)
        page.wait_for_selector("[role=row]:has-text('k11')")
        check("live=1" in page.url, page.url)
        page.get_by_role("button", name="Live").click()
        wait_for("all of them from the log", lambda: page.locator("[role=row][data-key]").count() == 12)


def sees(page, keys):
    """Exactly the records with these keys stand there, newest first."""
    wait_for(f"{keys}", lambda: page.locator("[role=row][data-key]").count() == len(keys), 20)
    shown = page.locator("[role=row][data-key]").all_inner_texts()
    check(all(k in row for k, row in zip(keys, shown)), f"{keys} in {shown}")


def test_the_live_tail_shows_what_a_filter_and_a_condition_are_true_of():
    """A real client writes; the tail has exactly the records that fit, of text, key, partition and SQL."""
    with console() as c:
        c.post("topics", {"name": "orders", "partitions": 2})
        page = c.open("/topics/orders?live=1", ready=".state-title:has-text('Waiting for the next record')")
        kafka_python(c, "orders", 0, 3)
        sees(page, ["k2", "k1", "k0"])
        page.get_by_role("button", name="More").click()
        page.get_by_label("Condition, in SQL").fill("CAST(n AS INT) % 10 = 7 OR _key = 'k12'")
        page.get_by_role("button", name="Look", exact=True).click()
        page.wait_for_selector(".state-title:has-text('Waiting for the next record that matches')")
        axe(page, "a live condition")
        kafka_python(c, "orders", 3, 40)
        sees(page, ["k37", "k27", "k17", "k12", "k7"])
        want = c.get("topics/orders/messages", where="CAST(n AS INT) % 10 = 7 OR _key = 'k12'")["records"]
        check(sorted(rows(page)) == sorted(f"{r['partition']}:{r['offset']}" for r in want), f"{rows(page)}")
        check("live=1" in page.url and "where=" in page.url, page.url)
        shot(page, "messages-live-condition", full=False)
        page.keyboard.press("/")
        page.keyboard.type('"K27"')  # any case, in the value's JSON
        sees(page, ["k27"])
        kafka_python(c, "orders", 127, 128)
        kafka_python(c, "orders", 27, 28)
        sees(page, ["k27", "k27"])
        page.locator("input[type=search]").fill("")
        page.get_by_label("Condition, in SQL").fill("n >")
        page.get_by_label("Condition, in SQL").press("Enter")
        page.wait_for_selector(".state-failed:has-text('condition')")
        axe(page, "a live condition that is none")
        page.get_by_label("Condition, in SQL").fill("x" * 3000)
        page.get_by_label("Condition, in SQL").press("Enter")
        page.wait_for_selector(".state-failed:has-text('too long')")
        page.get_by_label("Condition, in SQL").fill("100 % CAST(n AS INT) = 0 AND CAST(n AS INT) > 49")
        page.get_by_label("Condition, in SQL").press("Enter")
        page.wait_for_selector(".state-title:has-text('Waiting for the next record that matches')")
        kafka_python(c, "orders", 48, 101)
        sees(page, ["k100", "k50"])
        page.get_by_label("Partition", exact=True).select_option(rows(page)[0].split(":")[0])
        c.server.stop()
        page.wait_for_selector("[data-lost]", state="attached")
        c.restart()
        page.wait_for_selector(":root:not([data-lost])", state="attached")
        places = wait_for("the tail again", lambda: rows(page))
        check(len(places) == len(set(places)), f"each stands once after the tail came back: {places}")


def test_of_three_hundred_partitions_ranges_are_looked_at():
    with console() as c:
        c.post("topics", {"name": "wide", "partitions": 300, "settings": {"retention.ms": -1}})
        produce(c, "wide", [{"key": f"in{p}", "value": "x", "partition": p, "timestamp": 1700000000000 + p} for p in (0, 7, 255, 256, 299)])
        page = c.open("/topics/wide", ready="[role=row][data-key]")
        sees(page, ["in255", "in7", "in0"])
        shot(page, "topic-of-300-partitions", full=False)
        axe(page, "ranges of partitions")
        page.get_by_label("Partitions, 256 at most").select_option("256-299")
        sees(page, ["in299", "in256"])
        page.get_by_label("One alone").fill("256")
        sees(page, ["in256"])
        check("partition=256" in page.url, page.url)
        page.get_by_label("One alone").fill("257")
        page.wait_for_selector(".state-title:has-text('nothing in this topic, in partition 257')")
        page.get_by_label("One alone").fill("")
        sees(page, ["in299", "in256"])
        page.get_by_role("button", name="Live").click()
        produce(c, "wide", [{"key": "now", "value": "x", "partition": 298}, {"key": "elsewhere", "value": "x", "partition": 1}])
        page.wait_for_selector("[role=row]:has-text('now')")
        check(all(int(r.split(":")[0]) >= 256 for r in rows(page)), f"{rows(page)}")


def test_the_list_says_what_the_api_says():
    with console() as c:
        produce(c, "people", people(300))
        page = c.open("/topics", ready="[data-key=people]")

        def same():
            row = next(t for t in c.get("topics")["topics"] if t["name"] == "people")
            cells = page.locator("[data-key=people] [role$=cell]").all_inner_texts()
            return len(cells) > 1 and number(cells[1]) == row["records"] == 300
        wait_for("the list to say 300", same)
        kafka_python(c, "people", 0, 40)
        wait_for("a rate", lambda: page.locator("[data-key=people] [role$=cell]").first.inner_text() not in ("0/s", "–"), 20)
        page.locator("[data-key=people]").click(position={"x": 300, "y": 10})
        page.wait_for_selector(".side")
        check("row=people" in page.url and "load" in page.inner_text(".side"), page.inner_text(".side"))
        page.keyboard.press("Escape")
        wait_for("no panel", lambda: page.locator(".side").count() == 0)
        page.keyboard.press("/")
        page.keyboard.type("emp")
        wait_for("one left", lambda: page.locator("[role=row][data-key]").count() == 1)


def rows(page):
    return page.locator("[role=row][data-key]").evaluate_all("l => l.map(e => e.dataset.key)")


def test_messages_by_offset_time_text_and_condition():
    with console() as c:
        produce(c, "people", people(900))
        page = c.open("/topics/people?partition=1&start=offset&offset=120", ready="[role=row][data-key]")
        check(rows(page)[:2] == ["1:120", "1:121"], rows(page)[:3])
        page.get_by_label("Begin at").select_option("newest")
        wait_for("the newest", lambda: rows(page)[:1] == ["1:299"])
        page.goto(c.url("/topics/people?start=time&time=2023-11-14T22:18:20.000Z"))
        wait_for("from a time", lambda: rows(page)[:1] == ["0:100"])
        page.goto(c.url("/topics/people"))
        page.wait_for_selector("[role=row][data-key]")
        page.keyboard.press("/")
        page.keyboard.type("t899")
        wait_for("by a header", lambda: rows(page) == ["2:299"])
        check("q=t899" in page.url, page.url)
        page.get_by_role("button", name="More").click()
        page.get_by_label("Condition, in SQL").fill("CAST(n AS INT) >= 880 AND name.first = 'Ada'")
        page.locator("input[type=search]").fill("")
        page.get_by_label("Condition, in SQL").press("Enter")
        wait_for("by a condition", lambda: rows(page) == ["2:296", "1:293"])
        check(c.get("topics/people/messages", where="CAST(n AS INT) >= 880 AND name.first = 'Ada'")["records"][0]["offset"] == 296, "as the API")
        page.get_by_label("Condition, in SQL").fill("n >")
        page.get_by_label("Condition, in SQL").press("Enter")
        page.wait_for_selector(".state-failed")
        axe(page, "a condition that is none")
        shot(page, "messages-condition-wrong", full=False)
        page.get_by_label("Condition, in SQL").fill("")
        page.get_by_label("Condition, in SQL").press("Enter")
        page.wait_for_selector("[role=row][data-key='2:299']")
        with page.expect_download() as got:
            page.get_by_role("link", name="JSON lines").click()
        lines = pathlib.Path(got.value.path()).read_text().splitlines()
        check(got.value.suggested_filename == "people.jsonl" and len(lines) == 900 and json.loads(lines[0])["key"] == "k899", f"{len(lines)}")
        page.locator("[data-key='2:299']").click(position={"x": 300, "y": 10})
        page.wait_for_selector(".side .json")
        check("12345678901234567890" in page.inner_text(".side .json"), "a long number stays as it is")
        check("row=2%3A299" in page.url, page.url)
        again = c.open(page.url.replace(c.url().rstrip("/"), ""), ready=".side .json")
        check("k899" in again.inner_text(".side"), "a link shows the same")
        copied = again.locator(".side .command code").last.inner_text()
        check(copied == "sluice consume people --partition 2 --from 299 --count 1 --json", copied)
        out = run(*copied.split()[1:], "--brokers", broker(c))
        check(json.loads(out.stdout)["key"] == "k899", f"the command gives the same: {out.stdout} {out.stderr}")


def test_a_record_from_the_form_is_read_by_a_client():
    with console() as c:
        page = c.open("/topics/empty", ready=".state-title")
        page.get_by_role("button", name="Produce", exact=False).first.click()
        page.get_by_label("Key", exact=True).fill("a-key")
        page.get_by_label("Value", exact=True).fill('{"id": 1, "x": "é"}')
        page.get_by_role("button", name="Header").click()
        page.get_by_label("Header 1", exact=True).fill("origin")
        page.get_by_label("Value of header 1").fill("console")
        axe(page, "produce")
        shot(page, "topic-produce", full=False)
        page.locator("dialog .button-main").click()
        page.wait_for_selector("dialog [role=status]:has-text('offset 0')")
        read = json.loads(run("consume", "empty", "--json", "--from", "earliest", "--count", "1", "--brokers", broker(c)).stdout)
        check((read["key"], read["value"], read["headers"]) == ("a-key", '{"id": 1, "x": "é"}', [{"key": "origin", "value": "console"}]), f"{read}")
        client = "import sys; from kafka import KafkaConsumer as C; m = next(C('empty', bootstrap_servers=sys.argv[1], auto_offset_reset='earliest', consumer_timeout_ms=20000)); print(m.key, m.value, m.headers)"
        seen = subprocess.run([venv("kafka-python-3"), "-c", client, broker(c)], capture_output=True, text=True, timeout=60)
        check(seen.stdout.strip() == str(b"a-key") + " " + str('{"id": 1, "x": "é"}'.encode()) + " " + str([("origin", b"console")]), seen.stdout + seen.stderr)
        page.get_by_label("Partition", exact=True).last.fill("0")
        page.get_by_label("Value is").select_option("hex")
        page.get_by_label("Value", exact=True).fill("xyz")
        page.locator("dialog .button-main").click()
        page.wait_for_selector("dialog .field-error")


def test_deleting_tells_what_goes_and_asks_for_the_name():
    with console() as c:
        c.post("topics", {"name": "old", "partitions": 2})
        produce(c, "old", [{"value": "x"} for _ in range(7)])
        page = c.open("/topics/old", ready="[role=row][data-key]")
        page.get_by_role("button", name="Delete").click()
        page.wait_for_selector("dialog :text('7')")
        check("7 records in 2 partitions" in page.inner_text("dialog"), page.inner_text("dialog"))
        axe(page, "delete")
        shot(page, "topic-delete", full=False)
        check(page.locator("dialog .button-danger").is_disabled(), "not before the name is typed")
        page.get_by_label("Type old to go on").fill("old")
        page.locator("dialog .button-danger").click()
        page.wait_for_url(c.url("/topics"))
        check("old" not in [t["name"] for t in c.get("topics")["topics"]], "gone")
        page = c.open("/topics/people", ready=".figures")
        page.get_by_role("button", name="Delete").click()
        page.wait_for_selector("dialog .field-error")
        page.get_by_label("Type people to go on").fill("people")
        page.locator("dialog .button-danger").click()
        page.wait_for_selector("dialog .state-title:has-text('in use')")
        check("people" in [t["name"] for t in c.get("topics")["topics"]], "a stream lives on it")


def test_settings_change_and_go_back():
    with console() as c:
        page = c.open("/topics/people?view=settings&c.row=retention.ms", ready=".side")
        page.get_by_label("New value").fill("3600000")
        page.get_by_role("button", name="Change", exact=True).click()
        wait_for("an hour", lambda: next(s for s in c.get("topics/people/settings") if s["name"] == "retention.ms")["value"] == "3600000")
        page.wait_for_selector("[data-key='retention.ms']:has-text('3600000')")
        page.get_by_role("button", name="Back to the default").click()
        wait_for("the default", lambda: not next(s for s in c.get("topics/people/settings") if s["name"] == "retention.ms")["own"])
        page.wait_for_selector(".side .facts :text('604800000') >> nth=0")
        page.get_by_label("New value").fill("a lot")
        page.get_by_role("button", name="Change", exact=True).click()
        page.wait_for_selector(".side .state-failed")


def test_charts_grow_by_the_stream_and_nothing_is_polled():
    with console() as c:
        produce(c, "people", people(30))
        wait_for("all of its numbers to have a past", lambda: any(s["metric"] == "rate" and any(v is not None for v in s["values"]) for s in c.get("history", part="topic:people")["series"]))
        page = c.open("/topics/people", ready="[role=row][data-key]")
        asked = []
        page.on("request", lambda r: asked.append(r.url.split("/api/")[-1]) if "/api/" in r.url else None)
        page.locator(".tabs a", has_text="Rates and partitions").click()
        rate = page.locator(".chart-box").first
        wait_for("the last rate", lambda: (rate.get_attribute("aria-label") or "").endswith(" 0/s"))
        produce(c, "people", people(400, 30))
        wait_for("records in the chart", lambda: re.search(r" [1-9][\d,.]*/s$", rate.get_attribute("aria-label")), 20)
        wait_for("none again", lambda: rate.get_attribute("aria-label").endswith(" 0/s"), 20)
        told = next(s for s in c.get("history", part="topic:people")["series"] if s["metric"] == "rate")["values"]
        check(sum(1 for v in told if v) >= 1, f"as the API says: {told}")
        polled = [u for u in asked if not u.startswith("console/live?")]
        check(len(polled) == 1 and polled[0].startswith("console/history?"), f"the past is asked for once: {polled}")


def test_groups_are_behind_and_are_moved():
    with console() as c:
        produce(c, "people", people(90))
        r = run("consume", "people", "--group", "readers", "--count", "90", "--brokers", broker(c))
        check(r.returncode == 0, r.stderr)
        produce(c, "people", people(12, 90))
        page = c.open("/groups", ready="[data-key=readers]")
        wait_for("twelve behind", lambda: number(page.locator("[data-key=readers] [role$=cell]").first.inner_text()) == 12 == next(g for g in c.get("groups")["groups"] if g["name"] == "readers")["lag"])
        page.locator("[data-key=readers] a").first.click()
        page.wait_for_url(c.url("/groups/readers"))
        wait_for("its lag", lambda: number(figure(page, "Lag")) == 12)
        wait_for("its lag over time", lambda: any(s["metric"] == "lag" and 12 in s["values"] for s in c.get("history", part="group:readers")["series"]))
        page.get_by_role("button", name="Reset").click()
        page.wait_for_selector("dialog :text('read again')")
        wait_for("the plan", lambda: "90 records are read again" in page.inner_text("dialog"))
        axe(page, "reset")
        shot(page, "group-reset", full=False)
        page.get_by_label("It shall stand at").select_option("shift")
        page.get_by_label("Records", exact=True).fill("-5")
        wait_for("fifteen", lambda: "15 records are read again" in page.inner_text("dialog"))
        command = page.locator("dialog .command code").last.inner_text()
        check(command == "sluice groups reset readers --to -5 --execute", command)
        page.get_by_label("Type readers to go on").fill("readers")
        page.locator("dialog .button-danger").click()
        wait_for("27 behind", lambda: number(figure(page, "Lag")) == 27 == c.get("groups/readers")["lag"])
        page.get_by_role("button", name="Delete").click()
        page.get_by_label("Type readers to go on").fill("readers")
        page.locator("dialog .button-danger").click()
        page.wait_for_url(c.url("/groups"))
        check("readers" not in [g["name"] for g in c.get("groups")["groups"]], "gone")


def test_schemas_tell_what_was_found():
    with console() as c:
        produce(c, "people", people(100))
        page = c.open("/schemas", ready="[data-key=people]")
        check("no schema registry" in page.inner_text(".note-quiet"), page.inner_text(".note-quiet"))
        page.locator("[data-key=people] a").first.click()
        page.wait_for_selector("[data-key='name.first']")
        told = {f["path"]: f for f in c.get("topics/people/schema")["fields"]}
        shown = set(rows(page))
        check(shown == {p for p, f in told.items() if f["leaf"]}, f"{shown}")
        page.locator("[data-key='n']").click(position={"x": 20, "y": 10})
        page.wait_for_selector(".side :text('integer')")


def test_a_hundred_thousand_messages_scroll():
    with console() as c:
        produce(c, "people", [{"key": f"k{i}", "value": f"value {i}", "partition": 0} for i in range(100_000)])
        page = c.open("/topics/people?partition=0&start=oldest", ready="[role=row][data-key]")
        box = page.locator(".table-rows")
        slowest = page.evaluate("""async () => {
            const box = document.querySelector('.table-rows');
            let slowest = 0, last = performance.now();
            for (let i = 0; i < 40; i++) {
                box.scrollTop = box.scrollHeight;
                await new Promise(requestAnimationFrame);
                await new Promise(r => setTimeout(r, 30));
                await new Promise(requestAnimationFrame);
                const now = performance.now();
                slowest = Math.max(slowest, now - last - 30);
                last = now;
            }
            return slowest;
        }""")
        wait_for("thousands loaded", lambda: box.evaluate("b => b.scrollTop = b.scrollHeight") and int(page.locator("[aria-label=Messages]").get_attribute("aria-rowcount")) > 8000, 60)
        drawn = page.locator("[role=row][data-key]").count()
        check(drawn < 120, f"{drawn} rows are in the document")
        print(f"slowest step while scrolling: {slowest:.0f} ms, {drawn} rows drawn")
        page.goto(c.url("/topics/people?partition=0&start=offset&offset=99990"))
        wait_for("the end at once", lambda: rows(page)[:1] == ["0:99990"] and len(rows(page)) == 10)


def test_nothing_that_records_hold_is_markup():
    with console() as c:
        for text in XSS:
            c.post("topics/people/messages", {"key": text, "value": text, "headers": [{"name": text, "value": text}], "partition": 0})
            c.post("topics/people/messages", {"key": text, "value": json.dumps({text: text, "id": text}), "partition": 1})
        page = c.open("/topics", ready="[data-key=people]")

        def look(path, ready):
            page.goto(path)
            page.wait_for_selector(ready)
            harmless(page)
        for path, ready in (("/topics/people", "[role=row][data-key]"), ("/topics/people?row=0:0", ".side .record-part"), ("/topics/people?row=1:0", ".side .json"), ("/topics/people?live=1", ".table-note, .state"),
                            ("/schemas/people", "[role=row][data-key]"), ("/schemas", "[data-key=people]"), ("/groups", "h1")):
            look(path, ready)
        for n, text in enumerate(XSS):
            in_path, in_query = quote(text, safe=""), quote(text)
            look([f"/topics/{in_path}", f"/groups/{in_path}", f"/schemas/{in_path}"][n % 3], ".state")
            look([f"/topics/people?q={in_query}&where={in_query}", f"/topics?q={in_query}"][n % 2], ".state, .table-row")
        look("/topics", "[data-key=people]")
        page.get_by_role("button", name="Create topic").first.click()
        page.get_by_label("Name", exact=True).fill(XSS[0])
        page.locator("dialog .button-main").click()
        page.wait_for_selector("dialog .field-error")
        harmless(page)


def test_who_may_only_look_sees_no_acts():
    with console() as c:
        c.server.stop()
        r = run("users", "add", "eve", "--role", "viewer", "--project", c.directory, "--data", c.server.data, stdin="a long password\n")
        check(r.returncode == 0, r.stderr + r.stdout)
        c.restart()
        context = c.context(user=("eve", "a long password"))
        page = c.open("/topics/people", ready=".figures", context=context)
        for name in ("Produce", "Delete"):
            check(page.get_by_role("button", name=name).first.is_disabled(), f"{name} is not eve's")
        status, answer = c.ask("DELETE", "topics/people", user=("eve", "a long password"))
        check(status == 403 and answer["error"]["role"].lower() == "op", f"{status} {answer}")


def test_pages_look_right_everywhere():
    with console() as c:
        produce(c, "people", people(250))
        run("consume", "people", "--group", "readers-with-a-rather-long-name.of-the-analytics-team", "--count", "200", "--brokers", broker(c))
        c.post("topics", {"name": "a-topic-with-a-rather-long-name.of-the-analytics-team.v2.with-even-more-words", "partitions": 1})
        c.post("topics/people/messages", {"key": "00ff10", "key_encoding": "hex", "value": "00000000070102ff", "value_encoding": "hex", "partition": 0})
        c.post("topics/people/messages", {"key": "tombstone", "value": None, "partition": 0})
        c.post("topics/people/messages", {"key": "مفتاح 🙂", "value": json.dumps({"id": "x", "n": 1, "name": {"first": "نرگس"}}), "partition": 0})
        everywhere(c, "/topics", "topics", ready="[data-key=people]")
        everywhere(c, "/topics?row=people", "topics-panel", ready=".side")
        everywhere(c, "/topics/people", "topic-messages", ready="[role=row][data-key]")
        everywhere(c, "/topics/people?row=1:5", "topic-message", ready=".side .json")
        everywhere(c, "/topics/people?row=0:84", "topic-message-bytes", ready=".side .hex", sizes=(("wide", False),))
        everywhere(c, "/topics/people?view=partitions", "topic-partitions", ready=".chart")
        everywhere(c, "/topics/people?view=readers", "topic-readers", ready="[role=row][data-key]", sizes=(("wide", False),))
        everywhere(c, "/topics/people?view=settings&c.row=cleanup.policy", "topic-settings", ready=".side")
        everywhere(c, "/topics/empty", "topic-empty", ready=".state-title", sizes=(("wide", False), ("phone", False)))
        everywhere(c, "/topics/no-such-topic", "topic-unknown", ready=".state-failed", sizes=(("wide", False),))
        everywhere(c, "/groups", "groups", ready="[role=row][data-key]")
        everywhere(c, "/groups/sluice-load", "group-stream", ready=".chart", sizes=(("wide", False),))
        everywhere(c, "/groups/readers-with-a-rather-long-name.of-the-analytics-team", "group", ready=".chart")
        everywhere(c, "/schemas", "schemas", ready="[data-key=people]")
        everywhere(c, "/schemas/people?row=name.first", "schema", ready=".side")


def test_a_server_that_stops_and_comes_back():
    with console() as c:
        produce(c, "people", people(30))
        page = c.open("/topics/people", ready="[role=row][data-key]")
        c.server.stop()
        page.wait_for_selector("[data-lost]", state="attached")
        check(len(rows(page)) > 0, "what was there stays, grey")
        c.restart()
        page.wait_for_selector(":root:not([data-lost])", state="attached")
        produce(c, "people", people(5, 30))
        wait_for("the number goes on", lambda: number(figure(page, "Records")) == 35)
