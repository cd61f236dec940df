"""The notebook of an example in a real JupyterLab against a running Sluice, and on Sluice's own page.

JupyterLab, nbconvert, pandas and matplotlib come from PyPI, with the Cassandra driver and the Kafka client that the
notebook reads by; its kernel is their Python. Once as a person does it (Run, Run All Cells in a browser), once without one.
"""
import json
import os
import pathlib
import re
import subprocess
import tempfile
from html import unescape

import engines
from browser import Chromium, Console, axe, everywhere, harmless, number, shot
from harness import check, wait_for

TOKEN = "only-of-this-test"
engines.VENVS["jupyter"] = ["jupyterlab==4.6.6", "nbconvert==7.17.2", "ipykernel==7.4.0", "pandas==3.1.1", "matplotlib==3.11.2",
                            "cassandra-driver==3.29.2", "kafka-python==3.0.12", "lz4==4.4.5"]
CODE = {"count", "some", "frame", "ages", "kafka"}  # the cells that show something


def environment(c, place):
    """Of Jupyter: its own home, Sluice's ports, and no cell left out of the document because it is not on screen."""
    settings = pathlib.Path(place) / "settings" / "@jupyterlab" / "notebook-extension"
    settings.mkdir(parents=True)
    (settings / "tracker.jupyterlab-settings").write_text('{"windowingMode": "none"}')
    return {**os.environ, "HOME": str(place), "JUPYTERLAB_SETTINGS_DIR": str(pathlib.Path(place) / "settings"), "MPLCONFIGDIR": str(place),
            "SLUICE_CQL_PORT": c.server.field("cql_port"), "SLUICE_KAFKA_PORT": c.server.field("kafka_port")}


def texts(cell):
    """What a cell gave, as plain text; its failure fails the test."""
    wrong = [o for o in cell["outputs"] if o["output_type"] == "error"]
    check(not wrong, f"{cell['id']}: {[(o['ename'], o['evalue']) for o in wrong]}")
    return "\n".join("".join(o.get("data", {}).get("text/plain", o.get("text", ""))) for o in cell["outputs"])


def judge(book, table):
    """The outputs against the rows of the table, which has grown meanwhile: `table` is (before, now)."""
    cells = {x["id"]: x for x in book["cells"] if x["cell_type"] == "code"}
    told = {name: texts(x) for name, x in cells.items()}
    check(all(told[name] for name in CODE), f"{told}")
    counted = int(told["count"].split()[-1])
    check(table[0] <= counted <= table[1], f"counted {counted}, the table had {table[0]} and has {table[1]}")
    check(len(re.findall(r"^[0-4] ", told["some"], re.M)) == 5, told["some"])
    check("people" in told["frame"] and "age" in told["frame"], told["frame"])
    png = [o["data"]["image/png"] for o in cells["ages"]["outputs"] if "image/png" in o.get("data", {})]
    check(png and len(png[0]) > 2000, "the chart of ages")
    check("offset" in told["kafka"] and "first" in told["kafka"] and len(re.findall(r"^[0-2] ", told["kafka"], re.M)) == 3, told["kafka"])
    return counted, told


def total(c):
    return c.server.query("SELECT count(*) AS n FROM worldwide_users.user_records")[0]["n"]


def rows_of(c):
    """Every row by what the notebook's cell of five shows of it."""
    return {(r["first_name"], r["last_name"], r["country"], r["age"]) for r in c.server.query("SELECT first_name, last_name, country, age FROM worldwide_users.user_records")}


def test_the_users_notebook_runs_in_jupyterlab_by_a_browser():
    python = engines.venv("jupyter")
    with Console("users_records").filled(40) as c, tempfile.TemporaryDirectory() as place:
        before = total(c)
        log = open(pathlib.Path(place) / "log", "w+")
        lab = subprocess.Popen([python, "-m", "jupyterlab", "--no-browser", "--allow-root", "--ip=127.0.0.1", "--port=0", "--ServerApp.port_retries=0", f"--IdentityProvider.token={TOKEN}",
                                f"--ServerApp.root_dir={c.directory}", "--LabApp.news_url=None", "--LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate",
                                "--LabApp.extension_manager=readonly"], stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT, env=environment(c, place))
        try:
            port = wait_for("JupyterLab to listen", lambda: (lab.poll() is None or check(False, open(log.name).read()[-3000:])) and re.search(r"http://127\.0\.0\.1:(\d+)/lab", open(log.name).read()), 180).group(1)
            context = Chromium.get().new_context(viewport={"width": 1280, "height": 1600})
            context.set_default_timeout(120_000)
            page = context.new_page()
            try:
                page.goto(f"http://127.0.0.1:{port}/lab/tree/notebooks/users.ipynb?token={TOKEN}")
                page.wait_for_selector(".jp-NotebookPanel .jp-CodeCell")
                page.wait_for_selector("#jp-main-statusbar :text('Python 3 (ipykernel) | Idle')")
                page.locator(".lm-MenuBar-item", has_text=re.compile(r"^Run$")).click()
                page.locator(".lm-Menu-item[data-command='runmenu:run-all']").click()
                page.wait_for_selector(".jp-CodeCell:has-text('cluster.shutdown()') .jp-InputPrompt:has-text('[7]')", state="attached")
                shown = page.locator(".jp-CodeCell", has_text="SELECT count(*) AS people").locator(".jp-OutputArea-output td").inner_text()
                check(page.locator(".jp-OutputArea-output img[src^='data:image/png']").count() == 1, "the chart is seen")
                page.keyboard.press("Escape")
                page.locator(".lm-MenuBar-item", has_text=re.compile(r"^File$")).click()
                page.locator(".lm-Menu-item[data-command='docmanager:save']").click()
                saved = c.directory / "notebooks" / "users.ipynb"
                wait_for("the file with what came", lambda: '"image/png"' in saved.read_text(), 60)
                shot(page, "jupyterlab", full=False)
            except BaseException:
                shot(page, "failed-jupyterlab", full=False)
                raise
            finally:
                context.close()
        finally:
            lab.terminate()
            lab.wait(60)
            log.close()
        book = json.loads(saved.read_text())
        counted, told = judge(book, (before, total(c)))
        check(number(shown) == counted, f"on screen {shown}, in the file {counted}")
        on_our_page(c, counted, told)


def on_our_page(c, counted, told):
    """The file that JupyterLab has saved: its SQL cells run here, its Python cells and what they gave are shown and kept."""
    page = c.open("/notebooks/users", ready=".nb-sql .editor.is-ready")
    check(page.locator(".nb-other").count() == 5 and page.locator(".nb-sql").count() == 2, "two cells of SQL, five of Python")
    check("Of another kernel" in page.locator(".nb-other").first.inner_text(), "and it says so")
    check(told["frame"].split()[-1] in page.locator(".nb-other .nb-printed").first.inner_text(), "what it gave there")
    page.get_by_role("button", name="Run all").click()
    page.wait_for_selector(".nb-sql .result-number")
    people = number(page.locator(".nb-sql .result-number").inner_text().split()[0])
    check(counted <= people <= total(c), f"{counted} in Jupyter, {people} here")
    page.wait_for_selector(".nb-sql .table-row")
    check(page.locator(".nb-sql .table-row").count() == 5, "the five rows")
    harmless(page)
    wait_for("it is kept", lambda: "Kept" in page.inner_text(".page-answer"))
    kept = {x["id"]: x for x in json.loads((c.directory / "notebooks" / "users.ipynb").read_text())["cells"]}
    check("image/png" in json.dumps(kept["ages"]["outputs"]) and "".join(kept["connect"]["source"]).startswith("import os"), "the Python cells are as they were")
    axe(page, "a notebook of another kernel")
    everywhere(c, "/notebooks/users", "notebook-of-jupyter", ready=".nb-sql .editor.is-ready")


def test_the_users_notebook_runs_without_a_browser():
    python = engines.venv("jupyter")
    with Console("users_records").filled(40) as c, tempfile.TemporaryDirectory() as place:
        before = total(c)
        r = subprocess.run([python, "-m", "nbconvert", "--to", "notebook", "--execute", "--stdout", c.directory / "notebooks" / "users.ipynb"],
                           capture_output=True, text=True, env=environment(c, place), timeout=engines.HANGS)
        check(r.returncode == 0, r.stderr[-3000:])
        book = json.loads(r.stdout)
        judge(book, (before, total(c)))
        html = "".join(next(x for x in book["cells"] if x["id"] == "some")["outputs"][0]["data"]["text/html"])
        cells = [unescape(re.sub(r"<[^>]+>", "", t)) for t in re.findall(r"<td>(.*?)</td>", html, re.S)]
        people = [tuple(cells[i:i + 5]) for i in range(0, len(cells), 5)]
        there = {(f, l, n, str(a)) for f, l, n, a in rows_of(c)}
        check(len(people) == 5 and all((f, l, n, a) in there for f, l, _, n, a in people), f"each is a row of the table: {people}")
