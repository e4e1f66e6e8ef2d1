/* Syncs, lengths and names. */

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

/* Returns whether a file can have this size on the emulated disk. */
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

/* Without O_CREAT there is no mode. The value that is read here is not used. */
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

int renameat2(int from_at, const char *from, int to_at, const char *to, unsigned flags)
{
    int result = syscall(SYS_renameat2, from_at, from, to_at, to, flags);
    const char *name = inside(from), *new_name = inside(to);
    if (name && new_name && !result)
        record(RENAMED, -1, name, 0, &(struct iovec){ (void *)new_name, strlen(new_name) }, 1, SIZE_MAX);
    return result;
}

int renameat(int from_at, const char *from, int to_at, const char *to) { return renameat2(from_at, from, to_at, to, 0); }

int rename(const char *from, const char *to) { return renameat2(AT_FDCWD, from, AT_FDCWD, to, 0); }
