/* The node's own tables, topics as tables, roles and permissions: over a real store, log and user
 * table. */
#include "cql/cql_kit.h"
#include <stdio.h>

struct world {
    struct kit k;
    struct log *log;
    struct users *users;
};

static void world_open(struct world *w, bool login)
{
    struct diag d = {0};
    char dir[300], file[300];
    kit_open(&w->k);
    snprintf(dir, sizeof dir, "%s/log", test_dir());
    snprintf(file, sizeof file, "%s/users", test_dir());
    cql_call_done(&w->k.call); /* the last statement was the engine's that closes */
    w->k.call = (struct cql_call){0};
    cql_close(w->k.cql);
    struct log_options lo = {.dir = dir};
    CHECK_OK(log_open(&lo, 1000, &w->log, &d), &d);
    CHECK_OK(users_open(file, &w->users, &d), &d);
    struct cql_options o = {
        .store = w->k.store, .log = w->log, .users = w->users, .login = login, .port = 9042};
    CHECK_OK(cql_open(&o, &w->k.cql, &d), &d);
    INVARIANT(w->k.cql);
    w->k.session.cql = w->k.cql;
    if (login) {
        CHECK_OK(cql_login(&w->k.session, SLICE("cassandra"), SLICE("cassandra"), &d), &d);
        CHECK(w->k.session.superuser);
    }
}

static void world_close(struct world *w)
{
    kit_close(&w->k);
    log_close(w->log);
    users_close(w->users);
}

static void become(struct world *w, const char *name, const char *password)
{
    struct diag d = {0};
    w->k.session.user[0] = 0;
    w->k.session.superuser = false;
    CHECK_OK(cql_login(&w->k.session, slice_of(name), slice_of(password), &d), &d);
}

/* --- the node's own
 * ------------------------------------------------------------------------------------------ */

TEST(drivers_find_what_they_read_first)
{
    struct kit k;
    kit_open(&k);
    snprintf(k.session.address, sizeof k.session.address, "10.1.2.3");
    k.session.port = 9999;
    KIT_ROWS(&k,
             "SELECT rpc_address, rpc_port, release_version, partitioner, tokens, data_center FROM "
             "system.local WHERE key = 'local'",
             "'10.1.2.3',9999,'5.0.5','org.apache.cassandra.dht.Murmur3Partitioner',"
             "{'-9223372036854775808'},'datacenter1';");
    KIT_ROWS(&k, "SELECT * FROM system.peers", "");
    KIT_ROWS(&k, "SELECT * FROM system.peers_v2", "");
    KIT_ROWS(&k, "SELECT keyspace_name FROM system_virtual_schema.keyspaces",
             "'system_views';'system_virtual_schema';");
    KIT_ROWS(&k,
             "SELECT keyspace_name, durable_writes, replication FROM system_schema.keyspaces WHERE "
             "keyspace_name = 'system_auth'",
             "'system_auth',true,{'class': 'org.apache.cassandra.locator.SimpleStrategy', "
             "'replication_factor': '1'};");
    kit_close(&k);
}

TEST(a_node_keeps_its_id_and_a_schema_change_shows)
{
    struct kit k;
    kit_open(&k);
    const char *id = kit_ask(&k, "SELECT host_id FROM system.local");
    const char *version = kit_ask(&k, "SELECT schema_version FROM system.local");
    CHECK_TEXT(kit_ask(&k, "SELECT schema_version FROM system.local"), version);
    kit_do(&k, "CREATE TABLE t (k int PRIMARY KEY)");
    CHECK(strcmp(kit_ask(&k, "SELECT schema_version FROM system.local"), version) != 0);
    version = kit_ask(&k, "SELECT schema_version FROM system.local");
    kit_reopen(&k);
    CHECK_TEXT(kit_ask(&k, "SELECT host_id FROM system.local"), id);
    CHECK_TEXT(kit_ask(&k, "SELECT schema_version FROM system.local"), version);
    kit_close(&k);
}

TEST(the_schema_is_in_tables_the_tables_themselves_too)
{
    struct kit k;
    kit_open(&k);
    kit_do(&k, "CREATE TABLE t (a int, b text, s int STATIC, v list<int>, PRIMARY KEY (a, b)) WITH "
               "CLUSTERING ORDER BY (b DESC)");
    kit_do(&k, "CREATE INDEX ON t (v)");
    KIT_ROWS(
        &k,
        "SELECT column_name, clustering_order, kind, position, type FROM system_schema.columns "
        "WHERE keyspace_name = 'ks' AND table_name = 't'",
        "'a','none','partition_key',0,'int';'b','desc','clustering',0,'text';"
        "'s','none','static',-1,'int';'v','none','regular',-1,'list<int>';");
    KIT_ROWS(
        &k,
        "SELECT index_name, kind, options FROM system_schema.indexes WHERE keyspace_name = 'ks'",
        "'t_v_idx','COMPOSITES',{'target': 'values(v)'};");
    KIT_ROWS(&k, "SELECT index_name FROM system.\"IndexInfo\" WHERE table_name = 'ks'",
             "'t_v_idx';");
    KIT_ROWS(
        &k,
        "SELECT table_name FROM system_schema.tables WHERE keyspace_name = 'system_schema' AND "
        "table_name >= 'k' AND table_name < 'u'",
        "'keyspaces';'tables';'triggers';'types';");
    KIT_ROWS(
        &k,
        "SELECT table_name, id, flags FROM system_schema.tables WHERE keyspace_name = 'system' "
        "AND table_name = 'local'",
        "'local',7ad54392-bcdd-35a6-8417-4e047860b377,{'compound'};");
    KIT_ROWS(
        &k,
        "SELECT table_name FROM system_schema.tables WHERE keyspace_name = 'system_auth' ORDER BY "
        "table_name DESC LIMIT 2",
        "'roles';'role_permissions';");
    KIT_ROWS(&k,
             "SELECT count(*) FROM system_virtual_schema.tables WHERE keyspace_name = "
             "'system_virtual_schema'",
             "3;");
    kit_close(&k);
}

TEST(virtual_tables_come_by_pages)
{
    struct kit k;
    kit_open(&k);
    const char *all = kit_ask(&k, "SELECT keyspace_name, table_name FROM system_schema.tables");
    struct kit_how how = {.page_size = 7};
    struct buf joined = buf_make(MIB(1));
    do {
        buf_text(
            &joined,
            kit_execute(&k, "SELECT keyspace_name, table_name FROM system_schema.tables", how));
        how.state = kit_state(&k);
    } while (how.state.at);
    CHECK_TEXT(buf_cstr(&joined), all);
    buf_done(&joined);
    kit_close(&k);
}

TEST(nothing_writes_into_what_the_node_says)
{
    struct kit k;
    kit_open(&k);
    CHECK(strncmp(kit_ask(&k, "INSERT INTO system.local (key) VALUES ('x')"), "ok", 2) != 0);
    CHECK(strncmp(kit_ask(&k, "DELETE FROM system_schema.tables WHERE keyspace_name = 'ks'"), "ok",
                  2) != 0);
    KIT_ROWS(&k, "TRUNCATE system.local",
             "INVALID: Truncation is not supported by table system.local");
    KIT_ROWS(&k, "SELECT * FROM system.nope", "INVALID: table nope does not exist");
    KIT_ROWS(&k, "SELECT * FROM nope.nope", "INVALID: keyspace nope does not exist");
    kit_close(&k);
}

/* --- topics
 * -----------------------------------------------------------------------------------------------------
 */

static void append(struct world *w, struct log_topic *t, int32_t partition, int from, int count)
{
    struct record_builder b = record_builder_make(MIB(1));
    struct buf out = buf_make(MIB(1));
    struct record_batch_options o = {.producer_id = -1, .producer_epoch = -1, .base_sequence = -1};
    struct diag d = {0};
    int64_t base;
    for (int i = from; i < from + count; i++) {
        char key[16], value[32];
        snprintf(key, sizeof key, "k%d", i);
        snprintf(value, sizeof value, i % 5 == 4 ? "\xff\xfe" : "{\"n\": %d}", i);
        struct record_header h = {SLICE("h"), SLICE("x"), false};
        record_builder_add(&b, 1000 + i, slice_of(key), slice_of(value), &h, i == 0);
    }
    CHECK_OK(record_builder_finish(&b, &o, &out), NULL);
    CHECK_OK(log_append_wait(w->log, log_partition(t, partition), out.at, out.len, 2000, &base, &d),
             &d);
    buf_done(&out);
    record_builder_done(&b);
}

TEST(a_topic_is_a_table)
{
    struct world w;
    struct diag d = {0};
    struct log_topic *t;
    struct kit *k = &w.k;
    world_open(&w, false);
    struct log_topic_config c = log_topic_defaults();
    CHECK_OK(log_topic_create(w.log, SLICE("my.users-1"), 2, &c, &t, &d), &d);
    append(&w, t, 0, 0, 3);
    append(&w, t, 0, 3, 3);
    append(&w, t, 1, 6, 2);
    KIT_ROWS(k,
             "SELECT partition, \"offset\", timestamp, key, value, headers FROM "
             "topics.\"my.users-1\" WHERE "
             "partition = 0 AND \"offset\" < 2",
             "0,0,'1970-01-01T00:00:01.000Z','k0','{\"n\": 0}',{'h': 0x78};"
             "0,1,'1970-01-01T00:00:01.001Z','k1','{\"n\": 1}',null;");
    KIT_ROWS(k,
             "SELECT value, value_blob FROM topics.\"my.users-1\" WHERE partition = 0 AND "
             "\"offset\" = 4",
             "null,0xfffe;");
    KIT_ROWS(
        k,
        "SELECT \"offset\" FROM topics.\"my.users-1\" WHERE partition = 0 AND \"offset\" > 2 AND "
        "\"offset\" <= 4",
        "3;4;");
    KIT_ROWS(k,
             "SELECT \"offset\" FROM topics.\"my.users-1\" WHERE partition = 0 ORDER BY \"offset\" "
             "DESC LIMIT 2",
             "5;4;");
    KIT_ROWS(k, "SELECT count(*) FROM topics.\"my.users-1\"", "8;");
    KIT_ROWS(k, "SELECT DISTINCT partition FROM topics.\"my.users-1\"", "1;0;");
    KIT_ROWS(k, "SELECT value FROM topics.\"my.users-1\" WHERE partition = 9", "");
    KIT_ROWS(k, "SELECT table_name FROM system_schema.tables WHERE keyspace_name = 'topics'",
             "'my.users-1';");
    struct kit_how how = {.page_size = 3};
    struct buf joined = buf_make(MIB(1));
    do {
        buf_text(&joined, kit_execute(k, "SELECT key FROM topics.\"my.users-1\"", how));
        how.state = kit_state(k);
    } while (how.state.at);
    CHECK_TEXT(buf_cstr(&joined), "'k6';'k7';'k0';'k1';'k2';'k3';'k4';'k5';");
    buf_done(&joined);
    CHECK_OK(log_topic_delete(w.log, SLICE("my.users-1"), &d), &d);
    KIT_ROWS(k, "SELECT * FROM topics.\"my.users-1\"", "INVALID: table my.users-1 does not exist");
    KIT_ROWS(k, "CREATE TABLE topics.x (a int PRIMARY KEY)",
             "FORBIDDEN: topics keyspace is not user-modifiable.");
    world_close(&w);
}

/* --- roles
 * ----------------------------------------------------------------------------------------------------------
 */

TEST(roles_are_made_granted_listed_and_dropped)
{
    struct world w;
    struct kit *k = &w.k;
    world_open(&w, true);
    kit_do(k, "CREATE ROLE readers");
    kit_do(k, "CREATE ROLE alice WITH PASSWORD = 'secret' AND LOGIN = true");
    KIT_ROWS(k, "CREATE ROLE alice", "INVALID: alice already exists");
    kit_do(k, "CREATE ROLE IF NOT EXISTS alice");
    kit_do(k, "CREATE USER bob WITH PASSWORD 'b' SUPERUSER");
    KIT_ROWS(k,
             "CREATE ROLE x WITH HASHED PASSWORD = "
             "'$2a$10$JSJEMFm6GeaW9XxT5JIheuEtPvat6i7uKbnTcxX3c1wshIIsGyUtG'",
             "INVALID: HASHED PASSWORD is not supported by Sluice: it keeps SCRAM verifiers, from "
             "which and "
             "into which no bcrypt hash can be made; give the PASSWORD");
    kit_do(k, "GRANT readers TO alice");
    KIT_ROWS(k, "GRANT readers TO alice", "INVALID: alice is a member of readers");
    KIT_ROWS(k, "GRANT alice TO readers", "INVALID: alice is a member of readers");
    KIT_ROWS(k, "GRANT nobody TO alice", "INVALID: nobody doesn't exist");
    KIT_ROWS(k, "LIST ROLES",
             "'admin',true,true,{},'ALL';'alice',false,true,{},'ALL';'bob',true,true,{},'ALL';"
             "'cassandra',true,true,{},'ALL';'readers',false,false,{},'ALL';");
    KIT_ROWS(k, "LIST USERS",
             "'admin',true,'ALL';'alice',false,'ALL';'bob',true,'ALL';'cassandra',true,'ALL';");
    KIT_ROWS(k, "LIST ROLES OF alice",
             "'alice',false,true,{},'ALL';'readers',false,false,{},'ALL';");
    KIT_ROWS(k,
             "SELECT role, can_login, is_superuser, member_of, salted_hash FROM system_auth.roles "
             "WHERE role = "
             "'alice'",
             "'alice',true,false,{'readers'},null;");
    KIT_ROWS(k, "ALTER ROLE nobody WITH LOGIN = true", "INVALID: Role nobody doesn't exist");
    KIT_ROWS(k, "ALTER ROLE cassandra WITH SUPERUSER = false",
             "FORBIDDEN: You aren't allowed to alter your own superuser status or that of a role "
             "granted to you");
    kit_do(k, "ALTER ROLE bob WITH SUPERUSER = false");
    kit_do(k, "REVOKE readers FROM alice");
    KIT_ROWS(k, "REVOKE readers FROM alice", "INVALID: alice is not a member of readers");
    KIT_ROWS(k, "DROP ROLE cassandra", "INVALID: Cannot DROP primary role for current login");
    kit_do(k, "DROP ROLE bob");
    KIT_ROWS(k, "DROP ROLE bob", "INVALID: bob doesn't exist");
    kit_do(k, "DROP USER IF EXISTS bob");
    world_close(&w);
}

TEST(a_user_may_do_what_was_granted_and_no_more)
{
    struct world w;
    struct kit *k = &w.k;
    struct diag d = {0};
    world_open(&w, true);
    kit_do(k, "CREATE TABLE t (k int PRIMARY KEY, v int)");
    kit_do(k, "CREATE TABLE u (k int PRIMARY KEY)");
    kit_do(k, "CREATE ROLE readers");
    kit_do(k, "CREATE ROLE alice WITH PASSWORD = 'secret' AND LOGIN = true");
    kit_do(k, "GRANT SELECT ON t TO readers");
    kit_do(k, "GRANT readers TO alice");
    become(&w, "alice", "secret");
    KIT_ROWS(k, "SELECT * FROM t", "");
    KIT_ROWS(
        k, "SELECT * FROM u",
        "FORBIDDEN: User alice has no SELECT permission on <table ks.u> or any of its parents");
    KIT_ROWS(
        k, "INSERT INTO t (k) VALUES (1)",
        "FORBIDDEN: User alice has no MODIFY permission on <table ks.t> or any of its parents");
    KIT_ROWS(k, "SELECT key FROM system.local", "'local';");
    KIT_ROWS(k, "SELECT * FROM system_auth.roles",
             "FORBIDDEN: User alice has no SELECT permission on <table system_auth.roles> or any "
             "of its parents");
    KIT_ROWS(k, "DROP TABLE t",
             "FORBIDDEN: User alice has no DROP permission on <table ks.t> or any of its parents");
    KIT_ROWS(k, "CREATE ROLE x",
             "FORBIDDEN: User alice does not have sufficient privileges to perform the requested "
             "operation");
    KIT_ROWS(k, "LIST ALL PERMISSIONS OF alice", "'readers','readers','<table ks.t>','SELECT';");
    KIT_ROWS(k, "LIST ALL PERMISSIONS OF cassandra",
             "FORBIDDEN: You are not authorized to view cassandra's permissions");
    become(&w, "cassandra", "cassandra");
    kit_do(k, "GRANT MODIFY ON KEYSPACE ks TO alice");
    kit_do(k, "GRANT CREATE ON ALL TABLES IN KEYSPACE ks TO alice");
    KIT_ROWS(k, "GRANT SELECT ON nope.t TO alice",
             "INVALID: Resource <table nope.t> doesn't exist");
    KIT_ROWS(k, "GRANT SELECT ON t TO nobody", "INVALID: Role nobody doesn't exist");
    KIT_ROWS(k, "GRANT MODIFY ON KEYSPACE system TO alice",
             "FORBIDDEN: Granting permissions on system keyspaces is strictly limited, this "
             "operation is not permitted");
    become(&w, "alice", "secret");
    kit_do(k, "INSERT INTO t (k) VALUES (1)");
    kit_do(k, "CREATE TABLE own (k int PRIMARY KEY)");
    kit_do(k, "DROP TABLE own"); /* who makes may drop */
    become(&w, "cassandra", "cassandra");
    kit_do(k, "REVOKE SELECT ON t FROM readers");
    become(&w, "alice", "secret");
    KIT_ROWS(
        k, "SELECT * FROM t",
        "FORBIDDEN: User alice has no SELECT permission on <table ks.t> or any of its parents");
    CHECK_ERR(cql_login(&k->session, SLICE("alice"), SLICE("wrong"), &d), ERR_LOGIN);
    CHECK_TEXT(d.what, "Provided username alice and/or password are incorrect");
    world_close(&w);
}

TEST(levels_of_the_other_doors_are_permissions_on_all_keyspaces)
{
    struct world w;
    struct kit *k = &w.k;
    struct diag d = {0};
    world_open(&w, true);
    kit_do(k, "CREATE TABLE t (k int PRIMARY KEY, v int)");
    CHECK_OK(users_set(w.users, SLICE("vera"), SLICE("v"), ROLE_VIEWER, &d), &d);
    CHECK_OK(users_set(w.users, SLICE("uwe"), SLICE("u"), ROLE_USER, &d), &d);
    CHECK_OK(users_set(w.users, SLICE("olga"), SLICE("o"), ROLE_OP, &d), &d);
    become(&w, "vera", "v");
    KIT_ROWS(k, "SELECT * FROM t", "");
    KIT_ROWS(k, "TRUNCATE t",
             "FORBIDDEN: User vera has no MODIFY permission on <table ks.t> or any of its parents");
    become(&w, "uwe", "u");
    kit_do(k, "INSERT INTO t (k) VALUES (1)");
    KIT_ROWS(
        k, "CREATE TABLE x (k int PRIMARY KEY)",
        "FORBIDDEN: User uwe has no CREATE permission on <all tables in ks> or any of its parents");
    become(&w, "olga", "o");
    kit_do(k, "CREATE TABLE x (k int PRIMARY KEY)");
    KIT_ROWS(k, "CREATE ROLE y",
             "FORBIDDEN: User olga does not have sufficient privileges to perform the requested "
             "operation");
    become(&w, "cassandra", "cassandra");
    KIT_ROWS(k, "LIST ALL PERMISSIONS OF uwe",
             "'uwe','uwe','<all keyspaces>','SELECT';'uwe','uwe','<all keyspaces>','MODIFY';");
    world_close(&w);
}

TEST(without_logins_everyone_may_but_roles_ask_who)
{
    struct kit k;
    kit_open(&k);
    KIT_ROWS(&k, "LIST ROLES",
             "FORBIDDEN: You have to be logged in and not anonymous to perform this request");
    KIT_ROWS(&k, "CREATE ROLE x WITH PASSWORD = 'x'",
             "INVALID: org.apache.cassandra.auth.CassandraRoleManager doesn't support PASSWORD");
    KIT_ROWS(&k, "CREATE TABLE system_auth.x (k int PRIMARY KEY)",
             "FORBIDDEN: Cannot CREATE <all tables in system_auth>");
    kit_do(&k, "ALTER KEYSPACE system_auth WITH replication = {'class': 'NetworkTopologyStrategy', "
               "'datacenter1': 1}");
    KIT_ROWS(
        &k, "SELECT replication FROM system_schema.keyspaces WHERE keyspace_name = 'system_auth'",
        "{'class': 'org.apache.cassandra.locator.NetworkTopologyStrategy', 'datacenter1': '1'};");
    kit_close(&k);
}
