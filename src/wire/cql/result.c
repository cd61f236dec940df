/* RESULT's metadata and schema changes: the pieces, both ways. */
#include "wire/cql/cql_int.h"

void native_warnings_put(struct buf *out, const struct slice *warnings, uint32_t count)
{
    native_strings_put(out, warnings, count);
}

/* --- columns, writing ---------------------------------------------------------------------------
 */

static void put_table(struct buf *out, const struct native_column *c)
{
    native_string_put(out, c->keyspace);
    native_string_put(out, c->table);
}

void native_metadata_begin(struct buf *out, struct native_columns *c, uint32_t count,
                           struct slice paging_state, struct slice new_id,
                           const struct native_column *first)
{
    bool changed = c->version >= 5 && new_id.at && first;
    uint32_t flags = 0;
    if (c->global && count) flags |= NATIVE_ROWS_GLOBAL_TABLE;
    if (paging_state.at) flags |= NATIVE_ROWS_MORE_PAGES;
    if (!first) flags |= NATIVE_ROWS_NO_METADATA;
    if (changed) flags |= NATIVE_ROWS_METADATA_CHANGED;
    buf_be(out, flags, 4);
    buf_be(out, count, 4);
    if (paging_state.at) native_bytes_put(out, paging_state);
    if (changed) native_string_put(out, new_id);
    if (first && c->global && count) put_table(out, first);
}

void native_markers_begin(struct buf *out, struct native_columns *c, uint32_t count,
                          const uint16_t *key_markers, uint32_t key_count,
                          const struct native_column *first)
{
    bool global = c->global && count && first;
    buf_be(out, global ? NATIVE_ROWS_GLOBAL_TABLE : 0, 4);
    buf_be(out, count, 4);
    if (c->version >= 4) {
        if (!global) key_count = 0; /* of several tables: there is no one key */
        buf_be(out, key_count, 4);
        for (uint32_t i = 0; i < key_count; i++) buf_be(out, key_markers[i], 2);
    }
    if (global) put_table(out, first);
}

void native_column_put(struct buf *out, const struct native_columns *c,
                       const struct native_column *column)
{
    if (!c->global) put_table(out, column);
    native_string_put(out, column->name);
    native_type_put(out, c->version, column->keyspace, column->type);
}

/* --- schema changes ------------------------------------------------------------------------------
 */

static bool is_function(struct slice target)
{
    return slice_is(target, "FUNCTION") || slice_is(target, "AGGREGATE");
}

/* Version 3 knows no functions: it is told that the keyspace has changed, with an empty name behind
 * it, which is not in the specification. */
void native_change_put(struct buf *out, uint8_t version, const struct native_change *c)
{
    bool function = is_function(c->target), said = !function || version >= 4;
    bool keyspace = slice_is(c->target, "KEYSPACE");
    native_string_put(out, said ? c->change : SLICE("UPDATED"));
    native_string_put(out, said ? c->target : SLICE("KEYSPACE"));
    native_string_put(out, c->keyspace);
    if (!said || !keyspace) native_string_put(out, said ? c->name : SLICE(""));
    if (said && function) native_strings_put(out, c->arguments, c->argument_count);
}

void native_change_read(struct native_in *in, struct native_change *out)
{
    out->change = native_string(in);
    out->target = native_string(in);
    out->keyspace = native_string(in);
    if (!slice_is(out->target, "KEYSPACE")) out->name = native_string(in);
    if (is_function(out->target)) out->arguments = native_strings(in, &out->argument_count);
}
