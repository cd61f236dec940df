/* What takes no time: empty, branch, short_circuit, wait, time_sensor; and file_sensor's look. */
#include "sched/workshop_int.h"

#include "sched/moment.h"
#include "sched/template.h"

#include <dirent.h>
#include <errno.h>
#include <fnmatch.h>
#include <glob.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

enum { FILES_MAX = 1 << 20, FILES_DEEP = 64 };

err_t kind_empty(struct work *k, struct worker *t, struct work_answer *out, struct diag *d)
{
    (void)k, (void)t, (void)out, (void)d;
    return ERR_OK;
}

/* --- branches ---------------------------------------------------------------------------------
 */

static err_t follow(struct work *k, const char *option, struct work_answer *out, struct diag *d)
{
    struct slice *ids;
    err_t e = work_texts(k, option, &ids, &out->branch_count, d);
    if (e) return e;
    out->branching = true;
    out->branches = ids;
    struct doc *items = arena_take(k->arena, (out->branch_count + 1) * sizeof(*items));
    struct doc *list = arena_take(k->arena, sizeof(*list));
    if (!items || !list) return diag_fail(d, ERR_NO_MEMORY, "no memory for a branch");
    for (uint32_t i = 0; i < out->branch_count; i++) {
        if (slice_is(ids[i], "None")) ids[i] = SLICE("");
        items[i] = (struct doc){.kind = DOC_TEXT, .text = ids[i]};
        work_say(k, "INFO", "Following branch %.*s", SLICE_ARG(ids[i]));
    }
    if (out->branch_count == 1 && ids[0].len == 0) out->branch_count = 0;
    *list = (struct doc){.kind = DOC_LIST, .count = out->branch_count, .items = items};
    out->result = out->branch_count == 1 ? items : list;
    if (out->branch_count == 0) work_say(k, "INFO", "Following no branch");
    return ERR_OK;
}

err_t kind_branch(struct work *k, struct worker *t, struct work_answer *out, struct diag *d)
{
    struct slice query = work_text(k, "sql");
    struct doc rows;
    if (!query.len || !t) return follow(k, "branch", out, d);
    err_t e = work_sql(k, t, query, 2, &rows, d);
    if (e) return e;
    if (rows.count != 1 || rows.items[0].count != 1)
        return diag_fail(d, ERR_CONFIG, "the query of a branch gives one row of one value, not %u",
                         rows.count);
    return follow(k, sql_is_true(rows.items[0].items) ? "if_true" : "if_false", out, d);
}

err_t kind_short_circuit(struct work *k, struct worker *t, struct work_answer *out, struct diag *d)
{
    const struct doc *v = work_option(k, "short_circuit");
    struct doc *result = arena_take(k->arena, sizeof(*result));
    (void)t;
    if (!result) return diag_fail(d, ERR_NO_MEMORY, "no memory for a task's result");
    *result = (struct doc){.kind = DOC_BOOL, .yes = v && template_is_true(v)};
    out->result = result;
    work_say(k, "INFO", "Condition result is %s", result->yes ? "True" : "False");
    if (result->yes) return ERR_OK;
    out->branching = true;
    return work_bool(k, "ignore_downstream_trigger_rules", &out->ignores_rules, d);
}

/* --- times ------------------------------------------------------------------------------------
 */

static void until(struct work *k, int64_t at, struct work_answer *out)
{
    struct buf text = buf_make(64);
    int64_t now = workshop_now(k->w);
    if (at <= now) return;
    moment_put(&text, at);
    out->outcome = WORK_AGAIN;
    out->again_us = at;
    out->message = work_printf(k, "waits until %.*s", SLICE_ARG(buf_view(&text)));
    buf_done(&text);
}

err_t kind_wait(struct work *k, struct worker *t, struct work_answer *out, struct diag *d)
{
    int64_t span, from = k->order->first_started_us;
    bool after_start;
    (void)t;
    err_t e = work_span(k, "wait", &span, d);
    if (!e) e = work_bool(k, "after_start", &after_start, d);
    if (e) return e;
    if (!after_start && !work_moment(k, "data_interval_end", &from))
        return diag_fail(d, ERR_CONFIG, "this run has no data interval, and after_start is false");
    if (from <= 0) from = workshop_now(k->w);
    until(k, from + MAX(span, INT64_C(0)), out);
    return ERR_OK;
}

/* "14:30", "14:30:05": microseconds of the day. */
static bool time_of_day(struct slice text, int64_t *us)
{
    char buf[32];
    int h, m, s = 0, used = 0;
    if (!slice_to_cstr(text, buf, sizeof(buf))) return false;
    bool fits = (sscanf(buf, "%2d:%2d:%2d%n", &h, &m, &s, &used) == 3 && !buf[used]) ||
                (s = 0, sscanf(buf, "%2d:%2d%n", &h, &m, &used) == 2 && !buf[used]);
    if (!fits || h < 0 || h > 23 || m < 0 || m > 59 || s < 0 || s > 59) return false;
    *us = ((h * INT64_C(60) + m) * 60 + s) * SECOND_US;
    return true;
}

err_t kind_time_sensor(struct work *k, struct worker *t, struct work_answer *out, struct diag *d)
{
    struct slice text = slice_trim(work_text(k, "time_sensor"));
    const struct zone *z = NULL;
    int64_t at, now = workshop_now(k->w);
    (void)t;
    if (k->order->dag->zone.len) {
        err_t e = zone_find(k->order->dag->zone, &z, d);
        if (e) return e;
    }
    if (time_of_day(text, &at)) {
        int64_t wall = z ? zone_wall(z, now) : now, day = 86400 * SECOND_US;
        int64_t midnight = wall - ((wall % day) + day) % day;
        at = moment_aware(z, midnight + at);
    } else {
        err_t e = moment_parse(text, z, &at, d);
        if (e) return e;
    }
    until(k, at, out);
    return ERR_OK;
}

/* --- files ------------------------------------------------------------------------------------
 */

struct walk {
    struct work *k;
    const char *pattern; /* of what is below the folder, "**" and all */
    uint32_t seen;
    bool found;
    char path[4096];
};

/* Python's glob: "**" is any number of folders, the others stay inside one. */
static bool path_fits(const char *pattern, const char *path)
{
    if (strncmp(pattern, "**/", 3) == 0) {
        for (const char *at = path; at; at = strchr(at, '/') ? strchr(at, '/') + 1 : NULL)
            if (path_fits(pattern + 3, at)) return true;
        return false;
    }
    if (strcmp(pattern, "**") == 0) return true;
    const char *rest = strchr(pattern, '/'), *below = strchr(path, '/');
    if (!rest || !below) return !rest && !below && fnmatch(pattern, path, FNM_PERIOD) == 0;
    char part[512], name[512];
    if (!slice_to_cstr(slice_make(pattern, (size_t)(rest - pattern)), part, sizeof(part)) ||
        !slice_to_cstr(slice_make(path, (size_t)(below - path)), name, sizeof(name)))
        return false;
    return fnmatch(part, name, FNM_PERIOD) == 0 && path_fits(rest + 1, below + 1);
}

static void walk(struct walk *w, size_t base, size_t len, int depth)
{
    DIR *dir = opendir(w->path);
    const struct dirent *entry;
    while (dir && !w->found && !work_stopped(w->k) && w->seen < FILES_MAX &&
           (entry = readdir(dir))) {
        struct stat st;
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0) continue;
        int n = snprintf(w->path + len, sizeof(w->path) - len, "/%s", entry->d_name);
        if (n < 0 || (size_t)n >= sizeof(w->path) - len) continue;
        w->seen++;
        if (lstat(w->path, &st) == 0 && S_ISDIR(st.st_mode)) {
            if (depth < FILES_DEEP && entry->d_name[0] != '.')
                walk(w, base, len + (size_t)n, depth + 1);
        } else if (path_fits(w->pattern, w->path + base)) {
            w->found = true;
        }
    }
    w->path[len] = 0;
    if (dir) closedir(dir);
}

/* A folder counts when there is a file anywhere below it, as Airflow's FileSensor has it. */
static bool any_file(struct work *k, const char *path)
{
    struct stat st;
    struct walk w = {.k = k, .pattern = "**"};
    if (stat(path, &st) != 0) return false;
    if (!S_ISDIR(st.st_mode)) return true;
    if (!slice_to_cstr(slice_of(path), w.path, sizeof(w.path))) return false;
    walk(&w, strlen(path) + 1, strlen(path), 0);
    return w.found;
}

static bool find_recursive(struct work *k, const char *pattern)
{
    const char *stars = strstr(pattern, "**");
    struct walk w = {.k = k, .pattern = stars};
    size_t len = (size_t)(stars - pattern);
    if (!slice_to_cstr(slice_make(pattern, len > 1 ? len - 1 : len), w.path, sizeof(w.path)))
        return false;
    walk(&w, strlen(w.path) + 1, strlen(w.path), 0);
    return w.found;
}

static bool find_plain(struct work *k, const char *pattern)
{
    glob_t found;
    bool yes = false;
    if (glob(pattern, GLOB_NOSORT, NULL, &found) != 0) return false;
    for (size_t i = 0; i < found.gl_pathc && !yes; i++) yes = any_file(k, found.gl_pathv[i]);
    globfree(&found);
    return yes;
}

err_t kind_file_sensor(struct work *k, struct worker *t, struct work_answer *out, struct diag *d)
{
    bool recursive;
    const char *pattern = work_path(k, work_text(k, "file_sensor"));
    (void)t;
    err_t e = work_bool(k, "recursive", &recursive, d);
    if (e) return e;
    if (!pattern) return diag_fail(d, ERR_NO_MEMORY, "no memory for a path");
    work_say(k, "INFO", "Poking for file %s", pattern);
    bool found =
        recursive && strstr(pattern, "**") ? find_recursive(k, pattern) : find_plain(k, pattern);
    if (found) return ERR_OK;
    out->outcome = WORK_AGAIN;
    out->message = work_printf(k, "there is no file %s yet", pattern);
    return ERR_OK;
}
