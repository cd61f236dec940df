/* sluice groups: consumer groups for people: who reads, how far, how far behind; and moving them.
 */
#include "main/kafka/actions.h"
#include "main/kafka/group_ops.h"
#include "main/kafka/reading.h"
#include "main/kafka/sheet.h"
#include "main/kafka/tools.h"
#include "main/kafka/topic_ops.h"

#include <stdio.h>

static err_t list(struct work *w, struct diag *d)
{
    struct listed_group *groups;
    size_t count;
    err_t e = list_groups(&w->s, &groups, &count, d);
    if (e) return e;
    struct sheet sheet = sheet_make("group state members# partitions# lag#");
    for (size_t i = 0; !e && i < count; i++) {
        struct group_view g;
        struct group_row *rows;
        size_t n = 0;
        int64_t lag = 0;
        e = view_group(&w->s, groups[i].name, &g, d);
        if (!e) e = group_rows(&w->s, &g, &rows, &n, d);
        if (e) break;
        for (size_t k = 0; k < n; k++)
            if (rows[k].position >= 0 && rows[k].end >= 0) lag += rows[k].end - rows[k].position;
        sheet_text(&sheet, groups[i].name);
        sheet_text(&sheet, g.state);
        sheet_number(&sheet, (int64_t)g.member_count);
        sheet_number(&sheet, (int64_t)n);
        sheet_number(&sheet, lag);
    }
    if (!e) e = sheet_print(&sheet, w->json);
    sheet_done(&sheet);
    return e;
}

static err_t known_group(struct work *w, const char *name, struct group_view *g, struct diag *d)
{
    err_t e = view_group(&w->s, slice_of(name), g, d);
    if (!e && slice_is(g->state, "Dead"))
        e = diag_fail(d, ERR_UNKNOWN_GROUP, "there is no group '%s'", name);
    return e;
}

static void number_or_none(struct sheet *s, int64_t n)
{
    if (n < 0)
        sheet_none(s);
    else
        sheet_number(s, n);
}

static err_t describe(struct work *w, struct diag *d)
{
    struct sheet sheet = sheet_make("group topic partition# position# end# lag# client host");
    err_t e = ERR_OK;
    for (int i = 0; !e && i < w->name_count; i++) {
        struct group_view g;
        struct group_row *rows;
        size_t n = 0;
        e = known_group(w, w->names[i], &g, d);
        if (!e) e = group_rows(&w->s, &g, &rows, &n, d);
        for (size_t k = 0; !e && k < n; k++) {
            bool both = rows[k].position >= 0 && rows[k].end >= 0;
            sheet_text(&sheet, g.name);
            sheet_text(&sheet, rows[k].topic);
            sheet_number(&sheet, rows[k].partition);
            number_or_none(&sheet, rows[k].position);
            number_or_none(&sheet, rows[k].end);
            number_or_none(&sheet, both ? MAX(rows[k].end - rows[k].position, INT64_C(0)) : -1);
            sheet_text(&sheet, rows[k].member ? rows[k].member->client : (struct slice){0});
            sheet_text(&sheet, rows[k].member ? rows[k].member->host : (struct slice){0});
        }
    }
    if (!e) e = sheet_print(&sheet, w->json);
    sheet_done(&sheet);
    return e;
}

static err_t members(struct work *w, struct diag *d)
{
    struct sheet sheet = sheet_make("group member client host instance partitions");
    err_t e = ERR_OK;
    for (int i = 0; !e && i < w->name_count; i++) {
        struct group_view g;
        e = known_group(w, w->names[i], &g, d);
        for (size_t k = 0; !e && k < g.member_count; k++) {
            const struct group_member *m = &g.members[k];
            struct buf part = buf_make(MIB(1));
            for (size_t n = 0; n < m->part_count; n++)
                buf_printf(&part, "%s%.*s:%d", n ? "," : "", SLICE_ARG(m->part[n].topic),
                           m->part[n].partition);
            sheet_text(&sheet, g.name);
            sheet_text(&sheet, m->id);
            sheet_text(&sheet, m->client);
            sheet_text(&sheet, m->host);
            sheet_text(&sheet, m->instance);
            sheet_text(&sheet, slice_of(buf_cstr(&part)));
            buf_done(&part);
        }
    }
    if (!e) e = sheet_print(&sheet, w->json);
    sheet_done(&sheet);
    return e;
}

/* --- changes ---------------------------------------------------------------------------------- */

static void warn(const char *text)
{
    fprintf(stderr, "warning: %s\n", text);
}

/* earliest, latest, OFFSET, +N, -N, a time. */
static err_t read_to(const char *text, struct reset *r, struct diag *d)
{
    enum reading_start start = START_BEGINNING;
    *r = (struct reset){.warn = warn};
    if (strcmp(text, "current") == 0) {
        r->to = RESET_CURRENT;
        return ERR_OK;
    }
    if ((*text == '+' || *text == '-') && number_of(text, &r->number)) {
        r->to = RESET_SHIFT;
        return ERR_OK;
    }
    static const enum reset_to to[] = {[START_BEGINNING] = RESET_EARLIEST,
                                       [START_END] = RESET_LATEST,
                                       [START_OFFSET] = RESET_OFFSET,
                                       [START_TIME] = RESET_TIME,
                                       [START_BACK] = RESET_SHIFT};
    err_t e = reading_start_parse(text, &start, &r->number, d);
    r->to = to[start];
    if (e)
        (void)diag_hint(d, "earliest, latest, current, an offset, +N or -N from where it stands, "
                           "or a time: 2026-11-21T08:00:00Z");
    return e;
}

/* What is meant: --topic T[:0,1], several times; without it all partitions the group stands in. */
static err_t scope(struct work *w, struct slice group, struct kafka_spot **spots, size_t *count,
                   struct diag *d)
{
    const char *texts[ARGS_MAX];
    int n = 0;
    int64_t all = -1;
    while (n + 1 < ARGS_MAX && (texts[n] = args_nth(w->args, "--topic", n))) n++;
    if (n) return partitions_of(&w->s, texts, n, spots, count, d);
    err_t e = kafka_group_positions(w->s.client, group, spots, &all, w->s.arena, d);
    *count = e ? 0 : (size_t)all;
    if (!e && all == 0)
        e = diag_fail(d, ERR_USAGE, "group '%.*s' stands nowhere yet: --topic TOPIC says where",
                      SLICE_ARG(group));
    return e;
}

static err_t reset(struct work *w, struct diag *d)
{
    const char *to = args_value(w->args, "--to");
    bool act = args_has(w->args, "--execute") || args_has(w->args, "--yes");
    struct slice name = slice_of(w->names[0]);
    struct group_view g;
    struct kafka_spot *spots, *old;
    struct reset r;
    size_t count;
    if (!to) return diag_fail(d, ERR_USAGE, "reset needs --to, where the group shall stand");
    err_t e = read_to(to, &r, d);
    if (!e) e = view_group(&w->s, name, &g, d);
    if (!e && !slice_is(g.state, "Empty") && !slice_is(g.state, "Dead"))
        e = diag_fail(d, ERR_GROUP_NOT_EMPTY, "group '%s' is read by %zu member(s) (%.*s)",
                      w->names[0], g.member_count, SLICE_ARG(g.state));
    if (e == ERR_GROUP_NOT_EMPTY) (void)diag_hint(d, "stop its consumers first");
    if (!e) e = scope(w, name, &spots, &count, d);
    if (e) return e;
    int64_t rows = (int64_t)count;
    old = arena_take(w->s.arena, (count + 1) * sizeof(*old));
    if (!old) return diag_fail(d, ERR_NO_MEMORY, "no memory for offsets");
    memcpy(old, spots, count * sizeof(*old));
    e = kafka_group_positions(w->s.client, name, &old, &rows, w->s.arena, d);
    if (!e) e = plan_reset(&w->s, name, &r, spots, count, d);
    if (!e && act) e = kafka_group_place(w->s.client, name, spots, count, w->s.arena, d);
    if (e) return e;
    struct sheet sheet = sheet_make("group topic partition# from# to#");
    for (size_t i = 0; i < count; i++) {
        sheet_text(&sheet, name);
        sheet_text(&sheet, spots[i].topic);
        sheet_number(&sheet, spots[i].partition);
        number_or_none(&sheet, old[i].position);
        sheet_number(&sheet, spots[i].position);
    }
    e = sheet_print(&sheet, w->json);
    sheet_done(&sheet);
    if (!e && !act) fprintf(stderr, "nothing is changed yet: --execute changes it\n");
    return e;
}

static err_t delete_all(struct work *w, struct diag *d)
{
    err_t e = action_agreed(w, "These groups go, with their positions, for good.", d);
    for (int i = 0; !e && i < w->name_count; i++) {
        e = delete_group(&w->s, slice_of(w->names[i]), d);
        if (!e) printf("group %s is deleted\n", w->names[i]);
    }
    return e;
}

static err_t forget(struct work *w, struct diag *d)
{
    struct kafka_spot *spots;
    size_t count;
    int16_t code = 0;
    struct slice name = slice_of(w->names[0]);
    if (!args_has(w->args, "--topic"))
        return diag_fail(d, ERR_USAGE, "forget needs --topic TOPIC[:0,1]");
    err_t e = scope(w, name, &spots, &count, d);
    if (!e) e = forget_positions(&w->s, name, spots, count, &code, d);
    if (!e)
        e = kafka_client_error(code, (struct slice){0}, d, "forgetting positions of '%s'",
                               w->names[0]);
    for (size_t i = 0; !e && i < count; i++)
        e = kafka_client_error(spots[i].error, (struct slice){0}, d, "'%.*s' partition %d",
                               SLICE_ARG(spots[i].topic), spots[i].partition);
    if (!e) printf("group %s has forgotten %zu partition(s)\n", w->names[0], count);
    return e;
}

static const struct action rows[] = {{"list", false, list},        {"describe", true, describe},
                                     {"members", true, members},   {"reset", true, reset},
                                     {"delete", true, delete_all}, {"forget", true, forget}};

int verb_groups(const struct verb *v, const struct args *a)
{
    static const struct actions actions = {rows, COUNT_OF(rows),
                                           "groups are listed, described, reset …", "which group?"};
    return actions_run(v, a, &actions);
}
