/* main/cql/start: how a shell begins: by `sluice query`, or as cqlsh. */
#pragma once
#include "main/cli.h"
#include "main/cql/shell.h"

/* The shell of `sluice query`: at a terminal, or reading standard input; `text`: just this. */
int shell_of_query(const struct args *a, const struct cql_client_options *o, struct slice text,
                   int (*other)(void *ctx, struct slice text), void *ctx);
/* Host, port, user, password and TLS of `sluice query`'s options; host NULL: not given. */
MUST_CHECK err_t shell_options(const struct args *a, struct cql_client_options *o, struct diag *d);
#define SHELL_OPTIONS                                                                              \
    {"--host", "HOST", "a Cassandra's address; without it: this project's server"},                \
        {"--port", "PORT", "its CQL port (9042)"}, {"-u", "NAME", "the user of CQL"},              \
        {"-p", "PASSWORD", "the password; without it you are asked"},                              \
        {"--tls", NULL, "TLS, the server's certificate checked"},                                  \
        {"--ca", "FILE", "PEM: who signed it; without it: the system's authorities"},              \
        {"--cert", "FILE", "PEM: our own certificate, where the server wants one"},                \
        {"--key", "FILE", "PEM: its key; without it: in the same file"},                           \
    {                                                                                              \
        "--insecure", NULL, "TLS without checking the certificate"                                 \
    }

#define CQLSH_OPTIONS                                                                              \
    {"-e", "STATEMENT", "execute the statement and quit"}, {"--execute", "STATEMENT", "the same"}, \
        {"-f", "FILE", "execute the file's statements"}, {"--file", "FILE", "the same"},           \
        {"-k", "KEYSPACE", "begin in this keyspace"}, {"--keyspace", "KEYSPACE", "the same"},      \
        {"-u", "NAME", "authenticate as this user"}, {"--username", "NAME", "the same"},           \
        {"-p", "PASSWORD", "authenticate by this password"},                                       \
        {"--password", "PASSWORD", "the same"},                                                    \
        {"--ssl", NULL, "TLS; $SSL_CERTFILE: who signed, $SSL_VALIDATE=false: unchecked"},         \
        {"--connect-timeout", "SECONDS", "of connecting (5)"},                                     \
        {"--request-timeout", "SECONDS", "of a request (10)"},                                     \
        {"--protocol-version", "N", "just this version of the protocol"},                          \
        {"-C", NULL, "colours, always"}, {"--color", NULL, "the same"},                            \
        {"--no-color", NULL, "no colours"}, {"-t", NULL, "a prompt, without a terminal, too"},     \
        {"--tty", NULL, "the same"}, {"--disable-history", NULL, "no history is written"},         \
        {"--insecure-password-without-warning", NULL, "no warning about -p"},                      \
        {"--encoding", "NAME", "utf-8 is the only one"}, {"--cqlversion", "VERSION", "accepted"},  \
        {"--cqlshrc", "FILE", "refused: its settings are options here"},                           \
        {"--credentials", "FILE", "refused: -u and -p"}, {"--browser", "NAME", "accepted"},        \
        {"--debug", NULL, "accepted"}, {"-d", NULL, "accepted"}, {"-v", NULL, "the version"},      \
    {                                                                                              \
        "--version", NULL, "the version"                                                           \
    }
int tool_cqlsh(const struct verb *v, const struct args *a);
