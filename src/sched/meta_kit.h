/* meta_kit: an empty workflows' database for a test of this room: a file in the test's folder, or,
 * when SLUICE_TEST_META is an address of a real PostgreSQL, an empty schema there: so the same unit
 * tests judge both dialects (tests/peers/test_postgres.py starts the server).
 */
#pragma once
#include "sched/meta.h"

/* Borrowed until the next call. */
const char *meta_kit_where(void);
bool meta_kit_is_postgres(void);
/* Opened and migrated; NULL after a test's failure that was told. `where`: another connection. */
struct meta *meta_kit_open(const char *where);
struct meta *meta_kit_fresh(void);
/* One number, or a text into `out`, of a statement made on the spot; the test fails otherwise. */
int64_t meta_kit_number(struct meta *m, const char *text);
void meta_kit_text(struct meta *m, const char *text, char *out, size_t size);
void meta_kit_do(struct meta *m, const char *text);
