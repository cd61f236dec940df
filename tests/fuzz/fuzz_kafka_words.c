/* What the command line reads of strangers and of people: a member's assignment out of a group, the
 * lines that become records, plain and JSON, and the words for places, times and settings. The
 * first byte picks. */
#include "connect/kafka/group.h"
#include "fuzz.h"
#include "main/kafka/feed.h"
#include "main/kafka/reading.h"
#include "main/kafka/tools.h"

static void assignment(struct slice bytes)
{
    struct arena *a = arena_new(16 << 20);
    struct kafka_spot *spots;
    struct diag d;
    size_t count;
    if (kafka_assignment_read(bytes, a, &spots, &count, &d) == ERR_OK)
        for (size_t i = 0; i < count; i++)
            if (spots[i].topic.len > bytes.len) abort();
    arena_free(a);
}

static void line(struct slice bytes, bool json, bool marker)
{
    struct line_format f = line_format_usual();
    struct line_reader r;
    struct kafka_produced out;
    struct diag d;
    f.json = json;
    f.parse_key = f.parse_headers = !json;
    f.ignore_error = marker;
    if (marker) f.null_marker = SLICE("N");
    if (line_reader_open(&r, &f, &d)) abort();
    if (line_to_record(&r, bytes, &out, &d) == ERR_OK) {
        if (out.partition < -1 || out.header_count < 0 || out.header_count > FEED_HEADERS_MAX)
            abort();
        if (!json && (size_t)out.key.len + out.value.len > bytes.len) abort();
        struct record_builder b = record_builder_make(16 << 20);
        record_builder_add(&b, out.timestamp, out.key, out.value, out.headers, out.header_count);
        record_builder_done(&b);
    }
    line_reader_close(&r);
}

static void words(struct slice bytes)
{
    char text[512];
    int64_t n;
    enum reading_start start;
    struct diag d;
    struct slice name, value;
    if (!slice_to_cstr(bytes, text, sizeof(text))) return;
    (void)datetime_parse(text, &n);
    (void)duration_parse(text, &n);
    (void)!reading_start_parse(text, &start, &n, &d);
    const char *list = text;
    for (int i = 0; next_setting(&list, &name, &value); i++)
        if (name.len == 0 || i > 512) abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    if (!size) return 0;
    struct slice rest = slice_make(bytes + 1, size - 1);
    switch (bytes[0] & 3) {
    case 0: assignment(rest); break;
    case 1: line(rest, false, bytes[0] & 4); break;
    case 2: line(rest, true, false); break;
    default: words(rest); break;
    }
    return 0;
}
