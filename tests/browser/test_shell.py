"""The console's frame: logging in and out, finding, keys, colours, a phone, a server that goes away."""
from browser import Console, axe, everywhere, fits, shot, weight
from harness import check, project, wait_for

QUIET = "CREATE TOPIC people WITH (partitions = 1);\n"


def quiet(console_of=Console, **more):
    """A project where nothing moves."""
    import pathlib
    import tempfile
    place = pathlib.Path(tempfile.mkdtemp(prefix="sluice-quiet-"))
    return console_of(directory=project(place / "quiet", QUIET), **more)


def enter(page, name, password):
    page.get_by_label("Name").fill(name)
    page.get_by_label("Password").fill(password)
    page.get_by_role("button", name="Log in").click()


def test_login_and_logout():
    with quiet() as c:
        context = c.context(login=False)
        page = c.open("/topics?q=a", ready="form.login", context=context)
        check(page.title() == "Log in · Sluice", page.title())
        check(page.evaluate("document.activeElement.matches('input')"), "the name's field has the focus")
        axe(page, "login")
        shot(page, "login-wide")
        enter(page, "admin", "wrong")
        page.wait_for_selector(".login-wrong")
        check("admin" == page.get_by_label("Name").input_value(), "the name stays")
        axe(page, "login refused")
        shot(page, "login-refused")
        enter(page, "admin", "admin")
        page.wait_for_selector(".shell")
        check(page.url == c.url("/topics?q=a"), f"the address is kept: {page.url}")
        cookies = context.cookies()
        check(len(cookies) == 1 and cookies[0]["httpOnly"] and cookies[0]["sameSite"] == "Strict", f"{cookies}")
        check(page.evaluate("document.cookie") == "", "the session's cookie is not the page's to read")
        note = page.locator(".note")
        check("every tutorial knows" in note.inner_text() and note.get_by_role("link", name="Change it").get_attribute("href") == "/system?view=users", note.inner_text())
        page.get_by_role("button", name="Later").click()
        check(note.count() == 0, "the nudge can be put off")
        page.get_by_role("button", name="Logged in as admin").click()
        page.get_by_role("button", name="Log out").click()
        page.wait_for_selector("form.login")
        check(context.cookies() == [] or context.request.get("/api/console/session").status == 401, "the session has ended")


def test_login_in_dark_and_on_a_phone():
    with quiet() as c:
        for size, dark in (("wide", True), ("phone", False)):
            page = c.open("/", ready="form.login", context=c.context(size, dark, login=False))
            shot(page, f"login-{size}{'-dark' if dark else ''}")
            fits(page, "login")
            axe(page, "login")


def test_a_session_that_ended_leads_to_the_login_and_back():
    with quiet() as c:
        context = c.context()
        page = c.open("/", ready=".shell", context=context)
        context.clear_cookies()
        page.get_by_role("button", name="Logged in as admin").click()
        page.get_by_role("button", name="Log out").click()  # whatever is asked next tells that nobody is logged in
        page.wait_for_selector("form.login")
        enter(page, "admin", "admin")
        page.wait_for_selector(".shell")


def test_the_palette_finds():
    with quiet() as c:
        page = c.open("/", ready=".shell")
        page.keyboard.press("Control+k")
        page.wait_for_selector("dialog.palette[open]")
        check(page.evaluate("document.activeElement.getAttribute('role')") == "combobox", "its field has the focus")
        axe(page, "palette")
        page.keyboard.type("overv")
        first = page.locator(".palette-list [role=option]").first
        check("Overview" in first.inner_text() and first.get_attribute("aria-selected") == "true", first.inner_text())
        page.keyboard.press("Escape")
        page.wait_for_selector("dialog.palette", state="detached")
        page.goto("/nowhere")
        page.wait_for_selector("h1:has-text('Not found')")
        page.keyboard.press("Control+k")
        page.keyboard.type("overview")
        page.keyboard.press("Enter")
        page.wait_for_url(c.url("/"))


def test_keys():
    with quiet() as c:
        page = c.open("/nowhere", ready=".shell")
        page.keyboard.press("?")
        page.wait_for_selector(".key-sheet")
        said = page.inner_text(".key-sheet")
        check("find anything" in said and "Overview" in said, said)
        axe(page, "keys")
        shot(page, "keys", full=False)
        page.keyboard.press("Escape")
        page.wait_for_selector(".key-sheet", state="detached")
        page.keyboard.press("g")
        page.keyboard.press("o")
        page.wait_for_url(c.url("/"))
        page.goto("/")
        page.wait_for_selector(".shell")
        page.keyboard.press("Tab")
        check(page.evaluate("document.activeElement.className") == "skip", page.evaluate("document.activeElement.outerHTML"))
        page.keyboard.press("Enter")
        check(page.evaluate("document.activeElement.id") == "main", "the way past the navigation leads to the content")


def test_colours_are_kept():
    with quiet() as c:
        context = c.context()
        page = c.open("/", ready=".shell", context=context)
        paper = lambda p: p.evaluate("getComputedStyle(document.documentElement).backgroundColor")
        light = paper(page)
        button = page.get_by_role("button", name="Colours")
        button.click()  # light
        check(paper(page) == light, "light as the system has it")
        button.click()  # dark
        wait_for("dark colours", lambda: paper(page) != light)
        dark = paper(page)
        page.reload()
        page.wait_for_selector(".shell")
        check(paper(page) == dark, "they are kept")
        system = c.open("/", ready=".shell", dark=True)
        check(paper(system) == dark, "and as the system says where nobody chose")


def test_a_phone_has_the_navigation_in_a_drawer():
    with quiet() as c:
        page = c.open("/", ready=".shell", size="phone")
        nav = page.get_by_role("navigation", name="Pages")
        check(not nav.is_visible(), "it is away at first")
        page.get_by_role("button", name="Navigation").click()
        check(nav.is_visible(), "it comes")
        axe(page, "drawer")
        shot(page, "drawer-phone", full=False)
        page.keyboard.press("Escape")
        check(not nav.is_visible(), "it goes")
        fits(page, "the shell")


def test_no_page_at_an_address():
    with quiet() as c:
        everywhere(c, "/nowhere/at/all", "not-found", ready="h1:has-text('Not found')")


def test_a_server_that_goes_away_and_comes_back():
    with Console("users_records") as c:
        c.filled()
        page = c.open("/", ready=".part")
        page.wait_for_selector(".top-link:has-text('live')")
        rate = page.locator(".part-rate .live").first
        style = lambda: rate.evaluate("e => [getComputedStyle(e).fontStyle, getComputedStyle(e).color]")
        grey = page.evaluate("() => { const e = document.createElement('p'); e.style.color = 'var(--ink-3)'; document.body.append(e); const c = getComputedStyle(e).color; e.remove(); return c; }")
        check(style()[0] == "normal", style())  # a rate of nothing has that grey as it is
        c.server.stop()
        page.wait_for_selector(".note-bad[role=alert]")
        said = page.inner_text(".note-bad")
        check("Not connected since" in said, said)
        wait_for("live numbers to be grey", lambda: style() == ["italic", grey])
        axe(page, "not connected")
        shot(page, "lost-wide", full=False)
        c.restart()
        page.wait_for_selector(".note-bad", state="detached", timeout=60_000)
        page.wait_for_selector(".top-link:has-text('live')")
        check(page.locator("form.login").count() == 0, "the session outlives a restart")


def test_first_paint_waits_for_little():
    """What a first paint waits for, counted, not timed (bench/run console times it): the document with its picture and two small files; all that the page
    needs to go on is named in the document, so that one thing waits for another only once before the data is asked for."""
    with Console("users_records") as c:
        c.filled()
        still = c.context(java_script_enabled=False)
        for path, title in (("/", "Overview"), ("/topics/user_records", "Topics"), ("/workflows", "Workflows"), ("/nowhere", None)):
            page = c.open(path, ready=".nav a", context=still)
            check(page.locator(".nav a").count() >= 10 and page.locator(".nav a[aria-current]").count() == (title is not None), f"{path}: {page.inner_text('.nav')}")
            check(title is None or (page.inner_text("h1") == title and page.title().startswith(title)), f"{path}: the document's own picture has no title")
            page.close()
        page = c.open("/", ready="h1", context=c.context(login=False, java_script_enabled=False))
        check(page.inner_text("h1") == "Sluice" and page.locator(".nav").count() == 0, "nobody is logged in: no navigation")
        for path, ready in (("/", ".part"), ("/topics", ".table-row"), ("/streams", ".table-row"), ("/workflows", ".table-row")):
            context = c.context()
            page = c.open(path, ready=ready, context=context)
            got = page.evaluate("performance.getEntriesByType('resource').map(e => ({path: new URL(e.name).pathname, blocks: e.renderBlockingStatus === 'blocking', bytes: e.transferSize}))")
            document = context.request.get(path).text()
            blocking = [e for e in got if e["blocks"]]
            before = sum(e["bytes"] for e in blocking) + page.evaluate("performance.getEntriesByType('navigation')[0].transferSize")
            check(len(blocking) == 2 and 2000 < before < 12_000, f"{path}: {before} bytes in {blocking} before the first paint")
            late = [e["path"] for e in got if e["path"].startswith("/assets/") and e["path"] not in document]
            check(not late, f"{path} needs {late}, and the document does not name them")
            check([e["path"] for e in got].count("/api/console/session") == 1, f"{path}: the session is asked for once: {got}")
            heavy = weight(page)
            print(f"{path}: {before} bytes before the first paint, {heavy} in all, {len(got)} requests")
            check(heavy < 120_000, f"{path}: {heavy} bytes over the wire")
            context.close()
            c.contexts.remove(context)
