/* Writes at the current position of a descriptor: a file of the store, a socket, or anything else. */

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
    /* pwrite does not move the position, so this does. */
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
        /* A short write is allowed. */
        for (int at = 0; at < count; at++)
            if (bytes[at].iov_len)
                return write(fd, bytes[at].iov_base, bytes[at].iov_len);
        return 0;
    }
    if (recorder >= 0 && is_socket(fd))
        return send_recorded(SYS_writev, fd, bytes, count, bytes, count, 0, 0, 0);
    return syscall(SYS_writev, fd, bytes, count);
}
