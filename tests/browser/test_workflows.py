"""Workflows as a person works with them: the list and its toggle, a run triggered by the form and followed to its
end, clearing, marking, backfills, pools, variables, import errors; what a Viewer may not do; odd names and texts."""
import contextlib
import http.server
import json
import re
import threading
import urllib.error
import urllib.parse
import urllib.request

from browser import XSS, Console, axe, everywhere, fits, harmless, number, shot
from harness import check, folder, project, run, wait_for

DAGS = """
etl:
  description: Fetches, cleans and loads the day's orders
  schedule: {cron: "0 9 * * mon-fri", timezone: Europe/Berlin}
  start_date: 2024-01-01
  is_paused_upon_creation: true
  catchup: false
  tags: [orders]
  params:
    rows: {default: 5, type: integer, minimum: 1, maximum: 50, description: How many rows}
    mode: {default: quick, enum: [quick, full]}
    fail: {default: false, type: boolean, description: Let the check fail}
  tasks:
    fetch: {bash: "echo fetching {{ params.rows }} rows {{ params.mode }}; while ! test -e $SLUICE_PROJECT/go; do sleep 0.05; done; echo fetched"}
    clean:
      tooltip: What cleans
      tasks:
        each: {bash: "echo part {{ item }}", expand: [1, 2, 3]}
        join: {bash: "echo joined", after: each}
      after: fetch
    check: {bash: "{% if params.fail %}exit 3{% else %}echo '[1, 2]'{% endif %}", after: clean}
    load: {bash: "echo {{ var.value.plain }}", after: check}
each_day:
  schedule: "@daily"
  start_date: 2024-01-01
  is_paused_upon_creation: true
  catchup: false
  tasks: {only: {empty: }}
broken:
  schedule: none
  tasks:
    a: {empty: , after: nobody}
"""


class V2:
    """Airflow's API, beside the browser."""
    def __init__(self, console, name="admin", password="admin"):
        self.base = console.url().rstrip("/")
        self.token = None
        self.token = self("POST", "/auth/token", {"username": name, "password": password})["access_token"]

    def __call__(self, method, path, body=None, status=range(200, 300)):
        r = urllib.request.Request(self.base + path, method=method, data=None if body is None else json.dumps(body).encode(), headers={"Content-Type": "application/json"})
        if self.token:
            r.add_header("Authorization", "Bearer " + self.token)
        try:
            with urllib.request.urlopen(r, timeout=30) as answer:
                code, text = answer.status, answer.read()
        except urllib.error.HTTPError as e:
            code, text = e.code, e.read()
        check(code in status, f"{method} {path}: {code} {text[:300]}")
        return json.loads(text) if text.strip() else None

    def over(self, dag, run_id):
        wait_for(f"the end of {run_id}", lambda: self("GET", f"/api/v2/dags/{dag}/dagRuns/{run_id}")["state"] in ("success", "failed"), 60)
        return self("GET", f"/api/v2/dags/{dag}/dagRuns/{run_id}")


class Workflows(Console):
    def __init__(self, base, dags=DAGS, people=()):
        p = project(base / "project", "-- nothing flows\n")
        (p / "dags.yaml").write_text(dags)
        (p / "variables.yaml").write_text("plain: a plain value\n")
        self.people = people
        super().__init__(directory=p)
        self.v2 = V2(self)
        wait_for("the dags", lambda: self.v2("GET", "/api/v2/dags")["total_entries"] > 0, 30)


    def up(self):
        while self.people:
            (name, role, password), *self.people = self.people
            r = run("users", "add", name, "--role", role, "--project", self.directory, "--data", self.scratch / "data", stdin=password + "\n")
            check(r.returncode == 0, r.stderr)
        return super().up()


def text(page, selector):
    return page.inner_text(selector).strip()


def test_workflows_toggle_trigger_follow_clear_and_mark():
    with folder() as f, Workflows(f) as c:
        page = c.open("/workflows", ready=".table-row")
        row = page.locator(".table-row", has=page.get_by_role("link", name="etl", exact=True))
        check("Monday to Friday at 09:00 Europe/Berlin" in row.inner_text(), row.inner_text())
        check("paused" in row.inner_text(), "a dag that begins paused is shown so")
        dags = c.v2("GET", "/api/v2/dags")
        check(number(text(page, ".tabs a[aria-current] .tab-count")) == dags["total_entries"], "the number of dags")

        row.get_by_role("switch").click()
        wait_for("the toggle's effect", lambda: not c.v2("GET", "/api/v2/dags/etl")["is_paused"])
        page.wait_for_function("() => [...document.querySelectorAll('.table-row')].some(r => r.innerText.includes('etl') && !r.innerText.includes('paused'))")
        wait_for("the scheduled run", lambda: c.v2("GET", "/api/v2/dags/etl/dagRuns")["total_entries"] == 1, 30)
        page.wait_for_selector(".table-row .wf-runs .wf-cell")  # by itself: nobody has loaded the page again

        # the form: a mistake is said at its field, then a run with what was filled in
        page.goto("/workflows/etl")
        page.get_by_role("button", name="Trigger").click()
        page.get_by_label("rows").fill("70")
        page.locator("dialog button[type=submit]").evaluate("b => b.form.noValidate = true")
        page.locator("dialog button[type=submit]").click()
        page.get_by_text("At most 50").wait_for()
        page.get_by_label("rows").fill("7")
        page.get_by_label("mode").select_option("full")
        page.get_by_label("More conf, as JSON").fill('{"extra": "ü"}')
        page.get_by_label("Run id").fill("by_form")
        page.get_by_label("Note", exact=True).fill("a first try")
        check("""--conf '{"extra":"ü","rows":7,"mode":"full"}'""" in page.inner_text("dialog .command"), page.inner_text("dialog .command"))
        page.locator("dialog button[type=submit]").click()
        page.wait_for_selector(".side h2 >> text=by_form")
        made = c.v2("GET", "/api/v2/dags/etl/dagRuns/by_form")
        check((made["conf"], made["note"]) == ({"rows": 7, "mode": "full", "extra": "ü"}, "a first try"), made)
        page.get_by_text("a first try").wait_for()

        # its first task runs until we let it: the log comes as it is said, and all of it without a load
        page.wait_for_selector(".side .wf-tasks >> text=fetch")
        page.locator(".side .wf-tasks button", has_text="fetch").click()
        page.wait_for_selector(".wf-log >> text=fetching 7 rows full")
        check("live" in text(page, ".wf-log-frame .wf-grid-tools"), "a log that goes on says so")
        shot(page, "workflows-live-log")
        (c.directory / "go").write_text("")
        page.wait_for_selector(".wf-log >> text=fetched")
        page.wait_for_selector(".side .wf-state >> text=success")
        told = c.v2("GET", "/api/v2/dags/etl/dagRuns/by_form/taskInstances/fetch/logs/1?full_content=true&map_index=-1")
        wait_for("all lines", lambda: number(re.search(r"([\d,]+) lines", text(page, ".wf-log-frame .wf-grid-tools"))[1]) == len(told["content"]))
        check(c.v2.over("etl", "by_form")["state"] == "success", "the run")
        page.locator(".side .wf-up button").click()
        page.wait_for_selector(".side .wf-state >> text=success")
        page.wait_for_selector(".wf-at.in-run.is-success")

        # a task that is mapped: its instances, one of them, its result
        page.locator(".side .wf-tasks button", has_text="clean.each [1]").click()
        page.wait_for_selector(".wf-mapped .is-chosen")
        check(page.locator(".wf-mapped .wf-map").count() == 3, "three instances")
        page.wait_for_selector(".wf-log >> text=part 2")
        page.goto("/workflows/etl?run=by_form&task=check&tab=results")
        page.wait_for_selector(".wf-json >> text=1")
        check(json.loads(text(page, ".wf-json")) == [1, 2], text(page, ".wf-json"))
        page.goto("/workflows/etl?run=by_form&task=load&tab=rendered")
        check("a plain value" in text(page, ".wf-rendered"), "what was rendered")

        # clearing: the preview is what the dry run says, and then it runs again
        page.get_by_role("button", name="Clear", exact=True).click()
        page.wait_for_selector("dialog .wf-touched")
        check(number(text(page, "dialog p[role=status] b")) == 1, "load is the last one")
        page.get_by_label("With what comes before").check()
        want = c.v2("POST", "/api/v2/dags/etl/clearTaskInstances", {"dry_run": True, "dag_run_id": "by_form", "task_ids": ["load"], "only_failed": False, "include_upstream": True, "include_downstream": True})
        page.wait_for_function(f"() => document.querySelector('dialog p[role=status] b').innerText === '{want['total_entries']}'")
        shown = page.locator("dialog .wf-touched li .mono").all_inner_texts()
        check(sorted(shown) == sorted(t["task_id"] + (f" [{t['map_index']}]" if t["map_index"] >= 0 else "") for t in want["task_instances"]), f"{shown}")
        page.get_by_label("With what comes before").uncheck()
        page.wait_for_function("() => document.querySelector('dialog p[role=status] b').innerText === '1'")
        page.locator("dialog button[type=submit]").click()
        wait_for("another try", lambda: c.v2("GET", "/api/v2/dags/etl/dagRuns/by_form/taskInstances/load")["try_number"] == 2, 30)
        page.wait_for_selector(".side .wf-state >> text=try 2")
        c.v2.over("etl", "by_form")

        # marking failed, which is seen in the grid
        page.wait_for_selector(".side .wf-state >> text=success")
        page.get_by_role("button", name="Mark failed").click()
        page.wait_for_selector("dialog .wf-touched")
        page.locator("dialog button[type=submit]").click()
        wait_for("the mark", lambda: c.v2("GET", "/api/v2/dags/etl/dagRuns/by_form/taskInstances/load")["state"] == "failed", 30)
        page.wait_for_selector(".side .wf-state >> text=failed")
        page.wait_for_selector(".wf-at.is-chosen.is-failed")

        # the way a run is found out about: what failed, and the link that shows it to another
        page.goto("/workflows/etl?view=runs")
        page.wait_for_selector(".table-row")
        total = c.v2("GET", "/api/v2/dags/etl/dagRuns")["total_entries"]
        check(page.locator(".table-row").count() == total, "all runs are listed")
        page.goto("/workflows/etl?view=code")
        check("Fetches, cleans and loads" in text(page, ".wf-code"), "the code")
        page.goto("/workflows/etl?view=details")
        check("Europe/Berlin" in text(page, ".facts"), "details")


def test_workflows_a_run_is_stopped():
    with folder() as f, Workflows(f) as c:
        c.v2("PATCH", "/api/v2/dags/etl", {"is_paused": False})
        c.v2("POST", "/api/v2/dags/etl/dagRuns", {"logical_date": None, "dag_run_id": "stopped"})
        page = c.open("/workflows/etl?run=stopped", ready=".side .wf-state >> text=running")
        page.get_by_role("button", name="Stop", exact=True).click()
        page.locator("dialog button[type=submit]").click()
        page.wait_for_selector(".side .wf-state >> text=failed")
        check(c.v2("GET", "/api/v2/dags/etl/dagRuns/stopped")["state"] == "failed", "the run")
        page.get_by_role("button", name="Delete", exact=True).click()
        page.locator("dialog button[type=submit]").click()
        page.wait_for_selector(".side", state="detached")
        c.v2("GET", "/api/v2/dags/etl/dagRuns/stopped", status=[404])


class Answers(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.send_header("Content-Length", "10")
        self.end_headers()
        self.wfile.write(b'[{"id":1}]')

    def log_message(self, *_):
        pass


def test_workflows_an_apis_quota_stands_among_the_pools_and_nobody_changes_it():
    web = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Answers)
    threading.Thread(target=web.serve_forever, daemon=True).start()
    source = f"FROM HTTP 'http://127.0.0.1:{web.server_port}/' WITH (every = '1h', items = '$[*]', allow_private = true, quota = 'api'"
    with folder() as f, contextlib.closing(web.socket):
        p = project(f / "project", f"CREATE SOURCE one {source}, rate_limit = '12/1h') INTO TOPIC one;\nCREATE SOURCE two {source}) INTO TOPIC two;\n")
        (p / "dags.yaml").write_text("d:\n  tasks: {one: {empty: }}\n")
        with Console(directory=p) as c:
            v2 = V2(c)
            pool = wait_for("both sources to have asked", lambda: next((x for x in v2("GET", "/api/v2/pools")["pools"] if x["name"] == "api" and x["running_slots"] == 2), None), 60)
            page = c.open("/workflows?view=pools", ready=".table-row:has-text('api')")
            row = page.locator(".table-row", has_text="api")
            wait_for("how much, and what is taken", lambda: row.locator("[role$=cell]").all_inner_texts()[:2] == ["12 in 1 h", "2"])
            row.click()
            said = dict(zip(page.locator(".side dt").all_inner_texts(), page.locator(".side dd").all_inner_texts()))
            check(said == {"Quota": "12 records in 1 h", "Taken": "2", "Free": "10", "Waiting": "0", "About": pool["description"]} and "taken by sources 2, by tasks 0" in said["About"], f"who takes: {said}")
            check("rate_limit in pipeline.sql" in page.inner_text(".side .note"), page.inner_text(".side"))
            for name in ("Change", "Delete"):
                check(page.locator(".side").get_by_role("button", name=name).count() == 0, f"{name} is not there")
            check(page.inner_text(".side .command code") == "sluice pools quotas", page.inner_text(".side .command"))
            told = c.server.command("pools", "quotas").stdout
            check("api" in told and "12" in told, told)
            axe(page, "a quota")
            page.locator(".table-row", has_text="default_pool").click()
            check(page.locator(".side").get_by_role("button", name="Change").is_enabled() and page.locator(".side").get_by_role("button", name="Delete").is_disabled(), "a pool is changed, the default one not deleted")
            everywhere(c, "/workflows?view=pools&pools.row=api", "workflows-quota", ready=".side .facts")
    web.shutdown()


def test_workflows_assets_tell_who_changed_them_and_what_that_started():
    with folder() as f:
        p = project(f / "project", "CREATE TOPIC orders;\nCREATE KEYSPACE k;\nCREATE TABLE k.rows (id INT PRIMARY KEY);\n")
        (p / "dags.yaml").write_text("report: {schedule: {after: {any: [{topic: orders}, {table: k.rows}, word]}, at_most_every: 0}, tasks: {a: {empty: }}}\n"
                                     "says: {tasks: {b: {empty: , outlets: word}}}\n")
        with Console(directory=p) as c:
            v2 = V2(c)
            wait_for("the first look", lambda: {a["name"] for a in v2("GET", "/api/v2/assets")["assets"]} == {"orders", "k.rows", "word"}, 30)
            page = c.open("/workflows?view=assets", ready=".table-row:has-text('orders')")
            rows = lambda: sorted(tuple(r.locator("[role$=cell]").all_inner_texts()[:3]) for r in page.locator("[role=row].table-row").all())
            check(rows() == [("asset", "says", "report"), ("table", "", "report"), ("topic", "", "report")], f"{rows()}")

            def changes(name):
                page.locator(".table-row", has_text=name).click()
                return [" ".join(t.split()) for t in page.locator(".side .wf-events li").all_inner_texts()]
            c.server.query("INSERT INTO k.rows (id) VALUES (1)")
            wait_for("the table's event, live", lambda: any("written to · started report" in t for t in changes("k.rows")), 30)
            v2("POST", "/api/v2/dags/says/dagRuns", {"dag_run_id": "r", "logical_date": None})
            wait_for("the task's event, live", lambda: any("says.b · started report" in t for t in changes("word")), 30)
            page.locator(".table-row", has_text="k.rows").click()
            page.locator(".side .facts a", has_text="k.rows").click()
            wait_for("the table's page", lambda: page.url.endswith("/tables/k/rows"))
            axe(page, "an asset's table")
            everywhere(c, "/workflows?view=assets", "workflows-assets", ready=".table-row")


def test_workflows_backfill_pool_variable_connection_and_errors():
    with folder() as f, Workflows(f) as c:
        page = c.open("/workflows/each_day", ready=".wf-grid-frame, .state")
        page.get_by_role("button", name="Backfill", exact=True).click()
        page.get_by_label("From (UTC)").fill("2024-02-01")
        page.get_by_label("To (UTC)").fill("2024-02-05")
        page.locator("dialog button[type=submit]").click()
        page.wait_for_selector("dialog .wf-dates li")
        body = {"dag_id": "each_day", "from_date": "2024-02-01T00:00:00Z", "to_date": "2024-02-05T00:00:00Z"}
        want = [b["logical_date"] for b in c.v2("POST", "/api/v2/backfills/dry_run", body)["backfills"]]
        check(page.locator("dialog .wf-dates li").all_inner_texts() == want and len(want) == 5, f"{want}")
        page.get_by_role("button", name="Make 5 runs").click()
        page.wait_for_selector(".table-row >> text=2024-02-01")
        check(c.v2("GET", "/api/v2/backfills?dag_id=each_day")["total_entries"] == 1, "a backfill")
        page.locator(".table-row").first.click()
        page.locator(".side").get_by_role("button", name="Pause").click()
        wait_for("its pause", lambda: c.v2("GET", "/api/v2/backfills?dag_id=each_day")["backfills"][0]["is_paused"])
        page.wait_for_selector(".table-row >> text=paused")

        # pools
        page.goto("/workflows?view=pools")
        page.wait_for_selector(".table-row")
        page.get_by_role("button", name="New pool").click()
        page.get_by_label("Name", exact=True).fill("few <b>")
        page.get_by_label("Slots", exact=True).fill("2")
        page.locator("dialog button[type=submit]").click()
        page.locator(".table-row", has_text="few <b>").click()
        page.locator(".side").get_by_role("button", name="Change").click()
        page.get_by_label("Slots", exact=True).fill("3")
        page.locator("dialog button[type=submit]").click()
        page.wait_for_selector("dialog", state="detached")
        pool = c.v2("GET", "/api/v2/pools/" + urllib.parse.quote("few <b>"))
        check(pool["slots"] == 3, pool)
        row = page.locator(".table-row", has_text="few <b>")
        wait_for("its row", lambda: "3" in row.inner_text())
        check(page.locator(".table-row", has_text="default_pool").count() == 1, "the default pool")
        page.locator(".side").get_by_role("button", name="Delete").click()
        page.locator("dialog input").fill("few <b>")
        page.locator("dialog button[type=submit]").click()
        row.wait_for(state="detached")

        # a variable that is a secret: never shown, not in the page, not in the API's answer to it
        page.goto("/workflows?view=variables")
        page.get_by_role("button", name="New variable").click()
        page.get_by_label("Key", exact=True).fill("api_token")
        page.get_by_label("Value", exact=True).fill("s3cr3t-value")
        page.locator("dialog button[type=submit]").click()
        page.locator(".table-row", has_text="api_token").click()
        page.wait_for_selector(".side >> text=hidden")
        page.locator(".side").get_by_role("button", name="Change").click()
        page.get_by_label("About", exact=True).fill("what it is for")
        page.locator("dialog button[type=submit]").click()
        page.wait_for_selector("dialog", state="detached")
        check("s3cr3t" not in page.content(), "the secret stands in the page")
        page.wait_for_selector(".side >> text=what it is for")
        kept = run("variables", "get", "api_token", "--project", c.directory, "--data", c.server.data)
        check(kept.stdout.strip().endswith("s3cr3t-value"), f"a change of the words about it lost the value: {kept.stdout}{kept.stderr}")

        # a connection's password
        page.goto("/workflows?view=connections")
        page.get_by_role("button", name="New connection").click()
        page.get_by_label("Id", exact=True).fill("orders_api")
        page.get_by_label("Host", exact=True).fill("example.com")
        page.get_by_label("Login", exact=True).fill("ann")
        page.get_by_label("Password", exact=True).fill("pa55-word")
        page.locator("dialog button[type=submit]").click()
        page.locator(".table-row", has_text="orders_api").click()
        page.wait_for_selector(".side >> text=hidden")
        check("pa55" not in page.content(), "the password stands in the page")
        page.locator(".side").get_by_role("button", name="Change").click()
        page.get_by_label("Host", exact=True).fill("example.org")
        page.locator("dialog button[type=submit]").click()
        page.wait_for_selector(".table-row >> text=example.org")
        kept = run("connections", "get", "orders_api", "--show-values", "--json", "--project", c.directory, "--data", c.server.data)
        check("pa55-word" in kept.stdout and "example.org" in kept.stdout, f"{kept.stdout}{kept.stderr}")

        # an import error, with its line, and gone when it is mended: by itself
        page.goto("/workflows?view=errors")
        error = c.v2("GET", "/api/v2/importErrors")["import_errors"][0]
        line = re.search(r"at dags.yaml:(\d+)", error["stack_trace"])[1]
        page.wait_for_selector(f".wf-error-at >> text=dags.yaml:{line}")
        check("nobody" in text(page, ".wf-errors"), "what is wrong")
        check(DAGS.splitlines()[int(line) - 1].strip().startswith("a: {empty"), f"line {line}")
        (c.directory / "dags.yaml").write_text(DAGS.replace(", after: nobody", ""))
        page.get_by_text("No import errors.").wait_for()


def test_workflows_a_viewer_looks_and_can_not_act():
    with folder() as f, Workflows(f, people=[("vera", "viewer", "a-viewers-password")]) as c:
        c.v2("PATCH", "/api/v2/dags/etl", {"is_paused": False})
        c.v2("POST", "/api/v2/dags/etl/dagRuns", {"logical_date": None, "dag_run_id": "seen"})
        vera = ("vera", "a-viewers-password")
        page = c.open("/workflows", ready=".table-row", user=vera)
        switch = page.locator(".table-row", has=page.get_by_role("link", name="etl", exact=True)).get_by_role("switch")
        check(switch.is_disabled() and "role User" in switch.get_attribute("aria-label"), switch.get_attribute("aria-label"))
        page.goto("/workflows/etl?run=seen&task=fetch")
        page.wait_for_selector(".wf-log >> text=fetching")
        for name in ("Trigger", "Backfill", "Clear", "Mark success"):
            button = page.get_by_role("button", name=re.compile(f"^{name}"))
            check(button.is_disabled() and "role User" in button.get_attribute("title"), f"{name}: {button.get_attribute('title')}")
        page.get_by_text("needs the role User; yours may look").first.wait_for()
        page.get_by_role("button", name="Events").click()
        page.locator(".wf-events", has_text="an admin sees").wait_for()  # what happened is theirs to see; what was said with it, not
        check("trigger" in page.inner_text(".wf-events") and page.locator(".wf-extra").count() == 0, page.inner_text(".wf-events"))
        for view in ("pools", "variables", "connections"):
            page.goto(f"/workflows?view={view}")
            page.get_by_text("This needs the role Op.").wait_for()
        axe(page, "forbidden")
        # whatever the page shows: the server decides
        refused = page.evaluate("""async () => {
            const csrf = (await (await fetch('/api/console/session')).json()).csrf;
            const ask = (method, path, body, token) => fetch(path, {method, body: JSON.stringify(body), headers: {'Content-Type': 'application/json', ...(token && {'X-CSRF-Token': token})}}).then(r => r.status);
            return [await ask('PATCH', '/api/v2/dags/etl', {is_paused: true}, csrf), await ask('POST', '/api/v2/dags/etl/dagRuns', {logical_date: null}, csrf), await ask('GET', '/api/v2/variables', undefined, csrf).catch(() => 0)];
        }""")
        check(refused[:2] == [403, 403] and refused[2] != 200, f"{refused}")
        admin = c.open("/workflows", ready=".table-row")
        check(admin.evaluate("() => fetch('/api/v2/dags/etl', {method: 'PATCH', body: '{\"is_paused\": true}', headers: {'Content-Type': 'application/json'}}).then(r => r.status)") == 403, "a change without the page's proof")
        (c.directory / "go").write_text("")


def test_workflows_odd_texts_stay_texts():
    """What people write in dags, params, conf, notes, logs, variables, pools is text, wherever it is shown."""
    long = "long_" + "name_" * 40 + "end"
    marks = "\n".join(XSS)
    dags = {"odd": {"schedule": None, "description": XSS[0], "doc_md": marks, "tags": [XSS[0][:40], "naïve-\u202eright", "🙂"], "owner": XSS[2],
                    "params": {"p": {"default": XSS[1], "type": "string", "description": XSS[2], "title": XSS[0]}},
                    "tasks": {"says": {"bash": "printf '%s\\n' \"$SAID\"; printf '%s' \"$SAID\" | head -1", "env": {"SAID": "\n".join(x for x in XSS if "{{" not in x)}, "append_env": True, "doc_md": XSS[2]}}},
            long: {"schedule": "none", "description": "x" * 400, "tasks": {("t" * 120): {"empty": None}, "b": {"empty": None, "after": "t" * 120}}},
            "wrong": {"schedule": XSS[0], "tasks": {"a": {"empty": None}}}}
    with folder() as f, Workflows(f, dags=json.dumps(dags, ensure_ascii=False)) as c:
        c.v2("POST", "/api/v2/dags/odd/dagRuns", {"logical_date": None, "dag_run_id": "run_1", "conf": {XSS[0]: XSS[1], "p": XSS[2]}, "note": XSS[0]})
        c.v2("POST", f"/api/v2/dags/{long}/dagRuns", {"logical_date": None, "dag_run_id": "r" * 200})
        c.v2("POST", "/api/v2/variables", {"key": "v", "value": XSS[0], "description": XSS[1]})
        c.v2("POST", "/api/v2/pools", {"name": XSS[0], "slots": 1, "description": XSS[2]})
        c.v2("POST", "/api/v2/connections", {"connection_id": "k", "conn_type": "http", "host": XSS[0], "description": XSS[1], "extra": json.dumps({"a": XSS[2]})})
        c.v2.over("odd", "run_1")
        c.v2.over(long, "r" * 200)
        page = c.open("/workflows", ready=".table-row")
        for path, ready in [("/workflows", ".table-row"), ("/workflows?row=odd", ".side"), ("/workflows/odd?view=details", ".facts"), ("/workflows/odd?view=code", ".wf-code"), ("/workflows/odd?run=run_1", ".side .wf-tasks li"),
                            ("/workflows/odd?run=run_1&task=says", ".wf-log-line"), ("/workflows/odd?run=run_1&task=says&tab=rendered", ".wf-rendered .wf-json"), ("/workflows/odd?run=run_1&task=says&tab=results", ".wf-rendered .wf-json"),
                            ("/workflows/odd?run=run_1&task=says&tab=details", ".facts"), ("/workflows/odd?run=run_1&task=says&tab=events", ".wf-events"), ("/workflows/odd?view=gantt&run=run_1", ".wf-took"), ("/workflows?view=variables&variables.row=v", ".side"),
                            ("/workflows?view=pools", ".table-row"), ("/workflows?view=connections&connections.row=k", ".side"), ("/workflows?view=errors", ".wf-errors li"),
                            (f"/workflows/{long}", ".wf-grid .is-success"), (f"/workflows/{long}?view=graph", ".wf-box"), (f"/workflows/{long}?run={'r' * 200}&task={'t' * 120}&tab=tries", ".facts"),
                            ("/workflows/" + urllib.parse.quote(XSS[0], safe=""), ".state")]:
            page.goto(path)
            page.wait_for_selector(ready)
            harmless(page)
            fits(page, path)
        page.goto("/workflows/odd?run=run_1&task=says")
        page.wait_for_selector(f".wf-log-line >> text={XSS[1][:12]}")
        page.goto("/workflows/odd")
        page.get_by_role("button", name="Trigger").click()
        page.wait_for_selector("dialog .wf-fields")
        check(page.locator("dialog .wf-fields input").input_value() == XSS[1], "a param's value")
        harmless(page)


def test_workflows_an_id_of_markup_is_refused_and_stays_text():
    """An id has letters, digits, '-', '_' and '.': others are told as import errors. And were the server ever to let one through, the
    pages would show it as text: answers are changed on their way to the browser."""
    good = "as_good_as_any"
    dags = {good: {"schedule": None, "tasks": {"first": {"empty": None}, "then": {"bash": "echo said", "after": "first"}}}, **{x: {"schedule": None, "tasks": {"a": {"empty": None}}} for x in XSS}}
    with folder() as f, Workflows(f, dags=json.dumps(dags)) as c:
        c.v2("POST", f"/api/v2/dags/{good}/dagRuns", {"logical_date": None, "dag_run_id": "run_1"})
        c.v2.over(good, "run_1")
        check({d["dag_id"] for d in c.v2("GET", "/api/v2/dags")["dags"]} == {good}, "an id of markup is taken")
        errors = json.dumps(c.v2("GET", "/api/v2/importErrors"), ensure_ascii=False)
        check(all(json.dumps(x, ensure_ascii=False)[1:-1] in errors or json.dumps(json.dumps(x, ensure_ascii=False)[1:-1])[1:-1] in errors for x in XSS), errors)
        for path, ready in (("/workflows?view=errors", ".wf-errors li"), ("/", ".part-dag"), ("/workflows", ".table-row")):
            page = c.open(path, ready=ready)
            harmless(page)
            page.close()
        for evil in XSS:
            coded = urllib.parse.quote(evil, safe="!'()*~")  # as encodeURIComponent does
            context = c.context()

            def change(route):
                to = route.request.url
                for form in (coded, urllib.parse.quote(evil, safe=""), urllib.parse.quote_plus(evil), urllib.parse.quote_plus(evil, safe="*")):
                    to = to.replace(form, good)
                if "/console/live" in to:
                    return route.continue_(url=to)
                answer = route.fetch(url=to)
                return route.fulfill(response=answer, body=answer.text().replace(json.dumps(good)[1:-1], json.dumps(evil)[1:-1]))
            context.route("**/api/v2/**", change)
            context.route("**/ui/**", change)
            context.route("**/api/console/live*", change)
            at = f"/workflows/{coded}"
            for path, ready in (("/workflows", ".table-row"), (f"/workflows?row={coded}", ".side"), (at, ".wf-grid"), (f"{at}?view=details", ".facts"), (f"{at}?run=run_1", ".side .wf-tasks li"), (f"{at}?run=run_1&task=then&tab=details", ".facts")):
                page = context.new_page()
                page.goto(path)
                page.wait_for_selector(ready)
                if path == "/workflows":
                    check(evil in page.inner_text(".table-row"), page.inner_text(".table-row"))
                harmless(page)
                fits(page, path)
                page.close()
            context.close()
            c.contexts.remove(context)


def test_workflows_two_hundred_tasks_a_year_of_runs():
    """The grid of 200 tasks and 365 runs: drawn soon, scrolled smoothly, with no more cells in the document than are seen."""
    tasks = "".join(f"    t{i:03}: {{empty: {f', after: t{i - 1:03}' if i % 10 else ''}}}\n" for i in range(200))
    dags = f"big:\n  schedule: '@daily'\n  start_date: 2023-01-01\n  catchup: false\n  max_active_runs: 64\n  is_paused_upon_creation: true\n  tasks:\n{tasks}"
    with folder() as f, Workflows(f, dags=dags) as c:
        c.v2("POST", "/api/v2/backfills", {"dag_id": "big", "from_date": "2023-01-01T00:00:00Z", "to_date": "2023-12-31T00:00:00Z", "max_active_runs": 64})
        c.v2("PATCH", "/api/v2/dags/big", {"is_paused": False})
        done = lambda: c.v2("GET", "/api/v2/dags/big/dagRuns?state=success&limit=1")["total_entries"]
        wait_for("365 runs", lambda: done() >= 365, 400)
        page = c.open("/workflows/big", ready=".wf-grid .is-success")
        page.wait_for_selector(".wf-grid-tools >> text=runs, the newest")
        cells = page.locator(".wf-grid [role=gridcell]").count()
        check(cells < 5000, f"{cells} cells stand in the document")
        page.wait_for_function("() => !document.querySelector('.wf-grid .is-waiting')")
        cdp = page.context.new_cdp_session(page)
        cdp.send("Performance.enable", {"timeDomain": "threadTicks"})  # the processor's time, not the clock's: others may be busy
        work = lambda: {m["name"]: m["value"] for m in cdp.send("Performance.getMetrics")["metrics"]}["TaskDuration"]
        before = work()
        page.evaluate("""async () => {
            const b = document.querySelector('.wf-grid');
            for (let i = 0; i < 60; i++) {
                b.scrollLeft = (b.scrollWidth - b.clientWidth) * (1 - i / 59);
                b.scrollTop = (b.scrollHeight - b.clientHeight) * (i / 59);
                await new Promise(r => requestAnimationFrame(() => setTimeout(r, 0)));
            }
        }""")
        step = (work() - before) * 1000 / 60
        print(f"365 runs of 200 tasks: {cells} cells in the document; a step of scrolling through all of it takes {step:.0f} ms of the processor")
        check(step < 150, f"a step of scrolling takes {step:.0f} ms of the processor")
        page.wait_for_selector(".wf-grid .is-success")
        check(page.locator(".wf-grid [role=rowheader]", has_text="t199").count() == 1, "the last row is there")
        page.keyboard.press("Tab")
        page.locator(".wf-grid [role=gridcell][tabindex='0'], .wf-grid [role=columnheader][tabindex='0']").first.focus()
        page.keyboard.press("End")
        page.keyboard.press("ArrowDown")
        page.wait_for_function("() => document.activeElement.closest('.wf-grid') && document.activeElement.getAttribute('aria-label')")
        check("202" in page.evaluate("document.activeElement.getAttribute('aria-label')"), "keys move in the grid")
        page.goto("/workflows/big?view=graph")
        page.wait_for_selector(".wf-box")
        check(page.locator(".wf-box").count() == 200, "200 boxes")
        shot(page, "workflows-200-tasks")


def test_workflows_everywhere():
    with folder() as f, Workflows(f) as c:
        (c.directory / "go").write_text("")
        c.v2("PATCH", "/api/v2/dags/etl", {"is_paused": False})
        for n in range(12):
            c.v2("POST", "/api/v2/dags/etl/dagRuns", {"logical_date": None, "dag_run_id": f"r{n:02}", "conf": {"fail": n % 4 == 1}})
        for n in range(12):
            c.v2.over("etl", f"r{n:02}")
        for path, name, ready in [("/workflows", "workflows", ".wf-runs .is-success"), ("/workflows/etl", "workflows-grid", ".wf-grid .is-failed"), ("/workflows/etl?view=graph&run=r09", "workflows-graph", ".side .wf-tasks li"),
                                  ("/workflows/etl?view=gantt", "workflows-gantt", ".wf-took"), ("/workflows/etl?run=r09&task=check", "workflows-task", ".wf-log-line"), ("/workflows/etl?view=details", "workflows-details", ".facts"),
                                  ("/workflows?view=errors", "workflows-errors", ".wf-errors li"), ("/workflows?view=pools&pools.row=default_pool", "workflows-pools", ".side .facts")]:
            everywhere(c, path, name, ready)
        everywhere(c, "/workflows/etl", "workflows-trigger", ".wf-grid .is-failed", act=lambda p: (p.get_by_role("button", name="Trigger").click(), p.wait_for_selector("dialog .wf-fields")))
        everywhere(c, "/workflows/etl?run=r09&task=check", "workflows-clear", ".wf-log-line", act=lambda p: (p.get_by_role("button", name="Clear", exact=True).click(), p.wait_for_selector("dialog .wf-touched")))
        everywhere(c, "/workflows/etl", "workflows-backfill", ".wf-grid .is-failed", act=lambda p: (p.get_by_role("button", name="Backfill", exact=True).click(), p.locator("dialog button[type=submit]").click(), p.wait_for_selector("dialog .wf-preview")))
