"""Templates against Jinja2 itself, in the environment that Airflow makes (sandboxed, strict about what is undefined), with pendulum's dates:
generated from the words that Sluice has (not: a text times a number, and a list with something undefined in it, which Sluice refuses; whether a text is even); and each filter, test and tag that it has not, which it must refuse by name.

jinja_texts.py SCHED_TEMPLATES COUNT SEED
"""
import collections
import json
import random
import subprocess
import sys

import jinja2
import jinja2.ext
import jinja2.sandbox
import pendulum

WORLD = {"ds": "2024-03-05", "n": 7, "m": -3, "zero": 0, "f": 2.5, "g": -0.75, "yes": True, "no": False, "none": None, "s": "Hello World",
         "t": "a,b;c", "empty": "", "u": "Grüße, Zoë", "list": [3, 1, 2], "words": ["pear", "Apple", "fig", "apple", "Zoë", "ärgern"], "mixed": [1, "two", None, True],
         "void": [], "deep": {"x": [{"y": 7}, {"y": "z"}], "k": "v"}, "params": {"count": 5, "name": "Ann"}}
NUMBERS = ["n", "m", "zero", "f", "g", "params.count", "1", "2", "10", "0.5", "3.0", "list[0]", "deep.x[0].y", "list|length", "n|abs", "ds[:4]|int"]
TEXTS = ["s", "t", "empty", "u", "ds", "params.name", "'x'", "'it\\'s'", "\"two words\"", "deep.k", "words[0]", "'42'", "' pad '"]
LISTS = ["list", "words", "mixed", "void", "[1, 2]", "['a', n]", "range(4)|list", "t.split(',')", "deep.x", "list[1:]", "words[::-1]"]
OTHER = ["none", "yes", "no", "true", "false", "deep", "{'a': 1, 'b': [n]}"]
OPS = ["+", "-", "*", "/", "//", "%"]
FORMATS = ["%Y-%m-%d", "%d.%m.%y %H:%M", "%j %A %b", "%Y%m%dT%H%M%S", "%I %p", "%%"]


class Draw:
    def __init__(self, seed):
        self.rng = random.Random(seed)

    def one(self, *of):
        return self.rng.choice(of)

    def number(self, deep):
        if deep <= 0 or self.rng.random() < 0.3:
            return self.rng.choice(NUMBERS)
        a, b = self.number(deep - 1), self.number(deep - 1)
        return self.one(f"({a} {self.one('+', '-', '*', '/', '//', '%')} {b})", f"(-{a})", f"({a} {self.one(*OPS)} {b} {self.one(*OPS)} {self.rng.choice(NUMBERS)})", f"(- {a} ** 2)", f"({a})|int", f"({a})|round", f"({a})|round({self.rng.randint(0, 3)})",
                        f"({a})|abs", f"({a})|float", f"({self.text(deep - 1)})|length", f"({self.text(deep - 1)})|int({self.rng.randint(0, 9)})",
                        f"({self.list(deep - 1)})|length", f"({a} ** {self.one('0', '1', '2')})", f"({a} if {self.truth(deep - 1)} else {b})",
                        f"logical_date.{self.one('year', 'month', 'day', 'hour', 'minute', 'second', 'day_of_year', 'quarter', 'days_in_month')}")

    def text(self, deep):
        if deep <= 0 or self.rng.random() < 0.25:
            return self.rng.choice(TEXTS)
        a, b = self.text(deep - 1), self.text(deep - 1)
        return self.one(f"({a} ~ {self.any(deep - 1)})", f"({self.number(deep - 1)} {self.one(*OPS)} {self.rng.choice(NUMBERS)} ~ {self.rng.choice(NUMBERS)})", f"({a} + {b})", f"({a})|{self.one('upper', 'lower', 'title', 'capitalize', 'trim', 'string')}",
                        f"({a})|replace({self.one(chr(39) + 'a' + chr(39), chr(39) + 'l' + chr(39))}, {b})", f"({a})[{self.one(':2', '1:', '-2:', '::2', '1:3')}]",
                        f"({a}).{self.one('upper', 'lower', 'strip', 'title', 'capitalize')}()", f"({a}).replace('o', '0')",
                        f"({self.list(deep - 1)})|join({self.one('', chr(39) + '-' + chr(39))})", f"({a} if {self.truth(deep - 1)} else {b})",
                        f"({a})|default({b})", f"nothing|default({a})", f"({a})|truncate({self.rng.randint(3, 12)})" if self.rng.random() < 0.3 else f"({a})|string",
                        f"logical_date.strftime('{self.rng.choice(FORMATS)}')", f"logical_date.add(days={self.rng.randint(-400, 400)}).to_date_string()",
                        f"logical_date.subtract(months={self.rng.randint(0, 30)}).isoformat()", f"({a})|first", f"({a})|last")

    def list(self, deep):
        if deep <= 0 or self.rng.random() < 0.4:
            return self.rng.choice(LISTS)
        a = self.list(deep - 1)
        return self.one(f"({a})|sort", f"({a})|reverse|list", f"({a})|unique|list", f"({a})|map('string')|list", f"({a})|list", f"({a} + {self.list(deep - 1)})",
                        f"[{self.any(deep - 1)}, {self.any(deep - 1)}]", f"({a})[{self.one('1:', ':2', '-1:')}]", f"({self.text(deep - 1)}).split({self.one('', chr(39) + ',' + chr(39))})",
                        f"({self.text(deep - 1)})|list", f"range({self.rng.randint(0, 5)})|list", f"({a})|sort(reverse=true)", f"({a})|map('upper')|list")

    def truth(self, deep):
        if deep <= 0:
            return self.rng.choice(["yes", "no", "n", "zero", "empty", "s", "list", "void", "none"])
        a, b = self.any(deep - 1), self.any(deep - 1)
        how = self.rng.random()
        if how < 0.3:
            x, y = self.number(deep - 1), self.number(deep - 1)
            if self.rng.random() < 0.3:
                return f"({x} {self.one('<', '==', '>=')} {y} {self.one('<', '!=', '<=')} {self.number(0)})"
            return f"({x} {self.one('==', '!=', '<', '<=', '>', '>=')} {y})"
        return self.one(f"({a} == {b})", f"({a} != {b})", f"({self.truth(deep - 1)} and {self.truth(deep - 1)})", f"({self.truth(deep - 1)} or {self.truth(deep - 1)})",
                        f"(not {self.truth(deep - 1)})", f"({a} in {self.list(deep - 1)})", f"({self.text(deep - 1)} {self.one('in', 'not in')} {self.text(deep - 1)})",
                        f"({a} is {self.one('', 'not ')}{self.one('none', 'defined', 'string', 'number', 'integer', 'float', 'boolean', 'mapping', 'sequence', 'iterable', 'true', 'false')})",
                        f"({self.number(deep - 1)} is {self.one('even', 'odd')})", f"(nothing is {self.one('defined', 'undefined')})", f"({self.text(deep - 1)}).startswith('a')",
                        f"({self.text(deep - 1)}).endswith('d')", f"({self.number(deep - 1)} is {self.one('eq', 'lt', 'ge')}({self.number(deep - 1)}))", f"({self.number(deep - 1)} is {self.one('eq', 'gt', 'ne')} {self.number(0)})")

    def any(self, deep):
        how = self.rng.random()
        if how < 0.25:
            return self.number(deep)
        if how < 0.5:
            return self.text(deep)
        if how < 0.7:
            return self.list(deep)
        return self.truth(deep) if how < 0.85 else self.rng.choice(OTHER)

    def template(self, deep):
        body = lambda: self.one("x", " y ", "\n", "{{ " + self.any(deep) + " }}", "{{- " + self.text(deep) + " -}}")
        how = self.rng.random()
        if how < 0.5:
            return "{{ " + self.any(deep + 1) + " }}"
        if how < 0.55:  # outermost: what Jinja escapes stays marked, and shows it inside of lists
            return "{{ (" + self.text(deep) + " ~ '<&>')|e }}" if self.rng.random() < 0.5 else "{{ (" + self.any(deep) + ")|tojson }}"
        if how < 0.7:
            return f"{{% if {self.truth(deep)} %}}{body()}{{% elif {self.truth(deep)} %}}{body()}{{% else %}}{body()}{{% endif %}}"
        if how < 0.85:
            only = f" if {self.one('x', 'loop is defined', 'x is string', 'x != 1')}" if self.rng.random() < 0.3 else ""
            return (f"{{% for x in {self.list(deep)}{only} %}}{{{{ loop.{self.one('index', 'index0', 'first', 'last', 'length', 'revindex')} }}}}:{{{{ x }}}}"
                    f"{self.one(';', '{% if not loop.last %}, {% endif %}', ' {%- if x %}+{% endif -%} ')}{{% else %}}none{{% endfor %}}")
        if how < 0.92:
            return f"{{% set a = {self.any(deep)} %}}[{{{{ a }}}}]{{# {self.one('', 'gone', '{{ n }}')} #}}{{{{ a is defined }}}}"
        return self.one("a {%- if yes %} b {%- endif %} c\n", "{% raw %}{{ n }}{% endraw %}", "x\n", "x\n\n", "{{ n }}\n", "{% for k, v in deep.items() %}{{ k }}={{ v }};{% endfor %}",
                        "{% if yes -%}\n  a\n{%- endif %}\n  b", "{% set b = n + 1 %}{% for x in list %}{{ x + b }} {% endfor %}")


def ask(program, templates):
    lines = [json.dumps(WORLD)] + [json.dumps(t) for t in templates]
    r = subprocess.run([program], input="\n".join(lines) + "\n", capture_output=True, text=True)
    answers = r.stdout.splitlines()
    if r.returncode or len(answers) != len(templates):
        sys.exit(f"{program} ended with {r.returncode} after {len(answers)} of {len(templates)}: {templates[len(answers):][:1]}\n{r.stderr}")
    return [tuple(a.split("\t")[1:]) if a.startswith("!") else json.loads(a) for a in answers]


def environment():
    e = jinja2.sandbox.SandboxedEnvironment(undefined=jinja2.StrictUndefined, extensions=["jinja2.ext.do"], cache_size=0)
    names = {**WORLD, "logical_date": pendulum.datetime(2024, 3, 5, 7, 30, 45, 123456, tz="UTC")}
    return e, names


def render(e, names, text):
    try:
        return e.from_string(text).render(names)
    except Exception as why:
        return why


def compare(program, count, seed):
    e, names = environment()
    draw = Draw(seed)
    templates = [draw.template(draw.rng.randint(0, 2)) for _ in range(count)]
    wrong, both, refused = [], 0, collections.Counter()
    for text, ours in zip(templates, ask(program, templates)):
        theirs = render(e, names, text)
        if isinstance(theirs, Exception):
            refused[type(theirs).__name__] += 1
            if not isinstance(ours, tuple):
                wrong.append((text, ours, repr(theirs)))
        elif text.endswith("|tojson }}"):  # the same value: Jinja sorts the names and writes ASCII for HTML's sake
            if not isinstance(ours, str) or json.loads(ours) != json.loads(theirs):
                wrong.append((text, ours, theirs))
        elif ours != theirs:
            wrong.append((text, ours, theirs))
        both += not isinstance(theirs, Exception)
    for w in wrong[:40]:
        print("template %r\n  here  %r\n  Jinja %r" % w)
    print(f"{count} templates: {both - len(wrong)} the same text, {sum(refused.values())} refused by both ({dict(refused)}), {len(wrong)} otherwise than in Jinja2 {jinja2.__version__}")
    return len(wrong)


def refusals(program):
    """What Jinja2 has and Sluice has not says so, by its name."""
    e, _ = environment()
    here = {"filter": [], "test": [], "tag": []}
    asked = [("filter", f, f"{{{{ n|{f} }}}}") for f in sorted(e.filters)] + [("test", t, f"{{{{ n is {t} }}}}") for t in sorted(e.tests) if t.isidentifier()]
    asked += [("tag", t, f"{{% {t} 'x' %}}") for t in ("block", "extends", "include", "import", "from", "macro", "call", "filter", "autoescape", "trans", "do", "with")]
    wrong = 0
    for (what, name, text), answer in zip(asked, ask(program, [a[2] for a in asked])):
        if what == "test" and isinstance(answer, tuple):  # it may want an argument
            answer = ask(program, [text.replace(" }}", "(1) }}")])[0]
        missing = isinstance(answer, tuple) and answer[0] == "UNSUPPORTED"
        if missing and f"'{name}'" not in answer[1]:
            print(f"{text}: refused without its name: {answer}")
            wrong += 1
        if what == "tag" and not missing:
            print(f"{text}: {answer}")
            wrong += 1
        if missing:
            here[what].append(name)
    for what, names in here.items():
        print(f"{what}s of Jinja2 refused by name: {' '.join(names)}")
    return wrong


if __name__ == "__main__":
    failures = compare(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))
    sys.exit(1 if failures + refusals(sys.argv[1]) else 0)
