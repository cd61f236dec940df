"""Tables in a browser: paging through many rows, a condition, one row and why it is there."""
import json
import pathlib
import tempfile

from browser import XSS, Console, axe, everywhere, fits, harmless, number, shot
from harness import check, project, wait_for

PIPELINE = """CREATE TOPIC orders WITH (partitions = 1);
CREATE TABLE shop.orders (id INT PRIMARY KEY, name TEXT, price DOUBLE);
CREATE STREAM load INTO shop.orders AS SELECT CAST(id AS INT) AS id, CAST(name AS TEXT) AS name, CAST(price AS DOUBLE) AS price FROM orders;
"""
MANY = """CREATE SOURCE numbers FROM GENERATOR WITH (results = 5000, records = 100000) INTO TOPIC people;
CREATE TABLE big.people (id TEXT PRIMARY KEY, name TEXT, country TEXT);
CREATE STREAM load INTO big.people AS SELECT login.uuid AS id, name.first AS name, location.country AS country FROM people;
"""


def shop(text=PIPELINE, **more):
    place = pathlib.Path(tempfile.mkdtemp(prefix="sluice-tables-"))
    return Console(directory=project(place / "shop", text), **more)


def filled(c, *records):
    for r in records:
        c.post("topics/orders/messages", {"value": json.dumps(r)})
    wait_for("every record to be accounted for", lambda: c.get("streams/load")["stage"]["ledger"]["in"] >= len(records), 60)


def test_why_a_row_is_there():
    with shop() as c:
        filled(c, *[{"id": n, "name": f"name {n}", "price": n / 2} for n in range(1, 8)])
        page = c.open("/tables", ready=".table-row")
        page.get_by_role("link", name="shop.orders").click()
        page.wait_for_selector("[aria-label=Rows] .table-row")
        check(page.locator("[aria-label=Rows] .table-row").count() == 7, "seven rows")
        field = page.get_by_label("Condition of CQL")
        page.keyboard.press("/")
        check(page.evaluate("document.activeElement.getAttribute('aria-label')") == "Condition of CQL", "/ goes to the condition")
        field.fill("id = 5")
        page.keyboard.press("Enter")
        wait_for("the condition to hold", lambda: page.locator("[aria-label=Rows] .table-row").count() == 1)
        page.locator("[aria-label=Rows] .table-row").click()
        page.get_by_role("button", name="Why this row?").click()
        page.wait_for_selector(".why-steps [data-step=record], .why-steps li:nth-child(3)")
        wait_for("the lineage", lambda: page.locator(".stack[aria-busy=false] .why-steps").count() == 1)
        shown = page.locator(".why-text").all_inner_texts()
        import base64
        import urllib.request
        r = urllib.request.Request(c.url("/api/console/why?keyspace=shop&table=orders&key=5"), headers={"Authorization": "Basic " + base64.b64encode(b"admin:admin").decode()})
        told = [json.loads(line)["step"]["text"] for line in urllib.request.urlopen(r, timeout=30).read().decode().splitlines() if "step" in json.loads(line)]
        check(shown == told and any("name 5" in t for t in told), f"{shown} {told}")
        check("sluice why shop.orders 5" in page.inner_text(".tables-why"), "the command that does the same")
        axe(page, "why")
        shot(page, "tables-why")
        link = page.url
        again = c.open(link.replace(c.url("/").rstrip("/"), ""), ready=".tables-cells")
        check("name 5" in again.inner_text(".tables-cells"), "the link leads to the row")
        page.goto("/tables/why?topic=orders&partition=0&offset=4")
        page.wait_for_selector(".why-steps li")
        check("load" in page.inner_text(".why-steps"), page.inner_text(".why-steps"))


def test_a_hundred_thousand_rows():
    with shop(MANY) as c:
        wait_for("the rows", lambda: c.get("streams/load")["stage"]["ledger"]["applied"] >= 100_000, 180)
        page = c.open("/tables/big/people", ready=".table-row")
        box = page.locator("[aria-label=Rows] .table-rows")

        def more():
            box.evaluate("b => b.scrollTop = b.scrollHeight")
            return number(page.inner_text(".table-count")) >= 20_000
        wait_for("pages to come while one scrolls", more, 120)
        drawn = page.locator(".table-row").count()
        check(drawn < 120, f"{drawn} rows are in the document")
        frames = page.evaluate("""() => new Promise(done => {
            const b = document.querySelector('[aria-label=Rows] .table-rows'), spent = []; let n = 0, last = performance.now();
            const step = () => { const t = performance.now(); spent.push(t - last); last = t; b.scrollTop = (n++ * 977 * 32) % (b.scrollHeight - 2000); n < 60 ? requestAnimationFrame(step) : done(spent.slice(5).sort((a, b) => a - b)); };
            requestAnimationFrame(step);
        })""")
        print(f"frames of a scroll over {page.inner_text('.table-count')} rows: median {frames[len(frames) // 2]:.0f} ms, slowest {frames[-1]:.0f} ms; {drawn} rows drawn")
        check("page=" in page.url, "the address holds the page")
        again = c.open(page.url.replace(c.url("/").rstrip("/"), ""), ready=".table-row")
        check(again.get_by_role("button", name="From the beginning").count() == 1, "the link begins in the middle")


def test_tables_are_emptied_only_where_nobody_writes():
    with shop() as c:
        filled(c, {"id": 1, "name": "x", "price": 1})
        c.server.query("CREATE TABLE shop.notes (id INT PRIMARY KEY, t TEXT)")
        c.server.query("INSERT INTO shop.notes (id, t) VALUES (1, 'one')")
        page = c.open("/tables/shop/orders", ready=".table-row")
        check(page.get_by_role("button", name="Truncate").is_disabled() and page.get_by_role("button", name="Drop").is_disabled(), "a stream writes it")
        page.goto("/tables/shop/notes")
        page.wait_for_selector(".table-row")
        page.get_by_role("button", name="Truncate").click()
        page.wait_for_selector("dialog >> text=1 row go")
        page.locator("dialog input").fill("notes")
        page.locator("dialog").get_by_role("button", name="Truncate", exact=True).click()
        page.wait_for_selector("text=shop.notes is empty.")
        page.wait_for_selector("text=No rows.")
        page.get_by_role("button", name="Drop").click()
        page.locator("dialog input").fill("notes")
        page.locator("dialog").get_by_role("button", name="Drop", exact=True).click()
        page.wait_for_url(c.url("/tables"))
        check(c.ask("GET", "tables/shop/notes")[0] == 404, "dropped")


def test_rows_are_text():
    with shop() as c:
        filled(c, *[{"id": i, "name": x, "price": 1} for i, x in enumerate([*XSS, "پروفایل کاربران", "🚀" * 40, "x" * 5000, "a\nb\tc", "‮evil"])])
        page = c.open("/tables/shop/orders", ready=".table-row")
        harmless(page)
        fits(page, "hostile rows")
        for n in range(page.locator(".table-row").count()):
            page.locator(".table-row").nth(n).click()
            page.wait_for_selector(".tables-cells")
            harmless(page)
        shot(page, "tables-xss")
        page.goto("/tables/shop/orders?where=nonsense")
        page.wait_for_selector(".state-failed")
        axe(page, "a wrong condition")


def test_tables_look():
    with shop() as c:
        filled(c, *[{"id": n, "name": f"name {n}", "price": n / 2} for n in range(1, 60)])
        everywhere(c, "/tables", "tables", ready=".table-row")
        everywhere(c, "/tables/shop/orders", "tables-rows", ready=".table-row")
        everywhere(c, "/tables/shop/orders?view=schema", "tables-schema", ready=".tables-columns")
        everywhere(c, "/tables/shop/orders?row=%5B%225%22%5D&why=1", "tables-row", ready=".why-steps li")
        everywhere(c, "/tables?show=system", "tables-system", ready=".table-row")
        everywhere(c, "/tables/system/local", "tables-virtual", ready=".table-row")
        axe(c.open("/tables/shop/nothing", ready=".state-failed"), "an unknown table")
