#include "main/safety.h"

#include "main/server.h"
#include "os/file.h"

#include <stdio.h>
#include <unistd.h>

enum { PEM_MAX = 64 << 10 };

/* --- TLS -------------------------------------------------------------------------------------- */

/* The server's own certificate, made once: what a client has learnt to trust stays. */
static err_t own_certificate(struct project *p, char cert[PROJECT_PATH_MAX],
                             char key[PROJECT_PATH_MAX], struct diag *d)
{
    char host[64] = "";
    struct buf cert_pem = buf_make(PEM_MAX), key_pem = buf_make(PEM_MAX);
    err_t e = project_data_path(p, "tls-cert.pem", cert, d);
    if (!e) e = project_data_path(p, "tls-key.pem", key, d);
    if (e || (file_exists(cert) && file_exists(key))) return e;
    if (gethostname(host, sizeof(host) - 1) != 0) host[0] = 0;
    e = tls_self_sign(host, &cert_pem, &key_pem, NULL);
    if (e) { /* a host name that no certificate can have */
        buf_reset(&cert_pem);
        buf_reset(&key_pem);
        e = tls_self_sign("localhost", &cert_pem, &key_pem, d);
    }
    if (!e) e = file_store_secret(key, buf_view(&key_pem), d);
    if (!e) e = file_store(cert, buf_view(&cert_pem), d);
    if (key_pem.at) memset(key_pem.at, 0, key_pem.len);
    buf_done(&cert_pem);
    buf_done(&key_pem);
    return e;
}

err_t project_tls(struct project *p, struct tls **out, struct diag *d)
{
    char cert[PROJECT_PATH_MAX], key[PROJECT_PATH_MAX], ca[PROJECT_PATH_MAX];
    struct tls_options o = {
        .cert_path = project_file_setting(p, CONFIG_tls_cert, cert),
        .key_path = project_file_setting(p, CONFIG_tls_key, key),
        .client_ca_path = project_file_setting(p, CONFIG_tls_client_ca, ca),
        .client_required = config_number(&p->config, CONFIG_tls_client_required) != 0,
    };
    err_t e = ERR_OK;
    if (!o.cert_path && !o.key_path) {
        e = own_certificate(p, cert, key, d);
        o.cert_path = cert;
        o.key_path = key;
    }
    return e ? e : tls_new(&o, out, d);
}

/* --- logins -------------------------------------------------------------------------------------
 */

err_t project_login(const struct project *p, enum config_id setting, const char *key, bool *login,
                    struct diag *d)
{
    const char *asked = config_text(&p->config, setting);
    bool yes = strcmp(asked, "true") == 0, no = strcmp(asked, "false") == 0;
    *login = yes || !address_is_loopback(config_text(&p->config, CONFIG_listen_address));
    if (no) *login = false;
    if (yes || no || strcmp(asked, "auto") == 0) return ERR_OK;
    (void)diag_fail(d, ERR_CONFIG, "%s can not be '%s'", key, asked);
    return diag_hint(d, "auto, true or false");
}

/* --- doors with two ports --------------------------------------------------------------------- */

bool project_has_door(const struct project *p, const struct door_settings *s)
{
    return config_number(&p->config, s->port) >= 0 || config_number(&p->config, s->tls_port) >= 0;
}

err_t project_place(struct project *p, const struct door_settings *s, struct door_place *out,
                    struct tls **tls, struct diag *d)
{
    const struct config *c = &p->config;
    *out = (struct door_place){
        .address = config_text(c, CONFIG_listen_address),
        .port = (int32_t)config_number(c, s->port),
        .tls_port = (int32_t)config_number(c, s->tls_port),
        .loops = (int)config_number(c, s->loops),
        .conns_max = (uint32_t)config_number(c, s->conns_max),
        .conns_per_address_max = (uint32_t)config_number(c, s->conns_per_address),
    };
    err_t e = out->tls_port >= 0 ? project_tls(p, tls, d) : ERR_OK;
    out->tls = *tls;
    return e;
}

err_t project_port_taken(err_t e, const struct project *p, const struct door_settings *s,
                         struct diag *d)
{
    char tls[32];
    int64_t port = config_number(&p->config, s->tls_port);
    (void)snprintf(tls, sizeof(tls), ":%lld", (long long)port);
    bool is_tls = d && port > 0 && strstr(d->what, tls);
    return name_setting(e, is_tls ? s->tls_port_key : s->port_key, d);
}

void project_door_line(const struct project *p, uint16_t port, uint16_t tls_port, char line[128])
{
    const char *address = config_text(&p->config, CONFIG_listen_address);
    bool v6 = strchr(address, ':') != NULL;
    struct buf out = buf_over(line, 127);
    const char *open = v6 ? "[" : "", *close = v6 ? "]" : "";
    if (port) buf_printf(&out, "%s%s%s:%u", open, address, close, port);
    if (tls_port)
        buf_printf(&out, "%sTLS %s%s%s:%u", out.len ? "  " : "", open, address, close, tls_port);
    line[out.len] = 0;
}
