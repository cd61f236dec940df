#include "data/json_parts.h"

uint32_t json_skip_space(struct slice s, uint32_t at)
{
    while (at < s.len &&
           (s.at[at] == ' ' || s.at[at] == '\t' || s.at[at] == '\n' || s.at[at] == '\r'))
        at++;
    return at;
}

uint32_t json_skip_string(struct slice s, uint32_t at)
{
    for (at++; at < s.len && s.at[at] != '"'; at++) at += s.at[at] == '\\';
    return MIN(at + 1, s.len);
}

static bool is_end(uint8_t c)
{
    return c == ',' || c == ']' || c == '}' || c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

/* Behind the value that begins here. */
uint32_t json_skip_value(struct slice s, uint32_t at)
{
    uint32_t depth = 0;
    if (at < s.len && s.at[at] != '{' && s.at[at] != '[' && s.at[at] != '"') {
        while (at < s.len && !is_end(s.at[at])) at++;
        return at;
    }
    do {
        if (s.at[at] == '"') {
            at = json_skip_string(s, at);
            continue;
        }
        depth += s.at[at] == '{' || s.at[at] == '[';
        depth -= s.at[at] == '}' || s.at[at] == ']';
        at++;
    } while (depth && at < s.len);
    return at;
}
