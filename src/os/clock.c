#include "os/clock.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <time.h>

/* Frozen: both clocks read the values below. After a thaw the monotonic clock goes on from where
 * the frozen one stood, by `shift`, since it must never step back under code that kept a reading.
 */
static atomic_bool frozen;
static _Atomic int64_t frozen_wall_us, frozen_mono_ns, mono_shift_ns;

static int64_t read_ns(clockid_t id)
{
    struct timespec t;
    INVARIANT(clock_gettime(id, &t) == 0); /* these clocks exist on every Linux */
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

int64_t clock_wall_us(void)
{
    if (atomic_load_explicit(&frozen, memory_order_acquire)) return atomic_load(&frozen_wall_us);
    return read_ns(CLOCK_REALTIME) / 1000;
}

int64_t clock_wall_ms(void)
{
    return clock_wall_us() / 1000;
}

int64_t clock_mono_ns(void)
{
    if (atomic_load_explicit(&frozen, memory_order_acquire)) return atomic_load(&frozen_mono_ns);
    return read_ns(CLOCK_MONOTONIC) + atomic_load_explicit(&mono_shift_ns, memory_order_relaxed);
}

int64_t clock_cpu_ns(void)
{
    return read_ns(CLOCK_PROCESS_CPUTIME_ID);
}

int64_t clock_thread_cpu_ns(void)
{
    return read_ns(CLOCK_THREAD_CPUTIME_ID);
}

void clock_fake_set(int64_t wall_ms)
{
    if (wall_ms < 0) {
        int64_t real = read_ns(CLOCK_MONOTONIC), stood = clock_mono_ns();
        atomic_store(&mono_shift_ns, MAX(stood - real, (int64_t)0));
        atomic_store_explicit(&frozen, false, memory_order_release);
        return;
    }
    if (!atomic_load(&frozen)) atomic_store(&frozen_mono_ns, clock_mono_ns());
    atomic_store(&frozen_wall_us, wall_ms * 1000);
    atomic_store_explicit(&frozen, true, memory_order_release);
}

void clock_fake_advance(int64_t ms)
{
    INVARIANT(atomic_load(&frozen) && ms >= 0);
    atomic_fetch_add(&frozen_wall_us, ms * 1000);
    atomic_fetch_add(&frozen_mono_ns, ms * 1000000);
}

/* Before main, so that no reading is taken from the real clock in a process that is to be frozen.
 */
__attribute__((constructor)) static void freeze_from_environment(void)
{
    int64_t wall_ms;
    const char *text = getenv("SLUICE_FAKE_CLOCK_MS");
    if (text && slice_to_i64(slice_of(text), &wall_ms) && wall_ms >= 0) clock_fake_set(wall_ms);
}
