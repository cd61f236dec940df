/* log_bench: what the log's writer and readers do on this machine.
 *     log_bench DIR append PARTITIONS BATCH_KIB IN_FLIGHT SECONDS
 *     log_bench DIR spans BATCH_KIB MIB            (spans of 1 MiB from the beginning, ten times)
 *     log_bench DIR open PARTITIONS                (makes them, closes, opens again)
 * DIR must not exist; it stays behind. One line: rate, syncs, processor time. */
#include "base/metric.h"
#include "base/say.h"
#include "log/log.h"
#include "os/clock.h"
#include "os/thread.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>

enum { RECORD_BYTES = 1024, LATENCIES = 1 << 20 };

struct bench {
    struct log *log;
    struct gate gate;
    int64_t stop_ns;
    uint64_t appends, bytes;
    int under_way, failed;
    int64_t *latency_us;
};

struct flight {
    struct log_append append; /* first */
    struct bench *bench;
    struct buf batch;
    int64_t sent_ns;
};

static void fail(const char *what, err_t e, const struct diag *d)
{
    fprintf(stderr, "log_bench: %s: %s: %s %s\n", what, err_text(e), d->what, d->why);
    exit(1);
}

static struct log *log_at(const char *dir)
{
    struct diag d = {0};
    struct log *l;
    err_t e =
        log_open(&(struct log_options){.dir = dir, .disk_keep_free = 1}, clock_wall_ms(), &l, &d);
    if (e) fail("open", e, &d);
    return l;
}

static struct log_topic *topic_at(struct log *l, int partitions)
{
    struct diag d = {0};
    struct log_topic *t;
    struct log_topic_config c = log_topic_defaults();
    c.message_max_bytes = RECORD_BATCH_MAX;
    err_t e = log_topic_create(l, SLICE("bench"), partitions, &c, &t, &d);
    if (e) fail("topic", e, &d);
    return t;
}

static struct buf batch_of(size_t size)
{
    static uint8_t value[RECORD_BYTES];
    struct record_builder b = record_builder_make(size * 2);
    struct buf out = buf_make(size * 2 + 1024);
    struct diag d = {0};
    for (size_t i = 0; i < sizeof(value); i++) value[i] = (uint8_t)(i * 7);
    for (size_t at = 0; at < size; at += RECORD_BYTES)
        record_builder_add(&b, clock_wall_ms(), (struct slice){0},
                           slice_make(value, MIN(size - at, sizeof(value))), NULL, 0);
    struct record_batch_options o = {.producer_id = -1, .producer_epoch = -1, .base_sequence = -1};
    err_t e = record_builder_finish(&b, &o, &out);
    if (e) fail("batch", e, &d);
    record_builder_done(&b);
    return out;
}

static void done(struct log_append *a)
{
    struct flight *f = (struct flight *)a;
    struct bench *b = f->bench;
    int64_t now = clock_mono_ns();
    gate_enter(&b->gate);
    b->latency_us[b->appends % LATENCIES] = (now - f->sent_ns) / 1000;
    b->appends++;
    b->bytes += f->batch.len;
    bool over = now >= b->stop_ns || a->err;
    b->failed += a->err != ERR_OK;
    b->under_way -= over;
    if (over) gate_wake(&b->gate);
    gate_leave(&b->gate);
    if (over) return;
    f->sent_ns = now;
    log_append(b->log, a, clock_wall_ms());
}

static int by_value(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return x < y ? -1 : x > y;
}

static int64_t metric_of(enum metric_id m)
{
    return atomic_load(&metric_values[m]);
}

static void append_bench(const char *dir, int partitions, size_t batch, int in_flight, int seconds)
{
    struct bench b = {.log = log_at(dir)};
    struct log_topic *t = topic_at(b.log, partitions);
    int count = partitions * in_flight;
    struct flight *flights = mem_take((size_t)count * sizeof(*flights));
    b.latency_us = mem_take(LATENCIES * sizeof(*b.latency_us));
    gate_init(&b.gate);
    b.under_way = count;
    int64_t syncs = metric_of(METRIC_log_syncs_total),
            sync_ns = metric_of(METRIC_log_sync_seconds_total);
    int64_t began = clock_mono_ns(), cpu = clock_cpu_ns();
    b.stop_ns = began + seconds * INT64_C(1000000000);
    for (int i = 0; i < count; i++) {
        struct flight *f = &flights[i];
        *f = (struct flight){.bench = &b, .batch = batch_of(batch), .sent_ns = clock_mono_ns()};
        f->append = (struct log_append){.partition = log_partition(t, i % partitions),
                                        .batches = f->batch.at,
                                        .size = f->batch.len,
                                        .done = done};
        log_append(b.log, &f->append, clock_wall_ms());
    }
    gate_enter(&b.gate);
    while (b.under_way) gate_wait(&b.gate);
    gate_leave(&b.gate);
    double s = (double)(clock_mono_ns() - began) / 1e9;
    double mb = (double)b.bytes / 1e6;
    size_t n = MIN(b.appends, (uint64_t)LATENCIES);
    qsort(b.latency_us, n, sizeof(*b.latency_us), by_value);
    syncs = metric_of(METRIC_log_syncs_total) - syncs;
    sync_ns = metric_of(METRIC_log_sync_seconds_total) - sync_ns;
    printf("partitions %2d batch %4zu KiB in flight %2d: %7.1f MB/s %8.0f appends/s p50 %6lld us "
           "p99 %6lld us, %6lld syncs of %5.0f us, cpu %.2f s/GB%s\n",
           partitions, batch >> 10, in_flight, mb / s, (double)b.appends / s,
           (long long)b.latency_us[n / 2], (long long)b.latency_us[n * 99 / 100], (long long)syncs,
           (double)sync_ns / 1e3 / (double)MAX(syncs, 1),
           (double)(clock_cpu_ns() - cpu) / 1e9 / (mb / 1e3), b.failed ? " FAILED" : "");
    for (int i = 0; i < count; i++) buf_done(&flights[i].batch);
    log_close(b.log);
    mem_give(flights);
    mem_give(b.latency_us);
}

static void spans_bench(const char *dir, size_t batch, size_t mib)
{
    struct log *l = log_at(dir);
    struct log_partition *p = log_partition(topic_at(l, 1), 0);
    struct buf bytes = batch_of(batch);
    struct diag d = {0};
    int64_t at, count = 0;
    for (size_t sent = 0; sent < mib << 20; sent += bytes.len) {
        err_t e = log_append_wait(l, p, bytes.at, bytes.len, clock_wall_ms(), &at, &d);
        if (e) fail("append", e, &d);
    }
    int64_t began = clock_mono_ns(), end = log_end_offset(p);
    uint64_t got = 0;
    for (int round = 0; round < 10; round++)
        for (at = 0; at < end; count++) {
            struct log_span s;
            err_t e = log_span_take(p, at, 1 << 20, true, end, &s, &d);
            if (e || s.size == 0) fail("span", e, &d);
            got += s.size;
            at += (int64_t)(s.size / bytes.len) *
                  (int64_t)((batch + RECORD_BYTES - 1) / RECORD_BYTES);
            log_span_give(&s);
        }
    int64_t ns = clock_mono_ns() - began;
    printf("batch %4zu KiB: %lld spans, %.0f bytes and %.0f ns each\n", batch >> 10,
           (long long)count, (double)got / (double)count, (double)ns / (double)count);
    buf_done(&bytes);
    log_close(l);
}

static void open_bench(const char *dir, int partitions)
{
    struct log *l = log_at(dir);
    int64_t began = clock_mono_ns();
    topic_at(l, partitions);
    double made = (double)(clock_mono_ns() - began) / 1e6;
    log_close(l);
    began = clock_mono_ns();
    int64_t cpu = clock_cpu_ns();
    l = log_at(dir);
    double opened = (double)(clock_mono_ns() - began) / 1e6;
    printf(
        "%d partitions: made in %.0f ms, opened in %.0f ms (processor %.0f ms), memory %zu KiB\n",
        partitions, made, opened, (double)(clock_cpu_ns() - cpu) / 1e6, mem_held() >> 10);
    log_close(l);
}

int main(int argc, char **argv)
{
    const char *dir = argc > 2 ? argv[1] : NULL, *what = argc > 2 ? argv[2] : "";
    int n[4] = {0};
    for (int i = 0; i < 4 && i + 3 < argc; i++) n[i] = atoi(argv[i + 3]);
    say_level_set(SAY_LOG, SAY_WARN);
    if (!strcmp(what, "append") && argc == 7) {
        append_bench(dir, n[0], (size_t)n[1] << 10, n[2], n[3]);
    } else if (!strcmp(what, "spans") && argc == 5) {
        spans_bench(dir, (size_t)n[0] << 10, (size_t)n[1]);
    } else if (!strcmp(what, "open") && argc == 4) {
        open_bench(dir, n[0]);
    } else {
        fprintf(stderr,
                "usage: log_bench DIR append PARTITIONS BATCH_KIB IN_FLIGHT SECONDS | spans "
                "BATCH_KIB MIB | open PARTITIONS\n");
        return 2;
    }
    return 0;
}
