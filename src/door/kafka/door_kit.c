#include "door/kafka/door_kit.h"

#include "test.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

void kit_open(struct kit *k)
{
    struct diag d = {0};
    char dir[128], users[128];
    snprintf(dir, sizeof(dir), "%s/log", test_dir());
    snprintf(users, sizeof(users), "%s/users", test_dir());
    struct log_options l = {.dir = dir};
    CHECK_OK(log_open(&l, call_now_ms(), &k->log, &d), &d);
    CHECK_OK(users_open(users, &k->users, &d), &d);
    struct coord_options c = {.log = k->log};
    if (k->with_coord) CHECK_OK(coord_open(&c, &k->coord, &d), &d);
    struct kafka_door_options *o = &k->options;
    o->at.address = "127.0.0.1";
    o->at.tls_port = -1;
    o->log = k->log;
    o->users = k->users;
    o->coord = k->coord;
    o->cluster_id = "sluice-test-cluster-id";
    if (!o->at.loops) o->at.loops = 2;
    CHECK_OK(kafka_door_open(o, &k->door, &d), &d);
    k->arena = arena_new(MIB(64));
    k->frame = buf_make(MIB(128));
    k->fd = kit_connect(k);
    k->sent = k->got = 0;
}

void kit_close(struct kit *k)
{
    if (k->fd >= 0) close(k->fd);
    kafka_door_stop(k->door);
    if (k->coord) coord_close(k->coord);
    kafka_door_close(k->door);
    users_close(k->users);
    log_close(k->log);
    arena_free(k->arena);
    buf_done(&k->frame);
}

int kit_connect(const struct kit *k)
{
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(kafka_door_port(k->door))};
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    CHECK_INT(connect(fd, (struct sockaddr *)&to, sizeof(to)), 0);
    return fd;
}

void kit_reconnect(struct kit *k)
{
    close(k->fd);
    k->fd = kit_connect(k);
    k->sent = k->got = 0;
}

void kit_put(int fd, const void *bytes, size_t size)
{
    const uint8_t *at = bytes;
    while (size > 0) {
        ssize_t n = send(fd, at, size, MSG_NOSIGNAL);
        if (n <= 0) return; /* closed: what follows shows it */
        at += n;
        size -= (size_t)n;
    }
}

bool kit_take(int fd, void *bytes, size_t size)
{
    uint8_t *at = bytes;
    while (size > 0) {
        struct pollfd p = {.fd = fd, .events = POLLIN};
        if (poll(&p, 1, KIT_WAIT_MS) != 1) return false;
        ssize_t n = recv(fd, at, size, 0);
        if (n <= 0) return false;
        at += n;
        size -= (size_t)n;
    }
    return true;
}

bool kit_closed(int fd)
{
    uint8_t byte;
    struct pollfd p = {.fd = fd, .events = POLLIN};
    return poll(&p, 1, KIT_WAIT_MS) == 1 && recv(fd, &byte, 1, 0) <= 0;
}

void kit_send(struct kit *k, int16_t key, int16_t version, const void *request)
{
    struct diag d = {0};
    struct buf out = buf_make(MIB(128));
    const struct kafka_api *api = kafka_api_of(key);
    size_t begun = kafka_request_begin(&out, api, version, ++k->sent, SLICE("kit"));
    CHECK_OK(kafka_encode(api->request, version, request, &out, NULL, &d), &d);
    CHECK_OK(kafka_request_end(&out, begun), NULL);
    kit_put(k->fd, out.at, out.len);
    buf_done(&out);
}

bool kit_answer(struct kit *k, int16_t key, int16_t version, void *response)
{
    struct diag d = {0};
    uint8_t head[4];
    int32_t correlation = -1;
    struct cursor body;
    const struct kafka_api *api = kafka_api_of(key);
    if (!kit_take(k->fd, head, 4)) return false;
    struct cursor c = cursor_of(slice_make(head, 4));
    size_t size = (size_t)cursor_be(&c, 4);
    buf_reset(&k->frame);
    if (!buf_grow(&k->frame, size) || !kit_take(k->fd, k->frame.at, size)) return false;
    CHECK_OK(kafka_response_head(buf_view(&k->frame), api, version, &correlation, &body, &d), &d);
    CHECK_INT(correlation, ++k->got);
    arena_reset(k->arena);
    CHECK_OK(kafka_decode(api->response, version, &body, k->arena, response, &d), &d);
    CHECK_INT(cursor_left(&body), 0);
    return true;
}

bool kit_ask(struct kit *k, int16_t key, int16_t version, const void *request, void *response)
{
    kit_send(k, key, version, request);
    return kit_answer(k, key, version, response);
}

struct log_topic *kit_topic(struct kit *k, const char *name, int32_t partitions,
                            const char *setting, const char *value)
{
    struct diag d = {0};
    struct log_topic *t = NULL;
    struct log_topic_config config = log_topic_defaults();
    struct log_config_change change = {LOG_CONFIG_SET, slice_of(setting), slice_of(value)};
    if (setting) CHECK_OK(log_topic_config_parse(&change, 1, &config, &d), &d);
    CHECK_OK(log_topic_create(k->log, slice_of(name), partitions, &config, &t, &d), &d);
    return t;
}

struct buf kit_batch(int32_t count, size_t size, enum codec codec)
{
    static uint8_t value[1 << 20];
    struct buf out = buf_make(MIB(64));
    struct record_builder b = record_builder_make(MIB(64));
    struct record_batch_options o = {codec, -1, -1, -1, false, false};
    memset(value, 'v', sizeof(value));
    for (int32_t i = 0; i < count; i++)
        record_builder_add(&b, call_now_ms() + i, SLICE("key"),
                           slice_make(value, MIN(size, sizeof(value))), NULL, 0);
    CHECK_OK(record_builder_finish(&b, &o, &out), NULL);
    record_builder_done(&b);
    return out;
}

int16_t kit_produce(struct kit *k, int16_t version, int16_t acks, const char *topic, int32_t index,
                    const struct buf *batch, int64_t *offset)
{
    struct kafka_produce_request_partition p;
    struct kafka_produce_request_topic t;
    struct kafka_produce_request q;
    struct kafka_produce_response r;
    kafka_init(&kafka_produce_request_message, &q);
    kafka_struct_init(&kafka_produce_request_topic_struct, &t);
    kafka_struct_init(&kafka_produce_request_partition_struct, &p);
    struct log_topic *known = log_topic_find(k->log, slice_of(topic));
    p.index = index;
    p.records = (struct kafka_records){.bytes = buf_view(batch), .fd = -1};
    t.name = slice_of(topic);
    if (known) memcpy(t.topic_id.at, log_topic_id(known), sizeof(t.topic_id.at));
    t.partition_data.at = &p;
    t.partition_data.count = 1;
    q.acks = acks;
    q.timeout_ms = 1000;
    q.topic_data.at = &t;
    q.topic_data.count = 1;
    kit_send(k, KAFKA_API_produce, version, &q);
    if (acks == 0) {
        k->got++;
        return 0;
    }
    if (!kit_answer(k, KAFKA_API_produce, version, &r)) return -1;
    CHECK_INT(r.responses.count, 1);
    CHECK_INT(r.responses.at->partition_responses.count, 1);
    if (offset) *offset = r.responses.at->partition_responses.at->base_offset;
    return r.responses.at->partition_responses.at->error_code;
}

void kit_produced(struct kit *k, const char *topic, int32_t index, int32_t count, size_t size)
{
    struct buf batch = kit_batch(count, size, CODEC_NONE);
    CHECK_INT(kit_produce(k, 9, -1, topic, index, &batch, NULL), 0);
    buf_done(&batch);
}
