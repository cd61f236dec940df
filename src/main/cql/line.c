#include "main/cql/line.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <termios.h>
#include <unistd.h>
#include <wchar.h>

struct line_editor {
    char *path;
    char *history[LINE_HISTORY_MAX];
    int count;
    void (*words)(void *ctx, struct slice before, struct line_words *out);
    void *ctx;
    /* the line that is read */
    const char *prompt;
    struct buf text;
    size_t at;      /* of the cursor, in bytes */
    int from;       /* which of the history is shown; count: the line itself */
    struct buf own; /* the line itself, while history is shown */
    int rows_up;    /* the cursor's row below the prompt's */
    bool ended;
    enum line_end how;
};

/* --- history ---------------------------------------------------------------------------------- */

void line_remember(struct line_editor *l, struct slice line)
{
    if (line.len == 0 || (l->count && slice_is(line, l->history[l->count - 1]))) return;
    if (l->count == LINE_HISTORY_MAX) {
        mem_give(l->history[0]);
        memmove(l->history, l->history + 1, sizeof(l->history) - sizeof(l->history[0]));
        l->count--;
    }
    char *kept = mem_text(line);
    if (!kept) return;
    for (char *c = kept; *c; c++)
        if (*c == '\n') *c = ' ';
    l->history[l->count++] = kept;
}

static void history_load(struct line_editor *l)
{
    FILE *f = l->path ? fopen(l->path, "re") : NULL;
    char *line = NULL;
    size_t cap = 0;
    for (ssize_t n; f && (n = getline(&line, &cap, f)) > 0;) {
        if (line[n - 1] == '\n') n--;
        line_remember(l, slice_make(line, (size_t)n));
    }
    free(line);
    if (f) fclose(f);
}

/* Without it the next start has no history; nothing else is lost. */
static void history_save(const struct line_editor *l)
{
    int fd = l->path ? open(l->path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600) : -1;
    FILE *f = fd >= 0 ? fdopen(fd, "w") : NULL;
    for (int i = 0; f && i < l->count; i++) fprintf(f, "%s\n", l->history[i]);
    if (f) fclose(f);
}

struct line_editor *line_open(const char *history)
{
    struct line_editor *l = mem_take(sizeof(*l));
    if (!l) return NULL;
    l->path = history ? mem_text(slice_of(history)) : NULL;
    l->text = buf_make(LINE_BYTES_MAX);
    l->own = buf_make(LINE_BYTES_MAX);
    history_load(l);
    return l;
}

void line_close(struct line_editor *l)
{
    if (!l) return;
    history_save(l);
    for (int i = 0; i < l->count; i++) mem_give(l->history[i]);
    mem_give(l->path);
    buf_done(&l->text);
    buf_done(&l->own);
    mem_give(l);
}

void line_complete_by(struct line_editor *l,
                      void (*words)(void *ctx, struct slice before, struct line_words *out),
                      void *ctx)
{
    l->words = words;
    l->ctx = ctx;
}

/* --- what is seen ----------------------------------------------------------------------------- */

static size_t point_size(const uint8_t *at, size_t left)
{
    size_t n = 1;
    while (n < left && (at[n] & 0xc0) == 0x80) n++;
    return n;
}

static int width_of(const uint8_t *at, size_t len)
{
    int width = 0;
    for (size_t i = 0, n; i < len; i += n) {
        wchar_t wide = 0;
        mbstate_t state = {0};
        n = point_size(at + i, len - i);
        bool ok = mbrtowc(&wide, (const char *)at + i, n, &state) == n;
        int w = ok ? wcwidth(wide) : 1;
        width += w > 0 ? w : 0;
    }
    return width;
}

static int terminal_columns(void)
{
    struct winsize w;
    return ioctl(STDOUT_FILENO, TIOCGWINSZ, &w) == 0 && w.ws_col > 0 ? w.ws_col : 80;
}

/* Draws the whole line anew: from the prompt's row on, over as many rows as it takes. */
static void draw(struct line_editor *l)
{
    int columns = terminal_columns();
    int before = (int)strlen(l->prompt) + width_of(l->text.at, l->at);
    int all = (int)strlen(l->prompt) + width_of(l->text.at, l->text.len);
    if (l->rows_up > 0) printf("\033[%dA", l->rows_up);
    printf("\r\033[J%s%.*s", l->prompt, SLICE_ARG(buf_view(&l->text)));
    if (all > 0 && all % columns == 0) printf("\n");
    if (all / columns > before / columns) printf("\033[%dA", all / columns - before / columns);
    printf("\r");
    if (before % columns > 0) printf("\033[%dC", before % columns);
    l->rows_up = before / columns;
    fflush(stdout);
}

/* --- editing ---------------------------------------------------------------------------------- */

static void erase(struct line_editor *l, size_t from, size_t to)
{
    if (to <= from) return;
    memmove(l->text.at + from, l->text.at + to, l->text.len - to);
    l->text.len -= to - from;
    l->at = from;
}

static void insert(struct line_editor *l, const void *bytes, size_t n)
{
    if (!buf_grow(&l->text, n)) {
        l->text.err = ERR_OK; /* full: what is there stays */
        return;
    }
    memmove(l->text.at + l->at + n, l->text.at + l->at, l->text.len - n - l->at);
    memcpy(l->text.at + l->at, bytes, n);
    l->at += n;
}

static size_t left_of(const struct line_editor *l)
{
    size_t at = l->at;
    while (at > 0 && (l->text.at[--at] & 0xc0) == 0x80) continue;
    return at;
}

static size_t right_of(const struct line_editor *l)
{
    return l->at < l->text.len ? l->at + point_size(l->text.at + l->at, l->text.len - l->at)
                               : l->at;
}

static size_t word_left(const struct line_editor *l)
{
    size_t at = l->at;
    while (at > 0 && l->text.at[at - 1] == ' ') at--;
    while (at > 0 && l->text.at[at - 1] != ' ') at--;
    return at;
}

static void show_history(struct line_editor *l, int which)
{
    if (which < 0 || which > l->count) return;
    if (l->from == l->count) {
        buf_reset(&l->own);
        buf_slice(&l->own, buf_view(&l->text));
    }
    struct slice line = which == l->count ? buf_view(&l->own) : slice_of(l->history[which]);
    l->from = which;
    buf_reset(&l->text);
    buf_slice(&l->text, line);
    l->at = l->text.len;
}

/* What all the words begin with goes in; when that is nothing new, they are listed. */
static void complete(struct line_editor *l)
{
    struct line_words w = {0};
    if (!l->words) return;
    l->words(l->ctx, slice_make(l->text.at, l->at), &w);
    if (w.count == 0 || w.from > l->at) return;
    uint32_t same = w.at[0].len;
    for (uint32_t i = 1; i < w.count; i++) {
        uint32_t k = 0;
        while (k < MIN(same, w.at[i].len) && w.at[i].at[k] == w.at[0].at[k]) k++;
        same = k;
    }
    if (same > l->at - w.from || w.count == 1) {
        erase(l, w.from, l->at);
        insert(l, w.at[0].at, same);
        if (w.count == 1) insert(l, " ", 1);
        return;
    }
    printf("\n");
    for (uint32_t i = 0; i < MIN(w.count, 100u); i++) printf("%.*s  ", SLICE_ARG(w.at[i]));
    printf("%s\n", w.count > 100 ? "…" : "");
    l->rows_up = 0;
}

static int read_byte(void)
{
    uint8_t c;
    ssize_t n;
    while ((n = read(STDIN_FILENO, &c, 1)) < 0 && errno == EINTR) continue;
    return n == 1 ? c : -1;
}

/* Ctrl-R: the newest line of the history that holds what is typed. */
static void search_back(struct line_editor *l)
{
    char wanted[128] = "";
    size_t len = 0;
    int found = l->count;
    for (;;) {
        printf("\r\033[J(search) `%s': %s", wanted, found < l->count ? l->history[found] : "");
        fflush(stdout);
        int c = read_byte();
        int from = c == 18 ? found - 1 : l->count - 1; /* again: further back */
        if ((c == 127 || c == 8) && len > 0)
            wanted[--len] = 0;
        else if (c >= 32 && c != 127 && len + 1 < sizeof(wanted))
            wanted[len++] = (char)c, wanted[len] = 0;
        else if (c != 18)
            break;
        while (from >= 0 && !strstr(l->history[from], wanted)) from--;
        if (from >= 0) found = from;
    }
    if (found < l->count) show_history(l, found);
}

static void escape(struct line_editor *l)
{
    int c = read_byte(), number = 0;
    if (c != '[' && c != 'O') return;
    for (c = read_byte(); c >= '0' && c <= '9'; c = read_byte()) number = number * 10 + c - '0';
    switch (c == '~' ? (number == 3 ? 'D' + 256 : number == 1 || number == 7 ? 'H' : 'F') : c) {
    case 'A': show_history(l, l->from - 1); break;
    case 'B': show_history(l, l->from + 1); break;
    case 'C': l->at = right_of(l); break;
    case 'D': l->at = left_of(l); break;
    case 'H': l->at = 0; break;
    case 'F': l->at = l->text.len; break;
    case 'D' + 256: erase(l, l->at, right_of(l)); break;
    default: break;
    }
}

static void end_with(struct line_editor *l, enum line_end how)
{
    l->ended = true;
    l->how = how;
}

static void key(struct line_editor *l, int c)
{
    enum { CTRL = 'A' - 1 };
    switch (c) {
    case -1: end_with(l, l->text.len ? LINE_READ : LINE_END); break;
    case '\r':
    case '\n': end_with(l, LINE_READ); break;
    case 'C' - CTRL: end_with(l, LINE_CANCELLED); break;
    case 'D' - CTRL:
        if (l->text.len == 0)
            end_with(l, LINE_END);
        else
            erase(l, l->at, right_of(l));
        break;
    case 'A' - CTRL: l->at = 0; break;
    case 'E' - CTRL: l->at = l->text.len; break;
    case 'B' - CTRL: l->at = left_of(l); break;
    case 'F' - CTRL: l->at = right_of(l); break;
    case 'P' - CTRL: show_history(l, l->from - 1); break;
    case 'N' - CTRL: show_history(l, l->from + 1); break;
    case 'K' - CTRL: l->text.len = l->at; break;
    case 'U' - CTRL: erase(l, 0, l->at); break;
    case 'W' - CTRL: erase(l, word_left(l), l->at); break;
    case 'L' - CTRL:
        printf("\033[H\033[2J");
        l->rows_up = 0;
        break;
    case 'R' - CTRL: search_back(l); break;
    case '\t': complete(l); break;
    case 8:
    case 127: erase(l, left_of(l), l->at); break;
    case 27: escape(l); break;
    default:
        if (c >= 32) insert(l, &(uint8_t){(uint8_t)c}, 1);
    }
}

/* --- reading ---------------------------------------------------------------------------------- */

static bool raw(struct termios *before)
{
    struct termios t;
    if (!isatty(STDIN_FILENO) || tcgetattr(STDIN_FILENO, before) != 0) return false;
    t = *before;
    t.c_iflag &= ~(tcflag_t)(ICRNL | IXON | BRKINT | INPCK | ISTRIP);
    t.c_lflag &= ~(tcflag_t)(ECHO | ICANON | ISIG | IEXTEN);
    t.c_cc[VMIN] = 1;
    t.c_cc[VTIME] = 0;
    return tcsetattr(STDIN_FILENO, TCSADRAIN, &t) == 0;
}

static enum line_end read_plainly(const char *prompt, struct buf *out)
{
    char *line = NULL;
    size_t cap = 0;
    printf("%s", prompt);
    fflush(stdout);
    ssize_t n = getline(&line, &cap, stdin);
    if (n > 0) buf_put(out, line, (size_t)(line[n - 1] == '\n' ? n - 1 : n));
    free(line);
    return n > 0 ? LINE_READ : LINE_END;
}

enum line_end line_read(struct line_editor *l, const char *prompt, struct buf *out)
{
    struct termios before;
    if (!raw(&before)) return read_plainly(prompt, out);
    l->prompt = prompt;
    buf_reset(&l->text);
    l->at = 0;
    l->from = l->count;
    l->rows_up = 0;
    l->ended = false;
    while (!l->ended) {
        draw(l);
        key(l, read_byte());
    }
    l->at = l->text.len;
    draw(l);
    printf("\n");
    fflush(stdout);
    (void)tcsetattr(STDIN_FILENO, TCSADRAIN, &before);
    if (l->how == LINE_READ) {
        buf_slice(out, buf_view(&l->text));
        line_remember(l, buf_view(&l->text));
    }
    return l->how;
}

bool line_secret(const char *prompt, char *out, size_t size)
{
    struct termios before, t;
    if (!isatty(STDIN_FILENO) || tcgetattr(STDIN_FILENO, &before) != 0) return false;
    t = before;
    t.c_lflag &= ~(tcflag_t)ECHO;
    printf("%s", prompt);
    fflush(stdout);
    if (tcsetattr(STDIN_FILENO, TCSADRAIN, &t) != 0) return false;
    bool ok = fgets(out, (int)size, stdin) != NULL;
    (void)tcsetattr(STDIN_FILENO, TCSADRAIN, &before);
    printf("\n");
    if (ok) out[strcspn(out, "\n")] = 0;
    return ok;
}
