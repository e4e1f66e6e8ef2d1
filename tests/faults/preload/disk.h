/* Writes at an offset, on a disk of limited size. */

/* Returns the bytes that the files in the directory take. A removed file takes none, even if it is still open. */
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

/* Returns how many bytes of a write at `offset` succeed, or -1 with errno. */
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
