/* Goal: no password is kept, the right one comes in, the file survives, damage is told.
 * Method: a table that is reopened. */
#include "users/users.h"

#include "base/hash.h"
#include "os/file.h"
#include "test.h"

#include <stdio.h>
#include <stdlib.h>

static const char *path(void)
{
    static char text[256];
    snprintf(text, sizeof(text), "%s/users", test_dir());
    return text;
}

TEST(users_of_the_tutorials_come_in_and_are_marked)
{
    struct diag d;
    struct users *u = NULL;
    struct user user;
    CHECK_OK(users_open(path(), &u, &d), &d);
    if (!u) return;
    CHECK_OK(users_check(u, SLICE("admin"), SLICE("admin"), &user), NULL);
    CHECK(user.well_known && user.role == ROLE_ADMIN);
    CHECK_ERR(users_check(u, SLICE("admin"), SLICE("Admin"), &user), ERR_LOGIN);
    CHECK_ERR(users_check(u, SLICE("nobody"), SLICE("admin"), &user), ERR_LOGIN);
    CHECK_ERR(users_check(u, SLICE("nobody"), SLICE(""), &user), ERR_LOGIN);
    CHECK(users_any_well_known(u));
    CHECK_OK(users_set(u, SLICE("admin"), SLICE("better"), ROLE_ADMIN, &d), &d);
    CHECK_OK(users_remove(u, SLICE("cassandra"), &d), &d);
    CHECK(!users_any_well_known(u));
    CHECK_ERR(users_remove(u, SLICE("admin"), &d), ERR_FORBIDDEN);
    CHECK_ERR(users_set_role(u, SLICE("admin"), ROLE_VIEWER, &d), ERR_FORBIDDEN);
    users_close(u);
}

TEST(users_survive_a_restart_and_no_password_is_in_the_file)
{
    struct diag d;
    struct users *u = NULL;
    struct user user;
    struct slice file;
    CHECK_OK(users_open(path(), &u, &d), &d);
    if (!u) return;
    CHECK_OK(users_set(u, SLICE("zoe"), SLICE("open sesame"), ROLE_OP, &d), &d);
    CHECK_ERR(users_set(u, SLICE("two words"), SLICE("x"), ROLE_OP, &d), ERR_USAGE);
    users_close(u);
    CHECK_OK(file_load(path(), 1 << 20, &file, &d), &d);
    CHECK(!strstr((const char *)file.at, "sesame"));
    mem_give((void *)(uintptr_t)file.at);
    CHECK_OK(users_open(path(), &u, &d), &d);
    CHECK_OK(users_check(u, SLICE("zoe"), SLICE("open sesame"), &user), NULL);
    CHECK(user.role == ROLE_OP && !user.well_known);
    users_close(u);
}

TEST(users_file_with_damage_is_refused_with_its_line)
{
    struct diag d;
    struct users *u = NULL;
    CHECK_OK(file_store(path(), SLICE("sluice-users 1\nann admin - 4096 00\n"), &d), &d);
    CHECK_ERR(users_open(path(), &u, &d), ERR_CORRUPT);
    CHECK(strstr(d.where, ":2"));
    CHECK_OK(file_store(path(), SLICE("sluice-users 9\n"), &d), &d);
    CHECK_ERR(users_open(path(), &u, &d), ERR_VERSION);
}
