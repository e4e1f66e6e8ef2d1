/* Moves the wall clock. The monotonic clock does not jump. */
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
