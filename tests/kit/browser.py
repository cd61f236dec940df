"""A real Chromium in front of a real server: the console as a person sees it.

    with Console("users_records") as c:            # `sluice up` on a copy of an example, a browser, logged in
        page = c.open("/topics", ready=".table-row")
        check(page.inner_text("h1") == "Topics", …)
        topics = c.get("topics")                   # what the API says at the same time
        everywhere(c, "/topics", "topics", ready=".table-row")   # light, dark, phone: axe, looks, a picture

Pictures go to $SLUICE_SHOTS, or build/shots. A page that asks another host for something, throws, or logs an
error or a breach of its content policy fails its test when the Console closes.
"""
import atexit
import base64
import json
import os
import pathlib
import shutil
import sys
import tempfile
import urllib.error
import urllib.parse
import urllib.request

from engines import once, package, shell, venv
from harness import EXAMPLES, ROOT, Failed, Server, check, wait_for

AXE = "4.14.1"
# What the browser itself would do beside our pages. The first three are its address bar's own page, which takes 0.6 s of the processor for each window that opens; the
# others are what Playwright turns off: of two such lists the browser heeds the last one.
OFF = ["WebUIOmniboxPopup", "WebUIOmniboxFullPopup", "WebUIOmniboxAimPopup", "AvoidUnnecessaryBeforeUnloadCheckSync", "DestroyProfileOnBrowserClose", "HttpsUpgrades", "HttpsFirstBalancedModeAutoEnable",
       "LensOverlay", "MediaRouter", "PaintHolding", "ThirdPartyStoragePartitioning", "AvoidCorsURLLoaderRestartOnRedirect", "OptimizationHints", "NetworkTimeServiceQuerying", "AimEnabled",
       "PreconnectToSearch"]
SHOTS = pathlib.Path(os.environ.get("SLUICE_SHOTS", ROOT / "build" / "shots"))
SIZES = {"wide": {"width": 1280, "height": 800}, "phone": {"width": 390, "height": 844}}
TABLES = {"kafka_stream": "spark_streams.created_users", "minute_etl": "spark_streams.created_users", "user_automation": "spark_streams.created_users",
          "user_created": "spark_streams.created_users", "users_records": "worldwide_users.user_records"}

# What people and records may put into any name, value or text. Each would set window.pwned, were it ever markup or a script.
XSS = ['<img src=x onerror="window.pwned=1">', '"><svg onload=window.pwned=1>', "<script>window.pwned=1</script>", "javascript:window.pwned=1//",
       "'-window.pwned=1-'", "{{constructor.constructor('window.pwned=1')()}}", '[x](javascript:window.pwned=1)', "</textarea><details open ontoggle=window.pwned=1>"]


def axe_source():
    def make(folder):
        folder.mkdir(parents=True)
        package("npm", "npm", "nodejs")
        shell("fetching axe-core from npm", "npm", "install", "--no-audit", "--no-fund", "--ignore-scripts", "--prefix", folder, f"axe-core@{AXE}")
    return (once("axe-core", AXE, make) / "node_modules" / "axe-core" / "axe.min.js").read_text()


class Chromium:
    """One for all tests of a run; each Console has a context (cookies, storage) of its own."""
    browser = playwright = None

    @classmethod
    def get(cls):
        if cls.browser is None or not cls.browser.is_connected():
            python = venv("playwright")
            sys.path[:0] = [str(p) for p in pathlib.Path(python).parent.parent.glob("lib/python*/site-packages")]
            from playwright.sync_api import sync_playwright
            chromium = package("chromium", "chromium", "fonts-noto-color-emoji")
            cls.playwright = cls.playwright or sync_playwright().start()
            cls.browser = cls.playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox", "--disable-dev-shm-usage", "--enable-precise-memory-info", f"--disable-features={','.join(OFF)}"])
            atexit.register(cls.end)
        return cls.browser

    @classmethod
    def end(cls):
        if cls.browser:
            cls.browser.close()
            cls.playwright.stop()
            cls.browser = cls.playwright = None


class Console:
    def __init__(self, example=None, directory=None, sets=(), user=("admin", "admin"), start_dags=True):
        """`example`: one of examples/, copied; or `directory`: a project that is there already."""
        self.scratch = pathlib.Path(tempfile.mkdtemp(prefix="sluice-console-"))
        self.directory = pathlib.Path(directory) if directory else self.scratch / example
        self.user, self.sets, self.example = user, sets, example
        self.contexts, self.wrong = [], []
        if example:
            shutil.copytree(EXAMPLES / example, self.directory, ignore=shutil.ignore_patterns(".sluice"))
            dags = self.directory / "dags.yaml"  # what a person starts by hand starts here by itself
            if start_dags and dags.exists():
                dags.write_text(dags.read_text().replace("schedule: none", "schedule: '@once'\n  start_date: 2024-01-01"))
        self.server = self.up()
        self.port = int(self.server.field("console_port"))

    def up(self):
        return Server(self.directory, self.scratch / "data", sets=self.sets).ready()

    def restart(self):
        """Ends the server, if it runs, and starts it on the same port."""
        if self.server.process.poll() is None:
            self.server.stop()
        self.server.log.close()
        self.sets = [*[s for s in self.sets if not s.startswith("console.port=")], f"console.port={self.port}"]
        self.server = self.up()

    def filled(self, rows=3):
        """Waits for rows in the example's table."""
        wait_for("rows", lambda: self.server.query(f"SELECT count(*) AS n FROM {TABLES[self.example]}")[0]["n"] >= rows, 60)
        return self

    # --- the API, as a script asks it ---

    def ask(self, method, path, body=None, query=None, user=None):
        """(status, JSON) of a route; without a slash in front it is below /api/console/."""
        to = path if path.startswith("/") else f"/api/console/{path}"
        name, password = user or self.user
        r = urllib.request.Request(f"http://127.0.0.1:{self.port}{to}" + (f"?{urllib.parse.urlencode(query)}" if query else ""), method=method,
                                   data=None if body is None else json.dumps(body).encode(), headers={"Content-Type": "application/json"})
        r.add_header("Authorization", "Basic " + base64.b64encode(f"{name}:{password}".encode()).decode())
        try:
            with urllib.request.urlopen(r, timeout=30) as answer:
                status, text = answer.status, answer.read()
        except urllib.error.HTTPError as e:
            status, text = e.code, e.read()
        return status, json.loads(text) if text.strip() else None

    def get(self, path, **query):
        status, answer = self.ask("GET", path, query=query)
        check(status == 200, f"GET {path}: {status} {answer}")
        return answer

    def post(self, path, body=None):
        status, answer = self.ask("POST", path, body or {})
        check(status < 300, f"POST {path}: {status} {answer}")
        return answer

    # --- pages ---

    def url(self, path="/"):
        return f"http://127.0.0.1:{self.port}{path}"

    def context(self, size="wide", dark=False, login=True, user=None, motion=False, **more):
        context = Chromium.get().new_context(viewport=SIZES[size], color_scheme="dark" if dark else "light", reduced_motion="no-preference" if motion else "reduce",
                                             base_url=self.url().rstrip("/"), timezone_id="UTC", locale="en-US", **more)
        context.set_default_timeout(30_000)
        self.contexts.append(context)
        context.on("request", lambda r: r.url.startswith((self.url(), "data:", "blob:")) or self.wrong.append(f"asked another host: {r.url}"))
        context.on("weberror", lambda e: self.wrong.append(f"threw: {e.error}"))
        context.on("console", lambda m: self.heard(m))
        if login:
            name, password = user or self.user
            answer = context.request.post("/api/console/login", data={"name": name, "password": password})
            check(answer.ok, f"login as {name}: {answer.status} {answer.text()}")
        return context

    def heard(self, message):
        if message.type != "error" and "Content Security Policy" not in message.text:
            return
        if "Failed to load resource" in message.text or "net::ERR_" in message.text:
            return  # a status that the page shows in its own words, or a server that a test has stopped
        self.wrong.append(f"logged: {message.text}")

    def open(self, path="/", ready="h1", size="wide", dark=False, context=None, **more):
        """A page at a path, logged in; `ready` is a selector that tells it is there."""
        page = (context or self.context(size, dark, **more)).new_page()
        page.goto(path)
        page.wait_for_selector(ready, state="visible")
        return page

    def close(self):
        for context in self.contexts:
            context.close()
        self.contexts = []

    def __enter__(self):
        return self

    def __exit__(self, *failure):
        if failure[0]:
            self.keep_last()
        self.close()
        self.server.__exit__(*failure)
        shutil.rmtree(self.scratch, ignore_errors=True)
        if not failure[0]:
            check(not self.wrong, "\n".join(dict.fromkeys(self.wrong)))

    def keep_last(self):
        """The page that a test failed at."""
        SHOTS.mkdir(parents=True, exist_ok=True)
        for n, page in enumerate(p for c in self.contexts for p in c.pages):
            try:
                page.screenshot(path=SHOTS / f"failed-{n}.png")
                print(f"the page at {page.url}: {SHOTS / f'failed-{n}.png'}\n" + "\n".join(dict.fromkeys(self.wrong)))
            except Exception as e:  # the browser itself may be what failed
                print(f"no picture of {page.url}: {e}")


# --- what is asked of every page -----------------------------------------------------------------

def axe(page, name="the page"):
    """axe-core has nothing to say: WCAG 2.2 A and AA, and its best practices."""
    page.evaluate(axe_source() + "\n;0")
    found = page.evaluate("axe.run(document, {resultTypes: ['violations'], runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice']})")
    told = [f"{v['id']} ({v['impact']}): {v['help']}\n  " + "\n  ".join(f"{' '.join(map(str, n['target']))}: {n['failureSummary'].splitlines()[-1].strip()}" for n in v["nodes"][:5])
            for v in found["violations"]]
    check(not told, f"axe on {name}:\n" + "\n".join(told))


def fits(page, name="the page"):
    """Nothing makes the window scroll sideways."""
    wide = page.evaluate("""() => [document.documentElement.scrollWidth - window.innerWidth,
        [...document.querySelectorAll('body *')].filter(e => e.getBoundingClientRect().right > innerWidth + 1 && getComputedStyle(e).position !== 'fixed'
            && !e.closest('.table-rows, .scroll-x, .tabs, pre, .overview-scroll, dialog:not([open])')).slice(0, 3).map(e => e.tagName + '.' + e.className)]""")
    check(wide[0] <= 0, f"{name} is {wide[0]} px wider than the window: {wide[1]}")


def shot(page, name, full=True):
    SHOTS.mkdir(parents=True, exist_ok=True)
    page.screenshot(path=SHOTS / f"{name}.png", full_page=full)


def everywhere(console, path, name, ready="h1", act=None, sizes=(("wide", False), ("wide", True), ("phone", False))):
    """A page in light, dark and on a phone: axe, no sideways scrolling, a picture of each. `act(page)` brings it into a state."""
    for size, dark in sizes:
        context = console.context(size, dark)
        page = console.open(path, ready, context=context)
        if act:
            act(page)
        word = f"{name}-{size}{'-dark' if dark else ''}"
        shot(page, word)
        fits(page, word)
        axe(page, word)
        context.close()
        console.contexts.remove(context)


def harmless(page):
    """Nothing that a person or a record wrote has become markup or a script."""
    found = page.evaluate("""() => [window.pwned, document.querySelector('script:not([src]), [onerror], [onload], [ontoggle], [onclick], img[src="x"], iframe, a[href^="javascript:" i]')?.outerHTML ?? null]""")
    check(found == [None, None], f"{page.url}: {found}")


def weight(page):
    """Bytes over the wire of the page and what it fetched."""
    return page.evaluate("[...performance.getEntriesByType('navigation'), ...performance.getEntriesByType('resource')].reduce((a, e) => a + e.transferSize, 0)")


def number(text):
    """'120,394' -> 120394"""
    digits = text.replace(",", "").replace("−", "-").strip()
    try:
        return float(digits) if "." in digits else int(digits)
    except ValueError:
        raise Failed(f"'{text}' is not a number")
