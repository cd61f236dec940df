/* A portrait: a face of a few shapes, its colours and features taken from the number. Drawn at
 * three times the size and averaged, then written as JPEG. */
#include "people/people_int.h"
#include <math.h>
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>

#include <jpeglib.h> /* wants stdio before it */

enum { SIDE_MAX = 128, QUALITY = 85, SAMPLES = 3 };

struct colour {
    uint8_t r, g, b;
};
struct face {
    struct colour back, skin, hair, shirt, eyes;
    double width, height, hair_line, eye_gap, mouth, brow;
    bool long_hair, beard, glasses, brick;
};

static const struct colour skins[] = {{255, 224, 196}, {241, 194, 150}, {224, 172, 120},
                                      {198, 134, 84},  {141, 85, 48},   {92, 56, 36}};
static const struct colour hairs[] = {{32, 24, 20},    {86, 54, 30},  {150, 96, 48},
                                      {214, 176, 96},  {176, 62, 32}, {120, 120, 124},
                                      {226, 226, 226}, {60, 40, 70}};
static const struct colour cloths[] = {{196, 60, 56},  {56, 104, 180}, {60, 140, 84},
                                       {230, 176, 52}, {110, 74, 150}, {44, 48, 58},
                                       {232, 120, 60}, {84, 170, 180}};
static const struct colour backs[] = {{214, 226, 236}, {236, 226, 210}, {220, 232, 214},
                                      {232, 218, 230}, {204, 212, 222}, {240, 236, 228}};

static double spread(struct rng *r, double low, double high)
{
    return low + (high - low) * rng_unit(r);
}
static struct face face_make(struct slice folder, int number)
{
    uint64_t seed = hash64(folder, (uint64_t)number + 1);
    struct rng r = rng_make(seed);
    struct face f = {.eyes = {40, 36, 40}};
    f.back = backs[rng_below(&r, COUNT_OF(backs))];
    f.skin = skins[rng_below(&r, COUNT_OF(skins))];
    f.hair = hairs[rng_below(&r, COUNT_OF(hairs))];
    f.shirt = cloths[rng_below(&r, COUNT_OF(cloths))];
    bool woman = slice_is(folder, "women");
    f.width = spread(&r, 0.22, 0.27);
    f.height = spread(&r, 0.29, 0.34);
    f.hair_line = spread(&r, 0.06, 0.17);
    f.eye_gap = spread(&r, 0.085, 0.115);
    f.mouth = spread(&r, -0.01, 0.05);
    f.brow = spread(&r, 0.05, 0.075);
    f.long_hair = rng_below(&r, 100) < (woman ? 75 : 8);
    f.beard = !woman && rng_below(&r, 100) < 35;
    f.glasses = rng_below(&r, 100) < 25;
    f.brick = slice_is(folder, "lego");
    if (f.brick) f.skin = (struct colour){247, 205, 40};
    return f;
}

static bool in_ellipse(double x, double y, double cx, double cy, double rx, double ry)
{
    double dx = (x - cx) / rx, dy = (y - cy) / ry;
    return dx * dx + dy * dy <= 1;
}
static bool on_ring(double x, double y, double cx, double cy, double radius)
{
    double d = sqrt((x - cx) * (x - cx) + (y - cy) * (y - cy));
    return fabs(d - radius) < 0.008;
}
static bool in_head(const struct face *f, double x, double y)
{
    if (!f->brick) return in_ellipse(x, y, 0, -0.05, f->width, f->height);
    bool stud = fabs(x) < 0.11 && y > -0.43 && y < -0.3;
    return stud || (fabs(x) < 0.24 && y > -0.33 && y < 0.2);
}
static struct colour shade(struct colour c, double by)
{
    return (struct colour){(uint8_t)(c.r * by), (uint8_t)(c.g * by), (uint8_t)(c.b * by)};
}

/* x and y run from -0.5 to 0.5, y downwards; the topmost shape is asked first. */
static struct colour paint(const struct face *f, double x, double y)
{
    double side = fabs(x), smile = 0.11 + f->mouth * (1 - (x / 0.09) * (x / 0.09));
    if (in_head(f, x, y)) {
        if (f->glasses && (on_ring(side, y, f->eye_gap, -0.07, 0.055) ||
                           (side < f->eye_gap - 0.05 && fabs(y + 0.07) < 0.007)))
            return f->eyes;
        if (in_ellipse(side, y, f->eye_gap, -0.07, 0.018, 0.022)) return f->eyes;
        if (!f->brick && in_ellipse(side, y, f->eye_gap, -0.07, 0.036, 0.026))
            return (struct colour){250, 250, 250};
        if (fabs(side - f->eye_gap) < 0.04 && fabs(y + 0.07 + f->brow) < 0.008)
            return shade(f->hair, 0.8);
        if (side < 0.08 && fabs(y - smile) < 0.012) return (struct colour){150, 50, 50};
        if (f->beard && y > 0.05 && !in_ellipse(x, y, 0, 0.1, 0.1, 0.05)) return f->hair;
        if (!f->brick && side < 0.014 && y > -0.04 && y < 0.045) return shade(f->skin, 0.88);
        double top = f->brick ? -0.2 : -0.05 - f->height + f->hair_line;
        if (y < top + 0.04 * x) return f->hair;
        return f->skin;
    }
    if (f->long_hair && side < f->width + 0.07 && y > -0.15 && y < 0.22) return f->hair;
    if (in_ellipse(x, y, 0, -0.1, f->width + 0.035, f->height + 0.01) && y < -0.12) return f->hair;
    if (side < 0.1 && y > 0.1 && y < 0.34) return shade(f->skin, 0.85);
    if (in_ellipse(x, y, 0, 0.56, 0.4, 0.3)) return f->shirt;
    return f->back;
}

static void draw_row(const struct face *f, int side, int y, uint8_t *row)
{
    for (int x = 0; x < side; x++) {
        int sum[3] = {0, 0, 0};
        for (int s = 0; s < SAMPLES * SAMPLES; s++) {
            double px = (x + (s % SAMPLES + 0.5) / SAMPLES) / side - 0.5;
            int line = s / SAMPLES;
            double py = (y + (line + 0.5) / SAMPLES) / side - 0.5;
            struct colour c = paint(f, px, py);
            sum[0] += c.r, sum[1] += c.g, sum[2] += c.b;
        }
        for (int i = 0; i < 3; i++) row[3 * x + i] = (uint8_t)(sum[i] / (SAMPLES * SAMPLES));
    }
}

struct failure {
    struct jpeg_error_mgr base; /* first: libjpeg hands this back */
    jmp_buf back;
};
static void fail_jump(j_common_ptr c)
{
    longjmp(((struct failure *)(void *)c->err)->back, 1);
}

static bool encode(const struct face *f, int side, unsigned char **jpeg, unsigned long *size)
{
    struct jpeg_compress_struct c;
    struct failure failure;
    uint8_t row[3 * SIDE_MAX], *rows[1] = {row};
    c.err = jpeg_std_error(&failure.base);
    failure.base.error_exit = fail_jump;
    if (setjmp(failure.back)) { /* libjpeg's way of saying that memory is out */
        jpeg_destroy_compress(&c);
        return false;
    }
    jpeg_create_compress(&c);
    jpeg_mem_dest(&c, jpeg, size);
    c.image_width = c.image_height = (JDIMENSION)side;
    c.input_components = 3;
    c.in_color_space = JCS_RGB;
    jpeg_set_defaults(&c);
    jpeg_set_quality(&c, QUALITY, TRUE);
    jpeg_start_compress(&c, TRUE);
    for (int y = 0; y < side; y++) {
        draw_row(f, side, y, row);
        jpeg_write_scanlines(&c, rows, 1);
    }
    jpeg_finish_compress(&c);
    jpeg_destroy_compress(&c);
    return true;
}

err_t people_portrait(struct slice kind, struct slice folder, int number, struct buf *out)
{
    static const struct {
        const char *name;
        int count;
    } folders[] = {{"men", 100}, {"women", 97}, {"lego", 10}};
    int side = kind.len == 0 ? 128 : slice_is(kind, "med") ? 72 : slice_is(kind, "thumb") ? 48 : 0;
    bool known = false;
    for (size_t i = 0; i < COUNT_OF(folders); i++)
        known |= slice_is(folder, folders[i].name) && number >= 0 && number < folders[i].count;
    if (!known || side == 0) return ERR_NOT_FOUND;
    struct face f = face_make(folder, number);
    unsigned char *jpeg = NULL;
    unsigned long size = 0;
    bool done = encode(&f, side, &jpeg, &size);
    if (done) buf_put(out, jpeg, size);
    free(jpeg); /* libjpeg's own allocation */
    return done ? out->err : ERR_NO_MEMORY;
}
