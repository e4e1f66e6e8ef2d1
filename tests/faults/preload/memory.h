/* Fails only allocations of the size of SQLite's page buffers: 4,376 bytes for a page of 4,096. Rust aborts the process
 * when one of its own allocations fails, and the tests want SQLite's to fail. */
static int no_memory(size_t size)
{
    char name[16];
    return plan[MEMORY] && size > 4370 && size < 4380 && !prctl(PR_GET_NAME, name) && !strcmp(name, "store");
}

extern void *__libc_malloc(size_t), *__libc_calloc(size_t, size_t), *__libc_realloc(void *, size_t);

void *malloc(size_t size) { return no_memory(size) ? (errno = ENOMEM, NULL) : __libc_malloc(size); }

void *calloc(size_t count, size_t size) { return no_memory(count * size) ? (errno = ENOMEM, NULL) : __libc_calloc(count, size); }

void *realloc(void *old, size_t size) { return no_memory(size) ? (errno = ENOMEM, NULL) : __libc_realloc(old, size); }
