#include "base/hash.h"
#include "os/file.h"
#include "users/users_int.h"

#include <openssl/crypto.h>
#include <openssl/rand.h>
#include <stdio.h>

enum { FILE_MAX = 64 << 20 };
/* 4: what people say of users. 3: roles without login, memberships, permissions; lines begin with
 * their kind. 2: salts of any length, users with one kind of verifier only; 1 reads the same. */
static const char head[] = "sluice-users 4\n", head_3[] = "sluice-users 3\n",
                  head_2[] = "sluice-users 2\n", head_1[] = "sluice-users 1\n";

static const char *const roles[] = {"none", "viewer", "user", "op", "admin"};

const char *role_name(enum user_role r)
{
    return roles[r];
}

bool role_parse(struct slice text, enum user_role *out)
{
    for (size_t i = 0; i < COUNT_OF(roles); i++) {
        if (!slice_equal_nocase(text, slice_of(roles[i]))) continue;
        *out = (enum user_role)i;
        return true;
    }
    return false;
}

/* --- verifiers (RFC 5802, RFC 7677) ----------------------------------------------------------- */

/* Fills stored_key and server_key from the password, the salt and the iterations already there. */
static err_t scram_derive(enum scram kind, struct slice password, struct scram_verifier *v)
{
    uint8_t salted[SCRAM_KEY_MAX];
    err_t e = scram_salted(kind, password, v, salted);
    if (!e) e = scram_keys(kind, salted, v);
    OPENSSL_cleanse(salted, sizeof(salted));
    return e;
}

err_t users_scram_make(struct user *user, struct slice password)
{
    for (enum scram k = 0; k < SCRAM_KINDS; k++) {
        struct scram_verifier *v = &user->scram[k];
        *v = (struct scram_verifier){.iterations = USERS_ITERATIONS, .salt_size = SCRAM_SALT};
        if (RAND_bytes(v->salt, SCRAM_SALT) != 1) return ERR_INTERNAL;
        err_t e = scram_derive(k, password, v);
        if (e) return e;
    }
    return ERR_OK;
}

/* --- the file: a head line, then lines ----------------------------------------------------------
 * * user NAME ROLE FLAGS  then for each SCRAM kind  ITERATIONS SALT STORED SERVER, all in hex, or 0
 * when the user has none of the kind; FLAGS: -, or of well-known, no-login with commas member NAME
 * ROLE      NAME is a member of ROLE permit ROLE RESOURCE BITS   the resource with %XX for what is
 * no visible character */

static void put_user(struct buf *out, const struct user *u)
{
    buf_printf(out, "user %s %s %s%s%s%s", u->name, role_name(u->role),
               u->well_known ? "well-known" : "", u->well_known && u->no_login ? "," : "",
               u->no_login ? "no-login" : "", u->well_known || u->no_login ? "" : "-");
    for (enum scram k = 0; k < SCRAM_KINDS; k++) {
        const struct scram_verifier *v = &u->scram[k];
        if (!v->iterations) {
            buf_text(out, " 0");
            continue;
        }
        buf_printf(out, " %u ", v->iterations);
        put_hex(out, v->salt, v->salt_size);
        buf_char(out, ' ');
        put_hex(out, v->stored_key, scram_key_size(k));
        buf_char(out, ' ');
        put_hex(out, v->server_key, scram_key_size(k));
    }
    buf_char(out, '\n');
}

static void put_coded(struct buf *out, const char *text)
{
    for (const char *c = text; *c; c++)
        if (*c <= ' ' || *c == '%' || *c >= 0x7f)
            buf_printf(out, "%%%02X", (unsigned char)*c);
        else
            buf_char(out, *c);
}

/* Each word begins with a +, so that none is empty. */
static void put_about(struct buf *out, const struct user *u)
{
    const char *words[] = {u->about.first, u->about.last, u->about.email};
    if (!*words[0] && !*words[1] && !*words[2]) return;
    buf_printf(out, "about %s", u->name);
    for (size_t i = 0; i < COUNT_OF(words); i++) {
        buf_text(out, " +");
        put_coded(out, words[i]);
    }
    buf_char(out, '\n');
}

err_t users_save(struct users *u, struct diag *d)
{
    struct buf text = buf_make(FILE_MAX);
    buf_text(&text, head);
    for (size_t i = 0; i < u->list.count; i++) {
        put_user(&text, vec_at(&u->list, i));
        put_about(&text, vec_at(&u->list, i));
    }
    for (size_t i = 0; i < u->members.count; i++) {
        const struct user_member *m = vec_at(&u->members, i);
        buf_printf(&text, "member %s %s\n", m->member, m->role);
    }
    for (size_t i = 0; i < u->permits.count; i++) {
        const struct user_permit *p = vec_at(&u->permits, i);
        buf_printf(&text, "permit %s ", p->role);
        put_coded(&text, p->resource);
        buf_printf(&text, " %u\n", p->bits);
    }
    err_t e = text.err ? diag_fail(d, text.err, "the user table is too large")
                       : file_store(u->path, buf_view(&text), d);
    buf_done(&text);
    if (!e) atomic_fetch_add(&u->version, 1);
    return e;
}

static struct slice next_word(struct slice *line)
{
    uint32_t n = 0;
    while (n < line->len && line->at[n] != ' ') n++;
    struct slice word = slice_make(line->at, n);
    n += n < line->len;
    *line = slice_make(line->at + n, line->len - n);
    return word;
}

static bool parse_verifier(enum scram kind, struct slice *line, struct scram_verifier *v)
{
    uint64_t iterations = 0;
    size_t key = scram_key_size(kind);
    if (!slice_to_u64(next_word(line), &iterations) || iterations > 10000000) return false;
    v->iterations = (uint32_t)iterations;
    if (!iterations) return true;
    struct slice salt = next_word(line);
    if (salt.len < 2 || salt.len > 2 * SCRAM_SALT_MAX) return false;
    v->salt_size = (uint8_t)(salt.len / 2);
    return parse_hex(salt, v->salt, v->salt_size) &&
           parse_hex(next_word(line), v->stored_key, key) &&
           parse_hex(next_word(line), v->server_key, key);
}

static bool parse_flags(struct slice flags, struct user *u)
{
    if (slice_is(flags, "-")) return true;
    u->well_known = slice_starts(flags, "well-known");
    u->no_login = slice_is(flags, "no-login") || slice_is(flags, "well-known,no-login");
    return u->well_known || u->no_login;
}

static bool parse_user(struct slice line, struct user *u)
{
    if (!slice_to_cstr(next_word(&line), u->name, sizeof(u->name)) || !u->name[0]) return false;
    if (!role_parse(next_word(&line), &u->role)) return false;
    if (!parse_flags(next_word(&line), u)) return false;
    for (enum scram k = 0; k < SCRAM_KINDS; k++)
        if (!parse_verifier(k, &line, &u->scram[k])) return false;
    return line.len == 0;
}

static bool parse_member(struct slice line, struct user_member *m)
{
    return slice_to_cstr(next_word(&line), m->member, sizeof(m->member)) && m->member[0] &&
           slice_to_cstr(next_word(&line), m->role, sizeof(m->role)) && m->role[0] && line.len == 0;
}

static bool parse_coded(struct slice text, char *out, size_t cap)
{
    struct buf b = buf_over(out, cap);
    for (uint32_t i = 0; i < text.len; i++) {
        uint8_t c = text.at[i];
        if (c == '%') {
            if (i + 2 >= text.len || !parse_hex(slice_make(text.at + i + 1, 2), &c, 1))
                return false;
            if (c == 0) return false;
            i += 2;
        }
        buf_char(&b, (char)c);
    }
    buf_char(&b, 0);
    return !b.err;
}

/* Of the user whose line stands above. */
static bool parse_about(struct users *u, struct slice line)
{
    struct user *user = u->list.count ? vec_at(&u->list, u->list.count - 1) : NULL;
    if (!user || !slice_is(next_word(&line), user->name)) return false;
    char *out[] = {user->about.first, user->about.last, user->about.email};
    for (size_t i = 0; i < COUNT_OF(out); i++) {
        struct slice word = next_word(&line);
        if (word.len == 0 || word.at[0] != '+') return false;
        if (!parse_coded(slice_make(word.at + 1, word.len - 1), out[i], USERS_WORDS_MAX + 1))
            return false;
    }
    return line.len == 0;
}

static bool parse_permit(struct slice line, struct user_permit *p)
{
    uint64_t bits = 0;
    if (!slice_to_cstr(next_word(&line), p->role, sizeof(p->role)) || !p->role[0]) return false;
    if (!parse_coded(next_word(&line), p->resource, sizeof(p->resource))) return false;
    if (!p->resource[0]) return false;
    if (!slice_to_u64(next_word(&line), &bits) || bits >= 1U << USER_PERMISSIONS) return false;
    p->bits = (uint32_t)bits;
    return line.len == 0;
}

static err_t parse_line(struct users *u, struct slice line, bool kinds)
{
    struct user user = {.name = ""};
    struct user_member member;
    struct user_permit permit;
    struct slice kind = kinds ? next_word(&line) : SLICE("user");
    if (slice_is(kind, "user"))
        return parse_user(line, &user) ? vec_push(&u->list, &user) : ERR_CORRUPT;
    if (slice_is(kind, "about")) return parse_about(u, line) ? ERR_OK : ERR_CORRUPT;
    if (slice_is(kind, "member"))
        return parse_member(line, &member) ? vec_push(&u->members, &member) : ERR_CORRUPT;
    if (slice_is(kind, "permit"))
        return parse_permit(line, &permit) ? vec_push(&u->permits, &permit) : ERR_CORRUPT;
    return ERR_CORRUPT;
}

static err_t load(struct users *u, struct slice text, struct diag *d)
{
    bool kinds = slice_starts(text, head) || slice_starts(text, head_3);
    if (!kinds && !slice_starts(text, head_2) && !slice_starts(text, head_1)) {
        (void)diag_fail(d, ERR_VERSION, "the user table has a format this version does not know");
        return diag_where(d, "%s", u->path);
    }
    size_t line_number = 1;
    for (const uint8_t *at = text.at + sizeof(head) - 1, *end = text.at + text.len; at < end;) {
        const uint8_t *newline = memchr(at, '\n', (size_t)(end - at));
        line_number++;
        err_t e =
            newline ? parse_line(u, slice_make(at, (size_t)(newline - at)), kinds) : ERR_CORRUPT;
        if (e == ERR_CORRUPT) {
            (void)diag_fail(d, ERR_CORRUPT, "the user table is damaged");
            (void)diag_hint(
                d, "put back a copy of the file, or remove it to start with admin/admin again");
            return diag_where(d, "%s:%zu", u->path, line_number);
        }
        if (e) return diag_fail(d, e, "the user table has more than %d users", USERS_MAX);
        at = newline + 1;
    }
    return ERR_OK;
}

static err_t first_users(struct users *u, struct diag *d)
{
    static const char *const well_known[] = {"admin", "cassandra"};
    for (size_t i = 0; i < COUNT_OF(well_known); i++) {
        struct user user = {.role = ROLE_ADMIN, .well_known = true};
        INVARIANT(slice_to_cstr(slice_of(well_known[i]), user.name, sizeof(user.name)));
        err_t e = users_scram_make(&user, slice_of(well_known[i]));
        if (!e) e = vec_push(&u->list, &user);
        if (e) return diag_fail(d, e, "the first users can not be made");
    }
    return users_save(u, d);
}

err_t users_open(const char *path, struct users **out, struct diag *d)
{
    struct users *u = mem_take(sizeof(*u));
    struct slice text = {0};
    if (!u) return diag_fail(d, ERR_NO_MEMORY, "no memory for the user table");
    gate_init(&u->gate);
    u->list = vec_make(sizeof(struct user), USERS_MAX);
    u->members = vec_make(sizeof(struct user_member), USERS_MEMBERS_MAX);
    u->permits = vec_make(sizeof(struct user_permit), USERS_PERMITS_MAX);
    bool secret = RAND_bytes(u->secret, sizeof(u->secret)) == 1;
    bool fits = slice_to_cstr(slice_of(path), u->path, sizeof(u->path));
    err_t e = !fits ? diag_fail(d, ERR_TOO_BIG, "the path of the user table is too long") : ERR_OK;
    if (!e && !secret) e = diag_fail(d, ERR_INTERNAL, "there are no random bytes");
    if (!e && !file_exists(path)) {
        e = first_users(u, d);
    } else if (!e) {
        e = file_load(path, FILE_MAX, &text, d);
        if (!e) e = load(u, text, d);
        mem_give((void *)(uintptr_t)text.at);
    }
    if (e)
        users_close(u);
    else
        *out = u;
    return e;
}

void users_close(struct users *u)
{
    if (!u) return;
    if (u->list.items) OPENSSL_cleanse(u->list.items, u->list.cap * u->list.item_size);
    vec_done(&u->list);
    vec_done(&u->members);
    vec_done(&u->permits);
    gate_done(&u->gate);
    mem_give(u);
}

/* --- asking
 * -----------------------------------------------------------------------------------------------
 */

struct user *users_named(struct users *u, struct slice name)
{
    for (size_t i = 0; i < u->list.count; i++) {
        struct user *user = vec_at(&u->list, i);
        if (slice_is(name, user->name)) return user;
    }
    return NULL;
}

err_t users_find(struct users *u, struct slice name, struct user *out)
{
    gate_enter(&u->gate);
    const struct user *user = users_named(u, name);
    if (user) *out = *user;
    gate_leave(&u->gate);
    return user ? ERR_OK : ERR_NOT_FOUND;
}

/* The verifier that a password is held against. */
static enum scram kind_of(const struct user *user)
{
    return user->scram[SCRAM_SHA_256].iterations ? SCRAM_SHA_256 : SCRAM_SHA_512;
}

err_t users_check(struct users *u, struct slice name, struct slice password, struct user *out)
{
    struct user user = {
        .scram[SCRAM_SHA_256] = {.iterations = USERS_ITERATIONS, .salt_size = SCRAM_SALT}};
    bool known = users_find(u, name, &user) == ERR_OK;
    enum scram kind = kind_of(&user);
    struct scram_verifier tried = user.scram[kind];
    known = known && !user.no_login && tried.iterations > 0;
    if (tried.iterations == 0) tried.iterations = USERS_ITERATIONS;
    if (password.len > USERS_PASSWORD_MAX || scram_derive(kind, password, &tried)) return ERR_LOGIN;
    bool same =
        CRYPTO_memcmp(tried.stored_key, user.scram[kind].stored_key, scram_key_size(kind)) == 0;
    if (!known || !same) return ERR_LOGIN;
    *out = user;
    return ERR_OK;
}

void users_disguise(const struct users *u, enum scram kind, struct slice name, uint8_t out[32])
{
    char text[USERS_NAME_MAX + 32];
    struct buf b = buf_over(text, sizeof(text)); /* a longer name than any of ours is cut */
    buf_printf(&b, "%s %.*s", scram_name(kind), (int)MIN(name.len, (uint32_t)USERS_NAME_MAX),
               (const char *)name.at);
    digest_hmac_sha256(slice_make(u->secret, sizeof(u->secret)), buf_view(&b), out);
}

err_t users_each(struct users *u, err_t (*each)(void *ctx, const struct user *user), void *ctx)
{
    err_t e = ERR_OK;
    for (size_t i = 0; !e; i++) {
        struct user user;
        gate_enter(&u->gate);
        bool more = i < u->list.count;
        if (more) user = *(struct user *)vec_at(&u->list, i);
        gate_leave(&u->gate);
        if (!more) break;
        e = each(ctx, &user);
    }
    return e;
}

bool users_any_well_known(struct users *u)
{
    bool any = false;
    gate_enter(&u->gate);
    for (size_t i = 0; i < u->list.count; i++)
        any |= ((struct user *)vec_at(&u->list, i))->well_known;
    gate_leave(&u->gate);
    return any;
}

/* --- changing --------------------------------------------------------------------------------- */

bool users_name_is_fine(struct slice name)
{
    if (name.len == 0 || name.len > USERS_NAME_MAX) return false;
    for (uint32_t i = 0; i < name.len; i++)
        if (name.at[i] <= ' ' || name.at[i] == 0x7f) return false;
    return true;
}

size_t users_admins(const struct users *u)
{
    size_t n = 0;
    for (size_t i = 0; i < u->list.count; i++)
        n += ((struct user *)vec_at(&u->list, i))->role == ROLE_ADMIN;
    return n;
}

/* Puts `user` in the table (added, or in the place of the one of its name) and on disk; on a
 * failure the table in memory is what it was. */
err_t users_put(struct users *u, const struct user *user, struct diag *d)
{
    struct user *there = users_named(u, slice_of(user->name)), before;
    if (there) {
        before = *there;
        *there = *user;
    } else {
        err_t e = vec_push(&u->list, user);
        if (e)
            return diag_fail(d, e, "there is no room for another user: %d is the most", USERS_MAX);
    }
    err_t e = users_save(u, d);
    if (e && there)
        *there = before;
    else if (e)
        vec_remove(&u->list, u->list.count - 1);
    return e;
}

static err_t set_user(struct users *u, struct slice name, struct slice password,
                      enum user_role role, bool only_new, struct diag *d)
{
    struct user user = {.role = role};
    if (!users_name_is_fine(name))
        return diag_fail(d, ERR_USAGE, "a user's name has 1 to %d bytes and no spaces",
                         USERS_NAME_MAX);
    if (password.len < 1 || password.len > USERS_PASSWORD_MAX)
        return diag_fail(d, ERR_USAGE, "a password has 1 to %d bytes", USERS_PASSWORD_MAX);
    (void)slice_to_cstr(name, user.name, sizeof(user.name));
    user.well_known = slice_equal(name, password);
    if (users_scram_make(&user, password))
        return diag_fail(d, ERR_INTERNAL, "the password can not be hashed");
    gate_enter(&u->gate);
    const struct user *there = users_named(u, name);
    if (there) user.about = there->about;
    bool last = there && there->role == ROLE_ADMIN && role != ROLE_ADMIN && users_admins(u) == 1;
    err_t e;
    if (there && only_new)
        e = diag_fail(d, ERR_EXISTS, "there is a user '%s' already", user.name);
    else
        e = last ? diag_fail(d, ERR_FORBIDDEN, "%s is the last admin", user.name)
                 : users_put(u, &user, d);
    gate_leave(&u->gate);
    return e;
}

err_t users_set(struct users *u, struct slice name, struct slice password, enum user_role role,
                struct diag *d)
{
    return set_user(u, name, password, role, false, d);
}

err_t users_add(struct users *u, struct slice name, struct slice password, enum user_role role,
                struct diag *d)
{
    struct user there;
    if (!users_find(u, name, &there)) /* told before the password is looked at, and hashed */
        return diag_fail(d, ERR_EXISTS, "there is a user '%s' already", there.name);
    return set_user(u, name, password, role, true, d);
}

err_t users_set_role(struct users *u, struct slice name, enum user_role role, struct diag *d)
{
    err_t e = ERR_OK;
    gate_enter(&u->gate);
    const struct user *there = users_named(u, name);
    if (!there)
        e = diag_fail(d, ERR_NOT_FOUND, "there is no user '%.*s'", SLICE_ARG(name));
    else if (there->role == ROLE_ADMIN && role != ROLE_ADMIN && users_admins(u) == 1)
        e = diag_fail(d, ERR_FORBIDDEN, "%s is the last admin", there->name);
    if (!e) {
        struct user changed = *there;
        changed.role = role;
        e = users_put(u, &changed, d);
    }
    gate_leave(&u->gate);
    return e;
}

err_t users_remove(struct users *u, struct slice name, struct diag *d)
{
    err_t e = ERR_OK;
    gate_enter(&u->gate);
    struct user *there = users_named(u, name);
    if (!there)
        e = diag_fail(d, ERR_NOT_FOUND, "there is no user '%.*s'", SLICE_ARG(name));
    else if (there->role == ROLE_ADMIN && users_admins(u) == 1)
        e = diag_fail(d, ERR_FORBIDDEN, "%s is the last admin", there->name);
    struct users_left left;
    if (!e) e = users_leave(u, name, &left) ? diag_fail(d, ERR_NO_MEMORY, "no memory") : ERR_OK;
    if (!e) {
        struct user gone = *there;
        size_t at = (size_t)((uint8_t *)there - u->list.items) / u->list.item_size;
        vec_remove(&u->list, at);
        e = users_save(u, d);
        if (e) { /* the file still has it: so does the table (there is room: it was just here) */
            struct user *back = vec_add(&u->list);
            INVARIANT(back != NULL);
            *back = gone;
        }
        users_unleave(u, &left, e != ERR_OK);
    }
    gate_leave(&u->gate);
    return e;
}

/* --- one mechanism's credential --------------------------------------------------------------- */

static err_t check_credential(struct slice name, enum scram kind, int64_t iterations,
                              struct slice salt, struct slice salted, struct diag *d)
{
    if (name.len == 0) return diag_fail(d, ERR_CREDENTIAL, "Username must not be empty");
    if (!users_name_is_fine(name))
        return diag_fail(d, ERR_CREDENTIAL, "a user's name has 1 to %d bytes and no spaces",
                         USERS_NAME_MAX);
    if (iterations < USERS_ITERATIONS) return diag_fail(d, ERR_CREDENTIAL, "Too few iterations");
    if (iterations > USERS_ITERATIONS_MOST)
        return diag_fail(d, ERR_CREDENTIAL, "Too many iterations");
    if (salt.len < 1 || salt.len > SCRAM_SALT_MAX)
        return diag_fail(d, ERR_CREDENTIAL, "a salt has 1 to %d bytes", SCRAM_SALT_MAX);
    if (salted.len != scram_key_size(kind))
        return diag_fail(d, ERR_CREDENTIAL, "a salted password of %s has %zu bytes",
                         scram_name(kind), scram_key_size(kind));
    return ERR_OK;
}

err_t users_credential_set(struct users *u, struct slice name, enum scram kind, int64_t iterations,
                           struct slice salt, struct slice salted, struct diag *d)
{
    uint8_t obvious[SCRAM_KEY_MAX];
    struct user user = {.role = ROLE_USER};
    err_t e = check_credential(name, kind, iterations, salt, salted, d);
    if (e) return e;
    struct scram_verifier v = {.iterations = (uint32_t)iterations, .salt_size = (uint8_t)salt.len};
    memcpy(v.salt, salt.at, salt.len);
    if (scram_keys(kind, salted.at, &v) || scram_salted(kind, name, &v, obvious))
        return diag_fail(d, ERR_INTERNAL, "the password can not be hashed");
    (void)slice_to_cstr(name, user.name, sizeof(user.name));
    gate_enter(&u->gate);
    const struct user *there = users_named(u, name);
    if (there) user = *there;
    if (user.well_known)
        for (enum scram k = 0; k < SCRAM_KINDS; k++) user.scram[k] = (struct scram_verifier){0};
    user.well_known = CRYPTO_memcmp(obvious, salted.at, salted.len) == 0;
    user.scram[kind] = v;
    e = users_put(u, &user, d);
    gate_leave(&u->gate);
    return e;
}

err_t users_credential_remove(struct users *u, struct slice name, enum scram kind, struct diag *d)
{
    err_t e = ERR_OK;
    gate_enter(&u->gate);
    const struct user *there = users_named(u, name);
    struct user user = there ? *there : (struct user){.name = ""};
    if (!user.scram[kind].iterations)
        e = diag_fail(d, ERR_USER_UNKNOWN,
                      "Attempt to delete a user credential that does not exist");
    user.scram[kind] = (struct scram_verifier){0};
    bool last = !user.scram[SCRAM_SHA_256].iterations && !user.scram[SCRAM_SHA_512].iterations;
    if (!e && !last) e = users_put(u, &user, d);
    gate_leave(&u->gate);
    return e || !last ? e : users_remove(u, name, d);
}
