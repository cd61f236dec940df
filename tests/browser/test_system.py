"""The System page in a real Chromium: numbers against the API, a password changed, users, levels, the doctor; odd texts; looks."""
import contextlib
import shutil
import socket
import tempfile
import pathlib
import urllib.request

from browser import XSS, Console, everywhere, harmless, number, shot
from harness import check, project, wait_for

PIPELINE = """
CREATE SOURCE made FROM GENERATOR WITH (seed = '6', results = 5, every = '200ms') INTO TOPIC people WITH (partitions = 2);
CREATE TABLE shop.people (id UUID PRIMARY KEY, name TEXT, age INT);
CREATE STREAM load INTO shop.people AS SELECT login.uuid AS id, name.first AS name, dob.age AS age FROM people;
"""


@contextlib.contextmanager
def shop(sets=("kafka.tls_port=0",), settings="flow:\n  epoch_rows: 500\n", pipeline=PIPELINE):
    scratch = pathlib.Path(tempfile.mkdtemp(prefix="sluice-system-"))
    try:
        with Console(directory=project(scratch / "shop", pipeline, settings), sets=sets) as c:
            yield c
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def cell(page, key, n):
    """The n-th cell of the row of that key."""
    return page.locator(f'[data-key="{key}"] > div').nth(n).inner_text().strip()


def button(page, name):
    return page.get_by_role("button", name=name, exact=True)


def test_system_doors_and_resources_are_the_apis():
    with shop() as c:
        page = c.open("/system", ready='[data-key="kafka"]')
        check(page.inner_text("h1") == "System" and page.get_attribute('nav[aria-label="Pages"] a[href="/system"]', "aria-current") == "page", "the page's place")
        doors = {d["name"]: d for d in c.get("system/listeners")}
        check(page.locator(".table-row").count() == len(doors), "rows")
        ports = [str(s["port"]) for s in doors["kafka"]["listeners"]]
        check(cell(page, "kafka", 1) == f"127.0.0.1:{ports[0]}, TLS {ports[1]}" and cell(page, "zookeeper", 1) == "off", cell(page, "kafka", 1))
        for _ in range(7):
            urllib.request.urlopen(f"http://127.0.0.1:{doors['api']['listeners'][0]['port']}/api/").read()
        asked = next(d for d in c.get("system/listeners") if d["name"] == "api")["requests"]
        check(asked == doors["api"]["requests"] + 7, asked)
        wait_for("the number on the page", lambda: number(cell(page, "api", 5)) == asked)
        page.click('[data-key="kafka"]')
        side = page.wait_for_selector(".side")
        check("kafka.tls_port" in side.inner_text() and "row=kafka" in page.url, side.inner_text())
        page.keyboard.press("4")
        page.wait_for_selector('[data-key="stream:load"]')
        check("view=resources" in page.url, page.url)
        r = c.get("system/resources")
        check({k.get_attribute("data-key") for k in page.locator('[aria-label="Stages"] .table-row').all()} == {f"{s['kind']}:{s['name']}" for s in r["stages"]}, "stages")
        threads = {t["name"]: t["count"] for t in c.get("system/resources")["threads"]}
        check(number(cell(page, "log-writer", 2)) == threads["log-writer"] == 1, threads)
        check(cell(page, "log-writer", 1) == "log: appends", cell(page, "log-writer", 1))
        check(f"of {r['processors']} processor" in page.inner_text(".figures") and "of 1 GiB" in page.inner_text(".figures"), page.inner_text(".figures"))
        page.wait_for_function("() => document.querySelectorAll('.spark-line').length >= 4 && document.querySelectorAll('.chart canvas').length === 2", timeout=60_000)
        check(page.locator('[data-key="stream:load"] a').get_attribute("href") == "/streams/load", "a stage's link")


def test_system_the_nudge_leads_to_a_new_password_and_goes():
    with shop() as c:
        page = c.open("/", ready=".note")
        page.click('.note a:has-text("Change it")')
        page.wait_for_selector('[data-key="admin"]')
        check("the tutorials'" in cell(page, "admin", 2) and page.locator(".note").count() == 1, "the nudge")
        other = c.open("/system?view=users", ready='[data-key="admin"]')
        button(page, "Change your password").click()
        dialog = page.locator("dialog[open]")
        dialog.get_by_label("Old password").fill("guess")
        dialog.get_by_label("New password").fill("of my own")
        dialog.get_by_label("The same again").fill("of my")
        check("It is not the same." in dialog.inner_text(), dialog.inner_text())
        dialog.get_by_label("The same again").fill("of my own")
        dialog.get_by_role("button", name="Change password").click()
        dialog.get_by_text("the old password is wrong").wait_for()
        dialog.get_by_label("Old password").fill("admin")
        dialog.get_by_role("button", name="Change password").click()
        page.wait_for_selector("dialog[open]", state="detached")
        page.wait_for_selector(".note", state="detached")
        c.user = ("admin", "of my own")
        check(not c.get("session")["well_known"], "the API says otherwise")
        wait_for("its own", lambda: cell(page, "admin", 2) == "its own")
        page.reload()
        page.wait_for_selector('[data-key="admin"]')  # it is still logged in, and not nudged
        check(page.locator(".note").count() == 0, "the nudge is back")
        other.wait_for_selector('input[type="password"]')  # the other session has ended: the login
        check(other.locator(".nav").count() == 0, "another session goes on")


def test_system_users_come_and_go():
    with shop() as c:
        page = c.open("/system?view=users", ready='[data-key="admin"]')
        button(page, "New user").click()
        dialog = page.locator("dialog[open]")
        dialog.get_by_role("textbox", name="Name").fill("eve")
        dialog.get_by_label("Role", exact=True).select_option("op")
        dialog.get_by_label("New password").fill("first one")
        dialog.get_by_label("The same again").fill("first one")
        check("sluice users add eve --role op" in dialog.inner_text(), dialog.inner_text())
        button(dialog, "Add user").click()
        page.wait_for_selector('[data-key="eve"]')
        check(cell(page, "eve", 1) == "op" and c.ask("GET", "system/settings", user=("eve", "first one"))[0] == 200, "eve")
        page.click('[data-key="eve"]')
        button(page, "Change role").click()
        dialog.get_by_label("Role", exact=True).select_option("viewer")
        dialog.get_by_role("button", name="Change role").click()
        wait_for("the role", lambda: cell(page, "eve", 1) == "viewer")
        check(c.ask("GET", "system/settings", user=("eve", "first one"))[0] == 403, "the old role goes on")

        eve = c.open("/system?view=users", ready="h1", user=("eve", "first one"))
        eve.get_by_text("This needs the role Admin.").wait_for()
        check(eve.locator('[data-key="admin"] > div').count() == 4 - 0 and "viewer" in eve.inner_text(".section"), "roles are for everybody")  # the row of the roles' table
        for view, word in (("logs", "Admin"), ("configuration", "op"), ("doctor", "op")):
            eve.goto(f"/system?view={view}")
            eve.get_by_text(f"This needs the role {word}.").wait_for()
        eve.goto("/system")
        eve.wait_for_selector('[data-key="kafka"]')

        page.click('[data-key="eve"]')
        button(page, "Remove").click()
        button(dialog, "Remove user").wait_for()
        check(button(dialog, "Remove user").is_disabled(), "a name is asked for")
        dialog.locator("input").fill("eve")
        button(dialog, "Remove user").click()
        page.wait_for_selector('[data-key="eve"]', state="detached")
        check({u["name"] for u in c.get("system/users")["users"]} == {"admin", "cassandra"}, "eve is there")
        eve.wait_for_selector('input[type="password"]')


def test_system_settings_tell_where_from():
    with shop(sets=("kafka.tls_port=0", "store.cache=16MiB")) as c:
        page = c.open("/system?view=configuration&only=changed", ready='[data-key="store.cache"]')
        rows = c.get("system/settings")
        changed = {r["key"]: r for r in rows if r["changed"]}
        check({k.get_attribute("data-key") for k in page.locator(".table-row").all()} == set(changed), "those that were changed")
        check([cell(page, "store.cache", n) for n in (1, 2)] == ["16MiB", "command line, --set"], cell(page, "store.cache", 2))
        check(cell(page, "flow.epoch_rows", 2) == "sluice.yaml:2", cell(page, "flow.epoch_rows", 2))
        button(page, "All").click()
        page.keyboard.press("/")
        page.keyboard.type("cache")
        page.keyboard.press("ArrowDown")
        page.keyboard.press("Enter")
        side = page.wait_for_selector(".side").inner_text()
        check("SLUICE_STORE_CACHE=16MiB" in side and "32MiB" in side and "q=cache" in page.url, side)
        check(f"1 of {len(rows)}" in page.inner_text(".table-count"), page.inner_text(".table-count"))


def lines(page, text):
    return page.locator(".system-line", has_text=text)


def odd_request(c, word):
    k = socket.create_connection(("127.0.0.1", c.port))
    k.sendall(f"{word}\r\n\r\n".encode())
    k.recv(4096)
    k.close()


def test_system_the_log_is_live_and_its_levels_change():
    with shop() as c:
        page = c.open("/system?view=logs", ready=".system-line")
        told = c.get("system/logs")
        check(number(page.inner_text(".system-log-tools [role=status]").split()[0]) >= len(told["lines"]), "lines")
        lines(page, f"console_port={c.port}").wait_for()
        odd_request(c, "NO SUCH THING")
        page.get_by_label("os", exact=True).select_option("debug")
        wait_for("the level", lambda: {r["room"]: r["level"] for r in c.get("system/logs")["rooms"]}["os"] == "debug")
        odd_request(c, "NO SUCH THING")
        lines(page, "request refused").first.wait_for()  # came by itself
        check(lines(page, "request refused").count() == len(c.get("system/logs", q="request refused")["lines"]) == 1, "the one before debug was asked for is told")
        page.get_by_label("Room", exact=True).select_option("main")
        wait_for("the others to go", lambda: lines(page, "request refused").count() == 0)
        check("room=main" in page.url and lines(page, "console_port").count() == 1, page.url)
        page.locator(".system-line").first.click()
        side = page.wait_for_selector(".side").inner_text()
        check("Level" in side and "line=" in page.url, side)
        page.keyboard.press("Escape")
        page.wait_for_selector(".side", state="detached")
        page.get_by_label("Least level").select_option("error")
        page.get_by_text("Nothing that was said matches.").wait_for()


def test_system_the_doctor_names_what_is_wrong():
    with shop() as c:
        page = c.open("/system?view=doctor", ready=".system-finding")
        check(page.locator(".system-is-problem").count() == c.get("system/doctor")["problems"] == 0, "nothing is wrong")
        file = c.directory / "pipeline.sql"
        file.write_text(file.read_text().replace("dob.age AS age FROM", "dob.age AS aeg FROM"))
        button(page, "Look again").click()
        wrong = page.locator(".system-is-problem")
        wrong.wait_for()
        found = next(f for f in c.get("system/doctor")["findings"] if f["word"] == "problem")
        check(found["what"] in wrong.inner_text() and found["hint"] in wrong.inner_text() and "pipeline.sql" in wrong.inner_text(), wrong.inner_text())
        check("1" in page.inner_text(".figure-bad"), page.inner_text(".figures"))


def test_system_odd_texts_stay_texts():
    """Names of users, lines of the log, values of settings, a project's mistakes: people and records write all of them."""
    names = [x.replace(" ", "\u00a0")[:60] for x in XSS] + ["علي\u200fمحمد", "👩‍🚀" * 4, "n" * 64]
    settings = "\n".join(["kafka.advertised: '<img src=x onerror=\"window.pwned=1\">:9092'", "cql.cluster_name: '\"><svg onload=window.pwned=1>'", "cql.rack: '</textarea><details open ontoggle=window.pwned=1>'"]) + "\n"
    with shop(settings=settings) as c:
        for name in names:
            status, answer = c.ask("POST", "system/users", {"name": name, "password": "x", "role": "viewer"})
            check(status == 204, f"{name}: {answer}")
        c.ask("PUT", "system/levels", {"room": "os", "level": "debug"})
        c.ask("PUT", "system/levels", {"room": "door", "level": "debug"})
        for word in XSS:
            odd_request(c, word)
            c.ask("GET", "session", user=(word, "x"))
        page = c.open("/system?view=users", ready='[data-key="admin"]')
        there = {u["name"] for u in c.get("system/users")["users"]}
        check(set(names) <= there, "users")
        page.wait_for_function(f"() => document.querySelectorAll('[aria-label=\"Users\"] .table-row').length >= {min(len(there), 10)}")
        page.locator('[aria-label="Users"] .table-row').nth(0).click()
        page.wait_for_selector(".side")
        harmless(page)
        page.goto("/system?view=users&users.row=" + urllib.request.quote(names[0]))
        page.wait_for_selector(".side")
        check(page.inner_text(".side h2") == names[0], page.inner_text(".side h2"))
        button(page, "Remove").click()
        page.wait_for_selector("dialog[open]")
        harmless(page)
        page.goto("/system?view=configuration&row=kafka.advertised")
        page.wait_for_selector(".side")
        check('<img src=x onerror="window.pwned=1">:9092' in page.inner_text(".side"), page.inner_text(".side"))
        harmless(page)
        page.goto("/system?view=logs")
        page.wait_for_selector(".system-line")
        lines(page, "onerror").first.click()
        page.wait_for_selector(".side")
        harmless(page)
        (c.directory / "pipeline.sql").write_text("CREATE TABLE \"<img src=x onerror=window.pwned=1>\".t (id UUID PRIMARY KEY, \"<script>window.pwned=1</script>\" NONSENSE);")
        page.goto("/system?view=doctor")
        page.wait_for_selector(".system-is-problem")
        harmless(page)
        shot(page, "system-odd-doctor")


def test_system_says_when_the_server_is_away():
    with shop() as c:
        page = c.open("/system", ready='[data-key="kafka"]')
        c.server.stop()
        page.get_by_text("Not connected since").wait_for()
        c.restart()
        page.get_by_text("Not connected since").wait_for(state="detached")
        wait_for("numbers of the new server", lambda: number(cell(page, "console", 5)) <= next(d for d in c.get("system/listeners") if d["name"] == "console")["requests"])


def test_system_looks_right_everywhere():
    with shop() as c:
        c.ask("POST", "system/users", {"name": "eve", "password": "x", "role": "viewer"})
        for i in range(3):
            c.ask("GET", "session", user=("eve", f"guess {i}"))
        wait_for("a history", lambda: [v for s in c.get("history", part="server", metric="cpu")["series"] for v in s["values"] if v is not None], 30)
        everywhere(c, "/system", "system-listeners", ready='[data-key="kafka"]', act=lambda p: p.wait_for_selector(".page-answer .live"))
        everywhere(c, "/system?row=kafka", "system-listeners-panel", ready=".side")
        everywhere(c, "/system?view=users", "system-users", ready='[data-key="eve"]')
        everywhere(c, "/system?view=users&users.row=eve", "system-users-panel", ready=".side .buttons")
        everywhere(c, "/system?view=users", "system-users-password", ready='[data-key="eve"]', act=lambda p: (button(p, "Change your password").click(), p.wait_for_selector("dialog[open]")))
        everywhere(c, "/system?view=configuration&row=kafka.port", "system-configuration", ready=".side .command")
        everywhere(c, "/system?view=resources", "system-resources", ready='[data-key="log-writer"]', act=lambda p: p.wait_for_function("() => document.querySelectorAll('.chart canvas').length === 2"))
        everywhere(c, "/system?view=logs&line=3", "system-logs", ready=".side .facts")
        everywhere(c, "/system?view=doctor", "system-doctor", ready=".system-finding")
