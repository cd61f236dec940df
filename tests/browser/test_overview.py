"""The overview: the pipeline as the API tells it, drawn."""
import json

from browser import XSS, Console, axe, everywhere, fits, harmless, number, shot
from harness import check, project, wait_for

TERMS = ("in", "applied", "filtered", "deduplicated", "late", "dead", "expired", "held")


def shown(page):
    return {t: number(page.inner_text(f".overview-sum [data-term={t}]")) for t in TERMS if page.locator(f".overview-sum [data-term={t}]").count()}


def test_the_picture_is_what_the_api_tells():
    with Console("users_records") as c:
        c.filled()
        page = c.open("/", ready=".part")
        told = c.get("overview")
        names = {p["name"].split(".")[-1] if p["kind"] == "table" else p["name"] for p in told["parts"]}
        drawn = set(page.locator(".part-name").all_inner_texts())
        check(drawn == names, f"{drawn} {names}")
        lines = page.locator(".overview-lines .line").count()
        check(lines == len(told["edges"]), f"{lines} lines, {len(told['edges'])} edges")
        links = {a.get_attribute("href") for a in page.locator("a.part").all()}
        check({"/topics/" + p["name"] for p in told["parts"] if p["kind"] == "topic"} <= links, f"{links}")


def test_the_sum_is_the_ledger_and_moves_by_itself():
    with Console("users_records") as c:
        c.filled()
        page = c.open("/", ready=".overview-sum")

        def same():
            before, seen, after = c.get("overview")["ledger"], shown(page), c.get("overview")["ledger"]
            return all(before[t] <= seen[t] <= after[t] for t in seen) and seen["in"] == sum(n for t, n in seen.items() if t != "in") and seen
        first = wait_for("the page to say what the API says", same, 60)
        wait_for("the sum to grow without a reload", lambda: shown(page)["in"] > first["in"], 60)


def test_parts_are_links_and_keys_walk_them():
    with Console("users_records") as c:
        c.filled()
        page = c.open("/", ready=".part")
        page.keyboard.press("j")
        check(page.evaluate("document.activeElement.matches('a.part')"), "j goes to the first part")
        first = page.evaluate("document.activeElement.getAttribute('href')")
        page.keyboard.press("j")
        check(page.evaluate("document.activeElement.getAttribute('href')") != first, "and on")
        page.keyboard.press("k")
        page.keyboard.press("Enter")
        page.wait_for_url(c.url(first))


def test_a_record_is_traced_through_the_picture():
    with Console("users_records") as c:
        c.filled()
        page = c.open("/topics/user_records?start=oldest", ready=".table-row")
        page.locator("[aria-label=Messages] .table-row").first.click()
        page.get_by_role("link", name="Trace it through the pipeline").click()
        page.wait_for_selector(".stack[aria-busy=false] .why-steps li")
        check("/?trace=user_records" in page.url, page.url)
        topic, partition, offset = page.url.split("trace=")[1].replace("%2F", "/").split("&")[0].split("/")
        r = c.server.command("why", topic, partition, offset, "--json")
        told = [json.loads(line) for line in r.stdout.splitlines()]
        check([s["text"] for s in told] == page.locator(".why-text").all_inner_texts(), "the steps are those of sluice why")
        edges = c.get("overview")["edges"]
        streams = {s["stream"] for s in told if s.get("stream")}
        through = {s["stream"] for s in told if s["step"] in ("in the table", "overwritten", "not in the table", "into", "effect")}
        wanted = {f for f, t in edges if t == f"topic:{topic}" and f.startswith("source:")} | {f"topic:{topic}"} | {f"stream:{s}" for s in streams} | {t for f, t in edges if f[7:] in through and f.startswith("stream:")}
        names = {i.split(":", 1)[1].split(".")[-1] for i in wanted}
        drawn = set(page.locator(".part.is-way .part-name").all_inner_texts())
        check(drawn == names and streams and through, f"{drawn} {names} {told}")
        check(page.locator(".line-way").count() == page.locator(".way-dot").count() >= 2, "a line each step of the way, and the record on it")
        check(page.locator(".way-dot").first.evaluate("e => getComputedStyle(e).opacity") == "0", "still under reduced motion")
        page.reload()
        page.wait_for_selector(".stack[aria-busy=false] .why-steps li")
        check(set(page.locator(".part.is-way .part-name").all_inner_texts()) == names, "the address bar holds it")
        page.get_by_role("button", name="Show all").click()
        page.wait_for_selector(".is-traced", state="detached")
        check(page.url == c.url("/"), page.url)
        moving = c.open(f"/?trace={topic}/{partition}/{offset}", ready=".stack[aria-busy=false] .why-steps li", context=c.context(motion=True))
        moving.wait_for_selector(".way-dot", state="attached")
        check(moving.locator(".way-dot").first.evaluate("e => getComputedStyle(e).animationName") == "way", "it moves where motion is wanted")
        everywhere(c, f"/?trace={topic}/{partition}/{offset}", "overview-trace", ready=".stack[aria-busy=false] .why-steps li")


def test_as_a_list():
    with Console("users_records") as c:
        c.filled()
        page = c.open("/", ready=".part")
        page.get_by_role("button", name="List").click()
        page.wait_for_selector(".overview-list")
        check(page.url == c.url("/?as=list"), page.url)
        listed = page.locator(".item").count()
        check(listed == len(c.get("overview")["parts"]), f"{listed}")
        phone = c.open("/", ready=".item", size="phone")
        check(phone.locator(".part").count() == 0, "a phone has the list")


def test_looks():
    with Console("users_records") as c:
        c.filled()
        everywhere(c, "/", "overview", ready=".part, .item")


WRONG = """CREATE SOURCE broken FROM GENERATOR WITH (rate = '5/s') INTO TOPIC people_with_a_very_long_name_that_no_box_can_hold_on_any_screen;
CREATE TABLE shop.people (id TEXT PRIMARY KEY, name TEXT);
CREATE STREAM keep_people INTO shop.people AS SELECT login.uuid AS id, name.first AS name FROM people_with_a_very_long_name_that_no_box_can_hold_on_any_screen CHECK (gender = 'none of those') ELSE DEAD LETTER;
"""


def test_dead_letters_are_the_thing_in_colour():
    import pathlib
    import tempfile
    place = pathlib.Path(tempfile.mkdtemp(prefix="sluice-wrong-"))
    with Console(directory=project(place / "wrong", WRONG)) as c:
        wait_for("dead letters", lambda: c.get("overview")["ledger"]["dead"] > 3, 60)
        page = c.open("/", ready=".part-dead")
        axe(page, "dead letters")
        fits(page)
        shot(page, "overview-dead")
        check(page.locator(".overview-sum .is-wrong").count() == 1, "the sum shows them")


FAILING = """goes_wrong:
  schedule: '@once'
  start_date: 2024-01-01
  tasks:
    no: {bash: 'exit 3', retries: 0}
"""


def test_a_dag_that_failed_is_told():
    import pathlib
    import tempfile
    place = pathlib.Path(tempfile.mkdtemp(prefix="sluice-dag-"))
    project(place / "dag", "CREATE TOPIC people;\n")
    (place / "dag" / "dags.yaml").write_text(FAILING)
    with Console(directory=place / "dag") as c:
        page = c.open("/", ready=".part-dag.part-bad")
        check("goes_wrong" in page.inner_text(".overview-wrong") and "failed" in page.inner_text(".overview-wrong"), page.inner_text(".overview-wrong"))
        shot(page, "overview-dag-failed")
        axe(page, "a failed dag")
        page.click(".part-dag")
        page.wait_for_url(c.url("/workflows/goes_wrong"))


def test_names_are_text():
    """A dag's name is what people write as they like."""
    import json
    import pathlib
    import tempfile
    place = pathlib.Path(tempfile.mkdtemp(prefix="sluice-xss-"))
    project(place / "xss", "CREATE TOPIC people;\n")
    with Console(directory=place / "xss") as c:
        told = c.get("overview")
        names = [*XSS, "پروفایل کاربران", "🚀 launch", "x" * 300, "‮evil"]
        told["parts"] = [{"id": f"{k}:{n}", "kind": k, "name": n, "rate": 1e12, "lag": 10 ** 15, "dead": 7, "state": n, "trouble": n}
                         for i, n in enumerate(names) for k in {("source", "topic", "stream", "table")[i % 4], "dag"}]
        ids = [p["id"] for p in told["parts"]]
        told["edges"] = [[a, b] for a, b in zip(ids, ids[1:])]
        for size in ("wide", "phone"):
            context = c.context(size)
            event = f"event: overview\ndata: {json.dumps(told)}\n\n"
            context.route("**/api/console/live*", lambda r: r.fulfill(status=200, content_type="text/event-stream", body=event))
            page = c.open("/", ready=".part, .item", context=context)
            harmless(page)
            fits(page, "names")
            shot(page, f"overview-names-{size}")
            axe(page, "names")
            context.close()
            c.contexts.remove(context)


def test_two_hundred_parts():
    """A large pipeline is placed in an instant, and can be read."""
    import json
    import pathlib
    import tempfile
    place = pathlib.Path(tempfile.mkdtemp(prefix="sluice-large-"))
    with Console(directory=project(place / "large", "CREATE TOPIC people;\n")) as c:
        told = c.get("overview")
        kinds = ["source", "topic", "stream", "table"]
        told["parts"] = [{"id": f"{k}:{k}_{i}", "kind": k, "name": f"{k}_{i}", "rate": i, "lag": None, "dead": None, "state": "running", "trouble": None} for i in range(50) for k in kinds]
        told["edges"] = [[f"{a}:{a}_{i}", f"{b}:{b}_{i if a != 'topic' else i * 7 % 50}"] for i in range(50) for a, b in zip(kinds, kinds[1:])]
        context = c.context()
        context.route("**/api/console/live*", lambda r: r.fulfill(status=200, content_type="text/event-stream", body=f"event: overview\ndata: {json.dumps(told)}\n\n"))
        page = c.open("/", ready=".part", context=context)
        check(page.locator(".part").count() == 200, "all are drawn")
        shot(page, "overview-large")
        boxes = page.evaluate("[...document.querySelectorAll('.overview-picture .part')].map(e => { const r = e.getBoundingClientRect(); return [r.left, r.top, r.right, r.bottom] })")
        over = [(a, b) for i, a in enumerate(boxes) for b in boxes[:i] if a[0] < b[2] - 1 and b[0] < a[2] - 1 and a[1] < b[3] - 1 and b[1] < a[3] - 1]
        check(not over, f"boxes lie on each other: {over[:3]}")
