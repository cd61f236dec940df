/* Memory: what is counted, what is refused, and the lifetimes of arenas and pools. */
#include "base/mem.h"
#include "test.h"

TEST(memory_held_goes_up_and_comes_back)
{
    size_t before = mem_held();
    void *a = mem_take(1000), *b = mem_take_raw(0);
    CHECK(a && b && mem_held() >= before + 1000);
    a = mem_resize(a, 5000);
    CHECK(a && mem_held() >= before + 5000);
    mem_give(a);
    mem_give(b);
    mem_give(NULL);
    CHECK_INT(mem_held(), before);
}

TEST(a_limit_refuses_and_the_old_block_survives_a_refused_resize)
{
    size_t before = mem_held();
    char *text = mem_text(SLICE("kept"));
    mem_limit_set(mem_held() + 4096);
    CHECK(mem_take(100000) == NULL);
    CHECK(mem_resize(text, 100000) == NULL);
    CHECK_TEXT(text, "kept");
    CHECK(mem_take(SIZE_MAX) == NULL);
    void *fits = mem_take(1024);
    CHECK(fits != NULL);
    mem_limit_set(0);
    mem_give(fits);
    mem_give(text);
    CHECK_INT(mem_held(), before);
}

TEST(the_nth_call_fails_once)
{
    void *kept[4];
    mem_fail_at(3);
    for (size_t i = 0; i < COUNT_OF(kept); i++) kept[i] = mem_take(10);
    CHECK(kept[0] && kept[1] && !kept[2] && kept[3]);
    for (size_t i = 0; i < COUNT_OF(kept); i++) mem_give(kept[i]);
    mem_fail_at(1);
    CHECK(mem_take_raw(1) == NULL);
    mem_fail_at(0);
}

TEST(an_arena_hands_out_aligned_zeroed_memory_up_to_its_limit)
{
    size_t before = mem_held();
    struct arena *a = arena_new(100000);
    size_t total = 0;
    for (size_t size = 1;; size = size * 3 + 1) {
        uint8_t *p = arena_take(a, size);
        if (!p) {
            CHECK(total + size > 100000 - 16 * 20);
            break;
        }
        CHECK((uintptr_t)p % 16 == 0);
        for (size_t i = 0; i < size; i++) CHECK(p[i] == 0);
        memset(p, 0xaa, size);
        total += size;
    }
    CHECK(arena_take(a, 100001) == NULL);
    CHECK(arena_take(a, SIZE_MAX) == NULL);
    CHECK(arena_used(a) >= total && arena_used(a) < 100000 + 16);
    arena_free(a);
    arena_free(NULL);
    CHECK_INT(mem_held(), before);
}

TEST(an_arena_without_a_limit_can_not_be_tricked_by_a_size_that_wraps)
{
    struct arena *a = arena_new(SIZE_MAX);
    mem_limit_set(mem_held() + MIB(1));
    CHECK(arena_take(a, SIZE_MAX) == NULL);
    CHECK(arena_take(a, SIZE_MAX - 15) == NULL);
    CHECK(arena_take(a, SIZE_MAX / 2) == NULL);
    CHECK(arena_take(a, 8) != NULL);
    mem_limit_set(0);
    arena_free(a);
}

TEST(a_reset_arena_uses_its_chunks_again)
{
    struct arena *a = arena_new(MIB(10));
    uint64_t calls = 0;
    uint64_t random = 3;
    for (int round = 0; round < 50; round++) {
        arena_reset(a);
        CHECK_INT(arena_used(a), 0);
        uint8_t *last = NULL;
        for (int i = 0; i < 200; i++) {
            size_t size = 1 + test_random(&random) % 8000;
            uint8_t *p = arena_take_raw(a, size);
            CHECK(p && p != last);
            if (!p) break;
            memset(p, i, size); /* the sanitizer sees when it is not ours */
            last = p;
        }
        if (round == 25) calls = mem_calls();
    }
    CHECK(mem_calls() - calls < 10); /* the second half lives from what the first took */
    arena_free(a);
}

TEST(the_newest_block_of_an_arena_grows_and_shrinks_in_place)
{
    struct arena *a = arena_new(10000);
    char *first = arena_text(a, SLICE("first"));
    char *p = arena_take(a, 100);
    memcpy(p, "second", 7);
    size_t before = arena_used(a);
    CHECK(arena_resize(a, p, 100, 1000) == p);
    CHECK_INT(arena_used(a), before - 112 + 1008);
    CHECK(arena_resize(a, p, 1000, 16) == p);
    size_t used = arena_used(a);
    CHECK_INT(used, before - 112 + 16);
    char *next = arena_take(a, 16);
    CHECK(next == p + 16 && arena_used(a) == used + 16);
    char *moved = arena_resize(a, p, 16, 64); /* no longer the newest */
    CHECK(moved != p);
    CHECK_TEXT(moved, "second");
    CHECK_TEXT(first, "first");
    CHECK(arena_resize(a, next, 16, 8) == next);  /* an older block is not trimmed, only kept */
    char *big = arena_resize(a, moved, 64, 6000); /* into another chunk */
    CHECK(big && big != moved);
    CHECK_TEXT(big, "second");
    CHECK(arena_resize(a, big, 6000, 9999) == NULL);
    CHECK(arena_resize(a, big, 6000, SIZE_MAX) == NULL);
    CHECK_TEXT(big, "second");
    CHECK(arena_resize(a, NULL, 0, 10) != NULL);
    arena_free(a);
}

TEST(arena_texts_are_copies_that_end)
{
    struct arena *a = arena_new(1000);
    char source[] = "abc";
    char *text = arena_text(a, slice_of(source));
    struct slice s = arena_slice(a, slice_of(source));
    source[0] = 'X';
    CHECK_TEXT(text, "abc");
    CHECK_SLICE(s, "abc");
    CHECK_TEXT(arena_printf(a, "%d-%s", 7, "x"), "7-x");
    CHECK_TEXT(arena_text(a, (struct slice){0}), "");
    CHECK(arena_printf(a, "%2000d", 1) == NULL);
    arena_free(a);
}

TEST(a_pool_has_a_cap_and_gives_back_zeroed_objects)
{
    size_t before = mem_held();
    struct pool *p = pool_new(40, 3);
    uint8_t *out[3];
    for (int i = 0; i < 3; i++) {
        out[i] = pool_take(p);
        CHECK(out[i] != NULL);
        memset(out[i], 0xff, 40);
    }
    CHECK(pool_take(p) == NULL);
    CHECK_INT(pool_out(p), 3);
    pool_give(p, out[1]);
    uint8_t *again = pool_take(p);
    CHECK(again == out[1]);
    for (int i = 0; i < 40; i++) CHECK(again[i] == 0);
    for (int i = 0; i < 3; i++) pool_give(p, out[i]);
    CHECK_INT(pool_out(p), 0);
    pool_free(p);
    pool_free(NULL);
    CHECK_INT(mem_held(), before);
}

TEST(arena_and_pool_say_no_when_memory_does)
{
    mem_fail_at(1);
    CHECK(arena_new(100) == NULL);
    mem_fail_at(1);
    CHECK(pool_new(10, 10) == NULL);
    struct arena *a = arena_new(1000);
    struct pool *p = pool_new(10, 10);
    mem_fail_at(1);
    CHECK(arena_take(a, 10) == NULL);
    CHECK(arena_take(a, 10) != NULL);
    mem_fail_at(1);
    CHECK(pool_take(p) == NULL);
    CHECK_INT(pool_out(p), 0);
    mem_fail_at(0);
    arena_free(a);
    pool_free(p);
}
