#include "door/zookeeper/zookeeper.h"

#include "base/bytes.h"

enum { CONNS = 256, WORD = 4, ANSWER_MAX = 64 << 10, WORD_MS = 5000 };

struct zookeeper_door {
    struct listener *listener;
    const char *version;
    uint64_t received, sent;
};

struct asking {
    struct zookeeper_door *door;
};

/* The release whose formats these are, and who answers. */
static void put_version(const struct zookeeper_door *z, struct buf *out)
{
    buf_printf(out, "3.8.4-sluice-%s, built on 2024-02-12 22:16 UTC", z->version);
}

static void ruok(struct zookeeper_door *z, struct conn *c, struct buf *out)
{
    (void)z, (void)c;
    buf_text(out, "imok");
}

static void isro(struct zookeeper_door *z, struct conn *c, struct buf *out)
{
    (void)z, (void)c;
    buf_text(out, "rw");
}

static void put_stats(const struct zookeeper_door *z, struct buf *out)
{
    buf_printf(out,
               "Latency min/avg/max: 0/0.0/0\nReceived: %llu\nSent: %llu\nConnections: %u\n"
               "Outstanding: 0\nZxid: 0x0\nMode: standalone\nNode count: 5\n",
               (unsigned long long)z->received, (unsigned long long)z->sent,
               listener_conns(z->listener));
}

static void srvr(struct zookeeper_door *z, struct conn *c, struct buf *out)
{
    (void)c;
    buf_text(out, "Zookeeper version: ");
    put_version(z, out);
    buf_char(out, '\n');
    put_stats(z, out);
}

static void stat(struct zookeeper_door *z, struct conn *c, struct buf *out)
{
    buf_text(out, "Zookeeper version: ");
    put_version(z, out);
    buf_printf(out, "\nClients:\n /%s[0](queued=0,recved=1,sent=0)\n\n", conn_peer(c));
    put_stats(z, out);
}

static void mntr(struct zookeeper_door *z, struct conn *c, struct buf *out)
{
    (void)c;
    buf_text(out, "zk_version\t");
    put_version(z, out);
    buf_printf(out,
               "\nzk_server_state\tstandalone\nzk_avg_latency\t0.0\nzk_max_latency\t0\n"
               "zk_min_latency\t0\nzk_packets_received\t%llu\nzk_packets_sent\t%llu\n"
               "zk_num_alive_connections\t%u\nzk_outstanding_requests\t0\nzk_znode_count\t5\n"
               "zk_watch_count\t0\nzk_ephemerals_count\t0\nzk_approximate_data_size\t44\n",
               (unsigned long long)z->received, (unsigned long long)z->sent,
               listener_conns(z->listener));
}

static const struct {
    const char *word;
    void (*answer)(struct zookeeper_door *z, struct conn *c, struct buf *out);
} words[] = {{"ruok", ruok}, {"srvr", srvr}, {"stat", stat}, {"mntr", mntr}, {"isro", isro}};
/* The other words of the original: known, and answered as one that is not switched on. */
static const char *const others[] = {"conf", "cons", "crst", "dirs", "dump", "envi", "gtmk",
                                     "srst", "stmk", "wchc", "wchp", "wchs", "hash"};

static void answer(struct zookeeper_door *z, struct conn *c, struct slice word, struct buf *out)
{
    for (size_t i = 0; i < COUNT_OF(words); i++) {
        if (!slice_is(word, words[i].word)) continue;
        words[i].answer(z, c, out);
        return;
    }
    for (size_t i = 0; i < COUNT_OF(others); i++)
        if (slice_is(word, others[i]))
            buf_printf(out, "%s is not executed because it is not in the whitelist.\n", others[i]);
}

static void *on_open(void *door, struct conn *c)
{
    struct asking *a = mem_take(sizeof(*a));
    if (!a) return NULL;
    a->door = door;
    conn_deadline(c, WORD_MS);
    return a;
}

static size_t on_data(void *state, struct conn *c, struct slice in)
{
    struct asking *a = state;
    struct buf out = buf_make(ANSWER_MAX);
    if (in.len < WORD) return 0;
    a->door->received++;
    answer(a->door, c, slice_make(in.at, WORD), &out);
    if (out.len) {
        a->door->sent++;
        conn_write(c, buf_view(&out));
    }
    conn_close(c);
    buf_done(&out);
    return in.len;
}

static void on_closed(void *state, struct conn *c)
{
    (void)c;
    mem_give(state);
}

err_t zookeeper_open(struct loop *l, const char *address, uint16_t port, const char *version,
                     struct zookeeper_door **out, struct diag *d)
{
    static const struct conn_handler handler = {
        .open = on_open, .data = on_data, .closed = on_closed};
    struct zookeeper_door *z = mem_take(sizeof(*z));
    if (!z) return diag_fail(d, ERR_NO_MEMORY, "no memory for ZooKeeper's words");
    z->version = version;
    struct listener_options o = {.address = address,
                                 .port = port,
                                 .handler = &handler,
                                 .door = z,
                                 .conns_max = CONNS,
                                 .input_max = (uint32_t)KIB(4)};
    err_t e = listener_open(l, &o, &z->listener, d);
    if (e)
        mem_give(z);
    else
        *out = z;
    return e;
}

void zookeeper_close(struct zookeeper_door *z)
{
    if (!z) return;
    listener_close(z->listener);
    mem_give(z);
}

struct listener_counts zookeeper_counts(const struct zookeeper_door *z)
{
    return listener_counts(z->listener);
}

uint16_t zookeeper_port(const struct zookeeper_door *z)
{
    return listener_port(z->listener);
}
