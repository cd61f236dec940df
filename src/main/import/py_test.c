/* Python as a tree: what a project of the known family is made of, and text that is no Python. */
#include "base/bytes.h"
#include "main/import/py.h"
#include "test.h"

static void put(struct buf *b, const struct py_node *n)
{
    static const char *const names[] = {
        "name",  "str", "fstr",   "num",  "call", "kw",     "attr",  "sub",  "list", "dict",
        "bin",   "un",  "if?",    "expr", "set",  "def",    "class", "with", "if",   "for",
        "while", "try", "except", "else", "ret",  "import", "jump",  "mod",  "OTHER"};
    buf_printf(b, "(%s", names[n->kind]);
    if (n->text.len) buf_printf(b, " %.*s", SLICE_ARG(n->text));
    for (uint32_t i = 0; i < n->count; i++) put(b, n->items[i]);
    buf_char(b, ')');
}

static void check_tree(const char *text, const char *want)
{
    struct arena *a = arena_new(MIB(8));
    struct py_node *m = NULL;
    struct diag d = {0};
    struct buf b = buf_make(MIB(1));
    CHECK_ERR(py_read(slice_of(text), "x.py", a, &m, &d), ERR_OK);
    for (uint32_t i = 0; m && i < m->count; i++) put(&b, m->items[i]);
    CHECK_TEXT(buf_cstr(&b), want);
    buf_done(&b);
    arena_free(a);
}

TEST(expressions_are_trees)
{
    check_tree("a >> [b, c]\n", "(bin >>(name a)(list(name b)(name c)))");
    check_tree("x = d['a'][0].b\n", "(set =(attr b(sub [(sub [(name d)(str a))(num 0)))(name x))");
    check_tree("f(1, k='v', **o)", "(call(name f)(num 1)(kw k(str v))(kw **(name o)))");
    check_tree("'a' \"b\" 'c\\n\\u00e9'", "(str abc\n\xc3\xa9)");
    check_tree("f\"{a['b']} x{{y}}{c:>3}\"", "(fstr(sub [(name a)(str b))(str  x{y})(name c))");
    check_tree("a if b else c", "(if? if(name a)(name b)(name c))");
    check_tree("not a and b in c", "(bin and(un not(name a))(bin in(name b)(name c)))");
    check_tree("lambda v: json.dumps(v)", "(expr lambda(call(attr dumps(name json))(name v)))");
    check_tree("{'a': 1, 'b': [2]}", "(dict(str a)(num 1)(str b)(list(num 2)))");
    check_tree("[x for x in y if x]", "(expr(name x)(name x)(name y)(name x))");
    check_tree("(s.a\n  .b('c')\n  )", "(call(attr b(attr a(name s)))(str c))");
    check_tree("s \\\n .a", "(attr a(name s))");
}

TEST(blocks_are_by_indentation)
{
    check_tree(
        "@dag(schedule=None)\ndef f(a, b=1):\n    if a:\n        return 1\n    pass\nx = 2\n",
        "(def f(call(name dag)(kw schedule(name None)))(name a)(name b)"
        "(if if(name a)(ret return(num 1)))(jump pass))(set =(num 2)(name x))");
    check_tree(
        "with DAG('a') as d, B():\n  # no\n\n  t = 1\n",
        "(with with(set =(call(name DAG)(str a))(name d))(call(name B))(set =(num 1)(name t)))");
    check_tree("for a, b in c:\n\td()\nelse: e()\n",
               "(for for(list a(name a)(name b))(name c)(call(name d)))(else else(call(name e)))");
    check_tree("from a.b import (c, d)\nimport x\n", "(import a.b(name c)(name d))(import x)");
    check_tree("try:\n  a\nexcept E as e:\n  continue\n",
               "(try try(name a))(except except(name E)(jump continue))");
}

TEST(what_is_not_understood_is_one_line)
{
    check_tree("a = = 1\nb = 2\n", "(OTHER a)(set =(num 2)(name b))");
    check_tree("match x:\n    case 1:\n        y\nz\n",
               "(name match)(OTHER x)(name case)(OTHER 1)(name y)(name z)");
    check_tree("'never closed\nb\n", "(str never closed)(name b)");
}

/* Every beginning of a text, and every one with a byte changed: read or refused, never more. */
TEST(no_text_breaks_it)
{
    static const char text[] =
        "@a.b(c='d')\ndef f(x, *y) -> z:\n    '''t'''\n    while g[1:2] > -1:\n"
        "        h = f\"{i!r} {j['k']:>{n}}\" + r'\\x' if l else {m: n, **o}\n"
        "    with (p as q): pass; return q, (1,)\n";
    char copy[sizeof text];
    for (size_t cut = 0; cut < sizeof text; cut++) {
        for (int change = 0; change < 12; change++) {
            static const char others[] = "([{\"'\\\n}:)=\0";
            memcpy(copy, text, sizeof text);
            copy[cut] = others[change];
            struct arena *a = arena_new(MIB(8));
            struct py_node *m = NULL;
            CHECK_ERR(py_read(slice_make(copy, sizeof text - 1), "x.py", a, &m, NULL), ERR_OK);
            CHECK_ERR(py_read(slice_make(copy, cut), "x.py", a, &m, NULL), ERR_OK);
            arena_free(a);
        }
    }
    struct buf deep = buf_make(MIB(1));
    for (int i = 0; i < 100000; i++) buf_char(&deep, i % 2 ? '(' : '[');
    struct arena *a = arena_new(MIB(64));
    struct py_node *m = NULL;
    CHECK_ERR(py_read(buf_view(&deep), "x.py", a, &m, NULL), ERR_OK);
    CHECK_INT(m->items[0]->kind, PY_OTHER);
    arena_free(a);
    buf_done(&deep);
}
