/* docker-compose: which ports people know, which settings mean one of ours, which passwords stand
 * there in clear. */
#include "main/config.h"
#include "main/import/import.h"
#include "sched/connection.h"

#include <stdio.h>

struct door {
    const char *image; /* in the image's or the service's name */
    const char *port;  /* inside the container */
    const char *setting;
    bool first; /* when this port is not published: the first one that is */
};
static const struct door doors[] = {
    {"cassandra", "9042", "cql.port", false},
    {"scylla", "9042", "cql.port", false},
    {"kafka", "9092", "kafka.port", true},
    {"broker", "9092", "kafka.port", true},
    {"cp-server", "9092", "kafka.port", true},
    {"zookeeper", "2181", "zookeeper.port", false},
    {"schema-registry", "8081", "registry.port", false},
    {"control-center", "9021", "console.port", false},
    {"airflow", "8080", "console.port", false},
    {"webserver", "8080", "console.port", false},
};
static const struct {
    const char *env, *setting;
} known_env[] = {{"CASSANDRA_CLUSTER_NAME", "cql.cluster_name"},
                 {"CASSANDRA_DC", "cql.data_center"},
                 {"CASSANDRA_RACK", "cql.rack"},
                 {"KAFKA_NUM_PARTITIONS", "kafka.partitions"}};

struct service {
    struct import *m;
    const struct import_file *f;
    struct slice name, image;
    uint32_t line;
};

static bool has_setting(const char *name, struct slice value)
{
    struct config c;
    struct diag d;
    char text[256];
    if (config_init(&c, &d)) return false;
    int n = snprintf(text, sizeof text, "%s=%.*s", name, SLICE_ARG(value));
    bool fine = n < (int)sizeof text && !config_set(&c, text, &d);
    config_done(&c);
    return fine;
}

static bool setting(struct service *s, const char *name, struct slice value, uint32_t line)
{
    char start[64];
    (void)snprintf(start, sizeof start, "%s: ", name);
    if (!has_setting(name, value)) return false;
    if (slice_holds(buf_view(&s->m->settings), start)) return true; /* the first one counts */
    buf_printf(&s->m->settings, "%s", start);
    put_yaml_text(&s->m->settings, value);
    buf_printf(&s->m->settings, "  # %s:%u\n", s->f->path, line);
    import_understand(s->m, s->f, line, "%s is %.*s", name, SLICE_ARG(value));
    return true;
}

/* "127.0.0.1:8090:8080/tcp" → 8090 and 8080; {target: …, published: …} too. */
static bool port_of(struct import *m, const struct doc *v, struct slice *outside,
                    struct slice *inside)
{
    struct slice s = doc_text(v);
    const struct doc *parts[] = {doc_get(v, "published"), doc_get(v, "target")};
    if (parts[0] && parts[1]) {
        *outside = parts[0]->kind == DOC_INT ? import_print(m, "%lld", (long long)parts[0]->number)
                                             : doc_text(parts[0]);
        *inside = parts[1]->kind == DOC_INT ? import_print(m, "%lld", (long long)parts[1]->number)
                                            : doc_text(parts[1]);
        return true;
    }
    uint32_t end = 0, colons[3] = {0}, count = 0;
    while (end < s.len && s.at[end] != '/') end++;
    for (uint32_t i = 0; i < end && count < 3; i++)
        if (s.at[i] == ':') colons[count++] = i;
    if (!count) return false;
    *inside = slice_make(s.at + colons[count - 1] + 1, end - colons[count - 1] - 1);
    uint32_t from = count > 1 ? colons[count - 2] + 1 : 0;
    *outside = slice_make(s.at + from, colons[count - 1] - from);
    return true;
}

static const struct door *door_of(const struct service *s)
{
    for (size_t i = 0; i < COUNT_OF(doors); i++)
        if (slice_holds(s->image, doors[i].image) || slice_holds(s->name, doors[i].image))
            return &doors[i];
    return NULL;
}

static void ports(struct service *s, const struct doc *list)
{
    const struct door *door = door_of(s);
    bool any = false;
    for (uint32_t i = 0; list && list->kind == DOC_LIST && i < list->count; i++) {
        struct slice outside, inside;
        if (port_of(s->m, &list->items[i], &outside, &inside))
            any = any || (door && slice_is(inside, door->port));
    }
    for (uint32_t i = 0; list && list->kind == DOC_LIST && i < list->count; i++) {
        struct slice outside = {0}, inside = {0};
        const struct doc *v = &list->items[i];
        if (!port_of(s->m, v, &outside, &inside)) {
            import_leave(s->m, s->f, v->line, "a port of %.*s is not understood",
                         SLICE_ARG(s->name));
            continue;
        }
        bool ours = door && (slice_is(inside, door->port) || (!any && door->first && i == 0));
        if (ours && setting(s, door->setting, outside, v->line)) continue;
        if (ours)
            import_leave(s->m, s->f, v->line, "port %.*s of %.*s: this Sluice has no setting %s",
                         SLICE_ARG(outside), SLICE_ARG(s->name), door->setting);
        else
            import_understand(s->m, s->f, v->line,
                              "port %.*s of %.*s: nothing of Sluice listens there",
                              SLICE_ARG(outside), SLICE_ARG(s->name));
    }
}

static void put_connection(struct service *s, struct slice id, struct slice uri, uint32_t line)
{
    struct connection c;
    struct diag d;
    if (connection_of_uri(uri, s->m->arena, &c, &d)) {
        import_leave(s->m, s->f, line, "the connection %.*s is no address that is understood",
                     SLICE_ARG(id));
        return;
    }
    if (c.password.len) import_secret(s->m, s->f, line, "a connection's password");
    c.password = (struct slice){0};
    for (uint32_t i = 0; i < id.len; i++)
        buf_char(&s->m->connections,
                 (char)(id.at[i] >= 'A' && id.at[i] <= 'Z' ? id.at[i] | 32 : id.at[i]));
    buf_text(&s->m->connections, ": ");
    connection_put_json(&s->m->connections, &c, s->m->arena);
    buf_printf(&s->m->connections, "  # %s:%u\n", s->f->path, line);
}

/* ://user:password@host */
static bool has_password(struct slice uri)
{
    for (uint32_t i = 0; i + 3 < uri.len; i++) {
        if (memcmp(uri.at + i, "://", 3) != 0) continue;
        const uint8_t *at = memchr(uri.at + i + 3, '@', uri.len - i - 3);
        return at && memchr(uri.at + i + 3, ':', (size_t)(at - uri.at) - i - 3);
    }
    return false;
}

static void variable(struct service *s, struct slice name, struct slice value, uint32_t line)
{
    bool cassandra = slice_is(name, "CASSANDRA_PASSWORD") || slice_is(name, "CASSANDRA_USERNAME");
    if (value.len && value.at[0] != '$' && (is_secret_name(name) || has_password(value)))
        import_secret(s->m, s->f, line, arena_text(s->m->arena, name));
    if (cassandra && slice_starts(s->image, "cassandra"))
        import_find(s->m, DEFECT_ignored_password, s->f, line);
    if (slice_starts(name, "AIRFLOW_CONN_"))
        put_connection(s, slice_make(name.at + 13, name.len - 13), value, line);
    for (size_t i = 0; i < COUNT_OF(known_env); i++)
        if (slice_is(name, known_env[i].env)) (void)setting(s, known_env[i].setting, value, line);
    if (slice_is(name, "KAFKA_NUM_PARTITIONS")) (void)slice_to_i64(value, &s->m->partitions);
}

static void environment(struct service *s, const struct doc *v)
{
    for (uint32_t i = 0; v && v->kind == DOC_MAP && i < v->count; i++) {
        const struct doc *value = &v->entries[i].value;
        struct buf b = buf_make(KIB(64));
        if (value->kind == DOC_TEXT)
            buf_slice(&b, value->text);
        else
            doc_put_json(&b, value);
        variable(s, v->entries[i].name, import_print(s->m, "%.*s", (int)b.len, (const char *)b.at),
                 v->entries[i].line);
        buf_done(&b);
    }
    for (uint32_t i = 0; v && v->kind == DOC_LIST && i < v->count; i++) {
        struct slice text = doc_text(&v->items[i]);
        const uint8_t *sign = text.len ? memchr(text.at, '=', text.len) : NULL;
        if (sign)
            variable(s, slice_make(text.at, (size_t)(sign - text.at)),
                     slice_make(sign + 1, (size_t)(text.at + text.len - sign - 1)),
                     v->items[i].line);
    }
}

static void service(struct import *m, const struct import_file *f, const struct doc_entry *e)
{
    const struct doc *image = doc_get(&e->value, "image");
    struct service s = {m, f, e->name, doc_text(image), e->line};
    if (slice_starts(s.image, "bitnami/")) import_find(m, DEFECT_image_gone, f, image->line);
    if (s.image.len && (slice_holds(s.image, ":latest") || !memchr(s.image.at, ':', s.image.len)))
        import_find(m, DEFECT_latest_image, f, image->line);
    ports(&s, doc_get(&e->value, "ports"));
    environment(&s, doc_get(&e->value, "environment"));
    import_understand(m, f, e->line, "the service %.*s", SLICE_ARG(e->name));
}

/* Connections that tasks name and that nothing describes: Spark's, as compose has it. */
struct used {
    struct import *m;
    const struct import_file *f;
};

static bool see_conn(void *ctx, const struct py_node *n)
{
    struct used *u = ctx;
    struct slice id, called = py_called(n);
    const struct py_node *given = py_argument(n, "conn_id", -1);
    bool spark = slice_is(called, "SparkSubmitOperator");
    if (!given) given = py_argument(n, "http_conn_id", -1);
    if (!given || n->kind != PY_CALL || !constant_of(u->m, u->f, given, &id)) return true;
    const char *start = arena_printf(u->m->arena, "%.*s:", SLICE_ARG(id));
    if (!start || slice_holds(buf_view(&u->m->connections), start)) return true;
    if (!spark) {
        import_leave(u->m, u->f, given->line, "the connection %.*s stands nowhere in the project",
                     SLICE_ARG(id));
        return true;
    }
    struct slice mode = SLICE("client");
    (void)constant_of(u->m, u->f, py_argument(n, "deploy_mode", -1), &mode);
    buf_printf(&u->m->connections,
               "%s\n  conn_type: spark\n  host: spark://spark-master\n  port: 7077\n  extra: "
               "{\"deploy-mode\": ",
               start);
    put_yaml_text(&u->m->connections, mode);
    buf_printf(&u->m->connections, "}  # as %s:%u names it\n", u->f->path, given->line);
    return true;
}

void gather_compose(struct import *m)
{
    for (size_t i = 0; i < m->files.count; i++) {
        struct import_file *f = vec_at(&m->files, i);
        const struct doc *services = f->yaml ? doc_get(f->yaml, "services") : NULL;
        if (f->yaml && (!services || services->kind != DOC_MAP))
            import_leave(m, f, 1, "has no services");
        for (uint32_t k = 0; services && services->kind == DOC_MAP && k < services->count; k++)
            service(m, f, &services->entries[k]);
    }
    for (size_t i = 0; i < m->files.count; i++) {
        struct used u = {m, vec_at(&m->files, i)};
        const char *dot = strrchr(u.f->path, '.');
        if (u.f->module) py_walk(u.f->module, see_conn, &u);
        uint32_t line = 1;
        for (uint32_t k = 0; dot && !strcmp(dot, ".sh") && k < u.f->text.len; k++) {
            line += u.f->text.at[k] == '\n';
            if (slice_starts(slice_make(u.f->text.at + k, u.f->text.len - k), "connections add"))
                import_leave(
                    m, u.f, line,
                    "a connection is added here by a command: write it into connections.yaml");
        }
    }
}
