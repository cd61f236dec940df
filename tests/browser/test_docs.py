"""The documentation in a browser: found by its words, read, every page whole."""
from browser import Console, everywhere, harmless, fits
from harness import ROOT, check, folder, project, wait_for

QUIET = "CREATE TOPIC people WITH (partitions = 1);\n"


def opened(f):
    return Console(directory=project(f / "quiet", QUIET))


def seen(page, selector):
    """Is it on screen, not only in the document?"""
    return page.evaluate("s => { const r = document.querySelector(s)?.getBoundingClientRect(); return !!r && r.top >= 0 && r.bottom <= innerHeight; }", selector)


def test_docs_are_found_by_words_from_the_palette():
    with folder() as f, opened(f) as c:
        page = c.open("/", ready=".shell")
        page.keyboard.press("Control+k")
        page.keyboard.type("late rows")
        first = page.locator(".palette-list [role=option]:has(.palette-kind:text-is('docs'))").first
        first.wait_for()
        title = first.locator(".palette-title").inner_text()
        first.click()
        page.wait_for_selector(".docs-found")
        check("/docs/" in page.url and "find=late" in page.url and title, page.url)
        said = page.inner_text(".docs-found").lower()
        heads = page.inner_text("h1").lower() + " " + title.lower()
        check(all(w in said + heads for w in ("late", "row")), said)
        wait_for("it to be in sight", lambda: seen(page, ".docs-found"), 10)
        page.reload()  # the address bar holds it
        page.wait_for_selector(".docs-found")
        check(page.inner_text(".docs-found").lower() == said, "the same after a reload")


def test_docs_search_and_read():
    with folder() as f, opened(f) as c:
        names = sorted(p.stem for p in (ROOT / "docs").glob("*.md"))
        page = c.open("/docs", ready=".docs-list li")
        check(page.locator(".docs-list li").count() == len(names), "all pages")
        page.keyboard.press("/")
        page.keyboard.type("dead letters")
        page.wait_for_selector("[role=status]:has-text('section')")
        check("q=dead" in page.url and page.locator(".docs-list li").count() > 3, page.url)
        page.locator(".docs-list a").first.click()
        page.wait_for_selector(".docs-found")
        page.go_back()
        page.wait_for_selector("[role=status]:has-text('section')")
        page.fill("input[type=search]", "no such elephants anywhere")
        page.wait_for_selector("text=No paragraph has all of")
        page.goto("/docs/console")
        page.locator(".docs-text a[href='/docs/console-api']").first.click()
        page.wait_for_url("**/docs/console-api")
        page.wait_for_selector(".docs-text h2")
        page.goto("/docs/nothing")
        page.wait_for_selector("text=there is no page 'nothing'")


def test_docs_pages_are_whole():
    with folder() as f, opened(f) as c:
        page = c.open("/docs", ready=".docs-list li")
        for name in sorted(p.stem for p in (ROOT / "docs").glob("*.md")):
            text = (ROOT / "docs" / f"{name}.md").read_text()
            page.goto(f"/docs/{name}")
            page.wait_for_selector(".docs-text > .markdown")
            fences, heads = text.count("\n```") // 2, 0
            outside = True
            for line in text.splitlines():
                if line.startswith("```"):
                    outside = not outside
                heads += outside and line.startswith("## ")
            check(page.locator(".docs-text h2").count() == heads, f"{name}: {page.locator('.docs-text h2').count()} of {heads} headings")
            check(page.locator(".docs-text pre").count() >= fences, f"{name}: {page.locator('.docs-text pre').count()} of {fences} examples")
            harmless(page)
            fits(page, f"docs/{name}")


def test_docs_look_right():
    with folder() as f, opened(f) as c:
        everywhere(c, "/docs", "docs", ".docs-list li")
        everywhere(c, "/docs?q=late+rows", "docs-found", "[role=status]")
        everywhere(c, "/docs/alerts?at=How+receivers+are+told&find=told", "docs-page", ".docs-found")
