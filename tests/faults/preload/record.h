/* The record of the events. */

static int is_socket(int fd)
{
    struct stat status;
    int saved = errno;
    int answer = !fstat(fd, &status) && S_ISSOCK(status.st_mode);
    errno = saved;
    return answer;
}

/* Appends one event with one call, so that the events of several threads do not mix. Writes at most `length` bytes. */
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

__attribute__((constructor)) static void start(void)
{
    const char *given = getenv("SEGUE_FAULTS_DIR"), *planned = getenv("SEGUE_FAULTS_PLAN");
    const char *recorded = getenv("SEGUE_FAULTS_RECORD");
    if (!given || !planned || strlen(given) >= sizeof directory)
        return;
    strcpy(directory, given);
    directory_length = strlen(directory);
    int file = syscall(SYS_openat, AT_FDCWD, planned, O_RDONLY | O_CLOEXEC);
    void *mapped = mmap(NULL, SLOTS * sizeof(int64_t), PROT_READ, MAP_SHARED, file, 0);
    if (mapped == MAP_FAILED)
        abort(); /* Otherwise a test would pass without the faults that it waits for. */
    plan = mapped;
    if (recorded)
        recorder = syscall(SYS_openat, AT_FDCWD, recorded, O_WRONLY | O_APPEND | O_CLOEXEC);
    record(STARTED, -1, "", 0, NULL, 0, 0);
}
