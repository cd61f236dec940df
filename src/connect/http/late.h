/* connect/http/late: libcurl, loaded with the first call of it.
 *
 * It brings 25 other libraries along, which cost a start 6 to 8 ms before main, and most starts
 * need none of them. So it is not linked: its functions that we use stand in late.c under their own
 * names and hand on. Without the library curl_easy_init and curl_url answer NULL, curl_global_init
 * fails. Loop: any thread. Memory: the library, for the process's life.
 */
#pragma once
#include "base/err.h"

/* Why libcurl is not there, in the loader's words; NULL: it is. */
const char *curl_trouble(void);
err_t curl_missing(struct diag *d); /* says so: ERR_UNSUPPORTED */
