/* What native.def says, as names and as a page. */
#include "wire/cql/cql_int.h"

struct opcode {
    const char *name, *about;
    bool known, request;
};
#define REQUEST  true
#define RESPONSE false
static const struct opcode opcodes[] = {
#define OPCODE(code, name, sender, about) [code] = {#name, about, true, sender},
#include "wire/cql/native.def"
};
#undef REQUEST
#undef RESPONSE
static const char *const consistencies[] = {
#define CONSISTENCY(code, name) [code] = #name,
#include "wire/cql/native.def"
};
static const struct {
    int32_t code, instead;
    uint8_t first;
    const char *name, *about;
} errors[] = {
#define ERROR(code, name, first, instead, about)                                                   \
    {code, NATIVE_ERROR_##instead, first, #name, about},
#include "wire/cql/native.def"
};
static const struct {
    int32_t code;
    const char *type, *field, *about;
    uint8_t first;
} extras[] = {
#define EXTRA(error, type, field, first, about) {NATIVE_ERROR_##error, #type, #field, about, first},
#include "wire/cql/native.def"
};
static const struct {
    const char *group, *name, *about;
    uint32_t mask;
    uint8_t first;
} flags[] = {
#define FLAG(group, mask, name, first, about) {#group, #name, about, mask, first},
#include "wire/cql/native.def"
};
static const char *const events[][2] = {
#define EVENT(name, about) {#name, about},
#include "wire/cql/native.def"
};

const char *native_opcode_name(uint8_t opcode)
{
    return opcode < COUNT_OF(opcodes) ? opcodes[opcode].name : NULL;
}

bool native_opcode_is_request(uint8_t opcode)
{
    return opcode < COUNT_OF(opcodes) && opcodes[opcode].known && opcodes[opcode].request;
}

const char *native_consistency_name(uint16_t code)
{
    return code < COUNT_OF(consistencies) ? consistencies[code] : NULL;
}

bool native_consistency_of(struct slice name, uint16_t *code)
{
    for (size_t i = 0; i < COUNT_OF(consistencies); i++) {
        if (!slice_equal_nocase(name, slice_of(consistencies[i]))) continue;
        *code = (uint16_t)i;
        return true;
    }
    return false;
}

const char *native_code_name(int32_t code)
{
    for (size_t i = 0; i < COUNT_OF(errors); i++)
        if (errors[i].code == code) return errors[i].name;
    return NULL;
}

int32_t native_code_in(int32_t code, uint8_t version)
{
    for (size_t i = 0; i < COUNT_OF(errors); i++)
        if (errors[i].code == code) return version < errors[i].first ? errors[i].instead : code;
    return code;
}

const char *native_event_name(enum native_event_kind kind)
{
    return events[kind][0];
}

bool native_event_of(struct slice name, enum native_event_kind *kind)
{
    for (size_t i = 0; i < COUNT_OF(events); i++) {
        if (!slice_equal_nocase(name, slice_of(events[i][0]))) continue;
        *kind = (enum native_event_kind)i;
        return true;
    }
    return false;
}

/* --- docs/cql-wire.md ---------------------------------------------------------------------------
 */

static void help_opcodes(struct buf *out)
{
    buf_text(out, "## Messages\n\n| opcode | message | sent by | what |\n|---|---|---|---|\n");
    for (size_t i = 0; i < COUNT_OF(opcodes); i++)
        if (opcodes[i].known)
            buf_printf(out, "| 0x%02X | %s | %s | %s |\n", (unsigned)i, opcodes[i].name,
                       opcodes[i].request ? "client" : "server", opcodes[i].about);
}

static void help_errors(struct buf *out)
{
    buf_text(out, "\n## Errors\n\nEach is a code and words; what follows them stands below it. In "
                  "an older version the code in brackets is sent instead.\n\n"
                  "| code | name | since | what |\n|---|---|---|---|\n");
    for (size_t i = 0; i < COUNT_OF(errors); i++) {
        buf_printf(out, "| 0x%04X | %s | v%u", (unsigned)errors[i].code, errors[i].name,
                   errors[i].first);
        if (errors[i].instead != errors[i].code)
            buf_printf(out, " (%s)", native_code_name(errors[i].instead));
        buf_printf(out, " | %s |\n", errors[i].about);
        for (size_t k = 0; k < COUNT_OF(extras); k++) {
            if (extras[k].code != errors[i].code) continue;
            buf_printf(out, "| | %s: %s | v%u | %s |\n", extras[k].field, extras[k].type,
                       extras[k].first, extras[k].about);
        }
    }
}

static void help_flags(struct buf *out)
{
    static const struct {
        const char *group, *title;
    } groups[] = {{"HEAD", "Flags of a message's head"},
                  {"QUERY", "Flags of QUERY, EXECUTE and BATCH (one byte before version 5, four "
                            "from it on; BATCH has no values, metadata and pages)"},
                  {"PREPARE", "Flags of PREPARE (version 5)"},
                  {"ROWS", "Flags of a result's metadata"}};
    for (size_t g = 0; g < COUNT_OF(groups); g++) {
        buf_printf(out, "\n## %s\n\n| mask | flag | since | what |\n|---|---|---|---|\n",
                   groups[g].title);
        for (size_t i = 0; i < COUNT_OF(flags); i++)
            if (strcmp(flags[i].group, groups[g].group) == 0)
                buf_printf(out, "| 0x%04X | %s | v%u | %s |\n", flags[i].mask, flags[i].name,
                           flags[i].first, flags[i].about);
    }
}

static void help_rest(struct buf *out)
{
    buf_text(out, "\n## Results\n\n| kind | name | what |\n|---|---|---|\n");
#define RESULT(code, name, about) buf_printf(out, "| %d | %s | %s |\n", code, #name, about);
#include "wire/cql/native.def"
    buf_text(out, "\n## Events\n\n| event | what |\n|---|---|\n");
#define EVENT(name, about) buf_printf(out, "| %s | %s |\n", #name, about);
#include "wire/cql/native.def"
    buf_text(out, "\n## Options of STARTUP\n\n| option | what |\n|---|---|\n");
#define STARTUP(name, about) buf_printf(out, "| %s | %s |\n", #name, about);
#include "wire/cql/native.def"
    buf_text(out, "\n## Consistencies\n\n| code | name |\n|---|---|\n");
    for (size_t i = 0; i < COUNT_OF(consistencies); i++)
        buf_printf(out, "| %u | %s |\n", (unsigned)i, consistencies[i]);
}

void native_wire_help(struct buf *out)
{
    help_opcodes(out);
    help_errors(out);
    help_flags(out);
    help_rest(out);
}
