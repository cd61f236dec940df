"""Streams in a browser: their numbers as the API tells them, their plan, acts with what they cost, and dead letters
that are seen live, mended and replayed."""
import json
import pathlib
import tempfile

from browser import XSS, Console, axe, everywhere, fits, harmless, number, shot
from harness import check, project, run, wait_for

PIPELINE = """CREATE TOPIC orders WITH (partitions = 1);
CREATE TABLE shop.orders (id INT PRIMARY KEY, name TEXT, price DOUBLE);
CREATE STREAM load INTO shop.orders AS SELECT CAST(id AS INT) AS id, CAST(name AS TEXT) AS name, CAST(price AS DOUBLE) AS price
FROM orders WHERE id > 0 CHECK (price > 0) ELSE DEAD LETTER;
CREATE MATERIALIZED VIEW by_name AS SELECT name, count(*) AS n FROM orders GROUP BY name;
"""


def shop(console_of=Console):
    place = pathlib.Path(tempfile.mkdtemp(prefix="sluice-shop-"))
    return console_of(directory=project(place / "shop", PIPELINE))


def send(c, *records):
    for r in records:
        c.post("topics/orders/messages", {"value": r if isinstance(r, str) else json.dumps(r)})


def settled(c, records):
    wait_for("every record to be accounted for", lambda: all(s["ledger"]["in"] >= records for s in c.get("streams") if s["kind"] == "stream"), 60)


GOOD = [{"id": n, "name": f"name {n}", "price": 2.5} for n in range(1, 21)]


def test_live_numbers_are_the_apis():
    with shop() as c:
        send(c, *GOOD, {"id": -1, "name": "x", "price": 1}, {"id": 22, "name": "y", "price": -1})
        settled(c, 22)
        page = c.open("/streams/load", ready=".streams-node")
        send(c, *GOOD)  # come while one looks
        settled(c, 42)

        def same():
            one = c.get("streams/load")
            stage = one["stage"]
            shown = {k: number(page.inner_text(f"[data-live={k}]")) for k in ("lag", "in", "dead")}
            nodes = {n["id"]: n for n in one["graph"]["nodes"]}
            counts = {int(e.get_attribute("data-in")): int(e.get_attribute("data-value")) for e in page.locator("[data-in]").all()}
            return shown == {"lag": stage["lag"], "in": stage["ledger"]["in"], "dead": stage["ledger"]["dead"]} and counts == {i: n["rows_in"] for i, n in nodes.items()}
        wait_for("the page to say what the API says", same, 60)
        page.get_by_role("link", name="Ledger").click()
        page.wait_for_selector(".streams-terms")
        check(page.url == c.url("/streams/load?view=ledger"), page.url)
        ledger = c.get("streams/load")["stage"]["ledger"]
        for term in ("applied", "filtered", "deduplicated", "late", "dead", "expired", "held"):
            check(number(page.inner_text(f".streams-terms [data-term={term}]")) == ledger[term], term)
        check("It balances" in page.inner_text(".streams-verdict"), page.inner_text(".streams-verdict"))
        page.get_by_role("link", name="Progress").click()
        page.wait_for_selector(".chart-box canvas")
        last = c.get("streams/load/progress")[-1]
        check(page.locator(f"[data-key='{last['batchId']}']").count() == 1, f"batch {last['batchId']} is listed")


def test_the_list_pauses_and_resumes():
    with shop() as c:
        send(c, *GOOD)
        settled(c, 20)
        page = c.open("/streams", ready=".table-row")
        check(page.locator(".table-row").count() == 2, "two streams")
        check("keeps up" in page.inner_text(".page-answer"), page.inner_text(".page-answer"))
        page.goto("/streams/load")
        page.get_by_role("button", name="Pause").click()
        page.wait_for_selector("dialog >> text=Nothing is lost")
        check("sluice streams pause load" in page.inner_text("dialog"), "the command that does the same")
        page.locator("dialog").get_by_role("button", name="Pause", exact=True).click()
        page.wait_for_selector("text=Paused")
        send(c, *GOOD)
        wait_for("the page to tell what waits", lambda: number(page.inner_text("[data-live=lag]")) == 20)
        page.get_by_role("button", name="Resume").click()
        page.locator("dialog").get_by_role("button", name="Resume", exact=True).click()
        wait_for("it to keep up", lambda: number(page.inner_text("[data-live=lag]")) == 0)
        page.get_by_role("button", name="Reset").click()
        page.wait_for_selector("dialog >> text=40 records")
        axe(page, "reset")
        shot(page, "streams-reset", full=False)
        act = page.locator("dialog").get_by_role("button", name="Reset", exact=True)
        check(act.is_disabled(), "the name was not typed")
        page.locator("dialog input").fill("load")
        act.click()
        wait_for("all to be read again", lambda: c.get("streams/load")["stage"]["ledger"]["in"] == 40 and page.locator("dialog").count() == 0)


def test_a_dead_letter_is_seen_mended_and_replayed():
    with shop() as c:
        send(c, *GOOD)
        settled(c, 20)
        page = c.open("/streams?view=dead", ready="text=No dead letters.")
        send(c, {"id": 77, "name": "seven <b>", "price": -7})
        page.wait_for_selector(".table-row")  # it came by itself
        check("price > 0" in page.inner_text(".table-row"), page.inner_text(".table-row"))
        page.locator(".table-row").click()
        page.wait_for_selector("[aria-label=Letters] .table-row")
        check("stage=load" in page.url, page.url)
        page.locator("[aria-label=Letters] .table-row").click()
        field = page.get_by_label("Record", exact=True)
        field.wait_for()
        check(json.loads(field.input_value()) == {"id": 77, "name": "seven <b>", "price": -7}, field.input_value())
        check("row=" in page.url, "the address holds the letter")
        axe(page, "a letter")
        shot(page, "streams-letter")
        again = c.open(page.url.replace(c.url("/").rstrip("/"), ""), ready="textarea")  # a colleague opens the link
        check(json.loads(again.locator("textarea").input_value())["id"] == 77, "the link leads to the letter")
        field.fill(json.dumps({"id": 77, "name": "seven <b>", "price": 7}))
        check("sluice dead mend load" in page.inner_text(".streams-letter"), "the command that mends")
        page.get_by_role("button", name="Mend and replay").click()
        page.wait_for_selector("text=1 letter replayed, 1 good now")
        wait_for("the letter to be gone", lambda: page.locator("[aria-label=Letters] .table-row").count() == 0)
        page.goto("/tables/shop/orders?where=id+%3D+77")
        page.wait_for_selector(".table-row")
        check(page.locator(".table-row").count() == 1 and "seven <b>" in page.inner_text(".table-row"), page.inner_text(".table-row"))
        check(c.get("streams/load")["stage"]["ledger"]["dead"] == 0 and c.get("streams/load")["stage"]["balanced"], "the ledger")


def test_the_upgrade_preview_says_what_plan_says():
    with shop() as c:
        send(c, *GOOD)
        settled(c, 20)
        page = c.open("/streams?view=upgrade", ready="text=What is on disk is what runs.")
        (c.directory / "pipeline.sql").write_text(PIPELINE.replace("price > 0", "price > 1").replace("SELECT name, count(*) AS n", "SELECT name, count(*) AS n, max(CAST(price AS DOUBLE)) AS most"))
        page.get_by_role("button", name="Read pipeline.sql again").click()
        page.wait_for_selector("[data-stream=load][data-change=in_place] .is-new")
        check("price > 1" in page.inner_text("[data-stream=load] .is-new"), page.inner_text("[data-stream=load]"))
        check(page.locator("[data-stream=by_name][data-change=swap]").count() == 1, "the view is built anew")
        axe(page, "upgrade")
        shot(page, "streams-upgrade")


def test_letters_and_names_are_text():
    with shop() as c:
        send(c, *[{"id": 100 + i, "name": x, "price": -1} for i, x in enumerate(XSS)], *[{"id": x, "name": x, "price": 1} for x in XSS])
        settled(c, 2 * len(XSS))
        page = c.open("/streams/load?view=dead", ready=".table-row")
        check(page.locator(".table-row").count() == 2 * len(XSS), f"{page.locator('.table-row').count()}")
        for n in (0, len(XSS), 2 * len(XSS) - 1):
            page.locator(".table-row").nth(n).click()
            page.wait_for_selector("textarea")
            harmless(page)
        shot(page, "streams-xss")
        fits(page, "hostile letters")
        page.goto("/streams?view=dead")
        page.wait_for_selector(".table-row")
        harmless(page)


def test_a_viewer_may_look():
    class WithEve(Console):
        def up(self):
            made = run("users", "add", "eve", "--role", "viewer", "--project", self.directory, "--data", self.scratch / "data", stdin="only look\n")
            check(made.returncode == 0, made.stderr)
            return super().up()
    with shop(WithEve) as c:
        send(c, {"id": 1, "name": "x", "price": -1})
        settled(c, 1)
        page = c.open("/streams/load", ready=".streams-node", user=("eve", "only look"))
        check(page.get_by_role("button", name="Pause").is_disabled() and page.get_by_role("button", name="Reset").is_disabled(), "a viewer may act")


def test_streams_look():
    with shop() as c:
        send(c, *GOOD, {"id": 22, "name": "y", "price": -1}, {"id": 23, "name": "پروفایل 🚀 کاربران", "price": "free"})
        settled(c, 22)
        everywhere(c, "/streams", "streams", ready=".table-row")
        everywhere(c, "/streams/load", "streams-plan", ready=".streams-node")
        everywhere(c, "/streams/by_name", "streams-view", ready=".streams-node")
        everywhere(c, "/streams/load?view=ledger", "streams-ledger", ready=".streams-terms")


def test_streams_views_look():
    with shop() as c:
        send(c, *GOOD, {"id": 22, "name": "y", "price": -1}, {"id": 23, "name": "پروفایل 🚀 کاربران", "price": "free"})
        settled(c, 22)
        everywhere(c, "/streams/load?view=progress", "streams-progress", ready=".chart-box canvas")
        everywhere(c, "/streams/load?view=sql", "streams-sql", ready="pre")
        everywhere(c, "/streams?view=dead", "streams-dead", ready=".table-row")
        everywhere(c, "/streams?view=upgrade", "streams-upgrade-same", ready=".streams-verdict")
        axe(c.open("/streams/nobody", ready=".state-failed"), "an unknown stream")
