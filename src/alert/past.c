/* What happened: JSON lines in alerts.log, which becomes alerts.log.1 when it is full. An event is
 * on disk before anybody is told of it. */
#include "alert/alert_int.h"

#include "base/say.h"
#include "data/json.h"
#include "os/file.h"

#include <inttypes.h>
#include <stdio.h>

enum { PATH_BYTES = 4096 };

static bool path_of(const struct alert *a, const char *name, char out[PATH_BYTES])
{
    return snprintf(out, PATH_BYTES, "%s/%s", a->dir, name) < PATH_BYTES;
}

static void keep_line(struct alert *a, int64_t ms, struct slice line)
{
    if (a->past.count >= ALERT_PAST_MAX) {
        mem_give(((struct event *)vec_at(&a->past, 0))->line);
        vec_remove(&a->past, 0);
    }
    struct event v = {.number = ++a->next_event, .ms = ms, .line = mem_text(line)};
    if (!v.line || vec_push(&a->past, &v)) mem_give(v.line); /* it is on disk all the same */
    a->version++;
}

/* A line that a crash cut is the last one, and is left behind. */
static void read_lines(struct alert *a, struct slice text)
{
    struct arena *arena = arena_new(1 << 20);
    while (arena && text.len) {
        const uint8_t *end = memchr(text.at, '\n', text.len);
        if (!end) break;
        struct slice line = slice_make(text.at, (size_t)(end - text.at));
        struct doc v;
        arena_reset(arena);
        if (!doc_of_json(line, arena, &v, NULL)) {
            const struct doc *ms = doc_get(&v, "ms");
            if (ms && ms->kind == DOC_INT) keep_line(a, ms->number, line);
        }
        text = slice_make(end + 1, text.len - line.len - 1);
    }
    arena_free(arena);
}

static err_t read_file(struct alert *a, const char *name, struct diag *d)
{
    char path[PATH_BYTES];
    struct slice text = {0};
    if (!path_of(a, name, path)) return diag_fail(d, ERR_TOO_BIG, "the path is too long");
    if (!file_exists(path)) return ERR_OK;
    err_t e = file_load(path, 2 * (size_t)ALERT_PAST_BYTES, &text, d);
    if (e) return e;
    read_lines(a, text);
    mem_give((void *)(uintptr_t)text.at);
    return ERR_OK;
}

static err_t open_log(struct alert *a, struct diag *d)
{
    char path[PATH_BYTES];
    if (!path_of(a, "alerts.log", path)) return diag_fail(d, ERR_TOO_BIG, "the path is too long");
    err_t e = file_open(path, FILE_WRITE, &a->log_fd, d);
    if (!e) e = file_size(a->log_fd, &a->log_size, d);
    char last = '\n';
    size_t got;
    if (!e && a->log_size) e = file_pread(a->log_fd, &last, 1, a->log_size - 1, &got, d);
    if (!e && last != '\n') e = file_pwrite(a->log_fd, "\n", 1, a->log_size++, d); /* cut short */
    return e;
}

err_t past_open(struct alert *a, struct diag *d)
{
    a->log_fd = -1;
    err_t e = read_file(a, "alerts.log.1", d);
    if (!e) e = read_file(a, "alerts.log", d);
    return e ? e : open_log(a, d);
}

void past_close(struct alert *a)
{
    if (a->log_fd >= 0) file_close(a->log_fd);
    for (size_t i = 0; i < a->past.count; i++)
        mem_give(((struct event *)vec_at(&a->past, i))->line);
    vec_done(&a->past);
}

static err_t turn_over(struct alert *a, struct diag *d)
{
    char path[PATH_BYTES], old[PATH_BYTES];
    if (!path_of(a, "alerts.log", path) || !path_of(a, "alerts.log.1", old))
        return diag_fail(d, ERR_TOO_BIG, "the path is too long");
    file_close(a->log_fd);
    a->log_fd = -1;
    err_t e = file_rename(path, old, d);
    return e ? e : open_log(a, d);
}

static err_t write_line(struct alert *a, struct slice line, struct diag *d)
{
    err_t e = ERR_OK;
    if (a->log_fd < 0) e = open_log(a, d); /* it failed before: tried again */
    if (!e && a->log_size >= ALERT_PAST_BYTES) e = turn_over(a, d);
    if (!e) e = file_pwrite(a->log_fd, line.at, line.len, a->log_size, d);
    if (!e) e = file_sync(a->log_fd, d);
    if (!e) a->log_size += line.len;
    return e;
}

void past_add(struct alert *a, const char *what, const char *rule, const char *part, double value,
              const char *story)
{
    struct buf line = buf_make(ALERT_TEXT_MAX * 8);
    struct diag d = {0};
    int64_t now = a->o.port.now_ms(a->o.port.ctx);
    buf_printf(&line, "{\"ms\":%" PRId64 ",\"what\":\"%s\",\"rule\":", now, what);
    json_put_text(&line, slice_of(rule));
    buf_text(&line, ",\"part\":");
    json_put_text(&line, slice_of(part));
    buf_text(&line, ",\"value\":");
    json_put_f64(&line, value);
    buf_text(&line, ",\"story\":");
    json_put_text(&line, slice_of(story));
    buf_text(&line, "}\n");
    err_t e = line.err ? diag_fail(&d, line.err, "an event does not fit")
                       : write_line(a, buf_view(&line), &d);
    if (e) say_diag(SAY_MAIN, SAY_WARN, "an alert's event is not on disk", &d);
    if (!line.err) keep_line(a, now, slice_make(line.at, line.len - 1));
    buf_done(&line);
}
