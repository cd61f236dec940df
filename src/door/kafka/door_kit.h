/* For the Kafka door's tests: a door over a log of its own, and a client made of a plain socket. */
#pragma once
#include "door/kafka/kafka_int.h"
#include "log/log.h"

struct kit {
    struct kafka_door_options options;
    struct log *log;
    bool with_coord;
    struct coord *coord; /* NULL: none was asked for */
    struct users *users;
    struct kafka_door *door;
    struct arena *arena; /* of decoded answers */
    struct buf frame;    /* the last answer */
    int fd;              /* a client's socket */
    int32_t sent, got;   /* correlation ids */
};
enum { KIT_WAIT_MS = 10000 };

void kit_open(struct kit *k); /* options set before are kept */
void kit_close(struct kit *k);
int kit_connect(const struct kit *k);
void kit_reconnect(struct kit *k);
void kit_put(int fd, const void *bytes, size_t size);
bool kit_take(int fd, void *bytes, size_t size); /* false: the other side has closed, or silence */
bool kit_closed(int fd);                         /* … without another byte */

void kit_send(struct kit *k, int16_t key, int16_t version, const void *request);
/* The next answer, which has to be the oldest request's; false when the connection ends instead. */
bool kit_answer(struct kit *k, int16_t key, int16_t version, void *response);
bool kit_ask(struct kit *k, int16_t key, int16_t version, const void *request, void *response);

struct log_topic *kit_topic(struct kit *k, const char *name, int32_t partitions,
                            const char *setting, const char *value); /* NULL: no setting */
/* One batch of `count` records whose values have `size` bytes. */
struct buf kit_batch(int32_t count, size_t size, enum codec codec);
/* One partition produced to; answers its code, its base offset in *offset. */
int16_t kit_produce(struct kit *k, int16_t version, int16_t acks, const char *topic, int32_t index,
                    const struct buf *batch, int64_t *offset);
void kit_produced(struct kit *k, const char *topic, int32_t index, int32_t count, size_t size);
