/* Types: their text forms read and written, what is refused, and the two facts a kind carries. */
#include "data/type.h"
#include "test.h"

static const struct type *parse(struct arena *a, const char *text)
{
    const struct type *t = NULL;
    struct diag d = {0};
    CHECK_OK(type_parse(slice_of(text), a, &t, &d), &d);
    return t ? t : type_of(TYPE_BLOB);
}

static void check_print(const struct type *t, const char *want)
{
    struct buf b = buf_make(KIB(64));
    type_print(t, &b);
    CHECK_TEXT(buf_cstr(&b), want);
    buf_done(&b);
}

TEST(a_type_reads_and_writes_its_text)
{
    static const char *const cases[][2] = {
        {"int", "int"},
        {" VarChar ", "text"},
        {"LIST<FROZEN<MAP<Text,INT>>>", "list<frozen<map<text, int>>>"},
        {"frozen < set < uuid > >", "frozen<set<uuid>>"},
        {"tuple<int, tuple<text, decimal>, list<varint>>",
         "tuple<int, tuple<text, decimal>, list<varint>>"},
        {"struct<a int, B text>", "struct<a int, b text>"},
        {"struct<\"A \"\"x\"\"\" int, n: duration>", "struct<\"A \"\"x\"\"\" int, n duration>"},
        {"json", "json"},
    };
    struct arena *a = arena_new(MIB(1));
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        const struct type *t = parse(a, cases[i][0]);
        check_print(t, cases[i][1]);
        CHECK(type_equal(t, parse(a, cases[i][1])));
    }
    arena_free(a);
}

TEST(every_scalar_has_a_name_that_reads_back)
{
    struct arena *a = arena_new(MIB(1));
    for (int k = 0; k < TYPE_KINDS; k++) {
        if (k >= TYPE_LIST && k <= TYPE_STRUCT) continue;
        const struct type *t = type_of((enum type_kind)k);
        CHECK(parse(a, type_kind_name(t->kind)) == t);
        CHECK(!type_is_nested(t));
    }
    arena_free(a);
}

/* Native protocol v4, section 4.2.5.2: the option ids. */
TEST(option_ids_are_those_of_the_protocol)
{
    static const struct {
        enum type_kind kind;
        uint16_t id;
    } ids[] = {
        {TYPE_ASCII, 0x01},   {TYPE_BIGINT, 0x02},    {TYPE_BLOB, 0x03},    {TYPE_BOOLEAN, 0x04},
        {TYPE_COUNTER, 0x05}, {TYPE_DECIMAL, 0x06},   {TYPE_DOUBLE, 0x07},  {TYPE_FLOAT, 0x08},
        {TYPE_INT, 0x09},     {TYPE_TIMESTAMP, 0x0B}, {TYPE_UUID, 0x0C},    {TYPE_TEXT, 0x0D},
        {TYPE_VARINT, 0x0E},  {TYPE_TIMEUUID, 0x0F},  {TYPE_INET, 0x10},    {TYPE_DATE, 0x11},
        {TYPE_TIME, 0x12},    {TYPE_SMALLINT, 0x13},  {TYPE_TINYINT, 0x14}, {TYPE_DURATION, 0x15},
        {TYPE_LIST, 0x20},    {TYPE_MAP, 0x21},       {TYPE_SET, 0x22},     {TYPE_STRUCT, 0x30},
        {TYPE_TUPLE, 0x31},
    };
    for (size_t i = 0; i < COUNT_OF(ids); i++) CHECK_INT(type_cql_id(ids[i].kind), ids[i].id);
    CHECK_INT(phys_size(type_phys(type_of(TYPE_DATE))), 4);
    CHECK_INT(phys_size(type_phys(type_of(TYPE_UUID))), 16);
    CHECK_INT(phys_size(type_phys(type_of(TYPE_VARINT))), sizeof(struct slice));
}

TEST(equality_looks_at_values_not_at_freezing)
{
    struct arena *a = arena_new(MIB(1));
    CHECK(type_equal(parse(a, "frozen<list<int>>"), parse(a, "list<int>")));
    CHECK(!type_equal(parse(a, "list<int>"), parse(a, "set<int>")));
    CHECK(!type_equal(parse(a, "list<int>"), parse(a, "list<bigint>")));
    CHECK(!type_equal(parse(a, "struct<a int>"), parse(a, "struct<b int>")));
    CHECK(!type_equal(parse(a, "tuple<int>"), parse(a, "tuple<int, int>")));
    arena_free(a);
}

TEST(a_wrong_type_is_refused_with_its_place)
{
    static const struct {
        const char *text, *what;
        err_t err;
    } cases[] = {
        {"", "type '' ends where a type's name was expected", ERR_SYNTAX},
        {"list", "type 'list' ends where '<' was expected", ERR_SYNTAX},
        {"list<int", "type 'list<int' ends where ',' or '>' was expected", ERR_SYNTAX},
        {"list<int>>", "type 'list<int>>': '>' at character 10 where the end was expected",
         ERR_SYNTAX},
        {"map<int>", "map takes 2 types, not 1", ERR_SYNTAX},
        {"set<int, int>", "set takes 1 type, not 2", ERR_SYNTAX},
        {"frozen<int>", "frozen<> is only for collections, tuples and structs, not int", ERR_TYPE},
        {"struct<a int, A text>", "struct has two fields 'a'", ERR_EXISTS},
        {"struct<\"a int>", "type 'struct<\"a int>' ends where '\"' was expected", ERR_SYNTAX},
        {"struct<int>", "type 'struct<int>': '>' at character 11 where a type's name was expected",
         ERR_SYNTAX},
        {"bigin", "no type 'bigin'", ERR_UNKNOWN_NAME},
    };
    struct arena *a = arena_new(MIB(1));
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        const struct type *t = NULL;
        struct diag d = {0};
        CHECK_ERR(type_parse(slice_of(cases[i].text), a, &t, &d), cases[i].err);
        CHECK_TEXT(d.what, cases[i].what);
        if (cases[i].err == ERR_UNKNOWN_NAME) CHECK_TEXT(d.hint, "did you mean bigint?");
    }
    arena_free(a);
}

TEST(depth_and_width_of_a_type_are_bounded)
{
    struct arena *a = arena_new(MIB(1));
    struct buf b = buf_make(KIB(64));
    const struct type *t = NULL;
    for (int depth = TYPE_DEPTH_MAX; depth <= TYPE_DEPTH_MAX + 1; depth++) {
        buf_reset(&b);
        for (int i = 0; i < depth; i++) buf_text(&b, "list<");
        buf_text(&b, "int");
        for (int i = 0; i < depth; i++) buf_char(&b, '>');
        CHECK_ERR(type_parse(buf_view(&b), a, &t, NULL),
                  depth > TYPE_DEPTH_MAX ? ERR_TOO_DEEP : ERR_OK);
    }
    for (int width = TYPE_FIELDS_MAX; width <= TYPE_FIELDS_MAX + 1; width++) {
        buf_reset(&b);
        buf_text(&b, "tuple<int");
        for (int i = 1; i < width; i++) buf_text(&b, ",int");
        buf_char(&b, '>');
        CHECK_ERR(type_parse(buf_view(&b), a, &t, NULL),
                  width > TYPE_FIELDS_MAX ? ERR_TOO_BIG : ERR_OK);
    }
    buf_done(&b);
    arena_free(a);
}
