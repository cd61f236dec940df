/* dead: the dead letters: looked at, mended, replayed, forgotten. A command that mends runs here,
 * never inside the server. */
#include "main/cli.h"

#include "base/hash.h"
#include "main/json_set.h"
#include "main/kafka/tools.h"
#include "main/tables/ask.h"
#include "os/child.h"

#include <stdio.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

enum { LETTER_MAX = 1 << 20, ANSWER_MAX = 2 << 20, PLACE_TEXT = 256, SHOWN_DEFAULT = 1000 };

struct mending {
    struct tables_session session;
    const struct args *args;
    const char *stage;
    struct buf filter, answer, padded, bytes, next;
    struct arena *arena;
    struct json_decoder *json;
    uint64_t mended, left;
};

/* --- choosing -----------------------------------------------------------------------------------
 */

/* --where FIELD=VALUE or a condition of SQL …, --offset N: a line each. */
static void put_filter(const struct args *a, struct buf *out)
{
    const char *text;
    for (int n = 0; (text = args_nth(a, "--where", n)); n++) {
        for (; *text; text++) buf_char(out, *text == '\n' ? ' ' : *text);
        buf_char(out, '\n');
    }
    if (args_value(a, "--offset")) buf_printf(out, "offset=%s\n", args_value(a, "--offset"));
}

static err_t keep_answer(void *ctx, struct slice text)
{
    struct buf *out = ctx;
    buf_slice(out, text);
    return out->err;
}

static int told(const struct tables_session *s)
{
    fprintf(stderr, "%s\n", s->story);
    return 1;
}

/* --- mending ------------------------------------------------------------------------------------
 */

static bool is_json(struct mending *m, struct slice text)
{
    struct diag d;
    buf_reset(&m->padded);
    buf_slice(&m->padded, text);
    return !m->padded.err && buf_reserve(&m->padded, JSON_PADDING) &&
           json_validate(m->json, buf_view(&m->padded), &d) == ERR_OK;
}

/* PATH=VALUE; a value that is no JSON is a text. */
static err_t set_one(struct mending *m, const char *text, struct diag *d)
{
    const char *is = strchr(text, '=');
    struct json_step *steps;
    uint32_t count;
    if (!is) {
        (void)diag_fail(d, ERR_USAGE, "--set wants PATH=VALUE, not '%s'", text);
        return diag_hint(d, "for example --set location.postcode=18511");
    }
    err_t e = json_path_parse(slice_make(text, (size_t)(is - text)), m->arena, &steps, &count, d);
    if (e) return e;
    if (!is_json(m, buf_view(&m->bytes))) {
        (void)diag_fail(d, ERR_SYNTAX,
                        "the letter's bytes are no JSON: nothing can be set in them");
        return diag_hint(d, "--command CMD gets them on its standard input and answers others");
    }
    struct buf value = buf_make(LETTER_MAX);
    if (is_json(m, slice_of(is + 1)))
        buf_text(&value, is + 1);
    else
        json_put_text(&value, slice_of(is + 1));
    buf_reset(&m->next);
    e = value.err ? value.err
                  : json_set(buf_view(&m->bytes), steps, count, buf_view(&value), &m->next, d);
    buf_done(&value);
    if (e) return e;
    buf_reset(&m->bytes);
    buf_slice(&m->bytes, buf_view(&m->next));
    return m->bytes.err;
}

static err_t read_back(int fd, struct buf *out)
{
    struct stat st;
    if (fstat(fd, &st) || st.st_size > LETTER_MAX) return ERR_TOO_BIG;
    buf_reset(out);
    if (!buf_reserve(out, (size_t)st.st_size + 1)) return ERR_NO_MEMORY;
    for (off_t at = 0; at < st.st_size;) {
        char part[4096];
        ssize_t n = pread(fd, part, sizeof(part), at);
        if (n <= 0) return ERR_IO;
        buf_put(out, part, (size_t)n);
        at += n;
    }
    if (out->len && out->at[out->len - 1] == '\n') out->len--; /* the line's end is the shell's */
    return out->err;
}

/* The bytes go through the person's own command. */
static err_t run_command(struct mending *m, const char *command, struct diag *d)
{
    const char *const argv[] = {"sh", "-c", command, NULL};
    int in = memfd_create("letter", MFD_CLOEXEC), out = memfd_create("mended", MFD_CLOEXEC), pid;
    struct slice bytes = buf_view(&m->bytes);
    err_t e = in >= 0 && out >= 0 && pwrite(in, bytes.at, bytes.len, 0) == (ssize_t)bytes.len
                  ? ERR_OK
                  : diag_fail(d, ERR_IO, "no room to hand a letter to '%s'", command);
    struct child_options o = {.argv = argv, .in = in, .out = out, .err = STDERR_FILENO};
    if (!e) e = child_start(&o, &pid, d);
    if (!e) {
        int code = child_wait(pid);
        if (code) e = diag_fail(d, ERR_PEER, "'%s' ended with %d", command, code);
    }
    if (!e && (e = read_back(out, &m->bytes)))
        e = diag_fail(d, e, "what '%s' answered: at most %d bytes", command, LETTER_MAX);
    if (in >= 0) close(in);
    if (out >= 0) close(out);
    return e;
}

static err_t mend_bytes(struct mending *m, struct diag *d)
{
    const char *command = args_value(m->args, "--command"), *text;
    err_t e = ERR_OK;
    for (int n = 0; !e && (text = args_nth(m->args, "--set", n)); n++) e = set_one(m, text, d);
    return !e && command ? run_command(m, command, d) : e;
}

/* One letter's line: place, whether its bytes are whole, the bytes. */
static bool split_answer(struct mending *m, char place[PLACE_TEXT], bool *whole)
{
    struct slice line = slice_trim(buf_view(&m->answer));
    const uint8_t *first = line.len ? memchr(line.at, ' ', line.len) : NULL;
    if (!first || !slice_to_cstr(slice_make(line.at, (size_t)(first - line.at)), place, PLACE_TEXT))
        return false;
    struct slice rest = slice_make(first + 1, (size_t)(line.at + line.len - first - 1));
    const uint8_t *second = memchr(rest.at, ' ', rest.len);
    uint32_t word = second ? (uint32_t)(second - rest.at) : rest.len;
    *whole = slice_is(slice_make(rest.at, word), "whole");
    buf_reset(&m->bytes);
    word += second != NULL;
    return parse_base64(slice_make(rest.at + word, rest.len - word), &m->bytes) == ERR_OK;
}

/* false: it could not be mended, and stays as it is. */
static bool mend_one(struct mending *m, const char *place, bool whole)
{
    struct diag d = {.err = ERR_OK};
    arena_reset(m->arena);
    err_t e = whole ? mend_bytes(m, &d)
                    : diag_fail(&d, ERR_TOO_BIG, "only the beginning of the record is there");
    if (!e) {
        struct tables_call call = {
            .what = "dead-mend", .table = m->stage, .name = place, .body = buf_view(&m->bytes)};
        if (!tables_ask(&m->session, &call)) return true;
        return !told(&m->session);
    }
    if (!d.err) (void)diag_fail(&d, e, "a letter could not be mended");
    return !cli_fail(&d);
}

static int mend_all(struct mending *m)
{
    char place[PLACE_TEXT] = "";
    bool whole;
    for (;;) {
        struct tables_call call = {.what = "dead-next",
                                   .table = m->stage,
                                   .name = place,
                                   .body = buf_view(&m->filter),
                                   .put = keep_answer,
                                   .ctx = &m->answer};
        buf_reset(&m->answer);
        if (tables_ask(&m->session, &call)) return told(&m->session);
        if (!m->answer.len) break;
        if (!split_answer(m, place, &whole)) {
            fprintf(stderr, "error: the server's answer can not be read\n");
            return 1;
        }
        if (mend_one(m, place, whole))
            m->mended++;
        else
            m->left++;
    }
    printf("%llu mended", (unsigned long long)m->mended);
    if (m->left) printf(", %llu could not be", (unsigned long long)m->left);
    printf("; `sluice dead replay %s` lets them go through the stream again\n", m->stage);
    return m->left ? 1 : 0;
}

static int mend(const struct verb *v, const struct args *a)
{
    struct diag d;
    if (!args_has(a, "--set") && !args_has(a, "--command"))
        return cli_usage(v, "mend how? --set PATH=VALUE, or --command CMD");
    struct mending m = {.args = a,
                        .stage = a->words[1],
                        .filter = buf_make(KIB(64)),
                        .answer = buf_make(ANSWER_MAX),
                        .padded = buf_make(2 * LETTER_MAX),
                        .bytes = buf_make(LETTER_MAX),
                        .next = buf_make(LETTER_MAX),
                        .arena = arena_new(MIB(4)),
                        .json = json_decoder_new()};
    int code = 1;
    put_filter(a, &m.filter);
    if (!m.arena || !m.json) {
        (void)diag_fail(&d, ERR_NO_MEMORY, "no memory to mend letters");
        code = cli_fail(&d);
    } else if (tables_open(a, true, &m.session, &d)) {
        code = cli_fail(&d);
    } else {
        code = mend_all(&m);
        tables_close(&m.session);
    }
    json_decoder_free(m.json);
    arena_free(m.arena);
    struct buf *const bufs[] = {&m.filter, &m.answer, &m.padded, &m.bytes, &m.next};
    for (size_t i = 0; i < COUNT_OF(bufs); i++) buf_done(bufs[i]);
    return code;
}

/* --- replaying and forgetting -------------------------------------------------------------------
 */

static err_t to_stdout(void *ctx, struct slice text)
{
    (void)ctx;
    return fwrite(text.at, 1, text.len, stdout) == text.len ? ERR_OK : ERR_IO;
}

static bool confirmed(const char *stage)
{
    char answer[16] = "";
    printf("The dead letters of %s go, with the records' bytes; the ledger still counts them.\n"
           "Type yes to go on: ",
           stage);
    fflush(stdout);
    if (fgets(answer, sizeof(answer), stdin) && strcmp(answer, "yes\n") == 0) return true;
    printf("nothing was removed\n");
    return false;
}

static int all_at_once(const struct args *a, const char *what, bool offline)
{
    struct tables_session s;
    struct diag d;
    struct buf filter = buf_make(KIB(64));
    int code = 0;
    put_filter(a, &filter);
    if (tables_open(a, offline, &s, &d)) {
        buf_done(&filter);
        return cli_fail(&d);
    }
    struct tables_call call = {
        .what = what, .table = a->words[1], .body = buf_view(&filter), .put = to_stdout};
    if (tables_ask(&s, &call)) code = told(&s);
    tables_close(&s);
    buf_done(&filter);
    return code;
}

/* --- looking ------------------------------------------------------------------------------------
 */

uint64_t dead_limit(const struct args *a)
{
    const char *text = args_value(a, "--limit");
    uint64_t n = SHOWN_DEFAULT;
    return text && slice_to_u64(slice_of(text), &n) ? n : SHOWN_DEFAULT;
}

static int show(const struct args *a)
{
    struct project p;
    struct diag d;
    struct buf path = buf_make(KIB(4));
    char limit[32];
    if (cli_project(a, NULL, &p, &d)) return cli_fail(&d);
    snprintf(limit, sizeof(limit), "%llu", (unsigned long long)dead_limit(a));
    buf_text(&path, "/dead");
    client_put_param(&path, "limit", slice_of(limit));
    if (args_has(a, "--json")) client_put_param(&path, "json", SLICE("1"));
    if (a->word_count) client_put_param(&path, "stage", slice_of(a->words[0]));
    int code = client_server_runs(&p) ? client_print(&p, "GET", buf_cstr(&path), (struct slice){0})
                                      : look_offline(&p, "dead", a);
    buf_done(&path);
    project_close(&p);
    return code;
}

int verb_dead(const struct verb *v, const struct args *a)
{
    const char *first = a->word_count ? a->words[0] : "";
    bool mends = strcmp(first, "mend") == 0, replays = strcmp(first, "replay") == 0,
         forgets = strcmp(first, "forget") == 0, acts = mends || replays || forgets;
    uint64_t n;
    if (a->word_count > (acts ? 2 : 1) || (acts && a->word_count != 2))
        return cli_usage(v, "name one stream; `sluice streams` lists them");
    if (acts && (!a->words[1][0] || strlen(a->words[1]) > 255))
        return cli_usage(v, "a stream's name has 1 to 255 bytes");
    if (args_has(a, "--limit") && !slice_to_u64(slice_of(args_value(a, "--limit")), &n))
        return cli_usage(v, "--limit wants a number; 0: all");
    if (mends) return mend(v, a);
    if (replays) return all_at_once(a, "dead-replay", false);
    if (!forgets) return show(a);
    if (!args_has(a, "--yes") && !confirmed(a->words[1])) return 0;
    return all_at_once(a, "dead-forget", true);
}
