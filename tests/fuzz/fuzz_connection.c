/* Connections' addresses, their JSON, lists' parameters and sealed secrets, as any bytes: what is
 * read is written and read again the same; what was not sealed does not open. */
#include "fuzz.h"
#include "sched/connection.h"
#include "sched/list.h"
#include "sched/secret.h"

#include <stdlib.h>

/* The address of what `text` says; false: it says nothing. */
static bool written(struct slice text, struct arena *a, struct slice *out)
{
    struct connection c;
    struct diag d;
    struct buf b = buf_make(8 << 20);
    bool fine = connection_of_text(text, a, &c, &d) == ERR_OK;
    if (fine) connection_put_uri(&b, &c);
    if (b.err) abort();
    if (fine) *out = arena_slice(a, buf_view(&b));
    buf_reset(&b);
    if (fine) connection_put_json(&b, &c, a);
    if (fine) (void)!connection_check(&c, &d);
    buf_done(&b);
    return fine;
}

/* A protocol within the host ("spark://spark://master") is where Airflow's own address changes with
 * each reading (2.10.5: the host of "spark://spark://ma%20S" is ""), and ours may too. */
static bool names_two_protocols(struct slice address)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i + 3 <= address.len; i++) count += memcmp(address.at + i, "://", 3) == 0;
    return count > 1;
}

static void check_param(enum list_kind kind, struct slice text, struct arena *a)
{
    const uint8_t *equal = text.len ? memchr(text.at, '=', text.len) : NULL;
    if (!equal) return;
    struct slice value = slice_make(equal + 1, (size_t)(text.at + text.len - equal - 1));
    struct list_given g = {slice_make(text.at, (size_t)(equal - text.at)), &value, 1};
    struct list_filter f = {0};
    struct diag d;
    bool known = false;
    err_t e = list_param(kind, &g, a, &f, &known, &d);
    if (!e && known && f.op != LIST_NOT_IN && f.count == 0) abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    static const struct secret_ring ring = {{"a key"}, 1};
    static struct arena *a;
    struct slice one, two, three;
    struct buf plain = buf_make(8 << 20);
    if (!a) a = arena_new(256 << 20);
    arena_reset(a);
    if (size < 1) return 0;
    uint8_t kind = bytes[0];
    uint8_t *copy = fuzz_copy(bytes + 1, size - 1, 0);
    struct slice text = slice_make(copy, size - 1);
    if (written(text, a, &one) && written(one, a, &two) && written(two, a, &three))
        if (!slice_equal(two, three) && !names_two_protocols(two)) abort();
    check_param(kind % LIST_KINDS, text, a);
    if (secret_open(&ring, SLICE("place"), text, &plain, NULL) == ERR_OK) abort();
    buf_done(&plain);
    mem_give(copy);
    return 0;
}
