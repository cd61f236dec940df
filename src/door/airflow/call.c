/* A call: what the path, the query and the header say, and how no is said. */
#include "door/airflow/airflow_int.h"

#include "data/json.h"

#include <stdio.h>

#define ERRORS_PAGE                                                                                \
    "https://airflow.apache.org/docs/apache-airflow/2.10.5/stable-rest-api-ref.html#section/"      \
    "Errors/"

struct slice rest_part(const struct call *c, const char *name)
{
    return path_named(c->route->path, &c->path, name);
}

bool rest_param(const struct call *c, const char *name, struct slice *out)
{
    for (uint32_t n = 0; n < c->param_count; n++) {
        if (!slice_is(c->params[n].name, name)) continue;
        *out = c->params[n].value;
        return true;
    }
    return false;
}

struct slice rest_printf(struct call *c, const char *fmt, ...)
{
    struct buf b = buf_make(KIB(64));
    va_list args;
    va_start(args, fmt);
    buf_vprintf(&b, fmt, args);
    va_end(args);
    struct slice s = arena_slice(c->arena, buf_view(&b));
    buf_done(&b);
    return s.at ? s : SLICE("");
}

const char *rest_words(struct call *c, const char *fmt, ...)
{
    char text[1024];
    va_list args;
    va_start(args, fmt);
    vsnprintf(text, sizeof(text), fmt, args);
    va_end(args);
    const char *kept = arena_text(c->arena, slice_of(text));
    return kept ? kept : "";
}

static err_t bad_param(struct call *c, const char *where, const char *name, struct slice given,
                       const char *type, const char *kind, const char *msg)
{
    if (c->api == API_V1)
        return refuse(c, 400, "Bad Request", "Wrong type, expected '%s' for %s parameter '%s'",
                      type, where, name);
    refuse(c, 422, NULL, "%s", msg);
    struct buf *b = &c->out;
    buf_reset(b);
    buf_printf(b, "{\"detail\": [{\"type\": \"%s\", \"loc\": [\"%s\", ", kind, where);
    json_put_text(b, slice_of(name));
    buf_text(b, "], \"msg\": ");
    json_put_text(b, slice_of(msg));
    buf_text(b, ", \"input\": ");
    json_put_text(b, given);
    buf_text(b, "}]}");
    return ERR_USAGE;
}

err_t rest_param_missing(struct call *c, const char *name)
{
    refuse(c, 422, NULL, "Field required");
    buf_reset(&c->out);
    buf_printf(&c->out,
               "{\"detail\": [{\"type\": \"missing\", \"loc\": [\"query\", \"%s\"], \"msg\": "
               "\"Field required\", \"input\": null}]}",
               name);
    return ERR_USAGE;
}

err_t rest_bool(struct call *c, const char *name, bool *out)
{
    struct slice s;
    if (!rest_param(c, name, &s)) return ERR_OK;
    bool yes = slice_equal_nocase(s, SLICE("true")) || slice_is(s, "1"),
         no = slice_equal_nocase(s, SLICE("false")) || slice_is(s, "0");
    if (!yes && !no)
        return bad_param(c, "query", name, s, "boolean", "bool_parsing",
                         "Input should be a valid boolean, unable to interpret input");
    *out = yes;
    return ERR_OK;
}

#define NO_INTEGER "Input should be a valid integer, unable to parse string as an integer"

err_t rest_int(struct call *c, const char *name, int64_t *out)
{
    struct slice s;
    if (!rest_param(c, name, &s)) return ERR_OK;
    if (slice_to_i64(s, out)) return ERR_OK;
    return bad_param(c, "query", name, s, "integer", "int_parsing", NO_INTEGER);
}

err_t rest_path_int(struct call *c, const char *name, int64_t *out)
{
    struct slice s = rest_part(c, name);
    if (slice_to_i64(s, out)) return ERR_OK;
    if (c->api == API_V1) return refuse(c, 404, "Not Found", NULL); /* no such path, to Flask */
    return bad_param(c, "path", name, s, "integer", "int_parsing", NO_INTEGER);
}

/* --- no ------------------------------------------------------------------------------------------
 */

static const struct {
    int status;
    const char *title, *page;
} pages[] = {
    {400, "Bad Request", ERRORS_PAGE "BadRequest"},
    {401, "Unauthorized", ERRORS_PAGE "Unauthenticated"},
    {403, "Forbidden", ERRORS_PAGE "PermissionDenied"},
    {404, "Not Found", ERRORS_PAGE "NotFound"},
    {405, "Method Not Allowed", ERRORS_PAGE "MethodNotAllowed"},
    {409, "Conflict", ERRORS_PAGE "AlreadyExists"},
    {500, "Internal Server Error", ERRORS_PAGE "Unknown"},
};

err_t refuse(struct call *c, int status, const char *title, const char *detail, ...)
{
    c->refused = true;
    c->status = status;
    c->title = title;
    c->no_detail = !detail;
    buf_reset(&c->out);
    if (detail) {
        va_list args;
        va_start(args, detail);
        vsnprintf(c->d.what, sizeof(c->d.what), detail, args);
        va_end(args);
    }
    return ERR_USAGE;
}

/* The table's words with parts of the path in them. */
static struct slice fill(struct call *c, const char *words)
{
    struct buf b = buf_make(KIB(16));
    while (*words) {
        size_t len = strcspn(words, "{");
        buf_put(&b, words, len);
        words += len;
        if (*words != '{') continue;
        char name[32];
        size_t end = strcspn(words, "}");
        snprintf(name, sizeof(name), "%.*s", (int)end - 1, words + 1);
        buf_slice(&b, rest_part(c, name));
        words += end + (words[end] == '}');
    }
    struct slice s = arena_slice(c->arena, buf_view(&b));
    buf_done(&b);
    return s;
}

err_t missing(struct call *c, enum problem p)
{
    static const struct {
        int status;
        const char *title, *v1, *v2;
    } table[] = {
#define PROBLEM(name, status, title, v1, v2) {status, title, v1, v2},
#include "door/airflow/problem.def"
#undef PROBLEM
    };
    const char *detail = c->api == API_V1 ? table[p].v1 : table[p].v2;
    const char *title = arena_text(c->arena, fill(c, table[p].title));
    if (!detail) return refuse(c, table[p].status, title, NULL);
    return refuse(c, table[p].status, title, "%.*s", SLICE_ARG(fill(c, detail)));
}

err_t or_missing(struct call *c, err_t e, enum problem p)
{
    return e == ERR_NOT_FOUND && !c->refused ? missing(c, p) : e;
}

static int status_of(err_t e)
{
    int s = err_http(e);
    return e == ERR_NOT_FOUND ? 404 : e == ERR_BUSY || e == ERR_OFFLINE ? 503 : s < 400 ? 500 : s;
}

void rest_put_refusal(struct call *c, err_t e)
{
    bool whole = c->refused && c->out.len; /* a 422 with its list */
    if (!c->refused) {
        c->status = status_of(e);
        c->no_detail = false;
        if (!c->d.what[0]) snprintf(c->d.what, sizeof(c->d.what), "%s", err_text(e));
    }
    c->type = c->api == API_V1 ? "application/problem+json" : "application/json";
    if (whole) return;
    buf_reset(&c->out);
    struct slice detail = c->no_detail ? (struct slice){0} : slice_of(c->d.what);
    if (c->api == API_V2) {
        buf_text(&c->out, "{\"detail\": ");
        rest_put_text(&c->out, detail.at ? detail : slice_of(c->title ? c->title : err_text(e)));
        buf_char(&c->out, '}');
        return;
    }
    const char *page = "about:blank", *title = http_status_text(c->status);
    for (size_t i = 0; i < COUNT_OF(pages); i++)
        if (pages[i].status == c->status) page = pages[i].page, title = pages[i].title;
    buf_text(&c->out, "{\"detail\": ");
    rest_put_text(&c->out, detail);
    buf_printf(&c->out, ", \"status\": %d, \"title\": ", c->status);
    const char *said = c->title ? c->title : title;
    rest_put_text(&c->out, *said ? slice_of(said) : (struct slice){0});
    buf_text(&c->out, ", \"type\": ");
    rest_put_text(&c->out, slice_of(page));
    buf_char(&c->out, '}');
}
