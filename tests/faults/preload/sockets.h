/* Bytes that are received and sent. */

/* The start of an answer is recorded before it is sent, so everything before it in the record also happened before it.
 * Of all other bytes, only those that the system accepted are recorded. */
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
    /* Peeked bytes are received again. */
    return flags & MSG_PEEK ? count : received(fd, bytes, count);
}

ssize_t recv(int fd, void *bytes, size_t length, int flags) { return recvfrom(fd, bytes, length, flags, NULL, NULL); }

ssize_t read(int fd, void *bytes, size_t length) { return received(fd, bytes, syscall(SYS_read, fd, bytes, length)); }

int close(int fd)
{
    /* Before another file can get the descriptor. */
    if (recorder >= 0 && is_socket(fd))
        record(CLOSED, fd, "", 0, NULL, 0, 0);
    return syscall(SYS_close, fd);
}
