/* A topic's configuration: its part of the topic's file (first byte odd), and the texts that
 * clients send, "name=value" a line. What is taken goes into the file and comes back the same. */
#include "fuzz.h"
#include "log/log_int.h"

static void check_round_trip(const struct log_topic_config *c)
{
    struct buf once = buf_make(1 << 20), twice = buf_make(1 << 20);
    struct log_topic_config back;
    config_put(c, &once);
    struct cursor in = cursor_of(buf_view(&once));
    if (once.err || config_get(&in, &back, NULL) || cursor_left(&in)) abort();
    config_put(&back, &twice);
    if (back.own != c->own || !slice_equal(buf_view(&once), buf_view(&twice))) abort();
    buf_done(&once);
    buf_done(&twice);
}

static void parse_lines(struct slice text)
{
    enum { CHANGES = 64 };
    struct log_config_change changes[CHANGES];
    struct log_topic_config c;
    size_t n = 0;
    while (text.len && n < CHANGES) {
        const uint8_t *end = memchr(text.at, '\n', text.len);
        size_t len = end ? (size_t)(end - text.at) : text.len;
        const uint8_t *equal = len ? memchr(text.at, '=', len) : NULL;
        size_t name = equal ? (size_t)(equal - text.at) : len;
        changes[n] = (struct log_config_change){
            .kind = n % 8 == 7 ? LOG_CONFIG_APPEND : LOG_CONFIG_SET,
            .name = slice_make(text.at, name),
            .value = equal ? slice_make(equal + 1, len - name - 1) : (struct slice){0}};
        n++;
        text = slice_make(text.at + MIN(len + 1, text.len), text.len - MIN(len + 1, text.len));
    }
    if (log_topic_config_parse(changes, n, &c, NULL) == ERR_OK) check_round_trip(&c);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    struct log_topic_config c;
    if (size < 1) return 0;
    uint8_t *copy = fuzz_copy(bytes + 1, size - 1, 0);
    struct slice text = slice_make(copy, size - 1);
    struct cursor in = cursor_of(text);
    if (!(bytes[0] & 1))
        parse_lines(text);
    else if (config_get(&in, &c, NULL) == ERR_OK)
        check_round_trip(&c);
    mem_give(copy);
    return 0;
}
