/* The Kafka door as a client meets it: a real socket, the frame reader, every handler, a log and
 * coordinators behind. The first byte picks: even, bytes as they come; odd, requests in sequence,
 * each [api][version][size, 2 bytes][body], framed here so that a mutation meets the handler.
 * Whatever is sent, the door answers or closes, and the next connection is served. */
#include "base/say.h"
#include "coord/coord.h"
#include "door/kafka/kafka_door.h"
#include "fuzz.h"
#include "fuzz_talk.h"
#include "os/clock.h"
#include "wire/kafka/kafka.h"

enum { WAIT_MS = 10000, LOG_MAX = 256 << 20 };

static struct log *log_of;
static struct coord *coord;
static struct users *users;
static struct kafka_door *door;
static char dir[64], address[96]; /* of a Unix socket: it leaves no ports in TIME_WAIT */

static void must(err_t e, const struct diag *d)
{
    if (!e) return;
    fprintf(stderr, "%s %s\n", d->what, d->why);
    abort();
}

static void door_down(void)
{
    char command[96];
    kafka_door_stop(door);
    coord_close(coord);
    kafka_door_close(door);
    users_close(users);
    log_close(log_of);
    snprintf(command, sizeof(command), "rm -rf %s", dir);
    if (system(command)) abort();
}

static void door_up(void)
{
    char log_dir[96], users_file[96], command[96];
    struct diag d = {0};
    snprintf(dir, sizeof(dir), "/tmp/sluice-fuzz-door-%d", (int)getpid());
    snprintf(log_dir, sizeof(log_dir), "%s/log", dir);
    snprintf(address, sizeof(address), "%s/socket", dir);
    snprintf(users_file, sizeof(users_file), "%s/users", dir);
    snprintf(command, sizeof(command), "rm -rf %s && mkdir %s", dir, dir);
    if (system(command)) abort();
    must(log_open(&(struct log_options){.dir = log_dir, .partitions_max = 200}, clock_wall_ms(),
                  &log_of, &d),
         &d);
    struct log_topic_config c = log_topic_defaults();
    struct log_topic *t;
    must(log_topic_create(log_of, SLICE("t"), 2, &c, &t, &d), &d);
    must(coord_open(&(struct coord_options){.log = log_of}, &coord, &d), &d);
    must(users_open(users_file, &users, &d), &d);
    must(kafka_door_open(
             &(struct kafka_door_options){.at = {.address = address, .tls_port = -1, .loops = 1},
                                          .log = log_of,
                                          .coord = coord,
                                          .users = users,
                                          .auto_create = true,
                                          .default_partitions = 1,
                                          .cluster_id = "fuzz"},
             &door, &d),
         &d);
}

static uint64_t held(void)
{
    struct log_topic *t = log_topic_find(log_of, SLICE("t"));
    return t ? log_partition_bytes(log_partition(t, 0)) + log_partition_bytes(log_partition(t, 1))
             : LOG_MAX; /* deleted by a request: begin anew */
}

static void put_request(struct buf *out, const uint8_t *at, size_t size)
{
    const struct kafka_api *api = &kafka_apis[at[0] % kafka_api_count];
    int16_t version = (int16_t)(api->first + at[1] % (api->last - api->first + 1));
    size_t begun = kafka_request_begin(out, api, version, 7, SLICE("fuzz"));
    buf_put(out, at + 4, size - 4);
    if (kafka_request_end(out, begun)) abort();
}

static void put_requests(struct buf *out, const uint8_t *at, size_t size)
{
    while (size >= 4) {
        size_t body = MIN((size_t)at[2] << 8 | at[3], size - 4);
        put_request(out, at, body + 4);
        at += body + 4;
        size -= body + 4;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    if (!door) {
        say_to(-1);
        door_up();
        atexit(door_down);
    }
    if (size < 2) return 0;
    struct buf out = buf_make(4 << 20);
    if (bytes[0] & 1)
        put_requests(&out, bytes + 1, size - 1);
    else
        buf_put(&out, bytes + 1, size - 1);
    if (out.len) fuzz_talk(address, buf_view(&out), WAIT_MS, 0);
    buf_done(&out);
    if (held() >= LOG_MAX) {
        door_down();
        door_up();
    }
    return 0;
}
