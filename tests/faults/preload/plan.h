/* The plan, and the files that it applies to. */

/* The same order as in plan.rs. */
enum { WRITES, SYNCS, SYNC_DELAY, TRUNCATES, OPENS, DISK_SIZE, SHORT_WRITES, MEMORY, CLOCK, SLOTS };
/* The same order as in record.rs. */
enum { CREATED, WRITTEN, TRUNCATED, REMOVED, RENAMED, SYNCED, RECEIVED, SENT, CLOSED, STARTED };

static const volatile int64_t no_faults[SLOTS];
static const volatile int64_t *plan = no_faults;
static char directory[PATH_MAX];
static size_t directory_length;
static int recorder = -1;

/* Returns the name inside the directory, "" for the directory itself, or NULL for anything else. */
static const char *inside(const char *path)
{
    if (!directory_length || strncmp(path, directory, directory_length))
        return NULL;
    path += directory_length;
    return *path == '/' ? path + 1 : *path ? NULL : path;
}

/* Does the same for an open descriptor. */
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
    /* A removed file still belongs to the store while a process has it open. */
    size_t ending = sizeof removed - 1;
    if ((size_t)length > ending && !strcmp(path + length - ending, removed))
        path[length - ending] = 0;
    return inside(path);
}

static int fails(int slot)
{
    if (!plan[slot])
        return 0;
    errno = plan[slot];
    return 1;
}
