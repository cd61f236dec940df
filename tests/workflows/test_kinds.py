"""What workflows' tasks and callbacks ask of the world: real HTTP and SMTP servers of this process, real commands."""
import contextlib
import http.server
import json
import os
import socketserver
import sqlite3
import threading
import time

from harness import Server, check, folder, project, run, wait_for

ONCE = "  schedule: '@once'\n  start_date: 2024-01-01\n  is_paused_upon_creation: false\n"


@contextlib.contextmanager
def serving(server):
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield server.server_address[1]
    finally:
        server.shutdown()
        server.server_close()


class Web:
    """Answers by a function of (method, path, body, headers) -> (status, text); keeps what was asked."""

    def __init__(self, answer):
        web = self
        self.asked = []

        class Handler(http.server.BaseHTTPRequestHandler):
            def any(self):
                body = self.rfile.read(int(self.headers.get("Content-Length", 0))).decode()
                web.asked.append((self.command, self.path, body, dict(self.headers)))
                status, text = answer(*web.asked[-1])
                self.send_response(status)
                self.send_header("Content-Length", str(len(text)))
                self.end_headers()
                self.wfile.write(text.encode())
            do_GET = do_POST = do_PUT = any

            def log_message(self, *_):
                pass
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)


class Mail(socketserver.ThreadingTCPServer):
    """An SMTP server (RFC 5321) that takes every letter."""
    allow_reuse_address = True
    daemon_threads = True

    def __init__(self):
        self.letters = []
        super().__init__(("127.0.0.1", 0), self.Talk)

    class Talk(socketserver.StreamRequestHandler):
        def say(self, line):
            self.wfile.write(line.encode() + b"\r\n")

        def handle(self):
            self.say("220 here")
            sender, to = None, []
            for line in self.rfile:
                word = line.decode().strip()
                verb = word[:4].upper()
                if verb == "MAIL":
                    sender = word
                elif verb == "RCPT":
                    to.append(word.split("<", 1)[1].split(">")[0])
                elif verb == "QUIT":
                    return self.say("221 bye")
                elif verb == "DATA":
                    self.say("354 go on")
                    lines = []
                    for text in self.rfile:
                        if text == b".\r\n":
                            break
                        lines.append(text.decode())
                    self.server.letters.append((sender, to, "".join(lines)))
                self.say("250 fine")


def rows(s, sql):
    path = s.data / "workflows" / "meta.db"
    if not path.exists():
        return []
    with sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=30) as db:
        if not db.execute("SELECT 1 FROM sqlite_master WHERE name = 'callback'").fetchone():
            return []
        return db.execute(sql).fetchall()


def states(s):
    return dict(rows(s, "SELECT task_id, state FROM task_instance"))


def run_state(s):
    return [state for (state,) in rows(s, "SELECT state FROM dag_run")]


def run_states(s):
    return dict(rows(s, "SELECT dag_id, state FROM dag_run"))


def log_of(s, task, attempt=1):
    return next((s.data / "workflows" / "logs").rglob(f"task_id={task}/attempt={attempt}.log")).read_text()


@contextlib.contextmanager
def up(dags, pipeline="", env=None, sets=()):
    with folder() as f:
        p = project(f / "p", pipeline)
        (p / "dags.yaml").write_text(dags)
        with Server(p, env=env, sets=sets, restart=True) as s:
            s.ready()
            yield s
            check(s.stop() == 0, s.output()[-3000:])


def test_http_asks_with_its_connection_and_takes_the_answer():
    web = Web(lambda method, path, body, headers: (200, json.dumps({"path": path, "got": body, "n": 3})) if "wrong" not in path else (500, "no"))
    with serving(web.server) as port:
        dags = f"""one:
{ONCE}  tasks:
    get: {{http: /people, conn_id: api, method: GET, data: {{results: 2, nat: "us & dk"}}, response_check: "{{{{ response.json.n == 3 }}}}"}}
    post: {{http: "http://127.0.0.1:{port}/in", data: {{a: [1, "x"]}}, headers: {{X-Own: "{{{{ ds }}}}"}}}}
    reads: {{bash: "echo '{{{{ ti.xcom_pull(task_ids='post') }}}}'", after: post}}
    unchecked: {{http: /people, conn_id: api, method: GET, response_check: "{{{{ response.json.n == 4 }}}}"}}
    wrong: {{http: /wrong, conn_id: api}}
    expected: {{http: /wrong, conn_id: api, expect: [500]}}
"""
        with up(dags, env={"AIRFLOW_CONN_API": f"http://ann:s3cret@127.0.0.1:{port}/?X-Extra=e"}) as s:
            wait_for("the run to end", lambda: run_state(s) == ["failed"])
            check(states(s) == {"get": "success", "post": "success", "reads": "success", "unchecked": "failed", "wrong": "failed", "expected": "success"}, states(s))
            check("s3cret" not in log_of(s, "get") and "Response check returned False" in log_of(s, "unchecked"), log_of(s, "get"))
            check("500" in log_of(s, "wrong"), log_of(s, "wrong"))
            check('"got"' in log_of(s, "reads"), log_of(s, "reads"))
    get = next(a for a in web.asked if a[1].startswith("/people?"))
    check(get[1] == "/people?results=2&nat=us%20%26%20dk", get)
    check(get[3]["Authorization"] == "Basic YW5uOnMzY3JldA==" and get[3]["X-Extra"] == "e", get)
    post = next(a for a in web.asked if a[1] == "/in")
    check(post[0] == "POST" and json.loads(post[2]) == {"a": [1, "x"]} and post[3]["X-Own"] == "2024-01-01" and post[3]["Content-Type"] == "application/json", post)


def test_sql_writes_reads_and_fails_by_a_false_row():
    with up(f"""one:
{ONCE}  tasks:
    fill:
      sql: ["INSERT INTO k.people (id, name) VALUES (1, 'ann')", "INSERT INTO people (id, name) VALUES (2, 'bo{{{{ ds_nodash }}}}')"]
      keyspace: k
    waits: {{sql_sensor: "SELECT count(*) > 1 FROM k.people", poke_interval: 1s}}
    reads: {{sql: "SELECT id, name FROM k.people WHERE id = 2", after: fill}}
    says: {{bash: "echo '{{{{ ti.xcom_pull(task_ids='reads') }}}}'", after: reads}}
    holds: {{sql: "SELECT count(*) = 2 FROM k.people", after: fill}}
    fails: {{sql: "SELECT count(*) = 3 FROM k.people", after: fill}}
    wrong: {{sql: "SELECT nme FROM k.people", after: fill}}
""", pipeline="CREATE TABLE k.people (id bigint PRIMARY KEY, name text);\n") as s:
        wait_for("the run to end", lambda: run_state(s) == ["failed"], 60)
        check(states(s) == {"fill": "success", "waits": "success", "reads": "success", "says": "success", "holds": "success", "fails": "failed", "wrong": "failed"},
              {t: (state, log_of(s, t)[-300:]) for t, state in states(s).items()})
        check("bo20240101" in log_of(s, "says"), log_of(s, "says"))
        check("'name'" in log_of(s, "wrong"), log_of(s, "wrong"))


def test_an_http_sensor_waits_until_the_answer_is_right():
    answers = iter([(404, ""), (200, '{"ready": false}'), (200, '{"ready": true}')])
    web = Web(lambda *_: next(answers))
    with serving(web.server) as port:
        dags = f"""one:
{ONCE}  tasks:
    looks: {{http_sensor: "http://127.0.0.1:{port}/state", poke_interval: 50ms, response_check: "{{{{ response.json.ready }}}}"}}
    nobody: {{http_sensor: "http://127.0.0.1:1/", poke_interval: 50ms, timeout: 300ms, soft_fail: true}}
"""
        with up(dags) as s:
            wait_for("the run to end", lambda: run_state(s) == ["success"])
            check(states(s) == {"looks": "success", "nobody": "skipped"}, states(s))
            check(rows(s, "SELECT try_number FROM task_instance WHERE task_id = 'looks'") == [(1,)], "looks are no tries")
    check(len(web.asked) == 3, web.asked)


def test_callbacks_are_called_and_tried_again():
    refused = [0]

    def answer(method, path, body, headers):
        if path == "/shy" and refused[0] < 2:
            refused[0] += 1
            return 503, "later"
        return 200, ""
    web, mail = Web(answer), Mail()
    with serving(web.server) as port, serving(mail) as smtp:
        hook = f"http://127.0.0.1:{port}"
        dags = f"""one:
{ONCE}  on_failure_callback: [{{http: "{hook}/dag"}}, {{mail: [ann@example.org, bob@example.org]}}]
  tasks:
    fails:
      bash: "exit 3"
      retries: 1
      retry_delay: 0
      email: fail@example.org
      email_on_retry: no
      on_retry_callback: {{http: "{hook}/retry"}}
      on_failure_callback: [{{http: "{hook}/shy", headers: {{X-Own: "1"}}}}, {{command: "cat > told; echo $AIRFLOW_CTX_TASK_ID >> told"}}]
      on_execute_callback: {{http: "{hook}/begins"}}
    well: {{bash: "true", on_success_callback: {{http: "{hook}/well"}}}}
    skipped: {{bash: "exit 99", on_skipped_callback: {{http: "{hook}/skipped"}}}}
    nobody: {{bash: "true", on_success_callback: {{http: "http://127.0.0.1:1/"}}}}
    sly: {{bash: "true", on_success_callback: {{mail: "a@example.org>\\r\\nRCPT TO:<b@example.org"}}}}
"""
        with up(dags, env={"AIRFLOW_CONN_SMTP_DEFAULT": f"smtp://127.0.0.1:{smtp}/?from_email=sluice%40example.org&disable_ssl=true&disable_tls=true"}) as s:
            wait_for("the run to end", lambda: run_state(s) == ["failed"])
            wait_for("the callbacks", lambda: not rows(s, "SELECT id FROM callback") and len(mail.letters) == 2, 60)
            told = (s.directory / "told").read_text()
            events = rows(s, "SELECT task_id FROM event WHERE event = 'callback_failed'")
            check(sorted(events) == [("nobody",), ("sly",)], events)
    asked = {}
    for _, path, body, headers in web.asked:
        asked.setdefault(path, []).append((json.loads(body), headers))
    check({p: len(a) for p, a in asked.items()} == {"/dag": 1, "/retry": 1, "/shy": 3, "/begins": 2, "/well": 1, "/skipped": 1}, {p: len(a) for p, a in asked.items()})
    body, headers = asked["/shy"][2]
    check((body["dag_id"], body["task_id"], body["try_number"], body["state"]) == ("one", "fails", 2, "failed") and headers["X-Own"] == "1", body)
    check("/taskInstances/fails/logs/2" in body["log_url"], body)
    check(body["exception"] == "exit code 3" and asked["/retry"][0][0]["exception"] == "exit code 3", f"what went wrong: {body}")
    check(asked["/well"][0][0]["exception"] is None and asked["/begins"][0][0]["exception"] is None, "nothing went wrong")
    check(asked["/skipped"][0][0]["exception"] == "exit code 99 means: skipped" and asked["/dag"][0][0]["exception"] == "task_failure", asked["/dag"])
    check(asked["/dag"][0][0]["dag_id"] == "one" and asked["/retry"][0][0]["try_number"] == 1, asked["/dag"])
    check('"task_id"' in told and told.endswith("fails\n"), told)
    check(len(mail.letters) == 2, f"the run's and the task's, and none for the retry: {mail.letters}")
    check([m[1] for m in mail.letters if "Subject: Sluice: one fails failed" in m[2]] == [["fail@example.org"]], mail.letters)
    sender, to, text = next(m for m in mail.letters if "Subject: Sluice: one failed" in m[2])
    check("sluice@example.org" in sender and to == ["ann@example.org", "bob@example.org"] and "Subject: Sluice: one" in text, mail.letters)


def test_fail_fast_stops_the_rest_and_a_deadline_is_said():
    web = Web(lambda *_: (200, ""))
    with serving(web.server) as port:
        dags = f"""one:
{ONCE}  fail_fast: true
  tasks:
    slow: {{bash: "echo $$ > pid; exec sleep 1000"}}
    fails: {{bash: "while [ ! -s pid ]; do sleep 0.01; done; exit 1"}}
    never: {{bash: "echo ran > never", after: slow}}
late:
{ONCE}  deadline: 200ms
  sla_miss_callback: {{http: "http://127.0.0.1:{port}/late"}}
  tasks: {{takes: {{bash: "while [ ! -e told ]; do sleep 0.01; done"}}}}
"""
        with up(dags) as s:
            wait_for("one to end", lambda: states(s).get("fails") == "failed" and states(s).get("slow") == "failed" and states(s).get("never") == "skipped")
            wait_for("the deadline to be told", lambda: web.asked)
            (s.directory / "told").touch()
            wait_for("both to end", lambda: sorted(run_state(s)) == ["failed", "success"])
            check(not (s.directory / "never").exists(), "a task ran after fail_fast")
            check(len(rows(s, "SELECT id FROM event WHERE event = 'sla_miss'")) == 1, rows(s, "SELECT event FROM event"))
    check(len(web.asked) == 1 and json.loads(web.asked[0][2])["dag_id"] == "late", web.asked)


def test_retries_back_off_and_secrets_are_masked():
    dags = f"""one:
{ONCE}  tasks:
    again: {{bash: "exit 1", retries: 2, retry_delay: 0.05, retry_exponential_backoff: true, max_retry_delay: 0.3}}
    says: {{bash: "echo the {{{{ var.value.api_password }}}} and {{{{ conn.api.password }}}}; echo {{{{ var.value.api_password }}}} >&2"}}
"""
    with up(dags, env={"AIRFLOW_VAR_API_PASSWORD": "hush-hush", "AIRFLOW_CONN_API": "http://u:whisper@host/"}) as s:
        wait_for("the run to end", lambda: run_state(s) == ["failed"])
        log = log_of(s, "says")
        check("hush-hush" not in log and "whisper" not in log and "the *** and ***" in log, log)
        tries = rows(s, "SELECT started_at, ended_at FROM task_try WHERE task_id = 'again' ORDER BY try_number")
        waits = [(b[0] - a[1]) / 1e6 for a, b in zip(tries, tries[1:])]
        check(len(tries) == 3 and all(w >= 0.29 for w in waits), f"max_retry_delay bounds what Airflow's formula makes of it: {waits}")


def test_old_logs_go():
    with folder() as f:
        p = project(f / "p", "")
        (p / "dags.yaml").write_text(f"one:\n{ONCE}  tasks: {{a: {{bash: 'echo a'}}, b: {{bash: 'echo b'}}}}\n")
        for turn in range(2):
            with Server(p, sets=("workflows.keep_logs=1d",)) as s:
                s.ready()
                wait_for("the run to end", lambda: run_state(s) == ["success"])
                logs = lambda: sorted(l.parent.name for l in (s.data / "workflows" / "logs").rglob("attempt=1.log"))
                wait_for("the logs", lambda: logs() == (["task_id=b"] if turn else ["task_id=a", "task_id=b"]), 90)
                check(s.stop() == 0, s.output())
            if not turn:
                old = next((s.data / "workflows" / "logs").rglob("task_id=a/attempt=1.log"))
                os.utime(old, (time.time() - 2 * 86400,) * 2)


def test_old_runs_go():
    with folder() as f:
        p = project(f / "p", "")
        (p / "dags.yaml").write_text("one: {schedule: none, is_paused_upon_creation: false, tasks: {a: {bash: 'echo a'}}}\n")
        for turn in range(2):
            with Server(p, sets=("workflows.keep_runs=1ms",) if turn else ()) as s:
                s.ready()
                if not turn:
                    wait_for("the trigger", lambda: s.command("dags", "trigger", "one").returncode == 0)
                wait_for("the run", lambda: run_state(s) == ([] if turn else ["success"]), 90)
                check(s.stop() == 0, s.output())
        check(not rows(s, "SELECT run FROM task_instance") and not rows(s, "SELECT run FROM task_try"), "its tries are there yet")
        check(not list((s.data / "workflows" / "logs").rglob("attempt=1.log")), "its logs are there yet")


def test_an_apis_quota_is_shared_by_live_polling_and_tasks_also_over_a_restart():
    """Goal: never more than the quota in any span, whoever asks: live polling has its part beside a task that takes all it gets, http tasks and sensors take from the
    same; it is listed as a pool that nobody changes there. Method: an API that counts what it is asked, the server killed in the middle; what was taken stands with
    its time in the quota's file, before each request."""
    number, span_ms = 12, 3000
    times = {"/live": [], "/back": [], "/task": [], "/look": []}

    def answer(_method, path, _body, _headers):
        times[path.split("?")[0]].append(time.monotonic())
        return 200, json.dumps({"id": sum(map(len, times.values()))})
    web = Web(answer)
    with serving(web.server) as port, folder() as f:
        source = f"every = '500ms', items = '$', allow_private = true, quota = 'api'"
        p = project(f / "p", f"CREATE SOURCE live FROM HTTP 'http://127.0.0.1:{port}/live' WITH ({source}, rate_limit = '{number}/3s') INTO TOPIC live;\n"
                             f"CREATE SOURCE back FROM HTTP 'http://127.0.0.1:{port}/back' WITH ({source.replace('500ms', '1ms')}) INTO TOPIC back;\n")
        (p / "dags.yaml").write_text("fill:\n" + ONCE + f"""  tasks:
    back: {{run: back, for: 60s, quota: api}}
    wrong: {{run: back, count: 1, quota: another}}
asks:
{ONCE}  default_args: {{retries: 3, retry_delay: 1s}}
  tasks:
    ask: {{http: 'http://127.0.0.1:{port}/task', method: GET, quota: api, expand: {{data: [a=1, a=2, a=3, a=4, a=5, a=6]}}}}
    look: {{http_sensor: 'http://127.0.0.1:{port}/look', quota: api, poke_interval: 1s}}
    none: {{http: 'http://127.0.0.1:{port}/none', quota: unheard, retries: 0}}
    many: {{http: 'http://127.0.0.1:{port}/none', quota: api, quota_records: 13, retries: 0}}
""")
        plan = run("plan", p, "--offline")
        check("is shared by 2 sources" in plan.stdout, plan.stdout + plan.stderr)
        with Server(p, restart=True) as s:
            s.ready()
            wait_for("both to have asked for some spans", lambda: len(times["/live"]) > 12 and len(times["/back"]) > 12, 60)
            said = s.command("pools", "quotas").stdout
            check("api" in said and str(number) in said, said)
            listed = {q["name"]: q for q in map(json.loads, s.command("pools", "list", "--json").stdout.splitlines())}
            check(listed["api"]["slots"] == number and listed["default_pool"]["slots"] == 128, f"{listed}")
            check(listed["api"]["description"].startswith("an API's quota: 12/3s; taken by sources "), listed["api"])
            wait_for("who waits", lambda: "waiting: task back" in s.command("pools", "list").stdout, 60)
            got = json.loads(s.command("pools", "get", "api", "--json").stdout)
            check(got["pool"] == "api" and got["slots"] == number and got["description"].startswith("an API's quota: 12/3s; taken by "), f"{got}")
            check("Pool with name:'nope' not found" in s.command("pools", "get", "nope").stderr, "no such pool")
            for verb in (("set", "api", "3"), ("delete", "api")):
                refused = s.command("pools", *verb)
                check(refused.returncode != 0 and "an API's quota, not a pool" in refused.stderr, f"{verb}: {refused}")
            check('"api"' not in s.command("pools", "export", "-").stdout, "a quota is exported as a pool")
            before = sum(map(len, times.values()))
            os.kill(s.status()["pid"], 9)
            wait_for("it to ask again", lambda: sum(map(len, times.values())) > before + number + 3, 60)
            wait_for("the tasks", lambda: run_states(s).get("asks") == "failed" and len(times["/task"]) >= 6 and times["/look"], 60)
        log = next((s.data / "workflows" / "logs").glob("**/task_id=wrong/attempt=1.log")).read_text()
        check("does not share a quota 'another'" in log, log)
        unheard = next((s.data / "workflows" / "logs").glob("**/task_id=none/attempt=1.log")).read_text()
        check("there is no quota 'unheard'" in unheard, unheard)
        many = next((s.data / "workflows" / "logs").glob("**/task_id=many/attempt=1.log")).read_text()
        check("quota 'api' allows 12 records, but a request asks for 13" in many, many)
        check(len(times["/task"]) >= 6 and times["/look"], f"{times}")
        taken = [line.split() for line in (s.data / "quotas" / "api").read_text().splitlines()[1:] if line[0] != "#"]
    every = [int(t) for t, _, _ in taken]
    check(len(every) >= sum(map(len, times.values())), f"{len(every)} taken, {sum(map(len, times.values()))} asked")
    check(len({side for _, _, side in taken}) == 2 and all(count == "1" for _, count, _ in taken), f"{taken}")
    for i, t in enumerate(every):
        inside = sum(1 for other in every[i:] if other < t + span_ms)
        check(inside <= number, f"{inside} taken in a span, {i}th of {len(every)}: {taken}")
