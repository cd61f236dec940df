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

TEST(users_acts_refuse_alike_whoever_carries_them_out)
{
    static const struct {
        const char *what, *name, *password, *role;
        err_t answer;
        const char *word; /* of the story */
    } acts[] = {
        {"add", "zoe", "open sesame", "op", ERR_OK, ""},
        {"add", "zoe", "", NULL, ERR_EXISTS, "zoe"},
        {"add", "amy", "x", "king", ERR_USAGE, "king"},
        {"add", "amy", "", NULL, ERR_USAGE, "password"},
        {"add", "two words", "x", NULL, ERR_USAGE, "name"},
        {"passwd", "amy", "x", NULL, ERR_NOT_FOUND, "amy"},
        {"passwd", "zoe", "", NULL, ERR_USAGE, "password"},
        {"passwd", "zoe", "another", NULL, ERR_OK, ""},
        {"role", "zoe", NULL, "viewer", ERR_OK, ""},
        {"role", "zoe", NULL, NULL, ERR_USAGE, "role"},
        {"remove", "cassandra", NULL, NULL, ERR_OK, ""},
        {"remove", "admin", NULL, NULL, ERR_FORBIDDEN, "last admin"},
        {"rename", "zoe", NULL, NULL, ERR_USAGE, "passwd"},
    };
    struct diag d;
    struct users *u = NULL;
    struct user user;
    CHECK_OK(users_open(path(), &u, &d), &d);
    for (size_t i = 0; u && i < COUNT_OF(acts); i++) {
        const struct users_act a = {slice_of(acts[i].what), slice_of(acts[i].name),
                                    slice_of(acts[i].password), slice_of(acts[i].role)};
        d = (struct diag){.err = ERR_OK};
        CHECK_ERR(users_act(u, &a, &d), acts[i].answer);
        CHECK(strstr(d.what, acts[i].word));
    }
    if (!u) return;
    CHECK_OK(users_check(u, SLICE("zoe"), SLICE("another"), &user), NULL);
    CHECK(user.role == ROLE_VIEWER);
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

static err_t count_permit(void *ctx, const char *role, const char *resource, uint32_t bits)
{
    if (strcmp(role, "ann") == 0 && strcmp(resource, "data/k/odd % name") == 0)
        *(uint32_t *)ctx = bits;
    return ERR_OK;
}

TEST(roles_members_and_permissions_survive_a_restart)
{
    struct diag d;
    struct users *u = NULL;
    struct user user;
    uint32_t changed = 0, bits = 0;
    struct role_change plain = {.login = -1, .superuser = -1};
    struct role_change person = {.password = SLICE("pw"), .login = 1, .superuser = -1};
    CHECK_OK(users_open(path(), &u, &d), &d);
    if (!u) return;
    CHECK_OK(users_role_create(u, SLICE("readers"), &plain, &d), &d);
    CHECK_ERR(users_role_create(u, SLICE("readers"), &plain, &d), ERR_EXISTS);
    CHECK_ERR(users_role_create(u, SLICE("two words"), &plain, &d), ERR_USAGE);
    CHECK_OK(users_role_create(u, SLICE("ann"), &person, &d), &d);
    CHECK_OK(users_member_set(u, SLICE("readers"), SLICE("ann"), true, &d), &d);
    CHECK_ERR(users_member_set(u, SLICE("ann"), SLICE("readers"), true, &d), ERR_EXISTS);
    CHECK_OK(
        users_permit(u, SLICE("readers"), SLICE("data/k/t"), 1U << USER_SELECT, true, &changed, &d),
        &d);
    CHECK_INT(changed, 1U << USER_SELECT);
    CHECK_OK(
        users_permit(u, SLICE("readers"), SLICE("data/k/t"), 1U << USER_SELECT, true, &changed, &d),
        &d);
    CHECK_INT(changed, 0);
    CHECK_OK(users_permit(u, SLICE("ann"), SLICE("data/k/odd % name"), 3, true, &changed, &d), &d);
    users_close(u);
    CHECK_OK(users_open(path(), &u, &d), &d);
    CHECK_OK(users_find(u, SLICE("readers"), &user), NULL);
    CHECK(user.no_login && user.role == ROLE_NONE);
    CHECK_ERR(users_check(u, SLICE("readers"), SLICE("pw"), &user), ERR_LOGIN);
    CHECK_OK(users_check(u, SLICE("ann"), SLICE("pw"), &user), NULL);
    CHECK_OK(users_permits(u, count_permit, &bits), NULL);
    CHECK_INT(bits, 3);
    struct slice chain[] = {SLICE("data/k/t"), SLICE("data/k")};
    struct user_allowed a = users_allowed(u, SLICE("ann"), chain, 2);
    CHECK(a.known && a.login && a.bits == 1U << USER_SELECT && a.most == ROLE_NONE);
    uint64_t version = users_version(u);
    CHECK_OK(users_resource_gone(u, SLICE("data/k"), &d), &d);
    CHECK(users_version(u) != version);
    CHECK_INT(users_allowed(u, SLICE("ann"), chain, 2).bits, 0);
    CHECK_OK(users_remove(u, SLICE("readers"), &d), &d);
    CHECK(!users_is_member(u, SLICE("ann"), SLICE("readers")));
    users_close(u);
}

TEST(a_role_without_a_password_lets_nobody_in)
{
    struct diag d;
    struct users *u = NULL;
    struct user user;
    struct role_change c = {.login = 1, .superuser = -1};
    CHECK_OK(users_open(path(), &u, &d), &d);
    if (!u) return;
    CHECK_OK(users_role_create(u, SLICE("eve"), &c, &d), &d);
    CHECK_ERR(users_check(u, SLICE("eve"), SLICE(""), &user), ERR_LOGIN);
    CHECK_ERR(users_check(u, SLICE("eve"), SLICE("eve"), &user), ERR_LOGIN);
    c.password = SLICE("x");
    CHECK_OK(users_role_alter(u, SLICE("eve"), &c, &d), &d);
    CHECK_OK(users_check(u, SLICE("eve"), SLICE("x"), &user), NULL);
    c = (struct role_change){.login = 0, .superuser = -1};
    CHECK_OK(users_role_alter(u, SLICE("eve"), &c, &d), &d);
    CHECK_ERR(users_check(u, SLICE("eve"), SLICE("x"), &user), ERR_LOGIN);
    CHECK_ERR(users_role_alter(u, SLICE("nobody"), &c, &d), ERR_NOT_FOUND);
    users_close(u);
}

TEST(an_older_user_table_is_read_and_written_anew)
{
    struct diag d;
    struct users *u = NULL;
    struct user user;
    struct slice file;
    CHECK_OK(
        file_store(path(), SLICE("sluice-users 2\nann admin - 0 0\nbob user well-known 0 0\n"), &d),
        &d);
    CHECK_OK(users_open(path(), &u, &d), &d);
    if (!u) return;
    CHECK_OK(users_find(u, SLICE("bob"), &user), NULL);
    CHECK(user.role == ROLE_USER && user.well_known && !user.no_login);
    CHECK_OK(users_set(u, SLICE("bob"), SLICE("pw"), ROLE_USER, &d), &d);
    users_close(u);
    CHECK_OK(file_load(path(), 1 << 20, &file, &d), &d);
    CHECK(slice_starts(file, "sluice-users 4\nuser ann admin - 0 0\n"));
    mem_give((void *)(uintptr_t)file.at);
}

/* Goal: everything of one user changes at once, or nothing, and what people say of him survives.
 * Method: changes that are refused in the middle, and a table that is opened again. */
TEST(several_things_of_a_user_change_at_once)
{
    struct diag d;
    struct users *u = NULL;
    struct user user;
    struct role_change plain = {.login = -1, .superuser = -1};
    struct slice roles[] = {SLICE("readers"), SLICE("gone")};
    struct user_about about = {"Ann B.", "", "ann+b@c%d"}, other = {"", "x", "ann+b@c%d"};
    struct user_change c = {true, {0}, ROLE_VIEWER, &about, roles, 2};
    CHECK_OK(users_open(path(), &u, &d), &d);
    if (!u) return;
    CHECK_OK(users_role_create(u, SLICE("readers"), &plain, &d), &d);
    CHECK_ERR(users_change(u, SLICE("ann"), &c, &d), ERR_UNKNOWN_NAME);
    CHECK_ERR(users_find(u, SLICE("ann"), &user), ERR_NOT_FOUND);
    c.member_count = 1;
    CHECK_OK(users_change(u, SLICE("ann"), &c, &d), &d);
    CHECK_ERR(users_change(u, SLICE("ann"), &c, &d), ERR_EXISTS);
    CHECK_ERR(users_check(u, SLICE("ann"), SLICE(""), &user), ERR_LOGIN);
    struct user_change eve = {true, SLICE("pw"), ROLE_USER, &other, NULL, 0};
    CHECK_ERR(users_change(u, SLICE("eve"), &eve, &d), ERR_EXISTS);
    CHECK(strstr(d.what, "email"));
    eve.about = NULL;
    CHECK_OK(users_change(u, SLICE("eve"), &eve, &d), &d);
    c = (struct user_change){false, SLICE("pw"), ROLE_OP, NULL, &roles[1], 1};
    CHECK_ERR(users_change(u, SLICE("ann"), &c, &d), ERR_UNKNOWN_NAME);
    CHECK_OK(users_find(u, SLICE("ann"), &user), NULL);
    CHECK(user.role == ROLE_VIEWER && users_is_member(u, SLICE("ann"), SLICE("readers")));
    c.member_of = NULL;
    CHECK_OK(users_change(u, SLICE("ann"), &c, &d), &d);
    CHECK_ERR(users_change(u, SLICE("nobody"), &c, &d), ERR_NOT_FOUND);
    struct user_change low = {.role = ROLE_USER}, alone = {.role = -1, .member_of = roles};
    CHECK_OK(users_remove(u, SLICE("cassandra"), &d), &d);
    CHECK_ERR(users_change(u, SLICE("admin"), &low, &d), ERR_FORBIDDEN);
    CHECK_OK(users_set(u, SLICE("eve"), SLICE("other"), ROLE_USER, &d), &d);
    users_close(u);
    CHECK_OK(users_open(path(), &u, &d), &d);
    CHECK_OK(users_check(u, SLICE("ann"), SLICE("pw"), &user), NULL);
    CHECK(user.role == ROLE_OP && strcmp(user.about.first, "Ann B.") == 0 && !user.about.last[0]);
    CHECK(strcmp(user.about.email, "ann+b@c%d") == 0 && !user_is_group(&user));
    CHECK(users_is_member(u, SLICE("ann"), SLICE("readers")));
    CHECK_OK(users_change(u, SLICE("ann"), &alone, &d), &d);
    CHECK(!users_is_member(u, SLICE("ann"), SLICE("readers")));
    CHECK_OK(users_find(u, SLICE("readers"), &user), NULL);
    CHECK(user_is_group(&user));
    users_close(u);
    CHECK_OK(
        file_store(path(), SLICE("sluice-users 4\nuser ann admin - 0 0\nabout bob + + +\n"), &d),
        &d);
    CHECK_ERR(users_open(path(), &u, &d), ERR_CORRUPT);
}
