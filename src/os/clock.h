/* os/clock: the only place that reads a clock. Every other room is given the time.
 *
 * Tests set it: clock_fake_set freezes the wall clock and the monotonic one; the fault kit's
 * SLUICE_FAKE_CLOCK_MS does the same for a whole process.
 */
#pragma once
#include "base/base.h"

int64_t clock_wall_ms(void); /* milliseconds since 1970 */
int64_t clock_wall_us(void);
int64_t clock_mono_ns(void);          /* since some start; never steps */
int64_t clock_cpu_ns(void);           /* processor time of this process, all threads */
int64_t clock_thread_cpu_ns(void);    /* of the calling thread alone */
void clock_fake_set(int64_t wall_ms); /* tests; negative: real again */
void clock_fake_advance(int64_t ms);
