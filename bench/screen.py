"""bench/run console [--console-part NAME …] [--console-turns 5] [--console-seconds 60]: the console in a real Chromium.

  weight   what the pages weigh, by file, as the build compressed them
  paint    from the navigation to the first paint, the first contentful paint and the page's own content; cold (nothing kept) and warm, with the
           main thread's processor time; beside it the home page of Airflow 2.10.5's webserver, in turns
  latency  from a real client's send() of a record to its row in the live tail, and to the Overview's sum
  watched  200 open consoles (overview and a stream's page) beside 1 and none while 10,000 records/s pass: the server's processor and memory
  scroll   100,000 messages, 100,000 rows, a grid of 200 tasks and 365 runs: frames on the wall, and the main thread's processor time
  growth   Overview, a live tail and a dashboard open while 1,000 records/s pass: heap after a forced collection, nodes, listeners, the server's PSS
           (--console-seconds 3600 for the hour)

Frames and paints are Chromium's own entries and requestAnimationFrame; it draws without a graphics card here, in software, on the same processors.
"""
import contextlib
import json
import os
import pathlib
import random
import shutil
import subprocess
import sys
import tempfile
import time
import urllib.request

from browser import Chromium, Console, number
from engines import free_port, venv
from harness import EXAMPLES, SLUICE, Failed, check, folder, project, run, wait_for

PAGES = (("Overview", "/", ".part"), ("Topics", "/topics", ".table-row"), ("Streams", "/streams", ".table-row"), ("Workflows", "/workflows", ".table-row"),
         ("Groups", "/groups", ".table-row, .state"), ("Schemas", "/schemas", ".table-row, .state"), ("Tables", "/tables", ".table-row"), ("Notebooks", "/notebooks", ".table-row, .state"),
         ("Dashboards", "/dashboards", ".table-row, .state"), ("Alerts", "/alerts", ".table-row, .state"), ("Docs", "/docs", ".docs-list li"), ("System", "/system", ".table-row"))
PARTS = ("weight", "paint", "latency", "watched", "scroll", "growth")
SHOWN = """(() => {
    const see = new MutationObserver(() => {
        if (!document.querySelector(%r)) return;
        see.disconnect();
        requestAnimationFrame(() => setTimeout(() => (window.contentAt = performance.now())));
    });
    see.observe(document, {childList: true, subtree: true});
})()"""
PAINTS = "Object.fromEntries(performance.getEntriesByType('paint').map(e => [e.name, e.startTime]))"
FETCHED = "[...performance.getEntriesByType('navigation'), ...performance.getEntriesByType('resource')].reduce((a, e) => a + e.transferSize, 0)"


def load():
    return f"load {os.getloadavg()[0]:.1f}"


def devtools(page):
    """A session whose durations are the main thread's processor time, not the clock's."""
    cdp = page.context.new_cdp_session(page)
    cdp.send("Performance.enable", {"timeDomain": "threadTicks"})
    return cdp


def busy(cdp):
    return {m["name"]: m["value"] for m in cdp.send("Performance.getMetrics")["metrics"]}["TaskDuration"] * 1000


# --- weight ---------------------------------------------------------------------------------------

def weight(add, options):
    rows = [line.split("\t") for line in (pathlib.Path(SLUICE).resolve().parent / "web" / "manifest.txt").read_text().splitlines()]
    for name, _, _, plain, gz, br in sorted(rows, key=lambda r: -int(r[5])):
        print(f"    {name:<36} {int(plain):>8,} {int(gz):>8,} {int(br):>8,}")
    for column, coding in ((4, "gzip"), (5, "brotli")):
        add(f"console: all of its files, {coding}", "bytes", [sum(int(r[column]) for r in rows)], "<= 500 KB")


# --- first paint ------------------------------------------------------------------------------------

def visit(context, path, ready):
    """One navigation of a new page: its times in ms, and the main thread's work in ms."""
    page = context.new_page()
    page.add_init_script(SHOWN % ready)
    cdp = devtools(page)
    page.goto(path, wait_until="commit")
    page.wait_for_function("() => window.contentAt && performance.getEntriesByName('first-contentful-paint').length", polling=50)
    seen = page.evaluate(PAINTS) | {"content": page.evaluate("window.contentAt"), "processor": busy(cdp), "bytes": page.evaluate(FETCHED)}
    page.close()
    return seen


def told(add, name, kind, seen, goal):
    for key, what in (("first-paint", "first paint"), ("first-contentful-paint", "first contentful paint"), ("content", "its own content")):
        add(f"{name}, {kind}: {what}", "ms", [s[key] for s in seen], goal, load())
    add(f"{name}, {kind}: main thread until its content", "ms of processor", [s["processor"] for s in seen], "-")
    add(f"{name}, {kind}: over the wire", "bytes", [s["bytes"] for s in seen], "-")


class Airflow:
    """The webserver of Airflow 2.10.5 with one dag, on SQLite, two workers: its home page."""
    def __init__(self, place):
        (place / "dags").mkdir(parents=True)
        (place / "dags" / "one.py").write_text("import datetime\nfrom airflow import DAG\nfrom airflow.operators.empty import EmptyOperator\n"
                                               "with DAG('one', schedule=None, start_date=datetime.datetime(2024, 1, 1)):\n    EmptyOperator(task_id='t')\n")
        self.port, self.python = free_port(), venv("airflow")
        self.env = {**os.environ, "AIRFLOW_HOME": str(place), "AIRFLOW__CORE__LOAD_EXAMPLES": "False", "AIRFLOW__WEBSERVER__WORKERS": "2", "NO_COLOR": "1",
                    "PATH": f"{self.python.parent}:{os.environ['PATH']}"}
        for words in (("db", "migrate"), ("dags", "reserialize"), ("users", "create", "-u", "admin", "-p", "admin", "-f", "a", "-l", "b", "-r", "Admin", "-e", "a@example.com")):
            r = subprocess.run([self.python, "-m", "airflow", *words], env=self.env, capture_output=True, text=True, timeout=600)
            check(r.returncode == 0, r.stdout[-1000:] + r.stderr[-2000:])
        self.log = open(place / "webserver.log", "w")
        self.process = subprocess.Popen([self.python, "-m", "airflow", "webserver", "-p", str(self.port), "-H", "127.0.0.1"], env=self.env, stdout=self.log, stderr=self.log)

        def up():
            with contextlib.suppress(OSError):
                return urllib.request.urlopen(f"http://127.0.0.1:{self.port}/health", timeout=5).status == 200
        wait_for("Airflow's webserver", up, 180)

    def context(self):
        context = Chromium.get().new_context(viewport={"width": 1280, "height": 800}, base_url=f"http://127.0.0.1:{self.port}")
        context.set_default_timeout(60_000)
        form = context.request.get("/login/").text()
        token = form.split('name="csrf_token"')[1].split('value="')[1].split('"')[0]
        answer = context.request.post("/login/", form={"csrf_token": token, "username": "admin", "password": "admin"})
        check(answer.ok and "/login" not in answer.url, f"Airflow's login: {answer.status} {answer.url}")
        return context

    def close(self):
        self.process.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.process.wait(30)
        self.process.kill()
        self.log.close()


def paint(add, options):
    with folder() as place, Console("users_records") as c:
        c.filled()
        airflow = Airflow(place / "airflow") if options["console_airflow"] else None
        sides = [(f"console's {title}", c.context, path, ready) for title, path, ready in PAGES]
        if airflow:
            sides.append(("Airflow 2.10.5's home", airflow.context, "/home", "a[href^='/dags/one']"))
        cold, warm = ({name: [] for name, *_ in sides} for _ in range(2))
        try:
            for turn in range(options["console_turns"] + 1):  # the first warms the server, and the browser's own processes
                for name, context_of, path, ready in sides:
                    context = context_of()
                    for kept in (cold, warm):
                        seen = visit(context, path, ready)
                        if turn:
                            kept[name].append(seen)
                    context.close()
                    if context in c.contexts:
                        c.contexts.remove(context)
        finally:
            if airflow:
                airflow.close()
        for name, *_ in sides:
            for kind, kept in (("cold", cold), ("warm", warm)):
                told(add, name, kind, kept[name], "<= 300" if name.startswith("console") else "-")


# --- from a record to the screen ------------------------------------------------------------------------

PIPELINE = """CREATE TOPIC people WITH (partitions = 1);
CREATE TABLE ks.people (id TEXT PRIMARY KEY, n INT);
CREATE STREAM load INTO ks.people AS SELECT CAST(id AS TEXT) AS id, CAST(n AS INT) AS n FROM people;
"""
SENDER = """
import json, sys, time
from kafka import KafkaProducer
p = KafkaProducer(bootstrap_servers=sys.argv[1], linger_ms=0)
p.partitions_for("people")
for line in sys.stdin:
    n = int(line)
    at = time.time() * 1000
    p.send("people", key=f"probe-{n}".encode(), value=json.dumps({"id": f"k{n}", "n": n}).encode()).get(30)
    print(n, at, time.time() * 1000, flush=True)
"""
ROWS_COME = """() => {
    window.seen = {};
    new MutationObserver(list => {
        const at = performance.timeOrigin + performance.now();
        for (const m of list) for (const n of m.addedNodes) {
            const found = /probe-(\\d+)/.exec(n.textContent ?? "");
            if (found) window.seen[found[1]] ??= at;
        }
    }).observe(document.body, {childList: true, subtree: true, characterData: true});
}"""
SUM_MOVES = """() => {
    window.seen = {};
    new MutationObserver(() => {
        const n = document.querySelector('[data-term=in]').textContent.replaceAll(',', '');
        window.seen[n] ??= performance.timeOrigin + performance.now();
    }).observe(document.body, {childList: true, subtree: true, characterData: true});
}"""


def share(values, part):
    return sorted(values)[min(len(values) - 1, int(len(values) * part))]


def latency(add, options):
    count = max(50, options["console_turns"] * 10)
    with folder() as place, Console(directory=project(place / "p", PIPELINE)) as c:
        sender = subprocess.Popen([venv("kafka-python-3"), "-c", SENDER, f"127.0.0.1:{c.server.field('kafka_port')}"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

        def send(n):
            sender.stdin.write(f"{n}\n")
            sender.stdin.flush()
            return [float(w) for w in sender.stdout.readline().split()]
        send(0)
        wait_for("the first record's row", lambda: c.server.query("SELECT count(*) AS n FROM ks.people")[0]["n"] == 1)
        rng, n = random.Random(8), 0
        try:
            for what, path, ready, watch in (("its row in the live tail", "/topics/people?live=1", ".table-row, .state", ROWS_COME), ("the Overview's sum", "/", "[data-term=in]", SUM_MOVES)):
                page = c.open(path, ready=ready)
                page.wait_for_selector(".top-link:has-text('live')")
                page.evaluate(watch)
                took = []
                for _ in range(count + 1):
                    time.sleep(rng.uniform(0, 0.5))  # at any time of the server's tick
                    n += 1
                    _, sent, acknowledged = send(n)
                    key = n if watch is ROWS_COME else n + 1  # the first record is in the sum
                    at = page.wait_for_function(f"() => window.seen[{key}]", polling=20).json_value()
                    took.append((at - sent, acknowledged - sent))
                took = took[1:]
                page.close()
                for part, word in ((0.5, "p50"), (0.99, "p99")):
                    add(f"console: from a record's send() to {what}, {word} of {count}", "ms", [share([t for t, _ in took], part)], "<= 600", f"{load()}; acknowledged {share([a for _, a in took], part):.1f} ms")
        finally:
            sender.kill()
            sender.wait()


# --- many who look ----------------------------------------------------------------------------------------

FLOOD = """CREATE SOURCE flood FROM GENERATOR '' WITH (shape = 'event', seed = 'bench', results = 1000, every = '100ms', key = 'id')
  INTO TOPIC users_created WITH (partitions = 3, retention = '10m');
CREATE TABLE ks.people (gender TEXT PRIMARY KEY, email TEXT);
CREATE STREAM load INTO ks.people AS SELECT gender, email FROM users_created;
"""
LOOKERS = """
import asyncio, sys
port, cookie, path, count = int(sys.argv[1]), sys.argv[2], sys.argv[3], int(sys.argv[4])
got = [0, 0]
first = 0
async def look():
    global first
    r, w = await asyncio.open_connection("127.0.0.1", port, limit=1 << 22)
    w.write(f"GET {path} HTTP/1.1\\r\\nHost: localhost\\r\\nCookie: {cookie}\\r\\nAccept: text/event-stream\\r\\n\\r\\n".encode())
    fresh = True
    while data := await r.read(1 << 20):
        got[0] += len(data)
        got[1] += data.count(b"event: ")
        if fresh and b"event: " in data:
            fresh, first = False, first + 1
            if first == count: print("ready", flush=True)
    sys.exit("a stream ended")
async def words():
    loop = asyncio.get_running_loop()
    while await loop.run_in_executor(None, sys.stdin.readline):
        print(*got, flush=True)
async def main():
    asked = asyncio.create_task(words())
    await asyncio.wait([asked, *[asyncio.create_task(look()) for _ in range(count)]], return_when=asyncio.FIRST_COMPLETED)
asyncio.run(main())
"""


def cookie_of(c):
    request = urllib.request.Request(c.url("/api/console/login"), data=json.dumps({"name": "admin", "password": "admin"}).encode(), headers={"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=30) as answer:
        return answer.headers["Set-Cookie"].split(";")[0]


@contextlib.contextmanager
def lookers(c, count):
    """So many open consoles, in a process of its own; answers a function that tells (bytes, events) so far."""
    if not count:
        yield lambda: (0, 0)
        return
    p = subprocess.Popen([sys.executable, "-c", LOOKERS, str(c.port), cookie_of(c), "/api/console/live?c=overview&c=streams&c=stream:load", str(count)],
                         stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        check(p.stdout.readline() == "ready\n", "the streams open")

        def so_far():
            p.stdin.write("\n")
            p.stdin.flush()
            return tuple(int(w) for w in p.stdout.readline().split())
        yield so_far
    finally:
        p.kill()
        p.wait()


def watched(add, options):
    cpu, pss = options["cpu"], options["pss"]
    seconds, counts = 10, (0, 1, 200)
    seen = {n: [] for n in counts}
    with folder() as place, Console(directory=project(place / "p", FLOOD)) as c:
        pid = c.server.process.pid
        wait_for("records", lambda: c.get("streams/load")["stage"]["ledger"]["in"] > 20_000, 60)
        for _ in range(options["console_turns"]):
            for n in counts:
                with lookers(c, n) as so_far:
                    at, used, (bytes0, events0), passed = time.monotonic(), cpu(pid), so_far(), c.get("streams/load")["stage"]["ledger"]["in"]
                    time.sleep(seconds)
                    took = time.monotonic() - at
                    bytes1, events1 = so_far()
                    seen[n].append({"cpu": (cpu(pid) - used) / took * 100, "pss": pss(pid), "bytes": (bytes1 - bytes0) / took, "events": (events1 - events0) / took,
                                    "rate": (c.get("streams/load")["stage"]["ledger"]["in"] - passed) / took})
        for n in counts:
            all_of = lambda key: [s[key] for s in seen[n]]
            add(f"console: {n} open, {sum(all_of('rate')) / len(seen[n]):,.0f} records/s pass: the server's processor", "% of a core", all_of("cpu"), "-", load())
            add(f"console: {n} open: the server's PSS", "MiB", all_of("pss"), "-")
            if n:
                add(f"console: {n} open: events, all streams", "events/s", all_of("events"), "-", f"{sum(all_of('bytes')) / len(seen[n]) / 1e3:,.0f} kB/s")
        over = [b["cpu"] - a["cpu"] for a, b in zip(seen[0], seen[200])]
        add("console: what 200 open consoles take beyond none", "% of a core", over, "<= 15")


# --- scrolling ------------------------------------------------------------------------------------------------

FRAMES = """async ([selector, dx, dy, count]) => {
    const b = document.querySelector(selector), took = [];
    const next = () => new Promise(requestAnimationFrame);
    let last = await next();
    for (let i = 0; i < count; i++) {
        if (dy > 0 ? b.scrollTop + b.clientHeight >= b.scrollHeight - 2 : b.scrollTop === 0) dy = -dy;
        if (dx && (dx > 0 ? b.scrollLeft + b.clientWidth >= b.scrollWidth - 2 : b.scrollLeft === 0)) dx = -dx;
        b.scrollBy(dx, dy);
        const now = await next();
        took.push(now - last);
        last = now;
    }
    return took;
}"""
TO_THE_END = "s => { const b = document.querySelector(s); b.scrollTop = b.scrollHeight; }"


def frames(add, page, what, selector, speeds, turns):
    cdp = devtools(page)
    for word, dx, dy in speeds:
        medians, tails, late, work = [], [], [], []
        for turn in range(turns + 1):
            page.evaluate("s => document.querySelector(s).scrollTo(0, 0)", selector)
            before = busy(cdp)
            took = page.evaluate(FRAMES, [selector, dx, dy, 120])
            if turn:
                work.append((busy(cdp) - before) / 120)
                medians.append(share(took, 0.5))
                tails.append(share(took, 0.95))
                late.append(sum(t > 32 for t in took) / len(took) * 100)
        add(f"{what}, {word}: a frame, median", "ms", medians, "<= 17", load())
        add(f"{what}, {word}: a frame, p95", "ms", tails, "<= 34")
        add(f"{what}, {word}: frames over 32 ms", "%", late, "<= 5")
        add(f"{what}, {word}: main thread a frame", "ms of processor", work, "<= 8")


MANY = """CREATE SOURCE numbers FROM GENERATOR '' WITH (results = 5000, total = 100000) INTO TOPIC people WITH (partitions = 1);
CREATE TABLE big.people (id TEXT PRIMARY KEY, name TEXT, country TEXT);
CREATE STREAM load INTO big.people AS SELECT login.uuid AS id, name.first AS name, location.country AS country FROM people;
"""
LIST_SPEEDS = (("96 px a frame", 0, 96), ("1,600 px a frame", 0, 1600), ("40,000 px a frame", 0, 40_000))
GRID_SPEEDS = (("down, 48 px a frame", 0, 48), ("across, 44 px a frame", 44, 0), ("both, 96 px a frame", 96, 96))
YEAR = "big:\n  schedule: '@daily'\n  start_date: 2023-01-01\n  catchup: false\n  max_active_runs: 64\n  is_paused_upon_creation: true\n  tasks:\n" + \
       "".join(f"    t{i:03}: {{empty: {f', after: t{i - 1:03}' if i % 10 else ''}}}\n" for i in range(200))


def lists(add, options):
    with folder() as place, Console(directory=project(place / "p", MANY)) as c:
        wait_for("the rows", lambda: c.get("streams/load")["stage"]["ledger"]["applied"] >= 100_000, 300)
        for what, path, label in (("100,000 messages", "/topics/people?start=oldest", "Messages"), ("100,000 rows", "/tables/big/people", "Rows")):
            page = c.open(path, ready=".table-row")
            selector = f"[aria-label={label}] .table-rows"

            def all_there():
                page.evaluate(TO_THE_END, selector)
                return int(page.get_attribute(f"[aria-label={label}]", "aria-rowcount")) > 100_000
            wait_for("all to be in the list", all_there, 600)
            frames(add, page, f"console, {what}", selector, LIST_SPEEDS, options["console_turns"])
            page.close()


def grid(add, options, runs=365, last="12-31"):
    with folder() as place:
        p = project(place / "p", "-- nothing flows\n")
        (p / "dags.yaml").write_text(YEAR)
        with Console(directory=p) as c:
            context = c.context()
            words = {"X-CSRF-Token": context.request.get("/api/console/session").json()["csrf"]}
            workflows = lambda method, path, body=None: context.request.fetch(f"/api/v2/{path}", method=method, data=body, headers=words)
            wait_for("the dag", lambda: workflows("GET", "dags/big").ok)
            for method, path, body in (("POST", "backfills", {"dag_id": "big", "from_date": "2023-01-01T00:00:00Z", "to_date": f"2023-{last}T00:00:00Z", "max_active_runs": 64}),
                                       ("PATCH", "dags/big", {"is_paused": False})):
                answer = workflows(method, path, body)
                check(answer.ok, f"{path}: {answer.status} {answer.text()}")
            wait_for(f"{runs} runs", lambda: workflows("GET", "dags/big/dagRuns?state=success&limit=1").json()["total_entries"] >= runs, 900)
            page = c.open("/workflows/big", ready=".wf-grid .is-success", context=context)
            for left in (*range(0, 8000, 800), 0):  # every run's states are there
                page.evaluate("x => document.querySelector('.wf-grid').scrollLeft = x", left)
                page.wait_for_function("() => !document.querySelector('.wf-grid .is-waiting')")
            frames(add, page, f"console, 200 tasks x {runs} runs", ".wf-grid", GRID_SPEEDS, options["console_turns"])


def scroll(add, options):
    lists(add, options)
    grid(add, options)


# --- an hour of live updates --------------------------------------------------------------------------------------

STEADY = """CREATE SOURCE steady FROM GENERATOR '' WITH (seed = 'bench', results = 500, every = '500ms', key = 'login.uuid')
  INTO TOPIC user_records WITH (partitions = 3, retention = '10m');
CREATE TABLE worldwide_users.user_records (nat TEXT, age INT, gender TEXT, first_name TEXT, last_name TEXT, city TEXT, country TEXT, picture TEXT, registered TIMESTAMP,
  PRIMARY KEY (nat, age, gender));
CREATE STREAM load INTO worldwide_users.user_records AS SELECT nat, dob.age AS age, gender, name.first AS first_name, name.last AS last_name, location.city AS city,
  location.country AS country, picture.large AS picture, registered.date AS registered FROM user_records;
"""
OPEN = (("Overview", "/", ".part"), ("a live tail", "/topics/user_records?live=1", ".table-row"), ("a dashboard", "/dashboards/users", ".widget-body"))


def dashboard(place):
    """The users' one, without what reads the whole topic again and again."""
    board = json.loads((EXAMPLES / "users_records" / "dashboards" / "users.json").read_text())
    board["widgets"] = [w for w in board["widgets"] if " FROM user_records" not in w["sql"]]
    (place / "dashboards").mkdir()
    (place / "dashboards" / "users.json").write_text(json.dumps(board))


def held(cdp):
    """What a page holds after its garbage is gone: heap MiB, nodes, listeners."""
    for _ in range(2):
        cdp.send("HeapProfiler.collectGarbage")
    counted = cdp.send("Memory.getDOMCounters")
    return cdp.send("Runtime.getHeapUsage")["usedSize"] / 2**20, counted["nodes"], counted["jsEventListeners"]


def slope(samples):
    """What grows in an hour, by least squares over (seconds, value)."""
    n, mean_x, mean_y = len(samples), sum(x for x, _ in samples) / len(samples), sum(y for _, y in samples) / len(samples)
    spread = sum((x - mean_x) ** 2 for x, _ in samples)
    return sum((x - mean_x) * (y - mean_y) for x, y in samples) / spread * 3600 if n > 1 and spread else 0.0


def growth(add, options):
    seconds, pss = options["console_seconds"], options["pss"]
    every = max(5, seconds / 60)
    with folder(os.environ.get("SLUICE_BENCH_DIR")) as place:
        p = project(place / "p", STEADY)
        dashboard(p)
        with Console(directory=p) as c:
            wait_for("rows", lambda: c.server.query("SELECT count(*) AS n FROM worldwide_users.user_records")[0]["n"] > 1000, 60)
            context = c.context()
            open_now = [(name, c.open(path, ready=ready, context=context)) for name, path, ready in OPEN]
            for name, page in open_now:
                check(not page.evaluate("document.hidden"), f"{name} is seen")
            sessions = [(name, page, page.context.new_cdp_session(page)) for name, page in open_now]
            wait_for("a full live tail", lambda: int(sessions[1][1].get_attribute("[aria-label=Messages]", "aria-rowcount")) > 2000, 120)
            samples, begun, moved = [], time.monotonic(), []
            while True:
                at = time.monotonic() - begun
                now = {name: held(cdp) for name, _, cdp in sessions}
                samples.append((at, now, pss(c.server.process.pid)))
                moved.append(number(sessions[0][1].inner_text("[data-term=in]")))
                print(f"    {at:6.0f} s  " + "  ".join(f"{name}: {h:.2f} MiB {n} nodes {l} listeners" for name, (h, n, l) in now.items()) +
                      f"  server {samples[-1][2]:.1f} MiB  {moved[-1]:,} records  {load()}", flush=True)
                if at >= seconds:
                    break
                sessions[0][1].wait_for_timeout(every * 1000)
            check(all(b > a for a, b in zip(moved, moved[1:])), f"the Overview's sum moves: {moved}")
            later = samples[len(samples) // 5:]
            for i, (what, unit) in enumerate((("JS heap", "MiB"), ("nodes", "nodes"), ("listeners", "listeners"))):
                for name, *_ in sessions:
                    of = [(at, now[name][i]) for at, now, _ in later]
                    add(f"console, {name}: {what} after a collection, {samples[-1][0]:.0f} s", unit, [v for _, v in of], "no growth", f"{samples[0][1][name][i]:.4g} -> {of[-1][1]:.4g}, slope {slope(of):+.3g} {unit}/h")
            of = [(at, v) for at, _, v in later]
            add(f"console: the server's PSS meanwhile, {(moved[-1] - moved[0]) / (samples[-1][0] or 1):,.0f} records/s", "MiB", [v for _, v in of], "-", f"{samples[0][2]:.1f} -> {of[-1][1]:.1f}, slope {slope(of):+.3g} MiB/h")


def bench(add, options):
    wanted = options["console_part"] or PARTS
    unknown = [w for w in wanted if w not in PARTS]
    if unknown:
        raise Failed(f"there is no part {unknown[0]}; there are {' '.join(PARTS)}")
    for part in wanted:
        globals()[part](add, options)
