/* Goal: what is wrong for long enough fires once, is told once to each receiver, ends once; nothing
 * is told twice or forgotten over a restart; secrets are masked; a mistake in alerts.yaml has its
 * line and disturbs nothing. Method: a port whose figures and clock the test sets, rounds by hand.
 */
#include "alert/alert.h"

#include "base/vec.h"
#include "os/file.h"
#include "os/thread.h"
#include "test.h"

#include <stdio.h>
#include <stdlib.h>

enum { SENT_MAX = 64 };
static struct world {
    struct gate gate;
    int64_t now_ms;
    double lag[3], dead, free_bytes;
    int parts; /* of lag */
    bool sql_fails, http_fails;
    int sent;
    char bodies[SENT_MAX][2048];
} w;

static int64_t now_ms(void *ctx)
{
    struct world *x = ctx;
    gate_enter(&x->gate);
    int64_t now = x->now_ms;
    gate_leave(&x->gate);
    return now;
}

static err_t measure(void *ctx, enum alert_measure m, struct slice of, alert_value each, void *to,
                     struct diag *d)
{
    static const char *const NAMES[] = {"load", "tally", "\"<b>&"};
    (void)ctx;
    err_t e = ERR_OK;
    for (int i = 0; m == ALERT_lag && !e && i < w.parts; i++)
        if (!of.len || slice_is(of, NAMES[i])) e = each(to, slice_of(NAMES[i]), w.lag[i]);
    if (m == ALERT_dead_rate) e = each(to, SLICE("load"), w.dead);
    if (m == ALERT_disk_full) e = each(to, SLICE(""), w.free_bytes);
    if (m == ALERT_sql && w.sql_fails)
        return diag_fail(d, ERR_UNKNOWN_TABLE, "no table %.*s", SLICE_ARG(of));
    return e;
}

static err_t http(void *ctx, const struct doc *request, bool (*stop)(void *), void *stop_ctx,
                  struct arena *a, int *status, struct slice *body, struct diag *d)
{
    struct world *x = ctx;
    (void)stop, (void)stop_ctx, (void)a, (void)d;
    gate_enter(&x->gate);
    if (!x->http_fails && x->sent < SENT_MAX)
        (void)slice_to_cstr(doc_text(doc_get(request, "body")), x->bodies[x->sent++],
                            sizeof(x->bodies[0]));
    *status = x->http_fails ? 500 : 200;
    *body = SLICE("");
    gate_wake(&x->gate);
    gate_leave(&x->gate);
    return ERR_OK;
}

static struct alert *begin(const char *yaml)
{
    static char file[512];
    static bool made;
    struct diag d = {0};
    struct alert *a = NULL;
    if (!made) gate_init(&w.gate), made = true;
    snprintf(file, sizeof(file), "%s/alerts.yaml", test_dir());
    if (yaml) CHECK_OK(file_store(file, slice_of(yaml), &d), &d);
    struct alert_options o = {.dir = test_dir(),
                              .file = file,
                              .pause_ms = 1,
                              .console = "http://127.0.0.1:8080/",
                              .port = {&w, now_ms, measure, http, NULL}};
    CHECK_OK(alert_open(&o, &a, &d), &d);
    return a;
}

static void start_world(void)
{
    int64_t now = 1700000000000;
    if (w.now_ms) gate_done(&w.gate);
    w = (struct world){.now_ms = now, .parts = 2, .free_bytes = 1e12};
    gate_init(&w.gate);
}

static void later(int64_t ms)
{
    gate_enter(&w.gate);
    w.now_ms += ms;
    gate_leave(&w.gate);
}

static void wait_sent(int count)
{
    gate_enter(&w.gate);
    for (int i = 0; i < 1000 && w.sent < count; i++) (void)gate_wait_ms(&w.gate, 10);
    gate_leave(&w.gate);
    CHECK_INT(w.sent, count);
}

static bool past_has(struct alert *a, const char *text)
{
    struct buf out = buf_make(1 << 20);
    CHECK_OK(alert_put_past(a, 0, 1000, &out), NULL);
    bool yes = strstr(buf_cstr(&out), text);
    buf_done(&out);
    return yes;
}

static void wait_past(struct alert *a, const char *text)
{
    struct gate g;
    bool there = false;
    gate_init(&g);
    for (int i = 0; i < 1000 && !(there = past_has(a, text)); i++) {
        gate_enter(&g);
        (void)gate_wait_ms(&g, 10);
        gate_leave(&g);
    }
    gate_done(&g);
    if (!there) test_failed(__FILE__, __LINE__, "the past never has %s", text);
}

static bool rules_have(struct alert *a, const char *text)
{
    struct buf out = buf_make(1 << 20);
    CHECK_OK(alert_put_rules(a, &out), NULL);
    bool yes = strstr(buf_cstr(&out), text);
    buf_done(&out);
    return yes;
}

static const char HOOK[] =
    "receivers:\n  - name: ops\n    webhook: http://127.0.0.1:1/secret-path\n"
    "rules:\n  - name: behind\n    watch: lag\n    above: 10\n    for: 1m\n"
    "    severity: critical\n    hint: look at it\n";

TEST(what_is_wrong_for_long_enough_fires_is_told_once_and_ends_once)
{
    start_world();
    struct alert *a = begin(HOOK);
    uint32_t firing, pending;
    if (!a) return;
    w.lag[0] = 11;
    alert_round(a);
    alert_counts(a, &firing, &pending);
    CHECK(firing == 0 && pending == 1);
    later(59000);
    alert_round(a);
    alert_counts(a, &firing, &pending);
    CHECK(firing == 0 && pending == 1);
    later(1000);
    alert_round(a);
    alert_round(a);
    alert_counts(a, &firing, &pending);
    CHECK(firing == 1 && pending == 0);
    wait_sent(1);
    CHECK(strstr(w.bodies[0], "\"status\":\"firing\"") &&
          strstr(w.bodies[0], "\"alertname\":\"behind\""));
    CHECK(strstr(w.bodies[0], "behind: load: 11 records, above 10"));
    CHECK(strstr(w.bodies[0], "\"startsAt\":\"2023-11-14T22:14:20Z\""));
    wait_past(a, "\"what\":\"told\"");
    w.lag[0] = 10;
    alert_round(a);
    wait_sent(2);
    CHECK(strstr(w.bodies[1], "\"status\":\"resolved\""));
    CHECK(past_has(a, "\"what\":\"resolved\""));
    alert_close(a);
}

TEST(a_short_peak_fires_nothing_and_another_part_is_judged_by_itself)
{
    start_world();
    struct alert *a = begin(HOOK);
    uint32_t firing, pending;
    if (!a) return;
    w.lag[0] = 11;
    alert_round(a);
    later(30000);
    w.lag[0] = 0;
    alert_round(a);
    w.lag[0] = 11;
    later(31000);
    alert_round(a); /* the minute begins anew */
    alert_counts(a, &firing, &pending);
    CHECK(firing == 0 && pending == 1);
    w.lag[1] = 50;
    later(60000);
    alert_round(a);
    CHECK(rules_have(a, "{\"name\":\"load\",\"state\":\"firing\""));
    CHECK(rules_have(a, "{\"name\":\"tally\",\"state\":\"pending\""));
    w.parts = 0; /* both streams are gone */
    alert_round(a);
    alert_counts(a, &firing, &pending);
    CHECK(firing == 0 && pending == 0);
    CHECK(past_has(a, "\"what\":\"resolved\""));
    alert_close(a);
}

TEST(over_a_restart_nothing_is_told_twice_and_nothing_is_forgotten)
{
    start_world();
    struct alert *a = begin(HOOK);
    if (!a) return;
    w.lag[0] = w.lag[1] = 99;
    alert_round(a);
    later(60000);
    alert_round(a);
    wait_sent(2);
    wait_past(a, "\"part\":\"tally\",\"value\":99,\"story\":\"ops\"");
    wait_past(a, "\"part\":\"load\",\"value\":99,\"story\":\"ops\"");
    alert_close(a);
    a = begin(NULL);
    if (!a) return;
    alert_round(a);
    w.lag[1] = 0;
    alert_round(a);
    wait_sent(3);
    CHECK(strstr(w.bodies[2], "\"status\":\"resolved\"") && strstr(w.bodies[2], "tally"));
    CHECK(past_has(a, "\"what\":\"firing\""));
    alert_close(a);
}

TEST(a_receiver_that_fails_is_tried_again_and_then_it_is_an_event)
{
    start_world();
    w.http_fails = true;
    struct alert *a = begin(HOOK);
    if (!a) return;
    w.lag[0] = 99;
    alert_round(a);
    later(60000);
    alert_round(a);
    for (int i = 0; i < 3; i++) {
        struct gate g;
        gate_init(&g);
        gate_enter(&g);
        (void)gate_wait_ms(&g, 50);
        gate_leave(&g);
        gate_done(&g);
        later(100000);
        alert_round(a);
        CHECK_OK(alert_mute(a, SLICE("dead letters come"), 0, NULL), NULL); /* wakes nobody */
    }
    alert_close(a);
    w.http_fails = false;
    a = begin(NULL); /* either it was given up, or it is told now: never lost without a word */
    if (!a) return;
    if (!past_has(a, "not told")) wait_sent(1);
    alert_close(a);
}

TEST(rates_and_trends)
{
    start_world();
    struct alert *a =
        begin("rules:\n  - {name: dead letters come, watch: dead_rate, above: 10, for: 0}\n"
              "  - {name: a disk fills, watch: disk_full, below: 24}\n");
    if (!a) return;
    for (int i = 0; i < 10; i++) { /* 20 letters a minute; a GiB an hour of twelve */
        alert_round(a);
        later(60000);
        w.dead += 20;
        w.free_bytes = 12e9 - i * 1e9 / 60;
    }
    CHECK(rules_have(a, "\"state\":\"firing\",\"trouble\":\"\",\"parts\":[{\"name\":\"load\""));
    for (int i = 10; i < 20; i++) {
        alert_round(a);
        later(60000);
        w.free_bytes = 12e9 - i * 1e9 / 60;
    }
    CHECK(past_has(a, "\"what\":\"firing\",\"rule\":\"a disk fills\""));
    CHECK(past_has(a, "\"what\":\"resolved\",\"rule\":\"dead letters come\""));
    alert_close(a);
}

TEST(a_rule_that_can_not_be_judged_says_so_once)
{
    start_world();
    w.sql_fails = true;
    struct alert *a =
        begin("rules:\n  - {name: few, watch: sql, of: SELECT n FROM gone, below: 1}\n");
    if (!a) return;
    alert_round(a);
    alert_round(a);
    CHECK(rules_have(a, "no table SELECT n FROM gone"));
    CHECK(past_has(a, "cannot be judged"));
    w.sql_fails = false;
    alert_round(a);
    CHECK(past_has(a, "judged again"));
    alert_close(a);
}

TEST(a_mistake_in_the_file_has_its_line_and_the_rules_before_stay)
{
    static const struct {
        const char *yaml, *story;
    } CASES[] = {
        {"rules:\n  - name: x\n    watch: lagg\n    above: 1\n", "did you mean 'lag'"},
        {"rules:\n  - name: x\n    watch: lag\n", "either above or below"},
        {"rules:\n  - name: x\n    watch: sql\n    above: 1\n", "needs `of`: a query"},
        {"rules:\n  - name: x\n    watch: lag\n    above: 1\n    fro: 2m\n", "has no 'fro'"},
        {"rules:\n  - name: x\n    watch: lag\n    above: high\n", "is a number"},
        {"rules:\n  - name: x\n    watch: lag\n    above: 1\n    for: soon\n", "30s, 5m"},
        {"receivers:\n  - name: x\n    slack: ftp://x\n", "no http(s) URL"},
        {"receivers:\n  - name: x\n", "says where"},
        {"people: []\n", "has no 'people'"},
        {"rules: [\n", "alerts.yaml:"},
    };
    start_world();
    struct alert *a = begin(HOOK);
    if (!a) return;
    for (size_t i = 0; i < COUNT_OF(CASES); i++) {
        char path[512];
        struct diag d = {0};
        snprintf(path, sizeof(path), "%s/alerts.yaml", test_dir());
        CHECK_OK(file_store(path, slice_of(CASES[i].yaml), &d), &d);
        alert_round(a);
        if (!rules_have(a, CASES[i].story))
            test_failed(__FILE__, __LINE__, "no '%s' in the story", CASES[i].story);
        CHECK(rules_have(a, "\"name\":\"behind\""));
    }
    alert_close(a);
}

static err_t set(struct alert *a, const char *json, bool rule, struct diag *d)
{
    struct arena *arena = arena_new(1 << 20);
    struct doc v;
    err_t e = doc_of_json(slice_of(json), arena, &v, d);
    if (!e) e = rule ? alert_rule_set(a, &v, d) : alert_receiver_set(a, &v, d);
    arena_free(arena);
    return e;
}

TEST(the_consoles_rules_and_receivers_are_kept_and_secrets_masked)
{
    struct diag d = {0};
    start_world();
    struct alert *a = begin(HOOK);
    if (!a) return;
    CHECK_OK(
        set(a,
            "{\"name\":\"mine\",\"watch\":\"lag\",\"of\":\"load\",\"above\":5,\"notify\":[\"s\"]}",
            true, &d),
        &d);
    CHECK_OK(set(a, "{\"name\":\"s\",\"slack\":\"https://hooks.example/T0/B0/key\"}", false, &d),
             &d);
    CHECK_ERR(set(a, "{\"name\":\"behind\",\"watch\":\"lag\",\"above\":5}", true, &d),
              ERR_FORBIDDEN);
    CHECK_ERR(alert_rule_remove(a, SLICE("a disk fills"), &d), ERR_FORBIDDEN);
    CHECK_ERR(alert_rule_remove(a, SLICE("nobody"), &d), ERR_NOT_FOUND);
    CHECK_OK(alert_mute(a, SLICE("behind"), w.now_ms + 3600000, &d), &d);
    alert_close(a);
    a = begin(NULL);
    if (!a) return;
    struct buf out = buf_make(1 << 16);
    CHECK_OK(alert_put_receivers(a, &out), NULL);
    CHECK(strstr(buf_cstr(&out), "https://hooks.example/…") && !strstr(buf_cstr(&out), "key"));
    CHECK(!strstr(buf_cstr(&out), "secret-path"));
    buf_done(&out);
    /* the masked address that a form sends back is the one that is kept */
    CHECK_OK(set(a, "{\"name\":\"s\",\"slack\":\"https://hooks.example/…\"}", false, &d), &d);
    CHECK_ERR(set(a, "{\"name\":\"t\",\"slack\":\"https://hooks.example/…\"}", false, &d),
              ERR_CONFIG);
    w.lag[0] = 6;
    alert_round(a);
    wait_sent(1);
    CHECK(strstr(w.bodies[0], ":warning: mine: load: 6 records, above 5"));
    later(60000);
    w.lag[0] = 99;
    alert_round(a); /* behind is muted: judged, not told */
    later(60000);
    alert_round(a);
    CHECK(past_has(a, "\"rule\":\"behind\""));
    CHECK_OK(alert_receiver_try(a, SLICE("s"), &d), &d);
    wait_sent(2);
    CHECK_OK(alert_rule_remove(a, SLICE("mine"), &d), &d);
    CHECK_OK(alert_receiver_remove(a, SLICE("s"), &d), &d);
    CHECK(!rules_have(a, "\"name\":\"mine\""));
    alert_close(a);
}
