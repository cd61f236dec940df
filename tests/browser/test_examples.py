"""The five examples, click by click, as the last lines of their READMEs tell: log in, Overview, the topic's messages,
the dag run by hand and seen to succeed, Notebooks, Dashboards; and the rows that came, asked for in a notebook."""
from browser import TABLES, Console, number
from harness import EXAMPLES, check, wait_for

# the topic, the dag that a person starts by hand, and what its form is given so that it does not take minutes
EXAMPLE = {
    "user_automation": ("users_created", "user_automation", {"seconds": "12"}),
    "users_records": ("user_records", "kafka_streaming", {}),  # it publishes for two minutes
    "user_created": ("user_created", "user_created", {"messages": "7"}),
    "kafka_stream": ("users_created", "kafka_stream", {"seconds": "12"}),
    "minute_etl": ("users_created", "minute_etl", {}),
}


def go(page, name):
    page.get_by_role("navigation").get_by_role("link", name=name).first.click()
    page.wait_for_selector(f"h1:has-text('{name}')")


def rows(c):
    return c.server.query(f"SELECT count(*) AS n FROM {TABLES[c.example]}")[0]["n"]


def followed(c, topic, dag, form):
    page = c.open("/", ready="form.login", context=c.context(login=False))
    page.get_by_label("Name").fill("admin")
    page.get_by_label("Password").fill("admin")
    page.get_by_role("button", name="Log in").click()
    page.wait_for_selector(".shell")

    go(page, "Overview")
    for part in c.get("overview")["parts"]:
        page.locator(f".part-{part['kind']} .part-name", has_text=part["name"].split(".")[-1]).first.wait_for()

    go(page, "Workflows")
    page.get_by_role("link", name=dag, exact=True).click()
    page.wait_for_selector("h1")
    page.get_by_role("button", name="Trigger").click()
    page.wait_for_selector("dialog[open]")
    for field, value in form.items():
        page.locator("dialog").get_by_label(field).fill(value)
    page.get_by_label("Run id").fill("by_hand")
    page.locator("dialog button[type=submit]").click()
    page.wait_for_selector(".side h2 >> text=by_hand")
    page.wait_for_selector(".side .wf-state >> text=success", timeout=240_000)
    told = page.evaluate(f"fetch('/api/v2/dags/{dag}/dagRuns/by_hand').then(r => r.json())")  # Airflow's API takes the console's session
    check(told["state"] == "success", f"{told}")

    go(page, "Topics")
    page.get_by_role("link", name=topic, exact=True).click()
    page.wait_for_selector("[role=row][data-key]")
    wait_for("as many messages as the API counts", lambda: c.get(f"topics/{topic}")["records"] >= page.locator("[role=row][data-key]").count() > 0)
    wait_for("its people in the table", lambda: rows(c) > 0)

    go(page, "Notebooks")
    go(page, "Dashboards")
    return page


def each(name):
    def test():
        topic, dag, form = EXAMPLE[name]
        with Console(name, start_dags=False) as c:
            told = (EXAMPLES / name / "README.md").read_text()
            check(f"`{topic}`" in told and "`" + dag + "`" in told, f"{name}'s README names neither {topic} nor {dag}")
            page = followed(c, topic, dag, form)
            if name == "user_created":
                check(rows(c) >= 7, f"{rows(c)} rows of seven people and more")
            if name == "users_records":
                page.get_by_role("link", name="users").first.click()
                page.wait_for_selector(".result-number")
                wait_for("people", lambda: number(page.inner_text(".result-number").split()[0]) > 0)
                page.wait_for_selector(".map path.map-some")
                page.wait_for_selector(".cards img")
    test.__module__ = __name__
    return test


for example in EXAMPLE:
    globals()[f"test_example_{example}_as_its_readme_tells"] = each(example)
