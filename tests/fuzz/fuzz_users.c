/* The user table's file with any content behind its first line. */
#include "fuzz.h"
#include "users/users.h"

static err_t look(void *ctx, const struct user *user)
{
    (void)ctx;
    if (!user->name[0] || !role_name(user->role)) abort();
    return ERR_OK;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    static const char head[] = "sluice-users 4\n";
    struct users *u;
    if (users_open(fuzz_file(head, sizeof(head) - 1, bytes, size), &u, NULL) == ERR_OK) {
        if (users_each(u, look, NULL)) abort();
        users_close(u);
    }
    return 0;
}
