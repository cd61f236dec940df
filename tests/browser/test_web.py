"""The front end's own house: types, pure functions, what its sources must not hold, what it weighs."""
import json
import os
import pathlib
import re
import shutil
import subprocess
import tempfile

from engines import package
from harness import ROOT, check

WEB = ROOT / "web"
OUT = pathlib.Path(os.environ.get("SLUICE_WEB", ROOT / "build" / "web"))


def node(*args):
    r = subprocess.run([package("node", "nodejs", "npm"), *map(str, args)], cwd=WEB, capture_output=True, text=True, timeout=600)
    return r.returncode, r.stdout + r.stderr


def built():
    code, said = node("build.mjs", OUT)
    check(code == 0, said)
    return [line.split("\t") for line in (OUT / "manifest.txt").read_text().splitlines()]


def test_types_are_strict():
    built()
    code, said = node("build.mjs", OUT, "--check")
    check(code == 0, said)


def test_a_wrong_type_is_found():
    built()
    with tempfile.TemporaryDirectory() as d:
        copy = pathlib.Path(d) / "web"
        shutil.copytree(WEB, copy, ignore=shutil.ignore_patterns("node_modules"))
        out = pathlib.Path(d) / "out"
        out.mkdir()
        (out / "npm").symlink_to(OUT / "npm")
        with open(copy / "src" / "kit" / "format.ts", "a") as f:
            f.write("export const wrong: number = count(1);\n")
        r = subprocess.run([package("node", "nodejs"), copy / "build.mjs", out, "--check"], capture_output=True, text=True, timeout=600)
        check(r.returncode == 1 and "TS2322" in r.stdout, r.stdout + r.stderr)


def test_pure_functions():
    built()
    code, said = node("test.mjs", OUT)
    check(code == 0 and re.search(r"^. fail 0$", said, re.M) and not re.search(r"^. pass 0$", said, re.M), said[-4000:])


def test_no_markup_is_built_from_text():
    """What people and records write can become text alone: there is no way for it to become markup."""
    bad = re.compile(r"\b(innerHTML|outerHTML|insertAdjacentHTML|dangerouslySetInnerHTML|document\.write|createContextualFragment|DOMParser|srcdoc|eval|new Function)\b")
    found = [f"{p.relative_to(ROOT)}: {m.group(0)}" for p in sorted((WEB / "src").rglob("*.ts*")) for m in bad.finditer(p.read_text())]
    check(not found, "\n".join(found))
    found = [p for p in (WEB / "src").rglob("*.html") if re.search(r"<style|<script(?! )|\sstyle=|\son\w+=", p.read_text())]
    check(not found, f"{found}")


def test_no_page_reaches_into_another():
    found = [f"{p.relative_to(ROOT)}: {m.group(0)}" for p in (WEB / "src" / "pages").rglob("*.ts*")
             for m in re.finditer(r'from "(\.\./[^"]+)"', p.read_text()) if "/kit" not in m.group(1) and (p.parent / m.group(1)).resolve().relative_to(WEB / "src" / "pages").parts[0] != p.relative_to(WEB / "src" / "pages").parts[0]]
    check(not found, "\n".join(found))


def test_the_lock_names_no_hosts():
    lock = json.loads((WEB / "package-lock.json").read_text())
    check(len(lock["packages"]) > 10 and not [n for n, p in lock["packages"].items() if "resolved" in p], "package-lock.json: npm install with web/.npmrc")
    check(not [n for n, p in lock["packages"].items() if n and not p.get("link") and "integrity" not in p], "a package has no checksum")


def test_nothing_is_made_when_nothing_changed():
    built()
    before = {p: p.stat().st_mtime_ns for p in (OUT / "dist").rglob("*")}
    code, said = node("build.mjs", OUT)
    check(code == 0 and not said and before == {p: p.stat().st_mtime_ns for p in (OUT / "dist").rglob("*")}, said)


def test_all_of_it_weighs_at_most_500_kb():
    rows = built()
    total, first = sum(int(r[4]) for r in rows), sum(int(r[4]) for r in rows if re.match(r"index\.html|assets/(app|style|icon)-", r[0]))
    print(f"the console: {len(rows)} files, {total} bytes as gzip, {sum(int(r[5]) for r in rows)} as brotli; shell alone {first}")
    check(total <= 500_000, f"{total} bytes")
    check(all(r[1] and r[2] in ("ask", "forever") and (r[2] == "ask") == (r[0].endswith(".html")) for r in rows), f"{rows}")
    check(not re.search(rb"https?://(?!www\.w3\.org|sluice\b)[\w.-]+/[\w./-]+\.(js|css|woff2?|png)", b"".join((OUT / "dist" / r[0]).read_bytes() for r in rows)), "it names files of another host")
