/* Rows of a table to a file, and from one: in pieces of whole records, each a call of its own. */
#include "main/tables/tables.h"

#include "base/unit.h"
#include "os/clock.h"
#include "os/file.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <unistd.h>

enum {
    PIECE_BYTES = 1 << 20,
    PIECE_MAX = 3 << 20, /* a record has at most this; the door takes 4 MiB */
    READ_BYTES = 256 << 10,
    WHY_SHOWN = 10
};

static int say_errno(const char *doing, const char *path)
{
    fprintf(stderr, "error: %s %s: %s\n", doing, path, strerror(errno));
    return 1;
}

static void say_result(const struct rows_file *f, const char *where, uint64_t rows, int64_t ns)
{
    struct buf line = buf_make(KIB(1));
    unit_put_count(&line, rows);
    buf_printf(&line, " rows %s", where);
    if (ns > 0 && rows) {
        buf_text(&line, ", ");
        unit_put_count(&line, (uint64_t)((double)rows * 1e9 / (double)ns));
        buf_text(&line, " a second");
    }
    if (!f->json) fprintf(stderr, "%s%s\n", isatty(STDERR_FILENO) ? "\r" : "", buf_cstr(&line));
    buf_done(&line);
}

/* Now and then, for a person who waits. */
static void say_progress(int64_t *last_ns, uint64_t rows)
{
    int64_t now = clock_mono_ns();
    if (!isatty(STDERR_FILENO) || now - *last_ns < 200000000) return;
    *last_ns = now;
    fprintf(stderr, "\r%llu rows", (unsigned long long)rows);
}

/* --- out ----------------------------------------------------------------------------------------
 */

struct export
{
    FILE *to;
    bool csv, quoted;
    uint64_t records;
    int64_t shown_ns;
    int error;
};

static err_t write_rows(void *ctx, struct slice text)
{
    struct export *x = ctx;
    for (uint32_t i = 0; i < text.len; i++) {
        if (x->csv && text.at[i] == '"') x->quoted = !x->quoted;
        x->records += text.at[i] == '\n' && !x->quoted;
    }
    if (fwrite(text.at, 1, text.len, x->to) != text.len) x->error = errno ? errno : EIO;
    say_progress(&x->shown_ns, x->records);
    return x->error ? ERR_IO : ERR_OK;
}

/* Beside the file first: what was there stays until all is there. */
int tables_export(struct tables_session *s, const struct rows_file *f)
{
    char part[PATH_MAX];
    bool out = strcmp(f->file, "-") == 0;
    int64_t begun = clock_mono_ns();
    if (snprintf(part, sizeof(part), "%s.part", f->file) >= PATH_MAX) {
        errno = ENAMETOOLONG;
        return say_errno("opening", f->file);
    }
    struct export x = {.to = out ? stdout : fopen(part, "we"),
                       .csv = strcmp(f->format, "csv") == 0};
    if (!x.to) return say_errno("opening", part);
    struct tables_call c = {
        .what = "export", .table = f->table, .format = f->format, .put = write_rows, .ctx = &x};
    err_t e = tables_ask(s, &c);
    if (fflush(x.to) || (!out && fsync(fileno(x.to)))) x.error = errno;
    if (!out && fclose(x.to)) x.error = errno;
    if (!e && !x.error && !out && rename(part, f->file)) x.error = errno;
    if ((e || x.error) && !out) (void)unlink(part);
    errno = x.error;
    if (x.error) return say_errno("writing", f->file);
    if (e) return tables_failed(s);
    uint64_t rows = x.records - MIN(x.records, (uint64_t)x.csv);
    if (f->json && !out) printf("{\"rows\": %llu}\n", (unsigned long long)rows);
    if (!out) say_result(f, "out", rows, clock_mono_ns() - begun);
    return 0;
}

/* --- in -----------------------------------------------------------------------------------------
 */

struct import {
    struct tables_session *s;
    const struct rows_file *f;
    FILE *from, *rejected_file;
    char rejected_path[PATH_MAX];
    bool csv, header_known, quoted, ended;
    struct buf header, text, piece;
    size_t scanned, whole; /* of text: looked at; whole records */
    uint64_t line;         /* of the file, before the piece */
    uint64_t rows, rejected;
    int64_t shown_ns;
    int error;
};

static err_t put_rejected(struct import *in, struct slice record)
{
    if (!in->rejected_file) {
        in->rejected_file = fopen(in->rejected_path, "we");
        if (in->rejected_file && in->csv)
            (void)fwrite(in->header.at, 1, in->header.len, in->rejected_file);
    }
    if (!in->rejected_file || fwrite(record.at, 1, record.len, in->rejected_file) != record.len ||
        (record.len && record.at[record.len - 1] != '\n' &&
         fputc('\n', in->rejected_file) == EOF)) {
        in->error = errno ? errno : EIO;
        return ERR_IO;
    }
    return ERR_OK;
}

static uint64_t lines_in(struct slice text)
{
    uint64_t n = 0;
    for (uint32_t i = 0; i < text.len; i++) n += text.at[i] == '\n';
    return n;
}

static err_t answer_row(void *ctx, const struct slice *p)
{
    struct import *in = ctx;
    size_t at = tables_number(p[1]), bytes = tables_number(p[2]);
    if (p[4].at) { /* the piece's count */
        in->rows += tables_number(p[4]);
        return ERR_OK;
    }
    uint64_t line =
        in->line + tables_number(p[0]) - (in->csv ? lines_in(buf_view(&in->header)) : 0);
    if (in->rejected++ < WHY_SHOWN)
        fprintf(stderr, "%s:%llu: %.*s\n", strcmp(in->f->file, "-") ? in->f->file : "stdin",
                (unsigned long long)line, SLICE_ARG(p[3]));
    else if (in->rejected == WHY_SHOWN + 1)
        fprintf(stderr, "… and more\n");
    if (at > in->piece.len || bytes > in->piece.len - at) return ERR_MALFORMED;
    return put_rejected(in, slice_make(in->piece.at + at, bytes));
}

static int send_piece(struct import *in, size_t len)
{
    static const char *const paths[] = {"$.line", "$.at", "$.bytes", "$.why", "$.rows"};
    struct slice records = slice_make(in->text.at, len);
    buf_reset(&in->piece);
    if (in->csv) buf_slice(&in->piece, buf_view(&in->header));
    buf_slice(&in->piece, records);
    if (in->csv && !in->line) in->line = lines_in(buf_view(&in->header));
    struct tables_call c = {.what = "import",
                            .table = in->f->table,
                            .format = in->f->format,
                            .body = slice_make(buf_cstr(&in->piece), in->piece.len)};
    err_t e = tables_ask_rows(in->s, c, paths, COUNT_OF(paths), answer_row, in);
    if (in->error) {
        errno = in->error;
        return say_errno("writing", in->rejected_path);
    }
    if (e) return tables_failed(in->s);
    in->line += lines_in(records);
    memmove(in->text.at, in->text.at + len, in->text.len - len);
    in->text.len -= len;
    in->scanned -= len;
    in->whole = 0;
    say_progress(&in->shown_ns, in->rows);
    return 0;
}

/* Finds where records end, in what came last; the first one of CSV is the header. */
static void scan(struct import *in)
{
    for (; in->scanned < in->text.len; in->scanned++) {
        uint8_t c = in->text.at[in->scanned];
        if (in->csv && c == '"') in->quoted = !in->quoted;
        if (c != '\n' || in->quoted) continue;
        if (in->csv && !in->header_known) {
            size_t len = in->scanned + 1;
            in->header_known = true;
            buf_put(&in->header, in->text.at, len);
            memmove(in->text.at, in->text.at + len, in->text.len - len);
            in->text.len -= len;
            in->scanned = (size_t)-1; /* the loop's ++ makes it 0 */
            continue;
        }
        in->whole = in->scanned + 1;
    }
}

static int read_more(struct import *in)
{
    uint8_t *to = buf_grow(&in->text, READ_BYTES);
    if (!to) {
        fprintf(stderr, "error: %s: a row at line %llu is longer than %d bytes\n", in->f->file,
                (unsigned long long)in->line + 1, PIECE_MAX);
        return 1;
    }
    size_t got = fread(to, 1, READ_BYTES, in->from);
    in->text.len -= READ_BYTES - got;
    in->ended = got < READ_BYTES;
    return ferror(in->from) ? say_errno("reading", in->f->file) : 0;
}

static int import_all(struct import *in)
{
    int code = 0;
    while (!code && !in->ended) {
        code = read_more(in);
        scan(in);
        bool last = in->ended && (in->text.len || !in->rows);
        if (!code && last)
            code = send_piece(in, in->text.len);
        else if (!code && in->whole >= PIECE_BYTES)
            code = send_piece(in, in->whole);
    }
    return code;
}

static int import_result(struct import *in, int64_t begun)
{
    const struct rows_file *f = in->f;
    if (in->rejected_file && fclose(in->rejected_file))
        return say_errno("writing", in->rejected_path);
    if (f->json)
        printf("{\"rows\": %llu, \"rejected\": %llu}\n", (unsigned long long)in->rows,
               (unsigned long long)in->rejected);
    say_result(f, "in", in->rows, clock_mono_ns() - begun);
    if (in->rejected && !f->json)
        fprintf(stderr, "%llu rows were refused: they are in %s\n",
                (unsigned long long)in->rejected, in->rejected_path);
    return in->rejected != 0;
}

int tables_import(struct tables_session *s, const struct rows_file *f)
{
    bool input = strcmp(f->file, "-") == 0;
    int64_t begun = clock_mono_ns();
    struct import in = {.s = s,
                        .f = f,
                        .csv = strcmp(f->format, "csv") == 0,
                        .header = buf_make(KIB(256)),
                        .text = buf_make(PIECE_MAX + READ_BYTES),
                        .piece = buf_make(PIECE_MAX + MIB(1))};
    int n = snprintf(in.rejected_path, sizeof(in.rejected_path), "%s.rejected",
                     input ? "stdin" : f->file);
    if (n >= PATH_MAX) {
        errno = ENAMETOOLONG;
        return say_errno("opening", f->file);
    }
    in.from = input ? stdin : fopen(f->file, "re");
    if (!in.from) return say_errno("opening", f->file);
    (void)unlink(in.rejected_path); /* of an import before this one */
    int code = import_all(&in);
    if (!code)
        code = import_result(&in, begun);
    else if (in.rejected_file)
        fclose(in.rejected_file);
    if (!input) fclose(in.from);
    buf_done(&in.header);
    buf_done(&in.text);
    buf_done(&in.piece);
    return code;
}
