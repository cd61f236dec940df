#define CURL_DISABLE_TYPECHECK                        /* its macros of the functions' names */
#define curl_url_get           curl_url_get_of_header /* its handle has become const between versions */
#include "connect/http/late.h"

#include "base/base.h"

#include <curl/curl.h>
#include <dlfcn.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#undef curl_url_get
#undef curl_easy_setopt
#undef curl_easy_getinfo

static struct {
    CURLcode (*global_init)(long flags);
    CURL *(*easy_init)(void);
    CURLcode (*easy_setopt)(CURL *c, CURLoption option, ...);
    CURLcode (*easy_getinfo)(CURL *c, CURLINFO info, ...);
    CURLcode (*easy_perform)(CURL *c);
    void (*easy_cleanup)(CURL *c);
    const char *(*easy_strerror)(CURLcode code);
    char *(*easy_escape)(CURL *c, const char *text, int len);
    CURLHcode (*easy_header)(CURL *c, const char *name, size_t index, unsigned origin, int request,
                             struct curl_header **out);
    struct curl_slist *(*slist_append)(struct curl_slist *list, const char *text);
    void (*slist_free_all)(struct curl_slist *list);
    CURLU *(*url)(void);
    void (*url_cleanup)(CURLU *u);
    CURLUcode (*url_get)(const CURLU *u, CURLUPart part, char **out, unsigned flags);
    CURLUcode (*url_set)(CURLU *u, CURLUPart part, const char *text, unsigned flags);
    void (*free)(void *p);
} lib;
static bool is_there;
static char trouble[256];

static void load(void)
{
    static const struct {
        const char *name;
        void *to;
    } names[] = {{"curl_global_init", &lib.global_init},
                 {"curl_easy_init", &lib.easy_init},
                 {"curl_easy_setopt", &lib.easy_setopt},
                 {"curl_easy_getinfo", &lib.easy_getinfo},
                 {"curl_easy_perform", &lib.easy_perform},
                 {"curl_easy_cleanup", &lib.easy_cleanup},
                 {"curl_easy_strerror", &lib.easy_strerror},
                 {"curl_easy_escape", &lib.easy_escape},
                 {"curl_easy_header", &lib.easy_header},
                 {"curl_slist_append", &lib.slist_append},
                 {"curl_slist_free_all", &lib.slist_free_all},
                 {"curl_url", &lib.url},
                 {"curl_url_cleanup", &lib.url_cleanup},
                 {"curl_url_get", &lib.url_get},
                 {"curl_url_set", &lib.url_set},
                 {"curl_free", &lib.free}};
    void *library = dlopen("libcurl.so.4", RTLD_NOW | RTLD_LOCAL);
    for (size_t i = 0; i < COUNT_OF(names) && library; i++) {
        void *at = dlsym(library, names[i].name);
        if (!at) library = NULL;
        memcpy(names[i].to, &at, sizeof(at));
    }
    const char *why = library ? NULL : dlerror();
    is_there = library != NULL;
    if (!is_there)
        snprintf(trouble, sizeof(trouble), "%s", why ? why : "libcurl.so.4 is not whole");
}

static bool there(void)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, load);
    return is_there;
}

const char *curl_trouble(void)
{
    return there() ? NULL : trouble;
}

err_t curl_missing(struct diag *d)
{
    diag_fail(d, ERR_UNSUPPORTED, "libcurl can not be loaded");
    diag_why(d, "%s", trouble);
    return diag_hint(d, "install it: `apt-get install libcurl4` on Debian and Ubuntu");
}

CURLcode curl_global_init(long flags)
{
    return there() ? lib.global_init(flags) : CURLE_FAILED_INIT;
}

CURL *curl_easy_init(void)
{
    return there() ? lib.easy_init() : NULL;
}

/* Whoever has a handle has the library. */
CURLcode curl_easy_setopt(CURL *c, CURLoption option, ...)
{
    va_list args;
    va_start(args, option);
    CURLcode code;
    if (option < CURLOPTTYPE_OBJECTPOINT)
        code = lib.easy_setopt(c, option, va_arg(args, long));
    else if (option >= CURLOPTTYPE_OFF_T && option < CURLOPTTYPE_BLOB)
        code = lib.easy_setopt(c, option, va_arg(args, curl_off_t));
    else
        code = lib.easy_setopt(c, option, va_arg(args, void *)); /* functions too */
    va_end(args);
    return code;
}

CURLcode curl_easy_getinfo(CURL *c, CURLINFO info, ...)
{
    va_list args;
    va_start(args, info);
    CURLcode code = lib.easy_getinfo(c, info, va_arg(args, void *));
    va_end(args);
    return code;
}

CURLcode curl_easy_perform(CURL *c)
{
    return lib.easy_perform(c);
}

void curl_easy_cleanup(CURL *c)
{
    if (c) lib.easy_cleanup(c);
}

const char *curl_easy_strerror(CURLcode code)
{
    return there() ? lib.easy_strerror(code) : trouble;
}

char *curl_easy_escape(CURL *c, const char *text, int len)
{
    return there() ? lib.easy_escape(c, text, len) : NULL;
}

CURLHcode curl_easy_header(CURL *c, const char *name, size_t index, unsigned origin, int request,
                           struct curl_header **out)
{
    return lib.easy_header(c, name, index, origin, request, out);
}

struct curl_slist *curl_slist_append(struct curl_slist *list, const char *text)
{
    return there() ? lib.slist_append(list, text) : NULL;
}

void curl_slist_free_all(struct curl_slist *list)
{
    if (list) lib.slist_free_all(list);
}

CURLU *curl_url(void)
{
    return there() ? lib.url() : NULL;
}

void curl_url_cleanup(CURLU *u)
{
    if (u) lib.url_cleanup(u);
}

CURLUcode curl_url_get(const CURLU *u, CURLUPart part, char **out, unsigned flags);
CURLUcode curl_url_get(const CURLU *u, CURLUPart part, char **out, unsigned flags)
{
    return lib.url_get(u, part, out, flags);
}

CURLUcode curl_url_set(CURLU *u, CURLUPart part, const char *text, unsigned flags)
{
    return lib.url_set(u, part, text, flags);
}

void curl_free(void *p)
{
    if (p) lib.free(p);
}
