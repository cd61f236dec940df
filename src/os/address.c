/* What can be said about addresses and ports without a socket. */
#include "os/file.h"
#include "os/net.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

/* --- who holds a port ------------------------------------------------------------------------- */

enum { INODES_MAX = 16 };
struct holders {
    unsigned long inodes[INODES_MAX];
    int count;
};

/* One of /proc/net/tcp and tcp6: "sl local:port remote:port state … inode" in hexadecimal. */
static void find_listening(const char *table, uint16_t port, struct holders *h)
{
    FILE *f = fopen(table, "re");
    char line[512];
    while (f && fgets(line, sizeof(line), f)) {
        unsigned local_port, state;
        unsigned long inode;
        int found =
            sscanf(line, " %*d: %*[0-9A-Fa-f]:%x %*[0-9A-Fa-f]:%*x %x %*s %*s %*s %*s %*s %lu",
                   &local_port, &state, &inode);
        if (found == 3 && local_port == port && state == 0x0A && h->count < INODES_MAX)
            h->inodes[h->count++] = inode;
    }
    if (f) fclose(f);
}

static bool process_holds(const char *pid, const struct holders *h)
{
    char path[512], link[64];
    snprintf(path, sizeof(path), "/proc/%s/fd", pid);
    DIR *dir = opendir(path);
    const struct dirent *entry;
    bool found = false;
    while (dir && !found && (entry = readdir(dir))) {
        ssize_t n = readlinkat(dirfd(dir), entry->d_name, link, sizeof(link) - 1);
        if (n <= 0) continue;
        link[n] = 0;
        unsigned long inode;
        if (sscanf(link, "socket:[%lu]", &inode) != 1) continue;
        for (int i = 0; i < h->count; i++) found = found || h->inodes[i] == inode;
    }
    if (dir) closedir(dir);
    return found;
}

bool net_port_holder(uint16_t port, char *out, size_t cap)
{
    struct holders h = {0};
    find_listening("/proc/net/tcp", port, &h);
    find_listening("/proc/net/tcp6", port, &h);
    DIR *dir = h.count ? opendir("/proc") : NULL;
    const struct dirent *entry;
    bool found = false;
    while (dir && !found && (entry = readdir(dir))) {
        if (entry->d_name[0] < '1' || entry->d_name[0] > '9') continue;
        if (!process_holds(entry->d_name, &h)) continue;
        char path[300], comm[32] = "?";
        struct slice name = {0};
        snprintf(path, sizeof(path), "/proc/%s/comm", entry->d_name);
        if (file_load(path, sizeof(comm) - 1, &name, NULL) == ERR_OK)
            slice_to_cstr(slice_trim(name), comm, sizeof(comm));
        mem_give((void *)name.at);
        snprintf(out, cap, "pid %s (%s)", entry->d_name, comm);
        found = true;
    }
    if (dir) closedir(dir);
    if (h.count && !found) snprintf(out, cap, "a process of another user or container");
    return h.count > 0;
}

/* --- which addresses are public --------------------------------------------------------------- */

/* IANA's special-purpose registries (RFC 6890 and its followers): everything that is not globally
 * reachable. */

static const struct {
    uint32_t net;
    int bits;
} private_v4[] = {
    {0x00000000, 8},  /* this network */
    {0x0a000000, 8},  /* RFC 1918 */
    {0x64400000, 10}, /* carrier-grade NAT, RFC 6598 */
    {0x7f000000, 8},  /* loopback */
    {0xa9fe0000, 16}, /* link-local; clouds answer for instances there */
    {0xac100000, 12}, /* RFC 1918 */
    {0xc0000000, 24}, /* IETF protocol assignments */
    {0xc0000200, 24}, /* documentation */
    {0xc0586300, 24}, /* 6to4 relays, withdrawn */
    {0xc0a80000, 16}, /* RFC 1918 */
    {0xc6120000, 15}, /* benchmarks */
    {0xc6336400, 24}, /* documentation */
    {0xcb007100, 24}, /* documentation */
    {0xe0000000, 4},  /* multicast */
    {0xf0000000, 4},  /* reserved, broadcast */
};

static bool v4_is_private(uint32_t address)
{
    for (size_t i = 0; i < COUNT_OF(private_v4); i++)
        if ((address ^ private_v4[i].net) >> (32 - private_v4[i].bits) == 0) return true;
    return false;
}

static const struct {
    uint8_t net[16];
    int bits;
} private_v6[] = {
    {{0}, 96},                         /* ::, ::1 and the withdrawn v4-compatible ones */
    {{0, 0x64, 0xff, 0x9b, 0, 1}, 48}, /* local NAT64: leads into somebody's own network */
    {{0x01, 0}, 64},                   /* discard only */
    {{0x20, 0x01, 0}, 32},             /* Teredo: the v4 address inside is veiled */
    {{0x20, 0x01, 0, 0x02}, 48},       /* benchmarks */
    {{0x20, 0x01, 0, 0x10}, 28},       /* ORCHID */
    {{0x20, 0x01, 0, 0x20}, 28},       /* ORCHIDv2 */
    {{0x20, 0x01, 0x0d, 0xb8}, 32},    /* documentation */
    {{0x3f, 0xff, 0}, 20},             /* documentation */
    {{0x5f, 0}, 16},                   /* segment routing */
    {{0xfc}, 7},                       /* unique local */
    {{0xfe, 0x80}, 10},                /* link-local */
    {{0xfe, 0xc0}, 10},                /* site-local, withdrawn */
    {{0xff}, 8},                       /* multicast */
};

/* Ranges that carry a v4 address: it decides. */
static const struct {
    uint8_t net[12];
    int bits, at;
} carrying_v6[] = {
    {{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff}, 96, 12}, /* v4-mapped */
    {{0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 0, 0}, 96, 12}, /* v4-translated */
    {{0, 0x64, 0xff, 0x9b}, 96, 12},                      /* NAT64 */
    {{0x20, 0x02}, 16, 2},                                /* 6to4 */
};

static bool same_bits(const uint8_t *a, const uint8_t *b, int bits)
{
    if (memcmp(a, b, (size_t)(bits / 8)) != 0) return false;
    return bits % 8 == 0 || (a[bits / 8] ^ b[bits / 8]) >> (8 - bits % 8) == 0;
}

static bool v6_is_private(const uint8_t *a)
{
    for (size_t i = 0; i < COUNT_OF(carrying_v6); i++) {
        if (!same_bits(a, carrying_v6[i].net, carrying_v6[i].bits)) continue;
        const uint8_t *v4 = a + carrying_v6[i].at;
        return v4_is_private((uint32_t)v4[0] << 24 | (uint32_t)v4[1] << 16 | (uint32_t)v4[2] << 8 |
                             v4[3]);
    }
    for (size_t i = 0; i < COUNT_OF(private_v6); i++)
        if (same_bits(a, private_v6[i].net, private_v6[i].bits)) return true;
    return false;
}

/* What is no address at all counts as private: a caller that asks wants to be safe. */
bool net_address_is_private(const char *address)
{
    char text[64];
    uint32_t v4;
    uint8_t v6[16];
    struct slice s = slice_of(address);
    if (s.len >= 2 && s.at[0] == '[' && s.at[s.len - 1] == ']') s = slice_make(s.at + 1, s.len - 2);
    const uint8_t *zone = s.len ? memchr(s.at, '%', s.len) : NULL; /* fe80::1%eth0 */
    if (zone) s.len = (uint32_t)(zone - s.at);
    if (!slice_to_cstr(s, text, sizeof(text))) return true;
    if (inet_pton(AF_INET, text, &v4) == 1) return v4_is_private(ntohl(v4));
    return inet_pton(AF_INET6, text, v6) != 1 || v6_is_private(v6);
}
