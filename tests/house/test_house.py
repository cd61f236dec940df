"""The house rules that a tool can check."""
import concurrent.futures
import re
import subprocess

from harness import ROOT, check, run


def tool(*args):
    return subprocess.run(args, cwd=ROOT, capture_output=True, text=True)


def sources(*endings):
    listed = tool("git", "ls-files", "--cached", "--others", "--exclude-standard", "src", "tests", "bench").stdout.split()
    return [ROOT / f for f in listed if f.endswith(endings) and (ROOT / f).exists()]


def test_rooms_see_only_what_layers_txt_allows():
    r = tool("tools/layers")
    check(r.returncode == 0 and not r.stdout, r.stdout)


def test_the_layer_checker_sees_a_trespass():
    import shutil
    import tempfile
    with tempfile.TemporaryDirectory() as d:
        shutil.copy(ROOT / "layers.txt", d)
        shutil.copytree(ROOT / "src" / "base", f"{d}/src/base")
        with open(f"{d}/src/base/base.c", "a") as f:
            f.write('#include "flow/flow.h"\n')
        r = tool("tools/layers", d)
        check(r.returncode != 0 and "base may not see flow/flow.h" in r.stdout, r.stdout)


def test_code_is_in_its_format():
    files = sources(".c", ".h")
    with concurrent.futures.ThreadPoolExecutor(2) as lanes:
        said = "".join(lanes.map(lambda part: tool("clang-format-14", "--dry-run", "-Werror", *part).stderr, (files[::2], files[1::2])))
    bad = sorted(set(re.findall(r"^(/\S+?):\d+:\d+: error:", said, re.M)))
    check(len(files) > 100 and not said, "run clang-format-14 -i on: " + (" ".join(bad) or said[:2000]))


def test_functions_fit_on_a_screen():
    """Braces in column 0 delimit functions: our format sees to that."""
    long = []
    for f in sources(".c", ".cc"):
        most = 120 if f.stem.endswith("_test") else 70  # a test may be a long table
        start = None
        for n, line in enumerate(f.read_text().splitlines(), 1):
            if line.startswith("{"):
                start = n
            elif line.startswith("}") and start:
                if n - start - 1 > most:
                    long.append(f"{f.relative_to(ROOT)}:{start} {n - start - 1} lines")
                start = None
    check(not long, "\n".join(long))


def test_no_macro_returns_or_jumps_behind_the_readers_back():
    bad = []
    for f in sources(".c", ".h"):
        for m in re.finditer(r"^[ \t]*#[ \t]*define(?:[^\n]*\\\n)*[^\n]*", f.read_text(), re.M):
            if re.search(r"\b(goto|return)\b", m.group(0)):
                bad.append(f"{f.relative_to(ROOT)}: {m.group(0).splitlines()[0]}")
    allowed = ("DIAG_PART",)  # the whole body of four alike functions, used nowhere else
    check(not [b for b in bad if not any(a in b for a in allowed)], "\n".join(bad))


def test_malloc_stands_only_in_base():
    bad = []
    for f in sources(".c"):
        if "/src/base/" in str(f) or "/src/" not in str(f) or f.stem.startswith("test_"):
            continue
        for n, line in enumerate(f.read_text().splitlines(), 1):
            if re.search(r"\b(malloc|calloc|realloc|strdup|asprintf)\(", line):
                bad.append(f"{f.relative_to(ROOT)}:{n}: {line.strip()}")
    check(not bad, "\n".join(bad))


def test_nothing_is_postponed_in_the_code():
    words = re.compile(r"\b(TO" + r"DO|FIX" + r"ME|XX" + r"X|HA" + r"CK)\b")
    bad = [f"{f.relative_to(ROOT)}: {w.group(0)}" for f in sources(".c", ".h", ".py", ".cc") if (w := words.search(f.read_text()))]
    check(not bad, "\n".join(bad))


def test_the_version_is_the_same_everywhere():
    version = re.search(r"version: '([^']+)'", (ROOT / "meson.build").read_text()).group(1)
    check(run("version").stdout.startswith(f"sluice {version} "), run("version").stdout)
    check(f"## {version}" in (ROOT / "CHANGELOG.md").read_text(), "CHANGELOG.md has no entry for it")


def test_pages_made_from_tables_are_fresh():
    for page, topic in {"docs/configuration.md": "settings", "docs/sources.md": "sources", "docs/topic-configuration.md": "topic-configuration",
                        "docs/system-tables.md": "system-tables", "docs/tasks.md": "kinds",
                        "docs/dags.md": "words"}.items():
        made = run("help", topic, "--markdown").stdout
        check((ROOT / page).read_text() == made, f"{page} is old: build/sluice help {topic} --markdown > {page}")
    functions = run("help", "functions", "--markdown").stdout
    check(functions in (ROOT / "docs/sql.md").read_text(), "docs/sql.md: its functions are old: build/sluice help functions --markdown")
    findings = run("help", "findings", "--markdown").stdout
    check(findings and findings in (ROOT / "docs/plan.md").read_text(), "docs/plan.md: its findings are old: build/sluice help findings --markdown")
    messages = run("help", "kafka", "--markdown").stdout
    check(messages and (ROOT / "docs/kafka-wire.md").read_text().endswith(messages), "docs/kafka-wire.md: its lists are old: build/sluice help kafka --markdown")
    routes = run("help", "airflow-api", "--markdown").stdout
    check(routes and (ROOT / "docs/airflow-api.md").read_text().endswith(routes), "docs/airflow-api.md: its routes are old: build/sluice help airflow-api --markdown")
    names = run("help", "metrics", "--markdown").stdout
    check(names and (ROOT / "docs/metrics.md").read_text().endswith(names), "docs/metrics.md: its names are old: build/sluice help metrics --markdown")
    messages = run("help", "cql-wire", "--markdown").stdout
    check(messages and (ROOT / "docs/cql-wire.md").read_text().endswith(messages), "docs/cql-wire.md: its lists are old: build/sluice help cql-wire --markdown")
    check((ROOT / "docs/sluice.1").read_text() == run("help", "--man").stdout, "docs/sluice.1 is old: build/sluice help --man > docs/sluice.1")


def test_every_command_explains_itself():
    names = [l.split()[0] for l in run("help").stdout.splitlines() if re.match(r"^  [a-z]+ ", l)]
    check(len(names) >= 15, f"{names}")
    for name in names:
        r = run(name, "--help")
        check(r.returncode == 0 and r.stdout.startswith(f"usage: sluice {name}"), f"{name}: {r.stdout}{r.stderr}")
        options = re.findall(r"^  (--[a-z-]+)", r.stdout, re.M)
        check(len(options) == len(set(options)), f"{name}: an option stands twice: {r.stdout}")
        r = run(name, "--no-such-option")
        check(r.returncode == 2 and "has no option" in r.stderr, f"{name}: {r.stderr}")


def test_completion_is_valid_shell():
    r = subprocess.run(["bash", "-n"], input=run("completion", "bash").stdout, capture_output=True, text=True)
    check(r.returncode == 0, r.stderr)
    r = subprocess.run(["bash", "-c", "source /dev/stdin; COMP_WORDS=(sluice qu); COMP_CWORD=1; _sluice; echo ${COMPREPLY[@]}"],
                       input=run("completion", "bash").stdout, capture_output=True, text=True)
    check(r.stdout.strip() == "query", r.stdout + r.stderr)


def test_only_tests_copy_text_without_a_bound():
    bad = [f"{p.relative_to(ROOT)}: {m.group(0)}" for p in (ROOT / "src").rglob("*.c") if not p.stem.endswith("_test")
           for m in re.finditer(r"\b(strcpy|strcat|v?sprintf)\(", p.read_text())]
    check(not bad, "\n".join(bad))
