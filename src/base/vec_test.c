/* The two containers, the map above all: random work against a model that can not be wrong. */
#include "base/vec.h"
#include "test.h"

#include <stdio.h>

TEST(a_vector_grows_to_its_ceiling_and_keeps_order_when_something_goes)
{
    struct vec v = vec_make(sizeof(int), 100);
    for (int i = 0; i < 100; i++) CHECK_OK(vec_push(&v, &i), NULL);
    int more = 0;
    CHECK_ERR(vec_push(&v, &more), ERR_TOO_BIG);
    CHECK(vec_add(&v) == NULL);
    vec_remove(&v, 0);
    vec_remove(&v, 98);
    vec_remove(&v, 49);
    CHECK_INT(v.count, 97);
    CHECK_INT(*(int *)vec_at(&v, 0), 1);
    CHECK_INT(*(int *)vec_at(&v, 48), 49);
    CHECK_INT(*(int *)vec_at(&v, 49), 51);
    CHECK_INT(*(int *)vec_at(&v, 96), 98);
    CHECK_INT(*(int *)vec_add(&v), 0); /* zeroed, although the place was used before */
    vec_clear(&v);
    CHECK_INT(v.count, 0);
    vec_done(&v);
    mem_fail_at(1);
    CHECK_ERR(vec_push(&v, &more), ERR_NO_MEMORY);
    mem_fail_at(0);
    vec_done(&v);
}

enum { KEYS = 300 };

struct model {
    int value[KEYS]; /* 0: absent */
    size_t count;
};

static struct slice key_of(int k, char text[16])
{
    return slice_make(text, (size_t)snprintf(text, 16, "key-%d", k));
}

static void compare(const struct map *m, struct model *model, int *values)
{
    char text[16];
    CHECK_INT(map_count(m), model->count);
    for (int k = 0; k < KEYS; k++) {
        int *got = map_get(m, key_of(k, text));
        CHECK(model->value[k] ? got == &values[model->value[k]] : got == NULL);
    }
    struct slice key;
    void *value;
    size_t seen = 0;
    bool met[KEYS] = {false};
    for (size_t at = 0; map_next(m, &at, &key, &value); seen++) {
        char *end = (char *)(uintptr_t)key.at + 4;
        int k = 0;
        for (uint32_t i = 4; i < key.len; i++) k = k * 10 + (*end++ - '0');
        CHECK(k < KEYS && !met[k] && model->value[k] && value == &values[model->value[k]]);
        if (k < KEYS) met[k] = true;
    }
    CHECK_INT(seen, model->count);
}

/* Adds and removes in equal parts over few keys, so that probe runs are long and holes close. */
TEST(a_map_agrees_with_its_model_under_random_work)
{
    static int values[1001];
    for (uint64_t seed = 1; seed <= 20; seed++) {
        uint64_t random = seed;
        struct map *m = map_new(KEYS);
        struct model model = {{0}, 0};
        int keys = 10 + (int)(test_random(&random) % (KEYS - 10));
        for (int step = 0; step < 3000; step++) {
            char text[16];
            int k = (int)(test_random(&random) % (uint64_t)keys);
            struct slice key = key_of(k, text);
            if (test_random(&random) % 2) {
                int v = 1 + (int)(test_random(&random) % 1000);
                CHECK_OK(map_set(m, key, &values[v]), NULL);
                model.count += model.value[k] == 0;
                model.value[k] = v;
            } else {
                int *was = map_remove(m, key);
                CHECK(model.value[k] ? was == &values[model.value[k]] : was == NULL);
                model.count -= model.value[k] != 0;
                model.value[k] = 0;
            }
            memset(text, '#', sizeof(text)); /* keys must be copies */
            if (step % 100 == 0) compare(m, &model, values);
        }
        compare(m, &model, values);
        map_free(m);
    }
}

TEST(a_map_keeps_insertion_order_while_nothing_is_removed)
{
    struct map *m = map_new(1000);
    char text[16];
    static int values[1000];
    for (int i = 0; i < 1000; i++) CHECK_OK(map_set(m, key_of(i, text), &values[i]), NULL);
    CHECK_OK(map_set(m, key_of(5, text), &values[7]), NULL); /* a change does not move it */
    struct slice key;
    void *value;
    size_t at = 0;
    for (int i = 0; map_next(m, &at, &key, &value); i++)
        CHECK(slice_equal(key, key_of(i, text)) && value == &values[i == 5 ? 7 : i]);
    map_free(m);
}

TEST(a_full_map_refuses_a_new_key_but_takes_a_known_one)
{
    size_t before = mem_held();
    int one = 1, two = 2;
    struct map *m = map_new(2);
    CHECK_OK(map_set(m, SLICE(""), &one), NULL); /* the empty key is a key */
    CHECK_OK(map_set(m, SLICE("b"), &one), NULL);
    CHECK_ERR(map_set(m, SLICE("c"), &one), ERR_TOO_BIG);
    CHECK_OK(map_set(m, SLICE("b"), &two), NULL);
    CHECK(map_get(m, SLICE("b")) == &two && map_get(m, SLICE("")) == &one);
    CHECK(map_get(m, SLICE("c")) == NULL && map_remove(m, SLICE("c")) == NULL);
    CHECK(map_remove(m, SLICE("")) == &one);
    CHECK_OK(map_set(m, SLICE("c"), &one), NULL);
    map_free(m);
    map_free(NULL);
    CHECK_INT(mem_held(), before);
}

TEST(a_map_that_gets_no_memory_is_as_it_was)
{
    int value = 1;
    char text[16];
    size_t before = mem_held();
    for (uint64_t nth = 1; nth <= 60; nth++) {
        struct map *m = map_new(100);
        int added = 0;
        bool refused = false;
        mem_fail_at(nth);
        for (int i = 0; i < 40; i++) {
            err_t e = map_set(m, key_of(i, text), &value);
            CHECK(e == ERR_OK || e == ERR_NO_MEMORY);
            if (e) CHECK(map_get(m, key_of(i, text)) == NULL);
            refused |= e == ERR_NO_MEMORY;
            added += e == ERR_OK;
        }
        mem_fail_at(0);
        CHECK_INT(map_count(m), added);
        CHECK(refused || nth > 44);
        map_free(m);
    }
    CHECK_INT(mem_held(), before);
}
