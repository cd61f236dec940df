/* fault, inside: the n-th call (fault.c) and the model of the disk (disk.c). */
#pragma once
#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

enum fault_call {
    FAULT_OPEN,
    FAULT_WRITE,
    FAULT_SYNC,
    FAULT_TRUNCATE,
    FAULT_RENAME,
    FAULT_UNLINK,
    FAULT_MKDIR,
    FAULT_CALLS
};
enum fault_action { FAULT_NONE, FAULT_FAIL, FAULT_TEAR, FAULT_STOP, FAULT_CUT };

void *fault_real(const char *name);
bool fault_watched(const char *path);
void fault_lock(void);
void fault_unlock(void);

/* disk: what would be lost if the power went now. All calls under the lock. */
void disk_init(const char *dir, uint64_t seed, bool modelled);
bool disk_is_modelled(void);
void disk_opened(int fd, const char *path, bool created);
void disk_closed(int fd);
void disk_before_write(int fd, const char *path, off_t at, size_t size);
void disk_before_resize(int fd, const char *path, off_t size);
void disk_before_truncating_open(const char *path);
void disk_synced(int fd, const char *path); /* a file or a directory */
int disk_rename(const char *from, const char *to);
int disk_unlink(const char *path);
void disk_made_dir(const char *path);
void disk_removed_dir(const char *path);
void disk_linked(const char *path);
void disk_power_cut(void); /* undoes what is not synced */
