/* Where RocksDB is met as it is: its messages become our errors, its checksum is computed by ours,
 * its log finds its blocks written ahead.
 */
#include "base/hash.h"
#include "os/file.h"
#include "store/store_int.h"

/* rocksdb::crc32c::Extend, by the linker's --wrap: the distribution's archive is built without
 * SSE4.2 and computes it by table, 4 % of the live path. The same polynomial, the same bytes on
 * disk. */
uint32_t __wrap__ZN7rocksdb6crc32c6ExtendEjPKcm(uint32_t seed, const char *bytes, size_t len);
uint32_t __wrap__ZN7rocksdb6crc32c6ExtendEjPKcm(uint32_t seed, const char *bytes, size_t len)
{
    return crc32c(seed, bytes, len);
}

/* Every sync of a log that grows changes the file's size too, and so waits for a commit of the file
 * system's journal, with whatever other programs have in it. So the log is zeroed ahead of its end,
 * in the sync that would change its size anyway: those that follow write in place
 * (docs/decisions/0031). To a reader zeros are no records; a log that is closed is cut to what it
 * holds, by RocksDB itself. */
enum { AHEAD_FROM = 4 << 10, AHEAD_LEAST = 128 << 10, AHEAD_MOST = 1 << 20 };
static _Thread_local bool writes_log;

int __real_fdatasync(int fd);
int __wrap_fdatasync(int fd);
int __wrap_fdatasync(int fd)
{
    uint64_t size;
    if (writes_log && file_size(fd, &size, NULL) == ERR_OK && size >= AHEAD_FROM)
        file_zero_ahead(fd, AHEAD_LEAST, AHEAD_MOST);
    return __real_fdatasync(fd);
}

char *rocks_write(const struct store *s, const rocksdb_writeoptions_t *o, rocksdb_writebatch_t *b)
{
    char *message = NULL;
    writes_log = true;
    rocksdb_write(s->db, o, b, &message);
    writes_log = false;
    return message;
}

/* Its C face gives errors as text only; the text starts with the kind. */
static const struct {
    const char *word;
    err_t err;
    const char *hint;
} kinds[] = {
    /* the first that occurs decides */
    {"lock hold by current process", ERR_IN_USE, "this process has it open already"},
    {"While lock file", ERR_IN_USE, "stop the other one, or give this one its own --data PATH"},
    {"No space left on device", ERR_DISK_FULL, ""},
    {"Disk quota exceeded", ERR_DISK_FULL, ""},
    {"Permission denied", ERR_FORBIDDEN, "make the data directory writable for this user"},
    {"Read-only file system", ERR_FORBIDDEN, "move the data with --data PATH"},
    {"Corruption:", ERR_CORRUPT, ""},
    {"does not exist", ERR_NOT_FOUND, ""},
    {"Shutdown in progress", ERR_STOPPED, ""},
    {"Not implemented", ERR_UNSUPPORTED, ""},
    {"Cannot allocate memory", ERR_NO_MEMORY, ""},
    {"", ERR_IO, ""},
};

/* "…: /data/db/000012.sst: …": the file, for `doctor`. */
static void tell_file(const struct store *s, const char *message, struct diag *d)
{
    const char *at = strstr(message, s->db_dir);
    if (!at) return;
    size_t dir = strlen(s->db_dir), len = dir + strcspn(at + dir, " :,;\n");
    diag_where(d, "%.*s", (int)len, at);
}

err_t rocks_failed(const struct store *s, char *message, struct diag *d, const char *what)
{
    size_t i = 0;
    while (i + 1 < COUNT_OF(kinds) && !strstr(message, kinds[i].word)) i++;
    err_t e = kinds[i].err;
    diag_fail(d, e, "%s", what);
    diag_why(d, "%s", message);
    if (*kinds[i].hint) diag_hint(d, "%s", kinds[i].hint);
    tell_file(s, message, d);
    rocksdb_free(message);
    return e;
}

uint64_t rocks_property(const struct store *s, const char *name)
{
    uint64_t v = 0;
    return rocksdb_property_int(s->db, name, &v) == 0 ? v : 0;
}
