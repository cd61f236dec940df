#include "os/tls.h"

#include "os/net_int.h"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/x509v3.h>
#include <stdio.h>

struct tls {
    SSL_CTX *context;
};

SSL_CTX *tls_context(const struct tls *t)
{
    return t->context;
}

/* OpenSSL's own story of what just failed. */
static err_t tls_failed(struct diag *d, err_t e, const char *what, const char *path)
{
    char text[256];
    unsigned long error = ERR_peek_error() /* the first: the cause */;
    diag_fail(d, e, "%s%s%s", what, path ? ": " : "", path ? path : "");
    const char *reason = ERR_reason_error_string(error);
    if (ERR_SYSTEM_ERROR(error))
        diag_why(d, "%s", strerror(ERR_GET_REASON(error)));
    else if (reason)
        diag_why(d, "%s", reason);
    else if (error)
        diag_why(d, "%s", (ERR_error_string_n(error, text, sizeof(text)), text));
    ERR_clear_error();
    return e;
}

static int choose_protocol(SSL *ssl, const uint8_t **out, uint8_t *out_len, const uint8_t *offered,
                           unsigned offered_len, void *arg)
{
    static const uint8_t ours[] = "\x08http/1.1";
    (void)ssl, (void)arg;
    uint8_t *chosen; /* points into one of the two lists */
    if (SSL_select_next_proto(&chosen, out_len, ours, sizeof(ours) - 1, offered, offered_len) !=
        OPENSSL_NPN_NEGOTIATED)
        return SSL_TLSEXT_ERR_NOACK; /* a Kafka client's own name: go on without */
    *out = chosen;
    return SSL_TLSEXT_ERR_OK;
}

static err_t set_rules(SSL_CTX *c, struct diag *d)
{
    static const uint8_t session_id[] = "sluice";
    SSL_CTX_set_options(c, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION |
                               SSL_OP_CIPHER_SERVER_PREFERENCE | SSL_OP_PRIORITIZE_CHACHA |
                               SSL_OP_IGNORE_UNEXPECTED_EOF);
    /* An idle connection gives its buffers back; a write may be cut and repeated from elsewhere. */
    SSL_CTX_set_mode(c, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE |
                            SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    SSL_CTX_set_read_ahead(c, 1);
    SSL_CTX_set_alpn_select_cb(c, choose_protocol, NULL);
    /* No cache of sessions on our side: tickets carry them, and memory stays bounded. */
    SSL_CTX_set_session_cache_mode(c, SSL_SESS_CACHE_OFF);
    if (SSL_CTX_set_min_proto_version(c, TLS1_2_VERSION) != 1 ||
        SSL_CTX_set_session_id_context(c, session_id, sizeof(session_id) - 1) != 1 ||
        SSL_CTX_set_cipher_list(c, "ECDHE+AESGCM:ECDHE+CHACHA20") != 1)
        return tls_failed(d, ERR_INTERNAL, "TLS can not be set up", NULL);
    return ERR_OK;
}

/* --- certificates ----------------------------------------------------------------------------- */

static EVP_PKEY *make_key(void)
{
    return EVP_EC_gen("P-256");
}

static bool add_extension(X509 *cert, int nid, const char *value)
{
    X509V3_CTX context;
    X509V3_set_ctx_nodb(&context);
    X509V3_set_ctx(&context, cert, cert, NULL, NULL, 0);
    X509_EXTENSION *e = X509V3_EXT_conf_nid(NULL, &context, nid, value);
    bool added = e && X509_add_ext(cert, e, -1) == 1;
    X509_EXTENSION_free(e);
    return added;
}

/* DNS names go into the list as given by us; one that could end an entry is refused. */
static bool name_is_plain(const char *name)
{
    size_t len = strlen(name);
    return len > 0 && len < 64 &&
           strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-") == len;
}

static X509 *make_certificate(const char *name, EVP_PKEY *key)
{
    char names[256];
    uint64_t serial;
    snprintf(names, sizeof(names), "DNS:%s,DNS:localhost,IP:127.0.0.1,IP:::1", name);
    X509 *cert = X509_new();
    X509_NAME *subject = cert ? X509_get_subject_name(cert) : NULL;
    bool made = cert && RAND_bytes((uint8_t *)&serial, sizeof(serial)) == 1 &&
                X509_set_version(cert, X509_VERSION_3) == 1 &&
                ASN1_INTEGER_set_uint64(X509_get_serialNumber(cert), serial >> 1) == 1 &&
                X509_gmtime_adj(X509_getm_notBefore(cert), -3600) &&
                X509_time_adj_ex(X509_getm_notAfter(cert), 3650, 0, NULL) &&
                X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_UTF8, (const uint8_t *)name, -1,
                                           -1, 0) == 1 &&
                X509_set_issuer_name(cert, subject) == 1 && X509_set_pubkey(cert, key) == 1 &&
                add_extension(cert, NID_basic_constraints, "critical,CA:TRUE,pathlen:0") &&
                add_extension(cert, NID_key_usage, "critical,digitalSignature,keyCertSign") &&
                add_extension(cert, NID_ext_key_usage, "serverAuth,clientAuth") &&
                add_extension(cert, NID_subject_alt_name, names) &&
                add_extension(cert, NID_subject_key_identifier, "hash") &&
                X509_sign(cert, key, EVP_sha256()) > 0;
    if (made) return cert;
    X509_free(cert);
    return NULL;
}

static err_t put_bio(BIO *text, struct buf *out)
{
    char *at;
    long len = BIO_get_mem_data(text, &at);
    buf_put(out, at, (size_t)MAX(len, 0L));
    return out->err;
}

err_t tls_self_sign(const char *name, struct buf *cert_pem, struct buf *key_pem, struct diag *d)
{
    if (!name_is_plain(name))
        return diag_fail(d, ERR_USAGE, "'%s' is no host name for a certificate", name);
    EVP_PKEY *key = make_key();
    X509 *cert = key ? make_certificate(name, key) : NULL;
    BIO *cert_text = BIO_new(BIO_s_mem()), *key_text = BIO_new(BIO_s_mem());
    err_t e = ERR_OK;
    if (!cert || !cert_text || !key_text || PEM_write_bio_X509(cert_text, cert) != 1 ||
        PEM_write_bio_PrivateKey(key_text, key, NULL, NULL, 0, NULL, NULL) != 1)
        e = tls_failed(d, ERR_INTERNAL, "a certificate can not be made", NULL);
    if (!e) e = put_bio(cert_text, cert_pem);
    if (!e) e = put_bio(key_text, key_pem);
    BIO_free(cert_text);
    BIO_free(key_text);
    X509_free(cert);
    EVP_PKEY_free(key);
    return e;
}

static err_t use_own(SSL_CTX *c, const char *name, struct diag *d)
{
    if (!name_is_plain(name))
        return diag_fail(d, ERR_USAGE, "'%s' is no host name for a certificate", name);
    EVP_PKEY *key = make_key();
    X509 *cert = key ? make_certificate(name, key) : NULL;
    bool used =
        cert && SSL_CTX_use_certificate(c, cert) == 1 && SSL_CTX_use_PrivateKey(c, key) == 1;
    X509_free(cert);
    EVP_PKEY_free(key);
    return used ? ERR_OK : tls_failed(d, ERR_INTERNAL, "a certificate can not be made", NULL);
}

static err_t use_files(SSL_CTX *c, const struct tls_options *o, struct diag *d)
{
    if (!o->cert_path || !o->key_path)
        return diag_fail(d, ERR_CONFIG, "TLS needs a certificate and its key, both or neither");
    if (SSL_CTX_use_certificate_chain_file(c, o->cert_path) != 1)
        return tls_failed(d, ERR_CONFIG, "TLS certificate can not be used", o->cert_path);
    if (SSL_CTX_use_PrivateKey_file(c, o->key_path, SSL_FILETYPE_PEM) != 1)
        return tls_failed(d, ERR_CONFIG, "TLS key can not be used", o->key_path);
    if (SSL_CTX_check_private_key(c) != 1)
        return tls_failed(d, ERR_CONFIG, "TLS key is not the certificate's", o->key_path);
    return ERR_OK;
}

static err_t ask_clients(SSL_CTX *c, const struct tls_options *o, struct diag *d)
{
    STACK_OF(X509_NAME) *names = SSL_load_client_CA_file(o->client_ca_path);
    if (!names || SSL_CTX_load_verify_file(c, o->client_ca_path) != 1) {
        sk_X509_NAME_pop_free(names, X509_NAME_free);
        return tls_failed(d, ERR_CONFIG, "client authority can not be used", o->client_ca_path);
    }
    SSL_CTX_set_client_CA_list(c, names);
    int mode = SSL_VERIFY_PEER | (o->client_required ? SSL_VERIFY_FAIL_IF_NO_PEER_CERT : 0);
    SSL_CTX_set_verify(c, mode, NULL);
    return ERR_OK;
}

err_t tls_new(const struct tls_options *o, struct tls **out, struct diag *d)
{
    ERR_clear_error();
    struct tls *t = mem_take(sizeof(*t));
    if (!t) return diag_fail(d, ERR_NO_MEMORY, "TLS can not be set up");
    t->context = SSL_CTX_new(TLS_server_method());
    err_t e = t->context ? set_rules(t->context, d)
                         : tls_failed(d, ERR_NO_MEMORY, "TLS can not be set up", NULL);
    if (!e && !o->cert_path && !o->key_path)
        e = use_own(t->context, o->name ? o->name : "localhost", d);
    else if (!e)
        e = use_files(t->context, o, d);
    if (!e && o->client_ca_path) e = ask_clients(t->context, o, d);
    if (!e && o->client_required && !o->client_ca_path)
        e = diag_fail(d, ERR_CONFIG, "client certificates are required but no authority is given");
    if (e) {
        tls_free(t);
        return e;
    }
    *out = t;
    return ERR_OK;
}

void tls_free(struct tls *t)
{
    if (!t) return;
    SSL_CTX_free(t->context);
    mem_give(t);
}

err_t tls_certificate(const struct tls *t, struct buf *pem)
{
    BIO *text = BIO_new(BIO_s_mem());
    X509 *cert = SSL_CTX_get0_certificate(t->context);
    bool told = text && cert && PEM_write_bio_X509(text, cert) == 1;
    err_t e = told ? put_bio(text, pem) : ERR_NO_MEMORY;
    BIO_free(text);
    return e;
}
