/* The name cqlsh: its options, its words when it can not begin, its exit codes: 0, 1 when there is
 * no connection, 2 when a statement failed. */
#include "main/cql/start.h"

#include "main/cql/line.h"

#include <errno.h>
#include <locale.h>
#include <stdlib.h>
#include <unistd.h>

#define CQLSH_VERSION "6.2.2"

static const char *either(const struct args *a, const char *one, const char *other)
{
    const char *value = args_value(a, one);
    return value ? value : args_value(a, other);
}

static bool number_of(const char *text, int64_t least, int64_t most, int64_t *out)
{
    return slice_to_i64(slice_of(text), out) && *out >= least && *out <= most;
}

static bool seconds_of(const char *text, int64_t *ms)
{
    double s;
    if (!slice_to_f64(slice_of(text), &s) || !(s > 0 && s < 1e6)) return false;
    *ms = (int64_t)(s * 1000);
    return true;
}

/* --- what was asked for ----------------------------------------------------------------------- */

static bool tool_address(const struct args *a, struct cql_client_options *o, const char **problem)
{
    const char *port = a->word_count > 1 ? a->words[1] : getenv("CQLSH_PORT");
    const char *host = a->word_count > 0 ? a->words[0] : getenv("CQLSH_HOST");
    int64_t n = 9042;
    if (port && *port && !number_of(port, 1, UINT16_MAX, &n)) {
        *problem = "the port is no number from 1 to 65535";
        return false;
    }
    o->host = host && *host ? host : "127.0.0.1";
    o->port = (uint16_t)n;
    return true;
}

static bool tool_options(const struct args *a, struct cql_client_options *o, const char **problem)
{
    const char *version = args_value(a, "--protocol-version"),
               *certificates = getenv("SSL_CERTFILE");
    const char *validate = getenv("SSL_VALIDATE"), *encoding = args_value(a, "--encoding");
    const char *connect = args_value(a, "--connect-timeout"),
               *request = args_value(a, "--request-timeout");
    int64_t n = 0;
    *o = (struct cql_client_options){.connect_ms = 5000, .timeout_ms = 10000, .driver = "cqlsh"};
    *problem = NULL;
    if (a->word_count > 2)
        *problem = "a host and a port are all that stands alone";
    else if (version && !number_of(version, NATIVE_OLDEST, NATIVE_NEWEST, &n))
        *problem = "the protocol's version is 3, 4 or 5";
    else if ((connect && !seconds_of(connect, &o->connect_ms)) ||
             (request && !seconds_of(request, &o->timeout_ms)))
        *problem = "a timeout is a number of seconds";
    else if (encoding && !slice_equal_nocase(slice_of(encoding), SLICE("utf-8")) &&
             !slice_equal_nocase(slice_of(encoding), SLICE("utf8")))
        *problem = "--encoding: there is only utf-8";
    else if (args_has(a, "--cqlshrc") || args_has(a, "--credentials"))
        *problem = "--cqlshrc and --credentials are not available in this version of sluice";
    if (*problem || !tool_address(a, o, problem)) return false;
    o->newest = (uint8_t)n;
    o->exact = version != NULL;
    o->user = either(a, "-u", "--username");
    o->password = either(a, "-p", "--password");
    o->keyspace = either(a, "-k", "--keyspace");
    o->tls = args_has(a, "--ssl");
    o->tls_options.ca_path = certificates && *certificates ? certificates : NULL;
    o->tls_options.unchecked = validate && slice_equal_nocase(slice_of(validate), SLICE("false"));
    return true;
}

static void ask_password(struct cql_client_options *o, char secret[256])
{
    if (!o->user || o->password) return;
    if (line_secret("Password: ", secret, 256)) o->password = secret;
}

static bool should_color(const struct args *a)
{
    const char *term = getenv("TERM");
    if (args_has(a, "--no-color")) return false;
    if (args_has(a, "-C") || args_has(a, "--color")) return true;
    return isatty(STDOUT_FILENO) && term && *term && strcmp(term, "dumb") != 0;
}

/* --- its end before the beginning --------------------------------------------------------------
 */

static int no_connection(const struct cql_client_options *o, const struct diag *d)
{
    if (d->err == ERR_INVALID && o->keyspace) {
        fprintf(stderr,
                "Connection error: (\"Unable to connect to any servers using keyspace '%s'\", "
                "['%s'])\n",
                o->keyspace, o->host);
        return 1;
    }
    fprintf(stderr, "Connection error: ('Unable to connect to any servers', {'%s:%u': ", o->host,
            o->port);
    if (d->err == ERR_LOGIN && o->user)
        fprintf(stderr,
                "AuthenticationFailed('Failed to authenticate to %s:%u: Error from server: "
                "code=0100 [Bad credentials] message=\"%s\"')})\n",
                o->host, o->port, d->what);
    else if (d->err == ERR_LOGIN)
        fprintf(stderr, "AuthenticationFailed('Remote end requires authentication')})\n");
    else
        fprintf(stderr, "%s%s%s})\n", d->what, d->why[0] ? ": " : "", d->why);
    return 1;
}

/* --- the shell -------------------------------------------------------------------------------- */

static void history_of(struct shell *s, const char *under_home)
{
    const char *home = getenv("HOME"), *own = getenv("CQL_HISTORY");
    char path[4096];
    int n = own && *own ? snprintf(path, sizeof(path), "%s", own)
                        : snprintf(path, sizeof(path), "%s/%s", home ? home : "", under_home);
    bool there = (home || own) && n > 0 && (size_t)n < sizeof(path);
    s->editor = line_open(under_home && there ? path : NULL);
}

/* Runs what is given, else what comes in; the shell is open. */
static int run(struct shell *s, const char *text, const char *file)
{
    FILE *in = stdin;
    if (text) {
        shell_run_text(s, slice_of(text));
    } else {
        if (file && !(in = fopen(file, "re"))) {
            fprintf(stderr, "Can't open '%s': %s\n", file, strerror(errno));
            return 1;
        }
        s->name = file ? file : s->name;
        shell_run(s, in);
        if (in != stdin) fclose(in);
    }
    bool unwritten = fflush(stdout) != 0 || ferror(stdout);
    if (unwritten) fprintf(stderr, "error: standard output could not be written\n");
    return unwritten ? 1 : !s->person && s->failed ? 2 : 0;
}

int tool_cqlsh(const struct verb *v, const struct args *a)
{
    struct cql_client_options o;
    struct shell s = {.out = stdout};
    struct diag d = {0};
    char secret[256];
    const char *problem, *text = either(a, "-e", "--execute"), *file = either(a, "-f", "--file");
    if (args_has(a, "--version") || args_has(a, "-v")) {
        printf("cqlsh " CQLSH_VERSION "\n");
        return 0;
    }
    if (!tool_options(a, &o, &problem)) return cli_usage(v, problem);
    (void)setlocale(LC_CTYPE, "C.UTF-8");
    if (o.password && !args_has(a, "--insecure-password-without-warning"))
        fprintf(stderr, "\nWarning: Using a password on the command line interface can be "
                        "insecure.\nRecommendation: use the credentials file to securely provide "
                        "the password.\n\n");
    ask_password(&o, secret);
    s.color = should_color(a);
    s.person =
        args_has(a, "-t") || args_has(a, "--tty") || (isatty(STDIN_FILENO) && !text && !file);
    if (shell_open(&s, &o, &d)) {
        int failed = no_connection(&o, &d);
        shell_close(&s);
        return failed;
    }
    if (s.person && !text && !file) {
        if (isatty(STDIN_FILENO))
            history_of(&s, args_has(a, "--disable-history") ? NULL : ".cassandra/cqlsh_history");
        shell_complete(&s);
        shell_report(&s);
    }
    int code = run(&s, text, file);
    shell_close(&s);
    return code;
}

/* --- sluice query ----------------------------------------------------------------------------- */

err_t shell_options(const struct args *a, struct cql_client_options *o, struct diag *d)
{
    const char *port = args_value(a, "--port");
    bool files = args_has(a, "--ca") || args_has(a, "--cert");
    int64_t n = 0;
    *o = (struct cql_client_options){.host = args_value(a, "--host"),
                                     .user = args_value(a, "-u"),
                                     .password = args_value(a, "-p"),
                                     .keyspace = args_value(a, "--keyspace"),
                                     .tls =
                                         args_has(a, "--tls") || args_has(a, "--insecure") || files,
                                     .connect_ms = 5000};
    o->tls_options.ca_path = args_value(a, "--ca");
    o->tls_options.cert_path = args_value(a, "--cert");
    o->tls_options.key_path = args_value(a, "--key");
    o->tls_options.unchecked = args_has(a, "--insecure");
    if (port && !number_of(port, 1, UINT16_MAX, &n))
        return diag_fail(d, ERR_USAGE, "--port: '%s' is no number from 1 to 65535", port);
    o->port = (uint16_t)n;
    if (port && !o->host) o->host = "127.0.0.1";
    return ERR_OK;
}

int shell_of_query(const struct args *a, const struct cql_client_options *options,
                   struct slice text, int (*other)(void *ctx, struct slice text), void *ctx)
{
    struct cql_client_options o = *options;
    struct shell s = {.out = stdout, .title = "sluice", .other = other, .other_ctx = ctx};
    struct diag d = {0};
    char secret[256];
    const char *format = args_value(a, "--format");
    (void)setlocale(LC_CTYPE, "C.UTF-8");
    ask_password(&o, secret);
    s.color = should_color(a);
    s.person = isatty(STDIN_FILENO) && !text.at;
    s.expand = format && strcmp(format, "expand") == 0;
    err_t e = shell_open(&s, &o, &d);
    if (e) {
        shell_close(&s);
        return cli_fail(&d);
    }
    if (s.person) {
        history_of(&s, ".sluice_history");
        shell_complete(&s);
        shell_report(&s);
    }
    char *one = text.at ? mem_text(text) : NULL;
    int code = run(&s, one, NULL);
    mem_give(one);
    shell_close(&s);
    return code ? 1 : 0;
}
