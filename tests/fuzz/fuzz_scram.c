/* SCRAM's two client messages, parted by a NUL: whatever comes, nobody logs in without
 * the proof that only the password gives.
 * The kind of digest is the first byte's. */
#include "fuzz.h"
#include "users/scram.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    static struct users *u;
    struct scram_exchange x;
    char out[4096];
    if (!size) return 0;
    if (!u) {
        static const uint8_t salted[SCRAM_KEY_MAX] = "whatever";
        if (users_open(fuzz_file("", 0, (const uint8_t *)"sluice-users 2\n", 15), &u, NULL))
            abort();
        for (enum scram k = 0; k < SCRAM_KINDS; k++)
            if (users_credential_set(u, SLICE("user"), k, 4096, SLICE("salt"),
                                     slice_make(salted, scram_key_size(k)), NULL))
                abort();
    }
    struct buf b = buf_over(out, sizeof(out));
    const uint8_t *nul = memchr(bytes + 1, 0, size - 1);
    size_t first = nul ? (size_t)(nul - bytes - 1) : size - 1;
    enum scram kind = bytes[0] & 1 ? SCRAM_SHA_512 : SCRAM_SHA_256;
    err_t e = scram_first(&x, u, kind, slice_make(bytes + 1, first), "ours", &b);
    if (!e && !slice_starts(buf_view(&b), "r=")) abort();
    if (!e && nul && scram_final(&x, slice_make(nul + 1, size - first - 2), &b) == ERR_OK) abort();
    scram_forget(&x);
    return 0;
}
