/* Faults of the system, for one process and on demand: what LD_PRELOAD puts before libc. It touches only files in one
 * directory (SEGUE_FAULTS_DIR), does as a plan says (SEGUE_FAULTS_PLAN, mapped, so that a test changes it while the
 * process runs), and writes down in order what happened (SEGUE_FAULTS_RECORD).
 *
 * Each function calls the kernel itself: no symbol has to be looked up, so that a call works before the loader is done.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

/* The same order as in plan.rs. */
enum { WRITES, SYNCS, SYNC_DELAY, TRUNCATES, OPENS, DISK_SIZE, SHORT_WRITES, MEMORY, CLOCK, SLOTS };
/* The same order as in record.rs. */
enum { CREATED, WRITTEN, TRUNCATED, REMOVED, RENAMED, SYNCED, RECEIVED, SENT, CLOSED };

static const volatile int64_t no_faults[SLOTS];
static const volatile int64_t *plan = no_faults;
static char directory[PATH_MAX];
static size_t directory_length;
static int recorder = -1;

__attribute__((constructor)) static void start(void)
{
    const char *given = getenv("SEGUE_FAULTS_DIR"), *planned = getenv("SEGUE_FAULTS_PLAN");
    const char *record = getenv("SEGUE_FAULTS_RECORD");
    if (!given || !planned || strlen(given) >= sizeof directory)
        return;
    strcpy(directory, given);
    directory_length = strlen(directory);
    int file = syscall(SYS_openat, AT_FDCWD, planned, O_RDONLY | O_CLOEXEC);
    void *mapped = mmap(NULL, SLOTS * sizeof(int64_t), PROT_READ, MAP_SHARED, file, 0);
    if (mapped == MAP_FAILED)
        abort(); /* A test that believes in faults which never come would pass. */
    plan = mapped;
    if (record)
        recorder = syscall(SYS_openat, AT_FDCWD, record, O_WRONLY | O_APPEND | O_CLOEXEC);
}

/* The name inside the directory, "" for the directory itself, NULL for anything else. */
static const char *inside(const char *path)
{
    if (!directory_length || strncmp(path, directory, directory_length))
        return NULL;
    path += directory_length;
    return *path == '/' ? path + 1 : *path ? NULL : path;
}

/* The same for an open descriptor. */
static const char *name_of(int fd, char path[PATH_MAX])
{
    static const char removed[] = " (deleted)";
    char link[32];
    if (!directory_length)
        return NULL;
    int saved = errno;
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t length = readlink(link, path, PATH_MAX - 1);
    errno = saved;
    if (length < 0)
        return NULL;
    path[length] = 0;
    /* A file that was removed is still the store's to whoever has it open. */
    size_t ending = sizeof removed - 1;
    if ((size_t)length > ending && !strcmp(path + length - ending, removed))
        path[length - ending] = 0;
    return inside(path);
}

static int is_socket(int fd)
{
    struct stat status;
    int saved = errno;
    int answer = !fstat(fd, &status) && S_ISSOCK(status.st_mode);
    errno = saved;
    return answer;
}

/* One event, appended by one call, so that those of several threads do not mix. At most `length` of the bytes. */
static void record(int kind, int fd, const char *name, int64_t offset, const struct iovec *bytes, int count, size_t length)
{
    enum { MOST = 70 };
    struct { int32_t kind, descriptor; int64_t offset, name_length, length; } head = { kind, fd, offset, strlen(name), 0 };
    struct iovec parts[MOST] = { { &head, sizeof head }, { (void *)name, strlen(name) } };
    int used = 2;
    if (recorder < 0)
        return;
    for (int at = 0; at < count && used < MOST && length; at++) {
        size_t taken = bytes[at].iov_len < length ? bytes[at].iov_len : length;
        parts[used++] = (struct iovec){ bytes[at].iov_base, taken };
        head.length += taken;
        length -= taken;
    }
    int saved = errno;
    syscall(SYS_writev, recorder, parts, used);
    errno = saved;
}

static int fails(int slot)
{
    if (!plan[slot])
        return 0;
    errno = plan[slot];
    return 1;
}

/* What the files in the directory take. What was removed has given its room back, whoever still has it open. */
static int64_t used(void)
{
    int64_t sum = 0;
    DIR *files = opendir(directory);
    for (struct dirent *file; files && (file = readdir(files));) {
        struct stat status;
        if (!fstatat(dirfd(files), file->d_name, &status, AT_SYMLINK_NOFOLLOW) && S_ISREG(status.st_mode))
            sum += status.st_size;
    }
    if (files)
        closedir(files);
    return sum;
}

/* How much of a write at `offset` succeeds; -1, with errno, when it fails. */
static ssize_t succeeds(int fd, int64_t offset, size_t length)
{
    struct stat status;
    if (fails(WRITES))
        return -1;
    if (plan[SHORT_WRITES] && length > 1)
        length /= 2;
    if (!plan[DISK_SIZE] || fstat(fd, &status) || offset + (int64_t)length <= status.st_size)
        return length;
    int64_t room = plan[DISK_SIZE] - used();
    int64_t fits = status.st_size + (room > 0 ? room : 0) - offset;
    if (fits > 0)
        return fits < (int64_t)length ? fits : (int64_t)length;
    errno = ENOSPC;
    return -1;
}

static ssize_t write_at(int fd, const char *name, const void *bytes, size_t length, int64_t offset)
{
    ssize_t written = succeeds(fd, offset, length);
    if (written >= 0)
        written = syscall(SYS_pwrite64, fd, bytes, written, offset);
    if (written > 0)
        record(WRITTEN, fd, name, offset, &(struct iovec){ (void *)bytes, written }, 1, written);
    return written;
}

ssize_t pwrite64(int fd, const void *bytes, size_t length, off64_t offset)
{
    char path[PATH_MAX];
    const char *name = name_of(fd, path);
    return name ? write_at(fd, name, bytes, length, offset) : syscall(SYS_pwrite64, fd, bytes, length, offset);
}

ssize_t pwrite(int fd, const void *bytes, size_t length, off_t offset) { return pwrite64(fd, bytes, length, offset); }

/* The front of an answer is recorded before it is sent: what stands before it in the record came before it in reality,
 * too. Of all else only what was really taken is recorded. */
static ssize_t send_recorded(int call, int fd, const struct iovec *bytes, int count, const void *what, size_t length, long flags, long to, long to_length)
{
    int answer = count && bytes[0].iov_len >= 7 && !memcmp(bytes[0].iov_base, "HTTP/1.", 7);
    if (answer)
        record(SENT, fd, "", 0, bytes, count, SIZE_MAX);
    ssize_t sent = syscall(call, fd, what, length, flags, to, to_length);
    if (sent > 0 && !answer)
        record(SENT, fd, "", 0, bytes, count, sent);
    return sent;
}

ssize_t write(int fd, const void *bytes, size_t length)
{
    char path[PATH_MAX];
    const char *name = name_of(fd, path);
    if (!name) {
        struct iovec all = { (void *)bytes, length };
        if (recorder >= 0 && is_socket(fd))
            return send_recorded(SYS_write, fd, &all, 1, bytes, length, 0, 0, 0);
        return syscall(SYS_write, fd, bytes, length);
    }
    /* pwrite moves no position, so this does. */
    off_t offset = lseek(fd, 0, fcntl(fd, F_GETFL) & O_APPEND ? SEEK_END : SEEK_CUR);
    ssize_t written = write_at(fd, name, bytes, length, offset);
    if (written > 0)
        lseek(fd, offset + written, SEEK_SET);
    return written;
}

ssize_t writev(int fd, const struct iovec *bytes, int count)
{
    char path[PATH_MAX];
    if (name_of(fd, path)) {
        /* A part of it is a legitimate answer. */
        for (int at = 0; at < count; at++)
            if (bytes[at].iov_len)
                return write(fd, bytes[at].iov_base, bytes[at].iov_len);
        return 0;
    }
    if (recorder >= 0 && is_socket(fd))
        return send_recorded(SYS_writev, fd, bytes, count, bytes, count, 0, 0, 0);
    return syscall(SYS_writev, fd, bytes, count);
}

ssize_t sendto(int fd, const void *bytes, size_t length, int flags, const struct sockaddr *to, socklen_t to_length)
{
    struct iovec all = { (void *)bytes, length };
    return send_recorded(SYS_sendto, fd, &all, 1, bytes, length, flags, (long)to, to_length);
}

ssize_t send(int fd, const void *bytes, size_t length, int flags) { return sendto(fd, bytes, length, flags, NULL, 0); }

ssize_t sendmsg(int fd, const struct msghdr *message, int flags)
{
    return send_recorded(SYS_sendmsg, fd, message->msg_iov, message->msg_iovlen, message, flags, 0, 0, 0);
}

static ssize_t received(int fd, void *bytes, ssize_t length)
{
    if (length > 0 && recorder >= 0 && is_socket(fd))
        record(RECEIVED, fd, "", 0, &(struct iovec){ bytes, length }, 1, length);
    return length;
}

ssize_t recvfrom(int fd, void *bytes, size_t length, int flags, struct sockaddr *from, socklen_t *from_length)
{
    ssize_t count = syscall(SYS_recvfrom, fd, bytes, length, flags, from, from_length);
    /* What is only peeked at comes again. */
    return flags & MSG_PEEK ? count : received(fd, bytes, count);
}

ssize_t recv(int fd, void *bytes, size_t length, int flags) { return recvfrom(fd, bytes, length, flags, NULL, NULL); }

ssize_t read(int fd, void *bytes, size_t length) { return received(fd, bytes, syscall(SYS_read, fd, bytes, length)); }

int close(int fd)
{
    /* Before the descriptor can be another's. */
    if (recorder >= 0 && is_socket(fd))
        record(CLOSED, fd, "", 0, NULL, 0, 0);
    return syscall(SYS_close, fd);
}

static int sync_by(int call, int fd)
{
    char path[PATH_MAX];
    const char *name = name_of(fd, path);
    if (!name)
        return syscall(call, fd);
    int64_t delay = plan[SYNC_DELAY];
    nanosleep(&(struct timespec){ delay / 1000, delay % 1000 * 1000000 }, NULL);
    if (fails(SYNCS) || syscall(call, fd))
        return -1;
    record(SYNCED, fd, name, 0, NULL, 0, 0);
    return 0;
}

int fsync(int fd) { return sync_by(SYS_fsync, fd); }

int fdatasync(int fd) { return sync_by(SYS_fdatasync, fd); }

/* Whether a file may have that size on the emulated disk. */
static int has_room(int fd, int64_t size)
{
    struct stat status;
    if (!plan[DISK_SIZE] || fstat(fd, &status) || size <= status.st_size || used() + size - status.st_size <= plan[DISK_SIZE])
        return 1;
    errno = ENOSPC;
    return 0;
}

int ftruncate64(int fd, off64_t size)
{
    char path[PATH_MAX];
    const char *name = name_of(fd, path);
    if (name && (fails(TRUNCATES) || !has_room(fd, size)))
        return -1;
    int result = syscall(SYS_ftruncate, fd, size);
    if (name && !result)
        record(TRUNCATED, fd, name, size, NULL, 0, 0);
    return result;
}

int ftruncate(int fd, off_t size) { return ftruncate64(fd, size); }

int fallocate64(int fd, int mode, off64_t offset, off64_t length)
{
    char path[PATH_MAX];
    const char *name = name_of(fd, path);
    if (name && (fails(WRITES) || !has_room(fd, offset + length)))
        return -1;
    int result = syscall(SYS_fallocate, fd, mode, offset, length);
    if (name && !result && !(mode & FALLOC_FL_KEEP_SIZE))
        record(TRUNCATED, fd, name, offset + length, NULL, 0, 0);
    return result;
}

int fallocate(int fd, int mode, off_t offset, off_t length) { return fallocate64(fd, mode, offset, length); }

int posix_fallocate64(int fd, off64_t offset, off64_t length) { return fallocate64(fd, 0, offset, length) ? errno : 0; }

int posix_fallocate(int fd, off_t offset, off_t length) { return posix_fallocate64(fd, offset, length); }

static int open_at(int at, const char *path, int flags, mode_t mode)
{
    const char *name = inside(path);
    int writes = flags & O_CREAT || (flags & O_ACCMODE) != O_RDONLY;
    if (name && writes && fails(OPENS))
        return -1;
    int saved = errno;
    int is_new = name && flags & O_CREAT && syscall(SYS_faccessat, at, path, F_OK);
    errno = saved;
    int fd = syscall(SYS_openat, at, path, flags, mode);
    if (fd >= 0 && is_new)
        record(CREATED, fd, name, 0, NULL, 0, 0);
    else if (fd >= 0 && name && flags & O_TRUNC)
        record(TRUNCATED, fd, name, 0, NULL, 0, 0);
    return fd;
}

/* Where no file is created the mode is not given, and what is read instead is not used. */
#define MODE(last) ({ va_list more; va_start(more, last); mode_t mode = va_arg(more, int); va_end(more); mode; })
int open64(const char *path, int flags, ...) { return open_at(AT_FDCWD, path, flags, MODE(flags)); }
int open(const char *path, int flags, ...) { return open_at(AT_FDCWD, path, flags, MODE(flags)); }
int openat64(int at, const char *path, int flags, ...) { return open_at(at, path, flags, MODE(flags)); }
int openat(int at, const char *path, int flags, ...) { return open_at(at, path, flags, MODE(flags)); }

int unlinkat(int at, const char *path, int flags)
{
    int result = syscall(SYS_unlinkat, at, path, flags);
    const char *name = inside(path);
    if (name && !result)
        record(REMOVED, -1, name, 0, NULL, 0, 0);
    return result;
}

int unlink(const char *path) { return unlinkat(AT_FDCWD, path, 0); }

int renameat(int from_at, const char *from, int to_at, const char *to)
{
    int result = syscall(SYS_renameat2, from_at, from, to_at, to, 0);
    const char *name = inside(from), *new_name = inside(to);
    if (name && new_name && !result)
        record(RENAMED, -1, name, 0, &(struct iovec){ (void *)new_name, strlen(new_name) }, 1, SIZE_MAX);
    return result;
}

int rename(const char *from, const char *to) { return renameat(AT_FDCWD, from, AT_FDCWD, to); }

/* The sizes are those of SQLite's page buffers, a page of 4,096 bytes and what SQLite puts beside it: Rust gives up the
 * process when its own allocation fails, which is not what shall be seen. */
static int no_memory(size_t size)
{
    char name[16];
    return plan[MEMORY] && size > 4200 && size < 5000 && !prctl(PR_GET_NAME, name) && !strcmp(name, "store");
}

extern void *__libc_malloc(size_t), *__libc_calloc(size_t, size_t), *__libc_realloc(void *, size_t);

void *malloc(size_t size) { return no_memory(size) ? (errno = ENOMEM, NULL) : __libc_malloc(size); }

void *calloc(size_t count, size_t size) { return no_memory(count * size) ? (errno = ENOMEM, NULL) : __libc_calloc(count, size); }

void *realloc(void *old, size_t size) { return no_memory(size) ? (errno = ENOMEM, NULL) : __libc_realloc(old, size); }

/* Only the wall clock: the monotonic one does not jump. */
int clock_gettime(clockid_t clock, struct timespec *now)
{
    int result = syscall(SYS_clock_gettime, clock, now);
    int64_t shift = plan[CLOCK];
    if (result || !shift || (clock != CLOCK_REALTIME && clock != CLOCK_REALTIME_COARSE))
        return result;
    int64_t nanoseconds = now->tv_nsec + shift % 1000 * 1000000;
    int carry = nanoseconds < 0 ? -1 : nanoseconds >= 1000000000;
    now->tv_sec += shift / 1000 + carry;
    now->tv_nsec = nanoseconds - carry * 1000000000LL;
    return 0;
}

int gettimeofday(struct timeval *restrict now, void *restrict zone)
{
    struct timespec precise;
    (void)zone;
    clock_gettime(CLOCK_REALTIME, &precise);
    *now = (struct timeval){ precise.tv_sec, precise.tv_nsec / 1000 };
    return 0;
}

time_t time(time_t *now)
{
    struct timespec precise;
    clock_gettime(CLOCK_REALTIME, &precise);
    return now ? (*now = precise.tv_sec) : precise.tv_sec;
}
