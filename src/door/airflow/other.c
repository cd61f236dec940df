/* Import errors, events, jobs, health, version, settings. */
#include "door/airflow/airflow_int.h"

#include "data/json.h"
#include "sched/things.h"

enum { ALIVE_US = 30 * 1000000 }; /* scheduler_health_check_threshold */

err_t api_get_import_errors(struct call *c)
{
    struct listing l = {
        .kind = LIST_IMPORT_ERRORS, .body = BODY_IMPORT_ERROR, .name = "import_errors"};
    return answer_list(c, &l);
}

err_t api_get_import_error(struct call *c)
{
    struct listing l = {.kind = LIST_IMPORT_ERRORS, .body = BODY_IMPORT_ERROR};
    int64_t id;
    err_t e = rest_path_int(c, "import_error_id", &id);
    if (e) return e;
    listing_fix_int(c, &l, "import_error_id", id);
    return answer_one(c, &l, NO_IMPORT_ERROR);
}

err_t api_get_events(struct call *c)
{
    struct listing l = {.kind = LIST_EVENTS, .body = BODY_EVENT, .name = "event_logs"};
    return answer_list(c, &l);
}

/* A dag's own, for who may see it. What a change said in words stays the admins': it may hold what
 * a conf or a variable holds. */
err_t api_ui_events(struct call *c)
{
    struct listing l = {.kind = LIST_EVENTS_SEEN, .body = BODY_EVENT_SEEN, .name = "event_logs"};
    listing_fix(c, &l, "dag_id", rest_part(c, "dag_id"));
    return answer_list(c, &l);
}

err_t api_get_event(struct call *c)
{
    struct listing l = {.kind = LIST_EVENTS, .body = BODY_EVENT};
    int64_t id;
    err_t e = rest_path_int(c, "event_log_id", &id);
    if (e) return e;
    listing_fix_int(c, &l, "event_log_id", id);
    return answer_one(c, &l, NO_EVENT);
}

err_t api_get_jobs(struct call *c)
{
    static const char *const also[] = {"is_alive", NULL};
    struct listing l = {.kind = LIST_JOBS, .body = BODY_JOB, .name = "jobs", .also = also};
    bool alive = false;
    err_t e = rest_bool(c, "is_alive", &alive);
    struct meta_value *since = arena_take(c->arena, sizeof(*since));
    if (!since) return diag_fail(&c->d, ERR_NO_MEMORY, "no memory for a filter");
    *since = meta_int(c->ops.now_us - ALIVE_US);
    if (alive) {
        listing_fix(c, &l, "state", SLICE("running"));
        l.fixed[l.fixed_count++] = (struct list_filter){"latest_heartbeat", LIST_GTE, since, 1};
    }
    return e ? e : answer_list(c, &l);
}

/* --- health, version
 * ---------------------------------------------------------------------------------- */

static void rest_put_part(struct call *c, const char *name, const char *beat, bool well, int64_t at)
{
    buf_printf(&c->out, ", \"%s\": {\"status\": \"%s\", \"%s\": ", name,
               well ? "healthy" : "unhealthy", beat);
    /* v1 and v2 alike write isoformat's +00:00 here */
    enum api said = c->api;
    c->api = API_V1;
    rest_put_time(&c->out, c, at);
    c->api = said;
    buf_char(&c->out, '}');
}

/* The engine reads the dags' files too, in the scheduler's job; there is no triggerer, since no
 * task is deferred. */
err_t api_get_health(struct call *c)
{
    int64_t count = 0, latest = TIME_NONE;
    bool there = c->meta && !jobs_alive(c->meta, "SchedulerJob", INT64_MIN, &count, &latest, &c->d);
    if (count == 0) latest = TIME_NONE;
    bool well = latest != TIME_NONE && latest >= airflow_now(c->door) - ALIVE_US;
    buf_printf(&c->out, "{\"metadatabase\": {\"status\": \"%s\"}", there ? "healthy" : "unhealthy");
    rest_put_part(c, "scheduler", "latest_scheduler_heartbeat", well, latest);
    buf_text(&c->out, ", \"triggerer\": {\"status\": null, \"latest_triggerer_heartbeat\": null}");
    if (c->api == API_V2)
        rest_put_part(c, "dag_processor", "latest_dag_processor_heartbeat", well, latest);
    else /* Airflow 2 has one only when it stands alone */
        buf_text(&c->out, ", \"dag_processor\": {\"status\": null, "
                          "\"latest_dag_processor_heartbeat\": null}");
    buf_char(&c->out, '}');
    return ERR_OK;
}

/* The API's version, since clients look at it; what it is really stands in git_version. */
err_t api_get_version(struct call *c)
{
    buf_printf(&c->out, "{\"version\": \"%s\", \"git_version\": \".sluice:%s\"}",
               c->api == API_V1 ? "2.10.5" : "3.1.0", airflow_options(c->door)->version);
    return ERR_OK;
}

/* --- settings
 * ------------------------------------------------------------------------------------------- */

static err_t config_shown(struct call *c)
{
    if (airflow_options(c->door)->sched.setting) return ERR_OK;
    return refuse(c, 403, "Forbidden",
                  "Your Airflow administrator chose not to expose the configuration, most likely "
                  "for security reasons.");
}

static void rest_put_option(struct call *c, const struct airflow_setting *s, bool text)
{
    if (text) {
        buf_printf(&c->out, "%s = %s\n", s->key, s->value);
        return;
    }
    buf_text(&c->out, "{\"key\": ");
    json_put_text(&c->out, slice_of(s->key));
    buf_text(&c->out, ", \"value\": ");
    json_put_text(&c->out, slice_of(s->value));
    buf_char(&c->out, '}');
}

/* Settings stand section by section. */
static err_t rest_put_config(struct call *c, struct slice section, struct slice option)
{
    const struct airflow_port *p = &airflow_options(c->door)->sched;
    bool text = slice_starts(http_header(c->http, "accept"), "text/plain");
    struct airflow_setting s;
    char open[64] = "";
    uint32_t shown = 0;
    if (!text) buf_text(&c->out, "{\"sections\": [");
    for (uint32_t n = 0; p->setting(p->ctx, n, &s); n++) {
        if (section.at && !slice_is(section, s.section)) continue;
        if (option.at && !slice_is(option, s.key)) continue;
        bool fresh = strcmp(open, s.section) != 0;
        if (fresh && text)
            buf_printf(&c->out, "%s[%s]\n", shown ? "\n" : "", s.section);
        else if (fresh)
            buf_printf(&c->out, "%s{\"name\": \"%s\", \"options\": [", shown ? "]}, " : "",
                       s.section);
        else if (!text)
            buf_text(&c->out, ", ");
        slice_to_cstr(slice_of(s.section), open, sizeof(open));
        rest_put_option(c, &s, text);
        shown++;
    }
    if (!text) buf_text(&c->out, shown ? "]}]}" : "]}");
    if (text) c->type = "text/plain";
    if (shown || !section.at) return ERR_OK;
    if (option.at)
        return refuse(c, 404, "Config not found.", "The option [%.*s/%.*s] is not found in config.",
                      SLICE_ARG(section), SLICE_ARG(option));
    return refuse(c, 404, "section not found.", "section=%.*s not found.", SLICE_ARG(section));
}

err_t api_get_config(struct call *c)
{
    struct slice section = {0};
    (void)rest_param(c, "section", &section);
    err_t e = config_shown(c);
    return e ? e : rest_put_config(c, section, (struct slice){0});
}

err_t api_get_config_value(struct call *c)
{
    err_t e = config_shown(c);
    return e ? e : rest_put_config(c, rest_part(c, "section"), rest_part(c, "option"));
}

/* Sluice has no packages and no plugins: none is the truth. */
err_t api_get_providers(struct call *c)
{
    buf_text(&c->out, "{\"providers\": [], \"total_entries\": 0}");
    return ERR_OK;
}

err_t api_get_plugins(struct call *c)
{
    buf_text(&c->out, "{\"plugins\": [], \"total_entries\": 0}");
    return ERR_OK;
}

err_t api_get_plugin_errors(struct call *c)
{
    buf_text(&c->out, "{\"import_errors\": [], \"total_entries\": 0}");
    return ERR_OK;
}

/* --- tasks that ask a person: there are none -----------------------------------------------------
 */

err_t api_get_hitl_details(struct call *c)
{
    buf_text(&c->out, "{\"hitl_details\": [], \"total_entries\": 0}");
    return ERR_OK;
}

/* None to be read, and none to be answered; of an instance that is there it says so. */
err_t api_get_hitl_detail(struct call *c)
{
    struct task_row t;
    int64_t index;
    err_t e = rest_path_int(c, "map_index", &index);
    if (e) return e;
    e = task_row_find(c->meta, rest_part(c, "dag_id"), rest_part(c, "dag_run_id"),
                      rest_part(c, "task_id"), (int32_t)index, c->arena, &t, &c->d);
    if (e == ERR_NOT_FOUND) return missing(c, NO_INSTANCE_INDEXED);
    if (e) return e;
    return refuse(c, 404, NULL,
                  "Human-in-the-loop detail does not exist for Task Instance with id %.*s",
                  SLICE_ARG(t.uuid));
}
