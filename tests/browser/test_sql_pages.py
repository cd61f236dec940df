"""Notebooks, dashboards and alerts in a browser: written, run, drawn, saved, told."""
import json

from browser import XSS as HOSTILE, Console, axe, everywhere, harmless, number, shot
from harness import check, wait_for

XSS = HOSTILE[0]


def rows(c):
    return c.server.query("SELECT count(*) AS n FROM worldwide_users.user_records")[0]["n"]


def test_a_notebook_is_written_run_drawn_kept_and_saved():
    with Console("users_records").filled(20) as c:
        (c.directory / "notebooks" / "users.ipynb").unlink()
        page = c.open("/notebooks", ready=".state-title")
        everywhere(c, "/notebooks", "notebooks-none", ready=".state-title", sizes=(("phone", True),))
        page.get_by_role("button", name="New notebook").first.click()
        page.get_by_label("Name", exact=True).fill("first look")
        page.get_by_role("button", name="Begin").click()
        page.wait_for_url(c.url("/notebooks/first%20look"))
        page.wait_for_selector(".nb-sql .editor.is-ready")
        page.locator(".nb-sql .cm-content").click()
        page.keyboard.press("Control+a")
        page.keyboard.type("SELECT gender, count(*) AS n FROM worldwide_users.user_records GROUP BY gender")
        page.keyboard.press("Escape")
        page.keyboard.press("Control+Enter")
        page.wait_for_selector(".nb-sql .table-row")
        page.get_by_label("Drawn as").select_option("bars")
        page.wait_for_selector(".nb-sql .bars li")
        shown = sum(number(t) for t in page.locator(".nb-sql .bars .num").all_inner_texts())
        check(0 < shown <= rows(c), f"{shown} of {rows(c)}")
        page.get_by_role("button", name="Live", exact=True).click()
        wait_for("a live cell follows", lambda: sum(number(t) for t in page.locator(".nb-sql .bars .num").all_inner_texts()) > shown)
        wait_for("it is kept", lambda: "Kept" in page.inner_text(".page-answer"))
        axe(page, "a notebook")
        shot(page, "notebook")
        file = json.loads((c.directory / "notebooks" / "first look.ipynb").read_text())
        check(file["nbformat"] == 4 and any("GROUP BY gender" in "".join(x["source"]) for x in file["cells"]), f"{file}")
        with page.expect_download() as got:
            page.get_by_role("button", name="Save as .ipynb").click()
        check(json.loads(open(got.value.path()).read())["nbformat"] == 4, "saved")
        everywhere(c, "/notebooks/first%20look", "notebook", ready=".nb-sql .bars li")


def test_a_live_statement_shows_records_as_they_come():
    with Console("users_records").filled(20) as c:
        content = {"nbformat": 4, "nbformat_minor": 5, "metadata": {}, "cells": [
            {"cell_type": "markdown", "id": "m", "metadata": {}, "source": [f"# {XSS} \n\n[x](javascript:alert(1))"]},
            {"cell_type": "code", "id": "c", "metadata": {}, "execution_count": None, "outputs": [], "source": [f"SELECT nat, '{XSS}' AS x FROM user_records EMIT CHANGES"]}]}
        status, got = c.ask("PUT", "notebooks/watch", {"content": content})
        check(status == 200, f"{got}")
        page = c.open("/notebooks/watch", ready=".nb-sql .editor.is-ready")
        page.get_by_role("button", name="Watch").click()
        page.wait_for_selector(".nb-sql .table-row")
        harmless(page)
        page.get_by_role("button", name="Stop").click()
        page.wait_for_selector("button:has-text('Watch')")


def test_a_cell_is_promoted_to_a_stream_and_its_rows_come():
    with Console("users_records").filled(20) as c:
        cells = [{"cell_type": "code", "id": "c", "metadata": {}, "execution_count": None, "outputs": [],
                  "source": ["SELECT login.uuid AS id, name.first AS first_name, dob.age AS age, nat FROM user_records EMIT CHANGES"]}]
        check(c.ask("PUT", "notebooks/look", {"content": {"nbformat": 4, "nbformat_minor": 5, "metadata": {}, "cells": cells}})[0] == 200, "made")
        before = (c.directory / "pipeline.sql").read_text()
        page = c.open("/notebooks/look", ready=".nb-sql .editor.is-ready")
        page.get_by_role("button", name="Promote").click()
        page.get_by_label("Name", exact=True).fill("promoted")
        page.get_by_label("Table", exact=True).fill("spark_streams.promoted")
        page.wait_for_selector("dialog .editor.is-ready")
        page.wait_for_selector("dialog :text('The plan has no error')")
        editor = page.locator("dialog .cm-content")
        check("CREATE STREAM promoted INTO spark_streams.promoted AS" in editor.inner_text(), editor.inner_text())
        key = page.get_by_role("group", name="What tells rows apart (the key)")
        check(key.get_by_role("checkbox", checked=True).count() == 1, "the id is the key")
        key.get_by_label("nat", exact=False).check()
        wait_for("the chosen key", lambda: "PRIMARY KEY (id, nat)" in editor.inner_text())
        key.get_by_label("nat", exact=False).uncheck()
        wait_for("the key again", lambda: "PRIMARY KEY (id)" in editor.inner_text())
        page.wait_for_selector("dialog :text('The plan has no error')")
        axe(page, "the promotion")
        shot(page, "promote")
        go = page.get_by_role("button", name="Write and run the stream")
        editor.click()
        page.keyboard.press("Control+Home")
        page.keyboard.type("CREATE STREAM oops INTO spark_streams.nowhere AS SELECT 1 AS a FROM user_records;\n")
        page.wait_for_selector("dialog .finding.is-error")
        check(go.is_disabled(), "with a mistake nothing is written")
        shot(page, "promote-mistake")
        page.keyboard.press("Control+z")
        page.get_by_label("Name", exact=True).fill("promoted_people")
        wait_for("drafted anew", lambda: "CREATE STREAM promoted_people" in editor.inner_text() and "oops" not in editor.inner_text())
        page.wait_for_selector("dialog :text('The plan has no error')")
        check((c.directory / "pipeline.sql").read_text() == before, "until then the file is as it was")
        go.click()
        page.wait_for_selector("dialog :text('It runs')")
        after = (c.directory / "pipeline.sql").read_text()
        check(after.startswith(before) and "CREATE TABLE spark_streams.promoted (\n    id uuid,\n    first_name text,\n    age bigint,\n    nat text,\n    PRIMARY KEY (id)\n);" in after, after[len(before):])
        wait_for("its rows", lambda: c.server.query("SELECT count(*) AS n FROM spark_streams.promoted")[0]["n"] >= 20, 60)
        stage = next(s for s in c.get("streams") if s["name"] == "promoted_people")
        check(stage["state"] in ("running", "waiting") and stage["balanced"], f"{stage}")
        axe(page, "it runs")
        page.get_by_role("link", name="promoted_people").click()
        page.wait_for_url(c.url("/streams/promoted_people"))
        everywhere(c, "/streams/promoted_people", "promoted-stream", ready="h1", sizes=(("wide", False),))
        page = c.open("/notebooks/look", ready=".nb-sql .editor.is-ready", size="phone", dark=True)
        page.get_by_role("button", name="Promote").click()
        page.get_by_role("button", name="Materialized view").click()
        page.get_by_label("Name", exact=True).fill("latest_people")
        page.wait_for_selector("dialog :text('The plan has')")
        axe(page, "the promotion on a phone")
        shot(page, "promote-phone-dark", full=False)


def test_somebody_else_s_change_is_not_overwritten():
    with Console("users_records").filled() as c:
        cell = {"cell_type": "markdown", "id": "m", "metadata": {}, "source": ["one"]}
        book = {"nbformat": 4, "nbformat_minor": 5, "metadata": {}, "cells": [cell]}
        check(c.ask("PUT", "notebooks/ours", {"content": book})[0] == 200, "made")
        page = c.open("/notebooks/ours", ready=".nb-markdown")
        cell["source"] = ["theirs"]
        read = c.get("notebooks/ours")
        check(c.ask("PUT", "notebooks/ours", {"content": book, "version": read["version"]})[0] == 200, "changed by another")
        page.get_by_role("button", name="Edit").first.click()
        page.wait_for_selector(".nb-markdown .editor.is-ready")
        page.locator(".nb-markdown .cm-content").click()
        page.keyboard.type("mine ")
        page.wait_for_selector("dialog")
        page.get_by_role("button", name="Keep mine as a copy").click()
        wait_for("the copy", lambda: (c.directory / "notebooks" / "ours (mine).ipynb").exists())
        check("theirs" in (c.directory / "notebooks" / "ours.ipynb").read_text(), "theirs stands")


def test_the_users_dashboard_is_live_filtered_and_saved():
    with Console("users_records").filled(40) as c:
        page = c.open("/dashboards/users", ready=".result-number")
        page.wait_for_selector(".map path.map-some")
        wait_for("the portraits, from this host", lambda: page.locator(".cards img").evaluate_all("l => l.length > 0 && l.every(i => i.naturalWidth > 0 && new URL(i.src).origin === location.origin)"))
        titles = page.locator(".widget h2").all_inner_texts()
        check(titles == ["People", "Gender", "Ages", "Arrivals a minute", "Where they live", "Latest"], f"{titles}")
        people = lambda: number(page.inner_text(".result-number").split()[0])
        first = people()
        wait_for("it follows the table", lambda: people() > first)
        check(people() <= rows(c), f"{people()} of {rows(c)}")
        countries = c.post("sql", {"text": "SELECT country, count(*) AS n FROM worldwide_users.user_records GROUP BY country"})["results"][0]["rows"]
        wait_for("each country has its shade", lambda: page.locator(".map path.map-some").count() >= len(countries) - 1)
        genders = lambda: {r[0]: r[1] for r in c.post("sql", {"text": "SELECT gender, count(*) AS n FROM worldwide_users.user_records GROUP BY gender"})["results"][0]["rows"]}
        shown = lambda: {li.inner_text().split("\n")[0]: number(li.inner_text().split("\n")[-1]) for li in page.locator(".widget", has_text="Gender").first.locator(".bars li").all()}
        wait_for("bars of what the table has", lambda: (lambda before, now, after: before.keys() == now.keys() and all(int(before[k]) <= now[k] <= int(after[k]) for k in now))(genders(), shown(), genders()), 60)
        page.get_by_role("button", name="Full screen").click()
        wait_for("the board alone", lambda: page.evaluate("document.fullscreenElement?.classList.contains('board')"))
        shot(page, "dashboard-full-screen", full=False)
        page.keyboard.press("Escape")
        page.evaluate("document.fullscreenElement && document.exitFullscreen()")
        page.locator(".board-filters select").select_option("female")
        wait_for("the filter stands in the address", lambda: "f.gender=female" in page.url)
        wait_for("fewer people", lambda: 0 < people() < rows(c) * 0.8)
        chart = page.locator(".widget", has_text="Arrivals a minute").first
        for word, begins in (("PNG", b"\x89PNG"), ("CSV", b"minute,arrivals")):
            with page.expect_download() as got:
                chart.get_by_role("button", name=word, exact=True).click()
            check(open(got.value.path(), "rb").read().startswith(begins), word)
        with page.expect_download() as got:
            page.locator(".widget", has_text="Where they live").first.get_by_role("button", name="PNG", exact=True).click()
        check(open(got.value.path(), "rb").read().startswith(b"\x89PNG"), "the map as a picture")
        everywhere(c, "/dashboards/users", "dashboard", ready=".map path.map-some")


def test_a_chart_is_made_on_a_new_dashboard():
    with Console("users_records").filled() as c:
        page = c.open("/dashboards", ready=".table-row")
        page.get_by_role("button", name="New dashboard").first.click()
        page.get_by_label("Name", exact=True).fill("mine")
        page.get_by_role("button", name="Begin").click()
        page.get_by_role("button", name="Add a chart").click()
        page.wait_for_selector("dialog .editor.is-ready")
        page.get_by_label("Title").fill(XSS)
        page.locator("dialog .cm-content").click()
        page.keyboard.press("Control+a")
        page.keyboard.type("SELECT nat, count(*) AS n FROM worldwide_users.user_records GROUP BY nat")
        page.keyboard.press("Escape")
        page.get_by_role("button", name="Try it").click()
        page.wait_for_selector("dialog .table-row")
        page.get_by_label("Drawn as").select_option("bars")
        page.wait_for_selector("dialog .bars li")
        axe(page, "the chart's form")
        page.get_by_role("button", name="Keep", exact=True).click()
        page.wait_for_selector(".widget .bars li")
        harmless(page)
        board = json.loads((c.directory / "dashboards" / "mine.json").read_text())
        check(board["widgets"][0]["drawing"]["kind"] == "bars", f"{board}")


def test_a_rule_fires_before_ones_eyes_and_is_muted():
    with Console("users_records", sets=("alerts.every=300",)).filled(20) as c:
        page = c.open("/alerts", ready=".table-row")
        page.get_by_role("button", name="New rule").click()
        page.get_by_label("Name", exact=True).fill(XSS)
        page.get_by_label("Watches").select_option("sql")
        page.get_by_label("Query").fill("SELECT count(*) AS n FROM worldwide_users.user_records")
        page.get_by_label("Limit").fill("10")
        axe(page, "the rule's form")
        page.get_by_role("button", name="Keep", exact=True).click()
        page.wait_for_selector(".table-row:has-text('firing')")
        check("1 rule fires" in page.inner_text(".page-answer"), page.inner_text(".page-answer"))
        check(sum(r["state"] == "firing" for r in c.get("alerts")["rules"]) == 1, "as the API says")
        harmless(page)
        page.locator(".table-row", has_text="firing").first.click()
        page.get_by_role("button", name="Mute 1 h").click()
        page.wait_for_selector("button:has-text('Tell again')")
        axe(page, "a rule")
        shot(page, "alert-rule")
        page.goto(c.url("/alerts?view=history"))
        page.wait_for_selector(".table-row:has-text('firing')")
        everywhere(c, "/alerts", "alerts", ready=".table-row")
        everywhere(c, "/alerts?view=receivers", "receivers", ready=".state-title", sizes=(("phone", False),))
